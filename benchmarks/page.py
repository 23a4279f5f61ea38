"""What a command measures has its place between two markers of a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["BadPage", "markdown_table", "put_into", "split", "text_table"]


class BadPage(ValueError):
    """A page that has no place for what is to be put into it."""


def split(path: Path, begin: str, end: str) -> tuple[str, str]:
    """What stands before the first marker and after the second.

    Raises:
        BadPage: the file is not there, or has no markers.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadPage(f"{path} cannot be read: {error.strerror}") from None
    before, found, rest = text.partition(begin)
    _, also, after = rest.partition(end)
    if not found or not also:
        raise BadPage(f"{path} has not the lines {begin!r} and {end!r}")
    return before, after


def put_into(path: Path, begin: str, end: str, generated: str) -> None:
    """Replace what stands between the markers.

    Raises:
        BadPage: the file is not there, or has no markers.
    """
    before, after = split(path, begin, end)
    path.write_text(f"{before}{begin}\n\n{generated}\n\n{end}{after}", encoding="utf-8")


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows for a page, the heads first."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [cells[0], ["---"] * len(cells[0]), *cells[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def text_table(rows: Sequence[Sequence[str]], margin: str = "  ") -> str:
    """Rows for a terminal, in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join((margin + line).rstrip() for line in lines)
