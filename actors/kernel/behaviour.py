"""Handlers that take the place of an actor's own for a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from actors.errors import ConfigError
from actors.kernel.handlers import Entry, HandlerTable

__all__ = ["behaviour"]

# Of a class that was made by a class statement or the like, whose attributes can be set.
_HEAP_TYPE = 1 << 9


def behaviour(own: HandlerTable, handlers: Any) -> HandlerTable:
    """The table of an actor that has become something else.

    Args:
        own: the handlers of what the library itself sends, which stay.
        handlers: a mapping from message type to what is called with the message; a class whose methods marked with
            `@handles` are called with the actor and the message; or an object whose marked methods are called with the
            message.

    Raises:
        ConfigError: it is none of these or has no handler, or a handler is urgent.
    """
    entries = _of_mapping(handlers) if isinstance(handlers, Mapping) else _of_namespace(handlers)
    if not entries:
        raise ConfigError(
            "become takes a mapping from message types to functions, or a class or an object with methods marked with "
            f"@handles; {handlers!r} has none",
            key="handlers",
            value=handlers,
        )
    return own.extended(entries)


def _of_mapping(handlers: Mapping[Any, Any]) -> dict[type[Any], Entry]:
    entries = {}
    for kind, function in handlers.items():
        if not isinstance(kind, type) or not callable(function):
            raise ConfigError(
                f"become takes a mapping from message types to functions, not with {kind!r}: {function!r}",
                key="handlers",
                value=handlers,
            )
        entries[kind] = Entry(default=_without_actor(function))
    return entries


def _of_namespace(handlers: Any) -> dict[type[Any], Entry]:
    is_class = isinstance(handlers, type)
    owner = handlers if is_class else type(handlers)
    # A built-in class has no handlers, and no place to keep a table.
    table = HandlerTable.of(owner) if owner.__flags__ & _HEAP_TYPE else HandlerTable(owner)
    entries = {}
    for kind in table:
        entry = table.entry(kind)
        if entry.urgent:
            raise ConfigError(
                f"{kind.__qualname__} is urgent in {handlers!r}: whether a message goes first is said by the actor's class, "
                "because it is decided when it is sent; mark it there and leave urgent= out here",
                key="urgent",
                value=kind,
            )
        entries[kind] = entry if is_class else entry.bound_to(handlers)
    return entries


def _without_actor(function: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda _actor, message: function(message)
