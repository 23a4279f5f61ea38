"""Where messages wait: order, bound, close, and the sleep of the owner."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import ConfigError, MailboxClosed, MailboxFull
from actors.kernel.current import current
from actors.kernel.mailbox import Mailbox, Overflow
from actors.kernel.poll import PollMailbox
from actors.protocol.messages import Priority
from tests.kernel.support import finished, in_thread


@pytest.fixture(params=[Mailbox, PollMailbox])
def make(request: pytest.FixtureRequest) -> Any:
    made: list[Mailbox] = []

    def make(*args: Any, **kwargs: Any) -> Mailbox:
        mailbox = request.param(*args, **kwargs)
        made.append(mailbox)
        return mailbox

    yield make
    for mailbox in made:
        mailbox.close()
        mailbox.release()


Make = Callable[..., Mailbox]


def test_take_hands_over_all_that_waits_in_the_order_in_which_it_came(make: Make) -> None:
    mailbox = make()
    for number in range(100):
        mailbox.put(number)
    assert len(mailbox) == 100
    assert mailbox.take() == list(range(100))
    assert mailbox.take(0) == []


def test_urgent_goes_before_higher_priority_before_lower_and_each_keeps_its_order(make: Make) -> None:
    """B4: a control message goes ahead of all queued work."""
    mailbox = make()
    for number, priority in enumerate([Priority.LOW, Priority.NORMAL, Priority.CRITICAL, Priority.HIGH] * 2):
        mailbox.put(number, priority=priority)
    mailbox.put("first", urgent=True)
    mailbox.put("second", urgent=True)
    assert mailbox.take() == ["first", "second", 2, 6, 3, 7, 1, 5, 0, 4]


def test_the_urgent_can_be_taken_alone(make: Make) -> None:
    mailbox = make()
    mailbox.put("ordinary")
    assert not mailbox.pressing
    mailbox.put("urgent", urgent=True)
    assert mailbox.pressing
    assert mailbox.take_urgent() == ["urgent"]
    assert not mailbox.pressing
    assert mailbox.take() == ["ordinary"]


def test_what_is_given_back_goes_before_what_came_since_but_after_the_urgent(make: Make) -> None:
    mailbox = make()
    for number in range(4):
        mailbox.put(number)
    taken = mailbox.take()
    mailbox.put(4, priority=Priority.CRITICAL)
    mailbox.put("urgent", urgent=True)
    assert mailbox.restore(taken[1:])
    assert mailbox.take(0) == ["urgent", 1, 2, 3, 4]


def test_a_closed_mailbox_refuses_everything_and_close_returns_what_waited(make: Make) -> None:
    mailbox = make()
    mailbox.put(1)
    mailbox.put(0, urgent=True)
    assert mailbox.close() == [0, 1]
    assert mailbox.closed
    with pytest.raises(MailboxClosed):
        mailbox.put(2)
    with pytest.raises(MailboxClosed):
        mailbox.put(2, urgent=True)
    with pytest.raises(MailboxClosed):
        mailbox.force(2)
    assert not mailbox.restore([2])
    assert mailbox.take() == []
    assert mailbox.close() == []


def test_a_full_mailbox_fails_its_sender_at_once_or_after_the_time_it_was_willing_to_wait(make: Make) -> None:
    mailbox = make(bound=2)
    mailbox.put(1)
    mailbox.put(2)
    with pytest.raises(MailboxFull, match="2 messages wait"):
        mailbox.put(3, block=False)
    with pytest.raises(MailboxFull):
        mailbox.put(3, block=0.01)
    failing = make(bound=1, overflow=Overflow.FAIL)
    failing.put(1)
    with pytest.raises(MailboxFull):
        failing.put(2)
    assert failing.take() == [1]


def test_the_system_lane_and_what_is_forced_are_never_bounded(make: Make) -> None:
    mailbox = make(bound=1)
    mailbox.put(1)
    mailbox.put("urgent", urgent=True, block=False)
    mailbox.force(2)
    assert mailbox.take() == ["urgent", 1, 2]


def test_a_blocked_sender_goes_on_when_there_is_room(make: Make) -> None:
    mailbox = make(bound=1)
    mailbox.put(1)
    blocked = [in_thread(mailbox.put, number) for number in (2, 3)]
    seen = []
    while len(seen) < 3:
        seen += mailbox.take(5)
    for thread in blocked:
        finished(thread)
    assert sorted(seen) == [1, 2, 3]


def test_a_blocked_sender_is_told_when_the_mailbox_closes(make: Make) -> None:
    """F2: every waiter is answered."""
    mailbox = make(bound=1)
    mailbox.put(1)
    errors: list[BaseException] = []

    def send() -> None:
        try:
            mailbox.put(2)
        except MailboxClosed as error:
            errors.append(error)

    thread = in_thread(send)
    # Whether it blocks already or is only about to: either way it must be told.
    mailbox.close()
    finished(thread)
    assert len(errors) == 1


def test_an_actor_never_waits_for_room(make: Make) -> None:
    """Two actors that wait for room with each other would wait for ever: for them the bound gives way."""
    mailbox = make(bound=1)
    mailbox.put(1)
    current.cell = object()
    try:
        mailbox.put(2)
        with pytest.raises(MailboxFull):
            mailbox.put(3, block=False)
    finally:
        current.cell = None
    assert mailbox.take() == [1, 2]


def test_dropping_the_oldest_spares_the_higher_priorities_and_tells_of_each_drop(make: Make) -> None:
    dropped: list[Any] = []
    mailbox = make(bound=3, overflow=Overflow.DROP_OLDEST, on_dropped=dropped.append)
    mailbox.put("high", priority=Priority.HIGH)
    for number in range(4):
        mailbox.put(number)
    assert dropped == [0, 1]
    assert mailbox.take() == ["high", 2, 3]


def test_a_bound_below_one_is_an_error(make: Make) -> None:
    with pytest.raises(ConfigError, match="1 or more"):
        make(bound=0)


def test_a_sleeping_owner_wakes_for_a_message_a_close_and_a_call(make: Make) -> None:
    mailbox = make()
    for call, expected in ((lambda: mailbox.put(1), [1]), (mailbox.rouse, []), (mailbox.close, [])):
        taken: list[Any] = []
        thread = in_thread(lambda taken=taken: taken.append(mailbox.take()))
        call()
        finished(thread)
        assert taken == [expected]


def test_a_take_with_a_time_limit_returns_empty_handed_and_works_afterwards(make: Make) -> None:
    mailbox = make()
    assert mailbox.take(0.001) == []
    assert mailbox.take(0) == []
    mailbox.put(1)
    assert mailbox.take(0.001) == [1]


def test_messages_of_many_senders_all_arrive_once_and_in_the_order_of_each(make: Make) -> None:
    """Order holds for each sender, recipient and priority."""
    mailbox = make(bound=50)
    senders, count = 8, 500
    threads = [
        in_thread(lambda sender=sender: [mailbox.put((sender, number)) for number in range(count)])
        for sender in range(senders)
    ]
    seen: list[tuple[int, int]] = []
    while len(seen) < senders * count:
        batch = mailbox.take(5)
        assert batch, "a sender is stuck"
        seen += batch
    for thread in threads:
        finished(thread)
    for sender in range(senders):
        assert [number for who, number in seen if who == sender] == list(range(count))


def test_close_and_put_are_one_decision_a_message_is_handed_over_or_refused(make: Make) -> None:
    """F2: nothing is lost between the last take and the close."""
    for _ in range(30):
        mailbox = make(bound=100_000)
        refused: list[int] = []
        start = threading.Barrier(3)

        def send(
            base: int, mailbox: Mailbox = mailbox, refused: list[int] = refused, start: threading.Barrier = start
        ) -> None:
            start.wait()
            for number in range(base, base + 300):
                try:
                    mailbox.put(number)
                except MailboxClosed:
                    refused.append(number)

        threads = [in_thread(send, 0), in_thread(send, 1000)]
        start.wait()
        handed = mailbox.take(0) + mailbox.take(0.0005)
        handed += mailbox.close()
        for thread in threads:
            finished(thread)
        assert sorted(handed + refused) == [*range(300), *range(1000, 1300)]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.sampled_from(list(Priority))),
            st.tuples(st.just("urgent"), st.none()),
            st.tuples(st.just("take"), st.integers(0, 3)),
            st.tuples(st.just("take_urgent"), st.none()),
        )
    )
)
def test_whatever_is_put_taken_and_given_back_nothing_is_lost_and_each_lane_keeps_its_order(steps: list) -> None:
    mailbox = Mailbox()
    lanes: dict[Any, list[int]] = {}
    out: list[tuple[Any, int]] = []
    for number, (step, argument) in enumerate(steps):
        if step == "put":
            mailbox.put((argument, number), priority=argument)
            lanes.setdefault(argument, []).append(number)
        elif step == "urgent":
            mailbox.put(("urgent", number), urgent=True)
            lanes.setdefault("urgent", []).append(number)
        elif step == "take_urgent":
            out += mailbox.take_urgent()
        else:
            batch = mailbox.take(0)
            handled, rest = batch[:argument], batch[argument:]
            out += handled
            mailbox.restore(rest, max(0, mailbox.leading - argument))
    out += mailbox.close()
    for lane, numbers in lanes.items():
        assert [number for kind, number in out if kind == lane] == numbers


def test_what_is_given_back_of_the_system_lane_stays_in_it(make: Make) -> None:
    mailbox = make()
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
