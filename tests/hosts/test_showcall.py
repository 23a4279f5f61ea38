"""What a call looks like in words, without running anything of it."""

from __future__ import annotations

import datetime as dt
import os
import pathlib
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.hosts.serialize import Call, ResultOf, pack_call
from actors.hosts.showcall import shown_call


class Colour(Enum):
    """One colour."""

    RED = "red"


@dataclass
class Point:
    """Two numbers."""

    x: int
    y: int


class EndsTheProcess:
    """Ends whatever process reads it."""

    def __reduce__(self) -> Any:
        return os._exit, (3,)


class Bag(list):  # type: ignore[type-arg]
    """A list with a name of its own."""


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (Call(len, ("a", 2)), "'a', 2"),
        (Call(None, (), {"size": 64}), "size=64"),
        (Call(None, ([1, 2], {"a": None}), {"flag": True}), "[1, 2], {'a': None}, flag=True"),
        (Call(None, (ResultOf(3),)), "ResultOf(3)"),
        (Call(None, (Point(1, 2),)), "Point(x=1, y=2)"),
        (Call(None, (Colour.RED,)), "Colour('red')"),
        (Call(None, ({1}, frozenset({2}), range(3))), "{1}, frozenset({2}), range(0, 3)"),
        (Call(None, (), {}, [(1,), (2,)]), "2 calls: [(1,), (2,)]"),
    ],
)
def test_arguments_are_shown_as_they_would_be_written(call: Call, shown: str) -> None:
    """F4: arguments, shortened."""
    assert shown_call(pack_call(call)) == shown


def test_nothing_of_an_argument_runs_when_it_is_shown() -> None:
    """F4: what killed its agent must not kill whoever looks at it."""
    assert shown_call(pack_call(Call(None, (EndsTheProcess(), 1)))) == "_exit(3), 1"


def test_large_arguments_are_told_by_their_size() -> None:
    """F4: neither read nor copied."""
    payload = pack_call(Call(None, (b"x" * 400_000,)))
    assert shown_call(payload) == f"… {len(payload)} bytes"
    assert shown_call(None) == "…"
    assert len(shown_call(pack_call(Call(None, tuple("a" * 90 for _ in range(50)))))) == 200


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.binary()
        | st.sampled_from([Point(1, 2), Colour.RED, Bag([1]), dt.date(2026, 1, 2), pathlib.Path("a")])
        | st.builds(OrderedDict, st.dictionaries(st.text(), st.integers(), max_size=2)),
        lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_whatever_the_arguments_are_something_is_shown(value: Any) -> None:
    """F4: and it never raises."""
    shown = shown_call(pack_call(Call(print, (value, lambda: value))))
    assert shown and len(shown) <= 200
