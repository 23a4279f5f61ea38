"""Wrong calls and wrong values: one clear error in the caller's stack, and the system goes on."""

from __future__ import annotations

import functools
import itertools
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors import (
    ActorsError,
    ActorSystem,
    Backoff,
    ConfigError,
    DependencyFailed,
    Limits,
    NotSerializable,
    SystemClosed,
    SystemConfig,
    TaskCancelled,
    TaskSpec,
    TaskSubmitted,
    Worker,
    task,
)
from tests.system import misfits
from tests.system.misfits import Coroutines, Misfit, NoWorker
from tests.system.shared import CONFIG, LIMIT, shared_system


@pytest.fixture(scope="module")
def system() -> Iterator[ActorSystem]:
    """One for all tests here: nothing in them may cost an agent."""
    with shared_system({Misfit: 2, Coroutines: 1}) as running:
        yield running


def still_works(system: ActorSystem) -> bool:
    return system.submit(Misfit.echo, "still here").result(LIMIT) == "still here" and len(system.agents()) == 4


# --- submissions ---------------------------------------------------------------------------------------------------


def wrong_submissions() -> list[Any]:
    other = ActorSystem()
    cases: dict[str, tuple[Callable[[ActorSystem], object], type[Exception], list[str]]] = {
        "no worker": (lambda s: s.submit(NoWorker.shrink, "a"), ConfigError, ["shrink", "no worker", "actors.Worker"]),
        "unknown keyword": (lambda s: s.submit(Misfit.pair, 1, size=2), TypeError, ["pair", "size"]),  # type: ignore[call-arg]
        "too few": (lambda s: s.submit(Misfit.pair), TypeError, ["pair", "left"]),  # type: ignore[call-arg]
        "too many": (lambda s: s.submit(Misfit.pair, 1, 2, 3), TypeError, ["pair", "too many"]),  # type: ignore[call-arg]
        "twice": (lambda s: s.submit(Misfit.pair, 1, left=2), TypeError, ["pair", "left"]),  # type: ignore[call-arg,misc]
        "a callable's arguments": (lambda s: s.submit(misfits.add, 1), TypeError, ["add", "right"]),  # type: ignore[call-arg]
        "no callable": (lambda s: s.submit(5), TypeError, ["callable", "5"]),  # type: ignore[call-overload]
        "nothing": (lambda s: s.submit(None), TypeError, ["callable", "None"]),  # type: ignore[call-overload]
        "a name": (lambda s: s.submit("pow", 2), TypeError, ["callable", "'pow'"]),  # type: ignore[call-overload]
        "no spec": (lambda s: s.submit_task({"type": "general"}), ConfigError, ["TaskSpec"]),  # type: ignore[arg-type]
        "unknown type": (lambda s: s.submit_task(TaskSpec(type="nothing")), ConfigError, ["nothing", "general"]),
        "unknown agent type": (
            lambda s: s.submit_task(TaskSpec(type="general", agent_type="nobody")),
            ConfigError,
            ["nobody", "general_purpose"],
        ),
        "unknown data": (
            lambda s: s.submit_task(TaskSpec(type="general", data={"callable": "math:gcd", "function": 1})),
            ConfigError,
            ["general", "function"],
        ),
        "missing data": (lambda s: s.submit_task(TaskSpec(type="general")), ConfigError, ["general", "callable"]),
        "after no future": (lambda s: s.options(after=[5]).submit(pow, 2, 3), ConfigError, ["after", "5"]),
        "after an unknown id": (
            lambda s: s.options(after=["nothing-5"]).submit(pow, 2, 3),
            ConfigError,
            ["nothing-5", "task_id"],
        ),
        "empty map": (lambda s: s.map(Misfit.echo), ValueError, ["iterable"]),
        "chunksize": (lambda s: s.map(Misfit.echo, [1], chunksize=0), ConfigError, ["chunksize", "0"]),
        "map of no iterable": (lambda s: s.map(Misfit.echo, 5), TypeError, ["iterable"]),  # type: ignore[arg-type]
        "map with wrong count": (lambda s: s.map(Misfit.pair, [1], [2], [3]), TypeError, ["pair"]),
        "map of no callable": (lambda s: s.map(7, [1]), TypeError, ["callable", "7"]),  # type: ignore[arg-type]
        "map timeout": (lambda s: s.map(Misfit.echo, [1], timeout="soon"), ConfigError, ["timeout", "soon"]),  # type: ignore[arg-type]
        "a lock": (lambda s: s.submit(Misfit.echo, threading.Lock()), NotSerializable, ["echo", "argument 1", "lock"]),
        "a lock by name": (
            lambda s: s.submit(Misfit.echo, value=threading.Lock()),
            NotSerializable,
            ["echo", "argument value", "lock"],
        ),
        "a generator": (
            lambda s: s.submit(Misfit.echo, (n for n in [1])),
            NotSerializable,
            ["argument 1", "generator"],
        ),
        "a system": (lambda s: s.submit(Misfit.takes_system, s), NotSerializable, ["argument 1", "self.submit"]),
        "another system": (lambda s: s.submit(Misfit.takes_system, other), NotSerializable, ["argument 1"]),
        "a callable that holds a lock": (
            lambda s: s.submit(functools.partial(misfits.add, threading.Lock()), 1),
            NotSerializable,
            ["the callable", "lock"],
        ),
        "a worker's class": (lambda s: s.submit((5).__add__), TypeError, ["__add__"]),  # type: ignore[call-arg]
    }
    return [pytest.param(*case, id=name) for name, case in cases.items()]


@pytest.mark.parametrize(("submit", "kind", "words"), wrong_submissions())
def test_a_wrong_submission_is_refused_in_the_caller_s_stack(
    system: ActorSystem, submit: Callable[[ActorSystem], object], kind: type[Exception], words: list[str]
) -> None:
    """Work: found at submission, with an error that says what came."""
    with pytest.raises(kind) as caught:
        submit(system)
    for word in words:
        assert word in str(caught.value)
    assert "in <lambda>" in "".join(traceback.format_tb(caught.value.__traceback__))
    assert still_works(system)


def test_futures_of_another_system_are_refused(system: ActorSystem) -> None:
    """D3: their numbers mean other tasks here. The error says so, wherever the future stands."""
    with ActorSystem({Coroutines: 1}, config=CONFIG) as other:
        stranger = other.submit(Coroutines.double, 1)
        for submit in (
            lambda: system.submit(Misfit.echo, stranger),
            lambda: system.submit(Misfit.echo, [1, stranger]),
            lambda: system.submit(Misfit.echo, value={"a": stranger}),
            lambda: system.options(after=[stranger]).submit(Misfit.echo, 1),
            lambda: system.submit_task(
                TaskSpec(type="general", data={"callable": "math:gcd", "args": [4, 6]}, after=(stranger,))
            ),
            lambda: system.task_info(stranger),
            lambda: system.explain(stranger),
        ):
            with pytest.raises(ConfigError, match="another system"):
                submit()
        assert stranger.result(LIMIT) == 2
        with pytest.raises(ConfigError, match="no task of this system"):
            system.task_info(stranger.task_id)
    assert still_works(system)


def test_futures_count_one_container_deep_and_are_refused_deeper(system: ActorSystem) -> None:
    """D3: at the top level and in one list, tuple or dict they stand for results; deeper they are an error."""
    one = system.submit(Misfit.echo, 1)
    assert system.submit(Misfit.echo, one).result(LIMIT) == 1
    assert system.submit(Misfit.echo, [one, 2, one]).result(LIMIT) == [1, 2, 1]
    assert system.submit(Misfit.echo, (one, 2)).result(LIMIT) == (1, 2)
    assert system.submit(Misfit.echo, {"a": one}).result(LIMIT) == {"a": 1}
    assert system.submit(Misfit.pair, one, right=one).result(LIMIT) == 2
    for deep in ([[one]], {"a": [one]}, {one}, ([1, (one,)],), misfits.Ring, {one: 1}):
        value = misfits.Ring if deep is misfits.Ring else deep
        if value is misfits.Ring:
            value = [functools.partial(misfits.add, one)]
        with pytest.raises(NotSerializable, match=r"future|task"):
            system.submit(Misfit.echo, value)
    with pytest.raises(NotSerializable):
        list(system.map(Misfit.echo, [[one]]))
    with pytest.raises(NotSerializable):
        pickle.dumps(one)
    assert still_works(system)


def test_a_dependency_that_failed_fails_its_dependents_with_the_first_cause(system: ActorSystem) -> None:
    """D3: through any number of tasks between."""
    first = system.submit(Misfit.fail, KeyError("first"))
    last = functools.reduce(lambda before, _: system.submit(Misfit.echo, before), range(5), first)
    with pytest.raises(DependencyFailed) as caught:
        last.result(LIMIT)
    assert caught.value.first == first.task_id
    assert still_works(system)


# --- values of options and parameters ------------------------------------------------------------------------------

WRONG_OPTIONS: list[tuple[str, Any]] = [
    ("priority", 0),
    ("priority", 5),
    ("priority", "urgent"),
    ("priority", [1]),
    ("after", "text"),
    ("after", 5),
    ("timeout", 0),
    ("timeout", -1),
    ("timeout", "10"),
    ("timeout", float("nan")),
    ("timeout", True),
    ("retries", -1),
    ("retries", 1.5),
    ("retries", True),
    ("retries", "2"),
    ("retry_on", 5),
    ("retry_on", [5]),
    ("retry_on", int),
    ("backoff", 5),
    ("requires", "imaging"),
    ("requires", 5),
    ("requires", [""]),
    ("requires", [[1]]),
    ("key", ""),
    ("key", 5),
    ("inputs", "path"),
    ("inputs", [5]),
    ("inputs", 5),
    ("job", ""),
    ("job", 5),
    ("idempotent", 1),
    ("idempotent", None),
    ("duration", -1),
    ("duration", float("inf")),
    ("duration", "long"),
    ("type", ""),
    ("type", 5),
]


@pytest.mark.parametrize(("name", "value"), WRONG_OPTIONS)
def test_a_wrong_value_of_an_option_is_refused_by_name(system: ActorSystem, name: str, value: Any) -> None:
    """Work: the error names the option, the value and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        system.options(**{name: value})
    assert name in str(caught.value)
    assert "not " in str(caught.value)
    assert caught.value.key is not None and name in caught.value.key


def test_an_unknown_option_is_refused_with_those_there_are(system: ActorSystem) -> None:
    """Work: misspelt options do not vanish."""
    with pytest.raises(TypeError, match=r"retires.*retries"):
        system.options(retires=3)
    with pytest.raises(TypeError, match=r"retires.*retries"):
        system.options(retries=3).options(retires=3)


WRONG_CALLS: dict[str, Callable[[ActorSystem], object]] = {
    "spawn no worker": lambda s: s.spawn(int),  # type: ignore[arg-type]
    "spawn an unknown name": lambda s: s.spawn("misfits"),
    "spawn with a dict": lambda s: s.spawn(Misfit, {"grace": 1}),  # type: ignore[arg-type]
    "terminate nobody": lambda s: s.terminate("nobody-1"),
    "terminate misfit-99": lambda s: s.terminate("misfit-99"),
    "terminate a number": lambda s: s.terminate(5),  # type: ignore[arg-type]
    "terminate with a negative timeout": lambda s: s.terminate("misfit-1", timeout=-1),
    "terminate with a text": lambda s: s.terminate("misfit-1", timeout="soon"),  # type: ignore[arg-type]
    "terminate at nan": lambda s: s.terminate("misfit-1", timeout=float("nan")),
    "restart nobody": lambda s: s.restart("nobody-1"),
    "scale by a float": lambda s: s.scale(Misfit, 1.5),  # type: ignore[arg-type]
    "scale to minus one": lambda s: s.scale(Misfit, -1),
    "scale to a crossed pair": lambda s: s.scale(Misfit, (3, 1)),
    "scale no worker": lambda s: s.scale(int, 1),  # type: ignore[arg-type]
    "scale to True": lambda s: s.scale(Misfit, True),  # noqa: FBT003 - the wrong value
    "limits of nobody": lambda s: s.set_limits("nobody-1", Limits(memory="1G")),
    "limits as a dict": lambda s: s.set_limits("misfit-1", {"memory": 5}),  # type: ignore[arg-type]
    "info of a number": lambda s: s.task_info(5),  # type: ignore[arg-type]
    "info of nothing": lambda s: s.task_info("nothing"),
    "explain nothing": lambda s: s.explain("nothing"),
    "queue with a text": lambda s: s.queue("all"),  # type: ignore[arg-type]
    "queue of minus one": lambda s: s.queue(-1),
    "drain with a text": lambda s: s.drain("soon"),  # type: ignore[arg-type]
    "subscribe to a text": lambda s: s.subscribe("task_failed", print),  # type: ignore[arg-type]
    "subscribe to no event type": lambda s: s.subscribe(int, print),  # type: ignore[type-var]
    "subscribe to nothing": lambda s: s.subscribe([], print),
    "subscribe without handler": lambda s: s.subscribe(TaskSubmitted, None),  # type: ignore[arg-type]
    "subscribe in no scope": lambda s: s.subscribe(TaskSubmitted, print, scope="everywhere"),  # type: ignore[arg-type]
    "events of no type": lambda s: s.events(int),  # type: ignore[arg-type]
    "events in no scope": lambda s: s.events(TaskSubmitted, scope="everywhere"),  # type: ignore[arg-type]
    "publish a text": lambda s: s.publish("event"),  # type: ignore[arg-type]
    "publish a class": lambda s: s.publish(misfits.Ring),  # type: ignore[arg-type]
    "an actor that is none": lambda s: s.start_actor(int),  # type: ignore[type-var]
    "an actor that is a worker": lambda s: s.start_actor(Misfit),  # type: ignore[type-var]
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_a_wrong_value_of_a_parameter_is_refused(system: ActorSystem, name: str) -> None:
    """Every public parameter: ConfigError or TypeError that says what was expected and what came."""
    with pytest.raises((ConfigError, TypeError)) as caught:
        WRONG_CALLS[name](system)
    assert len(str(caught.value)) > 20
    assert not isinstance(caught.value, NotSerializable)
    assert still_works(system)


WRONG_SYSTEMS: dict[str, Callable[[], object]] = {
    "a number": lambda: ActorSystem(5),  # type: ignore[arg-type]
    "a class alone": lambda: ActorSystem(Misfit),  # type: ignore[arg-type]
    "no workers": lambda: ActorSystem([int]),  # type: ignore[list-item]
    "a name": lambda: ActorSystem("misfit"),  # type: ignore[arg-type]
    "a count of zero": lambda: ActorSystem({Misfit: 0}),
    "a count of minus one": lambda: ActorSystem({Misfit: -1}),
    "a count of None": lambda: ActorSystem({Misfit: None}),  # type: ignore[dict-item]
    "a crossed pair": lambda: ActorSystem({Misfit: (2, 1)}),
    "no worker with a count": lambda: ActorSystem({int: 1}),  # type: ignore[dict-item]
    "no agents": lambda: ActorSystem(max_agents=0),
    "half an agent": lambda: ActorSystem(max_agents=1.5),  # type: ignore[arg-type]
    "a host that is none": lambda: ActorSystem(host="cloud"),  # type: ignore[arg-type]
    "a host that is a number": lambda: ActorSystem(host=5),  # type: ignore[arg-type]
    "a config that is a dict": lambda: ActorSystem(config={"max_agents": 3}),  # type: ignore[arg-type]
    "two workers with one type": lambda: ActorSystem({Misfit: 1, _other_misfit(): 1}),
    "one worker configured twice": lambda: ActorSystem(
        {misfits.Configurable.configured(1): 1, misfits.Configurable.configured(2): 1}
    ),
    "too many for the limit": lambda: ActorSystem({Misfit: 3}, max_agents=2),
    "config of nothing known": lambda: SystemConfig(max_agent=3),  # type: ignore[call-arg]
    "config of minus": lambda: SystemConfig(backoff_first=-1),
    "limits in words": lambda: Limits(memory="a lot"),
    "backoff backwards": lambda: Backoff(factor=0.5),
    "constructor's arguments": lambda: misfits.Configurable.configured(quality=1, colour="red"),
    "constructor's arguments missing": misfits.Configurable.configured,
    "task option": lambda: task(retires=3),  # type: ignore[call-overload]
    "task option's value": lambda: task(timeout=-1),
    "task of no function": lambda: task(5),  # type: ignore[call-overload]
    "agent type in words": lambda: type("Odd", (Worker,), {"agent_type": "two words"}),
    "capabilities as text": lambda: type("Odd", (Worker,), {"capabilities": "imaging"}),
    "limits as a dict": lambda: type("Odd", (Worker,), {"limits": {"memory": 5}}),
    "timeout as text": lambda: type("Odd", (Worker,), {"timeout": "long"}),
    "cpu as number": lambda: type("Odd", (Worker,), {"cpu": 3}),
}


def _other_misfit() -> type[Worker]:
    return type("Misfit", (Worker,), {})


@pytest.mark.parametrize("name", WRONG_SYSTEMS)
def test_a_wrong_value_is_refused_where_it_is_given(name: str) -> None:
    """A1, A4: before anything is started; the error says what came."""
    with pytest.raises((ConfigError, TypeError)) as caught:
        WRONG_SYSTEMS[name]()
    assert len(str(caught.value)) > 20


# --- values that just work -----------------------------------------------------------------------------------------


def test_every_kind_of_callable_can_be_submitted(system: ActorSystem) -> None:
    """Work: lambdas, closures, partials, bound methods, objects, classes, built-ins, coroutine functions."""
    offset = 10
    calls: list[tuple[Callable[[int], Any], Any]] = [
        (lambda number: number + offset, 11),
        (functools.partial(misfits.add, 5), 6),
        (misfits.Callable(), 2),
        (misfits.Callable().method, 3),
        (misfits.Callable.of_class, 4),
        (misfits.Callable.of_none, 5),
        (misfits.cached, 8),
        (str, "1"),
        ([4, 5].__getitem__, 5),
        (misfits.later, 6),
    ]
    futures = [(system.submit(call, 1), expected) for call, expected in calls]
    for future, expected in futures:
        assert future.result(LIMIT) == expected
    assert still_works(system)


def test_an_endless_iterator_is_mapped_as_far_as_results_are_taken(system: ActorSystem) -> None:
    """Work: map is lazy, in order, and closing it cancels the rest."""
    read = itertools.count()
    results = system.map(Misfit.pair, read, itertools.count(1))
    assert list(itertools.islice(results, 200)) == [2 * n + 1 for n in range(200)]
    results.close()  # type: ignore[attr-defined]
    assert next(read) < 1_000_000
    assert list(system.map(Misfit.echo, (n * n for n in range(5)))) == [0, 1, 4, 9, 16]
    assert list(system.map(Misfit.echo, [])) == []
    assert still_works(system)


def test_an_iterator_that_raises_ends_its_map_after_what_came_before(system: ActorSystem) -> None:
    """Work: nothing of what was read is lost, and the error is the iterator's own."""

    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise LookupError("no third")

    results = system.map(Misfit.echo, broken())
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(LookupError, match="no third"):
        next(results)
    assert list(results) == []
    assert still_works(system)


def test_a_failing_item_of_a_map_raises_in_its_turn(system: ActorSystem) -> None:
    """Work: and the rest runs on."""
    results = system.map(Misfit.pair, [1, "two", 3], [1, 1, 1])
    assert next(results) == 2
    with pytest.raises(TypeError):
        next(results)
    assert next(results) == 4
    assert still_works(system)


def test_arguments_are_those_of_the_moment_of_submission(system: ActorSystem) -> None:
    """Work: serialised before `submit` returns."""
    value = [1, 2]
    future = system.submit(Misfit.echo, value)
    value.append(3)
    assert future.result(LIMIT) == [1, 2]


# --- the end -------------------------------------------------------------------------------------------------------


def test_after_shutdown_everything_says_that_the_system_is_closed() -> None:
    """System: one clear error, and futures keep their outcomes."""
    system = ActorSystem({Misfit: 1}, config=CONFIG)
    future = system.submit(Misfit.echo, 5)
    results = system.map(Misfit.echo, [1, 2])
    options = system.options(retries=1)
    system.shutdown()
    system.shutdown()
    assert future.result(LIMIT) == 5
    for call in (
        lambda: system.submit(Misfit.echo, 1),
        lambda: options.submit(Misfit.echo, 1),
        lambda: system.map(Misfit.echo, [1]),
        lambda: system.submit_task(TaskSpec(type="general", data={"callable": "math:gcd", "args": [4, 6]})),
        lambda: system.spawn(Misfit),
        lambda: system.terminate("misfit-1"),
        lambda: system.subscribe(TaskSubmitted, print),
        lambda: system.publish(misfits.Ring()),
        system.start,
        system.status,
        system.agents,
        system.queue,
        system.drain,
        system.pause,
        lambda: system.events(TaskSubmitted),
        lambda: system.task_info(future),
        system.__enter__,
    ):
        with pytest.raises(SystemClosed, match="shut down"):
            call()
    assert not system.healthy()
    assert list(results) == [1, 2]
    with pytest.raises(ActorsError):
        future.info()
    assert future.cancel() is False


def test_a_system_that_was_never_started_ends_without_a_trace() -> None:
    """System: nothing is started before there is work."""
    system = ActorSystem({Misfit: 1}, config=CONFIG)
    assert "new" in repr(system)
    system.shutdown()
    with pytest.raises(SystemClosed):
        system.submit(Misfit.echo, 1)


def test_leaving_by_an_exception_cancels_the_tasks() -> None:
    """System: nobody waits for work that nobody wants."""
    with pytest.raises(LookupError), ActorSystem({Misfit: 1}, config=CONFIG) as system:  # noqa: PT012 - the block
        futures = [system.submit(Misfit.hold, "/nowhere/running", "/nowhere/gate")]
        futures += [system.submit(Misfit.echo, "x") for _ in range(3)]
        raise LookupError
    for future in futures:
        assert future.done()
        assert isinstance(_error_of(future), TaskCancelled | FileNotFoundError | None)


def _error_of(future: Any) -> BaseException | None:
    try:
        error: BaseException | None = future.exception(LIMIT)
    except TaskCancelled as cancelled:
        error = cancelled
    return error


def test_two_systems_live_side_by_side() -> None:
    """J1: no global state: the end of one is not the end of the other."""
    with ActorSystem({Misfit: 1}, config=CONFIG) as one:
        with ActorSystem({Misfit: 1}, config=CONFIG) as two:
            assert one.submit(Misfit.pid).result(LIMIT) != two.submit(Misfit.pid).result(LIMIT)
        assert one.submit(Misfit.echo, 1).result(LIMIT) == 1
