"""G2 in the simulation: strategies keep their promises in any order of things, and whatever dies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actors.coordination.saga import ResultFrom, Step
from actors.coordination.whole import WholeFuture
from actors.errors import ActorsError, QuorumFailed, SagaFailed
from actors.testing.campaign.workers import Clerk, Runner
from actors.testing.faults import CALM, FaultPlan
from actors.testing.simulation import Simulation
from actors.worker import Worker, task

SEEDS = 8

DEATHS = FaultPlan(dies=0.08, dies_writing=0.01, hangs=0.01, stalls=0.02, doubles=0.03, most=8)
"""Agents die in the middle of tasks and of writes."""


class Planner(Worker):
    """Calls strategies inside a task."""

    @task(retries=6)
    def everything(self, base: int) -> list[Any]:
        """One result of each strategy, each to be had from `base` alone."""
        many = self.options(retries=6)
        return [
            None,
            many.scatter_gather([(Clerk.add, base, number) for number in range(3)]).result(),
            many.race([(Clerk.add, base, 1), (Clerk.add, 1, base)]).result(),
            many.quorum([(Clerk.add, base, 1), (Clerk.add, 1, base), (Clerk.add, 0, 0)], need=2).result(),
            many.hedge(Clerk.add, base, 2).result(),
            many.map_reduce((Clerk.add, base), range(7), total, chunksize=2, fan_in=2).result(),
            list(many.pipeline(range(4), (Clerk.add, base), (Clerk.add, 1), buffer=2)),
            many.saga([((Clerk.add, base, 1), None), ((Clerk.add, ResultFrom(0), 1), None)]).result(),
        ]


class Conductress(Worker):
    """The same in a coroutine."""

    concurrency = 2

    @task(retries=6)
    async def everything(self, base: int) -> list[Any]:
        """See `Planner`."""
        many = self.options(retries=6)
        return [
            None,
            await many.scatter_gather([(Clerk.add, base, number) for number in range(3)]),
            await many.race([(Clerk.add, base, 1), (Clerk.add, 1, base)]),
            await many.quorum([(Clerk.add, base, 1), (Clerk.add, 1, base), (Clerk.add, 0, 0)], need=2),
            await many.hedge(Clerk.add, base, 2),
            await many.map_reduce((Clerk.add, base), range(7), total, chunksize=2, fan_in=2),
            [one async for one in many.pipeline(range(4), (Clerk.add, base), (Clerk.add, 1), buffer=2)],
            await many.saga([((Clerk.add, base, 1), None), ((Clerk.add, ResultFrom(0), 1), None)]),
        ]


def total(values: list[int]) -> int:
    """The sum, in a general_purpose agent."""
    return sum(values)


def expected(base: int) -> list[Any]:
    """What `everything` gives."""
    return [
        None,
        [base, base + 1, base + 2],
        base + 1,
        base + 1,
        base + 2,
        sum(range(7)) + 7 * base,
        [number + base + 1 for number in range(4)],
        [base + 1, base + 2],
    ]


def done(sim: Simulation, *futures: WholeFuture[Any]) -> None:
    """Let it all end, and see that nothing is left."""
    sim.calm_down()
    assert sim.run_until(lambda: all(future.done() for future in futures), 10_000.0)
    sim.settle()


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("faults", [CALM, DEATHS], ids=["calm", "deaths"])
def test_inside_tasks_every_strategy_gives_its_result_whatever_dies(seed: int, faults: FaultPlan) -> None:
    """G2, D8: a task that calls them is repeated as a whole, its parts by themselves; nothing waits for ever."""
    workers = {Clerk: (1, 2), Planner: (1, 1), Conductress: (1, 1)}
    with Simulation(workers, seed=seed, faults=faults, workspaces=False, detail=False) as sim:
        plain = sim.system.submit(Planner.everything, seed)
        in_coroutine = sim.system.submit(Conductress.everything, seed)
        sim.settle()
        for future in (plain, in_coroutine):
            error = future.exception()
            # What has no retries left fails, and says what happened.
            assert future.result() == expected(seed) if error is None else faults.any and isinstance(error, ActorsError)


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("faults", [CALM, DEATHS], ids=["calm", "deaths"])
def test_from_the_program_every_strategy_has_one_outcome_whatever_dies(seed: int, faults: FaultPlan) -> None:
    """G2: the right value, or an error where something went wrong; and no part is left."""
    with Simulation({Clerk: (1, 2), Runner: (0, 1)}, seed=seed, faults=faults, workspaces=False, detail=False) as sim:
        many = sim.system.options(retries=6)
        wanted: list[tuple[WholeFuture[Any], Any]] = [
            (many.scatter_gather([(Clerk.add, 1, number) for number in range(5)]), [1, 2, 3, 4, 5]),
            (many.race([(Clerk.slow, 5, 1.0), (Clerk.add, 2, 3), (Runner.fetch, 5, 0.5)]), 5),
            (many.quorum([(Clerk.add, 1, 1), (Runner.fetch, 2, 0.1), (Clerk.add, 3, 3)], need=2), 2),
            (many.hedge(Clerk.slow, 7, 0.5, after=0.1), 7),
            (many.map_reduce((Clerk.add, 1), range(20), total, chunksize=2, fan_in=3), 210),
            (many.saga([((Clerk.add, 1, 1), None), ((Clerk.add, ResultFrom(0), 1), None)]), [2, 3]),
        ]
        done(sim, *[future for future, _ in wanted])
        for future, value in wanted:
            error = future.exception()
            if error is None:
                assert future.result() == value
            else:
                assert faults.any, repr(error)
                assert isinstance(error, ActorsError | ExceptionGroup)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_is_cancelled_at_any_moment_leaves_no_part_running(seed: int) -> None:
    """G2, D6: cancelling the whole cancels the parts."""
    with Simulation({Clerk: (1, 2)}, seed=seed, workspaces=False, detail=False) as sim:
        system = sim.system
        starts: list[Callable[[], WholeFuture[Any]]] = [
            lambda: system.scatter_gather([(Clerk.slow, 1, 50.0)] * 3),
            lambda: system.race([(Clerk.slow, 1, 50.0)] * 3),
            lambda: system.hedge(Clerk.slow, 1, 50.0, after=0.05),
            lambda: system.map_reduce((Clerk.slow, 50.0), range(50), total),
        ]
        futures = [start() for start in starts]
        stream = system.pipeline(range(50), (Clerk.slow, 50.0), (Clerk.add, 1))
        sim.run(sim.choices.between(0.0, 1.0, "moment"))
        stream.close()
        assert all(future.cancel() for future in futures)
        sim.run(1.0)
        assert not sim.engine.unfinished
        assert all(future.cancelled() for future in futures)
        sim.settle()


class Till(Worker):
    """Keeps what is done and undone in a place that outlives agents: the test's."""

    @task(retries=0)
    def put(self, name: str) -> str:
        """Do it."""
        BOOK.append(name)
        return name

    @task(retries=0)
    def take(self, name: str) -> None:
        """Undo it."""
        BOOK.append(f"-{name}")

    @task(retries=0)
    def refuse(self, name: str) -> None:
        """Fail."""
        raise LookupError(name)


BOOK: list[str] = []


@pytest.mark.parametrize("seed", range(2 * SEEDS))
def test_a_saga_undoes_exactly_what_was_done_in_the_opposite_order(seed: int) -> None:
    """G2: also if it is cancelled at any moment, and if agents die between steps."""
    BOOK.clear()
    names = ["a", "b", "c", "d"]
    with Simulation({Till: 1}, seed=seed, workspaces=False, detail=False, guarded=False) as sim:
        steps = [Step((Till.put, name), (Till.take, ResultFrom(name)), name) for name in names]
        fails = sim.choices.below(2, "fails")
        if fails:
            steps.append(Step((Till.refuse, "e")))
        future = sim.system.saga(steps)
        cancelled = sim.choices.below(2, "cancels") == 1
        if cancelled:
            sim.run(sim.choices.between(0.0, 0.2, "moment"))
            future.cancel("changed my mind")
        done(sim, future)
        if not fails and not future.cancelled():
            assert future.result() == BOOK == names
            return
        did = [name for name in BOOK if not name.startswith("-")]
        assert did == names[: len(did)]
        undone = [f"-{name}" for name in reversed(did)]
        assert did + undone == BOOK
        if not future.cancelled():
            error = future.exception()
            assert isinstance(error, SagaFailed)
            assert error.undone == tuple(reversed(did))
            assert not error.failures


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_end_of_the_system_waits_for_strategies_between_their_parts(seed: int) -> None:
    """G2, D8: leaving `with` waits for all work, and a strategy is work also in a moment in which it has no task."""
    with Simulation({Clerk: 1}, seed=seed, workspaces=False, detail=False) as sim:
        # Known before the end begins, because what must hold is looked at during it.
        assert sim.assembly
        saga = sim.system.saga([((Clerk.add, number, 0), None) for number in range(5)])
        reduced = sim.system.map_reduce((Clerk.add, 1), range(60), total, chunksize=1)
    assert saga.result() == [0, 1, 2, 3, 4]
    assert reduced.result() == 1830


def test_the_second_copy_is_sent_when_such_tasks_are_known_to_be_quicker() -> None:
    """G2: after the p95 of the task's own history, counted from its start; before there is one, not at all."""
    with Simulation({Clerk: 2}, seed=3, workspaces=False) as sim:
        system = sim.system
        alone = system.hedge(Clerk.slow, 1, 30.0)
        sim.run(20.0)
        assert sim.engine.unfinished == 1
        alone.cancel()
        for number in range(20):
            system.submit(Clerk.slow, number, 0.1)
        sim.run()
        late = system.hedge(Clerk.slow, 2, 60.0)
        before = sim.now
        sim.run_until(lambda: sim.engine.unfinished == 2, 30.0)
        assert 0.1 < sim.now - before < 3.0
        assert late.result() == 2
        sim.settle()


def test_a_quorum_that_cannot_be_reached_does_not_wait_for_the_rest() -> None:
    """G2: the error has all answers and errors, and the others are cancelled."""
    with Simulation({Clerk: 3}, seed=1, workspaces=False) as sim:
        future = sim.system.quorum([(Clerk.add, 1, 0), (Clerk.fails, 1), (Clerk.slow, 9, 500.0)], need=3)
        sim.run_until(future.done, 100.0)
        error = future.exception()
        assert isinstance(error, QuorumFailed)
        assert sim.now < 100.0
        assert isinstance((error.errors or ())[0], LookupError)
        sim.settle()


@pytest.mark.parametrize("seed", range(2 * SEEDS))
def test_strategies_go_on_when_actors_of_the_system_fail(seed: int) -> None:
    """G2, F1: scheduler and hub are restarted under them, at any moment, and each has its one right outcome."""
    with Simulation({Clerk: (1, 2), Planner: 1}, seed=seed, workspaces=False, detail=False) as sim:
        many = sim.system.options(retries=6)
        reduced = many.map_reduce((Clerk.add, 1), range(20), total, chunksize=2, fan_in=3)
        saga = many.saga([((Clerk.add, 1, 1), None), ((Clerk.add, ResultFrom(0), 1), None)])
        hedged = many.hedge(Clerk.slow, 7, 0.5, after=0.1)
        inside = sim.system.submit(Planner.everything, seed)
        for _ in range(2):
            sim.run(sim.choices.between(0.0, 0.5, "moment"))
            sim.crash(("hub", "scheduler")[sim.choices.below(2, "who")])
        done(sim, reduced, saga, hedged)
        assert reduced.result() == 210
        assert saga.result() == [2, 3]
        assert hedged.result() == 7
        assert inside.result() == expected(seed)
