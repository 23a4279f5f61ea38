"""The arguments of a task as a line of text."""

from __future__ import annotations

import enum
import functools
import os
import pickle
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.hosts.payload import Segment
from actors.hosts.plaincall import ResultOf
from actors.hosts.serialize import Call, pack_call
from actors.hosts.shortened import shortened


@dataclass
class Order:
    """An object of a class."""

    name: str
    token: str = "abcdef0123456789"


class Colour(enum.Enum):
    """A choice."""

    RED = 1


class Slotted:
    """An object without a dictionary."""

    __slots__ = ("width",)

    def __init__(self) -> None:
        self.width = 3


class Trap:
    """Runs code when it is read."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def told(*args: Any, **kwargs: Any) -> str:
    return shortened(pack_call(Call(None, args, kwargs)))


def test_plain_values_are_shown_as_they_are() -> None:
    """H3: with their names, where they have them."""
    assert told(3, "a.png", size=[1, 2.5, None]) == "(3, 'a.png', size=[1, 2.5, None])"
    assert told() == "()"
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    assert told(moment, Path("/tmp/x"), {1}) == f"({moment!r}, PosixPath('/tmp/x'), {{1}})"


def test_objects_are_shown_by_class_and_content() -> None:
    """H3: also of classes that the payload itself defines."""

    @dataclass
    class Local:
        size: int

    assert told(Slotted()) == "(Slotted(width=3))"
    assert told(Colour.RED, len, Local(5)) == "(Colour(1), len, Local(size=5))"
    assert told(ResultOf(12)) == "(<the result of task number 12>)"
    assert "Order(name='x'" in told([Order("x")])
    assert "partial" in told(functools.partial(max, 3))


def test_secrets_are_not_shown() -> None:
    """H1, H3: an error is printed, logged and sent on."""
    text = told(Order("x"), {"api_key": "s3cret-s3cret"}, password="hunter2hunter2")
    assert "hunter2" not in text and "s3cret" not in text and "abcdef" not in text


@pytest.mark.parametrize(
    "values", [["x" * 10_000], list(range(1000)), [[[[[[[1]]]]]]], [list(range(100))] * 50, [b"x" * 9000]]
)
def test_what_is_long_or_deep_is_cut(values: list[Any]) -> None:
    """H3: one line, whatever was handed in."""
    assert len(told(*values)) <= 300


def test_what_is_large_is_not_read() -> None:
    """H3: its size is told."""
    assert "bytes)" in told(b"x" * 100_000) and "bytes)" in told(bytearray(10_000_000))
    Segment.trim()


def test_many_calls_in_one_are_counted() -> None:
    """H3: a chunk of a map."""
    payload = pack_call(Call(None, items=[(number,) for number in range(20)]))
    assert shortened(payload).startswith("20 calls: (0), (1), ") and shortened(payload).endswith(", ...")


def test_nothing_of_the_arguments_runs(tmp_path: Path) -> None:
    """I3: the payload of a sub-task may come from an agent that nobody trusts."""
    assert "mkdir" in told(Trap(str(tmp_path / "made")))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "payload",
    [None, b"", b"\x01", b"nonsense", b"\x80\x05r\xff\xff\xff\xff.", pickle.dumps(3), pickle.dumps(("a", "b", "c"))],
)
def test_what_is_no_call_is_no_error(payload: bytes | None) -> None:
    """H3: the error that is being told is what counts."""
    began = time.monotonic()
    assert isinstance(shortened(payload), str)
    assert time.monotonic() - began < 5


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    """I3: whatever an agent sends."""
    assert isinstance(shortened(b"\x80\x05" + data), str)
