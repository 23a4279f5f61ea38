"""The face that users derive from: what a worker class says, and what `@task` makes of its methods."""

from __future__ import annotations

import asyncio
import math
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.config import Limits
from actors.core.retry import Backoff
from actors.errors import ActorsError, CommandFailed, ConfigError
from actors.protocol.messages import Priority
from actors.worker import AsyncTaskMethod, TaskMethod, Worker, handles, task

ROOT = Path(__file__).parent.parent


class Thumbnailer(Worker):
    capabilities = {"imaging"}  # noqa: RUF012 - as users write it
    limits = Limits(memory="512M")

    def __init__(self, quality: int = 80) -> None:
        self.quality = quality

    @task(timeout=60, retries=2, retry_on=(OSError, "some.Error"), priority=Priority.HIGH, requires={"gpu"})
    def shrink(self, path: str, size: int = 128) -> bytes:
        """Make it small."""
        return f"{path} {size} {self.quality}".encode()

    @task
    async def fetch(self, path: str) -> str:
        await asyncio.sleep(0)
        return path


class Better(Thumbnailer):
    timeout = None
    concurrency = 4


def test_the_agent_type_is_the_class_in_snake_case() -> None:
    """A1: unless it is set; a subclass is a type of its own."""

    class HTTPServerPool2(Worker):
        pass

    class Named(Worker):
        agent_type = "another_name"

    class Derived(Named):
        pass

    types = [kind.agent_type for kind in (Thumbnailer, HTTPServerPool2, Named, Derived)]
    assert types == ["thumbnailer", "http_server_pool2", "another_name", "derived"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("agent_type", "with-dash"),
        ("capabilities", "imaging"),
        ("capabilities", {1}),
        ("cpu", "much"),
        ("limits", {"memory": 1}),
        ("timeout", -1),
        ("concurrency", 0),
        ("role", None),
    ],
)
def test_a_bad_attribute_is_an_error_of_the_class_statement(name: str, value: object) -> None:
    """A4: the error names the setting, its value and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        type("Bad", (Worker,), {name: value})
    assert name in str(caught.value)


def test_a_task_knows_the_class_through_which_it_was_reached() -> None:
    """Work: so a subclass's agents get the subclass's tasks."""
    assert Thumbnailer.shrink.owner is Thumbnailer
    assert Better.shrink.owner is Better
    assert Better.shrink is Better.shrink
    assert Better.shrink.task_type == "better.shrink" and Thumbnailer.shrink.task_type == "thumbnailer.shrink"
    assert dict(Better.tasks()) == {"shrink": Better.shrink, "fetch": Better.fetch}
    assert Better.fetch.is_async and not Better.shrink.is_async
    assert isinstance(Better.fetch, AsyncTaskMethod)
    assert Better.shrink.__doc__ == "Make it small."


def test_a_task_is_a_plain_method_of_an_instance() -> None:
    """J2: a worker can be tried out without a system."""
    worker = Better(quality=7)
    assert worker.shrink("a.png", size=9) == b"a.png 9 7"
    assert asyncio.run(worker.fetch("a.png")) == "a.png"
    assert Better.shrink(worker, "b.png") == b"b.png 128 7"


def test_an_override_of_a_task_is_a_task_or_an_error() -> None:
    """Work: a method that lost its decorator would be submitted without its worker."""
    with pytest.raises(ConfigError, match="decorate it"):

        class Forgetful(Thumbnailer):
            def shrink(self, path: str, size: int = 128) -> bytes:  # type: ignore[override]
                return b""

    class Proper(Thumbnailer):
        @task
        def shrink(self, path: str, size: int = 128) -> bytes:
            return b"proper " + super().shrink(path, size)

    assert Proper().shrink("a", 1) == b"proper a 1 80"
    assert Proper.shrink.options.timeout is None


def test_the_options_of_a_task_are_checked_and_kept() -> None:
    """A4, D4: exception types by their qualified names."""
    options = Thumbnailer.shrink.options
    assert (options.timeout, options.retries, options.priority) == (60.0, 2, Priority.HIGH)
    assert options.retry_on == ("builtins.OSError", "some.Error")
    assert options.requires == {"gpu"}
    assert task(timeout=math.inf)(lambda _: None).options.timeout == math.inf


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("timeout", 0),
        ("timeout", "soon"),
        ("retries", -1),
        ("retries", 1.5),
        ("retry_on", 7),
        ("retry_on", (int,)),
        ("backoff", 3),
        ("priority", 9),
        ("requires", "gpu"),
        ("idempotent", 1),
        ("duration", -1),
        ("type", ""),
    ],
)
def test_a_bad_option_is_an_error_that_names_it(option: str, value: Any) -> None:
    """A4: as above."""
    with pytest.raises(ConfigError, match=option):
        task(**{option: value})
    with pytest.raises(TypeError, match="no option"):
        task(speed=3)  # type: ignore[call-overload]


def test_what_cannot_be_a_task_is_refused() -> None:
    """Work: generators and things that are no methods."""
    with pytest.raises(TypeError, match="generator"):

        @task
        def generator(self: Any) -> Any:
            yield 1

    with pytest.raises(TypeError, match="for methods"):
        task(print)  # type: ignore[arg-type]


def test_arguments_are_judged_before_they_are_sent() -> None:
    """Work: wrong argument counts raise in submit, like the call would."""
    check = Thumbnailer.shrink.bind_check
    check(("a.png",), {})
    check(("a.png", 3), {})
    check((), {"path": "a.png", "size": 3})
    for args, kwargs in (((), {}), (("a", 1, 2), {}), (("a",), {"colour": 1}), (("a",), {"path": "b"})):
        with pytest.raises(TypeError, match=r"Thumbnailer\.shrink\(\)"):
            check(args, kwargs)


SHAPES: list[Any] = [
    lambda _: 0,
    lambda _, a: (a, 0),
    lambda _, a, b=1: (a, b),
    lambda _, a, /, b: (a, b),
    lambda _, *args: args,
    lambda _, a, *, c: (a, c),
    lambda _, *, c=1, **rest: (c, rest),
]


@given(
    st.sampled_from(SHAPES),
    st.lists(st.integers(), max_size=3).map(tuple),
    st.dictionaries(st.sampled_from("abcd"), st.integers(), max_size=3),
)
def test_the_check_agrees_with_the_call(shape: Any, args: tuple[int, ...], kwargs: dict[str, int]) -> None:
    """Work: for any shape of a method and any arguments."""

    def fits(call: Any) -> bool:
        try:
            call()
        except TypeError:
            return False
        return True

    check = task(shape).bind_check
    assert fits(lambda: check(args, kwargs)) == fits(lambda: shape(None, *args, **kwargs))


def test_constructor_arguments_are_kept_and_checked() -> None:
    """C1: wherever a worker class is taken."""
    configured = Better.configured(quality=60)
    assert (configured.worker, configured.args, dict(configured.kwargs)) == (Better, (), {"quality": 60})
    assert configured.agent_type == "better"
    assert {configured: 2}[configured] == 2
    assert configured != Better.configured(quality=60)
    with pytest.raises(TypeError, match="Better"):
        Better.configured(colour=1)


def test_only_what_a_class_names_goes_before_the_configuration() -> None:
    """A4."""
    assert Worker.agent_config().named == frozenset()
    config = Better.agent_config()
    assert config.named == {"timeout", "concurrency", "limits"}
    assert config.timeout is None and config.concurrency == 4


def test_a_task_travels_by_its_name() -> None:
    """Work: as an argument."""
    copy: TaskMethod[Any, Any] = pickle.loads(pickle.dumps(Better.shrink))
    assert copy is Better.shrink


def test_without_an_agent_the_context_is_empty(tmp_path: Path) -> None:
    """J2: what can work does, and what needs a system says so."""
    worker = Thumbnailer()
    assert (worker.agent_id, worker.task_id, worker.attempt, worker.job, worker.deadline) == ("", None, 0, None, None)
    worker.progress(0.5, "nobody listens")
    assert worker.cancelled() is False
    worker.log.debug("nobody reads")
    assert worker.run([sys.executable, "-c", "print(1)"]).stdout == "1\n"
    with pytest.raises(CommandFailed):
        worker.run([sys.executable, "-c", "raise SystemExit(2)"], check=True)
    with worker.atomic_write(tmp_path / "file") as file:
        file.write("text")
    assert (tmp_path / "file").read_text() == "text"
    for call in (
        lambda: worker.workspace,
        lambda: worker.submit(Thumbnailer.shrink, "a"),
        lambda: worker.ask("other-1", 1),
        lambda: worker.request_resources("memory", 1),
    ):
        with pytest.raises(ActorsError, match="inside an agent"):
            call()


def test_handlers_are_those_of_actors() -> None:
    """Actors: the same decorator on workers."""
    from actors.kernel.handlers import HandlerTable

    class Listener(Worker):
        @handles(str)
        def said(self, message: str) -> str:
            return message

    entry = HandlerTable.of(Listener).find(str)
    assert entry is not None and entry.default is Listener.said


def test_backoff_is_taken_as_it_is() -> None:
    """D4."""
    backoff = Backoff(first=1.0)
    assert task(backoff=backoff)(lambda _: None).options.backoff is backoff


TYPED = """
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, assert_type
from actors import ActorSystem, TaskFuture, Worker, task

class Thumbnailer(Worker):
    @task(timeout=60, retries=2, retry_on=OSError)
    def shrink(self, path: str, size: int = 128) -> bytes:
        return b""
    @task
    async def fetch(self, path: str) -> str:
        return path
    @task
    def parent(self) -> None:
        assert_type(self.submit(Thumbnailer.shrink, "a.png", size=64), TaskFuture[bytes])
        assert_type(self.submit(Thumbnailer.fetch, "a.png"), TaskFuture[str])
        assert_type(self.submit(len, "abc"), TaskFuture[int])
        assert_type(self.submit(double, 2), TaskFuture[int])
        assert_type(self.shrink("a.png"), bytes)
        assert_type(self.options(priority=3).submit(Thumbnailer.shrink, "a.png"), TaskFuture[bytes])
        assert_type(self.options(priority=3).submit(double, 2), TaskFuture[int])
        assert_type(self.map(Thumbnailer.shrink, ["a.png"]), Iterator[bytes])
        assert_type(self.options(priority=3).map(double, [2]), Iterator[int])
        self.submit(Thumbnailer.shrink, self.submit(Thumbnailer.fetch, "a.png"))
        self.submit("no callable")
        self.shrink()

async def double(value: int) -> int:
    return 2 * value

async def later(worker: Thumbnailer) -> None:
    assert_type(await worker.fetch("a.png"), str)

with ActorSystem() as system:
    name = system.submit(Thumbnailer.fetch, "a.png")
    assert_type(name, TaskFuture[str])
    assert_type(system.submit(Thumbnailer.shrink, name, size=64), TaskFuture[bytes])
    assert_type(system.submit(len, "abc"), TaskFuture[int])
    assert_type(system.submit(double, 2), TaskFuture[int])
    assert_type(system.map(Thumbnailer.shrink, ["a.png"]), Iterator[bytes])
    assert_type(system.map(Thumbnailer.fetch, ["a.png"]), Iterator[str])
    assert_type(system.map(len, ["abc"]), Iterator[int])
    assert_type(system.options(timeout=5).map(double, [2]), Iterator[int])
    number: int = system.submit(Thumbnailer.shrink, name).result()
"""


@pytest.mark.slow
def test_types_follow_from_the_methods(tmp_path: Path) -> None:
    """Work: results typed through submit and map, also where futures stand for arguments, which no type can say."""
    pytest.importorskip("mypy")
    source = tmp_path / "typed.py"
    source.write_text(TYPED)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--no-incremental",
            "--cache-dir",
            str(tmp_path / "cache"),
            str(source),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    wrong = [line for line in done.stdout.splitlines() if "typed.py" in line and "error" in line]
    lines = {int(line.split("typed.py:")[1].split(":")[0]) for line in wrong}
    texts = TYPED.splitlines()
    assert {texts[line - 1].strip() for line in lines} == {
        'self.submit("no callable")',
        "self.shrink()",
        "number: int = system.submit(Thumbnailer.shrink, name).result()",
    }, done.stdout + done.stderr
