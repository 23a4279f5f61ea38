"""What stands in the place of the system beside a bench: it records what a worker says, and answers by the test's rules."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

from actors.errors import ActorsError, DeadLetter, DependencyFailed
from actors.hosts.agentref import AgentRef
from actors.hosts.eventmessage import event_of
from actors.hosts.lane import run_items
from actors.hosts.serialize import Call, failure_of, loads, pack_value, unpack_call
from actors.hosts.taskmethod import TaskMethod
from actors.kernel.clock import ManualClock
from actors.protocol.events import Event
from actors.protocol.messages import (
    AdjustmentAnswer,
    AdjustmentRequest,
    AssignmentRefusal,
    CoordinationRequest,
    Envelope,
    ErrorResponse,
    EventMessage,
    Outcome,
    Progress,
    Response,
    Result,
    Subscribe,
    TaskResult,
    Terminated,
    Unsubscribe,
)
from actors.testing.record import Wanted

__all__ = ["NUMBERS", "Desk", "Said", "Submitted"]

NUMBERS = itertools.count(1)
"""Of tasks and questions: no two of a process have the same."""

# Events of the agent's own, which it sends to whoever listens to everything.
_OWN = frozenset({"AgentStateChanged", "LogRecorded"})


class Said(NamedTuple):
    """A message that the worker sent: to whom, what, and whether it waited for an answer."""

    recipient: str
    message: Any
    asked: bool


class Submitted(NamedTuple):
    """A sub-task that the worker submitted. `call` is a worker's task method or a callable.

    `items` are the arguments of each call of a `map`, else None; `options` what the submission names.
    """

    call: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    items: list[tuple[Any, ...]] | None
    options: dict[str, Any]


class _Rule(NamedTuple):
    wanted: Wanted
    answer: Any


class Desk:
    """The part of a `Workbench` that listens and answers.

    Attributes:
        progress: what `self.progress` told: fraction and note.
        published: the events of `self.publish`.
        said: the messages of `self.tell` and `self.ask`.
        submitted: the sub-tasks.
        subscribed: the names of the events that it asked for.
    """

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.progress: list[tuple[float, str]] = []
        self.published: list[Event] = []
        self.said: list[Said] = []
        self.submitted: list[Submitted] = []
        self.subscribed: set[str] = set()
        self._rules: list[_Rule] = []
        self._results_of: list[_Rule] = []
        self._outcomes: dict[int, TaskResult] = {}
        self._payloads: dict[int, tuple[Outcome, Any]] = {}
        self._answers: dict[int, Any] = {}
        self._goodbye: Terminated | None = None

    def _send(self, message: Any, correlation: int | None) -> None:
        """Send something to the agent."""
        raise NotImplementedError

    def _limit(self, name: str) -> float:
        """A limit of the agent that is in force."""
        raise NotImplementedError

    def _perform(self, call: TaskMethod[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run a sub-task of a worker."""
        raise NotImplementedError

    # --- what the test says beforehand -----------------------------------------------------------------------------

    def reply_with(self, answer: Any, *, to: Any = object) -> None:
        """Say how the worker's questions (`self.ask`, and `self.coordinate`, whose topic is the message) are answered.

        Args:
            answer: the answer; an exception is raised for the worker, a function is called with the message.
            to: which messages: a type, a value, or a predicate. A later rule goes before an earlier one.
        """
        self._rules.insert(0, _Rule(Wanted(to), answer))

    def results_of(self, call: Any, answer: Any) -> None:
        """Say what becomes of sub-tasks. Those that nobody has said anything about are run, each on a bench of its own.

        Args:
            call: a worker's task method or a callable, as it is submitted; or the type of work described as data.
            answer: the result; an exception is its failure, a function is called with the sub-task's arguments.
        """
        wanted = Wanted(lambda submitted: _same_call(submitted.call, call))
        self._results_of.insert(0, _Rule(wanted, answer))

    # --- what the agent says ---------------------------------------------------------------------------------------

    def _take(self, envelope: Envelope) -> None:
        """Take one message; of the kinds that are of no interest here nothing becomes."""
        method = self._METHODS.get(type(envelope.message))
        if method is not None:
            method(self, envelope, envelope.message)

    def _take_result(self, _: Envelope, message: Result) -> None:
        for fields in message.results:
            self._outcomes[fields[0]] = TaskResult(*fields)

    def _take_refusal(self, _: Envelope, message: AssignmentRefusal) -> None:
        failure = tuple(failure_of(ActorsError(f"the agent refuses the task: {message.reason}")))
        self._outcomes[message.number] = TaskResult(
            message.number, message.attempt, int(Outcome.ERROR), failure, 0.0, 0.0
        )

    def _take_progress(self, _: Envelope, message: Progress) -> None:
        self.progress.append((message.fraction, message.note))

    def _take_event(self, _: Envelope, message: EventMessage) -> None:
        if message.type not in _OWN:
            self.published.append(event_of(message))

    def _take_wish(self, envelope: Envelope, message: AdjustmentRequest) -> None:
        allowed = self._limit(message.limit) + message.amount
        self._send(AdjustmentAnswer(message.limit, True, allowed, ""), envelope.correlation)  # noqa: FBT003 - a field

    def _take_subscription(self, envelope: Envelope, message: Subscribe | Unsubscribe) -> None:
        names = [kind.rpartition(".")[2] for kind in message.kinds]
        if type(message) is Subscribe:
            self.subscribed.update(names)
        else:
            self.subscribed.difference_update(names)
        if envelope.correlation is not None:
            self._send(Response(None), envelope.correlation)

    def _take_answer(self, envelope: Envelope, message: Response | ErrorResponse) -> None:
        if envelope.correlation is not None:
            self._answers[envelope.correlation] = message

    def _take_goodbye(self, _: Envelope, message: Terminated) -> None:
        self._goodbye = message

    def _take_request(self, envelope: Envelope, message: CoordinationRequest) -> None:
        self._coordinate(envelope, message.topic, message.data)

    def _coordinate(self, envelope: Envelope, topic: str, data: Any) -> None:
        if topic == "message":
            message = loads(data, "the message")
            self.said.append(Said(envelope.recipient, message, envelope.correlation is not None))
            if envelope.correlation is not None:
                self._answer(envelope, message, f"{envelope.recipient}: {message!r}", pack_value)
        elif topic == "messages":
            recipients, payload = data
            message = loads(payload, "the message")
            self.said.extend(Said(recipient, message, asked=False) for recipient in recipients)
        elif topic in ("submit", "submit_task"):
            self._submit(envelope, data)
        elif envelope.correlation is not None:
            self._answer(envelope, topic, f"the system: {topic!r}", _FORMS.get(topic, lambda value: value))

    def _answer(self, envelope: Envelope, message: Any, what: str, form: Callable[[Any], Any]) -> None:
        rule = next((rule for rule in self._rules if rule.wanted.matches(message)), None)
        answer: Any
        if rule is None:
            answer = DeadLetter(f"nobody on the bench answers what was asked of {what}; say how with reply_with(…)")
        else:
            answer = rule.answer
            if callable(answer) and not isinstance(answer, type):
                try:
                    answer = answer(message)
                except Exception as error:  # noqa: BLE001 - it is the answer
                    answer = error
        if isinstance(answer, BaseException):
            self._send(ErrorResponse(tuple(failure_of(answer))), envelope.correlation)
        else:
            self._send(Response(form(answer)), envelope.correlation)

    # --- sub-tasks -------------------------------------------------------------------------------------------------

    def _submit(self, envelope: Envelope, task: dict[str, Any]) -> None:
        number = next(NUMBERS)
        self._send(Response([number, f"task-{number}"]), envelope.correlation)
        begin = self.clock.monotonic()
        outcome, payload = self._outcome_of(task)
        self._payloads[number] = outcome, payload
        self._send(Result([(number, 1, int(outcome), payload, begin, self.clock.monotonic())]), None)

    def _outcome_of(self, task: dict[str, Any]) -> tuple[Outcome, Any]:
        """What becomes of a sub-task: a value or the fields of a failure."""
        try:
            failed = [one for one in task["after"] if self._payloads[one][0] is not Outcome.VALUE]
            if failed:
                raise DependencyFailed(f"task-{failed[0]}, which it depends on, has failed")
            results = {one: self._payloads[one][1] for one in task["after"]}
            submitted = self._read(task, unpack_call(task["payload"], results))
            self.submitted.append(submitted)
            perform = self._performer(submitted)
            if submitted.items is None:
                value = perform(*submitted.args, **submitted.kwargs)
            else:
                value = run_items(perform, submitted.items, _completed)
            return Outcome.VALUE, pack_value(value, "the result")
        except Exception as error:  # noqa: BLE001 - it is the sub-task's outcome
            return Outcome.ERROR, tuple(failure_of(error))

    def _read(self, task: dict[str, Any], call: Call) -> Submitted:
        function = call.function
        if "spec" in task:
            # Known by its task type; nobody here knows which worker takes it.
            function = loads(task["spec"], "the task spec").type
        elif task["call"]:
            function = getattr(loads(task["worker_payload"], "the worker of a sub-task"), task["call"])
        hidden = {"payload", "worker_payload", "call", "after", "spec", "names"}
        options = {name: value for name, value in task.items() if name not in hidden}
        items = None if call.items is None else call.item_args()
        return Submitted(function, tuple(call.args), dict(call.kwargs), items, options)

    def _performer(self, submitted: Submitted) -> Callable[..., Any]:
        """What is called with the arguments of a sub-task: the rule of the test, or the task itself."""
        for rule in self._results_of:
            if rule.wanted.matches(submitted):
                return _answering(rule.answer)
        call = submitted.call
        if isinstance(call, str):
            message = f"nobody on the bench takes tasks of type {call!r}; say what becomes of them with results_of(…)"
            raise ActorsError(message)
        if isinstance(call, TaskMethod) and call.owner is not None:
            return lambda *args, **kwargs: self._perform(call, args, kwargs)
        return lambda *args, **kwargs: _completed(call(*args, **kwargs))

    _METHODS: ClassVar[dict[type[Any], Callable[[Any, Envelope, Any], None]]] = {
        Result: _take_result,
        AssignmentRefusal: _take_refusal,
        Progress: _take_progress,
        EventMessage: _take_event,
        AdjustmentRequest: _take_wish,
        Subscribe: _take_subscription,
        Unsubscribe: _take_subscription,
        Response: _take_answer,
        ErrorResponse: _take_answer,
        Terminated: _take_goodbye,
        CoordinationRequest: _take_request,
    }


def _ref_fields(ref: Any) -> Any:
    """What an agent is told of one that was started; on the bench all refs are of one system without a name."""
    return [ref.agent_id, ref.type, ""] if isinstance(ref, AgentRef) else ref


# What the system packs for these topics.
_FORMS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("agents", "status", "explain", "task_info", "status_of"), pack_value),
    "spawn": _ref_fields,
}


def _same_call(one: Any, other: Any) -> bool:
    if isinstance(one, TaskMethod) and isinstance(other, TaskMethod):
        return one.task_type == other.task_type and one.name == other.name
    return bool(one == other)


def _answering(answer: Any) -> Callable[..., Any]:
    if isinstance(answer, BaseException):

        def fail(*_: Any, **__: Any) -> Any:
            raise answer

        return fail
    if callable(answer) and not isinstance(answer, type):
        found: Callable[..., Any] = answer
        return found
    return lambda *_, **__: answer


def _completed(value: Any) -> Any:
    if not inspect.iscoroutine(value):
        return value
    import asyncio  # noqa: PLC0415 - takes 20 ms, and most sub-tasks are no coroutines

    return asyncio.run(value)
