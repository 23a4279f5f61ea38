"""What a strategy is to call, as its user writes it down."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

__all__ = ["CallLike", "Invocation", "invocation", "invocations"]

CallLike: TypeAlias = "Any"
"""A task method or any callable; with arguments a tuple (call, *arguments) or `functools.partial(call, …)`."""

_FORMS = "a worker's task method, any callable, (call, *arguments) or functools.partial(call, …)"


class Invocation(NamedTuple):
    """A call with its arguments."""

    call: Any
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}  # noqa: RUF012 - never changed

    @property
    def name(self) -> str:
        """How it is called in texts."""
        owner = getattr(self.call, "owner", None)
        name = getattr(self.call, "name", None) if owner is not None else getattr(self.call, "__name__", None)
        told = str(name or type(self.call).__name__)
        return f"{owner.__name__}.{told}" if owner is not None else told

    def on(self, item: Any) -> Invocation:
        """The same with an item as its first argument."""
        return self._replace(args=(item, *self.args))


def invocation(given: CallLike, where: str) -> Invocation:
    """What is to be called.

    Args:
        given: see `CallLike`.
        where: what takes it, for the error.

    Raises:
        TypeError: it is nothing that can be called.
    """
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    call = given
    if isinstance(call, tuple) and call:
        call, args = call[0], call[1:]
    while isinstance(call, partial):
        args, kwargs = (*call.args, *args), {**call.keywords, **kwargs}
        call = call.func
    if not callable(call):
        raise TypeError(f"{where} takes {_FORMS}, not {given!r:.200}")
    return Invocation(call, args, kwargs)


def invocations(calls: Any, items: Any, where: str) -> list[Invocation]:
    """All that is to be called: each of `calls`, or `calls` with each of `items`.

    Raises:
        TypeError: something of it cannot be called.
        ValueError: there is nothing to call.
    """
    if items is not None:
        one = invocation(calls, where)
        found = [one.on(item) for item in _listed(items, f"the items of {where}")]
    else:
        if callable(calls):
            raise TypeError(f"{where} takes several calls, or one call and the items for it, not {calls!r:.200} alone")
        found = [invocation(each, f"call {place} of {where}") for place, each in enumerate(_listed(calls, where), 1)]
    if not found:
        raise ValueError(f"{where} takes one call at least, and got none")
    return found


def _listed(values: Any, where: str) -> list[Any]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(f"{where} takes an iterable, not {values!r:.200}")
    return list(values)
