"""What a supervision plan tells its supervisor to do.

Whoever carries out an action reports to the plan what became of it:

    Start(children)   start each             -> `started(child)`; or `exited(child)`: it failed to start
    Stop(children)    end each, in its manner -> `exited(child)`
    Later(delay)      wait, without blocking -> `due()`
    Drop(child)       nothing: the plan has given up on this child alone
    Escalate, Finish  nothing: all children are down, and so shall be the supervisor

Only children that may start or stop at the same time stand in one action; what has to wait for another comes when
that one is reported.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

__all__ = ["Action", "Drop", "Escalate", "Finish", "Later", "Start", "Stop"]


class Start(NamedTuple):
    """Start these children. `again`: they ran before, or were tried before."""

    children: tuple[str, ...]
    again: bool


class Stop(NamedTuple):
    """End these children, each in the manner of its spec's `shutdown`; one that is starting, too."""

    children: tuple[str, ...]


class Later(NamedTuple):
    """Call `due` after `delay` seconds. A call too early or too often does no harm."""

    delay: float


class Drop(NamedTuple):
    """The child cannot be started and is forgotten; its siblings go on."""

    child: str
    why: str


class Escalate(NamedTuple):
    """The supervisor gives up because of this child; all children are down. The last action of a plan."""

    child: str
    why: str


class Finish(NamedTuple):
    """The supervisor ends in order; all children are down. The last action of a plan."""

    why: str


Action: TypeAlias = Start | Stop | Later | Drop | Escalate | Finish
