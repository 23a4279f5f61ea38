"""The process host with real processes: starting, killing, reporting."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.errors import ConfigError, SystemClosed
from actors.hosts.process import ProcessHost
from actors.protocol.messages import Response
from actors.protocol.states import AgentState
from tests.hosts.support import ENTRY, LIMIT, Exits, alive, end_of, gone, heard, pump_until, spec


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ProcessHost]:
    """A host whose agents run the functions of tests.hosts.entries."""
    made = ProcessHost(entry=ENTRY, root=str(tmp_path / "work"))
    yield made
    made.close(0)


def _parent_of(pid: int) -> int:
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[1])


@pytest.fixture
def exits() -> Exits:
    """Collects exit reports."""
    return Exits()


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_an_agent_has_its_six_descriptors_and_its_own_session(
    host: ProcessHost, exits: Exits, start_method: str
) -> None:
    """I2: 0, 1, 2, the two planes and the status block, and none of them in the agent's own children."""
    # One that is inheritable on purpose, as a careless program has.
    careless = os.dup2(0, 90)
    try:
        handle = host.launch(spec(do="surroundings", start_method=start_method), exits)
        seen = heard(handle)
    finally:
        os.close(careless)
    assert sorted(seen["fds"])[:6] == [0, 1, 2, 3, 4, 5]
    assert len(seen["fds"]) <= 6
    assert seen["fds"][0] == "/dev/null"
    assert seen["fds"][2].startswith("pipe:")
    assert seen["planes"] == (3, 4, 5)
    # Three standard ones and that of the listing.
    assert seen["child_fds"].strip() == "['0', '1', '2', '3']"
    assert seen["sid"] == seen["pid"]
    assert seen["sigint"] == str(int(signal.SIG_DFL)) or "default_int_handler" in seen["sigint"]
    assert seen["argv"] == sys.argv


def test_an_agent_inherits_the_environment_and_directory_of_the_moment(
    host: ProcessHost, exits: Exits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """I2: without settings of its own, an agent has what the program has when it launches it."""
    monkeypatch.setenv("WALKER_OLD", "1")
    host.start()
    monkeypatch.setenv("WALKER_COLOUR", "blue")
    monkeypatch.delenv("WALKER_OLD")
    monkeypatch.chdir(tmp_path)
    seen = heard(host.launch(spec(do="surroundings", workspace="/w/1"), exits))
    assert seen["environ"]["WALKER_COLOUR"] == "blue"
    assert "WALKER_OLD" not in seen["environ"]
    assert seen["cwd"] == str(tmp_path)
    assert seen["environ"]["ACTORS_AGENT_ID"] == "walker-1"
    assert seen["environ"]["ACTORS_AGENT_TYPE"] == "walker"
    assert seen["environ"]["ACTORS_AGENT_WORKSPACE"] == "/w/1"


def test_an_agent_with_an_environment_of_its_own_sees_nothing_else(
    host: ProcessHost, exits: Exits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """I2: not even in /proc/<pid>/environ is there anything of the program's."""
    monkeypatch.setenv("DATABASE_PASSWORD", "hidden")
    seen = heard(host.launch(spec(do="surroundings", environment={"LANG": "C"}, cwd=str(tmp_path)), exits))
    names = {line.partition("=")[0] for line in seen["exec_environ"]}
    ours = {name for name in names if name.startswith("ACTORS_")}
    assert names - ours == {"LANG"}
    assert "DATABASE_PASSWORD" not in seen["environ"]
    assert seen["cwd"] == str(tmp_path)


def test_a_working_directory_that_does_not_exist_is_refused(host: ProcessHost, exits: Exits) -> None:
    """A4: the error names the setting and the value."""
    with pytest.raises(ConfigError, match="/nowhere/at/all") as caught:
        host.launch(spec(cwd="/nowhere/at/all"), exits)
    assert caught.value.key == "working_directory"


@pytest.mark.parametrize("code", [0, 1, 3])
def test_an_exit_code_is_reported_in_words(host: ProcessHost, exits: Exits, code: int) -> None:
    """H3: how an agent ended stands in its report."""
    host.launch(spec(do="exits", extra={"code": code}), exits)
    report = end_of(host, exits)
    assert (report.exit_code, report.signal) == (code, None)
    assert f"exit code {code}" in report.cause
    assert report.clean == (code == 0)


def test_a_hard_exit_is_told_with_the_last_lines(host: ProcessHost, exits: Exits) -> None:
    """H3: os._exit runs no clean-up, and the report still has what was written before."""
    host.launch(spec(do="exits_hard"), exits)
    report = end_of(host, exits)
    assert report.exit_code == 17
    assert "os._exit(17)" in report.cause
    assert report.stderr == ("last words",)


def test_an_exception_that_ends_an_agent_is_in_its_last_lines(host: ProcessHost, exits: Exits) -> None:
    """H3: exit code 1 and the traceback."""
    host.launch(spec(do="raises"), exits)
    report = end_of(host, exits)
    assert report.exit_code == 1
    assert "LookupError: nothing here" in report.stderr


@pytest.mark.parametrize(("do", "name"), [("segfaults", "SIGSEGV"), ("aborts", "SIGABRT")])
def test_a_crash_is_told_with_its_native_stack(host: ProcessHost, exits: Exits, do: str, name: str) -> None:
    """H3: the signal by name, and the lines that faulthandler wrote."""
    host.launch(spec(do=do), exits)
    report = end_of(host, exits)
    assert (report.exit_code, report.signal) == (None, name)
    assert "Fatal Python error" in report.stack[0]
    assert do in "".join(report.stack)


def test_a_stranger_s_kill_is_not_taken_for_ours(host: ProcessHost, exits: Exits) -> None:
    """H3: the report says that nobody here did it, and who else might have."""
    handle = host.launch(spec(), exits)
    os.kill(heard(handle), signal.SIGKILL)
    report = end_of(host, exits)
    assert report.signal == "SIGKILL"
    assert "not by this program" in report.cause
    assert report.reason is None


def test_a_kill_by_us_is_not_taken_for_a_stranger_s(host: ProcessHost, exits: Exits) -> None:
    """B2: the text names the signal and the reason."""
    handle = host.launch(spec(), exits)
    handle.kill("its task did not stop")
    report = end_of(host, exits)
    assert report.signal == "SIGKILL"
    assert report.cause == "killed by this program with SIGKILL: its task did not stop"


def test_the_status_block_is_read_after_a_kill(host: ProcessHost, exits: Exits) -> None:
    """H3: what ran, and how much was done but not told."""
    handle = host.launch(spec(do="works"), exits)
    heard(handle)
    handle.kill("enough")
    report = end_of(host, exits)
    assert report.running == (9, 2, 12.5)
    assert (report.started_seq, report.flushed_seq) == (3, 1)
    assert [move.target for move in report.moves] == [AgentState.IDLE, AgentState.ASSIGNED]


def test_a_kill_ends_the_whole_tree_and_nobody_else(host: ProcessHost, exits: Exits) -> None:
    """A6: also descendants that detached themselves; those of another agent live on."""
    doomed = host.launch(spec("walker-1", do="has_family"), exits)
    other = host.launch(spec("walker-2", do="has_family"), exits)
    family, neighbours = heard(doomed), heard(other)
    assert all(map(alive, family + neighbours))
    doomed.kill("test")
    end_of(host, exits)
    assert gone(family, 2.0)
    assert all(map(alive, neighbours))
    assert other.alive


def test_descendants_of_an_agent_that_ends_by_itself_end_too(host: ProcessHost, exits: Exits) -> None:
    """A6: grandchildren that detached themselves are found and ended, and its exit is told in spite of them."""
    handle = host.launch(spec(do="has_family"), exits)
    family = heard(handle)
    os.kill(family[0], signal.SIGTERM)
    assert end_of(host, exits).signal == "SIGTERM"
    assert gone(family, 2.0)


def test_an_agent_that_closes_its_sockets_is_not_taken_for_dead(host: ProcessHost, exits: Exits) -> None:
    """F2: what the operating system says of the process counts, not the end of a socket."""
    handle = host.launch(spec(do="closes_all"), exits)
    pid = heard(handle)
    probe = host.launch(spec("walker-2", do="echo"), exits)
    heard(probe)
    host.on_readable()
    assert alive(pid)
    assert not exits.reports
    handle.kill("test")
    assert end_of(host, exits).pid == pid


def test_a_signal_reaches_the_agent_alone(host: ProcessHost, exits: Exits) -> None:
    """A6: TERM ends an agent in order."""
    handle = host.launch(spec(do="obeys"), exits)
    heard(handle)
    handle.signal(signal.SIGTERM)
    assert end_of(host, exits).clean


def test_a_flood_on_stderr_is_bounded_and_keeps_its_end(
    host: ProcessHost, exits: Exits, capfd: pytest.CaptureFixture[str]
) -> None:
    """H3: all of it goes to the program's stderr, the last lines to the report."""
    handle = host.launch(spec(do="chatters", extra={"lines": 20_000}), exits)
    heard(handle)
    handle.kill("test")
    report = end_of(host, exits)
    assert report.stderr[-1] == "the end"
    assert sum(map(len, report.stderr)) < 64 << 10
    assert capfd.readouterr().err.count("x" * 99) == 20_000


def test_a_launcher_that_dies_is_noticed_and_replaced(host: ProcessHost, exits: Exits) -> None:
    """F1: its agents and their descendants end, are reported, and the next launch works."""
    handle = host.launch(spec(do="has_family"), exits)
    family = heard(handle)
    launcher = _parent_of(family[0])
    os.kill(launcher, signal.SIGKILL)
    report = end_of(host, exits)
    assert "launcher" in report.cause
    assert "SIGKILL" in report.cause
    assert gone(family, 2.0)
    handle.close()
    again = host.launch(spec("walker-2", do="echo"), exits)
    assert heard(again) == "walker-2"


def test_a_launch_just_after_the_launcher_died_is_reported(host: ProcessHost, exits: Exits) -> None:
    """F2: no launch is forgotten, whatever the moment."""
    handle = host.launch(spec(), exits)
    agent = heard(handle)
    launcher = _parent_of(agent)
    os.kill(launcher, signal.SIGKILL)
    assert gone([launcher], LIMIT)
    late = host.launch(spec("walker-2"), exits)
    pump_until(host, lambda: len(exits) == 2)
    assert {report.agent for report in exits.reports} == {"walker-1", "walker-2"}
    assert not late.alive
    late.close()
    handle.close()


def test_closing_asks_first_and_kills_what_does_not_end(host: ProcessHost, exits: Exits) -> None:
    """A6: SIGTERM, then SIGKILL; every end is reported before close returns."""
    good = host.launch(spec("walker-1", do="obeys"), exits)
    bad = host.launch(spec("walker-2", do="deaf"), exits)
    stopped = host.launch(spec("walker-3", do="rest"), exits)
    heard(good), heard(bad)
    os.kill(heard(stopped), signal.SIGSTOP)
    host.close(0.3)
    ends = {report.agent: report for report in exits.reports}
    assert ends["walker-1"].clean
    assert ends["walker-2"].signal == "SIGKILL"
    assert ends["walker-3"].signal == "SIGTERM"
    assert good.control.closed
    host.close(0.3)


def test_closing_removes_the_workspaces(tmp_path: Path, exits: Exits) -> None:
    """A6: always cleaned up."""
    root = tmp_path / "work"
    (root / "walker-1").mkdir(parents=True)
    (root / "walker-1" / "notes").write_text("x")
    host = ProcessHost(entry=ENTRY, root=str(root))
    heard(host.launch(spec(), exits))
    host.close(0)
    assert not root.exists()
    assert tmp_path.exists()


def test_a_fork_of_the_program_cannot_use_or_harm_the_host(host: ProcessHost, exits: Exits) -> None:
    """F2: in the fork the host says that it is dead, and closing it there ends nothing here."""
    handle = host.launch(spec(do="echo"), exits)
    heard(handle)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            host.launch(spec("walker-2"), exits)
        except SystemClosed:
            host.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    handle.control.send(Response("still there"))
    assert heard(handle) == "still there"


def test_starting_and_ending_many_agents_leaves_nothing(host: ProcessHost, exits: Exits) -> None:
    """A6: neither descriptors here and in the launcher, nor processes, nor zombies."""
    first = host.launch(spec("walker-0"), exits)
    launcher = _parent_of(heard(first))

    def held() -> tuple[int, int, int]:
        with open(f"/proc/{launcher}/task/{launcher}/children") as file:
            children = len(file.read().split())
        return len(os.listdir("/proc/self/fd")), len(os.listdir(f"/proc/{launcher}/fd")), children

    before = held()
    for turn in range(10):
        handles = [host.launch(spec(f"walker-{number}"), exits) for number in range(1, 4)]
        if turn % 2:
            for handle in handles:
                heard(handle)
        for handle in handles:
            handle.kill("test")
        pump_until(host, lambda wanted=3 * (turn + 1): len(exits) == wanted)
        for handle in handles:
            handle.close()
    assert len(exits) == 30
    assert held() == before
    first.close()


def test_a_terminal_s_interrupt_does_not_reach_agents(host: ProcessHost, exits: Exits) -> None:
    """A6: Ctrl-C goes to the foreground process group, and neither launcher nor agent is in the program's."""
    pid = heard(host.launch(spec(), exits))
    assert os.getpgid(pid) == pid
    launcher = _parent_of(pid)
    assert os.getsid(launcher) == launcher
    assert os.getsid(pid) != launcher
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(launcher, signum)
    again = host.launch(spec("walker-2", do="echo"), exits)
    assert heard(again) == "walker-2"
    assert alive(pid)


def test_an_interpreter_that_is_missing_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A4: a program that embeds Python has no sys.executable; the error says what to do."""
    monkeypatch.setattr(sys, "executable", None)
    with pytest.raises(ConfigError, match=r"sys\.executable is empty"):
        ProcessHost()


def test_an_interpreter_that_does_not_run_is_a_clear_error(exits: Exits) -> None:
    """A4: the error names the path."""
    host = ProcessHost(executable="/nowhere/python")
    with pytest.raises(ConfigError, match="/nowhere/python"):
        host.launch(spec(), exits)
    host.close()


@pytest.mark.parametrize("root", ["/", "~"])
def test_a_root_that_must_not_be_removed_is_refused(root: str) -> None:
    """A4: the workspace root is a directory of its own."""
    with pytest.raises(ConfigError, match="workspace root"):
        ProcessHost(root=os.path.expanduser(root))


def test_an_agent_whose_entry_does_not_exist_is_reported(exits: Exits) -> None:
    """F2: what cannot start is an exit with a reason."""
    host = ProcessHost(entry="tests.hosts.entries:nothing_of_that_name")
    host.launch(spec(), exits)
    report = end_of(host, exits)
    assert report.exit_code == 1
    assert any("nothing_of_that_name" in line for line in report.stderr)
    host.close()
