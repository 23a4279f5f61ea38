"""The command `actors journal`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.cli.ending import DONE, FAILED, PROBLEMS, Stop, refuse

if TYPE_CHECKING:
    from actors.runtime.journal.inspection import Entry
    from actors.runtime.journal.record import TaskRecord

__all__ = ["add_journal"]

_EPILOG = """\
examples:
  actors journal list jobs.db                        the latest tasks
  actors journal list jobs.db --status failed        those that failed
  actors journal show jobs.db 3f2a9c1d-17            all about one, with its error
  actors journal retry jobs.db 3f2a9c1d-17           let it run again at the next start of the program
  actors journal purge jobs.db --older-than 7d       drop what ended more than a week ago

list and show can be used while a program has the journal open; retry and purge cannot.

exit codes:
  0    done
  1    some of the named tasks could not be retried
  2    wrong usage
  3    the journal cannot be read or written
"""
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TEXT = 60


def add_journal(commands: Any) -> None:
    """Add it to the commands that there are."""
    journal = commands.add_parser(
        "journal",
        help="look into the journal of a program, and tidy it up",
        description="Look into the file in which a program keeps its tasks (ActorSystem(journal=FILE)).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = journal.add_subparsers(dest="action", metavar="ACTION", required=True)

    def add(name: str, help_text: str, run: Callable[[argparse.Namespace, Stop], int]) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = actions.add_parser(name, help=help_text, description=help_text)
        parser.add_argument("journal", metavar="FILE", type=Path, help="the journal")
        parser.set_defaults(run=run)
        return parser

    listing = add("list", "list tasks, the latest first", _list)
    listing.add_argument(
        "--status",
        metavar="STATUS",
        action="append",
        type=_status,
        help="pending, assigned, in_progress, completed, failed or cancelled; may be given several times",
    )
    listing.add_argument("--limit", metavar="N", type=_count, default=50, help="how many at most (default: 50)")
    listing.add_argument("--json", action="store_true", help="print JSON")
    showing = add("show", "show one task", _show)
    showing.add_argument("task", metavar="ID", help="its id")
    showing.add_argument("--json", action="store_true", help="print JSON")
    retrying = add("retry", "let tasks that failed or were cancelled run again at the next start", _retry)
    retrying.add_argument("tasks", metavar="ID", nargs="*", help="their ids")
    retrying.add_argument("--all-failed", action="store_true", help="all that failed")
    purging = add("purge", "drop tasks that have ended", _purge)
    purging.add_argument(
        "--older-than",
        metavar="TIME",
        type=_seconds,
        required=True,
        help="how long ago they ended: 90s, 30m, 12h, 7d, 0s",
    )


def _status(text: str) -> str:
    from actors.runtime.journal.inspection import STATUSES  # noqa: PLC0415 - the command starts fast

    if text not in STATUSES:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(STATUSES)}, got {text!r}")
    return text


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, got {text!r}")
    return number


def _seconds(text: str) -> float:
    unit = _UNITS.get(text[-1:])
    number = text[:-1]
    if unit is None or not (number.isascii() and number.isdigit()):
        raise argparse.ArgumentTypeError(f"expected a time as 90s, 30m, 12h or 7d, got {text!r}")
    return int(number) * unit


def _list(options: argparse.Namespace, _stop: Stop) -> int:
    from actors.runtime.journal.inspection import list_tasks  # noqa: PLC0415 - as above

    entries, count = _tried(lambda: list_tasks(options.journal, statuses=options.status, limit=options.limit))
    if options.json:
        print(json.dumps([entry.to_dict() for entry in entries], indent=1))
        return DONE
    if not entries:
        print("no tasks")
        return DONE
    rows = [("ID", "STATUS", "TYPE", "SUBMITTED", "ENDED", "TRIES", "AGENT", ""), *map(_row, entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if count > len(entries):
        print(f"{count - len(entries):,} more: --limit {count}")
    return DONE


def _row(entry: Entry) -> tuple[str, ...]:
    note = entry.error or (f"once {entry.once}" if entry.once else "")
    if entry.status == "completed" and not entry.fetched:
        note = f"{note}; not fetched".lstrip("; ")
    return (
        entry.id,
        entry.status,
        entry.type,
        _time(entry.created),
        _time(entry.ended),
        str(entry.attempt),
        entry.agent or "-",
        note if len(note) <= _TEXT else f"{note[: _TEXT - 1]}…",
    )


def _show(options: argparse.Namespace, _stop: Stop) -> int:
    from actors.runtime.journal.inspection import read_task  # noqa: PLC0415 - as above

    record: TaskRecord = _tried(lambda: read_task(options.journal, options.task))
    kind = json.loads(record.kind)
    sizes = {
        name: None if value is None else len(value)
        for name, value in (("call", record.payload), ("result", record.result))
    }
    shown: dict[str, Any] = {
        "id": record.id,
        "type": kind.get("name"),
        "status": record.status,
        "once": record.once,
        "job": kind.get("job"),
        "key": record.key,
        "worker": record.worker,
        "priority": kind.get("priority"),
        "timeout": kind.get("timeout"),
        "retries": kind.get("retries"),
        "idempotent": kind.get("idempotent"),
        "depends_on": json.loads(record.after),
        "created": record.created,
        "attempt": record.attempt,
        "agent": record.agent,
        "started": record.started,
        "ended": record.ended,
        "call_bytes": sizes["call"],
        "result_bytes": sizes["result"],
        "fetched": bool(record.fetched),
        "error_types": json.loads(record.error_types) if record.error_types else None,
        "error_text": record.error_text,
        "error_traceback": record.error_traceback,
    }
    if options.json:
        print(json.dumps(shown, indent=1))
        return DONE
    for name, value in shown.items():
        if value is None or value == [] or name in {"error_types", "error_text", "error_traceback"}:
            continue
        told = _time(value) if name in {"created", "started", "ended"} else value
        print(f"{name.replace('_', ' '):12}  {told}")
    if record.error_types:
        print(f"\n{(record.error_traceback or record.error_text or '').rstrip()}")
    return DONE


def _retry(options: argparse.Namespace, _stop: Stop) -> int:
    from actors.runtime.journal.inspection import list_tasks, retry  # noqa: PLC0415 - as above

    ids = list(options.tasks)
    if options.all_failed:
        ids += [
            entry.id for entry in _tried(lambda: list_tasks(options.journal, statuses=["failed"], limit=1 << 31))[0]
        ]
    if not ids:
        print("no tasks: name some by their ids, or give --all-failed")
        return DONE if options.all_failed else PROBLEMS
    done, left = _tried(lambda: retry(options.journal, ids))
    for task_id in done:
        print(f"{task_id} runs again at the next start of the program")
    for task_id in left:
        print(f"{task_id} is unknown, did not fail, or its call is not kept", file=sys.stderr)
    return PROBLEMS if left else DONE


def _purge(options: argparse.Namespace, _stop: Stop) -> int:
    from actors.runtime.journal.inspection import purge  # noqa: PLC0415 - as above

    dropped = _tried(lambda: purge(options.journal, time.time() - options.older_than))
    print(f"{dropped:,} tasks were dropped")
    return DONE


def _tried(act: Callable[[], Any]) -> Any:
    from actors.errors import JournalError  # noqa: PLC0415 - as above

    try:
        return act()
    except JournalError as error:
        refuse(FAILED, str(error))


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
