"""The work: a mix of tasks, handed in so that there is always some and never too much, and each outcome looked at."""

from __future__ import annotations

import queue
import random
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from actors import ActorsError, ActorSystem, AgentDied, LimitExceeded, Priority, TaskCancelled, TaskFuture, TaskTimeout
from benchmarks.chaos.book import Book, Fault
from benchmarks.chaos.harms import HARMS
from benchmarks.chaos.ledger import Ledger
from benchmarks.chaos.workers import Coro, Steady, answer, plain, square

__all__ = ["Load", "Order"]

_MIB = 2**20
_LARGEST = 16 * _MIB
_FOREVER = 1_000_000
_LOOK_EVERY = 0.005


@dataclass(slots=True)
class Order:
    """A task that was handed in, and what may become of it.

    Args:
        future: None once its outcome was looked at.
        fits: whether a result is the right one; None: any.
        errors: which exceptions may be its outcome.
        sort: "" or "single" (begins at most once) or "never" (must not begin at all).
        cancel_at: when it is to be cancelled, or None.
        cancelled: whether `cancel` said that it is.
    """

    number: int
    kind: str
    task: str
    future: TaskFuture[Any] | None
    fits: Callable[[Any], bool] | None
    errors: tuple[type[BaseException], ...] = ()
    sort: str = ""
    cancel_at: float | None = None
    cancelled: bool = False
    fault: Fault | None = None


@dataclass(slots=True)
class _Counts:
    ended: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


class Load:
    """Hands in tasks and takes their outcomes; all methods but `harm` are for one thread.

    Args:
        system: runs them.
        ledger: where they write down what they did.
        book: where this one does.
        rng: chooses.
        most: tasks without outcome at any time.
    """

    def __init__(self, system: ActorSystem, ledger: Ledger, book: Book, rng: random.Random, most: int) -> None:
        self._system = system
        self._ledger = ledger
        self._book = book
        self._rng = rng
        self._most = most
        self._number = 0
        self._done: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._harms: queue.SimpleQueue[tuple[str, Fault]] = queue.SimpleQueue()
        self.open: dict[int, Order] = {}
        self._to_cancel: list[Order] = []
        self._large = 0
        self._block = rng.randbytes(_LARGEST)
        self.counts = _Counts()
        self._kinds: dict[Callable[[], None], int] = {
            self._short: 50,
            self._plain: 6,
            self._urgent: 6,
            self._crunch: 8,
            self._long: 4,
            self._joined: 6,
            self._nested: 3,
            self._mapped: 2,
            self._large_one: 3,
            self._flaky: 4,
            self._fails: 3,
            self._late: 1,
            self._cancelled: 3,
            self._never: 3,
            self._once: 6,
            self._ask_around: 4,
            self._nap: 12,
            self._gather: 3,
        }

    # One turn

    def turn(self) -> None:
        """Take the outcomes that there are, cancel what is due, fill up; waits a moment if there is nothing to do."""
        self._take(_LOOK_EVERY)
        self._cancel_due()
        while not self._harms.empty():
            self._harm(*self._harms.get())
        # A few at a time: agents that wait for work are a case as well.
        for _ in range(min(self._rng.randrange(8), self._most - len(self.open))):
            (hand_in,) = self._rng.choices(list(self._kinds), list(self._kinds.values()))
            hand_in()

    def settle(self, timeout: float) -> bool:
        """Hand in no more, and wait until every task has its outcome."""
        deadline = time.monotonic() + timeout
        while self.open and time.monotonic() < deadline:
            self._take(_LOOK_EVERY)
            self._cancel_due()
        return not self.open

    def harm(self, how: str, fault: Fault) -> None:
        """Have a task do what it should not do; from any thread."""
        self._harms.put((how, fault))

    def _take(self, timeout: float) -> None:
        try:
            order = self._done.get(timeout=timeout)
            while True:
                self._look_at(order)
                order = self._done.get_nowait()
        except queue.Empty:
            return

    def _cancel_due(self) -> None:
        now = time.monotonic()
        for order in [order for order in self._to_cancel if order.cancel_at is not None and order.cancel_at <= now]:
            self._to_cancel.remove(order)
            if order.future is not None:
                order.cancelled = order.future.cancel("its time has come")

    # The outcome

    def _look_at(self, order: Order) -> None:
        if self.open.pop(order.number, None) is None:
            # The second call of its callback; the book has both.
            return
        if order.kind == "large":
            self._large -= 1
        future, order.future = order.future, None
        if future is None:
            return
        # With the future in the order, which its callback holds, a large result would live until the next collection.
        outcome, fine, detail = self._judge(order, future)
        if order.fault is not None:
            order.fault.outcome, order.fault.ended = outcome, time.monotonic()
        self.counts.ended += 1
        self.counts.outcomes[f"{order.kind}: {outcome}"] += 1
        self._book.write("O", order.number, order.kind, outcome, fine, detail)
        if not fine:
            self._book.breach(f"{order.kind} {order.number} ({order.task}) ended with {detail}")

    def _judge(self, order: Order, future: TaskFuture[Any]) -> tuple[str, bool, str]:
        """The outcome's name, whether it may be, and what it was."""
        try:
            result = future.result(0)
        except order.errors as error:
            return type(error).__name__, True, ""
        except BaseException as error:  # noqa: BLE001 - whatever comes is an outcome
            return type(error).__name__, False, f"{type(error).__name__}: {error}"
        if order.cancelled:
            return "result", False, "a result although it was cancelled"
        if order.fits is not None and not order.fits(result):
            return "wrong", False, f"a wrong result: {result!r:.200}"
        return "result", True, ""

    def _hand_in(
        self,
        number: int,
        kind: str,
        future: TaskFuture[Any],
        fits: Callable[[Any], bool] | None,
        errors: tuple[type[BaseException], ...] = (),
        sort: str = "",
        *,
        cancel_after: float | None = None,
        fault: Fault | None = None,
    ) -> None:
        order = Order(number, kind, future.task_id, future, fits, errors, sort, fault=fault)
        self.open[number] = order
        self._book.write("S", number, future.task_id, kind, sort)
        if cancel_after is not None:
            order.cancel_at = time.monotonic() + cancel_after
            self._to_cancel.append(order)
        future.add_done_callback(lambda _: self._on_done(order))

    def _on_done(self, order: Order) -> None:
        self._book.write("D", order.number)
        self._done.put(order)

    def _next(self) -> int:
        self._number += 1
        return self._number

    # The kinds

    def _answered(self, number: int, more: int = 0) -> Callable[[Any], bool]:
        return lambda result: result == answer(number) + more

    def _short(self) -> None:
        number = self._next()
        self._hand_in(number, "short", self._system.submit(Steady.short, number), self._answered(number))

    def _urgent(self) -> None:
        number = self._next()
        options = self._system.options(priority=self._rng.choice(list(Priority)), key=f"key-{number % 3}")
        self._hand_in(number, "short", options.submit(Steady.short, number), self._answered(number))

    def _plain(self) -> None:
        number = self._next()
        options = self._system.options(retries=_FOREVER)
        self._hand_in(number, "plain", options.submit(plain, self._ledger, number), self._answered(number))

    def _crunch(self) -> None:
        number = self._next()
        rounds = self._rng.randrange(1_000, 60_000)
        self._hand_in(number, "crunch", self._system.submit(Steady.crunch, number, rounds), self._answered(number))

    def _long(self) -> None:
        number = self._next()
        seconds = self._rng.uniform(0.1, 2)
        self._hand_in(number, "long", self._system.submit(Steady.long, number, seconds), self._answered(number))

    def _joined(self) -> None:
        first, *others = parts = [self._next() for _ in range(self._rng.randrange(2, 5))]
        futures = []
        for part in parts:
            future = self._system.submit(Steady.short, part)
            self._hand_in(part, "short", future, self._answered(part))
            futures.append(future)
        number = self._next()
        more = answer(first) + sum(map(answer, others))
        joined = self._system.submit(Steady.join, number, futures[0], futures[1:])
        self._hand_in(number, "join", joined, self._answered(number, more))

    def _nested(self) -> None:
        number, depth = self._next(), self._rng.randrange(1, 4)
        size = 2 ** (depth + 1) - 1
        self._hand_in(
            number, "nested", self._system.submit(Steady.nested, number, depth), lambda result: result == size
        )

    def _mapped(self) -> None:
        number, items = self._next(), self._rng.randrange(1, 200)
        total = sum(map(square, range(items)))
        self._hand_in(
            number, "mapped", self._system.submit(Steady.mapped, number, items), lambda result: result == total
        )

    def _large_one(self) -> None:
        if self._large >= 2:
            return
        self._large += 1
        number = self._next()
        take, give = (self._rng.randrange(_MIB, _LARGEST) // 8 * 8 for _ in range(2))
        data = self._block[:take]
        expected = zlib.crc32(data)

        def fits(result: Any) -> bool:
            checksum, content = result
            return bool(checksum == expected) and bool(content == number.to_bytes(8, "big") * (give // 8))

        self._hand_in(number, "large", self._system.submit(Steady.large, number, data, give), fits)

    def _flaky(self) -> None:
        number = self._next()
        self._hand_in(number, "flaky", self._system.submit(Steady.flaky, number), self._answered(number))

    def _fails(self) -> None:
        number = self._next()
        future = self._system.submit(Steady.fails, number)
        self._hand_in(number, "fails", future, lambda _: False, (LookupError, AgentDied, LimitExceeded))

    def _late(self) -> None:
        number = self._next()
        future = self._system.submit(Steady.late, number)
        self._hand_in(number, "late", future, lambda _: False, (TaskTimeout, AgentDied, LimitExceeded))

    def _cancelled(self) -> None:
        number = self._next()
        future = self._system.submit(Steady.long, number, 5.0)
        after = self._rng.uniform(0, 0.5)
        self._hand_in(number, "cancelled", future, self._answered(number), (TaskCancelled,), cancel_after=after)

    def _never(self) -> None:
        """Cancelled while it waits for another task, which is far from its end: it must not begin."""
        first = self._next()
        before = self._system.submit(Steady.long, first, 0.5)
        number = self._next()
        future = self._system.options(after=[before]).submit(Steady.short, number)
        certain = future.cancel("not wanted") and not before.done()
        self._hand_in(number, "never", future, lambda _: False, (TaskCancelled,), "never" if certain else "")
        self._hand_in(first, "long", before, self._answered(first))

    def _once(self) -> None:
        number = self._next()
        future = self._system.submit(Steady.once, number, self._rng.choice([0, 0, 0.01, 0.2]))
        self._hand_in(number, "once", future, self._answered(number), (AgentDied, LimitExceeded), "single")

    def _ask_around(self) -> None:
        number = self._next()
        agent = f"steady-{self._rng.randrange(1, 5)}"
        future = self._system.submit(Steady.ask_around, number, agent)
        right = (answer(number), "AgentDied", "AskTimeout", "DeadLetter", "MessageRefused")
        self._hand_in(number, "ask around", future, lambda result: result in right)

    def _nap(self) -> None:
        number = self._next()
        self._hand_in(
            number, "nap", self._system.submit(Coro.nap, number, self._rng.uniform(0, 0.5)), self._answered(number)
        )

    def _gather(self) -> None:
        number, parts = self._next(), self._rng.randrange(1, 6)
        total = parts * answer(number)
        self._hand_in(number, "gather", self._system.submit(Coro.gather, number, parts), lambda result: result == total)

    def _harm(self, how: str, fault: Fault) -> None:
        number = self._next()
        fault.number = number
        timeout = HARMS[how].timeout
        options = self._system.options(priority=Priority.HIGH)
        if timeout is not None:
            options = self._system.options(priority=Priority.HIGH, timeout=timeout)
        future = options.submit(Steady.harm, number, how)
        # What a harmful task ends with is its own affair, as long as it ends and says so in the library's words.
        errors = (ActorsError, Exception)
        self._hand_in(number, "harm", future, None, errors, "single", fault=fault)
