"""What holds for every test: a temporary directory of its own, and nothing left behind."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import leaks

_SCRATCH = pytest.StashKey[Path]()
_FAILED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that bounds the wait for what is ending."""
    parser.addoption("--leak-timeout", type=float, default=5.0, help="seconds that what a test used may take to end")


@pytest.fixture(scope="session", autouse=True)
def scratch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory that `tempfile` and all child processes take for temporary files.

    Its path is short, because the path of a Unix socket has room for 107 bytes.
    """
    # pytest's own directory outlives the run, so that a failure can be looked into: it is not made in here.
    tmp_path_factory.getbasetemp()
    path = Path(tempfile.mkdtemp(prefix="actors-tests-"))
    request.config.stash[_SCRATCH] = path
    earlier = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(path)
    tempfile.tempdir = None
    yield path
    if earlier is None:
        del os.environ["TMPDIR"]
    else:
        os.environ["TMPDIR"] = earlier
    tempfile.tempdir = None


@pytest.fixture(autouse=True)
def nothing_leaks(request: pytest.FixtureRequest, scratch: Path) -> Iterator[None]:
    """Fail a test that leaves a process, a thread, a descriptor, shared memory or a file in TMPDIR behind.

    A test that failed by itself is not blamed a second time (its traceback keeps things alive), but cleaned up after.
    """
    marker = request.node.get_closest_marker("leaks_allowed")
    allowed = _allowed_kinds(marker)
    before = leaks.take(scratch)
    yield
    failed = request.node.stash.get(_FAILED, False)
    timeout = request.config.getoption("--leak-timeout")
    found = leaks.settle(before, min(timeout, 0.5) if failed else timeout, allowed)
    if found:
        leaks.clean_up(before, found)
        if not failed:
            pytest.fail(f"{request.node.nodeid} left behind:\n{leaks.report(found)}", pytrace=False)


def _allowed_kinds(marker: pytest.Mark | None) -> frozenset[str]:
    if marker is None:
        return frozenset()
    unknown = set(marker.args) - set(leaks.KINDS)
    if unknown or not marker.args or not marker.kwargs.get("reason"):
        message = f"leaks_allowed takes kinds out of {leaks.KINDS} and a reason, not {marker.args} and {marker.kwargs}"
        raise pytest.UsageError(message)
    return frozenset(marker.args)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember that a test failed, for the leak check that comes after it."""
    result = yield
    if result.failed:
        item.stash[_FAILED] = True
    return result


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Look through all processes for one that detached itself from its test and still runs."""
    scratch = session.config.stash.get(_SCRATCH, None)
    if scratch is None:
        return
    deadline = time.monotonic() + 2
    while (found := leaks.processes_naming(str(scratch))) and time.monotonic() < deadline:
        time.sleep(0.05)
    if found:
        session.config.get_terminal_writer().line(f"\nProcesses that outlived the tests:\n{leaks.report(found)}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    shutil.rmtree(scratch, ignore_errors=True)
