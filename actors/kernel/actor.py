"""An object with a mailbox that handles one message at a time, on pykka, with pykka's traps closed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pykka
from pykka.messages import ProxyCall, ProxyGetAttr, ProxySetAttr, _ActorStop

from actors.errors import ActorsError
from actors.kernel.cell import ActorOptions, Cell
from actors.kernel.clock import Clock
from actors.kernel.dispatch import ThreadDispatcher
from actors.kernel.handlers import HandlerTable, handles
from actors.kernel.mailbox import Mailbox
from actors.kernel.poll import Poller, PollMailbox
from actors.kernel.ref import ActorRef
from actors.kernel.reply import Reply
from actors.kernel.run import Run
from actors.kernel.timers import Timers

__all__ = ["Actor", "ActorOptions", "handles", "make_cell"]

_THREADS = ThreadDispatcher()


if TYPE_CHECKING:

    class _Base:
        """What type checkers see of pykka's actor: nothing, because its hooks have other signatures."""

else:
    _Base = pykka.ThreadingActor


class Actor(_Base):
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

    machine: Any = None

    _run: Run

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Now, so that handlers which collide are an error where the class is defined.
        HandlerTable.of(cls)

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> ActorRef[Self]:
        """Start an actor in a thread of its own; the arguments are the constructor's, which is called here.

        Returns:
            Its reference, at once: `on_start` runs in the actor's thread, before any message.

        Raises:
            BaseException: whatever the constructor raises.
        """
        return cls.start_with(ActorOptions(), *args, **kwargs)

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

    # --- hooks ---

    def on_start(self) -> None:
        """Called before the first message. What it raises fails the actor: `on_failure` follows."""

    def on_stop(self) -> None:
        """Called after the last message of an actor that was asked to end."""

    def on_failure(self, exception: BaseException) -> None:
        """Called after the failure that ends the actor; also after one of `on_start`."""

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


def _attribute(root: Any, path: Any) -> Any:
    for name in path:
        root = getattr(root, name)
    return root


def make_cell(actor_class: type[Actor], args: tuple[Any, ...], kwargs: dict[str, Any], options: ActorOptions) -> Cell:
    """A cell that waits for its `start`; for `Actor` and for supervisors."""
    cell = Cell(actor_class, args, kwargs, options, dispatcher=options.dispatcher or _THREADS, make_run=Run)
    if options.on_dead_letter is not None:
        cell.on_dead_letter = partial(options.on_dead_letter, ActorRef(cell))
    return cell
