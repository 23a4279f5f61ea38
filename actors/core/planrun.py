"""The course of a plan: which steps begin now, and what the end of one means for the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from actors.core.errortext import text_of
from actors.core.planorder import first_circle
from actors.core.planreport import PlanReport, StepReport
from actors.core.workplan import Plan, Step
from actors.errors import ConfigError

__all__ = ["Begin", "PlanRun"]


class Begin(NamedTuple):
    """A step is to be handed in now: `step`, or the one that is done in its place, under the same id."""

    id: str
    step: Step


class _State:
    """How one step stands."""

    __slots__ = (
        "added_by",
        "attempts",
        "began",
        "blocked",
        "ended",
        "error",
        "instead",
        "result",
        "status",
        "step",
        "tasks",
        "tried",
    )

    def __init__(self, step: Step, added_by: str) -> None:
        self.step = step
        self.added_by = added_by
        # The steps that come first and have not ended.
        self.blocked: set[str] = set()
        self.status = "not_started"
        self.tried = 0
        self.attempts = 0
        self.instead = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.began: float | None = None
        self.ended: float | None = None
        self.tasks: list[str] = []

    @property
    def doing(self) -> Step:
        """The step, or the one that is done in its place."""
        instead = self.step.instead
        return instead if self.instead and instead is not None else self.step


class PlanRun:
    """Knows how each step of a plan stands. Pure: it is told what has ended, and tells what begins.

    Args:
        plan: what is to be done.
        now: the time in seconds, on any clock that only grows.

    Raises:
        ConfigError: an id stands twice or nothing has it, or steps wait for each other in a circle.

    Invariant: a step is in `_ready`, or waits for others (`blocked`), or is running, or has ended; each exactly once. It is
    handed in only while no step has failed for good under "stop".
    """

    def __init__(self, plan: Plan, now: float = 0.0) -> None:
        self._plan = plan
        self._began = now
        self._states: dict[str, _State] = {}
        # The steps that wait for a step, by its id.
        self._next: dict[str, list[str]] = {}
        # In the order in which they begin; a dict, because that is an ordered set.
        self._ready: dict[str, None] = {}
        self._running: dict[str, None] = {}
        self._stopped = ""
        self._ended = 0
        self.add(plan.steps, "")

    # --- how it stands ---------------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether nothing runs and nothing is to begin any more."""
        return not self._running and (bool(self._stopped) or not self._ready)

    @property
    def stopped(self) -> str:
        """Why the plan is stopped; empty while it is not."""
        return self._stopped

    @property
    def running(self) -> tuple[str, ...]:
        """The ids of the steps that run."""
        return tuple(self._running)

    @property
    def ended(self) -> int:
        """How many steps have ended."""
        return self._ended

    def __len__(self) -> int:
        return len(self._states)

    def result(self, step: str) -> Any:
        """The result of a step that has completed or was skipped."""
        return self._states[step].result

    # --- what happens ----------------------------------------------------------------------------------------------

    def add(self, steps: Iterable[Step], added_by: str) -> None:
        """Take more steps into the plan.

        Args:
            steps: the steps.
            added_by: the step whose result adds them; empty for those of the plan itself.

        Raises:
            ConfigError: an id stands twice or nothing has it, or they wait for each other in a circle; then none of them
                is taken.
        """
        new: dict[str, _State] = {}
        for step in steps:
            if step.id in self._states or step.id in new:
                raise ConfigError(f"step {step.id!r} is in the plan twice: ids are unique", key="id", value=step.id)
            new[step.id] = _State(step, added_by)
        for state in new.values():
            state.blocked = self._blocked(state.step, new)
        circle = first_circle({step_id: state.blocked & new.keys() for step_id, state in new.items()})
        if circle:
            shown = " → ".join(circle)
            message = f"steps wait for each other in a circle: {shown}; take one `after` or `result_of` of these away"
            raise ConfigError(message, key="after", value=circle)
        self._states.update(new)
        for step_id, state in new.items():
            for needed in state.blocked:
                self._next.setdefault(needed, []).append(step_id)
            if not state.blocked:
                self._ready[step_id] = None

    def _blocked(self, step: Step, new: dict[str, _State]) -> set[str]:
        """The steps that come before one and have not ended."""
        found = set()
        for needed in step.needs():
            state = new.get(needed) or self._states.get(needed)
            if state is None:
                known = ", ".join([*self._states, *new])
                message = f"step {step.id!r} comes after {needed!r}, which is no step of the plan; there are {known}"
                raise ConfigError(message, key="after", value=needed, allowed=known)
            if state.ended is None:
                found.add(needed)
        return found

    def begin(self, now: float) -> list[Begin]:
        """The steps that are to be handed in now; from now on they run."""
        begun: list[Begin] = []
        most = self._plan.parallel
        while self._ready and not self._stopped and (most is None or len(self._running) < most):
            step_id = next(iter(self._ready))
            del self._ready[step_id]
            self._running[step_id] = None
            state = self._states[step_id]
            state.tried += 1
            state.attempts += 1
            if state.began is None:
                state.began = now
            begun.append(Begin(step_id, state.doing))
        return begun

    def handed_in(self, step: str, task: str) -> None:
        """A step that begins has become a task of that id."""
        self._states[step].tasks.append(task)

    def completed(self, step: str, result: Any, now: float) -> None:
        """A step that runs has its result. What that adds to the plan is in it afterwards.

        Raises:
            ConfigError: a rule of the step does not fit its result; the plan is stopped then.
        """
        state = self._end(step, "completed", now)
        state.result = result
        try:
            for rule in state.step.then:
                self.add(rule.steps(step, result), step)
        except ConfigError as error:
            self.stop(f"what step {step!r} adds does not fit: {error}")
            raise
        self._release(step)

    def failed(self, step: str, error: BaseException, now: float) -> None:
        """A step that runs has failed: it is tried again, done otherwise, skipped, or it stops the plan."""
        state = self._states[step]
        state.error = error
        if state.tried < state.doing.attempts and not self._stopped:
            self._again(step)
            return
        if state.step.instead is not None and not state.instead and not self._stopped:
            state.instead, state.tried = True, 0
            self._again(step)
            return
        if (state.step.on_failure or self._plan.on_failure) == "skip":
            self._end(step, "skipped", now)
            state.result = state.step.default
            self._release(step)
            return
        self._end(step, "failed", now)
        self.stop(f"step {step!r} failed: {text_of(error)}")

    def cancelled(self, step: str, now: float) -> None:
        """A step that ran when the plan was stopped has ended."""
        self._end(step, "cancelled", now)

    def stop(self, reason: str) -> None:
        """Begin nothing more. What runs is for whoever stops it to cancel."""
        self._stopped = self._stopped or reason

    def report(self, now: float, agents: Iterable[str] = ()) -> PlanReport:
        """What has become of all steps so far."""
        return PlanReport(
            status="stopped" if self._stopped else "completed",
            reason=self._stopped,
            steps={step_id: self.step_report(step_id, now) for step_id in self._states},
            seconds=now - self._began,
            agents=tuple(agents),
        )

    def step_report(self, step: str, now: float) -> StepReport:
        """What has become of a step so far."""
        state = self._states[step]
        until = now if state.ended is None else state.ended
        failed = state.status in ("skipped", "failed")
        return StepReport(
            id=step,
            status=state.status,
            result=state.result,
            error=text_of(state.error) if failed and state.error is not None else "",
            attempts=state.attempts,
            instead=state.instead and state.status == "completed",
            tasks=tuple(state.tasks),
            seconds=0.0 if state.began is None else until - state.began,
            added_by=state.added_by,
        )

    # --- inside ----------------------------------------------------------------------------------------------------

    def _again(self, step: str) -> None:
        del self._running[step]
        # Before all that has not begun: others wait for it.
        self._ready = {step: None, **self._ready}

    def _end(self, step: str, status: str, now: float) -> _State:
        del self._running[step]
        state = self._states[step]
        state.status, state.ended = status, now
        self._ended += 1
        return state

    def _release(self, step: str) -> None:
        for step_id in self._next.pop(step, ()):
            state = self._states[step_id]
            state.blocked.discard(step)
            if not state.blocked:
                self._ready[step_id] = None
