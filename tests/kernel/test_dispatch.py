"""The same actors, stepped in one thread on a clock that tests own."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from actors.core.children import ChildSpec
from actors.errors import AskTimeout, DeadLetter
from actors.kernel.actor import Actor, ActorOptions
from actors.kernel.child import ActorChild
from actors.kernel.clock import ManualClock
from actors.kernel.dispatch import ManualDispatcher
from actors.kernel.handlers import handles
from actors.kernel.ref import ActorRef
from actors.kernel.supervisor import Supervisor


class Add(NamedTuple):
    value: Any


class Adder(Actor):
    def __init__(self, log: list[Any], other: ActorRef[Any] | None = None) -> None:
        super().__init__()
        self.log = log
        self.other = other

    def on_start(self) -> None:
        self.log.append((self.name, "start"))

    def on_stop(self) -> None:
        self.log.append((self.name, "stop"))

    @handles(Add)
    def add(self, message: Add) -> Any:
        if isinstance(message.value, BaseException):
            raise message.value
        self.log.append((self.name, message.value))
        if self.other is not None:
            self.other.tell(message)
        return message.value

    @handles(str)
    def ask_the_other(self, message: str) -> Any:
        assert self.other is not None
        return self.other.ask(Add(message), timeout=5)


class World:
    def __init__(self, **kwargs: Any) -> None:
        self.clock = ManualClock()
        self.dispatcher = ManualDispatcher(self.clock, **kwargs)
        self.log: list[Any] = []

    def options(self, name: str) -> ActorOptions:
        return ActorOptions(name=name, clock=self.clock, dispatcher=self.dispatcher)

    def start(self, name: str, **kwargs: Any) -> ActorRef[Adder]:
        return Adder.start_with(self.options(name), self.log, **kwargs)


def test_nothing_happens_until_somebody_steps() -> None:
    world = World()
    ref = world.start("a")
    ref.tell(Add(1))
    assert world.log == []
    assert world.dispatcher.step()
    assert world.log == [("a", "start")]
    assert world.dispatcher.run() == 1
    assert world.log == [("a", "start"), ("a", 1)]
    assert not world.dispatcher.step()


def test_a_step_is_a_batch_or_as_many_messages_as_are_wanted() -> None:
    batched, single = World(), World(limit=1)
    for world, steps in ((batched, 2), (single, 4)):
        ref = world.start("a")
        for number in range(3):
            ref.tell(Add(number))
        assert world.dispatcher.run() == steps
        assert [value for _, value in world.log] == ["start", 0, 1, 2]


def test_actors_take_turns_or_a_choice_decides_and_the_same_seed_repeats_the_run() -> None:
    def run(seed: int | None) -> list[Any]:
        chance = random.Random(seed)

        def choose(names: Sequence[str]) -> int:
            return chance.randrange(len(names))

        world = World(limit=1, **({} if seed is None else {"choose": choose}))
        refs = [world.start(name) for name in "abc"]
        for number in range(3):
            for ref in refs:
                ref.tell(Add(number))
        world.dispatcher.run()
        return world.log

    assert run(None) == [(name, what) for what in ("start", 0, 1, 2) for name in "abc"]
    assert run(1) == run(1)
    assert len({str(run(seed)) for seed in range(5)}) > 1


def test_time_passes_only_when_told_and_timers_fire_at_their_times() -> None:
    class Ticker(Adder):
        def on_start(self) -> None:
            self.timers.every(10.0, Add("tick"))
            self.timers.once(25.0, Add("once"))

        @handles(Add)
        def add(self, message: Add) -> Any:
            self.log.append((self.clock.monotonic(), message.value))
            return None

    world = World()
    Ticker.start_with(world.options("t"), world.log)
    world.dispatcher.advance(31.0)
    assert world.log == [(10.0, "tick"), (20.0, "tick"), (25.0, "once"), (30.0, "tick")]
    assert world.clock.monotonic() == 31.0
    assert world.dispatcher.next_due() == 40.0


def test_who_waits_for_an_answer_lets_the_others_go_on() -> None:
    world = World()
    last = world.start("last")
    first = world.start("first", other=last)
    assert first.ask("question") == "question"
    assert world.clock.monotonic() == 0.0
    assert last.ask_later(Add(1)).get(timeout=1) == 1


def test_an_answer_that_never_comes_takes_the_virtual_time_of_its_limit() -> None:
    class Mute(Adder):
        @handles(Add)
        def add(self, message: Add) -> Any:
            self.defer()

    world = World()
    ref = Mute.start_with(world.options("mute"), world.log)
    with pytest.raises(AskTimeout):
        ref.ask(Add(1), timeout=1000)
    assert world.clock.monotonic() == 1000.0


def test_stopping_and_failing_work_as_in_threads() -> None:
    world = World()
    ref = world.start("a")
    assert ref.stop() is True
    assert ref.stop() is False
    with pytest.raises(DeadLetter):
        ref.ask(Add(1))
    bad = world.start("b")
    bad.tell(Add(KeyError()))
    assert bad.join(1)
    assert world.log == [("a", "start"), ("a", "stop"), ("b", "start")]


def test_a_whole_tree_runs_in_one_thread_and_virtual_time() -> None:
    """F1, J2: the same supervisors and actors in a simulation."""
    world = World()
    kids = [ActorChild(ChildSpec(name), Adder, world.log, options=world.options(name)) for name in "ab"]
    tree = Supervisor.start_with(world.options("tree"), kids, rng=random.Random(1))
    world.dispatcher.run()
    assert world.log == [("a", "start"), ("b", "start")]
    kids[0].ref.tell(Add(KeyError("x")))
    kids[0].ref.tell(Add("survives"))
    world.dispatcher.run()
    assert world.log[2:] == [("a", "start"), ("a", "survives")]
    # The second try waits for its back-off, in virtual time.
    kids[0].ref.tell(Add(KeyError("x")))
    world.dispatcher.run()
    assert len(world.log) == 4
    world.dispatcher.advance(1.0)
    assert world.log[4:] == [("a", "start")]
    assert tree.stop() is True
    assert world.log[5:] == [("b", "stop"), ("a", "stop")]


def test_endless_work_is_an_error_of_run_and_not_a_hang() -> None:
    class Loop(Adder):
        @handles(Add)
        def add(self, message: Add) -> Any:
            self.actor_ref.tell(message)

    world = World()
    ref = Loop.start_with(world.options("loop"), world.log)
    ref.tell(Add(1))
    with pytest.raises(RuntimeError, match="still busy after 50 steps"):
        world.dispatcher.run(limit=50)
