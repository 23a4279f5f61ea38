"""One who waits for a thing, and one who holds it."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from actors.core.sync.owner import Owner

__all__ = ["Hold", "Ticket", "Wait"]

Ticket: TypeAlias = tuple[str, int, int]
"""What tells a request from all others: agent, incarnation, and a number of the requester's own."""


class Wait(NamedTuple):
    """A request that waits in a queue.

    Attributes:
        mode: what it wants of the thing: "read" or "write" of a read-write lock, else "".
        since, deadline: on the monotonic clock; no deadline is None.
        above: of a value: the version that it has seen.
        inside: owners whose code cannot go on before this wait has ended, because it stands in their way: a task in
            whose agent another one, or a handler, runs while it waits itself.
    """

    ticket: Ticket
    owner: Owner
    mode: str
    since: float
    deadline: float | None
    above: int = 0
    inside: tuple[Owner, ...] = ()


class Hold(NamedTuple):
    """A grant that has not been released. `fence` is higher than that of every grant before."""

    ticket: Ticket
    owner: Owner
    mode: str
    fence: int
    since: float
