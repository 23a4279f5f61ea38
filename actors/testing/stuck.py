"""Who can never go on, found out by trying: for whoever judges what the library says of deadlocks."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

__all__ = ["Contended", "can_never_go_on"]


class Contended(NamedTuple):
    """Something that several want.

    Attributes:
        kind: "lock", "rwlock" or "semaphore".
        size: permits of a semaphore.
        held: who holds it, in which mode.
        queue: who waits for it, in which mode, in their order.
    """

    kind: str
    size: int
    held: tuple[tuple[Hashable, str], ...]
    queue: tuple[tuple[Hashable, str], ...]

    def has_room(self, mode: str) -> bool:
        """Whether one more can hold it."""
        if self.kind == "lock":
            return len(self.held) == 0
        if self.kind == "semaphore":
            return len(self.held) < self.size
        writers = [each for _, each in self.held if each == "write"]
        return not writers and (mode == "read" or not self.held)


_World = tuple[Contended, ...]


def can_never_go_on(
    things: Iterable[Contended],
    tasks: Mapping[Hashable, Iterable[Hashable]],
    elsewhere: Iterable[Hashable] = (),
    *,
    most: int = 4096,
) -> set[Hashable]:
    """Try all orders in which owners may end, and find those who do in none.

    Args:
        things: what is held and waited for.
        tasks: whom an owner waits for to end.
        elsewhere: owners that wait for something else, which may come at any time.
        most: how many situations are looked at; beyond that only one order is followed.
    """
    start = tuple(_granted(thing) for thing in things)
    owners = {who for thing in start for who, _ in (*thing.held, *thing.queue)} | set(tasks)
    ended_somewhere: set[Hashable] = set(elsewhere) & owners
    seen: set[frozenset[Hashable]] = set()
    open_ends: list[tuple[_World, frozenset[Hashable]]] = [(start, frozenset())]
    while open_ends:
        world, ended = open_ends.pop()
        if ended in seen:
            continue
        seen.add(ended)
        ended_somewhere |= ended
        nexts = [who for who in owners - ended if _is_free(who, world, tasks, ended, elsewhere)]
        open_ends += [(_without(world, who), ended | {who}) for who in (nexts if len(seen) < most else nexts[:1])]
    return owners - ended_somewhere


def _is_free(
    who: Hashable,
    world: _World,
    tasks: Mapping[Hashable, Iterable[Hashable]],
    ended: frozenset[Hashable],
    elsewhere: Iterable[Hashable],
) -> bool:
    if who in elsewhere:
        return True
    if any(who == waits for thing in world for waits, _ in thing.queue):
        return False
    known = {each for thing in world for each, _ in (*thing.held, *thing.queue)} | set(tasks)
    return all(other in ended or other not in known for other in tasks.get(who, ()))


def _without(world: _World, who: Hashable) -> _World:
    return tuple(
        _granted(
            thing._replace(
                held=tuple(each for each in thing.held if each[0] != who),
                queue=tuple(each for each in thing.queue if each[0] != who),
            )
        )
        for thing in world
    )


def _granted(thing: Contended) -> Contended:
    while thing.queue and thing.has_room(thing.queue[0][1]):
        thing = thing._replace(held=(*thing.held, thing.queue[0]), queue=thing.queue[1:])
    return thing
