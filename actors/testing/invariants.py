"""What must hold in a simulated run at any moment, each by the id of what is promised.

They look at what the shipped parts have in their books, at what agents really do, and at what was promised to whoever
waits. None of them trusts a part to judge itself, but for the scheduler's own checks of its books (`Engine.check`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from actors.protocol.states import TaskStatus
from actors.testing.errors import InvariantBroken
from actors.testing.history import Moved

if TYPE_CHECKING:
    from actors.core.task import Task
    from actors.hosts.attempt import Attempt
    from actors.testing.sim.agent import SimAgent
    from actors.testing.simulation import Simulation

__all__ = ["INVARIANTS", "Invariant", "Watch"]

# Written down once more, from what is promised: a change of the shipped table is to be found.
_AGENT_MOVES = {
    "initializing": {"idle", "error"},
    "idle": {"assigned", "terminating"},
    "assigned": {"working", "error"},
    "working": {"communicating", "waiting", "completing", "error"},
    "communicating": {"working", "waiting", "error"},
    "waiting": {"working", "completing", "error"},
    "completing": {"idle", "terminating"},
    "error": {"idle", "terminating"},
    "terminating": set(),
}
# From one end of the scheduler's turn to the next a task may have made several moves.
_TASK_WAYS = {
    TaskStatus.PENDING: set(TaskStatus),
    TaskStatus.ASSIGNED: set(TaskStatus),
    TaskStatus.IN_PROGRESS: set(TaskStatus),
    TaskStatus.COMPLETED: {TaskStatus.COMPLETED},
    TaskStatus.FAILED: {TaskStatus.FAILED},
    TaskStatus.CANCELLED: {TaskStatus.CANCELLED},
}
_SLACK = 5.0
"""Virtual seconds that may go by between a deadline and what follows from it: messages travel, somebody is slow."""

_LIMIT_SLACK = 5.0


class Invariant:
    """One promise. Subclasses override what they need.

    Attributes:
        requirement: the id of what is promised.
        statement: the promise in a sentence.
    """

    requirement: ClassVar[str] = ""
    statement: ClassVar[str] = ""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim

    @property
    def name(self) -> str:
        """How it is called."""
        return type(self).__name__

    def after_step(self) -> None:
        """Called after each step."""

    def after_schedule(self) -> None:
        """Called after each turn of the scheduler."""

    def body_begins(self, agent: SimAgent, attempt: Attempt) -> None:
        """Called before the body of a task begins, in its agent."""

    def body_ends(self, agent: SimAgent, attempt: Attempt) -> None:
        """Called when the body of a task has ended, or its agent is dead."""

    def at_rest(self) -> None:
        """Called when all work is done and nothing is on its way."""

    def broken(self, text: str) -> None:
        """Say that it does not hold.

        Raises:
            InvariantBroken: always.
        """
        raise InvariantBroken(
            f"{self.requirement} {self.name}: {self.statement}. At {self.sim.now:.3f} s: {text}",
            invariant=self.name,
            requirement=self.requirement,
            time=self.sim.now,
        )


class AgentsMoveLegally(Invariant):
    """See `statement`."""

    requirement = "A2"
    statement = "an agent makes legal moves only, each from where it stands"

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._seen = 0
        self._states: dict[str, str] = {}

    def after_step(self) -> None:
        """Look at the moves since the last time."""
        entries = self.sim.history.entries
        for index in range(self._seen, len(entries)):
            entry = entries[index]
            if type(entry) is Moved and entry.kind == "agent":
                stood = self._states.get(entry.actor, "initializing")
                if entry.target not in _AGENT_MOVES[entry.source]:
                    self.broken(f"{entry.actor} moved from {entry.source} to {entry.target}")
                if entry.source != stood and self._single(entry.actor):
                    self.broken(f"{entry.actor} moved from {entry.source}, and stood in {stood}")
                self._states[entry.actor] = entry.target
        self._seen = len(entries)

    def _single(self, actor: str) -> bool:
        agent = next((each.sim for each in self.sim.host.agents.values() if each.sim.name == actor), None)
        return agent is None or agent.spec.concurrency == 1


class TasksMoveLegally(Invariant):
    """See `statement`."""

    requirement = "D8"
    statement = "a task that has its outcome keeps it, and whoever waits for it is told"

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._statuses: dict[int, TaskStatus] = {}
        self._handles: dict[int, Any] = {}

    def after_schedule(self) -> None:
        """Compare with the turn before."""
        for task in self.sim.engine.tasks():
            before = self._statuses.get(task.number, TaskStatus.PENDING)
            if task.status is not before:
                if task.status not in _TASK_WAYS[before]:
                    self.broken(f"{task.id} was {before} and is {task.status}")
                self._statuses[task.number] = task.status
                self.sim.record_task(task.id, str(before), str(task.status))
            if task.handle is not None and task.number not in self._handles:
                self._handles[task.number] = task.handle
            if task.final:
                self._check_told(task)

    def _check_told(self, task: Task) -> None:
        handle = self._handles.pop(task.number, None)
        done = getattr(handle, "done", None)
        if done is not None and not done():
            self.broken(f"{task.id} is {task.status}, and its future is not done")


class BooksAreRight(Invariant):
    """See `statement`."""

    requirement = "C3, D2, D3, D4, E4"
    statement = (
        "the scheduler's books are right: counts, queue and loads agree with its tasks, and no suitable idle agent "
        "stands beside a ready task that nothing holds back"
    )

    def after_schedule(self) -> None:
        """Let the engine check itself."""
        try:
            self.sim.engine.check()
        except AssertionError as error:
            self.broken(str(error))


class OneAgentPerTask(Invariant):
    """See `statement`."""

    requirement = "D8"
    statement = "an attempt begins once, with a number above all before, and no two agents that live run one task"

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._last: dict[int, int] = {}
        self._running: dict[int, SimAgent] = {}

    def body_begins(self, agent: SimAgent, attempt: Attempt) -> None:
        """Compare with what began before."""
        last = self._last.get(attempt.number, 0)
        if attempt.attempt <= last:
            self.broken(f"attempt {attempt.attempt} of {attempt.task_id} begins at {agent.name}, after attempt {last}")
        other = self._running.get(attempt.number)
        if other is not None and not other.dead:
            self.broken(f"{attempt.task_id} begins at {agent.name} while it runs at {other.name}")
        self._last[attempt.number] = attempt.attempt
        self._running[attempt.number] = agent

    def body_ends(self, agent: SimAgent, attempt: Attempt) -> None:
        """Forget where it ran."""
        if self._running.get(attempt.number) is agent:
            del self._running[attempt.number]


class DependenciesFirst(Invariant):
    """See `statement`."""

    requirement = "D3"
    statement = "a task begins after all of its dependencies have completed"

    def body_begins(self, agent: SimAgent, attempt: Attempt) -> None:
        """Look at what it depends on."""
        task = self.sim.engine.task(attempt.number)
        for number in task.after if task is not None else ():
            before = self.sim.engine.task(number)
            if before is not None and before.status is not TaskStatus.COMPLETED:
                self.broken(f"{attempt.task_id} begins at {agent.name}, and {before.id} is {before.status}")


class RightAgent(Invariant):
    """See `statement`."""

    requirement = "C3"
    statement = "a task runs at an agent of its type with all capabilities that it requires"

    def body_begins(self, agent: SimAgent, attempt: Attempt) -> None:
        """Compare needs and agent."""
        task = self.sim.engine.task(attempt.number)
        if task is None:
            return
        needs = task.kind.needs
        if needs.agent_type is not None and needs.agent_type != agent.spec.type:
            self.broken(f"{task.id} needs an agent of type {needs.agent_type} and begins at {agent.name}")
        missing = needs.requires - set(agent.spec.capabilities)
        if missing:
            self.broken(f"{task.id} begins at {agent.name}, which cannot {', '.join(sorted(missing))}")


class RetriesAreBounded(Invariant):
    """See `statement`."""

    requirement = "D4"
    statement = "a task begins once, and once more for each repetition that it is allowed"

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._begun: dict[int, int] = {}

    def body_begins(self, agent: SimAgent, attempt: Attempt) -> None:
        """Count."""
        task = self.sim.engine.task(attempt.number)
        if task is None:
            return
        begun = self._begun[task.number] = self._begun.get(task.number, 0) + 1
        # `spared`: it was done, and only its result was lost with its agent.
        allowed = 1 + max(task.kind.retries, task.kind.error_retries) + task.spared
        if not task.kind.idempotent and task.kind.error_retries == 0:
            allowed = 1
        if begun > allowed:
            self.broken(f"{task.id} begins for the {begun}. time, and may {allowed} times")
        if task.status is TaskStatus.CANCELLED and task.assigned is None:
            self.broken(f"{task.id} begins at {agent.name}, and was cancelled before it was assigned")


class TimeLimitsHold(Invariant):
    """See `statement`."""

    requirement = "D5"
    statement = "a body is over, or its agent dead, a grace after its time limit"

    def body_begins(self, agent: SimAgent, attempt: Attempt) -> None:
        """Look again when it must be over."""
        if attempt.timeout is None:
            return
        most = attempt.timeout + agent.spec.grace + _SLACK + self.sim.longest_delay

        def look() -> None:
            if not agent.dead and not attempt.ended:
                self.sim.fail_with(
                    self,
                    f"{attempt.task_id} still runs at {agent.name} {most:g} s after its start, of {attempt.timeout:g}",
                )

        self.sim.conductor.after(most, look)


class AgentsAreBounded(Invariant):
    """See `statement`."""

    requirement = "C1"
    statement = "no more agents live than may, in all and of each type"

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        # After their number was lowered, those too many live until they are idle.
        self._allowed = sim.declared()

    def after_schedule(self) -> None:
        """Count."""
        agents = self.sim.host.agents
        most = self.sim.assembly.most
        if len(agents) > most:
            self.broken(f"{len(agents)} agents live, and {most} may")
        kinds: dict[str, int] = {}
        for handle in agents.values():
            kind = handle.sim.spec.type
            kinds[kind] = kinds.get(kind, 0) + 1
        for kind, count in kinds.items():
            now = self.sim.assembly.types.named(kind).profile.most
            allowed = self._allowed[kind] = max(self._allowed.get(kind, 0), most if now is None else now)
            # What the program asks for one by one may be more than the most of its type.
            if count > allowed + self.sim.spawned:
                self.broken(f"{count} agents of type {kind} live, and {allowed} may")


class SilentAgentsEnd(Invariant):
    """See `statement`."""

    requirement = "A5"
    statement = "an agent that stands still is killed"

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._since: dict[str, float] = {}

    def after_schedule(self) -> None:
        """Count how long each has stood still."""
        config = self.sim.assembly.config
        most = config.heartbeat_missed + config.heartbeat_every + _SLACK + self.sim.longest_delay
        for handle in self.sim.host.agents.values():
            agent = handle.sim
            if agent.hung:
                since = self._since.setdefault(agent.name, self.sim.now)
                if self.sim.now - since > most:
                    self.broken(f"{agent.name} has stood still for {self.sim.now - since:.1f} s")


class MemoryLimitsHold(Invariant):
    """See `statement`."""

    requirement = "E2"
    statement = "an agent over its memory limit is killed at the next looks"

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._since: dict[str, float] = {}

    def after_step(self) -> None:
        """Count how long each has been over its limit."""
        for handle in self.sim.host.agents.values():
            agent = handle.sim
            limit = agent.spec.limits.get("memory")
            if limit and agent.memory > limit:
                since = self._since.setdefault(agent.name, self.sim.now)
                config = self.sim.assembly.config
                most = 2 * max(config.memory_sample_every, 1.0) + _LIMIT_SLACK + self.sim.longest_delay
                if self.sim.now - since > most:
                    self.broken(f"{agent.name} is over its limit for {self.sim.now - since:.1f} s")


class BooksAgree(Invariant):
    """See `statement`."""

    requirement = "D8, C5"
    statement = "when nothing is on its way, the scheduler and each agent agree on which tasks the agent has"

    def after_step(self) -> None:
        """Compare the books of whoever has nothing on its way."""
        sim = self.sim
        if not sim.scheduler_is_quiet():
            return
        fleet = sim.engine._book.fleet.agents  # noqa: SLF001 - there is no other way to see what it believes
        for handle in sim.host.agents.values():
            agent = handle.sim
            if not agent.settled:
                continue
            known = fleet.get(handle.agent)
            if known is None or known.incarnation != handle.incarnation:
                continue
            believed = {(number, task.attempt) for number, task in known.held.items()}
            held = agent.holds()
            if believed != held:
                self.broken(f"the scheduler says that {agent.name} has {sorted(believed)}, and it has {sorted(held)}")


class NobodyWaitsForEver(Invariant):
    """See `statement`."""

    requirement = "B3, F2"
    statement = "each question is answered"

    def at_rest(self) -> None:
        """Look at all questions that were asked."""
        for name, kind in self.sim.unanswered():
            self.broken(f"{name} has not answered {kind}")
        for handle in self.sim.host.agents.values():
            agent = handle.sim
            if agent.settled and len(agent.shipped.parts.requests):
                self.broken(f"{agent.name} waits for {len(agent.shipped.parts.requests)} answers")
        asks = self.sim.state_of("hub").mail.asks
        due = asks.next_due()
        # Whoever asked may have had enough, or be gone; then the question waits for its deadline.
        if len(asks) and (due is None or due < self.sim.clock.monotonic() - _SLACK):
            self.broken(f"the hub waits for {len(asks)} answers")


class NothingIsLeft(Invariant):
    """See `statement`."""

    requirement = "D8, D9"
    statement = "at rest nothing is left in any mailbox, table or timer but what a living agent needs"

    def at_rest(self) -> None:
        """Look into all of them."""
        sim = self.sim
        if sim.engine.unfinished:
            self.broken(f"{sim.engine.unfinished} tasks have no outcome")
        for cell in sim.dispatcher.cells:
            if len(cell.mailbox):
                self.broken(f"{len(cell.mailbox)} messages wait in the mailbox of {cell.name}")
        state = sim.state_of("scheduler")
        if state.decided or state.assignments:
            self.broken("the scheduler has not carried out what it decided")
        book = sim.engine._book  # noqa: SLF001 - as above
        if book.line.live:
            self.broken(f"{book.line.live} tasks stand in the queue")
        for agent in book.fleet.agents.values():
            if agent.held or agent.waiting or agent.interrupts:
                self.broken(f"{agent.id} is said to have {sorted(agent.held)}")
        for name, count in book.highs.items():
            if count:
                self.broken(f"{count} tasks are counted that take much {name}")
        for link in state.links:
            if link.jobs:
                self.broken(f"{link.agent} is said to work for {sorted(link.jobs.values())}")
        self._look_into_agents()

    def _look_into_agents(self) -> None:
        for handle in self.sim.host.agents.values():
            agent = handle.sim
            if agent.settled:
                parts = agent.shipped.parts
                left = len(parts.outbox) + len(parts.assignments) + len(parts.errands) + len(agent.shipped.subtasks)
                if left:
                    self.broken(f"{agent.name} has {left} things that it does not end")


INVARIANTS: tuple[type[Invariant], ...] = (
    AgentsMoveLegally,
    TasksMoveLegally,
    BooksAreRight,
    OneAgentPerTask,
    DependenciesFirst,
    RightAgent,
    RetriesAreBounded,
    TimeLimitsHold,
    AgentsAreBounded,
    SilentAgentsEnd,
    MemoryLimitsHold,
    BooksAgree,
    NobodyWaitsForEver,
    NothingIsLeft,
)
"""All that there are."""


class Watch:
    """Looks after invariants in one simulation.

    Args:
        sim: the simulation.
        kinds: which.
        own: further checks of a test, each called with the simulation after each step; one that does not hold raises.
    """

    def __init__(
        self, sim: Simulation, kinds: Iterable[type[Invariant]], own: Iterable[Callable[[Simulation], object]]
    ) -> None:
        self._sim = sim
        self._all = [kind(sim) for kind in kinds]
        self._own = list(own)
        # Found in the middle of an agent's code, which would take it for its own.
        self._found: InvariantBroken | None = None
        self._after_step = _overriding(self._all, "after_step")
        self._after_schedule = _overriding(self._all, "after_schedule")
        self._begins = _overriding(self._all, "body_begins")
        self._ends = _overriding(self._all, "body_ends")

    def after_step(self) -> None:
        """Check what a step may have broken: the scheduler's books change in its turns alone."""
        if self._found is not None:
            raise self._found
        if self._sim.scheduler_stepped():
            for look in self._after_schedule:
                look()
        for look in self._after_step:
            look()
        for check in self._own:
            check(self._sim)

    def body_begins(self, agent: SimAgent, attempt: Attempt) -> None:
        """See `BodyWatcher`."""
        self._tell(self._begins, agent, attempt)

    def body_ends(self, agent: SimAgent, attempt: Attempt) -> None:
        """See `BodyWatcher`."""
        self._tell(self._ends, agent, attempt)

    def _tell(self, looks: list[Callable[..., None]], agent: SimAgent, attempt: Attempt) -> None:
        try:
            for look in looks:
                look(agent, attempt)
        except InvariantBroken as error:
            self._found = self._found or error

    def at_rest(self) -> None:
        """Check what must hold when all work is done."""
        for each in self._all:
            each.at_rest()


def _overriding(invariants: list[Invariant], name: str) -> list[Callable[..., None]]:
    return [getattr(each, name) for each in invariants if getattr(type(each), name) is not getattr(Invariant, name)]
