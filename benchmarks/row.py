"""What a row of the table is, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.peers.registry import OURS

__all__ = ["Axes", "Goal", "Row"]


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be reached.

    Args:
        figure: its name in the samples.
        bound: at most that, or at least.
        at_least: which of the two.
        rival: the bound is for the ratio to the same figure of this one; empty: for the figure itself.
        text: what it says, with its unit.
        whose: figure it is, if not that of the first entrant of the row.
    """

    figure: str
    bound: float
    at_least: bool = False
    rival: str = ""
    text: str = ""
    whose: str = ""


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
        counted: what it is the number of, if not of tasks.
        rounds: how many.
        patience: seconds that one measurement may take, and `limit` after which no further round begins.
        more_is_better: of the figure.
        goals: what is to be reached.
        others: what else is measured, with its title.
        control: module and function of what must succeed beside it.
        axes: for a curve.
        layered: whether the cpu time is split by layers.
        shared: whether a slow entrant does only its share of the tasks.
        note: what the reader should know.
    """

    key: str
    title: str
    place: str
    figure: str
    unit: str
    entrants: tuple[str, ...] = (OURS,)
    count: int = 1
    counted: str = "tasks"
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
    shared: bool = False
    note: str = ""
