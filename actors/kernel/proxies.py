"""What a pykka proxy looks at when the actor itself is in another process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pykka
from pykka._introspection import introspect_attrs

__all__ = ["Attributes", "Mirror", "attributes_of", "instance_of", "proxy_of"]

Attributes: TypeAlias = Mapping[tuple[str, ...], tuple[bool, bool]]
"""Whether an attribute is callable and whether it is traversable, by its path."""


def attributes_of(actor: Any) -> Attributes:
    """The public attributes of an actor and of what it has marked as traversable."""
    found = introspect_attrs(root=actor, proxy=_NO_PROXY)
    return {path: (info.callable, info.traversable) for path, info in found.items()}


def instance_of(cell: Any) -> Any:
    """The actor; one that was never initialised if there is none at the moment."""
    run = cell.run
    actor = None if run is None else run.actor
    return actor or cell.actor_class.__new__(cell.actor_class)


# Compared with each attribute, to leave out a proxy of the actor to itself.
_NO_PROXY: Any = type("_NoProxy", (), {})()


class Mirror:
    """An object with the attributes of an actor elsewhere: their names and kinds, not their values.

    Args:
        fetch: gives the attributes that the actor has now; called each time that somebody looks for them all.
        key: equal for mirrors of the same actor.
    """

    def __init__(self, fetch: Callable[[], Attributes], key: Any) -> None:
        self._fetch = fetch
        self._key = key
        self._shown: list[str] = []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mirror) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __dir__(self) -> list[str]:
        for name in self._shown:
            self.__dict__.pop(name, None)
        _fill(self, self._fetch())
        return self._shown


class _Part:
    """A traversable attribute."""

    _pykka_traversable = True

    def __init__(self) -> None:
        self._shown: list[str] = []

    def __dir__(self) -> list[str]:
        return self._shown


def _called() -> None:
    """Stands for a method."""


def _fill(root: Mirror, attributes: Attributes) -> None:
    root._shown = []  # noqa: SLF001 - this file's own
    places: dict[tuple[str, ...], Any] = {(): root}
    for path, (is_callable, traversable) in sorted(attributes.items(), key=lambda item: len(item[0])):
        parent = places.get(path[:-1])
        if parent is None:
            continue
        value: Any = _called if is_callable else None
        if traversable:
            value = places[path] = _Part()
        parent.__dict__[path[-1]] = value
        parent._shown.append(path[-1])  # noqa: SLF001 - this file's own


def proxy_of(ref: Any) -> pykka.ActorProxy[Any]:
    """A proxy over anything with the shape of a reference."""
    return pykka.ActorProxy(actor_ref=ref)
