"""The command `python -m benchmarks.faults`."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from benchmarks.console import Progress, positive
from benchmarks.faults import table
from benchmarks.faults.faults import FAULTS, Fault
from benchmarks.faults.libraries import LIBRARIES
from benchmarks.faults.library import Library
from benchmarks.faults.measure import NotMeasured, measure
from benchmarks.faults.store import Store

_Cell = tuple[Fault, type[Library]]


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
            progress.tell(f"{library.name} is not installed: pip install 'actors-hub[benchmarks]'")
            complete = False
            continue
        store.use(library, version)
        had = len(store.samples(fault.key, library.name))

        def show(number: int, done: int = done, cell: _Cell = cell) -> None:
            share = min(number / options.rounds, 1.0)
            progress.show(done + share, f"{cell[0].key}, {cell[1].name}: {number} rounds")

        show(had)
        try:
            samples = list(store.samples(fault.key, library.name))
            for number, sample in enumerate(measure(library, fault, options.rounds, options.budget, samples), had + 1):
                store.add(fault.key, library.name, sample)
                show(number)
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
    progress = Progress(len(cells), sys.stderr)
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
