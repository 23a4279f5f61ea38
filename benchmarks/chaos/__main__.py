"""The command `python -m benchmarks.chaos`."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import IO, Any

from benchmarks.chaos import figures, picture, report
from benchmarks.chaos.run import Settings, run

_LINE_EVERY = 10.0
_DRAW_EVERY = 0.2


def positive(text: str) -> float:
    """Read a number above 0."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds above 0, got {text}")
    return number


def agents(text: str) -> int:
    """Read how many agents."""
    number = int(text)
    if not 2 <= number <= 64:
        raise argparse.ArgumentTypeError(f"expected a whole number from 2 to 64, got {text}")
    return number


class Progress:
    """Tells how far a run is: a line that changes on a terminal, a line every 10 s elsewhere. Ends it on a signal."""

    def __init__(self, seconds: float, out: IO[str]) -> None:
        self._seconds = seconds
        self._out = out
        self._terminal = out.isatty()
        self._next = 0.0
        self.interrupted = 0

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """End in order; the second time at once."""
        self.interrupted += 1
        if self.interrupted > 1:
            raise KeyboardInterrupt

    def __call__(self, this: Any, now: float) -> bool:
        """Tell if it is time to; whether to go on."""
        if now >= self._next:
            self._next = now + (_DRAW_EVERY if self._terminal else _LINE_EVERY)
            self._tell(this, now)
        return not self.interrupted

    def _tell(self, this: Any, now: float) -> None:
        share = min(now / self._seconds, 1.0)
        text = (
            f"{now:6.1f} of {self._seconds:g} s  {this.load.counts.ended:,} tasks  {len(this.book.faults):,} faults  "
            f"{len(this.fleet.agents.running)} agents  {len(this.book.broken)} broken"
        )
        if self._terminal:
            bar = "█" * round(share * 24)
            self._out.write(f"\r\x1b[K{bar:░<24} {text}")
        else:
            self._out.write(text + "\n")
        self._out.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._terminal:
            self._out.write("\r\x1b[K")
            self._out.flush()


def main(arguments: list[str] | None = None) -> int:
    """Run, report; 0 when every promise was kept, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.chaos",
        description="Run a mix of work on real processes, do all kinds of harm to them, and check the promises.",
        epilog="Exit code 0: every promise was kept. 1: one was broken. 2: wrong usage. Ctrl-C ends it in order, and a second one at once (130).",
    )
    parser.add_argument("--seconds", type=positive, default=120.0, help="for how long faults are made (120)")
    parser.add_argument("--every", type=positive, default=0.3, help="seconds between two faults (0.3)")
    parser.add_argument("--seed", type=int, help="chooses work and faults (another one each time)")
    parser.add_argument("--agents", type=agents, default=4, help="agents for most of the work; there are others (4)")
    parser.add_argument("--journal", action="store_true", help="keep the tasks in a journal, and compare it at the end")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was found to FILE")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the run over time as SVG into FILE")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave all records in DIR, to look into what broke")
    options = parser.parse_args(arguments)
    for path in (options.json, options.picture):
        if path is not None and not path.absolute().parent.is_dir():
            parser.error(f"{path.absolute().parent} is no directory")
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed

    settings = Settings(options.seconds, options.every, seed, options.agents, options.journal)
    # The run sends what its processes write into a file; the progress goes where standard error was.
    with os.fdopen(os.dup(2), "w", encoding="utf-8") as out:
        progress = Progress(options.seconds, out)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, progress.interrupt)
        out.write(f"chaos for {options.seconds:g} s, seed {seed}\n")
        try:
            outcome = run(settings, progress, options.keep)
        except KeyboardInterrupt:
            return 130
        finally:
            progress.end()
    outcome.promises.append(figures.flat(outcome))
    print(report.as_text(outcome))
    if options.json is not None:
        options.json.write_text(json.dumps(report.as_json(outcome), indent=2) + "\n", encoding="utf-8")
    if options.picture is not None:
        options.picture.write_text(picture.draw(outcome), encoding="utf-8")
    return 0 if outcome.kept else 1


if __name__ == "__main__":
    sys.exit(main())
