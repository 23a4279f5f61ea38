"""The guide is true: its programs run and print what stands under them, and its tables are those of the code."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import actors
from actors import errors
from actors.config import AgentConfig, SystemConfig
from actors.hosts.options import Options
from actors.hosts.taskmethod import TaskOptions
from actors.protocol.events import KNOWN_EVENTS
from actors.settings import Settings
from actors.workers import BUILT_IN

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
LIMIT = 50.0


class Program(NamedTuple):
    """One program of a document: the section where it stands, its text, and what it says that it prints."""

    section: str
    code: str
    printed: str


def sections(text: str) -> dict[str, str]:
    """What stands under each heading of the second order."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def programs() -> Iterator[Program]:
    for title, text in sections(GUIDE).items():
        blocks = re.findall(r"^```python\n(.*?)^```\n(?:```text\n(.*?)^```$)?", text, re.DOTALL | re.MULTILINE)
        for code, printed in blocks:
            yield Program(title, code, printed)


def rows(title: str, column: str) -> list[list[str]]:
    """The cells of the table of a section whose first column is headed so, without the heading."""
    lines = [line for line in sections(GUIDE)[title].splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    first = next(index for index, row in enumerate(cells) if row[0] == column)
    found = []
    for row in cells[first + 2 :]:
        if row[0].startswith("---") or len(row) != len(cells[first]):
            break
        found.append(row)
    return found


def names_in(text: str) -> set[str]:
    """What stands in code quotes."""
    return set(re.findall(r"`([A-Za-z_.]+)`", text))


PROGRAMS = list(programs())


def test_each_block_of_the_guide_is_a_program_with_its_output() -> None:
    """No block escapes the test below by its form."""
    assert GUIDE.count("```python\n") == len(PROGRAMS) >= 15
    assert GUIDE.count("```") == 4 * len(PROGRAMS)
    assert all(program.printed for program in PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS, ids=[program.section for program in PROGRAMS])
def test_a_program_of_the_guide_prints_what_stands_under_it(program: Program, tmp_path: Path) -> None:
    """J1, and whatever the section promises."""
    script = tmp_path / "program.py"
    script.write_text(program.code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert (done.stdout, done.returncode) == (program.printed, 0), done.stderr


def test_the_contents_name_every_section() -> None:
    """Each link leads somewhere."""
    linked = re.findall(r"\[([^\]]+)\]\(#([^)]+)\)", GUIDE)
    assert [title for title, _ in linked] == list(sections(GUIDE))
    assert all(anchor == title.lower().replace(" ", "-") for title, anchor in linked)


def settings(table: Settings, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted name, with its default."""
    for each in dataclasses.fields(table):
        value = getattr(table, each.name)
        if isinstance(value, Settings):
            yield from settings(value, f"{prefix}{each.name}.")
        elif each.name != "named":
            yield f"{prefix}{each.name}", value


def test_the_table_of_settings_names_each_with_its_variable_and_its_default() -> None:
    """A4: read through the environment, the default that stands in the table is the one that holds."""
    known = {name: value for name, value in settings(SystemConfig()) if not name.startswith("callable_agent.")}
    table = rows("Configuration", "setting")
    assert [row[0].strip("`") for row in table] == list(known)
    for name, variable, default, meaning in table:
        dotted = name.strip("`")
        assert variable == f"`ACTORS_{dotted.upper().replace('.', '__')}`"
        text = "" if default == "(empty)" else default.strip("`")
        loaded = dict(settings(SystemConfig.load(environ={variable.strip("`"): text})))
        assert loaded[dotted] == known[dotted], (dotted, default)
        assert meaning


def test_agents_for_plain_callables_differ_in_what_the_guide_says() -> None:
    """A4: limits and time limit, and nothing else."""
    plain = dict(settings(SystemConfig().callable_agent))
    different = {name for name, value in settings(AgentConfig()) if plain[name] != value}
    assert all(plain[name] is None or name == "limits.soft" for name in different)
    usual = dict(settings(SystemConfig().agent))
    assert {name for name in usual if usual[name] != plain[name]} == {
        *(f"limits.{name}" for name in ("memory", "open_files", "processes", "cpu")),
        "timeout",
    }


def test_the_table_of_options_is_that_of_the_code() -> None:
    """D1, D4: what `options` and `@task` take."""
    table = rows("Options", "option")
    of_task = {name for row in table if row[2] for name in names_in(row[0])}
    others = {name for row in table if not row[2] for name in names_in(row[0])}
    assert of_task == {each.name for each in dataclasses.fields(TaskOptions)}
    assert others == {each.name for each in dataclasses.fields(Options)} - {"task", "named"}


def test_the_table_of_errors_names_public_errors_and_their_attributes() -> None:
    """Errors: each has the attributes that the guide says, and none that concerns a user is left out."""
    named = set()
    for _, which, tells in rows("What can go wrong", "what happened"):
        for name in names_in(which):
            kind = getattr(errors, name)
            named.add(name)
            assert names_in(tells) - {"__cause__"} <= kind._facts, name
    public = {
        name
        for name in actors.__all__
        if issubclass(type(found := getattr(actors, name)), type) and issubclass(found, BaseException)
    }
    # The root, and what only one who writes actors with states of their own can meet.
    assert public - named == {"ActorsError", "IllegalTransition"}


def test_the_guide_lists_the_known_events() -> None:
    """B5: all of them."""
    listed = sections(GUIDE)["Events"].partition("The library's own events:")[2]
    assert names_in(listed) == set(KNOWN_EVENTS)


def test_the_table_of_built_in_workers_names_their_tasks_and_fields() -> None:
    """A1: task types, and the fields of their data."""
    import importlib
    import inspect

    known: dict[str, set[str]] = {}
    for home in BUILT_IN.values():
        module, _, name = home.partition(":")
        for method in getattr(importlib.import_module(module), name).tasks().values():
            taken = [p for p in inspect.signature(method.function).parameters.values() if p.kind != p.VAR_KEYWORD]
            known[method.task_type] = {parameter.name for parameter in taken} - {"self"}
    table = rows("Work described as data", "agent type")
    assert {next(iter(names_in(row[1]))): names_in(row[2]) for row in table} == known
    assert {name for row in table for name in names_in(row[0])} == set(BUILT_IN)
