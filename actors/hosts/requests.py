"""Requests of an agent that wait for their answers."""

from __future__ import annotations

import concurrent.futures
import itertools
import math
import threading
from collections.abc import Callable
from typing import Any

from actors.errors import ActorsError, AskTimeout
from actors.hosts.channel import Channel
from actors.protocol.messages import HUB, Priority

__all__ = ["Answer", "Requests"]

Answer = concurrent.futures.Future
"""What a request becomes: set by the control lane, exactly once."""


class Requests:
    """Ties answers to requests by correlation. Every request ends: by its answer, its deadline, or the agent's end.

    Args:
        channel: the agent's end of the control plane.
        clock: monotonic seconds.
        wake: called when a deadline is nearer than all that were known; `due` is to be called again then.
    """

    def __init__(self, channel: Channel, clock: Callable[[], float], wake: Callable[[], object]) -> None:
        self._channel = channel
        self._clock = clock
        self._wake = wake
        # The nearest deadline, as far as `due` knows or has been asked to find out.
        self.nearest = math.inf
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._open: dict[int, tuple[Answer[Any], str, float | None]] = {}
        self._ended: BaseException | None = None

    def __len__(self) -> int:
        return len(self._open)

    def send(
        self,
        message: Any,
        *,
        timeout: float | None,
        recipient: str = HUB,
        priority: Priority = Priority.HIGH,
    ) -> Answer[Any]:
        """Send a request. The answer's value is the data of the response, its exception the failure's fields rebuilt.

        Args:
            message: a message of the protocol.
            timeout: seconds until an answer is of no use any more, None for never.
            recipient: the hub or an agent's id.
            priority: how urgent it is.
        """
        answer: Answer[Any] = concurrent.futures.Future()
        deadline = None if timeout is None else self._clock() + timeout
        number = next(self._numbers)
        with self._lock:
            if self._ended is not None:
                answer.set_exception(self._ended)
                return answer
            self._open[number] = (answer, recipient, deadline)
        if deadline is not None and deadline < self.nearest:
            self.nearest = deadline
            self._wake()
        try:
            self._channel.send(message, priority=priority, correlation=number, deadline=deadline, recipient=recipient)
        except ActorsError as error:
            self.fail(number, error)
        return answer

    def alarm(self, seconds: float) -> Answer[Any]:
        """A request to nobody: it fails with AskTimeout in so many seconds. To cancel it takes it back."""
        answer: Answer[Any] = concurrent.futures.Future()
        deadline = self._clock() + seconds
        with self._lock:
            if self._ended is not None:
                answer.set_exception(self._ended)
                return answer
            number = next(self._numbers)
            self._open[number] = (answer, "", deadline)
        # Whoever cancels it leaves nothing behind.
        answer.add_done_callback(lambda _: self._take(number))
        if deadline < self.nearest:
            self.nearest = deadline
            self._wake()
        return answer

    def answer(self, number: int | None, value: Any) -> bool:
        """An answer has come. False if nobody waits for it any more."""
        found = self._take(number)
        if found is None:
            return False
        found[0].set_result(value)
        return True

    def fail(self, number: int | None, error: BaseException) -> bool:
        """A request has failed. False if nobody waits for it any more."""
        found = self._take(number)
        if found is None or not found[0].set_running_or_notify_cancel():
            return False
        found[0].set_exception(error)
        return True

    def lost(self, recipient: str, error: BaseException) -> None:
        """The recipient is dead: what was asked of it fails."""
        for number, (_, asked, _) in list(self._open.items()):
            if asked == recipient:
                self.fail(number, error)

    def end(self, error: BaseException) -> None:
        """The agent ends: all that is open fails, and so does what would be sent from now on."""
        with self._lock:
            self._ended = error
        for number in list(self._open):
            self.fail(number, error)

    def due(self, now: float) -> float:
        """Fail what is overdue. Returns when the next deadline is, infinite for never."""
        if now < self.nearest:
            return self.nearest
        # First, so that a request that is sent meanwhile asks for another look.
        self.nearest = math.inf
        earliest = math.inf
        for number, (_, recipient, deadline) in list(self._open.items()):
            if deadline is None:
                continue
            if deadline <= now:
                self.fail(number, AskTimeout(f"{recipient} did not answer in time", recipient=recipient))
            else:
                earliest = min(earliest, deadline)
        self.nearest = min(self.nearest, earliest)
        return self.nearest

    def _take(self, number: int | None) -> tuple[Answer[Any], str, float | None] | None:
        if number is None:
            return None
        with self._lock:
            return self._open.pop(number, None)
