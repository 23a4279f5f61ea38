"""Values, calls and exceptions on their way."""

from __future__ import annotations

import array
import contextlib
import pickle
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import AskTimeout, NotSerializable, RemoteError, TaskExited
from actors.hosts.payload import Segment
from actors.hosts.plaincall import ResultOf
from actors.hosts.serialize import (
    Call,
    RemoteTraceback,
    dumps,
    error_of,
    failure_of,
    loads,
    pack_call,
    pack_value,
    unpack_call,
    unpack_value,
)
from tests.agent import workers

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside) | st.tuples(inside, inside),
    max_leaves=20,
)


class Bulk:
    """Pickles its bytes beside the stream, as arrays do."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Bulk, (pickle.PickleBuffer(self.data),)


@given(plain)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    """Principle 5."""
    assert unpack_value(pack_value(value)) == value
    assert loads(dumps(value)) == value


@given(st.lists(st.integers(0, 200_000).flatmap(lambda n: st.sampled_from([bytes(n), bytearray(n)])), max_size=4))
def test_buffers_come_back_as_they_were_and_as_writable_as_they_were(buffers: list[Any]) -> None:
    """Figures: large buffers travel beside the pickle."""
    found = unpack_value(pack_value([Bulk(buffer) for buffer in buffers]))
    for before, after in zip(buffers, found, strict=True):
        view = memoryview(after.data)
        assert bytes(view) == bytes(before)
        if len(before) >= 64 * 1024:
            assert view.readonly is isinstance(before, bytes)


def test_large_values_become_segments() -> None:
    """B4: larger than a frame goes through shared memory."""
    for value in (bytes(2 << 20), array.array("d", bytes(2 << 20)), "x" * (2 << 20)):
        payload = pack_value(value)
        assert isinstance(payload, Segment)
        assert unpack_value(payload) == value
        del payload
    Segment.trim()


@pytest.mark.parametrize("size", [63 << 10, 65 << 10, 191 << 10, 193 << 10, 3 << 20])
@pytest.mark.parametrize("kind", [bytes, bytearray, str])
def test_large_content_comes_back_wherever_it_stands(size: int, kind: Any) -> None:
    """Figures: texts and bytes that stand in plain sight are not copied into a pickle first."""
    content: Any = "x" * (size - 8) + "__main__"
    content = content if kind is str else kind(content.encode())
    for value in (content, (1, content), [content, content], {"a": (content,)}, workers.Holder(content)):
        payload = pack_value(value)
        found = unpack_value(payload)
        assert type(found) is type(value)
        assert found == value
    assert unpack_value(pack_value([content, Bulk(bytes(size))]))[0] == content
    del payload, found
    Segment.trim()


def test_what_main_defines_travels_by_value_beside_large_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """Design: the receiver has another main module; large content does not hide the class."""
    main = sys.modules["__main__"]

    class Local:
        pass

    Local.__module__, Local.__qualname__ = "__main__", "Local"
    monkeypatch.setattr(main, "Local", Local, raising=False)
    one = Local()
    one.content = bytes(1 << 20)  # type: ignore[attr-defined]
    payload = pack_value([one, bytes(1 << 20)])
    monkeypatch.delattr(main, "Local")
    found, _ = unpack_value(payload)
    assert found.content == one.content  # type: ignore[attr-defined]
    del payload, found
    Segment.trim()


class Shy:
    """Does not like to be looked at."""

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise SystemExit("do not look")

    def __reduce__(self) -> Any:
        return Shy, ()


def test_a_value_that_may_not_be_looked_at_is_pickled_all_the_same() -> None:
    """Principle 5: what its code raises is its own matter."""
    assert type(unpack_value(pack_value(Shy()))) is Shy


@given(st.binary(max_size=100))
def test_garbage_is_an_error_about_this_value(data: bytes) -> None:
    """Principle 5: whatever the bytes are."""
    with contextlib.suppress(NotSerializable):
        unpack_value(data)


def test_lambdas_local_functions_and_what_main_defines_travel_by_value() -> None:
    """J1: works from scripts and notebooks."""
    offset = 3
    assert loads(dumps(lambda value: value + offset))(4) == 7

    class Local:
        pass

    assert type(loads(dumps(Local()))).__name__ == "Local"
    main = sys.modules["__main__"]
    exec("def of_main(): return 'by value'", main.__dict__)
    try:
        data = dumps(main.of_main)
    finally:
        del main.of_main
    assert loads(data)() == "by value"


def test_the_error_says_which_part_is_to_blame() -> None:
    """Errors: what came, and how to mend it."""
    with pytest.raises(NotSerializable, match=r"\['key'\]\[1\]") as caught:
        dumps({"key": [1, workers.Unpicklable()]}, "the settings")
    assert caught.value.what == "the settings" and "RuntimeError" in str(caught.value.reason)
    with pytest.raises(NotSerializable, match="argument 2"):
        pack_call(Call(None, (1, workers.ExitsOnWrite()), {}))
    with pytest.raises(NotSerializable, match="argument colour"):
        pack_call(Call(len, (), {"colour": workers.Unpicklable()}))


@pytest.mark.parametrize("poison", [workers.FailsOnRead(), workers.ExitsOnRead()])
def test_reading_never_ends_the_reader(poison: Any) -> None:
    """Principle 5: also `sys.exit` in a class's own code."""
    for read in (lambda: loads(dumps(poison)), lambda: unpack_value(pack_value([poison]))):
        with pytest.raises(NotSerializable) as caught:
            read()
        assert isinstance(caught.value.__cause__, ValueError | SystemExit)


@given(st.lists(plain, max_size=3), st.dictionaries(st.sampled_from("abc"), plain))
def test_a_call_comes_back_as_it_was(args: list[Any], kwargs: dict[str, Any]) -> None:
    """Work."""
    found = unpack_call(pack_call(Call(len, tuple(args), kwargs)))
    assert (found.function, found.args, dict(found.kwargs), found.items) == (len, tuple(args), kwargs, None)


def test_results_take_their_places_one_container_deep() -> None:
    """Work: at the top level of the arguments and one list, tuple or dict deep."""
    one, two = ResultOf(1), ResultOf(2)
    call = Call(None, (one, [0, two], (one,), {"deep": two}, [[one]]), {"named": two})
    found = unpack_call(pack_call(call), {1: pack_value("one"), 2: pack_value("two")})
    assert found.args == ("one", [0, "two"], ("one",), {"deep": "two"}, [[one]])
    assert found.kwargs == {"named": "two"}
    items = Call(len, (), {}, [(one,), (two, 3)])
    assert unpack_call(pack_call(items), {1: pack_value("one"), 2: pack_value("two")}).items == [("one",), ("two", 3)]
    with pytest.raises(NotSerializable):
        unpack_call(pack_call(call), {1: pack_value(workers.ExitsOnRead()), 2: pack_value("two")})


def test_an_exception_comes_back_as_itself() -> None:
    """Errors: with its facts, notes and traceback."""
    try:
        raise AskTimeout("late", recipient="a-1", timeout=3.0)
    except AskTimeout as error:
        error.add_note("a note")
        failure = failure_of(error)
    found = error_of(tuple(failure))
    assert type(found) is AskTimeout and found.recipient == "a-1" and found.timeout == 3.0
    assert found.__notes__ == ["a note"]
    assert isinstance(found.__cause__, RemoteTraceback) and "raise AskTimeout" in str(found.__cause__)
    assert failure.type_names[0] == "actors.errors.AskTimeout" and "builtins.TimeoutError" in failure.type_names
    group = error_of(failure_of(ExceptionGroup("several", [ValueError(1), TaskExited("x", code=3)])))
    assert isinstance(group, ExceptionGroup) and group.exceptions[1].code == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "error",
    [
        workers.NeedsTwo("a", "b"),
        workers.FailsOnRebuild("a"),
        workers.ExitsOnRebuild("a"),
        workers.ExitsOnReduce("a"),
    ],
)
def test_an_exception_that_cannot_be_rebuilt_keeps_name_and_text(error: BaseException) -> None:
    """Errors: RemoteError."""
    found = error_of(failure_of(error))
    assert isinstance(found, RemoteError)
    assert found.type_name == f"tests.agent.workers.{type(error).__name__}" and found.text == "a"


def test_an_exception_that_is_rebuilt_there_and_not_here_is_a_remote_error() -> None:
    """Errors: as above, when only this side cannot."""
    failure = failure_of(ValueError("text"))._replace(pickled=b"garbage")
    assert isinstance(error_of(failure), RemoteError)
    assert isinstance(error_of(failure._replace(pickled=dumps("no exception"))), RemoteError)
    assert isinstance(error_of(failure._replace(pickled=dumps(workers.ExitsOnRead()))), RemoteError)


def test_an_exception_of_any_size_fits_a_frame() -> None:
    """B4: the frame limit."""
    failure = failure_of(ValueError("x" * (20 << 20)))
    assert failure.pickled is None and len(failure.text) <= 64 * 1024 and len(failure.traceback) <= 70 * 1024
