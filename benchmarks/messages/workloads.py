"""What is measured, as data: who talks to whom, and a row of the table for each piece of work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["SCENES", "WORKLOADS", "Runner", "Scene", "Workload"]


@dataclass(frozen=True, slots=True)
class Workload:
    """One row.

    `kind`: asks one after another, asks of which `width` are under way at a time, or tells. `size`: bytes of the payload
    of each message. `count`: how many messages, a tenth of them more as warm-up.
    """

    key: str
    title: str
    kind: Literal["ask", "flight", "tell"]
    size: int
    count: int
    width: int = 1

    @property
    def value(self) -> str:
        """What of the figures the ratio is made of."""
        return "p50" if self.kind == "ask" else "rate"

    @property
    def unit(self) -> str:
        """Of that figure."""
        return "µs" if self.kind == "ask" else "messages/s"

    @property
    def more_is_better(self) -> bool:
        """Of that figure."""
        return self.kind != "ask"


@dataclass(frozen=True, slots=True)
class Scene:
    """Who talks to whom. `factor`: so many times the messages, where each takes less time."""

    key: str
    title: str
    text: str
    factor: int = 1


WORKLOADS: tuple[Workload, ...] = (
    Workload("ask", "ask, one after another, 100 B", "ask", 100, 1_000),
    Workload("flight", "ask, 100 under way, 100 B", "flight", 100, 2_000, 100),
    Workload("tell", "tell, 100 B", "tell", 100, 5_000),
    Workload("ask-large", "ask, one after another, 1 MiB", "ask", 1 << 20, 40),
    Workload("tell-large", "tell, 1 MiB", "tell", 1 << 20, 60),
)

SCENES: tuple[Scene, ...] = (
    Scene("within", "Within one process", "The program's thread talks to an actor in another thread.", 5),
    Scene("across", "Across processes", "The program talks to an actor in another process."),
    Scene("between", "Between two actors", "An actor in one process talks to an actor in another one."),
)

Runner: TypeAlias = Callable[[Workload, int], dict[str, float]]
"""Does a piece of work with so many messages; what `Line.run` gives, and raises."""
