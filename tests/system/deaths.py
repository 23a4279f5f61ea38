"""A worker that dies in every way there is."""

from __future__ import annotations

import ctypes
import logging
import os
import re
import signal
import sys
import time
from typing import Any

from actors import Limits, Worker, task

LOG = logging.getLogger("deaths")


def announce(what: str) -> None:
    """Say it in the log and on standard error."""
    LOG.warning("about to %s", what)
    sys.stderr.write(f"this is the end: {what}\n")
    sys.stderr.flush()


class Mortal(Worker):
    """Dies."""

    limits = Limits(memory="200M")

    @task(retries=0)
    def die(self, how: str, *rest: Any, **more: Any) -> None:
        """Announce it and do it."""
        announce(how)
        getattr(self, f"by_{how}")()

    def by_kill(self) -> None:
        """By a `kill -9`."""
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)

    def by_term(self) -> None:
        """By a `kill`."""
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    def by_segfault(self) -> None:
        """By reading where nothing is."""
        ctypes.string_at(0)

    def by_abort(self) -> None:
        """By giving up."""
        os.abort()

    def by_exit(self) -> None:
        """By leaving without a word."""
        os._exit(3)

    def by_native_exit(self) -> None:
        """By leaving from C code."""
        ctypes.CDLL(None)._exit(4)

    def by_overflow(self) -> None:
        """By recursion through C code."""
        sys.setrecursionlimit(10**9)

        def deeper(value: int) -> list[int]:
            return sorted([value], key=lambda below: deeper(below)[0])

        deeper(1)

    def by_memory(self) -> None:
        """By taking without end."""
        kept = []
        while True:
            kept.append(bytearray(b"x") * 5_000_000)
            time.sleep(0.01)

    def by_loop(self) -> None:
        """Not at all."""
        while True:
            pass

    def by_sleep(self) -> None:
        """Not at all."""
        time.sleep(600)

    def by_regex(self) -> None:
        """Not at all, and the interpreter with it."""
        re.match(r"(a+)+$", "a" * 64 + "b")

    def by_power(self) -> None:
        """Not at all, and no signal is looked at."""
        3 ** (10**10)

    def by_stop(self) -> None:
        """Not at all: the process is stopped."""
        os.kill(os.getpid(), signal.SIGSTOP)

    def by_swallowing(self) -> None:
        """Not at all, and nothing that is raised helps."""
        while True:
            try:
                time.sleep(600)
            except BaseException:  # noqa: BLE001 - that is the point
                pass

    @task(retries=0)
    def have_it_die(self, how: str, timeout: float | None = None) -> Any:
        """Have a sub-task die, and raise what it ended with."""
        return self.options(timeout=timeout).submit(Mortal.die, how, "below", path="/data").result(30)

    @task
    def quick(self) -> int:
        """Nothing."""
        return self.attempt
