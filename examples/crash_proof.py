"""Tasks that crash, leave, hang and lie, beside tasks that work: each fault costs its own task, and has its own error.

Run it: python examples/crash_proof.py
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from typing import Any

from actors import ActorSystem, AgentDied, LimitExceeded, Limits, TaskExited, TaskFuture, TaskTimeout, Worker, task


class Clumsy(Worker):
    limits = Limits(memory="256M")

    @task
    def work(self, number: int) -> int:
        return number * number

    # Without retries, so that the first death is the outcome: a worker's task is tried three times more by default.
    @task(retries=0)
    def crash(self) -> None:
        ctypes.string_at(0)  # reads address 0: a segmentation fault

    @task(retries=0)
    def be_killed(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    @task(timeout=0.5, retries=0)
    def hang(self) -> None:
        threading.Event().wait()  # for ever

    @task(retries=0)
    def eat_memory(self) -> None:
        eaten = []
        while True:
            eaten.append(bytearray(8 * 2**20))

    @task
    def leave(self) -> None:
        sys.exit(3)

    @task
    def give_back_a_lock(self) -> object:
        return threading.Lock()  # cannot be sent to another process

    @task
    def divide(self, by: int) -> float:
        return 1 / by


if __name__ == "__main__":
    with ActorSystem({Clumsy: 2}) as system:
        faulty: list[TaskFuture[Any]] = [
            system.submit(Clumsy.crash),
            system.submit(Clumsy.be_killed),
            system.submit(Clumsy.hang),
            system.submit(Clumsy.eat_memory),
            system.submit(Clumsy.leave),
            system.submit(Clumsy.give_back_a_lock),
            system.submit(Clumsy.divide, 0),
        ]
        sound = [system.submit(Clumsy.work, number) for number in range(20)]

        for future in faulty:
            error = future.exception(timeout=60)
            line = f"{future.info().type}: {type(error).__name__}"
            if isinstance(error, AgentDied):
                line += f" (signal {error.signal}, pid {error.pid}, attempt {error.attempt})"
            elif isinstance(error, TaskExited):
                line += f" (code {error.code})"
            elif isinstance(error, TaskTimeout):
                line += f" (limit {error.timeout} s)"
            elif isinstance(error, LimitExceeded):
                line += f" ({error.limit}, allowed {error.allowed:.0f} bytes)"
            print(line)

        # The siblings of the dead did not notice.
        print("the others:", sum(future.result(timeout=60) for future in sound))
