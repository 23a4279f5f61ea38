"""`python -m actors.testing`: look for the history that breaks a promise of the library, and for what does not scale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from actors.testing.campaign.run import run_history
from actors.testing.campaign.series import quiet, run_series
from actors.testing.pictures.diagram import write_diagram
from actors.testing.pictures.sequence import sequence
from actors.testing.scale import command as scale

_HISTORIES = 2_000
_STEPS = 200


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m actors.testing",
        description="Run the whole system in virtual time, with faults, and look for what breaks a promise.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    simulate = commands.add_parser("simulate", help="run many random histories, each from a seed")
    simulate.add_argument("--histories", type=int, default=_HISTORIES, help="how many (default: %(default)s)")
    simulate.add_argument("--steps", type=int, default=_STEPS, help="steps of each at the least (default: %(default)s)")
    simulate.add_argument("--seed", type=int, default=0, help="the seed of the first one (default: %(default)s)")
    simulate.add_argument("--examples", type=int, default=0, help="histories that Hypothesis makes beside them")
    simulate.add_argument("--jobs", type=int, default=None, help="processes (default: one for each processor)")
    replay = commands.add_parser("replay", help="run one history again and tell what happens in it")
    replay.add_argument("seed", type=int, help="its seed")
    replay.add_argument("--steps", type=int, default=_STEPS, help="as it was run before (default: %(default)s)")
    replay.add_argument("--lines", type=int, default=120, help="lines of the story at most; 0 for all of them")
    replay.add_argument("--picture", metavar="FILE", help="draw it as a sequence diagram, in SVG")
    scale.add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says. Returns 1 if a promise was broken."""
    given = _parser().parse_args(arguments)
    if given.command == "scale":
        return scale.run(given)
    for name in ("histories", "steps", "jobs"):
        value = getattr(given, name, None)
        if value is not None and value < 1:
            print(f"--{name} takes a number of 1 or more, not {value}", file=sys.stderr)  # noqa: T201 - it is a command
            return 2
    return _simulate(given) if given.command == "simulate" else _replay(given)


def _simulate(given: argparse.Namespace) -> int:
    bar = _Bar(given.histories)
    try:
        report = run_series(
            given.histories,
            steps=given.steps,
            first=given.seed,
            jobs=given.jobs,
            examples=given.examples,
            advance=bar.advance,
        )
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)  # noqa: T201 - as above
        return 130
    finally:
        bar.close()
    print(report)  # noqa: T201 - as above
    return 1 if report.failed else 0


def _replay(given: argparse.Namespace) -> int:
    code = 0
    simulation: Any = None
    try:
        with quiet():
            simulation = run_history(given.seed, given.steps, detail=True, keep=True).simulation
    except Exception as error:
        simulation, code = getattr(error, "simulation", None), 1
        if simulation is None:
            raise
        print(f"{type(error).__name__}: {error}\n")  # noqa: T201 - as above
    history = simulation.history
    print(sequence(history, most=given.lines or None))  # noqa: T201 - as above
    print(f"\n{len(history.entries)} entries, {simulation.conductor.steps} steps, digest {history.digest()}")  # noqa: T201
    if given.picture:
        print(write_diagram(history, given.picture, title=f"seed {given.seed}"))  # noqa: T201 - as above
    return code


class _Bar:
    """How far it has come, in one line on a terminal, and nothing in a log."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._shown = sys.stderr.isatty()

    def advance(self, count: int) -> None:
        """So many more."""
        self._done += count
        if self._shown:
            width = 40
            filled = width * self._done // self._total
            bar = "█" * filled + "·" * (width - filled)
            print(f"\r{bar} {self._done:,} of {self._total:,}", end="", file=sys.stderr, flush=True)  # noqa: T201

    def close(self) -> None:
        """End the line."""
        if self._shown and self._done:
            print(file=sys.stderr)  # noqa: T201 - as above


if __name__ == "__main__":
    sys.exit(main())
