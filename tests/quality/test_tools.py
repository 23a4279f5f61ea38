"""Linters and bandit: what they find is what the tools say by themselves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from actors.quality.bandit import Bandit
from actors.quality.check import check_files
from actors.quality.command import Ended
from actors.quality.linters import Eslint, Ruff, Shellcheck, Yamllint
from actors.quality.target import Names, Target, look_at
from actors.quality.tool import Tool, find_program
from actors.worker import Worker

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
run = Worker().run

BAD_PYTHON = "import os\n\n\ndef f(x):\n    assert x\n    return undefined\n"
BAD_SHELL = "#!/bin/sh\necho $x\ncd /tmp\n"
BAD_YAML = "a: 1\na: 2\n"


@dataclass
class Said:
    """What a tool said."""

    stdout: str
    code: int = 0
    stderr: str = ""
    truncated: bool = False


def by_hand(*argv: str, cwd: Path) -> str:
    env = os.environ | {"LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [str(BIN / argv[0]), *argv[1:]], cwd=cwd, env=env, capture_output=True, text=True, check=False
    ).stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "bad.py").write_text(BAD_PYTHON)
    (tmp_path / "src" / "broken.py").write_text("def f(:\n")
    (tmp_path / "run.sh").write_text(BAD_SHELL)
    (tmp_path / "start").write_text("#!/usr/bin/env bash\necho $1\n")
    (tmp_path / "a.yaml").write_text(BAD_YAML)
    (tmp_path / ".yamllint").write_text("extends: default\n")
    (tmp_path / ".git").mkdir()
    return tmp_path


def test_ruff_on_this_project_finds_what_ruff_finds(tmp_path: Path) -> None:
    """Done 1: with the configuration that ruff itself finds, and with rules that this project leaves out."""
    paths = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "actors" / "core").rglob("*.py"))
    assert check_files(paths, str(ROOT), ["ruff"], run).findings == ()
    (tmp_path / "ruff.toml").write_text('lint.select = ["ALL"]\n')
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text((ROOT / path).read_text())
    said = json.loads(by_hand("ruff", "check", "--no-cache", "--output-format=json", cwd=tmp_path))
    found = check_files(paths, str(tmp_path), ["ruff"], run).findings
    assert len(found) > 20
    assert Counter((one.path, one.rule, one.line, one.column, one.message) for one in found) == Counter(
        (os.path.relpath(one["filename"], tmp_path), one["code"], place["row"], place["column"], one["message"])
        for one in said
        for place in [one["location"]]
    )
    assert not list(tmp_path.rglob(".ruff_cache"))


@pytest.mark.slow
def test_bandit_on_this_project_finds_what_bandit_finds() -> None:
    """Done 1: security scanning, with an independent count."""
    said = json.loads(by_hand("bandit", "-q", "-f", "json", "-r", "actors/hosts", cwd=ROOT))["results"]
    paths = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "actors" / "hosts").rglob("*.py"))
    found = check_files(paths, str(ROOT), ["bandit"], run).findings
    assert found
    assert Counter((one.path, one.rule, one.line) for one in found) == Counter(
        (one["filename"], one["test_id"], one["line_number"]) for one in said
    )
    assert {one.kind for one in found} == {"security"}


def test_shellcheck_and_yamllint_find_what_they_find_by_hand(tree: Path) -> None:
    """A1: linting of what is not Python; a script without suffix is told by its first line."""
    found = check_files(["run.sh", "start", "a.yaml"], str(tree), ["shellcheck", "yamllint"], run).findings
    said = json.loads(by_hand("shellcheck", "-f", "json1", "run.sh", "start", cwd=tree))["comments"]
    yaml = by_hand("yamllint", "-f", "parsable", "a.yaml", cwd=tree).splitlines()
    assert sorted((one.path, one.rule, one.line) for one in found if one.tool == "shellcheck") == sorted(
        (one["file"], f"SC{one['code']}", one["line"]) for one in said
    )
    assert sorted(f"{one.path}:{one.line}:{one.column}" for one in found if one.tool == "yamllint") == sorted(
        ":".join(line.split(":")[:3]) for line in yaml
    )
    assert {one.rule for one in found if one.tool == "yamllint"} == {"document-start", "key-duplicates"}
    assert {one.path for one in found if one.tool == "shellcheck"} == {"run.sh", "start"}


def test_syntax_errors_and_undefined_names_are_errors_and_the_rest_are_warnings(tree: Path) -> None:
    """One severity for all tools."""
    found = check_files(["src/bad.py", "src/broken.py"], str(tree), ["ruff", "bandit"], run).findings
    severity = {(one.tool, one.rule): one.severity for one in found}
    assert severity["ruff", "F821"] == "error" and severity["ruff", "F401"] == "warning"
    assert severity["ruff", "invalid-syntax"] == "error"
    assert severity["bandit", "B101"] == "note"
    unused = next(one for one in found if one.rule == "F401")
    assert "Remove unused import" in unused.mend and unused.url
    (odd,) = (one for one in found if one.rule == "not-checked")
    assert (odd.tool, odd.path) == ("bandit", "src/broken.py")


def test_checking_changes_nothing_even_if_the_configuration_mends(tree: Path) -> None:
    """A check is no repair: `fix = true` is overruled, no cache is left."""
    (tree / "ruff.toml").write_text("fix = true\n")
    before = sorted(path.relative_to(tree) for path in tree.rglob("*"))
    check_files(["src/bad.py"], str(tree), ["ruff", "bandit"], run)
    assert (tree / "src" / "bad.py").read_text() == BAD_PYTHON
    assert sorted(path.relative_to(tree) for path in tree.rglob("*")) == before


def test_names_may_be_anything(tree: Path) -> None:
    """Bad input: spaces, line ends, dashes, colons, and bytes that are no UTF-8, also when two look the same."""
    names = [b"a b.py", b"line\nend.py", b"-x.py", b"c:1:2.py", b"\xff.py", b"\xfe.py"]
    for name in names:
        with open(os.path.join(os.fsencode(tree), name), "w", encoding="utf-8") as file:
            file.write(BAD_PYTHON)
    paths = [os.fsdecode(name) for name in names]
    found = check_files(paths, str(tree), ["ruff", "bandit"], run).findings
    assert Counter((one.path, one.rule) for one in found) == Counter(
        (path, rule) for path in paths for rule in ("F401", "F821", "B101")
    )
    shells = [os.fsdecode(name.replace(b".py", b".sh")) for name in names if name[0] < 0x80]
    for path in shells:
        (tree / path).write_text(BAD_SHELL)
        (tree / path.replace(".sh", ".yaml")).write_text(BAD_YAML)
    found = check_files(shells, str(tree), ["shellcheck"], run).findings
    assert {one.path for one in found} == set(shells)
    yamls = [path.replace(".sh", ".yaml") for path in shells]
    found = check_files(yamls, str(tree), ["yamllint"], run).findings
    assert Counter((one.path, one.rule) for one in found) == Counter(
        (path, rule) for path in yamls for rule in ("document-start", "key-duplicates")
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_without_permission_is_reported(tree: Path) -> None:
    """Bad input: no permission."""
    (tree / "src" / "bad.py").chmod(0)
    (found,) = check_files(["src/bad.py"], str(tree), ["ruff"], run).findings
    assert found.rule == "unreadable"


def test_what_cannot_be_read_is_reported_in_its_place_and_the_rest_goes_on(tree: Path) -> None:
    """Bad input: a file of 2 GB, a loop of links, a missing file, a folder, a pipe."""
    with open(tree / "huge.py", "wb") as file:
        file.truncate(2 << 30)
    (tree / "loop.py").symlink_to(tree / "loop.py")
    os.mkfifo(tree / "pipe.py")
    paths = ["huge.py", "loop.py", "gone.py", "src", "pipe.py", "src/bad.py"]
    found = check_files(paths, str(tree), ["ruff", "bandit", "secrets"], run).findings
    odd = {one.path: one.rule for one in found if one.tool == "actors"}
    assert odd == {
        "huge.py": "too-large",
        "loop.py": "symlink-loop",
        "gone.py": "missing",
        "src": "not-a-file",
        "pipe.py": "not-a-file",
    }
    assert {one.path for one in found if one.tool != "actors"} == {"src/bad.py"}


def test_a_file_that_goes_while_it_is_checked_costs_the_others_nothing(tree: Path) -> None:
    """Bad input: it disappears between the look at it and the tool."""

    def late(argv: Any, **options: Any) -> Ended:
        (tree / "late.py").unlink(missing_ok=True)
        (tree / "late.sh").unlink(missing_ok=True)
        return run(argv, **options)

    (tree / "late.py").write_text(BAD_PYTHON)
    (tree / "late.sh").write_text(BAD_SHELL)
    paths = ["late.py", "late.sh", "src/bad.py", "run.sh"]
    found = check_files(paths, str(tree), ["ruff", "bandit", "shellcheck"], late).findings
    assert {one.rule for one in found if one.path == "src/bad.py"} == {"F401", "F821", "B101"}
    assert {one.rule for one in found if one.path == "late.py"} == {"E902", "not-checked"}
    assert {one.rule for one in found if one.path == "late.sh"} == {"tool-failed"}
    assert {one.rule for one in found if one.path == "run.sh"} >= {"SC2086"}


def test_a_wrong_configuration_of_a_tool_is_one_finding(tree: Path) -> None:
    """It concerns all files, and says what the tool says."""
    (tree / "ruff.toml").write_text("no-such-option = 1\n")
    (tree / ".yamllint").write_text("rules: {no-such-rule: enable}\n")
    found = check_files(["src/bad.py", "src/broken.py", "a.yaml"], str(tree), ["ruff", "yamllint"], run).findings
    assert sorted((one.tool, one.rule, one.path) for one in found) == [
        ("ruff", "tool-failed", "."),
        ("yamllint", "tool-failed", "."),
    ]
    assert "no-such-option" in next(one.message for one in found if one.tool == "ruff")


def test_a_tool_that_is_not_there_or_not_configured_is_told_of_once(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A1: never silently."""
    (tree / ".yamllint").unlink()
    (tree / "a.js").write_text("var a = 1\n")
    (tree / "b.js").write_text("var a = 1\n")
    report = check_files(["a.js", "b.js", "a.yaml"], str(tree), ["eslint", "yamllint"], run)
    assert [(skip.tool, skip.reason.partition(":")[0]) for skip in report.skipped] == [
        ("eslint", "not configured"),
        ("yamllint", "not configured"),
    ]
    monkeypatch.setattr("actors.quality.tool.find_program", lambda _: None)
    report = check_files(["src/bad.py", "run.sh", "start"], str(tree), ["ruff", "shellcheck"], run)
    assert [(skip.tool, skip.reason) for skip in report.skipped] == [
        ("ruff", "not installed"),
        ("shellcheck", "not installed"),
    ]
    assert all("install" in skip.install for skip in report.skipped)
    assert check_files(["a.yaml"], str(tree), ["ruff"], run).skipped == ()


def test_a_tool_that_dies_on_one_file_costs_that_file_alone(tree: Path) -> None:
    """A crash or a hang of a tool is found by halving."""

    class Fragile(Tool):
        name = "fragile"
        syntax = "python"
        install = "-"

        def argv(self, program: str, root: str) -> list[str]:
            script = 'for f; do case $f in *bad*) kill -SEGV $$;; *hang*) sleep 60;; *) echo "$f";; esac; done'
            return ["/bin/sh", "-c", script, "sh"]

        def program(self, root: str) -> str:
            return "/bin/sh"

        def read(self, ended: Ended, names: Names) -> list[Any]:
            if ended.code:
                raise self.failed(ended)
            from actors.quality.finding import Finding

            return [
                Finding("fragile", "R1", "note", names.path(line), 1, 1, 1, "seen")
                for line in ended.stdout.splitlines()
            ]

    paths = ["a.py", "b.py", "bad.py", "c.py", "hang.py", "d.py"]
    for path in paths:
        (tree / path).write_text("")
    targets = [look_at(path, str(tree)) for path in paths]
    report = Fragile().check([one for one in targets if isinstance(one, Target)], str(tree), run, timeout=0.5)
    assert {one.path: one.rule for one in report.findings} == {
        **dict.fromkeys(("a.py", "b.py", "c.py", "d.py"), "R1"),
        "bad.py": "tool-failed",
        "hang.py": "tool-failed",
    }


def test_the_output_of_eslint_is_read(tree: Path) -> None:
    """A1: as version 9 writes it."""
    files = [
        {
            "filePath": str(tree / "a b.js"),
            "messages": [
                {
                    "ruleId": "no-unused-vars",
                    "severity": 2,
                    "message": "'x' is assigned a value but never used.",
                    "line": 1,
                    "column": 5,
                    "endLine": 1,
                    "endColumn": 6,
                    "suggestions": [{"desc": "Remove unused variable 'x'."}],
                },
                {"ruleId": None, "fatal": True, "severity": 2, "message": "Parsing error", "line": 2, "column": 1},
            ],
        }
    ]
    names = Names(str(tree), [Target("a b.js", "./a b.js", "javascript", "")])
    unused, fatal = Eslint().read(Said(json.dumps(files), code=1), names)
    assert (unused.path, unused.rule, unused.severity, unused.line) == ("a b.js", "no-unused-vars", "error", 1)
    assert unused.mend == "Remove unused variable 'x'." and unused.url.endswith("/no-unused-vars")
    assert fatal.rule == "syntax-error"


@pytest.mark.skipif(find_program("eslint") is None, reason="needs eslint, which npm installs")
def test_eslint_finds_what_it_finds_by_hand(tree: Path) -> None:
    """A1: with its own configuration."""
    (tree / "eslint.config.mjs").write_text('export default [{ rules: { "no-unused-vars": "error" } }];\n')
    (tree / "a b.js").write_text("var x = 1\n")
    (tree / "bad.js").write_text("var (\n")
    found = check_files(["a b.js", "bad.js"], str(tree), ["eslint"], run).findings
    assert [(one.path, one.rule) for one in found] == [("a b.js", "no-unused-vars"), ("bad.js", "syntax-error")]


def test_columns_count_characters_from_1(tree: Path) -> None:
    """One place for all tools: bandit counts bytes from 0."""
    (tree / "wide.py").write_text("def f(x):\n    'ééé'; assert x\n")
    (found,) = check_files(["wide.py"], str(tree), ["bandit"], run).findings
    assert (found.line, found.column) == (2, 12)


def test_each_tool_says_what_to_install() -> None:
    """A1: a missing tool is mended by one line."""
    for tool in (Ruff(), Eslint(), Shellcheck(), Yamllint(), Bandit()):
        assert re.search(r"(pip|npm|apt-get) install", tool.install)
