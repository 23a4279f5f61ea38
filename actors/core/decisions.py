"""What the scheduler's mind decides, for its shell to carry out in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from actors.core.task import Task
    from actors.protocol.events import Event
    from actors.protocol.messages import CancellationCause

__all__ = ["Assign", "Decision", "Interrupt", "Kill", "Look", "Publish", "Recall", "Resolve", "Retire", "Spawn"]


class Assign(NamedTuple):
    """Send the task to the agent. The items of one agent in one turn make one message, in their order.

    `nested`: the agent is to run it inside its task that waits. The results of what the task depends on are in
    `task.results`.
    """

    agent: str
    incarnation: int
    task: Task
    attempt: int
    nested: bool


class Recall(NamedTuple):
    """Ask the agent to give back these tasks, (number, attempt) each, and tell `Engine.recalled` what it gave."""

    agent: str
    incarnation: int
    tasks: tuple[tuple[int, int], ...]


class Interrupt(NamedTuple):
    """Tell the agent to interrupt the task if it runs, or to drop it if it waits; its result ends the matter."""

    agent: str
    incarnation: int
    number: int
    attempt: int
    cause: CancellationCause
    reason: str


class Look(NamedTuple):
    """Read the agent's status block and tell `Engine.observed` what runs there since when."""

    agent: str
    incarnation: int


class Kill(NamedTuple):
    """End the agent's process at once; `Engine.agent_gone` follows when it is dead."""

    agent: str
    incarnation: int
    reason: str


class Resolve(NamedTuple):
    """The task has its outcome: answer whoever waits for it. Exactly once for each task."""

    task: Task


class Spawn(NamedTuple):
    """Start an agent of the type. It is counted as starting already; `Engine.spawn_failed` takes that back.

    `order` is what the shell ties to a request of its own; None if the engine wants the agent.
    """

    agent_type: str
    job: str | None
    order: Any = None


class Retire(NamedTuple):
    """End the agent in order: it is idle and not needed, or its place is needed for another type."""

    agent: str
    incarnation: int


class Publish(NamedTuple):
    """Hand the event to its subscribers."""

    event: Event


Decision: TypeAlias = Assign | Recall | Interrupt | Look | Kill | Resolve | Spawn | Retire | Publish
