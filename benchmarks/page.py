"""What a command measures has its place between two markers of a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["markdown_table", "put_into", "text_table"]


def put_into(path: Path, begin: str, end: str, generated: str) -> None:
    """Replace what stands between the markers.

    Raises:
        ValueError: the file has no markers.
    """
    text = path.read_text(encoding="utf-8")
    before, found, rest = text.partition(begin)
    _, also, after = rest.partition(end)
    if not found or not also:
        raise ValueError(f"{path} has not the lines {begin!r} and {end!r}")
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
