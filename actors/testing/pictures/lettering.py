"""Texts that are shown to people: made harmless, measured, shortened, broken into lines; and times."""

from __future__ import annotations

import unicodedata

__all__ = ["breadth", "columns", "decimals_for", "printable", "shorten", "span", "wrap"]

_WIDE = 1.0
# Widths in parts of the height of the font, those of DejaVu Sans: wider than Helvetica, Arial and what else a browser
# may take for "sans-serif", so what fits by this table fits.
_WIDTHS: dict[str, float] = {
    **dict.fromkeys("ijl'", 0.28),
    **dict.fromkeys("I|!.,:; /\\f", 0.36),
    **dict.fromkeys("()[]tr-", 0.41),
    **dict.fromkeys("sczkxyvJFL?*_", 0.59),
    **dict.fromkeys("ABCDEGHKNOPQRSTUVXYZ&", 0.74),
    **dict.fromkeys("mwMW@%", 1.0),
    **dict.fromkeys("+=<>~#→←…─", 0.84),
}
_USUAL = 0.64


def printable(text: str) -> str:
    """The text in one line that no terminal and no XML reader stumbles over.

    Line ends become spaces; control characters, lone surrogates and what changes the direction of writing, escapes.
    """
    if text.isprintable():
        return text
    text = " ".join(text.split("\n")) if "\n" in text else text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def columns(text: str) -> int:
    """How many columns of a terminal a printable text takes: wide characters two, combining ones none."""
    return len(text) if text.isascii() else sum(_cells(char) for char in text)


def breadth(text: str, size: float) -> float:
    """About how broad a text is in a proportional font, rather too much than too little.

    Args:
        text: printable.
        size: height of the font; the answer is in the same unit.
    """
    total = 0.0
    for char in text:
        wide = _WIDTHS.get(char)
        if wide is None:
            wide = _USUAL if char < "\u0250" else _WIDE * _cells(char)
        total += wide
    return total * size


def shorten(text: str, room: float, size: float = 0.0) -> str:
    """As much of a text as there is room for, with an ellipsis where its end was cut off.

    Args:
        text: printable.
        room: columns of a terminal, or, with a size, the unit of `breadth`.
        size: height of a proportional font; 0 for a terminal.
    """

    def measure(part: str) -> float:
        return breadth(part, size) if size else columns(part)

    if measure(text) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(text[:middle].rstrip() + "…") <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…" if measure("…") <= room else ""


def wrap(text: str, room: float, size: float = 0.0, most: int = 0) -> list[str]:
    """Break a text into lines between its words; a word longer than a line is broken where the line ends.

    Args:
        text: printable.
        room: for a line, as `shorten` takes it.
        size: as `shorten` takes it.
        most: lines; the last is shortened if there would be more. 0 for as many as it takes.
    """

    def fits(part: str) -> bool:
        return (breadth(part, size) if size else columns(part)) <= room

    lines: list[str] = []
    line = ""
    words = text.split()
    for index, word in enumerate(words):
        if most and len(lines) == most - 1:
            lines.append(shorten(" ".join([*([line] if line else []), *words[index:]]), room, size))
            return lines
        candidate = f"{line} {word}" if line else word
        if fits(candidate):
            line = candidate
            continue
        if line:
            lines.append(line)
        line = word
        while not fits(line) and not (most and len(lines) == most - 1):
            cut = max(next((end for end in range(len(line), 0, -1) if fits(line[:end])), 1), 1)
            lines.append(line[:cut])
            line = line[cut:]
    if line:
        lines.append(shorten(line, room, size) if most and len(lines) == most - 1 else line)
    return lines or [""]


def span(seconds: float) -> str:
    """A span of virtual time in the unit that suits it: `250 µs`, `12 ms`, `1.5 s`, `2 min 5 s`, `3 h 20 min`."""
    if seconds < 0.9995e-3:
        return f"{_short(seconds * 1e6)} µs"
    if seconds < 0.9995:
        return f"{_short(seconds * 1e3)} ms"
    if seconds < 99.95:
        return f"{_short(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if value < 99.95 else f"{value:.0f}"


def decimals_for(times: list[float]) -> int:
    """How many decimals tell these times of a run apart: 3 to 6. What is closer than a microsecond stays alike."""
    apart = sorted(set(times))
    for decimals in (3, 4, 5):
        if len({round(time, decimals) for time in apart}) == len(apart):
            return decimals
    return 6
