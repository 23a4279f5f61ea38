"""What goes wrong in a simulated run, and how often."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from actors.errors import ConfigError

__all__ = ["CALM", "ROUGH", "FaultPlan"]

_CHANCES = frozenset(
    {
        "dies",
        "dies_writing",
        "hangs",
        "stalls",
        "doubles",
        "garbles",
        "launch_fails",
        "disk_full",
        "journal_fails",
        "leaks",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """How often what goes wrong, how long things take, and how much of it there may be in one run.

    Chances are probabilities from 0 to 1, times are pairs of virtual seconds, the least and the most.

    Attributes:
        dies: that an agent is killed with signal 9 while it has a task in hand, for each task.
        dies_writing: that an agent is killed in the middle of a write, so that a frame is cut, for each write.
        hangs: that an agent stands still for ever, as stopped by a signal, for each task.
        stalls: that time goes by although somebody could go on, for each step: somebody is slow.
        doubles: that what an agent writes on its task plane arrives twice, for each write.
        garbles: that what an agent writes arrives as no sound frame, for each write.
        launch_fails: that an agent ends before it has started, for each launch.
        disk_full: that there is no room for an agent's workspace, for each launch.
        journal_fails: that a write of the journal fails as on a full disk, for each write.
        leaks: that a task fills the memory until its agent is over its limit, for each task whose agent has one.
        latency: how long a write travels.
        boot: how long an agent takes from its launch to its first step.
        task: how long the body of a task takes beside what it sleeps itself.
        most: how many faults there are in one run at most; None for any number.

    Raises:
        ConfigError: a value that is not allowed.
    """

    dies: float = 0.0
    dies_writing: float = 0.0
    hangs: float = 0.0
    stalls: float = 0.0
    doubles: float = 0.0
    garbles: float = 0.0
    launch_fails: float = 0.0
    disk_full: float = 0.0
    journal_fails: float = 0.0
    leaks: float = 0.0
    latency: tuple[float, float] = (0.0, 0.001)
    boot: tuple[float, float] = (0.02, 0.1)
    task: tuple[float, float] = (0.0, 0.01)
    most: int | None = None

    def __post_init__(self) -> None:
        for item in fields(self):
            _check(item.name, getattr(self, item.name))

    @property
    def any(self) -> bool:
        """Whether anything may go wrong."""
        return self.most != 0 and any(getattr(self, name) > 0 for name in _CHANCES)


def _check(name: str, value: Any) -> None:
    if name in _CHANCES:
        good = isinstance(value, int | float) and 0 <= value <= 1
        allowed = "a probability from 0 to 1"
    elif name == "most":
        good = value is None or (isinstance(value, int) and value >= 0)
        allowed = "a number of faults, or None"
    else:
        good = isinstance(value, tuple) and len(value) == 2 and 0 <= value[0] <= value[1] < float("inf")
        allowed = "a pair of seconds, the least and the most"
    if not good:
        raise ConfigError(f"{name} is {allowed}, not {value!r}", key=name, value=value, allowed=allowed)


CALM = FaultPlan()
"""Nothing goes wrong; messages and tasks take their time."""

ROUGH = FaultPlan(
    dies=0.05,
    dies_writing=0.01,
    hangs=0.01,
    stalls=0.01,
    doubles=0.03,
    garbles=0.005,
    launch_fails=0.02,
    disk_full=0.01,
    journal_fails=0.02,
    leaks=0.02,
    most=8,
)
"""Everything goes wrong now and then."""
