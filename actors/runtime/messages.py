"""What the system's own actors say to each other. None of these leaves the program's process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

# Whoever talks to the system's actors imports this, also where none of them runs.
if TYPE_CHECKING:
    from actors.config import AgentConfig, Limits
    from actors.core.children import Restart
    from actors.core.engine import Engine
    from actors.core.task import Task
    from actors.errors import AgentDied
    from actors.hosts.exitreport import ExitReport
    from actors.hosts.host import AgentHandle
    from actors.kernel.reply import Reply
    from actors.protocol.events import Event
    from actors.protocol.messages import AdjustmentRequest, Envelope, EventMessage, Heartbeat
    from actors.runtime.worker_type import WorkerType

__all__ = [
    "AddListener",
    "AdjustmentAsked",
    "AdmissionChanged",
    "AgentExited",
    "AgentGone",
    "AgentMeasure",
    "AgentReady",
    "AgentStarting",
    "AgentsMeasured",
    "AskStatus",
    "CancelAll",
    "CancelTask",
    "Control",
    "ControlReceived",
    "DrainAgent",
    "FindOnce",
    "ForgetTask",
    "GetUsages",
    "HeartbeatReceived",
    "Inspect",
    "InterestChanged",
    "IsWorkLeft",
    "JobChanged",
    "KillAgent",
    "KnowType",
    "LimitBreached",
    "ListAgents",
    "OutcomesFetched",
    "Ping",
    "Publish",
    "RemoveListener",
    "ReplacementDropped",
    "RequestAgent",
    "Resize",
    "RestoreTasks",
    "RetireAgent",
    "RetryDead",
    "SendToAgents",
    "SetLimits",
    "SpawnAgent",
    "SpawnFailed",
    "StartFailed",
    "StopAgents",
    "TaskReceived",
    "TaskWaiting",
    "TerminateAgent",
    "TypeFailed",
    "WhenIdle",
    "WorkBegan",
    "WorkEnded",
]


class KnowType(NamedTuple):
    """To scheduler: work of this worker type may come; agents of it can be started. `fill`: start its least now."""

    worker_type: WorkerType
    fill: bool = False


class InterestChanged(NamedTuple):
    """To scheduler: the library's own events that somebody listens to, by name; no other is made."""

    wanted: frozenset[str]


class RequestAgent(NamedTuple):
    """To scheduler: start one more agent of a type if there is room. `answer`: tell its id once it is idle."""

    worker_type: WorkerType
    config: AgentConfig | None = None
    job: str | None = None
    answer: bool = False


class SpawnAgent(NamedTuple):
    """To an agent supervisor: start one more agent. There is room for it; `reply` gets its id once it is idle."""

    config: AgentConfig | None = None
    job: str | None = None
    reply: Reply[str] | None = None
    restart: Restart | None = None
    """Whether it is replaced when it dies; None: as its type is."""


class AgentStarting(NamedTuple):
    """An agent's process has been asked for: these are its channels and its status block."""

    handle: AgentHandle
    worker_type: WorkerType
    config: AgentConfig
    job: str | None


class AgentReady(NamedTuple):
    """An agent is idle for the first time."""

    agent: str
    incarnation: int


class StartFailed(NamedTuple):
    """An agent told why it could not start; its exit follows. `failure`: the fields of a `Failure`."""

    agent: str
    incarnation: int
    failure: tuple[Any, ...]


class AgentExited(NamedTuple):
    """From the host: an agent's process has ended and is reaped."""

    report: ExitReport


class AgentGone(NamedTuple):
    """From an agent's supervisor: it has ended. `replaced`: its next incarnation is on the way."""

    agent: str
    incarnation: int
    agent_type: str
    report: ExitReport
    reason: str
    expected: bool
    replaced: bool


class ReplacementDropped(NamedTuple):
    """From an agent's supervisor: the next incarnation, which was on the way after this one, will not come."""

    agent: str
    incarnation: int
    agent_type: str
    error: AgentDied


class WhenIdle(NamedTuple):
    """To scheduler: answer once every task has its outcome; `told`: and no journal holds one back."""

    told: bool = False


class TypeFailed(NamedTuple):
    """Agents of this type cannot be started: `error` says why."""

    agent_type: str
    error: BaseException


class TerminateAgent(NamedTuple):
    """End an agent in order: its running task may finish within `timeout` seconds."""

    agent: str
    timeout: float
    reason: str
    replace: bool


class RetireAgent(NamedTuple):
    """End an idle agent that is no longer needed, if it is still this incarnation."""

    agent: str
    incarnation: int


class KillAgent(NamedTuple):
    """End an agent's process tree at once; it is replaced."""

    agent: str
    incarnation: int
    reason: str


class DrainAgent(NamedTuple):
    """To scheduler: give the agent no new work and take back what waits there."""

    agent: str


class SpawnFailed(NamedTuple):
    """To scheduler: an agent that was counted as starting will not come."""

    agent_type: str


class StopAgents(NamedTuple):
    """To an agent supervisor: end all agents, and start none any more."""

    timeout: float
    reason: str


class Resize(NamedTuple):
    """To an agent supervisor: the type with a new least and most."""

    worker_type: WorkerType


class RestoreTasks(NamedTuple):
    """To scheduler: tasks of an earlier life that the journal has: with their outcomes, and to be run.

    `cancel`: why these are to be cancelled at once; None if they are not. `dead`: those that failed for good, the one
    first that failed first.
    """

    ended: Sequence[Task]
    tasks: Sequence[Task]
    cancel: str | None = None
    dead: Sequence[Task] = ()


class OutcomesFetched(NamedTuple):
    """To scheduler: the program has had outcomes, and the journal's keeper knows of which tasks."""


class FindOnce(NamedTuple):
    """To scheduler: which record has the journal of the task that was submitted under a name? None if there is none."""

    name: str


class RetryDead(NamedTuple):
    """To scheduler: run a task that failed for good once more; `again` is number, id and future of the new one."""

    number: int
    name: str
    again: tuple[int, str, Any]


class CancelAll(NamedTuple):
    """To scheduler: cancel every task that has no outcome. `leave`: the journal keeps them for the next start."""

    reason: str
    leave: bool = False


class Control(NamedTuple):
    """To scheduler: pause or resume the starting of work."""

    word: Literal["pause", "resume"]


class Inspect(NamedTuple):
    """To scheduler: a question about tasks, asked of the engine with the time and what to add to it to get UTC."""

    question: Callable[[Engine, float, float], Any]


class TaskWaiting(NamedTuple):
    """To scheduler: a task waits for others of its own; `on` None: it goes on."""

    agent: str
    incarnation: int
    number: int
    on: Sequence[int] | None


class CancelTask(NamedTuple):
    """End a task that has no outcome yet."""

    number: int
    reason: str


class ForgetTask(NamedTuple):
    """The result of a task was taken: free it."""

    number: int


class ControlReceived(NamedTuple):
    """What came on an agent's control channel. `broken`: why nothing more will come, if so."""

    agent: str
    incarnation: int
    envelopes: list[Envelope]
    broken: str | None


class TaskReceived(NamedTuple):
    """What came on an agent's task channel. `broken`: why nothing more will come, if so."""

    agent: str
    incarnation: int
    envelopes: list[Envelope]
    broken: str | None


class Publish(NamedTuple):
    """To hub: an event for whoever subscribed to it; `message` is the same ready to travel, if agents listen."""

    event: Event
    message: EventMessage | None = None


class AddListener(NamedTuple):
    """To hub: a subscription or stream of the program, which is offered events from now on."""

    listener: Any


class RemoveListener(NamedTuple):
    """To hub: the opposite of `AddListener`."""

    listener: Any


class SendToAgents(NamedTuple):
    """To hub: a user's message for workers. With a `timeout` in seconds it asks one of them, answered by the payload."""

    recipients: tuple[str, ...]
    payload: bytes
    what: str
    timeout: float | None
    priority: int


class AskStatus(NamedTuple):
    """To hub, as an ask: have an agent send a heartbeat at once; the answer is its `AgentStatus` then."""

    agent: str
    timeout: float


class ListAgents(NamedTuple):
    """To hub, as an ask: how all agents stand."""


class JobChanged(NamedTuple):
    """Scheduler to hub: an agent was given a task of a job, or holds that task no more."""

    agent: str
    incarnation: int
    job: str
    joined: bool


class Ping(NamedTuple):
    """To any of the system's actors, as an ask: are you there?"""


# Resources


class WorkBegan(NamedTuple):
    """Scheduler to resource manager: an agent was given work and none had any; or, as an answer, some still have."""


class IsWorkLeft(NamedTuple):
    """Resource manager to scheduler, while it watches: answer with `WorkBegan` or `WorkEnded`."""


class WorkEnded(NamedTuple):
    """Scheduler to resource manager, as an answer: no agent has work; `WorkBegan` follows when one has again."""


class AgentMeasure(NamedTuple):
    """What placement needs to know of one agent; percents are 0 to 100. `inside`: it is within its soft limits."""

    agent: str
    incarnation: int
    free_cpu: float
    free_memory: float
    inside: bool


class AgentsMeasured(NamedTuple):
    """Resource manager to scheduler: what was found in a full sample."""

    measures: Sequence[AgentMeasure]


class LimitBreached(NamedTuple):
    """Resource manager to scheduler: an agent went over a hard limit and its process is being ended.

    `growth` are earlier figures, (seconds before, figure) each, the oldest first.
    """

    agent: str
    incarnation: int
    limit: str
    figure: float
    allowed: float
    growth: tuple[tuple[float, float], ...] = ()


class AdmissionChanged(NamedTuple):
    """Resource manager to scheduler: whether new work may start; `short` names what the machine is short of."""

    open: bool
    short: frozenset[str]


class AdjustmentAsked(NamedTuple):
    """Hub to resource manager: an agent's request for more, with the correlation that its answer is to carry."""

    agent: str
    incarnation: int
    request: AdjustmentRequest
    correlation: int | None


class HeartbeatReceived(NamedTuple):
    """Hub to resource manager: what an agent said of itself; it stands in until the first sample."""

    heartbeat: Heartbeat


class SetLimits(NamedTuple):
    """To resource manager, as an ask: other limits for an agent from now on. The answer are the limits in force."""

    agent: str
    limits: Limits


class GetUsages(NamedTuple):
    """To resource manager, as an ask: a `ResourceReport`. `fresh`: measure first."""

    fresh: bool = False
