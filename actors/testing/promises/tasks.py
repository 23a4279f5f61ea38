"""What happens to a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.protocol.states import TaskStatus
from actors.testing.promises.invariant import SLACK, Invariant
from actors.testing.promises.observed import Observed

if TYPE_CHECKING:
    from actors.core.task import Task
    from actors.hosts.attempt import Attempt
    from actors.testing.sim.agent import SimAgent

__all__ = [
    "DependenciesFirst",
    "OneAgentPerTask",
    "RetriesAreBounded",
    "RightAgent",
    "TasksMoveLegally",
    "TimeLimitsHold",
]

# From one end of the scheduler's turn to the next a task may have made several moves.
_TASK_WAYS = {
    TaskStatus.PENDING: set(TaskStatus),
    TaskStatus.ASSIGNED: set(TaskStatus),
    TaskStatus.IN_PROGRESS: set(TaskStatus),
    TaskStatus.COMPLETED: {TaskStatus.COMPLETED},
    TaskStatus.FAILED: {TaskStatus.FAILED},
    TaskStatus.CANCELLED: {TaskStatus.CANCELLED},
}

_LAST = (TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED)


class TasksMoveLegally(Invariant):
    """See `statement`."""

    requirement = "D8"
    statement = "a task that has its outcome keeps it, and whoever waits for it is told"

    def __init__(self, sim: Observed) -> None:
        super().__init__(sim)
        self._statuses: dict[int, TaskStatus] = {}
        self._handles: dict[int, Any] = {}

    def after_schedule(self) -> None:
        """Compare with the turn before."""
        statuses, handles = self._statuses, self._handles
        for task in self.sim.engine.tasks():
            before = statuses.get(task.number, TaskStatus.PENDING)
            if task.status is not before:
                if task.status not in _TASK_WAYS[before]:
                    self.broken(f"{task.id} was {before} and is {task.status}")
                statuses[task.number] = task.status
                self.sim.record_task(task.id, str(before), str(task.status))
            elif before in _LAST and task.number not in handles:
                # Its future was seen to be done.
                continue
            if task.handle is not None:
                handles[task.number] = task.handle
            if task.status in _LAST:
                self._check_told(task, handles.pop(task.number, None))

    def _is_held(self, task: Task) -> bool:
        """Whether its outcome has to wait for the journal."""
        keeper = self.sim.state_of("scheduler").keeper
        return keeper is not None and keeper.holds(task.number)

    def _check_told(self, task: Task, handle: Any) -> None:
        done = getattr(handle, "done", None)
        if done is not None and not done() and not self._is_held(task):
            self.broken(f"{task.id} is {task.status}, and its future is not done")


class OneAgentPerTask(Invariant):
    """See `statement`."""

    requirement = "D8"
    statement = "an attempt begins once, with a number above all before, and no two agents that live run one task"

    def __init__(self, sim: Observed) -> None:
        super().__init__(sim)
        self._last: dict[int, int] = {}
        self._running: dict[int, SimAgent] = {}

    def body_begins(self, agent: SimAgent, attempt: Attempt) -> None:
        """Compare with what began before."""
        last = self._last.get(attempt.number, 0)
        if attempt.attempt <= last:
            self.broken(f"attempt {attempt.attempt} of {attempt.task_id} begins at {agent.name}, after attempt {last}")
        other = self._running.get(attempt.number)
        if other is not None and not other.dead:
            self.broken(f"{attempt.task_id} begins at {agent.name} while it runs at {other.name}")
        self._last[attempt.number] = attempt.attempt
        self._running[attempt.number] = agent

    def body_ends(self, agent: SimAgent, attempt: Attempt) -> None:
        """Forget where it ran."""
        if self._running.get(attempt.number) is agent:
            del self._running[attempt.number]


class DependenciesFirst(Invariant):
    """See `statement`."""

    requirement = "D3"
    statement = "a task begins after all of its dependencies have completed"

    def body_begins(self, agent: SimAgent, attempt: Attempt) -> None:
        """Look at what it depends on."""
        task = self.sim.engine.task(attempt.number)
        for number in task.after if task is not None else ():
            before = self.sim.engine.task(number)
            if before is not None and before.status is not TaskStatus.COMPLETED:
                self.broken(f"{attempt.task_id} begins at {agent.name}, and {before.id} is {before.status}")


class RightAgent(Invariant):
    """See `statement`."""

    requirement = "C3"
    statement = "a task runs at an agent of its type with all capabilities that it requires"

    def body_begins(self, agent: SimAgent, attempt: Attempt) -> None:
        """Compare needs and agent."""
        task = self.sim.engine.task(attempt.number)
        if task is None:
            return
        needs = task.kind.needs
        if needs.agent_type is not None and needs.agent_type != agent.spec.type:
            self.broken(f"{task.id} needs an agent of type {needs.agent_type} and begins at {agent.name}")
        missing = needs.requires - set(agent.spec.capabilities)
        if missing:
            self.broken(f"{task.id} begins at {agent.name}, which cannot {', '.join(sorted(missing))}")


class RetriesAreBounded(Invariant):
    """See `statement`."""

    requirement = "D4"
    statement = "a task begins once, and once more for each repetition that it is allowed"

    def __init__(self, sim: Observed) -> None:
        super().__init__(sim)
        self._begun: dict[int, int] = {}

    def body_begins(self, agent: SimAgent, attempt: Attempt) -> None:
        """Count."""
        task = self.sim.engine.task(attempt.number)
        if task is None:
            return
        begun = self._begun[task.number] = self._begun.get(task.number, 0) + 1
        # `spared`: it was done, and only its result was lost with its agent.
        allowed = 1 + max(task.kind.retries, task.kind.error_retries) + task.spared
        if not task.kind.idempotent and task.kind.error_retries == 0:
            allowed = 1
        if begun > allowed:
            self.broken(f"{task.id} begins for the {begun}. time, and may {allowed} times")
        if task.status is TaskStatus.CANCELLED and task.assigned is None:
            self.broken(f"{task.id} begins at {agent.name}, and was cancelled before it was assigned")


class TimeLimitsHold(Invariant):
    """See `statement`."""

    requirement = "D5"
    statement = "a body is over, or its agent dead, a grace after its time limit"

    def body_begins(self, agent: SimAgent, attempt: Attempt) -> None:
        """Look again when it must be over."""
        if attempt.timeout is None:
            return
        most = attempt.timeout + agent.spec.grace + SLACK + self.sim.longest_delay

        def look() -> None:
            if not agent.dead and not attempt.ended:
                self.broken(
                    f"{attempt.task_id} still runs at {agent.name} {most:g} s after its start, of {attempt.timeout:g}",
                )

        self.sim.conductor.after(most, look)
