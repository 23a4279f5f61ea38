"""Run seeded histories in this process, with one mutation in force or with none, until one fails.

The last line of the output is a verdict in JSON. Started by `tests.sabotage.runner`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, NoReturn

from tests.sabotage.loader import install
from tests.sabotage.mutations import named

__all__ = ["HISTORIES", "STEPS", "main"]

HISTORIES = "actors.testing.campaign.run:run_history"
STEPS = 200
_SEEDS_OF_A_BASE = 1_000_000


class _HangsError(BaseException):
    """A history did not end in its time. Not an Exception: nothing may take it for its own."""


def _hangs(signum: int, frame: FrameType | None) -> NoReturn:
    where = "".join(traceback.format_stack(frame, limit=1)).strip().splitlines()[0] if frame is not None else ""
    raise _HangsError(where)


def seeds_of(base: int, histories: int) -> Iterable[int]:
    """The seeds that belong to a base; no two bases share any."""
    return range(base * _SEEDS_OF_A_BASE, base * _SEEDS_OF_A_BASE + histories)


def _story(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]


def run(
    history: Callable[..., Any], seeds: Iterable[int], *, steps: int, seconds: float, each: float, go_on: bool
) -> dict[str, Any]:
    """Run one history after the other.

    Args:
        history: called with a seed and `steps`; raises if a promise was broken.
        seeds: one for each history.
        steps: how long a history is.
        seconds: for how long in all.
        each: after how many seconds a single history counts as one that hangs.
        go_on: whether to go on after one that failed.

    Returns:
        `failed`: the seeds of those that failed, with how; `histories`: how many were run; `seconds`: in what time.
    """
    signal.signal(signal.SIGALRM, _hangs)
    began = time.monotonic()
    failed: list[tuple[int, str]] = []
    count = 0
    for seed in seeds:
        if time.monotonic() - began > seconds:
            break
        count += 1
        signal.setitimer(signal.ITIMER_REAL, each)
        try:
            history(seed, steps=steps)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever comes out of a history is its failure
            signal.setitimer(signal.ITIMER_REAL, 0)
            failed.append((seed, _story(error)))
            if not go_on or isinstance(error, _HangsError):
                break
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    return {"failed": failed, "histories": count, "seconds": round(time.monotonic() - began, 3)}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mutation", help="the name of a mutation, or none")
    parser.add_argument("--base", type=int, default=1, help="which seeds: no two bases share any")
    parser.add_argument("--seeds", default="", help="these seeds instead, separated by commas, all of them")
    parser.add_argument("--histories", type=int, default=100, help="how many at most")
    parser.add_argument("--steps", type=int, default=STEPS, help="how long each is")
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long in all")
    parser.add_argument("--each", type=float, default=20.0, help="seconds after which one history counts as hanging")
    parser.add_argument("--entry", default=HISTORIES, help="module:function that runs a history")
    options = parser.parse_args()
    finder = None if options.mutation == "none" else install(named(options.mutation))
    module, _, function = options.entry.partition(":")
    history = getattr(importlib.import_module(module), function)
    seeds = [int(seed) for seed in options.seeds.split(",") if seed] or seeds_of(options.base, options.histories)
    verdict = run(
        history,
        seeds,
        steps=options.steps,
        seconds=options.seconds,
        each=options.each,
        go_on=bool(options.seeds),
    )
    verdict["loaded"] = finder is None or finder.loaded
    sys.stdout.write(json.dumps(verdict) + "\n")
    sys.stdout.flush()
    # A history that failed may have left threads behind that never end.
    os._exit(0)


if __name__ == "__main__":
    main()
