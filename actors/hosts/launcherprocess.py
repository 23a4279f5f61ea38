"""The launcher as the program sees it: how it is started, how it is found to be dead, and what is done then."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Generic, TypeVar

from actors.errors import ConfigError
from actors.hosts.descriptors import socket_pair
from actors.hosts.launchlink import LaunchLink, Setup
from actors.hosts.linux import process_descriptor
from actors.hosts.proctree import LAUNCHER_MARK, end_marked
from actors.platforms import signal_name

__all__ = ["LauncherProcess", "checked_executable"]

_WITHIN = 1.0

T = TypeVar("T")


class LauncherProcess(Generic[T]):
    """A launcher's process, the link to it, and what the host keeps of its agents (`handles`, by number).

    Args:
        executable: the Python to run.
        entry: "module:function" that runs an agent.
        preload: modules to import before the first fork.
        root: the directory of all workspaces, or empty.
        environment: of the launcher and thereby of its agents.
        mark: names this launcher in the environment of all that descends from it.

    Raises:
        ConfigError: the interpreter cannot be run.
    """

    def __init__(
        self,
        *,
        executable: str,
        entry: str,
        preload: tuple[str, ...],
        root: str,
        environment: Mapping[str, str],
        mark: str,
    ) -> None:
        self.mark = mark
        self.handles: dict[int, T] = {}
        ours, theirs = socket_pair()
        self.link = LaunchLink(ours)
        # Of the program itself, made by itself: no moment in which the launcher could watch the wrong process.
        program = process_descriptor(os.getpid())
        path = tuple(found for entry in sys.path if (found := _absolute(entry)) is not None)
        # The flags of this interpreter (-O, -W, -X and so on), found as multiprocessing finds them.
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined] # noqa: SLF001
        # -P: the path is the program's, set below. Where the working directory was removed, Python 3.13.0 cannot import
        # `socket` without it.
        interpreter: tuple[str, ...] = (executable, "-P", *flags)
        setup = Setup(os.getpid(), entry, preload, root, interpreter, path, tuple(sys.argv))
        code = (
            f"import sys; sys.path[:] = {list(path)!r}; from actors.hosts.launcher import main; main({theirs.fileno()})"
        )
        try:
            # Written before the launcher exists, so that it is there even if the program dies now.
            self.link.post(setup, [] if program is None else [program])
            self._process = subprocess.Popen(
                [*interpreter, "-c", code],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={**environment, LAUNCHER_MARK: mark},
                # A session of its own: what is typed at the terminal is for the program alone.
                start_new_session=True,
            )
        except OSError as error:
            self.link.close()
            raise ConfigError(
                f"the interpreter {executable!r} cannot be run: {error}",
                key="executable",
                value=executable,
                allowed="the path of a Python interpreter",
            ) from error
        finally:
            theirs.close()

    def kill(self) -> None:
        """End the launcher; its agents die with it."""
        self._process.kill()

    def disown(self) -> None:
        """In a fork of the program: let go of what is not its own."""
        self.link.close()
        self._process.returncode = 0

    def bury(self) -> str:
        """Free what is held of a launcher that is dead or dying, and end what it left behind.

        Returns:
            What happened, for the reports of its agents.
        """
        self.link.close()
        try:
            code = self._process.wait(_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if code != 0 or self.handles:
            # Its agents die with it (PDEATHSIG); their descendants do not, and where that signal is unknown nobody does.
            end_marked(LAUNCHER_MARK, self.mark, _WITHIN)
        how = f"was killed by {signal_name(-code)}" if code < 0 else f"ended with exit code {code} (see stderr)"
        return f"the launcher, parent of all agents, {how}, and its agents with it"


def _absolute(entry: str) -> str | None:
    """An entry of `sys.path` that means the same in whatever directory an agent is started.

    None for one that is relative to a directory that was removed: nothing can be found there.
    """
    try:
        return os.path.abspath(entry)
    except OSError:
        return None


def checked_executable(executable: str | None) -> str:
    """The interpreter to run, `sys.executable` unless another is named.

    Raises:
        ConfigError: there is none.
    """
    found = executable or sys.executable
    if not found:
        raise ConfigError(
            "agents need a Python interpreter, and sys.executable is empty, as in a program that embeds Python; "
            "set sys.executable to a Python that has the same modules, or use host='thread'",
            key="sys.executable",
            value=sys.executable,
            allowed="the path of a Python interpreter",
        )
    return found
