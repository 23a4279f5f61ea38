"""A host for each test, and a factory of agents on it; all have ended when the test has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.hosts.payload import Segment
from actors.hosts.process import ProcessHost
from tests.agent.gates import Gate
from tests.agent.support import Subject


@pytest.fixture(scope="module")
def process_host() -> Iterator[ProcessHost]:
    """One launcher for all tests of a file: it takes a moment to start."""
    host = ProcessHost()
    host.start()
    yield host
    host.close(5.0)


@pytest.fixture
def agent(process_host: ProcessHost, tmp_path: Path) -> Iterator[Callable[..., Subject]]:
    """Start agents in processes of their own."""
    subjects: list[Subject] = []

    def start(*args: Any, **kwargs: Any) -> Subject:
        directory = tmp_path / f"agent-{len(subjects)}"
        directory.mkdir()
        subject = Subject(process_host, directory, *args, **kwargs)
        subjects.append(subject)
        return subject

    yield start
    for subject in subjects:
        if not subject.reports:
            subject.handle.kill("the test is over")
            subject.ended()
        subject.handle.close()
    # The test's item still knows this fixture when the check for leaks looks.
    subjects.clear()
    Segment.trim()


@pytest.fixture
def gate(tmp_path: Path) -> Callable[[str], Gate]:
    """Make gates for agents to wait at."""
    return lambda name: Gate.make(tmp_path, name)
