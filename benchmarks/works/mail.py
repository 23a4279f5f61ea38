"""Tell and ask, as `python -m benchmarks.messages` measures them: a part of its work as rows of this table."""

from __future__ import annotations

from typing import Any

from benchmarks.messages.libraries import ENTRANTS
from benchmarks.messages.post import WrongResult as WrongMessage
from benchmarks.messages.workloads import WORKLOADS
from benchmarks.peers.peer import WrongResult

__all__ = ["ask", "ask_within", "pipelined", "pipelined_within"]


def ask(name: str, count: int) -> dict[str, Any]:
    """The program asks an actor in another process, one question after the other: p50."""
    return _done(name, count, "across", "ask")


def pipelined(name: str, count: int) -> dict[str, Any]:
    """The same with a hundred questions under way, and with tells."""
    return _done(name, count, "across", "flight", "tell")


def ask_within(name: str, count: int) -> dict[str, Any]:
    """The program asks an actor in one of its threads."""
    return _done(name, count, "within", "ask")


def pipelined_within(name: str, count: int) -> dict[str, Any]:
    """The same with a hundred questions under way, and with tells."""
    return _done(name, count, "within", "flight", "tell")


def _done(name: str, count: int, scene: str, *keys: str) -> dict[str, Any]:
    entrant = next(each for each in ENTRANTS if each.name == name)
    figures: dict[str, float] = {}
    try:
        with entrant.opened(scene) as run:
            for key in keys:
                work = next(each for each in WORKLOADS if each.key == key)
                run(work, max(count // 10, 1))
                found = run(work, count)
                figures |= {f"{key} {figure}": value for figure, value in found.items()}
    except WrongMessage as error:
        raise WrongResult(str(error)) from None
    return {"figures": figures, "wrong": ""}
