"""The reference to an actor of another process."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

import actors.remote.office as post
from actors.errors import ActorsError, AgentDied, AskTimeout, DeadLetter, NotSerializable, WireError
from actors.hosts.serialize import error_of, pack_value
from actors.kernel.address import Address, process_name, returns
from actors.kernel.askers import refuse_circle
from actors.kernel.cell import Exit, local_cell
from actors.kernel.proxies import Attributes, Mirror, proxy_of
from actors.kernel.ref import ActorRef
from actors.kernel.reply import Reply
from actors.protocol.messages import Failure, Priority
from actors.remote.circles import Away
from actors.remote.frames import ASK, CHAINED, QUERY, STOP, TELL, WATCH, write
from actors.remote.link import Link, Waiter, process_died

__all__ = ["RemoteRef", "arrive", "leaving"]

A = TypeVar("A")

_NORMAL = Priority.NORMAL
_HIGH = int(Priority.HIGH)
_SHORT = frozenset({int, str, float, bool})
_INLINE = 1 << 16
_QUESTIONS = (ASK, CHAINED)
# How long an answer may take that no code of the user's is asked for.
_QUERY_TIMEOUT = 10.0


class RemoteCell:
    """What is known here of an actor in another process: the same small shape as a `Cell`."""

    __slots__ = ("address", "dead_letters", "gone", "left_behind", "link", "name", "number", "process", "watches")

    def __init__(self, address: Address) -> None:
        self.address = address
        self.process, self.number, self.name, _ = address
        self.left_behind = None
        self.link: Link | None = None
        self.dead_letters = 0
        self.gone = False
        # What is to be called at its end, with the number of the question.
        self.watches: list[tuple[Callable[[Exit], object], int]] = []

    def reach(self) -> Link:
        """The connection to its process.

        Raises:
            AgentDied: that process is gone.
            DeadLetter: it cannot be reached.
        """
        link = self.link
        if link is None or link.closed:
            link = self.link = post.office().reach(self.address)
        return link

    def bury(self, message: Any) -> None:
        """Count a message that will not arrive."""
        self.dead_letters += 1
        post.dead_letter(self.address, message)

    def question(self, kind: int, body: Any, priority: int = _HIGH, *, now: bool = True) -> tuple[Reply[Any], int]:
        """Send what wants an answer: its reply, which has failed already if that cannot be, and its number."""
        reply: Reply[Any] = Reply()
        try:
            link = self.reach()
        except ActorsError as error:
            reply.fail(error)
            return reply, 0
        number = link.peering.ask(Waiter(reply, self.name))
        if number is None:
            reply.fail(process_died(self.name, None))
            return reply, 0
        if kind in _QUESTIONS:
            reply.asked = Away(self.address, link, number)
        try:
            frame = write(kind, priority, self.number, number, body)
        except WireError as error:
            link.peering.ended(number)
            reply.fail(error)
            return reply, 0
        if not link.post(frame, now=now) and link.peering.ended(number) is not None:
            reply.fail(process_died(self.name, None))
        return reply, number

    def forget(self, number: int) -> None:
        """Wait no more for an answer."""
        if self.link is not None:
            self.link.peering.ended(number)


class RemoteRef(ActorRef[A]):
    """Reaches an actor of another process, with all that an `ActorRef` can do.

    Messages and answers are copied on their way, so both must pickle. Whatever ends that process, who waits for an answer
    gets `AgentDied`.
    """

    __slots__ = ()

    _cell: RemoteCell  # type: ignore[assignment]  # of the same shape, as far as it is used

    def __init__(self, address: Address) -> None:
        self._cell = RemoteCell(address)

    def __repr__(self) -> str:
        return f"<ActorRef {self._cell.name}, in process {self._cell.process}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return arrive, tuple(self._cell.address)

    # --- who it is ---

    @property
    def incarnation(self) -> int:
        """How many times it has been started. Asks its process."""
        return cast("int", self._query("class")[0])

    @property
    def actor_class(self) -> type[A]:
        """What it is made of. Asks its process; the class must be one that this process can import."""
        return cast("type[A]", self._query("class")[1])

    @property
    def actor_inbox(self) -> Any:
        """Its mailbox, which is in its own process: None."""
        return None

    @property
    def actor_stopped(self) -> threading.Event:
        """An event that is set when it has ended for good."""
        ended = threading.Event()
        self.watch(lambda _: ended.set())
        return ended

    def is_alive(self) -> bool:
        """Whether it takes messages. Asks its process, which answers also while the actor is busy."""
        try:
            return bool(self._query("alive"))
        except (AgentDied, DeadLetter):
            return False

    # --- sending ---

    def tell(self, message: Any, *, priority: int = _NORMAL, block: bool | float = True) -> None:
        """Send a copy of a message without waiting for an answer; otherwise as `ActorRef.tell`.

        Raises:
            NotSerializable: the message cannot be sent to another process.
            MailboxFull: there was no room in that time; or the mailbox refuses what finds it full (`Overflow.FAIL`), of
                which a sender in another process hears from its next message on.
        """
        cell = self._cell
        body = _packed(message)
        if cell.gone:
            cell.bury(message)
            return
        try:
            link = cell.reach()
        except ActorsError:
            # Neither comes back: a process that is gone, or one that nobody knows the way to; unless it is started again.
            cell.gone = not returns(cell.process)
            cell.bury(message)
            return
        if link.crowded(cell.number):
            link.await_room(cell.number, cell.name, block)
        if not link.post(_framed(message, TELL, priority, cell.number, 0, body)):
            cell.bury(message)

    def ask(self, message: Any, *, timeout: float | None = 30.0, block: bool = True, priority: int = _NORMAL) -> Any:
        """Send a copy of a message and wait for the answer; otherwise as `ActorRef.ask`.

        Raises:
            AskTimeout: the answer did not come in time.
            AgentDied: the process of the actor ended before it had answered.
            DeadLetter: the actor has ended, or ended before it answered.
            NotSerializable: message or answer cannot be sent to another process.
            DeadlockDetected: an actor asks another one that waits for it, directly or over others, in whatever processes.
            MessageRefused: it does not take this message, or not in its present state.
            Exception: whatever its handler raised, with the traceback from there.
        """
        if not block:
            return self._ask(message, priority, now=False)[0]
        chain = refuse_circle(self._cell.address, message)
        reply, number = self._ask(message, priority, chain, now=True)
        try:
            if reply.wait(timeout):
                return reply.get()
        finally:
            # The traceback of an error that is raised leads to this frame: break the circle.
            del reply
        self._cell.forget(number)
        kind = type(message).__qualname__
        raise AskTimeout(
            f"{self.name} did not answer {kind} within {timeout} s", recipient=self.name, message=kind, timeout=timeout
        )

    def ask_later(self, message: Any, *, priority: int = _NORMAL) -> Reply[Any]:
        """Send a copy of a message and return its `Reply` at once.

        Raises:
            NotSerializable: the message cannot be sent to another process.
        """
        return self._ask(message, priority, now=False)[0]

    def _ask(self, message: Any, priority: int, chain: tuple[Any, ...] = (), *, now: bool) -> tuple[Reply[Any], int]:
        cell = self._cell
        kind, sent = ASK, message
        if chain:
            # Those of this process are cells.
            kind, sent = CHAINED, (tuple(tuple(getattr(each, "address", each)) for each in chain), message)
        body = pack_value(sent, f"the message {type(message).__qualname__}") if chain else _packed(message)
        link = cell.link
        if link is not None and not now and not link.closed and link.crowded(cell.number):
            link.await_room(cell.number, cell.name, True)  # noqa: FBT003 - as long as it takes
        return cell.question(kind, body, int(priority), now=now)

    def proxy(self) -> Any:
        """An object whose methods and attributes are the actor's, each a message; their values are replies.

        Which there are is asked for now, and again when one is looked for that was not there.

        Raises:
            DeadLetter: the actor has ended.
            AgentDied: its process has.
        """
        if not self.is_alive():
            raise DeadLetter(f"{self.name} has ended: there is nothing to be a proxy of", recipient=self.name)
        return proxy_of(self)

    # --- the end ---

    def stop(self, *, block: bool = True, timeout: float | None = None) -> Any:
        """End the actor after what waits for it already; otherwise as `ActorRef.stop`."""
        reply, number = self._cell.question(STOP, b"")
        result: Reply[bool] = Reply()
        # Whoever is gone is as good as stopped, and it was not this call that did it.
        reply.add_done_callback(lambda told: result.set(told.exception() is None and bool(told.get())))
        if not block:
            return result
        if not result.wait(timeout):
            self._cell.forget(number)
            raise AskTimeout(f"{self.name} did not end within {timeout} s", recipient=self.name, timeout=timeout)
        return result.get()

    def watch(self, callback: Callable[[Exit], object]) -> None:
        """Call `callback(exit)` once the actor, or its process, has ended for good; in any thread, so be short.

        `exit.error` is then what the actor failed with, or the `AgentDied` of its process.
        """
        name = self.name

        def told(reply: Reply[Any]) -> None:
            self._cell.watches[:] = [each for each in self._cell.watches if each[0] is not callback]
            error = reply.exception()
            if error is not None:
                callback(Exit(name, 0, "failure", error))
                return
            incarnation, reason, failure = reply.get()
            callback(Exit(name, incarnation, reason, None if failure is None else error_of(Failure(*failure))))

        reply, number = self._cell.question(WATCH, b"")
        self._cell.watches.append((callback, number))
        reply.add_done_callback(told)

    def unwatch(self, callback: Callable[[Exit], object]) -> None:
        """Forget a callback that was given to `watch`."""
        for watch in list(self._cell.watches):
            if watch[0] == callback:
                self._cell.watches.remove(watch)
                self._cell.forget(watch[1])

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the actor has ended for good, for at most `timeout` seconds. Whether it has."""
        reply, number = self._cell.question(WATCH, b"")
        if reply.wait(timeout):
            return True
        self._cell.forget(number)
        return False

    # --- what is known of it ---

    def _query(self, what: str) -> Any:
        reply, number = self._cell.question(QUERY, pack_value(what))
        if not reply.wait(_QUERY_TIMEOUT):
            self._cell.forget(number)
            raise AskTimeout(f"the process of {self.name} does not answer", recipient=self.name, timeout=_QUERY_TIMEOUT)
        return reply.get()

    def _attributes(self) -> Attributes:
        found = self._query("attributes")
        return {} if found is None else cast("Attributes", found)

    def _actor_weakref(self) -> Any:
        """What pykka's proxy looks at to learn the names of methods and attributes."""
        return Mirror(self._attributes, (self._cell.process, self._cell.number))

    def publish(self) -> None:
        """It travels anyway."""


def arrive(process: str, number: int, name: str, endpoint: str) -> ActorRef[Any]:
    """The reference to an actor, in whatever process it is unpickled; never an error, also if the actor is gone."""
    if process == process_name():
        cell = local_cell(number)
        if cell is not None:
            return ActorRef(cell)
    return RemoteRef(Address(process, number, name, endpoint))


def leaving(address: Address) -> tuple[Any, ...]:
    """What `__reduce__` of a reference gives."""
    endpoint = address.endpoint or (post.office().endpoint if address.process == process_name() else "")
    return arrive, (address.process, address.number, address.name, endpoint)


def _packed(message: Any) -> Any:
    """A message in the form in which it travels; short texts and numbers by the shortest way."""
    if type(message) in _SHORT and (type(message) is not str or len(message) < _INLINE):
        return pickle.dumps(message, 5)
    return pack_value(message, f"the message {type(message).__qualname__}")


def _framed(message: Any, *fields: Any) -> Any:
    try:
        return write(*fields)
    except WireError as error:
        raise NotSerializable(str(error), what=f"the message {type(message).__qualname__}", reason=str(error)) from None
