"""The thread host: the same protocol, fewer promises, and it says so."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors.errors import ChannelClosed
from actors.hosts.channel import Channel
from actors.hosts.host import LaunchSpec
from actors.hosts.statusblock import StatusWriter
from actors.hosts.thread import ThreadHost
from actors.protocol.messages import Response
from tests.hosts.support import LIMIT, Exits, heard, spec


def _echo(spec: LaunchSpec, task: Channel, control: Channel, status: StatusWriter) -> int:
    control.send(Response(spec.agent))
    status.begin(4, 1, 2.0)
    try:
        while True:
            control.forward(control.receive(None))
    except ChannelClosed:
        return 0


def _fail(spec: LaunchSpec, task: Channel, control: Channel, status: StatusWriter) -> int:
    raise SystemExit(7)


@pytest.fixture
def host() -> Iterator[ThreadHost]:
    made = ThreadHost(entry=_echo)
    yield made
    made.close(1)


@pytest.fixture
def exits() -> Exits:
    return Exits()


def _serve(host: ThreadHost, happened: Callable[[], Any]) -> None:
    deadline = time.monotonic() + LIMIT
    while not happened():
        assert select.select([host.fileno()], [], [], deadline - time.monotonic())[0]
        host.on_readable()


def test_an_agent_ends_when_the_program_closes_its_channels(host: ThreadHost, exits: Exits) -> None:
    """F2: it has no process whose end could be forced."""
    handle = host.launch(spec(), exits)
    assert heard(handle) == "walker-1"
    assert handle.pid is None
    handle.close()
    _serve(host, lambda: exits.reports)
    assert exits.reports[0].clean
    assert exits.reports[0].running == (4, 1, 2.0)


def test_an_agent_that_fails_is_reported_and_harms_no_other(exits: Exits) -> None:
    """F2: also by SystemExit."""
    host = ThreadHost(entry=_fail)
    handle = host.launch(spec(), exits)
    _serve(host, lambda: exits.reports)
    assert exits.reports[0].exit_code == 1
    assert "SystemExit" in exits.reports[0].cause
    assert exits.reports[0].stderr[-1] == "SystemExit: 7"
    handle.close()
    host.close()


def test_a_thread_that_does_not_end_is_given_up(exits: Exits) -> None:
    """F2: a kill is reported at once, once, and says what it could not do."""
    let_go = threading.Event()

    def stuck(spec: LaunchSpec, task: Channel, control: Channel, status: StatusWriter) -> int:
        let_go.wait(LIMIT)
        return 0

    host = ThreadHost(entry=stuck)
    assert not host.promises.kills
    handle = host.launch(spec(), exits)
    handle.kill("too slow")
    _serve(host, lambda: exits.reports)
    assert "cannot be killed" in exits.reports[0].cause
    assert exits.reports[0].reason == "too slow"
    let_go.set()
    host.close(LIMIT)
    assert len(exits) == 1
