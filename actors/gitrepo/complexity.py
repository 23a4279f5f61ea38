"""The complexity of files as a commit has them, whether they are on disk or not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pygit2

from actors.analysis.languages import language_of
from actors.errors import ConfigError
from actors.gitrepo.repository import told

__all__ = ["complexity_of", "paths_of"]

_MOST_BYTES = 5 * 1024 * 1024
_TREE, _FILE, _PROGRAM = 0o040000, 0o100644, 0o100755


def paths_of(repository: pygit2.Repository, tree: pygit2.Tree) -> dict[str, pygit2.Oid]:
    """The files of a tree with the ids of their contents, in order; links and submodules are left out."""
    found: dict[str, pygit2.Oid] = {}
    with told(repository, "the files of a commit cannot be listed"):
        _collect(repository, tree, "", found)
    return found


def _collect(repository: pygit2.Repository, top: pygit2.Tree, prefix: str, found: dict[str, pygit2.Oid]) -> None:
    # A tree may be deeper than the interpreter's stack.
    todo = [(prefix, top)]
    while todo:
        folder, tree = todo.pop()
        for entry in tree:
            path = folder + os.fsdecode(entry.raw_name or b"")
            mode = int(entry.filemode)
            if mode == _TREE:
                todo.append((f"{path}/", repository[entry.id].peel(pygit2.Tree)))
            elif mode in {_FILE, _PROGRAM}:
                found[path] = entry.id


def complexity_of(
    repository: pygit2.Repository,
    files: dict[str, pygit2.Oid],
    tell: Callable[[int], None] | None = None,
) -> dict[str, int]:
    """The complexities of the functions of each file together; a file that has none known is left out.

    Args:
        repository: where the contents are.
        files: their ids by path.
        tell: hears how many files are done.

    Raises:
        ConfigError: the extra `review` is not installed.
    """
    return dict(_measured(repository, files, tell))


def _measured(
    repository: pygit2.Repository, files: dict[str, pygit2.Oid], tell: Callable[[int], None] | None
) -> Iterator[tuple[str, int]]:
    # Parsers are slow to import, and a history without complexities needs none.
    from actors.analysis.generic import measure_generic  # noqa: PLC0415
    from actors.analysis.python import measure_python  # noqa: PLC0415

    for index, (path, oid) in enumerate(files.items()):
        if tell is not None:
            tell(index)
        language = language_of(path)
        if language is None or repository.odb.read_header(oid)[1] > _MOST_BYTES:
            continue
        data = repository[oid].peel(pygit2.Blob).data
        if b"\0" in data[:8000]:
            continue
        text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
        try:
            measured = measure_python(text) if language == "python" else measure_generic(text, language)
        except ConfigError:
            raise
        except Exception:  # noqa: BLE001, S112 - a file that trips the analysis must not cost the others
            continue
        yield path, sum(function.complexity for function in measured.functions)
