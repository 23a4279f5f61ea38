"""What a program of the campaign does with agents that lead and talk to others: circles, deep trees, plans."""

from __future__ import annotations

from typing import Any, NamedTuple

from actors.core.workplan import read_plan
from actors.errors import (
    AgentDied,
    AgentLimitReached,
    AskTimeout,
    ConfigError,
    DeadLetter,
    MessageRefused,
    PlanFailed,
)
from actors.kernel.handlers import handles
from actors.testing.campaign.part import Part, Submitting
from actors.testing.campaign.workers import Clerk
from actors.worker import task
from actors.workers.orchestrator import Orchestrator

__all__ = ["Leader", "Leading"]

_TALK = (AgentDied, AskTimeout, DeadLetter, MessageRefused)
_SECONDS = 20.0


class Round(NamedTuple):
    """Ask the other one back, so often."""

    times: int
    by: Any


class Sum(NamedTuple):
    """Have a sum made by a task of one's own."""

    number: int


class Leader(Orchestrator):
    """Leads, and is asked."""

    capabilities = frozenset({"leading"})

    @handles(Round)
    def back(self, message: Round) -> int:
        """Ask back, or not any more."""
        if not message.times:
            return 0
        return 1 + int(message.by.ask(Round(message.times - 1, self.ref), _SECONDS))

    @handles(Sum)
    def sum(self, message: Sum) -> int:
        """Wait for a sub-task inside a handler."""
        return self.submit(Leader.one_more, message.number).result()

    @task(retries=3)
    def one_more(self, number: int) -> int:
        """The next number."""
        return number + 1

    @task(retries=3)
    def go_round(self, other: str, times: int) -> int:
        """Ask an agent that asks back."""
        return int(self.ask(other, Round(times, self.ref), _SECONDS))

    @task(retries=3)
    def have_summed(self, other: str, number: int) -> int:
        """Ask an agent that waits for a task of this type."""
        return int(self.ask(other, Sum(number), _SECONDS))

    @task(retries=3)
    def descend(self, depth: int) -> int:
        """How deep a line of sub-tasks is, each of which waits for the next one; of two types in turn."""
        if depth == 0:
            return 0
        if depth % 3 == 0:
            # Two: itself and the one below it.
            return self.submit(Clerk.nest, 1, 1).result() - 1 + self.submit(Leader.descend, depth - 1).result()
        return 1 + self.submit(Leader.descend, depth - 1).result()

    @task(retries=3)
    def as_they_come(self, width: int) -> int:
        """The sum of what sub-tasks give, each of which brings another one as it comes."""
        pending = self.as_completed([self.submit(Clerk.add, number, 0) for number in range(width)])
        total, more = 0, width
        for future in pending:
            total += future.result()
            if more:
                more -= 1
                pending.add(self.submit(Clerk.slow, 1, 0.01 * more))
        return total

    @task(retries=3)
    def result_of_plan(self, steps: list[dict[str, Any]], parallel: int | None) -> Any:
        """The result of the step "c"; the plan's failure is that of the step which did it."""
        try:
            return self.carry_out(read_plan(steps, parallel))["c"]
        except PlanFailed as error:
            raise (error.__cause__ or error) from None

    @task(retries=3)
    def look_and_grow(self, grow: bool) -> int:  # noqa: FBT001 - an argument as any other
        """How many there are of this type, after one more was started and ended."""
        if grow:
            self.terminate(self.spawn(Leader), timeout=1.0)
        return min(1, len([agent for agent in self.agents() if agent.agent_type == "leader"]))


class Leading(Part):
    """Agents that talk in circles, that lead, and that carry out plans."""

    def __init__(self, program: Submitting) -> None:
        super().__init__(program)
        if program.sim.journal is not None:
            # Tasks of an earlier life may start some.
            program.sim.allow_more(100)
        self.gentle = (
            self._round,
            self._summed,
            self._deep,
            self._as_they_come,
            self._plan,
        )
        self.harmful = (self._grow,)

    def _leader(self) -> str | None:
        there = [agent.agent for agent in self._system.agents() if agent.agent_type == "leader"]
        return there[self._choices.below(len(there), "leader")] if there else None

    def _round(self) -> None:
        """A circle of asks, perhaps of an agent with itself."""
        other, times = self._leader(), self._choices.below(6, "times")
        if other is not None:
            self._program.submit(Leader.go_round, other, times, value=times, errors=_TALK)

    def _summed(self) -> None:
        """A handler that waits for a task."""
        other, number = self._leader(), self._program.number()
        if other is not None:
            self._program.submit(Leader.have_summed, other, number, value=number + 1, errors=_TALK)

    def _deep(self) -> None:
        """Tasks in tasks in tasks."""
        depth = 1 + self._choices.below(12, "depth")
        self._program.submit(Leader.descend, depth, value=depth)

    def _as_they_come(self) -> None:
        """A wait for whichever comes first."""
        width = 1 + self._choices.below(4, "width")
        self._program.submit(Leader.as_they_come, width, value=sum(range(width)) + width)

    def _plan(self) -> None:
        """A plan of a few steps, one of which may fail."""
        fails = self._choices.below(3, "fails")
        steps: list[dict[str, Any]] = [
            {"id": "a", "call": Clerk.add, "data": {"a": 1, "b": 2}},
            {"id": "b", "call": Clerk.slow, "data": {"number": 4, "seconds": 0.2}},
            {"id": "c", "call": Clerk.add, "data": {"a": {"result_of": "a"}, "b": {"result_of": "b"}}},
        ]
        if fails:
            failing = {"id": "x", "call": Clerk.fails, "data": {"number": 1}}
            steps.append({**failing, "on_failure": ("skip", "stop")[fails - 1], "attempts": 2})
        parallel = (None, 1, 2)[self._choices.below(3, "parallel")]
        value = None if fails == 2 else 7
        errors = (LookupError,) if fails == 2 else ()
        self._program.submit(Leader.result_of_plan, steps, parallel, value=value, errors=errors)

    def _grow(self) -> None:
        """An agent that is started and ended by a task."""
        self._program.harmed()
        grow = self._choices.below(2, "grow") == 0
        # Each attempt may start one more than the type is to have.
        self._sim.allow_more(4 if grow else 0)
        errors = (AgentLimitReached, AgentDied, AskTimeout, ConfigError)
        self._program.submit(Leader.look_and_grow, grow, value=1, errors=errors)
