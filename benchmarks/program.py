"""The program that is run for one measurement: it does one piece of work with one peer, and says what it measured."""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import sys
from typing import Any

from benchmarks.peers.peer import WrongResult

__all__ = ["main"]


def main(words: list[str]) -> None:
    """Measure.

    Args:
        words: module and function of the work, the name of the peer, how many tasks, and a descriptor to write to.
    """
    faulthandler.enable()
    place, name, count, out = words[0], words[1], int(words[2]), int(words[3])

    def say(line: dict[str, Any]) -> None:
        os.write(out, json.dumps(line).encode() + b"\n")

    module, function = place.split(":")
    work = getattr(importlib.import_module(module), function)
    say({})
    try:
        say(work(name, count))
    except WrongResult as error:
        say({"wrong": str(error), "figures": {}})


if __name__ == "__main__":
    main(sys.argv[1:])
