"""A machine for the plan of a supervisor, one event at a time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.core.children import AutoShutdown, ChildSpec, ChildStatus, ExitReason, Intensity, Strategy
from actors.core.retry import Backoff
from actors.core.supervision import SupervisionPlan
from actors.core.supervisionactions import Action, Escalate, Finish, Later, Start, Stop
from actors.testing.machines.promise import must_be

__all__ = ["SupervisorStoryMachine"]

_KINDS = st.sampled_from(["permanent", "transient", "temporary"])
_REASONS = st.sampled_from(["normal", "shutdown", "failure"])
_PERIOD = 5.0
_WISHES = ("add", "terminate", "restart", "forget", "end")
# Powers of two, so that adding them up is exact.
_STEADY = Backoff(first=0.5, factor=2.0, limit=4.0, jitter=0.0)
# How many quarters of a second after the last event the next one comes.
_AFTER = st.sampled_from([0, 1, 2, 4, 8, 19, 20, 21, 40])
_PLANS = st.fixed_dictionaries(
    {
        "strategy": st.sampled_from(Strategy),
        "kinds": st.lists(_KINDS, min_size=1, max_size=5),
        "restarts": st.integers(0, 6),
        "auto": st.sampled_from(["never", "any", "all"]),
        "significant": st.sets(st.integers(0, 5)),
        "backoff": st.sampled_from([Backoff(first=0.0, jitter=0.0), _STEADY]),
        "quiet": st.sampled_from([None, 1.0]),
    }
)


class SupervisorStoryMachine(RuleBasedStateMachine):
    """Drives a plan of which each event is dealt with in full before the next comes.

    What the plan has done is then a story ("-c2", "-c1", "wait 0.5", "+c1", "!c2", …), and must be the model's, word
    for word: which children are stopped, in which order, how long it waits, which are started, when it gives up. Starts
    may fail. Time is virtual.

    Override `make` to drive another plan.

    Example:
        >>> TestSupervisorStory = SupervisorStoryMachine.TestCase
    """

    def make(self, children: Sequence[ChildSpec], **settings: Any) -> SupervisionPlan:
        """The plan that is driven; `settings` are its constructor's."""
        return SupervisionPlan(children, **settings)

    @initialize(plan=_PLANS)
    def begins(self, plan: dict[str, Any]) -> None:
        """A plan starts its children, in order."""
        self.begin(**plan)

    @precondition(lambda self: self.over)
    @rule(plan=_PLANS)
    def begins_anew(self, plan: dict[str, Any]) -> None:
        """The supervisor that has ended is replaced by another."""
        self.begin(**plan)

    def begin(
        self,
        strategy: Strategy,
        kinds: list[Any],
        restarts: int,
        auto: AutoShutdown,
        significant: set[int],
        backoff: Backoff,
        quiet: float | None,
    ) -> None:
        """A plan, and a model of which all children are up."""
        self.strategy, self.auto, self.restarts, self.backoff = strategy, auto, restarts, backoff
        self.quiet = _PERIOD if quiet is None else quiet
        specs = [
            ChildSpec(f"c{n}", kind, significant=auto != "never" and kind != "permanent" and n in significant)
            for n, kind in enumerate(kinds)
        ]
        self.now = 0.0
        self.plan = self.make(
            specs, rng=random.Random(0),  # noqa: S311 - the same jitter each time
            strategy=strategy, intensity=Intensity(restarts, _PERIOD), backoff=backoff,
            auto_shutdown=auto, quiet=quiet,
        )  # fmt: skip
        self.specs = {spec.id: spec for spec in specs}
        self.up = dict.fromkeys(self.specs, True)
        self.since: dict[str, float] = dict.fromkeys(self.specs, 0.0)
        self.tries = dict.fromkeys(self.specs, 0)
        self.progressed: set[str] = set()
        self.times: list[float] = []
        self.over = False
        # Which of the next starts fail; after those all work.
        self.fails: list[bool] = []
        self.count = len(specs)
        self.told(self.plan.start(self.now), [f"+{spec.id}" for spec in specs])

    def told(self, actions: list[Action], expected: list[str], end: float | None = None) -> None:
        """Carry out all that the plan says and all that follows, and compare the story."""
        must_be(self.carry_out(actions), expected, "F1", "what the supervisor does")
        if end is not None:
            must_be(self.now, end, "F1", "when it is done")

    def carry_out(self, actions: list[Action]) -> list[str]:
        """Do what the plan says at once, and give the story of it."""
        story: list[str] = []
        for action in actions:
            match action:
                case Start((child,)) if self.fails and self.fails.pop(0):
                    story += [f"!{child}", *self.carry_out(self.plan.exited(child, "failure", self.now, "broken"))]
                case Start((child,)):
                    story += [f"+{child}", *self.carry_out(self.plan.started(child, self.now))]
                case Stop((child,)):
                    story += [f"-{child}", *self.carry_out(self.plan.exited(child, "shutdown", self.now))]
                case Later(delay):
                    self.now += delay
                    story += [f"wait {delay:g}", *self.carry_out(self.plan.due(self.now))]
                case Escalate(child, _):
                    story.append(f"escalate {child}")
                case Finish():
                    story.append("finish")
                case other:
                    raise AssertionError(f"F1: nothing that children who depend on each other are told: {other}")
        return story

    # The model.

    def forget(self, child: str) -> None:
        """The model knows the child no more."""
        del self.specs[child], self.up[child]

    def model_end(self, last: str) -> list[str]:
        """All children end in reverse order, and then the supervisor."""
        story = [f"-{child}" for child in reversed(self.specs) if self.up[child]]
        self.up = dict.fromkeys(self.specs, False)
        self.over = True
        return [*story, last]

    def model_death(self, child: str, reason: ExitReason, fails: list[bool]) -> tuple[list[str], float]:
        """The story of a child that ended by itself, and when it is over."""
        spec = self.specs[child]
        self.model_down(child, self.now)
        if spec.restart == "temporary":
            self.forget(child)
        if spec.restart == "temporary" or (spec.restart == "transient" and reason != "failure"):
            left = any(self.specs[each].significant and self.up[each] for each in self.specs)
            if spec.significant and (self.auto == "any" or not left):
                return self.model_end("finish"), self.now
            return [], self.now
        return self.model_restart(child, fails)

    def model_restart(self, child: str, fails: list[bool]) -> tuple[list[str], float]:
        """The story of restarts until one works or there were too many."""
        story: list[str] = []
        now = self.now
        broken: str | None = child
        while broken is not None:
            self.times = [time for time in [*self.times, now] if time >= now - _PERIOD]
            if len(self.times) > self.restarts:
                return [*story, *self.model_end(f"escalate {broken}")], now
            wait = self.model_wait(broken)
            names = list(self.specs)
            affected = {
                Strategy.ONE_FOR_ONE: [broken],
                Strategy.ONE_FOR_ALL: names,
                Strategy.REST_FOR_ONE: names[names.index(broken) :],
            }[self.strategy]
            for each in reversed(affected):
                if self.up[each]:
                    story.append(f"-{each}")
                    self.model_down(each, now)
                if self.specs[each].restart == "temporary":
                    self.forget(each)
            if wait:
                story.append(f"wait {wait:g}")
                now += wait
            broken = None
            for each in [each for each in affected if each in self.specs]:
                if fails and fails.pop(0):
                    story.append(f"!{each}")
                    broken = each
                    break
                story.append(f"+{each}")
                self.model_up(each, now)
        return story, now

    def model_wait(self, child: str) -> float:
        """How long the next try of a child has to wait: the first is at once, and it is the first if all was well."""
        tries, self.tries[child] = self.tries[child], self.tries[child] + 1
        if not tries:
            return 0.0
        return min(self.backoff.limit, self.backoff.first * self.backoff.factor ** (tries - 1))

    def model_down(self, child: str, now: float) -> None:
        """The model's child has ended; its tries are forgotten if it did well while it was up."""
        if child in self.progressed or now - self.since[child] >= self.quiet:
            self.tries[child] = 0
        self.progressed.discard(child)
        self.up[child] = False

    def model_up(self, child: str, now: float) -> None:
        """The model's child runs."""
        self.up[child], self.since[child] = True, now
        self.progressed.discard(child)

    # Rules.

    @precondition(lambda self: not self.over and any(self.up.values()))
    @rule(
        data=st.data(), after=_AFTER, progress=st.booleans(), reason=_REASONS, fails=st.lists(st.booleans(), max_size=6)
    )
    def dies(self, *, data: st.DataObject, after: int, progress: bool, reason: ExitReason, fails: list[bool]) -> None:
        """A child that is up does some of its work or none and ends by itself; the next starts may fail."""
        self.pass_time(after)
        candidates = [child for child, up in self.up.items() if up]
        child = data.draw(st.sampled_from(candidates), label="child")
        if progress:
            self.plan.progressed(child)
            self.progressed.add(child)
        expected, end = self.model_death(child, reason, list(fails))
        self.fails = list(fails)
        self.told(self.plan.exited(child, reason, self.now), expected, end)
        self.fails = []

    def pass_time(self, quarters: int) -> None:
        """Quarters of a second pass: restarts leave the period, and nothing is due while nothing waits."""
        self.now += quarters / 4
        must_be(self.plan.due(self.now), [], "F1", "what is due while nothing waits")

    @precondition(lambda self: not self.over)
    @rule(data=st.data(), after=_AFTER, wish=st.sampled_from(_WISHES), kind=_KINDS, works=st.booleans())
    def something_is_asked_for(self, *, data: st.DataObject, after: int, wish: str, kind: Any, works: bool) -> None:
        """A child is added or ended; one that is down is started again or forgotten; or the supervisor is to end."""
        self.pass_time(after)
        names = [child for child, up in self.up.items() if wish == "terminate" or not up]
        if wish == "add":
            self.adds(kind, works=works)
        elif wish == "end" and self.count > 6:
            self.told(self.plan.stop("enough"), self.model_end("finish"), self.now)
        elif wish != "end" and names:
            child = data.draw(st.sampled_from(names), label="child")
            if wish == "terminate":
                self.terminates(child)
            elif wish == "restart":
                self.restarts_down(child, works=works)
            else:
                self.plan.remove(child)
                self.forget(child)

    def adds(self, kind: Any, *, works: bool) -> None:
        """A child comes; if it does not start, it is forgotten."""
        spec = ChildSpec(f"c{self.count}", kind)
        self.count += 1
        self.fails = [not works]
        self.told(self.plan.add(spec, self.now), [f"+{spec.id}" if works else f"!{spec.id}"], self.now)
        if works:
            self.specs[spec.id], self.tries[spec.id] = spec, 0
            self.model_up(spec.id, self.now)

    def terminates(self, child: str) -> None:
        """A child is ended on request, and may be started or removed later."""
        self.told(self.plan.terminate(child, self.now), [f"-{child}"] if self.up[child] else [], self.now)
        if self.up[child]:
            self.model_down(child, self.now)
        if self.specs[child].restart == "temporary":
            self.forget(child)

    def restarts_down(self, child: str, *, works: bool) -> None:
        """A child that is down is started again."""
        self.fails = [not works]
        self.told(self.plan.restart(child, self.now), [f"+{child}" if works else f"!{child}"], self.now)
        if works:
            self.model_up(child, self.now)

    @invariant()
    def f1_the_children_are_those_of_the_model(self) -> None:
        """F1: the same, in the same order and state."""
        seen = [(spec.id, status) for spec, status in self.plan.children()]
        expected = [(child, ChildStatus.UP if up else ChildStatus.DOWN) for child, up in self.up.items()]
        must_be(seen, expected, "F1", "the children")
        must_be(self.plan.ending, self.over, "F1", "whether it ends")
