"""The worker that plans: hands in the steps of a plan, waits without holding its place, gathers, and decides again."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from actors.config import AgentConfig, Limits
from actors.core.planreport import PlanReport, StepReport
from actors.core.planrun import Begin, PlanRun
from actors.core.workplan import Plan, Rule, Step, StepLike, Team, read_plan, read_step
from actors.errors import ActorsError, ConfigError, PlanFailed
from actors.worker import Worker, task

if TYPE_CHECKING:
    from actors.future import TaskFuture
    from actors.hosts.agentref import AgentRef

__all__ = ["Orchestrator", "Plan", "PlanReport", "Rule", "Step", "StepReport", "Team"]

_END_TEAM = 5.0


class Orchestrator(Worker):
    """Carries out plans. Its tasks run for as long as their plan takes, and hold no agent while they wait.

    Work described as data:

        system.submit_task(TaskSpec(type="orchestration", data={
            "steps": [
                {"id": "find", "task": "general", "data": {"callable": "glob:glob", "args": ["*.py"]}},
                {"id": "read", "task": "file_analysis", "data": {"paths": {"result_of": "find"}}, "attempts": 2},
            ],
            "parallel": 4,
        }))

    One's own is derived from it: `plan` makes the steps of a goal, `decide` adds to them after each that has ended. Or a
    task of one's own calls `carry_out`.
    """

    agent_type = "orchestrator"
    role = "orchestrator"
    specialization = "plans of many tasks"
    capabilities = frozenset({"spawn_agents", "manage_lifecycle", "monitor_resources", "coordinate_tasks"})
    cpu = "low"
    memory = "low"
    io = "low"

    @task(type="orchestration", timeout=math.inf)
    def orchestrate(
        self,
        steps: Sequence[StepLike] = (),
        parallel: int | None = None,
        on_failure: str = "stop",
        agents: Sequence[Any] = (),
        goal: Any = None,
    ) -> PlanReport:
        """Carry out a plan.

        Args:
            steps: see `Step`; each may be given by its fields.
            parallel: how many steps may be under way at once; None for no bound.
            on_failure: what a step's failure means where the step says nothing: "stop" or "skip".
            agents: agents that the plan has for itself, see `Team`.
            goal: instead of steps, for an orchestrator with a `plan` of its own.

        Returns:
            What became of each step; `report["id"]` is a step's result.

        Raises:
            ConfigError: the plan has a wrong field, which it names, ids that nothing has, or a circle.
            PlanFailed: a step failed for good; it has the report. The cause is chained.
        """
        made: Any = steps
        if goal is not None:
            if steps:
                message = "an orchestration takes steps or a goal, not both"
                raise ConfigError(message, key="goal", value=goal, allowed="no steps beside it")
            made = self.plan(goal)
        if isinstance(made, Plan):
            return self.carry_out(made)
        return self.carry_out(read_plan(made, parallel, on_failure, agents))

    def plan(self, goal: Any) -> Plan | Iterable[StepLike]:
        """The plan for a goal, for those who derive from this class.

        Args:
            goal: what stands in the task's data.
        """
        raise ConfigError(
            f"{type(self).__qualname__} makes no plan of a goal: give it steps, or derive a class with a method plan",
            key="goal",
            value=goal,
        )

    def decide(self, ended: StepReport, results: Mapping[str, Any]) -> Iterable[StepLike]:
        """What is to be done now that a step has ended: further steps, for those who derive from this class.

        What it raises stops the plan.

        Args:
            ended: what became of the step: "completed" or "skipped".
            results: the results of all steps so far, by id.
        """
        del ended, results
        return ()

    def carry_out(self, plan: Plan | Iterable[StepLike]) -> PlanReport:
        """Carry out a plan and wait for its end; in state waiting, so that others can use the place.

        Whatever ends it before its time, also a cancellation, cancels the tasks that it has handed in and ends the agents
        that it has started.

        Raises:
            PlanFailed, ConfigError: as for `orchestrate`.
        """
        wanted = plan if isinstance(plan, Plan) else read_plan(plan)
        return _Course(self, wanted).run()


class _Course:
    """One plan under way."""

    def __init__(self, worker: Orchestrator, plan: Plan) -> None:
        self._worker = worker
        self._plan = plan
        self._run = PlanRun(plan, worker.clock.monotonic())
        self._pending = worker.as_completed()
        self._steps: dict[TaskFuture[Any], str] = {}
        # The future of each completed step, whose result others get without a way through here.
        self._futures: dict[str, TaskFuture[Any]] = {}
        self._results: dict[str, Any] = {}
        self._team: list[AgentRef] = []
        self._job = worker.job or worker.task_id
        self._cause: tuple[str, BaseException] | None = None

    def run(self) -> PlanReport:
        try:
            for team in self._plan.agents:
                self._team += [self._spawn(team) for _ in range(team.count)]
            self._go_on()
            while self._steps:
                self._has_ended(next(self._pending))
                self._go_on()
            self._end_team()
        except BaseException:
            self._give_up()
            raise
        report = self._run.report(self._worker.clock.monotonic(), [agent.agent_id for agent in self._team])
        if not self._run.stopped:
            return report
        step, cause = self._cause or ("", None)
        raise PlanFailed(f"the plan was stopped: {self._run.stopped}", step=step, report=report) from cause

    def _spawn(self, team: Team) -> AgentRef:
        config = AgentConfig(limits=Limits(**team.limits), arguments=dict(team.arguments), job=self._job)
        return self._worker.spawn(team.type, config)

    # --- steps -----------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Hand in what can begin; when the plan is stopped, cancel what runs."""
        while begun := self._run.begin(self._worker.clock.monotonic()):
            for begin in begun:
                try:
                    future = self._hand_in(begin)
                except (ActorsError, TypeError) as error:
                    self._failed(begin.id, error)
                else:
                    self._run.handed_in(begin.id, future.task_id)
                    self._steps[future] = begin.id
                    self._pending.add(future)
        if self._run.stopped and self._steps:
            self._cancel_all()

    def _hand_in(self, begin: Begin) -> TaskFuture[Any]:
        step = begin.step
        data = {name: self._filled(value, 1) for name, value in step.data.items()}
        if step.call is None:
            return self._worker.submit_task(step.spec(data, job=self._job))
        named: dict[str, Any] = {
            "priority": step.priority,
            "timeout": step.timeout,
            "retries": step.retries,
            "duration": step.duration,
        }
        options = {name: value for name, value in named.items() if value is not None}
        if step.requires:
            options["requires"] = step.requires
        if step.resources:
            options["resources"] = dict(step.resources)
        return self._worker.options(job=self._job, **options).submit(step.call, **data)

    def _filled(self, value: Any, depth: int) -> Any:
        """Data with the results of other steps in their places."""
        if isinstance(value, Mapping) and set(value) == {"result_of"}:
            step = value["result_of"]
            return self._futures.get(step, self._run.result(step))
        if depth and isinstance(value, Mapping):
            return {name: self._filled(one, 0) for name, one in value.items()}
        if depth and type(value) in (list, tuple):
            return type(value)(self._filled(one, 0) for one in value)
        return value

    def _has_ended(self, future: TaskFuture[Any]) -> None:
        step = self._steps.pop(future)
        now = self._worker.clock.monotonic()
        if self._run.stopped:
            self._run.cancelled(step, now)
            return
        try:
            result = future.result()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what became of the step
            self._failed(step, error)
            return
        self._futures[step] = future
        self._run.completed(step, result, now)
        self._told(step, result)

    def _failed(self, step: str, error: Exception) -> None:
        now = self._worker.clock.monotonic()
        self._run.failed(step, error, now)
        if self._run.stopped:
            self._cause = step, error
        elif self._run.step_report(step, now).status == "skipped":
            self._told(step, self._run.result(step))

    def _told(self, step: str, result: Any) -> None:
        """A step has ended well enough: tell of it, and ask what is to be done now."""
        run, worker = self._run, self._worker
        self._results[step] = result
        report = run.step_report(step, worker.clock.monotonic())
        run.add([read_step(one) for one in worker.decide(report, self._results)], step)
        worker.progress(run.ended / len(run), f"{step} {report.status}")

    # --- the end ---------------------------------------------------------------------------------------------------

    def _cancel_all(self) -> None:
        now = self._worker.clock.monotonic()
        steps, self._steps = self._steps, {}
        for future, step in steps.items():
            future.cancel(f"the plan was stopped: {self._run.stopped}")
            self._run.cancelled(step, now)

    def _end_team(self) -> None:
        for agent in self._team:
            with contextlib.suppress(ActorsError):
                self._worker.terminate(agent, _END_TEAM, "the plan that it was started for has ended")

    def _give_up(self) -> None:
        """Something has ended the plan before its time, perhaps the agent's own end: leave nothing that runs on."""
        with contextlib.suppress(ActorsError):
            self._run.stop("its orchestration was interrupted")
            self._cancel_all()
        self._end_team()
