"""A journal in memory, which outlives the simulated program that writes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from actors.errors import JournalError
from actors.runtime.journal.record import Keep, Opened, TaskRecord

__all__ = ["MemoryJournal"]

_ACCEPTED_ONCE = frozenset({"number", "id", "once", "worker", "kind", "payload", "after", "inputs", "key", "created"})
_NAME = "in memory"


def _never() -> bool:
    return False


class MemoryJournal:
    """See `Journal`. What it holds stays when it is closed, as a file would.

    Args:
        fails: asked before each write whether it fails.
    """

    def __init__(self, fails: Callable[[], bool] = _never) -> None:
        self.fails = fails
        self.records: dict[int, TaskRecord] = {}
        self._token = ""
        self._last = 0
        self._is_open = False

    def open(self, token: str) -> Opened:
        """See `Journal.open`."""
        if self._is_open:
            raise JournalError(f"the journal {_NAME} is in use", path=_NAME, reason="in use")
        self._is_open = True
        self._token = self._token or token
        return Opened(self._token, self._last)

    def write(self, records: Sequence[TaskRecord]) -> None:
        """See `Journal.write`."""
        self._check()
        names = {each.once: number for number, each in self.records.items() if each.once is not None}
        for record in records:
            if record.once is not None and names.setdefault(record.once, record.number) != record.number:
                raise JournalError(f"the journal {_NAME} has {record.once!r} already", path=_NAME, reason="not unique")
        for record in records:
            known = self.records.get(record.number)
            if known is not None:
                kept = {name: getattr(known, name) for name in _ACCEPTED_ONCE}
                self.records[record.number] = record._replace(**kept)
            else:
                self.records[record.number] = record._replace(payload=_copied(record.payload))
            self.records[record.number] = self.records[record.number]._replace(result=_copied(record.result))
            self._last = max(self._last, record.number)

    def unfinished(self) -> Iterator[TaskRecord]:
        """See `Journal.unfinished`."""
        return iter([record for record in self._sorted() if not record.final])

    def unfetched(self) -> Iterator[TaskRecord]:
        """See `Journal.unfetched`."""
        return iter([record for record in self._sorted() if record.final and not record.fetched])

    def find(self, numbers: Iterable[int]) -> list[TaskRecord]:
        """See `Journal.find`."""
        wanted = set(numbers)
        return [record for record in self._sorted() if record.number in wanted]

    def named(self, once: str) -> TaskRecord | None:
        """See `Journal.named`."""
        return next((record for record in self._sorted() if record.once == once), None)

    def fetched(self, numbers: Iterable[int]) -> None:
        """See `Journal.fetched`."""
        self._check()
        for number in numbers:
            if number in self.records:
                self.records[number] = self.records[number]._replace(fetched=True)

    def dead(self, most: int) -> list[TaskRecord]:
        """See `Journal.dead`."""
        found = [record for record in self._sorted() if record.dead]
        return sorted(found[max(0, len(found) - most) :], key=lambda record: (record.ended or 0.0, record.number))

    def forget(self, keep: Keep) -> int:
        """See `Journal.forget`."""
        self._check()
        needed = {number for record in self.records.values() if not record.final for number in _after(record)}
        ended = [record for record in self._sorted() if record.final and record.number not in needed]
        latest = [record.number for record in self._sorted() if record.fetched and not record.dead][::-1][: keep.most]
        listed = [record.number for record in self._sorted() if record.dead][::-1][: keep.most_dead]

        def is_old(record: TaskRecord) -> bool:
            if record.dead:
                return (record.ended or 0.0) < keep.dead_since or record.number not in listed
            return (record.ended or 0.0) < keep.since or (record.fetched and record.number not in latest)

        gone = [record.number for record in ended if record.once is None and is_old(record)]
        for number in gone:
            del self.records[number]
        for record in ended:
            if record.once is not None and record.status == "completed" and (record.ended or 0.0) < keep.since:
                self.records[record.number] = record._replace(payload=None)
        return len(gone)

    def close(self) -> None:
        """See `Journal.close`."""
        self._is_open = False

    def _sorted(self) -> list[TaskRecord]:
        if not self._is_open:
            raise JournalError(f"the journal {_NAME} is not open", path=_NAME, reason="closed")
        return [self.records[number] for number in sorted(self.records)]

    def _check(self) -> None:
        self._sorted()
        if self.fails():
            raise JournalError(f"the journal {_NAME} cannot be written: it is full", path=_NAME, reason="SQLITE_FULL")


def _copied(payload: bytes | memoryview | None) -> bytes | None:
    # Large payloads are views of memory that is used again.
    return None if payload is None else bytes(payload)


def _after(record: TaskRecord) -> list[int]:
    numbers: list[int] = json.loads(record.after)
    return numbers
