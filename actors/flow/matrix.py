"""The combinations of a matrix."""

from __future__ import annotations

import itertools
import math
from typing import Any

__all__ = ["MOST_COMBINATIONS", "MatrixWrong", "combinations", "suffix"]

MOST_COMBINATIONS = 10_000


class MatrixWrong(ValueError):
    """A matrix cannot be used. `way` leads from it to what is wrong."""

    def __init__(self, message: str, way: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.way = way


def combinations(matrix: Any) -> list[dict[str, Any]]:
    """All combinations, the last axis changing fastest.

    Args:
        matrix: a list of values for each axis; and under `exclude` a list of mappings: a combination that has all values
            of one of these is left out.

    Raises:
        MatrixWrong: it has another shape, an axis without values, or leaves nothing.
    """
    if not isinstance(matrix, dict):
        raise MatrixWrong(f"a matrix is a mapping of names to lists of values, not {matrix!r}")
    axes = {name: values for name, values in matrix.items() if name != "exclude"}
    if not axes:
        raise MatrixWrong("a matrix has one name with a list of values, or more")
    for name, values in axes.items():
        if not isinstance(values, list) or not values:
            raise MatrixWrong(f"{name!r} of a matrix is a list of one value or more, not {values!r}", (name,))
        if any(values.index(value) != index for index, value in enumerate(values)):
            raise MatrixWrong(f"{name!r} of a matrix has a value twice", (name,))
    count = math.prod(len(values) for values in axes.values())
    if count > MOST_COMBINATIONS:
        raise MatrixWrong(f"this matrix makes {count:,} tasks; {MOST_COMBINATIONS:,} are the most")
    left_out = _excluded(matrix.get("exclude", []), axes)
    made = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    kept = [one for one in made if not any(out.items() <= one.items() for out in left_out)]
    if not kept:
        raise MatrixWrong("exclude leaves nothing of this matrix", ("exclude",))
    return kept


def suffix(values: dict[str, Any]) -> str:
    """What a task's id has behind it for a combination, as "[core,3.11]"."""
    return f"[{','.join(str(value) for value in values.values())}]"


def _excluded(given: Any, axes: dict[str, list[Any]]) -> list[dict[str, Any]]:
    if not isinstance(given, list):
        raise MatrixWrong(f"exclude of a matrix is a list of mappings, not {given!r}", ("exclude",))
    for index, one in enumerate(given):
        if not isinstance(one, dict) or not one:
            raise MatrixWrong(f"exclude of a matrix is a list of mappings, and {one!r} is none", ("exclude", index))
        for name, value in one.items():
            if name not in axes or value not in axes[name]:
                what = f"the value {value!r} of {name!r}" if name in axes else repr(name)
                raise MatrixWrong(f"exclude names {what}, which the matrix has not", ("exclude", index, name))
    return given
