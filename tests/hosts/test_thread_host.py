"""The thread host: the same protocol, fewer promises, and it says so."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors.errors import ChannelClosed, ConfigError, SystemClosed
from actors.hosts.channel import Channel
from actors.hosts.host import AgentHandle, LaunchSpec
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


def test_an_agent_starts_and_both_sides_hear_each_other(host: ThreadHost, exits: Exits) -> None:
    """A3: the same handle as in a process, without a pid."""
    handle = host.launch(spec(), exits)
    assert isinstance(handle, AgentHandle)
    assert heard(handle) == "walker-1"
    handle.control.send(Response(b"x"))
    assert heard(handle) == b"x"
    assert handle.pid is None
    assert handle.status.read().running == (4, 1, 2.0)
    handle.close()
    _serve(host, lambda: exits.reports)
    assert exits.reports[0].clean


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


def test_closing_ends_all_and_reports_all(host: ThreadHost, exits: Exits) -> None:
    """A6: bounded."""
    for number in range(5):
        heard(host.launch(spec(f"walker-{number}"), exits))
    host.close(LIMIT)
    assert len(exits) == 5
    with pytest.raises(SystemClosed):
        host.launch(spec(), exits)


@pytest.mark.parametrize("options", [{"environment": {"A": "b"}}, {"cwd": "/"}])
def test_what_threads_share_cannot_be_set(host: ThreadHost, exits: Exits, options: dict[str, Any]) -> None:
    """I2: it says so at the launch."""
    with pytest.raises(ConfigError, match="share"):
        host.launch(spec(**options), exits)
