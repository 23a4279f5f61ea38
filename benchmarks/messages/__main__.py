"""The command `python -m benchmarks.messages`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from benchmarks.console import Progress, positive
from benchmarks.messages import table
from benchmarks.messages.libraries import ENTRANTS
from benchmarks.messages.measure import Plan, run
from benchmarks.messages.post import WrongResult
from benchmarks.messages.workloads import SCENES, WORKLOADS

_QUICK = 0.1


def _plan(options: argparse.Namespace) -> Plan:
    return Plan(
        [scene for scene in SCENES if not options.scene or scene.key in options.scene],
        [entrant for entrant in ENTRANTS if not options.library or entrant.name in options.library],
        [workload for workload in WORKLOADS if not options.only or workload.key in options.only],
        options.rounds or (1 if options.quick else 5),
        _QUICK if options.quick else 1.0,
        float(options.patience),
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the tables; 0 if all that is installed was measured, whatever the figures say.

    Otherwise 1: an answer was wrong, or somebody failed or hung; 2 for wrong usage; 130 after Ctrl-C or TERM.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.messages",
        description="Measure tell and ask beside pykka, Ray, xoscar, Thespian, and what the machine gives without any.",
        epilog="It needs Linux. A peer that is not installed is named and left out.",
    )
    scenes, work = [scene.key for scene in SCENES], [workload.key for workload in WORKLOADS]
    names = [entrant.name for entrant in ENTRANTS]
    parser.add_argument("--rounds", type=positive, help="rounds that are measured (5, quick: 1)")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the messages: to see that it runs, not how fast"
    )
    parser.add_argument("--scene", action="append", metavar="SCENE", choices=scenes, help=", ".join(scenes))
    parser.add_argument("--only", action="append", metavar="WORK", choices=work, help=", ".join(work))
    parser.add_argument("--library", action="append", metavar="NAME", choices=names, help=", ".join(names))
    parser.add_argument(
        "--patience",
        type=positive,
        default=120,
        metavar="SECONDS",
        help="then a library that has not done a piece of work is cut off (120)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples to FILE")
    parser.add_argument("--docs", type=Path, metavar="FILE", help="put the tables between the markers of FILE")
    options = parser.parse_args(arguments)
    for path in (options.json, options.docs):
        if path is not None and not path.absolute().parent.is_dir():
            parser.error(f"{path.absolute().parent} is no directory")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)

    plan, about = _plan(options), table.machine()
    progress = Progress(len(plan.cells()) * plan.rounds, sys.stderr)

    def show(over: int, text: str) -> None:
        if progress.terminal:
            progress.show(over, text)
        else:
            progress.tell(text)

    try:
        results = run(plan, show)
    except WrongResult as error:
        progress.tell(f"a wrong result: {error}")
        return 1
    except KeyboardInterrupt:
        progress.tell("interrupted")
        return 130
    progress.clear()
    made = table.Table(plan, results, about)
    print(made.as_text())
    if options.json is not None:
        options.json.write_text(json.dumps(made.as_json(), indent=1) + "\n", encoding="utf-8")
    if options.docs is not None:
        table.put_into(options.docs, made.as_markdown())
    return 1 if any(results.failures.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
