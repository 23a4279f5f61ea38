"""A history as text: who sent what to whom at which virtual time, with the states beside it."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass, field

from actors.errors import ConfigError
from actors.testing.history import Broken, Entry, Fault, History, Moved, Note, Received, Sent
from actors.testing.pictures.excerpt import DULL_MESSAGES, check_most, dull_messages, is_telling, select, subjects
from actors.testing.pictures.lettering import columns, decimals_for, printable, shorten, span, wrap

__all__ = ["sequence"]

_LEAST_WIDTH = 60
# Below this width the states have no column of their own, but lines.
_ROOMY = 100
_LONGEST_NAME = 22
_THROUGH = "──▶"
_LEAVES = "──┄"
_ARRIVES = "┄─▶"
_PERISHES = "┄─✗"
_AGAIN = "┄═▶"


@dataclass(slots=True)
class _Line:
    """One line: who, sign and whom in columns, then a text; states that changed with it stand beside."""

    time: float
    who: str = ""
    sign: str = ""
    whom: str = ""
    text: str = ""
    states: str = ""
    dull: bool = False
    telling: bool = False
    broken: Broken | None = None
    # A mark that must survive when the text is shortened.
    mark: str = field(default="")


def sequence(
    history: History, *, width: int | None = None, most: int | None = 80, hide: Collection[str] = DULL_MESSAGES
) -> str:
    """Tell a history as a sequence of messages, to be read from top to bottom.

    `a ──▶ b` is a message that was handled the moment it was sent. Otherwise there are two lines with the number of
    the message in brackets: `a ──┄ b` where it leaves, `a ┄─▶ b` where it is handled, `a ┄─✗ b` where it perishes.
    The same history gives the same text.

    Args:
        history: what happened.
        width: columns, 60 or more; None takes those of the terminal, or 120 where there is none.
        most: lines of the story, 5 or more; those around the first broken promise are kept, and of the others those
            that tell most. None for all.
        hide: names of messages that are left out unless something befell them.

    Returns:
        Lines without a line end behind the last. Where lines are left out, it says how many.

    Raises:
        ConfigError: `width` or `most` is too small.
    """
    check_most(most)
    if width is None:
        width = max(_LEAST_WIDTH, shutil.get_terminal_size((120, 24)).columns)
    if width < _LEAST_WIDTH:
        allowed = f"{_LEAST_WIDTH} or more, or None for that of the terminal"
        raise ConfigError(f"width is {allowed}, not {width!r}", key="width", value=width, allowed=allowed)
    if not history.entries:
        return "Nothing happened."
    lines = _lines(history.entries, hide, beside=width >= _ROOMY)
    dull = len(dull_messages(history.entries, hide))
    lines = [line for line in lines if not line.dull]
    focus = next((index for index, line in enumerate(lines) if line.broken), len(lines) - 1)
    keep = select([line.telling for line in lines], focus, most)
    shown = [line for line, kept in zip(lines, keep, strict=True) if kept]
    page = _Page(shown, width)
    out = [f"… {_count(dull, 'message')} left out: {', '.join(sorted(hide))}"] if dull else []
    missing = 0
    for line, kept in zip(lines, keep, strict=True):
        if not kept:
            missing += 1
            continue
        if missing:
            out.append(f"{page.margin}… {_count(missing, 'line')} left out")
            page.forget_time()
            missing = 0
        out += page.rendered(line)
    if missing:
        out.append(f"{page.margin}… {_count(missing, 'line')} left out")
    return "\n".join(out)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _lines(entries: list[Entry], hide: Collection[str], *, beside: bool) -> list[_Line]:
    dull = dull_messages(entries, hide)
    about = subjects(entries)
    under_way: dict[int, Sent] = {}
    lines: list[_Line] = []
    previous: Entry | None = None
    for entry in entries:
        line = lines[-1] if lines else None
        if isinstance(entry, Received) and _is_at_once(entry, previous) and line is not None:
            line.sign, line.mark = _THROUGH, ""
        elif isinstance(entry, Moved) and line is not None and _goes_on(previous, entry):
            line.states += f" → {entry.target}"
        elif isinstance(entry, Moved) and beside and line is not None and _takes_state(line, entry):
            line.states = _state(entry)
            line.telling |= is_telling(entry, about)
        else:
            made = _line(entry, under_way)
            made.dull = isinstance(entry, Sent | Received) and entry.number in dull
            made.telling = is_telling(entry, about)
            lines.append(made)
        if isinstance(entry, Sent):
            under_way[entry.number] = entry
        previous = entry
    return lines


def _is_at_once(entry: Received, previous: Entry | None) -> bool:
    """Whether a message was handled the moment it was sent, with nothing between: then it is one line."""
    return (
        isinstance(previous, Sent)
        and previous.number == entry.number
        and previous.time == entry.time
        and previous.recipient == entry.actor
        and entry.fate == "handled"
    )


def _goes_on(previous: Entry | None, entry: Moved) -> bool:
    """Whether a move follows directly on one of the same machine: then one line tells both."""
    return (
        isinstance(previous, Moved)
        and previous.time == entry.time
        and previous[1:3] == entry[1:3]
        and previous.target == entry.source
    )


def _takes_state(line: _Line, entry: Moved) -> bool:
    return line.time == entry.time and not line.states and not line.dull and line.broken is None


def _state(entry: Moved) -> str:
    return f"{entry.actor} {entry.source} → {entry.target}"


def _line(entry: Entry, under_way: dict[int, Sent]) -> _Line:
    match entry:
        case Sent():
            text = f"{entry.name}  {entry.text}".rstrip()
            return _Line(entry.time, entry.sender, _LEAVES, entry.recipient, text, mark=f"[{entry.number}]")
        case Received():
            return _arrival(entry, under_way.get(entry.number))
        case Moved():
            return _Line(entry.time, states=_state(entry))
        case Fault():
            return _Line(entry.time, entry.actor, " ↯ ", "", f"FAULT: {entry.what}")
        case Note():
            return _Line(entry.time, entry.actor, " • ", "", entry.text)
        case Broken():
            return _Line(entry.time, broken=entry)


def _arrival(entry: Received, sent: Sent | None) -> _Line:
    signs = {"handled": _ARRIVES, "doubled": _AGAIN}
    line = _Line(entry.time, "", signs.get(entry.fate, _PERISHES), entry.actor, mark=f"[{entry.number}]")
    if sent is None:
        line.who, line.text = "?", entry.fate.upper() if entry.fate != "handled" else "handled"
        return line
    line.who = sent.sender
    way = entry.time - sent.time
    line.text = f"{sent.name}  {'' if entry.fate == 'handled' else entry.fate.upper() + ' '}"
    if way > 0:
        line.text += f"after {span(way)}"
    if sent.recipient != entry.actor:
        line.text += f" (was for {sent.recipient})"
    line.text = line.text.rstrip()
    return line


class _Page:
    """Lays lines out in columns that suit all of them.

    Args:
        lines: those that will be shown.
        width: columns of the whole.
    """

    def __init__(self, lines: list[_Line], width: int) -> None:
        self._decimals = decimals_for([line.time for line in lines])
        self._time = max(columns(self._moment(line.time)) for line in lines)
        self.margin = " " * (self._time + 2)
        self._width = width
        states = [columns(printable(line.states)) for line in lines if line.states]
        self._state = min(max(states, default=0), width * 2 // 5) if width >= _ROOMY else 0
        self._text = width - len(self.margin) - (self._state + 2 if self._state else 0)
        most = min(_LONGEST_NAME, self._text // 4)
        self._who = min(most, max((columns(printable(line.who)) for line in lines), default=0))
        self._whom = min(most, max((columns(printable(line.whom)) for line in lines), default=0))
        self._last: float | None = None

    def _moment(self, time: float) -> str:
        return f"{time:,.{self._decimals}f} s"

    def forget_time(self) -> None:
        """Show the time with the next line, whatever it is."""
        self._last = None

    def rendered(self, line: _Line) -> list[str]:
        """The lines that one line takes on paper; a broken promise takes several."""
        moment = self._moment(line.time) if line.time != self._last or line.broken else ""
        self._last = line.time
        margin = f"{moment:>{self._time}}  "
        if line.broken is not None:
            room = self._width - len(margin)
            first = wrap(printable(f"BROKEN: {line.broken.invariant}"), room)
            rest = wrap(printable(line.broken.text), room - 8) if line.broken.text else []
            indented = [*first, *("        " + each for each in rest)]
            return [(margin if index == 0 else self.margin) + each for index, each in enumerate(indented)]
        left = self._left(line)
        if line.states and self._state:
            left = _padded(left, self._text) + "  " + shorten(printable(line.states), self._state)
        return [(margin + left).rstrip()]

    def _left(self, line: _Line) -> str:
        if not line.sign:
            return "" if self._state else shorten(" " * (self._who + 2) + printable(line.states), self._text)
        who = shorten(printable(line.who), self._who)
        left = " " * (self._who - columns(who)) + f"{who} {line.sign} "
        if line.whom or "─" in line.sign:
            left += _padded(shorten(printable(line.whom), self._whom), self._whom) + "  "
        mark = f" {line.mark}" if line.mark else ""
        return left + shorten(printable(line.text), self._text - columns(left) - len(mark)) + mark


def _padded(text: str, width: int) -> str:
    return text + " " * (width - columns(text))
