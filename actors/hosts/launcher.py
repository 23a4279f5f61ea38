"""The launcher: a small process of its own, the parent of all agents of a system.

    program ── Launch, Kill, SendSignal, Close ──▶ launcher ── fork ──▶ agents ──▶ their descendants
            ◀── Ready, Started, Exited ──────────      ▲                 │
                                                       └─ SIGCHLD, stderr┘

It exists because forking a program that has threads is unsafe and starting an interpreter is slow, and because
somebody must outlive the program to clean up after it. One thread, one selector, and nothing that it does may wait.

How it finds every descendant: each agent is a sub-reaper, so what detaches itself from a live agent becomes that
agent's child. The launcher is a sub-reaper too: when an agent ends, its descendants become the launcher's children,
level by level as they are killed. So every child of the launcher that is no agent belonged to an agent that has
ended, and is killed at sight; but for multiprocessing's resource trackers, which end by themselves.

How it notices the program's end: by a pidfd of the program, because a fork of the program that lives on keeps the
socket open. The end of the socket counts as well: then the program has closed it, or become another one by exec.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import time
from typing import Any, NoReturn, TypeAlias

from actors.hosts.birth import STATUS, be_agent, find_entry
from actors.hosts.descriptors import above_standard, close_all, fill_standard_descriptors, socket_pair
from actors.hosts.exitreport import Ending
from actors.hosts.launchedagent import STACK_LOOK, LaunchedAgent
from actors.hosts.launchlink import Close, Exited, Kill, Launch, LaunchLink, Ready, SendSignal, Setup, Started
from actors.hosts.linux import adopt_orphans
from actors.hosts.proctree import MERCY, children_of, tracks_resources
from actors.hosts.stderrsink import StderrSink

__all__ = ["Launcher", "main"]

_Messages: TypeAlias = list[tuple[Any, list[int]]]
_STDERR_READ = 1 << 16
_STDERR_AT_END = 1 << 20
# A process that does not end within this time after SIGKILL sits in the kernel; nobody can end it.
_UNKILLABLE_AFTER = 10.0
# Only where the system has no pidfd: how often to look whether the program lives.
_LOOK_EVERY = 0.5


class Launcher:
    """The loop and what it holds.

    Args:
        link: the connection to the program.
        setup: what the program said first.
        program: a pidfd of the program, or None where there is none.
    """

    def __init__(self, link: LaunchLink, setup: Setup, program: int | None) -> None:
        self._link = link
        self._setup = setup
        self._program = program
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, LaunchedAgent] = {}
        self._by_pid: dict[int, LaunchedAgent] = {}
        self._by_reader: dict[int, LaunchedAgent] = {}
        # Those that are killed as soon as they have told where they are.
        self._dying: dict[int, LaunchedAgent] = {}
        # When the patience with a resource tracker ends, by pid; 0.0 when it has.
        self._spared: dict[int, float] = {}
        self._sink = StderrSink(2)
        self._sink_polled = False
        self._link_open = True
        self._kill_at: float | None = None
        self._give_up_at: float | None = None
        self._pid = os.getpid()
        self._wake_reader, self._wake_writer = socket_pair()

    def run(self, messages: _Messages) -> None:
        """Serve until the program closes or ends; then end everything.

        Args:
            messages: what was taken from the link already.
        """
        self._wake_reader.setblocking(False)  # noqa: FBT003 - takes no keyword
        self._wake_writer.setblocking(False)  # noqa: FBT003 - takes no keyword
        signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _nothing)
        self._selector.register(self._wake_reader, selectors.EVENT_READ, self._on_wake)
        self._selector.register(self._link, selectors.EVENT_READ, self._on_link)
        if self._program is not None:
            self._selector.register(self._program, selectors.EVENT_READ, self._on_program_end)
        self._post(Ready(self._pid))
        self._serve(messages)
        self._after_turn()
        while not self._done():
            for key, _ in self._selector.select(self._patience()):
                # An earlier callback of this turn may have closed what this one is about.
                if key.fd in self._selector.get_map():
                    key.data(key.fd)
            self._after_turn()
        self._remove_root()
        if self._link_open:
            self._say_last_words()

    def _patience(self) -> float | None:
        now = time.monotonic()
        waits = [at - now for at in (self._kill_at, self._give_up_at, *self._spared.values()) if at]
        if self._program is None:
            waits.append(_LOOK_EVERY)
        if self._dying:
            waits.append(STACK_LOOK)
        return max(min(waits), 0.0) if waits else None

    def _done(self) -> bool:
        if self._kill_at is None and self._give_up_at is None:
            return False
        if self._give_up_at is not None and time.monotonic() > self._give_up_at:
            return True
        return not self._children and not self._reap_once_more()

    def _reap_once_more(self) -> bool:
        """Whether there is any child left, agent or not."""
        self._reap()
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True

    def _after_turn(self) -> None:
        if self._program is None and os.getppid() != self._setup.program:
            self._end_now()
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._end_now()
        for agent in [agent for agent in self._dying.values() if agent.has_told()]:
            del self._dying[agent.number]
            agent.kill()
        if any(0.0 < until <= time.monotonic() for until in self._spared.values()):
            self._reap()
        if self._link_open:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._link.waiting else 0)
            if self._selector.get_key(self._link).events != events:
                self._selector.modify(self._link, events, self._on_link)
        if self._sink.waiting != self._sink_polled:
            self._poll_sink(wanted=self._sink.waiting)

    def _poll_sink(self, *, wanted: bool) -> None:
        self._sink_polled = wanted
        if wanted:
            try:
                self._selector.register(self._sink, selectors.EVENT_WRITE, self._on_sink)
            except (OSError, ValueError):
                # Not a thing that can be polled; the next write tries again.
                self._sink_polled = False
        else:
            self._selector.unregister(self._sink)

    def _on_sink(self, _: int) -> None:
        self._sink.flush()

    def _on_wake(self, _: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_reader.recv(4096)
        self._reap()

    def _on_program_end(self, _: int) -> None:
        self._end_now()

    def _on_link(self, _: int) -> None:
        try:
            self._link.flush()
            messages = self._link.take()
        except (EOFError, OSError):
            self._lose_link()
            return
        self._serve(messages)

    def _serve(self, messages: _Messages) -> None:
        for message, fds in messages:
            match message:
                case Launch():
                    self._launch(message, fds)
                case Kill(number):
                    self._kill(number)
                case SendSignal(number, signum):
                    self._signal(number, signum)
                case Close(timeout):
                    self._close(timeout)
                case _:
                    close_all(fds)

    def _lose_link(self) -> None:
        if self._link_open:
            self._link_open = False
            self._selector.unregister(self._link)
            self._link.close()
        self._end_now()

    def _post(self, message: Ready | Started | Exited) -> None:
        if self._link_open:
            try:
                self._link.post(message)
            except OSError:
                self._lose_link()

    def _launch(self, request: Launch, fds: list[int]) -> None:
        if self._kill_at is not None or self._give_up_at is not None:
            close_all(fds)
            self._post(Exited(request.number, Ending(None), "the system is closing"))
            return
        pipe: tuple[int, ...] = ()
        try:
            pipe = tuple(map(above_standard, os.pipe()))
            pid = self._fork(request, fds, pipe[1])
        except OSError as error:
            close_all([*fds, *pipe])
            self._post(Exited(request.number, Ending(None), f"its process could not be started: {error}"))
            return
        memory = fds.pop(STATUS)
        close_all([*fds, pipe[1]])
        os.set_blocking(pipe[0], False)
        child = LaunchedAgent(request.number, pid, pipe[0], memory)
        self._children[request.number] = child
        self._by_pid[pid] = child
        self._by_reader[pipe[0]] = child
        self._selector.register(pipe[0], selectors.EVENT_READ, self._on_stderr)
        self._post(Started(request.number, pid))

    def _fork(self, request: Launch, fds: list[int], stderr: int) -> int:
        # Blocked until the child has its own handlers: a signal sent to it meanwhile must not meet the launcher's.
        everything = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                be_agent(self._setup, request, fds, stderr, self._pid)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, everything)
        return pid

    def _on_stderr(self, fd: int) -> None:
        child = self._by_reader.get(fd)
        if child is not None:
            self._read_stderr(child, _STDERR_READ)

    def _read_stderr(self, child: LaunchedAgent, most: int) -> None:
        """Take what an agent has written to stderr; its pipe is closed at the end of it."""
        read = 0
        while read < most and child.reader >= 0:
            try:
                data = os.read(child.reader, _STDERR_READ)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._close_reader(child)
                return
            read += len(data)
            child.tail.add(data)
            self._sink.write(data)

    def _close_reader(self, child: LaunchedAgent) -> None:
        if child.reader >= 0:
            del self._by_reader[child.reader]
            self._selector.unregister(child.reader)
            os.close(child.reader)
            child.reader = -1

    def _reap(self) -> None:
        """Collect all that have ended, then kill what they left behind, until nothing new turns up."""
        while self._collect() and self._kill_orphans():
            # What was killed may have ended already and left children of its own.
            pass

    def _collect(self) -> bool:
        """Collect the children that have ended; returns whether there may be others."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            child = self._by_pid.pop(pid, None)
            self._spared.pop(pid, None)
            if child is None:
                continue
            del self._children[child.number]
            self._dying.pop(child.number, None)
            self._read_stderr(child, _STDERR_AT_END)
            self._close_reader(child)
            ending = Ending(
                status=status,
                peak_kb=usage.ru_maxrss if sys.platform != "darwin" else usage.ru_maxrss // 1024,
                cpu=usage.ru_utime + usage.ru_stime,
                uptime=time.monotonic() - child.started,
                oom_kills=child.oom_kills(),
                stderr=child.tail.lines(),
                condition=child.condition,
            )
            child.close()
            if sys.platform != "linux":
                # Without sub-reapers the process group is the best that is known of its descendants.
                with contextlib.suppress(OSError):
                    os.killpg(pid, signal.SIGKILL)
            self._kill_orphans()
            self._post(Exited(child.number, ending, ""))

    def _kill_orphans(self) -> bool:
        """Kill every child that is no agent: it belonged to one that has ended. Whether one was newly dead."""
        strangers = [pid for pid in children_of(self._pid) if pid not in self._by_pid and not self._spares(pid)]
        for pid in strangers:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not strangers:
            return False
        # Collected right here if they have ended; the others bring a SIGCHLD.
        try:
            return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return False

    def _spares(self, pid: int) -> bool:
        """Whether an orphan may live a little longer, to clean up after those that were killed."""
        now = time.monotonic()
        if pid not in self._spared:
            if not tracks_resources(pid):
                return False
            self._spared[pid] = now + MERCY
        elif self._spared[pid] <= now:
            self._spared[pid] = 0.0
        return self._spared[pid] > 0.0

    def _kill(self, number: int) -> None:
        child = self._children.get(number)
        if child is None or child.asked:
            return
        if child.ask_for_stack():
            self._dying[number] = child
        else:
            child.kill()

    def _signal(self, number: int, signum: int) -> None:
        child = self._children.get(number)
        if child is not None:
            with contextlib.suppress(OSError, ValueError):
                os.kill(child.pid, signum)

    def _close(self, timeout: float) -> None:
        if self._kill_at is not None or self._give_up_at is not None:
            return
        self._kill_at = time.monotonic() + max(timeout, 0.0)
        for number in list(self._children):
            self._signal(number, signal.SIGTERM)
            # One that was stopped could not even hear it.
            self._signal(number, signal.SIGCONT)

    def _end_now(self) -> None:
        self._kill_at = None
        if self._give_up_at is None:
            self._give_up_at = time.monotonic() + _UNKILLABLE_AFTER
            if self._program is not None:
                self._selector.unregister(self._program)
        for child in list(self._children.values()):
            child.kill()
        self._reap()

    def _remove_root(self) -> None:
        if self._setup.root:
            import shutil  # noqa: PLC0415 - agents would inherit it from here, and few launchers get this far

            for _ in range(3):
                shutil.rmtree(self._setup.root, ignore_errors=True)
                if not os.path.lexists(self._setup.root):
                    return

    def _say_last_words(self) -> None:
        """Hand over the last reports; the program waits for them, so this may, but not for ever."""
        deadline = time.monotonic() + 1.0
        while self._link.waiting and time.monotonic() < deadline:
            with selectors.DefaultSelector() as room:
                room.register(self._link, selectors.EVENT_WRITE)
                room.select(max(deadline - time.monotonic(), 0.0))
            try:
                self._link.flush()
            except OSError:
                return


def _nothing(_signum: int, _frame: object) -> None:
    """A handler must exist for the signal to wake the loop through its descriptor."""


def _await_setup(link: LaunchLink) -> tuple[Setup, int | None, _Messages]:
    """What the program says first, the pidfd that comes with it, and what it said after that already."""
    with selectors.DefaultSelector() as incoming:
        incoming.register(link, selectors.EVENT_READ)
        while True:
            incoming.select()
            messages = link.take()
            if messages:
                (setup, fds), *rest = messages
                return setup, fds[0] if fds else None, rest


def main(fd: int) -> NoReturn:
    """Run the launcher on the socket that the program passed as descriptor `fd`."""
    fill_standard_descriptors()
    os.set_inheritable(fd, False)  # noqa: FBT003 - takes no keyword
    # The program decides when this ends. A terminal's signals do not come here (it is a session of its own), and
    # whoever signals all processes of a service means the program's orderly end.
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(signum, signal.SIG_IGN)
    link = LaunchLink(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=fd))
    try:
        setup, program, messages = _await_setup(link)
    except EOFError:
        os._exit(0)
    adopt_orphans()
    launcher = Launcher(link, setup, program)
    for name in setup.preload:
        # A module that does not import here fails where it is needed, with its own traceback.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    with contextlib.suppress(Exception):
        find_entry(setup.entry)
    gc.collect()
    # What was imported so far is never collected: a collection in an agent would copy the pages that it shares.
    gc.freeze()
    launcher.run(messages)
    os._exit(0)
