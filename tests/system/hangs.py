"""The ways in which a task can hang, each as a function that does not return by itself."""

from __future__ import annotations

import ctypes
import fcntl
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

from actors import Worker, task
from tests.agent.gates import Gate
from tests.system.storm import leave_detached, note

LONG = 600

Hang = Callable[[str], object]


def in_python(ledger: str) -> None:
    """A loop of Python code."""
    while True:
        pass


def in_a_sleep(ledger: str) -> None:
    """A sleep."""
    time.sleep(LONG)


def in_a_read(ledger: str) -> None:
    """A system call: nobody writes."""
    reader, _ = os.pipe()
    os.read(reader, 1)


def in_a_file_lock(ledger: str) -> None:
    """A system call: somebody has the lock and keeps it."""
    with open(ledger, "rb") as one, open(ledger, "rb") as other:
        fcntl.flock(one, fcntl.LOCK_EX)
        fcntl.flock(other, fcntl.LOCK_EX)


def in_a_lock(ledger: str) -> None:
    """A deadlock of a thread with itself."""
    lock = threading.Lock()
    with lock:
        lock.acquire()


def in_a_join(ledger: str) -> None:
    """A thread that does not end, and is no daemon either."""
    thread = threading.Thread(target=threading.Event().wait)
    thread.start()
    thread.join()


def in_c_with_the_interpreter(ledger: str) -> None:
    """C code that lets no other thread run, and that sleeps on when a signal comes."""
    libc = ctypes.PyDLL(None)
    everything = (ctypes.c_ulong * 16)(*[2**64 - 1] * 16)
    libc.pthread_sigmask(signal.SIG_BLOCK, everything, None)
    libc.sleep(LONG)


def in_a_regular_expression(ledger: str) -> None:
    """C code that lets no other thread run, and takes for ever."""
    re.match(r"(a+)+$", "a" * 64 + "b")


def in_a_power(ledger: str) -> None:
    """C code that looks for no signal."""
    3 ** (10**10)


def stopped(ledger: str) -> None:
    """The whole process."""
    os.kill(os.getpid(), signal.SIGSTOP)


def for_a_grandchild_with_the_pipes(ledger: str) -> None:
    """The command has ended; what it left behind holds its output open, and the agent's own standard error as well."""
    subprocess.Popen(["sleep", str(LONG)], start_new_session=True)
    subprocess.run(["sh", "-c", f"sleep {LONG} & echo $! >> {ledger}"], check=True, capture_output=True)


def and_swallows(ledger: str) -> None:
    """Nothing that is raised ends it."""
    while True:
        try:
            time.sleep(LONG)
        except BaseException:  # noqa: BLE001 - that is the point
            pass


def and_blocks_signals(ledger: str) -> None:
    """No signal reaches it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(LONG)


def for_a_fork(ledger: str) -> None:
    """A copy of the process that waits for nothing."""
    child = os.fork()
    if child == 0:
        note(ledger, str(os.getpid()))
        time.sleep(LONG)
    os.waitpid(child, 0)


def in_both_halves_of_a_fork(ledger: str) -> None:
    """The copy goes on in the worker's code as the process itself does."""
    if os.fork() == 0:
        note(ledger, str(os.getpid()))
    while True:
        time.sleep(0.01)


def behind_a_fork_that_exits(ledger: str) -> None:
    """The copy unwinds through the agent's code."""
    if os.fork() == 0:
        sys.exit(3)
    time.sleep(LONG)


def for_a_process(ledger: str) -> None:
    """multiprocessing's, forked."""
    process = multiprocessing.get_context("fork").Process(target=_sleep, args=(ledger,))
    process.start()
    process.join()


def for_a_spawned_process(ledger: str) -> None:
    """multiprocessing's, which brings a resource tracker."""
    process = multiprocessing.get_context("spawn").Process(target=_sleep, args=(ledger,))
    process.start()
    process.join()


def in_a_pool(ledger: str) -> None:
    """Leaving the pool waits for its processes once more."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        pool.submit(_sleep, ledger).result()


def without_its_resource_tracker(ledger: str) -> None:
    """The tracker that multiprocessing has started was killed."""
    lock = multiprocessing.get_context("spawn").Lock()
    tracker = resource_tracker._resource_tracker._pid  # type: ignore[attr-defined]
    note(ledger, str(tracker))
    os.kill(tracker, signal.SIGKILL)
    with lock:
        lock.acquire()


def beside_a_detached_process(ledger: str) -> None:
    """A process with a session of its own, whose parent has ended."""
    leave_detached(ledger)
    time.sleep(LONG)


def _sleep(ledger: str) -> None:
    note(ledger, str(os.getpid()))
    time.sleep(LONG)


HANGS: dict[str, Hang] = {
    hang.__name__: hang
    for hang in (
        in_python,
        in_a_sleep,
        in_a_read,
        in_a_file_lock,
        in_a_lock,
        in_a_join,
        in_c_with_the_interpreter,
        in_a_regular_expression,
        in_a_power,
        stopped,
        for_a_grandchild_with_the_pipes,
        and_swallows,
        and_blocks_signals,
        for_a_fork,
        in_both_halves_of_a_fork,
        behind_a_fork_that_exits,
        for_a_process,
        for_a_spawned_process,
        in_a_pool,
        without_its_resource_tracker,
        beside_a_detached_process,
    )
}


class Hanger(Worker):
    """Hangs."""

    @task(retries=0)
    def hang(self, how: str, ledger: str) -> None:
        """Note the process and its launcher, and hang."""
        note(ledger, f"{os.getpid()}")
        Path(self.workspace, "left").write_text("behind")
        HANGS[how](ledger)

    @task(retries=0)
    def hold(self, gate: Gate) -> None:
        """Stop at a gate."""
        gate.wait()

    @task
    def forget_memory(self) -> tuple[str, int]:
        """Make shared memory with a name, and remove it never. Its name, and who will."""
        memory = SharedMemory(create=True, size=100)
        memory.close()
        return memory.name, resource_tracker._resource_tracker._pid  # type: ignore[attr-defined]

    @task
    def workplace(self) -> tuple[int, int, str]:
        """Its process, that of its launcher, and its workspace."""
        return os.getpid(), os.getppid(), str(self.workspace)
