"""Plans carried out by real agents: order, results, failures, deaths, cancellation, and agents of the plan's own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from actors import (
    ActorSystem,
    AgentConfig,
    AgentStateChanged,
    ConfigError,
    SystemConfig,
    TaskCancelled,
    TaskSpec,
    TaskStarted,
    Worker,
    task,
)
from actors.errors import PlanFailed
from actors.workers.orchestrator import Orchestrator, Plan, PlanReport, Step, StepReport, Team

pytestmark = pytest.mark.timeout(90)

SOON = 40.0


class Hand(Worker):
    """Does the steps."""

    @task(type="adding", retries=0)
    def add(self, a: int, b: int = 1) -> int:
        return a + b

    @task(type="failing")
    def fail(self) -> None:
        raise ValueError("it cannot be done")

    @task(type="dying", retries=0)
    def die_once(self, mark: str) -> str:
        if not Path(mark).exists():
            Path(mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "alive"

    @task(type="listing")
    def numbers(self, count: int) -> list[int]:
        return list(range(count))

    @task(type="summing")
    def total(self, numbers: list[int]) -> int:
        return sum(numbers)

    @task(type="waiting")
    def wait(self, fifo: str) -> str:
        with Path(fifo).open("rb", buffering=0) as waiting:
            return waiting.read(1).decode()

    @task
    def who(self) -> str | None:
        return f"{self.agent_id} {self.job}"


class Halving(Orchestrator):
    """Makes its own plan, and decides again after each step."""

    def plan(self, goal: Any) -> Iterable[Step]:
        return [Step(id="half-0", call=Hand.add, data={"a": goal, "b": 0})]

    def decide(self, ended: StepReport, results: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        if ended.result > 1:
            yield {"id": f"half-{len(results)}", "call": Hand.add, "data": {"a": ended.result // 2, "b": 0}}


def system(**options: Any) -> ActorSystem:
    config = SystemConfig(agent=AgentConfig(grace=1.0))
    return ActorSystem([Hand, Halving], config=config, **options)


def carry_out(running: ActorSystem, steps: Any, **more: Any) -> PlanReport:
    spec = TaskSpec(type="orchestration", agent_type="orchestrator", data={"steps": steps, **more}, retries=0)
    report: PlanReport = running.submit_task(spec).result(SOON)
    return report


@pytest.mark.parametrize("host", ["process", "thread"])
def test_a_plan_as_data_is_carried_out_and_each_step_reported(host: Any) -> None:
    """A1: plans, submits, gathers; results go from step to step."""
    steps = [
        {"id": "list", "task": "listing", "data": {"count": 4}},
        {"id": "sum", "task": "summing", "data": {"numbers": {"result_of": "list"}}, "priority": 3},
        {"id": "both", "task": "summing", "data": {"numbers": [{"result_of": "sum"}, 10]}},
        {"id": "ask", "call": Hand.who, "after": ["both"]},
    ]
    with system(host=host) as running:
        report = carry_out(running, steps, parallel=2)
        assert (report["sum"], report["both"]) == (6, 16)
        assert report.status == "completed"
        assert report["ask"].startswith("hand-")
        assert [len(each.tasks) for each in report.steps.values()] == [1, 1, 1, 1]
        # What belongs together has one job: that of the orchestration, or its own id.
        assert report["ask"].split()[1] != "None"
        assert report.to_dict()["steps"][0]["result"] == [0, 1, 2, 3]


def test_steps_are_added_by_a_rule_in_the_data() -> None:
    """A1: decides again, by what came."""
    rule = {"for_each": [], "add": [{"id": "plus", "task": "adding", "data": {"a": {"item": []}, "b": 10}}]}
    with system() as running:
        report = carry_out(running, [{"id": "list", "task": "listing", "data": {"count": 3}, "then": [rule]}])
        assert [report[f"plus-{number}"] for number in (1, 2, 3)] == [10, 11, 12]


def test_an_orchestrator_of_ones_own_plans_and_decides() -> None:
    """A1: derived from the one that ships."""
    with system() as running:
        spec = TaskSpec(type="orchestration", agent_type="halving", data={"goal": 9})
        report = running.submit_task(spec).result(SOON)
        assert [each.result for each in report.steps.values()] == [9, 4, 2, 1]


def test_a_plan_recovers_from_failures_and_deaths(tmp_path: Path) -> None:
    """A1: retried, done otherwise, skipped."""
    steps = [
        {"id": "dies", "task": "dying", "data": {"mark": str(tmp_path / "mark")}, "attempts": 2, "retries": 0},
        {"id": "other", "task": "failing", "instead": {"task": "adding", "data": {"a": 4}}},
        {"id": "skipped", "task": "failing", "on_failure": "skip", "default": 100},
        {"id": "sum", "task": "summing", "data": {"numbers": [{"result_of": "other"}, {"result_of": "skipped"}]}},
        {"id": "unknown", "task": "no such type", "on_failure": "skip"},
    ]
    with system() as running:
        report = carry_out(running, steps)
        assert {name: each.status for name, each in report.steps.items()} == {
            "dies": "completed",
            "other": "completed",
            "skipped": "skipped",
            "sum": "completed",
            "unknown": "skipped",
        }
        assert report["dies"] == "alive"
        assert report.steps["dies"].attempts == 2
        assert report["sum"] == 105
        assert "it cannot be done" in report.steps["skipped"].error
        assert "no worker takes tasks of type" in report.steps["unknown"].error


def test_a_step_that_fails_for_good_stops_the_plan_and_cancels_the_others(tmp_path: Path) -> None:
    """A1, F2: the error has the report, and nothing runs on."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    steps = [
        {"id": "waits", "task": "waiting", "data": {"fifo": str(fifo)}},
        {"id": "fails", "task": "failing"},
        {"id": "never", "task": "adding", "data": {"a": 1}, "after": ["fails"]},
    ]
    with system() as running:
        with pytest.raises(PlanFailed, match=r"step 'fails' failed.*it cannot be done") as caught:
            carry_out(running, steps)
        statuses = {name: each.status for name, each in caught.value.report.steps.items()}
        assert statuses == {"waits": "cancelled", "fails": "failed", "never": "not_started"}
        assert caught.value.step == "fails"
        assert isinstance(caught.value.__cause__, BaseException)
        assert running.drain(SOON)


def test_a_plan_with_a_wrong_field_names_it() -> None:
    """A1: validated; what the task itself does not know is refused when it is handed in."""
    with system() as running:
        with pytest.raises(ConfigError, match="afer is no field"):
            carry_out(running, [{"id": "a", "task": "adding", "afer": []}])
        with pytest.raises(ConfigError, match=r"does not fit.*stepps"):
            carry_out(running, [], stepps=1)
        with pytest.raises(ConfigError, match="makes no plan of a goal"):
            carry_out(running, [], goal=3)
        assert carry_out(running, []).status == "completed"


def test_a_cancelled_plan_cancels_its_parts_and_ends_its_agents(tmp_path: Path) -> None:
    """A1, D6: cancelling the whole cancels the parts."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    steps = [{"id": f"wait-{number}", "task": "waiting", "data": {"fifo": str(fifo)}} for number in range(2)]
    plan = {"steps": steps, "agents": [{"type": "hand", "count": 2}]}
    with (
        system() as running,
        running.events(TaskStarted) as started,
        running.events(AgentStateChanged) as moved,
    ):
        future = running.submit_task(TaskSpec(type="orchestration", agent_type="orchestrator", data=plan))
        seen = 0
        while seen < 2:
            event = started.get(SOON)
            assert event is not None
            seen += getattr(event, "type", "") == "waiting" or "wait" in repr(event)
        assert {agent.agent_type for agent in running.agents()} == {"orchestrator", "hand"}
        # It hands the steps in one after the other, so the last may have begun before it waits.
        moves = iter(lambda: moved.get(SOON), None)
        assert any(move.agent == "orchestrator-1" and move.state == "waiting" for move in moves)
        assert future.cancel()
        with pytest.raises(TaskCancelled):
            future.result(SOON)
        assert running.drain(SOON)
        assert running.queue().active == 0
        left = [agent.agent for agent in running.agents() if agent.agent_type == "hand"]
        deadline = time.monotonic() + SOON
        while left and time.monotonic() < deadline:
            left = [agent.agent for agent in running.agents() if agent.agent_type == "hand"]
        assert left == []


def test_agents_of_the_plan_are_there_for_its_steps_and_gone_after_it() -> None:
    """A1: spawns and ends agents."""
    plan = Plan(steps=(Step(id="who", call=Hand.who),), agents=(Team(type=Hand, count=2, limits={"memory": "300M"}),))
    with system() as running:
        report: PlanReport = running.submit(Leads.lead, plan).result(SOON)
        assert report.agents == ("hand-1", "hand-2")
        assert report["who"].split()[0] in report.agents
        assert [agent.agent_type for agent in running.agents()] == ["leads"]


class Leads(Orchestrator):
    """Carries out a plan in a task of its own."""

    @task
    def lead(self, plan: Plan) -> PlanReport:
        return self.carry_out(plan)


def test_plans_in_plans_on_one_agent_do_not_wait_for_each_other() -> None:
    """A1: an orchestrator waits without holding its place, also when it is the only one and its limit is reached."""
    inner = {"steps": [{"id": "add", "task": "adding", "data": {"a": 1}}]}
    plan = inner
    for _ in range(5):
        plan = {"steps": [{"id": "deeper", "task": "orchestration", "agent_type": "orchestrator", "data": plan}]}
    with system(max_agents=2) as running:
        report = carry_out(running, plan["steps"])
        for _ in range(5):
            report = report["deeper"]
        assert report["add"] == 2
