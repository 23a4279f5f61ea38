"""A worker for the tests of large values."""

from __future__ import annotations

import os
import pickle
import signal
from typing import Any

from actors import Worker, task


class Bulk:
    """Pickles its bytes beside the stream, as arrays do."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Bulk, (pickle.PickleBuffer(self.data),)


class Carrier(Worker):
    """Writes to what it gets."""

    @task(retries=2)
    def spoil_and_die(self, bulk: Bulk) -> bytes:
        """Overwrite the argument and be killed, once; the second time say what there was before."""
        view = memoryview(bulk.data)
        found = bytes(view[:3]) + bytes(view[-3:])
        view[:] = b"z" * len(view)
        if self.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    @task
    def mark(self, bulk: Bulk, mark: int) -> Bulk:
        """The argument with one byte of it changed."""
        memoryview(bulk.data)[mark] = mark
        return bulk

    @task
    def overwrite(self, bulk: Bulk) -> int:
        """Write to all of it."""
        view = memoryview(bulk.data)
        for place in range(0, len(view), 1024):
            view[place] = 1
        return len(view)

    @task
    def make(self, size: int, content: int) -> Bulk:
        """So many bytes."""
        return Bulk(bytearray(bytes([content]) * size))

    @task
    def pid(self) -> int:
        """Which process it is."""
        return os.getpid()

    @task
    def private_memory(self) -> int:
        """KiB of private memory of the agent."""
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))
