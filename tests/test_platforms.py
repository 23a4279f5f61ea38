"""Where the library runs, and what it says where it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from actors import ActorSystem, ConfigError
from actors.platforms import check_platform

ROOT = Path(__file__).parents[1]

# Modules of Unix are missing on Windows, and so is the number of many a signal; the platform's name comes last, because
# the standard library's own modules ask for it while they are imported.
ELSEWHERE = """
import signal, sys
import argparse, concurrent.futures, contextlib, importlib.metadata, importlib.util, json
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGCHLD"):
    delattr(signal, name)
sys.platform = "win32"
"""


def elsewhere(code: str) -> subprocess.CompletedProcess[str]:
    """Run code as if on Windows, as far as that can be had here."""
    return subprocess.run(
        [sys.executable, "-c", ELSEWHERE + code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize("platform", ["linux", "darwin", None])
def test_linux_is_taken_and_macos_is_not_refused(platform: str | None) -> None:
    """Rooms: Linux is promised, macOS kept possible."""
    check_platform(platform)


def test_windows_is_refused_with_what_to_do() -> None:
    """Rooms: Windows refuses with a clear error."""
    with pytest.raises(ConfigError, match="Windows Subsystem for Linux") as refused:
        check_platform("win32")
    assert refused.value.key == "platform" and refused.value.value == "win32"


def test_a_system_does_not_start_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rooms: nothing was started for it, and it can be shut down."""
    system = ActorSystem()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        with pytest.raises(ConfigError, match="Windows"):
            system.start()
        with pytest.raises(ConfigError, match="Windows"):
            system.submit(pow, 2, 10)
    system.shutdown()


@pytest.mark.parametrize("name", ["ActorSystem", "Worker, task", "SystemConfig"])
def test_on_windows_the_import_says_so_and_not_that_some_module_is_missing(name: str) -> None:
    """Rooms: the error is about the platform."""
    done = elsewhere(f"import actors\nfrom actors import {name}")
    assert done.returncode == 1
    assert "ConfigError: actors runs on Linux, and this is Windows" in done.stderr
    assert "ModuleNotFoundError" not in done.stderr


def test_on_windows_the_errors_can_be_imported_to_catch_it() -> None:
    """Rooms: a program may do without the library where it does not run."""
    done = elsewhere(
        "from actors import ConfigError\ntry:\n    from actors import ActorSystem\nexcept ConfigError: print('caught')"
    )
    assert done.stdout.strip() == "caught", done.stderr


@pytest.mark.parametrize(("argument", "code"), [("--version", 0), ("--help", 0), ("review .", 3)])
def test_on_windows_the_command_tells_of_itself_and_refuses_the_work(argument: str, code: int) -> None:
    """Rooms: no traceback."""
    done = elsewhere(f"from actors.cli import main\nsys.exit(main({argument.split()!r}))")
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert ("Windows" in done.stderr) == (code == 3)
