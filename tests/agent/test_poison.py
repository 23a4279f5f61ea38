"""What goes wrong inside one task costs that task and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors.errors import ConfigError, NotSerializable, RemoteError, TaskExited
from actors.hosts.serialize import RemoteTraceback, unpack_value
from actors.protocol.messages import Outcome
from tests.agent import workers
from tests.agent.support import Subject, error_in

Agent = Callable[..., Subject]


@pytest.fixture
def subject(agent: Agent) -> Subject:
    return agent().ready()


def goes_on(subject: Subject) -> bool:
    return bool(subject.call("echo", "still here") == "still here") and not subject.reports


@pytest.mark.parametrize("code", [None, 0, 7, "with a text", ("a", "tuple")])
def test_sys_exit_ends_the_task_with_its_code(subject: Subject, code: object) -> None:
    """Task errors: `sys.exit` is an outcome of the task, not the end of the agent."""
    result = subject.result(subject.start("leave", code))
    assert result.outcome == Outcome.EXITED
    error = error_in(result)
    assert isinstance(error, TaskExited) and error.code == code
    assert goes_on(subject)


@pytest.mark.parametrize("what", ["Unpicklable", "ExitsOnWrite"])
def test_a_result_that_cannot_be_written_is_an_error_that_names_it(subject: Subject, what: str) -> None:
    """D8: a result whose pickling raises or exits costs its own task only."""
    result = subject.result(subject.start("make", what))
    assert result.outcome == Outcome.ERROR
    error = error_in(result)
    assert isinstance(error, NotSerializable) and error.what == "the result"
    assert goes_on(subject)


@pytest.mark.parametrize("what", ["FailsOnRead", "ExitsOnRead"])
def test_a_result_that_cannot_be_read_fails_where_it_is_read(subject: Subject, what: str) -> None:
    """D8: the agent sends it; whoever reads it gets an error about this one value, also if it exits."""
    result = subject.result(subject.start("make", what))
    assert result.outcome == Outcome.VALUE
    with pytest.raises(NotSerializable):
        unpack_value(result.payload)
    assert goes_on(subject)


@pytest.mark.parametrize("poison", [workers.FailsOnRead(), workers.ExitsOnRead()])
def test_an_argument_that_cannot_be_read_fails_its_task(subject: Subject, poison: object) -> None:
    """D8: bodies are read lazily and guarded."""
    result = subject.result(subject.start("echo", poison))
    assert result.outcome == Outcome.ERROR
    assert isinstance(error_in(result), NotSerializable)
    assert goes_on(subject)


def test_bytes_that_are_no_pickle_fail_their_task(subject: Subject) -> None:
    """D8: as above, for a payload that is garbage."""
    assert isinstance(error_in(subject.result(subject.start("echo", payload=b"garbage"))), NotSerializable)
    assert isinstance(error_in(subject.result(subject.start("echo", payload=b""))), NotSerializable)
    assert goes_on(subject)


@pytest.mark.parametrize(
    ("what", "args"),
    [
        ("NeedsTwo", ("one", "two")),
        ("FailsOnRebuild", ("text",)),
        ("ExitsOnRebuild", ("text",)),
        ("ExitsOnReduce", ("text",)),
    ],
)
def test_an_exception_that_cannot_be_rebuilt_arrives_with_name_text_and_traceback(
    subject: Subject, what: str, args: tuple[str, ...]
) -> None:
    """Errors: one that cannot be rebuilt arrives as RemoteError."""
    result = subject.result(subject.start("fail_as", what, *args))
    assert result.outcome == Outcome.ERROR
    error = error_in(result)
    assert isinstance(error, RemoteError)
    assert error.type_name == f"tests.agent.workers.{what}"
    assert error.text == args[0]
    assert error.traceback is not None and "fail_as" in error.traceback
    assert goes_on(subject)


def test_an_exception_without_text_arrives_all_the_same(subject: Subject) -> None:
    """Errors: nothing that an exception's own code does keeps it from arriving."""
    error = error_in(subject.result(subject.start("fail_as", "HidesItsText")))
    assert type(error) is workers.HidesItsText
    assert goes_on(subject)


def test_an_exception_arrives_as_itself_with_the_remote_traceback(subject: Subject) -> None:
    """Errors: the user's own exception, with the traceback and its cause from over there."""
    error = error_in(subject.result(subject.start("fail_from")))
    assert type(error) is ValueError and error.args == ("the effect",)
    assert isinstance(error.__cause__, RemoteTraceback)
    told = str(error.__cause__)
    assert "the cause" in told and "direct cause" in told and "fail_from" in told
    assert "actors/hosts" not in told
    assert goes_on(subject)


@pytest.mark.parametrize("error", [KeyboardInterrupt("from a task"), GeneratorExit(), MemoryError("too much")])
def test_what_is_no_exception_of_a_program_is_one_of_a_task(subject: Subject, error: BaseException) -> None:
    """D8: a task may raise anything."""
    result = subject.result(subject.start("fail_with", error))
    assert result.outcome == Outcome.ERROR
    assert type(error_in(result)) is type(error)
    assert goes_on(subject)


def test_an_unknown_task_is_an_error_that_names_those_there_are(subject: Subject) -> None:
    """Errors say what was expected."""
    error = error_in(subject.result(subject.start("no_such_task")))
    assert isinstance(error, ConfigError)
    assert "echo" in str(error)
    assert goes_on(subject)


def test_an_item_that_fails_costs_that_item_only(subject: Subject) -> None:
    """map: a failing item raises when its turn comes, and the rest runs on."""
    items = [(1,), (workers.Unpicklable,), (3,)]
    values, failures = unpack_value(subject.result(subject.start("", function=_maybe, items=items)).payload)
    assert values == [1, None, 3]
    assert list(failures) == [1]


def test_an_item_whose_result_cannot_be_sent_costs_that_item_only(subject: Subject) -> None:
    """map: as above, for results."""
    items = [("Unpicklable",), ("Greeting", "hello")]
    values, failures = unpack_value(subject.result(subject.start("make", items=items)).payload)
    assert values == [None, workers.Greeting("hello")]
    assert list(failures) == [0]


def _maybe(value: object) -> object:
    if isinstance(value, type):
        raise TypeError(value)
    return value


def test_results_of_other_tasks_take_their_places_in_the_arguments(subject: Subject) -> None:
    """D3: the results of dependencies are there when the task runs."""
    from actors.hosts.plaincall import ResultOf
    from actors.hosts.serialize import pack_value

    value = subject.call("echo", [1, ResultOf(70)], results={70: pack_value("seventy")})
    assert value == [1, "seventy"]
    poisoned = subject.result(subject.start("echo", ResultOf(70), results={70: pack_value(workers.FailsOnRead())}))
    assert isinstance(error_in(poisoned), NotSerializable)
    assert goes_on(subject)


def test_large_values_go_through_shared_memory_both_ways(subject: Subject) -> None:
    """B: values larger than a frame travel as memory segments."""
    large = bytes(5 << 20)
    assert subject.call("echo", large) == large
    array = bytearray(b"x" * (3 << 20))
    assert subject.call("echo", array) == array
