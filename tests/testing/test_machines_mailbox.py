"""The mailboxes under any sequence of calls, and the machine against planted bugs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actors.kernel.mailbox import Mailbox, Overflow
from actors.kernel.poll import PollMailbox
from actors.testing.machines import MailboxMachine
from tests.testing.planted import FEWER, found_by


class PollMailboxMachine(MailboxMachine):
    """The mailbox of actors that watch descriptors, too."""

    def make(self, bound: int, overflow: Overflow, on_dropped: Callable[[Any], None]) -> Mailbox:
        return PollMailbox(bound, overflow, on_dropped)


TestMailbox = MailboxMachine.TestCase
TestMailbox.settings = FEWER
TestPollMailbox = PollMailboxMachine.TestCase
TestPollMailbox.settings = FEWER


class OneTooMany(Mailbox):
    def __init__(self, bound: int, *rest: Any) -> None:
        super().__init__(bound, *rest)
        self._bound = bound + 1


class GivesBackLast(Mailbox):
    def restore(self, items: list[Any], leading: int = 0) -> bool:
        if self._closed:
            return False
        self._returned_urgent += items[:leading]
        self._returned += items[leading:]
        self.pressing = self.pressing or leading > 0
        return True


class ForgetsItIsPressing(Mailbox):
    def restore(self, items: list[Any], leading: int = 0) -> bool:
        was, restored = self.pressing, super().restore(items, leading)
        self.pressing = was
        return restored


class DropsTheNewest(Mailbox):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        order = self._order

        def drop_newest() -> Any:
            lane = next(order._users[priority] for priority in sorted(order._users) if order._users[priority])
            order.waiting -= 1
            return lane.pop()

        # What the order is asked for when it is full.
        self._order = _Replaced(order, drop_newest)  # type: ignore[assignment]


class _Replaced:
    def __init__(self, order: Any, drop_oldest: Callable[[], Any]) -> None:
        self._inner = order
        self.drop_oldest = drop_oldest

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __len__(self) -> int:
        return len(self._inner)


class StaysOpen(Mailbox):
    def close(self) -> list[Any]:
        left = super().close()
        self._closed = False
        return left


@pytest.mark.parametrize(
    ("bug", "promise"),
    [(OneTooMany, "A4"), (GivesBackLast, "B"), (ForgetsItIsPressing, "B4"), (DropsTheNewest, "A4"), (StaysOpen, "F2")],
)
def test_the_machine_finds_a_planted_bug(bug: type[Mailbox], promise: str) -> None:
    """A4 B4 B6 F2: a check that never fails proves nothing."""
    assert found_by(MailboxMachine, make=lambda _, *args: bug(*args)).startswith(promise)
