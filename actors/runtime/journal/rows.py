"""Records as the values of few statements, in the types that SQLite's adapter takes quickest.

It takes numbers, texts and byte arrays as they are, in a tenth of a microsecond; for each None, bool and bytes it looks for
somebody who would change them, which takes ten times that. So a column without values is left out, and what is left of
these is said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from actors.runtime.journal import queries
from actors.runtime.journal.record import TaskRecord

__all__ = ["Table"]


class Table:
    """The values of some records, at least one.

    Args:
        records: no two of them of the same task.
    """

    def __init__(self, records: Sequence[TaskRecord]) -> None:
        names: list[str] = []
        columns: list[Sequence[Any]] = []
        gaps: list[str] = []
        count = len(records)
        for name, column in zip(TaskRecord._fields, zip(*records, strict=True), strict=True):
            empty = column.count(None)
            if empty == count:
                continue
            names.append(name)
            columns.append(_quick(column, queries.ABSENT[name]))
            if empty:
                gaps.append(name)
        self._names = tuple(names)
        self._gaps = frozenset(gaps)
        self._columns = columns
        self._count = count
        self._rows = queries.rows_of(count, len(names))
        self.statements = -(-count // self._rows)
        """How many statements they make."""

    def statement(self, place: int) -> tuple[str, list[Any]]:
        """The statement that writes one part of them, and its values.

        Args:
            place: which part, from 0 on.
        """
        start = place * self._rows
        left = min(self._count - start, self._rows)
        rows = queries.rows_of(left, len(self._names))
        part = [column[start : start + left] for column in self._columns]
        values = list(chain.from_iterable(zip(*part, strict=True)))
        values += [0] * ((rows - left) * len(part))
        return queries.write(rows, self._names, self._gaps), values


def _quick(column: Sequence[Any], absent: Any) -> Sequence[Any]:
    kinds = set(map(type, column))
    if kinds <= _QUICK:
        return column
    if len(kinds) == 1:
        (kind,) = kinds
        instead = _INSTEAD.get(kind)
        return column if instead is None else list(map(instead, column))
    return [
        value if type(value) in _QUICK else absent if value is None else _INSTEAD.get(type(value), _same)(value)
        for value in column
    ]


def _same(value: Any) -> Any:
    return value


_QUICK = frozenset({int, float, str})
_INSTEAD: dict[type[Any], Callable[[Any], Any]] = {bool: int, bytes: bytearray}
