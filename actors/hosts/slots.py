"""The task slots of an agent, each with a state machine; together they show one state, that of the busiest."""

from __future__ import annotations

from collections.abc import Callable

from actors.hosts.attempt import Attempt
from actors.hosts.statusblock import StatusWriter
from actors.protocol.states import AGENT_MOVES, BUSY_ORDER, AgentState, Move, StateMachine, agent_machine

__all__ = ["Slot", "Slots"]

_RANK = {state: rank for rank, state in enumerate(BUSY_ORDER)}


class Slot:
    """Room for one task at a time."""

    __slots__ = ("attempt", "machine")

    def __init__(self, machine: StateMachine[AgentState]) -> None:
        self.machine = machine
        self.attempt: Attempt | None = None


class Slots:
    """All slots of an agent.

    Args:
        name: the agent's id, for error texts.
        count: how many slots, 1 or more.
        clock: monotonic seconds.
        status: where the moves of the shown state are written.
        watcher: called with each move of the shown state; must not raise.

    Invariant: only the task lane moves the machines; any thread may read `state`.
    """

    def __init__(
        self,
        name: str,
        count: int,
        clock: Callable[[], float],
        status: StatusWriter,
        watcher: Callable[[Move[AgentState]], None],
    ) -> None:
        self._write = status.move
        self._watcher = watcher
        # Whether anybody wants to hear of moves.
        self.watched = False
        self._shown = AgentState.INITIALIZING
        self._name = name
        self._clock = clock
        # For tasks that run beside the ones that wait for them; there while they run.
        self._extra: list[Slot] = []
        self._single = count == 1
        observer = self._only if self._single else self._one_of_many
        self.all = [Slot(agent_machine(name, clock, observer)) for _ in range(count)]

    @property
    def state(self) -> AgentState:
        """The state that the agent shows."""
        if not self._single:
            return min((slot.machine.state for slot in (*self.all, *self._extra)), key=_RANK.__getitem__)
        state = self.all[0].machine.state
        # One task runs inside the one that waits for it: the agent works. Every move of that is a legal one.
        if self._extra and state is AgentState.WAITING:
            return AgentState.WORKING
        return state

    def open_extra(self) -> Slot:
        """One more slot, for a task that runs beside the one that waits for it."""
        machine = StateMachine(self._name, AgentState.IDLE, AGENT_MOVES, self._clock, self._one_of_many)
        slot = Slot(machine)
        self._extra.append(slot)
        self._show(self._clock())
        return slot

    def close_extra(self, slot: Slot) -> bool:
        """Give an extra slot back. False: it is none."""
        if slot not in self._extra:
            return False
        self._extra.remove(slot)
        self._show(self._clock())
        return True

    def holding(self, attempt: Attempt) -> Slot | None:
        """The slot in which an attempt runs, if it is the innermost there."""
        return next((slot for slot in (*self.all, *self._extra) if slot.attempt is attempt), None)

    def running(self) -> list[Attempt]:
        """The attempts in hand, each the innermost of its slot."""
        return [attempt for slot in (*self.all, *self._extra) if (attempt := slot.attempt) is not None]

    def find(self, number: int, attempt: int) -> Attempt | None:
        """The attempt in hand with these numbers, also one inside which another runs."""
        for one in self.running():
            found: Attempt | None = one
            while found is not None:
                if found.number == number and found.attempt == attempt:
                    return found
                found = found.outer
        return None

    def move_all(self, target: AgentState) -> None:
        """Move all slots at once: the start and the end of an agent are those of each of its slots."""
        for slot in self.all:
            slot.machine.move(target)

    def _only(self, made: Move[AgentState]) -> None:
        """The one slot has moved."""
        if self._extra:
            self._show(made.time)
            return
        self._shown = made[2]
        self._write(*made)
        if self.watched:
            self._watcher(made)

    def _one_of_many(self, made: Move[AgentState]) -> None:
        self._show(made.time)

    def _show(self, time: float) -> None:
        """Tell the state of all slots together, if it is another one than before."""
        shown, before = self.state, self._shown
        if shown is before:
            return
        self._shown = shown
        self._write(time, before, shown)
        if self.watched:
            self._watcher(Move(time, before, shown))
