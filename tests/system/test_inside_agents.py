"""What a task can do with other agents: start, end, limit, count, explain, and talk to them by refs that travel."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import pytest

from actors import (
    ActorsError,
    ActorSystem,
    AgentConfig,
    AgentLimitReached,
    AgentRef,
    AgentStatus,
    ConfigError,
    DeadLetter,
    Limits,
    SystemClosed,
    SystemConfig,
    TaskSpec,
    Worker,
    handles,
    task,
)

pytestmark = pytest.mark.timeout(90)

SOON = 30.0


@dataclass(frozen=True)
class Who:
    """Asks an agent for its id."""


@dataclass(frozen=True)
class Pass:
    """Asks an agent to ask another one."""

    on: AgentRef


class Helper(Worker):
    """Does what it is told."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    @handles(Who)
    def who(self, message: Who) -> str:
        return f"{self.agent_id} {self.name}".strip()

    @handles(Pass)
    def on(self, message: Pass) -> Any:
        return message.on.ask(Who(), SOON)

    @handles(AgentRef)
    def know(self, message: AgentRef) -> tuple[AgentRef, AgentRef]:
        return message, self.ref

    @task(type="helping")
    def double(self, number: int) -> int:
        return 2 * number


class Lead(Worker):
    """Leads the helpers."""

    @task
    def grow(self, number: int) -> list[str]:
        helpers = [self.spawn(Helper, AgentConfig(arguments={"name": "new"})) for _ in range(number)]
        told = [helper.ask(Who(), SOON) for helper in helpers]
        self.terminate(helpers[0], reason="no more work")
        return told

    @task
    def spawn(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        return super().spawn(*args, **kwargs)

    @task
    def end(self, agent: str) -> None:
        self.terminate(agent)

    @task
    def look(self) -> tuple[list[AgentStatus], int, str, str]:
        future = self.submit(Helper.double, 4)
        future.result()
        info = self.task_info(future)
        assert info is not None
        return self.agents(), self.status().total, self.explain(future).reason, str(info.status)

    @task
    def limit(self, agent: AgentRef) -> float:
        self.set_limits(agent, Limits(memory="700M"))
        return agent.status().memory_kb

    @task
    def resize(self, least: int, most: int) -> None:
        self.scale(Helper, (least, most))

    @task
    def meet(self, first: AgentRef, others: list[AgentRef]) -> tuple[list[str], bool, AgentRef]:
        told = [ref.ask(Who(), SOON) for ref in (first, *others)]
        return told, first == others[0] and hash(first) == hash(others[0]), first

    @task
    def describe(self, data: dict[str, Any]) -> Any:
        first = self.submit_task(TaskSpec(type="helping", data=data))
        return self.submit_task(TaskSpec(type="helping", data={"number": first}, after=(first,))).result()

    @task
    def ask_group(self) -> None:
        self.ask("type:helper", Who(), SOON)


def system(host: str = "process", **options: Any) -> ActorSystem:
    config = SystemConfig(agent=AgentConfig(grace=1.0))
    return ActorSystem([Lead, Helper], host=host, config=config, **options)  # type: ignore[arg-type]


@pytest.fixture(params=["process", "thread"])
def running(request: pytest.FixtureRequest) -> Any:
    with system(request.param) as made:
        yield made


def test_a_task_starts_agents_talks_to_them_and_ends_them(running: ActorSystem) -> None:
    """A1, C1: from inside a task, with a configuration of their own."""
    told = running.submit(Lead.grow, 2).result(SOON)
    assert sorted(told) == ["helper-1 new", "helper-2 new"]
    assert [agent.agent for agent in running.agents() if agent.agent_type == "helper"] == ["helper-2"]


def test_a_task_sees_agents_queue_and_tasks(running: ActorSystem) -> None:
    """C5: the same values as in the program."""
    agents, total, reason, status = running.submit(Lead.look).result(SOON)
    assert {agent.agent for agent in agents} == {"lead-1", "helper-1"}
    assert (total, reason, status) == (2, "ended", "completed")


def test_a_task_changes_limits_and_numbers(running: ActorSystem) -> None:
    """E2, C2: limits of another agent, and how many of a type there are."""
    helper = running.spawn(Helper)
    running.submit(Lead.limit, helper).result(SOON)
    [limits] = [agent.limits for agent in running.resources().agents.values() if agent.agent == "helper-1"]
    assert limits.hard_limit("memory") == 700 * 2**20
    running.submit(Lead.resize, 2, 3).result(SOON)
    running.spawn(Helper)
    assert len([agent for agent in running.agents() if agent.agent_type == "helper"]) == 3


def test_what_cannot_be_done_is_an_error_of_the_task_that_asked(running: ActorSystem) -> None:
    """C1: refused with an error, not silently."""
    for call, args, error, text in [
        (Lead.end, ("helper-7",), ConfigError, "there is no agent 'helper-7'"),
        (Lead.end, ("lead-1",), ActorsError, "cannot wait for its own end"),
        (Lead.spawn, (7,), ConfigError, "a worker is a class"),
        (Lead.spawn, (Helper, 7), ConfigError, "AgentConfig"),
        (Lead.resize, (3, 1), ConfigError, "how many agents"),
        (Lead.describe, ({"no": 1},), ConfigError, "does not fit"),
        (Lead.ask_group, (), ConfigError, "one agent"),
    ]:
        with pytest.raises(error, match=text):
            running.submit(call, *args).result(SOON)


def test_there_is_a_limit_for_agents_that_tasks_start() -> None:
    """C1: refused at the agent limit."""
    with system(max_agents=2) as running, pytest.raises(AgentLimitReached):
        running.submit(Lead.grow, 3).result(SOON)


def test_work_described_as_data_is_handed_in_by_a_task(running: ActorSystem) -> None:
    """C1: a future in the data stands for its result."""
    assert running.submit(Lead.describe, {"number": 3}).result(SOON) == 12


def test_a_ref_travels_in_arguments_messages_and_results_and_stays_the_same(running: ActorSystem) -> None:
    """B1: sent anywhere, compared, hashed; it uses the connection of where it is."""
    first, second = running.spawn(Helper), running.spawn(Helper)
    told, same, back = running.submit(Lead.meet, first, [first, second]).result(SOON)
    assert told == ["helper-1", "helper-1", "helper-2"]
    assert same
    assert back == first
    assert {back, first, pickle.loads(pickle.dumps(first))} == {first}
    assert back.ask(Who(), SOON) == "helper-1"
    assert first.ask(second, SOON) == (second, first)
    # first asks second, which is itself asked by nobody else; and a circle of two.
    assert first.ask(Pass(second), SOON) == "helper-2"
    assert first.ask(Pass(first), SOON) == "helper-1"


def test_a_ref_of_an_agent_or_a_system_that_is_gone_is_a_clear_error() -> None:
    """B3: never silence."""
    with system() as running:
        helper = running.spawn(Helper)
        lead = running.spawn(Lead)
        running.terminate(helper)
        with pytest.raises(DeadLetter, match="no agent 'helper-1'"):
            helper.ask(Who(), SOON)
        with pytest.raises(DeadLetter, match="no agent 'helper-1'"):
            running.submit(Lead.meet, helper, []).result(SOON)
        helper.tell(Who())
        with pytest.raises(ConfigError, match="timeout"):
            lead.ask(Who(), None)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="priority"):
            lead.tell(Who(), priority=9)
    with pytest.raises(SystemClosed, match="helper-1 cannot be reached"):
        helper.ask(Who(), SOON)
