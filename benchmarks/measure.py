"""Measuring: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from benchmarks import harness, show
from benchmarks.console import Progress, positive
from benchmarks.harness import Plan
from benchmarks.page import BadPage
from benchmarks.peers.registry import BARE, ENTRANTS, STANDARD
from benchmarks.report import NoReport, Report
from benchmarks.rows import ROWS
from benchmarks.table import Table

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Measure, print the table, write what was asked for.

    Returns:
        0 when all results were right, whatever the figures say; 1 when one was wrong or this library failed; 2 for wrong
        usage; 130 after Ctrl-C or TERM, with what was measured until then.
    """
    options = _parser().parse_args(arguments)
    report = Report()
    merged: list[Report] = []
    try:
        merged = [Report.read(path) for path in options.merge]
        if options.docs is not None:
            show.check(options.docs)
    except (NoReport, BadPage) as error:
        print(error, file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    progress = Progress(1, sys.stderr)

    def saved() -> None:
        if options.json is not None:
            whole = Report(report.machine, dict(report.versions), dict(report.rows))
            _complete(whole, merged)
            whole.write(options.json)

    code = 0
    try:
        harness.run(_plan(options), report, progress.tell, saved)
    except KeyboardInterrupt:
        progress.tell("interrupted: what was measured until then follows")
        code = 130
    broken = [f"{key}: {measured.broken()}" for key, measured in report.rows.items() if measured.broken()]
    _complete(report, merged)
    print(Table(report).as_text())
    if options.docs is not None and not code:
        show.put(report, options.docs)
    print(*broken, sep="\n", end="\n" if broken else "", file=sys.stderr)
    return code or (1 if broken else 0)


def _complete(report: Report, merged: list[Report]) -> None:
    for other in reversed(merged):
        report.merge(other)
    report.note_versions()


def _plan(options: argparse.Namespace) -> Plan:
    rows = tuple(row for row in ROWS if not options.rows or row.key in options.rows)
    entrants = frozenset(options.peers or (STANDARD if options.quick else ENTRANTS))
    return Plan(rows, entrants | BARE, options.quick, options.rounds, options.tasks, not options.quick)


def _parser() -> argparse.ArgumentParser:
    keys = [row.key for row in ROWS]
    peers = [name for name in harness.names(ROWS) if name not in BARE and not name.startswith("actors")]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure actors beside the process pools and frameworks that do the same. It needs Linux.",
        epilog="`python -m benchmarks show FILE …` shows what was measured, `… compare OLD NEW` tells regressions from "
        "noise, `… review` measures `actors review` beside a plain loop. A peer that is not installed is left out.",
    )
    parser.add_argument("--rows", nargs="+", metavar="ROW", choices=keys, help=f"only these: {', '.join(keys)}")
    parser.add_argument("--peers", nargs="+", metavar="PEER", choices=peers, help=f"only these: {', '.join(peers)}")
    parser.add_argument("--rounds", type=positive, help="rounds that are measured (each row has its own number)")
    parser.add_argument(
        "--tasks",
        type=positive,
        help="tasks of each measurement (each row has its own number), for rows that have many",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few tasks and rounds, the standard library's pools: whether all is right, not how fast",
    )
    parser.add_argument("--json", type=_place, metavar="FILE", help="write all samples to FILE, after each row")
    parser.add_argument(
        "--merge", nargs="+", type=Path, default=[], metavar="FILE", help="take rows that are not measured from there"
    )
    parser.add_argument("--docs", type=Path, metavar="FILE", help="put tables and pictures into FILE and beside it")
    return parser


def _place(text: str) -> Path:
    path = Path(text)
    if not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"{path.absolute().parent} is no directory")
    return path
