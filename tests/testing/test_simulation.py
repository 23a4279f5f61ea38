"""The simulation itself: time costs nothing, code that waits waits in virtual time, faults do what they say."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import pytest

from actors.config import SystemConfig
from actors.errors import AgentDied, ConfigError, LimitExceeded, TaskTimeout
from actors.kernel.actor import Actor, handles
from actors.testing.campaign.workers import Clerk, Question, Runner
from actors.testing.errors import SimulationError, SimulationStuck
from actors.testing.faults import FaultPlan
from actors.testing.guarding.guard import OutsideSimulation
from actors.testing.history import Fault
from actors.testing.sim.choices import PlainChoices
from actors.testing.simulation import Simulation
from actors.worker import Worker, task

DAY = 86_400.0


class Sleeper(Worker):
    """Code that waits, in the right ways and in a wrong one."""

    @task(timeout=math.inf)
    def sleeps(self, seconds: float) -> float:
        """How long it took, by the agent's own clock."""
        before = self.clock.monotonic()
        self.sleep(seconds)
        return self.clock.monotonic() - before

    @task
    def naps(self) -> None:
        """Sleep for real."""
        time.sleep(0.01)


class Number(NamedTuple):
    """For `Doubler`."""

    value: int


class Doubler(Actor):
    """An actor of the program's own."""

    @handles(Number)
    def double(self, message: Number) -> int:
        """Answer."""
        return 2 * message.value


class Forwarder(Actor):
    """Waits for another actor's answer."""

    def __init__(self, other: object) -> None:
        super().__init__()
        self._other = other

    @handles(Number)
    def pass_on(self, message: Number) -> int:
        """Ask the other one."""
        answer: int = self._other.ask(message)  # type: ignore[attr-defined]
        return answer + 1


@pytest.mark.slow
def test_a_day_with_thousands_of_tasks_goes_by() -> None:
    """J2: virtual time costs what happens in it."""
    config = SystemConfig(kept_tasks=100, memory_sample_every=5.0)
    with Simulation({Clerk: 2}, seed=1, config=config, detail=False, invariants=(), workspaces=False) as sim:
        total = 0
        for number in range(2_880):
            total += sim.system.submit(Clerk.add, number, 0).result()
            sim.run(30.0)
        assert sim.now >= DAY
        assert total == sum(range(2_880))


def test_a_task_that_waits_costs_virtual_time_alone() -> None:
    """J2: a sleep of ten hours is over at once, and took ten hours."""
    with Simulation({Sleeper: 1}, seed=1) as sim:
        assert sim.system.submit(Sleeper.sleeps, 36_000.0).result() == pytest.approx(36_000.0)
        assert sim.now >= 36_000.0


def test_tasks_wait_for_sub_tasks_and_for_answers_of_other_agents() -> None:
    """J2: whoever waits gives the baton away."""
    with Simulation({Clerk: 2, Runner: 1}, seed=3) as sim:
        nested = sim.system.submit(Clerk.nest, 2, 3)
        asking = sim.system.submit(Clerk.ask_other, "runner-1", 21)
        gathered = sim.system.submit(Runner.gather, 4)
        sim.run()
        assert (nested.result(), asking.result(), gathered.result()) == (15, 42, 6)
        assert sim.system.ask("clerk-1", Question(4)) == 8


def test_actors_of_the_program_wait_for_each_other() -> None:
    """J2: an actor's handler that asks another one waits in virtual time, too."""
    with Simulation(seed=1) as sim:
        doubler = sim.system.start_actor(Doubler)
        assert sim.system.start_actor(Forwarder, doubler).ask(Number(4)) == 9


def test_code_that_sleeps_for_real_is_named() -> None:
    """J2: with the function to use instead, at the place where it does."""

    def run() -> None:
        with Simulation({Sleeper: 1}, seed=1) as sim:
            sim.system.submit(Sleeper.naps)
            sim.run()

    with pytest.raises(OutsideSimulation, match=r"naps .*test_simulation\.py.*time\.sleep.*self\.sleep"):
        run()


def test_waiting_for_what_nobody_will_do_is_an_error() -> None:
    """J2: no test hangs; the error says who waits."""
    with Simulation(seed=1) as sim, pytest.raises(SimulationStuck, match="nothing can happen any more"):
        sim.run_until(lambda: False)


def test_what_is_waited_for_must_not_wait_itself() -> None:
    """J2: a clear error instead of a test that hangs."""
    with Simulation({Clerk: 1}, seed=1) as sim, pytest.raises(SimulationError, match="must only look"):
        sim.run_until(lambda: bool(sim.system.agents()), 10)


def test_a_plain_run_has_no_fault_and_takes_turns() -> None:
    """J2: 0 is the plain choice, so what shrinks becomes this."""
    with Simulation({Clerk: 2}, choices=PlainChoices(), faults=FaultPlan(dies=0.5, hangs=0.5, garbles=0.5)) as sim:
        futures = [sim.system.submit(Clerk.add, number, 1) for number in range(10)]
        sim.settle()
        assert [future.result() for future in futures] == list(range(1, 11))
        assert not [entry for entry in sim.history.entries if isinstance(entry, Fault)]


@pytest.mark.parametrize("kind", ["dies", "dies_writing", "hangs", "garbles"])
def test_a_fault_costs_an_agent_its_life_and_the_task_is_tried_again(kind: str) -> None:
    """D8, I3: each of them, once."""
    plan = FaultPlan(**{kind: 1.0}, most=1)  # type: ignore[arg-type]
    with Simulation({Clerk: 1}, seed=5, faults=plan) as sim:
        future = sim.system.submit(Clerk.add, 1, 2)
        sim.run()
        # A death may strike some steps later, and heartbeats are steps.
        sim.run(100.0)
        sim.settle()
        assert future.result() == 3
        assert sim.host.injected == 1
        assert sim.system.agents()[0].incarnation == 2


def test_what_arrives_twice_counts_once() -> None:
    """D8: results name task and attempt."""
    with Simulation({Clerk: 1}, seed=5, faults=FaultPlan(doubles=1.0)) as sim:
        futures = [sim.system.submit(Clerk.add, number, 1) for number in range(6)]
        sim.run()
        sim.settle()
        assert [future.result() for future in futures] == list(range(1, 7))


def test_a_task_that_leaks_dies_at_its_limit() -> None:
    """E2: with an error that names the figures, in virtual time."""
    with Simulation({Clerk: 1}, seed=5, faults=FaultPlan(leaks=1.0, most=1)) as sim:
        future = sim.system.submit(Clerk.add, 1, 2)
        sim.run()
        sim.settle()
        assert isinstance(future.exception(), LimitExceeded)


def test_the_test_can_kill_and_hang_agents_itself() -> None:
    """J2: at a moment of its own choice."""
    with Simulation({Clerk: 1}, seed=2) as sim:
        future = sim.system.options(retries=0).submit(Clerk.slow, 1, 5.0)
        sim.run(1.0)
        assert sim.kill("clerk-1")
        assert not sim.kill("clerk-9")
        sim.settle()
        assert isinstance(future.exception(), AgentDied)
        again = sim.system.submit(Clerk.slow, 2, 5.0)
        sim.run(1.0)
        assert sim.hang("clerk-1")
        sim.settle()
        assert again.result() == 2


def test_time_limits_are_kept_in_virtual_time() -> None:
    """D5: a second is a second."""
    with Simulation({Clerk: 1}, seed=2) as sim:
        before = sim.now
        assert isinstance(sim.system.submit(Clerk.endless, 1).exception(), TaskTimeout)
        assert 1.0 <= sim.now - before < 3.0


def test_bad_settings_are_refused() -> None:
    """A4: with what is allowed."""
    with pytest.raises(ConfigError, match="a probability from 0 to 1"):
        FaultPlan(dies=2)
    with pytest.raises(ConfigError, match="a pair of seconds"):
        FaultPlan(latency=(2.0, 1.0))
    with pytest.raises(ConfigError, match="a seed or choices"):
        Simulation(seed=1, choices=PlainChoices())
