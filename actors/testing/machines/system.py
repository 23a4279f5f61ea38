"""A machine for the system as a whole."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import hypothesis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from actors.config import AgentConfig, Limits, SystemConfig
from actors.errors import (
    ActorsError,
    AgentDied,
    AgentLimitReached,
    AskTimeout,
    ConfigError,
    NoSuitableAgent,
    TaskExited,
    TaskTimeout,
)
from actors.protocol.events import Event
from actors.protocol.messages import Priority
from actors.testing.campaign.workers import Clerk, Question, Runner, Specialist
from actors.testing.faults import CALM, ROUGH, FaultPlan
from actors.testing.machines.called import Asked
from actors.testing.machines.promise import must, must_be
from actors.testing.machines.simulated import SimulatedMachine
from actors.testing.machines.systemmodel import UNHEARD, Model, Work
from actors.testing.strategies import fault_plans
from actors.worker import Worker

__all__ = ["SystemMachine", "check_system"]

_PLACES = st.integers(0, 15)
_SMALL = st.integers(0, 9)
_KINDS: tuple[type[Worker], ...] = (Clerk, Runner, Specialist)
_TIMES = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
_STEPS = 40
# Virtual seconds after which every question must have been answered: each has a time limit of 30.
_PATIENCE = 120.0
# The first is the plain one.
_PLANS = (
    CALM,
    ROUGH,
    FaultPlan(dies=0.3, dies_writing=0.05, most=8),
    FaultPlan(dies_writing=0.05, garbles=0.05, doubles=0.2, latency=(0.0, 0.05), most=8),
    FaultPlan(hangs=0.2, launch_fails=0.2, disk_full=0.1, leaks=0.1, most=5),
    FaultPlan(latency=(0.0, 0.2), task=(0.0, 0.5), boot=(0.1, 2.0), stalls=0.05),
)
_CONFIG = SystemConfig(memory_sample_every=1.0, agent=AgentConfig(limits=Limits(memory="256M"), grace=2.0))


@dataclass(frozen=True, kw_only=True)
class Said(Event):
    """An event of the test's own."""

    number: int = 0


class SystemMachine(SimulatedMachine):
    """Drives the whole shipped system by all that a program can do with it, while things go wrong.

    The model is what was handed in, and what may come of each task: its value if it has one, which errors are its own,
    that a dependency failed, that it was cancelled because somebody asked for it; and, once something went wrong, what
    may then befall any task. The invariants of the simulation are checked after each of its steps.

    Example:
        >>> TestSystem = SystemMachine.TestCase
    """

    agents: ClassVar[Any] = {Clerk: 2, Runner: (0, 1), Specialist: (0, 1)}
    faults: ClassVar[FaultPlan | st.SearchStrategy[FaultPlan]] = st.sampled_from(_PLANS) | fault_plans()
    config: ClassVar[SystemConfig | None] = _CONFIG
    max_agents: ClassVar[int | None] = 5
    started: ClassVar[bool] = False

    def begin(self) -> None:
        """See `SimulatedMachine.begin`."""
        self.system = self.sim.system
        self.model = Model()
        self.asked: list[tuple[Asked, int]] = []
        self.published = 0
        # What each subscriber heard, and how many had been published before it.
        self.heard: list[tuple[list[int], int]] = []
        self.paused = False

    # --- work ---

    @rule(a=_SMALL, b=_SMALL, priority=st.sampled_from([Priority.NORMAL, *Priority]), retries=st.integers(0, 3))
    def adds(self, a: int, b: int, priority: Priority, retries: int) -> None:
        """A plain task."""
        submit = self.system.options(priority=priority, retries=retries).submit
        self._hand(Work("add", submit(Clerk.add, a, b), lambda: a + b))

    @rule(count=st.integers(1, 6))
    def adds_many(self, count: int) -> None:
        """Several tasks at once."""
        for number in range(count):
            self.adds(number, number, Priority.NORMAL, 3)

    @precondition(lambda self: self._numbers())
    @rule(first=_PLACES, second=_PLACES)
    def depends(self, first: int, second: int) -> None:
        """A task that takes the results of two others."""
        numbers = self._numbers()
        one, two = numbers[-1 - first % len(numbers)], numbers[-1 - second % len(numbers)]
        future = self.system.submit(Clerk.add, one.future, two.future)
        self._hand(Work("depends", future, lambda: one.future.result() + two.future.result(), after=(one, two)))

    @precondition(lambda self: self.model.work)
    @rule(place=_PLACES)
    def follows(self, place: int) -> None:
        """A task that comes after another one, whatever that gives."""
        before = self._work(place)
        future = self.system.options(after=[before.future]).submit(Clerk.add, 1, 1)
        self._hand(Work("follows", future, lambda: 2, after=(before,)))

    @rule(good_from=st.integers(1, 5))
    def stumbles(self, good_from: int) -> None:
        """A task that fails in its first attempts, and is tried again."""
        fails = good_from > 4
        future = self.system.submit(Clerk.flaky, 7, good_from)
        # A death takes one of the attempts away; one whose result was lost with its agent is made up for.
        self._hand(
            Work(
                "flaky",
                future,
                lambda: 7,
                (ValueError,) if fails else (),
                when_harmed=(ValueError,),
                unlikely=fails,
            )
        )

    @rule()
    def fails(self) -> None:
        """A task that fails."""
        self._hand(Work("fails", self.system.submit(Clerk.fails, 1), None, (LookupError,)))

    @rule(number=_SMALL)
    def does_once(self, number: int) -> None:
        """A task that must not run twice."""
        self._hand(Work("once", self.system.submit(Clerk.once, number), lambda: number, once=True))

    @rule()
    def never_ends(self) -> None:
        """A task that runs out of time."""
        self._hand(Work("endless", self.system.submit(Clerk.endless, 1), None, (TaskTimeout,)))

    @rule(code=st.integers(1, 3))
    def leaves(self, code: int) -> None:
        """A task that asks the interpreter to end."""
        self._hand(Work("leaves", self.system.submit(Clerk.leaves, code), None, (TaskExited,)))

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.5, 5.0]))
    def takes_time(self, seconds: float) -> None:
        """A task that sleeps."""
        self._hand(Work("slow", self.system.submit(Clerk.slow, 3, seconds), lambda: 3))

    @rule(width=st.integers(1, 3), depth=st.integers(0, 2))
    def nests(self, width: int, depth: int) -> None:
        """A tree of sub-tasks."""
        total = sum(width**level for level in range(depth + 1))
        self._hand(Work("nest", self.system.submit(Clerk.nest, width, depth), lambda: total))

    @rule(width=st.integers(0, 3))
    def gathers(self, width: int) -> None:
        """Sub-tasks of a coroutine."""
        self._hand(Work("gather", self.system.submit(Runner.gather, width), lambda: sum(range(width))))

    @rule(number=_SMALL)
    def needs_a_specialist(self, number: int) -> None:
        """A task for whoever has a capability."""
        submit = self.system.options(requires={"rare"}, retries=2).submit
        self._hand(Work("rare", submit(divmod, number, 2), lambda: divmod(number, 2)))

    @rule()
    def needs_nobody(self) -> None:
        """A task that no agent can ever take."""
        submit = self.system.options(requires={"cooking"}).submit
        self._hand(Work("cooking", submit(abs, 1), None, (NoSuitableAgent,)))

    @precondition(lambda self: not self.paused)
    @rule(count=st.integers(1, 6))
    def maps(self, count: int) -> None:
        """Many calls at once, whose results are waited for."""
        numbers = range(count)
        try:
            got = list(self.system.map(Clerk.add, numbers, numbers))
        except ActorsError as error:
            must(self._harmed(), "D8", f"map raised {error!r}, and nothing went wrong")
            return
        must_be(got, [2 * number for number in numbers], "D7", "map")

    @precondition(lambda self: self.model.work)
    @rule(place=_PLACES)
    def cancels(self, place: int) -> None:
        """A task is not wanted any more."""
        work = self._work(place)
        done = work.future.done()
        work.cancelled |= not done
        took = work.future.cancel("by the test")
        must(
            took != done or work.future.cancelled(),
            "D6",
            work,
            f"was {'done' if done else 'not done'}: cancel() {took}",
        )

    # --- talk ---

    @precondition(lambda self: self.agent_ids())
    @rule(place=_PLACES, number=_SMALL)
    def asks(self, place: int, number: int) -> None:
        """A question to an agent."""
        asked = Asked(self._agent(place), Question(number))
        self.asked.append((asked, 2 * number))
        self.sim.in_thread(lambda: asked.settle(functools.partial(self.system.ask, asked.agent, asked.message)), "asks")

    @precondition(lambda self: self.agent_ids())
    @rule(place=_PLACES, number=_SMALL)
    def has_one_ask(self, place: int, number: int) -> None:
        """A task that asks another agent."""
        agent = self._agent(place)
        self._hand(Work("ask", self.system.submit(Clerk.ask_other, agent, number), lambda: 2 * number, UNHEARD))

    @rule()
    def tells_all(self) -> None:
        """A message to all agents."""
        self.system.tell("*", Question(0))

    @rule()
    def subscribes(self) -> None:
        """Somebody listens."""
        heard: list[int] = []
        self.heard.append((heard, self.published))
        self.system.subscribe(Said, lambda event: heard.append(event.number))

    @rule()
    def publishes(self) -> None:
        """Something is said."""
        self.published += 1
        self.system.publish(Said(number=self.published))

    # --- agents ---

    @rule(kind=st.sampled_from(_KINDS))
    def spawns(self, kind: type[Worker]) -> None:
        """One more agent."""
        self._administer(lambda: self.system.spawn(kind), AgentLimitReached, AgentDied, OSError)

    @precondition(lambda self: self.agent_ids())
    @rule(place=_PLACES, timeout=st.sampled_from([0.0, 0.5, 30.0]))
    def terminates(self, place: int, timeout: float) -> None:
        """An agent is ended."""
        self.model.harmed = True
        self._administer(functools.partial(self.system.terminate, self._agent(place), timeout), ConfigError, AskTimeout)

    @precondition(lambda self: self.agent_ids())
    @rule(place=_PLACES, timeout=st.sampled_from([0.0, 0.5, 30.0]))
    def restarts(self, place: int, timeout: float) -> None:
        """An agent is replaced."""
        self.model.harmed = True
        self._administer(functools.partial(self.system.restart, self._agent(place), timeout), ConfigError, AskTimeout)

    @rule(kind=st.sampled_from(_KINDS[:2]), least=st.integers(0, 2), more=st.integers(1, 2))
    def scales(self, kind: type[Worker], least: int, more: int) -> None:
        """Another number of agents."""
        self.model.harmed = True
        self._administer(lambda: self.system.scale(kind, (least, least + more)), AgentLimitReached)

    @precondition(lambda self: self.agent_ids())
    @rule(place=_PLACES, memory=st.sampled_from(["512M", "128M"]))
    def limits(self, place: int, memory: str) -> None:
        """Another limit for an agent that runs."""
        limits = Limits(memory=memory)
        self._administer(lambda: self.system.set_limits(self._agent(place), limits), ConfigError, ActorsError)

    @precondition(lambda self: not self.paused)
    @rule()
    def pauses(self) -> None:
        """No further task begins."""
        self.system.pause()
        self.paused = True

    @precondition(lambda self: self.paused)
    @rule()
    def resumes(self) -> None:
        """Work goes on."""
        self.system.resume()
        self.paused = False

    @rule()
    def looks(self) -> None:
        """All that tells how things stand, tells it."""
        self.system.queue()
        for agent in self.system.status().agents:
            agent.to_dict()
        if self.model.work:
            self.system.explain(self.model.work[-1].future.task_id)

    # --- time and harm ---

    @rule(seconds=st.sampled_from(_TIMES))
    def passes(self, seconds: float) -> None:
        """Time passes."""
        self.sim.run(seconds)

    @rule(steps=st.integers(1, _STEPS))
    def goes_on(self, steps: int) -> None:
        """So many single things happen."""
        self.sim.run_steps(steps)

    @precondition(lambda self: self.agent_ids())
    @rule(steps=st.integers(0, _STEPS), place=_PLACES)
    def kills(self, steps: int, place: int) -> None:
        """An agent dies, as by signal 9."""
        self.sim.run_steps(steps)
        if self.agent_ids():
            self.model.harmed |= self.sim.kill(self._agent(place))

    @precondition(lambda self: self.agent_ids())
    @rule(place=_PLACES)
    def hangs(self, place: int) -> None:
        """An agent stands still for ever."""
        self.model.harmed |= self.sim.hang(self._agent(place))

    # --- judging ---

    @invariant()
    def outcomes_are_right(self) -> None:
        """D8: what has come of each task is something that may."""
        self.model.check_finished(harmed=self._harmed())

    @invariant()
    def answers_are_right(self) -> None:
        """B3: each answer is the one to its question."""
        for asked, expected in self.asked:
            if asked.error is not None:
                must(isinstance(asked.error, UNHEARD), "B3", f"{asked} raised {asked.error!r}")
            elif asked.done:
                must_be(asked.answer, expected, "B3", asked)

    @invariant()
    def events_come_in_order(self) -> None:
        """B5: a subscriber hears what is published since it subscribed, each once and in order."""
        for heard, before in self.heard:
            must_be(heard, list(range(before + 1, before + 1 + len(heard))), "B5", "a subscriber heard")

    def at_end(self) -> None:
        """See `SimulatedMachine.at_end`."""
        if self.paused:
            self.resumes()
        self.sim.run_until(lambda: all(asked.done for asked, _ in self.asked), _PATIENCE)

    def at_rest(self) -> None:
        """See `SimulatedMachine.at_rest`."""
        self.model.check_all(harmed=self._harmed())
        # What was published last is on its way to its hearers.
        self.sim.run(1.0)
        for asked, _ in self.asked:
            must(asked.done, "B3", asked, "has no answer and no error")
        for heard, before in self.heard:
            must_be(heard, list(range(before + 1, self.published + 1)), "B5", "a subscriber heard")
        self.answers_are_right()

    # --- inside ---

    def _hand(self, work: Work) -> None:
        self.model.work.append(work)

    def _work(self, place: int) -> Work:
        """One of the last tasks."""
        return self.model.work[-1 - place % len(self.model.work)]

    def _numbers(self) -> list[Work]:
        """The tasks that give a number to count with."""
        return [work for work in self.model.work if work.name in {"add", "depends", "follows"}]

    def _agent(self, place: int) -> str:
        ids = self.agent_ids()
        return ids[place % len(ids)]

    def _harmed(self) -> bool:
        return self.model.harmed or self.sim.host.injected > 0

    @staticmethod
    def _administer(act: Callable[[], object], *refusals: type[BaseException]) -> None:
        """Do something with agents that may be refused: there is no room, or the agent has just ended."""
        with contextlib.suppress(*refusals):
            act()


def check_system(examples: int, *, steps: int = 25, seed: int | None = None) -> None:
    """Run the machine for the system as a whole.

    Args:
        examples: how many histories; 500 take some minutes.
        steps: how many rules each has at most.
        seed: of Hypothesis. None: the same histories each time.

    Raises:
        BaseException: a promise did not hold; the failure is made as small as can be, and printed.
    """
    wanted = settings(
        SystemMachine.TestCase.settings,
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=seed is None,
        database=None,
        print_blob=False,
    )

    class Run(SystemMachine):
        pass

    Run.__name__ = Run.__qualname__ = SystemMachine.__name__
    run_state_machine_as_test(Run if seed is None else hypothesis.seed(seed)(Run), settings=wanted)
