"""G2: the strategies on real agents, from the program, inside tasks and in coroutines, with deaths in the middle."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import itertools
import os
import pickle
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actors import (
    ActorSystem,
    AgentDied,
    ConfigError,
    DependencyFailed,
    NotSerializable,
    QuorumFailed,
    ResultFrom,
    SagaFailed,
    Step,
    SystemClosed,
    TaskCancelled,
    TaskCancelledEvent,
    TaskStarted,
    TaskSubmitted,
)
from tests.agent.gates import Gate
from tests.coordination.workers import Adder, Ledger, Maker, Spinner
from tests.system.storm import lines
from tests.system.support import CONFIG, LIMIT, Heard, agent, wait_for


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    """A system with two agents that make, and others when they are needed."""
    system = ActorSystem(
        {Maker: 2, Adder: (0, 1), Spinner: (0, 1), Ledger: (0, 2)}, max_agents=6, config=CONFIG
    ).start()
    yield system
    system.shutdown(cancel_tasks=True)


def at_rest(system: ActorSystem) -> bool:
    """Whether no task is waiting or running."""
    queue = system.queue()
    return queue.waiting + queue.active == 0


def ends(system: ActorSystem) -> None:
    """Nothing that was cancelled goes on."""
    wait_for(lambda: at_rest(system), "the end of all tasks")


# --- many calls ----------------------------------------------------------------------------------------------------


def test_a_gathering_has_all_results_in_order(system: ActorSystem) -> None:
    """G2: of calls with arguments of their own, or of one call and items."""
    assert system.scatter_gather(Maker.square, range(50)).result(LIMIT) == [n * n for n in range(50)]
    calls = [(Maker.square, 2), partial(Maker.square, 2, plus=1), (pow, 2, 10), partial(divmod, 7, 2)]
    assert system.scatter_gather(calls).result(LIMIT) == [4, 5, 1024, (3, 1)]
    assert system.scatter_gather(partial(Maker.square, plus=1), [1, 2]).result(LIMIT) == [2, 5]


def test_what_a_failure_does_is_chosen_by_name(system: ActorSystem) -> None:
    """G2: raise, collect, drop, and how many results there must be."""
    collected = system.scatter_gather(Maker.odd, range(4), failures="collect").result(LIMIT)
    assert [type(one) for one in collected] == [LookupError, int, LookupError, int]
    assert system.scatter_gather(Maker.odd, range(4), failures="drop", minimum=2).result(LIMIT) == [1, 3]
    with pytest.raises(LookupError, match="2 is even") as told:
        system.scatter_gather([(Maker.odd, 2), (Maker.endless, 1)]).result(LIMIT)
    assert told.value.__notes__ == ["in scatter_gather: call 1 of 2, Maker.odd"]
    with pytest.raises(ExceptionGroup) as few:
        system.scatter_gather(Maker.odd, [0, 1, 2, 3], failures="drop", minimum=3).result(LIMIT)
    assert len(few.value.exceptions) == 2
    ends(system)


def test_a_result_that_cannot_be_rebuilt_is_the_failure_of_its_call(system: ActorSystem) -> None:
    """G2, D8: and costs the others nothing where failures are borne."""
    assert system.scatter_gather([(Maker.closed, 1), (Maker.square, 2)], failures="drop").result(LIMIT) == [4]
    assert system.race([(Maker.closed, 1), (Maker.square, 2)]).result(LIMIT) == 4
    with pytest.raises(NotSerializable):
        system.scatter_gather([(Maker.closed, 1)]).result(LIMIT)


def test_the_first_result_wins_and_the_others_are_cancelled(system: ActorSystem) -> None:
    """G2, D6: nothing of the race goes on."""
    assert system.race([(Maker.endless, 1), (Maker.square, 3), (Maker.endless, 2)]).result(LIMIT) == 9
    ends(system)
    with pytest.raises(ExceptionGroup) as told:
        system.race(Maker.refuse, [1, 2, 3]).result(LIMIT)
    assert [str(error) for error in told.value.exceptions] == ["'no 1'", "'no 2'", "'no 3'"] or [
        error.args for error in told.value.exceptions
    ] == [("no 1",), ("no 2",), ("no 3",)]


def test_a_quorum_is_done_when_enough_agree_and_fails_when_they_cannot(system: ActorSystem) -> None:
    """G2: it waits for nobody whose answer changes nothing."""
    assert system.quorum([(Maker.square, 2), (Maker.endless,), (Maker.square, -2)], need=2).result(LIMIT) == 4
    assert system.quorum(Maker.square, [2, 3, -3], need=2, key=lambda answer: answer % 5).result(LIMIT) in (4, 9)
    with pytest.raises(QuorumFailed) as told:
        system.quorum([(Maker.square, 1), (Maker.refuse, 2), (Maker.endless,)], need=3).result(LIMIT)
    error = told.value
    assert error.need == 3
    assert len(error.errors or ()) == 1
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.need, copy.answers) == (3, error.answers)
    ends(system)


def test_a_key_that_raises_is_the_error_of_the_quorum(system: ActorSystem) -> None:
    """G2: and not a hang."""
    future = system.quorum(Maker.square, [1, 2], need=2, key=lambda answer: answer / 0)
    with pytest.raises(ZeroDivisionError):
        future.result(LIMIT)
    ends(system)


def test_parts_belong_to_a_job_of_their_own_or_to_the_one_that_is_named(system: ActorSystem) -> None:
    """G2, B5: so that events and figures tell what they are part of."""
    with system.events(TaskSubmitted) as submitted:
        future = system.race([(Maker.square, 1)])
        told = submitted.get(LIMIT)
        assert isinstance(told, TaskSubmitted)
        assert system.task_info(told.task_id).job == future.job == future.name
        named = system.options(job="night").race([(Maker.square, 1)])
        told = submitted.get(LIMIT)
        assert isinstance(told, TaskSubmitted)
        assert system.task_info(told.task_id).job == named.job == "night"
        concurrent.futures.wait([future, named], LIMIT)


# --- a second copy -------------------------------------------------------------------------------------------------


def test_a_second_copy_wins_over_one_that_stands_still(system: ActorSystem, tmp_path: Path) -> None:
    """G2: and the first one is cancelled."""
    assert system.hedge(Maker.slow_once, str(tmp_path), after=0.1).result(LIMIT) == "quick"
    ends(system)


def test_the_history_of_a_task_says_when_its_second_copy_is_sent(system: ActorSystem, tmp_path: Path) -> None:
    """G2: the p95 of its completed runs; here they were all quick."""
    (tmp_path / "slow").touch()
    for _ in range(12):
        assert system.submit(Maker.slow_once, str(tmp_path)).result(LIMIT) == "quick"
    (tmp_path / "slow").unlink()
    assert system.hedge(Maker.slow_once, str(tmp_path)).result(LIMIT) == "quick"
    ends(system)


def test_a_hedged_call_that_fails_in_both_copies_raises_the_error(system: ActorSystem) -> None:
    """G2: the task's own."""
    with pytest.raises(LookupError):
        system.hedge(Maker.refuse, 1, after=5).result(LIMIT)


# --- map_reduce ----------------------------------------------------------------------------------------------------


def test_a_reduction_of_any_number_of_items_keeps_their_order(system: ActorSystem) -> None:
    """G2: for each size of chunk and each width of the tree; joining texts is associative and nothing more."""
    for count, chunksize, fan_in in [(1, None, 8), (2, 1, 2), (37, 3, 2), (64, 1, 8), (65, 2, 4)]:
        wanted = "".join(map(str, range(count)))
        found = system.map_reduce(str, range(count), Adder.join, chunksize=chunksize, fan_in=fan_in)
        assert found.result(LIMIT) == wanted
    assert system.map_reduce(str, range(10), Adder.join, initial="<").result(LIMIT) == "<0123456789"
    assert system.map_reduce(str, [], Adder.join, initial="<").result(LIMIT) == "<"
    with pytest.raises(ValueError, match="initial"):
        system.map_reduce(str, [], Adder.join)


def test_items_are_read_as_the_work_goes_on_and_results_are_let_go(system: ActorSystem) -> None:
    """G2: a bounded number is under way, whatever there is; intermediate results do not stay in the program."""
    read = 0
    gate = threading.Event()

    def items() -> Iterator[int]:
        nonlocal read
        for number in range(3000):
            read += 1
            yield number
            if number == 500:
                # Whoever reads waits here, and nobody else.
                gate.wait(LIMIT)

    future = system.map_reduce(Maker.square, items(), Adder.add, chunksize=2)
    wait_for(lambda: read >= 501, "the reading")
    assert system.submit(Maker.square, 3).result(LIMIT) == 9
    wait_for(lambda: at_rest(system), "the end of what was read")
    assert not future.done()
    gate.set()
    assert future.result(LIMIT) == sum(n * n for n in range(3000))


def test_whatever_fails_in_a_reduction_is_named_with_its_items(system: ActorSystem) -> None:
    """G2: mapping, reducing, and reading; the others are cancelled."""
    with pytest.raises(LookupError) as told:
        system.map_reduce(Maker.odd, [1, 3, 4, 5], Adder.add, chunksize=1).result(LIMIT)
    assert "mapping with Maker.odd, item 2" in told.value.__notes__[0]
    with pytest.raises(LookupError) as told:
        system.map_reduce(Maker.square, range(5), Maker.refuse, chunksize=1).result(LIMIT)
    assert "reducing with Maker.refuse, items 0 to 4" in told.value.__notes__[0]

    def broken() -> Iterator[int]:
        yield from range(200)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        system.map_reduce(Maker.square, broken(), Adder.add, chunksize=1).result(LIMIT)
    ends(system)


def test_deaths_in_the_middle_of_a_reduction_cost_nothing(system: ActorSystem, tmp_path: Path) -> None:
    """G2, D8: each chunk is a task that is tried again."""
    mapped = (Maker.dies_once, str(tmp_path))
    assert system.map_reduce(mapped, range(20), Adder.add, chunksize=1, fan_in=3).result(LIMIT) == 190
    assert len(list(tmp_path.iterdir())) == 4


# --- pipeline ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ordered", [True, False])
def test_items_flow_through_stages_of_several_types(system: ActorSystem, *, ordered: bool) -> None:
    """G2: in order, or as they come."""
    found = list(system.pipeline(range(40), Maker.square, Adder.one, (pow, 2), ordered=ordered, buffer=7))
    wanted = [(n * n + 1) ** 2 for n in range(40)]
    assert (found if ordered else sorted(found)) == wanted


def test_results_that_are_there_do_not_wait_for_others_if_no_order_is_wanted(
    system: ActorSystem, tmp_path: Path
) -> None:
    """G2: an item that is stuck costs its own place."""
    gate = Gate.make(tmp_path, "gate")
    calls = [(gate, "late"), *((None, number) for number in range(5))]
    with system.pipeline(calls, _hold_or_not, ordered=False, buffer=2) as results:
        assert sorted(next(results) for _ in range(5)) == list(range(5))
        gate.reached()
        gate.open()
        assert list(results) == ["late"]


def _hold_or_not(call: tuple[Gate | None, Any]) -> Any:
    gate, value = call
    if gate is not None:
        gate.wait()
    return value


def test_a_reader_that_stops_stops_the_reading_of_the_source(system: ActorSystem) -> None:
    """G2: back-pressure, also with an endless source."""
    read: list[int] = []
    source = (read.append(number) or number for number in itertools.count())  # type: ignore[func-returns-value]
    with system.pipeline(source, Maker.square, buffer=5) as results:
        wait_for(lambda: at_rest(system), "the end of what was read")
        assert len(read) == 5
        assert [next(results) for _ in range(3)] == [0, 1, 4]
        assert len(read) == 8
    assert list(results) == []


def test_an_item_that_fails_raises_at_its_turn_or_is_skipped_with_a_report(system: ActorSystem) -> None:
    """G2: the stage is named, and the others go on."""
    results = system.pipeline(range(1, 5), Maker.odd, Adder.one)
    assert next(results) == 2
    with pytest.raises(LookupError, match="2 is even") as told:
        next(results)
    assert told.value.__notes__ == ["in pipeline: item 1, stage 1 of 2, Maker.odd"]
    assert next(results) == 4
    with pytest.raises(LookupError):
        next(results)
    with pytest.raises(StopIteration):
        next(results)
    skipping = system.pipeline(range(6), Maker.odd, Adder.one, failures="skip")
    assert list(skipping) == [2, 4, 6]
    assert [(one.item, one.stage) for one in skipping.skipped] == [(0, "Maker.odd"), (2, "Maker.odd"), (4, "Maker.odd")]
    assert not any(isinstance(one.error, DependencyFailed) for one in skipping.skipped)


def test_what_a_source_raises_comes_after_all_that_was_read(system: ActorSystem) -> None:
    """G2: nothing that was read is lost, and nothing hangs."""

    def source() -> Iterator[int]:
        yield from range(10)
        raise OSError("the disk is gone")

    results = system.pipeline(source(), Maker.square)
    assert [next(results) for _ in range(10)] == [n * n for n in range(10)]
    with pytest.raises(OSError, match="the disk is gone"):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


def test_closing_a_pipeline_ends_all_of_it(system: ActorSystem) -> None:
    """G2, D6: the tasks and the source."""
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            closed.set()

    results = system.pipeline(source(), Maker.endless, Adder.one, buffer=4)
    results.close()
    assert closed.is_set()
    ends(system)
    late = system.pipeline(range(3), Maker.endless, timeout=0.2)
    with pytest.raises(TimeoutError, match="pipeline-"):
        next(late)
    ends(system)


def test_an_item_that_cannot_be_sent_fails_alone(system: ActorSystem) -> None:
    """G2: but if it is the first one, that is an error of the call."""
    results = system.pipeline([1, threading.Lock(), 3], Maker.square)
    assert next(results) == 1
    with pytest.raises(NotSerializable):
        next(results)
    assert list(results) == [9]
    with pytest.raises(NotSerializable):
        system.pipeline([threading.Lock()], Maker.square)


# --- saga ----------------------------------------------------------------------------------------------------------


def test_a_saga_that_ends_well_has_the_results_of_its_steps(system: ActorSystem) -> None:
    """G2: and a step may have the results of those before it."""
    steps = [
        Step((Maker.square, 3), name="nine"),
        ((Maker.square, ResultFrom("nine")), None),
        Step((Adder.add, [ResultFrom(0), ResultFrom("Maker.square")]), name="sum"),
    ]
    assert system.saga(steps).result(LIMIT) == [9, 81, 90]


def test_a_step_that_fails_has_the_others_undone_backwards(system: ActorSystem, tmp_path: Path) -> None:
    """G2: with retries; the error says which, and has what the step failed with."""
    path = str(tmp_path / "ledger")
    steps = [
        Step((Ledger.do, path, "a"), (Ledger.undo, path, ResultFrom("a")), "a"),
        Step((Ledger.do, path, "b"), None, "b"),
        Step((Ledger.do, path, "c"), (Ledger.undo_at_third, path, "c"), "c"),
        Step(Ledger.killed, (Ledger.undo, path, "killed"), "d"),
    ]
    with pytest.raises(SagaFailed) as told:
        system.saga(steps).result(LIMIT)
    error = told.value
    assert (error.step, error.undone, error.failures) == ("d", ("c", "a"), ())
    assert isinstance(error.__cause__, AgentDied)
    assert lines(path) == ["do a", "do b", "do c", "try c", "try c", "try c", "undo a"]


def test_what_cannot_be_undone_is_named_and_the_rest_is_undone(system: ActorSystem, tmp_path: Path) -> None:
    """G2: so that somebody can see to it."""
    path = str(tmp_path / "ledger")
    steps = [
        Step((Ledger.do, path, "a"), (Ledger.undo, path, "a"), "a"),
        Step((Ledger.do, path, "b"), (Ledger.never_undone, "b"), "b"),
        (partial(Maker.refuse, 1), None),
    ]
    with pytest.raises(SagaFailed, match=r"still stands: b \(ConnectionError: b stands") as told:
        system.saga(steps).result(LIMIT)
    assert told.value.undone == ("a",)
    assert [(name, type(error)) for name, error in told.value.failures or ()] == [("b", ConnectionError)]
    copy = pickle.loads(pickle.dumps(told.value))
    assert copy.undone == ("a",)
    assert lines(path) == ["do a", "do b", "undo a"]


def test_a_saga_that_is_cancelled_lets_its_step_end_and_undoes_it(system: ActorSystem, tmp_path: Path) -> None:
    """G2: it is cancelled when all is undone; the compensations are not cancelled with it."""
    path, gate = str(tmp_path / "ledger"), Gate.make(tmp_path, "gate")
    steps = [
        ((Ledger.do, path, "a"), (Ledger.undo, path, "a")),
        ((Ledger.do_held, path, "b", gate), (Ledger.undo, path, "b")),
        ((Ledger.do, path, "c"), (Ledger.undo, path, "c")),
    ]
    future = system.saga(steps)
    gate.reached()
    assert future.cancel("changed my mind")
    assert future.cancel("again")
    assert not future.done()
    gate.open()
    with pytest.raises(TaskCancelled, match="changed my mind"):
        future.result(LIMIT)
    assert future.cancelled()
    assert lines(path) == ["do a", "do b", "undo b", "undo a"]


def test_a_saga_out_of_time_is_undone(system: ActorSystem, tmp_path: Path) -> None:
    """G2: and fails."""
    path, gate = str(tmp_path / "ledger"), Gate.make(tmp_path, "gate")
    steps = [
        ((Ledger.do, path, "a"), (Ledger.undo, path, "a")),
        ((Ledger.do_held, path, "b", gate), (Ledger.undo, path, "b")),
        ((Ledger.do, path, "c"), None),
    ]
    # So that an agent is there, and the time goes into the steps.
    system.submit(Ledger.undo, path, "nothing").result(LIMIT)
    future = system.saga(steps, timeout=2)
    gate.reached()
    wait_for(lambda: future._whole._cause is not None, "the end of its time")  # type: ignore[attr-defined]
    gate.open()
    with pytest.raises(SagaFailed, match=r"not done within 2 s") as told:
        future.result(LIMIT)
    assert isinstance(told.value.__cause__, TimeoutError)
    assert lines(path) == ["undo nothing", "do a", "do b", "undo b", "undo a"]


def test_a_saga_goes_on_where_it_was_when_the_program_starts_again(tmp_path: Path) -> None:
    """G2, F3: with a name and a journal; what is done is not done again."""
    path, gate, journal = str(tmp_path / "ledger"), Gate.make(tmp_path, "gate"), tmp_path / "jobs.db"
    steps = [
        ((Ledger.do, path, "a"), (Ledger.undo, path, "a")),
        ((Ledger.do_held, path, "b", gate), (Ledger.undo, path, "b")),
        ((Ledger.do, path, "c"), (Ledger.undo, path, "c")),
    ]
    system = ActorSystem({Ledger: 1}, journal=journal, config=CONFIG).start()
    future = system.options(once="order-1").saga(steps)
    gate.reached()
    system.shutdown(wait=False)
    with pytest.raises(SystemClosed, match="next start"):
        future.result(LIMIT)
    with ActorSystem({Ledger: 1}, journal=journal, config=CONFIG) as again:
        future = again.options(once="order-1").saga(steps)
        gate.reached()
        gate.open()
        assert future.result(LIMIT) == ["a", "b", "c"]
        assert again.options(once="order-1").saga(steps).result(LIMIT) == ["a", "b", "c"]
    assert lines(path) == ["do a", "do b", "do c"]


# --- the whole and its parts ---------------------------------------------------------------------------------------


def test_cancelling_the_whole_cancels_the_parts(system: ActorSystem) -> None:
    """G2, D6: each of them, running or waiting, with the reason; and the whole at once."""
    heard = Heard()
    system.subscribe(TaskCancelledEvent, heard)
    with system.events(TaskStarted) as started:
        futures = [
            system.scatter_gather(Maker.endless, range(4)),
            system.race(Maker.endless, range(4)),
            system.map_reduce(Maker.endless, range(40), Adder.add, chunksize=1),
            system.hedge(Maker.endless, 1),
        ]
        started.get(LIMIT)
    for future in futures:
        assert future.cancel("enough")
        assert future.cancelled()
        with pytest.raises(TaskCancelled, match="enough"):
            future.result(0)
    ends(system)
    assert all("enough" in event.reason for event in heard.wait(8))


def test_a_whole_out_of_time_fails_and_leaves_no_part_running(system: ActorSystem) -> None:
    """G2: with an error that is not the waiter's own."""
    future = system.race(Maker.endless, range(3), timeout=0.2)
    with pytest.raises(TimeoutError, match=r"not done within 0\.2 s"):
        future.result(LIMIT)
    assert future.done()
    ends(system)


def test_a_waiter_that_gives_up_does_not_end_the_whole(system: ActorSystem) -> None:
    """G2: as with every future."""
    future = system.race(Maker.endless, range(2))
    with pytest.raises(TimeoutError, match="no outcome yet"):
        future.result(0.05)
    assert not future.done()
    future.cancel()
    ends(system)


def test_what_takes_a_standard_future_takes_the_one_of_a_strategy(system: ActorSystem) -> None:
    """J1: wait, as_completed, callbacks; but it does not travel."""
    futures = [system.race(Maker.square, [number]) for number in range(4)]
    done = concurrent.futures.wait(futures, LIMIT).done
    assert len(done) == 4
    heard: list[int] = []
    called = threading.Event()
    last = system.scatter_gather(Maker.square, [7])
    last.add_done_callback(lambda future: (heard.append(future.result()[0]), called.set()))
    assert called.wait(LIMIT)
    assert heard == [49]
    with pytest.raises(NotSerializable, match="wait for its result"):
        system.submit(Maker.square, futures[0])


def test_a_callback_of_one_strategy_may_start_another(system: ActorSystem) -> None:
    """G2: on the thread that tells of ends."""
    found: concurrent.futures.Future[int] = concurrent.futures.Future()

    def more(future: Any) -> None:
        second = system.map_reduce(Maker.square, future.result(), Adder.add)
        second.add_done_callback(lambda done: found.set_result(done.result()))

    system.scatter_gather(Maker.square, range(3)).add_done_callback(more)
    assert found.result(LIMIT) == 17


@pytest.mark.parametrize("worker", [Maker, Spinner])
@pytest.mark.timeout(90)
def test_inside_a_task_they_are_the_same(system: ActorSystem, worker: Any) -> None:
    """G2: in plain bodies and in coroutines, the slot is given away meanwhile."""
    assert system.submit(worker.inside).result(3 * LIMIT) == [
        [0, 1, 4, 9, 16],
        9,
        4,
        16,
        sum(n * n for n in range(50)),
        [n**4 + 1 for n in range(10)],
        [n * n + 1 for n in range(10)],
        [4, 16],
    ]
    ends(system)


@pytest.mark.timeout(90)
def test_a_single_agent_runs_the_strategies_of_its_own_task() -> None:
    """G2, design: beyond the limit, a task that waits runs its own parts."""
    config = CONFIG
    with ActorSystem({Maker: (1, 1), Adder: (1, 1)}, max_agents=2, config=config) as system:
        assert system.submit(Maker.alone).result(3 * LIMIT) == [0, 1, 4, 9, 16, 140, 1, 2, 5, 10]


@pytest.mark.parametrize("most", [4, 2])
@pytest.mark.parametrize(
    ("long", "short", "wanted"), [((Maker.endless,), (Maker.square, 3), 9), ((Maker.nap, 1000), (Maker.nap, 0.0), 0.0)]
)
def test_a_short_part_does_not_stand_behind_an_endless_one_inside_a_task(
    long: Any, short: Any, wanted: Any, most: int
) -> None:
    """G2, C2: whatever is known of either: it goes to an agent that can be started, or into the task that waits."""
    with ActorSystem({Maker: (2, most)}, max_agents=most, config=CONFIG) as system:
        # From now on it is known to be short, and so is its kind.
        for _ in range(3):
            system.submit(*short).result(LIMIT)
        assert system.submit(Maker.races, long, short).result(LIMIT) == wanted
        ends(system)


@pytest.mark.parametrize(("call", "wanted"), [(Maker.beside, 7), (Maker.fails_beside, "refused")])
def test_a_part_that_runs_inside_the_task_that_waits_is_cancelled_as_well(
    tmp_path: Path, call: Any, wanted: Any
) -> None:
    """G2, D6: although it keeps the thread in which that task waits; without that it would wait for ever."""
    gate = Gate.make(tmp_path, "gate")
    with (
        ActorSystem({Maker: (1, 1), Adder: (1, 1)}, max_agents=2, config=CONFIG) as system,
        system.events(TaskStarted) as started,
    ):
        future = system.submit(call, gate)
        while getattr(started.get(LIMIT), "name", "") != "maker.endless":
            pass
        gate.reached()
        gate.open()
        assert future.result(LIMIT) == wanted


def test_a_task_that_is_cancelled_takes_its_strategies_with_it() -> None:
    """G2, D6: as Ctrl-C in a program does."""
    # Room for all parts beside the task: one that ran inside it would have to end before it.
    with ActorSystem({Maker: (4, 4)}, max_agents=4, config=CONFIG) as system:
        for call in (Maker.waits_for_endless, Maker.iterates_endless):
            with system.events(TaskStarted) as started:
                future = system.submit(call)
                while getattr(started.get(LIMIT), "name", "") != "maker.endless":
                    pass
            future.cancel()
            ends(system)


def test_in_coroutines_of_the_program_they_are_awaited(system: ActorSystem) -> None:
    """J1: without blocking the loop; cancelling the one who awaits cancels the parts."""

    async def main() -> None:
        found, raced = await asyncio.gather(
            asyncio.ensure_future(_awaited(system.scatter_gather(Maker.square, range(3)))),
            asyncio.ensure_future(_awaited(system.race([(Maker.endless,), (Maker.square, 2)]))),
        )
        assert (found, raced) == ([0, 1, 4], 4)
        async with system.pipeline(range(5), Maker.square, Adder.one, ordered=False, buffer=2) as results:
            assert sorted([one async for one in results]) == [1, 2, 5, 10, 17]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await system.race(Maker.endless, range(2))
        endless = system.pipeline(range(5), Maker.endless)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await anext(endless)

    asyncio.run(main())
    ends(system)


async def _awaited(future: Any) -> Any:
    return await future


def test_leaving_the_system_waits_for_strategies() -> None:
    """G2: `with` waits for all work."""
    with ActorSystem({Maker: 1}, config=CONFIG) as system:
        reduced = system.map_reduce(Maker.square, range(200), sum, chunksize=1)
        saga = system.saga([((Maker.square, number), None) for number in range(5)])
    assert reduced.result(0) == sum(n * n for n in range(200))
    assert saga.result(0) == [0, 1, 4, 9, 16]


def test_leaving_the_system_by_an_exception_undoes_sagas_and_cancels_the_rest(tmp_path: Path) -> None:
    """G2: the compensations run before the end."""
    path, gate = str(tmp_path / "ledger"), Gate.make(tmp_path, "gate")
    futures: list[Any] = []

    def leave() -> None:
        with ActorSystem({Maker: 1, Ledger: 1}, config=CONFIG) as system:
            steps = [
                ((Ledger.do, path, "a"), (Ledger.undo, path, "a")),
                ((Ledger.do_held, path, "b", gate), (Ledger.undo, path, "b")),
                ((Ledger.do, path, "c"), None),
            ]
            futures.extend([system.saga(steps), system.race(Maker.endless, range(2))])
            gate.reached()
            opener.start()
            raise KeyError("out of here")

    opener = threading.Timer(0.1, gate.open)
    with pytest.raises(KeyError):
        leave()
    opener.join(LIMIT)
    assert all(future.cancelled() for future in futures)
    assert lines(path) == ["do a", "do b", "undo b", "undo a"]


def test_killed_agents_do_not_keep_a_strategy_from_its_result(system: ActorSystem) -> None:
    """G2, D8: with signal 9 from outside, again and again."""
    future = system.map_reduce(Maker.square, range(400), Adder.add, chunksize=1, fan_in=4)
    stream = system.pipeline(range(100), Maker.square, Adder.one, ordered=False)
    found = []
    for number, one in enumerate(stream):
        found.append(one)
        if number in (10, 40, 70):
            victim = agent(system, f"maker-{1 + number // 40}")
            if victim is not None and victim.pid is not None:
                # Its pid is what was told last: it may have been replaced by now.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim.pid, signal.SIGKILL)
    assert sorted(found) == sorted(n * n + 1 for n in range(100))
    assert future.result(LIMIT) == sum(n * n for n in range(400))


# --- bad input -----------------------------------------------------------------------------------------------------


BAD: list[tuple[Any, type[Exception], str]] = [
    (lambda s: s.race([]), ValueError, "race takes one call at least"),
    (lambda s: s.scatter_gather(Maker.square), TypeError, "several calls, or one call and the items"),
    (lambda s: s.scatter_gather(5), TypeError, "takes an iterable"),
    (lambda s: s.scatter_gather([5]), TypeError, "call 1 of scatter_gather"),
    (lambda s: s.scatter_gather(Maker.square, 5), TypeError, "takes an iterable"),
    (lambda s: s.scatter_gather([(Maker.square, 1), (Maker.square,)]), TypeError, "number"),
    (lambda s: s.scatter_gather(Maker.square, [1], failures="ignore"), ConfigError, "failures"),
    (lambda s: s.scatter_gather(Maker.square, [1], timeout=-1), ConfigError, "timeout"),
    (lambda s: s.quorum(Maker.square, [1, 2], need=3), ConfigError, "need"),
    (lambda s: s.hedge(Maker.once, 1), ConfigError, "not idempotent"),
    (lambda s: s.hedge(Maker.square, 1, after=-1), ConfigError, "after"),
    (lambda s: s.hedge(7), TypeError, "hedge takes"),
    (lambda s: s.map_reduce(Maker.square, 5, sum), TypeError, "iterable"),
    (lambda s: s.map_reduce(Maker.square, [1], 5), TypeError, "to reduce"),
    (lambda s: s.map_reduce(Maker.square, [1], sum, fan_in=1), ConfigError, "fan_in"),
    (lambda s: s.map_reduce(Maker.square, [1], sum, chunksize=0), ConfigError, "chunksize"),
    (lambda s: s.pipeline([1]), ValueError, "one stage"),
    (lambda s: s.pipeline([1], Maker.square, 5), TypeError, "stage 2 of pipeline"),
    (lambda s: s.pipeline(5, Maker.square), TypeError, "iterable as its source"),
    (lambda s: s.pipeline([1], Maker.square, buffer=0), ConfigError, "buffer"),
    (lambda s: s.pipeline([1], Maker.square, failures="drop"), ConfigError, "failures"),
    (lambda s: s.saga([]), ValueError, "one step"),
    (lambda s: s.saga([Maker.square]), TypeError, "step 0"),
    (lambda s: s.saga([(Maker.square, 5)]), TypeError, "compensation of step 0"),
    (lambda s: s.saga([((Maker.square, ResultFrom(0)), None)]), ConfigError, "results are there"),
    (lambda s: s.saga([Step(Maker.endless, name="a"), Step(Maker.endless, name="a")]), ConfigError, "called 'a'"),
    (lambda s: s.options(once="x").race([Maker.endless]), ConfigError, "once"),
    (lambda s: s.options(once="x").pipeline([1], Maker.square), ConfigError, "once"),
    (lambda s: s.scatter_gather([(Maker.square, threading.Lock())]), NotSerializable, "call of maker.square"),
]


def test_what_is_wrong_with_a_call_is_told_at_the_call(system: ActorSystem) -> None:
    """G2: and nothing is left running."""
    for call, error, text in BAD:
        with pytest.raises(error, match=text):
            call(system)
    ends(system)


def test_a_future_of_another_system_is_refused(system: ActorSystem) -> None:
    """G2: its task is unknown here; what was handed in before is cancelled."""
    with ActorSystem({Maker: 1}, config=CONFIG) as other:
        stranger = other.submit(Maker.square, 2)
        with pytest.raises(ConfigError, match="another system"):
            system.scatter_gather([(Maker.endless,), (Maker.square, stranger)])
    ends(system)


def test_a_failed_dependency_that_was_asked_for_is_the_error(system: ActorSystem) -> None:
    """G2, D3: options hold for the parts."""
    broken = system.submit(Maker.refuse, 1)
    with pytest.raises(DependencyFailed):
        system.options(after=[broken]).map_reduce(Maker.square, [1, 2], sum).result(LIMIT)


def test_a_system_that_is_closed_takes_no_strategy() -> None:
    """G2: as with `submit`."""
    system = ActorSystem({Maker: 1}, config=CONFIG).start()
    system.shutdown()
    with pytest.raises(SystemClosed):
        system.race([(Maker.square, 1)])
