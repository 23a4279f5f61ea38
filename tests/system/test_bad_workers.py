"""Workers that cannot be started or do not stop as they should: one clear error, and the system goes on."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from actors import (
    ActorSystem,
    AgentConfig,
    AgentDied,
    ConfigError,
    NoSuitableAgent,
    NotSerializable,
    SystemConfig,
    Worker,
    task,
)
from tests.system import misfits
from tests.system.misfits import Misfit

LIMIT = 30.0
CONFIG = SystemConfig(
    agent=AgentConfig(grace=1.0, start_timeout=20.0), restart_intensity=1, backoff_first=0.01, backoff_limit=0.05
)


def chain(error: BaseException | None) -> list[BaseException]:
    """An error and its causes."""
    found = []
    while error is not None:
        found.append(error)
        error = error.__cause__
    return found


def start_error(worker: Any, config: SystemConfig = CONFIG) -> list[BaseException]:
    """The chain of errors of a task whose agents cannot be started, on a system where others work."""
    with ActorSystem({worker: 1, Misfit: 1}, config=config) as system:
        agent_type = getattr(worker, "worker", worker)
        futures = [system.submit(agent_type.echo, number) for number in range(3)]
        errors = [future.exception(LIMIT) for future in futures]
        assert all(isinstance(error, NoSuitableAgent) for error in errors)
        assert system.submit(Misfit.echo, "fine").result(LIMIT) == "fine"
        # A later task fails at once; a spawn is a further try.
        assert isinstance(system.submit(agent_type.echo, 1).exception(LIMIT), NoSuitableAgent)
        with pytest.raises(AgentDied) as spawned:
            system.spawn(worker)
        assert {type(each) for each in chain(spawned.value)} >= {AgentDied}
        assert [each.agent_type for each in system.agents()] == ["misfit"]
    return chain(errors[0])


def test_an_on_start_that_raises_fails_the_futures_with_the_user_s_exception() -> None:
    """A2, A3: the chain of the error shows it, with its traceback from the agent."""
    errors = start_error(misfits.FailsToStart)
    assert isinstance(errors[1], AgentDied)
    assert "fails_to_start" in str(errors[0]) and "the table is not there" in str(errors[0])
    assert any(isinstance(error, LookupError) and error.args == ("the table is not there",) for error in errors)
    assert "in on_start" in str(errors[-1])


def test_a_constructor_that_raises_fails_the_futures_in_the_same_way() -> None:
    """A3: as above."""
    errors = start_error(misfits.FailsToConstruct)
    assert any(isinstance(error, ZeroDivisionError) for error in errors)
    assert "in __init__" in str(errors[-1])


def test_an_on_start_that_exits_fails_the_futures() -> None:
    """A3: sys.exit is no way to start."""
    errors = start_error(misfits.ExitsAtStart)
    assert "sys.exit(5)" in str(errors[0]) or "SystemExit" in str(errors[0])


def test_an_on_start_in_which_the_process_dies_fails_the_futures() -> None:
    """A3: the error names the signal."""
    assert "SIGKILL" in str(start_error(misfits.DiesAtStart)[0])


def test_an_on_start_that_hangs_is_ended_at_the_start_timeout() -> None:
    """A4: the error names the setting that says how long it may take."""
    config = CONFIG.merged(SystemConfig(agent=AgentConfig(grace=1.0, start_timeout=0.3)))
    with ActorSystem({misfits.HangsAtStart: 1}, config=config) as system:
        error = system.submit(misfits.HangsAtStart.echo, 1).exception(LIMIT)
        assert isinstance(error, NoSuitableAgent)
        assert "start_timeout" in str(error) and "0.3" in str(error)
        assert system.agents() == []


def test_a_system_ends_although_an_on_start_hangs() -> None:
    """A6: there is no task to wait for, so the agent is not given the time that a task has to finish."""
    with ActorSystem({misfits.HangsAtStart: 1, Misfit: 1}, config=CONFIG) as system:
        future = system.submit(misfits.HangsAtStart.echo, 1)
        assert system.submit(Misfit.echo, "fine").result(LIMIT) == "fine"
        future.cancel()
        began = time.monotonic()
    assert time.monotonic() - began < 10


def test_a_start_that_works_at_last_runs_the_tasks(tmp_path: Path) -> None:
    """F1: restarts within the intensity are no failure."""
    count = tmp_path / "count"
    count.write_text("")
    environment = {"ATTEMPTS": str(count), "PATH": "/usr/bin", "PYTHONPATH": str(Path(__file__).parents[2])}
    config = CONFIG.merged(
        SystemConfig(agent=AgentConfig(grace=1.0, start_timeout=30.0, environment=environment), restart_intensity=5)
    )
    with ActorSystem({misfits.FailsSometimes: 1}, config=config) as system:
        assert system.submit(misfits.FailsSometimes.tries).result(LIMIT) == 3


def test_wrong_constructor_arguments_are_found_before_anything_is_started() -> None:
    """C1: `configured` checks them; those of a configuration fail the start with the TypeError."""
    with pytest.raises(TypeError, match="quality"):
        misfits.Configurable.configured()
    with pytest.raises(TypeError, match="colour"):
        misfits.Configurable.configured(1, colour="red")
    with ActorSystem({misfits.Configurable.configured(3): 1}, config=CONFIG) as system:
        assert system.submit(misfits.Configurable.settings).result(LIMIT) == (3, "none")
        with pytest.raises((AgentDied, TypeError), match="colour"):
            system.spawn(misfits.Configurable, AgentConfig(arguments={"colour": "red"}))
        assert system.submit(misfits.Configurable.settings).result(LIMIT) == (3, "none")


def test_missing_constructor_arguments_fail_the_tasks_with_the_type_error() -> None:
    """C1: a worker that needs arguments, taken without `configured`."""
    with ActorSystem({misfits.Configurable: 1}, config=CONFIG) as system:
        error = system.submit(misfits.Configurable.settings).exception(LIMIT)
        assert "quality" in str(error)
        assert any(isinstance(each, TypeError) for each in chain(error))


def test_constructor_arguments_that_cannot_be_sent_say_so() -> None:
    """C1: the error names them."""
    worker = misfits.Configurable.configured(sys._getframe())
    with ActorSystem({worker: 1}, config=CONFIG) as system:
        error = system.submit(misfits.Configurable.settings).exception(LIMIT)
        assert "constructor arguments of Configurable" in str(error)
        assert any(isinstance(each, NotSerializable) for each in chain(error))
        with pytest.raises((AgentDied, NotSerializable), match="constructor arguments"):
            system.spawn(worker)


def test_a_worker_whose_module_an_agent_cannot_import_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A3: the error names the module; here the program imported it from a folder that is gone since."""
    (tmp_path / "vanishing.py").write_text(
        "from actors import Worker, task\n"
        "class Vanished(Worker):\n"
        "    @task\n"
        "    def echo(self, value):\n"
        "        return value\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import vanishing  # type: ignore[import-not-found]

    (tmp_path / "vanishing.py").unlink()
    for cached in (tmp_path / "__pycache__").glob("*"):
        cached.unlink()
    try:
        errors = start_error(vanishing.Vanished)
        assert "vanishing" in str(errors[0])
        assert any("ModuleNotFoundError" in repr(error) for error in errors)
    finally:
        del sys.modules["vanishing"]


def test_a_local_worker_class_travels_by_value() -> None:
    """J1: also one that a function made, which no process can import."""

    class Local(Worker):
        @task
        def echo(self, value: Any) -> Any:
            return [value, self.agent_id]

    with ActorSystem({Local: 1}, config=CONFIG) as system:
        assert system.submit(Local.echo, 1).result(LIMIT) == [1, "local-1"]


def test_a_class_that_cannot_be_sent_says_so() -> None:
    """C1: the error names the class."""
    frame = sys._getframe()

    class Holds(Worker):
        what = frame

        @task
        def echo(self, value: Any) -> Any:
            return value

    with ActorSystem({Misfit: 1}, config=CONFIG) as system:
        error = system.submit(Holds.echo, 1).exception(LIMIT)
        assert "Holds" in str(error) and any(isinstance(each, NotSerializable) for each in chain(error))
        with pytest.raises((AgentDied, NotSerializable), match="Holds"):
            system.spawn(Holds)
        assert system.submit(Misfit.echo, "fine").result(LIMIT) == "fine"


def test_an_on_stop_that_raises_ends_the_agent_all_the_same(tmp_path: Path) -> None:
    """A6: and neither a task nor the end of the system hears of it but in the log."""
    with ActorSystem({misfits.FailsToStop: 1}, config=CONFIG) as system:
        assert system.submit(misfits.FailsToStop.echo, 1).result(LIMIT) == 1
        system.terminate("fails_to_stop-1")
        assert system.submit(misfits.FailsToStop.echo, 2).result(LIMIT) == 2


def test_two_workers_with_one_agent_type_are_refused() -> None:
    """A1: at the second one's first use, with the names of both."""
    other: Any = type("Misfit", (Worker,), {"echo": task(lambda _self, value: value)})
    with ActorSystem({Misfit: 1}, config=CONFIG) as system:
        for use in (
            lambda: system.submit(other.echo, 1),
            lambda: system.spawn(other),
            lambda: system.scale(other, 2),
        ):
            with pytest.raises(ConfigError, match=r"agent type 'misfit'.*tests.system.misfits.Misfit"):
                use()
        assert system.submit(Misfit.echo, "fine").result(LIMIT) == "fine"
