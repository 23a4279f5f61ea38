"""Actors of the program's own that are started again when they fail, behind the same reference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from actors.core.children import ChildSpec, Intensity, Restart
from actors.core.retry import Backoff
from actors.errors import ConfigError
from actors.kernel.actor import Actor
from actors.kernel.child import ActorChild
from actors.kernel.options import ActorOptions
from actors.kernel.ref import ActorRef
from actors.kernel.supervisor import Supervisor

__all__ = ["Begun", "Pace", "begin", "check_restart"]

_RESTARTS: tuple[Restart, ...] = ("permanent", "transient", "temporary")


class Pace(NamedTuple):
    """How often and how quickly something is started again."""

    intensity: Intensity = Intensity()
    backoff: Backoff = Backoff()


class Begun(NamedTuple):
    """An actor that was started, and whom to stop so that it ends for good: itself, or its supervisor."""

    ref: ActorRef[Any]
    root: ActorRef[Any]


def check_restart(restart: Any) -> Restart:
    """What was given as `restart`.

    Raises:
        ConfigError: it is none of the three.
    """
    for each in _RESTARTS:
        if restart == each:
            return each
    allowed = '"temporary", "transient" or "permanent"'
    raise ConfigError(f"restart takes {allowed}, not {restart!r}", key="restart", value=restart, allowed=allowed)


def begin(
    actor_class: type[Actor],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: ActorOptions,
    restart: Restart,
    pace: Pace,
) -> Begun:
    """Start an actor, with a supervisor of its own if it is to be started again.

    Raises:
        BaseException: what its constructor raises.
    """
    if restart == "temporary":
        ref = actor_class.start_with(options, *args, **kwargs)
        return Begun(ref, ref)
    name = options.name or actor_class.__name__
    # Its normal end, if that is for good, is also its supervisor's.
    spec = ChildSpec(name, restart, significant=restart == "transient")
    child = ActorChild(spec, actor_class, *args, options=options, **kwargs)
    child.build()
    root = Supervisor.start_with(
        replace(options, name=f"{name}-supervisor", number=0, bound=None, overflow=None, on_dead_letter=None),
        [child],
        intensity=pace.intensity,
        backoff=pace.backoff,
        auto_shutdown="any",
    )
    return Begun(child.ref, root)
