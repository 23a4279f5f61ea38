"""Writes down what a simulated run does, as it does it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from actors.kernel.reply import Ask
from actors.testing.history import History
from actors.testing.sim.conductor import Conductor
from actors.testing.sim.telling import told

__all__ = ["Recorder"]

_ASKS = 256


class Recorder:
    """Keeps the history.

    Args:
        conductor: tells the time and who is running.
        detail: whether messages are written down with what is in them, which costs more than all the rest.

    Attributes:
        history: all so far.
    """

    def __init__(self, conductor: Conductor, *, detail: bool) -> None:
        self.history = self._into = History()
        self._conductor = conductor
        self._clock = conductor.clock
        self._detail = detail
        self._numbers = count(1)
        # The numbers of messages that wait, by mailbox and message.
        self._waiting: dict[tuple[int, int], deque[int]] = {}
        # Who was asked what.
        self._asks: list[tuple[str, Ask]] = []
        self._asks_looked_at = _ASKS

    def stop(self) -> None:
        """Keep what there is, and nothing that comes from now on."""
        self._into = History()

    # --- between actors of the program ---

    def posted(self, mailbox: Any, name: str, message: Any) -> None:
        """A message was put into a mailbox."""
        number = self.sent(self._conductor.name, name, message)
        self._waiting.setdefault((id(mailbox), id(message)), deque()).append(number)

    def taken(self, mailbox: Any, name: str, items: Iterable[Any]) -> None:
        """Messages were taken out of a mailbox. One that was put back before has been written down already."""
        waiting, where = self._waiting, id(mailbox)
        for item in items:
            key = (where, id(item.message if type(item) is Ask else item))
            numbers = waiting.get(key)
            if numbers:
                self.received(numbers.popleft(), name, "handled")
                if not numbers:
                    del waiting[key]

    def asked(self, name: str, ask: Ask) -> None:
        """A question was put to an actor."""
        self._asks.append((name, ask))
        if len(self._asks) > self._asks_looked_at:
            self._asks = [each for each in self._asks if not each[1].reply.done()]
            self._asks_looked_at = 2 * len(self._asks) + _ASKS

    def unanswered(self) -> list[tuple[str, str]]:
        """The questions without an answer: who was asked, and the kind."""
        return [(name, type(ask.message).__name__) for name, ask in self._asks if not ask.reply.done()]

    # --- everywhere ---

    def sent(self, sender: str, recipient: str, message: Any) -> int:
        """A message has left; the number that `received` is to be told with."""
        number = next(self._numbers)
        text = told(message) if self._detail else ""
        self._into.sent(self._clock.monotonic(), number, sender, recipient, type(message).__name__, text)
        return number

    def received(self, number: int, actor: str, fate: str) -> None:
        """What has become of a message."""
        self._into.received(self._clock.monotonic(), number, actor, fate)

    def moved(self, actor: str, kind: str, source: str, target: str) -> None:
        """A state machine has moved."""
        self._into.moved(self._clock.monotonic(), actor, kind, source, target)

    def fault(self, actor: str, what: str) -> None:
        """Something goes wrong on purpose."""
        self._into.fault(self._clock.monotonic(), actor, what)

    def note(self, actor: str, text: str) -> None:
        """A step of the test itself."""
        self._into.note(self._clock.monotonic(), actor, text)

    def broken(self, invariant: str, text: str) -> None:
        """A promise did not hold."""
        self._into.broken(self._clock.monotonic(), invariant, text)

    def note_if(self, detail: Callable[[], str], actor: str) -> None:
        """A note whose text is made only if details are kept."""
        if self._detail:
            self.note(actor, detail())
