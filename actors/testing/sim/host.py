"""The simulated host: agents that are stepped, die when told to, and whose ends are reported like those of processes."""

from __future__ import annotations

import contextlib
import errno
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from actors.errors import ChannelClosed, ConfigError, SystemClosed
from actors.hosts.exitreport import Ending, ExitReport, explain
from actors.hosts.host import HostPromises, LaunchSpec, OnExit
from actors.hosts.statusblock import BLOCK_SIZE, Status, StatusReader
from actors.runtime.workspaces import DirectoryWorkspaces
from actors.testing.sim.agent import SimAgent
from actors.testing.sim.channel import Line, SimChannel
from actors.testing.sim.conductor import READ, WRITE, Conductor
from actors.testing.sim.network import Network, Pollable

if TYPE_CHECKING:
    from actors.hosts.channel import Channel
    from actors.testing.faults import FaultPlan
    from actors.testing.guarding.guard import Guard
    from actors.testing.sim.ground import BodyWatcher
    from actors.testing.sim.recorder import Recorder
    from actors.testing.sim.threads import SimThreads

__all__ = ["SimHandle", "SimHost", "SimWorkspaces"]

_LOG = logging.getLogger("actors.hosts")
_FIRST_PID = 1_000_000_000
_HEADER = 8
_SIGKILL = 9


class SimHandle:
    """The program's hold on a simulated agent; see `AgentHandle`."""

    def __init__(self, host: SimHost, spec: LaunchSpec, pid: int, on_exit: OnExit) -> None:
        self.agent = spec.agent
        self.incarnation = spec.incarnation
        self.pid: int | None = pid
        self.on_exit = on_exit
        self.ended = False
        # Whether it has been killed, which takes a moment.
        self.doomed = False
        self.born = host.conductor.clock.monotonic()
        self._host = host
        block = bytearray(BLOCK_SIZE)
        name = f"{spec.agent}#{spec.incarnation}"
        self.status: StatusReader = _WatchedStatus(block, host.conductor, name)
        limit = spec.frame_limit
        self.task: Channel
        self.control: Channel
        self.task, task = host.connect(name, "scheduler", "task", limit)
        self.control, control = host.connect(name, "hub", "control", limit)
        self.sim = SimAgent(host, spec, task, control, block)

    def __repr__(self) -> str:
        return f"<SimHandle {self.sim.name}: {'ended' if self.ended else 'running'}>"

    @property
    def alive(self) -> bool:
        """Whether its end has not been reported yet."""
        return not self.ended

    def signal(self, signum: int) -> None:
        """See `AgentHandle.signal`."""
        if signum == _SIGKILL:
            self._host.die(self.sim, signum, None)
        else:
            self.sim.signal(signum)

    def kill(self, reason: str) -> None:
        """See `AgentHandle.kill`."""
        self.doomed = True
        self._host.kill(self.sim, reason)

    def close(self) -> None:
        """See `AgentHandle.close`."""
        self.task.close()
        self.control.close()
        self.status.close()
        self._host.forget(self)


class _WatchedStatus(StatusReader):
    """The status block of an agent, which tells when it is read."""

    def __init__(self, buffer: bytearray, conductor: Conductor, name: str) -> None:
        super().__init__(buffer)
        self._conductor = conductor
        self._agent = name

    def read(self) -> Status:
        """See `StatusReader.read`."""
        self._conductor.touch(self._agent, READ)
        return super().read()


class _Reports(Pollable):
    """The reports of ends that wait, and their descriptor."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.waiting: deque[tuple[OnExit, ExitReport]] = deque()

    def readable(self) -> bool:
        """Whether there is one."""
        return bool(self.waiting)

    def put(self, on_exit: OnExit, report: ExitReport) -> None:
        """One more."""
        self.network.conductor.touch(self.label, WRITE)
        self.waiting.append((on_exit, report))
        self.changed()


class SimHost:
    """See `Host`. It keeps all promises of processes but an environment of their own.

    Args:
        network: what connects it with its agents.
        faults: what goes wrong.
        recorder: keeps the history.
        threads: of its agents.
        guard: watches the code of users.
    """

    promises = HostPromises(
        kills=True, interrupts=True, parallel=True, isolation=True, memory_limits=True, startup="simulated"
    )

    def __init__(
        self, network: Network, faults: FaultPlan, recorder: Recorder, threads: SimThreads, guard: Guard
    ) -> None:
        self.network = network
        self.conductor: Conductor = network.conductor
        self.choices = self.conductor.choices
        self.faults = faults
        self.recorder = recorder
        self.threads = threads
        self.guard = guard
        # By pid, those that live.
        self.agents: dict[int, SimHandle] = {}
        self.watchers: list[BodyWatcher] = []
        self.injected = 0
        self.calm = False
        self._pids = 0
        self._closed = False
        self._reports = _Reports(network)
        self._gone: list[SimAgent] = []
        # Of agents that have ended too: their owner reads what is left in the channels before it closes them.
        self._handles: dict[SimHandle, None] = {}
        # Ends on their way, by pid.
        self._untold: dict[int, tuple[OnExit, ExitReport]] = {}

    # --- what a host has ---

    def start(self) -> None:
        """See `Host.start`."""
        if self._closed:
            raise SystemClosed("the host is closed")

    def launch(self, spec: LaunchSpec, on_exit: OnExit) -> SimHandle:
        """See `Host.launch`."""
        self.start()
        for name, value in (("environment", spec.environment), ("working_directory", spec.cwd)):
            if value is not None:
                raise ConfigError(
                    f"{spec.agent}: simulated agents share the {name.replace('_', ' ')} of the program; leave {name} out",
                    key=name,
                    value=value,
                    allowed="None",
                )
        self.conductor.touch("launches", WRITE)
        self._pids += 1
        handle = SimHandle(self, spec, _FIRST_PID + self._pids, on_exit)
        self.agents[_FIRST_PID + self._pids] = handle
        self._handles[handle] = None
        self.conductor.after(self.choices.between(*self.faults.boot, "boot"), handle.sim.lane.wake)
        return handle

    def fileno(self) -> int:
        """See `Host.fileno`."""
        return self._reports.fd

    def on_readable(self) -> None:
        """See `Host.on_readable`."""
        self.conductor.touch(self._reports.label, WRITE)
        while self._reports.waiting:
            on_exit, report = self._reports.waiting.popleft()
            try:
                on_exit(report)
            except Exception:  # noqa: BLE001 - it is logged, and the others must be told
                _LOG.exception("the exit of %s could not be dealt with", report.agent)

    def close(self, timeout: float = 5.0) -> None:
        """See `Host.close`."""
        if self._closed:
            return
        self._closed = True
        for handle in list(self.agents.values()):
            self._end(handle, _SIGKILL, "the host is closed")
        for pid in list(self._untold):
            self._tell(pid)
        self.on_readable()
        for handle in list(self._handles):
            handle.close()
        self.network.remove(self._reports.fd)

    # --- what agents and handles tell ---

    def settle(self, ready: Callable[[], bool], timeout: float | None) -> float | None:
        """See `Settle`: all the waiting is done here."""
        return None if self.conductor.wait(ready, timeout) else 0.0

    def forget(self, handle: SimHandle) -> None:
        """Keep a handle no longer, because its channels are closed; for handles."""
        self._handles.pop(handle, None)

    def left(self, agent: SimAgent, code: int) -> None:
        """An agent has ended by itself."""
        handle = self._handle(agent)
        if handle is not None:
            self._end(handle, code << 8, None)

    def die(self, agent: SimAgent, signum: int, reason: str | None) -> None:
        """An agent is ended by a signal, at this moment."""
        handle = self._handle(agent)
        if handle is not None:
            self.recorder.fault(agent.name, f"dies (signal {signum})" if reason is None else f"is killed: {reason}")
            self._end(handle, signum, reason)

    def kill(self, agent: SimAgent, reason: str) -> None:
        """The program has an agent killed, which takes a moment."""
        self.conductor.after(
            self.choices.between(*self.faults.latency, "kill"), lambda: self.die(agent, _SIGKILL, reason)
        )

    def memory(self, pid: int) -> int | None:
        """The bytes of the process of an agent; None if there is none."""
        handle = self.agents.get(pid)
        self.conductor.touch(f"process {pid}", READ)
        if handle is None:
            return None
        self.conductor.touch(handle.sim.name, READ)
        return handle.sim.memory

    def find(self, agent: str) -> SimHandle | None:
        """The agent of an id that lives."""
        return next((handle for handle in self.agents.values() if handle.agent == agent), None)

    def inject(self, kind: str, actor: str, what: str) -> bool:
        """Whether something goes wrong now. It is written down."""
        most = self.faults.most
        if self.calm or (most is not None and self.injected >= most):
            return False
        chance = getattr(self.faults, kind)
        if chance and most is not None:
            self.conductor.touch("faults", WRITE)
        if not self.choices.chance(chance, kind):
            return False
        self.injected += 1
        self.recorder.fault(actor, what)
        return True

    def untold(self) -> list[tuple[str, int]]:
        """Id and incarnation of the agents that have ended, and of whose end nobody has heard yet."""
        return [(report.agent, report.incarnation) for _, report in [*self._untold.values(), *self._reports.waiting]]

    def sweep(self) -> None:
        """Free what agents held of which nothing runs any more."""
        for agent in self._gone:
            if not self.conductor.is_in(agent):
                self._gone.remove(agent)
                agent.bury()
                return

    def _handle(self, agent: SimAgent) -> SimHandle | None:
        return next((handle for handle in self.agents.values() if handle.sim is agent), None)

    def _end(self, handle: SimHandle, status: int, reason: str | None) -> None:
        del self.agents[handle.pid or 0]
        agent = handle.sim
        self.conductor.touch(agent.name, WRITE)
        self.conductor.touch(f"process {handle.pid}", WRITE)
        handle.ended = True
        agent.end()
        self._gone.append(agent)
        handle.status.close()
        last = handle.status.read()
        uptime = self.conductor.clock.monotonic() - handle.born
        code, signal, cause = explain(Ending(status, agent.memory // 1024, 0.0, uptime), reason)
        report = ExitReport(
            agent=handle.agent,
            incarnation=handle.incarnation,
            pid=handle.pid,
            exit_code=code,
            signal=signal,
            cause=cause,
            reason=reason,
            stderr=(),
            moves=last.moves,
            running=last.running,
            started_seq=last.started_seq,
            flushed_seq=last.flushed_seq,
            uptime=uptime,
        )
        pid = handle.pid or 0
        self._untold[pid] = (handle.on_exit, report)
        if not self._closed:
            due = self.conductor.clock.monotonic() + self.choices.between(*self.faults.latency, "report")
            # What a process wrote is in its reader's buffer before anybody can learn that it has ended.
            self.conductor.at(max(due, agent.arrived_by), lambda: self._tell(pid))

    def _tell(self, pid: int) -> None:
        """The report of an end has arrived, unless the host was closed meanwhile and has told it."""
        if pid in self._untold:
            self._reports.put(*self._untold.pop(pid))

    # --- connections ---

    def connect(self, agent: str, reader: str, plane: str, limit: int) -> tuple[SimChannel, SimChannel]:
        """The two ends of a plane: the program's and the agent's."""
        ours, theirs = self.network.pair()
        ours.label, theirs.label = f"{agent} {plane} up", f"{agent} {plane} down"
        down, up = Line(reader, agent), Line(agent, reader)
        utc = self.conductor.clock.utc
        program = SimChannel(ours, self.recorder, down, up, name=f"{agent} ({plane})", limit=limit, utc=utc)
        theirs.bend = lambda data: self._bend(agent, plane, data)
        end = SimChannel(theirs, self.recorder, up, down, name=f"{agent} ({plane})", trusted=True, limit=limit, utc=utc)
        # A real agent's writes wait for room; this one keeps what has none, and goes on when there is some.
        theirs.on_room = lambda: _flush(end)
        return program, end

    def _bend(self, name: str, plane: str, data: bytes) -> tuple[bytes, Callable[[], object] | None]:
        """What arrives of what an agent writes, and what happens right after the write."""
        if self.inject("dies_writing", name, "dies in the middle of a write"):
            cut = self.choices.below(len(data), "cut")
            handle = next((each for each in self.agents.values() if each.sim.name == name), None)
            # What is left of the write travels first, and then comes the end.
            end = None if handle is None else (lambda: self.die(handle.sim, _SIGKILL, None))
            return data[: len(data) - 1 - cut], end
        if plane == "task" and self.inject("doubles", name, "what it writes arrives twice"):
            return data + data, None
        if self.inject("garbles", name, "what it writes arrives garbled"):
            # The mark of the first header, by which a reader knows a frame.
            return data[: _HEADER - 1] + b"\0" + data[_HEADER:], None
        return data, None


def _flush(channel: SimChannel) -> None:
    with contextlib.suppress(ChannelClosed):
        channel.flush()


class SimWorkspaces(DirectoryWorkspaces):
    """Workspaces of a simulation: real directories, if there are any, on a disk that may be full.

    Args:
        root: the directory below which they are.
        host: says whether the disk is full.
        real: whether agents get a directory at all.
    """

    def __init__(self, root: Path, host: SimHost, *, real: bool) -> None:
        super().__init__(root)
        self._host = host
        self._real = real

    def open(self) -> None:
        """See `Workspaces.open`."""
        if self._real:
            super().open()

    def make(self, agent: str, incarnation: int) -> str:
        """See `Workspaces.make`."""
        if self._host.inject("disk_full", f"{agent}#{incarnation}", "finds the disk full"):
            raise OSError(errno.ENOSPC, "No space left on device", f"{self.root}/{agent}.{incarnation}")
        return super().make(agent, incarnation) if self._real else ""
