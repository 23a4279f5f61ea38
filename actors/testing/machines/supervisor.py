"""A machine for the plan of a supervisor, with reports in any order."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.core.children import ChildSpec, ChildStatus, Counted, ExitReason, Intensity, Strategy
from actors.core.retry import Backoff
from actors.core.supervision import SupervisionPlan
from actors.core.supervisionactions import Action, Drop, Escalate, Finish, Later, Start, Stop
from actors.testing.machines.promise import broken, must, must_be

__all__ = ["SupervisorMachine"]

_KINDS = st.sampled_from(["permanent", "transient", "temporary"])
_REASONS = st.sampled_from(["normal", "shutdown", "failure"])
_PERIOD = 5.0
# Without jitter: no wait is shorter than it says.
_STEADY = Backoff(first=0.5, factor=2.0, limit=4.0, jitter=0.0)
# How long after the last event the next one comes, in seconds.
_AFTER = st.sampled_from([0.0, 0.01, 0.1, 0.3, 0.5, 1.0, 2.0, 4.9, 5.0, 40.0])
_PLANS = st.fixed_dictionaries(
    {
        "strategy": st.sampled_from([Strategy.ONE_FOR_ONE, *Strategy]),
        "kinds": st.lists(_KINDS, min_size=1, max_size=4),
        "intensity": st.sampled_from([Intensity(n, _PERIOD) for n in (0, 1, 2, 1000)]),
        "counted": st.sampled_from(["restarts", "failed_starts"]),
        "parallel": st.booleans(),
        "backoff": st.sampled_from([Backoff(), _STEADY]),
    }
)


class SupervisorMachine(RuleBasedStateMachine):
    """Drives a plan whose reports come in any order, while time passes.

    The model is what really runs. No child is started twice, or stopped in vain; no start comes before its back-off has
    passed; restarts stay within the intensity, and it gives up only beyond it; nothing follows the last action. In the
    end, when all that was asked for has happened, each child is up that should be, or all are down.

    Override `make` to drive another plan.

    Example:
        >>> TestSupervisor = SupervisorMachine.TestCase
    """

    def make(self, children: Sequence[ChildSpec], **settings: Any) -> SupervisionPlan:
        """The plan that is driven; `settings` are its constructor's."""
        return SupervisionPlan(children, **settings)

    @initialize(plan=_PLANS)
    def begins(self, plan: dict[str, Any]) -> None:
        """A plan starts its children."""
        self.begin(**plan)

    @precondition(lambda self: self.last is not None)
    @rule(plan=_PLANS)
    def begins_anew(self, plan: dict[str, Any]) -> None:
        """The supervisor that has ended is replaced by another."""
        self.settles()
        self.begin(**plan)

    def begin(
        self,
        *,
        strategy: Strategy,
        kinds: list[Any],
        intensity: Intensity,
        counted: Counted,
        parallel: bool,
        backoff: Backoff,
    ) -> None:
        """A plan, and a world in which nothing runs yet."""
        self.strategy, self.intensity, self.counted, self.backoff = strategy, intensity, counted, backoff
        self.single = strategy is Strategy.ONE_FOR_ONE
        self.plan = self.make(
            [ChildSpec(f"c{n}", kind) for n, kind in enumerate(kinds)],
            rng=random.Random(0),  # noqa: S311 - the same jitter each time
            strategy=strategy, intensity=intensity, counted=counted, backoff=backoff,
            parallel=parallel and self.single,
        )  # fmt: skip
        self.parallel = parallel and self.single
        self.world: dict[str, str] = {}
        self.booting = {f"c{n}" for n in range(len(kinds))}
        self.requested: set[str] = set()
        self.terminated: set[str] = set()
        self.ended_well: set[str] = set()
        self.last: Action | None = None
        self.now = 0.0
        self.timers: list[float] = []
        self.count = len(kinds)
        # For one-for-one: when restarts became necessary, how many tries in a row, and not before when each may start.
        self.restarts: list[float] = []
        self.tries: dict[str, int] = {}
        self.failed: dict[str, int] = {}
        self.earliest: dict[str, float] = {}
        self.since: dict[str, float] = {}
        self.take(self.plan.start(0.0))

    def take(self, actions: list[Action]) -> None:
        """Carry out what the plan says; it is reported later."""
        for action in actions:
            must(self.last is None, "F1", "an action after the last one:", action)
            match action:
                case Start(children):
                    must(children, "F1", "a start of nobody")
                    for child in children:
                        self.is_to_start(child)
                case Stop(children):
                    must(children, "F1", "a stop of nobody")
                    for child in children:
                        must(self.world.get(child) in {"starting", "up"}, "F1", child, "is stopped in vain")
                        self.world[child] = "stopping"
                case Later(delay):
                    must(delay > 0, "F1", "a wait of", delay)
                    # A wait may be so short that adding it changes nothing; time goes on all the same.
                    self.timers.append(max(self.now + delay, math.nextafter(self.now, math.inf)))
                case Drop(child, _):
                    must(child not in self.world, "F1", child, "is dropped while it runs")
                case Escalate() | Finish():
                    must(not self.world, "F1", "the supervisor ends while children run:", self.world)
                    self.last = action
        starting = list(self.world.values()).count("starting")
        must(self.single or starting <= 1, "F1", "tied children start at the same time")

    def is_to_start(self, child: str) -> None:
        """The plan says that a child is to start."""
        must(child not in self.world, "F1", child, "is started twice")
        must(child not in self.terminated, "F1", child, "is started although it was ended on request")
        must(self.now >= self.earliest.pop(child, 0.0), "F1", child, "is started before its back-off has passed")
        self.world[child] = "starting"
        self.ended_well.discard(child)

    def needs_restart(self, child: str, *, started: bool) -> None:
        """Note that a child of a one-for-one plan is to be tried again; whether that is once too often shows."""
        if not self.single or self.plan_ended:
            return
        if self.counted == "restarts":
            oldest = self.now - self.intensity.period
            self.restarts = [*(time for time in self.restarts if time >= oldest), self.now]
            if len(self.restarts) > self.intensity.restarts:
                return
        elif not started and self.failed.get(child, 0) > self.intensity.restarts:
            return
        tries = self.tries.get(child, 0)
        if tries:
            full = min(self.backoff.limit, self.backoff.first * self.backoff.factor ** (tries - 1))
            self.earliest[child] = self.now + full * (1 - self.backoff.jitter)
        self.tries[child] = tries + 1

    def within_intensity(self, child: str) -> None:
        """After a report of which the plan knows: has it given up exactly when it must?"""
        if not self.single or self.plan_ended:
            return
        if self.counted == "restarts":
            beyond = len(self.restarts) > self.intensity.restarts
            must_be(self.plan.ending, beyond, "F1", f"whether it gives up after {len(self.restarts)} restarts")
        elif self.failed.get(child, 0) > self.intensity.restarts:
            given_up = self.plan.ending or self.plan.status(child) is None
            must(given_up, "F1", child, "is tried again after", self.failed[child], "failed starts")
        else:
            must(not self.plan.ending, "F1", "it gives up within its intensity")

    def some(self, data: st.DataObject, *states: str) -> str:
        """A child in one of these states."""
        candidates = [child for child, state in self.world.items() if state in states]
        return data.draw(st.sampled_from(candidates), label="child")

    # Rules.

    @precondition(lambda self: not {"starting", "stopping"}.isdisjoint(self.world.values()))
    @rule(data=st.data(), after=_AFTER, works=st.sampled_from([True, True, False]), reason=_REASONS)
    def a_report_comes(self, *, data: st.DataObject, after: float, works: bool, reason: ExitReason) -> None:
        """A start works or fails, or a child that was to stop has ended."""
        self.pass_until(self.now + after)
        child = self.some(data, "starting", "stopping")
        if self.world[child] == "stopping":
            del self.world[child]
            self.life_ends(child)
            self.take(self.plan.exited(child, reason, self.now))
        elif works:
            self.starts(child)
        else:
            self.fails(child)

    def fails(self, child: str) -> None:
        """A start has failed."""
        del self.world[child]
        self.plan_ended = self.plan.ending
        self.failed[child] = self.failed.get(child, 0) + 1
        for_asker = self.counted == "restarts" and (child in self.requested or child in self.booting)
        if not for_asker:
            self.needs_restart(child, started=False)
        if for_asker and child in self.requested:
            # Whoever asked for the start is told; it is not tried again.
            self.ended_well.add(child)
        self.requested.discard(child)
        self.take(self.plan.exited(child, "failure", self.now, "broken"))
        if not for_asker:
            self.within_intensity(child)

    @precondition(lambda self: "up" not in self.world.values() and self.last is None)
    @rule(after=_AFTER, count=st.integers(1, 4))
    def starts_work(self, after: float, count: int) -> None:
        """Time passes, and some starts work, or what is to stop stops."""
        self.pass_until(self.now + after)
        for child, state in list(self.world.items())[:count]:
            if state == "starting":
                self.starts(child)

    def life_ends(self, child: str, *, progress: bool = False) -> None:
        """A child has ended: its tries are forgotten if it did well while it was up."""
        since = self.since.pop(child, None)
        if progress or (since is not None and self.now - since >= self.intensity.period):
            self.tries[child] = 0

    def starts(self, child: str) -> None:
        """A start has worked."""
        self.world[child] = "up"
        self.since[child] = self.now
        self.failed[child] = 0
        self.requested.discard(child)
        self.booting.discard(child)
        self.take(self.plan.started(child, self.now))

    @precondition(lambda self: "up" in self.world.values())
    @rule(data=st.data(), after=_AFTER, reason=_REASONS, progress=st.sampled_from([False, False, True]))
    def a_child_dies(self, *, data: st.DataObject, after: float, reason: ExitReason, progress: bool) -> None:
        """A child ends by itself."""
        self.pass_until(self.now + after)
        child = self.some(data, "up")
        if progress:
            self.plan.progressed(child)
        del self.world[child]
        if reason != "failure":
            self.ended_well.add(child)
        kind = next(spec.restart for spec, _ in self.plan.children() if spec.id == child)
        again = kind == "permanent" or (kind == "transient" and reason == "failure")
        self.plan_ended = self.plan.ending
        self.life_ends(child, progress=progress)
        if again:
            self.needs_restart(child, started=True)
        self.take(self.plan.exited(child, reason, self.now))
        if again:
            self.within_intensity(child)

    def pass_until(self, time: float) -> None:
        """Let it be a later time, and tell the plan of each timer that fires."""
        while self.timers and min(self.timers) <= time:
            self.now = min(self.timers)
            self.timers.remove(self.now)
            self.take(self.plan.due(self.now))
        self.now = time

    @precondition(lambda self: not self.plan.ending)
    @rule(data=st.data(), after=_AFTER, wish=st.sampled_from(["terminate", "restart", "add", "end"]), kind=_KINDS)
    def something_is_asked_for(self, data: st.DataObject, after: float, wish: str, kind: Any) -> None:
        """A child is added, ended, or started again when it is down; or the supervisor is to end."""
        self.pass_until(self.now + after)
        children = self.plan.children()
        names = [spec.id for spec, status in children if wish == "terminate" or status is ChildStatus.DOWN]
        if wish == "add":
            self.adds(kind)
        elif wish == "end" and self.count > 6:
            self.take(self.plan.stop("enough"))
        elif wish in ("terminate", "restart") and names:
            child = data.draw(st.sampled_from(names), label="child")
            (self.terminates if wish == "terminate" else self.restarts_down)(child)

    def adds(self, kind: Any) -> None:
        """A child comes."""
        self.count += 1
        self.requested.add(f"c{self.count}")
        self.take(self.plan.add(ChildSpec(f"c{self.count}", kind), self.now))

    def terminates(self, child: str) -> None:
        """A child is ended on request; with tied children the next restart of all may bring it back."""
        if self.single:
            self.terminated.add(child)
        self.ended_well.add(child)
        self.requested.discard(child)
        self.earliest.pop(child, None)
        self.take(self.plan.terminate(child, self.now))

    def restarts_down(self, child: str) -> None:
        """A child that is down is started on request."""
        self.terminated.discard(child)
        self.ended_well.discard(child)
        self.requested.add(child)
        self.take(self.plan.restart(child, self.now))

    @invariant()
    def f1_the_plan_knows_what_each_child_does(self) -> None:
        """F1: none is forgotten while it runs."""
        alive = {"starting", "up", "stopping"}
        seen = {spec.id: status.value for spec, status in self.plan.children() if status.value in alive}
        must_be(seen, self.world, "F1", "what runs")

    @invariant()
    def f1_whatever_waits_has_a_timer(self) -> None:
        """F1: a restart that has to wait is not forgotten."""
        due = self.plan.next_due()
        must(
            due is None or due <= self.now or self.timers, "F1", "a restart is due at", due, "and nothing will wake it"
        )

    def teardown(self) -> None:
        """Let all that was asked for happen: then each child is up that should be, or all are down."""
        if hasattr(self, "plan") and not broken():
            self.settles()

    def settles(self) -> None:
        """All that the plan waits for happens."""
        for _ in range(300):
            child = next((each for each, state in self.world.items() if state != "up"), None)
            if child is None and not self.timers:
                break
            if child is None:
                self.pass_until(max(self.now, *self.timers))
            elif self.world[child] == "starting":
                self.starts(child)
            else:
                del self.world[child]
                self.take(self.plan.exited(child, "shutdown", self.now))
        else:
            raise AssertionError("F1: it never settles")
        must_be(self.plan.ending, self.last is not None, "F1", "whether it has come to its end")
        for spec, status in self.plan.children():
            if self.last is not None:
                must(status is ChildStatus.DOWN, "F1", spec.id, "is", status, "after the end")
            elif spec.restart == "permanent" and spec.id not in self.ended_well:
                must(status is ChildStatus.UP, "F1", spec.id, "is", status, "and should be up")
            else:
                must(status in {ChildStatus.UP, ChildStatus.DOWN}, "F1", spec.id, "is", status, "at rest")
