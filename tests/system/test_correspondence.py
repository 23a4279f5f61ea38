"""The program writes to its agents, and looks at what they use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from actors import (
    ActorSystem,
    AgentConfig,
    ConfigError,
    DeadLetter,
    DeadLetterFound,
    Event,
    SystemConfig,
    Worker,
    handles,
    task,
)

pytestmark = pytest.mark.timeout(60)

SOON = 20.0


@dataclass(frozen=True, kw_only=True)
class Seen(Event):
    """A user's own event."""

    number: int


class Listener(Worker):
    """Writes down what it is told."""

    @handles(str)
    def note(self, message: str) -> str:
        return f"{self.agent_id}: {message}"

    @handles(Path)
    def leave(self, message: Path) -> None:
        (message / str(self.agent_id)).touch()

    @task
    def see(self, number: int) -> None:
        self.publish(Seen(number=number))

    @task
    def wait_for(self, gate: str) -> str:
        with Path(gate).open("rb", buffering=0) as waiting:
            return waiting.read(1).decode()


def system() -> ActorSystem:
    return ActorSystem({Listener: 2}, config=SystemConfig(agent=AgentConfig(grace=1.0)))


def test_one_message_goes_to_all_agents_of_a_type_in_one_go(tmp_path: Path) -> None:
    """B1, B6: a group is a recipient; the answer of each is in the folder that it was told."""
    with system() as running:
        ids = {running.spawn(Listener).agent_id for _ in range(2)} | {"listener-1", "listener-2"}
        running.tell("type:listener", tmp_path)
        answered = {running.ask(agent, "are you through?", SOON).partition(":")[0] for agent in sorted(ids)}
        assert answered == ids == {path.name for path in tmp_path.iterdir()}


def test_a_message_for_nobody_is_a_dead_letter_and_an_error_to_who_waits() -> None:
    """B1: unknown recipient."""
    with system() as running, running.events(DeadLetterFound) as found:
        with pytest.raises(DeadLetter, match="listener-9"):
            running.ask("listener-9", "hello", SOON)
        running.tell(["listener-8"], "hello")
        assert [found.get(SOON).recipient for _ in range(2)] == ["listener-9", "listener-8"]  # type: ignore[union-attr]


def test_a_recipient_that_is_none_is_refused_at_once() -> None:
    """B1: bad input names what was expected."""
    with system() as running, pytest.raises(ConfigError, match="ref or id"):
        running.tell(7, "hello")  # type: ignore[arg-type]


def test_an_agent_tells_how_it_stands_while_its_task_runs(tmp_path: Path) -> None:
    """A5, B4: a status request is answered beside the task."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    opener = os.open(gate, os.O_RDWR)
    try:
        with system() as running:
            refs = [running.spawn(Listener) for _ in range(2)]
            working = [running.submit(Listener.wait_for, str(gate)) for _ in range(4)]
            for ref in refs:
                assert ref.status(5).last_heartbeat is not None
            os.write(opener, b"open")
            assert sorted(future.result(SOON) for future in working) == ["e", "n", "o", "p"]
    finally:
        os.close(opener)


def test_the_figures_of_machine_and_agents_can_be_asked_for() -> None:
    """E1: a whole process tree each, in one pass."""
    with system() as running:
        agent = running.spawn(Listener).agent_id
        report = running.resources(fresh=True)
        assert report.machine is not None
        usage = report.agents[agent].usage
        assert usage is not None
        assert usage.to_dict()["memory"] > 0


def test_what_agents_publish_after_a_subscription_was_made_is_heard() -> None:
    """B5: twenty times anew, though an agent makes no event before it knows that somebody listens."""
    with system() as running:
        for _ in range(2):
            running.spawn(Listener)
        for number in range(20):
            with running.events(Seen) as seen:
                running.submit(Listener.see, number).result(SOON)
                event = seen.get(SOON)
            assert isinstance(event, Seen)
            assert event.number == number
