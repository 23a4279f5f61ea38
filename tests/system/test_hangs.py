"""A task that hangs is ended within the grace, however it hangs and whoever ends it, and nothing of it is left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product, repeat
from pathlib import Path

import pytest

from actors import ActorSystem, AgentConfig, AgentDied, SystemConfig, TaskCancelled, TaskFuture, TaskTimeout
from tests.system.hangs import HANGS, Hanger
from tests.system.storm import lines
from tests.system.support import LIMIT, alive, gone, wait_for

GRACE = 0.5
LIMIT_OF_TASK = 0.5
LATE = 2.0
"""What is killed is gone, and replaced, within this time."""

TERM_TO_KILL = 2.0
CONFIG = SystemConfig(agent=AgentConfig(grace=GRACE))


class Hanging:
    """A task that hangs in an agent of its own."""

    def __init__(self, system: ActorSystem, how: str, folder: Path, timeout: float | None = None) -> None:
        self.ledger = folder / "ledger"
        self.agent, self.launcher, self.workspace = system.submit(Hanger.workplace).result(LIMIT)
        self.future: TaskFuture[None] = system.options(timeout=timeout).submit(Hanger.hang, how, str(self.ledger))
        # The process itself, and those that it has started where it does.
        self.expected = 2 if how in WITH_OTHERS else 1
        if timeout is None:
            wait_for(lambda: len(lines(self.ledger)) >= self.expected, "the hang")

    def left(self, limit: float) -> list[int]:
        """Which of its processes are not gone in that time."""
        return gone(map(int, lines(self.ledger)), limit)


FAR_GONE = ["in_a_sleep", "in_c_with_the_interpreter", "stopped", "in_a_pool", "beside_a_detached_process"]
"""Hangs that have little in common."""

WITH_OTHERS = {
    "for_a_grandchild_with_the_pipes",
    "for_a_fork",
    "in_both_halves_of_a_fork",
    "for_a_process",
    "for_a_spawned_process",
    "in_a_pool",
    "without_its_resource_tracker",
    "beside_a_detached_process",
}


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What is promised to take no longer."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < seconds, f"{took:.2f} s instead of {seconds:.2f} s at most"


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    running = ActorSystem({Hanger: 1}, config=CONFIG).start()
    try:
        yield running
    finally:
        running.shutdown(cancel_tasks=True, timeout=GRACE)


def end(system: ActorSystem) -> None:
    """Shut down, as quickly as that is promised."""
    with within(GRACE + GRACE + TERM_TO_KILL + LATE):
        system.shutdown(cancel_tasks=True, timeout=GRACE)


SLOW = {
    "in_python",
    "in_a_read",
    "in_a_file_lock",
    "in_a_regular_expression",
    "in_a_power",
    "for_a_fork",
    "behind_a_fork_that_exits",
    "for_a_process",
    "for_a_spawned_process",
}
"""Hangs that have much in common with another one."""

EACH = [pytest.param(how, marks=pytest.mark.slow) if how in SLOW else how for how in HANGS]
# Whoever ends a hang, it is ended in the same way: these stand for the others.
FEW = [how if how in FAR_GONE else pytest.param(how, marks=pytest.mark.slow) for how in HANGS]


@pytest.mark.parametrize("how", EACH)
def test_a_hang_ends_at_its_time_limit(system: ActorSystem, how: str, tmp_path: Path) -> None:
    """D5: interrupted, or killed with all that belongs to it; the agent takes the next task."""
    hanging = Hanging(system, how, tmp_path, timeout=LIMIT_OF_TASK)
    with within(LIMIT_OF_TASK + GRACE + LATE):
        error = hanging.future.exception(LIMIT)
    assert isinstance(error, TaskTimeout), error
    agent, _, workspace = system.submit(Hanger.workplace).result(LIMIT)
    if agent != hanging.agent:
        assert not hanging.left(LATE)
        assert workspace != hanging.workspace and not os.path.exists(hanging.workspace)
    end(system)
    assert not hanging.left(0) and not os.path.exists(workspace)


@pytest.mark.parametrize("how", FEW)
def test_a_hang_ends_when_it_is_cancelled(system: ActorSystem, how: str, tmp_path: Path) -> None:
    """D6: the future at once, the task within the grace."""
    hanging = Hanging(system, how, tmp_path)
    with within(GRACE + LATE):
        assert hanging.future.cancel("not wanted")
        with pytest.raises(TaskCancelled, match="not wanted"):
            hanging.future.result(0)
        agent, _, workspace = system.submit(Hanger.workplace).result(LIMIT)
    if agent != hanging.agent:
        assert not hanging.left(LATE)
        assert workspace != hanging.workspace and not os.path.exists(hanging.workspace)
    end(system)
    assert not hanging.left(0) and not os.path.exists(workspace)


@pytest.mark.parametrize("how", FEW)
def test_a_hang_does_not_hold_up_the_end_of_the_system(system: ActorSystem, how: str, tmp_path: Path) -> None:
    """A6, F2: its waiters are answered, and nothing is left."""
    hanging = Hanging(system, how, tmp_path)
    end(system)
    with pytest.raises(TaskCancelled, match="shut down"):
        hanging.future.result(0)
    assert not hanging.left(0)
    assert not os.path.exists(hanging.workspace)


# --- what a task leaves that is no process -------------------------------------------------------------------------


@pytest.mark.parametrize("end_of_it", ["in order", "killed", "with the launcher", "terminated"])
def test_named_memory_that_a_task_forgot_is_removed_after_its_agent(system: ActorSystem, end_of_it: str) -> None:
    """A6: multiprocessing's own resource tracker does that, if it is let."""
    agent, launcher, _ = system.submit(Hanger.workplace).result(LIMIT)
    name, tracker = system.submit(Hanger.forget_memory).result(LIMIT)
    memory = Path("/dev/shm", name)
    assert memory.exists() and alive(tracker)
    if end_of_it == "killed":
        os.kill(agent, signal.SIGKILL)
    elif end_of_it == "with the launcher":
        os.kill(launcher, signal.SIGKILL)
    elif end_of_it == "terminated":
        system.terminate("hanger-1", 0)
    else:
        end(system)
    assert not gone([agent, tracker], LATE)
    assert not memory.exists()


# --- the launcher --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "ended"),
    [
        (how, ended) if not at % 4 else pytest.param(how, ended, marks=pytest.mark.slow)
        for at, (how, ended) in enumerate(product(FAR_GONE, ["", "cancelled", "shut down"]))
    ],
)
def test_a_hang_ends_with_the_launcher(system: ActorSystem, how: str, ended: str, tmp_path: Path) -> None:
    """A6, F2: its agents die with it, what they left is found, a new one is started; the error says what happened."""
    hanging = Hanging(system, how, tmp_path)
    if ended == "cancelled":
        assert hanging.future.cancel("not wanted")
    os.kill(hanging.launcher, signal.SIGKILL)
    if ended == "shut down":
        end(system)
        with pytest.raises((TaskCancelled, AgentDied)):
            hanging.future.result(0)
        # They were killed; without the launcher nobody here is the parent who could wait for them.
        assert not hanging.left(LATE) and not os.path.exists(hanging.workspace)
        return
    with within(LATE):
        error = None if ended else hanging.future.exception(LIMIT)
    # A new launcher is a new interpreter, and takes what that takes.
    agent, launcher, _ = system.submit(Hanger.workplace).result(LIMIT)
    if not ended:
        assert isinstance(error, AgentDied) and error.task_id == hanging.future.task_id
        assert "the launcher, parent of all agents, was killed by SIGKILL" in str(error)
    assert agent != hanging.agent and launcher != hanging.launcher
    assert not hanging.left(LATE)
    assert system.healthy()


@pytest.mark.slow
@pytest.mark.parametrize("how", FAR_GONE[1::2])
def test_a_launcher_that_was_stopped_does_not_hold_up_the_end(system: ActorSystem, how: str, tmp_path: Path) -> None:
    """A6: it is killed when its time is over, and its agents with it."""
    hanging = Hanging(system, how, tmp_path)
    os.kill(hanging.launcher, signal.SIGSTOP)
    with within(15):
        system.shutdown(cancel_tasks=True, timeout=GRACE)
    with pytest.raises(TaskCancelled, match="shut down"):
        hanging.future.result(0)
    assert not hanging.left(LATE) and not os.path.exists(hanging.workspace)


def test_plain_callables_have_the_grace_of_their_own_settings() -> None:
    """D5, D6: `callable_agent.grace` is for their agents, `agent.grace` for those of workers."""
    config = SystemConfig(agent=AgentConfig(grace=LIMIT), callable_agent=AgentConfig(grace=GRACE))
    with ActorSystem(config=config) as system:
        # It never lets go of the interpreter.
        error = system.options(timeout=LIMIT_OF_TASK).submit(all, repeat(1)).exception(LIMIT)
    assert isinstance(error, TaskTimeout)
    assert error.ended is not None and f"did not stop within {GRACE:g} s" in error.ended


def test_an_agent_that_is_started_with_a_grace_of_its_own_has_that(tmp_path: Path) -> None:
    """D5, D6: what is said at `spawn` goes before the settings."""
    with ActorSystem([Hanger], config=SystemConfig(agent=AgentConfig(grace=LIMIT))) as system:
        system.spawn(Hanger, AgentConfig(grace=GRACE))
        hanging = Hanging(system, "in_c_with_the_interpreter", tmp_path, LIMIT_OF_TASK)
        error = hanging.future.exception(LIMIT)
    assert isinstance(error, TaskTimeout)
    assert error.ended is not None and f"did not stop within {GRACE:g} s" in error.ended
