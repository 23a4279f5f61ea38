"""Tasks that do what tasks should not: each gets one outcome, and the system takes more work."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import (
    ActorSystem,
    AgentDied,
    Event,
    TaskCancelled,
    TaskCompleted,
    TaskExited,
    TaskFuture,
    TaskTimeout,
)
from tests.system.misfits import BadHandlers, Coroutines, Inner, Misfit, Ring
from tests.system.shared import CONFIG, LIMIT, shared_system


@pytest.fixture(scope="module")
def system() -> Iterator[ActorSystem]:
    """One for the tests that cost no agent."""
    with shared_system({Misfit: 2, Coroutines: 1}) as running:
        yield running


@pytest.fixture
def own() -> Iterator[ActorSystem]:
    """One for each test that may cost an agent."""
    with ActorSystem({Misfit: 1}, config=CONFIG) as running:
        yield running


def goes_on(system: ActorSystem) -> bool:
    return system.submit(Misfit.echo, "still here").result(LIMIT) == "still here"


class Held:
    """A task that runs until it is let go."""

    def __init__(self, system: ActorSystem, folder: Path) -> None:
        self._running, self._gate = folder / "running", folder / "gate"
        os.mkfifo(self._running)
        os.mkfifo(self._gate)
        self.future = system.submit(Misfit.hold, str(self._running), str(self._gate))
        assert self._running.read_text() == "running"

    def let_go(self) -> None:
        self._gate.write_text("go on")


def started(folder: Path, submit: Callable[[str], TaskFuture[Any]]) -> TaskFuture[Any]:
    """Submit a task that tells through a FIFO that it runs, and wait for that."""
    os.mkfifo(folder / "started")
    future = submit(str(folder / "started"))
    assert (folder / "started").read_text() == "running"
    return future


# --- streams and descriptors ---------------------------------------------------------------------------------------


def test_a_task_may_print_and_write_garbage_to_its_standard_output(own: ActorSystem) -> None:
    """Bad input: the inherited stdout is nobody's channel."""
    garbage = bytes(range(256)) * 100
    for _ in range(3):
        assert own.submit(Misfit.talk, garbage).result(LIMIT) == "said"
    assert goes_on(own)


def test_a_task_that_reads_its_standard_input_gets_its_end(own: ActorSystem) -> None:
    """Hosts: standard input is closed."""
    assert own.submit(Misfit.read_input).result(LIMIT) == ("", b"")
    assert goes_on(own)


def test_a_task_may_close_the_standard_descriptors(own: ActorSystem, tmp_path: Path) -> None:
    """Bad input: what is opened next takes their numbers, and harms nothing."""
    (tmp_path / "file").write_text("content")
    assert own.submit(Misfit.close_standard).result(LIMIT) == "closed"
    assert own.submit(Misfit.open_file, str(tmp_path / "file")).result(LIMIT) == "content"
    assert own.submit(Misfit.talk, b"x").exception(LIMIT) is not None
    assert goes_on(own)


# --- threads and processes -----------------------------------------------------------------------------------------


def test_threads_that_never_end_keep_no_agent_alive() -> None:
    """A6: the agent ends in order with them, and its process is gone."""
    began = time.monotonic()
    with ActorSystem({Misfit: 1}, config=CONFIG) as system:
        assert system.submit(Misfit.start_threads, 5).result(LIMIT) >= 6
        assert goes_on(system)
        pid = system.submit(Misfit.pid).result(LIMIT)
    assert not os.path.exists(f"/proc/{pid}")
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("how", ["return", "raise", "sys.exit", "os._exit", "stay"])
def test_a_fork_in_a_task_harms_neither_the_task_nor_the_agent(how: str) -> None:
    """D8: the task has one outcome, that of the process it was given to; the child goes with the agent at the latest."""
    with ActorSystem({Misfit: 1}, config=CONFIG) as system:
        heard: list[Any] = []
        with system.subscribe(TaskCompleted, heard.append):
            child = system.submit(Misfit.fork, how).result(LIMIT)
            assert child > 0
            for number in range(20):
                assert system.submit(Misfit.echo, number).result(LIMIT) == number
            assert goes_on(system)
            assert len(system.agents()) == 1 and system.agents()[0].incarnation == 1
    assert not os.path.exists(f"/proc/{child}")


def test_a_signal_to_a_process_that_a_task_forked_is_not_the_agent_s(own: ActorSystem) -> None:
    """A6: the copy has no share in what the agent listens to."""
    pid = own.submit(Misfit.pid).result(LIMIT)
    for _ in range(3):
        assert own.submit(Misfit.terminate_a_process_of_its_own).result(LIMIT) == -signal.SIGTERM
    assert own.submit(Misfit.pid).result(LIMIT) == pid


def test_what_waits_at_the_exit_does_not_hold_up_the_end() -> None:
    """A6: exit functions have the grace, and no more."""
    with ActorSystem({Misfit: 1}, config=CONFIG) as system:
        child = system.submit(Misfit.leave_a_process_behind).result(LIMIT)
        began = time.monotonic()
    assert time.monotonic() - began < 15
    assert not os.path.exists(f"/proc/{child}")


# --- what belongs to the process -----------------------------------------------------------------------------------


def test_a_task_may_change_the_working_directory(own: ActorSystem, tmp_path: Path) -> None:
    """Bad input: the directory may even be removed afterwards."""
    gone = tmp_path / "gone"
    gone.mkdir()
    assert own.submit(Misfit.change_directory, str(gone)).result(LIMIT) == str(gone)
    gone.rmdir()
    assert goes_on(own)


def test_a_task_that_takes_all_signals_can_still_be_ended(own: ActorSystem, tmp_path: Path) -> None:
    """D5: if the interruption does not reach it, the kill does."""
    assert own.submit(Misfit.set_handlers).result(LIMIT) == "taken"
    assert goes_on(own)
    future = own.options(timeout=0.2, retries=0).submit(Misfit.wait_for_long, os.devnull)
    assert isinstance(future.exception(LIMIT), TaskTimeout)
    assert goes_on(own)


def test_a_task_may_use_the_alarm(own: ActorSystem) -> None:
    """Bad input: SIGALRM is the task's own; without a handler it ends the process, and the error names it."""
    assert own.submit(Misfit.alarm).result(LIMIT) == "SIGALRM"
    assert goes_on(own)
    with ActorSystem({Misfit: 1}, config=CONFIG) as system:
        error = system.submit(Misfit.alarm_without_handler).exception(LIMIT)
        assert isinstance(error, AgentDied) and error.signal == "SIGALRM"
        assert goes_on(system)


def test_a_hang_in_native_code_is_killed_at_the_time_limit(own: ActorSystem, tmp_path: Path) -> None:
    """D5: no interruption reaches code that holds the interpreter."""
    future = started(tmp_path, lambda path: own.options(timeout=0.3, retries=0).submit(Misfit.hang_in_c, path))
    assert isinstance(future.exception(LIMIT), TaskTimeout)
    assert goes_on(own)


def test_a_hang_in_native_code_can_be_cancelled(own: ActorSystem, tmp_path: Path) -> None:
    """D6: the future is cancelled at once, and the slot is free after the kill."""
    future = started(tmp_path, lambda path: own.submit(Misfit.hang_in_c, path))
    assert future.cancel("no longer wanted")
    with pytest.raises(TaskCancelled, match="no longer wanted"):
        future.result(LIMIT)
    assert goes_on(own)


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt("from a task"), GeneratorExit("odd"), StopIteration(5), MemoryError("too much")]
)
def test_what_no_task_should_raise_is_its_outcome_all_the_same(system: ActorSystem, error: BaseException) -> None:
    """Errors: the user's own exception arrives as itself; only sys.exit has an error of its own."""
    found = system.submit(Misfit.fail, error).exception(LIMIT)
    assert type(found) is type(error) and found.args == error.args
    with pytest.raises(type(error)):
        system.submit(Misfit.fail, error).result(LIMIT)
    assert goes_on(system)


def test_an_exit_inside_a_map_costs_its_item(system: ActorSystem) -> None:
    """D8: SystemExit as an item's outcome ends nothing in the program."""
    results = system.map(Misfit.fail, [ValueError("one"), SystemExit(3), ValueError("two")])
    found = []
    for _ in range(3):
        with pytest.raises((ValueError, TaskExited)) as caught:
            next(results)
        found.append(caught.type)
    assert found == [ValueError, TaskExited, ValueError]
    assert goes_on(system)


def test_a_recursion_error_is_an_outcome(system: ActorSystem) -> None:
    """D8: and a deep stack that just fits is none."""
    assert isinstance(system.submit(Misfit.recurse, 100_000).exception(LIMIT), RecursionError)
    assert system.submit(Misfit.recurse, 500).result(LIMIT) == 500
    assert goes_on(system)


def test_a_deeply_nested_argument_is_refused_or_arrives(system: ActorSystem) -> None:
    """Work: pickle recurses; whatever it makes of the value is an error at submission, and no crash."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Exception, match=r"recursion|nested|deep"):
        system.submit(Misfit.echo, deep)
    assert goes_on(system)


def test_a_worker_may_overwrite_what_it_inherits(own: ActorSystem) -> None:
    """Bad input: an attribute of its own instance is its own affair."""
    assert own.submit(Misfit.set_own_state).result(LIMIT) == "other"
    assert goes_on(own)


def test_huge_arguments_and_results_go_through_memory() -> None:
    """B: 100 MB in and out."""
    with ActorSystem({Misfit: 1}, config=CONFIG) as system:
        huge = os.urandom(1000) * 100_000
        assert system.submit(Misfit.echo, huge).result(LIMIT) == huge
        futures = [system.submit(Misfit.echo, huge[: 20 << 20]) for _ in range(3)]
        assert all(future.result(LIMIT) == huge[: 20 << 20] for future in futures)
        assert goes_on(system)


# --- tasks inside tasks --------------------------------------------------------------------------------------------


def test_a_task_may_submit_and_map(system: ActorSystem) -> None:
    """Inside a task: results, errors and maps of sub-tasks."""
    assert system.submit(Misfit.mapped, [1, 2, 3]).result(LIMIT) == [2, 4, 6]
    assert system.submit(Misfit.sub_error, "below").result(LIMIT) == "caught below"
    error = system.submit(Misfit.sub_exception, "below").exception(LIMIT)
    assert isinstance(error, KeyError) and error.args == ("below",)
    assert goes_on(system)


def test_bad_submissions_inside_a_task_are_refused_there(system: ActorSystem) -> None:
    """Inside a task: the same errors as in the program."""
    found = system.submit(Misfit.bad_submissions).result(LIMIT)
    kinds = {name: text.partition(":")[0] for name, text in found.items()}
    assert kinds == {
        "no callable": "TypeError",
        "no worker": "ConfigError",
        "too few": "TypeError",
        "unknown keyword": "TypeError",
        "unpicklable": "NotSerializable",
        "unknown option": "TypeError",
        "bad option": "ConfigError",
        "too deep": "NotSerializable",
        "empty map": "ValueError",
        "bad chunksize": "ConfigError",
    }
    assert goes_on(system)


def test_recursion_goes_deeper_than_there_are_agents() -> None:
    """Inside a task: waiting for a sub-task gives the slot away; 20 deep on 2 agents."""
    with ActorSystem({Misfit: 2}, max_agents=2, config=CONFIG) as system:
        assert system.submit(Misfit.countdown, 20).result(LIMIT) == 20
        assert goes_on(system)
        assert len(system.agents()) == 2


def test_a_task_may_have_a_system_of_its_own() -> None:
    """Nested systems: also one that forgets to shut it down; it is gone with its agent."""
    with ActorSystem({Misfit: 1}, config=CONFIG) as system:
        assert system.submit(Misfit.nested_system, 21).result(LIMIT) == 42
        assert system.submit(Misfit.nested_forgotten).result(LIMIT) == 8
        assert goes_on(system)


def test_handlers_that_raise_harm_nobody() -> None:
    """B5: in the program they are logged, in an agent too; asks get the exception."""
    with ActorSystem({BadHandlers: 2}, config=CONFIG) as system:
        heard = threading.Event()

        def fails(event: Event) -> None:
            raise ValueError("no ear in the program either")

        def exits(event: Event) -> None:
            raise SystemExit(3)

        system.subscribe(Ring, fails)
        system.subscribe(Ring, exits)
        system.subscribe(Ring, lambda _: heard.set())
        for _ in range(3):
            heard.clear()
            assert system.submit(BadHandlers.ring).result(LIMIT) == "rung"
            assert heard.wait(LIMIT)
        agents = system.agents()
        assert len(agents) == 2 and {each.incarnation for each in agents} == {1}


# --- futures -------------------------------------------------------------------------------------------------------


def test_a_result_that_is_waited_for_too_shortly_comes_later(system: ActorSystem, tmp_path: Path) -> None:
    """TaskFuture: the waiter's own TimeoutError; the task goes on."""
    held = Held(system, tmp_path)
    with pytest.raises(TimeoutError):
        held.future.result(0.01)
    with pytest.raises(TimeoutError):
        held.future.exception(0)
    with pytest.raises(TimeoutError):
        next(system.map(Misfit.wait_for_long, [os.devnull], timeout=0.05))
    held.let_go()
    assert held.future.result(LIMIT) == "go on"
    assert goes_on(system)


def test_a_future_can_be_cancelled_pending_running_and_not_when_done(system: ActorSystem, tmp_path: Path) -> None:
    """D6: each is cancelled at once; one that has its outcome keeps it."""
    running = started(tmp_path, lambda path: system.submit(Misfit.wait_for_long, path))
    dependent = system.submit(Misfit.echo, running)
    pending = system.options(after=[running]).submit(Misfit.echo, 1)
    done = system.submit(Misfit.echo, 5)
    assert done.result(LIMIT) == 5
    assert pending.cancel() and pending.cancelled() and pending.done()
    assert running.cancel() and running.cancelled()
    assert running.cancel()
    assert not done.cancel() and done.result() == 5
    for future in (pending, running):
        with pytest.raises(TaskCancelled):
            future.result(LIMIT)
    error = dependent.exception(LIMIT)
    assert error is not None and running.task_id in str(error)
    assert goes_on(system)


def test_callbacks_that_block_raise_or_exit_harm_nobody(own: ActorSystem, caplog: pytest.LogCaptureFixture) -> None:
    """B5: neither the system nor the other callbacks; what they raise is logged."""
    gate, came = threading.Event(), threading.Event()
    caplog.set_level(logging.CRITICAL, "actors")

    def fails(future: Any) -> None:
        raise ValueError("in a callback")

    def exits(future: Any) -> None:
        raise SystemExit(3)

    blocked = own.submit(Misfit.echo, 1)
    blocked.add_done_callback(lambda _: gate.wait(LIMIT))
    try:
        for wrong in (fails, exits):
            own.submit(Misfit.echo, 2).add_done_callback(wrong)
        last = own.submit(Misfit.echo, 3)
        last.add_done_callback(lambda _: came.set())
        assert last.result(LIMIT) == 3
        assert goes_on(own)
        assert came.wait(LIMIT)
    finally:
        gate.set()
    # Called when it is done already, too.
    came.clear()
    last.add_done_callback(lambda _: came.set())
    assert came.wait(LIMIT)


def test_futures_can_be_awaited() -> None:
    """J1: values, errors, many at once, and a wait that is cancelled cancels the task."""
    with ActorSystem({Misfit: 1, Coroutines: 1}, config=CONFIG) as system:
        asyncio.run(_story(system))
        assert goes_on(system)


async def _story(system: ActorSystem) -> None:
    assert await system.submit(Misfit.echo, 1) == 1
    with pytest.raises(KeyError):
        await system.submit(Misfit.fail, KeyError("x"))
    found = await asyncio.gather(*(_wait(system.submit(Coroutines.double, n)) for n in range(10)))
    assert found == [2 * n for n in range(10)]
    with pytest.raises(TaskExited):
        await system.submit(Misfit.fail, SystemExit(3))
    slow = system.submit(Misfit.wait_for_long, os.devnull)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(_wait(slow), 0.05)
    assert slow.cancelled()
    assert await asyncio.wrap_future(system.submit(Misfit.echo, 2)) == 2


async def _wait(future: TaskFuture[Any]) -> Any:
    return await future


def test_a_killed_agent_between_two_tasks_costs_nothing(own: ActorSystem) -> None:
    """D8: an idle agent that dies is replaced."""
    pid = own.submit(Misfit.pid).result(LIMIT)
    os.kill(pid, signal.SIGKILL)
    assert own.submit(Misfit.pid).result(LIMIT) != pid


def test_a_system_in_a_task_is_refused_with_the_way_to_do_it(own: ActorSystem) -> None:
    """Inside a task: the error names self.submit; the class itself can be used."""
    with pytest.raises(TypeError, match=r"self\.submit"):
        own.submit(Misfit.takes_system, own)
    assert Inner.double.name == "double"
    assert goes_on(own)
