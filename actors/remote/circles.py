"""Actors in several processes that wait for each other in a circle without an ask in hand that tells of it.

Whoever has waited for a moment sends a search after the one that is to answer. If that one waits as well, its process
passes the search on to whom it waits for. A search that comes back to an actor which still waits has found a circle. Each
wait sends its own, and the last one to begin finds all others there, so no circle is missed. A search for an answer that
was deferred ends: anybody may give that.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from actors.errors import ActorsError
from actors.hosts.serialize import pack_value, unpack_value
from actors.kernel.address import Address
from actors.kernel.askers import circle
from actors.kernel.cell import Cell, local_cell
from actors.protocol.messages import Priority
from actors.remote.frames import SEARCH, Frame, write

if TYPE_CHECKING:
    from actors.remote.link import Link

__all__ = ["Away", "take"]

_log = logging.getLogger("actors.remote")

_HIGH = int(Priority.HIGH)
_LONGEST = 1000


class Away:
    """What a reply waits for: an actor of another process, and the question that it was asked."""

    __slots__ = ("address", "link", "name", "number")

    def __init__(self, address: Address, link: Link, number: int) -> None:
        self.address = address
        self.link = link
        self.name = address.name
        self.number = number

    def search(self, cell: Cell) -> None:
        """Find out whether this one waits, over however many others, for the actor of `cell`, which waits for it."""
        start = (cell.process, cell.number, self.link.process, self.number)
        _send(self, start, ((cell.process, cell.number, cell.name),))


def _send(to: Away, start: Any, path: tuple[Any, ...]) -> None:
    try:
        to.link.post(write(SEARCH, _HIGH, to.address.number, to.number, pack_value((start, path))), now=True)
    except ActorsError:
        # Then its end, or a time limit, ends the wait.
        _log.debug("A search for a circle of waits could not be sent to %s", to.name)


def take(link: Link, frame: Frame) -> None:
    """A search has come for an actor of this process."""
    cell = local_cell(frame.actor)
    start, path = unpack_value(frame.body)
    if cell is None or _is_deferred(cell, link, frame.number):
        return
    while len(path) < _LONGEST:
        key = (cell.process, cell.number)
        wait = cell.waits_on
        if wait is None or wait.done() or hasattr(wait, "give_way"):
            return
        asked = wait.asked
        if key == start[:2]:
            if isinstance(asked, Away) and (asked.link.process, asked.number) == start[2:]:
                _found(asked, [*(name for _, _, name in path), cell.name])
            return
        if any(key == each[:2] for each in path):
            # A circle that the one who began is not in: those who are find it themselves.
            return
        path = (*path, (*key, cell.name))
        if isinstance(asked, Away):
            _send(asked, start, path)
            return
        if asked is None:
            return
        cell = asked


def _found(asked: Away, names: list[str]) -> None:
    waiter = asked.link.peering.ended(asked.number)
    if waiter is not None:
        waiter.reply.fail(circle(names, "what it asked for"))


def _is_deferred(cell: Cell, link: Link, number: int) -> bool:
    """Whether the actor has taken over that answer, to give it at some other time, or let others give it."""
    owed: set[Any] = getattr(cell.run, "owed", set())
    return any(getattr(reply, "question", None) == (link, number) for reply in tuple(owed))
