"""Who holds a thing or waits for it."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

__all__ = ["PROGRAM", "Owner", "TaskKey"]

TaskKey: TypeAlias = tuple[str, int, int]
"""Agent, incarnation and number: where a task runs. At most one attempt at it runs there at a time."""

PROGRAM = ""
"""What stands for the agent where the owner is a thread or an asyncio task of the program."""


class Owner(NamedTuple):
    """An attempt at a task, an agent by itself (in a hook or a handler), or a thread or asyncio task of the program.

    Two attempts at one task are two owners, as are two incarnations of one agent: a later one has nothing that an
    earlier one held.

    Attributes:
        agent: its id; `PROGRAM` for the program.
        incarnation: of the agent; 0 for the program.
        number: of the task; 0 for the agent by itself; in the program, which thread or asyncio task.
        attempt: at the task, from 1; 0 where there is no task.
        part: which of its coroutines or threads; 0 is the body itself. What one of them acquired another one may
            release, but each waits by itself.
        name: what texts call it.
    """

    agent: str
    incarnation: int
    number: int
    attempt: int
    part: int
    name: str

    @property
    def whole(self) -> Owner:
        """The owner with all its parts, as its first part stands for it."""
        return self._replace(part=0) if self.part else self

    @property
    def task(self) -> int:
        """The number of the task whose body it is; 0 if it is none."""
        return 0 if self.part or not self.attempt else self.number

    @property
    def key(self) -> TaskKey:
        """Where its task runs."""
        return self.agent, self.incarnation, self.number

    def __str__(self) -> str:
        return self.name
