"""What is written comes back as it was, whatever stands in its fields and beside it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.runtime.journal import queries
from actors.runtime.journal.record import TaskRecord
from actors.runtime.journal.rows import Table
from actors.runtime.journal.sqlite import SqliteJournal

_texts = st.sampled_from(["", "0", "0.0", "x", "\x00", "äöü", "NULL"])
_maybe_text = st.none() | _texts
_maybe_bytes = st.none() | st.sampled_from([b"", b"0", b"\x00", b"\x80\x05N.", b"x" * 5000])
_maybe_time = st.none() | st.sampled_from([0.0, -1.0, 1e9, 1.5])
_count = st.integers(0, 3)


def _record(number: int, drawn: dict[str, Any]) -> TaskRecord:
    once = drawn.pop("once")
    return TaskRecord(number=number, id=f"task-{number}", once=None if once is None else f"{once}{number}", **drawn)


_fields = st.fixed_dictionaries(
    {
        "once": _maybe_text,
        "worker": _maybe_text,
        "kind": _texts,
        "payload": _maybe_bytes,
        "after": _texts,
        "inputs": _texts,
        "key": _maybe_text,
        "created": st.sampled_from([0.0, 1e9]),
        "status": st.sampled_from(["pending", "assigned", "in_progress", "completed", "failed", "cancelled"]),
        "attempt": _count,
        "retried": _count,
        "spared": _count,
        "agent": _maybe_text,
        "started": _maybe_time,
        "ended": _maybe_time,
        "cancelling": _maybe_text,
        "result": _maybe_bytes,
        "error_types": _maybe_text,
        "error_text": _maybe_text,
        "error_traceback": _maybe_text,
        "error_pickle": _maybe_bytes,
        "fetched": st.booleans(),
        "dead": st.booleans(),
        "story": _maybe_text,
    }
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(_fields, min_size=1, max_size=6), st.lists(_fields, min_size=6, max_size=6))
def test_what_is_written_together_comes_back_as_it_was(
    tmp_path_factory: Any, first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    """Principle 7: new tasks and others that were written before, in one turn."""
    journal = SqliteJournal(tmp_path_factory.mktemp("journal") / "jobs.db")
    journal.open("token")
    try:
        records = [_record(number, dict(drawn)) for number, drawn in enumerate(first, 1)]
        journal.write(records)
        assert journal.find(range(1, 100)) == records
        later = [_record(number, dict(drawn)) for number, drawn in enumerate(second, 1)]
        kept = ("number", "id", "once", "worker", "kind", "payload", "after", "inputs", "key", "created")
        journal.write(later)
        known = {record.number: record for record in records}
        expected = [
            record._replace(**{name: getattr(known[record.number], name) for name in kept})
            if record.number in known
            else record
            for record in later
        ]
        assert journal.find(range(1, 100)) == expected
    finally:
        journal.close()


def _plain(number: int, **fields: Any) -> TaskRecord:
    return TaskRecord(number, f"task-{number}", None, None, "{}", b"call", "[]", "[]", None, 1.0, "pending", **fields)


def test_a_turn_of_any_size_is_written_whole(tmp_path: Path) -> None:
    """Principle 8: a few statements, however many tasks there are."""
    journal = SqliteJournal(tmp_path / "jobs.db")
    journal.open("token")
    try:
        last = 0
        for count in (1, 2, 3, 5, 255, 256, 257, 1023, 1024, 1025, 3000):
            records = [_plain(last + place) for place in range(1, count + 1)]
            journal.write(records)
            last += count
            assert len(journal.find(range(1, last + 1))) == last
            done = [record._replace(status="completed", result=b"r", ended=2.0, payload=None) for record in records]
            journal.write(done)
        assert all(each.result == b"r" and each.payload == b"call" for each in journal.find(range(1, last + 1)))
    finally:
        journal.close()


def test_as_many_values_as_sqlite_takes_in_one_statement() -> None:
    """Principle 8: and no more."""
    full: dict[str, Any] = dict.fromkeys(TaskRecord._fields, "x") | {"number": 1}
    table = Table([TaskRecord(**full)] * 5000)
    connection = sqlite3.connect(":memory:")
    most = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
    connection.close()
    for place in range(table.statements):
        _, values = table.statement(place)
        assert len(values) <= most


def test_the_statements_are_few() -> None:
    """Figures: each is made ready once; one of 700 rows serves one of 600 too."""
    assert queries.rows_of(600, 10) == queries.rows_of(700, 10) == 1024
    assert queries.rows_of(1, 26) == 1
