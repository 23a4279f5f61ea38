"""Doubles for tests: an actor that records and expects, and a recorder of events.

Both work in real time, where they wait for what happens with a time limit, and under a `ManualDispatcher`, where they
let it happen in virtual time.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

from actors.errors import ConfigError
from actors.kernel.actor import Actor
from actors.kernel.cell import Exit
from actors.kernel.clock import Clock, SystemClock
from actors.kernel.dispatch import ManualDispatcher
from actors.kernel.options import ActorOptions, Dispatcher
from actors.kernel.ref import ActorRef
from actors.protocol.events import Event, Scope
from actors.runtime.subscription import Subscription
from actors.testing.record import Record, Wanted

__all__ = ["EventRecorder", "Probe", "Record"]


class Probe(Record):
    """An actor that records what it receives, and a test's expectations of it.

    Hand its `ref` to the code under test in the place of another actor. Questions that no rule of `reply_with` answers
    wait for `answer`.

    Args:
        name: for the texts of failures.
        dispatcher: what runs it; None is a thread of its own. Under a `ManualDispatcher` the expectations step the actors
            and let virtual time pass.
        clock: the time; None is that of the dispatcher, or the machine's.
        within: seconds that an expectation waits unless it says otherwise.

    Example:
        with Probe("billing") as billing:
            shop = Shop.start(billing.ref)
            shop.tell(Order(3))
            assert billing.expect(Invoice).amount == 30
            billing.answer("paid")
            billing.expect_nothing()
    """

    def __init__(
        self,
        name: str = "probe",
        *,
        dispatcher: Dispatcher | None = None,
        clock: Clock | None = None,
        within: float = 5.0,
    ) -> None:
        if clock is None:
            clock = dispatcher.clock if isinstance(dispatcher, ManualDispatcher) else SystemClock()
        super().__init__(name, clock=clock, drive=None if dispatcher is None else dispatcher.drive, within=within)
        self._rules: list[tuple[Wanted, Any]] = []
        self._watched: set[ActorRef[Any]] = set()
        options = ActorOptions(name=name, clock=clock, dispatcher=dispatcher)
        self.ref: ActorRef[Any] = _ProbeActor.start_with(options, self)

    def __repr__(self) -> str:
        return f"<Probe {self.name}, {len(self.received)} received>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the actor. Questions that are still open are failed for their askers."""
        self.ref.stop(timeout=self.within)

    # --- answers ---------------------------------------------------------------------------------------------------

    def reply_with(self, answer: Any, *, to: Any = object) -> None:
        """Say how questions are answered from now on.

        Args:
            answer: the answer; an exception is raised for the asker, a function is called with the message (in the
                probe's own thread) and gives the answer or raises.
            to: which messages, as for `expect`; by default all. A later rule goes before an earlier one.
        """
        self._rules.insert(0, (Wanted(to), answer))

    def answer(self, answer: Any = None) -> None:
        """Answer the question that was expected last.

        Args:
            answer: the answer; an exception is raised for the asker.

        Raises:
            AssertionError: it was no question, or has its answer.
        """
        __tracebackhide__ = True
        last = self.last
        if last is None or last.reply is None:
            what = "no message was expected yet" if last is None else f"{last.item!r} is no question that waits"
            raise AssertionError(f"{self.name} has nothing to answer: {what}; answer() is for what was asked")
        given = last.reply.fail(answer) if isinstance(answer, BaseException) else last.reply.set(answer)
        if not given:
            raise AssertionError(f"{self.name} has answered {last.item!r} before")

    def take(self, message: Any, defer: Callable[[], Any] | None) -> Any:
        """Note a message and give the answer, if there is a rule for it; for the actor.

        Args:
            message: what came.
            defer: takes over the answer; None if nobody waits for one.
        """
        for wanted, answer in self._rules:
            if wanted.matches(message):
                self.add(message)
                if isinstance(answer, BaseException):
                    raise answer
                return answer(message) if callable(answer) and not isinstance(answer, type) else answer
        self.add(message, None if defer is None else defer())
        return None

    # --- ends ------------------------------------------------------------------------------------------------------

    def watch(self, ref: ActorRef[Any]) -> None:
        """Receive an `Exit`, once, when this actor has ended for good."""
        if ref not in self._watched:
            self._watched.add(ref)
            ref.watch(self.ref.tell)

    def expect_end(self, ref: ActorRef[Any], *, within: float | None = None) -> Exit:
        """Wait for the end of an actor, whatever else has come; it is watched from now on if it was not.

        Returns:
            How it ended: `reason` is "normal", "shutdown" or "failure", with `error`.

        Raises:
            AssertionError: it did not end in time.
        """
        __tracebackhide__ = True
        self.watch(ref)
        wanted = Wanted(lambda item: isinstance(item, Exit) and item.name == ref.name)
        wanted.text = f"the end of {ref.name}"
        end: Exit = self.expect(wanted, within=within, skipping=True)
        return end


class _ProbeActor(Actor):
    """Hands everything to its probe."""

    def __init__(self, probe: Probe) -> None:
        super().__init__(probe)
        self._probe = probe

    def on_receive(self, message: Any) -> Any:
        return self._probe.take(message, None if self._run.asked is None else self.defer)


class _Publisher(Protocol):
    """What a recorder needs of a system."""

    def subscribe(self, kinds: Any, handler: Callable[[Any], object], scope: Scope = "global") -> Subscription: ...


class EventRecorder(Record):
    """Records the events of a system, with a test's expectations of them, until it is closed.

    Args:
        system: the system.
        *kinds: the types of event; none means all.
        scope: as for `subscribe`.
        within: seconds that an expectation waits unless it says otherwise.

    Example:
        with EventRecorder(system, TaskFailed, TaskCompleted) as events:
            system.submit(Thumbnailer.shrink, "missing.png")
            assert events.expect(TaskFailed).name == "thumbnailer.shrink"
    """

    def __init__(self, system: _Publisher, *kinds: type[Event], scope: Scope = "global", within: float = 5.0) -> None:
        for kind in kinds:
            given: Any = kind
            if not (isinstance(given, type) and issubclass(given, Event)):
                raise ConfigError(
                    f"a recorder takes types of events, as TaskFailed, not {kind!r}", key="kinds", value=kind
                )
        super().__init__("the recorder of events", within=within)
        self._subscription = system.subscribe(kinds or Event, self.add, scope)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Record no more."""
        self._subscription.unsubscribe()
