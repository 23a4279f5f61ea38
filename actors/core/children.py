"""The children of a supervisor: what it knows of them before they run, and while they do."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeAlias

from actors.errors import ConfigError

__all__ = [
    "AutoShutdown",
    "Child",
    "ChildSpec",
    "ChildStatus",
    "Counted",
    "ExitReason",
    "Intensity",
    "Restart",
    "Round",
    "Strategy",
]

ExitReason: TypeAlias = Literal["normal", "shutdown", "failure"]
"""How a child ended: its work was done; it was asked to; anything else."""

Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
"""When a child is started again: always, only after a failure, never."""

AutoShutdown: TypeAlias = Literal["never", "any", "all"]
"""The supervisor ends when any, or the last, of its significant children has ended by itself."""

Counted: TypeAlias = Literal["restarts", "failed_starts"]
"""What counts towards giving up: all restarts in the period; or a child's failed starts in a row."""


class Strategy(Enum):
    """Which children are restarted when one has to be: itself; all; itself and those that started after it."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class ChildStatus(Enum):
    """Where a child stands. WAITING is down, and about to be started."""

    DOWN = "down"
    WAITING = "waiting"
    STARTING = "starting"
    UP = "up"
    STOPPING = "stopping"


@dataclass(frozen=True)
class Intensity:
    """How many restarts in a period of seconds are borne: one more, and the supervisor gives up."""

    restarts: int = 3
    period: float = 5.0

    def __post_init__(self) -> None:
        if self.restarts < 0 or not self.period > 0:
            allowed = "0 restarts or more in a period above 0 seconds"
            message = f"intensity takes {allowed}; got {self.restarts!r} in {self.period!r}"
            raise ConfigError(message, key="intensity", value=(self.restarts, self.period), allowed=allowed)


_BY_TYPE = -math.inf


@dataclass(frozen=True)
class ChildSpec:
    """What a supervisor knows of a child.

    Args:
        id: unique among its siblings.
        restart: "permanent" always, "transient" only after a failure, "temporary" never.
        shutdown: seconds it gets to end when asked, then it is killed; 0 kills at once, None waits for ever.
            Left out: 5 for a worker, None for a supervisor, whose own children need their time.
        type: "worker" or "supervisor".
        significant: its own end may end the supervisor (see `auto_shutdown`); not for permanent children.

    Raises:
        ConfigError: a value that is not allowed.
    """

    id: str
    restart: Restart = "permanent"
    shutdown: float | None = _BY_TYPE
    type: Literal["worker", "supervisor"] = "worker"
    significant: bool = False

    def __post_init__(self) -> None:
        if self.shutdown == _BY_TYPE:
            object.__setattr__(self, "shutdown", 5.0 if self.type == "worker" else None)
        for key, allowed, good in (
            ("id", "a text that is not empty", bool(self.id)),
            ("restart", "permanent, transient or temporary", self.restart in {"permanent", "transient", "temporary"}),
            ("shutdown", "seconds of 0 or more, or None", self.shutdown is None or self.shutdown >= 0),
            ("type", "worker or supervisor", self.type in {"worker", "supervisor"}),
            ("significant", "False for a permanent child", not (self.significant and self.restart == "permanent")),
        ):
            if not good:
                value = getattr(self, key)
                message = f"child {self.id!r}: {key} takes {allowed}; got {value!r}"
                raise ConfigError(message, key=key, value=value, allowed=allowed)


class Child:
    """A child while its supervisor lives; `tries` are those since it last did well."""

    __slots__ = ("boots", "failed_starts", "new", "on_request", "progressed", "spec", "started_at", "status", "tries")

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.status = ChildStatus.DOWN
        self.new = True  # until it is up for the first time
        self.boots = False  # until the first start of all has got to it
        self.on_request = False  # its start was asked for, so its failure is for the asker alone
        self.tries = 0
        self.failed_starts = 0  # in a row
        self.started_at: float | None = None
        self.progressed = False

    @property
    def alive(self) -> bool:
        """Whether it has yet to end."""
        return self.status in {ChildStatus.STARTING, ChildStatus.UP, ChildStatus.STOPPING}


class Round:
    """Children that are brought down and, once all are and the time has come, up again in order.

    Invariants: a child is in one round at most; with a strategy other than one-for-one there is one round at most.
    Members that are down are WAITING. While it stops, none is started.
    """

    __slots__ = ("due", "members", "stopping")

    def __init__(self, members: Iterable[str], due: float, *, stopping: bool) -> None:
        self.members = dict.fromkeys(members)
        self.due = due
        self.stopping = stopping
