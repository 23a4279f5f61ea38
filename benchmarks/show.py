"""Showing what was measured: `python -m benchmarks show FILE … [--docs FILE]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import page, plots
from benchmarks.page import BadPage
from benchmarks.report import NoReport, Report
from benchmarks.table import Table

__all__ = ["BEGIN", "END", "check", "main", "put"]

BEGIN = "<!-- performance: made by `make performance` from here on -->"
END = "<!-- performance: made by `make performance` up to here -->"


def main(arguments: list[str]) -> int:
    """Print the tables of some reports; 2 if one is none."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks show",
        description="Show what was measured. Of a row that stands in several reports the last is taken.",
    )
    parser.add_argument("reports", nargs="+", type=Path, metavar="FILE", help="what --json wrote")
    parser.add_argument("--docs", type=Path, metavar="FILE", help="put tables and pictures into FILE and beside it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write them as one")
    options = parser.parse_args(arguments)
    try:
        *others, report = [Report.read(path) for path in options.reports]
        for other in reversed(others):
            report.merge(other)
        if options.docs is not None:
            put(report, options.docs)
        if options.json is not None:
            report.write(options.json)
    except (NoReport, BadPage, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(Table(report).as_text())
    return 0


def check(path: Path) -> None:
    """See before an hour of measuring whether a page can take the tables.

    Raises:
        BadPage: it is not there, or has no markers.
    """
    page.split(path, BEGIN, END)


def put(report: Report, path: Path) -> None:
    """Put tables between the markers of a page, and the pictures beside it.

    Raises:
        BadPage: it is not there, or has no markers.
    """
    pictures = {}
    for key, picture in plots.pictures(report).items():
        place = path.parent / f"performance_{key}.svg"
        place.write_text(picture, encoding="utf-8")
        pictures[key] = place.name
    page.put_into(path, BEGIN, END, Table(report).as_markdown(pictures))
