"""What is gathered from the events of a review."""

from __future__ import annotations

import threading
import time

from actors.protocol.events import (
    AgentRegistered,
    AgentStateChanged,
    AgentTerminated,
    TaskCancelledEvent,
    TaskCompleted,
    TaskFailed,
    TaskProgressed,
    TaskRetried,
    TaskStarted,
)
from actors.review.recorder import Recorder


def started(task: str, time: float, agent: str = "a-1", attempt: int = 1) -> TaskStarted:
    return TaskStarted(task_id=task, name="kind", attempt=attempt, agent=agent, time=time)


def completed(task: str, time: float, agent: str = "a-1", attempt: int = 1) -> TaskCompleted:
    return TaskCompleted(task_id=task, name="kind", attempt=attempt, agent=agent, time=time, seconds=1.0)


def test_each_attempt_is_a_span() -> None:
    """B5: retried, completed, failed, and what still runs."""
    recorder = Recorder()
    recorder.labels["t1"] = "some files"
    recorder.hear(started("t1", 10.0))
    recorder.hear(TaskRetried(task_id="t1", name="kind", attempt=1, agent="a-1", time=11.0, error="x"))
    recorder.hear(started("t1", 12.0, "a-2", 2))
    recorder.hear(completed("t1", 14.0, "a-2", 2))
    recorder.hear(started("t2", 14.0))
    recorder.hear(TaskFailed(task_id="t2", name="kind", attempt=1, agent="a-1", time=15.0))
    recorder.hear(started("t3", 16.0))
    run = recorder.timeline(9.0)
    assert [(s.task, s.agent, s.start, s.status, s.label) for s in run.spans] == [
        ("t1", "a-1", 10.0, "retried", "some files"),
        ("t1", "a-2", 12.0, "completed", "some files"),
        ("t2", "a-1", 14.0, "failed", ""),
        ("t3", "a-1", 16.0, "running", ""),
    ]
    assert run.bounds[0] == 9.0


def test_a_start_that_was_not_heard_is_told_from_the_duration() -> None:
    """B5: events may be dropped; the span is there all the same."""
    recorder = Recorder()
    recorder.hear(completed("t1", 14.0))
    (span,) = recorder.timeline(9.0).spans
    assert (span.start, span.end) == (13.0, 14.0)


def test_a_task_that_never_ran_has_no_span() -> None:
    """B5: cancelled before it had an agent."""
    recorder = Recorder()
    recorder.hear(TaskCancelledEvent(task_id="t1", name="kind"))
    assert recorder.timeline(0.0).spans == ()
    assert recorder.wait_for(["t1"], 0)


def test_agents_stand_as_their_tasks_and_states_tell() -> None:
    """A2: the state of the task in hand goes before late news of the one before it."""
    recorder = Recorder()
    recorder.labels["t1"] = "files"
    recorder.hear(AgentRegistered(agent="a-1"))
    assert [(v.agent, v.state) for v in recorder.agents()] == [("a-1", "idle")]
    recorder.hear(started("t1", 1.0))
    recorder.hear(AgentStateChanged(agent="a-1", state="idle"))
    recorder.hear(TaskProgressed(task_id="t1", attempt=1, agent="a-1", fraction=0.5))
    (view,) = recorder.agents()
    assert (view.state, view.label, view.fraction, view.done) == ("working", "files", 0.5, 0)
    recorder.hear(AgentStateChanged(agent="a-1", state="waiting"))
    assert recorder.agents()[0].state == "waiting"
    recorder.hear(completed("t1", 2.0))
    recorder.hear(AgentStateChanged(agent="a-1", state="idle"))
    (view,) = recorder.agents()
    assert (view.state, view.label, view.done) == ("idle", "", 1)
    recorder.hear(AgentTerminated(agent="a-1"))
    assert recorder.agents() == ()


def test_agents_come_in_natural_order() -> None:
    """C5: a-2 before a-10."""
    recorder = Recorder()
    for number in (10, 2, 1):
        recorder.hear(AgentRegistered(agent=f"a-{number}"))
    assert [view.agent for view in recorder.agents()] == ["a-1", "a-2", "a-10"]


def test_one_can_wait_for_the_ends_of_tasks() -> None:
    """B5: futures know a little earlier than events tell."""
    recorder = Recorder()
    assert not recorder.wait_for(["t1"], 0)
    teller = threading.Thread(target=lambda: recorder.hear(completed("t1", time.time())))
    teller.start()
    assert recorder.wait_for(["t1"], 10)
    teller.join()
