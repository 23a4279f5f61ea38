"""Where threads and conditions come from: the machine's, or others with the same face that a simulation steps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol

__all__ = ["Condition", "SystemThreads", "Thread", "Threads"]


class Thread(Protocol):
    """What a thread that was started can be asked."""

    @property
    def name(self) -> str:
        """How it is called."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, for at most `timeout` seconds."""

    def is_alive(self) -> bool:
        """Whether it has not ended."""


class Condition(Protocol):
    """What is needed of `threading.Condition`."""

    def __enter__(self) -> bool: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None, /
    ) -> None: ...

    def wait(self, timeout: float | None = None) -> bool:
        """Give the lock back, sleep until notified or for `timeout` seconds, and take the lock again."""

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """Wait until the predicate holds, for at most `timeout` seconds; gives its last value."""

    def notify(self, n: int = 1) -> None:
        """Wake `n` of those who wait."""

    def notify_all(self) -> None:
        """Wake all who wait."""


class Threads(Protocol):
    """Starts threads and makes conditions."""

    def start(self, target: Callable[[], None], name: str) -> Thread:
        """Start a thread that does not keep the program alive.

        Raises:
            RuntimeError: no further thread can be started.
        """

    def condition(self, lock: Any = None) -> Condition:
        """A condition on a lock; None makes one."""

    def current(self) -> Thread:
        """The thread that is calling."""


class SystemThreads:
    """The machine's threads."""

    def start(self, target: Callable[[], None], name: str) -> Thread:
        """See `Threads.start`."""
        thread = threading.Thread(target=target, name=name, daemon=True)
        thread.start()
        return thread

    def condition(self, lock: Any = None) -> Condition:
        """See `Threads.condition`."""
        return threading.Condition(lock)

    def current(self) -> Thread:
        """See `Threads.current`."""
        return threading.current_thread()
