"""A machine for the book of locks, barriers and the like."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.core.sync.book import Book
from actors.core.sync.owner import Owner
from actors.core.sync.request import Request
from actors.core.sync.step import Answer
from actors.core.sync.wait import Ticket
from actors.errors import BarrierBroken, DeadlockDetected, LockNotHeld, WaitTimeout
from actors.testing.machines.promise import must, must_be
from actors.testing.stuck import Contended, can_never_go_on

__all__ = ["SyncMachine"]

_THINGS = {
    "p": ("lock", 0),
    "q": ("lock", 0),
    "r": ("rwlock", 0),
    "s": ("semaphore", 2),
}
_AGENTS = ("x-1", "x-2", "x-3")
_PARTIES = 2


class _Held(NamedTuple):
    owner: Owner
    mode: str
    fence: int


class _Wanted(NamedTuple):
    owner: Owner
    mode: str
    ticket: Ticket
    deadline: float | None


class SyncMachine(RuleBasedStateMachine):
    """Drives a book beside lists of who holds and waits, and tries out all orders to find who can never go on.

    Override `make` to drive another book.

    Example:
        >>> TestSync = SyncMachine.TestCase
    """

    def make(self) -> Book:
        """The book that is driven."""
        return Book()

    @initialize()
    def begins(self) -> None:
        """Nobody has anything."""
        self.book = self.make()
        self.now = 100.0
        self.count = 0
        self.fence = 0
        self.held: dict[str, list[_Held]] = {name: [] for name in _THINGS}
        self.queue: dict[str, list[_Wanted]] = {name: [] for name in _THINGS}
        self.tasks: dict[Owner, Owner] = {}
        self.lives = {agent: [self._new(agent, 1), self._new(agent, 1)] for agent in _AGENTS}
        self.at_barrier: list[_Wanted] = []
        self.party: set[Owner] = set()
        self.broken = False
        # Waits that are over for a reason that is known beforehand, and whose answers nobody awaits.
        self.over: set[Ticket] = set()

    def _new(self, agent: str, incarnation: int) -> Owner:
        self.count += 1
        return Owner(agent, incarnation, self.count, 1, 0, f"task {self.count} at {agent}")

    # --- whoever may do something ---

    def _owners(self) -> list[Owner]:
        return [owner for owners in self.lives.values() for owner in owners]

    def _waits(self, owner: Owner) -> bool:
        queues = [*self.queue.values(), self.at_barrier]
        return owner in self.tasks or any(each.owner == owner for queue in queues for each in queue)

    def _active(self) -> list[Owner]:
        return [owner for owner in self._owners() if not self._waits(owner)]

    def _someone(self, data: st.DataObject) -> Owner | None:
        active = self._active()
        return data.draw(st.sampled_from(active), label="owner") if active else None

    # --- requests ---

    def _request(self, owner: Owner, op: str, name: str, data: Any = None, timeout: float | None = None) -> Request:
        self.count += 1
        kind, size = ("barrier", _PARTIES) if name == "b" else _THINGS.get(name, ("", 0))
        ticket = (owner.agent, owner.incarnation, self.count)
        return Request(op, kind, name, size, owner, ticket, timeout, data)

    @rule(data=st.data(), name=st.sampled_from(list(_THINGS)), timeout=st.sampled_from([None, None, 0.0, 2.0]))
    def wants(self, data: st.DataObject, name: str, timeout: float | None) -> None:
        """Somebody wants something, perhaps what it has already."""
        owner = self._someone(data)
        if owner is None:
            return
        kind = _THINGS[name][0]
        mode = data.draw(st.sampled_from(["read", "write"]), label="mode") if kind == "rwlock" else ""
        request = self._request(owner, "acquire", name, mode, timeout)
        deadline = None if timeout is None else self.now + timeout
        self.queue[name].append(_Wanted(owner, mode, request.ticket, deadline))
        self._take(self.book.handle(request, self.now), new=request.ticket if timeout == 0 else None)

    @rule(data=st.data(), wrong=st.sampled_from([False, False, False, True]))
    def gives_back(self, data: st.DataObject, wrong: bool) -> None:  # noqa: FBT001 - drawn
        """Somebody gives back what it has, or what it has not."""
        owner = self._someone(data)
        held = [(name, each) for name, all_held in self.held.items() for each in all_held]
        mine = [(name, each) for name, each in held if (each.owner == owner) != wrong]
        if owner is None or not mine:
            return
        name, hold = data.draw(st.sampled_from(mine), label="hold")
        request = self._request(owner, "release", name, hold.fence)
        if wrong:
            try:
                self.book.handle(request, self.now)
            except LockNotHeld:
                return
            must(False, "G1", f"{owner} gave back what {hold.owner} holds")  # noqa: FBT003 - it is not to come here
        self.held[name].remove(hold)
        self._take(self.book.handle(request, self.now))

    @rule(data=st.data())
    def withdraws(self, data: st.DataObject) -> None:
        """Somebody that waits goes away."""
        waiting = [(name, each) for name, queue in [*self.queue.items(), ("b", self.at_barrier)] for each in queue]
        if not waiting:
            return
        name, wanted = data.draw(st.sampled_from(waiting), label="wait")
        request = self._request(wanted.owner, "withdraw", name, wanted.ticket[2])
        self._goes(name, wanted)
        self._take(self.book.handle(request, self.now))

    def _goes(self, name: str, wanted: _Wanted) -> None:
        """A wait is over before its answer."""
        self.over.add(wanted.ticket)
        if name == "b":
            self.at_barrier.remove(wanted)
            self.broken = True
            self.party.add(wanted.owner)
        else:
            self.queue[name].remove(wanted)

    @rule(data=st.data())
    def waits_for_task(self, data: st.DataObject) -> None:
        """A task waits for another one."""
        owner = self._someone(data)
        others = [other for other in self._owners() if other != owner]
        if owner is None or not self.book.used:
            return
        on = data.draw(st.sampled_from(others), label="on")
        # Tasks wait for those that they have handed in, so not in a circle.
        seen = on
        while seen in self.tasks:
            seen = self.tasks[seen]
        if seen == owner:
            return
        self.tasks[owner] = on
        self._take(self.book.waits_for_task(owner.key, str(owner), on.number, self.now))

    @precondition(lambda self: self.tasks)
    @rule(data=st.data())
    def waits_no_more(self, data: st.DataObject) -> None:
        """A task has waited for another one long enough."""
        owner = data.draw(st.sampled_from(list(self.tasks)), label="owner")
        del self.tasks[owner]
        self._take(self.book.waits_for_task(owner.key, str(owner), None, self.now))

    @rule(data=st.data(), timeout=st.sampled_from([None, 2.0]))
    def comes_to_the_barrier(self, data: st.DataObject, timeout: float | None) -> None:
        """Somebody wants to pass."""
        owner = self._someone(data)
        if owner is None:
            return
        request = self._request(owner, "wait", "b", timeout=timeout)
        self.at_barrier.append(_Wanted(owner, "", request.ticket, None if timeout is None else self.now + timeout))
        self._take(self.book.handle(request, self.now))

    @rule(data=st.data())
    def resets_the_barrier(self, data: st.DataObject) -> None:
        """Somebody makes it whole."""
        owner = self._someone(data)
        if owner is not None:
            self.over |= {each.ticket for each in self.at_barrier}
            self.at_barrier, self.broken = [], False
            self.party = set()
            self._take(self.book.handle(self._request(owner, "reset", "b"), self.now))

    # --- ends ---

    @rule(agent=st.sampled_from(_AGENTS))
    def dies(self, agent: str) -> None:
        """An agent dies with all that it runs; word of it comes twice."""
        gone = self.lives[agent]
        self._vanish(gone, badly=True)
        self._take(self.book.gone(agent, gone[0].incarnation, self.now, "killed"))
        self._take(self.book.gone(agent, gone[0].incarnation, self.now, "killed"))
        self.lives[agent] = [self._new(agent, gone[0].incarnation + 1) for _ in gone]

    @rule(data=st.data(), badly=st.booleans())
    def ends(self, data: st.DataObject, badly: bool) -> None:  # noqa: FBT001 - drawn
        """An attempt ends, whatever it holds, and its agent begins another one."""
        owner = self._someone(data)
        if owner is None:
            return
        self._vanish([owner], badly=badly)
        self._take(self.book.handle(self._request(owner, "ended", "", "failed" if badly else None), self.now))
        mine = self.lives[owner.agent]
        mine[mine.index(owner)] = self._new(owner.agent, owner.incarnation)

    def _vanish(self, owners: list[Owner], *, badly: bool) -> None:
        counted = [each for each in self.at_barrier if each.owner in owners]
        self.broken |= bool(counted) or (badly and any(owner in self.party for owner in owners))
        self.over |= {each.ticket for each in counted}
        self.at_barrier = [each for each in self.at_barrier if each not in counted]
        self.party -= set(owners)
        for name in _THINGS:
            self.held[name] = [each for each in self.held[name] if each.owner not in owners]
            self.over |= {each.ticket for each in self.queue[name] if each.owner in owners}
            self.queue[name] = [each for each in self.queue[name] if each.owner not in owners]
        self.tasks = {owner: on for owner, on in self.tasks.items() if owner not in owners}

    @rule(seconds=st.sampled_from([0.5, 2.5]))
    def time_goes_by(self, seconds: float) -> None:
        """What is due happens."""
        self.now += seconds
        self._take(self.book.tick(self.now))

    @rule()
    def it_fails_and_goes_on(self) -> None:
        """The actor around the book fails between two steps."""
        self.book.recover()

    # --- what must hold ---

    def _stuck(self) -> set[Any]:
        things = [
            Contended(
                *_THINGS[name],
                tuple((each.owner, each.mode) for each in self.held[name]),
                tuple((each.owner, each.mode) for each in self.queue[name]),
            )
            for name in _THINGS
        ]
        tasks: dict[Hashable, list[Owner]] = {owner: [on] for owner, on in self.tasks.items()}
        return can_never_go_on(things, tasks, [each.owner for each in self.at_barrier])

    def _take(self, answers: list[Answer], new: Ticket | None = None) -> None:
        """Judge answers, one after the other, each against what was known before it."""
        stuck = set() if new is not None else self._stuck()
        told = [answer for answer in answers if isinstance(answer.error, DeadlockDetected)]
        must(bool(stuck) == bool(told), "G1", f"{sorted(map(str, stuck))} are stuck, and {len(told)} were told so")
        self._judge_barrier(answers)
        for answer in answers:
            self._judge(answer, stuck)
        if not self.party and not self.at_barrier:
            # Whoever knew that it was broken is gone.
            self.broken = False
        if not self.book.used:
            # Nobody keeps in mind who waits for whom where nothing is held.
            self.tasks = {}

    def _judge(self, answer: Answer, stuck: set[Any]) -> None:
        ticket = answer.ticket
        if ticket in self.over:
            self.over.remove(ticket)
            must(answer.error is not None, "G1", "one that has gone was granted something")
            return
        for name, queue in self.queue.items():
            wanted = next((each for each in queue if each.ticket == ticket), None)
            if wanted is None:
                continue
            if answer.error is None:
                must_be(queue[0], wanted, "G1", f"who gets {name}")
                must(answer.value > self.fence, "G1", f"fencing number {answer.value} after {self.fence}")
                self.fence = answer.value
                self.held[name].append(_Held(wanted.owner, wanted.mode, answer.value))
            elif isinstance(answer.error, DeadlockDetected):
                must(wanted.owner in stuck, "G1", f"{wanted.owner} was told of a deadlock, and can go on")
            else:
                late = wanted.deadline is not None and wanted.deadline <= self.now
                must(isinstance(answer.error, WaitTimeout) and late, "G1", f"a wait ended with {answer.error!r}")
            queue.remove(wanted)

    def _judge_barrier(self, answers: list[Answer]) -> None:
        ended = {answer.ticket: answer for answer in answers}
        late = [each for each in self.at_barrier if each.deadline is not None and each.deadline <= self.now]
        if late and not self.broken:
            # The first whose time is over breaks it for all.
            self.broken = True
            self.party |= {each.owner for each in self.at_barrier}
        if self.broken:
            for each in self.at_barrier:
                error = ended[each.ticket].error
                must(isinstance(error, BarrierBroken | WaitTimeout), "G1", f"a broken barrier gave {error!r}")
                self.party.add(each.owner)
            self.over |= {each.ticket for each in self.at_barrier}
            self.at_barrier = []
            return
        passed = [each for each in self.at_barrier if each.ticket in ended]
        full = len(self.at_barrier) == _PARTIES
        must_be(len(passed), _PARTIES if full else 0, "G1", "how many pass a barrier")
        must(len({ended[each.ticket].value for each in passed}) == len(passed), "G1", "two came as the same one")
        if full:
            self.at_barrier, self.party = [], {each.owner for each in passed}
            self.over -= {each.ticket for each in passed}

    @invariant()
    def nobody_waits_for_what_is_free(self) -> None:
        """No lost wake-up, and never more holders than may."""
        for name, (kind, size) in _THINGS.items() if hasattr(self, "held") else ():
            held = tuple((each.owner, each.mode) for each in self.held[name])
            if self.queue[name]:
                now = Contended(kind, size, held, ())
                must(not now.has_room(self.queue[name][0].mode), "G1", f"{name} is free, and somebody waits for it")
            for place, (_, mode) in enumerate(held):
                beside = Contended(kind, size, held[:place] + held[place + 1 :], ())
                must(beside.has_room(mode), "G1", f"{name} is held by {held}")

    @invariant()
    def the_book_has_what_there_is(self) -> None:
        """Who holds and who waits is known, and nothing else is kept."""
        if not hasattr(self, "held"):
            return
        infos = {info.name: info for info in self.book.info(self.now)}
        for name in _THINGS:
            info = infos.pop(name, None)
            holders = [] if info is None else [each.fence for each in info.holders]
            waiters = [] if info is None else [each.owner for each in info.waiters]
            must_be(sorted(holders), sorted(each.fence for each in self.held[name]), "G1", f"holders of {name}")
            must_be(waiters, [str(each.owner) for each in self.queue[name]], "G1", f"waiters for {name}")
        must("b" in infos or not (self.at_barrier or self.party), "G1", "a barrier was forgotten")
        must("b" not in infos or bool(self.at_barrier or self.party), "G1", "a barrier that nobody uses was kept")
        must_be(set(infos) - {"b"}, set(), "G1", "other things that there are")
