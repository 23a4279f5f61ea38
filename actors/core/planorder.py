"""Whether steps can be put in an order at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["first_circle"]


def first_circle(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """Steps that wait for each other in a circle.

    Args:
        needs: for each step, those that come first.

    Returns:
        The circle, the first step once more at its end; empty if there is none.
    """
    left = {step: set(needed) & needs.keys() for step, needed in needs.items()}
    waiting: dict[str, list[str]] = {}
    for step, needed in left.items():
        for one in needed:
            waiting.setdefault(one, []).append(step)
    free = [step for step, needed in left.items() if not needed]
    while free:
        done = free.pop()
        del left[done]
        for step in waiting.get(done, ()):
            left[step].discard(done)
            if not left[step]:
                free.append(step)
    if not left:
        return []
    # Each that is left waits for another one that is left.
    way = [next(iter(left))]
    while True:
        following = min(left[way[-1]])
        if following in way:
            return [*way[way.index(following) :], following]
        way.append(following)
