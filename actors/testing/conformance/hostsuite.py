"""What the checks of hosts have in common: a host for each check, and agents on it that end with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Collection
from typing import Any, ClassVar

from actors.errors import ActorsError
from actors.hosts.host import Host, LaunchSpec
from actors.hosts.payload import Segment
from actors.hosts.serialize import dumps
from actors.protocol.messages import Shutdown
from actors.protocol.states import AgentState
from actors.testing.conformance.counterpart import Counterpart, wait_readable
from actors.testing.conformance.exhibit import Exhibit
from actors.testing.conformance.suite import Suite

__all__ = ["HostSuite"]


class HostSuite(Suite):
    """The base of all checks of hosts.

    Attributes:
        one_thread: the host may be used in one thread only; checks that need more do not apply.
        sleeps_in: the task whose sleep only an interruption breaks: "sleep_in_the_system", or "sleep_in_the_library"
            where there is no system call that could be made.
        host: the one that is checked.
    """

    one_thread: ClassVar[bool] = False
    sleeps_in: ClassVar[str] = "sleep_in_the_system"

    host: Host
    _agents: list[Counterpart]
    _hold: str

    def make_host(self) -> Host:
        """A new host, which runs agents as the system would have them run."""
        raise NotImplementedError(f"{type(self).__qualname__} has to say how a host is made: define make_host")

    def wait(self, descriptors: Collection[int], seconds: float) -> None:
        """Return when one of the descriptors may be readable, after `seconds` at the latest.

        To be overridden for a host whose time is not that of the machine.
        """
        wait_readable(descriptors, seconds)

    def now(self) -> float:
        """The monotonic time that `wait` lets pass; to be overridden with it."""
        return time.monotonic()

    def setup_method(self) -> None:
        """Make a host."""
        self._agents = []
        self._hold = ""
        self.host = self.make_host()

    def teardown_method(self) -> None:
        """End what is left."""
        # Tasks that go on for as long as this is there end now.
        if self._hold:
            shutil.rmtree(self._hold, ignore_errors=True)
        for agent in self._agents:
            if not agent.reports and not agent.deserted:
                with contextlib.suppress(ActorsError):
                    agent.request(Shutdown("the check is over", 0.0))
        self.host.close(5.0)
        for agent in self._agents:
            agent.handle.close()
        self._agents.clear()
        # What large values went through is kept warm for the next ones.
        Segment.trim()

    def launch(self, agent: str = "exhibit-1", **spec: Any) -> Counterpart:
        """Launch an agent; `spec` are fields of its `LaunchSpec`."""
        given = {"type": Exhibit.agent_type, "incarnation": 1, "worker": dumps(Exhibit), **spec}
        arguments = given.pop("arguments", None)
        if arguments is not None:
            given["arguments"] = dumps(((), arguments))
        launched = Counterpart(
            self.host, LaunchSpec(agent=agent, **given), limit=self.limit, wait=self.wait, now=self.now
        )
        self._agents.append(launched)
        return launched

    def busy(self, agent: Counterpart) -> int:
        """Give an agent a task that does not end before the check does; its number, once it runs."""
        self._hold = self._hold or tempfile.mkdtemp(prefix="conformance-")
        number = agent.start("hold", self._hold)
        agent.pump_until(lambda: agent.handle.status.read().running, "the start of the task")
        return number

    def settled(self, agent: Counterpart, done: int) -> None:
        """Wait until an agent is idle again after so many tasks: a result may arrive a moment before that."""

        def idle() -> bool:
            status = agent.handle.status.read()
            return status.state is AgentState.IDLE and status.done == status.flushed_seq == done

        agent.pump_until(idle, f"the end of {done} tasks")

    def leave(self, agent: Counterpart, code: int) -> None:
        """Let an agent's process end by itself, in the middle of a task; to be overridden where it has none."""
        agent.start("leave", code)

    def ran_out(self, pid: int) -> bool:
        """Whether a process is gone, with nothing left of it; to be overridden where a pid is none of the machine's."""
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False
