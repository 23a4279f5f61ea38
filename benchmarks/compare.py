"""Telling regressions from noise: `python -m benchmarks compare OLD NEW`.

What is compared is this library's figure of each row, divided by that of a peer of the same round where both runs have
one: what made a whole round slow, or a whole run, then cancels out. The ratio of the medians is called a change only if
it is large enough to matter, and if the U test of Mann and Whitney (Annals of Mathematical Statistics 18, 1947) says that
rounds of the same thing would hardly ever differ so.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.page import text_table
from benchmarks.peers.registry import OURS, STANDARD
from benchmarks.report import Measured, NoReport, Report
from benchmarks.row import Row
from benchmarks.rows import ROWS
from benchmarks.spread import rank_test, surest

__all__ = ["Change", "changes", "main"]

CHANCE = 0.01
MATTERS = 0.05


@dataclass(frozen=True, slots=True)
class Change:
    """One row of two runs.

    Args:
        row: which.
        against: the peer that the figures were divided by; empty for none.
        ratio: new divided by old, of the medians; None if there is nothing to compare.
        chance: how likely the same thing would have differed as much; None as above.
        said: "regression", "better", "no difference", or why it cannot be told.
    """

    row: Row
    against: str
    ratio: float | None
    chance: float | None
    said: str

    def line(self) -> list[str]:
        """For the table."""
        ratio = "" if self.ratio is None else f"{self.ratio:.3f}"
        chance = "" if self.chance is None else f"{self.chance:.3f}"
        return [
            self.row.key,
            f"{self.row.unit}{f' ÷ {self.against}' if self.against else ''}",
            ratio,
            chance,
            self.said,
        ]


def changes(old: Report, new: Report, rows: tuple[Row, ...] = ROWS) -> list[Change]:
    """Compare what stands in both, row by row."""
    both = [row for row in rows if row.axes is None and row.key in old.rows and row.key in new.rows]
    return [_change(row, old.rows[row.key], new.rows[row.key]) for row in both]


def _change(row: Row, old: Measured, new: Measured) -> Change:
    if why := new.disqualified():
        return Change(row, "", None, None, f"regression: disqualified, {why}")
    if old.count != new.count:
        counts = f"{old.count:,} and {new.count:,} {row.counted}"
        return Change(row, "", None, None, f"cannot be told: {counts} are not the same work")
    against = _rival(row, old, new)
    before, after = (_values(row, measured, against) for measured in (old, new))
    if not before or not after:
        gone = bool(before)
        return Change(row, "", None, None, "regression: no figure any more" if gone else "cannot be told: no figures")
    ratio = statistics.median(after) / statistics.median(before)
    chance = rank_test(before, after)
    worse = ratio < 1 if row.more_is_better else ratio > 1
    if surest(len(before), len(after)) > CHANCE:
        rounds = f"{len(before)} and {len(after)} rounds"
        return Change(row, against, ratio, chance, f"cannot be told: {rounds} are too few, 5 and 5 are enough")
    if chance > CHANCE or max(ratio, 1 / ratio) < 1 + MATTERS:
        return Change(row, against, ratio, chance, "no difference")
    return Change(row, against, ratio, chance, "regression" if worse else "better")


def _rival(row: Row, old: Measured, new: Measured) -> str:
    """A peer that both runs have in each round; one of the standard library, which changes least, before others."""
    others = [name for name in row.entrants if not name.startswith(OURS)]
    for name in sorted(others, key=lambda one: one not in STANDARD):
        if all(len(each.values(name, row.figure)) >= len(each.values(OURS, row.figure)) > 0 for each in (old, new)):
            return name
    return ""


def _values(row: Row, measured: Measured, against: str) -> list[float]:
    return measured.ratios(row.figure, against) if against else measured.values(row.entrants[0], row.figure)


def main(arguments: list[str]) -> int:
    """Compare two reports: 1 if something became worse, 2 if a file is no report or nothing stands in both."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks compare",
        description="Say of each row whether it became better or worse, or whether the difference is noise.",
    )
    parser.add_argument("old", type=Path, metavar="OLD", help="what --json wrote before")
    parser.add_argument("new", type=Path, metavar="NEW", help="what it wrote after")
    options = parser.parse_args(arguments)
    try:
        old, new = Report.read(options.old), Report.read(options.new)
    except NoReport as error:
        print(error, file=sys.stderr)
        return 2
    found = changes(old, new)
    if not found:
        print(f"No row stands in both {options.old} and {options.new}.", file=sys.stderr)
        return 2
    for about in ("python", "cpus", "system"):
        if old.machine.get(about) != new.machine.get(about):
            print(f"Not the same {about}: {old.machine.get(about)} and {new.machine.get(about)}.")
    heads = ["row", "figure", "new ÷ old", "by chance", ""]
    print(text_table([heads, *(change.line() for change in found)]))
    print(f"A change: beyond {MATTERS:.0%}, and by chance in less than {CHANCE:.0%} of such pairs (U test, two-sided).")
    return 1 if any(change.said.startswith("regression") for change in found) else 0
