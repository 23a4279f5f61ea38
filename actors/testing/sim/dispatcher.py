"""Carries out the actors of a simulation: each step is a turn of one actor whose messages wait."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from actors.kernel.cell import Cell
from actors.kernel.current import current
from actors.kernel.mailbox import Mailbox
from actors.kernel.options import Drive
from actors.kernel.poll import Poller, PollMailbox
from actors.kernel.reply import Ask
from actors.kernel.run import Run
from actors.testing.sim.conductor import WRITE, Conductor, Owner
from actors.testing.sim.network import Network, SimPoller
from actors.testing.sim.recorder import Recorder

__all__ = ["SimDispatcher"]


class _RecordingMailbox(Mailbox):
    """A mailbox that tells what is put into it, and what is taken."""

    # Set right after the making, before anybody knows of it.
    recorder: Recorder
    touch: Callable[[], object]
    changed: Callable[[], object]
    name: str

    def put(self, item: Any, *, priority: int = 2, urgent: bool = False, block: bool | float = True) -> None:
        """See `Mailbox.put`."""
        self.touch()
        if type(item) is Ask:
            self.recorder.asked(self.name, item)
            self.recorder.posted(self, self.name, item.message)
        else:
            self.recorder.posted(self, self.name, item)
        super().put(item, priority=priority, urgent=urgent, block=block)
        self.changed()

    def force(self, item: Any, *, priority: int = 2) -> None:
        """See `Mailbox.force`."""
        super().force(item, priority=priority)
        self.changed()

    def restore(self, items: list[Any], leading: int = 0) -> bool:
        """See `Mailbox.restore`."""
        restored = super().restore(items, leading)
        self.changed()
        return restored

    def rouse(self) -> None:
        """See `Mailbox.rouse`."""
        super().rouse()
        self.changed()

    def close(self) -> list[Any]:
        """See `Mailbox.close`."""
        left = super().close()
        self.changed()
        return left

    def take(self, timeout: float | None = None) -> list[Any]:
        """See `Mailbox.take`."""
        self.touch()
        taken = super().take(timeout)
        self.recorder.taken(self, self.name, taken)
        return taken

    def take_urgent(self) -> list[Any]:
        """See `Mailbox.take_urgent`."""
        self.touch()
        taken = super().take_urgent()
        self.recorder.taken(self, self.name, taken)
        return taken


class _RecordingPollMailbox(_RecordingMailbox, PollMailbox):
    """The same for actors that watch descriptors."""


class _RunPlayer:
    """One incarnation of an actor, as a player."""

    owner: Owner | None = None

    def __init__(self, dispatcher: SimDispatcher, run: Run, poller: SimPoller | None) -> None:
        self.name = run.cell.name.removeprefix("actors-")
        self.run = run
        self.playing = False
        self._dispatcher = dispatcher
        self._poller = poller
        self._clock = run.cell.clock
        # Whether it may have something to do, and when its next timer is due. Only its own steps change its timers.
        self.stirred = True
        self.due = math.inf

    def stir(self) -> None:
        """Look whether it has something to do."""
        self.stirred = True

    def ready(self) -> bool:
        """Whether it has something to do."""
        if self.playing:
            return False
        if self.due <= self._clock.monotonic():
            return True
        if not self.stirred:
            return False
        run = self.run
        if not run.begun or run.over or len(run.cell.mailbox) or (self._poller is not None and self._poller.is_ready()):
            return True
        self.stirred = False
        return False

    def step(self) -> None:
        """One turn: all that waits, or the first of it alone."""
        run, dispatcher = self.run, self._dispatcher
        outer, current.cell = current.cell, run.cell
        self.playing = True
        dispatcher.last = run.cell
        try:
            if not run.begun:
                goes_on = run.begin()
            else:
                many = len(run.cell.mailbox) > 1
                alone = many and dispatcher.conductor.choices.below(4, "batch") == 3
                goes_on = run.turn(0.0, 1 if alone else None)
            if not goes_on:
                dispatcher.ended(self)
                run.end()
        finally:
            self.playing = False
            self.stirred = True
            due = run.timers.next_due()
            self.due = math.inf if due is None else due
            current.cell = outer


class SimDispatcher:
    """See `Dispatcher` of the kernel.

    Args:
        conductor: says whose turn it is.
        network: whose descriptors actors watch.
        recorder: keeps what is sent.

    Attributes:
        last: the cell of the actor that took the last step.
    """

    def __init__(self, conductor: Conductor, network: Network, recorder: Recorder) -> None:
        self.conductor = conductor
        self.drive: Drive | None = conductor.wait
        self.last: Cell | None = None
        self._network = network
        self._recorder = recorder
        self._players: list[_RunPlayer] = []
        self._cells: list[Cell] = []
        self._pollers: dict[Cell, SimPoller] = {}
        self._by_cell: dict[Cell, _RunPlayer] = {}
        conductor.add_source(self._ready, self._next_due)

    @property
    def cells(self) -> list[Cell]:
        """The cells of all actors that have not ended, whether they have begun or not."""
        if any([cell.stopped.is_set() for cell in self._cells]):  # noqa: C419 - a list is made faster
            self._cells = [cell for cell in self._cells if not cell.stopped.is_set()]
        return self._cells

    def runs(self) -> list[Run]:
        """All incarnations that run."""
        return [player.run for player in self._players]

    def busy(self) -> bool:
        """Whether any actor has something to do at this moment, or is in the middle of it."""
        now = self.conductor.clock.monotonic()
        for player in self._players:
            if player.playing or ((player.stirred or player.due <= now) and player.ready()):
                return True
        return any(len(cell.mailbox) for cell in self._cells if cell not in self._by_cell)

    def start(self, run: Run) -> None:
        """See `Dispatcher.start`."""
        player = _RunPlayer(self, run, self._pollers.get(run.cell))
        self._players.append(player)
        self._by_cell[run.cell] = player
        poller = self._pollers.get(run.cell)
        if poller is not None:
            poller.changed = player.stir
        self.conductor.touch(f"actor {player.name}", WRITE)

    def mailbox(self, cell: Cell) -> Mailbox:
        """See `Dispatcher.mailbox`."""
        bound, overflow = cell.bound, cell.overflow
        made: _RecordingMailbox
        if cell.actor_class.polls:
            waiting = self._pollers[cell] = SimPoller(self._network)
            made = _RecordingPollMailbox(bound, overflow, cell.dropped, Poller(waiting))
        else:
            made = _RecordingMailbox(bound, overflow, cell.dropped)
        self._cells.append(cell)
        made.recorder = self._recorder
        made.name = cell.name.removeprefix("actors-")
        what = f"mailbox {made.name}"
        made.touch = lambda: self.conductor.touch(what, WRITE)
        made.changed = lambda: self._stir(cell)
        return made

    def ended(self, player: _RunPlayer) -> None:
        """A run is over; for players."""
        self._players.remove(player)
        if self._by_cell.get(player.run.cell) is player:
            del self._by_cell[player.run.cell]

    def _stir(self, cell: Cell) -> None:
        player = self._by_cell.get(cell)
        if player is not None:
            player.stirred = True

    def _ready(self) -> list[Any]:
        now = self.conductor.clock.monotonic()
        # The first conditions are those of `ready`: most actors have nothing to do.
        return [each for each in self._players if (each.stirred or each.due <= now) and each.ready()]

    def _next_due(self) -> float | None:
        due = math.inf
        for player in self._players:
            if player.due < due and not player.playing:
                due = player.due
        return None if due == math.inf else due
