"""Trees of files: inside one folder, whole or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.errors import ConfigError
from actors.workers import filetree
from actors.workers.filetree import checked_path, write_tree


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    "path",
    ["", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/./b", "a//b", "a/", ".", "a\0b", "x" * 256, None, 3, b"a"],
)
def test_a_path_that_leads_out_or_is_none_is_refused(path: object, tmp_path: Path) -> None:
    """I4: generated files are inside the output folder, whatever a path says."""
    with pytest.raises(ConfigError, match="relative path"):
        checked_path(path)
    with pytest.raises(ConfigError, match="relative path"):
        write_tree(str(tmp_path / "out"), {path: b""})  # type: ignore[dict-item]
    assert not (tmp_path / "out").exists()


def test_a_new_folder_appears_with_all_its_files(tmp_path: Path) -> None:
    """A1: generating trees; the folders above it are made."""
    files = {"a.txt": b"1", "b/c/d.bin": b"\0\xff", "b/e": b""}
    write_tree(str(tmp_path / "x" / "out"), files)
    assert content(tmp_path / "x" / "out") == files
    assert os.listdir(tmp_path / "x") == ["out"]


def test_files_are_added_to_a_folder_that_is_there(tmp_path: Path) -> None:
    """A1: what is there stays; nothing but the files is left."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "old").write_bytes(b"old")
    write_tree(str(tmp_path), {"b/new": b"new", "c/d": b"d"})
    assert content(tmp_path) == {"b/old": b"old", "b/new": b"new", "c/d": b"d"}
    assert sorted(os.listdir(tmp_path)) == ["b", "c"]


def test_a_file_that_is_there_is_an_error_unless_it_may_be_replaced(tmp_path: Path) -> None:
    """A1: an error takes back what was written before it."""
    (tmp_path / "z").write_bytes(b"old")
    with pytest.raises(FileExistsError, match="overwrite is false"):
        write_tree(str(tmp_path), {"a": b"1", "n/b": b"2", "z": b"3"})
    assert content(tmp_path) == {"z": b"old"} and os.listdir(tmp_path) == ["z"]
    write_tree(str(tmp_path), {"a": b"1", "z": b"3"}, overwrite=True)
    assert content(tmp_path) == {"a": b"1", "z": b"3"}


def test_an_error_brings_back_what_was_replaced(tmp_path: Path) -> None:
    """A1: all files or none, also when some were there before."""
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_tree(str(tmp_path), {"a": b"new", "b": b"new", "folder": b"x"}, overwrite=True)
    assert content(tmp_path) == {"a": b"old"} and sorted(os.listdir(tmp_path)) == ["a", "folder"]


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    """I4: no escape by a link in the output folder."""
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    with pytest.raises(ConfigError, match="'link' is a link"):
        write_tree(str(inside), {"a": b"1", "link/x": b"2"})
    assert content(outside) == {} and os.listdir(inside) == ["link"]


def test_a_link_to_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """I4: what it leads to stays as it was."""
    secret, inside = tmp_path / "secret", tmp_path / "inside"
    secret.write_bytes(b"secret")
    inside.mkdir()
    (inside / "x").symlink_to(secret)
    with pytest.raises(FileExistsError):
        write_tree(str(inside), {"x": b"2"})
    write_tree(str(inside), {"x": b"2"}, overwrite=True)
    assert secret.read_bytes() == b"secret" and (inside / "x").read_bytes() == b"2" and not (inside / "x").is_symlink()


def test_links_made_while_it_writes_lead_nowhere(tmp_path: Path) -> None:
    """I4: an adversary who swaps folders for links all the time gets no file outside."""
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            try:
                (inside / "d").symlink_to(outside)
                os.unlink(inside / "d")
            except OSError:
                continue

    adversary = threading.Thread(target=swap)
    adversary.start()
    try:
        for number in range(300):
            try:
                write_tree(str(inside), {f"d/f{number}": b"x"}, overwrite=True)
            except (ConfigError, OSError):
                continue
    finally:
        stop.set()
        adversary.join()
    assert os.listdir(outside) == []


def test_a_file_in_the_way_of_a_folder_is_refused(tmp_path: Path) -> None:
    """A1: a clear error, and nothing written."""
    (tmp_path / "a").write_bytes(b"file")
    with pytest.raises(ConfigError, match="'a' is a link or a file"):
        write_tree(str(tmp_path), {"a/b": b"1"})
    with pytest.raises(ConfigError, match="a file of the same tree"):
        write_tree(str(tmp_path), {"x": b"1", "x/y": b"2"})
    assert content(tmp_path) == {"a": b"file"}


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A1: no half tree, neither in a new folder nor in one that is there."""
    real = filetree._write

    def full(folder: int, name: str, data: bytes) -> None:
        if data == b"last":
            raise OSError(28, "No space left on device", name)
        real(folder, name, data)

    monkeypatch.setattr(filetree, "_write", full)
    (tmp_path / "there").mkdir()
    for output in (tmp_path / "new", tmp_path / "there"):
        with pytest.raises(OSError, match="No space"):
            write_tree(str(output), {"a": b"1", "b/c": b"last"})
    assert os.listdir(tmp_path) == ["there"] and os.listdir(tmp_path / "there") == []


def test_an_output_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """A1: a clear error."""
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match="no folder"):
        write_tree(str(tmp_path / "out"), {"a": b""})


def test_files_have_the_rights_of_any_new_file(tmp_path: Path) -> None:
    """A1: the umask decides."""
    (tmp_path / "plain").write_text("")
    write_tree(str(tmp_path / "out"), {"a": b""})
    assert (tmp_path / "out" / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(paths=st.lists(st.lists(NAMES, min_size=1, max_size=4).map("/".join), min_size=1, max_size=5))
def test_whatever_the_paths_are_nothing_is_written_outside(
    tmp_path_factory: pytest.TempPathFactory, paths: list[str]
) -> None:
    """I4: either all files are there and inside, or nothing is."""
    top = tmp_path_factory.mktemp("any")
    out = top / "in" / "out"
    out.mkdir(parents=True)
    files = {path: str(index).encode() for index, path in enumerate(paths)}
    try:
        write_tree(str(out), files)
    except (ConfigError, OSError):
        assert content(top) == {}
    else:
        assert content(out) == files and content(top) == {f"in/out/{path}": data for path, data in files.items()}
