"""What the submitter is told of a death is enough to mend its cause, without running the task once more."""

from __future__ import annotations

import pickle
import re
import sys
from collections.abc import Iterator

import pytest

from actors import ActorSystem, AgentConfig, AgentDied, LimitExceeded, SystemConfig, TaskTimeout
from actors.errors import RecordedError
from tests.system.deaths import Mortal
from tests.system.support import LIMIT

GRACE = 0.5

OVERFLOWS = pytest.mark.skipif(sys.version_info >= (3, 12), reason="the interpreter raises RecursionError itself")


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    config = SystemConfig(agent=AgentConfig(grace=GRACE), restart_intensity=1000)
    with ActorSystem({Mortal: 2}, config=config) as running:
        yield running


def death(system: ActorSystem, how: str, timeout: float | None = None) -> RecordedError:
    """The error of a task that dies so; it survives a pickle, text and all."""
    future = system.options(timeout=timeout).submit(Mortal.die, how, "a.png", size=64)
    error = future.exception(LIMIT)
    assert isinstance(error, RecordedError), error
    assert error.task_id == future.task_id and error.task_type == "mortal.die" and error.attempt == 1
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.__dict__) == (type(error), str(error), error.__dict__)
    return error


def check(error: RecordedError, how: str, frame: str) -> None:
    """What each of them tells, in one layout."""
    text = str(error)
    head, *lines = text.splitlines()
    assert head == error.headline and len(text) < 6000
    labels = [match[1] for line in lines if (match := re.match(r"  (\w[\w ]*):", line))]
    order = ["task", "arguments", "agent", "its end", "growth", "last moves", "stack", "last lines of its log"]
    order.append("last lines on stderr")
    assert labels == [label for label in order if label in labels]
    assert {"task", "arguments", "agent", "last moves", "last lines of its log"} <= set(labels)
    assert f"  task: mortal.die {error.task_id}, attempt 1, ran for " in text
    assert f"  arguments: ('{how}', 'a.png', size=64)" in text
    assert f"  agent: {error.agent_id}, incarnation {error.incarnation}, pid {error.pid}" in text
    assert "-> assigned -> working" in text
    assert f"    WARNING deaths: about to {how}" in text
    if frame:
        assert error.stack is not None and any(f"in {frame}" in line for line in error.stack), error.stack
        assert not any("/actors/hosts/" in line for line in error.stack)
        assert "  stack:\n" in text
    else:
        assert not error.stack


@pytest.mark.parametrize(
    ("how", "told", "frame"),
    [
        ("kill", ("SIGKILL", None, "not by this program"), ""),
        ("segfault", ("SIGSEGV", None, "invalid memory access"), "by_segfault"),
        ("abort", ("SIGABRT", None, "native code gave up"), "by_abort"),
        pytest.param("overflow", ("SIGSEGV", None, "most likely a stack overflow"), "deeper", marks=OVERFLOWS),
        ("exit", (None, 3, "its code called os._exit(3)"), "by_exit"),
        ("native_exit", (None, 4, "native code called exit(4)"), ""),
    ],
)
def test_a_death_is_told_with_its_cause_and_its_place(
    system: ActorSystem, how: str, told: tuple[str | None, int | None, str], frame: str
) -> None:
    """H3: signal or exit code in words, the task with its arguments, the stack, the last lines."""
    error = death(system, how)
    assert isinstance(error, AgentDied)
    assert (error.signal, error.exit_code) == told[:2]
    assert told[2] in error.headline
    check(error, how, frame)
    assert f"    this is the end: {how}" in str(error)
    assert error.uptime and error.peak_kb and f"at most {error.peak_kb // 1024} MiB resident" in str(error)


def test_a_task_that_crashes_names_the_line_that_did(system: ActorSystem) -> None:
    """H3: the function of the native library, and who called it."""
    stack = death(system, "segfault").stack or ()
    assert "Segmentation fault" in stack[0]
    assert "string_at" in stack[2] and "by_segfault" in stack[3] and "deaths.py" in stack[3]


def test_a_signal_to_end_that_somebody_else_has_sent_is_named(system: ActorSystem) -> None:
    """H3: the agent ended in order, and its task was interrupted where it was."""
    error = death(system, "term")
    assert isinstance(error, AgentDied)
    assert "signal SIGTERM, which this program has not sent" in error.headline
    check(error, "term", "by_term")


@pytest.mark.parametrize(
    ("how", "frame"),
    [
        ("loop", "by_loop"),
        ("sleep", "by_sleep"),
        ("regex", "by_regex"),
        ("power", "by_power"),
        ("swallowing", "by_swallowing"),
    ],
)
def test_a_task_out_of_time_tells_where_it_was(system: ActorSystem, how: str, frame: str) -> None:
    """H3, D5: also where nothing could interrupt it, and in C code that holds the interpreter."""
    error = death(system, how, timeout=0.3)
    assert isinstance(error, TaskTimeout) and error.timeout == 0.3
    assert "longer than its time limit of 0.3 s" in error.headline
    assert error.ran is not None and 0.3 <= error.ran < 0.3 + GRACE + 2
    check(error, how, frame)


def test_a_process_that_was_stopped_cannot_tell_where_it_was(system: ActorSystem) -> None:
    """H3: but it is told that it was stopped."""
    error = death(system, "stop", timeout=0.3)
    assert isinstance(error, TaskTimeout)
    check(error, "stop", "")
    assert "its process was stopped (by SIGSTOP" in str(error)


def test_a_task_over_its_memory_tells_how_it_came_to_that(system: ActorSystem) -> None:
    """H3, E2: the figures, how they grew, and the line that took more."""
    error = death(system, "memory")
    assert isinstance(error, LimitExceeded)
    assert error.limit == "memory" and error.figure is not None and error.allowed == 200 << 20
    assert re.search(r"over the limit of memory: \d+ MiB of 200 MiB allowed", error.headline)
    assert error.growth and all(ago > 0 and figure < error.figure for ago, figure in error.growth)
    assert re.search(r"  growth: \d+ MiB \d\.\d\d s before", str(error))
    check(error, "memory", "by_memory")


@pytest.mark.parametrize(("how", "timeout"), [("segfault", None), ("memory", None), ("loop", 0.3), ("power", 0.3)])
def test_what_a_sub_task_died_of_arrives_unchanged(system: ActorSystem, how: str, timeout: float | None) -> None:
    """H3: the record passes through the task that waited for it."""
    error = system.submit(Mortal.have_it_die, how, timeout).exception(LIMIT)
    assert isinstance(error, RecordedError)
    assert error.task_type == "mortal.die" and error.arguments == f"('{how}', 'below', path='/data')"
    assert error.arguments in str(error) and f"in by_{how}" in str(error)


def test_the_task_after_one_that_is_killed_at_the_last_moment_is_not_blamed(system: ActorSystem) -> None:
    """D8: tasks that wait in an agent that is killed for another's sake lose nothing."""
    late = system.options(timeout=0.3).submit(Mortal.die, "power")
    waiting = [system.options(retries=0).submit(Mortal.quick) for _ in range(10)]
    assert [future.exception(LIMIT) for future in waiting] == [None] * 10
    assert isinstance(late.exception(LIMIT), TaskTimeout)
