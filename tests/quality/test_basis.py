"""What decides what a tool says of a file: if it stays, so does what the tool says."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.quality.basis import Basis, speaking
from actors.quality.check import check_files
from actors.quality.finding import Finding
from actors.quality.program import identity
from actors.quality.tool import find_program
from actors.worker import Worker

run = Worker().run
TOOLS = ("ruff", "bandit", "shellcheck", "yamllint")
FILES = ("pkg/sub/mod.py", "run.sh", "a.yaml")
MODULE = (
    "import os\nimport zlib\n\nimport other\nimport sub2\n\n\ndef f(x: int) -> str | None:\n"
    "    assert x\n    return undefined + os.environ['A' * 100]  # a line that is rather long, as some like them\n"
)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make_tree(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def said_before(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[Finding, ...]]:
    """What the tools say of the tree as it is made, wherever it lies."""
    with pytest.MonkeyPatch.context() as patch:
        return said(make_tree(tmp_path_factory.mktemp("before"), patch))


def make_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    root = tmp_path / "above" / "tree"
    (root / "pkg" / "sub").mkdir(parents=True)
    (root / "pkg" / "sub" / "mod.py").write_text(MODULE)
    (root / "run.sh").write_text("#!/bin/sh\necho $1\ncd /tmp\n")
    (root / "a.yaml").write_text("a: 1\na: 2\n")
    (root / ".yamllint").write_text("extends: default\n")
    (root / "pyproject.toml").write_text(
        "[tool.ruff]\nline-length = 100\n[tool.ruff.lint]\nselect = ['I', 'INP', 'EXE', 'E', 'F', 'UP', 'TID', 'T20']\n"
    )
    return root


def bases(root: Path) -> dict[tuple[str, str], str | None]:
    programs = {tool: program for tool in TOOLS if (program := find_program(tool))}
    basis = Basis(str(root), speaking(os.environ), programs)
    takers = {"pkg/sub/mod.py": ("ruff", "bandit"), "run.sh": ("shellcheck",), "a.yaml": ("yamllint",)}
    return {(path, tool): basis.of(tool, path) for path, tools in takers.items() for tool in tools}


def said(root: Path) -> dict[tuple[str, str], tuple[Finding, ...]]:
    found = check_files(FILES, str(root), TOOLS, run).findings
    return {place: tuple(one for one in found if (one.path, one.tool) == place) for place in bases(root)}


def write(name: str, text: str) -> Callable[[Path], object]:
    def edit(root: Path) -> object:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.write_text(text)

    return edit


EDITS: dict[str, Callable[[Path], object]] = {
    "rules": write("pyproject.toml", "[tool.ruff.lint]\nselect = ['E501', 'D']\n"),
    "a nearer setting": write("pkg/ruff.toml", "lint.select = ['F401']\n"),
    "the nearest setting": write("pkg/sub/.ruff.toml", "lint.select = ['ANN']\n"),
    "a setting above the tree": lambda root: [
        (root / "pyproject.toml").unlink(),
        (root.parent / "ruff.toml").write_text("lint.select = ['D']\n"),
    ],
    "the user's setting": lambda root: [
        (root / "pyproject.toml").unlink(),
        (root.parents[1] / "home/.config/ruff").mkdir(parents=True, exist_ok=True),
        (root.parents[1] / "home/.config/ruff/ruff.toml").write_text("lint.select = ['D']\n"),
    ],
    "a setting that is extended": lambda root: [
        (root / "pkg" / "ruff.toml").write_text("extend = '../../base.toml'\n"),
        (root.parent / "base.toml").write_text("lint.select = ['D', 'ANN']\n"),
    ],
    "the version of Python": write("pyproject.toml", "[project]\nname='a'\nversion='1'\nrequires-python = '>=3.9'\n"),
    "exceptions by file": write(
        "pyproject.toml", "[tool.ruff.lint]\nselect = ['F', 'E']\nper-file-ignores = {'pkg/**' = ['F821']}\n"
    ),
    "a first-party module": write("other.py", "x = 1\n"),
    "a first-party folder": lambda root: (root / "sub2").mkdir(),
    "a first-party module in src": write("src/other.py", "x = 1\n"),
    "a package": write("pkg/sub/__init__.py", ""),
    "packages up to the root": lambda root: [
        write(name, "")(root) for name in ("pkg/sub/__init__.py", "pkg/__init__.py")
    ],
    "the right to run it": lambda root: (root / "pkg/sub/mod.py").chmod(0o755),
    "exclusion": write("pyproject.toml", "[tool.ruff]\nextend-exclude = ['pkg']\n"),
    "bandit's skips": write("pyproject.toml", "[tool.bandit]\nskips = ['B101']\n"),
    "bandit's exceptions by file": write("pyproject.toml", "[tool.bandit.assert_used]\nskips = ['*/sub/*']\n"),
    "bandit's ini": write(".bandit", "[bandit]\nskips = B101\n"),
    "shellcheck's settings": write(".shellcheckrc", "disable=SC2086\n"),
    "shellcheck's settings above": lambda root: (root.parent / ".shellcheckrc").write_text("disable=SC2164\n"),
    "shellcheck's settings at home": lambda root: [
        (root.parents[1] / "home").mkdir(exist_ok=True),  # bandit may have kept its cache there
        (root.parents[1] / "home/.shellcheckrc").write_text("disable=SC2164\n"),
    ],
    "yamllint's rules": write(".yamllint", "extends: relaxed\n"),
    "yamllint's own rules": write(".yamllint", "rules: {key-duplicates: disable}\n"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=list(EDITS))
def test_what_changes_the_word_of_a_tool_changes_its_basis(
    tree: Path, said_before: dict[tuple[str, str], tuple[Finding, ...]], edit: Callable[[Path], object]
) -> None:
    """A1: judged by the tools themselves; each edit changes what at least one of them says."""
    before, basis_before = said_before, bases(tree)
    edit(tree)
    after, basis_after = said(tree), bases(tree)
    assert None not in basis_before.values()
    changed = {place for place in before if before[place] != after[place]}
    assert changed
    assert {place for place in changed if basis_before[place] == basis_after[place]} == set()


@pytest.mark.parametrize(
    ("variable", "value", "place"),
    [
        ("RUFF_OUTPUT_FILE", "x", ("pkg/sub/mod.py", "ruff")),
        ("PYTHONPATH", "/x", ("pkg/sub/mod.py", "bandit")),
        ("SHELLCHECK_OPTS", "-x", ("run.sh", "shellcheck")),
        ("YAMLLINT_CONFIG_FILE", "/x", ("a.yaml", "yamllint")),
    ],
)
def test_the_environment_decides_too(
    tree: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, place: tuple[str, str]
) -> None:
    """A1: variables that a tool hears."""
    before = bases(tree)
    monkeypatch.setenv(variable, value)
    after = bases(tree)
    assert {one for one in before if before[one] != after[one]} >= {place}


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        (".bandit", "[bandit]\nbaseline = old.json\n", ("pkg/sub/mod.py", "bandit")),
        (".shellcheckrc", "external-sources=true\n", ("run.sh", "shellcheck")),
        (".yamllint", "extends: /etc/yamllint.yaml\n", ("a.yaml", "yamllint")),
        (".yamllint", "extends: default\nignore-from-file: .gitignore\n", ("a.yaml", "yamllint")),
        ("pyproject.toml", "[tool.ruff\n", ("pkg/sub/mod.py", "ruff")),
        ("ruff.toml", "extend = '$NOWHERE/x.toml'\n", ("pkg/sub/mod.py", "ruff")),
        ("ruff.toml", "extend = 'gone.toml'\n", ("pkg/sub/mod.py", "ruff")),
    ],
)
def test_where_it_cannot_be_known_there_is_no_basis(tree: Path, name: str, text: str, place: tuple[str, str]) -> None:
    """A1: settings that lead elsewhere, or that cannot be read."""
    write(name, text)(tree)
    assert bases(tree)[place] is None
    assert Basis(str(tree), {}, {"eslint": sys.executable}).of("eslint", "a.js") is None


def test_another_place_and_other_files_are_no_part_of_it(tree: Path, tmp_path: Path) -> None:
    """A1: another checkout with the same content has what this one has."""
    before = bases(tree)
    (tree / "README.md").write_text("x")
    (tree / "pkg/sub/deep.py").write_text("x = 1\n")
    (tree / ".cache-of-something").mkdir()
    assert bases(tree) == before
    (tmp_path / "elsewhere").mkdir()
    moved = tree.rename(tmp_path / "elsewhere" / "tree")
    assert bases(moved) == before


def test_a_setting_that_names_places_ties_it_to_the_place(tree: Path, tmp_path: Path) -> None:
    """A1: an absolute pattern may mean this checkout and no other."""
    text = f"lint.select = ['F']\nlint.per-file-ignores = {{'{tree}/pkg/**' = ['F821']}}\n"
    (tree / "ruff.toml").write_text(text)
    before, said_before = bases(tree), said(tree)
    (tmp_path / "elsewhere").mkdir()
    moved = tree.rename(tmp_path / "elsewhere" / "tree")
    place = ("pkg/sub/mod.py", "ruff")
    assert said(moved)[place] != said_before[place] and bases(moved)[place] != before[place]


def test_a_program_is_known_by_what_it_is_made_of(tmp_path: Path) -> None:
    """A1: name and version, without starting it; a shim is not known."""
    ruff, bandit = find_program("ruff"), find_program("bandit")
    assert ruff is not None and bandit is not None
    assert identity(ruff, "ruff") == identity(ruff, "ruff") is not None
    assert identity(bandit, "bandit") == identity(bandit, "bandit") is not None
    # Another name of the same file: what it does depends on the name.
    (tmp_path / "shim").symlink_to(ruff)
    (tmp_path / "ruff").symlink_to(ruff)
    assert identity(str(tmp_path / "shim"), "ruff") is None
    assert identity(str(tmp_path / "ruff"), "ruff") == identity(ruff, "ruff")
    for name, text in (("shell", "#!/bin/sh\nexec ruff\n"), ("node", "#!/usr/bin/env node\n"), ("text", "ruff\n")):
        (tmp_path / name).write_text(text)
        assert identity(str(tmp_path / name), "ruff") is None
    assert identity(str(tmp_path / "missing"), "ruff") is None


def test_a_script_of_python_is_known_with_what_is_installed_beside_it(tmp_path: Path) -> None:
    """A1: an upgrade, a plugin, and a package installed as a checkout."""
    libraries = tmp_path / "lib" / "python3.11" / "site-packages"
    (tmp_path / "bin").mkdir()
    libraries.mkdir(parents=True)
    (tmp_path / "pyvenv.cfg").write_text("include-system-site-packages = false\n")
    (tmp_path / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    script = tmp_path / "bin" / "bandit"
    script.write_text(f"#!{tmp_path}/bin/python\nimport bandit\n")
    (libraries / "bandit-1.9.1.dist-info").mkdir()
    seen = {identity(str(script), "bandit")}
    script.write_text(f"#!/bin/sh\n'''exec' \"{tmp_path}/bin/python\" \"$0\" \"$@\"\n' '''\nimport bandit\n")
    seen.add(identity(str(script), "bandit"))
    (libraries / "bandit-1.9.1.dist-info").rename(libraries / "bandit-1.9.2.dist-info")
    seen.add(identity(str(script), "bandit"))
    (libraries / "pyyaml-6.0.dist-info").mkdir()
    seen.add(identity(str(script), "bandit"))
    assert len(seen) == 4 and None not in seen
    (libraries / "pyyaml-6.0.dist-info" / "entry_points.txt").write_text("[bandit.plugins]\nx = y:z\n")
    assert identity(str(script), "bandit") is None
    (libraries / "pyyaml-6.0.dist-info" / "entry_points.txt").unlink()
    assert identity(str(script), "bandit") is not None
    (libraries / "bandit-1.9.2.dist-info" / "direct_url.json").write_text("{}")
    assert identity(str(script), "bandit") is None
