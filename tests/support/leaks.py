"""What a test left behind: processes, threads, descriptors, shared memory and temporary files.

A snapshot is taken before a test and compared afterwards. Nothing leaked is the usual case and costs a few reads of
/proc, well under a millisecond. Only when something is new does the slow path run: it collects garbage once (an object
in a reference cycle holds its descriptor until then) and waits a bounded time for what is legitimately ending.

Overlooked, because it belongs to the process and not to a test:

- the resource tracker of `multiprocessing` and its pipe: started once, at the first shared memory or named semaphore
  of a peer library, and kept until the program ends;
- the process-wide forkserver of `multiprocessing` and its pipe, for the same reason (this library has one of its own);
- /dev/urandom and /dev/random, which an extension module may open once and keep;
- the directory of `multiprocessing` for sockets and locks (`pymp-…`), made once and removed at exit;
- the workspace root of this user, as long as it is empty: it is made once, and every workspace in it is removed;
- segments in /dev/shm that a process outside of this one's tree holds: they are somebody else's.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing.process
import os
import select
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROCESSES = "processes"
THREADS = "threads"
DESCRIPTORS = "descriptors"
SHARED_MEMORY = "shared memory"
FILES = "files"
KINDS = (PROCESSES, THREADS, DESCRIPTORS, SHARED_MEMORY, FILES)

_PROC = os.path.isdir("/proc/self/fd")
_SHM = "/dev/shm"
_CHARACTER_DEVICES = frozenset({"/dev/urandom", "/dev/random"})
# Without an event to wait for (a closed descriptor tells nobody), look again this often.
_PAUSE = 0.01


@dataclass(frozen=True, slots=True)
class Leak:
    """One thing that was not there before."""

    kind: str
    key: Any
    description: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What this process holds at one moment. `directory` is where the test makes its temporary files."""

    directory: Path
    processes: frozenset[int]
    threads: frozenset[Any]
    descriptors: frozenset[tuple[int, str]]
    segments: frozenset[str]
    mappings: frozenset[str]
    files: frozenset[str]


def take(directory: Path) -> Snapshot:
    """Take a snapshot of this process, its descendants and `directory`."""
    return Snapshot(
        directory=directory,
        processes=frozenset(descendants()),
        threads=frozenset(_threads()),
        descriptors=frozenset(_descriptors()),
        segments=frozenset(_segments()),
        mappings=frozenset(_mappings()),
        files=frozenset(os.listdir(directory)),
    )


def since(before: Snapshot) -> list[Leak]:
    """Return what is new since `before`, at this very moment and without waiting for anything."""
    now = take(before.directory)
    if (
        now.processes <= before.processes
        and now.threads <= before.threads
        and now.descriptors <= before.descriptors
        and now.segments <= before.segments
        and now.mappings <= before.mappings
        and now.files <= before.files
    ):
        return []
    return list(_describe(before, now))


def settle(before: Snapshot, timeout: float = 5.0, allowed: frozenset[str] = frozenset()) -> list[Leak]:
    """Return what is new since `before` and still there after at most `timeout` seconds, but for `allowed` kinds."""

    def remaining() -> list[Leak]:
        return [leak for leak in since(before) if leak.kind not in allowed]

    leaks = remaining()
    if not leaks:
        return leaks
    gc.collect()
    deadline = time.monotonic() + timeout
    while leaks := remaining():
        left = deadline - time.monotonic()
        if left <= 0:
            break
        _wait_for_change(leaks, left)
    return leaks


def clean_up(before: Snapshot, leaks: list[Leak]) -> None:
    """End the leaked processes and remove the leaked files, so that the next test is not blamed for them."""
    for leak in leaks:
        if leak.kind == PROCESSES:
            with contextlib.suppress(ProcessLookupError):
                os.kill(leak.key, signal.SIGKILL)
    for leak in leaks:
        if leak.kind == PROCESSES:
            # Only a direct child can be reaped here; the others are reaped by their own parents or by init.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(leak.key, 0)
        elif leak.kind == FILES:
            path = before.directory / leak.key
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def report(leaks: list[Leak]) -> str:
    """Return the leaks as a text, one line each, in the order of their kinds."""
    rows = sorted(leaks, key=lambda leak: (KINDS.index(leak.kind), leak.description))
    return "\n".join(f"  {leak.kind}: {leak.description}" for leak in rows)


def descendants(pid: int | None = None) -> Iterator[int]:
    """Yield the pids of all descendants of `pid` (of this process if None), zombies too, without the exempt ones."""
    if not _PROC or (pid is None and not _has_children()):
        return
    exempt = _exempt_processes()
    waiting = [os.getpid() if pid is None else pid]
    while waiting:
        for child in _children(waiting.pop()):
            if child not in exempt:
                yield child
                waiting.append(child)


def processes_naming(text: str) -> list[Leak]:
    """Return the processes whose working directory, environment or command line contains `text`: not this one, and no exempt one.

    It finds what detached itself from this process's tree, and costs a walk over all processes.
    """
    if not _PROC:
        return []
    needle = os.fsencode(text)
    overlooked = {os.getpid(), *_exempt_processes()}
    found = []
    for pid in _all_processes():
        if pid in overlooked:
            continue
        with contextlib.suppress(OSError):
            parts = [os.fsencode(os.readlink(f"/proc/{pid}/cwd"))]
            parts += [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("environ", "cmdline")]
            if any(needle in part for part in parts):
                found.append(Leak(PROCESSES, pid, _process_text(pid)))
    return found


# --- what is there -------------------------------------------------------------------------------------------------


def _has_children() -> bool:
    """Whether this process has any child, running or not; the cheapest of questions."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            # A thread, or the whole process, may end between the listing and the reading.
            with contextlib.suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split())
    return found


def _exempt_processes() -> set[int]:
    tracker = sys.modules.get("multiprocessing.resource_tracker")
    server = sys.modules.get("multiprocessing.forkserver")
    pids = {
        getattr(getattr(tracker, "_resource_tracker", None), "_pid", None),
        getattr(getattr(server, "_forkserver", None), "_forkserver_pid", None),
    }
    return {pid for pid in pids if pid is not None}


def _exempt_descriptors() -> set[int]:
    tracker = sys.modules.get("multiprocessing.resource_tracker")
    server = sys.modules.get("multiprocessing.forkserver")
    numbers = {
        getattr(getattr(tracker, "_resource_tracker", None), "_fd", None),
        getattr(getattr(server, "_forkserver", None), "_forkserver_alive_fd", None),
    }
    return {number for number in numbers if number is not None}


def _threads() -> Iterator[Any]:
    """Yield a key for each thread that runs Python: its Thread object, or its ident where it has none.

    An ident alone would not do: the next thread gets the ident of one that ended.
    """
    running = sys._current_frames()
    named = set()
    for thread in threading.enumerate():
        # The object of a foreign thread stays in the list after its thread has ended.
        if not isinstance(thread, threading._DummyThread) or thread.ident in running:
            named.add(thread.ident)
            yield thread
    yield from (ident for ident in running if ident not in named)


def _descriptors() -> Iterator[tuple[int, str]]:
    if not _PROC:
        return
    exempt = _exempt_descriptors()
    for name in os.listdir("/proc/self/fd"):
        # The descriptor of the listing itself is in the list, and is closed by now.
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{name}")
            if int(name) not in exempt and target not in _CHARACTER_DEVICES:
                yield int(name), target


def _segments() -> list[str]:
    return os.listdir(_SHM) if os.path.isdir(_SHM) else []


def _mappings() -> Iterator[str]:
    """Yield each memfd that is mapped and used here, also when its descriptor is closed: `inode name`."""
    # The list of mappings is long. Without one page of shared memory in use there is nothing to look for in it.
    if not _PROC or b"\nRssShmem:\t       0 kB" in _read("/proc/self/status"):
        return
    text = _read("/proc/self/maps")
    if b"/memfd:" in text:
        for line in text.splitlines():
            if b"/memfd:" in line:
                yield os.fsdecode(b" ".join(line.split(maxsplit=5)[4:]))


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def _all_processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


# --- what is new ---------------------------------------------------------------------------------------------------


def _describe(before: Snapshot, now: Snapshot) -> Iterator[Leak]:
    for pid in now.processes - before.processes:
        yield Leak(PROCESSES, pid, _process_text(pid))
    for key in now.threads - before.threads:
        yield Leak(THREADS, key, _thread_text(key))
    for number, target in now.descriptors - before.descriptors:
        yield Leak(DESCRIPTORS, number, f"{number} -> {target}")
    for name in now.segments - before.segments:
        if _is_ours(f"{_SHM}/{name}"):
            yield Leak(SHARED_MEMORY, name, f"{_SHM}/{name}")
    for mapping in now.mappings - before.mappings:
        yield Leak(SHARED_MEMORY, mapping, f"mapping of inode {mapping}")
    for name in now.files - before.files:
        if not _is_exempt_file(before.directory / name):
            yield Leak(FILES, name, _file_text(before.directory / name))


def _is_exempt_file(path: Path) -> bool:
    if str(path) == multiprocessing.process.current_process()._config.get("tempdir"):  # type: ignore[attr-defined]
        return True
    return path.name == f"actors-{os.getuid()}" and path.is_dir() and not any(path.iterdir())


def _is_ours(segment: str) -> bool:
    """Whether a segment is this user's and no process outside of this one's tree holds it."""
    try:
        if os.stat(segment).st_uid != os.getuid():
            return False
    except OSError:
        return False
    tree = {os.getpid(), *descendants()}
    needle = os.fsencode(segment)
    for pid in _all_processes():
        if pid not in tree:
            with contextlib.suppress(OSError):
                if needle in Path(f"/proc/{pid}/maps").read_bytes():
                    return False
    return True


def _process_text(pid: int) -> str:
    try:
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return f"{pid}, just gone"
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return f"{pid} {fields.get('State', '?')}, parent {fields.get('PPid', '?')}: {command or fields.get('Name', '?')}"


def _thread_text(key: Any) -> str:
    ident = (key.ident or 0) if isinstance(key, threading.Thread) else key
    name = repr(key) if isinstance(key, threading.Thread) else f"thread {ident} without a Thread object"
    frame = sys._current_frames().get(ident)
    where = f" in {frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})" if frame else ""
    return name + where


def _file_text(path: Path) -> str:
    try:
        size = path.lstat().st_size
    except OSError:
        return str(path)
    if path.is_dir() and not path.is_symlink():
        return f"{path}/ with {sum(1 for _ in path.rglob('*'))} entries"
    return f"{path}, {size} bytes"


# --- waiting -------------------------------------------------------------------------------------------------------


def _wait_for_change(leaks: list[Leak], left: float) -> None:
    """Return when one of the leaks may be gone, at the latest after a short pause."""
    pause = min(_PAUSE, left)
    for leak in leaks:
        if leak.kind == PROCESSES and _wait_for_exit(leak.key, min(0.1, left)):
            return
        if leak.kind == THREADS and isinstance(leak.key, threading.Thread) and leak.key is not threading.main_thread():
            with contextlib.suppress(RuntimeError):
                leak.key.join(min(0.1, left))
            return
    time.sleep(pause)


def _wait_for_exit(pid: int, timeout: float) -> bool:
    """Wait for the end of a process that still runs. False at once for one that has ended and awaits its reaping."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if poll.poll(0):
            return False
        poll.poll(timeout * 1000)
        return True
    finally:
        os.close(descriptor)
