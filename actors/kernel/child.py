"""An actor that a supervisor keeps running, and what can be asked of the supervisor about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from actors.core.children import ChildSpec, ChildStatus
from actors.kernel.actor import Actor, ActorOptions, make_cell
from actors.kernel.cell import Cell
from actors.kernel.ref import ActorRef

__all__ = ["ActorChild", "ChildInfo", "RestartChild", "StartChild", "StopChild", "WhichChildren"]


class ActorChild:
    """How to make a child, and its address, which is there before it runs.

    So children can be given each other's references; messages wait until the one they are for is started.

    Args:
        spec: how it is supervised; its id is the actor's name unless `options` have one.
        actor_class: what it is made of.
        *args: of the constructor.
        options: what surrounds it.
        **kwargs: of the constructor. `give` adds to them until the child is started.
    """

    def __init__(
        self,
        spec: ChildSpec,
        actor_class: type[Actor],
        /,
        *args: Any,
        options: ActorOptions | None = None,
        **kwargs: Any,
    ) -> None:
        self.spec = spec
        self._actor_class = actor_class
        self._args = args
        self._kwargs = kwargs
        self._options = options or ActorOptions()
        if self._options.name is None:
            self._options = replace(self._options, name=spec.id)
        self._cell = self._make()

    def __repr__(self) -> str:
        return f"<ActorChild {self.spec.id}: {self._actor_class.__name__}>"

    @property
    def cell(self) -> Cell:
        """Its cell."""
        return self._cell

    @property
    def ref(self) -> ActorRef[Any]:
        """Its reference."""
        return ActorRef(self.cell)

    def give(self, **kwargs: Any) -> None:
        """Add arguments of the constructor."""
        self._kwargs.update(kwargs)

    def build(self) -> None:
        """Make the instance that it starts with here and now.

        Raises:
            BaseException: what its constructor raises.
        """
        self._cell.build()

    def renew(self) -> None:
        """Get a new address if the old one was ended for good."""
        if self._cell.stopped.is_set():
            self._cell = self._make()

    def _make(self) -> Cell:
        return make_cell(self._actor_class, self._args, self._kwargs, self._options)


class ChildInfo(NamedTuple):
    """How a child stands. `restarts` counts its incarnations after the first."""

    id: str
    ref: ActorRef[Any]
    status: ChildStatus
    restarts: int


class StartChild(NamedTuple):
    """Ask a supervisor to take one more child. The answer is its reference, once it has started."""

    child: ActorChild


class StopChild(NamedTuple):
    """Ask a supervisor to end a child and leave it down. The answer is True, once it has ended."""

    id: str


class RestartChild(NamedTuple):
    """Ask a supervisor to start a child that is down. The answer is its reference, once it has started."""

    id: str


class WhichChildren(NamedTuple):
    """Ask a supervisor for its children: a list of `ChildInfo` in the order of their start."""
