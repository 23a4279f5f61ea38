"""Markers among the arguments of a call: each stands for a value that comes later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["filled"]

M = TypeVar("M")


def filled(value: Any, marker: type[M], get: Callable[[M], Any]) -> Any:
    """An argument with values in place of its markers: itself, or those in it if it is a list, tuple or dict.

    Args:
        value: the argument. One without a marker is given back as it is.
        marker: the class of the markers; not those derived from it.
        get: gives the value that a marker stands for.
    """
    kind = type(value)
    if kind is marker:
        return get(value)
    if kind in (list, tuple) and marker in map(type, value):
        return kind(get(inner) if type(inner) is marker else inner for inner in value)
    if kind is dict and marker in map(type, value.values()):
        return {key: get(inner) if type(inner) is marker else inner for key, inner in value.items()}
    return value
