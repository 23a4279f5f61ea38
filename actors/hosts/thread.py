"""The thread host: every agent is a thread of this process. Quick to start, and it can keep fewer promises."""

from __future__ import annotations

import importlib
import logging
import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from actors.errors import ConfigError, SystemClosed
from actors.hosts.channel import Channel
from actors.hosts.exitreport import ExitReport
from actors.hosts.host import HostPromises, LaunchSpec, OnExit
from actors.hosts.memorychannel import MemoryChannel
from actors.hosts.statusblock import BLOCK_SIZE, StatusReader, StatusWriter
from actors.hosts.wakeup import Wakeup

__all__ = ["THREAD_ENTRY", "ThreadEntry", "ThreadHandle", "ThreadHost"]

THREAD_ENTRY = "actors.hosts.agent:run"
"""What runs an agent in a thread unless the host is told otherwise."""

ThreadEntry: TypeAlias = Callable[[LaunchSpec, Channel, Channel, StatusWriter], int | None]

_LOG = logging.getLogger("actors.hosts")


class ThreadHandle:
    """The program's hold on one agent that is a thread; see `AgentHandle`."""

    pid = None

    def __init__(self, host: ThreadHost, spec: LaunchSpec, on_exit: OnExit) -> None:
        self.agent = spec.agent
        self.incarnation = spec.incarnation
        self.task: Channel
        self.control: Channel
        self.task, self._agent_task = MemoryChannel.pair(f"{spec.agent} (task)")
        self.control, self._agent_control = MemoryChannel.pair(f"{spec.agent} (control)")
        block = bytearray(BLOCK_SIZE)
        self.status = StatusReader(block)
        self.ended = False
        self.on_exit = on_exit
        self.started = time.monotonic()
        self._writer = StatusWriter(block)
        self._host = host

    def __repr__(self) -> str:
        return f"<ThreadHandle {self.agent} #{self.incarnation}: {'ended' if self.ended else 'running'}>"

    @property
    def alive(self) -> bool:
        """Whether its end has not been reported yet."""
        return not self.ended

    def signal(self, signum: int) -> None:
        """Nothing: a thread has no signals of its own."""

    def kill(self, reason: str) -> None:
        """Give the agent up: its channels are closed and its end is reported.

        A thread cannot be ended from outside. What it runs goes on until it next touches a channel; nobody hears of it.
        """
        cause = f"given up by this program, as a thread cannot be killed: {reason}"
        self._host.ended(self, None, cause, reason, ())
        self.close()

    def close(self) -> None:
        """Close the program's ends of both channels; the agent then ends at its next look at them."""
        if self.ended:
            # One that was given up goes on to write when it finds the channels closed; what it said before is kept.
            self.status.close()
        self.task.close()
        self.control.close()
        self._host.forget(self)

    def run(self, spec: LaunchSpec, entry: ThreadEntry) -> None:
        """Be the agent; the thread's body."""
        code: int | None = None
        stderr: tuple[str, ...] = ()
        try:
            code = entry(spec, self._agent_task, self._agent_control, self._writer) or 0
            cause = f"ended in order with exit code {code}" if code == 0 else f"ended with exit code {code}"
        except BaseException as error:  # noqa: BLE001 - whatever ends an agent ends that agent alone
            code = 1
            stderr = tuple("".join(traceback.format_exception(error)).splitlines())
            cause = f"ended by an error of its own: {error!r}"
        finally:
            self._agent_task.close()
            self._agent_control.close()
        self._host.ended(self, code, cause, None, stderr)


class ThreadHost:
    """Runs agents as threads.

    It promises neither kill nor isolation nor limits nor an environment for each agent: a task that does not return
    keeps its thread, and a crash of native code ends the program.

    Args:
        entry: called in the agent's thread with (spec, task channel, control channel, status writer), or the
            "module:function" that names such a callable.
    """

    promises = HostPromises(startup="a thread: at once")

    def __init__(self, *, entry: ThreadEntry | str = THREAD_ENTRY) -> None:
        self._entry = entry
        self._lock = threading.Lock()
        self._handles: set[ThreadHandle] = set()
        self._threads: dict[ThreadHandle, threading.Thread] = {}
        self._reports: deque[tuple[OnExit, ExitReport]] = deque()
        self._wakeup = Wakeup()
        self._pid = os.getpid()
        self._closed = False

    def start(self) -> None:
        """Nothing to make ready.

        Raises:
            SystemClosed: the host is closed, or belongs to another process.
        """
        if self._pid != os.getpid():
            raise SystemClosed("this process is a fork of the one that owns the system; make a system of its own here")
        if self._closed:
            raise SystemClosed("the host is closed")

    def launch(self, spec: LaunchSpec, on_exit: OnExit) -> ThreadHandle:
        """Start an agent and return at once.

        Raises:
            ConfigError: it is to have an environment or a working directory, which threads share.
            SystemClosed: the host is closed, or belongs to another process.
        """
        for name, value in (("environment", spec.environment), ("working_directory", spec.cwd)):
            if value is not None:
                raise ConfigError(
                    f"{spec.agent}: the threads of a program share its {name.replace('_', ' ')}; "
                    f"leave {name} out, or use host='process'",
                    key=name,
                    value=value,
                    allowed="None",
                )
        self.start()
        entry = _resolve(self._entry)
        handle = ThreadHandle(self, spec, on_exit)
        # A daemon: a task that never returns must not keep the program from ending.
        thread = threading.Thread(target=handle.run, args=(spec, entry), name=f"actors {spec.agent}", daemon=True)
        with self._lock:
            self._handles.add(handle)
            self._threads[handle] = thread
        thread.start()
        return handle

    def fileno(self) -> int:
        """A descriptor that is readable when `on_readable` has something to do."""
        return self._wakeup.reader

    def on_readable(self) -> None:
        """Report the ends of agents."""
        self._wakeup.clear()
        while self._reports:
            on_exit, report = self._reports.popleft()
            try:
                on_exit(report)
            except Exception:  # noqa: BLE001 - it is logged, and the others must be told
                _LOG.exception("the exit of %s could not be dealt with", report.agent)

    def ended(
        self, handle: ThreadHandle, code: int | None, cause: str, reason: str | None, stderr: tuple[str, ...]
    ) -> None:
        """Note an agent's end, the first time that it is told; for handles."""
        with self._lock:
            if reason is None:
                self._threads.pop(handle, None)
            if handle.ended:
                return
            handle.ended = True
            status = handle.status.read()
            report = ExitReport(
                agent=handle.agent,
                incarnation=handle.incarnation,
                pid=None,
                exit_code=code,
                signal=None,
                cause=cause,
                reason=reason,
                stderr=stderr,
                moves=status.moves,
                running=status.running,
                started_seq=status.started_seq,
                flushed_seq=status.flushed_seq,
                uptime=time.monotonic() - handle.started,
            )
            self._reports.append((handle.on_exit, report))
            if not self._closed:
                self._wakeup.set()

    def forget(self, handle: ThreadHandle) -> None:
        """Keep a handle no longer, because its channels are closed; for handles."""
        with self._lock:
            self._handles.discard(handle)

    def close(self, timeout: float = 5.0) -> None:
        """Close all channels, wait up to `timeout` seconds for the agents to end, and give up those that do not."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            handles = list(self._handles)
            threads = dict(self._threads)
        if self._pid == os.getpid():
            for handle in handles:
                handle.close()
            deadline = time.monotonic() + max(timeout, 0.0)
            for handle, thread in threads.items():
                thread.join(max(deadline - time.monotonic(), 0.0))
                if thread.is_alive():
                    handle.kill("the system is closing")
            self.on_readable()
        self._wakeup.close()


def _resolve(entry: ThreadEntry | str) -> ThreadEntry:
    if not isinstance(entry, str):
        return entry
    module, _, name = entry.partition(":")
    found: ThreadEntry = getattr(importlib.import_module(module), name)
    return found
