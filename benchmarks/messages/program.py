"""The program that is run for one round of one library: it starts it, warms it up, and says a line for each figure."""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import sys
from typing import Any

from benchmarks import cpu
from benchmarks.marked import MARK, marked
from benchmarks.messages.libraries import Entrant
from benchmarks.messages.post import WrongResult
from benchmarks.messages.workloads import WORKLOADS, Runner, Workload

__all__ = ["main"]


def _measured(run: Runner, workload: Workload, count: int) -> dict[str, Any]:
    run(workload, max(count // 10, 1))
    gc.collect()
    others, own = cpu.seconds_of(marked(os.environ[MARK])), cpu.parent_seconds()
    figures = run(workload, count)
    own = cpu.parent_seconds() - own
    others_spent = cpu.spent(others, cpu.seconds_of(marked(os.environ[MARK])))
    return {"workload": workload.key, "count": count, "cpu": (own + others_spent) / count * 1e6, **figures}


def main(words: list[str]) -> None:
    """Measure.

    Args:
        words: an `Entrant` as JSON, the scene, the keys of the work with how many messages as JSON, and a descriptor.
    """
    faulthandler.enable()
    entrant, scene, work, out = Entrant(**json.loads(words[0])), words[1], json.loads(words[2]), int(words[3])

    def say(line: dict[str, Any]) -> None:
        os.write(out, json.dumps(line).encode() + b"\n")

    by_key = {workload.key: workload for workload in WORKLOADS}
    try:
        with entrant.opened(scene) as run:
            say({})
            for key, count in work:
                say(_measured(run, by_key[key], count))
    except WrongResult as error:
        say({"wrong": str(error)})
    say({"over": True})


if __name__ == "__main__":
    main(sys.argv[1:])
