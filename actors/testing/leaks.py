"""What a piece of code left behind: processes, threads, descriptors, shared memory and temporary files.

    with no_leaks():
        run_the_program_under_test()

A snapshot is taken before and compared afterwards. Nothing leaked is the usual case and costs a few reads of /proc, well
under a millisecond. Only when something is new does the slow path run: it collects garbage once (an object in a
reference cycle holds its descriptor until then) and waits a bounded time for what is legitimately ending.

Processes, descriptors and shared memory are seen on Linux alone; elsewhere the check covers threads and files.

Overlooked, because it belongs to the process and not to a piece of its code:

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
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.errors import ConfigError
from actors.testing.holdings import (
    PROC,
    SHARED_MEMORY_AT,
    all_processes,
    descendants,
    descriptors,
    exempt_processes,
    mappings,
    segments,
    threads,
)

__all__ = [
    "DESCRIPTORS",
    "FILES",
    "KINDS",
    "PROCESSES",
    "SHARED_MEMORY",
    "THREADS",
    "Leak",
    "LeakFound",
    "Snapshot",
    "clean_up",
    "no_leaks",
    "processes_naming",
    "report",
    "settle",
    "since",
    "take",
]

PROCESSES = "processes"
THREADS = "threads"
DESCRIPTORS = "descriptors"
SHARED_MEMORY = "shared memory"
FILES = "files"
KINDS = (PROCESSES, THREADS, DESCRIPTORS, SHARED_MEMORY, FILES)

# Without an event to wait for (a closed descriptor tells nobody), look again this often.
_PAUSE = 0.01


@dataclass(frozen=True, slots=True)
class Leak:
    """One thing that was not there before.

    `kind` is one of `KINDS`; `key` tells it from others of its kind (a pid, a Thread, a number, a name); `description`
    is for people.
    """

    kind: str
    key: Any
    description: str


class LeakFound(AssertionError):
    """Something was left behind; `leaks` says what."""

    def __init__(self, text: str, leaks: list[Leak]) -> None:
        super().__init__(text)
        self.leaks = leaks


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What this process holds at one moment. Files are looked for in `directory` alone, if there is one."""

    directory: Path | None
    processes: frozenset[int]
    threads: frozenset[Any]
    descriptors: frozenset[tuple[int, str]]
    segments: frozenset[str]
    mappings: frozenset[str]
    files: frozenset[str]


@contextlib.contextmanager
def no_leaks(
    directory: Path | None = None, *, timeout: float = 5.0, allowed: Collection[str] = ()
) -> Iterator[Snapshot]:
    """See to it that a block leaves nothing behind; also usable as a decorator.

    What it left is cleaned up as far as that is possible, so that the next one is not blamed for it. An exception of the
    block goes before: its traceback keeps things alive, and nobody is blamed a second time.

    Args:
        directory: where files that are new count as leaks, too; None for nowhere. Choose one that nobody else uses.
        timeout: for how many seconds what is new at the end may go on ending.
        allowed: kinds to overlook, out of `KINDS`.

    Yields:
        The snapshot at the beginning.

    Raises:
        LeakFound: something is left; the text lists all of it.
        ConfigError: `allowed` has a kind that does not exist.

    Example:
        with no_leaks(), ActorSystem([Thumbnailer]) as system:
            system.submit(Thumbnailer.shrink, "a.png").result()
    """
    overlooked = frozenset(allowed)
    if not overlooked <= frozenset(KINDS):
        raise ConfigError(
            f"allowed takes kinds out of {', '.join(KINDS)}, not {', '.join(sorted(overlooked - frozenset(KINDS)))}",
            key="allowed",
            value=allowed,
            allowed=", ".join(KINDS),
        )
    before = take(directory)
    try:
        yield before
    except BaseException:
        clean_up(before, settle(before, min(timeout, 0.5), overlooked))
        raise
    found = settle(before, timeout, overlooked)
    if found:
        clean_up(before, found)
        raise LeakFound(f"left behind:\n{report(found)}", found)


def take(directory: Path | None = None) -> Snapshot:
    """Take a snapshot of this process, its descendants and, if there is one, `directory`."""
    return Snapshot(
        directory=directory,
        processes=frozenset(descendants()),
        threads=frozenset(threads()),
        descriptors=frozenset(descriptors()),
        segments=frozenset(segments()),
        mappings=frozenset(mappings()),
        files=frozenset() if directory is None else frozenset(os.listdir(directory)),
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
    """End the leaked processes and remove the leaked files, so that nobody else is blamed for them."""
    for leak in leaks:
        if leak.kind == PROCESSES:
            with contextlib.suppress(ProcessLookupError):
                os.kill(leak.key, signal.SIGKILL)
    for leak in leaks:
        if leak.kind == PROCESSES:
            # Only a direct child can be reaped here; the others are reaped by their own parents or by init.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(leak.key, 0)
        elif leak.kind == FILES and before.directory is not None:
            path = before.directory / leak.key
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def report(leaks: list[Leak]) -> str:
    """Return the leaks as a text, one line each, in the order of their kinds."""
    rows = sorted(leaks, key=lambda leak: (KINDS.index(leak.kind), leak.description))
    return "\n".join(f"  {leak.kind}: {leak.description}" for leak in rows)


def processes_naming(text: str) -> list[Leak]:
    """Return the processes whose working directory, environment or command line contains `text`: not this one, and no exempt one.

    It finds what detached itself from this process's tree, and costs a walk over all processes.
    """
    if not PROC:
        return []
    needle = os.fsencode(text)
    overlooked = {os.getpid(), *exempt_processes()}
    found = []
    for pid in all_processes():
        if pid in overlooked:
            continue
        with contextlib.suppress(OSError):
            parts = [os.fsencode(os.readlink(f"/proc/{pid}/cwd"))]
            parts += [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("environ", "cmdline")]
            if any(needle in part for part in parts):
                found.append(Leak(PROCESSES, pid, _process_text(pid)))
    return found


# --- what is new ---------------------------------------------------------------------------------------------------


def _describe(before: Snapshot, now: Snapshot) -> Iterator[Leak]:
    for pid in now.processes - before.processes:
        yield Leak(PROCESSES, pid, _process_text(pid))
    for key in now.threads - before.threads:
        yield Leak(THREADS, key, _thread_text(key))
    for number, target in now.descriptors - before.descriptors:
        yield Leak(DESCRIPTORS, number, f"{number} -> {target}")
    for name in now.segments - before.segments:
        if _is_ours(f"{SHARED_MEMORY_AT}/{name}"):
            yield Leak(SHARED_MEMORY, name, f"{SHARED_MEMORY_AT}/{name}")
    for mapping in now.mappings - before.mappings:
        yield Leak(SHARED_MEMORY, mapping, f"mapping of inode {mapping}")
    if before.directory is not None:
        for path in (before.directory / name for name in now.files - before.files):
            if not _is_exempt_file(path):
                yield Leak(FILES, path.name, _file_text(path))


def _is_exempt_file(path: Path) -> bool:
    config: dict[str, Any] = multiprocessing.process.current_process()._config  # type: ignore[attr-defined]  # noqa: SLF001 - the only place that has it
    if str(path) == config.get("tempdir"):
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
    for pid in all_processes():
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
    frame = sys._current_frames().get(ident)  # noqa: SLF001 - documented, in spite of its name
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
