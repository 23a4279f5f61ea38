"""The plan of a supervisor under any sequence of events, against a simple model and in any interleaving."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.core.children import ChildSpec, ChildStatus, Intensity, Strategy
from actors.core.retry import Backoff
from actors.core.supervision import SupervisionPlan
from actors.core.supervisionactions import Action, Drop, Escalate, Finish, Later, Start, Stop

RESTARTS = st.sampled_from(["permanent", "transient", "temporary"])
REASONS = st.sampled_from(["normal", "shutdown", "failure"])


class AgainstSimpleModel(RuleBasedStateMachine):
    """F1: each event is dealt with in full before the next comes: the story must be the model's, word for word."""

    @initialize(
        strategy=st.sampled_from(Strategy),
        kinds=st.lists(RESTARTS, max_size=6),
        restarts=st.integers(0, 6),
        auto=st.sampled_from(["never", "any", "all"]),
        significant=st.sets(st.integers(0, 5)),
    )
    def begin(self, strategy: Strategy, kinds: list[Any], restarts: int, auto: Any, significant: set[int]) -> None:
        self.strategy, self.auto, self.restarts = strategy, auto, restarts
        specs = [
            ChildSpec(f"c{n}", kind, significant=auto != "never" and kind != "permanent" and n in significant)
            for n, kind in enumerate(kinds)
        ]
        self.plan = SupervisionPlan(
            specs,
            rng=random.Random(0),
            strategy=strategy,
            intensity=Intensity(restarts, 5.0),
            backoff=Backoff(first=0.0, jitter=0.0),
            auto_shutdown=auto,
        )
        self.specs = {spec.id: spec for spec in specs}
        self.up = dict.fromkeys(self.specs, True)
        self.now = 0.0
        self.times: list[float] = []
        self.over = False
        self.count = len(specs)
        assert self.carry_out(self.plan.start(0.0)) == [f"+{spec.id}" for spec in specs]

    def carry_out(self, actions: list[Action]) -> list[str]:
        story: list[str] = []
        for action in actions:
            match action:
                case Start((child,)):
                    story += [f"+{child}", *self.carry_out(self.plan.started(child, self.now))]
                case Stop((child,)):
                    story += [f"-{child}", *self.carry_out(self.plan.exited(child, "shutdown", self.now))]
                case Escalate(child, _):
                    story.append(f"escalate {child}")
                case Finish():
                    story.append("finish")
                case other:
                    raise AssertionError(other)
        return story

    def model_end(self, last: str) -> list[str]:
        story = [f"-{child}" for child in reversed(self.specs) if self.up[child]]
        self.up = dict.fromkeys(self.specs, False)
        self.over = True
        return [*story, last]

    def model_death(self, child: str, reason: str) -> list[str]:
        spec = self.specs[child]
        self.up[child] = False
        if spec.restart == "temporary":
            del self.specs[child], self.up[child]
        if spec.restart == "temporary" or (spec.restart == "transient" and reason != "failure"):
            left = any(self.specs[each].significant and self.up[each] for each in self.specs)
            if spec.significant and (self.auto == "any" or not left):
                return self.model_end("finish")
            return []
        self.times = [time for time in [*self.times, self.now] if time >= self.now - 5.0]
        if len(self.times) > self.restarts:
            return self.model_end(f"escalate {child}")
        names = list(self.specs)
        affected = {
            Strategy.ONE_FOR_ONE: [child],
            Strategy.ONE_FOR_ALL: names,
            Strategy.REST_FOR_ONE: names[names.index(child) :],
        }[self.strategy]
        story = [f"-{each}" for each in reversed(affected) if self.up[each]]
        for each in affected:
            if self.specs[each].restart == "temporary":
                del self.specs[each], self.up[each]
            else:
                self.up[each] = True
                story.append(f"+{each}")
        return story

    @rule(data=st.data(), reason=REASONS)
    def dies(self, data: st.DataObject, reason: Any) -> None:
        """A child that is up ends by itself."""
        candidates = [child for child, up in self.up.items() if up]
        if self.over or not candidates:
            return
        child = data.draw(st.sampled_from(candidates))
        said = self.carry_out(self.plan.exited(child, reason, self.now))
        assert said == self.model_death(child, reason)

    @rule(kind=RESTARTS)
    def is_added(self, kind: Any) -> None:
        """A child comes."""
        if self.over:
            return
        spec = ChildSpec(f"c{self.count}", kind)
        self.count += 1
        assert self.carry_out(self.plan.add(spec, self.now)) == [f"+{spec.id}"]
        self.specs[spec.id], self.up[spec.id] = spec, True

    @rule(data=st.data())
    def is_terminated(self, data: st.DataObject) -> None:
        """A child is ended on request, and may be started or removed later."""
        if self.over or not self.specs:
            return
        child = data.draw(st.sampled_from(list(self.specs)))
        said = self.carry_out(self.plan.terminate(child, self.now))
        assert said == ([f"-{child}"] if self.up[child] else [])
        self.up[child] = False
        if self.specs[child].restart == "temporary":
            del self.specs[child], self.up[child]

    @rule(data=st.data(), forget=st.booleans())
    def comes_back_or_is_removed(self, *, data: st.DataObject, forget: bool) -> None:
        """A child that is down is started again, or forgotten."""
        candidates = [child for child, up in self.up.items() if not up]
        if self.over or not candidates:
            return
        child = data.draw(st.sampled_from(candidates))
        if forget:
            self.plan.remove(child)
            del self.specs[child], self.up[child]
        else:
            assert self.carry_out(self.plan.restart(child, self.now)) == [f"+{child}"]
            self.up[child] = True

    @rule(seconds=st.floats(0, 10))
    def time_passes(self, seconds: float) -> None:
        """Restarts leave the period."""
        self.now += seconds
        assert self.plan.due(self.now) == []

    @rule()
    @precondition(lambda self: len(self.specs) > 3)
    def ends(self) -> None:
        """The supervisor is asked to end."""
        if not self.over:
            assert self.carry_out(self.plan.stop("enough")) == self.model_end("finish")

    @invariant()
    def agrees(self) -> None:
        """Both know the same children, in the same order and state."""
        if hasattr(self, "plan"):
            seen = [(spec.id, status is ChildStatus.UP) for spec, status in self.plan.children()]
            assert seen == list(self.up.items())


class AnyInterleaving(RuleBasedStateMachine):
    """F1: reports come in any order: no child is started twice or stopped in vain, and in the end all is settled."""

    @initialize(
        strategy=st.sampled_from(Strategy),
        kinds=st.lists(RESTARTS, min_size=1, max_size=5),
        intensity=st.sampled_from([Intensity(2, 5.0), Intensity(1000, 5.0)]),
        counted=st.sampled_from(["restarts", "failed_starts"]),
        parallel=st.booleans(),
    )
    def begin(
        self, *, strategy: Strategy, kinds: list[Any], intensity: Intensity, counted: Any, parallel: bool
    ) -> None:
        self.strategy = strategy
        self.parallel = parallel and strategy is Strategy.ONE_FOR_ONE
        self.plan = SupervisionPlan(
            [ChildSpec(f"c{n}", kind) for n, kind in enumerate(kinds)],
            rng=random.Random(0),
            strategy=strategy,
            intensity=intensity,
            counted=counted,
            parallel=self.parallel,
        )
        self.world: dict[str, str] = {}
        self.terminated: set[str] = set()
        self.ended_well: set[str] = set()
        self.last: Action | None = None
        self.now = 0.0
        self.timers: list[float] = []
        self.count = len(kinds)
        self.take(self.plan.start(0.0))

    def take(self, actions: list[Action]) -> None:
        for action in actions:
            assert self.last is None, "nothing comes after the last action"
            match action:
                case Start(children):
                    assert children
                    for child in children:
                        assert child not in self.world
                        assert child not in self.terminated
                        self.world[child] = "starting"
                        self.ended_well.discard(child)
                case Stop(children):
                    assert children
                    for child in children:
                        assert self.world[child] in {"starting", "up"}
                        self.world[child] = "stopping"
                case Later(delay):
                    assert delay > 0
                    self.timers.append(self.now + delay)
                case Drop(child, _):
                    assert child not in self.world
                case Escalate() | Finish():
                    assert not self.world
                    self.last = action
        if self.strategy is not Strategy.ONE_FOR_ONE:
            assert list(self.world.values()).count("starting") <= 1

    def some(self, data: st.DataObject, *states: str) -> str | None:
        candidates = [child for child, state in self.world.items() if state in states]
        return data.draw(st.sampled_from(candidates)) if candidates else None

    @rule(data=st.data(), works=st.booleans())
    def a_start_is_reported(self, *, data: st.DataObject, works: bool) -> None:
        """A start works, or fails."""
        child = self.some(data, "starting")
        if child is None:
            return
        if works:
            self.world[child] = "up"
            self.take(self.plan.started(child, self.now))
        else:
            del self.world[child]
            self.take(self.plan.exited(child, "failure", self.now, "broken"))

    @rule(data=st.data(), reason=REASONS)
    def an_end_is_reported(self, data: st.DataObject, reason: Any) -> None:
        """A child that was to stop has ended."""
        child = self.some(data, "stopping")
        if child is not None:
            del self.world[child]
            self.take(self.plan.exited(child, reason, self.now))

    @rule(data=st.data(), reason=REASONS, progress=st.booleans())
    def a_child_dies(self, *, data: st.DataObject, reason: Any, progress: bool) -> None:
        """A child ends by itself."""
        child = self.some(data, "up")
        if child is None:
            return
        if progress:
            self.plan.progressed(child)
        del self.world[child]
        if reason != "failure":
            self.ended_well.add(child)
        self.take(self.plan.exited(child, reason, self.now))

    @rule(seconds=st.floats(0.01, 40))
    def time_passes(self, seconds: float) -> None:
        """Timers fire."""
        self.pass_until(self.now + seconds)

    def pass_until(self, time: float) -> None:
        self.now = time
        while any(timer <= self.now for timer in self.timers):
            self.timers = [timer for timer in self.timers if timer > self.now]
            self.take(self.plan.due(self.now))

    @rule(kind=RESTARTS)
    def a_child_is_added(self, kind: Any) -> None:
        """A child comes."""
        if not self.plan.ending:
            self.count += 1
            self.take(self.plan.add(ChildSpec(f"c{self.count}", kind), self.now))

    @rule(data=st.data())
    def a_child_is_terminated(self, data: st.DataObject) -> None:
        """A child is ended on request; with tied children the next restart of all may bring it back."""
        names = [spec.id for spec, _ in self.plan.children()]
        if not names or self.plan.ending:
            return
        child = data.draw(st.sampled_from(names))
        if self.strategy is Strategy.ONE_FOR_ONE:
            self.terminated.add(child)
        self.ended_well.add(child)
        self.take(self.plan.terminate(child, self.now))

    @rule(data=st.data())
    def a_child_is_restarted(self, data: st.DataObject) -> None:
        """A child that is down is started on request."""
        down = [spec.id for spec, status in self.plan.children() if status is ChildStatus.DOWN]
        if down and not self.plan.ending:
            child = data.draw(st.sampled_from(down))
            self.terminated.discard(child)
            self.ended_well.discard(child)
            self.take(self.plan.restart(child, self.now))

    @rule()
    @precondition(lambda self: self.count > 6)
    def the_end_is_asked_for(self) -> None:
        """The supervisor is asked to end."""
        self.take(self.plan.stop("enough"))

    @invariant()
    def agrees(self) -> None:
        """The plan knows what each child does."""
        if hasattr(self, "plan"):
            alive = {"starting", "up", "stopping"}
            seen = {spec.id: status.value for spec, status in self.plan.children() if status.value in alive}
            assert seen == self.world

    def teardown(self) -> None:
        """Let all that was asked for happen: then each child is up that should be, or all are down."""
        if not hasattr(self, "plan"):
            return
        for _ in range(300):
            child = next((each for each, state in self.world.items() if state != "up"), None)
            if child is None and not self.timers:
                break
            if child is None:
                self.pass_until(max(self.now, *self.timers))
            elif self.world[child] == "starting":
                self.world[child] = "up"
                self.take(self.plan.started(child, self.now))
            else:
                del self.world[child]
                self.take(self.plan.exited(child, "shutdown", self.now))
        else:
            raise AssertionError("it never settles")
        assert self.plan.ending is (self.last is not None)
        for spec, status in self.plan.children():
            if self.last is not None:
                assert status is ChildStatus.DOWN
            elif spec.restart == "permanent" and spec.id not in self.ended_well:
                assert status is ChildStatus.UP
            else:
                assert status in {ChildStatus.UP, ChildStatus.DOWN}


_SETTINGS = settings(
    max_examples=80, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestAgainstSimpleModel = AgainstSimpleModel.TestCase
TestAgainstSimpleModel.settings = _SETTINGS
TestAnyInterleaving = AnyInterleaving.TestCase
TestAnyInterleaving.settings = _SETTINGS
