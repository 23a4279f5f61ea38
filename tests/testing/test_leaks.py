"""The leak check catches what it promises to catch, waits for what is ending, and costs next to nothing."""

from __future__ import annotations

import _thread
import ctypes
import mmap
import multiprocessing.shared_memory
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.errors import ConfigError
from actors.testing import leaks

ROOT = Path(__file__).parents[2]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory whose content is watched, apart from the one of the test itself."""
    path = tmp_path / "watched"
    path.mkdir()
    return path


def kinds(found: list[leaks.Leak]) -> list[str]:
    return sorted(leak.kind for leak in found)


def test_nothing_new_is_no_leak(directory: Path) -> None:
    """The usual case."""
    assert leaks.settle(leaks.take(directory), timeout=0) == []


def test_a_running_child_is_caught_and_ended_by_the_clean_up(directory: Path) -> None:
    """A child that goes on is a leak, and does not outlive the check."""
    before = leaks.take(directory)
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    found = leaks.settle(before, timeout=0.05)
    assert [(leak.kind, leak.key) for leak in found] == [(leaks.PROCESSES, child.pid)]
    assert "signal.pause" in leaks.report(found)
    leaks.clean_up(before, found)
    assert leaks.since(before) == []
    child.wait()


def test_a_zombie_is_caught(directory: Path) -> None:
    """An ended child that nobody reaped still has its place in the table of processes."""
    before = leaks.take(directory)
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    found = leaks.settle(before, timeout=0.05)
    assert [leak.key for leak in found] == [pid]
    assert "Z (zombie)" in leaks.report(found)
    leaks.clean_up(before, found)
    assert leaks.since(before) == []


def test_a_grandchild_is_caught(directory: Path) -> None:
    """The whole tree counts."""
    before = leaks.take(directory)
    code = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())
    child.stdout.close()
    found = leaks.settle(before, timeout=0.05)
    assert {leak.key for leak in found} == {child.pid, grandchild}
    leaks.clean_up(before, found)
    child.wait()


def test_a_child_that_is_ending_is_waited_for(directory: Path) -> None:
    """What ends within the time limit is no leak; its parent reaps it."""
    before = leaks.take(directory)
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    assert kinds(leaks.since(before)) == [leaks.DESCRIPTORS, leaks.PROCESSES]
    reaper = threading.Thread(target=child.wait)
    reaper.start()
    child.stdin.close()
    assert leaks.settle(before, timeout=10) == []
    reaper.join()


def test_a_detached_process_is_found_by_what_it_names(directory: Path) -> None:
    """A grandchild that left the tree is found by its directory, its environment or its command line."""
    code = "import subprocess; p = subprocess.Popen(['sleep', '60'], start_new_session=True, "
    code += "stdout=subprocess.DEVNULL); print(p.pid)"
    environment = {**os.environ, "ACTORS_TESTS_PLACE": str(directory)}
    pid = int(subprocess.check_output([sys.executable, "-c", code], env=environment))
    assert pid in {leak.key for leak in leaks.processes_naming(str(directory))}
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while leaks.processes_naming(str(directory)):
        assert time.monotonic() < deadline
        os.sched_yield()


def in_a_thread(function: Callable[[], object]) -> None:
    threading.Thread(target=function, name="left over").start()


def in_a_nameless_thread(function: Callable[[], object]) -> None:
    _thread.start_new_thread(function, ())


@pytest.mark.parametrize("start", [in_a_thread, in_a_nameless_thread])
def test_a_thread_is_caught(directory: Path, start: Callable[[Callable[[], object]], None]) -> None:
    """A thread is named with the place where it stands, with or without a Thread object."""
    release, running = threading.Event(), threading.Event()

    def left_over() -> None:
        running.set()
        release.wait()

    before = leaks.take(directory)
    start(left_over)
    running.wait()
    found = leaks.settle(before, timeout=0.05)
    assert kinds(found) == [leaks.THREADS]
    release.set()
    assert leaks.settle(before, timeout=10) == []


def test_an_ended_thread_hides_no_new_one_that_got_its_ident(directory: Path) -> None:
    """Threads are told apart by more than the ident, which is used again at once."""
    release = threading.Event()
    first = threading.Thread(target=release.wait)
    first.start()
    before = leaks.take(directory)
    release.set()
    first.join()
    second_release = threading.Event()
    second = threading.Thread(target=second_release.wait)
    second.start()
    assert kinds(leaks.settle(before, timeout=0.05)) == [leaks.THREADS]
    second_release.set()
    second.join()


def test_a_descriptor_is_caught_also_under_the_number_of_one_that_was_closed(directory: Path) -> None:
    """A descriptor is its number and what it leads to."""
    first = os.open(os.devnull, os.O_RDONLY)
    before = leaks.take(directory)
    os.close(first)
    second = os.open(os.path.realpath(__file__), os.O_RDONLY)
    assert second == first
    found = leaks.settle(before, timeout=0.05)
    assert [(leak.kind, leak.key) for leak in found] == [(leaks.DESCRIPTORS, second)]
    os.close(second)


def test_a_socket_in_a_reference_cycle_is_collected_and_not_blamed(directory: Path) -> None:
    """What only the collector can free is freed before anybody is blamed."""

    class Holder:
        def __init__(self) -> None:
            self.itself = self
            self.descriptor = os.dup(1)

        def __del__(self) -> None:
            os.close(self.descriptor)

    before = leaks.take(directory)
    Holder()
    assert leaks.settle(before, timeout=5) == []


def test_a_segment_in_shared_memory_is_caught(directory: Path) -> None:
    """A named segment that nobody unlinked is a leak; the resource tracker that comes with it is not."""
    before = leaks.take(directory)
    segment = multiprocessing.shared_memory.SharedMemory(create=True, size=4096)
    assert leaks.SHARED_MEMORY in kinds(leaks.settle(before, timeout=0.05))
    segment.close()
    segment.unlink()
    assert leaks.settle(before, timeout=5) == []


def test_a_mapped_memfd_is_caught_when_its_descriptor_is_closed(directory: Path) -> None:
    """A mapping keeps the memory alive without a descriptor."""
    before = leaks.take(directory)
    descriptor = os.memfd_create("left-over")
    os.ftruncate(descriptor, mmap.PAGESIZE)
    mapping = mmap.mmap(descriptor, mmap.PAGESIZE, access=mmap.ACCESS_WRITE)
    mapping[0] = 1
    os.close(descriptor)
    found = leaks.settle(before, timeout=0.05)
    # mmap keeps a descriptor of its own.
    assert set(kinds(found)) == {leaks.DESCRIPTORS, leaks.SHARED_MEMORY}
    assert "left-over" in leaks.report(found)
    mapping.close()
    assert leaks.since(before) == []


def test_a_mapping_made_behind_python_is_caught_too(directory: Path) -> None:
    """Only the kernel's list of mappings shows it."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, *[ctypes.c_size_t] * 2, *[ctypes.c_int] * 2, ctypes.c_long]
    before = leaks.take(directory)
    descriptor = os.memfd_create("left-over")
    os.ftruncate(descriptor, mmap.PAGESIZE)
    address = libc.mmap(None, mmap.PAGESIZE, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    os.close(descriptor)
    assert ctypes.string_at(address, 1) == b"\0"
    assert kinds(leaks.settle(before, timeout=0.05)) == [leaks.SHARED_MEMORY]
    libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE))
    assert leaks.since(before) == []


def test_temporary_files_and_directories_are_caught_and_removed(directory: Path) -> None:
    """What stands in the watched directory afterwards is a leak, and is gone for the next test."""
    before = leaks.take(directory)
    (directory / "file").write_bytes(b"left over")
    (directory / "folder").mkdir()
    (directory / "folder" / "inner").touch()
    (directory / "link").symlink_to("nowhere")
    found = leaks.settle(before, timeout=0.05)
    assert {leak.key for leak in found} == {"file", "folder", "link"}
    leaks.clean_up(before, found)
    assert leaks.since(before) == []


def test_allowed_kinds_are_overlooked_and_the_others_are_not(directory: Path) -> None:
    """The marker `actors_leaks_allowed` excuses one kind at a time."""
    before = leaks.take(directory)
    (directory / "file").touch()
    descriptor = os.dup(1)
    assert kinds(leaks.settle(before, 0.05, frozenset({leaks.FILES}))) == [leaks.DESCRIPTORS]
    os.close(descriptor)


def test_no_leaks_raises_with_a_list_of_what_a_block_left_and_cleans_up() -> None:
    """The public check: a context manager."""
    child = None
    with pytest.raises(leaks.LeakFound, match=r"processes: .*signal\.pause") as caught, leaks.no_leaks(timeout=0.05):
        child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    assert [(leak.kind, leak.key) for leak in caught.value.leaks] == [(leaks.PROCESSES, child.pid)]
    child.wait()


def test_no_leaks_looks_for_files_only_where_it_is_told(directory: Path) -> None:
    """Others may write to a directory that is shared."""
    with leaks.no_leaks(timeout=0.05):
        (directory / "file").touch()
    with pytest.raises(leaks.LeakFound, match="another, 0 bytes"), leaks.no_leaks(directory, timeout=0.05):
        (directory / "another").touch()
    assert [path.name for path in directory.iterdir()] == ["file"]


def test_no_leaks_overlooks_the_kinds_that_it_is_told_and_refuses_unknown_ones() -> None:
    """A misspelt kind would overlook nothing, and nobody would know why."""
    kept = []
    with leaks.no_leaks(timeout=0.05, allowed={leaks.DESCRIPTORS}):
        kept.append(os.dup(1))
    os.close(kept.pop())
    with (
        pytest.raises(ConfigError, match=r"out of processes, threads, .* not discriptors"),
        leaks.no_leaks(allowed={"discriptors"}),
    ):
        pass


def test_no_leaks_lets_the_error_of_a_block_pass_and_cleans_up_all_the_same(directory: Path) -> None:
    """Nobody is blamed twice, and the next one is not blamed for it."""

    @leaks.no_leaks(directory, timeout=0.05)
    def block() -> None:
        (directory / "file").touch()
        raise KeyError("its own")

    with pytest.raises(KeyError):
        block()
    assert list(directory.iterdir()) == []


def test_tempfile_and_child_processes_use_the_directory_of_the_check(actors_scratch: Path) -> None:
    """No temporary file escapes the check by standing elsewhere."""
    code = "import tempfile; print(tempfile.gettempdir(), end='')"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert tempfile.gettempdir() == child.stdout == str(actors_scratch)


LEAKY = """
import os, subprocess, tempfile, threading
import pytest

def test_process(): subprocess.Popen(["sleep", "60"])
def test_thread(): threading.Thread(target=threading.Event().wait, args=(30,), daemon=True).start()
def test_descriptor(): os.dup(1)
def test_file(): open(os.path.join(tempfile.gettempdir(), "left-over"), "w").close()
def test_nothing(): pass

@pytest.mark.actors_leaks_allowed("descriptors", reason="to see that it is allowed")
def test_allowed(): os.dup(1)

@pytest.mark.actors_leaks_allowed("descriptors")
def test_without_a_reason(): pass

def test_failed():
    os.dup(1)
    assert False
"""


def test_a_leaking_test_fails_and_says_what_it_left_behind(tmp_path: Path) -> None:
    """The fixture that every test gets, in a run of its own over tests that really leak."""
    (tmp_path / "test_leaky.py").write_text(LEAKY)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "ignore"]
    command += [
        "--actors-leak-timeout",
        "0.2",
        "--basetemp",
        str(tmp_path / "base"),
        "-c",
        str(ROOT / "pyproject.toml"),
        "--rootdir",
        str(tmp_path),
        str(tmp_path / "test_leaky.py"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    errors = {line.split("::")[1].split()[0] for line in done.stdout.splitlines() if line.startswith("ERROR ")}
    assert errors == {"test_process", "test_thread", "test_descriptor", "test_file", "test_without_a_reason"}
    assert "sleep 60" in done.stdout
    assert "left-over, 0 bytes" in done.stdout
    failures = [line for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    assert len(failures) == 1 and "::test_failed" in failures[0]
