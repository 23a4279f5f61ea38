"""Locks, barriers, latches, flags and shared values, as tasks and the program have them in their hands.

Each is known by its name, in all processes of a system: whoever names the same one has the same one.
"""

# ruff: noqa: ASYNC109 - time limits are told to the system, which keeps them

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, Generic, NamedTuple, Self, TypeVar

from actors.coordination.syncdesk import SyncDesk
from actors.core.sync.request import READ, WRITE, Request, check_name, check_size, check_timeout
from actors.errors import ConfigError, LockNotHeld
from actors.hosts.serialize import dumps, loads

__all__ = ["Barrier", "Flag", "Holding", "Latch", "Lock", "ReadWriteLock", "Semaphore", "SharedValue", "Versioned"]

T = TypeVar("T")

_LARGEST_VALUE = 1 << 20


class _Default:
    """The time limit that the thing was made with."""


_DEFAULT: Final = _Default()


class _Handle:
    """What all of them have in common.

    Args:
        desk: the way to the book.
        name: which.
        size: the number that it needs.
        timeout: seconds that a wait may take where the call names none; None without end.
    """

    kind = ""

    def __init__(self, desk: SyncDesk, name: str, size: object = 0, timeout: float | None = None) -> None:
        self.name = check_name(name)
        self._size = check_size(self.kind, size)
        self._timeout = check_timeout(timeout)
        self._desk = desk

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name!r}>"

    def _request(self, op: str, data: Any = None, timeout: float | _Default | None = None) -> Request:
        limit = self._timeout if isinstance(timeout, _Default) else check_timeout(timeout)
        return self._desk.request(op, self.kind, self.name, self._size, data, limit)

    def _ask(self, op: str, data: Any = None) -> Any:
        return self._desk.call(self._request(op, data))

    async def _ask_async(self, op: str, data: Any = None) -> Any:
        return await self._desk.call_async(self._request(op, data))

    def _wait(self, timeout: float | _Default | None, data: Any = None) -> Any:
        return self._desk.call(self._request("wait", data, timeout), waits=True)

    async def _wait_async(self, timeout: float | _Default | None, data: Any = None) -> Any:
        return await self._desk.call_async(self._request("wait", data, timeout), waits=True)


class Holding(_Handle):
    """What is acquired and released: by `with`, by `async with`, or by the methods.

    It belongs to who acquires it: inside a task to that attempt at the task, in a hook or a handler to the agent, in the
    program to the thread or the asyncio task. It is free again when they release it, when the attempt ends (the log has
    a warning then), when their process dies, and when the system ends.
    """

    mode = ""

    def acquire(self, timeout: float | _Default | None = _DEFAULT) -> int:
        """Wait until it is the caller's; first come, first served.

        Args:
            timeout: seconds; 0 does not wait; None waits without end.

        Returns:
            The fencing number of this acquisition, higher than that of all before.

        Raises:
            WaitTimeout: it was not to be had in time.
            DeadlockDetected: those who wait hold what the others want; also if the caller holds it already.
            SystemClosed: the system has ended.
            ConfigError: there is something else of that name.
        """
        request = self._request("acquire", self.mode, timeout)
        fence: int = self._desk.call(request, waits=True, grants=self._as)
        return fence

    async def acquire_async(self, timeout: float | _Default | None = _DEFAULT) -> int:
        """See `acquire`. Take `timeout` for a limit, rather than `asyncio.wait_for`, which acquires in another task."""
        request = self._request("acquire", self.mode, timeout)
        fence: int = await self._desk.call_async(request, waits=True, grants=self._as)
        return fence

    def release(self) -> None:
        """Give back what the caller acquired last. It waits for nothing, also in coroutines.

        Raises:
            LockNotHeld: it has nothing to give back.
        """
        self._desk.release(self.kind, self.name, self._size, self._as)

    @property
    def fence(self) -> int:
        """The fencing number of what the caller holds: for whoever is told to take nothing of an earlier holder.

        Raises:
            LockNotHeld: it holds nothing.
        """
        fence = self._desk.fence(self.name, self._as)
        if fence is None:
            raise LockNotHeld(
                f"{self._desk.owner()} does not hold {self.kind} {self.name!r}", name=self.name, kind=self.kind
            )
        return fence

    @property
    def held(self) -> bool:
        """Whether the caller has acquired it and not released it."""
        return self._desk.fence(self.name, self._as) is not None

    def check(self) -> None:
        """Make sure that the caller still holds it, by asking the system.

        Raises:
            LockNotHeld: it does not (any more).
        """
        self._ask("check", self.fence)

    async def check_async(self) -> None:
        """See `check`."""
        await self._ask_async("check", self.fence)

    @property
    def guard(self) -> tuple[str, str, int, int]:
        """Name, kind, number and fencing number, as `SharedValue.set` sends them."""
        return self.name, self.kind, self._size, self.fence

    @property
    def _as(self) -> str:
        return f"{self.kind} {self.mode}"

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        # What was lost is no news beside an error that is under way.
        if error is None or self.held:
            self.release()

    async def __aenter__(self) -> Self:
        await self.acquire_async()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, place)


class Lock(Holding):
    """One holder at a time. Not reentrant."""

    kind = "lock"


class Semaphore(Holding):
    """So many holders at a time; each permit is given back by whoever acquired it. One owner may have several."""

    kind = "semaphore"


class _Side(Holding):
    kind = "rwlock"


class _Reading(_Side):
    mode = READ


class _Writing(_Side):
    mode = WRITE


class ReadWriteLock(_Handle):
    """Many readers together, or one writer. Who comes later waits behind a writer who waits, so none starves."""

    kind = "rwlock"

    def read(self, timeout: float | _Default | None = _DEFAULT) -> Holding:
        """The side of readers; `timeout` is for its acquisitions that name none."""
        return _Reading(self._desk, self.name, 0, self._timeout if isinstance(timeout, _Default) else timeout)

    def write(self, timeout: float | _Default | None = _DEFAULT) -> Holding:
        """The side of writers; `timeout` is for its acquisitions that name none."""
        return _Writing(self._desk, self.name, 0, self._timeout if isinstance(timeout, _Default) else timeout)


class Barrier(_Handle):
    """Nobody passes before all parties have come; then all do, and the next generation may begin.

    It breaks, for all who wait and who come later, when one that waits dies, is cancelled or has waited for too long, and
    when one that passed before dies or fails, because the next generation counts on it. `reset` makes it whole.
    """

    kind = "barrier"

    def wait(self, timeout: float | _Default | None = _DEFAULT) -> int:
        """Wait until all parties have come.

        Returns:
            As which one of its generation the caller came, from 0.

        Raises:
            WaitTimeout: the others did not come in time. The barrier is broken then.
            BarrierBroken: somebody will not come; says who and why.
        """
        place: int = self._wait(timeout)
        return place

    async def wait_async(self, timeout: float | _Default | None = _DEFAULT) -> int:
        """See `wait`."""
        place: int = await self._wait_async(timeout)
        return place

    def reset(self) -> None:
        """Make it whole again. Those that wait get `BarrierBroken`."""
        self._ask("reset")

    async def reset_async(self) -> None:
        """See `reset`."""
        await self._ask_async("reset")


class Latch(_Handle):
    """Opens at the last of so many counts, for good. Lives from the first count to `delete` or the system's end."""

    kind = "latch"

    def count_down(self, by: int = 1) -> int:
        """Count. Returns how many counts are missing; what is too many changes nothing."""
        left: int = self._ask("count", by)
        return left

    async def count_down_async(self, by: int = 1) -> int:
        """See `count_down`."""
        left: int = await self._ask_async("count", by)
        return left

    def wait(self, timeout: float | _Default | None = _DEFAULT) -> None:
        """Wait until it is open.

        Raises:
            WaitTimeout: it was not in time.
        """
        self._wait(timeout)

    async def wait_async(self, timeout: float | _Default | None = _DEFAULT) -> None:
        """See `wait`."""
        await self._wait_async(timeout)

    def delete(self) -> None:
        """Forget its counts. Whoever names it afterwards begins anew.

        Raises:
            ConfigError: somebody waits for it.
        """
        self._ask("delete")

    async def delete_async(self) -> None:
        """See `delete`."""
        await self._ask_async("delete")


class Flag(_Handle):
    """Set or not. Whoever waits when it is set goes on, also if it is cleared at once. Lives while it is set."""

    kind = "flag"

    def set(self) -> None:
        """Set it."""
        self._ask("turn", data=True)

    async def set_async(self) -> None:
        """See `set`."""
        await self._ask_async("turn", data=True)

    def clear(self) -> None:
        """Set it no more."""
        self._ask("turn", data=False)

    async def clear_async(self) -> None:
        """See `clear`."""
        await self._ask_async("turn", data=False)

    def is_set(self) -> bool:
        """Whether it is set."""
        return bool(self._ask("get")["set"])

    async def is_set_async(self) -> bool:
        """See `is_set`."""
        return bool((await self._ask_async("get"))["set"])

    def wait(self, timeout: float | _Default | None = _DEFAULT) -> None:
        """Wait until it is set.

        Raises:
            WaitTimeout: it was not in time.
        """
        self._wait(timeout)

    async def wait_async(self, timeout: float | _Default | None = _DEFAULT) -> None:
        """See `wait`."""
        await self._wait_async(timeout)


class Versioned(NamedTuple, Generic[T]):
    """A value, and the version in which it was seen: 0 and None before it was ever set."""

    value: T
    version: int


class SharedValue(_Handle):
    """A value that all may get and set, with a version. Lives from the first `set` to `delete` or the system's end."""

    kind = "value"

    def get(self) -> Versioned[Any]:
        """The value and its version."""
        return self._seen(self._ask("get"))

    async def get_async(self) -> Versioned[Any]:
        """See `get`."""
        return self._seen(await self._ask_async("get"))

    def set(self, value: Any, *, expect: int | None = None, holding: Holding | None = None) -> int:
        """Set it.

        Args:
            value: anything that can be pickled, of at most 1 MiB so.
            expect: only if it has this version; 0: only if it was never set.
            holding: only if the caller holds this lock, of which the system makes sure in the same moment.

        Returns:
            Its new version.

        Raises:
            VersionConflict: it has another version.
            LockNotHeld: the lock is not held (any more).
            NotSerializable: it cannot be pickled.
            ConfigError: it is too large.
        """
        version: int = self._ask("set", self._setting(value, expect, holding))
        return version

    async def set_async(self, value: Any, *, expect: int | None = None, holding: Holding | None = None) -> int:
        """See `set`."""
        version: int = await self._ask_async("set", self._setting(value, expect, holding))
        return version

    def wait(self, after: int = 0, timeout: float | _Default | None = _DEFAULT) -> Versioned[Any]:
        """Wait until it has a later version than `after`, and get it.

        Raises:
            WaitTimeout: it had not in time.
        """
        return self._seen(self._wait(timeout, after))

    async def wait_async(self, after: int = 0, timeout: float | _Default | None = _DEFAULT) -> Versioned[Any]:
        """See `wait`."""
        return self._seen(await self._wait_async(timeout, after))

    def delete(self) -> None:
        """Forget it. Its versions count on all the same, if it is set again.

        Raises:
            ConfigError: somebody waits for it.
        """
        self._ask("delete")

    async def delete_async(self) -> None:
        """See `delete`."""
        await self._ask_async("delete")

    def _seen(self, found: Any) -> Versioned[Any]:
        version, payload = found
        return Versioned(None if payload is None else loads(payload, f"the value {self.name!r}"), version)

    def _setting(self, value: Any, expect: int | None, holding: Holding | None) -> tuple[Any, ...]:
        if holding is not None and not isinstance(holding, Holding):
            raise ConfigError(f"holding takes a lock, not {holding!r}", key="holding", value=holding)
        payload = dumps(value, f"the value {self.name!r}")
        if len(payload) > _LARGEST_VALUE:
            raise ConfigError(
                f"a shared value takes at most 1 MiB, and {self.name!r} would take {len(payload)} bytes; put it into a "
                "file, or give it to tasks as an argument, and share where it is",
                key="value",
                allowed="1 MiB",
            )
        return payload, expect, None if holding is None else holding.guard
