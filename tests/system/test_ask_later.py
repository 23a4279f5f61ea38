"""Asks whose answers are awaited, or waited for later: in the program, in tasks, in handlers."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import pytest

from actors import ActorSystem, AgentDied, AgentRef, AskTimeout, DeadLetter, MessageRefused, Worker, handles, task
from tests.system.support import CONFIG

LIMIT = 20.0


@dataclass(frozen=True)
class Hold:
    """Answered once as many as this are held, which takes that nobody waits for another one's answer."""

    together: int


@dataclass(frozen=True)
class Say:
    text: str


@dataclass(frozen=True)
class Relay:
    """Is asked of another one, in a coroutine."""

    to: AgentRef
    message: Any


class Meeting(Worker):
    """Answers all at once."""

    concurrency = 50

    def __init__(self) -> None:
        self.held = 0
        self.all_here = asyncio.Event()

    @handles(Hold)
    async def hold(self, message: Hold) -> int:
        self.held += 1
        if self.held == message.together:
            self.all_here.set()
        await self.all_here.wait()
        return self.held

    @handles(Say)
    def say(self, message: Say) -> str:
        if message.text == "raise":
            raise LookupError("nothing to say")
        return message.text

    @handles(Relay)
    async def relay(self, message: Relay) -> Any:
        return await message.to.ask_later(message.message, LIMIT)

    @task
    async def asks(self, other: AgentRef, message: Any) -> Any:
        return await self.ask_later(other, message, LIMIT)

    @task
    async def states(self, other: AgentRef) -> Any:
        """Its states around an ask."""
        machine = self._inside("states").parts.slots.all[0].machine
        waiting = asyncio.ensure_future(_awaited(self.ask_later(other, Hold(2), LIMIT)))
        await asyncio.sleep(0)
        during = str(machine.state)
        await self.ask_later(other, Hold(2), LIMIT)
        await waiting
        return during, str(machine.state)

    @task
    async def holds_up(self, other: AgentRef) -> Any:
        return self.ask(other, Say("blocking"))


class Plain(Worker):
    """Has no event loop."""

    @handles(Say)
    def say(self, message: Say) -> str:
        return message.text

    @task
    def gathers(self, other: AgentRef, count: int) -> Any:
        replies = [other.ask_later(Hold(count), LIMIT) for _ in range(count)]
        return [reply.get(timeout=LIMIT) for reply in replies]

    @task
    def asks_itself_over(self, other: AgentRef) -> Any:
        """The answer needs a handler of this agent, which runs while it waits."""
        return self.ask_later(other, Relay(self.ref, Say("round")), LIMIT).get()

    @task
    def impatient(self, other: AgentRef) -> Any:
        return other.ask_later(Hold(2), 0.1).get()


async def _awaited(reply: Any) -> Any:
    return await reply


@pytest.fixture(params=["process", "thread"])
def running(request: pytest.FixtureRequest) -> Any:
    with ActorSystem([Meeting, Plain], host=request.param, config=CONFIG) as system:
        yield system
        system.shutdown(wait=False, timeout=2.0)


def test_async_tasks_await_answers_and_hold_up_nobody(running: ActorSystem) -> None:
    """B3: fifty that wait for each other are answered, on one event loop."""
    asker, meeting = running.spawn(Meeting), running.spawn(Meeting)
    del asker
    futures = [running.submit(Meeting.asks, meeting, Hold(20)) for _ in range(20)]
    assert [future.result(LIMIT) for future in futures] == [20] * 20


def test_a_task_that_awaits_an_answer_is_communicating(running: ActorSystem) -> None:
    """A2: only the one who asks moves to communicating."""
    meeting = running.spawn(Meeting)
    assert running.options(requires=()).submit(Meeting.states, meeting).result(LIMIT) == ("communicating", "working")


def test_an_async_handler_awaits_the_answer_of_another_agent(running: ActorSystem) -> None:
    """B3: also where a handler asks, in a circle."""
    one, other = running.spawn(Meeting), running.spawn(Meeting)
    assert one.ask(Relay(other, Relay(one, Say("round"))), LIMIT) == "round"


def test_a_plain_task_asks_many_at_once_and_serves_its_handlers_while_it_waits(running: ActorSystem) -> None:
    """B3: a reply can be waited for as any other."""
    meeting = running.spawn(Meeting)
    assert running.submit(Plain.gathers, meeting, 5).result(LIMIT) == [5] * 5
    assert running.submit(Plain.asks_itself_over, meeting).result(LIMIT) == "round"


def test_the_program_awaits_answers(running: ActorSystem) -> None:
    """J1: nothing of it blocks the loop."""
    meeting = running.spawn(Meeting)

    async def all_at_once() -> Any:
        by_system = [running.ask_later(meeting, Hold(20), LIMIT) for _ in range(10)]
        return await asyncio.gather(
            *(_awaited(each) for each in [*by_system, *(meeting.ask_later(Hold(20)) for _ in range(10))])
        )

    assert asyncio.run(asyncio.wait_for(all_at_once(), LIMIT)) == [20] * 20


def test_who_asks_an_agent_that_ends_hears_that_and_is_not_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    """B3: its handlers are cancelled with it, and nobody else."""
    with ActorSystem(host="thread") as system:
        meeting = system.spawn(Meeting)
        late = [meeting.ask_later(Hold(1000), LIMIT) for _ in range(5)]
        assert meeting.ask_later(Say("hello")).get(timeout=LIMIT) == "hello"
        system.terminate(meeting, timeout=0.0)
        for reply in late:
            with pytest.raises(AgentDied):
                reply.get(timeout=LIMIT)
    assert not [record for record in caplog.records if record.name == "asyncio"]


def test_each_end_of_an_ask_is_the_end_of_its_reply(running: ActorSystem) -> None:
    """B3: the answer, the exception, the timeout, or word that nobody is there."""
    meeting = running.spawn(Meeting)
    assert meeting.ask_later(Say("hello")).get(timeout=LIMIT) == "hello"
    with pytest.raises(LookupError, match="nothing to say"):
        meeting.ask_later(Say("raise")).get(timeout=LIMIT)
    with pytest.raises(MessageRefused):
        meeting.ask_later(3.5).get(timeout=LIMIT)
    with pytest.raises(AskTimeout):
        running.submit(Plain.impatient, meeting).result(LIMIT)
    late = meeting.ask_later(Hold(1000), LIMIT)
    with pytest.raises(AskTimeout):
        late.get(timeout=0.1)
    running.terminate(meeting, timeout=0.0)
    with pytest.raises((AgentDied, DeadLetter, MessageRefused)):
        late.get(timeout=LIMIT)
    with pytest.raises(DeadLetter):
        meeting.ask_later(Say("anybody?")).get(timeout=LIMIT)


def test_an_ask_that_holds_up_an_event_loop_is_warned_of() -> None:
    """J1: the warning says what to write instead."""
    with ActorSystem([Meeting, Plain], config=CONFIG) as system:
        plain = system.spawn(Plain)
        records: list[logging.LogRecord] = []
        handler = logging.Handler()
        handler.emit = records.append  # type: ignore[method-assign]
        logging.getLogger("actors.agent").addHandler(handler)
        try:
            assert system.submit(Meeting.holds_up, plain).result(LIMIT) == "blocking"
            assert system.drain(timeout=LIMIT)
        finally:
            logging.getLogger("actors.agent").removeHandler(handler)
    assert [record for record in records if "await self.ask_later" in record.getMessage()]
