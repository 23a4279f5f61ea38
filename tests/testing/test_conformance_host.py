"""The library's own hosts keep what every host promises."""

from __future__ import annotations

from actors.hosts.host import Host
from actors.hosts.process import ProcessHost
from actors.hosts.thread import ThreadHost
from actors.testing.conformance.host import HostConformance


class TestProcessHost(HostConformance):
    """Each agent is a process."""

    def make_host(self) -> Host:
        return ProcessHost()


class TestThreadHost(HostConformance):
    """Each agent is a thread of this process."""

    def make_host(self) -> Host:
        return ThreadHost()
