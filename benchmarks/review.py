"""A review beside a plain loop over the same analysers: `python -m benchmarks review`.

Both find the files of a tree, analyse each, reduce the reports to one, and write the page. The loop does it in one
process, one file after the other. Both run as programs of their own, so that starting them, their agents and their
imports counts; they take turns, and the ratios are of the two of one round.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.console import positive
from benchmarks.report import machine

__all__ = ["main"]

CPU_GOAL = 1.15
WALL_GOAL = 0.65
_LONG_ENOUGH = 15.0

_LOOP = """
import sys
from actors.analysis.measure import analyse_file
from actors.review.discover import discover
from actors.review.output import write_output
from actors.review.reduce import reduce_reports
from actors.review.report import render_report
found = discover(sys.argv[1])
code = reduce_reports([analyse_file(path, found.root) for path in found.files])
write_output(sys.argv[2], render_report(code, title="tree", root=found.root))
print(code.totals.files, code.totals.lines.total, code.totals.functions, code.totals.complexity)
"""
_REVIEW = """
import sys
from actors.review.discover import discover
from actors.review.output import write_output
from actors.review.review import Review
outcome = Review(discover(sys.argv[1]), title="tree", workers=int(sys.argv[3])).run()
code = outcome.code
write_output(sys.argv[2], outcome.page)
assert outcome.complete
print(code.totals.files, code.totals.lines.total, code.totals.functions, code.totals.complexity)
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: seconds by the clock, and of all processors together, its child processes too."""

    wall: float
    cpu: float
    totals: str


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 0 if both said the same of the tree, whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks review", description=__doc__.splitlines()[0])
    parser.add_argument("--tree", type=Path, help="what to review (default: files of the standard library)")
    parser.add_argument("--files", type=positive, default=1000, help="how many of them, the default tree only")
    parser.add_argument("--workers", type=positive, default=2, help="agents that analyse (2)")
    parser.add_argument("--rounds", type=positive, default=3, help="rounds that are measured (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples to FILE")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        tree = options.tree or _standard_library(Path(folder, "tree"), options.files)
        rounds = [_round(number, tree, Path(folder), options.workers) for number in range(options.rounds)]
    if len({sample.totals for pair in rounds for sample in pair}) != 1:
        print("The two do not say the same of the tree.", file=sys.stderr)
        return 1
    about = machine()
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    print(_text(rounds))
    if options.json is not None:
        samples = [{"loop": asdict(loop), "review": asdict(review)} for loop, review in rounds]
        options.json.write_text(json.dumps({"machine": about, "rounds": samples}, indent=2) + "\n", encoding="utf-8")
    return 0


def _standard_library(folder: Path, files: int) -> Path:
    """The largest files of the standard library: what every machine with Python has. A checkout without git."""
    source = Path(os.__file__).parent
    found = [path for path in source.rglob("*.py") if not {"site-packages", "__pycache__"}.intersection(path.parts)]
    for path in sorted(found, key=lambda one: (-one.stat().st_size, str(one)))[:files]:
        place = folder / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    return folder


def _round(number: int, tree: Path, folder: Path, workers: int) -> tuple[Sample, Sample]:
    """Both, each first in every other round."""
    scripts = {"loop": _LOOP, "review": _REVIEW}
    samples = {}
    for name in sorted(scripts, reverse=number % 2 == 1):
        print(f"round {number + 1}: {name}", file=sys.stderr, flush=True)
        samples[name] = _measured(scripts[name], [str(tree), str(folder / f"{name}.html"), str(workers)])
    return samples["loop"], samples["review"]


def _measured(script: str, arguments: list[str]) -> Sample:
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True) as program:
        totals = program.stdout.read() if program.stdout is not None else ""
        # What it used, with all descendants that it has waited for.
        _, status, used = os.wait4(program.pid, 0)
        program.returncode = os.waitstatus_to_exitcode(status)
    if program.returncode:
        raise SystemExit(f"a run ended with exit code {program.returncode}")
    return Sample(time.perf_counter() - began, used.ru_utime + used.ru_stime, totals.strip())


def _text(rounds: list[tuple[Sample, Sample]]) -> str:
    cpu = statistics.median(review.cpu / loop.cpu for loop, review in rounds)
    wall = statistics.median(review.wall / loop.wall for loop, review in rounds)
    slow = statistics.median(loop.wall for loop, _ in rounds)
    lines = [f"files, lines, functions, complexity: {rounds[0][0].totals}"]
    for name, index in (("plain loop", 0), ("review", 1)):
        walls, cpus = zip(*((pair[index].wall, pair[index].cpu) for pair in rounds), strict=True)
        lines.append(
            f"  {name:<10}  wall {statistics.median(walls):6.2f} s ({min(walls):.2f} … {max(walls):.2f})"
            f"  cpu {statistics.median(cpus):6.2f} s ({min(cpus):.2f} … {max(cpus):.2f})"
        )
    lines.append(f"  cpu   {cpu:.2f} × the loop's   ≤ {CPU_GOAL:g}: {'reached' if cpu <= CPU_GOAL else 'missed'}")
    goal = f"≤ {WALL_GOAL:g}: {'reached' if wall <= WALL_GOAL else 'missed'}"
    if slow < _LONG_ENOUGH:
        goal = f"no goal where the loop takes less than {_LONG_ENOUGH:g} s"
    lines.append(f"  wall  {wall:.2f} × the loop's   {goal}")
    return "\n".join(lines)
