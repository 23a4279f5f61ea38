"""One incarnation of an actor: the loop that takes messages in batches and hands them to its methods."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pykka

from actors.errors import ActorsError, MessageRefused
from actors.kernel.cell import Cell, Exit, Stop
from actors.kernel.current import current
from actors.kernel.handlers import HandlerTable
from actors.kernel.hearing import Hearing
from actors.kernel.pykkaerrors import DeadLetter
from actors.kernel.reply import Ask, Reply
from actors.kernel.stash import Stash
from actors.kernel.timers import Timer, Timers
from actors.kernel.watching import Watches

__all__ = ["Run"]

_log = logging.getLogger("actors.kernel")

# Whose messages are not what an actor's class says that it takes.
_OWN_MODULES = ("pykka.", "actors.kernel.")


class Run:
    """Carries out one incarnation of an actor in whatever thread calls it, one at a time.

    Invariant: once `over` is set no further message is handled. Messages that were taken and not handled go back to
    the cell, and every question that was taken is answered at the latest when the run ends.
    """

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.incarnation = cell.incarnation
        # An `Actor`, from the end of `build` to the end of the run.
        self.actor: Any = None
        self.timers = Timers(cell.clock)
        self.watches = Watches(cell)
        self.hearing = Hearing(cell)
        self.stash = Stash(cell.name, cell.actor_class.stash_bound)
        # The handlers: the class's, or those of what the actor has become.
        self.table = cell.table
        self.over = False
        self.reason = "normal"
        self.error: BaseException | None = None
        # What is left of the batches in hand. An iterator gives each message to one thread alone, so what a run that hangs
        # has not handled can be taken from it.
        self.rest: Iterator[Any] = iter(())
        self.urgent_rest: Iterator[Any] = iter(())
        # The message in hand, or the `Ask` around it.
        self.in_hand: Any = None
        # The question in hand, whether its handler took over the answering, and the answers that are still owed.
        self.asked: Reply[Any] | None = None
        # Those who do nothing but wait for the answer to it; see `askers`.
        self.askers: tuple[Any, ...] = ()
        self.took_over = False
        self.owed: set[Reply[Any]] = set()
        # The message, no question, whose handling has failed.
        self.failed_on: Any = None
        self.begun = False
        self.ended = threading.Event()

    # --- the steps; `loop` is all of them ---

    def loop(self) -> None:
        """Live until the end: what a thread of its own does."""
        current.cell = self.cell
        try:
            if self.begin():
                while self.turn(None):
                    pass
            self.end()
        finally:
            current.cell = None

    def build(self) -> None:
        """Make the actor. Raises what its constructor raises."""
        actor_class: Any = self.cell.actor_class
        actor = actor_class.__new__(actor_class)
        # Before the constructor, which may look at its name, its clock or its reference, or make a proxy of itself.
        actor.__dict__["_run"] = self
        self.actor = actor
        try:
            actor.__init__(*self.cell.args, **self.cell.kwargs)
            if not hasattr(actor, "actor_urn"):
                raise ActorsError(
                    f"{actor_class.__qualname__}.__init__ must call super().__init__() so that the actor gets its mailbox"
                )
        except BaseException:
            self.actor = None
            raise

    def begin(self) -> bool:
        """Make the actor if that is still to be done, and let it start. False if it failed."""
        self.begun = True
        try:
            if self.actor is None:
                self.build()
            self.actor.on_start()
        except BaseException as error:  # noqa: BLE001 - it fails this actor, and nobody else
            self._fail(error, "its start")
        else:
            if self.actor.reports_start:
                self.report_start()
        return not self.over

    def report_start(self) -> None:
        """Tell the supervisor, if there is one, that the actor has started."""
        if self.cell.on_started is not None and not self.over:
            self.cell.on_started(self.cell, self.incarnation)

    def fail(self, error: BaseException) -> None:
        """End after the message in hand, with a failure that was told in the log already."""
        if self.error is None:
            self.error = error
            self.reason = "failure"
        self.over = True

    def turn(self, timeout: float | None, limit: int | None = None) -> bool:
        """Take what waits, wait for it if there is nothing, and handle it.

        Args:
            timeout: for how many seconds to wait; None until a message or a timer.
            limit: how many messages to handle at most; None for all.

        Returns:
            Whether the actor goes on.
        """
        batch, leading = self._collect(timeout)
        if limit is not None and len(batch) > limit:
            self.cell.give_back(batch[limit:leading], batch[max(limit, leading) :])
            del batch[limit:]
        if leading:
            self.urgent_rest = iter(batch[:leading])
            del batch[:leading]
        elif not batch and self.cell.mailbox.closed:
            # Nothing will come any more.
            self.finish("shutdown")
        self.rest = iter(batch)
        # Given up while it waited: the batch is for its successor.
        if not self.over:
            self._work()
            if self.timers.idles and (batch or leading):
                self.timers.rearm()
        return not self.over

    def finish(self, reason: str) -> None:
        """End after the message in hand."""
        if not self.over:
            self.over = True
            self.reason = reason

    def end(self) -> None:
        """Let the actor clean up, answer who still waits for it, and report the end."""
        cell = self.cell
        self.in_hand = None
        self.timers.clear()
        self.watches.clear()
        self.hearing.clear()
        if cell.run is self and cell.will_end():
            # Before the hook: that may take long, and nobody is to wait for an answer meanwhile.
            cell.close(self.error)
            if self.actor is not None:
                # Nobody puts ours there but who wants it there; an end takes them out, as it does with pykka's own.
                pykka.ActorRegistry.unregister(self.actor.actor_ref)
        cell.give_back([*self.urgent_rest], [*self.stash.take(), *self.rest], self.error)
        try:
            if self.actor is not None:
                self._repeat_or_give_up(self.actor)
                self._call_last_hook(self.actor)
                if self.actor.poller is not None and cell.run is self:
                    # The callbacks belong to the instance that is gone; the replacement registers its own.
                    self.actor.poller.clear()
        finally:
            self._answer_owed()
            self.actor = None
            self.ended.set()
            cell.run_ended(self, Exit(cell.name, self.incarnation, self.reason, self.error))

    def disown(self, error: BaseException) -> tuple[list[Any], list[Any]]:
        """Called from another thread when the run is given up: answer its questions.

        Returns:
            The messages of the system lane that it has not handled, and the others.
        """
        self.finish("failure")
        left = [*self.urgent_rest], [*self.stash.take(), *self.rest]
        asked = self.asked
        if asked is not None:
            asked.fail(self._unanswered(error))
        self.error = self.error or error
        self._answer_owed()
        return left

    # --- messages ---

    def _collect(self, timeout: float | None) -> tuple[list[Any], int]:
        """Take what waits and what the timers bring, and say how many at its beginning are of the system lane."""
        timers = self.timers
        mailbox = self.cell.mailbox
        try:
            due = timers.next_due()
            if due is None:
                return mailbox.take(timeout), mailbox.leading
            clock = self.cell.clock
            left = max(0.0, due - clock.monotonic())
            batch = mailbox.take(left if timeout is None else min(left, timeout))
            leading = mailbox.leading
            now = clock.monotonic()
            if now < due:
                return batch, leading
            batch[leading:leading] = timers.due(now)
            if not batch and (idle := timers.idle(now)) is not None:
                batch.append(idle)
            return batch, leading
        except BaseException as error:  # noqa: BLE001 - it fails this actor, and nobody else
            self._fail(error, "its wait for messages")
            return [], 0

    def _work(self) -> None:
        """Handle the batch in hand, and what is urgent as soon as it comes in."""
        actor = self.actor
        mailbox = self.cell.mailbox
        if (mailbox.leading or mailbox.pressing) and not self._work_urgently():
            return
        # After the urgent ones, which may have made the actor into something else. One of the others gives back what is
        # left of the batch when it does so.
        plain = self.table.plain
        for item in self.rest:
            self.in_hand = item
            kind = type(item)
            if kind is Ask:
                self._answer(item)
            else:
                handler = plain.get(kind)
                try:
                    if handler is not None:
                        handler(actor, item)
                    else:
                        self._dispatch(item)
                except BaseException as error:  # noqa: BLE001 - it fails this actor, and nobody else
                    self._fail_on(error)
            if self.over or (mailbox.pressing and not self._work_urgently()):
                return
        self.in_hand = None
        try:
            actor.on_turn_end()
        except BaseException as error:  # noqa: BLE001 - it fails this actor, and nobody else
            self._fail(error, "the end of its turn")

    def _work_urgently(self) -> bool:
        """Handle what is in hand of the system lane, and then what came into it. Whether the actor goes on."""
        mailbox = self.cell.mailbox
        while True:
            for item in self.urgent_rest:
                self.in_hand = item
                if type(item) is Ask:
                    self._answer(item)
                else:
                    try:
                        self._dispatch(item)
                    except BaseException as error:  # noqa: BLE001 - it fails this actor, and nobody else
                        self._fail_on(error)
                if self.over:
                    return False
            if not mailbox.pressing:
                return True
            self.urgent_rest = iter(mailbox.take_urgent())

    def _answer(self, ask: Ask) -> None:
        reply, message = ask.reply, ask.message
        self.asked = reply
        self.askers = ask.askers
        self.took_over = False
        try:
            value = self._dispatch(message)
        except Exception as error:  # noqa: BLE001 - it is the asker's
            self.stash.forget(ask)
            if not isinstance(error, self.actor.bears):
                self._fail(error, _handling(message))
            # The asker is told, and judges; the actor goes on. Without this frame, or the reply would hold itself.
            if error.__traceback__ is not None:
                error.__traceback__ = error.__traceback__.tb_next
            _log.debug("%s answers %s with %r", self.cell.name, type(message).__qualname__, error)
            reply.fail(error)
        except BaseException as error:  # noqa: BLE001 - it fails this actor, and nobody else
            self.stash.forget(ask)
            self._fail(error, _handling(message))
            reply.fail(self.cell.dead_letter(message, error))
        else:
            if not self.took_over:
                reply.set(value)
        self.asked = None
        self.askers = ()

    def _dispatch(self, message: Any) -> Any:
        """Hand a message to the method that takes it in the actor's state."""
        actor = self.actor
        kind = type(message)
        handler = self.table.plain.get(kind)
        if handler is not None:
            return handler(actor, message)
        if kind is Stop:
            if message.incarnation in {None, self.incarnation}:
                actor.on_stop_request(message.reason)
            return None
        entry = self.table.find(kind)
        if entry is None:
            return actor.on_receive(message)
        machine = getattr(actor, "machine", None)
        state = None if machine is None else machine.state
        handler = entry.pick(state)
        if handler is None:
            return self._refuse(entry.refusal(self.cell.name, message, state))
        return handler(actor, message)

    def take_timer(self, timer: Timer) -> None:
        """Hand over the message of a timer that was due, unless it was cancelled meanwhile."""
        if self.timers.deliver(timer):
            self.in_hand = timer.message
            self._dispatch(timer.message)

    def hand_over(self, message: Any) -> None:
        """Hand over what a watch or a subscription has brought; nothing if it is None."""
        if message is not None:
            self.in_hand = message
            self._dispatch(message)

    def put_aside(self) -> None:
        """Put the message in hand aside; see `Actor.stash`."""
        item = self.in_hand
        if item is None or self.stash.holds(item):
            what = "it is put aside already" if item is not None else "there is none"
            raise ActorsError(f"{self.cell.name} can stash the message in hand, once, while it handles it: {what}")
        if self.asked is not None and self.took_over:
            raise ActorsError(f"{self.cell.name} has deferred the answer to this message: it cannot stash it as well")
        self.stash.add(item)
        # Whoever asked waits until it is handled after all.
        self.took_over = True

    def bring_back(self) -> int:
        """Let what was put aside be handled next; how many messages that are."""
        items = self.stash.take()
        if items:
            self._hand_back(items)
        return len(items)

    def become(self, table: HandlerTable) -> None:
        """Take messages with other handlers from now on."""
        self.table = table
        self._hand_back([])

    def _hand_back(self, first: list[Any]) -> None:
        """End the batch in hand; the next one begins with `first`, and goes on with what is left of this one."""
        left = [*first, *self.rest]
        if left:
            self.cell.give_back([], left, self.error)

    def refuse_unknown(self, message: Any) -> None:
        """Turn down a message that no method takes: it is counted, told in the log, and told to who asked."""
        self.cell.unknown += 1
        kind = type(message).__qualname__
        taken = tuple(
            sorted(known.__qualname__ for known in self.table if not known.__module__.startswith(_OWN_MODULES))
        )
        text = f"{self.cell.name} does not know {kind} messages; it takes {', '.join(taken) or 'none'}"
        _log.warning("%s", text)
        if self.asked is not None:
            raise MessageRefused(text, recipient=self.cell.name, message=kind, allowed=())

    def _refuse(self, refusal: MessageRefused) -> None:
        self.cell.refused += 1
        if self.asked is not None:
            raise refusal
        _log.warning("%s", refusal)

    # --- the end ---

    def _repeat_or_give_up(self, actor: Any) -> None:
        """Let the next incarnation begin with the message that this one failed on; one that fails twice is given up."""
        cell, message = self.cell, self.failed_on
        if message is None or not actor.repeats or cell.will_end():
            return
        if message is not cell.repeated:
            cell.repeated = message
            cell.give_back([], [message], self.error)
            return
        _log.error("%s gives up on a %s: its handling failed twice", cell.name, type(message).__qualname__)
        try:
            actor.on_given_up(message, self.error)
        except BaseException as error:  # noqa: BLE001 - it fails this actor, and nobody else
            self._fail(error, "giving up on a message")

    def _fail_on(self, error: BaseException) -> None:
        """Fail on the message in hand, which is no question."""
        message = self.in_hand
        self.stash.forget(message)
        self._fail(error, _handling(message), message)

    def _fail(self, error: BaseException, doing: str, message: Any = None) -> None:
        """Note the failure that ends this incarnation. Only the first one counts."""
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            # The user's, not the actor's: an actor is in the main thread only if a test or a simulation steps it.
            raise error
        _log.error("%s failed in %s", self.cell.name, doing, exc_info=error)
        if self.error is None:
            self.failed_on = message
        self.fail(error)

    def _call_last_hook(self, actor: Any) -> None:
        try:
            if self.error is None:
                actor.on_stop()
            else:
                _call_on_failure(actor.on_failure, self.error)
        except BaseException as error:  # noqa: BLE001 - it fails this actor, and nobody else
            self._fail(error, "its clean-up")

    def _answer_owed(self) -> None:
        for reply in list(self.owed):
            reply.fail(self._unanswered(self.error))

    def _unanswered(self, error: BaseException | None) -> DeadLetter:
        why = f": {type(error).__name__}: {error}" if error is not None else ""
        letter = DeadLetter(f"{self.cell.name} ended before it answered{why}", recipient=self.cell.name)
        letter.__cause__ = error
        return letter


def _call_on_failure(hook: Any, error: BaseException) -> None:
    """Call the hook with the error, or as pykka does if it asks for type, error and traceback."""
    code = getattr(getattr(hook, "__func__", None), "__code__", None)
    if code is not None and code.co_argcount - len(hook.__func__.__defaults__ or ()) == 4:
        hook(type(error), error, error.__traceback__)
    else:
        hook(error)


def _handling(message: Any) -> str:
    return f"the handling of {type(message).__qualname__}"
