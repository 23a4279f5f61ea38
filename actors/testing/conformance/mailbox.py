"""What every mailbox must do: order, lanes, bound, the end of waits, and nothing lost between a put and a close.

class TestMyMailbox(MailboxConformance):
    def make_mailbox(self, **options):
        return MyMailbox(**options)
"""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import Future
from typing import Any

from actors.errors import ConfigError, MailboxClosed, MailboxFull
from actors.kernel.current import current
from actors.kernel.mailbox import Mailbox, Overflow
from actors.protocol.messages import Priority
from actors.testing.conformance.suite import Suite, beside, expected

__all__ = ["MailboxConformance"]


class MailboxConformance(Suite):
    """Derive from it and say how a mailbox is made."""

    _made: list[Mailbox]

    def make_mailbox(self, **options: Any) -> Mailbox:
        """A new mailbox; `options` are those of `Mailbox`: `bound`, `overflow`, `on_dropped`."""
        raise NotImplementedError(f"{type(self).__qualname__} has to say how a mailbox is made: define make_mailbox")

    def setup_method(self) -> None:
        """Called before each check."""
        self._made = []

    def teardown_method(self) -> None:
        """Close what was made."""
        for mailbox in self._made:
            mailbox.close()
            mailbox.release()
        self._made.clear()

    def make(self, **options: Any) -> Mailbox:
        """A mailbox that is closed when the check has ended."""
        mailbox = self.make_mailbox(**options)
        self._made.append(mailbox)
        return mailbox

    # --- order -----------------------------------------------------------------------------------------------------

    def test_take_hands_over_all_that_waits_in_the_order_in_which_it_came(self) -> None:
        """One call takes the whole batch."""
        mailbox = self.make()
        for number in range(100):
            mailbox.put(number)
        assert len(mailbox) == 100
        assert mailbox.take() == list(range(100))
        assert mailbox.take(0) == []
        assert len(mailbox) == 0

    def test_urgent_goes_before_higher_priority_before_lower_and_each_keeps_its_order(self) -> None:
        """B4: a control message goes ahead of all queued work."""
        mailbox = self.make()
        for number, priority in enumerate([Priority.LOW, Priority.NORMAL, Priority.CRITICAL, Priority.HIGH] * 2):
            mailbox.put(number, priority=priority)
        mailbox.put("first", urgent=True)
        mailbox.put("second", urgent=True)
        assert mailbox.take() == ["first", "second", 2, 6, 3, 7, 1, 5, 0, 4]

    def test_the_urgent_can_be_taken_alone(self) -> None:
        """So that an owner looks for it in the middle of a batch."""
        mailbox = self.make()
        mailbox.put("ordinary")
        pressing = [mailbox.pressing]
        mailbox.put("urgent", urgent=True)
        pressing.append(mailbox.pressing)
        assert mailbox.take_urgent() == ["urgent"]
        pressing.append(mailbox.pressing)
        assert pressing == [False, True, False]
        assert mailbox.take_urgent() == []
        assert mailbox.take() == ["ordinary"]

    def test_messages_of_many_senders_all_arrive_once_and_in_the_order_of_each(self) -> None:
        """Order holds for each sender, recipient and priority."""
        mailbox = self.make(bound=50)
        senders, count = 8, 500

        def send(sender: int) -> None:
            for number in range(count):
                mailbox.put((sender, number))

        sending = [beside(send, sender) for sender in range(senders)]
        seen = self._take(mailbox, senders * count)
        self._all(sending)
        for sender in range(senders):
            assert [number for who, number in seen if who == sender] == list(range(count))

    # --- what is given back ----------------------------------------------------------------------------------------

    def test_what_is_given_back_goes_before_what_came_since_but_after_the_urgent(self) -> None:
        """A replacement goes on where its predecessor stopped."""
        mailbox = self.make()
        for number in range(4):
            mailbox.put(number)
        taken = mailbox.take()
        mailbox.put(4, priority=Priority.CRITICAL)
        mailbox.put("urgent", urgent=True)
        assert mailbox.restore(taken[1:])
        assert mailbox.take(0) == ["urgent", 1, 2, 3, 4]

    def test_what_is_given_back_of_the_system_lane_stays_in_it(self) -> None:
        """`leading` says how many at the beginning of a batch were of that lane."""
        mailbox = self.make()
        mailbox.put("first", urgent=True)
        mailbox.put("second", urgent=True)
        mailbox.put("ordinary")
        taken = mailbox.take()
        assert mailbox.leading == 2
        mailbox.put("third", urgent=True)
        assert mailbox.restore(taken[1:], leading=1)
        assert mailbox.pressing
        assert mailbox.take_urgent() == ["second", "third"]
        assert mailbox.take() == ["ordinary"]
        assert mailbox.leading == 0

    def test_whatever_is_put_taken_and_given_back_nothing_is_lost_and_each_lane_keeps_its_order(self) -> None:
        """A thousand random walks, the same ones each time."""
        chance = random.Random(20_26)  # noqa: S311 - a walk that can be repeated
        for _ in range(1000):
            self._walk(self.make(), chance)
            self.teardown_method()

    def _walk(self, mailbox: Mailbox, chance: random.Random) -> None:
        lanes: dict[Any, list[int]] = {}
        out: list[tuple[Any, int]] = []
        for number in range(chance.randint(1, 25)):
            step = chance.choice(["put", "put", "urgent", "take", "take urgent"])
            if step == "put":
                priority = chance.choice(list(Priority))
                mailbox.put((priority, number), priority=priority)
                lanes.setdefault(priority, []).append(number)
            elif step == "urgent":
                mailbox.put(("urgent", number), urgent=True)
                lanes.setdefault("urgent", []).append(number)
            elif step == "take urgent":
                out += mailbox.take_urgent()
            else:
                handled = chance.randint(0, 3)
                batch = mailbox.take(0)
                out += batch[:handled]
                assert mailbox.restore(batch[handled:], max(0, mailbox.leading - handled))
            assert len(mailbox) == sum(map(len, lanes.values())) - len(out)
        out += mailbox.close()
        for lane, numbers in lanes.items():
            assert [number for kind, number in out if kind == lane] == numbers

    # --- the bound -------------------------------------------------------------------------------------------------

    def test_a_bound_below_one_is_an_error(self) -> None:
        """A4: it says what is allowed."""
        with expected(ConfigError, "1 or more"):
            self.make(bound=0)

    def test_a_full_mailbox_fails_its_sender_at_once_or_after_the_time_it_was_willing_to_wait(self) -> None:
        """The error says how many wait."""
        mailbox = self.make(bound=2)
        mailbox.put(1)
        mailbox.put(2)
        with expected(MailboxFull, "2 messages wait"):
            mailbox.put(3, block=False)
        with expected(MailboxFull):
            mailbox.put(3, block=0.01)
        failing = self.make(bound=1, overflow=Overflow.FAIL)
        failing.put(1)
        with expected(MailboxFull):
            failing.put(2)
        assert failing.take() == [1]
        assert mailbox.take() == [1, 2]

    def test_the_system_lane_and_what_is_forced_are_never_bounded(self) -> None:
        """Who is to end an actor is not kept from it by a full mailbox."""
        mailbox = self.make(bound=1)
        mailbox.put(1)
        mailbox.put("urgent", urgent=True, block=False)
        mailbox.force(2)
        assert mailbox.take() == ["urgent", 1, 2]

    def test_a_blocked_sender_goes_on_when_there_is_room(self) -> None:
        """Each of them, and its message arrives once."""
        mailbox = self.make(bound=1)
        mailbox.put(1)
        blocked = [beside(mailbox.put, number) for number in (2, 3)]
        seen = self._take(mailbox, 3)
        self._all(blocked)
        assert sorted(seen) == [1, 2, 3]

    def test_a_blocked_sender_is_told_when_the_mailbox_closes(self) -> None:
        """F2: every waiter is answered."""
        mailbox = self.make(bound=1)
        mailbox.put(1)
        blocked = beside(mailbox.put, 2)
        # Whether it blocks already or is only about to: either way it must be told.
        mailbox.close()
        assert isinstance(blocked.exception(self.limit), MailboxClosed)

    def test_an_actor_never_waits_for_room(self) -> None:
        """Where nobody knows whose mailbox it is, so that a circle of waits could not be seen: there the bound gives way."""
        mailbox = self.make(bound=1)
        mailbox.put(1)
        before, current.cell = current.cell, object()
        try:
            mailbox.put(2)
            with expected(MailboxFull):
                mailbox.put(3, block=False)
        finally:
            current.cell = before
        assert mailbox.take() == [1, 2]

    def test_dropping_the_oldest_spares_the_higher_priorities_and_tells_of_each_drop(self) -> None:
        """What is dropped is known to somebody."""
        dropped: list[Any] = []
        mailbox = self.make(bound=3, overflow=Overflow.DROP_OLDEST, on_dropped=dropped.append)
        mailbox.put("high", priority=Priority.HIGH)
        for number in range(4):
            mailbox.put(number)
        assert dropped == [0, 1]
        assert mailbox.take() == ["high", 2, 3]

    # --- waiting ---------------------------------------------------------------------------------------------------

    def test_a_sleeping_owner_wakes_for_a_message_a_close_and_a_call(self) -> None:
        """Whether it sleeps already or is only about to."""
        mailbox = self.make()
        for call, wanted in ((lambda: mailbox.put(1), [1]), (mailbox.rouse, []), (mailbox.close, [])):
            taking = beside(mailbox.take)
            call()
            assert taking.result(self.limit) == wanted

    def test_a_take_with_a_time_limit_returns_empty_handed_and_works_afterwards(self) -> None:
        """Also with a limit of nothing."""
        mailbox = self.make()
        assert mailbox.take(0.001) == []
        assert mailbox.take(0) == []
        mailbox.put(1)
        assert mailbox.take(0.001) == [1]

    # --- the end ---------------------------------------------------------------------------------------------------

    def test_a_closed_mailbox_refuses_everything_and_close_returns_what_waited(self) -> None:
        """In order, and once."""
        mailbox = self.make()
        mailbox.put(1)
        mailbox.put(0, urgent=True)
        closed = [mailbox.closed]
        assert mailbox.close() == [0, 1]
        closed.append(mailbox.closed)
        assert closed == [False, True]
        with expected(MailboxClosed):
            mailbox.put(2)
        with expected(MailboxClosed):
            mailbox.put(2, urgent=True)
        with expected(MailboxClosed):
            mailbox.force(2)
        assert not mailbox.restore([2])
        assert mailbox.take() == []
        assert mailbox.close() == []

    def test_close_and_put_are_one_decision_a_message_is_handed_over_or_refused(self) -> None:
        """F2: nothing is lost between the last take and the close."""
        for _ in range(30):
            mailbox = self.make(bound=100_000)
            start = threading.Barrier(3)

            def send(base: int, mailbox: Mailbox = mailbox, start: threading.Barrier = start) -> list[int]:
                refused = []
                start.wait()
                for number in range(base, base + 300):
                    try:
                        mailbox.put(number)
                    except MailboxClosed:
                        refused.append(number)
                return refused

            sending = [beside(send, 0), beside(send, 1000)]
            start.wait()
            handed = mailbox.take(0) + mailbox.take(0.0005)
            handed += mailbox.close()
            refused = [number for future in sending for number in future.result(self.limit)]
            assert sorted(handed + refused) == [*range(300), *range(1000, 1300)]

    def _take(self, mailbox: Mailbox, count: int) -> list[Any]:
        """Take until there are so many: the owner may be called for nothing."""
        deadline = time.monotonic() + self.limit
        seen: list[Any] = []
        while len(seen) < count:
            left = deadline - time.monotonic()
            assert left > 0, f"only {len(seen)} of {count} messages came within {self.limit} s"
            seen += mailbox.take(left)
        return seen

    def _all(self, futures: list[Future[Any]]) -> None:
        for future in futures:
            future.result(self.limit)
