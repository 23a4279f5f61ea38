"""The programs that are run: one with a pool in which faults are made, and those to which a fault happens as a whole."""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import tempfile
import threading

from benchmarks.faults import tasks
from benchmarks.faults.desk import Desk, visit
from benchmarks.faults.faults import FAULTS
from benchmarks.faults.libraries import LIBRARIES
from benchmarks.faults.library import WORKERS, Library, Need
from benchmarks.faults.outside import TASKS
from benchmarks.faults.stage import Sample, Stage

__all__ = ["main"]

_WAITING = 20
_GIVE_UP = 2.0


def _library(name: str) -> Library:
    return {each.name: each for each in LIBRARIES}[name]()


def _rounds(name: str, key: str, rounds: int, out: int) -> None:
    """Make a fault again and again; a line of JSON for each round, and one at the start.

    What hangs is left as it is: whoever started this program ends it with all that belongs to it.
    """
    fault = next(each for each in FAULTS if each.key == key)
    if fault.inside is None:
        raise ValueError(f"{key} happens to a whole program")
    with Desk() as desk, tempfile.TemporaryDirectory(prefix="faults-") as directory:

        def report(sample: Sample) -> None:
            os.write(out, json.dumps(sample.as_json()).encode() + b"\n")

        os.write(out, b"{}\n")
        stage: Stage | None = None
        for _ in range(rounds):
            if stage is None:
                stage = Stage(_library(name), desk, fault.limit, directory, report)
                stage.start(fault.need)
            sample = fault.inside(stage)
            report(sample)
            if sample.hangs:
                break
            if fault.once:
                stage = None
            elif not sample.usable:
                _give_up(stage.library)
                stage = None


def _give_up(library: Library) -> None:
    """End a pool that is broken. If that does not succeed, end the program: the next round has another one."""
    watchdog = threading.Timer(_GIVE_UP, os._exit, [0])
    watchdog.daemon = True
    watchdog.start()
    try:
        library.stop()
    except Exception:  # noqa: BLE001 - it is broken
        os._exit(0)
    watchdog.cancel()


def _busy(library: Library, address: str) -> None:
    with library.opened(Need()):
        handles = [library.submit(tasks.stay_with_child, address, f"busy-{number}") for number in range(WORKERS)]
        handles += [library.submit(tasks.half_second, address) for _ in range(_WAITING)]
        for handle in handles:
            library.wait(handle)


def _work(library: Library, address: str, ledger: str, journal: str) -> None:
    with library.opened(Need(journal=journal)):
        handles = [library.submit(tasks.note, ledger, address, number) for number in range(TASKS)]
        for handle in handles:
            library.accepted(handle)
        visit(address, "accepted")
        for handle in handles:
            library.wait(handle)


def _again(library: Library, address: str, journal: str) -> None:
    with visit(address, "restarted"), library.opened(Need(journal=journal)):
        for handle in library.recovered():
            library.wait(handle)
        library.wait(library.submit(tasks.answer, 1))


def main(words: list[str]) -> None:
    """Run the program that is named first, with the library that is named second."""
    faulthandler.enable()
    # As a terminal leaves it: whoever runs the measurement in the background may have it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    what, name, *more = words
    if what == "rounds":
        key, rounds, out = more
        _rounds(name, key, int(rounds), int(out))
        # What is broken is not ended in order: that may hang, and is no part of this fault.
        os._exit(0)
    library = _library(name)
    if what == "busy":
        _busy(library, more[0])
    elif what == "work":
        _work(library, *more)
    elif what == "again":
        _again(library, more[0], more[2])
    else:
        raise ValueError(f"no program {what}")


if __name__ == "__main__":
    main(sys.argv[1:])
