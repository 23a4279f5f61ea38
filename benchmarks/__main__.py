"""The command `python -m benchmarks`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks import harness, review, table
from benchmarks.console import positive
from benchmarks.peers import OURS, PEERS
from benchmarks.workloads import WORKLOADS


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table, write the JSON; 0 when all results were right, whatever the figures say."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["review"]:
        return review.main(arguments[1:])
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure actors beside the standard library's process pools.",
        epilog="`python -m benchmarks review` measures `actors review` beside a plain loop.",
    )
    parser.add_argument("--rounds", type=positive, help="rounds that are measured (5, quick: 2)")
    parser.add_argument("--tasks", type=positive, help="tasks of each measurement (each workload has its own number)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples to FILE")
    parser.add_argument("--quick", action="store_true", help="few tasks and rounds: to see that it runs, not how fast")
    options = parser.parse_args(arguments)

    rounds = options.rounds or (2 if options.quick else 5)
    workloads = [
        (workload, options.tasks or (workload.quick_tasks if options.quick else workload.tasks))
        for workload in WORKLOADS
    ]
    about = table.machine()
    rows = harness.run(workloads, PEERS, rounds, lambda line: print(line, file=sys.stderr, flush=True))
    print(table.as_text(rows, OURS.name, about))
    if options.json is not None:
        options.json.write_text(json.dumps(table.as_json(rows, OURS.name, about), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
