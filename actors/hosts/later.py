"""The answer of an agent that is waited for later: in a thread, or without holding up an event loop."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from actors.kernel.reply import Reply

__all__ = ["LaterReply", "warn_in_loop"]

_log = logging.getLogger("actors.agent")

Settle = Callable[["LaterReply", float | None], object]


class LaterReply(Reply[Any]):
    """A reply that is read by whoever wants it.

    Args:
        read: makes the answer of what has come.
        settle: waits in a thread until the reply is there or so many seconds have passed; None: as other replies do.
        talking: what a coroutine does around its wait.
    """

    def __init__(
        self,
        read: Callable[[Any], Any],
        settle: Settle | None = None,
        talking: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        super().__init__()
        self._read: Callable[[Any], Any] | None = read
        self._settle = settle
        self._talking = talking
        self._value: Any = None

    def follow(self, other: Any) -> LaterReply:
        """End as another reply or future does, which has what came."""
        other.add_done_callback(self.take)
        return self

    def take(self, other: Any) -> None:
        """End as this reply or future has; nothing if it has its end already."""
        error = other.exception()
        if error is not None:
            self.fail(error)
        else:
            self.set(other.get() if isinstance(other, Reply) else other.result())

    def _sleep(self, timeout: float | None) -> bool:
        if self._settle is None:
            return super()._sleep(timeout)
        self._settle(self, timeout)
        return self.done()

    def get(self, *, timeout: float | None = None) -> Any:
        """See `Reply.get`. Also raises what the reading of the answer raises."""
        came = super().get(timeout=timeout)
        read = self._read
        if read is not None:
            # Read twice by two threads at once, at worst.
            self._value = read(came)
            self._read = None
            self._outcome = None
        return self._value

    def __await__(self) -> Generator[Any, None, Any]:
        with self._talking():
            return (yield from super().__await__())

    __iter__ = __await__


_warned: set[str] = set()


def warn_in_loop(agent: str, recipient: str) -> None:
    """Say, once in this process, that a wait in a coroutine holds up all others of its event loop."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None or _warned:  # noqa: SLF001 - must not raise
        return
    _warned.add(agent)
    _log.warning(
        "%s asks %s in a coroutine and waits: that holds up its event loop, and with it all that is under way there; write "
        "await self.ask_later(…)",
        agent,
        recipient,
    )
