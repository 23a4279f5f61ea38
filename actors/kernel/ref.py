"""The only way to reach an actor: a small value that names it, through all its incarnations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import pykka

from actors.errors import MailboxClosed, MessageRefused
from actors.kernel.address import Address
from actors.kernel.askers import refuse_circle
from actors.kernel.cell import Cell, Exit
from actors.kernel.current import current
from actors.kernel.proxies import Mirror, attributes_of, instance_of
from actors.kernel.pykkaerrors import AskTimeout, DeadLetter
from actors.kernel.reply import Reply
from actors.kernel.travel import travel
from actors.protocol.messages import Priority

__all__ = ["ActorRef"]

A = TypeVar("A")

_NORMAL = Priority.NORMAL


class ActorRef(Generic[A]):
    """Reaches an actor. It follows restarts, compares and hashes by address, and is safe to use from any thread.

    It travels: in a message, among the arguments of a task, to a process of the user's own. Wherever it arrives it
    reaches the same actor; in that actor's own process it is the local reference again.
    """

    __slots__ = ("__weakref__", "_cell")

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    def __repr__(self) -> str:
        return f"<ActorRef {self._cell.name}{'' if self.is_alive() else ', ended'}>"

    def __str__(self) -> str:
        return self._cell.name

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ActorRef):
            return False
        mine, others = self._cell, other._cell
        return mine is others or (mine.number == others.number and mine.process == others.process)

    def __hash__(self) -> int:
        return hash(self._cell.number)

    def __reduce__(self) -> tuple[Any, ...]:
        return travel().leaving(self._cell.address)

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
        process, number, name, _ = self._cell.address
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
        if self._cell.left_behind is not None:
            return self._away().is_alive()
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
            if cell.left_behind is not None:
                self._away().tell(message, priority=priority, block=block)
            else:
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
        if self._cell.left_behind is not None:
            return self._away().ask(message, timeout=timeout, block=block, priority=priority)
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
        if self._cell.left_behind is not None:
            return self._away().ask_later(message, priority=priority)
        return self._cell.ask(message, priority=priority)

    def proxy(self) -> pykka.ActorProxy[Any]:
        """An object whose methods and attributes are the actor's, each a message; their values are replies.

        Raises:
            DeadLetter: the actor has ended.
        """
        if self._cell.left_behind is not None:
            return self._away().proxy()
        if not self.is_alive():
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
        if self._cell.left_behind is not None:
            return self._away().stop(block=block, timeout=timeout)
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
        if self._cell.left_behind is not None:
            self._away().watch(callback)
            return
        self._cell.watch(callback)

    def unwatch(self, callback: Callable[[Exit], object]) -> None:
        """Forget a callback that was given to `watch`."""
        if self._cell.left_behind is not None:
            return
        self._cell.unwatch(callback)

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the actor has ended for good, for at most `timeout` seconds. Whether it has."""
        if self._cell.left_behind is not None:
            return self._away().join(timeout)
        if self._cell.drive is not None:
            return self._cell.drive(self._cell.stopped.is_set, timeout)
        return self._cell.stopped.wait(timeout)

    def publish(self) -> None:
        """Note that the program has this reference, so that it also works in a process that the program forks."""
        self._cell.public = True

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
        actor = None if run is None else run.actor
        # Between two incarnations there is none, and a proxy of it is as good as at any other time.
        return actor or Mirror(lambda: attributes_of(instance_of(self._cell)), self._cell.address[:2])

    def _away(self) -> ActorRef[A]:
        """In the child of a fork: the reference to the actor, which stayed in the parent."""
        return cast("ActorRef[A]", travel().arriving(self._cell.address))
