"""A file to be checked: read once, before any tool sees it, so that what cannot be read is told once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from actors.analysis.source import MAX_BYTES, Unreadable, read_source
from actors.quality.finding import Finding

__all__ = [
    "MAX_BYTES",
    "SKIPPED_FOLDERS",
    "Names",
    "Syntax",
    "Target",
    "look_at",
    "syntax_by_name",
    "syntax_of",
    "worth_checking",
]

Syntax = Literal["python", "javascript", "shell", "yaml"]

_SYNTAX_OF: Final[dict[str, Syntax]] = {
    **dict.fromkeys((".py", ".pyi", ".pyw", ".ipynb"), "python"),
    **dict.fromkeys((".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"), "javascript"),
    **dict.fromkeys((".sh", ".bash", ".ksh", ".dash"), "shell"),
    **dict.fromkeys((".yaml", ".yml"), "yaml"),
}
_INTERPRETERS: Final[dict[str, Syntax]] = {
    **dict.fromkeys(("sh", "bash", "dash", "ksh"), "shell"),
    "python": "python",
    "node": "javascript",
}
# What others wrote, and what tools leave behind: no pattern takes it.
SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__", "site-packages", "__pypackages__"})
"""Folders whose files no pattern takes; a file that is named is always taken."""

_ODD: Final[dict[str, tuple[str, Literal["warning", "note"]]]] = {
    "huge": ("too-large", "note"),
    "missing": ("missing", "warning"),
    "not_a_file": ("not-a-file", "warning"),
    "symlink_loop": ("symlink-loop", "warning"),
    "unreadable": ("unreadable", "warning"),
}


@dataclass(frozen=True, slots=True)
class Target:
    """A file that can be read.

    Args:
        path: as findings have it: relative to the root with `/`, or absolute if it lies elsewhere.
        argument: as tools that run in the root are given it; never taken for an option.
        syntax: what it is written in; None for what only the search for secrets takes.
        text: what is in it; None if it is binary.
    """

    path: str
    argument: str
    syntax: Syntax | None
    text: str | None


def look_at(path: str, root: str, max_bytes: int = MAX_BYTES) -> Target | Finding:
    """Read a file, or say why it cannot be read.

    Args:
        path: relative to the root, or absolute.
        root: an absolute folder.
        max_bytes: a larger file is reported and not read.
    """
    full = os.path.abspath(os.path.join(root, path))
    inside = full.startswith(os.path.join(root, ""))
    shown = os.path.relpath(full, root) if inside else full
    argument = f"./{shown}" if inside else full
    suffix = os.path.splitext(shown)[1].lower()
    read = read_source(full, max_bytes)
    if not isinstance(read, Unreadable):
        syntax = _SYNTAX_OF.get(suffix) if suffix else _by_first_line(read.text)
        return Target(shown, argument, syntax, read.text)
    if read.kind in _ODD:
        rule, severity = _ODD[read.kind]
        return Finding("actors", rule, severity, shown, None, None, None, f"not checked: {read.detail}")
    # A linter may know its encoding (PEP 263), and a secret is ASCII.
    text = read.data.decode("latin-1") if read.kind == "undecodable" else None
    return Target(shown, argument, _SYNTAX_OF.get(suffix), text)


def syntax_by_name(path: str) -> Syntax | None:
    """The syntax that a file's name says it has."""
    return _SYNTAX_OF.get(os.path.splitext(path)[1].lower())


def syntax_of(path: str, root: str) -> Syntax | None:
    """What a file is written in, as `look_at` tells it; only one without suffix is looked into.

    Args:
        path: relative to the root, or absolute.
        root: an absolute folder.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix:
        return _SYNTAX_OF.get(suffix)
    read = read_source(os.path.join(root, path), MAX_BYTES)
    return None if isinstance(read, Unreadable) else _by_first_line(read.text)


def worth_checking(path: str) -> bool:
    """Whether a pattern takes this file: not what others wrote or tools leave behind."""
    return SKIPPED_FOLDERS.isdisjoint(path.split("/"))


def _by_first_line(text: str) -> Syntax | None:
    """The syntax of a file without suffix, by the interpreter that its first line names."""
    if not text.startswith("#!"):
        return None
    words = text.partition("\n")[0][2:].replace("/", " / ").split()
    names = [word for word in words if word != "/" and not word.startswith("-")]
    last = next((name for name in reversed(names) if name.rstrip("0123456789.") in _INTERPRETERS), "")
    return _INTERPRETERS.get(last.rstrip("0123456789."))


class Names:
    """Finds the file that a tool's output names.

    Tools write names as text: bytes that are no UTF-8 come back as replacement characters, paths as absolute ones.

    Args:
        root: where the tool ran.
        targets: what it was given; no two of them with the same `key`.
    """

    def __init__(self, root: str, targets: Iterable[Target]) -> None:
        self._root = root
        self._paths: dict[str, str] = {}
        for target in targets:
            full = os.path.join(root, target.argument)
            self._paths.setdefault(_lossy(os.path.realpath(full)), target.path)
            self._paths[self.key(target.argument)] = target.path

    def key(self, name: str) -> str:
        """What a tool's spelling of a name has in common with ours."""
        return _lossy(os.path.abspath(os.path.join(self._root, name)))

    def path(self, name: str) -> str:
        """The path for findings; the name itself if the tool speaks of another file."""
        return self._paths.get(self.key(name), name)


def _lossy(path: str) -> str:
    return os.fsencode(path).decode(errors="replace")
