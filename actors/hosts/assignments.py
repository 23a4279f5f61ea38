"""The tasks that were assigned to an agent and have not started: its mailbox for work."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable

from actors.hosts.attempt import Attempt
from actors.hosts.channel import Channel
from actors.protocol.messages import Assignment, CancellationCause, Envelope

__all__ = ["Assignments"]

# So many cancellations are remembered of what is not here; most are of what has just ended.
_EARLY_KEPT = 256


class Assignments:
    """Read from the task channel by whoever needs to know; started by the task lane, taken back by the control lane.

    Args:
        channel: the agent's end of the task plane.
        stranger: called with each message on that plane that is no assignment.
        on_early: called with each attempt that was cancelled before it came; it is not among those that wait.
        on_arrival: called after another than the task lane has read assignments.
        on_late: called when there is something for `refused`.

    Attributes:
        claiming: the last one that was taken to be run. It is noted before it is taken, so that one which is not found
            among those that wait is either this, or has a slot already, or has ended.

    Invariants: an attempt is in `_unclaimed` until exactly one of `claim` and `withdraw` has taken it out; what `claim`
    gives has not ended. Reading goes in the order of the channel, under the lock.
    """

    def __init__(
        self,
        channel: Channel,
        stranger: Callable[[Envelope], None],
        *,
        on_early: Callable[[Attempt], object],
        on_arrival: Callable[[], object],
        on_late: Callable[[], object],
    ) -> None:
        self.channel = channel
        self._stranger = stranger
        self._on_early = on_early
        self._on_arrival = on_arrival
        self._on_late = on_late
        self._lock = threading.Lock()
        self._order: deque[Attempt] = deque()
        self._unclaimed: dict[tuple[int, int], Attempt] = {}
        self.claiming: Attempt | None = None
        self._nested: deque[Attempt] = deque()
        self._refused: list[Attempt] | None = None
        # Cancellations that have overtaken what they cancel, the oldest first: cause and reason.
        self._early: dict[tuple[int, int], tuple[CancellationCause, str]] = {}
        # Whether what is to be run inside a task that waits is refused as well.
        self._for_good = False

    def __len__(self) -> int:
        return len(self._unclaimed)

    def keys(self) -> list[tuple[int, int]]:
        """Number and attempt of each that was read and has not been claimed."""
        return list(self._unclaimed)

    def ready(self, *, nested: bool) -> bool:
        """Whether a task could be claimed: any, or only one to be run inside another."""
        return bool(self._nested) if nested else bool(self._unclaimed)

    def read(self) -> bool:
        """Take in what has arrived, without waiting. Returns whether anything had.

        Raises:
            ChannelClosed: the other end is gone.
        """
        dropped = []
        with self._lock:
            envelopes = self.channel.receive(0)
            for envelope in envelopes:
                message = envelope.message
                if type(message) is not Assignment:
                    self._stranger(envelope)
                    continue
                for fields in message.tasks:
                    attempt = Attempt(*fields)
                    if self._refused is not None and (self._for_good or not attempt.nested):
                        self._refused.append(attempt)
                        continue
                    if self._early and self._is_cancelled(attempt):
                        # Not left to its turn, which may come long after: whoever cancelled it waits.
                        dropped.append(attempt)
                        continue
                    self._unclaimed[attempt.number, attempt.attempt] = attempt
                    (self._nested if attempt.nested else self._order).append(attempt)
            has_late = bool(self._refused)
        for attempt in dropped:
            self._on_early(attempt)
        if has_late:
            self._on_late()
        return bool(envelopes)

    @property
    def has_late(self) -> bool:
        """Whether there is something for `refused`."""
        return bool(self._refused)

    def claim(self) -> Attempt | None:
        """The next task to run; from now on it is running. None if none has been read."""
        # As `_claim`, in place: it is taken once for each task.
        line, unclaimed = self._order, self._unclaimed
        while line:
            attempt = self.claiming = line.popleft()
            key = attempt.number, attempt.attempt
            if unclaimed.get(key) is attempt and (found := unclaimed.pop(key, None)) is not None:
                return found
        return self._claim(self._nested) if self._nested else None

    def claim_nested(self) -> Attempt | None:
        """The next task to run inside the one that waits for it."""
        return self._claim(self._nested)

    def _claim(self, line: deque[Attempt]) -> Attempt | None:
        while line:
            attempt = self.claiming = line.popleft()
            # One that was withdrawn meanwhile is still in the line, and in it only. What was given back unstarted may have
            # come again under the same key, further behind or to be run inside another: that is another object.
            unclaimed, key = self._unclaimed, attempt.key
            if unclaimed.get(key) is attempt and (found := unclaimed.pop(key, None)) is not None:
                return found
        return None

    def cancel_early(self, number: int, attempt: int, cause: CancellationCause, reason: str) -> None:
        """An attempt that is not here is cancelled: it may still come, and its body is not to run then.

        The planes are two, and a large assignment may be overtaken. One that has ended is forgotten with time.
        """
        with self._lock:
            self._early[number, attempt] = (cause, reason)
            if len(self._early) > _EARLY_KEPT:
                del self._early[next(iter(self._early))]

    def _is_cancelled(self, attempt: Attempt) -> bool:
        early = self._early.pop(attempt.key, None)
        if early is None:
            return False
        attempt.cause, attempt.reason = early
        return True

    def withdraw(self, keys: Iterable[tuple[int, int]]) -> list[Attempt]:
        """Take those of these (number, attempt) that have not started, also ones that are still in the channel.

        Others may be read on the way, which the task lane then no longer finds in the channel: `on_arrival` tells it.
        """
        if self.read():
            self._on_arrival()
        taken = (self._unclaimed.pop((key[0], key[1]), None) for key in keys)
        found = [attempt for attempt in taken if attempt is not None]
        for attempt in found:
            # The task lane may look at it once more, and leave it.
            attempt.ended = True
        return found

    def withdraw_all(self) -> list[Attempt]:
        """Take all that have not started."""
        return self.withdraw(list(self._unclaimed))

    def close(self, *, for_good: bool = False) -> None:
        """Take no more: what is read from now on is only for `refused`. What was read before stays.

        A task that runs may finish, and may need for that what is to be run inside it: that is still taken, unless it
        is `for_good`.
        """
        if self.read():
            self._on_arrival()
        with self._lock:
            self._for_good = self._for_good or for_good
            if self._refused is None:
                self._refused = []

    @property
    def closed(self) -> bool:
        """Whether it takes no more."""
        return self._refused is not None

    def refused(self) -> list[Attempt]:
        """What has arrived since it was closed, each once."""
        with self._lock:
            refused, self._refused = self._refused or [], [] if self._refused is not None else None
        return refused
