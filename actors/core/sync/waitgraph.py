"""Who waits for whom, and who of them can never go on.

A waiter is stuck only if nothing that the others may still do frees what it waits for. With several holders (readers,
permits) a cycle alone does not say so. So the graph is reduced, as R. C. Holt does for reusable resources ("Some Deadlock
Properties of Computer Systems", ACM Computing Surveys 4/3, 1972): whoever does not wait is taken to give back all that it
holds, what becomes free goes to the first of its queue, who is taken to do the same, and so on. The order does not matter,
because what is free stays free. Those who are left are in a deadlock or wait for one that is; and if nobody is left, there
is an order in which all get what they want.

Who cannot be judged is taken to go on: owners that wait at a barrier or for a flag, which anybody may set; tasks that wait
for nothing here. Time limits do not count: a deadlock that a time limit would end is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from actors.core.sync.holdable import Holdable
from actors.core.sync.owner import Owner, TaskKey
from actors.core.sync.thing import Thing
from actors.core.sync.wait import Hold, Wait

__all__ = ["WaitGraph"]


class WaitGraph:
    """The waits of one moment.

    Args:
        things: all that there is.
        tasks: for which other task, by number, one waits until that has ended, and what it is called.

    Attributes:
        stuck: owners who will never go on, as things are.
    """

    def __init__(self, things: Iterable[Thing], tasks: Mapping[TaskKey, tuple[int, str]]) -> None:
        self._holdables: list[Holdable] = []
        # Waits that the graph knows, by owner: an owner with several coroutines goes on if one of them does.
        self._waits: dict[Owner, list[tuple[Holdable, Wait]]] = {}
        self._tasks: dict[Owner, int] = {}
        # Of whom code stands on top of an owner's own, which cannot go on before that has.
        self._above: dict[Owner, list[Owner]] = {}
        self._free: set[Owner] = set()
        known: dict[Owner, None] = {}
        for thing in things:
            for hold in thing.holds:
                known[hold.owner] = None
            for wait in thing.queue:
                known[wait.owner] = None
                for outer in wait.inside:
                    known[outer] = None
                    self._above.setdefault(outer, []).append(wait.owner)
                if not isinstance(thing, Holdable):
                    self._free.add(wait.owner)
                else:
                    self._waits.setdefault(wait.owner, []).append((thing, wait))
            if isinstance(thing, Holdable) and (thing.held or thing.queue):
                self._holdables.append(thing)
        bodies = {owner.key: owner for owner in known if owner.task}
        for key, (number, name) in tasks.items():
            # One that neither holds nor wants anything may stand between two that do.
            owner = bodies.get(key) or Owner(*key, 1, 0, name)
            known[owner] = None
            self._tasks[owner] = number
        self._of_task: dict[int, list[Owner]] = {}
        for owner in known:
            if owner.task:
                self._of_task.setdefault(owner.task, []).append(owner)
        self.stuck: dict[Owner, None] = {}
        self._reduce(known)

    def _reduce(self, known: Iterable[Owner]) -> None:
        of_owner: dict[Owner, list[Holdable]] = {}
        for thing in self._holdables:
            for owner in {*(hold.owner for hold in thing.held), *(wait.owner for wait in thing.queue)}:
                of_owner.setdefault(owner, []).append(thing)
        awaiting: dict[int, list[Owner]] = {}
        for owner, number in self._tasks.items():
            awaiting.setdefault(number, []).append(owner)
        below: dict[Owner, list[Owner]] = {}
        for outer, inner in self._above.items():
            for owner in inner:
                below.setdefault(owner, []).append(outer)
        left = dict.fromkeys(known)
        # Owners who may be able to go on now.
        look: list[Owner] = list(left)
        # Waits that what became free has gone to, and their owners.
        granted: dict[Wait, Hold] = {}
        served: set[Owner] = set()
        while look:
            owner = look.pop()
            if owner not in left or not self._goes_on(owner, left, served):
                continue
            del left[owner]
            look += below.get(owner, ())
            look += awaiting.get(owner.task, ()) if owner.task else ()
            for thing in of_owner.get(owner, ()):
                found = _serve(thing, left, granted)
                served.update(found)
                look += found
        self.stuck = left

    def _goes_on(self, owner: Owner, left: Mapping[Owner, None], served: set[Owner]) -> bool:
        """Whether nothing keeps an owner from going on, if those who are not left have ended."""
        if any(inner in left for inner in self._above.get(owner, ())):
            return False
        if owner in self._free or owner in served:
            return True
        number = self._tasks.get(owner)
        if number is not None:
            return not any(other in left for other in self._of_task.get(number, ()))
        return owner not in self._waits

    def cycle(self) -> dict[Owner, None]:
        """Owners each of whom waits for one of them: the innermost of those who are stuck; nobody if nobody is."""
        if not self.stuck:
            return {}
        start = next(iter(self.stuck))
        reached = self._reach(start)
        while True:
            deeper = next((owner for owner in reached if start not in self._reach(owner)), None)
            if deeper is None:
                return reached
            start, reached = deeper, self._reach(deeper)

    def _reach(self, start: Owner) -> dict[Owner, None]:
        """Whom an owner waits for, and whom those wait for, and so on, each after one that waits for it."""
        reached: dict[Owner, None] = {}
        look = list(reversed(self._next(start)))
        while look:
            owner = look.pop()
            if owner not in reached:
                reached[owner] = None
                look += reversed(self._next(owner))
        return reached

    def _next(self, owner: Owner) -> list[Owner]:
        """Whom of the stuck an owner waits for."""
        found: dict[Owner, None] = {}
        for thing, wait in self._waits.get(owner, ()):
            found.update(dict.fromkeys(thing.blockers(wait)))
        number = self._tasks.get(owner)
        if number is not None:
            found.update(dict.fromkeys(self._of_task.get(number, ())))
        found.update(dict.fromkeys(self._above.get(owner, ())))
        return [other for other in found if other in self.stuck]

    def waits(self, owner: Owner) -> list[tuple[Holdable, Wait]]:
        """What an owner waits for and could be told that it will not get."""
        return self._waits.get(owner, [])

    def told(self, owners: Iterable[Owner]) -> tuple[str, ...]:
        """A line for each of them: who, what it holds, and what it waits for."""
        lines = []
        for owner in owners:
            held = ", ".join(str(thing) for thing in self._holdables if any(h.owner == owner for h in thing.held))
            wanted = [f"{thing}, held by {_names(thing.blockers(wait))}" for thing, wait in self.waits(owner)]
            number = self._tasks.get(owner)
            if number is not None:
                wanted.append(f"the end of {_names(self._of_task.get(number, ()))}")
            if not wanted:
                wanted = [_names(self._above.get(owner, ()))]
            lines.append(f"{owner} holds {held or 'nothing'}, waits for {' and for '.join(wanted)}")
        return tuple(lines)


def _serve(thing: Holdable, left: Mapping[Owner, None], granted: dict[Wait, Hold]) -> list[Owner]:
    """Give a thing to the first of its queue, as far as those who are left hold it; gives who gets it."""
    found = []
    held = [hold for hold in thing.held if hold.owner in left]
    for wait in thing.queue:
        if wait.owner not in left:
            continue
        if wait not in granted:
            if not thing.admits(wait.mode, held):
                break
            granted[wait] = Hold(wait.ticket, wait.owner, wait.mode, 0, 0.0)
            found.append(wait.owner)
        # It may not be able to go on all the same, because of code on top of its own.
        held.append(granted[wait])
    return found


def _names(owners: Iterable[Owner]) -> str:
    return ", ".join(dict.fromkeys(str(owner) for owner in owners)) or "nobody"
