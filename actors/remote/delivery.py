"""What is done in a process with what comes from another one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from actors.core.peering import Parked
from actors.errors import ActorsError, DeadLetter, MailboxClosed, MailboxFull, NotSerializable, WireError
from actors.hosts.serialize import error_of, failure_of, pack_value, unpack_value
from actors.kernel.cell import Address, Cell, Exit, local_cell
from actors.kernel.mailbox import Overflow
from actors.kernel.proxies import attributes_of
from actors.kernel.ref import ActorRef
from actors.kernel.reply import Ask, Reply
from actors.protocol.messages import Failure, Priority
from actors.remote.frames import (
    ANSWER,
    ASK,
    CHAINED,
    ERROR,
    HOLD,
    LET_GO,
    QUERY,
    RELEASE,
    STOP,
    TELL,
    WATCH,
    Frame,
    tokens_of,
    write,
)

if TYPE_CHECKING:
    from actors.core.peering import How
    from actors.remote.link import Link

__all__ = ["Answer", "Delivery"]

_log = logging.getLogger("actors.remote")

_HIGH = int(Priority.HIGH)


class Delivery:
    """Hands what comes in to the actors of this process, and answers to those who wait for them.

    Args:
        soon: has something done in the thread of the post office.

    All but what `soon` is given runs in that thread.
    """

    def __init__(self, soon: Callable[[Callable[[], object]], object]) -> None:
        self._soon = soon
        self._take: dict[int, Callable[[Link, Frame], None]] = {
            TELL: self._tell,
            ASK: self._ask,
            CHAINED: self._ask,
            ANSWER: self._answer,
            ERROR: self._error,
            WATCH: self._watch,
            STOP: self._stop,
            QUERY: self._query,
            HOLD: self._hold,
            RELEASE: self._release,
            LET_GO: self._let_go,
        }

    def take(self, link: Link, frame: Frame) -> None:
        """Deal with one frame. Never raises because of what is in it."""
        self._take[frame.kind](link, frame)

    # --- for actors here ---

    def _tell(self, link: Link, frame: Frame) -> None:
        cell = local_cell(frame.actor)
        try:
            message = unpack_value(frame.body, "a message")
        except NotSerializable as error:
            _log.warning("A message to %s is lost: %s", "nobody" if cell is None else cell.name, error)
            return
        if cell is None:
            _log.debug("Dead letter to actor %d, of which nothing is left: %r", frame.actor, message)
            return
        self._put(link, cell, message, message, frame.priority)

    def _ask(self, link: Link, frame: Frame) -> None:
        cell = local_cell(frame.actor)
        answer = Answer(link, frame.number)
        if cell is None:
            answer.fail(DeadLetter("the actor has ended and nothing is left of it"))
            return
        try:
            message = unpack_value(frame.body, f"the message to {cell.name}")
            askers: tuple[Address, ...] = ()
            if frame.kind == CHAINED:
                chain, message = message
                askers = tuple(Address(*each) for each in chain)
        except (NotSerializable, TypeError, ValueError) as error:
            answer.fail(error)
            return
        self._put(link, cell, message, Ask(message, answer, askers), frame.priority)

    def _put(self, link: Link, cell: Cell, message: Any, item: Any, priority: int) -> None:
        urgent = cell.is_urgent is not None and cell.is_urgent(type(message))
        if link.peering.is_parked(cell.number):
            link.peering.park(cell.number, Parked(item, priority, urgent))
            return
        try:
            cell.mailbox.put(item, priority=priority, urgent=urgent, block=False)
        except MailboxClosed:
            cell.bury_late(item)
        except MailboxFull as error:
            if cell.mailbox.overflow is Overflow.FAIL:
                if type(item) is Ask:
                    item.reply.fail(error)
                else:
                    cell.bury(item)
                self._hold_back(link, cell, "fail")
            else:
                link.peering.park(cell.number, Parked(item, priority, urgent))
                self._hold_back(link, cell, "block")

    def _hold_back(self, link: Link, cell: Cell, how: How) -> None:
        link.post(write(HOLD, _HIGH, cell.number, int(how == "fail")), now=True)
        room = _Room(lambda: self._soon(partial(self._room_again, link, cell)))
        if not cell.mailbox.when_room(room):
            self._room_again(link, cell)

    def _room_again(self, link: Link, cell: Cell) -> None:
        """Deliver what was parked for an actor, as much as there is room for."""
        peering = link.peering
        while (parked := peering.next_parked(cell.number)) is not None:
            try:
                cell.mailbox.put(parked.item, priority=parked.priority, urgent=parked.urgent, block=False)
            except MailboxClosed:
                cell.bury_late(parked.item)
            except MailboxFull:
                room = _Room(lambda: self._soon(partial(self._room_again, link, cell)))
                if cell.mailbox.when_room(room):
                    return
                continue
            peering.unpark(cell.number)
        link.post(write(RELEASE, _HIGH, cell.number, 0), now=True)

    def _watch(self, link: Link, frame: Frame) -> None:
        cell, answer = local_cell(frame.actor), Answer(link, frame.number)
        if cell is None:
            answer.set((0, "normal", None))
            return
        cell.watch(lambda end: answer.set(_told(end)))

    def _stop(self, link: Link, frame: Frame) -> None:
        cell, answer = local_cell(frame.actor), Answer(link, frame.number)
        if cell is None:
            answer.set(False)
            return
        asked: Reply[bool] = ActorRef(cell).stop(block=False)
        asked.add_done_callback(lambda reply: answer.set(reply.get()))

    def _query(self, link: Link, frame: Frame) -> None:
        cell, answer = local_cell(frame.actor), Answer(link, frame.number)
        try:
            what = unpack_value(frame.body)
            if what == "alive":
                answer.set(cell is not None and not cell.stopped.is_set())
            elif cell is None:
                answer.fail(DeadLetter("the actor has ended and nothing is left of it"))
            elif what == "attributes":
                actor = None if cell.run is None else cell.run.actor
                answer.set(None if actor is None else attributes_of(actor))
            elif what == "class":
                answer.set((cell.incarnation, cell.actor_class))
        except Exception as error:  # noqa: BLE001 - what the user's own attributes raise when they are looked at
            answer.fail(error)

    # --- for those who wait here ---

    def _answer(self, link: Link, frame: Frame) -> None:
        waiter = link.peering.ended(frame.number)
        if waiter is None:
            return
        try:
            value = unpack_value(frame.body, f"the answer of {waiter.name}")
        except NotSerializable as error:
            waiter.reply.fail(error)
        else:
            waiter.reply.set(value)

    def _error(self, link: Link, frame: Frame) -> None:
        waiter = link.peering.ended(frame.number)
        if waiter is None:
            return
        try:
            failure = Failure(*unpack_value(frame.body, f"the error of {waiter.name}"))
        except (NotSerializable, TypeError) as error:
            waiter.reply.fail(error)
        else:
            found = error_of(failure)
            if isinstance(found, DeadLetter) and found.recipient is None:
                found = DeadLetter(f"{waiter.name} has ended and nothing is left of it", recipient=waiter.name)
            waiter.reply.fail(found)

    def _hold(self, link: Link, frame: Frame) -> None:
        link.peering.hold(frame.actor, "fail" if frame.number else "block")

    def _release(self, link: Link, frame: Frame) -> None:
        link.released(frame.actor)

    def _let_go(self, link: Link, frame: Frame) -> None:
        link.give_back(tokens_of(frame.body))


class _Room:
    """Told by a mailbox that it has room."""

    __slots__ = ("release",)

    def __init__(self, release: Callable[[], object]) -> None:
        self.release = release


class Answer(Reply[Any]):
    """A reply whose answer goes to another process as soon as it is there, from the thread that gives it."""

    def __init__(self, link: Link, number: int) -> None:
        super().__init__()
        self._link = link
        self._number = number

    def _end(self, state: int, outcome: Any) -> bool:
        if not super()._end(state, outcome):
            return False
        error = self.exception()
        if error is None:
            try:
                self._link.post(write(ANSWER, _HIGH, 0, self._number, pack_value(outcome, "the answer")))
            except (NotSerializable, WireError) as unsendable:
                error = unsendable
        if error is not None:
            self._fail(error)
        return True

    def _fail(self, error: BaseException) -> None:
        try:
            body = pack_value(tuple(failure_of(error)), "the error")
            self._link.post(write(ERROR, _HIGH, 0, self._number, body))
        except ActorsError:
            _log.exception("An error could not be sent to the one who asked")


def _told(end: Exit) -> tuple[int, str, tuple[Any, ...] | None]:
    return end.incarnation, end.reason, None if end.error is None else tuple(failure_of(end.error))
