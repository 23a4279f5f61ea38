"""Commands as tasks: an argv list, bounded output, and an end with the task."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.core.taskspec import TaskSpec
from actors.errors import CommandFailed, ConfigError, LimitExceeded, TaskTimeout
from actors.protocol.events import TaskProgressed
from actors.system import ActorSystem
from actors.workers.general_purpose import GeneralPurpose

PYTHON = sys.executable


def command(**data: Any) -> TaskSpec:
    return TaskSpec(type="command", data=data, retries=0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"argv": "git status"}, "argv of a command is a list, .* shell: true"),
        ({"argv": []}, "argv of a command"),
        ({"argv": [""]}, "argv of a command"),
        ({"argv": ["a", True]}, "argv of a command"),
        ({"argv": ["a\0b"]}, "argv of a command"),
        ({"argv": ["a"], "shell": True}, "argv of a command is one text"),
        ({"argv": "a", "shell": "yes"}, "shell of a command"),
        ({"argv": ["a"], "cwd": "/no/such/folder"}, "cwd of a command is an existing folder"),
        ({"argv": ["a"], "env": ["A=1"]}, "env of a command"),
        ({"argv": ["a"], "env": {"A": [1]}}, "env of a command"),
        ({"argv": ["a"], "env": {"A=B": "1"}}, "env of a command"),
        ({"argv": ["a"], "stdin": b"x"}, "stdin of a command"),
        ({"argv": ["a"], "exit_codes": 0}, "exit_codes of a command"),
        ({"argv": ["a"], "exit_codes": []}, "exit_codes of a command"),
        ({"argv": ["a"], "exit_codes": [True]}, "exit_codes of a command"),
        ({"argv": ["a"], "keep": 0}, "keep of a command"),
    ],
)
def test_a_wrong_field_of_a_command_names_itself(data: dict[str, Any], words: str) -> None:
    """A1: what was expected, and what came."""
    with pytest.raises(ConfigError, match=words):
        GeneralPurpose().command(**data)


def test_a_command_gets_its_words_its_folder_its_variables_and_its_input(tmp_path: Path) -> None:
    """A1: no shell reads the words, and the agent's own variables stay."""
    code = "import os, sys; print(sys.argv[1], os.getcwd(), os.environ['A'], 'HOME' in os.environ, 'PATH' in os.environ, sys.stdin.read())"
    done = GeneralPurpose().command(
        [PYTHON, "-c", code, "$HOME; *"], cwd=str(tmp_path), env={"A": "b", "HOME": None}, stdin="told"
    )
    assert (done.code, done.stdout) == (0, f"$HOME; * {os.path.realpath(tmp_path)} b False True told\n")
    assert done.to_dict()["argv"][-1] == "$HOME; *"


def test_a_number_and_a_list_among_the_words_need_no_quotes() -> None:
    """A1: as they come out of a file or of another result."""
    code = "import os, sys; print(sys.argv[1:], os.environ['N'])"
    done = GeneralPurpose().command([PYTHON, "-c", code, 3, ["a", 1.5], []], env={"N": 7})
    assert done.stdout == "['3', 'a', '1.5'] 7\n"


def test_a_shell_reads_a_text_only_where_it_is_asked_for() -> None:
    """A1: a pipe needs shell: true."""
    assert GeneralPurpose().command("echo one two | wc -w", shell=True).stdout.strip() == "2"


def test_a_command_that_fails_tells_its_exit_code_its_signal_and_its_last_lines() -> None:
    """A1: also that it cannot be started at all."""
    worker = GeneralPurpose()
    with pytest.raises(CommandFailed, match=r"ended with 3:\nlast line") as failed:
        worker.command("echo last line; exit 3", shell=True)
    assert (failed.value.code, failed.value.signal, failed.value.stdout) == (3, None, "last line\n")
    assert worker.command("exit 3", shell=True, exit_codes=[0, 3]).code == 3
    with pytest.raises(CommandFailed, match="was ended by SIGKILL") as killed:
        worker.command(f"kill -{signal.SIGKILL:d} $$", shell=True)
    assert (killed.value.code, killed.value.signal) == (-9, "SIGKILL")
    with pytest.raises(CommandFailed, match="no-such-program-here cannot be started") as missing:
        worker.command(["no-such-program-here"])
    assert missing.value.code is None


def test_the_output_of_a_command_is_kept_bounded() -> None:
    """A1: the last of it."""
    done = GeneralPurpose().command([PYTHON, "-c", "print('x' * 3_000_000 + 'end')"], keep=1000)
    assert len(done.stdout) == 1000 and done.stdout.endswith("xend\n") and done.truncated


def test_the_output_of_a_command_comes_as_progress_while_it_runs(tmp_path: Path) -> None:
    """D7: also the last line before a long silence, and never half a character."""
    code = (
        "import os, sys, time\n"
        "os.write(1, 'é'.encode()[:1]); time.sleep(0.3); os.write(1, 'é'.encode()[1:] + b'\\n')\n"
        f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\n"
        "for n in range(3000): print(n)\n"
        "print('before the silence', flush=True)\n"
        "sys.stdin.read()\n"
        "time.sleep(600)\n"
    )
    with ActorSystem() as system, system.events(TaskProgressed) as events:
        future = system.submit_task(command(argv=[PYTHON, "-c", code], stdin=""))
        told = ""
        while "\n" not in told:
            told += events.get(timeout=30).note
        assert told == "é\n"
        # Of much at once the last part is told.
        (tmp_path / "go").touch()
        while "before the silence\n" not in told:
            told += events.get(timeout=30).note
        assert future.cancel("enough")


def test_a_command_ends_with_its_task_and_takes_its_whole_tree_along(tmp_path: Path) -> None:
    """D5, D6: a time limit and a cancellation reach grandchildren, which have left their group, too."""
    pids = tmp_path / "pids"
    script = f"setsid sleep 600 & echo $! >> {pids}; sleep 600 & echo $! >> {pids}; echo ready; wait"
    with ActorSystem() as system, system.events(TaskProgressed) as events:
        late = TaskSpec(type="command", data={"argv": script, "shell": True}, retries=0, timeout=1)
        assert isinstance(system.submit_task(late).exception(timeout=30), TaskTimeout)
        running = system.submit_task(command(argv=script, shell=True))
        while (told := events.get(timeout=30)).task_id != running.task_id or "ready" not in told.note:
            pass
        running.cancel("enough")
        # Behind it on the same agent, or on its replacement: the end of the earlier one is over then.
        assert system.submit_task(command(argv=["true"])).result(timeout=30).code == 0
    for pid in map(int, pids.read_text().split()):
        until = time.monotonic() + 10
        while psutil.pid_exists(pid) and time.monotonic() < until:
            psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=0.1)
        assert not psutil.pid_exists(pid)


def test_a_command_counts_under_the_limits_of_its_agent() -> None:
    """E2: memory of the whole tree."""
    from actors.config import Limits, SystemConfig

    config = SystemConfig.load(environ={}, callable_agent={"limits": Limits(memory="300M"), "timeout": 60})
    with ActorSystem(config=config) as system:
        hungry = "x = bytearray(10**9)\nfor n in range(0, len(x), 4096): x[n] = 1\nimport time; time.sleep(60)"
        error = system.submit_task(command(argv=[PYTHON, "-c", hungry])).exception(timeout=50)
    assert isinstance(error, LimitExceeded | CommandFailed), error


def test_the_data_of_a_command_are_checked_when_it_is_submitted() -> None:
    """A1: an unknown field names itself and never gets to an agent."""
    with ActorSystem() as system, pytest.raises(ConfigError, match="no field 'args'; its fields are argv, cwd"):
        system.submit_task(TaskSpec(type="command", data={"args": ["ls"]}))
