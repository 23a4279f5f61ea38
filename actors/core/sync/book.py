"""The book of all locks, barriers, flags and values: requests, deaths and time go in, answers come out.

A step makes all its changes apart from the book (`Step`), and the book takes them over at its end: first as a note, in one
assignment, then one by one. So whatever fails, and whenever, the book is as before the step or as after it; `recover` ends
what was begun.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from actors.core.sync.barrier import Barrier
from actors.core.sync.flag import Flag
from actors.core.sync.holdable import Holdable
from actors.core.sync.info import SyncInfo
from actors.core.sync.kinds import check_mode, make
from actors.core.sync.latch import Latch
from actors.core.sync.owner import Owner, TaskKey
from actors.core.sync.request import Request, check_name, check_size, check_timeout
from actors.core.sync.step import Answer, Step
from actors.core.sync.thing import Thing
from actors.core.sync.value import Value
from actors.core.sync.wait import Ticket, Wait
from actors.core.sync.waitgraph import WaitGraph
from actors.errors import ConfigError, DeadlockDetected, SystemClosed, WaitTimeout

__all__ = ["Book"]

T = TypeVar("T", bound=Thing)


class Book:
    """All things that somebody holds, waits for or has set; the others are forgotten.

    Attributes:
        things: by name.
        tasks: for which other task, by number, one waits until that has ended, and what the one that waits is called.
        fence: the highest fencing number that was given. It never falls, also not for things that were forgotten.

    Invariant: nobody waits for what is free, and nobody waits in a deadlock.
    """

    def __init__(self) -> None:
        self.things: dict[str, Thing] = {}
        self.tasks: dict[TaskKey, tuple[int, str]] = {}
        self.fence = 0
        # The highest version that a value had which was deleted: a version never comes twice.
        self._versions = 0
        # The last step, and the request that it was for.
        self._note: tuple[Ticket | None, Step] | None = None
        self._committed = True
        # Derived from the things: how many each owner holds and waits for.
        self._held: dict[Owner, int] = {}
        self._waiting: dict[Owner, int] = {}
        # Time limits; those of waits that have ended stay until they are due.
        self._due: list[tuple[float, Ticket, str]] = []
        self._ops: dict[str, Callable[[Request, Step], None]] = {
            "acquire": self._acquire,
            "release": self._release,
            "check": self._check,
            "wait": self._wait,
            "reset": self._reset,
            "count": self._count,
            "turn": self._turn,
            "get": self._get,
            "set": self._set,
            "delete": self._delete,
            "withdraw": self._withdraw,
            "ended": self._ended,
        }

    # --- what comes in ---

    def handle(self, request: Request, now: float) -> list[Answer]:
        """Take a request.

        Its `op` is one of: acquire (data: the mode), release, check (data: the fencing number), wait (at a barrier, for
        a latch or a flag, or for a value's next version after data), reset (a barrier), count (a latch, by data), turn
        (a flag: data is whether it is to be set), get, set (data: value, expected version or None, lock that must be
        held as (name, fencing number) or None), delete, withdraw (the request whose number is data), ended (the owner
        is no more; data is why it failed, or None).

        Returns:
            The ends of requests: this one's, unless it waits, and those of others that waited.

        Raises:
            ActorsError: it cannot be done, and nothing has changed.
        """
        if self._note is not None and self._note[0] == request.ticket:
            # The same again, after a failure.
            return self._note[1].answers
        op = self._ops.get(request.op)
        if op is None:
            raise ConfigError(f"there is no operation {request.op!r}", key="op", value=request.op)
        step = self._step(now)
        op(request, step)
        return self._commit(step, request.ticket)

    def gone(self, agent: str, incarnation: int, now: float, why: str) -> list[Answer]:
        """An agent has ended: what it and its tasks held is free.

        Args:
            agent: its id.
            incarnation: the one that ended; with it all earlier ones.
            now: on the monotonic clock.
            why: how it ended, in words.
        """
        owners = {
            owner.whole: f"{owner.whole} has ended: {why}"
            for thing in self.things.values()
            for owner in _concerned(thing)
            if owner.agent == agent and owner.incarnation <= incarnation
        }
        tasks = {key: on for key, on in self.tasks.items() if key[0] != agent or key[1] > incarnation}
        if not owners and len(tasks) == len(self.tasks):
            return []
        step = self._step(now)
        step.tasks = tasks
        self._leave(step, owners, badly=True)
        return self._commit(step, None)

    def waits_for_task(self, key: TaskKey, name: str, number: int | None, now: float) -> list[Answer]:
        """A task waits for another one to end.

        Args:
            key: the one that waits.
            name: what texts call it.
            number: the one that it waits for; None: it waits no more.
            now: on the monotonic clock.
        """
        step = self._step(now)
        tasks = {other: on for other, on in self.tasks.items() if other != key}
        if number is not None and self.used:
            tasks[key] = number, name
            step.judge = True
        step.tasks = tasks
        return self._commit(step, None)

    def tick(self, now: float) -> list[Answer]:
        """End the waits whose time limit is over."""
        step = self._step(now)
        due = self._due
        count = 0
        while due and due[0][0] <= now:
            _, ticket, name = heapq.heappop(due)
            thing = step.find(name)
            wait = None if thing is None else thing.waiting(ticket)
            if thing is not None and wait is not None and wait.deadline is not None:
                step.put(thing.overdue(wait, step))
                count += 1
        return self._commit(step, None) if count else []

    def next_due(self) -> float | None:
        """When `tick` may have something to do next."""
        return self._due[0][0] if self._due else None

    def close(self, now: float) -> list[Answer]:
        """The system ends, and with it all waits."""
        step = self._step(now)
        for thing in self.things.values():
            for wait in thing.queue:
                step.fail(wait, SystemClosed(f"the system has ended while {wait.owner} waited for {thing}"))
            step.changed[thing.name] = None
        step.tasks = {}
        return self._commit(step, None)

    def info(self, now: float) -> list[SyncInfo]:
        """What there is to be seen of all things, by name."""
        return [self.things[name].info(now) for name in sorted(self.things)]

    @property
    def used(self) -> bool:
        """Whether anybody holds anything or waits, so that a wait for a task may matter."""
        return bool(self._held or self._waiting)

    @property
    def contended(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    # --- steps ---

    def _step(self, now: float) -> Step:
        if not self._committed:
            self.recover()
        return Step(self.things, self.tasks, self.fence, self._versions, now)

    def _commit(self, step: Step, ticket: Ticket | None) -> list[Answer]:
        if step.judge or self._may_be_stuck(step):
            self._break_deadlocks(step)
        self._committed = False
        self._note = (ticket, step)
        self._write(step)
        _add(self._held, step.held)
        _add(self._waiting, step.waiting)
        if not self._held and not self._waiting:
            self.tasks = {}
        self._committed = True
        return step.answers

    def _write(self, step: Step) -> None:
        for name, thing in step.changed.items():
            if thing is not None:
                self.things[name] = thing
            else:
                self.things.pop(name, None)
        self.tasks = dict(step.tasks)
        self.fence, self._versions = step.fence, step.versions

    def recover(self) -> list[Answer]:
        """After a failure: end the step that was begun, and make anew what is derived. Its answers once more."""
        if self._note is None:
            return []
        step = self._note[1]
        if not self._committed:
            self._write(step)
        self._held, self._waiting, self._due = {}, {}, []
        for thing in self.things.values():
            _add(self._held, _counted(hold.owner for hold in thing.holds))
            _add(self._waiting, _counted(wait.owner for wait in thing.queue))
            self._due += [(wait.deadline, wait.ticket, thing.name) for wait in thing.queue if wait.deadline is not None]
        heapq.heapify(self._due)
        self._committed = True
        return step.answers

    # --- deadlocks ---

    def _may_be_stuck(self, step: Step) -> bool:
        """Whether a wait of somebody is left on whom others depend, and who had something else to wait for before."""
        return any(self._waiting.get(owner, 0) + step.waiting.get(owner, 0) > 0 for owner in step.ended)

    def _break_deadlocks(self, step: Step) -> None:
        while True:
            graph = WaitGraph(step.all(), step.tasks)
            stuck = [owner for owner in graph.cycle() if graph.waits(owner)]
            if not stuck:
                return
            lines = graph.told(graph.cycle())
            for owner in stuck:
                for thing, wait in graph.waits(owner):
                    now = step.find(thing.name)
                    if now is None or now.waiting(wait.ticket) is None:
                        continue
                    text = "\n".join(f"  {line}" for line in lines)
                    step.fail(
                        wait,
                        DeadlockDetected(
                            f"{owner} would wait for {thing} for ever, in a deadlock:\n{text}",
                            name=thing.name,
                            kind=thing.kind,
                            cycle=lines,
                        ),
                    )
                    step.put(now.without(wait, step, f"{owner} was in a deadlock"))

    # --- operations ---

    def _thing(self, request: Request, step: Step, kind: type[T]) -> T:
        """The thing that a request is about, made if need be.

        Raises:
            ConfigError: there is another one of that name, or there cannot be one like this.
        """
        name, size = check_name(request.name), check_size(request.kind, request.size)
        found = step.find(name)
        if found is None:
            found = make(request.kind, name, size)
        elif found.kind != request.kind:
            raise ConfigError(f"{name!r} is a {found.kind}, and no {request.kind}", key="name", value=name)
        elif found.size != size:
            raise ConfigError(f"{found} was made with {found.size}, and not with {size}", key="n", value=size)
        if not isinstance(found, kind):
            raise ConfigError(f"{found} does not take {request.op!r}", key="op", value=request.op)
        return found

    def _enter(self, thing: Thing, request: Request, step: Step, mode: str = "", above: int = 0) -> None:
        timeout = check_timeout(request.timeout)
        deadline = None if timeout is None else step.now + timeout
        owner = request.owner
        if thing.waiting(request.ticket) or any(hold.ticket == request.ticket for hold in thing.holds):
            # The same once more.
            return
        wait = Wait(request.ticket, owner, mode, step.now, deadline, above, request.inside)
        step.enters(wait)
        entered = thing.enter(wait, step)
        if entered.waiting(wait.ticket) is not None:
            if timeout == 0:
                entered = entered.overdue(wait, step)
            else:
                if deadline is not None:
                    heapq.heappush(self._due, (deadline, wait.ticket, thing.name))
                depended = owner in self._held or wait.inside or step.tasks
                step.judge = bool(depended)
        step.put(entered)

    def _acquire(self, request: Request, step: Step) -> None:
        self._enter(self._thing(request, step, Holdable), request, step, check_mode(request.kind, request.data))

    def _release(self, request: Request, step: Step) -> None:
        thing = self._thing(request, step, Holdable)
        step.put(thing.released(thing.find(request.owner, request.data), step))
        step.answer(request.ticket, None)

    def _check(self, request: Request, step: Step) -> None:
        self._thing(request, step, Holdable).find(request.owner, request.data)
        step.answer(request.ticket, None)

    def _wait(self, request: Request, step: Step) -> None:
        thing = self._thing(request, step, Thing)
        if isinstance(thing, Holdable):
            raise ConfigError(f"{thing} is acquired, and not waited for", key="op", value=request.op)
        self._enter(thing, request, step, above=_whole("after", request.data or 0, 0))

    def _reset(self, request: Request, step: Step) -> None:
        step.put(self._thing(request, step, Barrier).reset(step, request.owner))
        step.answer(request.ticket, None)

    def _count(self, request: Request, step: Step) -> None:
        latch = self._thing(request, step, Latch).counted(_whole("by", request.data, 1), step)
        step.put(latch)
        step.answer(request.ticket, latch.count - latch.done)

    def _turn(self, request: Request, step: Step) -> None:
        step.put(self._thing(request, step, Flag).turned(bool(request.data), step))
        step.answer(request.ticket, None)

    def _get(self, request: Request, step: Step) -> None:
        thing = self._thing(request, step, Thing)
        if isinstance(thing, Value):
            step.answer(request.ticket, thing.read)
        else:
            step.answer(request.ticket, thing.detail())

    def _set(self, request: Request, step: Step) -> None:
        payload, expect, guard = request.data
        if guard is not None:
            self._guarded(request, step, *guard)
        value = self._thing(request, step, Value)
        version = (value.version or self._versions) + 1
        step.put(value.put(payload, version, None if expect is None else _whole("expect", expect, 0), step))
        step.answer(request.ticket, version)

    def _guarded(self, request: Request, step: Step, name: str, kind: str, size: int, fence: int) -> None:
        lock = request._replace(name=name, kind=kind, size=size)
        self._thing(lock, step, Holdable).find(request.owner, fence)

    def _delete(self, request: Request, step: Step) -> None:
        thing = self._thing(request, step, Thing)
        if thing.queue or thing.holds:
            raise ConfigError(
                f"{thing} cannot be deleted: {thing.standing()}; delete it when nobody waits for it",
                key="name",
                value=thing.name,
            )
        if isinstance(thing, Value):
            step.versions = max(step.versions, thing.version)
        step.changed[thing.name] = None
        step.answer(request.ticket, None)

    def _withdraw(self, request: Request, step: Step) -> None:
        """Exactly one of two: the wait ends, or what was granted already is given back."""
        ticket = (request.ticket[0], request.ticket[1], request.data)
        thing = step.find(request.name)
        if thing is not None:
            wait = thing.waiting(ticket)
            hold = next((hold for hold in thing.holds if hold.ticket == ticket), None)
            if wait is not None:
                step.fail(wait, WaitTimeout(f"{wait.owner} waits no more", name=thing.name, kind=thing.kind))
                step.put(thing.without(wait, step, f"{wait.owner} has gone away without waiting on"))
            elif hold is not None and isinstance(thing, Holdable):
                step.put(thing.released(hold, step))
        step.answer(request.ticket, None)

    def _ended(self, request: Request, step: Step) -> None:
        owner, why = request.owner.whole, request.data
        text = f"{owner} has ended" + (f": {why}" if why else "")
        self._leave(step, {owner: text}, badly=bool(why))
        step.answer(request.ticket, None)

    def _leave(self, step: Step, owners: dict[Owner, str], *, badly: bool) -> None:
        for thing in list(self.things.values()):
            if any(owner.whole in owners for owner in _concerned(thing)):
                step.put(thing.left(owners, step, badly=badly))
        ended = {owner.key for owner in owners if owner.task}
        step.tasks = {key: on for key, on in step.tasks.items() if key not in ended}


def _concerned(thing: Thing) -> Iterable[Owner]:
    """Whom a thing knows."""
    yield from (hold.owner for hold in thing.holds)
    yield from (wait.owner for wait in thing.queue)
    yield from thing.members()


def _counted(owners: Iterable[Owner]) -> dict[Owner, int]:
    counts: dict[Owner, int] = {}
    for owner in owners:
        counts[owner] = counts.get(owner, 0) + 1
    return counts


def _add(counts: dict[Owner, int], more: dict[Owner, int]) -> None:
    for owner, count in more.items():
        left = counts.get(owner, 0) + count
        if left > 0:
            counts[owner] = left
        else:
            counts.pop(owner, None)


def _whole(key: str, value: Any, least: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    raise ConfigError(f"{key} takes a whole number of {least} or more, not {value!r}", key=key, value=value)
