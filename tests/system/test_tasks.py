"""Tasks from their submission to their outcome, on real agents."""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from actors import (
    ActorSystem,
    AgentConfig,
    ConfigError,
    DependencyFailed,
    NoSuitableAgent,
    Priority,
    SystemConfig,
    TaskCancelled,
    TaskCancelledEvent,
    TaskCompleted,
    TaskFailed,
    TaskProgressed,
    TaskRetried,
    TaskSpec,
    TaskTimeout,
)
from actors.errors import ResultTaken
from tests.agent.gates import Gate
from tests.system.chores import Chores, Lasting, Loops, Passing
from tests.system.storm import lines
from tests.system.support import CONFIG, LIMIT, Heard, wait_for


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    """A system with two agents."""
    system = ActorSystem({Chores: 2}, config=CONFIG).start()
    yield system
    system.shutdown(cancel_tasks=True)


@pytest.fixture
def lone() -> Iterator[ActorSystem]:
    """A system with one agent, for tests of order."""
    system = ActorSystem({Chores: 1}, config=CONFIG).start()
    yield system
    system.shutdown(cancel_tasks=True)


# --- order ---------------------------------------------------------------------------------------------------------


def test_higher_priority_goes_first_and_then_the_earlier(lone: ActorSystem, tmp_path: Path) -> None:
    """D2: of what waits when the agent falls idle."""
    ledger, gate = tmp_path / "ledger", Gate.make(tmp_path, "gate")
    lone.pause()
    for name, priority in [("a", 2), ("low", 1), ("b", 2), ("critical", 4), ("high", 3), ("c", 2)]:
        lone.options(priority=Priority(priority)).submit(Chores.write, str(ledger), name)
    lone.resume()
    del gate
    assert lone.drain(LIMIT)
    assert lines(ledger) == ["critical", "high", "a", "b", "c", "low"]


def test_work_of_low_priority_comes_to_its_turn(tmp_path: Path) -> None:
    """D2: one dispatch in so many goes to the oldest, whatever comes in after it; critical is never overtaken."""
    ledger = tmp_path / "ledger"
    with ActorSystem({Chores: 1}, config=SystemConfig(ageing=4)) as system:
        system.pause()
        system.options(priority=1).submit(Chores.write, str(ledger), "low")
        for number in range(12):
            system.options(priority=3).submit(Chores.write, str(ledger), f"high {number}")
        for number in range(6):
            system.options(priority=4).submit(Chores.write, str(ledger), f"critical {number}")
        system.resume()
        assert system.drain(LIMIT)
    noted = lines(ledger)
    assert noted[:6] == [f"critical {number}" for number in range(6)]
    assert noted.index("low") < len(noted) - 1


# --- dependencies --------------------------------------------------------------------------------------------------


def test_futures_as_arguments_are_their_results(system: ActorSystem) -> None:
    """D3: at the top level, by name, and one list, tuple or dict deep."""
    one, two, three = (system.submit(Chores.echo, number) for number in (1, 2, 3))
    assert system.submit(Chores.add, one, two, named=three).result(LIMIT) == 6
    assert system.submit(Chores.add_all, [one, 10, two]).result(LIMIT) == 13
    assert system.submit(Chores.add_all, (one, three)).result(LIMIT) == 4
    assert system.submit(Chores.add_all, {"a": three, "b": 5}).result(LIMIT) == 8
    last = system.submit(Chores.add, system.submit(Chores.add, one, one), two)
    assert last.result(LIMIT) == 4
    assert set(last.info().dependencies) >= {two.task_id}


def test_a_task_runs_after_those_it_names(system: ActorSystem, tmp_path: Path) -> None:
    """D3: futures or ids."""
    gate, ledger = Gate.make(tmp_path, "gate"), tmp_path / "ledger"
    first = system.submit(Chores.hold, gate)
    second = system.options(after=[first]).submit(Chores.write, str(ledger), "second")
    third = system.options(after=[second.task_id, first]).submit(Chores.write, str(ledger), "third")
    gate.reached()
    assert system.explain(third).reason == "dependencies"
    assert not lines(ledger)
    gate.open()
    third.result(LIMIT)
    assert lines(ledger) == ["second", "third"]


def test_a_failure_fails_dependents_at_once_and_names_the_first_cause(system: ActorSystem) -> None:
    """D3: over any number of steps."""
    first = system.submit(Chores.fail, "the cause")
    second = system.submit(Chores.echo, first)
    third = system.submit(Chores.add_all, [second])
    for later in (second, third):
        with pytest.raises(DependencyFailed, match="Lasting: the cause") as failed:
            later.result(LIMIT)
        assert failed.value.first == first.task_id


def test_a_cancellation_fails_dependents(system: ActorSystem, tmp_path: Path) -> None:
    """D3: also of a task that runs."""
    gate = Gate.make(tmp_path, "gate")
    first = system.submit(Chores.hold, gate)
    second = system.submit(Chores.echo, first)
    gate.reached()
    first.cancel("not needed")
    with pytest.raises(DependencyFailed, match="not needed") as failed:
        second.result(LIMIT)
    assert failed.value.first == first.task_id


def test_what_cannot_be_depended_on_is_refused_at_submission(system: ActorSystem) -> None:
    """D3: an unknown id; of another system, too."""
    with pytest.raises(ConfigError, match="no task of this system"):
        system.options(after=["ffff-1"]).submit(Chores.echo, 1)
    with pytest.raises(ConfigError, match="after takes futures"):
        system.options(after=[3]).submit(Chores.echo, 1)


# --- who ------------------------------------------------------------------------------------------------------------


def test_work_goes_to_who_has_the_capabilities(system: ActorSystem) -> None:
    """C3: also work that names no worker; and what nobody offers fails with an error that says so."""
    assert system.options(requires={"chores"}).submit(os.getpid).result(LIMIT) in {
        each.pid for each in system.agents() if each.agent_type == "chores"
    }
    with pytest.raises(NoSuitableAgent, match="flying") as refused:
        system.options(requires={"flying"}).submit(abs, 1).result(LIMIT)
    assert refused.value.requires == ("flying",)


# --- retries -------------------------------------------------------------------------------------------------------


def test_a_task_is_tried_again_after_the_errors_it_names(system: ActorSystem, tmp_path: Path) -> None:
    """D4: with a wait in between, and events; other errors are final."""
    ledger, heard = tmp_path / "ledger", Heard()
    with system.subscribe([TaskRetried, TaskCompleted, TaskFailed], heard):
        assert system.submit(Chores.flaky, str(ledger), 3).result(LIMIT) == 3
        told = heard.wait(3)
        assert [type(event) for event in told] == [TaskRetried, TaskRetried, TaskCompleted]
        assert "Passing: try 1" in told[0].error
        assert told[0].delay == pytest.approx(0.05)
    times = [float(line.split()[0]) for line in lines(ledger)]
    assert all(later - sooner >= 0.05 for sooner, later in itertools.pairwise(times))
    with pytest.raises(Passing, match="try 4"):
        system.submit(Chores.flaky, str(ledger), 9).result(LIMIT)
    other = system.submit(Chores.flaky, str(ledger), 9, Lasting)
    with pytest.raises(Lasting, match="try 1"):
        other.result(LIMIT)
    assert other.info().attempt == 1


# --- time limits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["sleep", "loop", "call", "stubborn", "c code"])
def test_a_task_out_of_time_costs_no_other(how: str, tmp_path: Path) -> None:
    """D5: it is interrupted, and killed where that does not help; its siblings and later tasks go on."""
    gate = Gate.make(tmp_path, "gate")
    config = SystemConfig(agent=AgentConfig(grace=0.3))
    system = ActorSystem({Chores: 2}, config=config).start()
    try:
        beside = system.submit(Chores.hold, gate, "beside")
        gate.reached()
        late = system.submit(Chores.late, how)
        behind = [system.submit(Chores.echo, number) for number in range(8)]
        with pytest.raises(TaskTimeout, match=r"0\.3 s") as timed_out:
            late.result(LIMIT)
        assert timed_out.value.task_id == late.task_id
        assert [future.result(LIMIT) for future in behind] == list(range(8))
        assert {future.info().attempt for future in behind} == {1}
        gate.open()
        assert beside.result(LIMIT) == "beside"
        interrupted = how in ("sleep", "loop", "call")
        incarnations = {each.incarnation for each in wait_for(lambda: _idle(system))}
        assert incarnations == ({1} if interrupted else {1, 2})
    finally:
        system.shutdown(cancel_tasks=True)


def _idle(system: ActorSystem) -> list[Any]:
    agents = system.agents()
    return agents if len(agents) == 2 and all(str(each.state) == "idle" for each in agents) else []


# --- cancelling ----------------------------------------------------------------------------------------------------


def test_tasks_are_cancelled_wherever_they_are(lone: ActorSystem, tmp_path: Path) -> None:
    """D6: one that waits, one that was assigned, and one that runs, which is interrupted; the reason is repeated."""
    gate, heard, ledger = Gate.make(tmp_path, "gate"), Heard(), tmp_path / "ledger"
    with lone.subscribe(TaskCancelledEvent, heard):
        running = lone.submit(Chores.hold, gate)
        gate.reached()
        others = [lone.submit(Chores.write, str(ledger), "never") for _ in range(20)]
        for future in [*others, running]:
            assert future.cancel("not needed")
            assert future.cancelled() and future.done()
            with pytest.raises(TaskCancelled, match="not needed"):
                future.result(0)
        assert lone.submit(Chores.echo, 1).result(LIMIT) == 1
        assert {event.task_id for event in heard.wait(21)} == {future.task_id for future in [*others, running]}
        assert {event.reason for event in heard.events} == {"not needed"}
    assert not lines(ledger)
    assert not running.cancel() or running.cancelled()
    assert [each.incarnation for each in lone.agents()] == [1]


def test_cancelling_at_any_moment_costs_no_agent(system: ActorSystem) -> None:
    """D6: right at a task's start or end, too: it is cancelled or has its result, and no agent is killed for it."""
    rng = random.Random()
    before = {each.agent: each.incarnation for each in wait_for(lambda: _idle(system), "two idle agents")}
    counted: Counter[str] = Counter()
    for _ in range(200):
        future = system.submit(Chores.nap, rng.choice([0.0, 0.001, 5.0]))
        timer = threading.Timer(rng.random() * 0.006, future.cancel)
        timer.start()
        try:
            future.result(LIMIT)
            counted["result"] += 1
        except CancelledError:
            counted["cancelled"] += 1
        timer.join()
    assert system.drain(LIMIT)
    assert counted["cancelled"] > 0
    after = {each.agent: each.incarnation for each in system.agents()}
    assert after == before


# --- what the submitter sees ---------------------------------------------------------------------------------------


def test_progress_is_seen_by_the_submitter_and_as_events(system: ActorSystem, tmp_path: Path) -> None:
    """D7: fraction, note and time."""
    gate, heard = Gate.make(tmp_path, "gate"), Heard()
    with system.subscribe(TaskProgressed, heard):
        before = time.time()
        future = system.submit(Chores.step, gate)
        assert future.progress() == (0.0, "", None)
        gate.reached()
        fraction, text, when = wait_for(lambda: future.progress()[2] and future.progress(), "progress")
        assert (fraction, text) == (0.25, "begun")
        assert before - 1 <= when <= time.time() + 1
        gate.open()
        assert future.result(LIMIT) == "result"
        assert [(event.fraction, event.note) for event in heard.wait(2)] == [(0.25, "begun"), (1.0, "done")]
        assert {event.task_id for event in heard.events} == {future.task_id}
    assert [step[:2] for step in future.info().progress] == [(0.25, "begun"), (1.0, "done")]


def test_a_result_can_be_taken_once(system: ActorSystem) -> None:
    """D9: and is freed with that."""
    future = system.submit(Chores.echo, "value")
    assert future.take(LIMIT) == "value"
    with pytest.raises(ResultTaken):
        future.take(LIMIT)
    with pytest.raises(ConfigError, match=r"freed|taken"):
        system.submit(Chores.echo, future).result(LIMIT)


def test_work_described_as_data_runs_as_if_it_were_called(system: ActorSystem) -> None:
    """D1: by its type, with its data as arguments by name."""
    spec = TaskSpec(type="chores.add", data={"first": 1, "named": 2}, priority=3, timeout=9.5, retries=1, job="night")
    future = system.submit_task(spec)
    assert future.result(LIMIT) == 3
    info = future.info()
    assert (info.type, info.priority, info.timeout, info.retries, info.job) == ("chores.add", 3, 9.5, 1, "night")
    later = system.submit_task(TaskSpec(type="chores.echo", data={"value": future}, after=[future]))  # type: ignore[arg-type]
    assert later.result(LIMIT) == 3
    for wrong in (TaskSpec(type="nothing"), TaskSpec(type="chores.echo", data={"no such": 1})):
        with pytest.raises(ConfigError):
            system.submit_task(wrong)


# --- map -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunksize", [None, 1, 7])
def test_map_gives_results_in_order(chunksize: int | None, system: ActorSystem) -> None:
    """G2: whatever the size of the chunks, and with several iterables the shortest ends it."""
    assert list(system.map(Chores.echo, range(500), chunksize=chunksize)) == list(range(500))
    assert list(system.map(pow, [2, 3, 4], itertools.count(), chunksize=chunksize)) == [1, 3, 16]


def test_an_item_of_a_map_that_fails_raises_at_its_turn(system: ActorSystem) -> None:
    """G2: and the rest runs on."""
    results = system.map(Chores.odd, range(1, 8), chunksize=3)
    found: list[Any] = []
    for _ in range(7):
        try:
            found.append(next(results))
        except Lasting as error:
            found.append(str(error))
    assert found == [1, "2 is even", 3, "4 is even", 5, "6 is even", 7]
    with pytest.raises(StopIteration):
        next(results)


def test_a_chunk_of_a_map_that_fails_as_a_whole_fails_each_of_its_items(system: ActorSystem) -> None:
    """G2: so that each item has one outcome."""
    results = system.options(timeout=0.2, retries=0).map(Chores.nap, [0, 0, 0, 30, 0, 0], chunksize=2)
    found: list[Any] = []
    for _ in range(6):
        try:
            found.append(next(results))
        except TaskTimeout:
            found.append("late")
    assert found == [0, 0, "late", "late", 0, 0]


def test_a_map_over_what_has_no_end_is_lazy(system: ActorSystem) -> None:
    """G2: items are read as results are taken; closing it cancels the rest."""
    read = 0

    def numbers() -> Iterator[int]:
        nonlocal read
        while True:
            read += 1
            yield read

    results = system.map(Chores.echo, numbers(), chunksize=2)
    assert [next(results) for _ in range(10)] == list(range(1, 11))
    assert read < 200
    results.close()  # type: ignore[attr-defined]
    assert system.drain(LIMIT)
    with pytest.raises(StopIteration):
        next(results)


def test_a_map_has_a_time_limit(system: ActorSystem) -> None:
    """G2: after which what is left is cancelled."""
    assert system.submit(Chores.echo, 1).result(LIMIT) == 1
    results = system.map(Chores.nap, [0, 30, 30], timeout=2)
    assert next(results) == 0
    with pytest.raises(TimeoutError):
        next(results)
    assert system.drain(LIMIT)


# --- sub-tasks -----------------------------------------------------------------------------------------------------


def test_tasks_wait_for_their_sub_tasks_fifty_deep(system: ActorSystem) -> None:
    """D8: on two agents, because waiting gives the slot away."""
    assert system.submit(Chores.deep, 50).result(LIMIT * 2) == 50


def test_a_task_maps_and_submits_as_a_program_does(system: ActorSystem) -> None:
    """G2: with errors at their turn, plain callables, endless iterables, and futures as arguments."""
    assert system.submit(Chores.spread, [1, 2, 3, 4, 5]).result(LIMIT) == [1, "2 is even", 3, "4 is even", 5]
    assert system.submit(Chores.spread_plain, [-1, 2]).result(LIMIT) == [1, 2, 32]
    assert system.submit(Chores.peek, 10).result(LIMIT) == list(range(10))
    assert system.submit(Chores.combine).result(LIMIT) == 6
    with pytest.raises(Lasting, match="in the child"):
        system.submit(Chores.child_fails).result(LIMIT)


def test_tasks_behind_a_long_one_move_to_an_idle_agent(tmp_path: Path) -> None:
    """C4: they are taken back, and lose no try."""
    first, second = Gate.make(tmp_path, "first"), Gate.make(tmp_path, "second")
    system = ActorSystem({Chores: 2}, config=CONFIG).start()
    try:
        # So that these are known to be short, and are sent ahead.
        for _ in range(20):
            system.submit(Chores.echo, 0).result(LIMIT)
        holds = [system.submit(Chores.hold, first), system.submit(Chores.hold, second)]
        first.reached()
        second.reached()
        behind = [system.submit(Chores.echo, number) for number in range(10)]
        first.open()
        assert [future.result(LIMIT) for future in behind] == list(range(10))
        assert {future.info().attempt for future in behind} == {1}
        assert not holds[1].done()
        second.open()
        holds[1].result(LIMIT)
    finally:
        system.shutdown(cancel_tasks=True)


# --- async workers -------------------------------------------------------------------------------------------------


def test_an_async_agent_runs_several_tasks_at_once(tmp_path: Path) -> None:
    """A2: as many as its concurrency; each is cancelled and timed out alone."""
    ledger = tmp_path / "ledger"
    system = ActorSystem({Loops: 1}, config=CONFIG).start()
    try:
        assert [f.result(LIMIT) for f in [system.submit(Loops.meet, 4) for _ in range(4)]] == [4] * 4
        rests = [system.submit(Loops.rest, str(ledger)) for _ in range(2)]
        wait_for(lambda: lines(ledger) == ["began"] * 2)
        with pytest.raises(TaskTimeout):
            system.submit(Loops.late).result(LIMIT)
        assert system.submit(Loops.echo, 5).result(LIMIT) == 5
        assert rests[0].cancel()
        wait_for(lambda: "cancelled" in lines(ledger))
        assert not rests[1].done()
        assert system.submit(Loops.parent, 1).result(LIMIT) == 2
        rests[1].cancel()
        assert system.drain(LIMIT)
        assert lines(ledger) == ["began"] * 2 + ["cancelled"] * 2
        assert [each.incarnation for each in system.agents() if each.agent_type == "loops"] == [1]
    finally:
        system.shutdown(cancel_tasks=True)


def test_a_task_whose_agent_is_killed_again_and_again_fails_in_the_end(system: ActorSystem, tmp_path: Path) -> None:
    """D8: after its retries, with one outcome; what waited behind it loses no try."""
    gate = Gate.make(tmp_path, "gate")
    future = system.options(retries=1).submit(Chores.hold, gate)
    told = Counter[str]()
    future.add_done_callback(lambda done: told.update([done.task_id]))
    for attempt in (1, 2):
        gate.reached()
        info = wait_for(lambda: future.info() if future.info().status == "in_progress" else None)
        assert info.attempt == attempt
        status = next(each for each in system.agents() if each.agent == info.agent)
        os.kill(status.pid or 0, signal.SIGKILL)
    error = future.exception(LIMIT)
    assert type(error).__name__ == "AgentDied" and error.signal == "SIGKILL"  # type: ignore[union-attr]
    wait_for(lambda: told[future.task_id] == 1)
