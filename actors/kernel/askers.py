"""Who waits for whom, so that actors which wait for each other in a circle are told so at once.

An actor is in one thread, so it waits for one thing at a time: `Cell.waits_on`. Whoever begins to wait follows these
from the one it is about to wait for; if they lead back to itself, nobody in the circle could ever go on. What waits in
other processes cannot be followed. Therefore an ask carries the chain of those who wait for its answer (`askers`).

Invariant: a wait is noted before its circle is looked for, and refused under `_lock`, where it is taken back. So of those
who close a circle in the same moment exactly one is told.
"""

from __future__ import annotations

from _thread import allocate_lock
from itertools import pairwise
from typing import Any, Protocol

from actors.errors import DeadlockDetected
from actors.kernel.current import current

__all__ = ["Wait", "WayOut", "askers", "begin", "circle", "refuse_circle"]

_lock = allocate_lock()


class Wait(Protocol):
    """What an actor may wait for."""

    asked: Any
    """The cell whose actor has to go on before the wait ends; None if that is not known."""

    def done(self) -> bool:
        """Whether it is over."""


class WayOut(Wait, Protocol):
    """A wait that need not be: it can end without what is waited for."""

    def give_way(self) -> None:
        """End it, because it is part of a circle."""


def askers() -> tuple[Any, ...]:
    """Those who wait for what this thread does now, the first one first, and its own actor last.

    They are cells of this process and addresses of others. Empty outside of actors. It belongs into each `Ask` whose
    answer is waited for; what comes from another process has addresses alone.
    """
    cell = current.cell
    if cell is None:
        return ()
    run = cell.run
    return (cell,) if run is None else (*run.askers, cell)


def refuse_circle(target: Any, message: Any) -> tuple[Any, ...]:
    """Called before a message is sent whose answer will be waited for.

    Args:
        target: who is asked: a cell, or the address of an actor in another process.
        message: for the text of the error.

    Returns:
        The chain to send along with the question: see `askers`.

    Raises:
        DeadlockDetected: the one who is asked waits, over however many others, for the one who asks.
    """
    chain = askers()
    if chain:
        names = _in_chain(chain, target)
        if names is None and _waits(target):
            with _lock:
                found = _follow(chain[-1], target)
            # A circle with a way out is opened when the wait begins.
            names = None if found is None or found[1] else found[0]
        if names is not None:
            raise circle(names, type(message).__qualname__)
    return chain


def begin(cell: Any, wait: Wait) -> Any:
    """Note that the actor of `cell` waits, in its own thread.

    Returns:
        What it waited for before: to be put back into `waits_on` when this wait is over.

    Raises:
        DeadlockDetected: it would close a circle.
    """
    before, cell.waits_on = cell.waits_on, wait
    # Noted first and looked at afterwards: of two that close a circle in the same moment at least one sees the other.
    if wait.asked is cell or _waits(wait.asked):
        _open_circle(cell, wait, before)
    return before


def _open_circle(cell: Any, wait: Wait, before: Any) -> None:
    """If `wait` closes a circle, let somebody in it give way, or refuse it."""
    with _lock:
        found = _follow(cell, wait.asked)
        if found is None:
            return
        names, ways_out = found
        ways_out = ways_out or _ways_out(wait)
        if not ways_out:
            cell.waits_on = before
            raise circle(names, "what it asked for")
        for way_out in ways_out:
            way_out.give_way()


def _waits(target: Any) -> bool:
    """Whether an actor of this process waits for something. Of others it is not known."""
    return getattr(target, "waits_on", None) is not None


def _follow(cell: Any, target: Any) -> tuple[list[str], list[WayOut]] | None:
    """The circle that is closed when `cell` waits for `target`: the names in it, and the waits that can give way."""
    names: list[str] = [cell.name]
    ways_out: list[WayOut] = []
    seen = set()
    # Remote ones are not followed: what they wait for is known in their process alone.
    while target is not None and target not in seen:
        names.append(target.name)
        if target is cell:
            return names, ways_out
        seen.add(target)
        wait = getattr(target, "waits_on", None)
        if wait is None or wait.done():
            return None
        ways_out += _ways_out(wait)
        target = wait.asked
    return None


def _ways_out(wait: Any) -> list[WayOut]:
    return [wait] if hasattr(wait, "give_way") else []


def _in_chain(chain: tuple[Any, ...], target: Any) -> list[str] | None:
    """The circle that the chain of those who wait has with `target`, where one of the two is an address."""
    for index, one in enumerate(chain):
        if isinstance(one, tuple) or isinstance(target, tuple):
            if _address(one) != _address(target):
                continue
        elif one is not target:
            continue
        return [chain[-1].name, *(each.name for each in chain[index:])]
    return None


def _address(one: Any) -> Any:
    """Process and number, which tell actors apart."""
    return (one if isinstance(one, tuple) else one.address)[:2]


def circle(names: list[str], kind: str) -> DeadlockDetected:
    """The error for the first of `names`, which was about to wait for the second; the last is the first again."""
    lines = tuple(f"{one} waits for {other}" for one, other in pairwise(names))
    return DeadlockDetected(
        f"{names[0]} cannot wait for {names[1]}, which waits for {names[0]}, so none of them could go on: "
        f"{' -> '.join(names)}; let one of them use tell, or ask_later with a callback",
        name=names[1],
        kind=kind,
        cycle=lines,
    )
