"""How values are written for people."""

from __future__ import annotations

import math
import unicodedata

__all__ = ["columns", "count", "duration", "printable", "shorten", "size"]


def printable(text: str) -> str:
    """A text that can be shown anywhere, because file names are hostile input.

    Control characters, lone surrogates and characters that change the direction of writing become escapes.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def columns(text: str) -> int:
    """How many columns a text takes; wide characters take two."""
    return len(text) + sum(1 for char in text if unicodedata.east_asian_width(char) in "WF")


def shorten(text: str, width: int, at: float = 0.5) -> str:
    """A text in at most `width` columns, with an ellipsis where it had to be cut; wide characters take two.

    Args:
        text: any.
        width: 1 or more.
        at: where the ellipsis stands, from 0 at the beginning to 1 at the end.
    """
    if columns(text) <= width:
        return text
    widths = [2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text]
    left = math.ceil((width - 1) * at)
    head, used = "", 0
    for char, wide in zip(text, widths, strict=True):
        if used + wide > left:
            break
        head, used = head + char, used + wide
    tail, room = "", width - 1 - used
    for char, wide in zip(reversed(text), reversed(widths), strict=True):
        if room - wide < 0:
            break
        tail, room = char + tail, room - wide
    return f"{head}…{tail}"


def count(value: int, noun: str = "", plural: str = "") -> str:
    """A number with thousands separated, and its noun: `1 file`, `2,000 files`."""
    if not noun:
        return f"{value:,}"
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """A span of time in the unit that suits it."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(octets: int) -> str:
    """A number of bytes in the unit that suits it."""
    value = float(octets)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError
