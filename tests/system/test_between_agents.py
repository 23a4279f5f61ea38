"""Agents that talk to each other: each ask has one end, circles included, and nobody is flooded."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from actors import (
    ActorSystem,
    AgentConfig,
    AgentDied,
    AgentRef,
    AgentState,
    AgentStateChanged,
    AskTimeout,
    ConfigError,
    DeadLetter,
    DeadLetterFound,
    Limits,
    MessageRefused,
    NotSerializable,
    Priority,
    SystemConfig,
    Worker,
    handles,
    task,
)
from actors.errors import MailboxFull
from tests.system.support import wait_for

pytestmark = pytest.mark.timeout(120)

SOON = 30.0


@dataclass(frozen=True)
class Bounce:
    """Is asked back and forth so often."""

    times: int
    by: AgentRef | None = None


@dataclass(frozen=True)
class Forever:
    """Is asked back and forth without end."""

    by: AgentRef


@dataclass(frozen=True)
class Note:
    """Is written down."""

    text: str


@dataclass(frozen=True)
class Urgent:
    """Is taken at once."""

    other: str


@dataclass(frozen=True)
class Need:
    """Needs a task of the type of whoever takes it."""

    number: int


class Talker(Worker):
    """Asks and answers."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    @handles(Bounce)
    def bounce(self, message: Bounce) -> int:
        if message.times == 0 or message.by is None:
            return 0
        return 1 + int(message.by.ask(Bounce(message.times - 1, self.ref), SOON))

    @handles(Forever)
    def forever(self, message: Forever) -> Any:
        return message.by.ask(Forever(self.ref), SOON)

    @handles(Note)
    def note(self, message: Note) -> list[str]:
        self.notes.append(message.text)
        return self.notes

    @handles(type(os))
    def nothing(self, message: Any) -> None: ...

    @handles(list)
    def unsendable(self, message: list[Any]) -> Any:
        return threading.Lock()

    @handles(dict)
    def fail(self, message: dict[str, Any]) -> None:
        raise KeyError(message["what"])

    @handles(bytes)
    def size(self, message: bytes) -> int:
        return len(message)

    @handles(int)
    def large(self, message: int) -> bytes:
        return bytes(message)

    @handles(Urgent, urgent=True)
    def urgent(self, message: Urgent) -> Any:
        return self.ask(message.other, Note("from the control lane"), SOON)

    @handles(Need)
    def need(self, message: Need) -> int:
        return self.submit(Talker.double, message.number).result()

    @task
    def double(self, number: int) -> int:
        return 2 * number

    @task
    def start(self, other: AgentRef, times: int) -> Any:
        return other.ask(Bounce(times, self.ref), SOON)

    @task
    def ask_any(self, other: Any, message: Any, timeout: float = SOON) -> Any:
        return self.ask(other, message, timeout)

    @task
    def tell_all(self, others: list[Any], message: Any) -> None:
        self.tell(others, message)

    @task
    def wait(self, fifo: str) -> str:
        with Path(fifo).open("rb", buffering=0) as waiting:
            return waiting.read(1).decode()

    @task
    def flood(self, other: AgentRef, count: int) -> None:
        for number in range(count):
            other.tell(Note(str(number)))


class Async(Worker):
    """The same with coroutines, also where the loop stands still."""

    @handles(Bounce)
    async def bounce(self, message: Bounce) -> int:
        if message.times == 0 or message.by is None:
            return 0
        return 1 + int(message.by.ask(Bounce(message.times - 1, self.ref), SOON))

    @handles(Need)
    def need(self, message: Need) -> int:
        return self.submit(Async.double, message.number).result()

    @task
    async def double(self, number: int) -> int:
        return 2 * number

    @task
    async def start(self, other: AgentRef, times: int) -> Any:
        return self.ask(other, Bounce(times, self.ref), SOON)


def system(host: str = "process", **options: Any) -> ActorSystem:
    config = SystemConfig(agent=AgentConfig(grace=1.0), **options.pop("config", {}))
    return ActorSystem([Talker, Async], host=host, config=config, **options)  # type: ignore[arg-type]


@pytest.fixture(params=["process", "thread"])
def running(request: pytest.FixtureRequest) -> Any:
    with system(request.param) as made:
        yield made


def test_agents_that_ask_each_other_in_a_circle_are_answered(running: ActorSystem) -> None:
    """B3: whoever waits serves its handlers, so a circle is no deadlock."""
    first, second = running.spawn(Talker), running.spawn(Talker)
    assert first.ask(Bounce(6, second), SOON) == 6
    # In a task, with one that asks itself, and of coroutines that hold up their loops.
    assert running.submit(Talker.start, second, 6).result(SOON) == 6
    assert first.ask(Bounce(5, first), SOON) == 5
    others = running.spawn(Async), running.spawn(Async)
    assert others[0].ask(Bounce(5, others[1]), SOON) == 5
    assert running.submit(Async.start, others[1], 5).result(SOON) == 5
    assert running.submit(Async.start, first, 5).result(SOON) == 5


def test_a_circle_without_end_is_a_clear_error_at_once(running: ActorSystem) -> None:
    """B3: the chain of askers is told, and both go on."""
    first, second = running.spawn(Talker), running.spawn(Talker)
    begin = time.monotonic()
    with pytest.raises(MessageRefused, match=r"ask each other without end") as caught:
        first.ask(Forever(second), SOON)
    assert time.monotonic() - begin < SOON
    assert "talker-2 → talker-1" in str(caught.value)
    assert second.ask(Bounce(1, first), SOON) == 1


def test_a_handler_that_waits_for_a_task_of_its_own_agent_gets_it(running: ActorSystem) -> None:
    """B3: between two tasks, and inside a task's own question; also with coroutines."""
    for worker in (Talker, Async):
        running.scale(worker, (1, 1))
    one, other = (agent.agent for agent in _two(running))
    assert running.ask(one, Need(4), SOON) == running.ask(other, Need(4), SOON) == 8
    assert running.submit(Talker.ask_any, "talker-1", Need(5)).result(SOON) == 10


def _two(running: ActorSystem) -> list[Any]:
    """The one agent of each type, as soon as both are there."""
    running.submit(Talker.double, 1).result(SOON)
    running.submit(Async.double, 1).result(SOON)
    return running.agents()


def test_an_urgent_handler_that_would_wait_for_ever_is_told_so(running: ActorSystem) -> None:
    """B4: the control lane alone could take the answer."""
    first, second = running.spawn(Talker), running.spawn(Talker)
    with pytest.raises(MessageRefused, match="urgent handler of talker-1 cannot wait"):
        first.ask(Urgent(second.agent_id), SOON)
    assert first.ask(Note("on"), SOON) == ["on"]


def test_only_the_one_who_asks_moves(running: ActorSystem) -> None:
    """A2: communicating while it asks; answering moves nobody."""
    first, second = running.spawn(Talker), running.spawn(Talker)
    with running.events(AgentStateChanged) as moves:
        running.submit(Talker.ask_any, second, Note("x")).result(SOON)
        seen: list[tuple[str, str]] = []
        while ("talker-1", "idle") not in seen and ("talker-2", "idle") not in seen:
            move = moves.get(SOON)
            assert isinstance(move, AgentStateChanged)
            seen.append((move.agent, str(move.state)))
    [asker] = {agent for agent, _ in seen}
    assert [state for _, state in seen] == ["assigned", "working", "communicating", "working", "completing", "idle"]
    assert asker in (first.agent_id, second.agent_id)


def test_what_cannot_be_answered_is_the_error_of_the_one_who_asked(running: ActorSystem) -> None:
    """B3: exactly one of answer, remote exception with its traceback, timeout, word of death."""
    one = running.spawn(Talker)
    with pytest.raises(NotSerializable, match="lock"):
        one.ask([], SOON)
    with pytest.raises(KeyError, match="this") as caught:
        one.ask({"what": "this"}, SOON)
    assert "in fail" in str(caught.value.__cause__)
    with pytest.raises(NotSerializable, match="message"):
        one.ask(threading.Lock(), SOON)
    with pytest.raises(MessageRefused, match="no handler for float"):
        one.ask(1.5, SOON)
    for recipient in ("*", "type:talker", "job:x"):
        with pytest.raises(ConfigError, match="ask is for one agent"):
            running.ask(recipient, Note("all"), SOON)
    with pytest.raises(DeadLetter, match="no agent 'talker-9'"):
        running.submit(Talker.ask_any, "talker-9", Note("x")).result(SOON)
    assert one.ask(Note("still there"), SOON) == ["still there"]


def test_an_agent_that_dies_or_is_busy_while_it_is_asked_leaves_nobody_waiting(tmp_path: Path) -> None:
    """B3, F2: word of death, and a timeout."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with system() as running:
        one, two = running.spawn(Talker), running.spawn(Talker)
        task = running.options(retries=0).submit(Talker.wait, str(fifo))
        opener = os.open(fifo, os.O_RDWR)
        try:
            busy = None
            deadline = time.monotonic() + SOON
            while busy is None and time.monotonic() < deadline:
                busy = next((ref for ref in (one, two) if ref.status().state is AgentState.WORKING), None)
            assert busy is not None
            with pytest.raises(AskTimeout):
                busy.ask(Note("x"), 0.3)
            asking = running.submit(Talker.ask_any, busy, Note("y"))
            while not any(ref.status().state is AgentState.COMMUNICATING for ref in (one, two)):
                assert time.monotonic() < deadline
            [pid] = [agent.pid for agent in running.agents() if agent.agent == busy.agent_id]
            assert pid is not None
            os.kill(pid, 9)
            with pytest.raises(AgentDied):
                asking.result(SOON)
            with pytest.raises(AgentDied):
                task.result(SOON)
        finally:
            os.close(opener)


@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_many_messages_for_an_agent_that_is_gone_are_counted_and_harm_nobody(count: int) -> None:
    """B1: dead letters; nothing hangs and nothing grows."""
    with system() as running:
        sender, gone = running.spawn(Talker), running.spawn(Talker)
        running.terminate(gone)
        with running.subscribe(DeadLetterFound, str):
            for number in range(count):
                gone.tell(number)
        with pytest.raises(DeadLetter):
            gone.ask(Note("x"), SOON)
        running.submit(Talker.flood, gone, count // 10).result(SOON)
        assert sender.ask(Note("y"), SOON) == ["y"]
        assert running.healthy()


def test_messages_for_a_busy_agent_are_bounded(tmp_path: Path) -> None:
    """B6: beyond the bound who asks is told, and the agent goes on with what it has."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with system(config={"mailbox_bound": 100}) as running:
        one = running.spawn(Talker)
        future = running.submit(Talker.wait, str(fifo))
        opener = os.open(fifo, os.O_RDWR)
        lost: Queue[Any] = Queue()
        running.subscribe(DeadLetterFound, lost.put)
        try:
            deadline = time.monotonic() + SOON
            while one.status().state is not AgentState.WORKING:
                assert time.monotonic() < deadline
            for number in range(300):
                one.tell(Note(str(number)))
            with pytest.raises(MailboxFull, match="100 messages wait"):
                one.ask(Note("x"), SOON)
            os.write(opener, b".")
            assert future.result(SOON) == "."
            notes = one.ask(Note("last"), SOON)
            assert notes == [*map(str, range(100)), "last"]
            # Of very many only some are told, each that doubles their number among them.
            letters = [lost.get(timeout=SOON) for _ in range(12)]
            assert [letter.total for letter in letters] == [1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 128]
            assert {(each.recipient, each.message, each.sender) for each in letters} == {
                (one.agent_id, "Note", "program")
            }
        finally:
            os.close(opener)


def test_a_critical_message_goes_first_and_a_low_one_last(tmp_path: Path) -> None:
    """B1: priorities, among those that wait; the others keep their order."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with system() as running:
        one = running.spawn(Talker)
        future = running.submit(Talker.wait, str(fifo))
        opener = os.open(fifo, os.O_RDWR)
        try:
            deadline = time.monotonic() + SOON
            while one.status().state is not AgentState.WORKING:
                assert time.monotonic() < deadline
            one.tell(Note("low"), priority=Priority.LOW)
            one.tell(Note("first"))
            one.tell(Note("second"), priority=Priority.HIGH)
            one.tell(Note("critical"), priority=Priority.CRITICAL)
            # A sign of life comes after what was sent before it.
            one.status()
            os.write(opener, b".")
            future.result(SOON)
            assert one.ask(Note("last"), SOON, priority=Priority.LOW) == ["critical", "first", "second", "low", "last"]
        finally:
            os.close(opener)


def test_a_task_tells_many_in_one_go(running: ActorSystem) -> None:
    """B6: agents, refs and groups, each once."""
    refs = [running.spawn(Talker) for _ in range(3)]
    running.submit(Talker.tell_all, [refs[0], refs[1].agent_id, refs[0]], Note("two")).result(SOON)
    running.submit(Talker.tell_all, ["type:talker"], Note("all")).result(SOON)

    def heard(ref: AgentRef) -> list[str]:
        return [text for text in ref.ask(Note("look"), SOON) if text != "look"]

    # What agents send keeps no order with what the program sends.
    wait_for(lambda: [heard(ref) for ref in refs] == [["two", "all"], ["two", "all"], ["all"]])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_message_and_an_answer_of_a_gigabyte_pass() -> None:
    """Bad input: through memory segments, from the program and from an agent to an agent; others go on beside it."""
    size = 1 << 30
    with ActorSystem(
        [Talker], config=SystemConfig(agent=AgentConfig(grace=1.0, limits=Limits(memory=None)))
    ) as running:
        one = running.spawn(Talker)
        assert one.ask(bytes(size), 100) == size
        assert len(one.ask(size, 100)) == size
