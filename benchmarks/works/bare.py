"""A process of a forkserver with nothing around it. It imports little, as its processes import it, too."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import time
from collections.abc import Sequence
from typing import Any

__all__ = ["forkserver", "started"]


def forkserver(preload: Sequence[str] = ()) -> Any:
    """The context of a forkserver that has imported some modules, and this one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__, *preload])
    return context


def started(context: Any) -> float:
    """Milliseconds from the start of a process to the first thing that it says."""
    began = time.perf_counter()
    mine, other = context.Pipe(duplex=False)
    process = context.Process(target=_says, args=(other,))
    process.start()
    mine.recv()
    milliseconds = (time.perf_counter() - began) * 1000
    process.join()
    return milliseconds


def _says(pipe: multiprocessing.connection.Connection) -> None:
    pipe.send(os.getpid())
