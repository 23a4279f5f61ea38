"""`python -m actors.testing scale`."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from actors.testing.scale.curve import FLAT, Point, agents_between, flatness, measure, table, write

__all__ = ["add_parser", "run"]


def add_parser(commands: Any) -> None:
    """Add the command to those of the program."""
    scale = commands.add_parser("scale", help="measure what a task costs with up to ten thousand agents, simulated")
    scale.add_argument("--from", dest="least", type=int, default=100, help="agents at least (default: %(default)s)")
    scale.add_argument("--to", dest="most", type=int, default=10_000, help="agents at most (default: %(default)s)")
    scale.add_argument("--points", type=int, default=5, help="points of the curve (default: %(default)s)")
    scale.add_argument(
        "--tasks", type=int, default=100, help="tasks for each agent; 1000 is ten million in all (default: %(default)s)"
    )
    scale.add_argument("--json", metavar="FILE", help="write the points down")
    scale.add_argument("--minutes", type=float, default=30.0, help="begin no further point after so long")
    scale.add_argument("--check", action="store_true", help=f"exit with 1 if the curve is not flat within {FLAT:g} ×")


def run(given: argparse.Namespace) -> int:
    """Measure the curve, and tell it. Interrupted, it tells the points that it has."""
    try:
        numbers = agents_between(given.least, given.most, given.points)
        if given.tasks < 1:
            raise ValueError(f"--tasks takes a number of 1 or more, not {given.tasks}")
    except ValueError as error:
        print(error, file=sys.stderr)  # noqa: T201 - it is a command
        return 2
    points: list[Point] = []
    code = 0
    begun = time.monotonic()
    try:
        for agents in numbers:
            if points and time.monotonic() - begun > given.minutes * 60:
                print(f"{agents:,} agents and more are left out: the time is up", file=sys.stderr)  # noqa: T201 - as above
                break
            points.append(measure(agents, agents * given.tasks, told=_Line(agents, agents * given.tasks).told))
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)  # noqa: T201 - as above
        code = 130
    if points:
        print(table(points))  # noqa: T201 - as above
    if given.json:
        write(points, given.json)
    if given.check and not code and flatness(points) > FLAT:
        return 1
    return code


class _Line:
    """How far a point has come, in one line on a terminal, and nothing in a log."""

    def __init__(self, agents: int, tasks: int) -> None:
        self._agents = agents
        self._tasks = tasks
        self._told = 0.0
        self._shown = sys.stderr.isatty()

    def told(self, done: int) -> None:
        now = time.monotonic()
        if self._shown and (now - self._told > 0.2 or done == self._tasks):
            self._told = now
            text = f"\r{self._agents:,} agents: {done:,} of {self._tasks:,} tasks"
            print(text, end="\n" if done == self._tasks else "", file=sys.stderr, flush=True)  # noqa: T201 - as above
