"""Futures among the arguments of a call: each is a dependency, and stands for the result of its task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from actors.future import TaskFuture
from actors.hosts.plaincall import ResultOf
from actors.hosts.serialize import FLAT

__all__ = ["check_calls", "with_results"]

# Most arguments are none of those that are looked into.
_ATOMS = frozenset({type(None), bool, int, float, str, bytes})


def with_results(
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    after: dict[int, None],
    number_of: Callable[[TaskFuture[Any]], int],
) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """The arguments with `ResultOf` in the place of each future, at the top level and one list, tuple or dict deep.

    Args:
        args: positional arguments.
        kwargs: arguments by name.
        after: takes the numbers of the tasks that must complete first.
        number_of: the number of a future's task; raises for a future that does not belong here.
    """
    args = tuple([value if type(value) in _ATOMS else _replaced(value, after, number_of, 1) for value in args])
    if kwargs:
        kwargs = {
            name: value if type(value) in _ATOMS else _replaced(value, after, number_of, 1)
            for name, value in kwargs.items()
        }
    return args, kwargs


def _replaced(value: Any, after: dict[int, None], number_of: Callable[[TaskFuture[Any]], int], depth: int) -> Any:
    kind = type(value)
    if kind is TaskFuture or isinstance(value, TaskFuture):
        number = number_of(value)
        after[number] = None
        return ResultOf(number)
    # A container without a future goes as it is: also a large one costs one look through it.
    if depth and kind in (list, tuple) and any(isinstance(one, TaskFuture) for one in value):
        return kind(_replaced(one, after, number_of, 0) for one in value)
    if depth and kind is dict and any(isinstance(one, TaskFuture) for one in value.values()):
        return {name: _replaced(one, after, number_of, 0) for name, one in value.items()}
    return value


def check_calls(
    check: Callable[[tuple[Any, ...], Any], None], kwargs: Mapping[str, Any], items: list[Any], form: str
) -> None:
    """See to it that a function can be called with the arguments of each of these calls.

    Args:
        check: raises the TypeError of a call that does not fit; it looks at how many arguments there are, and their names.
        kwargs: the arguments by name, of all calls.
        items: see `Call`.
        form: see `Call`.

    Raises:
        TypeError: one of them does not fit.
    """
    if form == FLAT:
        if items:
            check((items[0],), kwargs)
        return
    for args in {len(args): args for args in items}.values():
        check(args, kwargs)
