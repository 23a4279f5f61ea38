"""What is measured, as data: a row of the table for each workload, and a picture for each curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.peers.registry import ACTOR_LIBRARIES, CLUSTERS, OURS, POOLS

__all__ = ["ROWS", "Axes", "Goal", "Row"]


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be reached.

    Args:
        figure: its name in the samples.
        bound: at most that, or at least.
        at_least: which of the two.
        rival: the bound is for the ratio to the same figure of this one; empty: for the figure itself.
        text: what it says, with its unit.
    """

    figure: str
    bound: float
    at_least: bool = False
    rival: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Axes:
    """How a curve is drawn: its figures are points, by their place on the x axis."""

    x: str
    y: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Args:
        key: its name for the command.
        title: its name for people.
        place: module and function of the work.
        figure: the one that is compared.
        unit: of that figure.
        entrants: who does it.
        count: tasks; `quick` of them for a look, none to leave it out then.
        rounds: how many.
        patience: seconds that one measurement may take, and `limit` that all of them may.
        more_is_better: of the figure.
        goals: what is to be reached.
        others: what else is measured, with its title.
        control: module and function of what must succeed beside it.
        axes: for a curve.
        layered: whether the cpu time is split by layers.
        note: what the reader should know.
    """

    key: str
    title: str
    place: str
    figure: str
    unit: str
    entrants: tuple[str, ...] = (OURS,)
    count: int = 1
    quick: int = 0
    rounds: int = 5
    patience: float = 60.0
    limit: float = 180.0
    more_is_better: bool = False
    goals: tuple[Goal, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    control: str = ""
    axes: Axes | None = None
    layered: bool = False
    note: str = ""


_WORKS = "benchmarks.works"

ROWS: tuple[Row, ...] = (
    Row(
        "empty",
        "empty tasks, a future each, 2 agents",
        f"{_WORKS}.empty:burst",
        "rate",
        "tasks/s",
        (OURS, *POOLS, *CLUSTERS, *ACTOR_LIBRARIES),
        count=10_000,
        quick=2_000,
        more_is_better=True,
        goals=(
            Goal("rate", 10, at_least=True, rival="ProcessPoolExecutor"),
            Goal("rate", 3, at_least=True, rival="multiprocessing.Pool"),
        ),
        control=f"{_WORKS}.empty:killed",
        layered=True,
        note="pykka's actors are threads of the program: nothing is sent to another process.",
    ),
    Row(
        "single",
        "one task at a time, p50",
        f"{_WORKS}.empty:single",
        "p50",
        "µs",
        (OURS, *POOLS, *CLUSTERS, *ACTOR_LIBRARIES, "bare pipe"),
        count=2_000,
        quick=500,
        goals=(
            Goal("p50", 0.6, rival="ProcessPoolExecutor"),
            Goal("p50", 0.8, rival="multiprocessing.Pool"),
        ),
        others={"p99": "p99 in µs"},
        layered=True,
    ),
    Row(
        "map",
        "map of a million tiny calls",
        f"{_WORKS}.empty:mapped",
        "rate",
        "calls/s",
        (OURS, *POOLS),
        count=1_000_000,
        quick=50_000,
        rounds=3,
        patience=120,
        more_is_better=True,
        goals=(
            Goal("rate", 1, at_least=True, rival="multiprocessing.Pool"),
            Goal("grown", 32, text="MiB by which the program grows: a list of the results alone has 38"),
        ),
        others={"grown": "the program grows by MiB"},
    ),
)
