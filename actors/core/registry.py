"""Who is there: the agents by id, type and job, how they do, and whom a message is for."""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING, NamedTuple

from actors.core.agentstatus import AgentStatus
from actors.core.subscriptions import Subject
from actors.errors import ConfigError
from actors.protocol.messages import ALL, HUB, SCHEDULER, job_group, type_group
from actors.protocol.states import AgentState

if TYPE_CHECKING:
    from actors.protocol.messages import Heartbeat, Registration

__all__ = ["DeadLetterRecord", "Departure", "Overdue", "Registry"]

_JOB, _TYPE = job_group(""), type_group("")
_KEPT_DEAD_LETTERS = 1000
# An agent whose start fails goes from initializing by error to its end: until it was idle it is not ready.
_NOT_READY = frozenset({AgentState.INITIALIZING, AgentState.ERROR, AgentState.TERMINATING})


class DeadLetterRecord(NamedTuple):
    """A message that had no recipient. `time` is UTC seconds."""

    recipient: str
    message: str
    sender: str
    time: float


class Departure(NamedTuple):
    """An agent is gone: how it was last seen, and who wanted to be told."""

    status: AgentStatus
    watchers: tuple[str, ...]


class Overdue(NamedTuple):
    """An agent has been silent for so many seconds."""

    agent: str
    incarnation: int
    silence: float


class _Record:
    """An agent that lives, or whose next incarnation is on the way."""

    __slots__ = (
        "agent",
        "agent_type",
        "beat",
        "bound",
        "heard",
        "incarnation",
        "jobs",
        "registration",
        "state",
        "unresponsive",
    )

    def __init__(self, agent: str, agent_type: str, incarnation: int, now: float, bound: str | None) -> None:
        self.agent = agent
        self.agent_type = agent_type
        # The job of all its incarnations; `jobs` has it too, beside those of the tasks of this one.
        self.bound = bound
        self.jobs: Counter[str] = Counter()
        self.begin(incarnation, now)

    def begin(self, incarnation: int, now: float) -> None:
        self.incarnation = incarnation
        self.state = AgentState.INITIALIZING
        self.registration: Registration | None = None
        self.beat: Heartbeat | None = None
        self.heard = now
        self.unresponsive = False


class Registry:
    """Knows every agent of the system, from the moment that its start was asked for until it is gone for good.

    Everything that an agent says names its incarnation: what an old one said is dropped (the methods say so by False
    or None).

    Args:
        heartbeat_missed: seconds of silence that are too many.

    Invariants: `_types[t]` and `_jobs[j]` hold exactly the agents of that type and at work on that job, and no entry is
    empty; `_quiet` holds exactly the agents that have been idle once, the longest unheard first.
    """

    def __init__(self, heartbeat_missed: float = 60.0) -> None:
        self.heartbeat_missed = heartbeat_missed
        self.dead_letter_count = 0
        self._agents: dict[str, _Record] = {}
        self._types: dict[str, dict[str, None]] = {}
        self._jobs: dict[str, dict[str, None]] = {}
        self._quiet: OrderedDict[str, float] = OrderedDict()
        self._free: dict[str, list[int]] = {}  # numbers below the highest that are free again, a heap for each type
        self._highest: Counter[str] = Counter()
        self._dead_letters: deque[DeadLetterRecord] = deque(maxlen=_KEPT_DEAD_LETTERS)
        self._watchers: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._agents)

    def __contains__(self, agent: object) -> bool:
        return agent in self._agents

    # Their lives.

    def new_id(self, agent_type: str) -> str:
        """The id for a further agent of a type: the lowest number that is free. It is taken until `gone`.

        Example:
            >>> registry.new_id("file_analyzer")
            'file_analyzer-1'
        """
        free = self._free.get(agent_type)
        while True:
            if free:
                number = heapq.heappop(free)
            else:
                self._highest[agent_type] += 1
                number = self._highest[agent_type]
            # An agent may have come with an id that was not taken from here.
            if f"{agent_type}-{number}" not in self._agents:
                return f"{agent_type}-{number}"

    def release_id(self, agent: str, agent_type: str) -> None:
        """Give back an id from `new_id` that never became an agent's, or whose agent is gone."""
        number = agent.removeprefix(f"{agent_type}-")
        if number.isdecimal() and 0 < int(number) <= self._highest[agent_type]:
            free = self._free.setdefault(agent_type, [])
            if int(number) not in free:
                heapq.heappush(free, int(number))

    def starting(self, agent: str, agent_type: str, incarnation: int, now: float, job: str | None = None) -> None:
        """Note that an agent's start was asked for, or that of its next incarnation.

        Args:
            agent: its id.
            agent_type: its type, which never changes.
            incarnation: above that of any life before.
            now: monotonic seconds.
            job: the job that it is bound to.

        Raises:
            ConfigError: the id has another type, or lived in this incarnation or a later one already.
        """
        record = self._agents.get(agent)
        if record is None:
            record = _Record(agent, agent_type, incarnation, now, job)
            self._types.setdefault(agent_type, {})[agent] = None
            if job is not None:
                record.jobs[job] = 1
                self._jobs.setdefault(job, {})[agent] = None
            # Last, so that after a failure before this it can be told again.
            self._agents[agent] = record
            return
        if record.agent_type != agent_type or record.incarnation >= incarnation:
            came = f"{agent_type} #{incarnation}"
            allowed = f"{record.agent_type}, an incarnation above {record.incarnation}"
            message = f"agent {agent} is {record.agent_type} #{record.incarnation}; {came} cannot take its place"
            raise ConfigError(message, key="agent", value=agent, allowed=allowed)
        self._quiet.pop(agent, None)
        self._begin(record, incarnation, now)

    def knows(self, agent: str, incarnation: int) -> bool:
        """Whether the agent is there in this incarnation, or a later one."""
        record = self._agents.get(agent)
        return record is not None and record.incarnation >= incarnation

    def register(self, registration: Registration, now: float) -> bool:
        """Take an agent's word on who it is. False: it is unknown, of an old incarnation, or of another type."""
        record = self._current(registration.agent, registration.incarnation)
        if record is None or record.agent_type != registration.type:
            return False
        record.registration = registration
        record.heard = now
        return True

    def heartbeat(self, beat: Heartbeat, now: float) -> AgentState | None:
        """Take an agent's sign of life.

        Returns:
            The state that it was in before; None: it is unknown, of an old incarnation, or has not registered.
        """
        record = self._current(beat.agent, beat.incarnation)
        if record is None or record.registration is None:
            return None
        previous = record.state
        record.beat = beat
        record.state = AgentState(beat.state)
        self._hear(record, now)
        return previous

    def moved(self, agent: str, incarnation: int, state: AgentState, now: float) -> AgentState | None:
        """Note a state that became known otherwise than by a heartbeat. Returns as `heartbeat` does."""
        record = self._current(agent, incarnation)
        if record is None or record.registration is None:
            return None
        previous, record.state = record.state, state
        self._hear(record, now)
        return previous

    def is_ready(self, agent: str) -> bool:
        """Whether the agent has been idle in its present incarnation."""
        return agent in self._quiet

    def gone(self, agent: str, incarnation: int, now: float, *, replaced: bool = False) -> Departure | None:
        """Note that an agent is gone.

        Args:
            agent: its id.
            incarnation: which one ended.
            now: monotonic seconds.
            replaced: its next incarnation is on the way: it keeps its id, and stays known as initializing.

        Returns:
            How it was last seen and who watched this incarnation; None if it is unknown or a later one lives.
        """
        record = self._current(agent, incarnation)
        if record is None:
            return None
        departure = Departure(self._status(record, now), tuple(self._watchers.pop(agent, ())))
        self._quiet.pop(agent, None)
        if replaced:
            self._begin(record, incarnation, now)
            return departure
        del self._agents[agent]
        self._drop(self._types, record.agent_type, agent)
        for job in record.jobs:
            self._drop(self._jobs, job, agent)
        self.release_id(agent, record.agent_type)
        return departure

    # Jobs.

    def joins(self, agent: str, job: str, incarnation: int | None = None) -> None:
        """Note that an agent has begun to work for a job, once more if it does already.

        Unknown agents are ignored, and so is another incarnation than the present one, if one is named: what an agent
        has taken on ends with it.
        """
        record = self._agents.get(agent)
        if record is not None and incarnation in (None, record.incarnation):
            record.jobs[job] += 1
            self._jobs.setdefault(job, {})[agent] = None

    def leaves(self, agent: str, job: str, incarnation: int | None = None) -> None:
        """Take back one `joins`. One that was not made is ignored."""
        record = self._agents.get(agent)
        if record is None or not record.jobs[job] or incarnation not in (None, record.incarnation):
            return
        record.jobs[job] -= 1
        if not record.jobs[job]:
            del record.jobs[job]
            self._drop(self._jobs, job, agent)

    def subject(self, agent: str) -> Subject | None:
        """Where an agent stands for subscriptions, or None if there is no such agent."""
        record = self._agents.get(agent)
        return None if record is None else Subject(record.agent_type, frozenset(+record.jobs))

    # Whom a message is for.

    def resolve(self, recipient: str) -> list[str]:
        """The ids behind a recipient, in the order they came: agents, or the hub or the scheduler itself.

        Empty is nobody: a dead letter, except for a group (see `is_group`), which may be empty.
        """
        if recipient in self._agents or recipient in {HUB, SCHEDULER}:
            return [recipient]
        if recipient == ALL:
            return list(self._agents)
        if recipient.startswith(_TYPE):
            return list(self._types.get(recipient.removeprefix(_TYPE), ()))
        if recipient.startswith(_JOB):
            return list(self._jobs.get(recipient.removeprefix(_JOB), ()))
        return []

    @staticmethod
    def is_group(recipient: str) -> bool:
        """Whether the recipient means all of something, of which there may be none."""
        return recipient == ALL or recipient.startswith((_TYPE, _JOB))

    def dead_letter(self, recipient: str, message: str, sender: str, time: float) -> DeadLetterRecord:
        """Count a message that had no recipient, and keep it among the last thousand. `time` is UTC seconds."""
        self.dead_letter_count += 1
        record = DeadLetterRecord(recipient, message, sender, time)
        self._dead_letters.append(record)
        return record

    def dead_letters(self) -> list[DeadLetterRecord]:
        """The last messages that had no recipient, the oldest first."""
        return list(self._dead_letters)

    # Who wants to know.

    def watch(self, watcher: str, target: str) -> bool:
        """Have the watcher named in the target's `Departure`. False: there is no such agent; tell it at once."""
        if target not in self._agents:
            return False
        self._watchers.setdefault(target, {})[watcher] = None
        return True

    def overdue(self, now: float) -> list[Overdue]:
        """The agents that have been silent for too long, the longest first. Each is named again a period later."""
        found = []
        while self._quiet:
            agent, since = next(iter(self._quiet.items()))
            if now - since <= self.heartbeat_missed:
                break
            record = self._agents[agent]
            found.append(Overdue(agent, record.incarnation, now - record.heard))
            self._quiet[agent] = now
            self._quiet.move_to_end(agent)
        return found

    def next_overdue(self) -> float | None:
        """After which monotonic time `overdue` has something to say, if nobody is heard until then; or None."""
        since = next(iter(self._quiet.values()), None)
        return None if since is None else since + self.heartbeat_missed

    def set_unresponsive(self, agent: str, incarnation: int) -> bool:
        """Note that a silent agent's process is busy. Its next sign of life clears it. False: not this incarnation."""
        record = self._current(agent, incarnation)
        if record is not None:
            record.unresponsive = True
        return record is not None

    # What can be seen.

    def incarnation(self, agent: str) -> int | None:
        """The agent's present incarnation, or None if there is no such agent."""
        record = self._agents.get(agent)
        return None if record is None else record.incarnation

    def agent_type(self, agent: str) -> str | None:
        """The agent's type, or None if there is no such agent."""
        record = self._agents.get(agent)
        return None if record is None else record.agent_type

    def status(self, agent: str, now: float) -> AgentStatus | None:
        """One agent, or None if there is no such agent."""
        record = self._agents.get(agent)
        return None if record is None else self._status(record, now)

    def statuses(self, now: float) -> list[AgentStatus]:
        """All agents, in the order they came."""
        return [self._status(record, now) for record in self._agents.values()]

    def types(self) -> dict[str, int]:
        """How many agents there are of each type."""
        return {agent_type: len(agents) for agent_type, agents in self._types.items()}

    def check(self) -> None:
        """Raise AssertionError unless every invariant holds. For tests: it looks at every agent."""
        types: dict[str, set[str]] = {}
        jobs: dict[str, set[str]] = {}
        for agent, record in self._agents.items():
            types.setdefault(record.agent_type, set()).add(agent)
            for job in +record.jobs:
                jobs.setdefault(job, set()).add(agent)
        _must({key: set(agents) for key, agents in self._types.items()} == types, "agents by type")
        _must({key: set(agents) for key, agents in self._jobs.items()} == jobs, "agents by job")
        _must(set(self._quiet) <= set(self._agents), "only known agents can be overdue")
        _must(list(self._quiet.values()) == sorted(self._quiet.values()), "the longest unheard first")
        _must(set(self._watchers) <= set(self._agents), "only known agents are watched")

    def _current(self, agent: str, incarnation: int) -> _Record | None:
        record = self._agents.get(agent)
        return record if record is not None and record.incarnation == incarnation else None

    def _begin(self, record: _Record, incarnation: int, now: float) -> None:
        for job in record.jobs:
            self._drop(self._jobs, job, record.agent)
        record.jobs.clear()
        record.begin(incarnation, now)
        if record.bound is not None:
            self.joins(record.agent, record.bound)

    def _hear(self, record: _Record, now: float) -> None:
        record.heard = now
        record.unresponsive = False
        if record.state not in _NOT_READY or record.agent in self._quiet:
            self._quiet[record.agent] = now
            self._quiet.move_to_end(record.agent)

    def _status(self, record: _Record, now: float) -> AgentStatus:
        who, beat = record.registration, record.beat
        return AgentStatus(
            agent=record.agent,
            agent_type=record.agent_type,
            incarnation=record.incarnation,
            state=record.state,
            pid=None if who is None else who.pid,
            host_name=None if who is None else who.host_name,
            capabilities=frozenset() if who is None else frozenset(who.capabilities),
            limits={} if who is None else dict(who.limits),
            jobs=frozenset(+record.jobs),
            started_at=None if who is None else who.started_at,
            uptime=0.0 if beat is None else beat.uptime,
            last_heartbeat=None if beat is None else beat.time,
            silence=max(0.0, now - record.heard),
            unresponsive=record.unresponsive,
            task=None if beat is None else beat.task,
            tasks_assigned=0 if beat is None else beat.tasks_assigned,
            tasks_done=0 if beat is None else beat.tasks_done,
            memory_kb=0 if beat is None else beat.memory_kb,
            cpu_percent=0.0 if beat is None else beat.cpu_percent,
            open_files=0 if beat is None else beat.open_files,
        )

    @staticmethod
    def _drop(index: dict[str, dict[str, None]], key: str, agent: str) -> None:
        members = index.get(key)
        if members is not None:
            members.pop(agent, None)
            if not members:
                del index[key]


def _must(holds: object, what: str) -> None:
    if not holds:
        raise AssertionError(what)
