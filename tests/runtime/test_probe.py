"""What the probe says of real processes, on each of its sources."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.runtime.machine import MachineFiles
from actors.runtime.portable import Portable
from actors.runtime.probe import Probe
from actors.runtime.procfs import Procfs
from tests.runtime.children import child

MB = 1 << 20
ON_LINUX = sys.platform.startswith("linux")


@pytest.fixture(params=["procfs", "psutil"])
def probe(request: pytest.FixtureRequest) -> Iterator[Probe]:
    if request.param == "procfs":
        if not ON_LINUX:
            pytest.skip("there is no /proc here")
        found = Probe(Procfs(), MachineFiles())
    else:
        portable = Portable()
        found = Probe(portable, portable)
    yield found
    found.close()


def test_memory_that_a_process_allocates_is_its_memory(probe: Probe) -> None:
    """E1: memory of the process tree."""
    with child("tell('ready'); wait(); kept = fill(64); tell('filled'); wait()") as process:
        process.told()
        before = probe.sample({"a-1": process.pid})["a-1"].memory
        fast_before = probe.memory_of([process.pid])[process.pid]
        process.go_on()
        process.told()
        grown = probe.sample({"a-1": process.pid})["a-1"].memory - before
        fast_grown = probe.memory_of([process.pid])[process.pid] - fast_before
    assert 63 * MB <= grown < 66 * MB
    assert 63 * MB <= fast_grown < 66 * MB


def test_memory_shared_through_a_mapping_does_not_count(probe: Probe) -> None:
    """E1: memory without what is shared. Two processes hold the same 64 MiB, which are nobody's own."""
    body = """
    shared = mmap.mmap(-1, 64 << 20)
    shared.write(bytes(64 << 20))
    if os.fork() == 0:
        sum(shared[at] for at in range(0, 64 << 20, mmap.PAGESIZE))
        tell('ready')
    wait()
    """
    with child(body) as process:
        process.told()
        usage = probe.sample({"a-1": process.pid})["a-1"]
        assert usage.processes == 2
        assert usage.memory < 40 * MB
        process.go_on()
        process.go_on()


def test_memory_shared_by_fork_does_not_count_for_the_fork() -> None:
    """E1: memory without what is shared: a tree answers for its part of the pages that it got by fork.

    Here four processes have the same 64 MiB, and the tree of each of the three children for itself has a quarter.
    """
    if not ON_LINUX:
        pytest.skip("only /proc tells who shares what")
    body = """
    kept = fill(64)
    pids = []
    for _ in range(3):
        pids.append(os.fork())
        if not pids[-1]:
            tell('forked')
            wait()
            os._exit(0)
    tell(*pids)
    wait()
    """
    probe = Probe()
    with child(body) as process:
        lines = [process.told() for _ in range(4)]
        pids = [int(word) for line in lines if line != ["forked"] for word in line]
        usages = probe.sample({"parent": process.pid, **{f"a-{pid}": pid for pid in pids}})
        whole = probe.sample({"tree": process.pid})["tree"]
        bounds = probe.memory_of(pids)
        for _ in range(4):
            process.go_on()
    probe.close()
    for pid in pids:
        assert 16 * MB <= usages[f"a-{pid}"].memory < 24 * MB
        assert bounds[pid] >= 64 * MB
    assert usages["parent"].processes == 1
    assert whole.processes == 4
    assert 64 * MB <= whole.memory < 64 * MB + 32 * MB


def test_a_tree_is_measured_with_all_its_processes(probe: Probe) -> None:
    """E1: the whole process tree: memory, descriptors, processes, threads and switches of children and theirs."""
    body = """
    import threading
    if os.fork() == 0:
        if os.fork() == 0:
            kept = fill(32)
            descriptors = [os.open('/dev/null', os.O_RDONLY) for _ in range(40)]
            stop = threading.Event()
            thread = threading.Thread(target=stop.wait, daemon=True)
            thread.start()
            time.sleep(0.01)
            tell('ready')
        wait()
        os._exit(0)
    wait()
    """
    with child(body) as process:
        process.told()
        usage = probe.sample({"a-1": process.pid})["a-1"]
        assert set(probe.members(process.pid)) >= {process.pid}
        assert len(probe.members(process.pid)) == usage.processes == 3
        assert usage.memory >= 32 * MB
        assert usage.open_files >= 40 + 3 * 3
        assert usage.threads == 4
        assert usage.context_switches >= 3
        assert usage.agent == "a-1"
        assert usage.pid == process.pid
        assert usage.uptime > 0
        for _ in range(3):
            process.go_on()


def test_a_descendant_that_detached_itself_is_in_the_tree_of_its_sub_reaper(probe: Probe) -> None:
    """E1, A6: a daemon that an agent left behind counts, because its orphans become the agent's own children."""
    if not ON_LINUX:
        pytest.skip("sub-reapers are Linux's")
    body = """
    assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    middle = os.fork()
    if middle == 0:
        if os.fork() == 0:
            os.setsid()
            kept = fill(48)
            tell('detached', os.getpid())
            wait()
        os._exit(0)
    os.waitpid(middle, 0)
    tell('reaped')
    wait()
    try:
        os.wait()
    except ChildProcessError:
        pass
    """
    with child(body) as process:
        lines = [process.told(), process.told()]
        detached = next(int(line[1]) for line in lines if line[0] == "detached")
        usage = probe.sample({"a-1": process.pid})["a-1"]
        assert usage.processes == 2
        assert usage.memory >= 48 * MB
        assert detached in probe.members(process.pid)
        process.go_on()
        process.go_on()


def test_agents_below_another_agent_are_counted_once(probe: Probe) -> None:
    """E1: one pass for all agents, and nothing counts for two of them."""
    body = """
    child = os.fork()
    if child == 0:
        kept = fill(32)
        tell(os.getpid())
    wait()
    """
    with child(body) as process:
        inner = int(process.told()[0])
        usages = probe.sample({"outer": process.pid, "inner": inner})
        assert usages["inner"].memory >= 32 * MB
        assert usages["outer"].memory < 32 * MB
        assert [usages[agent].processes for agent in ("outer", "inner")] == [1, 1]
        process.go_on()
        process.go_on()


def test_cpu_is_counted_over_the_interval_and_with_children_that_ended_in_it(probe: Probe) -> None:
    """E1: cpu percent over the interval. A child burns cpu and ends between two samples."""
    body = """
    tell('ready')
    wait()
    child = os.fork()
    if child == 0:
        while time.process_time() < 0.3:
            pass
        os._exit(0)
    os.waitpid(child, 0)
    tell('burnt')
    wait()
    tell('rested')
    wait()
    """
    with child(body) as process:
        process.told()
        start = probe.sample({"a-1": process.pid})["a-1"]
        process.go_on()
        process.told()
        burnt = probe.sample({"a-1": process.pid})["a-1"]
        spent = burnt.cpu_percent / 100 * (burnt.time - start.time)
        # The child's account starts at 0, and the kernel counts in hundredths of a second.
        assert 0.2 < spent < 0.45
        select.select([], [], [], 0.1)
        process.go_on()
        process.told()
        assert probe.sample({"a-1": process.pid})["a-1"].cpu_percent < burnt.cpu_percent / 2 + 1


def test_bytes_written_to_storage_are_counted(probe: Probe) -> None:
    """E1: I/O."""
    body = """
    with open(sys.stdin.readline().strip(), 'wb') as file:
        file.write(bytes(8 << 20))
        file.flush()
        os.fsync(file.fileno())
    tell('written')
    wait()
    """
    with tempfile.NamedTemporaryFile(dir=Path.cwd()) as file, child(body) as process:
        process._process.stdin.write(f"{file.name}\n".encode())  # type: ignore[union-attr]
        process.told()
        assert probe.sample({"a-1": process.pid})["a-1"].written_bytes >= 8 * MB


def test_what_has_vanished_is_skipped(probe: Probe) -> None:
    """E1: a process that ended, reaped or not, is not measured, and disturbs nobody."""
    with child("tell('ready'); wait()") as gone, child("tell('ready'); wait()") as there:
        gone.told()
        there.told()
        assert probe.memory_of([gone.pid, there.pid]).keys() == {gone.pid, there.pid}
        gone.kill()
        os.waitid(os.P_PID, gone.pid, os.WEXITED | os.WNOWAIT)
        for _ in ("a zombie", "reaped"):
            assert probe.sample({"gone": gone.pid, "there": there.pid}).keys() == {"there"}
            assert probe.memory_of([gone.pid, there.pid]).keys() == {there.pid}
            assert probe.tree_memory(gone.pid) == 0
            gone.reap()


def test_a_child_that_waits_to_be_reaped_is_no_process_of_the_tree(probe: Probe) -> None:
    """E1: the number of processes is of those that live."""
    body = """
    if os.fork() == 0:
        os._exit(0)
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    tell('ready')
    wait()
    """
    with child(body) as process:
        process.told()
        assert probe.sample({"a-1": process.pid})["a-1"].processes == 1


def test_a_pid_that_was_given_to_another_process_never_shows_the_old_ones_memory() -> None:
    """E2: the fast path keeps files open; a reused pid is either missing or the new process."""
    last = Path("/proc/sys/kernel/ns_last_pid")
    if not os.access(last, os.W_OK):
        pytest.skip("this user cannot choose pids")
    probe = Probe()
    with child("kept = fill(64); tell('ready'); wait()") as old:
        old.told()
        pid = old.pid
        assert probe.memory_of([pid])[pid] >= 64 * MB
        old.kill()
        old.reap()
    try:
        new = _fork_as(pid, last)
    except pytest.skip.Exception:
        probe.close()
        raise
    fresh = Procfs()
    try:
        assert probe.memory_of([pid]) in ({}, fresh.memory_of([pid]))
        assert probe.memory_of([pid]) == fresh.memory_of([pid])
    finally:
        fresh.close()
        os.kill(new, signal.SIGKILL)
        os.waitpid(new, 0)
        probe.close()


def _fork_as(pid: int, last: Path) -> int:
    for _ in range(50):
        last.write_text(str(pid - 1))
        new = os.fork()
        if new == 0:
            signal.pause()
            os._exit(0)
        if new == pid:
            return new
        os.kill(new, signal.SIGKILL)
        os.waitpid(new, 0)
    pytest.skip("others took the pid")


def test_the_fast_path_keeps_a_bounded_number_of_files_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """E2: more processes than files may be kept open for are measured all the same."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setattr("actors.runtime.procfs._KEPT_SHARE", allowed // 3)
    source = Procfs()
    body = """
    pids = []
    for _ in range(6):
        pids.append(os.fork())
        if not pids[-1]:
            wait()
            os._exit(0)
    tell(*pids)
    wait()
    """
    with child(body) as process:
        pids = [int(word) for word in process.told()]
        before = len(os.listdir("/proc/self/fd"))
        assert source.memory_of(pids).keys() == set(pids)
        assert source.memory_of(pids).keys() == set(pids)
        assert len(os.listdir("/proc/self/fd")) == before + 3
        os.kill(pids[0], signal.SIGKILL)
        os.kill(pids[1], signal.SIGKILL)
        for _ in range(6):
            process.go_on()
    source.close()
    assert len(os.listdir("/proc/self/fd")) == before - 2  # the two pipes to the child


def test_the_files_of_processes_that_are_gone_do_not_pile_up() -> None:
    """E2: whoever ends and is replaced all the time costs no descriptors."""
    source = Procfs()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(60):
        pid = os.fork()
        if not pid:
            signal.pause()
            os._exit(0)
        assert source.memory_of([pid]).keys() == {pid}
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert len(os.listdir("/proc/self/fd")) <= before + 20
    source.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_figures_print_as_json(probe: Probe) -> None:
    """C5: typed values that also print as JSON."""
    usage = probe.sample({"me": os.getpid()})["me"]
    assert json.loads(json.dumps(usage.to_dict()))["memory"] == usage.memory
    machine = probe.machine()
    assert json.loads(json.dumps(machine.to_dict()))["memory_total"] == machine.memory_total


def test_the_machine_has_memory_and_cpus(probe: Probe) -> None:
    """E3: what admission looks at."""
    select.select([], [], [], 0.1)
    machine = probe.machine()
    assert 0 < machine.memory_available <= machine.memory_total
    assert 0 < machine.memory_available_share <= 1
    assert machine.cpus >= 1
    for percent in (machine.cpu_percent, machine.io_wait_percent, machine.disk_percent):
        assert 0 <= percent <= 100
