"""What both kinds of task lane do for one task: read its call, judge its end, tell its result."""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from types import CoroutineType
from typing import Any, Literal, NoReturn

from actors.errors import ChannelClosed, ConfigError, NotSerializable
from actors.hosts.attempt import Attempt
from actors.hosts.bodyparts import BodyParts
from actors.hosts.bundle import unbundle
from actors.hosts.interrupts import coroutine_attempt
from actors.hosts.mapping import Outcomes
from actors.hosts.outbox import FLUSH_AFTER, FLUSH_BEYOND
from actors.hosts.parts import AgentParts
from actors.hosts.recycling import Recycling
from actors.hosts.serialize import FLAT, SPLICED, WHOLE, Call, error_of, failure_of, pack_value, unpack_call
from actors.hosts.slots import Slot
from actors.protocol.messages import AssignmentAck, Outcome, Payload
from actors.protocol.states import AgentState

__all__ = ["LaneBase", "run_items"]

_VALUE = Outcome.VALUE
# A task that is expected to take no longer than this may start before the results of earlier ones are sent.
_SHORT = 0.0002


def _raise(error: BaseException) -> NoReturn:
    raise error


def run_items(
    function: Callable[..., Any], items: list[Any], complete: Callable[[Any], Any], *, flat: bool = False
) -> Outcomes:
    """One call for each item; an item that raises costs that item only.

    Args:
        function: what to call.
        items: the arguments of each call.
        complete: makes a value of a coroutine.
        flat: each item is the only argument, and not a tuple of arguments.
    """
    values: list[Any] = []
    failures: dict[int, Any] = {}
    add = values.append
    calls = iter(items)
    if inspect.iscoroutinefunction(function):
        function = _completing(function, complete)
    # The loops have nothing in them but the call: they are gone through for each of a million tiny ones.
    while len(values) < len(items):
        try:
            if flat:
                for arg in calls:
                    add(function(arg))
            else:
                for args in calls:
                    add(function(*args))
        except Exception as error:  # noqa: BLE001 - it is this item's outcome
            failures[len(values)] = tuple(failure_of(error))
            add(None)
    if CoroutineType in set(map(type, values)):
        _complete_all(values, failures, complete)
    return values, failures


def _completing(function: Callable[..., Any], complete: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda *args: complete(function(*args))


def _complete_all(values: list[Any], failures: dict[int, Any], complete: Callable[[Any], Any]) -> None:
    """Complete the coroutines of a function that does not look as if it made some."""
    for place, value in enumerate(values):
        if type(value) is CoroutineType:
            try:
                values[place] = complete(value)
            except Exception as error:  # noqa: BLE001 - it is this item's outcome
                values[place], failures[place] = None, tuple(failure_of(error))


def _values_of(outcomes: Outcomes) -> list[Any]:
    values, failures = outcomes
    if failures:
        raise error_of(failures[min(failures)])
    return values


def _pack_items(outcomes: Outcomes) -> Payload:
    """Pickle the outcomes of many calls; one that cannot be pickled becomes a failure of its own item."""
    try:
        return pack_value(outcomes, "the results")
    except NotSerializable:
        values, failures = outcomes
        for place, value in enumerate(values):
            try:
                pack_value(value, "the result")
            except NotSerializable as error:
                values[place], failures[place] = None, tuple(failure_of(error))
        return pack_value(outcomes, "the results")


class LaneBase:
    """The common part.

    Args:
        parts: what the lanes share.
        methods: the worker's task methods by name, bound to the worker.
    """

    def __init__(self, parts: AgentParts, methods: Mapping[str, Callable[..., Any]]) -> None:
        self.parts = parts
        self.methods = methods
        self.body_parts = BodyParts()
        self.recycling = Recycling(parts.spec.extra, parts.vitals, parts.monotonic())
        # How long a task takes of late: the last duration, or half of what this was if that is more.
        self._recent = 1.0

    def close(self) -> None:
        """Let go of what the lane works with; the worker has stopped."""

    # --- whose code is running -------------------------------------------------------------------------------------

    def attempt_in_hand(self) -> Attempt | None:
        """The attempt whose body is calling; for a thread that a body started, the one that runs now. None in hooks."""
        attempt = coroutine_attempt.get() or self.parts.interrupter.current
        return attempt if attempt is not None and attempt.attempt else None

    def attempt_served(self) -> Attempt | None:
        """That attempt, or for a handler the one inside whose wait it runs: what it hands in counts as that one's."""
        attempt = self.attempt_in_hand()
        if attempt is not None or not self.in_body() or self.parts.interrupter.current is None:
            return attempt
        # Of several at once none is known to wait for this handler.
        return self.parts.slots.all[0].attempt if len(self.parts.slots.all) == 1 else None

    def part_in_hand(self) -> int:
        """Which of the attempt's coroutines or threads is calling; 0 is the body itself."""
        return 0 if self.in_body() else self.body_parts.of_thread()

    def in_body(self) -> bool:
        """Whether the calling thread is the one that runs bodies."""
        return threading.get_ident() == self.parts.interrupter.thread

    def slot_of(self, attempt: Attempt) -> Slot | None:
        """The slot in which an attempt runs, if it is the innermost there."""
        return self.parts.slots.holding(attempt)

    def suspended(self) -> contextlib.AbstractContextManager[None]:
        """A coroutine of the attempt in hand awaits sub-tasks: the slot is waiting for as long as any of them does."""
        return self._away(AgentState.WAITING, "waits")

    def resting(self) -> contextlib.AbstractContextManager[None]:
        """A coroutine of the attempt in hand waits for a lock or the like: the slot is waiting meanwhile."""
        return self._away(AgentState.WAITING, "rests")

    def talking(self) -> contextlib.AbstractContextManager[None]:
        """A coroutine of the attempt in hand awaits the answer of another agent: the slot is communicating meanwhile."""
        return self._away(AgentState.COMMUNICATING, "talks")

    @contextlib.contextmanager
    def _away(self, state: AgentState, counter: Literal["waits", "rests", "talks"]) -> Iterator[None]:
        attempt = self.attempt_in_hand()
        slot = None if attempt is None else self.slot_of(attempt)
        if attempt is None or slot is None:
            yield
            return
        setattr(attempt, counter, getattr(attempt, counter) + 1)
        if slot.machine.state is AgentState.WORKING:
            slot.machine.move(state)
        try:
            yield
        finally:
            left = getattr(attempt, counter) - 1
            setattr(attempt, counter, left)
            if not left and slot.attempt is attempt and slot.machine.state is state:
                target = AgentState.WAITING if attempt.waits or attempt.rests else AgentState.WORKING
                if target is not state:
                    slot.machine.move(target)

    # --- one task --------------------------------------------------------------------------------------------------

    def run_items(self, function: Callable[..., Any], items: list[Any], *, flat: bool = False) -> Any:
        """The body of a task with many items."""
        return run_items(function, items, self.parts.interrupter.complete, flat=flat)

    def over(self) -> bool:
        """Whether the agent is to end, now that no task runs."""
        ending = self.parts.ending
        return ending.reason is not None and (not ending.when_empty or not len(self.parts.assignments))

    def read_call(self, attempt: Attempt) -> tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]:
        """What to run for an attempt. Arguments that cannot be read become a body that raises the error."""
        try:
            results = None if attempt.results is None else unbundle(attempt.results)
            call: Call = unpack_call(attempt.payload, results)
        except NotSerializable as error:
            return _raise, (error,), {}
        finally:
            # The arguments of a task are its body's alone: a large one is freed when the body lets go of it.
            attempt.payload = attempt.results = None
        function, args, kwargs, items, form = call
        if attempt.call:
            try:
                function = self.methods[attempt.call]
            except KeyError:
                known = ", ".join(sorted(self.methods)) or "none"
                message = f"{self.parts.spec.type} has no task {attempt.call!r}; it has {known}"
                return _raise, (ConfigError(message, key="call", value=attempt.call, allowed=known),), {}
        if form == SPLICED:
            args = (list(chain.from_iterable(args[0])), *args[1:])
        if items is not None:
            if kwargs:
                function = partial(function, **kwargs)
            attempt.many = form != WHOLE
            if form == FLAT:
                return self.run_items, (function, items), {"flat": True}
            return self.run_items if attempt.many else self._run_whole, (function, items), {}
        return function, args, kwargs

    def _run_whole(self, function: Callable[..., Any], items: list[tuple[Any, ...]]) -> Any:
        """The body of a task with many items that fails with the first of them that does."""
        outcomes = self.run_items(function, items)
        if not inspect.iscoroutine(outcomes):
            return _values_of(outcomes)

        async def awaited() -> list[Any]:
            return _values_of(await outcomes)

        return awaited()

    def flush(self) -> None:
        """Send all results that wait."""
        if self.parts.outbox.flush():
            self.parts.status.flushed()

    def before_start(self) -> None:
        """See to it that results that wait are sent, although a task is about to start."""
        if self._recent > _SHORT:
            self.flush()
        elif not self.parts.ticking:
            self.parts.tick()

    def finish(self, attempt: Attempt, outcome: Outcome, value: Any, ended: float) -> None:
        """The body has ended, at a time on the monotonic clock: serialise what came of it, and put the result in the outbox.

        The slot is completing meanwhile. Nothing of this can be interrupted.
        """
        parts = self.parts
        if type(value) is ChannelClosed:
            # The body could not reach the program, which is no fault of the task: the agent ends, and the task's outcome
            # is told by whoever learns of that.
            raise value
        if attempt.on_end is not None:
            attempt.tell_end(None if outcome is _VALUE else value)
        self._recent = max(ended - attempt.started, self._recent * 0.5)
        if attempt.children:
            for child in tuple(attempt.children):
                child.end()
        outcome, payload = self._packed(attempt, outcome, value)
        outbox = parts.outbox
        outbox.add(attempt.result(outcome, payload, ended), ended, len(payload) if type(payload) is bytes else 0)
        parts.done += 1
        if not attempt.idempotent or ended - outbox.oldest >= FLUSH_AFTER or outbox.size >= FLUSH_BEYOND:
            self.flush()
        if self.recycling.wanted:
            reason = self.recycling.reason(parts.done, ended)
            if reason is not None and parts.ending.reason is None:
                parts.ending.reason = reason

    def _packed(self, attempt: Attempt, outcome: Outcome, value: Any) -> tuple[Outcome, Payload]:
        if outcome is _VALUE:
            try:
                return outcome, _pack_items(value) if attempt.many else pack_value(value, "the result")
            except NotSerializable as error:
                return Outcome.ERROR, tuple(failure_of(error))
        if isinstance(value, MemoryError):
            self._explain(value)
        return outcome, tuple(failure_of(value))

    def drop(self, attempt: Attempt, error: BaseException, outcome: Outcome = Outcome.INTERRUPTED) -> None:
        """Tell the outcome of an attempt whose body never ran."""
        now = self.parts.monotonic()
        self.parts.outbox.add(attempt.result(outcome, tuple(failure_of(error)), now), now)
        self.flush()

    def acknowledge(self, attempt: Attempt) -> None:
        """Tell that a body starts, because somebody watches."""
        self.parts.outbox.channel.send(AssignmentAck(attempt.number, attempt.attempt, attempt.started))

    def fault(self, slot: Slot, attempt: Attempt, error: BaseException) -> None:
        """The agent itself has failed while it had a task in hand: end the task, ask the worker, go on or end."""
        parts = self.parts
        machine = slot.machine
        if machine.can(AgentState.ERROR):
            machine.move(AgentState.ERROR)
        elif machine.state is AgentState.COMPLETING:
            machine.move(AgentState.IDLE)
        parts.status.finish()
        attempt.tell_end(error)
        self.drop(attempt, error, Outcome.ERROR)
        goes_on = self.ask_worker(error)
        parts.fault(error, f"running {attempt.task_id or attempt.call}")
        if not goes_on and parts.ending.reason is None:
            parts.ending.reason = f"a fault of the agent itself: {type(error).__name__}: {error}"
            parts.ending.failure = error
        if machine.state is AgentState.ERROR:
            machine.move(AgentState.IDLE if goes_on else AgentState.TERMINATING)

    def ask_worker(self, error: BaseException) -> bool:
        """Call the worker's `on_error`. True if it wants the agent to go on."""
        worker = self.parts.worker
        if worker is None:
            return False
        outcome, value = self.parts.interrupter.call(Attempt.of_agent("on_error"), worker.on_error, (error,), {})
        return outcome is Outcome.VALUE and value is True

    def _explain(self, error: MemoryError) -> None:
        memory = self.parts.limits.get("memory")
        if memory is not None:
            error.add_note(f"The memory of {self.parts.spec.agent} is limited to {int(memory) // 1024} KiB.")
