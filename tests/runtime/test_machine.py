"""The machine's figures, read from files that a test wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.kernel.clock import ManualClock
from actors.runtime.machine import MachineFiles
from actors.runtime.portable import Portable
from actors.runtime.probe import Probe

GB = 1 << 30


class Files:
    """A /proc and a /sys of the test's own."""

    def __init__(self, root: Path) -> None:
        self.proc, self.sys = root / "proc", root / "sys"
        (self.proc / "self").mkdir(parents=True)
        (self.sys / "block").mkdir(parents=True)
        self.memory(16 * GB, 8 * GB)
        self.cpu(0, 0, 0)
        self.disks({})

    def memory(self, total: int, available: int) -> None:
        (self.proc / "meminfo").write_text(f"MemTotal: {total >> 10} kB\nMemAvailable: {available >> 10} kB\n")

    def cpu(self, busy: int, idle: int, waiting: int) -> None:
        (self.proc / "stat").write_text(f"cpu  {busy} 0 0 {idle} {waiting} 0 0 0 0 0\ncpu0 1 1 1 1\n")

    def disks(self, busy: dict[str, int]) -> None:
        rows = [f"8 0 {name} 1 2 3 4 5 6 7 8 9 {busy_ms} 11\n" for name, busy_ms in busy.items()]
        (self.proc / "diskstats").write_text("".join(rows))

    def group(self, path: str, **files: object) -> None:
        directory = self.sys / "fs" / "cgroup" / path
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (directory / f"memory.{name}").write_text(f"{text}\n")

    def open(self) -> MachineFiles:
        return MachineFiles(str(self.proc), str(self.sys))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_memory_is_the_machines_where_no_container_limits_it(files: Files) -> None:
    """E3: total and available memory."""
    assert files.open().memory() == (16 * GB, 8 * GB)
    (files.proc / "self" / "cgroup").write_text("0::/\n")
    assert files.open().memory() == (16 * GB, 8 * GB)


def test_a_container_with_less_memory_than_the_machine_counts(files: Files) -> None:
    """E3: a container is short of memory long before its machine is. What files hold can be had back."""
    (files.proc / "self" / "cgroup").write_text("0::/pod/box\n")
    files.group("pod", max=4 * GB, current=3 * GB, stat=f"anon {GB}\ninactive_file {GB}")
    files.group("pod/box", max="max", current=GB, stat="anon 1")
    assert files.open().memory() == (4 * GB, 2 * GB)
    files.group("pod/box", max=2 * GB, current=2 * GB, stat="anon 1")
    assert files.open().memory() == (2 * GB, 0)


def test_a_container_of_version_1_counts_too(files: Files) -> None:
    """E3: control groups of version 1."""
    (files.proc / "self" / "cgroup").write_text("5:cpu:/\n4:memory:/box\n1:name=systemd:/\n")
    unlimited = (1 << 63) - 4096
    files.group("memory", limit_in_bytes=unlimited, usage_in_bytes=9 * GB, stat="total_inactive_file 0")
    files.group("memory/box", limit_in_bytes=3 * GB, usage_in_bytes=GB, stat="total_inactive_file 0")
    assert files.open().memory() == (3 * GB, 2 * GB)


def test_percentages_are_over_the_time_between_two_samples(files: Files) -> None:
    """E3: cpu and I/O wait of all cpus, and the busiest disk."""
    (files.sys / "block" / "sda").mkdir()
    (files.sys / "block" / "sdb").mkdir()
    (files.sys / "block" / "loop0").mkdir()
    files.cpu(1000, 1000, 0)
    files.disks({"sda": 100, "sda1": 100, "sdb": 0, "loop0": 0})
    clock, portable = ManualClock(), Portable()
    probe = Probe(portable, files.open(), clock.monotonic)
    clock.advance(10.0)
    files.cpu(1300, 1500, 200)
    files.disks({"sda": 2600, "sda1": 9000, "sdb": 1000, "loop0": 9000})
    machine = probe.machine()
    assert machine.cpu_percent == pytest.approx(30)
    assert machine.io_wait_percent == pytest.approx(20)
    assert machine.disk_percent == pytest.approx(25)
    assert machine.memory_available_share == pytest.approx(0.5)
    clock.advance(0.001)
    files.cpu(9999, 1500, 200)
    assert probe.machine().cpu_percent == pytest.approx(30)
    probe.close()


def test_waiting_for_disks_is_the_kernels_own_count_where_it_has_one(files: Files) -> None:
    """E3: I/O: with many cpus the idle time of one that waits says little."""
    clock = ManualClock()
    pressure = files.proc / "pressure"
    pressure.mkdir()
    (pressure / "io").write_text("some avg10=0.04 avg60=0.15 avg300=0.31 total=1000000\nfull avg10=0 total=1\n")
    probe = Probe(Portable(), files.open(), clock.monotonic)
    clock.advance(10.0)
    (pressure / "io").write_text("some avg10=0.04 avg60=0.15 avg300=0.31 total=5000000\nfull avg10=0 total=1\n")
    assert probe.machine().io_wait_percent == pytest.approx(40)
    probe.close()


def test_a_disk_that_came_later_and_one_that_went_disturb_nothing(files: Files) -> None:
    """E3: disks come and go."""
    for name in ("sda", "sdb"):
        (files.sys / "block" / name).mkdir()
    files.disks({"sda": 100})
    clock = ManualClock()
    probe = Probe(Portable(), files.open(), clock.monotonic)
    clock.advance(1.0)
    files.disks({"sdb": 5000})
    assert probe.machine().disk_percent == 0
    (files.proc / "diskstats").unlink()
    clock.advance(1.0)
    assert probe.machine().disk_percent == 0
    probe.close()
