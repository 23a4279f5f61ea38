"""What happens during a review, gathered from events: the spans of its timeline and how its agents stand."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from actors.protocol.events import (
    AgentRegistered,
    AgentStateChanged,
    AgentTerminated,
    Event,
    TaskCancelledEvent,
    TaskCompleted,
    TaskFailed,
    TaskProgressed,
    TaskRetried,
    TaskStarted,
)
from actors.review.timeline import RunTimeline, Span

__all__ = ["AgentView", "Recorder"]

_ENDS: dict[type[Event], Any] = {
    TaskCompleted: "completed",
    TaskFailed: "failed",
    TaskCancelledEvent: "cancelled",
    TaskRetried: "retried",
}


@dataclass(frozen=True, slots=True)
class AgentView:
    """How an agent stands.

    Args:
        agent: its id.
        state: one of the nine.
        task, label: id of the task in hand and what it is about; empty without one.
        fraction: how far that has come.
        done: how many tasks it has completed.
    """

    agent: str
    state: str = "initializing"
    task: str = ""
    label: str = ""
    fraction: float = 0.0
    done: int = 0


class Recorder:
    """Hears events and keeps what the timeline and the live view need of them. Safe to use from any thread.

    `labels` are what tasks are about, by their ids; whoever submits a task may add its own at any time.
    """

    KINDS: tuple[type[Event], ...] = (
        TaskStarted,
        TaskProgressed,
        *_ENDS,
        AgentRegistered,
        AgentStateChanged,
        AgentTerminated,
    )

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._begun: dict[tuple[str, int], TaskStarted] = {}
        self._spans: list[Span] = []
        self._ended: set[str] = set()
        self._agents: dict[str, AgentView] = {}
        self.labels: dict[str, str] = {}

    def hear(self, event: Event) -> None:
        """Take an event of one of the `KINDS`."""
        with self._changed:
            if isinstance(event, TaskStarted):
                self._begun[event.task_id, event.attempt] = event
                label = self.labels.get(event.task_id, "")
                self._update(event.agent, state="working", task=event.task_id, label=label or event.name, fraction=0.0)
            elif isinstance(event, TaskProgressed):
                self._update(event.agent, fraction=event.fraction)
            elif isinstance(event, TaskCompleted | TaskFailed | TaskCancelledEvent | TaskRetried):
                self._end(event)
            elif isinstance(event, AgentTerminated):
                self._agents.pop(event.agent, None)
            elif isinstance(event, AgentRegistered):
                self._update(event.agent, state="idle", task="", label="", fraction=0.0)
            elif isinstance(event, AgentStateChanged) and not self._is_late(event):
                self._update(event.agent, state=event.state)

    def _is_late(self, event: AgentStateChanged) -> bool:
        """Tasks and states are told on two ways: the steps from one task to the next may come after its start."""
        view = self._agents.get(event.agent)
        return view is not None and bool(view.task) and event.state in {"completing", "idle", "assigned"}

    def _end(self, event: TaskCompleted | TaskFailed | TaskCancelledEvent | TaskRetried) -> None:
        begun = self._begun.pop((event.task_id, event.attempt), None)
        if not isinstance(event, TaskRetried):
            self._ended.add(event.task_id)
            self._changed.notify_all()
        agent = event.agent or (begun.agent if begun is not None else None)
        if agent is None:
            # It never ran: it was cancelled, or something that it depends on failed.
            return
        seconds = event.seconds if isinstance(event, TaskCompleted) else 0.0
        start = begun.time if begun is not None else event.time - seconds
        self._spans.append(
            Span(
                agent=agent,
                task=event.task_id,
                kind=event.name,
                start=start,
                end=max(start, event.time),
                status=_ENDS[type(event)],
                label=self.labels.get(event.task_id, ""),
            )
        )
        view = self._agents.get(agent)
        if view is not None:
            done = view.done + isinstance(event, TaskCompleted)
            view = replace(view, done=done)
            if view.task == event.task_id:
                state = "idle" if view.state == "working" else view.state
                view = replace(view, state=state, task="", label="", fraction=0.0)
            self._agents[agent] = view

    def _update(self, agent: str | None, **values: Any) -> None:
        if agent:
            self._agents[agent] = replace(self._agents.get(agent, AgentView(agent)), **values)

    def agents(self) -> tuple[AgentView, ...]:
        """How the agents stand now, by their ids."""
        with self._changed:
            views = self._agents.values()
        return tuple(sorted(views, key=lambda view: (view.agent.rpartition("-")[0], len(view.agent), view.agent)))

    def wait_for(self, tasks: Collection[str], timeout: float) -> bool:
        """Wait until the ends of these tasks have been heard: futures know them a little earlier than events tell.

        Args:
            tasks: ids.
            timeout: seconds.

        Returns:
            Whether all have.
        """
        wanted = set(tasks)
        with self._changed:
            return self._changed.wait_for(lambda: wanted <= self._ended, timeout)

    def timeline(self, started: float) -> RunTimeline:
        """The run until now; what has begun and not ended is "running".

        Args:
            started: when the run began, in UTC seconds.
        """
        now = time.time()
        with self._changed:
            running = [
                Span(
                    agent=begun.agent or "",
                    task=begun.task_id,
                    kind=begun.name,
                    start=begun.time,
                    end=max(now, begun.time),
                    status="running",
                    label=self.labels.get(begun.task_id, ""),
                )
                for begun in self._begun.values()
            ]
            return RunTimeline((*self._spans, *running), started, max(now, started))
