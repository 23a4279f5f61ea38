"""The life of one actor through all its incarnations: what stays while instances come and go.

    start ──▶ Run 1 ──failure──▶ (supervisor decides) ──▶ Run 2 ──stop──▶ ended
                 └── one mailbox, one address, one ref ──┘

A `Run` is one incarnation in one thread. The cell owns what must survive it, and answers everybody who still waits
when there will be no further one.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from actors.errors import MailboxClosed
from actors.kernel.address import Address, next_number, process_name
from actors.kernel.handlers import HandlerTable
from actors.kernel.hearing import EventsWait
from actors.kernel.mailbox import Mailbox, Overflow
from actors.kernel.options import ActorOptions, Dispatcher, Drive
from actors.kernel.poll import PollMailbox
from actors.kernel.pykkaerrors import DeadLetter
from actors.kernel.reply import Ask, Reply
from actors.kernel.timers import Timer
from actors.kernel.watching import WatchEnd

__all__ = ["ActorOptions", "Cell", "Dispatcher", "Drive", "Exit", "Incarnation", "Stop"]

_log = logging.getLogger("actors.kernel")


class Exit(NamedTuple):
    """How an incarnation of an actor ended. `reason` is "normal", "shutdown" or "failure"."""

    name: str
    incarnation: int
    reason: str
    error: BaseException | None


class Stop(NamedTuple):
    """Ends the actor that takes it. `reason` is "normal", or "shutdown" when its supervisor says so.

    `incarnation` is the one that is meant, None whichever takes it: a replacement must not end by what was meant for the
    one before.
    """

    reason: str = "normal"
    incarnation: int | None = None


class Incarnation(Protocol):
    """What a cell knows of a `Run`."""

    incarnation: int
    actor: Any
    ended: threading.Event
    askers: tuple[Any, ...]

    def build(self) -> None:
        """Make the actor."""

    def finish(self, reason: str) -> None:
        """End after the message in hand."""

    def disown(self, error: BaseException) -> tuple[list[Any], list[Any]]:
        """Be given up: return what is left to do, urgent and ordinary."""


# What is of use to the actor that it is for and to nobody else: no dead letters, and never dropped.
_INTERNAL = frozenset({EventsWait, Stop, Timer, WatchEnd})


def make_mailbox(cell: Cell) -> Mailbox:
    """The mailbox that an actor has unless its dispatcher knows better."""
    make = PollMailbox if cell.actor_class.polls else Mailbox
    return make(cell.bound, cell.overflow, cell.dropped)


_cells: weakref.WeakValueDictionary[int, Cell] = weakref.WeakValueDictionary()


def _orphan_all() -> None:
    """In the child of a fork no thread runs any actor: whoever asks one there is to be led to the parent, or told."""
    for cell in list(_cells.values()):
        if cell.left_behind is None:
            cell.orphan()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_orphan_all)


def live_cells() -> list[Cell]:
    """The cells of this process that anybody still knows."""
    return list(_cells.values())


def local_cell(number: int) -> Cell | None:
    """The cell of that number that lives in this process; None if there is none, or it is forgotten."""
    cell = _cells.get(number)
    return cell if cell is not None and cell.left_behind is None else None


class Cell:
    """One actor: its address, its mailbox, and its present incarnation.

    Args:
        actor_class: what it is made of.
        args: of the constructor.
        kwargs: of the constructor.
        options: what surrounds it.
        dispatcher: what runs it.
        make_run: makes the `Run` of each incarnation.

    Attributes:
        on_exit: called with (cell, Exit) at the end of each incarnation, in the thread that ran it. If it is set, the
            mailbox stays open until `retire`, so that a replacement may go on; otherwise the first end is the last.
        on_started: called with (cell, incarnation) when an incarnation has started, in its thread.
        on_dead_letter: called with each message that will never be handled, in any thread.
    """

    def __init__(
        self,
        actor_class: type[Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: ActorOptions,
        *,
        dispatcher: Dispatcher,
        make_run: Callable[[Cell], Incarnation],
    ) -> None:
        self.number = options.number or next_number()
        self.process = process_name()
        # Whether the program was given a reference to it, and so may use it in a child of a fork.
        self.public = False
        # Where the process listened at the moment of the fork that this copy of the cell is in; None: this is no copy.
        self.left_behind: str | None = None
        self.name = options.name or f"{actor_class.__name__}-{self.number}"
        self.actor_class = actor_class
        self.args = args
        self.kwargs = kwargs
        self.options = options
        self.clock = options.clock
        self.dispatcher = dispatcher
        self.drive = dispatcher.drive
        self.on_exit: Callable[[Cell, Exit], None] | None = None
        self.on_started: Callable[[Cell, int], None] | None = None
        self.on_dead_letter: Callable[[Any], None] | None = None
        self._make_run = make_run
        self._built: Incarnation | None = None
        self.table = HandlerTable.of(actor_class)
        self.is_urgent = self.table.is_urgent if self.table.any_urgent else None
        self.bound: int = actor_class.mailbox_bound if options.bound is None else options.bound
        self.overflow = Overflow(actor_class.mailbox_overflow if options.overflow is None else options.overflow)
        self.mailbox = dispatcher.mailbox(self)
        self.mailbox.owner = self
        self.incarnation = 0
        self.run: Incarnation | None = None
        # Messages that nobody will handle, that nobody takes, and that were refused in the state of the moment.
        self.dead_letters = 0
        self.unknown = 0
        self.refused = 0
        # What was handed to the present incarnation because the one before failed on it.
        self.repeated: Any = None
        # What its thread waits for of another actor, in the middle of a message; see `Wait`.
        self.waits_on: Any = None
        # Set once there will be no further incarnation.
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._retiring = False
        # Cells that end for good when this one does: a supervisor's children.
        self.dependents: list[Cell] = []
        self._last_exit: Exit | None = None
        self._watchers: list[Callable[[Exit], object]] = []
        # Of the end of the present incarnation.
        self._run_watchers: list[Callable[[Exit], object]] = []
        _cells[self.number] = self

    def __repr__(self) -> str:
        return f"<Cell {self.name}, incarnation {self.incarnation}{', ended' if self.stopped.is_set() else ''}>"

    @property
    def address(self) -> Address:
        """Where it can be reached."""
        return Address(self.process, self.number, self.name, self.left_behind or "")

    # --- incarnations ---

    def start(self, *, build_here: bool) -> None:
        """Start an incarnation.

        Args:
            build_here: call the constructor now, in this thread, and raise what it raises. Otherwise it is called where
                the actor runs, and what it raises is a failure of this incarnation.
        """
        self.incarnation += 1
        run, self._built = self._built or self._make_run(self), None
        run.incarnation = self.incarnation
        self.run = run
        try:
            if build_here:
                run.build()
            self.dispatcher.start(run)
        except BaseException:
            self.run = None
            raise

    def build(self) -> None:
        """Make the instance of the first incarnation here and now. Raises what its constructor raises."""
        run = self._make_run(self)
        run.build()
        self._built = run

    def stop(self, reason: str = "normal") -> bool:
        """Ask the actor to end after what waits already. False if it has ended, or is past asking."""
        try:
            self.mailbox.force(Stop(reason))
        except MailboxClosed:
            return False
        return True

    def stop_now(self, reason: str = "shutdown") -> bool:
        """Ask the present incarnation to end before all that waits. False if it has ended, or is past asking."""
        try:
            self.mailbox.put(Stop(reason, self.incarnation), urgent=True)
        except MailboxClosed:
            return False
        return True

    def abandon(self, error: BaseException) -> Exit | None:
        """Give up an incarnation that does not end: whoever waits for it is told so, and it will not be heard again.

        Nobody can end a thread from outside; it goes on until its code returns, and then ends without a word.

        Returns:
            How it ended, or None if it had ended by itself.
        """
        with self._lock:
            run, self.run = self.run, None
        if run is None:
            return None
        # Its replacement does not wait for that.
        self.waits_on = None
        self.give_back(*run.disown(error), error)
        # For the case that it sleeps: it has to see that it is over.
        self.mailbox.rouse()
        end = Exit(self.name, run.incarnation, "failure", error)
        self._tell_run_watchers(end)
        return end

    def run_ended(self, run: Incarnation, end: Exit) -> None:
        """Called by a run at its end, in its thread."""
        if self.stopped.is_set():
            # It was ended for good from outside, and has used the mailbox until now.
            self.mailbox.release()
        with self._lock:
            if self.run is not run:
                return
            self.run = None
            self._last_exit = end
        if self.on_exit is None:
            self.retire(end)
        else:
            self.on_exit(self, end)
            self._tell_run_watchers(end)

    def give_back(self, urgent: list[Any], ordinary: list[Any], error: BaseException | None = None) -> None:
        """Return messages to the mailbox for the replacement, or bury them if there will be none."""
        messages = urgent + ordinary
        if messages and not self.mailbox.restore(messages, len(urgent)):
            self._bury_all(messages, error)

    # --- the end ---

    def will_end(self) -> bool:
        """Whether the present incarnation is the last, as far as anybody knows."""
        return self.on_exit is None or self._retiring

    def retiring(self) -> None:
        """Note that no incarnation will follow, so that the mailbox closes with the present one."""
        self._retiring = True

    def close(self, error: BaseException | None) -> None:
        """Close the mailbox and answer those who wait in it."""
        self._bury_all(self.mailbox.close(), error)

    def retire(self, end: Exit) -> None:
        """End for good: no message is taken any more, everybody who waits is told."""
        with self._lock:
            if self.stopped.is_set():
                return
            self._retiring = True
            self.stopped.set()
            self._last_exit = end
            watchers, self._watchers = self._watchers, []
            run = self.run
        if run is not None:
            # Whoever was to end it is gone, so it has to end itself.
            run.finish("shutdown")
        self.close(end.error)
        if run is None:
            self.mailbox.release()
        for dependent in self.dependents:
            dependent.retire(Exit(dependent.name, dependent.incarnation, "shutdown", end.error))
        for watcher in watchers:
            self._tell(watcher, end)
        self._tell_run_watchers(end)

    def orphan(self) -> None:
        """End without a word, in the child of a fork. Other threads may have held any lock, so all of them are new."""
        if not self.stopped.is_set():
            self.left_behind = ""
        self._lock = threading.Lock()
        self.stopped = threading.Event()
        self.stopped.set()
        self.mailbox.orphan()

    def watch(self, callback: Callable[[Exit], object]) -> None:
        """Call `callback` with the Exit when the actor has ended for good; at once if it has."""
        with self._lock:
            if not self.stopped.is_set():
                self._watchers.append(callback)
                return
            end = self._last_exit or Exit(self.name, self.incarnation, "normal", None)
        self._tell(callback, end)

    def unwatch(self, callback: Callable[[Exit], object]) -> None:
        """Forget a callback that was given to `watch`. It may be called once more if the end comes right now."""
        with self._lock:
            if callback in self._watchers:
                self._watchers.remove(callback)

    def watch_run(self, callback: Callable[[Exit], object]) -> None:
        """Call `callback` with the Exit when the present incarnation has ended; at once if the actor has for good."""
        with self._lock:
            if not self.stopped.is_set():
                self._run_watchers.append(callback)
                return
        self.watch(callback)

    def _tell_run_watchers(self, end: Exit) -> None:
        with self._lock:
            watchers, self._run_watchers = self._run_watchers, []
        for watcher in watchers:
            self._tell(watcher, end)

    def _tell(self, watcher: Callable[[Exit], object], end: Exit) -> None:
        try:
            watcher(end)
        except Exception:  # noqa: BLE001 - its own trouble; the others are to be told
            _log.exception("Somebody who watched %s raised when told of its end", self.name)

    # --- dead letters ---

    def bury(self, item: Any, error: BaseException | None = None) -> None:
        """Do what is due to a message that will not be handled: answer who waits, count it, tell the listener."""
        message = item
        if type(item) is Ask:
            message = item.message
            item.reply.fail(self.dead_letter(message, error))
        if type(message) in _INTERNAL:
            return
        with self._lock:
            self.dead_letters += 1
        _log.debug("Dead letter to %s: %r", self.name, message)
        if self.on_dead_letter is not None:
            try:
                self.on_dead_letter(message)
            except Exception:  # noqa: BLE001 - the listener's own trouble
                _log.exception("The listener for dead letters of %s raised", self.name)

    def bury_late(self, item: Any) -> None:
        """Do what is due to a message that came after the end."""
        end = self._last_exit
        self.bury(item, end.error if end is not None else None)

    def dropped(self, item: Any) -> None:
        """A full mailbox has no room for `item`, the oldest in it."""
        if type(item) in _INTERNAL:
            try:
                self.mailbox.force(item)
            except MailboxClosed:
                pass
        else:
            self.bury(item)

    def dead_letter(self, message: Any, error: BaseException | None = None) -> DeadLetter:
        """The error for somebody who waits for the answer to `message`; `error` is what ended the actor."""
        kind = type(message).__qualname__
        why = f": {type(error).__name__}: {error}" if error is not None else ""
        letter = DeadLetter(f"{self.name} ended before it answered {kind}{why}", recipient=self.name, message=kind)
        letter.__cause__ = error
        return letter

    def ask(
        self, message: Any, *, priority: int, block: bool | float = True, askers: tuple[Any, ...] = ()
    ) -> Reply[Any]:
        """Put a question into the mailbox; the reply is failed at once if the actor has ended.

        `askers` are those who do nothing but wait for the answer; see `refuse_circle`.
        """
        reply: Reply[Any] = Reply()
        reply.asked = self
        if self.drive is not None:
            reply.drive = self.drive
        urgent = self.is_urgent is not None and self.is_urgent(type(message))
        try:
            self.mailbox.put(Ask(message, reply, askers), priority=priority, urgent=urgent, block=block)
        except MailboxClosed:
            self.bury_late(Ask(message, reply))
        return reply

    def _bury_all(self, items: list[Any], error: BaseException | None = None) -> None:
        for item in items:
            self.bury(item, error)
