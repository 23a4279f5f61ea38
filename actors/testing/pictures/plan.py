"""What a sequence diagram is made of: lanes, arrows, bars, texts and their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from actors.testing.history import Broken
from actors.testing.pictures.drawing import Part
from actors.testing.pictures.lettering import breadth

__all__ = [
    "AMBER",
    "GREY",
    "HEAD",
    "INK",
    "RED",
    "SIZE",
    "TAG",
    "Arrow",
    "Bar",
    "Box",
    "Cross",
    "Lane",
    "Plan",
    "Tag",
    "Words",
    "breadth_of",
]

SIZE = 11.0
"""Height of the small letters; all places are in the same unit."""
HEAD, TAG = 24.0, 16.0
"""Heights of the name over a lane, and of that of an incarnation on it."""
INK, GREY, RED, AMBER = "#1f2933", "#5f6b7a", "#b3181f", "#9a5200"

Box = tuple[float, float, float, float]


@dataclass(slots=True)
class Lane:
    """The line of one actor, whatever its incarnations."""

    name: str
    incarnations: list[str] = field(default_factory=list)
    x: float = 0.0
    agent: bool = False
    mark: float = 0.0

    @property
    def head(self) -> str:
        """What stands over the lane."""
        return self.incarnations[0] if len(self.incarnations) == 1 else self.name

    @property
    def inset(self) -> float:
        """How far from the middle arrows end."""
        return 6.0 if self.agent else 1.0


@dataclass(slots=True)
class Tag:
    """The name of an incarnation where its part of the lane begins; `bottom` is where the part ends."""

    actor: str
    x: float
    top: float
    start: float
    shown: bool
    bottom: float | None = None
    last: float = 0.0


@dataclass(slots=True)
class Bar:
    """How long an agent stood in one state."""

    x: float
    top: float
    bottom: float
    state: str
    actor: str


@dataclass(slots=True)
class Arrow:
    """The way of one message, or of one copy of it. An empty fate: still on its way."""

    start: tuple[float, float]
    end: tuple[float, float]
    fate: str
    title: str
    loop: bool = False


@dataclass(slots=True)
class Words:
    """A line of text in a place of its own; that of a message knows the arrow that it belongs to."""

    x: float
    y: float
    anchor: str
    parts: list[Part]
    title: str
    arrow: Arrow | None = None
    size: float = SIZE

    @property
    def box(self) -> Box:
        """The place that it takes."""
        wide = breadth_of(self.parts, self.size)
        left = self.x - wide if self.anchor == "end" else self.x
        return left - 2, self.y - 10, left + wide + 2, self.y + 3


@dataclass(slots=True)
class Cross:
    """Where a fault struck."""

    x: float
    y: float
    title: str


@dataclass(slots=True)
class Plan:
    """A whole diagram, in units of which the small letters are 11 high."""

    lanes: list[Lane] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)
    tasks_moved: list[Words] = field(default_factory=list)
    crosses: list[Cross] = field(default_factory=list)
    notes: list[tuple[Box, list[str], str]] = field(default_factory=list)
    ticks: list[tuple[float, str]] = field(default_factory=list)
    breaks: list[tuple[float, str]] = field(default_factory=list)
    gaps: list[tuple[float, int]] = field(default_factory=list)
    broken: list[tuple[float, Broken]] = field(default_factory=list)
    about: frozenset[str] = frozenset()
    messages: int = 0
    hidden: int = 0
    axis: float = 0.0
    left: float = 0.0
    right: float = 0.0
    tasks: float = 0.0
    width: float = 0.0
    bottom: float = 0.0


def breadth_of(parts: Sequence[Part], size: float = SIZE) -> float:
    """How broad a line of several parts is; bold letters are broader."""
    return sum(breadth(text, size) * (1.08 if colour.startswith("bold") else 1.0) for text, colour in parts)
