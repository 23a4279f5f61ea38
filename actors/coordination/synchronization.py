"""Where locks and the like are made: the same methods for the system and for a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.ondemand import on_demand

if TYPE_CHECKING:
    from actors.coordination import sync
    from actors.coordination.sync import Barrier, Flag, Latch, Lock, ReadWriteLock, Semaphore, SharedValue
    from actors.coordination.syncdesk import SyncDesk
else:
    sync = on_demand(globals(), "sync", "actors.coordination.sync")

__all__ = ["Synchronization"]


class Synchronization:
    """Makes them, by name. What is made here costs nothing before it is used, and one name is one thing everywhere."""

    def _sync_desk(self) -> SyncDesk:
        """The way to them."""
        raise NotImplementedError

    def lock(self, name: str, *, timeout: float | None = None) -> Lock:
        """A lock: one holder at a time.

        Args:
            name: of 1 to 200 characters; all processes that name it have the same one.
            timeout: seconds for which to wait for it, also in a `with`; None without end.

        Raises:
            ConfigError: the name is no text, or the time limit no number.

        Example:
            with self.lock("index", timeout=10) as lock:
                rebuild(fence=lock.fence)
        """
        return sync.Lock(self._sync_desk(), name, timeout=timeout)

    def rwlock(self, name: str, *, timeout: float | None = None) -> ReadWriteLock:
        """A read-write lock: `with self.rwlock("index").read():`, or `.write()`; arguments as for `lock`."""
        return sync.ReadWriteLock(self._sync_desk(), name, timeout=timeout)

    def semaphore(self, name: str, n: int, *, timeout: float | None = None) -> Semaphore:
        """A semaphore: n holders at a time, 1 or more; the rest as for `lock`."""
        return sync.Semaphore(self._sync_desk(), name, n, timeout)

    def barrier(self, name: str, parties: int, *, timeout: float | None = None) -> Barrier:
        """A barrier, which nobody passes before so many have come, 1 or more; the rest as for `lock`."""
        return sync.Barrier(self._sync_desk(), name, parties, timeout)

    def latch(self, name: str, n: int, *, timeout: float | None = None) -> Latch:
        """A latch, which n counts open, 1 or more; the rest as for `lock`."""
        return sync.Latch(self._sync_desk(), name, n, timeout)

    def flag(self, name: str, *, timeout: float | None = None) -> Flag:
        """A flag to be set and waited for; arguments as for `lock`."""
        return sync.Flag(self._sync_desk(), name, timeout=timeout)

    def value(self, name: str, *, timeout: float | None = None) -> SharedValue:
        """A value with a version, to be compared and set; arguments as for `lock`."""
        return sync.SharedValue(self._sync_desk(), name, timeout=timeout)
