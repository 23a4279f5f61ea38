"""What breaks light pools costs one task here: its siblings run on, and so does what comes after it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from actors import (
    ActorSystem,
    AgentConfig,
    AgentDied,
    NotSerializable,
    RemoteError,
    SystemConfig,
    TaskExited,
    TaskFuture,
)
from tests.system import poisons
from tests.system.poisons import Poisoned

LIMIT = 20.0
CONFIG = SystemConfig(agent=AgentConfig(grace=1.0))

Submit = Callable[[ActorSystem], TaskFuture[Any]]


@contextmanager
def siblings(system: ActorSystem, folder: Path) -> Iterator[None]:
    """One task runs beside what is done inside, and others wait; all of them must end well."""
    running, gate = folder / "running", folder / "gate"
    os.mkfifo(running)
    os.mkfifo(gate)
    beside = system.submit(Poisoned.hold, str(running), str(gate))
    assert running.read_text() == "running"
    behind = [system.submit(Poisoned.echo, number) for number in range(12)]
    yield
    after = [system.submit(Poisoned.echo, number) for number in range(12)]
    assert not beside.done()
    assert [future.result(LIMIT) for future in after] == list(range(12))
    gate.write_text("go on")
    assert beside.result(LIMIT) == "go on"
    assert [future.result(LIMIT) for future in behind] == list(range(12))
    # None of those that waited has lost a try to the task that went wrong.
    assert {future.info().attempt for future in (beside, *behind, *after)} == {1}


def outcome(submit: Submit, folder: Path) -> BaseException:
    """The error of a task that goes wrong on a system where others run before, beside and after it."""
    with ActorSystem({Poisoned: 2}, config=CONFIG) as system:
        with siblings(system, folder):
            error = submit(system).exception(LIMIT)
            assert error is not None
        assert len(system.agents()) == 2
    return error


# --- the agent dies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT, signal.SIGUSR2])
def test_a_task_whose_process_is_killed_costs_itself_only(number: signal.Signals, tmp_path: Path) -> None:
    """D8: the error names the signal, the agent and the task."""
    error = outcome(lambda system: system.submit(Poisoned.kill_itself, int(number)), tmp_path)
    assert isinstance(error, AgentDied)
    assert error.signal == number.name and error.exit_code is None
    assert error.agent_type == "poisoned" and error.task_id is not None and error.attempt == 1
    assert number.name in str(error)


@pytest.mark.parametrize("code", [0, 3])
def test_a_task_that_ends_its_process_costs_itself_only(code: int, tmp_path: Path) -> None:
    """D8: os._exit asks nobody; the error names the code, and 0 is no good end either."""
    error = outcome(lambda system: system.submit(Poisoned.exit_process, code), tmp_path)
    assert isinstance(error, AgentDied)
    assert error.exit_code == code and error.signal is None and error.task_id is not None


def test_a_crash_in_native_code_costs_its_own_task_and_tells_the_native_stack(tmp_path: Path) -> None:
    """D8, H3: the error names SIGSEGV and has what faulthandler wrote."""
    error = outcome(lambda system: system.submit(Poisoned.crash), tmp_path)
    assert isinstance(error, AgentDied)
    assert error.signal == "SIGSEGV"
    assert "SIGSEGV" in str(error) and "string_at" in str(error) and "in crash" in str(error)
    assert any("Segmentation fault" in line for line in error.stderr or ())


def test_a_result_that_kills_the_process_that_writes_it_costs_its_own_task(tmp_path: Path) -> None:
    """D8: the end of the body is not the end of the task."""
    error = outcome(lambda system: system.submit(Poisoned.make, "DiesOnWrite"), tmp_path)
    assert isinstance(error, AgentDied) and error.exit_code == 43 and error.task_id is not None


def test_an_argument_that_kills_the_process_that_reads_it_costs_its_own_task(tmp_path: Path) -> None:
    """D8: neither is its beginning the beginning of the body."""
    error = outcome(lambda system: system.options(retries=0).submit(Poisoned.echo, poisons.DiesOnRead()), tmp_path)
    assert isinstance(error, AgentDied) and error.signal == "SIGKILL" and error.task_id is not None


def test_a_task_whose_agent_dies_again_and_again_ends_with_the_last_death(tmp_path: Path) -> None:
    """D4, A4: it has three more tries after a death, and the agents go on being replaced for the others."""
    count = tmp_path / "count"
    count.write_text("")
    error = outcome(lambda system: system.submit(Poisoned.kill_until, str(count), 9), tmp_path)
    assert isinstance(error, AgentDied) and error.attempt == 4
    assert count.read_text() == "xxxx"


def test_a_task_whose_agent_died_runs_again(tmp_path: Path) -> None:
    """D8: a death is not the task's fault until it has had its tries."""
    count = tmp_path / "count"
    count.write_text("")
    with ActorSystem({Poisoned: 2}, config=CONFIG) as system, siblings(system, tmp_path):
        assert system.submit(Poisoned.kill_until, str(count), 2).result(LIMIT) == 3


# --- the agent lives -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [None, 0, 7, "with a text"])
def test_sys_exit_in_a_task_is_an_outcome_with_its_code(code: object, tmp_path: Path) -> None:
    """Errors: TaskExited, and the agent lives on."""
    error = outcome(lambda system: system.submit(Poisoned.exit, code), tmp_path)
    assert isinstance(error, TaskExited) and error.code == code and error.task_id is not None


@pytest.mark.parametrize("name", ["UnpicklableResult", "RaisesOnWrite", "ExitsOnWrite"])
def test_a_result_that_cannot_be_written_is_an_error_that_says_so(name: str, tmp_path: Path) -> None:
    """D8: whatever its pickling raises."""
    error = outcome(lambda system: system.submit(Poisoned.make, name), tmp_path)
    assert isinstance(error, NotSerializable)
    assert error.what is not None and "result" in error.what
    assert {"UnpicklableResult": "lock", "RaisesOnWrite": "not to be written", "ExitsOnWrite": "41"}[name] in str(error)


@pytest.mark.parametrize("name", ["RaisesOnRead", "ExitsOnRead"])
def test_a_result_that_cannot_be_read_fails_in_the_program_for_its_reader_alone(name: str, tmp_path: Path) -> None:
    """D8: the program lives through what the value's own code raises, SystemExit too."""
    error = outcome(lambda system: system.submit(Poisoned.make, name), tmp_path)
    assert isinstance(error, NotSerializable)
    assert {"RaisesOnRead": "not to be read", "ExitsOnRead": "SystemExit"}[name] in str(error)


@pytest.mark.parametrize("value", [poisons.RaisesOnRead(), poisons.ExitsOnRead()])
def test_an_argument_that_cannot_be_read_fails_its_task(value: object, tmp_path: Path) -> None:
    """D8: bodies are read lazily and guarded."""
    error = outcome(lambda system: system.submit(Poisoned.echo, value), tmp_path)
    assert isinstance(error, NotSerializable)


@pytest.mark.parametrize("value", [poisons.UnpicklableResult(), poisons.RaisesOnWrite(), poisons.ExitsOnWrite()])
def test_an_argument_that_cannot_be_written_is_refused_at_submission(value: object, tmp_path: Path) -> None:
    """Work: unpicklable arguments raise in `submit`, and the error names the argument."""
    with ActorSystem({Poisoned: 2}, config=CONFIG) as system, siblings(system, tmp_path):
        with pytest.raises(NotSerializable, match="echo") as caught:
            system.submit(Poisoned.echo, value)
        assert "argument 1" in str(caught.value)
        with pytest.raises(NotSerializable, match="echo") as caught:
            system.submit(Poisoned.echo, value=[1, {"key": value}])
        assert "value" in str(caught.value) and "[1]['key']" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("needs two", "tests.system.poisons.NeedsTwo", "this and that"),
        ("holds a lock", "tests.system.poisons.HoldsALock", "holds a lock"),
        ("exits", "tests.system.poisons.ExitsWhenRebuilt", "exits"),
    ],
)
def test_an_exception_that_cannot_travel_arrives_with_name_text_and_traceback(
    text: str, name: str, told: str, tmp_path: Path
) -> None:
    """Errors: RemoteError stands for it."""
    error = outcome(lambda system: system.submit(Poisoned.fail, text), tmp_path)
    assert isinstance(error, RemoteError)
    assert error.type_name == name and error.text == told
    assert error.traceback is not None and "in boom" in error.traceback and "in fail" in error.traceback


def test_an_exception_of_a_class_that_only_the_agent_has_arrives_all_the_same(tmp_path: Path) -> None:
    """Errors: a local class travels by value."""
    error = outcome(lambda system: system.submit(Poisoned.fail, "local"), tmp_path)
    assert type(error).__name__ == "Local" and error.args == ("local",)
    assert "in boom" in str(error.__cause__)
