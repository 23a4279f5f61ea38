"""Hypothesis strategies for messages, and for the values and limits that travel in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from actors.testing.extra import hypothesis_missing

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise hypothesis_missing("the strategies need") from error

from actors.config import LIMIT_NAMES, Limits
from actors.protocol.events import KNOWN_EVENTS
from actors.protocol.messages import (
    ALL,
    CODES,
    HUB,
    SCHEDULER,
    AdjustmentAnswer,
    AdjustmentRequest,
    AssignedTask,
    Assignment,
    AssignmentAck,
    AssignmentRefusal,
    Batch,
    Cancellation,
    CancellationCause,
    CoordinationRequest,
    Drain,
    Envelope,
    ErrorResponse,
    EventMessage,
    Failure,
    Heartbeat,
    Outcome,
    Priority,
    Progress,
    Recall,
    Registration,
    ResourceLimit,
    Response,
    Result,
    Shutdown,
    StatusRequest,
    Subscribe,
    TaskResult,
    Terminated,
    Unsubscribe,
    Watch,
    job_group,
    type_group,
)
from actors.protocol.states import AgentState

__all__ = ["AGENT_TYPES", "CAPABILITIES", "NAMES", "envelopes", "limits", "messages", "plain_values"]

T = TypeVar("T")

CAPABILITIES = ("imaging", "parsing", "testing", "writing")
"""What agents can do in what the strategies give."""
AGENT_TYPES = ("analyzer", "builder", "checker", "mover")
"""Of which types they are."""
NAMES = st.text("abcxyz_0123456789-", min_size=1, max_size=12)
"""Names of anything else."""

_NUMBERS = st.integers(0, 2**62)
_ATTEMPTS = st.integers(1, 1000)
_TEXTS = st.text(max_size=20)
_AGENTS = st.builds("{}-{}".format, st.sampled_from(AGENT_TYPES), st.integers(1, 99))
_TIMES = st.floats(0, 1e10)
_PAYLOADS = st.binary(max_size=200)
_REQUIRED = st.frozensets(st.sampled_from(CAPABILITIES), max_size=2)


def plain_values(max_leaves: int = 20) -> st.SearchStrategy[Any]:
    """What a message may hold beside payloads: None, numbers, text and bytes, and collections of them.

    Args:
        max_leaves: about how many single values there are in one at most.
    """
    atoms = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
    keys = st.integers() | st.text() | st.binary() | st.tuples(st.integers(), st.text())
    return st.recursive(
        atoms,
        lambda inner: (
            st.sets(keys)
            | st.frozensets(keys)
            | st.binary().map(bytearray)
            | st.lists(inner)
            | st.lists(inner).map(tuple)
            | st.dictionaries(keys, inner)
        ),
        max_leaves=max_leaves,
    )


# Messages


def messages(*kinds: type[Any]) -> st.SearchStrategy[Any]:
    """Any message that may travel between an agent and the system, with payloads of bytes.

    Args:
        kinds: classes of `actors.protocol.messages`; all that travel if none is given.

    Raises:
        KeyError: a class that is no kind of message.

    Example:
        >>> @given(messages(Heartbeat, Registration))
        ... def test_the_hub_hears(message): ...
    """
    return st.one_of([_MESSAGES[kind] for kind in kinds or tuple(CODES)])


def envelopes(message: st.SearchStrategy[Any] | None = None) -> st.SearchStrategy[Envelope]:
    """Messages in their envelopes, as a channel takes them.

    Args:
        message: what is inside; any message if left out.
    """
    return _envelopes(messages() if message is None else message)


def _envelopes(message: st.SearchStrategy[Any]) -> st.SearchStrategy[Envelope]:
    recipients = st.sampled_from([HUB, SCHEDULER, ALL, type_group(AGENT_TYPES[0]), job_group("nightly")]) | _AGENTS
    return st.builds(
        Envelope,
        id=_NUMBERS,
        sender=_AGENTS | st.just(HUB),
        recipient=recipients,
        priority=st.sampled_from([int(priority) for priority in Priority]),
        time=_TIMES,
        message=message,
        correlation=st.none() | _NUMBERS,
        deadline=st.none() | _TIMES,
    )


def _tuples(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """The fields alone, as they stand inside another message."""
    return strategy.map(tuple)


def _lists(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[list[T]]:
    return st.lists(strategy, min_size=1, max_size=4)


_FAILURES = _tuples(
    st.builds(Failure, st.lists(NAMES, min_size=1, max_size=3).map(tuple), _TEXTS, _TEXTS, st.none() | _PAYLOADS)
)
_RESULTS = st.one_of(
    [
        _tuples(st.builds(TaskResult, _NUMBERS, _ATTEMPTS, st.just(int(outcome)), payload, _TIMES, _TIMES))
        for outcome, payload in (
            (Outcome.VALUE, _PAYLOADS),
            (Outcome.ERROR, _FAILURES),
            (Outcome.EXITED, st.none() | st.integers(-255, 255) | _TEXTS),
            (Outcome.INTERRUPTED, st.just(b"")),
            (Outcome.REFUSED, _TEXTS),
        )
    ]
)
_ASSIGNED = _tuples(
    st.builds(
        AssignedTask,
        number=_NUMBERS,
        attempt=_ATTEMPTS,
        task_id=NAMES,
        call=st.just("") | NAMES,
        payload=_PAYLOADS,
        results=st.none() | st.dictionaries(_NUMBERS, _PAYLOADS, max_size=3),
        timeout=st.none() | st.floats(0.001, 1e6),
        idempotent=st.booleans(),
        job=st.none() | NAMES,
        nested=st.booleans(),
    )
)
_STATES = st.sampled_from([int(state) for state in AgentState])
_LIMIT_NAMES = st.sampled_from(LIMIT_NAMES)
_EVENT_NAMES = st.sampled_from(sorted(KNOWN_EVENTS))
_SCOPES = st.sampled_from(["global", "local", "type"])
_KINDS = st.lists(_EVENT_NAMES, min_size=1, max_size=3).map(tuple)


def limits() -> st.SearchStrategy[Limits]:
    """What an agent may use: each limit named or not, or lifted, and a soft share."""
    settings: dict[str, st.SearchStrategy[Any]] = {
        "memory": st.none() | st.integers(2**20, 2**34),
        "open_files": st.none() | st.integers(16, 5000),
        "processes": st.none() | st.integers(0, 100),
        "cpu": st.none() | st.floats(1, 1600),
        "soft": st.sampled_from([0.8, 0.5, 1.0]),
    }
    named: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries({}, optional=settings)
    return named.map(lambda given: Limits(**given))


_LIMITS = limits().map(Limits.to_wire)
_ONE: dict[type[Any], st.SearchStrategy[Any]] = {
    Registration: st.builds(
        Registration,
        agent=_AGENTS,
        type=st.sampled_from(AGENT_TYPES),
        incarnation=_ATTEMPTS,
        pid=st.integers(1, 2**22),
        host_name=NAMES,
        capabilities=_REQUIRED.map(sorted).map(tuple),
        limits=_LIMITS,
        started_at=_TIMES,
        status=_STATES,
    ),
    Heartbeat: st.builds(
        Heartbeat,
        agent=_AGENTS,
        incarnation=_ATTEMPTS,
        time=_TIMES,
        state=_STATES,
        task=st.none() | _NUMBERS,
        memory_kb=st.integers(0, 2**32),
        cpu_percent=st.floats(0, 6400),
        open_files=st.integers(0, 10**6),
        uptime=st.floats(0, 1e8),
        tasks_assigned=_NUMBERS,
        tasks_done=_NUMBERS,
    ),
    Assignment: st.builds(Assignment, _lists(_ASSIGNED)),
    AssignmentAck: st.builds(AssignmentAck, _NUMBERS, _ATTEMPTS, _TIMES),
    AssignmentRefusal: st.builds(AssignmentRefusal, _NUMBERS, _ATTEMPTS, _STATES, _TEXTS),
    Recall: st.builds(Recall, _lists(st.tuples(_NUMBERS, _ATTEMPTS))),
    Cancellation: st.builds(
        Cancellation, _NUMBERS, _ATTEMPTS, st.sampled_from([int(cause) for cause in CancellationCause]), _TEXTS
    ),
    Progress: st.builds(Progress, _NUMBERS, _ATTEMPTS, st.floats(0, 1), _TEXTS, _TIMES),
    Result: st.builds(Result, _lists(_RESULTS)),
    CoordinationRequest: st.builds(CoordinationRequest, NAMES, plain_values(5))
    | st.builds(CoordinationRequest, st.just("message"), _PAYLOADS),
    Response: st.builds(Response, plain_values(5)),
    ErrorResponse: st.builds(ErrorResponse, _FAILURES),
    StatusRequest: st.just(StatusRequest()),
    ResourceLimit: st.builds(ResourceLimit, _LIMITS, st.none() | st.tuples(_LIMIT_NAMES, st.floats(0, 1e12))),
    AdjustmentRequest: st.builds(AdjustmentRequest, _AGENTS, _LIMIT_NAMES, st.floats(0.001, 1e12), _TEXTS),
    AdjustmentAnswer: st.builds(AdjustmentAnswer, _LIMIT_NAMES, st.booleans(), st.floats(0, 1e12), _TEXTS),
    EventMessage: st.builds(
        EventMessage, _EVENT_NAMES, _AGENTS, _SCOPES, _TIMES, st.dictionaries(NAMES, _TEXTS | _NUMBERS, max_size=3)
    )
    | st.builds(EventMessage, NAMES, _AGENTS, _SCOPES, _TIMES, _PAYLOADS),
    Subscribe: st.builds(Subscribe, _KINDS, _SCOPES),
    Unsubscribe: st.builds(Unsubscribe, _KINDS, _SCOPES),
    Watch: st.builds(Watch, _AGENTS),
    Terminated: st.builds(Terminated, _AGENTS, _ATTEMPTS, _TEXTS, st.none() | _FAILURES),
    Drain: st.builds(Drain, _TEXTS, st.booleans()),
    Shutdown: st.builds(Shutdown, _TEXTS, st.floats(0, 3600)),
}
_MESSAGES: Mapping[type[Any], st.SearchStrategy[Any]] = {
    **_ONE,
    Batch: st.builds(Batch, _lists(_tuples(_envelopes(st.one_of(list(_ONE.values())))))),
}
