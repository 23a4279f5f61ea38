"""The page about hosts is true: its table is what the hosts declare."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from actors.hosts.process import ProcessHost
from actors.hosts.promises import PROMISES, HostPromises
from actors.hosts.thread import ThreadHost
from actors.testing import HostedSystem, promises_table

PAGE = Path(__file__).parents[1] / "docs" / "hosts.md"


@pytest.mark.skipif(sys.platform != "linux", reason="the table is that of Linux")
def test_the_table_of_hosts_is_what_they_declare() -> None:
    """Design, System: the docs have the table of what each host keeps. The text to put there is the left side."""
    told = PAGE.read_text(encoding="utf-8").partition("<!-- table -->\n")[2].partition("\n<!-- end")[0]
    assert promises_table({"`process`": ProcessHost.promises, "`thread`": ThreadHost.promises}) == told


def test_each_promise_is_described_and_each_is_a_field() -> None:
    """Design, System: none is declared that the table does not tell of."""
    fields = [each.name for each in dataclasses.fields(HostPromises) if each.name != "startup"]
    assert [promise.name for promise in PROMISES] == fields
    assert all(all(promise) for promise in PROMISES)


def test_what_a_host_does_not_name_it_does_not_promise() -> None:
    """Design, System: a host of one's own that was written before a promise was thought of does not claim it."""
    assert not any(getattr(HostPromises(), promise.name) for promise in PROMISES)


def test_each_promise_is_tried_by_the_suite() -> None:
    """J2: with the real thing, or by the answer to who asks for it."""
    checks = [name.removeprefix("test_") for name in HostedSystem.checks()]
    for promise in PROMISES:
        # Last words are looked at where an agent crashes.
        wanted = "isolation" if promise.name == "last_words" else promise.name
        assert any(check.startswith(f"{wanted}_") for check in checks), promise.name
