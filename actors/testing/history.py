"""What a run of the simulation did, entry by entry, and the hash that tells whether two runs were the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

__all__ = ["FATES", "Broken", "Entry", "Fault", "History", "Moved", "Note", "Received", "Sent"]

FATES = ("handled", "dead letter", "lost", "cut", "garbled", "doubled")
"""What can become of a message. A message that is sent and has no fate yet is still on its way."""


class Sent(NamedTuple):
    """A message left its sender. `number` is that of the `Received` that tells its fate."""

    time: float
    number: int
    sender: str
    recipient: str
    name: str
    text: str


class Received(NamedTuple):
    """A message met its fate (one of FATES) at `actor`; a doubled one meets its fate more than once."""

    time: float
    number: int
    actor: str
    fate: str


class Moved(NamedTuple):
    """A state machine moved. `kind` is "agent" or "task"; for a task `actor` is the id of the task."""

    time: float
    actor: str
    kind: str
    source: str
    target: str


class Fault(NamedTuple):
    """A fault was injected into an actor: "dies (signal 9)", "hangs", "disk full"."""

    time: float
    actor: str
    what: str


class Note(NamedTuple):
    """A step of the test itself, as `submit Account.pay(3)`."""

    time: float
    actor: str
    text: str


class Broken(NamedTuple):
    """A promise that did not hold, by the name of its invariant."""

    time: float
    invariant: str
    text: str


Entry = Sent | Received | Moved | Fault | Note | Broken

# A run records hundreds of thousands of entries. The constructor that NamedTuple makes is a Python function and takes
# twice as long.
_new: Callable[[Any, tuple[Any, ...]], Any] = tuple.__new__

_LETTERS: dict[type[Any], str] = {Sent: "S", Received: "R", Moved: "M", Fault: "F", Note: "N", Broken: "B"}

_CHUNK = 4096


class History:
    """The entries of one run in the order in which they happened.

    Args:
        entries: to begin with.

    Attributes:
        entries: all so far. Times are virtual seconds and never go back.
    """

    __slots__ = ("entries",)

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries: list[Entry] = list(entries)

    def __repr__(self) -> str:
        return f"<History of {len(self.entries)} entries>"

    def sent(self, time: float, number: int, sender: str, recipient: str, name: str, text: str) -> None:
        """Record that a message left; the arguments are those of `Sent`."""
        self.entries.append(_new(Sent, (time, number, sender, recipient, name, text)))

    def received(self, time: float, number: int, actor: str, fate: str) -> None:
        """Record what became of a message; the arguments are those of `Received`."""
        self.entries.append(_new(Received, (time, number, actor, fate)))

    def moved(self, time: float, actor: str, kind: str, source: str, target: str) -> None:
        """Record a move of an agent or a task; the arguments are those of `Moved`."""
        self.entries.append(_new(Moved, (time, actor, kind, source, target)))

    def fault(self, time: float, actor: str, what: str) -> None:
        """Record an injected fault; the arguments are those of `Fault`."""
        self.entries.append(_new(Fault, (time, actor, what)))

    def note(self, time: float, actor: str, text: str) -> None:
        """Record a step of the test; the arguments are those of `Note`."""
        self.entries.append(_new(Note, (time, actor, text)))

    def broken(self, time: float, invariant: str, text: str) -> None:
        """Record a promise that did not hold; the arguments are those of `Broken`."""
        self.entries.append(_new(Broken, (time, invariant, text)))

    def digest(self) -> str:
        """Hash all entries: 32 hexadecimal digits, the same for the same entries in any process, on any Python.

        It is computed anew with each call, in about two microseconds for each entry; recording costs nothing for it.

        Raises:
            TypeError: an entry is none of the six kinds, or a field is not of the type that its class declares.
        """
        hasher = hashlib.blake2b(digest_size=16)
        entries = self.entries
        for start in range(0, len(entries), _CHUNK):
            text = "".join([_canonical(entry) for entry in entries[start : start + _CHUNK]])
            # A surrogate comes from the name of a file that is not UTF-8; it counts like any other character.
            hasher.update(text.encode("utf-8", "surrogatepass"))
        return hasher.hexdigest()


def _canonical(entry: Entry) -> str:
    """One entry as a text that no other sequence of entries begins with.

    The lengths stand before the texts, so nothing inside a text can pass for the end of it. `join` takes the characters
    of a subclass of str and never its `__str__`; the shortest digits that give a float back are the same everywhere.
    """
    letter = _LETTERS.get(type(entry))
    if letter is None:
        expected = "Sent, Received, Moved, Fault, Note or Broken"
        raise TypeError(f"an entry of a history is a {expected}, not a {type(entry).__name__}: {entry!r}")
    texts: tuple[Any, ...]
    number = ""
    if isinstance(entry, (Sent, Received)):
        number = f"{entry.number:d},"
        texts = entry[2:]
    else:
        texts = entry[1:]
    lengths = ",".join([str(len(text)) for text in texts])
    return f"{letter}{number}{float(entry.time)!r},{lengths};{''.join(texts)}"
