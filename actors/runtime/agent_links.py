"""The agents that live, as those who write to them know them: channels and status block."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from actors.errors import ChannelClosed
from actors.hosts.channel import SocketChannel

if TYPE_CHECKING:
    from actors.hosts.channel import Channel
    from actors.hosts.host import AgentHandle
    from actors.kernel.poll import OnReady, Poller
    from actors.runtime.messages import ControlReceived, TaskReceived

__all__ = ["RECALL", "AgentLink", "AgentLinks"]

R = TypeVar("R", "TaskReceived", "ControlReceived")

RECALL = 0
"""The correlation of the scheduler's recalls on a control channel; the hub's own requests count from 1."""


class AgentLink:
    """One incarnation of an agent.

    `farewell` is why it ends, once it has said so. `last_words` is what it had told on the task and on the control plane
    before its end: kept until its end has been taken in, which may need a second try. `events_missed` counts events that
    were dropped because it does not read, since it was last told so. `behind`: it was told who listens when it had not been
    idle yet, and nobody waited for it to know.
    """

    __slots__ = (
        "agent",
        "agent_type",
        "behind",
        "control_fd",
        "events_missed",
        "farewell",
        "handle",
        "incarnation",
        "jobs",
        "last_words",
        "polled",
        "task_fd",
    )

    def __init__(self, handle: AgentHandle, agent_type: str) -> None:
        self.handle = handle
        self.agent = handle.agent
        self.incarnation = handle.incarnation
        self.agent_type = agent_type
        # Kept, because a closed channel no longer tells them.
        self.task_fd = handle.task.fileno()
        self.control_fd = handle.control.fileno()
        self.farewell = ""
        self.events_missed = 0
        self.behind = False
        # The job of each task that it holds and that has one, by number.
        self.jobs: dict[int, str] = {}
        self.last_words: tuple[list[TaskReceived], list[ControlReceived]] = ([], [])
        # What its owner has read and not taken in: word of the end may stand before it in the line.
        self.polled: list[Any] = []

    def keep(self, received: R) -> R:
        """Remember what was read until it has been taken in."""
        self.polled.append(received)
        return received

    def taken(self, received: TaskReceived | ControlReceived) -> None:
        """It has been taken in, or given up."""
        self.polled = [each for each in self.polled if each is not received]

    def close_task(self) -> None:
        """Close the task channel of an agent that has ended."""
        self._close(self.handle.task)

    def close_control(self) -> None:
        """Close the control channel of an agent that has ended."""
        self._close(self.handle.control)

    def _close(self, channel: Channel) -> None:
        channel.close()
        # Scheduler and hub close one each, in either order; whoever is second lets go of the rest.
        if self.handle.task.closed and self.handle.control.closed:
            self.handle.close()

    def watch_task(self, poller: Poller, on_readable: OnReady) -> None:
        """Have the task channel polled."""
        self._watch(self.handle.task, self.task_fd, poller, on_readable)

    def watch_control(self, poller: Poller, on_readable: OnReady) -> None:
        """Have the control channel polled."""
        self._watch(self.handle.control, self.control_fd, poller, on_readable)

    @staticmethod
    def _watch(channel: Channel, fd: int, poller: Poller, on_readable: OnReady) -> None:
        def blocked(_: Channel, full: bool) -> None:  # noqa: FBT001 - the channel calls it like this
            poller.want_write(fd, full)

        def writable() -> None:
            with contextlib.suppress(ChannelClosed):
                channel.flush()

        if channel.closed:
            # Its other end is gone, or has sent what cannot be read. Its agent's end is told by the host.
            return
        if isinstance(channel, SocketChannel):
            channel.on_blocked = blocked
        poller.register(fd, on_readable, writable)
        if channel.pending_out:
            poller.want_write(fd, wanted=True)


class AgentLinks:
    """The present incarnation of each agent, by id. Belongs to one actor, and outlives its restarts."""

    def __init__(self) -> None:
        self._links: dict[str, AgentLink] = {}

    def __iter__(self) -> Iterator[AgentLink]:
        return iter(tuple(self._links.values()))

    def __len__(self) -> int:
        return len(self._links)

    def add(self, handle: AgentHandle, agent_type: str) -> AgentLink:
        """Know an agent from now on; it takes the place of an earlier incarnation."""
        link = self._links[handle.agent] = AgentLink(handle, agent_type)
        return link

    def get(self, agent: str, incarnation: int | None = None) -> AgentLink | None:
        """The agent of that id, if it lives and is that incarnation (None: whichever it is)."""
        link = self._links.get(agent)
        if link is None or (incarnation is not None and link.incarnation != incarnation):
            return None
        return link

    def remove(self, link: AgentLink) -> None:
        """Know an incarnation no more."""
        if self._links.get(link.agent) is link:
            del self._links[link.agent]
