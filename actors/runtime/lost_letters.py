"""Tells the system of the messages that an actor of the program will never handle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from actors.core.lettercount import LetterCount
from actors.kernel.address import Address
from actors.kernel.clock import Clock
from actors.kernel.current import current
from actors.protocol.events import DeadLetterFound, Event

__all__ = ["LettersAbroad", "LostLetters"]

# Of so many recipients is known how many messages they have missed.
_MOST_RECIPIENTS = 1000


class LostLetters:
    """The listener of one actor's dead letters; called in any thread.

    Args:
        publish: hands an event to its subscribers; must not block.
        clock: the time.
    """

    def __init__(self, publish: Callable[[Event], object], clock: Clock) -> None:
        self._publish = publish
        self._clock = clock
        self._lock = threading.Lock()
        self._count = LetterCount()

    def __call__(self, ref: Any, message: Any) -> None:
        """One more will never be handled."""
        with self._lock:
            wanted = self._count.add(self._clock.monotonic())
            total = self._count.total
        if wanted:
            sender = "" if current.cell is None or current.cell.name == ref.name else current.cell.name
            self._publish(
                DeadLetterFound(
                    source=ref.name,
                    time=self._clock.utc(),
                    recipient=ref.name,
                    message=type(message).__qualname__,
                    sender=sender,
                    total=total,
                )
            )


class LettersAbroad:
    """The listener for messages from this process to actors elsewhere; called in any thread.

    Args:
        publish, clock: see `LostLetters`.
    """

    def __init__(self, publish: Callable[[Event], object], clock: Clock) -> None:
        self._listener = partial(LostLetters, publish, clock)
        self._lock = threading.Lock()
        self._letters: dict[Address, LostLetters] = {}

    def __call__(self, address: Address, message: Any) -> None:
        """One more will not arrive."""
        with self._lock:
            letters = self._letters.get(address)
            if letters is None:
                if len(self._letters) >= _MOST_RECIPIENTS:
                    del self._letters[next(iter(self._letters))]
                letters = self._letters[address] = self._listener()
        letters(address, message)
