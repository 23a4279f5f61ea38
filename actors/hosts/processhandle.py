"""The program's hold on one agent that is a process."""

from __future__ import annotations

import time
from typing import Protocol

from actors.hosts.channel import SocketChannel
from actors.hosts.host import LaunchSpec
from actors.hosts.launchlink import Kill, SendSignal
from actors.hosts.statusblock import StatusReader

__all__ = ["ProcessHandle"]


class HandleOwner(Protocol):
    """What a handle needs of the host that made it."""

    def tell(self, handle: ProcessHandle, message: SendSignal | Kill) -> None:
        """Pass an order on to the launcher that has the agent."""

    def forget(self, handle: ProcessHandle) -> None:
        """Know the handle no more."""


class ProcessHandle:
    """The program's hold on one agent's process; see `AgentHandle`."""

    def __init__(
        self,
        host: HandleOwner,
        number: int,
        spec: LaunchSpec,
        planes: tuple[SocketChannel, SocketChannel],
        status: StatusReader,
    ) -> None:
        self.agent = spec.agent
        self.incarnation = spec.incarnation
        self.task, self.control = planes
        self.status = status
        self.number = number
        self.known_pid: int | None = None
        self.reason: str | None = None
        self.ended = False
        self.started = time.monotonic()
        self._host = host

    def __repr__(self) -> str:
        return f"<ProcessHandle {self.agent} #{self.incarnation}: {'ended' if self.ended else self.known_pid}>"

    @property
    def pid(self) -> int | None:
        """The process, once it is known."""
        return self.known_pid

    @property
    def alive(self) -> bool:
        """Whether its end has not been reported yet."""
        return not self.ended

    def signal(self, signum: int) -> None:
        """Send a signal to the agent's process alone; nothing happens if it is gone."""
        self._host.tell(self, SendSignal(self.number, signum))

    def kill(self, reason: str) -> None:
        """End the agent and all its descendants at once; the exit report repeats the first reason given."""
        if self.reason is None:
            self.reason = reason
        self._host.tell(self, Kill(self.number))

    def close(self) -> None:
        """Close both channels. The agent, if it still runs, is not ended by this."""
        self.task.close()
        self.control.close()
        self.status.close()
        self._host.forget(self)
