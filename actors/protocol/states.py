"""The states of agents and of tasks, their only legal moves, and the machine that enforces them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, IntEnum
from typing import Any, Generic, NamedTuple, TypeVar

from actors.errors import IllegalTransition

__all__ = [
    "AGENT_MOVES",
    "BUSY_ORDER",
    "TASK_MOVES",
    "AgentState",
    "Move",
    "StateMachine",
    "TaskStatus",
    "agent_machine",
]


class AgentState(IntEnum):
    """Where an agent stands. The numbers are what the status block stores."""

    INITIALIZING = 0
    IDLE = 1
    ASSIGNED = 2
    WORKING = 3
    COMMUNICATING = 4
    WAITING = 5
    COMPLETING = 6
    ERROR = 7
    TERMINATING = 8

    def __str__(self) -> str:
        return self.name.lower()


class TaskStatus(Enum):
    """Where a task stands."""

    PENDING = "pending"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    # The members are singletons. Enum's own hash is a Python function, and each task looks a move up several times.
    __hash__ = object.__hash__

    def __str__(self) -> str:
        return self.value

    @property
    def final(self) -> bool:
        """Whether a task in this status has its outcome."""
        return not TASK_MOVES[self]


_A = AgentState
AGENT_MOVES: Mapping[AgentState, frozenset[AgentState]] = {
    _A.INITIALIZING: frozenset({_A.IDLE, _A.ERROR}),
    _A.IDLE: frozenset({_A.ASSIGNED, _A.TERMINATING}),
    _A.ASSIGNED: frozenset({_A.WORKING, _A.ERROR}),
    _A.WORKING: frozenset({_A.COMMUNICATING, _A.WAITING, _A.COMPLETING, _A.ERROR}),
    _A.COMMUNICATING: frozenset({_A.WORKING, _A.WAITING, _A.ERROR}),
    _A.WAITING: frozenset({_A.WORKING, _A.COMPLETING, _A.ERROR}),
    _A.COMPLETING: frozenset({_A.IDLE, _A.TERMINATING}),
    _A.ERROR: frozenset({_A.IDLE, _A.TERMINATING}),
    _A.TERMINATING: frozenset(),
}

_T = TaskStatus
TASK_MOVES: Mapping[TaskStatus, frozenset[TaskStatus]] = {
    # Back to pending is a retry, or a recall before the start. A task may end without having been seen to start:
    # an agent's report of the start and of the end can arrive together, or never, if the agent dies.
    _T.PENDING: frozenset({_T.ASSIGNED, _T.FAILED, _T.CANCELLED}),
    _T.ASSIGNED: frozenset({_T.PENDING, _T.IN_PROGRESS, _T.COMPLETED, _T.FAILED, _T.CANCELLED}),
    _T.IN_PROGRESS: frozenset({_T.PENDING, _T.COMPLETED, _T.FAILED, _T.CANCELLED}),
    _T.COMPLETED: frozenset(),
    _T.FAILED: frozenset(),
    _T.CANCELLED: frozenset(),
}

BUSY_ORDER: tuple[AgentState, ...] = (
    _A.WORKING,
    _A.COMPLETING,
    _A.ASSIGNED,
    _A.COMMUNICATING,
    _A.WAITING,
    _A.ERROR,
    _A.INITIALIZING,
    _A.TERMINATING,
    _A.IDLE,
)
"""Which state an agent shows when its task slots stand in several: the first of these that any slot is in."""

S = TypeVar("S", bound=Enum)


class Move(NamedTuple, Generic[S]):
    """One change of state."""

    time: float
    source: S
    target: S


_new_move: Callable[[Any, tuple[Any, ...]], Any] = tuple.__new__


class StateMachine(Generic[S]):
    """Holds a state and lets it change only along a table.

    Args:
        name: whose state it is, for error texts.
        start: the first state.
        moves: from each state, the states that may follow.
        clock: gives the time that is noted with each move, in seconds.
        observer: called with each move after it was made; it must not raise.
        keep: how many of the last moves are remembered, 1 or more.

    Invariant: `move` is the only place that changes the state.
    """

    __slots__ = ("_clock", "_history", "_moves", "_observer", "_state", "name")

    def __init__(
        self,
        name: str,
        start: S,
        moves: Mapping[S, frozenset[S]],
        clock: Callable[[], float],
        observer: Callable[[Move[S]], None] | None = None,
        keep: int = 32,
    ) -> None:
        self.name = name
        self._moves = moves
        self._clock = clock
        self._observer = observer
        self._history: deque[Move[S]] = deque(maxlen=keep)
        self._state = start

    def __repr__(self) -> str:
        return f"<StateMachine {self.name}: {self._state}>"

    @property
    def state(self) -> S:
        """The present state."""
        return self._state

    @property
    def final(self) -> bool:
        """Whether no move leads on from here."""
        return not self._moves[self._state]

    def history(self) -> Iterator[Move[S]]:
        """The last moves, oldest first."""
        return iter(tuple(self._history))

    def can(self, target: S) -> bool:
        """Whether the table has the move from the present state to `target`."""
        return target in self._moves[self._state]

    def move(self, target: S, time: float | None = None) -> None:
        """Change to `target`.

        Args:
            target: the state to come.
            time: what to note with the move; None looks at the clock.

        Raises:
            IllegalTransition: the table does not have the move; the state stays as it was.
        """
        source = self._state
        if target not in self._moves[source]:
            allowed = tuple(sorted(str(state) for state in self._moves[source]))
            story = tuple((move.time, str(move.source), str(move.target)) for move in self._history)
            told = " -> ".join([*(s for _, s, _ in story), str(source)])
            raise IllegalTransition(
                f"{self.name} cannot move from {source} to {target}: from {source} the legal moves are "
                f"{', '.join(allowed) or 'none (it is final)'}; it came by {told}",
                machine=self.name,
                state=str(source),
                target=str(target),
                allowed=allowed,
                history=story,
            )
        self._state = target
        # Past the constructor of the named tuple, which would cost more than the rest of a move.
        made: Move[S] = _new_move(Move, (self._clock() if time is None else time, source, target))
        self._history.append(made)
        if self._observer is not None:
            self._observer(made)


def agent_machine(
    name: str, clock: Callable[[], float], observer: Callable[[Move[AgentState]], None] | None = None
) -> StateMachine[AgentState]:
    """A state machine for one task slot of an agent, in its first state."""
    return StateMachine(name, AgentState.INITIALIZING, AGENT_MOVES, clock, observer)
