"""When the program dies, nothing that it started lives on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hosts.support import LIMIT, alive, gone

_PROMISE = 2.0


def _die(tmp_path: Path, options: list[str], signum: int = signal.SIGKILL) -> tuple[list[int], Path, int]:
    root = tmp_path / "work"
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.hosts.program", str(root), *options],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    )
    assert program.stdout is not None
    with program, program.stdout as out:
        told = json.loads(out.readline())
        assert all(map(alive, told["pids"]))
        assert root.is_dir()
        program.send_signal(signum)
        program.wait(LIMIT)
    return told["pids"], root, told["fork"]


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_program_that_is_killed_takes_everything_with_it(tmp_path: Path, signum: int) -> None:
    """A6: agents, their descendants, detached ones too, and the launcher are gone within 2 s; so is the workspace."""
    pids, root, _ = _die(tmp_path, ["family", "rest"], signum)
    assert gone(pids, _PROMISE)
    assert not root.exists()


def test_busy_and_stopped_agents_end_with_the_program(tmp_path: Path) -> None:
    """A6: neither C code that holds the interpreter nor SIGSTOP keeps an agent alive."""
    pids, root, _ = _die(tmp_path, ["spin", "stop"])
    assert gone(pids, _PROMISE)
    assert not root.exists()


def test_a_fork_of_the_program_keeps_nothing_alive(tmp_path: Path) -> None:
    """A6: also when the program had forked, and the fork, which holds all its sockets, lives on."""
    pids, root, fork = _die(tmp_path, ["family", "rest", "fork"])
    try:
        assert gone(pids, _PROMISE)
        assert not root.exists()
        assert alive(fork)
    finally:
        os.kill(fork, signal.SIGKILL)
        assert gone([fork], LIMIT)


def _run(code: str, tmp_path: Path, **options: object) -> subprocess.CompletedProcess[str]:
    script = (
        "import os, sys\n"
        "from actors.hosts.process import ProcessHost\n"
        "from tests.hosts.support import ENTRY, Exits, heard, end_of, spec\n"
        "root = sys.argv[1]\n"
        f"{code}"
    )
    return subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "work")],
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=LIMIT,
        text=True,
        **options,  # type: ignore[call-overload]
    )


_ECHO = (
    "host = ProcessHost(entry=ENTRY, root=root)\n"
    "exits = Exits()\n"
    "said = heard(host.launch(spec(do='echo'), exits))\n"
    "host.close(0)\n"
    "ok = said == 'walker-1' and len(exits) == 1\n"
)


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 1, 2)])
def test_a_program_with_closed_standard_descriptors_works(tmp_path: Path, closed: tuple[int, ...]) -> None:
    """A6: nothing of the library's takes the numbers of stdin, stdout and stderr."""
    closing = "".join(f"os.close({fd})\n" for fd in closed)
    done = _run(closing + _ECHO + "os._exit(0 if ok else 1)\n", tmp_path)
    assert done.returncode == 0


def test_a_program_in_a_directory_that_was_removed_works(tmp_path: Path) -> None:
    """A6: agents start where the program is, even if that has no name any more."""
    code = "os.mkdir(root + '-gone')\nos.chdir(root + '-gone')\nos.rmdir(root + '-gone')\n"
    done = _run(code + _ECHO + "sys.exit(not ok)\n", tmp_path)
    assert done.returncode == 0


def test_a_stderr_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    """A6: agents write to stderr and end in time although the pipe behind it is full."""
    reader, writer = os.pipe()
    code = (
        "host = ProcessHost(entry=ENTRY, root=root)\n"
        "exits = Exits()\n"
        "handle = host.launch(spec(do='chatters', extra={'lines': 20000}), exits)\n"
        "heard(handle)\n"
        "handle.kill('test')\n"
        "ok = end_of(host, exits).stderr[-1] == 'the end'\n"
        "host.close(0)\n"
        "sys.exit(not ok)\n"
    )
    try:
        done = _run(code, tmp_path, stderr=writer)
        assert done.returncode == 0
    finally:
        os.close(writer)
        os.close(reader)


def test_a_stdout_whose_reader_is_gone_stops_nothing(tmp_path: Path) -> None:
    """A6: an agent that starts with a broken stdout is up all the same."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert _run(_ECHO + "sys.exit(not ok)\n", tmp_path, stdout=writer).returncode == 0
    finally:
        os.close(writer)


def test_a_program_that_becomes_another_one_ends_its_agents(tmp_path: Path) -> None:
    """A6: after exec nobody could ever reach them."""
    code = (
        "host = ProcessHost(entry=ENTRY, root=root)\n"
        "pid = heard(host.launch(spec(do='rest'), Exits()))\n"
        "os.makedirs(root)\n"
        "os.execv(sys.executable, [sys.executable, '-c', 'import sys; from tests.hosts.support import gone; '\n"
        "    'sys.exit(not gone([int(sys.argv[1])], 2.0))', str(pid)])\n"
    )
    assert _run(code, tmp_path).returncode == 0


def test_a_program_that_forgets_to_close_ends_all_the_same(tmp_path: Path) -> None:
    """A6: nothing keeps it from ending, and nothing stays behind."""
    code = (
        "host = ProcessHost(entry=ENTRY, root=root)\n"
        "os.makedirs(root)\n"
        "print(heard(host.launch(spec(do='rest'), Exits())))\n"
    )
    done = _run(code, tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0
    assert gone([int(done.stdout)], _PROMISE)
