"""A worker on a bench: the shipped agent runs it in the calling thread, and the test is the system."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from actors.core.agentstatus import AgentStatus
from actors.core.taskspec import TaskSpec
from actors.errors import (
    AskTimeout,
    ConfigError,
    DeadLetter,
    DependencyFailed,
    MessageRefused,
    NotSerializable,
)
from actors.hosts.agentref import AgentRef
from actors.hosts.interrupts import TaskInterrupted
from actors.kernel.clock import ManualClock
from actors.protocol.events import Event, TaskFailed
from actors.protocol.messages import CancellationCause
from actors.protocol.states import AgentState
from actors.testing.bench.desk import Said
from actors.testing.bench.workbench import Workbench
from actors.worker import Worker, handles, task


@dataclass(frozen=True)
class Store:
    name: str


@dataclass(frozen=True, kw_only=True)
class Shrunk(Event):
    name: str = ""


class Optician(Worker):
    @task
    def grind(self, strength: int) -> int:
        self.publish(Shrunk(name="ground"))
        if strength < 0:
            raise ValueError("too weak")
        return strength * 10


class Thumbnailer(Worker):
    def __init__(self, quality: int = 80) -> None:
        self.quality = quality
        self.thread = threading.get_ident()
        self.calls: list[Any] = []

    def on_start(self) -> None:
        self.subscribe(TaskFailed)
        self.calls.append("start")

    def on_stop(self) -> None:
        self.calls.append("stop")

    def on_event(self, event: Event) -> None:
        self.calls.append(event)

    @handles(Store)
    def store(self, message: Store) -> str:
        if not message.name:
            raise ValueError("no name")
        self.calls.append(message)
        return f"{message.name} by {self.agent_id}"

    @task(timeout=60)
    def shrink(self, name: str, size: int = 128) -> str:
        self.progress(0.5, "decoded")
        self.sleep(20)
        self.publish(Shrunk(name=name))
        self.progress(1.0)
        return f"{name} {size} {self.quality}"

    @task
    def who(self) -> tuple[Any, ...]:
        return self.agent_id, self.attempt, self.job, self.deadline, self.clock.monotonic(), self.random.random()

    @task
    def endless(self) -> None:
        while True:
            self.sleep(30)

    @task
    def stores(self, name: str) -> Any:
        self.tell("archive-1", Store("a copy"))
        return self.ask("archive-1", Store(name), timeout=10)

    @task
    def wishes(self) -> tuple[bool, float]:
        answer = self.request_resources("memory", 1000)
        return answer.granted, answer.allowed

    @task
    def spawns(self) -> Any:
        return self.coordinate("spawn", {"type": "optician"})

    @task
    def orders(self, strengths: list[int]) -> int:
        first = self.options(retries=3).submit(Optician.grind, strengths[0])
        power = self.submit(pow, first, 2)
        return power.result() + sum(self.map(Optician.grind, strengths[1:], chunksize=2))

    @task
    def gives(self, value: Any) -> Any:
        return value

    @task
    def makes_a_lock(self) -> Any:
        return threading.Lock()

    @task
    def writes(self) -> list[str]:
        with self.atomic_write(self.workspace / "x") as file:
            file.write("here")
        return [str(self.workspace), (self.workspace / "x").read_text()]


class Juggler(Worker):
    concurrency = 3

    @task
    async def juggle(self, balls: int) -> list[int]:
        await asyncio.sleep(3600)
        futures = [self.submit(Optician.grind, ball) for ball in range(balls)]
        self.progress(0.5)
        return [await future for future in futures]

    @task
    async def fall(self) -> None:
        await asyncio.sleep(1e9)

    @task
    async def stare(self) -> None:
        await asyncio.Event().wait()

    @task
    def stand(self) -> str:
        return "still"

    @handles(Store)
    async def store(self, message: Store) -> str:
        await asyncio.sleep(5)
        return message.name


@pytest.fixture
def bench() -> Iterator[Workbench[Thumbnailer]]:
    with Workbench(Thumbnailer) as made:
        yield made


def test_a_task_runs_at_once_and_what_it_told_is_there(bench: Workbench[Thumbnailer]) -> None:
    """J2: in the test's own thread; a sleep moves the clock and nothing else."""
    began = time.monotonic()
    assert bench.run(Thumbnailer.shrink, "a.png", size=64) == "a.png 64 80"
    assert bench.run("shrink", "b.png") == "b.png 128 80"
    assert bench.progress == [(0.5, "decoded"), (1.0, "")] * 2
    assert [(type(event), event.name, event.source, event.time) for event in bench.published] == [
        (Shrunk, "a.png", "thumbnailer-1", 20.0),
        (Shrunk, "b.png", "thumbnailer-1", 40.0),
    ]
    assert bench.clock.monotonic() == 40.0
    assert bench.worker.thread == threading.get_ident()
    assert time.monotonic() - began < 20.0


def test_the_worker_is_the_class_itself_with_its_constructor_and_hooks() -> None:
    """A class of the test, and a fault at the start, which the test gets as it is."""
    seen: list[str] = []

    class Local(Worker):
        def __init__(self, fault: str = "") -> None:
            if fault:
                raise LookupError(fault)
            seen.append("made")

        def on_stop(self) -> None:
            seen.append("stopped")

    with Workbench(Local) as bench:
        assert type(bench.worker) is Local
    assert seen == ["made", "stopped"]
    bench.close()
    with pytest.raises(LookupError, match="no licence"):
        Workbench(Local.configured(fault="no licence"))
    with Workbench(Thumbnailer.configured(quality=7)) as other:
        assert other.run(Thumbnailer.shrink, "a") == "a 128 7"
        assert other.subscribed == {"TaskFailed"}
    assert other.worker.calls == ["start", "stop"]
    with pytest.raises(ConfigError, match="derived from Worker, not <class 'int'>"):
        Workbench(int)  # type: ignore[type-var]


def test_a_task_sees_the_circumstances_that_the_test_names(bench: Workbench[Thumbnailer]) -> None:
    """Attempt, job, time limit, clock and chance."""
    assert bench.run(Thumbnailer.who)[:5] == ("thumbnailer-1", 1, None, None, 0.0)
    assert bench.run_as("who", attempt=3, job="nightly", timeout=9)[:5] == ("thumbnailer-1", 3, "nightly", 9.0, 0.0)
    with Workbench(Thumbnailer, agent="x-7", job="j", clock=ManualClock(50.0), seed=4) as one:
        who = one.run(Thumbnailer.who)
        assert who[:5] == ("x-7", 1, "j", None, 50.0)
    with Workbench(Thumbnailer, seed=4) as other:
        assert other.run(Thumbnailer.who)[5] == who[5]
        assert other.run(Thumbnailer.who)[5] != who[5]


def test_a_task_that_takes_too_long_or_is_cancelled_is_interrupted_at_that_moment(
    bench: Workbench[Thumbnailer],
) -> None:
    """D4: with the cause; the next one runs as if nothing had been."""
    with pytest.raises(TaskInterrupted) as caught:
        bench.run_as("endless", timeout=100)
    assert caught.value.cause is CancellationCause.TIMEOUT
    assert bench.clock.monotonic() == 100.0
    with pytest.raises(TaskInterrupted) as caught:
        bench.run_as("endless", cancel_after=45)
    assert caught.value.cause is CancellationCause.CANCELLED
    assert bench.clock.monotonic() == 145.0
    assert bench.run(Thumbnailer.gives, 1) == 1


def test_questions_are_answered_by_the_rules_of_the_test(bench: Workbench[Thumbnailer]) -> None:
    """A value, an error, what a function makes of it; and a question that nobody answers says how to."""
    with pytest.raises(DeadLetter, match=r"archive-1: Store\(name='a'\); say how with reply_with"):
        bench.run(Thumbnailer.stores, "a")
    bench.reply_with("stored", to=Store)
    bench.reply_with(lambda message: message.name.upper(), to=lambda message: message == Store("b"))
    bench.reply_with(AskTimeout("too late"), to=Store("c"))
    assert bench.run(Thumbnailer.stores, "a") == "stored"
    assert bench.run(Thumbnailer.stores, "b") == "B"
    with pytest.raises(AskTimeout, match="too late"):
        bench.run(Thumbnailer.stores, "c")
    assert bench.said[:2] == [
        Said("archive-1", Store("a copy"), asked=False),
        Said("archive-1", Store("a"), asked=True),
    ]
    bench.reply_with(["optician-1"], to="spawn")
    assert bench.run(Thumbnailer.spawns) == ["optician-1"]
    assert bench.run(Thumbnailer.wishes) == (True, 1000.0)


def test_sub_tasks_are_recorded_and_run_on_benches_of_their_own(bench: Workbench[Thumbnailer]) -> None:
    """With dependencies among them, and calls of a map; what they say is told with the rest."""
    assert bench.run(Thumbnailer.orders, [1, 2, 3, 4]) == 100 + 90
    first, power, *mapped = bench.submitted
    assert (first.call, first.args) == (Optician.grind, (1,))
    assert (power.call, power.args) == (pow, (10, 2)), "the future stands for its result"
    assert [item for one in mapped for item in one.items or ()] == [(2,), (3,), (4,)]
    assert bench.submitted[0].options["retries"] == 3
    assert len(bench.published) == 4


def test_the_results_of_sub_tasks_can_be_said_by_the_test(bench: Workbench[Thumbnailer]) -> None:
    """A value, what a function makes of the arguments, or a failure, of which dependents fail, too."""
    bench.results_of(Optician.grind, lambda strength: strength)
    assert bench.run(Thumbnailer.orders, [3, 1, 1]) == 9 + 2
    bench.results_of(pow, 1000)
    assert bench.run(Thumbnailer.orders, [3, 1, 1]) == 1002
    assert bench.published == []
    bench.results_of(Optician.grind, OSError("out of glass"))
    with pytest.raises(DependencyFailed):
        bench.run(Thumbnailer.orders, [3])
    bench.results_of(Optician.grind, lambda strength: 1 if strength == 3 else 1 // 0)
    with pytest.raises(ZeroDivisionError):
        bench.run(Thumbnailer.orders, [3, 1])


def test_handlers_and_events_reach_the_worker_as_they_do_in_an_agent(bench: Workbench[Thumbnailer]) -> None:
    """Errors come back; what it does not take is refused."""
    assert bench.ask(Store("x")) == "x by thumbnailer-1"
    bench.tell(Store("y"))
    failed = TaskFailed(task_id="t-1", error="broken")
    bench.event(failed)
    bench.event(Shrunk(name="z"))
    assert bench.worker.calls[1:3] == [Store("x"), Store("y")]
    assert [type(event) for event in bench.worker.calls[3:]] == [TaskFailed, Shrunk]
    assert bench.worker.calls[3].error == "broken"
    with pytest.raises(ValueError, match="no name"):
        bench.ask(Store(""))
    with pytest.raises(MessageRefused, match="no handler for str"):
        bench.ask("hello")


def test_what_cannot_be_sent_to_another_process_fails_here_too(bench: Workbench[Thumbnailer]) -> None:
    """E2: arguments and results pass through what they pass through in an agent."""
    with pytest.raises(NotSerializable, match="the call of gives"):
        bench.run(Thumbnailer.gives, threading.Lock())
    with pytest.raises(NotSerializable, match="result"):
        bench.run(Thumbnailer.makes_a_lock)
    given = [1]
    assert bench.run(Thumbnailer.gives, given) is not given
    with pytest.raises(TypeError, match="shrink"):
        bench.run(Thumbnailer.shrink)
    with pytest.raises(ConfigError, match="has no task 'grow'; it has endless, gives"):
        bench.run("grow")


def test_a_worker_has_a_workspace_that_ends_with_the_bench() -> None:
    """A6: always cleaned up."""
    with Workbench(Thumbnailer) as bench:
        directory, text = bench.run(Thumbnailer.writes)
        assert text == "here" and Path(directory).is_dir()
    assert not Path(directory).exists()


def test_async_tasks_run_in_virtual_time_too() -> None:
    """Also with sub-tasks, handlers, and beside tasks that are not async."""
    with Workbench(Juggler) as bench:
        assert bench.run(Juggler.juggle, 3) == [0, 10, 20]
        assert bench.clock.monotonic() == 3600.0
        assert bench.progress == [(0.5, "")]
        assert bench.run(Juggler.stand) == "still"
        assert bench.ask(Store("x")) == "x"
        assert bench.clock.monotonic() == 3605.0
        with pytest.raises(asyncio.CancelledError, match="interrupted"):
            bench.run_as(Juggler.fall, timeout=7)
        assert bench.clock.monotonic() == 3612.0
        assert bench.run(Juggler.stand) == "still"


def test_a_task_that_waits_for_what_will_never_come_is_a_failure_and_no_hang() -> None:
    """The bench knows all that can happen."""
    with (
        Workbench(Juggler) as bench,
        pytest.raises(AssertionError, match="juggler-1 waits for something that will never"),
    ):
        bench.run(Juggler.stare)


class Chief(Worker):
    """Leads others by what the bench answers."""

    @task
    def lead(self) -> tuple[int, int, int, str]:
        helper = self.spawn("helper")
        told = int(helper.ask("how many?"))
        self.tell([helper, "type:helper"], "go")
        done = self.submit_task(TaskSpec(type="helping", data={"number": 3})).result()
        return told, done, len(self.agents()), self.ref.agent_id


def test_a_worker_that_leads_others_is_answered_by_the_bench() -> None:
    """J2: agents that it starts, lists and tells, and work described as data."""
    with Workbench(Chief) as bench:
        bench.reply_with(AgentRef("helper-7", "helper", ""), to="spawn")
        bench.reply_with(5, to="how many?")
        bench.reply_with(
            [AgentStatus(agent="helper-7", agent_type="helper", incarnation=1, state=AgentState.IDLE)], to="agents"
        )
        bench.results_of("helping", lambda number: 10 * number)
        assert bench.run(Chief.lead) == (5, 30, 1, "chief-1")
        assert [(said.recipient, said.asked) for said in bench.said] == [
            ("helper-7", True),
            ("helper-7", False),
            ("type:helper", False),
        ]
