"""Time, chance and sleep that a worker's code gets from its agent, the same on every host."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from actors.errors import ConfigError
from actors.hosts.interrupts import TaskInterrupted
from actors.hosts.serialize import dumps, loads
from actors.hosts.thread import ThreadHost
from actors.protocol.messages import (
    Cancellation,
    CancellationCause,
    CoordinationRequest,
    EventMessage,
    Outcome,
    Shutdown,
    Subscribe,
)
from actors.protocol.states import AgentState
from actors.system import ActorSystem
from actors.worker import Worker, task
from tests.agent.gates import Gate
from tests.agent.sleepers import AsyncSleeper, Doze, DozeUrgently, Knock, Lullaby, Sleeper
from tests.agent.support import Subject, error_in

Agent = Callable[..., Subject]
Gates = Callable[[str], Gate]

NAP = 0.05
PROMPT = 5.0
"""Seconds within which a sleep of an hour must be over once it is interrupted."""


@pytest.fixture(params=["process", "thread"])
def sleeper(request: pytest.FixtureRequest, agent: Agent, tmp_path: Path) -> Iterator[Agent]:
    """Start agents on each host."""
    if request.param == "process":
        yield agent
        return
    host = ThreadHost()
    host.start()
    subjects: list[Subject] = []

    def start(*args: Any, **kwargs: Any) -> Subject:
        directory = tmp_path / f"thread-{len(subjects)}"
        directory.mkdir()
        subjects.append(Subject(host, directory, *args, **kwargs))
        return subjects[-1]

    yield start
    for subject in subjects:
        if not subject.reports:
            subject.request(Shutdown("the test is over", 0.0))
            subject.ended()
        subject.handle.close()
    subjects.clear()
    host.close(5.0)


def interrupt(subject: Subject, number: int, cause: CancellationCause = CancellationCause.CANCELLED) -> None:
    subject.request(Cancellation(number, 1, int(cause), "the test says so"))


@pytest.mark.parametrize("cause", [CancellationCause.CANCELLED, CancellationCause.TIMEOUT])
def test_an_interruption_breaks_a_sleep_on_every_host(sleeper: Agent, gate: Gates, cause: CancellationCause) -> None:
    """D6: also where agents are threads, which no signal reaches."""
    subject = sleeper(Sleeper).ready()
    arrived = gate("arrived")
    number = subject.start("nap_at", arrived, 3600)
    arrived.reached()
    arrived.open()
    began = time.monotonic()
    interrupt(subject, number, cause)
    result = subject.result(number)
    assert time.monotonic() - began < PROMPT
    assert result.outcome == Outcome.INTERRUPTED
    error = error_in(result)
    assert isinstance(error, TaskInterrupted) and error.cause is cause
    assert subject.call("nap", 0) >= 0
    assert subject.state is AgentState.IDLE


def test_a_sleep_after_a_caught_interruption_is_broken_again(sleeper: Agent, gate: Gates) -> None:
    """D6: it is repeated until the body has ended."""
    subject = sleeper(Sleeper).ready()
    arrived = gate("arrived")
    number = subject.start("nap_again", arrived)
    arrived.reached()
    arrived.open()
    interrupt(subject, number)
    assert subject.result(number).outcome == Outcome.INTERRUPTED


def test_a_sleep_takes_its_time_and_the_task_stays_working(sleeper: Agent, gate: Gates) -> None:
    """Handlers and further assignments come in meanwhile, wake the agent, and wait."""
    subject = sleeper(Sleeper).ready()
    arrived = gate("arrived")
    number = subject.start("nap_at", arrived, 3600)
    arrived.reached()
    arrived.open()
    knock = subject.request(CoordinationRequest("message", dumps(Knock())))
    later = subject.item("nap", NAP)
    subject.assign(later)
    urgent = subject.request(CoordinationRequest("message", dumps(DozeUrgently(0))))
    subject.answer(urgent)
    assert subject.state is AgentState.WORKING
    assert not [one for one in subject.control_inbox if one.correlation == knock]
    interrupt(subject, number)
    subject.result(number)
    assert loads(subject.answer(knock).data) == []
    assert subject.result(later.number).outcome == Outcome.VALUE
    assert loads(subject.answer(subject.request(CoordinationRequest("message", dumps(Knock())))).data) == ["nap over"]


@pytest.mark.parametrize("where", ["nap", "nap_in_thread", "hear_lullaby"])
def test_code_sleeps_for_as_long_as_it_said_wherever_it_runs(sleeper: Agent, where: str) -> None:
    """A body, a thread that it started, the handler of an event."""
    subject = sleeper(Sleeper).ready()
    number = subject.start(where, NAP)
    if where == "hear_lullaby":
        subject.reply(subject.next(Subscribe), None)
        subject.handle.control.send(EventMessage("", "test", "global", 0.0, dumps(Lullaby(seconds=NAP))))
    took = loads(subject.result(number).payload)
    assert NAP <= took < NAP + PROMPT


@pytest.mark.parametrize("message", [Doze(NAP), DozeUrgently(NAP)])
def test_handlers_sleep_for_as_long_as_they_said(sleeper: Agent, message: Any) -> None:
    """In the task lane and in the control lane."""
    subject = sleeper(Sleeper).ready()
    took = loads(subject.answer(subject.request(CoordinationRequest("message", dumps(message)))).data)
    assert NAP <= took < NAP + PROMPT


def test_a_constructor_sleeps_for_as_long_as_it_said(sleeper: Agent) -> None:
    """The context is there from the constructor on."""
    subject = sleeper(Sleeper, arguments={"start": NAP}).ready()
    assert NAP <= subject.call("start_nap") < NAP + PROMPT


def test_an_agent_with_an_event_loop_goes_on_after_a_sleep(sleeper: Agent) -> None:
    """What rang the loop's bell while a body slept is not lost."""
    subject = sleeper(AsyncSleeper, concurrency=2).ready()
    number = subject.start("nap", 4 * NAP)
    subject.pump_until(lambda: subject.handle.status.read().running, "the start")
    knock = subject.request(CoordinationRequest("message", dumps(Knock())))
    later = subject.start("be_async")
    assert loads(subject.result(number).payload) >= 4 * NAP
    assert loads(subject.answer(knock).data) == ["nap over"]
    assert loads(subject.result(later).payload) == "awaited"


def test_a_coroutine_that_sleeps_so_is_interrupted_all_the_same(sleeper: Agent, gate: Gates) -> None:
    """D6: it holds up its loop, but not for ever."""
    subject = sleeper(AsyncSleeper, concurrency=2).ready()
    arrived = gate("arrived")
    number = subject.start("nap_in_coroutine", arrived)
    arrived.reached()
    arrived.open()
    interrupt(subject, number)
    assert subject.result(number).outcome == Outcome.INTERRUPTED
    assert subject.call("be_async") == "awaited"


def test_the_end_of_an_agent_breaks_a_sleep(sleeper: Agent, gate: Gates) -> None:
    """A3: after its grace the task is interrupted."""
    subject = sleeper(Sleeper).ready()
    arrived = gate("arrived")
    number = subject.start("nap_at", arrived, 3600)
    arrived.reached()
    arrived.open()
    subject.request(Shutdown("the test says so", 0.0))
    assert subject.result(number).outcome == Outcome.INTERRUPTED
    assert subject.ended().exit_code == 0


@pytest.mark.parametrize("seconds", [-1, -0.001, math.nan, math.inf, "1", None, 10**400])
def test_a_sleep_that_makes_no_sense_is_refused(sleeper: Agent, seconds: Any) -> None:
    """The error says what is allowed and what came."""
    with pytest.raises(ConfigError, match="seconds, a finite number, 0 or more, not") as caught:
        sleeper(Sleeper).ready().call("refuse", seconds)
    assert caught.value.key == "seconds"


def test_the_clock_of_an_agent_is_the_one_of_its_deadline(sleeper: Agent) -> None:
    """`deadline` counts as `self.clock.monotonic()`, which processes of one machine share."""
    subject = sleeper(Sleeper).ready()
    before, utc = time.monotonic(), time.time()
    monotonic, there, deadline = subject.call("times", timeout=60.0)
    assert before <= monotonic <= time.monotonic()
    assert utc <= there <= time.time()
    assert before + 60 <= deadline <= monotonic + 60


def test_each_agent_has_chance_of_its_own(sleeper: Agent) -> None:
    """Two agents that were started alike throw different dice."""
    one, other = sleeper(Sleeper, agent="sleeper-1").ready(), sleeper(Sleeper, agent="sleeper-2").ready()
    (first, same), (second, _) = one.call("throw"), other.call("throw")
    assert first != second and same


@pytest.mark.parametrize("host", ["process", "thread"])
def test_a_cancelled_future_and_a_time_limit_break_a_sleep(host: Literal["process", "thread"]) -> None:
    """D6: through the whole system; the agent takes the next task at once."""
    with ActorSystem({Sleeper: 1}, host=host) as system:
        began = time.monotonic()
        late = system.options(timeout=0.2, retries=0).submit(Sleeper.nap, 3600)
        assert type(late.exception(timeout=20)).__name__ == "TaskTimeout"
        future = system.submit(Sleeper.nap, 3600)
        future.accepted(timeout=20)
        assert future.cancel()
        assert system.submit(Sleeper.nap, 0).result(timeout=20) >= 0
        assert time.monotonic() - began < 4 * PROMPT


def test_without_an_agent_time_and_chance_are_the_machines() -> None:
    """A worker is a plain object in a unit test."""
    worker, other = Sleeper(), Sleeper()
    assert NAP <= worker.nap(NAP) < NAP + PROMPT
    before = time.monotonic()
    monotonic, _, deadline = worker.times()
    assert before <= monotonic and deadline is None
    assert worker.random is worker.random is not other.random
    for seconds in (-1, math.nan, "1"):
        with pytest.raises(ConfigError, match="not "):
            worker.refuse(seconds)


def test_a_worker_may_have_a_task_of_that_name() -> None:
    """What a class defines itself goes before what it derives."""
    assert Named.tasks().keys() == {"sleep"}
    assert Named().sleep() == "its own"


class Named(Worker):
    @task
    def sleep(self) -> str:  # type: ignore[override]
        return "its own"
