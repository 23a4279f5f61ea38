"""The only way to reach an actor: a small value that names it, through all its incarnations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import pykka

from actors.errors import MailboxClosed, MessageRefused, NotSerializable
from actors.kernel.askers import refuse_circle
from actors.kernel.cell import Address, Cell, Exit, find_cell, process_name
from actors.kernel.current import current
from actors.kernel.pykkaerrors import AskTimeout, DeadLetter
from actors.kernel.reply import Reply
from actors.protocol.messages import Priority

__all__ = ["ActorRef", "install_resolver"]

A = TypeVar("A")

_NORMAL = Priority.NORMAL


class ActorRef(Generic[A]):
    """Reaches an actor. It follows restarts, compares and hashes by address, and is safe to use from any thread.

    It pickles inside its process. Elsewhere it is what the resolver of that process (`install_resolver`) makes of its
    address, and without one an error.
    """

    __slots__ = ("__weakref__", "_cell")

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    def __repr__(self) -> str:
        return f"<ActorRef {self._cell.name}{'' if self.is_alive() else ', ended'}>"

    def __str__(self) -> str:
        return self._cell.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorRef) and other._cell is self._cell

    def __hash__(self) -> int:
        return hash(self._cell.number)

    def __reduce__(self) -> tuple[Any, ...]:
        return _resolve, (tuple(self._cell.address),)

    # --- who it is ---

    @property
    def name(self) -> str:
        """The actor's name."""
        return self._cell.name

    @property
    def address(self) -> Address:
        """Where the actor is."""
        return self._cell.address

    @property
    def incarnation(self) -> int:
        """How many times it has been started."""
        return self._cell.incarnation

    @property
    def actor_class(self) -> type[A]:
        """What it is made of."""
        return cast("type[A]", self._cell.actor_class)

    @property
    def actor_urn(self) -> str:
        """Its address as a text."""
        process, number, name = self._cell.address
        return f"urn:actors:{process}:{number}:{name}"

    @property
    def actor_inbox(self) -> Any:
        """Its mailbox."""
        return self._cell.mailbox

    @property
    def actor_stopped(self) -> Any:
        """The event that is set when it has ended for good."""
        return self._cell.stopped

    @property
    def dead_letters(self) -> int:
        """How many messages it will never handle."""
        return self._cell.dead_letters

    def is_alive(self) -> bool:
        """Whether it takes messages: also before its start, and between two incarnations, but not during its last hook."""
        return not self._cell.mailbox.closed

    # --- sending ---

    def tell(self, message: Any, *, priority: int = _NORMAL, block: bool | float = True) -> None:
        """Send a message without waiting for an answer.

        A message to an actor that has ended is a dead letter: counted, told to who listens, and no error here.

        Args:
            message: anything; it is shared, not copied.
            priority: a `Priority`; higher goes first.
            block: whether to wait for room in a full mailbox: True, False, or for how many seconds. An actor waits as
                `Overflow.BLOCK` says.

        Raises:
            MailboxFull: there was no room in that time.
        """
        cell = self._cell
        try:
            if cell.is_urgent is None:
                cell.mailbox.put(message, priority=priority, block=block)
            else:
                cell.mailbox.put(message, priority=priority, urgent=cell.is_urgent(type(message)), block=block)
        except MailboxClosed:
            cell.bury(message)

    def ask(self, message: Any, *, timeout: float | None = 30.0, block: bool = True, priority: int = _NORMAL) -> Any:
        """Send a message and wait for the answer, which is what its handler returns.

        Args:
            message: anything; it is shared, not copied.
            timeout: for how many seconds to wait; None without end.
            block: False returns the `Reply` at once, as `ask_later` does.
            priority: a `Priority`; higher goes first.

        Raises:
            AskTimeout: the answer did not come in time.
            DeadLetter: the actor has ended, or ended before it answered.
            MessageRefused: it does not take this message, or not in its present state; or an actor asks itself.
            DeadlockDetected: an actor asks another one that waits for it, directly or over others.
            Exception: whatever its handler raised.
        """
        if not block:
            return self._cell.ask(message, priority=priority)
        if current.cell is self._cell:
            raise self._self_asked(message)
        reply = self._cell.ask(message, priority=priority, askers=refuse_circle(self._cell, message))
        try:
            if reply.wait(timeout):
                return reply.get()
        finally:
            # The traceback of an error that is raised leads to this frame: break the circle.
            del reply
        kind = type(message).__qualname__
        raise AskTimeout(
            f"{self._cell.name} did not answer {kind} within {timeout} s",
            recipient=self._cell.name,
            message=kind,
            timeout=timeout,
        )

    def ask_later(self, message: Any, *, priority: int = _NORMAL) -> Reply[Any]:
        """Send a message and return its `Reply` at once: to be given a callback, awaited, or waited for later."""
        return self._cell.ask(message, priority=priority)

    def proxy(self) -> pykka.ActorProxy[Any]:
        """An object whose methods and attributes are the actor's, each a message; their values are replies.

        Raises:
            DeadLetter: the actor has ended.
        """
        if not self.is_alive() or self._actor_weakref() is None:
            raise DeadLetter(f"{self._cell.name} has ended: there is nothing to be a proxy of", recipient=self.name)
        return pykka.ActorProxy(actor_ref=cast("Any", self))

    # --- the end ---

    def stop(self, *, block: bool = True, timeout: float | None = None) -> Any:
        """End the actor after what waits for it already. Its supervisor may start a replacement.

        Args:
            block: wait for the end; False returns a `Reply` of what would be returned.
            timeout: for how many seconds to wait; None without end.

        Returns:
            Whether it is this call, or another one of that moment, that ended it; False if it had ended before.

        Raises:
            AskTimeout: it did not end in time. It is still asked to.
        """
        reply: Reply[bool] = Reply()
        reply.drive = self._cell.drive
        reply.asked = self._cell
        alive = self.is_alive()
        self._cell.watch_run(lambda _: reply.set(alive))
        self._cell.stop()
        if not block:
            return reply
        if current.cell is self._cell:
            raise self._self_asked("stop")
        if not reply.wait(timeout):
            raise AskTimeout(f"{self.name} did not end within {timeout} s", recipient=self.name, timeout=timeout)
        return reply.get()

    def watch(self, callback: Callable[[Exit], object]) -> None:
        """Call `callback(exit)` once the actor has ended for good, at once if it has; in any thread, so be short."""
        self._cell.watch(callback)

    def unwatch(self, callback: Callable[[Exit], object]) -> None:
        """Forget a callback that was given to `watch`."""
        self._cell.unwatch(callback)

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the actor has ended for good, for at most `timeout` seconds. Whether it has."""
        if self._cell.drive is not None:
            return self._cell.drive(self._cell.stopped.is_set, timeout)
        return self._cell.stopped.wait(timeout)

    def _self_asked(self, message: Any) -> MessageRefused:
        kind = message if isinstance(message, str) else type(message).__qualname__
        return MessageRefused(
            f"{self._cell.name} cannot wait for its own answer to {kind}: use tell, or ask_later with a callback",
            recipient=self._cell.name,
            message=kind,
        )

    def _actor_weakref(self) -> Any:
        """What pykka's proxy looks at to learn the names of methods and attributes."""
        run = self._cell.run
        return None if run is None else run.actor


# At most one: what knows the way to the actors of other processes.
_resolvers: list[Callable[[Address], Any]] = []


def install_resolver(resolver: Callable[[Address], Any] | None) -> None:
    """Say what a reference from another process becomes in this one; None: an error."""
    _resolvers[:] = [] if resolver is None else [resolver]


def _resolve(fields: tuple[str, int, str]) -> Any:
    address = Address(*fields)
    cell = find_cell(address)
    if cell is not None:
        return ActorRef(cell)
    if address.process == process_name():
        raise DeadLetter(f"{address.name} has ended and nothing is left of it", recipient=address.name)
    for resolver in _resolvers:
        return resolver(address)
    raise NotSerializable(
        f"the reference to the actor {address.name} is of another process, and this one has no connection to it; "
        "pass its name, or answer through the system",
        what=f"a reference to {address.name}",
        reason=f"it belongs to process {address.process}",
    )
