"""When a second copy of a task is worth its cost."""

from __future__ import annotations

from typing import NamedTuple

from actors.hosts.ground import Pace

__all__ = ["LOOK_AGAIN", "Look", "decide"]

LOOK_AGAIN = 1.0
"""Seconds after which it is asked again, while nobody knows how long such tasks take."""

_LEAST = 0.005


class Look(NamedTuple):
    """Look again in so many seconds; None: send the second copy now."""

    seconds: float | None


def decide(pace: Pace, after: float | None) -> Look:
    """Whether the second copy is to be sent, from how the first one does.

    Args:
        pace: of the first copy.
        after: seconds from its start that the user named; None takes the p95 of such tasks, and before there are enough
            of them the expected duration. With neither there is nothing to compare with.
    """
    limit = after
    if limit is None:
        limit = pace.late if pace.late is not None else pace.expected
    if limit is None:
        return Look(LOOK_AGAIN)
    if pace.ran is None:
        # It waits for an agent, and a copy would wait behind it.
        return Look(max(limit, _LEAST))
    left = limit - pace.ran
    return Look(None) if left <= 0 else Look(max(left, _LEAST))
