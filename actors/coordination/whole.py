"""A strategy under way: its parts are tasks, and it has a future of its own.

    part ends ──▶ inbox ──▶ work: one thread at a time, where user code may run ──▶ further parts, or the outcome

No thread belongs to it. In the program its steps run on the thread that tells of the ends of tasks, inside a task where
that task waits (or in its event loop); there, steps that hand in nothing run at once on the control lane.
"""

from __future__ import annotations

import abc
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, NoReturn, TypeVar

from actors.coordination.calls import Invocation
from actors.errors import ActorsError, DependencyFailed, NotSerializable, TaskCancelled
from actors.future import TaskFuture
from actors.hosts.ground import Alarm, Ground
from actors.hosts.mapping import check_timeout
from actors.hosts.options import Options
from actors.kernel.lazyfuture import LazyFuture

__all__ = ["Whole", "WholeFuture", "noted"]

T = TypeVar("T")


class WholeFuture(LazyFuture[T]):
    """The outcome of a strategy, at some time. Cancelling it cancels its parts; so does Ctrl-C while it is waited for.

    Attributes:
        name: of this call of the strategy.
        job: what its parts belong to, as in their events.
    """

    def __init__(self, whole: Whole) -> None:
        super().__init__()
        self._whole = whole
        self.name = whole.name
        self.job = whole.options.job

    def __reduce__(self) -> NoReturn:
        raise NotSerializable(
            f"the future of {self.name} cannot go to another process, and stands for no result among arguments: "
            "wait for its result() and pass that",
            what=f"the future of {self.name}",
            reason="it is waited for in this process",
        )

    def cancel(self, reason: str = "its submitter cancelled it") -> bool:
        """Cancel it and its parts. A saga first undoes what was done, and is cancelled then.

        Returns:
            Whether it is, or will be, cancelled; False if it had an outcome before.
        """
        return self._whole.cancel(reason)

    def cancel_now(self, reason: str) -> bool:
        """Only the future; for its strategy."""
        return super().cancel(reason)

    def set_value(self, value: T) -> bool:
        """For its strategy: the value, unless there is an outcome already."""
        return self.set_payload(value, _as_it_is)

    @property
    def _label(self) -> str:
        return self.name

    def _before_wait(self, timeout: float | None) -> float | None:
        return self._whole.ground.before_wait(self, self.done, timeout, self._whole.parts())

    def _await(self, timeout: float | None) -> None:
        try:
            super()._await(timeout)
        except Exception:
            raise
        except BaseException:
            # Ctrl-C, or the end of the task that waits: nobody waits any more.
            with contextlib.suppress(ActorsError):
                self.cancel("the one who waited for it was interrupted")
            raise

    def __await__(self) -> Generator[Any, None, T]:
        if self.done():
            return (yield from super().__await__())
        with self._whole.ground.awaiting(self._whole.parts()):
            return (yield from super().__await__())

    def _call(self, callbacks: Callable[[], object]) -> None:
        self._whole.ground.call_soon(callbacks)

    def _cancelled_error(self) -> TaskCancelled:
        why = f": {self._reason}" if self._reason else ""
        return TaskCancelled(f"{self.name} was cancelled{why}", reason=self._reason)


class Whole(abc.ABC):
    """What all strategies with a future have in common.

    Args:
        ground: what it stands on.
        options: of its parts.
        timeout: seconds for all of it; None for no limit.

    Raises:
        ConfigError: `timeout` is no time limit.

    Invariants: `_step` and what it calls runs in one thread at a time; once `over`, no part is submitted and none that ends
    changes anything.
    """

    what = "strategy"

    def __init__(self, ground: Ground, options: Options, timeout: float | None = None) -> None:
        check_timeout(timeout)
        self.ground = ground
        self.name, self.options = ground.group(self.what, options)
        self.over = False
        self.future: WholeFuture[Any] = WholeFuture(self)
        self._timeout = timeout
        self._inbox: deque[Callable[[], object]] = deque()
        self._ends: deque[TaskFuture[Any]] = deque()
        self._busy = threading.Lock()
        self._open: dict[TaskFuture[Any], Any] = {}
        self._alarms: list[Alarm] = []

    # --- for users ---

    def start(self) -> WholeFuture[Any]:
        """Hand in the first parts.

        Raises:
            BaseException: what was wrong with the calls; nothing is left running.
        """
        try:
            with self.ground.shielded:
                self.ground.opened(self)
                with self._busy:
                    self.begin()
                if self._timeout is not None and not self.over:
                    self.alarm(self._timeout, self._late)
                self._work()
        except BaseException as error:
            self.over = True
            self._let_go(f"{self.name} could not be started: {type(error).__name__}")
            self.future.cancel_now("it could not be started")
            raise
        return self.future

    def cancel(self, reason: str) -> bool:
        """End it, and its parts. False if it had an outcome before."""
        if not self.future.cancel_now(reason):
            return self.future.cancelled()
        self.over = True
        self._let_go(reason)
        return True

    def abandon(self, error: BaseException) -> None:
        """The system ends: answer whoever waits."""
        self.over = True
        self.future.set_error(error)

    def parts(self) -> list[TaskFuture[Any]]:
        """The futures of the parts that have not ended, as far as it has heard."""
        return list(self._open)

    # --- for the strategies ---

    @abc.abstractmethod
    def begin(self) -> None:
        """Hand in the first parts. What it raises is raised to the caller."""

    @abc.abstractmethod
    def part_ended(self, key: Any, part: TaskFuture[Any]) -> None:
        """A part has its outcome."""

    def is_quick(self, part: TaskFuture[Any]) -> bool:
        """Whether `part_ended` of this part submits nothing, so that it may be called in any thread, at once.

        It should be where it can be: what is to be cancelled by it may run inside the very task that waits, and keep the
        thread in which the other steps are taken.
        """
        return part.failed()

    def submit(self, key: Any, call: Invocation, options: Options | None = None) -> TaskFuture[Any]:
        """Hand in a part, and watch it."""
        part = self.ground.submit(call.call, call.args, call.kwargs, options or self.options)[0]
        self.watch(key, part)
        return part

    def watch(self, key: Any, part: TaskFuture[Any]) -> None:
        """A part was handed in; `part_ended` is called with `key` when it has ended."""
        self._open[part] = key
        part.add_done_callback(self._told)
        if self.over:
            # Cancelled meanwhile by another thread, which may have missed this one.
            self._let_go(f"{self.name} is over")

    def alarm(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something in so many seconds, if it is not over by then."""
        self._alarms.append(self.ground.alarm(seconds, lambda: self.post(act)))

    def post(self, act: Callable[[], object]) -> None:
        """Do something in turn, now or as soon as what is being done is done."""
        self._inbox.append(act)
        self._work()

    def succeed(self, payload: Any, decode: Callable[[Any], Any] | None = None) -> None:
        """It has its value: `payload`, or what `decode` makes of it for the one who asks."""
        self.end(f"{self.name} has its result")
        if decode is None:
            self.future.set_value(payload)
        else:
            self.future.set_payload(payload, decode)

    def fail(self, error: BaseException) -> None:
        """It has failed."""
        self.end(f"{self.name} failed: {type(error).__name__}")
        self.future.set_error(error)

    def end(self, reason: str) -> None:
        """Hand in no more, and cancel the parts that have not ended."""
        self.over = True
        self._let_go(reason)

    def comes_from_a_part(self, error: BaseException | None) -> bool:
        """Whether a part failed because another one did, of which will be told as well."""
        return isinstance(error, DependencyFailed) and any(part.task_id == error.first for part in self.parts())

    # --- inside ---

    def _told(self, part: Any) -> None:
        if self.is_quick(part):
            self._ends.append(part)
            self._take_ends()
        else:
            self._inbox.append(lambda: self._part_ended(part))
            self.ground.soon(self._work)

    def _part_ended(self, part: TaskFuture[Any]) -> None:
        if part in self._open:
            self.part_ended(self._open.pop(part), part)

    def _late(self) -> None:
        self.fail(TimeoutError(f"{self.name} was not done within {self._timeout:g} s; its parts are cancelled"))

    def _work(self) -> None:
        """Take the steps that wait, unless somebody does; whoever does sees what is added meanwhile."""
        while (self._inbox or self._ends) and self._busy.acquire(blocking=False):
            try:
                with self.ground.shielded:
                    while self._inbox or self._ends:
                        self._drain_ends()
                        if self._inbox:
                            self._step(self._inbox.popleft())
            finally:
                self._busy.release()

    def _take_ends(self) -> None:
        """In any thread: take only the steps that submit nothing."""
        while self._ends and self._busy.acquire(blocking=False):
            try:
                with self.ground.shielded:
                    self._drain_ends()
            finally:
                self._busy.release()
            if self._inbox:
                # Whoever brought it may have found this thread at work.
                self.ground.soon(self._work)

    def _drain_ends(self) -> None:
        while self._ends:
            part = self._ends.popleft()
            self._step(lambda part=part: self._part_ended(part))  # type: ignore[misc]

    def _step(self, act: Callable[[], object]) -> None:
        if self.over:
            return
        try:
            act()
        except Exception as error:  # noqa: BLE001 - of the user's items, keys or arguments: the outcome
            self.fail(error)
        except BaseException as error:
            with contextlib.suppress(Exception):
                self.fail(error)
            raise

    def _let_go(self, reason: str) -> None:
        for alarm in self._alarms:
            alarm.cancel()
        self._alarms.clear()
        while self._open:
            try:
                part, _ = self._open.popitem()
            except KeyError:
                return
            with contextlib.suppress(ActorsError):
                part.cancel(reason)


def _as_it_is(value: Any) -> Any:
    return value


def noted(error: BaseException, note: str) -> BaseException:
    """The error, with a line that says where it comes from."""
    with contextlib.suppress(Exception):
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
    return error
