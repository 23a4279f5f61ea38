"""What stands in tables of the documents is what stands in the code."""

from __future__ import annotations

import configparser
import re
import textwrap
import tomllib
from pathlib import Path

import pytest

from actors.errors import RecordedError
from actors.protocol.states import AGENT_MOVES

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/guide.md",
    "docs/workflows.md",
    "docs/errors.md",
    "docs/testing.md",
    "docs/chaos.md",
    "docs/faults.md",
    "docs/messages.md",
    "docs/performance.md",
    "docs/hosts.md",
    "docs/architecture.md",
]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def table(document: str, heading: str) -> list[list[str]]:
    """The rows below the line of headings that begins so."""
    lines = document.splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith(heading)) + 2
    found = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_the_states_of_an_agent_are_those_of_the_machine() -> None:
    """A2: the only legal moves."""
    shown = {state: set(to.split(", ")) - {"none"} for state, to in table(text("docs/architecture.md"), "| from | to")}
    assert shown == {str(state): {str(target) for target in targets} for state, targets in AGENT_MOVES.items()}


def test_the_record_of_an_error_has_the_facts_that_are_told() -> None:
    """H3: each attribute stands in the table, and none that is not there."""
    rows = table(text("docs/errors.md"), "| line | attributes")
    shown = {name.strip("` ") for _, names, _ in rows for name in names.split(",")}
    assert shown == RecordedError._facts | {"headline", "growth"}


def test_the_rooms_stand_in_the_order_of_the_contracts() -> None:
    """Rooms: each that exists, none that does not."""
    shown = [
        name.strip("`").removesuffix(".py").rstrip("/") for name, _ in table(text("docs/architecture.md"), "| room")
    ]
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / "setup.cfg")
    # Rooms of one layer are parted by a bar.
    layers = contracts["importlinter:contract:rooms"]["layers"].splitlines()
    order = [room.strip(" ()") for layer in reversed(layers) for room in layer.split("|") if room.strip()]
    there = [name for name in order if (ROOT / "actors" / f"{name}.py").exists() or (ROOT / "actors" / name).is_dir()]
    assert shown == there


def test_the_readme_names_the_extras_that_there_are() -> None:
    """Install: a name that pip would not know helps nobody."""
    project = tomllib.loads(text("pyproject.toml"))["project"]
    shown = [name.strip("`") for name, _ in table(text("README.md"), "| | for")]
    extras = [name for name in project["optional-dependencies"] if name not in {"benchmarks", "browser", "dev"}]
    assert shown == [project["name"], *(f"{project['name']}[{extra}]" for extra in extras)]
    of_library = table(text("README.md"), "| | for")[0][1]
    assert all(re.split(r"[<>=]", each)[0] in of_library for each in project["dependencies"])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_to_files_that_are_there(name: str) -> None:
    """A reader who follows one arrives."""
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text(name)):
        if "://" not in target:
            assert (ROOT / name).parent.joinpath(target).exists(), f"{name} links to {target}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_of_make_exist(name: str) -> None:
    """`make …` in a document is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", text("Makefile"), re.MULTILINE))
    for line in re.findall(
        r"^    (?:[A-Z]+=\S+ )*make ([a-z -]+?)(?:\s+#.*)?$|`(?:[A-Z]+=\S+ )*make ([a-z-]+)`", text(name), re.MULTILINE
    ):
        for target in " ".join(line).split():
            assert target in targets, f"{name} names make {target}"


def test_the_walk_through_shows_the_example_as_it_is() -> None:
    """Test your workers: the code that stands in it is in the program, word for word."""
    example = text("examples/double_booking.py")
    blocks = re.findall(r"(?:^    .*\n|^\n)+", text("docs/testing.md"), re.MULTILINE)
    classes = [
        part for block in blocks for part in re.split(r"\n{3}", textwrap.dedent(block).strip("\n")) if "class " in part
    ]
    assert len(classes) == 4
    for part in classes:
        for line in part.splitlines():
            assert line in example, line
