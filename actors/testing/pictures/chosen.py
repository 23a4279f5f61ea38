"""What of a history a diagram draws."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from actors.testing.history import Broken, Entry, Moved, Received, Sent
from actors.testing.pictures.excerpt import dull_messages, is_telling, select, subjects

__all__ = ["Chosen", "choose"]


@dataclass(slots=True)
class Chosen:
    """What of a history is drawn: `steps` maps the index of an entry to whether it is kept."""

    entries: Sequence[Entry]
    steps: dict[int, bool]
    dull: frozenset[int]
    sent: dict[int, Sent]
    fates: dict[int, list[str]]
    about: frozenset[str]
    kept: frozenset[int]

    def is_drawn(self, index: int, entry: Entry) -> bool:
        """Whether an entry is a step that was kept, or the fate of one."""
        if isinstance(entry, Sent | Received) and entry.number in self.sent:
            return entry.number in self.kept
        return self.steps.get(index, False)


def choose(entries: Sequence[Entry], most: int | None, hide: Collection[str]) -> Chosen:
    """Choose the steps. A fate of a message goes with its message; moves of agents are not steps but colours."""
    dull = dull_messages(entries, hide)
    about = subjects(entries)
    sent = {entry.number: entry for entry in entries if isinstance(entry, Sent)}
    fates: dict[int, list[str]] = {}
    for entry in entries:
        if isinstance(entry, Received):
            fates.setdefault(entry.number, []).append(entry.fate)
    places: list[int] = []
    telling: list[bool] = []
    focus = -1
    for index, entry in enumerate(entries):
        if isinstance(entry, Received):
            if entry.number in sent:
                continue
        elif isinstance(entry, Sent):
            if entry.number in dull:
                continue
        elif isinstance(entry, Moved) and entry.kind == "agent":
            continue
        if isinstance(entry, Broken) and focus < 0:
            focus = len(places)
        places.append(index)
        mishap = isinstance(entry, Sent) and any(fate != "handled" for fate in fates.get(entry.number, ()))
        telling.append(mishap or is_telling(entry, about))
    keep = select(telling, focus if focus >= 0 else len(places) - 1, most)
    steps = dict(zip(places, keep, strict=True))
    drawn = (entries[index] for index, kept in steps.items() if kept)
    kept = frozenset(entry.number for entry in drawn if isinstance(entry, Sent | Received))
    return Chosen(entries, steps, dull, sent, fates, about, kept)
