"""The task lane of an agent that runs async tasks: an event loop in the main thread, one slot for each task under way."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
import weakref
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

from actors.errors import ChannelClosed
from actors.hosts.attempt import Attempt
from actors.hosts.interrupts import TaskInterrupted, coroutine_attempt, outcome_of
from actors.hosts.lane import run_items
from actors.hosts.parts import AgentParts
from actors.hosts.requests import Answer
from actors.hosts.serialize import failure_of
from actors.hosts.slots import Slot
from actors.hosts.waiting import WaitingLane
from actors.protocol.messages import Outcome
from actors.protocol.states import AgentState

__all__ = ["AsyncLane"]

_log = logging.getLogger("actors.agent")


class AsyncLane(WaitingLane):
    """Runs as many async tasks at once as there are slots. A task that is no coroutine has the loop to itself."""

    def __init__(self, parts: AgentParts, methods: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__(parts, methods)
        self.loop = parts.world.new_event_loop()
        self._free = list(reversed(parts.slots.all))
        self._tasks: set[asyncio.Task[Any]] = set()
        self._flushing = False
        self._closing = False
        self._lost: ChannelClosed | None = None
        # Whether what is called now is to be run to its end before anything else: a body that is no coroutine waits
        # for it, and the loop stands still meanwhile.
        self._inline = False
        # How many bodies wait here without letting the loop go on.
        self._still = 0
        self._parts_of_tasks: weakref.WeakKeyDictionary[asyncio.Task[Any], int] = weakref.WeakKeyDictionary()
        # How many loops run inside one another because of that.
        self._depth = 0
        parts.interrupter.complete = self._complete
        parts.task_bell.watch(parts.assignments.channel.fileno())

    def _complete(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Before and after the loop runs (in hooks) a coroutine is run to its end; else whoever called awaits it."""
        if not self.loop.is_running():
            return self.loop.run_until_complete(coroutine)
        return self._run_inside(coroutine) if self._inline else coroutine

    def perform_next(self) -> bool:
        """See `WaitingLane.perform_next`; a coroutine has a loop of its own meanwhile."""
        parts = self.parts
        attempt = parts.assignments.claim()
        if attempt is None:
            return False
        inline, self._inline = self._inline, True
        try:
            # The tasks that hold all slots stand still until the handler has what it waits for.
            self._start(self._free.pop() if self._free else parts.slots.open_extra(), attempt)
        finally:
            self._inline = inline
        self.flush()
        return True

    def perform_nested(self, slot: Slot, attempt: Attempt) -> None:
        """See `WaitingLane.perform_nested`; a coroutine has a loop of its own meanwhile."""
        inline, self._inline = self._inline, True
        try:
            super().perform_nested(slot, attempt)
        finally:
            self._inline = inline

    def _run_inside(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end while the loop stands still.

        Tasks that it waits for, and others that are to be run inside waiting ones, run beside it in the same inner loop,
        which ends when all of them have.
        """
        outer, inner = self.loop, self.parts.world.new_event_loop()
        outside, self._tasks = self._tasks, set()
        inline, self._inline = self._inline, False
        self.loop = inner
        self._depth += 1
        asyncio._set_running_loop(None)  # noqa: SLF001 - the only way to run a loop where one stands still
        self._watch(inner)
        try:
            value = inner.run_until_complete(coroutine)
            while self._tasks:
                inner.run_until_complete(asyncio.wait(self._tasks))
            return value
        finally:
            self._unwatch(inner)
            self.close()
            asyncio._set_running_loop(outer)  # noqa: SLF001 - as above
            self._depth -= 1
            self.loop, self._tasks, self._inline = outer, outside, inline
            outer.call_soon(self._pump)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.add_reader(self.parts.assignments.channel.fileno(), self._readable)
        loop.add_reader(self.parts.task_bell.reader, self._rung)
        self.parts.task_bell.asleep = True
        loop.call_soon(self._pump)

    def _unwatch(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.remove_reader(self.parts.assignments.channel.fileno())
        loop.remove_reader(self.parts.task_bell.reader)

    def run(self) -> None:
        """Work until the agent is to end.

        Raises:
            ChannelClosed: the program is gone.
        """
        loop = self.loop
        self._watch(loop)
        try:
            while True:
                try:
                    loop.run_forever()
                    break
                except (SystemExit, KeyboardInterrupt, TaskInterrupted) as error:
                    # Of a coroutine that a task started beside itself: asyncio lets these out of the loop.
                    _log.error("%s: a coroutine that no task awaits ended", self.parts.spec.agent, exc_info=error)
        finally:
            self._unwatch(loop)
        if self._lost is not None:
            raise self._lost

    def close(self) -> None:
        """End what the worker has left in the loop, and the loop."""
        loop = self.loop
        # The loop of a body that waits ends, too; that is not the end of the agent.
        self._closing = not self._depth
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel("the agent ends")
        with contextlib.suppress(BaseException):
            if left:
                loop.run_until_complete(asyncio.wait(left, timeout=1.0))
            loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    # --- callbacks of the loop -------------------------------------------------------------------------------------

    def _rung(self) -> None:
        bell = self.parts.task_bell
        bell.drain()
        bell.asleep = True
        self._pump()

    def _readable(self) -> None:
        try:
            self.parts.assignments.read()
        except ChannelClosed as error:
            self._lost = error
            self.loop.stop()
            return
        self._pump()

    def _pump(self) -> None:
        """Start what there is a free slot for; stop when the agent is to end and nothing runs."""
        parts = self.parts
        while parts.errands:
            parts.errands.popleft()()
        while (nested := parts.assignments.claim_nested()) is not None:
            # The tasks that wait for it hold their slots, but not the loop.
            self._start(self.parts.slots.open_extra(), nested)
        if self._depth:
            return
        while self._free and not parts.ending.asked and (attempt := parts.assignments.claim()) is not None:
            self._start(self._free.pop(), attempt)
        if self.over() and len(self._free) == len(parts.slots.all) and not self._tasks:
            self.loop.stop()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self.loop.call_soon(self._flush_now)

    def _flush_now(self) -> None:
        self._flushing = False
        try:
            self.flush()
        except ChannelClosed as error:
            self._lost = error
            self.loop.stop()

    def part_in_hand(self) -> int:
        """See `LaneBase.part_in_hand`."""
        if not self.in_body():
            return self.body_parts.of_thread()
        calling = asyncio.current_task() if asyncio._get_running_loop() is not None else None  # noqa: SLF001 - must not raise
        attempt = self.attempt_in_hand()
        if calling is None or attempt is None or attempt.coroutine in (calling, None):
            return 0
        number = self._parts_of_tasks.get(calling)
        if number is None:
            number = self._parts_of_tasks[calling] = self.body_parts.next()
        return number

    # --- one task --------------------------------------------------------------------------------------------------

    def _start(self, slot: Slot, attempt: Attempt) -> None:
        parts = self.parts
        if parts.outbox:
            self.before_start()
        slot.attempt = attempt
        try:
            slot.machine.move(AgentState.ASSIGNED)
            function, args, kwargs = self.read_call(attempt)
            attempt.started = parts.monotonic()
            parts.status.begin(attempt.number, attempt.attempt, attempt.started)
            slot.machine.move(AgentState.WORKING)
            if parts.acknowledges:
                self.acknowledge(attempt)
            outcome, value = parts.interrupter.call(attempt, function, args, kwargs)
        except BaseException as error:  # noqa: BLE001 - a fault of the agent itself
            self.fault(slot, attempt, error)
            self._release(slot)
            return
        if outcome is Outcome.VALUE and inspect.iscoroutine(value):
            attempt.ended = False
            context = contextvars.copy_context()
            context.run(coroutine_attempt.set, attempt)
            task = self.loop.create_task(value, context=context)
            self._tasks.add(task)
            attempt.coroutine = task
            attempt.cancel = lambda: self._cancel_soon(attempt, task)
            task.add_done_callback(lambda _: self._awaited(slot, attempt, task), context=contextvars.Context())
            if attempt.pending:
                self._cancel(attempt, task)
        else:
            self._end(slot, attempt, outcome, value)
            # As in `TaskLane.perform`: an exception leads back to this frame.
            del value

    def run_items(self, function: Callable[..., Any], items: list[tuple[Any, ...]]) -> Any:
        """The body of a task with many items; a coroutine if there is one for each item."""
        if not inspect.iscoroutinefunction(function):
            return run_items(function, items, self._complete)

        async def run_all() -> list[tuple[bool, Any]]:
            outcomes: list[tuple[bool, Any]] = []
            for args in items:
                try:
                    outcomes.append((True, await function(*args)))
                except Exception as error:  # noqa: BLE001 - it is this item's outcome
                    outcomes.append((False, tuple(failure_of(error))))
            return outcomes

        return run_all()

    def _awaited(self, slot: Slot, attempt: Attempt, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        attempt.ended = True
        attempt.cancel = attempt.coroutine = None
        try:
            value = task.result()
            outcome = Outcome.VALUE
            if attempt.interrupted:
                outcome, value = Outcome.INTERRUPTED, TaskInterrupted.of(attempt)
        except BaseException as error:  # noqa: BLE001 - whatever a body raises is its outcome
            outcome, value = outcome_of(attempt, _without_this_frame(error))
        self.parts.interrupter.here(outcome, value)
        self._end(slot, attempt, outcome, value)

    def _end(self, slot: Slot, attempt: Attempt, outcome: Outcome, value: Any) -> None:
        parts = self.parts
        machine = slot.machine
        with parts.interrupter.shielded:
            try:
                if machine.state is not AgentState.WORKING:
                    machine.move(AgentState.WORKING)
                machine.move(AgentState.COMPLETING)
                self.finish(attempt, outcome, value, parts.monotonic())
                parts.status.finish()
                machine.move(AgentState.IDLE)
            except ChannelClosed as error:
                self._lost = error
                self.loop.stop()
            except BaseException as error:  # noqa: BLE001 - a fault of the agent itself
                self.fault(slot, attempt, error)
            self._release(slot)

    def _release(self, slot: Slot) -> None:
        slot.attempt = None
        parts = self.parts
        others = parts.slots.running()
        if others:
            # The status block names one task: one that still runs.
            parts.status.resume(others[0].number, others[0].attempt, others[0].started)
        if not parts.slots.close_extra(slot) and slot.machine.state is AgentState.IDLE:
            self._free.append(slot)
        self._flush_soon()
        self.loop.call_soon(self._pump)

    # --- interruption ----------------------------------------------------------------------------------------------

    def _cancel_soon(self, attempt: Attempt, task: asyncio.Task[Any]) -> None:
        # The loop may be closed by now.
        with contextlib.suppress(RuntimeError):
            task.get_loop().call_soon_threadsafe(self._cancel, attempt, task)

    def _cancel(self, attempt: Attempt, task: asyncio.Task[Any]) -> None:
        if attempt.pending and not attempt.ended:
            task.cancel(str(TaskInterrupted.of(attempt)))

    # --- waits and handlers ----------------------------------------------------------------------------------------

    def wait(self, begin: Callable[[], Answer[Any]], state: AgentState, deadline: float | None) -> Answer[Any]:
        """See `WaitingLane.wait_in`; the loop stands still meanwhile, so coroutines had better await."""
        attempt = self.attempt_served()
        self._still += 1
        try:
            return self.wait_in(None if attempt is None else self.slot_of(attempt), begin, state, deadline)
        finally:
            self._still -= 1
            # The loop's own wake-ups may have been taken.
            self.parts.task_bell.asleep = True
            if self.loop.is_running():
                self.loop.call_soon(self._pump)

    @contextlib.contextmanager
    def inline(self) -> Iterator[None]:
        """Run coroutines to their end in here, if the loop stands still because a body waits."""
        inline = self._inline
        self._inline = inline or bool(self._still)
        try:
            yield
        finally:
            self._inline = inline

    def spawn(self, coroutine: Coroutine[Any, Any, Any], ended: Callable[[Outcome, Any], None]) -> None:
        """Run a handler that is a coroutine."""
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)

        def done(_: object) -> None:
            self._tasks.discard(task)
            if self._closing and task.cancelled():
                # Whoever asked was not cancelled: the hub tells that the agent has ended.
                return
            try:
                ended(Outcome.VALUE, task.result())
            except BaseException as error:  # noqa: BLE001 - it concerns this message only
                ended(Outcome.ERROR, error)
            self._pump()

        task.add_done_callback(done)


def _without_this_frame(error: BaseException) -> BaseException:
    """The exception without the frame that caught it.

    That frame leads to the asyncio task and so back to the exception: all that a body held would live on until the next
    collection of garbage.
    """
    place = error.__traceback__
    return error.with_traceback(None if place is None else place.tb_next)
