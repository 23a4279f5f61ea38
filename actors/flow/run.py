"""A workflow under way: its plan, carried out by a system of its own, which goes on where an earlier run was."""

from __future__ import annotations

import hashlib
import queue
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from actors.config import SystemConfig
from actors.core.planreport import PlanReport, StepReport
from actors.core.planrun import Begin, PlanRun
from actors.errors import ActorsError
from actors.flow.expression import fill, plain, references
from actors.flow.flow import Flow, FlowTask
from actors.flow.past import Past, forget, once_name
from actors.future import TaskFuture
from actors.protocol.events import (
    Event,
    TaskCancelledEvent,
    TaskCompleted,
    TaskFailed,
    TaskProgressed,
    TaskStarted,
)
from actors.system import ActorSystem

__all__ = ["FlowRun", "Outcome", "Watcher"]

_TICK = 0.2
# A future knows its outcome a little earlier than events tell of it, and the last output comes before that event.
_EVENTS_WAIT = 1.0
_ENDS = (TaskCompleted, TaskFailed, TaskCancelledEvent)
# Somebody who pressed Ctrl-C waits two seconds at most.
_END_TIMEOUT = 0.5


class Watcher(Protocol):
    """Is told how a run goes, in the thread that runs it."""

    def began(self, task: str) -> None:
        """A task was handed in."""

    def started(self, task: str, agent: str) -> None:
        """An agent has begun with a task."""

    def said(self, task: str, text: str) -> None:
        """A task has told of its progress; of a command it is output."""

    def ended(self, report: StepReport, *, resumed: bool) -> None:
        """A task has ended; `resumed`: in an earlier run."""

    def tick(self, ended: int, total: int) -> None:
        """Called a few times a second."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run.

    Args:
        name: of the workflow.
        report: what became of each task.
        resumed: the ids of tasks whose results an earlier run had brought.
        interrupted: whether it was ended before its end.
    """

    name: str
    report: PlanReport
    resumed: frozenset[str]
    interrupted: bool = False

    @property
    def status(self) -> str:
        """One of "completed", "failed" and "interrupted"."""
        if self.interrupted:
            return "interrupted"
        return "failed" if self.report.status == "stopped" else "completed"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, ready for JSON."""
        tasks = {
            step.id: {
                "status": step.status,
                "resumed": step.id in self.resumed,
                "seconds": step.seconds,
                "attempts": step.attempts,
                "error": step.error,
                "result": plain(step.result),
            }
            for step in self.report.steps.values()
        }
        return {
            "format": 1,
            "name": self.name,
            "status": self.status,
            "reason": self.report.reason,
            "seconds": self.report.seconds,
            "tasks": tasks,
        }


class FlowRun:
    """One run of a workflow.

    Args:
        flow: the workflow.
        journal: where accepted tasks and their results are kept, so that the next run goes on where this one was; None
            for nowhere. It is removed when all has been completed.
        watch: is told how it goes.
    """

    def __init__(self, flow: Flow, journal: Path | None, watch: Watcher) -> None:
        self._flow = flow
        self._journal = journal
        self._watch = watch
        # What has happened, in its order: a future that has its outcome, an event; None wakes for an interruption.
        self._news: queue.SimpleQueue[TaskFuture[Any] | Event | None] = queue.SimpleQueue()
        self._futures: dict[TaskFuture[Any], str] = {}
        self._by_task: dict[str, str] = {}
        # The name under which each task has its result.
        self._names: dict[str, str] = {}
        self._submitted: dict[str, str] = {}
        self._tries: dict[str, int] = {}
        self._resumed: set[str] = set()
        # Ends that the watcher is told of with the event, or at this time: by the id of the last attempt's task.
        self._untold: dict[str, float] = {}
        # The ids of tasks of whose end an event has told.
        self._told: set[str] = set()
        self._interrupted = False
        self._digests = {task.id: task.digest() for task in flow.tasks.values()}

    def interrupt(self) -> None:
        """End it soon, from any thread or a signal's handler. With a journal, what runs goes on at the next run."""
        self._interrupted = True
        self._news.put(None)

    def run(self) -> Outcome:
        """Carry it out, to its end or to an interruption.

        Raises:
            ActorsError: the system failed, or its journal cannot be used.
        """
        past = Past(self._journal, self._flow.name)
        self._run = run = PlanRun(self._flow.plan(), time.monotonic())
        system = self._system()
        try:
            system.start()
            stale = past.stale((digest, task) for task, digest in self._digests.items())
            for future in system.recovered():
                if future.task_id in stale:
                    future.cancel("the workflow has no such task any more")
            with system.subscribe([TaskStarted, TaskProgressed, *_ENDS], self._news.put):
                self._carry_out(system, past)
        except BaseException:
            # Nobody waits for what runs when somebody who was told of it cannot go on.
            system.shutdown(wait=False, timeout=_END_TIMEOUT)
            raise
        interrupted = self._interrupted and not run.over
        if interrupted:
            system.shutdown(wait=False, timeout=_END_TIMEOUT)
        else:
            system.shutdown(cancel_tasks=bool(run.stopped))
        report = run.report(time.monotonic())
        outcome = Outcome(self._flow.name, report, frozenset(self._resumed), interrupted=interrupted)
        if outcome.status == "completed" and self._journal is not None:
            forget(self._journal, self._flow.name)
        return outcome

    def _system(self) -> ActorSystem:
        flow = self._flow
        callables: dict[str, Any] = {"callable_agent": {"limits": dict(flow.limits)}} if flow.limits else {}
        return ActorSystem(
            list(flow.workers),
            max_agents=flow.max_agents,
            resources=dict(flow.resources),
            journal=self._journal,
            # Also where it is None: one that the environment names belongs to programs.
            config=SystemConfig.load(journal=None if self._journal is None else str(self._journal), **callables),
        )

    # --- tasks -----------------------------------------------------------------------------------------------------

    def _carry_out(self, system: ActorSystem, past: Past) -> None:
        self._go_on(system, past)
        while (self._futures or self._untold) and not self._interrupted:
            self._watch.tick(self._run.ended, len(self._run))
            self._tell_overdue()
            try:
                news = self._news.get(timeout=_TICK)
            except queue.Empty:
                continue
            if isinstance(news, TaskFuture):
                if news in self._futures:
                    self._has_ended(news)
                    self._go_on(system, past)
            elif news is not None:
                self._heard(news)

    def _go_on(self, system: ActorSystem, past: Past) -> None:
        """Hand in what can begin; when the plan is stopped, cancel what runs."""
        while not self._interrupted and (begun := self._run.begin(time.monotonic())):
            for begin in begun:
                try:
                    future = self._hand_in(system, past, begin)
                except (ActorsError, TypeError, ValueError) as error:
                    self._failed(begin.id, error)
                    continue
                self._run.handed_in(begin.id, future.task_id)
                self._futures[future] = begin.id
                self._by_task[future.task_id] = begin.id
                self._watch.began(begin.id)
                future.add_done_callback(self._news.put)  # type: ignore[arg-type]
        if self._run.stopped:
            futures, self._futures = self._futures, {}
            for future, task in futures.items():
                future.cancel(f"the workflow was stopped: {self._run.stopped}")
                self._run.cancelled(task, time.monotonic())
                self._tell_end(task)

    def _hand_in(self, system: ActorSystem, past: Past, begin: Begin) -> TaskFuture[Any]:
        task, step = self._flow.tasks[begin.id], begin.step
        digest, before = self._digests[begin.id], self._before(task)
        tries = past.tries(digest, before, begin.id) + self._tries.get(begin.id, 0)
        name = once_name(self._flow.name, digest, before, begin.id, tries)
        self._submitted[begin.id] = name
        if past.has_completed(name):
            self._resumed.add(begin.id)
        data = fill(task.step.data, {"tasks": _Results(self._flow, self._run, task)})
        spec = step.spec(data, idempotent=task.idempotent, job=self._flow.name, once=name)
        return system.submit_task(spec)

    def _before(self, task: FlowTask) -> str:
        """What a task comes after, as it ended: other results, and it is other work."""
        ended = [self._names.get(one, "skipped") for one in task.step.needs()]
        return hashlib.sha256("\n".join(ended).encode()).hexdigest()[:16]

    def _has_ended(self, future: TaskFuture[Any]) -> None:
        task = self._futures.pop(future)
        try:
            result = future.result()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what became of the task
            self._failed(task, error)
            return
        self._names[task] = self._submitted[task]
        self._run.completed(task, result, time.monotonic())
        self._tell_end(task)

    def _failed(self, task: str, error: Exception) -> None:
        self._tries[task] = self._tries.get(task, 0) + 1
        self._run.failed(task, error, time.monotonic())
        self._tell_end(task)

    def _tell_end(self, task: str) -> None:
        """A task may have ended for good: tell the watcher, or wait until its last output has been heard."""
        report = self._run.step_report(task, time.monotonic())
        if report.status == "not_started":
            # There is another attempt.
            return
        waits = report.tasks and report.status != "cancelled" and task not in self._resumed
        if waits and report.tasks[-1] not in self._told:
            self._untold[report.tasks[-1]] = time.monotonic() + _EVENTS_WAIT
        else:
            self._watch.ended(report, resumed=task in self._resumed)

    def _tell_overdue(self) -> None:
        now = time.monotonic()
        for task_id in [task_id for task_id, due in self._untold.items() if due <= now]:
            self._tell_now(task_id)

    def _tell_now(self, task_id: str) -> None:
        if self._untold.pop(task_id, None) is not None:
            task = self._by_task[task_id]
            self._watch.ended(self._run.step_report(task, time.monotonic()), resumed=False)

    def _heard(self, event: Event) -> None:
        task = self._by_task.get(getattr(event, "task_id", ""))
        if task is None:
            # Of a sub-task, or of one that has gone on since the start and is not reached yet.
            return
        if isinstance(event, TaskProgressed):
            self._watch.said(task, event.note)
        elif isinstance(event, TaskStarted):
            self._watch.started(task, event.agent or "")
        elif isinstance(event, _ENDS):
            task_id = getattr(event, "task_id", "")
            self._told.add(task_id)
            self._tell_now(task_id)


class _Results(Mapping[str, Any]):
    """What expressions find under `tasks`, each only where the workflow knows that it is there by then."""

    def __init__(self, flow: Flow, run: PlanRun, task: FlowTask) -> None:
        self._flow = flow
        self._run = run
        self._known = {found.way[1] for _, found in references(task.step.data)}

    def __getitem__(self, name: str) -> Any:
        if name in self._flow.tasks:
            return self._of(name)
        members = [self._of(one) for one in self._flow.groups[name]]
        return {key: [one[key] for one in members] for key in ("result", "status")}

    def __iter__(self) -> Any:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def _of(self, task: str) -> dict[str, Any]:
        report = self._run.step_report(task, 0.0)
        return {"result": report.result, "status": report.status}
