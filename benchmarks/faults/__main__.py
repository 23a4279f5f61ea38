"""The command `python -m benchmarks.faults`."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from typing import IO

from benchmarks.faults import table
from benchmarks.faults.faults import FAULTS, Fault
from benchmarks.faults.libraries import LIBRARIES
from benchmarks.faults.library import Library
from benchmarks.faults.measure import NotMeasured, measure
from benchmarks.faults.store import Store

_Cell = tuple[Fault, type[Library]]


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text}")
    return number


class Progress:
    """A bar on a terminal, a line for each library and fault elsewhere."""

    def __init__(self, cells: int, rounds: int, out: IO[str]) -> None:
        self._cells = cells
        self._rounds = rounds
        self._out = out
        self._terminal = out.isatty()
        self._began = time.monotonic()

    def show(self, done: int, cell: _Cell, rounds: int) -> None:
        """A round of the cell after `done` others is over."""
        if not self._terminal:
            return
        share = (done + min(rounds / self._rounds, 1.0)) / self._cells
        bar = "█" * round(share * 24)
        fault, library = cell
        self._out.write(f"\r\x1b[K{bar:░<24} {done} of {self._cells}  {fault.key}, {library.name}: {rounds} rounds")
        self._out.flush()

    def tell(self, text: str) -> None:
        """Something to stay."""
        self._out.write(("\r\x1b[K" if self._terminal else "") + f"{time.monotonic() - self._began:7.1f} s  {text}\n")
        self._out.flush()


def _chosen(options: argparse.Namespace) -> list[_Cell]:
    return [
        (fault, library)
        for fault in FAULTS
        for library in LIBRARIES
        if (not options.only or fault.key in options.only)
        and (not options.library or library.name in options.library)
        and fault.key not in library.cannot
        and (not library.only or fault.key in library.only)
    ]


def _run(cells: list[_Cell], store: Store, options: argparse.Namespace, progress: Progress) -> bool:
    """Measure; whether everything that was to be measured has been."""
    complete = True
    for done, cell in enumerate(cells):
        fault, library = cell
        version = library.version()
        if version is None:
            progress.tell(f"{library.name} is not installed: pip install 'actors-hub[bench]'")
            complete = False
            continue
        store.use(library, version)
        had = len(store.samples(fault.key, library.name))
        progress.show(done, cell, had)
        try:
            samples = list(store.samples(fault.key, library.name))
            for number, sample in enumerate(measure(library, fault, options.rounds, options.budget, samples), had + 1):
                store.add(fault.key, library.name, sample)
                progress.show(done, cell, number)
        except NotMeasured as error:
            progress.tell(f"not measured: {error}")
            complete = False
            continue
        found = store.samples(fault.key, library.name)
        progress.tell(f"{fault.key}, {library.name}: {len(found)} rounds, {found[-1]['outcome'] if found else ''}")
    return complete


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the tables; 0 when all was measured, whatever came of it; 1 otherwise; 130 after Ctrl-C or TERM."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults",
        description="Make faults happen in real processes, to this library and to its peers; tell what comes of them.",
        epilog="A run that was interrupted goes on with the file of --json. It needs Linux.",
    )
    keys, names = [fault.key for fault in FAULTS], [library.name for library in LIBRARIES]
    parser.add_argument("--rounds", type=positive, default=50, help="rounds of each fault with each library (50)")
    parser.add_argument(
        "--budget",
        type=positive,
        default=20,
        metavar="SECONDS",
        help="then a library has had its time with a fault (20)",
    )
    parser.add_argument("--only", action="append", metavar="FAULT", choices=keys, help=", ".join(keys))
    parser.add_argument("--library", action="append", metavar="NAME", choices=names, help=", ".join(names))
    parser.add_argument(
        "--json",
        type=Path,
        default=Path("reports/faults.json"),
        metavar="FILE",
        help="all samples (reports/faults.json)",
    )
    parser.add_argument("--docs", type=Path, metavar="FILE", help="put the tables between the markers of FILE")
    parser.add_argument("--fresh", action="store_true", help="forget the samples in the file of --json")
    options = parser.parse_args(arguments)
    if not options.json.absolute().parent.is_dir():
        parser.error(f"{options.json.absolute().parent} is no directory")
    try:
        store = Store(options.json, fresh=options.fresh)
    except ValueError as error:
        parser.error(str(error))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    cells = _chosen(options)
    progress = Progress(len(cells), options.rounds, sys.stderr)
    try:
        complete = _run(cells, store, options, progress)
    except KeyboardInterrupt:
        progress.tell("interrupted; the same command goes on")
        return 130
    print(table.as_text(store))
    if options.docs is not None:
        table.put_into(options.docs, table.as_markdown(store))
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
