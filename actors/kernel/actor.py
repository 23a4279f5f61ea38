"""An object with a mailbox that handles one message at a time, on pykka, with pykka's traps closed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pykka
from pykka.messages import ProxyCall, ProxyGetAttr, ProxySetAttr, _ActorStop

from actors.errors import ActorsError, ConfigError
from actors.kernel.behaviour import behaviour
from actors.kernel.cell import Cell
from actors.kernel.clock import Clock
from actors.kernel.current import current
from actors.kernel.dispatch import ThreadDispatcher
from actors.kernel.handlers import HandlerTable, handles
from actors.kernel.hearing import EventSide, EventsWait
from actors.kernel.large import LargeMessage, take
from actors.kernel.mailbox import Mailbox, Overflow
from actors.kernel.options import ActorOptions
from actors.kernel.poll import Poller, PollMailbox
from actors.kernel.ref import ActorRef
from actors.kernel.reply import Reply
from actors.kernel.run import Run
from actors.kernel.timers import Timer, Timers
from actors.kernel.watching import WatchEnd

__all__ = ["Actor", "ActorOptions", "handles", "make_cell"]

_THREADS = ThreadDispatcher()


if TYPE_CHECKING:

    class _Base:
        """What type checkers see of pykka's actor: nothing, because its hooks have other signatures."""

else:
    _Base = pykka.ThreadingActor


class Actor(EventSide, _Base):
    """Base of all actors that live in this process.

    Subclass it, mark methods with `@handles`, and start it with `start`. All hooks and handlers run in the actor's own
    thread, one after the other. What a handler returns is the answer if the message was an ask.

    An Exception of a handler is the asker's if there is one, and the actor goes on; otherwise the actor fails. Any
    other BaseException (`SystemExit`, say) fails this actor, and no other. An actor that fails ends, and its supervisor
    may start a new instance behind the same reference.

    An attribute `machine` with an attribute `state` makes `@handles(..., when=...)` work.
    """

    use_daemon_thread: ClassVar[bool] = True

    polls: ClassVar[bool] = False
    """Whether the actor watches descriptors: then `poller` is there, and its mailbox is a `PollMailbox`."""

    bears: ClassVar[tuple[type[Exception], ...]] = (Exception,)
    """What a handler may raise to an asker with the actor going on. Anything else is told to the asker as well, and then
    fails the actor: for one whose state may be half made by what nobody expected."""

    repeats: ClassVar[bool] = False
    """Whether the message that an incarnation fails on, unless it is an ask, is handled once more by the next one. If it
    fails again it is given up. For actors that may hear everything twice."""

    reports_start: ClassVar[bool] = True
    """Whether the return of `on_start` is the start; False if the actor says by itself when it has started."""

    mailbox_bound: ClassVar[int] = 10_000
    """How many messages may wait for it, 1 or more. `ActorOptions` of one actor may say otherwise."""

    mailbox_overflow: ClassVar[Overflow | str] = Overflow.BLOCK
    """What happens to a message that finds the mailbox full: "block", "fail" or "drop_oldest", or an `Overflow`."""

    waits_for_room: ClassVar[bool] = True
    """Whether it waits when it sends to an actor whose full mailbox blocks, or goes beyond that one's bound."""

    stash_bound: ClassVar[int] = 10_000
    """How many messages it may put aside, 1 or more."""

    machine: Any = None

    _run: Run

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Now, so that handlers which collide, and bounds that are none, are errors where the class is defined.
        HandlerTable.of(cls)
        _check_bounds(cls)

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> ActorRef[Self]:
        """Start an actor in a thread of its own; the arguments are the constructor's, which is called here.

        Returns:
            Its reference, at once: `on_start` runs in the actor's thread, before any message.

        Raises:
            BaseException: whatever the constructor raises.
        """
        ref = cls.start_with(ActorOptions(), *args, **kwargs)
        ref.publish()
        return ref

    @classmethod
    def start_with(cls, options: ActorOptions, /, *args: Any, **kwargs: Any) -> ActorRef[Self]:
        """Like `start`, with a name, a bound, a clock or a dispatcher."""
        cell = make_cell(cls, args, kwargs, options)
        cell.start(build_here=True)
        return ActorRef(cell)

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        """Subclasses that override it must call it first; clock, timers, name and reference are there afterwards."""
        # Not pykka's: its static factory of the mailbox cannot know the bound, its reference does not pickle.
        run = self.__dict__.get("_run")
        if run is None:
            # Made by hand, for a test of its methods: complete, but nothing runs it.
            cell = make_cell(type(self), (), {}, ActorOptions())
            run = self._run = Run(cell)
            run.actor = self
        self._actor_ref: Any = ActorRef(run.cell)
        self.actor_urn = self._actor_ref.actor_urn
        self.actor_inbox: Any = run.cell.mailbox
        self.actor_stopped = run.cell.stopped

    def __str__(self) -> str:
        return self._run.cell.name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._run.cell.name}, incarnation {self._run.incarnation}>"

    # --- what an actor has ---

    @property
    def actor_ref(self) -> ActorRef[Self]:
        """The reference to this actor."""
        return self._actor_ref  # type: ignore[no-any-return]

    @property
    def name(self) -> str:
        """The actor's name."""
        return self._run.cell.name

    @property
    def incarnation(self) -> int:
        """Which life this is: 1 is the first."""
        return self._run.incarnation

    @property
    def clock(self) -> Clock:
        """What time it is."""
        return self._run.cell.clock

    @property
    def timers(self) -> Timers:
        """Messages to itself for later. They end with this incarnation."""
        return self._run.timers

    @property
    def mailbox(self) -> Mailbox:
        """Where its messages wait."""
        return self._run.cell.mailbox

    @property
    def poller(self) -> Poller | None:
        """The descriptors it watches; None unless the class says `polls = True`. They end with this incarnation."""
        mailbox = self._run.cell.mailbox
        return mailbox.poller if isinstance(mailbox, PollMailbox) else None

    def stop(self) -> None:
        """End after what waits already."""
        self._run.cell.stop()

    def defer(self) -> Reply[Any]:
        """Take over the answer to the message in hand, to give it later by `set` or `fail`.

        The handler's return value is ignored then. An answer that is still owed when the actor ends is an error for
        the asker. To a message that is no ask, the answer goes nowhere.
        """
        run = self._run
        reply = run.asked
        if reply is None:
            return Reply()
        if not run.took_over:
            run.took_over = True
            # From now on anybody may give it: whoever waits for it does not wait for this actor.
            reply.asked = None
            run.askers = ()
            run.owed.add(reply)
            reply.add_done_callback(run.owed.discard)
        return reply

    # --- what it may do with its messages ---

    def watch(self, ref: Any) -> None:
        """Be told by an `ActorEnded` message when another actor has ended for good; at once if it has.

        It comes once, behind what the other one sent before with the same priority, and not after `unwatch`. Watches end
        with this incarnation: a replacement watches anew, best in `on_start`.

        Args:
            ref: the other one's reference.

        Raises:
            ConfigError: it is no reference, or the actor's own.
        """
        self._run.watches.add(ref)

    def unwatch(self, ref: Any) -> bool:
        """Watch it no more. False if it was not watched, or its end has been told."""
        return self._run.watches.drop(ref)

    def stash(self) -> None:
        """Put the message in hand aside, until `unstash`. Whoever asked it keeps waiting.

        What is put aside goes back to the mailbox, before all that waits, when this incarnation ends. So a replacement
        handles it, and at the end for good it is answered and buried like all that waits.

        Raises:
            MailboxFull: `stash_bound` messages are put aside.
            ActorsError: no message is in hand, it is put aside already, or its answer was deferred.
        """
        self._run.put_aside()

    def unstash(self) -> int:
        """Handle all that was put aside after the message in hand, in order, before what waits; how many that are.

        Only urgent messages go before them.
        """
        return self._run.bring_back()

    def become(self, handlers: Any) -> None:
        """Take messages with other handlers after the one in hand, until `unbecome` or the next `become`.

        They stand in the place of all that the class marks with `@handles`; a message that none of them takes goes to
        `on_receive`. Proxies, timers, watches and the end work as before. `when=` works in a class or an object; whether a
        message is urgent is said by the actor's own class. A replacement begins with its class's handlers.

        Args:
            handlers: a mapping from message type to what is called with the message; a class whose methods marked with
                `@handles` are called with the actor and the message; or an object whose marked methods are called with
                the message.

        Raises:
            ConfigError: it is none of these or has no handler, or a handler is urgent.
        """
        self._run.become(behaviour(HandlerTable.of(Actor), handlers))

    def unbecome(self) -> None:
        """Take messages with the handlers of the class again, after the one in hand."""
        self._run.become(self._run.cell.table)

    def set_receive_timeout(self, seconds: float | None) -> None:
        """Get a `ReceiveTimeout` message each time that no message was handled for so long.

        Messages of timers count as messages. It ends with this incarnation.

        Args:
            seconds: more than 0; None for no such message any more.

        Raises:
            ConfigError: it is not more than 0.
        """
        if seconds is not None and not seconds > 0:
            raise ConfigError(
                f"a receive timeout must be more than 0 seconds, or None, not {seconds}", key="seconds", value=seconds
            )
        self._run.timers.idle_after(seconds)

    # --- hooks ---

    def on_start(self) -> None:
        """Called before the first message. What it raises fails the actor: `on_failure` follows."""

    def on_stop(self) -> None:
        """Called after the last message of an actor that was asked to end."""

    def on_failure(self, exception: BaseException) -> None:
        """Called after the failure that ends the actor; also after one of `on_start`.

        A method with three parameters, as pykka's hook has them, gets the exception's type, itself and its traceback.
        """

    def try_again(self, message: Any) -> None:
        """Let the next incarnation begin with this message; for `on_given_up`, about what no actor of its kind can miss."""
        self._run.cell.give_back([], [message])

    def on_given_up(self, message: Any, exception: BaseException | None) -> None:
        """Called before `on_failure` when the handling of a message has failed twice, for an actor that `repeats`."""

    def on_turn_end(self) -> None:
        """Called after each batch of messages, for what is better done once than for each message."""

    def on_receive(self, message: Any) -> Any:
        """Called with messages that no method handles. By default an asker is refused, and the log has a warning."""
        self._run.refuse_unknown(message)

    def on_stop_request(self, reason: str) -> None:
        """Called when the actor is asked to end; `reason` is "normal" or "shutdown". By default it ends at once."""
        self._run.finish(reason)

    # --- what pykka's proxies send ---

    @handles(ProxyCall)
    def _take_call(self, message: ProxyCall) -> Any:
        return _attribute(self, message.attr_path)(*message.args, **message.kwargs)

    @handles(ProxyGetAttr)
    def _take_get(self, message: ProxyGetAttr) -> Any:
        return _attribute(self, message.attr_path)

    @handles(ProxySetAttr)
    def _take_set(self, message: ProxySetAttr) -> None:
        setattr(_attribute(self, message.attr_path[:-1]), message.attr_path[-1], message.value)

    # --- what the kernel sends ---

    @handles(Timer)
    def _take_timer(self, message: Timer) -> None:
        self._run.take_timer(message)

    @handles(LargeMessage)
    def _take_large(self, message: LargeMessage) -> Any:
        return take(self._run, message)

    @handles(EventsWait)
    def _take_event(self, message: EventsWait) -> None:
        self._run.hand_over(message.hearing.take() if message.hearing is self._run.hearing else None)

    @handles(WatchEnd)
    def _take_watch_end(self, message: WatchEnd) -> None:
        self._run.hand_over(self._run.watches.arrived(message))

    @handles(_ActorStop)
    def _take_stop(self, message: _ActorStop) -> None:
        self.on_stop_request("normal")

    # --- pykka's own machinery, which this replaces ---

    @staticmethod
    def _create_actor_inbox() -> Any:
        return Mailbox()

    @staticmethod
    def _create_future() -> Any:
        return Reply()

    def _start_actor_loop(self) -> None:
        raise ActorsError(f"{type(self).__qualname__} is started by its method start, not by its loop")


def _check_bounds(cls: type[Actor]) -> None:
    for key in ("mailbox_bound", "stash_bound", "event_bound"):
        value = getattr(cls, key)
        if not isinstance(value, int) or value < 1:
            raise ConfigError(
                f"{cls.__qualname__}.{key} must be a whole number, 1 or more, not {value!r}",
                key=key,
                value=value,
                allowed="1 or more",
            )
    allowed = [overflow.value for overflow in Overflow]
    if cls.mailbox_overflow not in {*allowed, *Overflow}:
        raise ConfigError(
            f"{cls.__qualname__}.mailbox_overflow must be one of {', '.join(allowed)}, not {cls.mailbox_overflow!r}",
            key="mailbox_overflow",
            value=cls.mailbox_overflow,
            allowed=", ".join(allowed),
        )


def _attribute(root: Any, path: Any) -> Any:
    for name in path:
        root = getattr(root, name)
    return root


def make_cell(actor_class: type[Actor], args: tuple[Any, ...], kwargs: dict[str, Any], options: ActorOptions) -> Cell:
    """A cell that waits for its `start`; for `Actor` and for supervisors."""
    if options.events is None and current.cell is not None:
        options = replace(options, events=current.cell.options.events)
    cell = Cell(actor_class, args, kwargs, options, dispatcher=options.dispatcher or _THREADS, make_run=Run)
    if options.on_dead_letter is not None:
        cell.on_dead_letter = partial(options.on_dead_letter, ActorRef(cell))
    return cell
