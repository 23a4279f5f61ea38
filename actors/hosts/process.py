"""The process host: every agent is a process of its own, started and watched by a launcher.

    any thread ── launch, signal, kill ──▶ LaunchLink ──▶ launcher ──▶ agents
    who polls  ── on_readable ◀──────────── LaunchLink ◀── exits

The host has no thread. What a dead launcher leaves behind is found by a mark in its processes' environment.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import secrets
import selectors
import sys
import threading
import time
from collections.abc import Sequence
from typing import TypeAlias

from actors.core.stacks import crashed, dumped
from actors.errors import ConfigError, SystemClosed
from actors.hosts.channel import SocketChannel
from actors.hosts.descriptors import close_all, memory_file, socket_pair
from actors.hosts.exitreport import Ending, ExitReport, explain, native_stack
from actors.hosts.host import HostPromises, LaunchSpec, OnExit
from actors.hosts.launcherprocess import LauncherProcess, checked_executable
from actors.hosts.launchlink import (
    Close,
    Exited,
    Launch,
    LinkMessage,
    Started,
)
from actors.hosts.payload import Segment
from actors.hosts.processhandle import ProcessHandle
from actors.hosts.proctree import LAUNCHER_MARK
from actors.hosts.statusblock import StatusReader, new_block

__all__ = ["ENTRY", "ProcessHost"]

ENTRY = "actors.hosts.child:run_agent"
"""What runs an agent unless the host is told otherwise."""

_Entry: TypeAlias = "tuple[ProcessHandle, OnExit]"
_LOG = logging.getLogger("actors.hosts")
# Beyond the time that `close` was given: for the launcher to report and to remove the workspaces.
_CLOSE_MARGIN = 3.0


class ProcessHost:
    """Runs agents as processes.

    Args:
        system_id: names the system in the environment of its processes; None makes one up.
        root: the directory of all workspaces. It is removed when the host closes and when the program dies.
        entry: "module:function" that runs an agent: called with (spec as bytes, task, control and status descriptor),
            it returns the exit code or None.
        preload: modules that the launcher imports once, for all agents.
        executable: the Python to run; None takes `sys.executable`.

    Raises:
        ConfigError: there is no interpreter to run, or `root` is no directory that may be removed.
    """

    promises = HostPromises(
        kills=True,
        interrupts=True,
        parallel=True,
        isolation=True,
        memory_limits=sys.platform == "linux",
        file_limits=sys.platform == "linux",
        environment=True,
        fresh=True,
        descendants=sys.platform == "linux",
        last_words=True,
        startup=(
            "a fork of a launcher that has imported the library: some tens of milliseconds; with an environment of its own "
            'or `start_method="spawn"` a fresh interpreter: some hundreds'
        ),
    )

    def __init__(
        self,
        *,
        system_id: str | None = None,
        root: str = "",
        entry: str = ENTRY,
        preload: Sequence[str] = (),
        executable: str | None = None,
    ) -> None:
        self.system_id = system_id or secrets.token_hex(8)
        self._root = _checked_root(root)
        self._entry = entry
        self._preload = tuple(preload)
        self._executable = checked_executable(executable)
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._generations = itertools.count(1)
        self._launcher: LauncherProcess[_Entry] | None = None
        self._environment: dict[str, str] = {}
        self._closed = False
        self._pid = os.getpid()
        self._selector = selectors.DefaultSelector()
        # Of agents that have ended too: their owner reads what is left in the channels before it closes them.
        self._handles: set[ProcessHandle] = set()

    def start(self) -> None:
        """Start the launcher, without waiting for it.

        Raises:
            SystemClosed: the host is closed, or belongs to another process.
            ConfigError: the interpreter cannot be run.
        """
        self._check_owner()
        with self._lock:
            self._ready()

    def launch(self, spec: LaunchSpec, on_exit: OnExit) -> ProcessHandle:
        """Start an agent and return at once. What keeps it from starting later is told by `on_exit`.

        Raises:
            ConfigError: its working directory does not exist, or descriptors are short.
            SystemClosed: the host is closed, or belongs to another process.
        """
        if spec.cwd is not None and not os.path.isdir(spec.cwd):
            raise ConfigError(
                f"{spec.agent}: the working directory must be a directory that exists, not {spec.cwd!r}",
                key="working_directory",
                value=spec.cwd,
                allowed="an existing directory",
            )
        self._check_owner()
        with self._lock:
            launcher = self._ready()
            number = next(self._numbers)
            try:
                handle, fds, size = self._make(number, spec)
            except OSError as error:
                raise ConfigError(
                    f"{spec.agent} cannot be started: {error}. An agent takes four descriptors of the program; raise the "
                    "limit of open files (ulimit -n) or run fewer agents",
                    key="open_files",
                    value=None,
                ) from error
            launcher.handles[number] = (handle, on_exit)
            self._handles.add(handle)
            request = self._request(launcher, number, spec, size)
            self._post(launcher, request, fds)
        return handle

    def fileno(self) -> int:
        """A descriptor that is readable when `on_readable` has something to do."""
        # The selectors of Linux and macOS are descriptors themselves.
        return int(self._selector.fileno())

    def on_readable(self) -> None:
        """Deal with what the launcher reports. `on_exit` is called from here; it must not wait."""
        calls: list[tuple[OnExit, ExitReport]] = []
        self._check_owner()
        with self._lock:
            if self._launcher is not None:
                self._listen(self._launcher, calls)
        _call(calls)

    def tell(self, handle: ProcessHandle, message: LinkMessage) -> None:
        """Pass a message about an agent to its launcher; for handles. In a fork of the program nothing happens."""
        if self._pid != os.getpid():
            return
        with self._lock:
            launcher = self._launcher
            if not handle.ended and launcher is not None and handle.number in launcher.handles:
                self._post(launcher, message)

    def forget(self, handle: ProcessHandle) -> None:
        """Keep a handle no longer, because its channels are closed; for handles."""
        # Without the lock, which a fork of the program may have inherited locked.
        self._handles.discard(handle)

    def close(self, timeout: float = 5.0) -> None:
        """SIGTERM to all agents that are left, SIGKILL to what is left after `timeout` seconds, and free everything.

        Returns when the launcher has ended, and in any case some three seconds after `timeout`. Each agent's end is
        reported, in the calling thread, before this returns, and all channels are closed. Calling it again does
        nothing. In a fork of the program it only lets go of the descriptors.
        """
        if self._pid != os.getpid():
            self._let_go()
            return
        calls: list[tuple[OnExit, ExitReport]] = []
        with self._lock:
            if self._closed:
                return
            self._closed = True
            launcher = self._launcher
            if launcher is not None:
                for handle, _ in launcher.handles.values():
                    handle.reason = handle.reason or "the system is closing"
                self._post(launcher, Close(timeout))
                self._wait_for_end(time.monotonic() + max(timeout, 0.0) + _CLOSE_MARGIN, calls)
                if self._launcher is not None:
                    launcher.kill()
                    self._bury(launcher, calls)
            for handle in list(self._handles):
                handle.close()
            self._selector.close()
            Segment.trim()
        _call(calls)

    def _let_go(self) -> None:
        """In a fork of the program: close the descriptors, and harm nothing of what they lead to."""
        if not self._closed:
            self._closed = True
            if self._launcher is not None:
                self._launcher.disown()
            self._selector.close()

    def _wait_for_end(self, deadline: float, calls: list[tuple[OnExit, ExitReport]]) -> None:
        while self._launcher is not None and (left := deadline - time.monotonic()) > 0:
            self._selector.select(left)
            self._listen(self._launcher, calls)

    def _ready(self) -> LauncherProcess[_Entry]:
        """The launcher, a new one if there is none."""
        if self._closed:
            raise SystemClosed("the host is closed")
        if self._launcher is None:
            self._launcher = self._start_launcher()
        return self._launcher

    def _check_owner(self) -> None:
        """Called before the lock is taken, which may be locked for ever in a fork of the program."""
        if self._pid != os.getpid():
            raise SystemClosed("this process is a fork of the one that owns the system; make a system of its own here")

    def _start_launcher(self) -> LauncherProcess[_Entry]:
        self._environment = dict(os.environ)
        started: LauncherProcess[_Entry] = LauncherProcess(
            executable=self._executable,
            entry=self._entry,
            preload=self._preload,
            root=self._root,
            environment={**self._environment, "ACTORS_SYSTEM_ID": self.system_id},
            mark=f"{self.system_id}.{next(self._generations)}",
        )
        self._selector.register(started.link, selectors.EVENT_READ)
        return started

    def _make(self, number: int, spec: LaunchSpec) -> tuple[ProcessHandle, list[int], int]:
        """The handle of a new agent, the descriptors that go to it, and the size of its spec."""
        data = spec.to_bytes()
        fds: list[int] = []
        channels: list[SocketChannel] = []
        try:
            for plane in ("task", "control"):
                ours, theirs = socket_pair()
                fds.append(theirs.detach())
                channels.append(
                    SocketChannel(
                        ours,
                        name=f"{spec.agent} ({plane})",
                        recycle=not spec.untrusted,
                        limit=spec.frame_limit,
                    )
                )
            fds.append(new_block())
            status = StatusReader.of_fd(fds[-1])
            fds.append(memory_file("actors-spec", len(data)))
            at = 0
            while at < len(data):
                at += os.pwrite(fds[-1], memoryview(data)[at:], at)
        except BaseException:
            close_all(fds)
            for channel in channels:
                channel.close()
            raise
        return ProcessHandle(self, number, spec, (channels[0], channels[1]), status), fds, len(data)

    def _request(self, launcher: LauncherProcess[_Entry], number: int, spec: LaunchSpec, size: int) -> Launch:
        now = dict(os.environ)
        then = self._environment
        changed = {} if now == then else {name: value for name, value in now.items() if then.get(name) != value}
        return Launch(
            number=number,
            fresh=spec.fresh,
            environment=spec.environment,
            changed=changed,
            removed=tuple(then.keys() - now.keys()),
            marks={
                "ACTORS_SYSTEM_ID": self.system_id,
                LAUNCHER_MARK: launcher.mark,
                "ACTORS_AGENT_ID": spec.agent,
                "ACTORS_AGENT_TYPE": spec.type,
                "ACTORS_AGENT_WORKSPACE": spec.workspace,
            },
            cwd=spec.cwd or _here_or_none(),
            spec_size=size,
        )

    def _post(self, launcher: LauncherProcess[_Entry], message: LinkMessage, fds: Sequence[int] = ()) -> None:
        try:
            launcher.link.post(message, fds)
        except OSError:
            # It is dead; its socket is readable, and the one who polls will report all of its agents.
            close_all(fds)
        self._want(launcher)

    def _want(self, launcher: LauncherProcess[_Entry]) -> None:
        """Poll for room in the socket while something waits for it."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if launcher.link.waiting else 0)
        if self._selector.get_key(launcher.link).events != events:
            self._selector.modify(launcher.link, events)

    def _listen(self, launcher: LauncherProcess[_Entry], calls: list[tuple[OnExit, ExitReport]]) -> None:
        with contextlib.suppress(OSError):
            launcher.link.flush()
        try:
            messages = launcher.link.take()
        except EOFError:
            self._bury(launcher, calls)
            return
        for message, fds in messages:
            close_all(fds)
            match message:
                case Started(number, pid):
                    if number in launcher.handles:
                        launcher.handles[number][0].known_pid = pid
                case Exited(number, ending, failure):
                    if number in launcher.handles:
                        self._report(launcher, number, ending, failure, calls)
        self._want(launcher)

    def _report(
        self,
        launcher: LauncherProcess[_Entry],
        number: int,
        ending: Ending,
        failure: str,
        calls: list[tuple[OnExit, ExitReport]],
    ) -> None:
        handle, on_exit = launcher.handles.pop(number)
        handle.ended = True
        code, name, cause = explain(ending, handle.reason)
        status, words = handle.status.read(), handle.status.last_words()
        calls.append(
            (
                on_exit,
                ExitReport(
                    agent=handle.agent,
                    incarnation=handle.incarnation,
                    pid=handle.known_pid,
                    exit_code=code,
                    signal=name,
                    cause=failure or cause,
                    reason=handle.reason,
                    stderr=ending.stderr,
                    moves=status.moves,
                    running=status.running,
                    started_seq=status.started_seq,
                    flushed_seq=status.flushed_seq,
                    uptime=ending.uptime or time.monotonic() - handle.started,
                    peak_kb=ending.peak_kb,
                    cpu=ending.cpu,
                    log=words.log,
                    stack=crashed(native_stack(ending.stderr)) or dumped(words.stack),
                ),
            )
        )

    def _bury(self, launcher: LauncherProcess[_Entry], calls: list[tuple[OnExit, ExitReport]]) -> None:
        """The launcher is gone: end what it left, report its agents, and be ready to start another."""
        self._launcher = None
        self._selector.unregister(launcher.link)
        launcher.link.close()
        failure = launcher.bury()
        for number in list(launcher.handles):
            self._report(launcher, number, Ending(None), failure, calls)


def _call(calls: list[tuple[OnExit, ExitReport]]) -> None:
    """Report exits, without the host's lock; one that fails keeps no other from being told."""
    for on_exit, report in calls:
        try:
            on_exit(report)
        except Exception:  # noqa: BLE001 - it is logged, and the others must be told
            _LOG.exception("the exit of %s could not be dealt with", report.agent)


def _here_or_none() -> str | None:
    """The working directory; None if it was removed: agents then start where the launcher is, which is there too."""
    try:
        return os.getcwd()
    except OSError:
        return None


def _checked_root(root: str) -> str:
    if not root:
        return ""
    path = os.path.abspath(root)
    if path == os.path.sep or path == os.path.expanduser("~") or os.path.ismount(path) or os.path.islink(path):
        raise ConfigError(
            f"the workspace root is removed at the end, so it must be a directory of its own, not {root!r}",
            key="workspace_root",
            value=root,
            allowed="a directory that holds nothing else",
        )
    return path
