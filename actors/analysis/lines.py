"""Counting lines. A line ends at LF, CR LF or CR, as Python's own reader has it, and at nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["LineCounts", "count_byte_lines", "count_lines", "split_lines"]


@dataclass(frozen=True, slots=True)
class LineCounts:
    """Lines of a file; `total` is always `code + comment + blank`.

    Args:
        total: all lines; a last one without an end counts.
        code: what is neither comment nor blank.
        comment: lines with nothing but comment, and Python's docstrings.
        blank: lines with nothing but white space.
    """

    total: int = 0
    code: int = 0
    comment: int = 0
    blank: int = 0

    def __add__(self, other: LineCounts) -> LineCounts:
        """Both together."""
        return LineCounts(
            self.total + other.total,
            self.code + other.code,
            self.comment + other.comment,
            self.blank + other.blank,
        )


def split_lines(text: str) -> list[str]:
    """The lines of a text whose ends are all LF, without them. Form feeds and the like end no line."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def count_lines(lines: Sequence[str], comments: Sequence[int] | bytearray) -> LineCounts:
    """Count lines by what they hold.

    Args:
        lines: as from `split_lines`.
        comments: for each line, from index 0, whether it is comment; a blank line counts as blank all the same.
    """
    blank = comment = 0
    for line, is_comment in zip(lines, comments, strict=True):
        if not line or line.isspace():
            blank += 1
        elif is_comment:
            comment += 1
    return LineCounts(len(lines), len(lines) - comment - blank, comment, blank)


def count_byte_lines(data: bytes) -> LineCounts:
    """Count the lines of bytes that are no text we can decode: which are blank is known, which are comment is not."""
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    if not lines[-1]:
        lines.pop()
    blank = sum(1 for line in lines if not line.strip())
    return LineCounts(len(lines), len(lines) - blank, 0, blank)
