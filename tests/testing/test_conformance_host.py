"""The library's own hosts keep what every host promises: processes, threads, and the simulation."""

from __future__ import annotations

from collections.abc import Collection

from actors.hosts.host import Host
from actors.hosts.process import ProcessHost
from actors.hosts.thread import ThreadHost
from actors.testing.conformance.counterpart import Counterpart
from actors.testing.conformance.host import HostConformance
from actors.testing.sim.host import SimHandle
from actors.testing.simulation import Simulation


class TestProcessHost(HostConformance):
    """Each agent is a process."""

    def make_host(self) -> Host:
        return ProcessHost()


class TestThreadHost(HostConformance):
    """Each agent is a thread of this process."""

    def make_host(self) -> Host:
        return ThreadHost()


class TestSimHost(HostConformance):
    """Each agent is stepped in virtual time."""

    one_thread = True
    sleeps_in = "sleep_in_the_library"

    def make_host(self) -> Host:
        self.simulation = Simulation(seed=2026)
        return self.simulation.host

    def teardown_method(self) -> None:
        super().teardown_method()
        self.simulation.close()

    def wait(self, descriptors: Collection[int], seconds: float) -> None:
        network = self.simulation.network

        def ready() -> bool:
            return any(thing.readable() for fd in descriptors if (thing := network.get(fd)) is not None)

        self.simulation.run_until(ready, seconds)

    def now(self) -> float:
        return self.simulation.now

    def leave(self, agent: Counterpart, code: int) -> None:
        assert isinstance(agent.handle, SimHandle)
        self.simulation.host.left(agent.handle.sim, code)

    def ran_out(self, pid: int) -> bool:
        return pid not in self.simulation.host.agents
