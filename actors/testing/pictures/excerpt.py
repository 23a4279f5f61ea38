"""Which part of a history is worth a reader's time."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from actors.errors import ConfigError
from actors.testing.history import Broken, Entry, Fault, Moved, Note, Received, Sent

__all__ = ["DULL_MESSAGES", "check_most", "dull_messages", "is_telling", "select", "subjects"]

DULL_MESSAGES = frozenset({"Heartbeat", "Registration"})
"""Messages that go on all the time; they are left out unless something befell them."""

_WORD = re.compile(r"[\w#][\w#.:-]*")
_LEAST = 5


def check_most(most: int | None) -> None:
    """Refuse a bound on the length of a telling that leaves nothing to tell.

    Raises:
        ConfigError: it is below 5.
    """
    if most is not None and most < _LEAST:
        allowed = f"{_LEAST} or more, or None for everything"
        raise ConfigError(f"most is {allowed}, not {most!r}", key="most", value=most, allowed=allowed)


def dull_messages(entries: Sequence[Entry], hide: Collection[str]) -> frozenset[int]:
    """The numbers of the messages of the names to hide, except those that were not handled as they should be."""
    dull = {entry.number for entry in entries if isinstance(entry, Sent) and entry.name in hide}
    if dull:
        dull -= {entry.number for entry in entries if isinstance(entry, Received) and entry.fate != "handled"}
    return frozenset(dull)


def subjects(entries: Sequence[Entry]) -> frozenset[str]:
    """The agents and tasks that the broken promises of a history name."""
    words: set[str] = set()
    for entry in entries:
        if isinstance(entry, Broken):
            words.update(word.rstrip(".:-") for word in _WORD.findall(entry.text))
    return frozenset(words & {entry.actor for entry in entries if isinstance(entry, Moved)}) if words else frozenset()


def is_telling(entry: Entry, about: Collection[str]) -> bool:
    """Whether an entry is worth keeping though it is far from the failure.

    That is each fault, step of the test, broken promise and mishap of a message, and what concerns a subject.

    Args:
        entry: any.
        about: what `subjects` returned.
    """
    if isinstance(entry, Fault | Note | Broken):
        return True
    if isinstance(entry, Moved):
        return entry.actor in about
    if isinstance(entry, Received):
        return entry.fate != "handled"
    return any(word.rstrip(".:-") in about for word in _WORD.findall(entry.text)) if about else False


def select(telling: Sequence[bool], focus: int, most: int | None) -> list[bool]:
    """Choose which lines of a telling are kept.

    Three quarters of the room go to what stands around the failure, most of it before; the rest to the telling lines
    nearest to these.

    Args:
        telling: for each line, whether it is worth keeping though it is far away.
        focus: the index of the line at which a promise broke; the last line if none did.
        most: lines to keep, 5 or more; None for all. A single line between two that are kept is kept beside that.
    """
    total = len(telling)
    if most is None or total <= most:
        return [True] * total
    near = most * 3 // 4
    after = min(near // 5, total - 1 - focus)
    begin = max(0, focus + after + 1 - near)
    end = begin + near
    keep = [begin <= index < end for index in range(total)]
    room = most - near
    before = [index for index in range(begin - 1, -1, -1) if telling[index]]
    behind = [index for index in range(end, total) if telling[index]]
    for index in (before + behind)[:room]:
        keep[index] = True
    for index in range(1, total - 1):
        # To say that one line is left out takes as much room as the line.
        keep[index] |= keep[index - 1] and keep[index + 1]
    return keep
