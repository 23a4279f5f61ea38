"""The same checks of whole systems on each of the library's hosts."""

from __future__ import annotations

from typing import Literal

import pytest

from actors.hosts.host import Host
from actors.hosts.process import ProcessHost
from actors.testing.conformance.system import HostedSystem


class TestProcesses(HostedSystem):
    """Each agent is a process."""

    def make_host(self) -> Literal["process"]:
        return "process"


class TestThreads(HostedSystem):
    """Each agent is a thread of the program."""

    def make_host(self) -> Literal["thread"]:
        return "thread"


@pytest.mark.slow
class TestAHostOfOnesOwn(HostedSystem):
    """A `Host` that is handed over, as a user's own is."""

    def make_host(self) -> Host:
        return ProcessHost()
