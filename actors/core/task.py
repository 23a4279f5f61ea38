"""A unit of work: what is asked, how it stands, and how it looks from outside."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from actors.core.amounts import Amounts, Needed, amount_of, needed_text
from actors.core.errortext import line_of
from actors.core.retry import Backoff
from actors.core.story import Attempt, Story
from actors.errors import ConfigError, IllegalTransition
from actors.protocol.messages import Failure
from actors.protocol.states import TASK_MOVES, TaskStatus

if TYPE_CHECKING:
    from actors.protocol.messages import Payload

__all__ = ["Needs", "Task", "TaskInfo", "TaskKind"]

_PROGRESS_KEPT = 64
_PENDING = TaskStatus.PENDING


class Needs(NamedTuple):
    """What a task asks of an agent: its type, if one is named, and its capabilities. Waiting tasks are indexed by it.

    `gate` is the task type, if that has a circuit breaker: its tasks wait apart from others, so that they can be held
    back without a look at each. So do tasks that need the same amounts of named `resources` (in millionths, by name),
    and those of them that may get these from the same `lender`, a task above them that holds some. Equal by value; it is
    cheapest to make one for all tasks of a kind.
    """

    agent_type: str | None = None
    requires: frozenset[str] = frozenset()
    gate: str | None = None
    resources: Needed = ()
    lender: int | None = None

    def __str__(self) -> str:
        parts = [f"type {self.agent_type}"] if self.agent_type is not None else []
        if self.requires:
            parts.append("capabilities " + ", ".join(sorted(self.requires)))
        if self.resources:
            parts.append(needed_text(self.resources))
        return " and ".join(parts) or "any agent"


@dataclass(frozen=True, slots=True)
class TaskKind:
    """What all tasks that are submitted the same way have in common, so that it is stored once.

    Args:
        name: the task type, for people and history: "thumbnailer.shrink", "general".
        needs: which agents can take it.
        call: the worker's task method, or "" when the payload brings its own callable.
        job: the tasks and agents that it belongs to.
        priority: 1 (low) to 4 (critical).
        timeout: its time limit in seconds from the start of its body; None or infinity for no limit.
        retries: how often it is repeated when its agent dies.
        error_retries: how often it is repeated when it raises one of `retry_on`.
        retry_on: the qualified names of the exception types after which it is repeated.
        backoff: how long to wait before a repetition.
        idempotent: whether it may run again after its agent died while it ran.
        duration: how long it may take, in seconds, until that has been measured; None if nobody knows.
        family: the durations of tasks of one family are averaged together; the name, if left out.
        prefers: an agent type that is rather taken than others that could do it too.
        breaker: after how many failures in a row the task type is let rest; 0 for never.
    """

    name: str
    needs: Needs
    call: str = ""
    job: str | None = None
    priority: int = 2
    timeout: float | None = None
    retries: int = 0
    error_retries: int = 0
    retry_on: tuple[str, ...] = ()
    backoff: Backoff = field(default_factory=Backoff)
    idempotent: bool = True
    duration: float | None = None
    family: str = ""
    prefers: str | None = None
    breaker: int = 0

    def __post_init__(self) -> None:
        if not self.family:
            object.__setattr__(self, "family", self.name)
        if self.breaker:
            object.__setattr__(self, "needs", self.needs._replace(gate=self.name))
        if self.priority not in (1, 2, 3, 4):
            message = f"a task's priority is 1 (low), 2 (normal), 3 (high) or 4 (critical), not {self.priority!r}"
            raise ConfigError(message, key="priority", value=self.priority, allowed="1, 2, 3 or 4")
        for name in ("timeout", "duration"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                message = f"a task's {name} is a number of seconds from 0 on, or None, not {value!r}"
                raise ConfigError(message, key=name, value=value, allowed="seconds from 0 on, or None")
        if self.timeout == math.inf:
            object.__setattr__(self, "timeout", None)


class Task:
    """One task, from its submission to its outcome. Only the engine that accepted it changes it.

    Args:
        number: unique in the system, never used again.
        id: the name that people see, unique too.
        kind: what it shares with others of its kind; its fields can be read from the task as well.
        payload: the serialised arguments; nobody looks inside.
        after: the numbers of the tasks that must complete first.
        inputs: names of what it reads, so that tasks with the same inputs find an agent that has them warm.
        key: tasks with the same key go to the same agent where possible.
        parent: the number of the task that submitted it.
        handle: whatever the shell ties to it, such as the future.
    """

    __slots__ = (
        "_progress",
        "after",
        "agent",
        "assigned",
        "attempt",
        "cancelling",
        "created",
        "dependents",
        "due",
        "ended",
        "error",
        "estimate",
        "handle",
        "id",
        "incarnation",
        "inputs",
        "key",
        "kind",
        "missing",
        "number",
        "once",
        "order",
        "parent",
        "payload",
        "queued",
        "ready",
        "result",
        "results",
        "retried",
        "spared",
        "started",
        "status",
        "story",
        "taken",
        "watched",
    )

    def __init__(
        self,
        number: int,
        id: str,  # noqa: A002 - the spec's word, and the attribute's
        kind: TaskKind,
        payload: Payload = None,
        *,
        after: tuple[int, ...] = (),
        inputs: frozenset[str] = frozenset(),
        key: str | None = None,
        parent: int | None = None,
        handle: Any = None,
    ) -> None:
        self.number = number
        self.id = id
        self.kind = kind
        self.payload: Payload = payload
        self.after = after
        self.inputs = inputs
        self.key = key
        self.parent = parent
        self.handle = handle
        # The name under which it was submitted once.
        self.once: str | None = None
        self.status = _PENDING
        # Which try this is: 0 before the first, counted up by each assignment and back by each return unstarted.
        self.attempt = 0
        # How many of its repetitions it has used up.
        self.retried = 0
        # Monotonic seconds.
        self.created: float = 0.0
        self.ready: float | None = None
        self.assigned: float | None = None
        self.started: float | None = None
        self.ended: float | None = None
        # Where it is, or was last. Set exactly while assigned or in progress, and kept after the end.
        self.agent: str | None = None
        self.incarnation = 0
        self.result: Payload = None
        self.error: BaseException | Failure | None = None
        # Whether its result was taken and freed.
        self.taken = False
        # Whether somebody beside the engine reads this very object, so that no other one may take its place.
        self.watched = False
        # The results of what it depends on, by number; None without dependencies. Complete once it is ready.
        self.results: dict[int, Payload] | None = None
        self._progress: deque[tuple[float, str, float]] | None = None
        # Its earlier attempts; None for most tasks.
        self.story: Story | None = None
        # The engine's own notes. `order` counts acceptances; `missing` is how many dependencies are not completed;
        # `queued` is true exactly while it stands in the waiting line; `due` is when a retry may start;
        # `estimate` is what it was counted with at its agent (negative: unknown); `cancelling` is the reason; `spared`
        # is how often its agent died although not it was running, but it may have been the cause.
        self.order = 0
        self.missing = 0
        self.dependents: list[Task] | None = None
        self.queued = False
        self.due: float | None = None
        self.estimate = 0.0
        self.cancelling: str | None = None
        self.spared = 0

    if TYPE_CHECKING:
        name: str
        needs: Needs
        call: str
        job: str | None
        priority: int
        timeout: float | None
        retries: int
        error_retries: int
        retry_on: tuple[str, ...]
        backoff: Backoff
        idempotent: bool
        duration: float | None
    else:
        name = property(attrgetter("kind.name"))
        needs = property(attrgetter("kind.needs"))
        call = property(attrgetter("kind.call"))
        job = property(attrgetter("kind.job"))
        priority = property(attrgetter("kind.priority"))
        timeout = property(attrgetter("kind.timeout"))
        retries = property(attrgetter("kind.retries"))
        error_retries = property(attrgetter("kind.error_retries"))
        retry_on = property(attrgetter("kind.retry_on"))
        backoff = property(attrgetter("kind.backoff"))
        idempotent = property(attrgetter("kind.idempotent"))
        duration = property(attrgetter("kind.duration"))

    def __repr__(self) -> str:
        return f"<Task {self.id} ({self.name}) {self.status} attempt {self.attempt}>"

    @property
    def final(self) -> bool:
        """Whether it has its outcome."""
        return not TASK_MOVES[self.status]

    @property
    def progress(self) -> tuple[tuple[float, str, float], ...]:
        """What it told about itself: (fraction, note, time) each, the last 64, oldest first."""
        return tuple(self._progress or ())

    def move(self, status: TaskStatus) -> None:
        """Change its status.

        Raises:
            IllegalTransition: `TASK_MOVES` has no such move; the status stays.
        """
        self.check_move(status)
        self.status = status

    def check_move(self, status: TaskStatus) -> None:
        """Change nothing, but raise what `move` would."""
        if status not in TASK_MOVES[self.status]:
            allowed = tuple(sorted(str(target) for target in TASK_MOVES[self.status]))
            raise IllegalTransition(
                f"task {self.id} cannot move from {self.status} to {status}: from {self.status} the legal moves are "
                f"{', '.join(allowed) or 'none (it is final)'}",
                machine=self.id,
                state=str(self.status),
                target=str(status),
                allowed=allowed,
            )

    def note_progress(self, fraction: float, note: str, time: float) -> None:
        """Remember how far it has come, 0 to 1."""
        if self._progress is None:
            self._progress = deque(maxlen=_PROGRESS_KEPT)
        self._progress.append((fraction, note, time))

    def again(self, number: int, id: str, handle: Any = None) -> Task:  # noqa: A002 - as above
        """A new task that does the same with the same arguments, whose dependencies are those that were completed."""
        kind = self.kind
        if kind.needs.lender is not None:
            # It is nobody's sub-task.
            kind = replace(kind, needs=kind.needs._replace(lender=None))
        task = Task(number, id, kind, self.payload, inputs=self.inputs, key=self.key, handle=handle)
        task.results = self.results
        task.story = Story(repeats=self.id)
        return task

    def note_attempt(self, error: str, now: float) -> None:
        """Remember the attempt that ends now and is followed by another one; said twice of one, the second counts."""
        if self.story is None:
            self.story = Story()
        attempts = self.story.attempts
        if attempts and attempts[-1].number == self.attempt:
            attempts[-1] = self._last_attempt(error, now)
        else:
            attempts.append(self._last_attempt(error, now))

    def attempts(self, error: str) -> tuple[Attempt, ...]:
        """Its tries so far, also the one under way or that came to its outcome; `error` is what it ended with."""
        earlier = () if self.story is None else tuple(self.story.attempts)
        return earlier if self.agent is None else (*earlier, self._last_attempt(error, self.ended))

    def _last_attempt(self, error: str, ended: float | None) -> Attempt:
        agent = self.agent or ""
        return Attempt(self.attempt, agent, self.incarnation, self.assigned, self.started, ended, error)

    def info(self, utc_offset: float = 0.0, id_of: Callable[[int], str] = str) -> TaskInfo:
        """How it stands now.

        Args:
            utc_offset: what to add to the engine's time to get UTC seconds.
            id_of: gives the id of the task of a number.
        """

        def utc(moment: float | None) -> float | None:
            return None if moment is None else moment + utc_offset

        kind = self.kind
        return TaskInfo(
            id=self.id,
            number=self.number,
            type=kind.name,
            job=kind.job,
            priority=kind.priority,
            dependencies=tuple(id_of(number) for number in self.after),
            requires=tuple(sorted(kind.needs.requires)),
            agent_type=kind.needs.agent_type,
            duration=kind.duration,
            timeout=kind.timeout,
            attempt=self.attempt,
            retried=self.retried,
            retries=max(kind.retries, kind.error_retries),
            created=self.created + utc_offset,
            assigned=utc(self.assigned),
            started=utc(self.started),
            ended=utc(self.ended),
            agent=self.agent,
            status=str(self.status),
            result=self.result,
            error=self.error,
            progress=self.progress,
            attempts=tuple(each.shifted(utc_offset) for each in self.attempts(line_of(self.error))),
            repeats=None if self.story is None else self.story.repeats,
            resources=tuple((name, amount_of(units)) for name, units in kind.needs.resources),
        )


@dataclass(frozen=True)
class TaskInfo:
    """How a task stands: what `TaskFuture.info` and `ActorSystem.task_info` give.

    Times are UTC seconds, durations seconds. `result` is the serialised value, `error` the exception or the record
    of one that was raised in an agent. `retries` is how often it may be repeated, `retried` how often it was. `attempts`
    are its tries, the last ones if there were many; `repeats` is the id of the task that it runs again, if it was
    `retry_dead` that submitted it. `resources` are the (name, amount) of the named resources that it needs.
    """

    id: str
    number: int
    type: str
    job: str | None
    priority: int
    dependencies: tuple[str, ...]
    requires: tuple[str, ...]
    agent_type: str | None
    duration: float | None
    timeout: float | None
    attempt: int
    retried: int
    retries: int
    created: float
    assigned: float | None
    started: float | None
    ended: float | None
    agent: str | None
    status: str
    result: Payload
    error: BaseException | Failure | None
    progress: tuple[tuple[float, str, float], ...]
    attempts: tuple[Attempt, ...] = ()
    repeats: str | None = None
    resources: Amounts = ()

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values that print as JSON: no result, and of an error its type and text."""
        shown = asdict(
            self, dict_factory=lambda pairs: {key: value for key, value in pairs if key not in ("result", "error")}
        )
        for name in ("dependencies", "requires"):
            shown[name] = list(shown[name])
        shown["resources"] = dict(self.resources)
        shown["attempts"] = [attempt.to_dict() for attempt in self.attempts]
        shown["progress"] = [list(item) for item in self.progress]
        error = self.error
        if error is None:
            shown["error"] = None
        elif isinstance(error, BaseException):
            shown["error"] = {"type": type(error).__qualname__, "text": str(error)}
        else:
            shown["error"] = {"type": error.type_names[0] if error.type_names else "", "text": error.text}
        return shown
