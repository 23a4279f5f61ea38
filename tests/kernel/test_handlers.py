"""Which method takes which message, in which states."""

from __future__ import annotations

import pickle
from enum import Enum

import pytest

from actors.errors import ConfigError, MessageRefused
from actors.kernel.handlers import HandlerTable, handles


class Door(Enum):
    OPEN = "open"
    CLOSED = "closed"
    LOCKED = "locked"

    def __str__(self) -> str:
        return self.value


class Base: ...


class Derived(Base): ...


class Other: ...


def call(owner: type, message: object, state: Enum | None = None) -> object:
    entry = HandlerTable.of(owner).find(type(message))
    if entry is None:
        return None
    method = entry.pick(state)
    return None if method is None else method(owner(), message)


def test_a_message_goes_to_the_handler_of_its_type_or_of_its_nearest_base() -> None:
    class Taker:
        @handles(Base)
        def base(self, message: Base) -> str:
            return "base"

        @handles(object)
        def anything(self, message: object) -> str:
            return "anything"

    assert call(Taker, Base()) == "base"
    assert call(Taker, Derived()) == "base"
    assert call(Taker, Other()) == "anything"
    # A second time, from the cache.
    assert call(Taker, Derived()) == "base"


def test_a_type_that_nobody_handles_has_no_entry() -> None:
    class Taker:
        @handles(Derived)
        def derived(self, message: Derived) -> None: ...

    assert HandlerTable.of(Taker).find(Base) is None
    assert list(HandlerTable.of(Taker)) == [Derived]


def test_one_method_may_take_several_types_and_be_marked_twice() -> None:
    class Taker:
        @handles(int, str)
        @handles(float, when={Door.OPEN})
        def take(self, message: object) -> str:
            return type(message).__name__

    assert [call(Taker, value) for value in (1, "x")] == ["int", "str"]
    assert call(Taker, 1.0, Door.OPEN) == "float"
    assert call(Taker, 1.0, Door.CLOSED) is None


def test_an_overriding_method_takes_the_place_of_the_marked_one() -> None:
    class Parent:
        @handles(int)
        def take(self, message: int) -> str:
            return "parent"

    class Child(Parent):
        def take(self, message: int) -> str:
            return "child"

    assert call(Child, 1) == "child"
    assert call(Parent, 1) == "parent"


def test_a_subclass_overrules_its_base_by_another_method_of_the_same_type() -> None:
    class Parent:
        @handles(int)
        def take(self, message: int) -> str:
            return "parent"

    class Child(Parent):
        @handles(int)
        def grab(self, message: int) -> str:
            return "child"

    assert call(Child, 1) == "child"


def test_a_subclass_can_stop_handling_a_type() -> None:
    class Parent:
        @handles(int)
        def take(self, message: int) -> None: ...

    class Child(Parent):
        take = None  # type: ignore[assignment]

    assert HandlerTable.of(Child).find(int) is None


def test_methods_share_a_type_if_their_states_differ_and_one_takes_the_rest() -> None:
    """A2: the state decides who takes a message."""

    class Taker:
        @handles(int, when={Door.OPEN})
        def when_open(self, message: int) -> str:
            return "open"

        @handles(int, when={Door.CLOSED})
        def when_closed(self, message: int) -> str:
            return "closed"

    class Lenient(Taker):
        @handles(int)
        def else_(self, message: int) -> str:
            return "else"

    assert [call(Taker, 1, state) for state in Door] == ["open", "closed", None]
    assert [call(Lenient, 1, state) for state in Door] == ["open", "closed", "else"]
    assert call(Taker, 1, None) is None


def test_a_refusal_names_the_recipient_the_message_the_state_and_the_states_that_would_take_it() -> None:
    """A2: refused with an error that names the state, the message and the states that would take it."""

    class Taker:
        @handles(int, when={Door.OPEN, Door.CLOSED})
        def take(self, message: int) -> None: ...

    entry = HandlerTable.of(Taker).find(int)
    assert entry is not None
    refusal = entry.refusal("door-1", 5, Door.LOCKED)
    assert (refusal.recipient, refusal.message, refusal.state) == ("door-1", "int", "locked")
    assert refusal.allowed == ("closed", "open")
    for part in ("door-1", "int", "locked", "closed, open"):
        assert part in str(refusal)
    copy = pickle.loads(pickle.dumps(refusal))
    assert isinstance(copy, MessageRefused)
    assert copy.allowed == refusal.allowed


def test_two_methods_of_one_class_that_claim_the_same_are_an_error_where_the_table_is_made() -> None:
    class Plain:
        @handles(int)
        def one(self, message: int) -> None: ...

        @handles(int)
        def two(self, message: int) -> None: ...

    class Guarded:
        @handles(int, when={Door.OPEN})
        def one(self, message: int) -> None: ...

        @handles(int, when={Door.OPEN, Door.CLOSED})
        def two(self, message: int) -> None: ...

    with pytest.raises(ConfigError, match="both one and two handle int in every state"):
        HandlerTable.of(Plain)
    with pytest.raises(ConfigError, match="in open"):
        HandlerTable.of(Guarded)


def test_urgency_belongs_to_the_type_and_what_derives_from_it() -> None:
    class Taker:
        @handles(Base, urgent=True)
        def base(self, message: Base) -> None: ...

        @handles(int)
        def number(self, message: int) -> None: ...

    table = HandlerTable.of(Taker)
    assert table.any_urgent
    assert [table.is_urgent(kind) for kind in (Base, Derived, int, str)] == [True, True, False, False]


@pytest.mark.parametrize("arguments", [((), {}), ((5,), {}), ((int,), {"when": set()}), ((int,), {"when": {"open"}})])
def test_handles_refuses_what_is_no_type_and_no_state(arguments: tuple[tuple[type, ...], dict]) -> None:
    args, kwargs = arguments
    with pytest.raises(ConfigError):
        handles(*args, **kwargs)
