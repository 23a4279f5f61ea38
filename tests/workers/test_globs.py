"""Lists of files with patterns."""

from __future__ import annotations

import glob
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.errors import ConfigError
from actors.workers.globs import expand


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for name in ("a.py", "b.txt", ".hidden.py", "src/c.py", "src/d/e.py", "src/d/f.js", "src/.git/g.py", "x[1].py"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (root / "link.py").symlink_to(root / "a.py")
    (root / "dangling.py").symlink_to(root / "nowhere")
    return root


def test_a_link_that_leads_back_is_not_followed(tmp_path: Path) -> None:
    """A1: a pattern comes to an end in any tree."""
    (tmp_path / "a.py").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert expand(["**/**/**/*.py"], str(tmp_path)) == ["a.py"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("src/**/*.py", ["src/c.py", "src/d/e.py"]),
        ("**/*.py", ["a.py", "dangling.py", "link.py", "src/c.py", "src/d/e.py", "x[1].py"]),
        ("**", ["a.py", "b.txt", "dangling.py", "link.py", "src/c.py", "src/d/e.py", "src/d/f.js", "x[1].py"]),
        ("*.py", ["a.py", "dangling.py", "link.py", "x[1].py"]),
        ("?.py", ["a.py"]),
        ("src/*/*.js", ["src/d/f.js"]),
        ("src/**/d/**/*.py", ["src/d/e.py"]),
        (".*.py", [".hidden.py"]),
        ("s*/c.py", ["src/c.py"]),
        ("nothing/**/*.py", []),
        ("[ab].*", ["a.py", "b.txt"]),
    ],
)
def test_a_pattern_names_files(tree: Path, pattern: str, found: list[str]) -> None:
    """A1: task data takes globs (`src/**/*.py`); hidden names and links to folders are not matched."""
    assert expand([pattern], str(tree)) == found


def test_a_path_that_exists_is_no_pattern(tree: Path) -> None:
    """A1: `x[1].py` names the file of that name."""
    assert expand(["x[1].py"], str(tree)) == ["x[1].py"]


def test_a_file_that_is_named_is_kept_whether_it_exists_or_not(tree: Path) -> None:
    """A1: whoever names a file hears of it; only matches are filtered."""
    assert expand(["gone.py", "b.txt", "*"], str(tree), keep=lambda path: path.endswith(".py"))[:3] == [
        "gone.py",
        "b.txt",
        "a.py",
    ]


def test_each_file_comes_once(tree: Path) -> None:
    """A1: two patterns that match one file name it once."""
    assert expand(["src/c.py", "src/*.py", "src/**/*.py"], str(tree)) == ["src/c.py", "src/d/e.py"]


def test_absolute_patterns_and_the_working_directory(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A1: without a root, paths are those of the process."""
    assert expand([f"{tree}/src/*.py"]) == [f"{tree}/src/c.py"]
    monkeypatch.chdir(tree)
    assert expand(["src/*.py"]) == ["src/c.py"]


@pytest.mark.parametrize("paths", ["a.py", b"a.py", None, 3, [1], [""], [None]])
def test_what_is_no_list_of_texts_is_refused(paths: object) -> None:
    """A1: the error says what was expected."""
    with pytest.raises(ConfigError, match="paths"):
        expand(paths)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["a", "src", "d", "*", "**", "?.py", "*.py", "[a-c]*"]), min_size=1, max_size=5))
def test_patterns_match_what_the_standard_library_matches(tree: Path, parts: list[str]) -> None:
    """A1: apart from folders, which are no files."""
    pattern = "/".join(parts)
    # Of a folder that is not there, `glob` says that it has itself in it.
    theirs = {
        path
        for path in glob.glob(pattern, root_dir=tree, recursive=True)
        if os.path.lexists(tree / path) and not (tree / path).is_dir()
    }
    assert set(expand([pattern], str(tree))) - {pattern} == theirs - {pattern}
