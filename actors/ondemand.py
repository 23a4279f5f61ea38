"""Modules that are imported when something of them is first used: what a program imports costs each of its starts.

For the few modules that everybody imports who writes `from actors import …`, and that need most others only once a
system runs. The types are imported for type checkers, the module itself through here, under the same name:

    if TYPE_CHECKING:
        from actors.runtime import messages as m
    else:
        m = on_demand(globals(), "m", "actors.runtime.messages")
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["on_demand"]


class _Module:
    """Stands for a module until something of it is used; then the module stands in its place."""

    __slots__ = ("_alias", "_name", "_names")

    def __init__(self, names: dict[str, Any], alias: str, name: str) -> None:
        self._names = names
        self._alias = alias
        self._name = name

    def __getattr__(self, wanted: str) -> Any:
        module = importlib.import_module(self._name)
        self._names[self._alias] = module
        return getattr(module, wanted)


def on_demand(names: dict[str, Any], alias: str, module: str) -> Any:
    """What stands for a module until it is used.

    Args:
        names: the globals of the file that uses it.
        alias: what it is called there; from the first use on this is the module itself.
        module: its dotted name.
    """
    return _Module(names, alias, module)
