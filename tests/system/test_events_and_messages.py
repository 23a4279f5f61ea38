"""Events and messages between a program and its agents."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors import (
    ActorSystem,
    AgentDied,
    AgentStateChanged,
    AskTimeout,
    ConfigError,
    DeadLetter,
    DeadLetterFound,
    Event,
    MessageRefused,
    ShutdownInitiated,
    TaskAssigned,
    TaskCompleted,
    TaskFailed,
    TaskStarted,
    TaskSubmitted,
)
from tests.agent.gates import Gate
from tests.system.neighbours import Counter, Deadly, Neighbour, OtherNeighbour, Pressing, Question, Spotted, SpottedRare
from tests.system.storm import lines
from tests.system.support import CONFIG, LIMIT, Heard, idle, wait_for


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    """A system with two agents of one type, and room for another type."""
    system = ActorSystem({Neighbour: 2, OtherNeighbour: (0, 1)}, config=CONFIG).start()
    for number in (1, 2):
        idle(system, f"neighbour-{number}")
    yield system
    system.shutdown(cancel_tasks=True)


# --- events --------------------------------------------------------------------------------------------------------


def test_the_story_of_a_task_is_told_to_those_who_subscribed(system: ActorSystem) -> None:
    """B5: each event once, in order, with type, source, time and data; after unsubscribe nothing more."""
    heard, deaf = Heard(), Heard()
    with system.subscribe([TaskSubmitted, TaskAssigned, TaskStarted, TaskCompleted], heard) as subscription:
        other = system.subscribe(TaskFailed, deaf)
        before = time.time()
        future = system.submit(Neighbour.spot, "nothing")
        future.result(LIMIT)
        told = heard.wait(4)
        assert {type(event) for event in told} == {TaskSubmitted, TaskAssigned, TaskStarted, TaskCompleted}
        assert [type(event) for event in told][:2] == [TaskSubmitted, TaskAssigned]
        assert {event.task_id for event in told} == {future.task_id}
        assert {event.name for event in told} == {"neighbour.spot"}
        assert all(before - 1 <= event.time <= time.time() + 1 and event.source for event in told)
        assert subscription.active
    assert not subscription.active
    assert not deaf.events
    with system.events(TaskCompleted) as after:
        assert system.submit(Neighbour.spot, "nothing").result(LIMIT)
        assert after.get(LIMIT) is not None
    assert len(heard.events) == 4
    other.unsubscribe()


def test_a_stream_of_events_can_be_iterated(system: ActorSystem) -> None:
    """B5: from when it was opened to when it is closed; a base class means all that derive from it."""
    with system.events(Spotted) as spotted:
        source = system.submit(Neighbour.spot, "a bird").result(LIMIT)
        system.submit(Neighbour.spot, "an owl", rare=True).result(LIMIT)
        first, second = next(spotted), next(spotted)
    assert [type(first), type(second)] == [Spotted, SpottedRare]
    assert isinstance(first, Spotted) and (first.what, first.source) == ("a bird", source)
    assert first.time
    assert next(spotted, None) is None


def test_programs_and_workers_hear_what_either_publishes(system: ActorSystem, tmp_path: Path) -> None:
    """B5: a worker's handler that fails, and what it unsubscribed, harm nobody."""
    ledger, heard = str(tmp_path / "ledger"), Heard()
    listener = system.submit(Neighbour.listen, ledger).result(LIMIT)
    system.subscribe(Spotted, heard)
    system.publish(Spotted(what="trouble", source="test"))
    system.publish(SpottedRare(what="more", source="test"))
    source = system.submit(Neighbour.spot, "of its own").result(LIMIT)
    wait_for(lambda: len(lines(ledger)) == 3)
    assert lines(ledger) == [
        f"{listener} Spotted trouble from test",
        f"{listener} SpottedRare more from test",
        f"{listener} Spotted of its own from {source}",
    ]
    assert [event.what for event in heard.wait(3)] == ["trouble", "more", "of its own"]
    with pytest.raises(ConfigError, match="takes an Event"):
        system.publish("no event")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="event type"):
        system.subscribe(int, heard)  # type: ignore[type-var]


def test_an_event_reaches_as_far_as_its_scope(tmp_path: Path) -> None:
    """B5: all; agents of the publisher's type; agents at work on the publisher's job."""
    ledger, gates = str(tmp_path / "ledger"), [Gate.make(tmp_path, name) for name in ("mine", "other", "type")]
    system = ActorSystem({Neighbour: 3, OtherNeighbour: 1}, config=CONFIG).start()
    try:
        night, day = system.options(job="night"), system.options(job="day")
        holds = [
            night.submit(Neighbour.listen, ledger, "local", gates[0]),
            day.submit(Neighbour.listen, ledger, "local", gates[1]),
            system.submit(OtherNeighbour.listen, ledger, "type", gates[2]),
        ]
        for gate in gates:
            gate.reached()
        # The one neighbour that is free listens, and then publishes.
        free = system.submit(Neighbour.listen, ledger, "type").result(LIMIT)
        night.submit(Neighbour.spot, "by night", scope="local").result(LIMIT)
        system.submit(Neighbour.spot, "by type", scope="type").result(LIMIT)
        for gate in gates:
            gate.open()
        there = [hold.result(LIMIT) for hold in holds]
        # Who publishes is of its own type, and at work on its own job.
        expected = [f"{there[0]} Spotted by night", f"{free} Spotted by night", f"{free} Spotted by type"]
        wait_for(lambda: len(lines(ledger)) >= len(expected))
        assert sorted(lines(ledger)) == sorted(f"{line} from {free}" for line in expected)
    finally:
        system.shutdown(cancel_tasks=True)


def test_a_slow_or_failing_handler_harms_nobody(system: ActorSystem, caplog: pytest.LogCaptureFixture) -> None:
    """B5: tasks go on, and other subscribers hear everything; what it raises is logged."""
    heard, gate = Heard(), threading.Event()

    def fails(event: Event) -> None:
        raise LookupError("a handler that fails")

    with (
        system.subscribe(TaskCompleted, fails),
        system.subscribe(TaskCompleted, lambda _: gate.wait(LIMIT)),
    ):
        with system.events(TaskCompleted) as stream:
            futures = [system.submit(Neighbour.spot, "nothing") for _ in range(20)]
            for future in futures:
                future.result(LIMIT)
            assert all(stream.get(LIMIT) for _ in range(20))
        gate.set()
        system.subscribe(TaskCompleted, heard)
        system.submit(Neighbour.spot, "nothing").result(LIMIT)
        heard.wait(1)
        wait_for(lambda: "a handler that fails" in caplog.text)
    assert system.healthy()


def test_moves_of_agents_can_be_watched(system: ActorSystem) -> None:
    """A2: from outside, one after the other."""
    heard = Heard()
    with system.subscribe(AgentStateChanged, heard):
        wait_for(lambda: system.submit(Neighbour.spot, "nothing").result(LIMIT) and len(heard.events) >= 16)
        there = heard.events[0].agent
        moves = [(event.previous, event.state) for event in heard.events if event.agent == there]
    begin = moves.index(("idle", "assigned"))
    moves = moves[begin:]
    assert moves[:4] == [
        ("idle", "assigned"),
        ("assigned", "working"),
        ("working", "completing"),
        ("completing", "idle"),
    ]


def test_the_end_of_the_system_is_told() -> None:
    """B5: before it ends."""
    heard = Heard()
    with ActorSystem(config=CONFIG) as system:
        system.subscribe(ShutdownInitiated, heard)
    assert heard.first().reason


# --- messages ------------------------------------------------------------------------------------------------------


def test_an_agent_answers_or_its_error_comes_back(system: ActorSystem) -> None:
    """B3: an exception is the handler's own, with its remote traceback; a message that nobody takes is refused."""
    ref = system.spawn(OtherNeighbour)
    assert ref.ask(Question("hello")) == f"{ref.agent_id}: hello"
    with pytest.raises(LookupError, match="no answer to that") as failed:
        ref.ask(Question("fail"))
    assert "neighbours.py" in str(failed.value.__cause__)
    with pytest.raises(MessageRefused, match="no handler for float"):
        ref.ask(1.5)
    assert ref.ask(Question("still here")) == f"{ref.agent_id}: still here"
    assert system.submit(Neighbour.ask_other, ref.agent_id, "psst").result(LIMIT) == f"{ref.agent_id}: psst"
    with pytest.raises(LookupError, match="no answer"):
        system.submit(Neighbour.ask_other, ref.agent_id, "fail").result(LIMIT)


def test_an_ask_ends_by_time_or_by_death(system: ActorSystem, tmp_path: Path) -> None:
    """B3: never silence; an ordinary handler runs between tasks, so a task in hand lets an ask wait."""
    ref, gate = system.spawn(OtherNeighbour), Gate.make(tmp_path, "gate")
    system.submit(OtherNeighbour.hold, gate)
    gate.reached()
    with pytest.raises(AskTimeout):
        ref.ask(Question("now"), timeout=0.1)
    gate.open()
    assert ref.ask(Question("then")) == f"{ref.agent_id}: then"
    with pytest.raises(AgentDied) as died:
        ref.ask(Deadly())
    assert died.value.signal == "SIGKILL"


def test_a_message_to_nobody_is_a_dead_letter(system: ActorSystem) -> None:
    """B1: an error for who asks, an event for who listens."""
    heard, ref = Heard(), system.spawn(OtherNeighbour)
    system.terminate(ref)
    with system.subscribe(DeadLetterFound, heard):
        with pytest.raises(DeadLetter, match=ref.agent_id):
            ref.ask(Question("anybody?"))
        ref.tell(Question("nobody?"))
        with pytest.raises(DeadLetter):
            system.submit(Neighbour.ask_other, "nobody-7", "hello").result(LIMIT)
        told = heard.wait(3)
    assert [event.recipient for event in told] == [ref.agent_id, ref.agent_id, "nobody-7"]
    assert "Question" in told[0].message


def test_urgent_messages_are_answered_while_a_task_runs(system: ActorSystem, tmp_path: Path) -> None:
    """B4: within 5 s, ahead of all queued work."""
    ref, gate = system.spawn(OtherNeighbour), Gate.make(tmp_path, "gate")
    running = system.submit(OtherNeighbour.hold, gate)
    gate.reached()
    for _ in range(10):
        ref.tell(Question("for later"))
    assert ref.ask(Pressing("how is it going?"), timeout=5) == "at once: how is it going?"
    assert not running.done()
    gate.open()
    running.result(LIMIT)


def test_an_actor_of_the_program_runs_in_a_thread(system: ActorSystem) -> None:
    """B3: with messages and by proxy; it ends with the system, or when it is told to."""
    ref = system.start_actor(Counter, 40, name="counter")
    assert ref.ask(2) == 42
    ref.tell(1)
    assert ref.proxy().twice().get(timeout=LIMIT) == 86
    with pytest.raises(MessageRefused):
        ref.ask("text")
    with pytest.raises(ConfigError, match="start_actor takes"):
        system.start_actor(Neighbour)  # type: ignore[type-var]
    ref.stop()
    with pytest.raises((AgentDied, DeadLetter)):
        ref.ask(1)


# --- logging -------------------------------------------------------------------------------------------------------


def test_records_and_warnings_of_agents_arrive_in_the_programs_logging(
    system: ActorSystem, caplog: pytest.LogCaptureFixture
) -> None:
    """H1: under their loggers' names, with the ids of agent and task, and without secrets."""
    with caplog.at_level(logging.WARNING):
        future = system.submit(Neighbour.chat)
        future.result(LIMIT)
        wait_for(lambda: len([r for r in caplog.records if r.name in _CHAT]) == 3, "three records")
    records = {record.name: record for record in caplog.records if record.name in _CHAT}
    assert set(records) == _CHAT
    text = "\n".join(record.getMessage() for record in records.values())
    assert "hunter2" not in text and "k-12345678" not in text
    assert "a record with password=" in text and "a warning" in text
    for record in records.values():
        assert record.agent == future.info().agent  # type: ignore[attr-defined]
        assert record.actors_fields["task"] == future.task_id  # type: ignore[attr-defined]
        assert record.levelno == logging.WARNING


_CHAT = {"users.own", "actors.worker.neighbour", "py.warnings"}


def test_messages_that_an_actor_of_the_program_will_never_handle_are_published(system: ActorSystem) -> None:
    """B1: counted and published, few of very many."""
    heard = Heard()
    system.subscribe(DeadLetterFound, heard)
    ref = system.start_actor(Counter, 40, name="counter")
    ref.stop(timeout=LIMIT)
    for number in range(1000):
        ref.tell(number)
    with pytest.raises(DeadLetter):
        ref.ask("last")
    assert ref.dead_letters == 1001
    wait_for(lambda: [event.total for event in heard.events if event.total >= 512])
    told = [(event.recipient, event.message) for event in heard.events]
    assert told[:8] == [("counter", "int")] * 8
    assert len(told) < 50
