"""The errors for messages that an agent does not take."""

from __future__ import annotations

from collections.abc import Collection

from actors.errors import MessageRefused
from actors.protocol.messages import AGENT_TAKES, Lane
from actors.protocol.states import AgentState

__all__ = ["judge", "no_handler", "wrong_lane"]


def judge(agent: str, kind: type[object], state: AgentState) -> MessageRefused | None:
    """The refusal of a message of this kind by an agent in this state; None if it takes it."""
    lane, states = AGENT_TAKES.get(kind, (Lane.CONTROL, frozenset[AgentState]()))
    if lane is not Lane.CONTROL:
        return wrong_lane(agent, kind, state)
    return None if state in states else _refusal(agent, kind.__name__, state, states)


def _refusal(agent: str, message: str, state: AgentState, states: Collection[AgentState]) -> MessageRefused:
    allowed = tuple(str(one) for one in sorted(states))
    when = f"it is taken in {', '.join(allowed)}" if allowed else "agents only send it and take it in no state"
    return MessageRefused(
        f"{agent} does not take {message} in state {state}: {when}",
        recipient=agent,
        message=message,
        state=str(state),
        allowed=allowed,
    )


def wrong_lane(agent: str, kind: type[object], state: AgentState) -> MessageRefused:
    """The refusal of a message that came on the other plane than its own."""
    lane, states = AGENT_TAKES.get(kind, (Lane.CONTROL, frozenset[AgentState]()))
    allowed = tuple(str(one) for one in sorted(states))
    return MessageRefused(
        f"{agent} takes {kind.__name__} on its {lane.name.lower()} plane only, "
        f"and there in {', '.join(allowed) or 'no state'}; it is in state {state}",
        recipient=agent,
        message=kind.__name__,
        state=str(state),
        allowed=allowed,
    )


def no_handler(agent: str, message: str, state: AgentState) -> MessageRefused:
    """The refusal of a user's message of which the worker knows no handler."""
    return MessageRefused(
        f"{agent} has no handler for {message}: mark a method of its worker with @handles({message})",
        recipient=agent,
        message=message,
        state=str(state),
        allowed=(),
    )
