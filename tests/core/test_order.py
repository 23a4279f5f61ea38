"""The order in which a mailbox hands out what waits in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.order import MailboxOrder
from actors.protocol.messages import Priority

# None is a system message.
PUTS = st.lists(st.none() | st.sampled_from(Priority))


def filled(puts: list[Priority | None]) -> MailboxOrder[tuple[int, Priority | None]]:
    """A mailbox in which these came, numbered."""
    order: MailboxOrder[tuple[int, Priority | None]] = MailboxOrder()
    for number, priority in enumerate(puts):
        if priority is None:
            order.put_system((number, None))
        else:
            order.put((number, priority), priority)
    return order


def expected(puts: list[Priority | None]) -> list[tuple[int, Priority | None]]:
    """The same, sorted: system first, then the higher priority, then the earlier."""
    return sorted(enumerate(puts), key=lambda item: (item[1] is not None, -(item[1] or 0), item[0]))


@given(PUTS)
def test_system_messages_come_first_then_higher_priority_then_earlier(puts: list[Priority | None]) -> None:
    """B4 B6: order holds for each lane and priority."""
    assert filled(puts).take() == expected(puts)


@given(PUTS)
def test_one_at_a_time_is_the_same_order_as_all_at_once(puts: list[Priority | None]) -> None:
    """B6: batching does not change the order."""
    order = filled(puts)
    assert [order.pop() for _ in puts] == expected(puts)
    assert len(order) == 0
    with pytest.raises(IndexError):
        order.pop()


@given(PUTS)
def test_users_messages_can_be_suspended(puts: list[Priority | None]) -> None:
    """B4: system messages are served while an actor is suspended."""
    order = filled(puts)
    assert order.take(system_only=True) == [item for item in expected(puts) if item[1] is None]
    assert order.waiting == len(order) == sum(priority is not None for priority in puts)
    assert order.take() == [item for item in expected(puts) if item[1] is not None]


@given(PUTS)
def test_what_is_dropped_first_is_the_oldest_of_the_lowest_priority_and_never_a_system_message(
    puts: list[Priority | None],
) -> None:
    """A4: a full mailbox."""
    order = filled(puts)
    users = [item for item in enumerate(puts) if item[1] is not None]
    for item in sorted(users, key=lambda item: (item[1], item[0])):
        assert order.drop_oldest() == item
    assert order.drop_oldest() is None
    assert len(order) == len(puts) - len(users)


def test_a_priority_that_there_is_not_is_refused() -> None:
    """B1: four priorities."""
    with pytest.raises(KeyError):
        MailboxOrder[str]().put("x", 9)
