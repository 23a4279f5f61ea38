"""An agent's word that it keeps its new limits."""

from __future__ import annotations

from actors.errors import AgentDied, AskTimeout, DeadLetter

__all__ = ["PATIENCE", "word_failed"]

PATIENCE = 5.0
"""Seconds within which an agent takes its limits, whatever it does."""


def word_failed(agent: str, error: BaseException) -> BaseException | None:
    """What it means that an agent that was sent limits, and then asked how it stands, has not answered.

    Returns:
        The error to tell; None if there is none: an agent that ended meanwhile is told of otherwise, perhaps for that very
        limit.
    """
    if isinstance(error, AgentDied | DeadLetter):
        return None
    if not isinstance(error, AskTimeout):
        return error
    told = AskTimeout(
        f"{agent} has not said within {PATIENCE:g} s that it keeps its new limits; the system holds it to them all the same",
        recipient=agent,
        timeout=PATIENCE,
    )
    told.__cause__ = error
    return told
