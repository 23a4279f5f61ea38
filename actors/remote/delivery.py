"""What is done in a process with what comes from another one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from actors.core.peering import Parked
from actors.errors import (
    ActorsError,
    DeadLetter,
    MailboxClosed,
    MailboxFull,
    MessageRefused,
    NotSerializable,
    WireError,
)
from actors.hosts.serialize import error_of, failure_of, pack_value, unpack_value
from actors.kernel.address import Address
from actors.kernel.cell import Cell, Exit, local_cell
from actors.kernel.large import LargeMessage
from actors.kernel.mailbox import Overflow
from actors.kernel.proxies import attributes_of, instance_of
from actors.kernel.ref import ActorRef
from actors.kernel.reply import Ask, Reply
from actors.protocol.messages import Failure, Priority
from actors.remote import circles
from actors.remote.frames import (
    ANSWER,
    ASK,
    CHAINED,
    ERROR,
    HOLD,
    LET_GO,
    QUERY,
    RELEASE,
    SEARCH,
    STOP,
    TELL,
    WATCH,
    Frame,
    tokens_of,
    write,
)

if TYPE_CHECKING:
    from actors.core.peering import How
    from actors.remote.link import Link, Waiter

__all__ = ["Answer", "Delivery", "Lost", "Room"]

_log = logging.getLogger("actors.remote")

_HIGH = int(Priority.HIGH)


Lost: TypeAlias = Callable[[int, object], object]
"""Called with the number of an actor that is no more, and a message to it."""


class Room:
    """Whether this process has memory for a large message; always, unless somebody who knows its limits says otherwise.

    Attributes:
        refusal: called with a size in bytes; why there is none, or None.
    """

    def __init__(self) -> None:
        self.refusal: Callable[[int], str | None] = lambda _: None

    def check(self, size: int, recipient: str) -> None:
        """See whether a message of so many bytes may be read.

        Raises:
            MessageRefused: there is not enough memory for it.
        """
        why = self.refusal(size)
        if why is not None:
            raise MessageRefused(f"{recipient} cannot take a message of {size >> 20:,} MiB: {why}", recipient=recipient)


class Delivery:
    """Hands what comes in to the actors of this process, and answers to those who wait for them.

    Args:
        soon: has something done in the thread of the post office.
        room: whether there is memory for a large message.
        lost: called with a message to an actor of which nothing is left here, and the number of that.

    All but what `soon` is given runs in that thread.
    """

    def __init__(self, soon: Callable[[Callable[[], object]], object], room: Room, lost: Lost) -> None:
        self._soon = soon
        self._lost = lost
        self._room = room
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
            SEARCH: circles.take,
            LET_GO: self._let_go,
        }

    def take(self, link: Link, frame: Frame) -> None:
        """Deal with one frame. Never raises because of what is in it."""
        self._take[frame.kind](link, frame)

    # --- for actors here ---

    def _tell(self, link: Link, frame: Frame) -> None:
        cell = local_cell(frame.actor)
        if type(frame.body) is not bytes:
            if cell is None:
                # Not worth the time to read it.
                self._lost(frame.actor, LargeMessage(lambda: ((), None)))
            else:
                self._put(link, cell, large := self._large(cell, frame), large, frame.priority)
            return
        try:
            message = unpack_value(frame.body, "a message")
        except NotSerializable as error:
            _log.warning("A message to %s is lost: %s", "nobody" if cell is None else cell.name, error)
            return
        if cell is None:
            self._lost(frame.actor, message)
            return
        self._put(link, cell, message, message, frame.priority)

    def _ask(self, link: Link, frame: Frame) -> None:
        cell = local_cell(frame.actor)
        answer = Answer(link, frame.number)
        if cell is None:
            answer.fail(DeadLetter("the actor has ended and nothing is left of it"))
            return
        if type(frame.body) is not bytes:
            large = self._large(cell, frame)
            self._put(link, cell, large, Ask(large, answer), frame.priority)
            return
        try:
            askers, message = _read(cell, frame)
        except NotSerializable as error:
            answer.fail(error)
            return
        self._put(link, cell, message, Ask(message, answer, askers), frame.priority)

    def _large(self, cell: Cell, frame: Frame) -> LargeMessage:
        """A message that is read by its actor, so that others of this process are not held up meanwhile."""

        def read() -> tuple[tuple[Address, ...], Any]:
            self._room.check(len(frame.body), cell.name)
            return _read(cell, frame)

        return LargeMessage(read)

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
                answer.set(attributes_of(instance_of(cell)))
            elif what == "class":
                answer.set((cell.incarnation, cell.actor_class))
        except Exception as error:  # noqa: BLE001 - what the user's own attributes raise when they are looked at
            answer.fail(error)

    # --- for those who wait here ---

    def _answer(self, link: Link, frame: Frame) -> None:
        waiter = link.peering.ended(frame.number)
        if waiter is None:
            return
        if type(frame.body) is bytes:
            self._settle(waiter, frame)
        else:
            # Whoever waits may have no thread of its own for it.
            threading.Thread(target=self._settle, args=(waiter, frame), name="actors-post-reader", daemon=True).start()

    def _settle(self, waiter: Waiter, frame: Frame) -> None:
        try:
            if type(frame.body) is not bytes:
                self._room.check(len(frame.body), f"the one who asked {waiter.name}")
            value = unpack_value(frame.body, f"the answer of {waiter.name}")
        except ActorsError as error:
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


def _read(cell: Cell, frame: Frame) -> tuple[tuple[Address, ...], Any]:
    """Those who do nothing but wait for the answer, and the message.

    Raises:
        NotSerializable: it cannot be read.
    """
    what = f"the message to {cell.name}"
    message = unpack_value(frame.body, what)
    if frame.kind != CHAINED:
        return (), message
    try:
        chain, message = message
        return tuple(Address(*each) for each in chain), message
    except (TypeError, ValueError) as error:
        raise NotSerializable(f"{what} cannot be read here: {error}", what=what, reason=str(error)) from error


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
        self.question = link, number

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
