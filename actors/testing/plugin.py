"""The pytest plugin: fixtures for a system, a probe, a clock, and a check that a test leaves nothing behind.

pytest loads it wherever the library is installed, so it imports nothing of the library before a fixture is used.

Fixtures, each used by naming it as an argument:

    actors_clock        a clock that moves only when the test moves it
    actors_probe        makes probes: actors that record what they receive, and expect
    actors_system       a running system whose agents are threads; ended with the test, with what still runs
    actors_leak_check   fails the test if it leaves a process, a thread, a descriptor, shared memory or a file behind
    actors_scratch      the directory of all temporary files while leaks are looked for
    simulation          a whole system in virtual time; a failure tells its seed and what happened

Markers:

    @pytest.mark.actors_system({Thumbnailer: 2}, max_agents=4)       the arguments of the `ActorSystem`
    @pytest.mark.simulation({Account: 2}, faults=ROUGH)              the arguments of the `Simulation`
    @pytest.mark.actors_leaks_allowed("threads", reason="…")         kinds that the leak check is to overlook

Settings: `actors_leak_check = true` in the ini file checks every test; `--actors-leak-timeout` says for how many seconds
what a test used may go on ending. `actors_seed` in the ini file, or `--actors-seed`, is the seed of simulations.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from actors.kernel.clock import ManualClock
    from actors.system import ActorSystem
    from actors.testing.probes import Probe
    from actors.testing.simulation import Simulation

# So that a check that fails shows what was compared.
pytest.register_assert_rewrite("actors.testing.conformance")

_SCRATCH = pytest.StashKey[Path]()
_FAILED = pytest.StashKey[bool]()
_SIMULATED = pytest.StashKey["Simulation"]()
_OUTLIVED = pytest.StashKey[list[str]]()

# From pytest-xdist: under what name a worker tells its controller of processes that outlived its tests.
_TOLD = "actors_outlived"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings."""
    group = parser.getgroup("actors")
    group.addoption(
        "--actors-leak-timeout",
        type=float,
        default=5.0,
        help="seconds that what a test used may take to end before it counts as a leak (default: 5)",
    )
    group.addoption(
        "--actors-seed",
        type=int,
        default=None,
        help="the seed of all simulations (default: actors_seed of the ini file, else another one for each test)",
    )
    parser.addini("actors_seed", "the seed of all simulations", default="")
    parser.addini("actors_leak_check", "fail every test that leaves something behind", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and the check of every test if it is wanted."""
    config.addinivalue_line(
        "markers", "actors_system(workers, **options): the arguments of the ActorSystem that actors_system starts"
    )
    config.addinivalue_line(
        "markers", "simulation(workers, **options): the arguments of the Simulation that the fixture simulation starts"
    )
    config.addinivalue_line(
        "markers",
        "actors_leaks_allowed(*kinds, reason): the leak check overlooks these kinds for this test, for the reason given",
    )
    if config.getini("actors_leak_check"):
        config.pluginmanager.import_plugin("actors.testing.everywhere")


# --- leaks ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def actors_scratch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory that `tempfile` and all child processes take for temporary files while leaks are looked for.

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


@pytest.fixture
def actors_leak_check(request: pytest.FixtureRequest, actors_scratch: Path) -> Iterator[None]:
    """Fail a test that leaves a process, a thread, a descriptor, shared memory or a temporary file behind.

    Name it before the fixtures that are to be checked, too. A test that failed by itself is not blamed a second time
    (its traceback keeps things alive), but cleaned up after.
    """
    from actors.testing import leaks  # noqa: PLC0415 - only who uses it pays for it

    allowed = _allowed_kinds(request.node.get_closest_marker("actors_leaks_allowed"), leaks.KINDS)
    before = leaks.take(actors_scratch)
    yield
    failed = request.node.stash.get(_FAILED, False)
    timeout = request.config.getoption("--actors-leak-timeout")
    found = leaks.settle(before, min(timeout, 0.5) if failed else timeout, allowed)
    if found:
        leaks.clean_up(before, found)
        if not failed:
            pytest.fail(f"{request.node.nodeid} left behind:\n{leaks.report(found)}", pytrace=False)


def _allowed_kinds(marker: pytest.Mark | None, kinds: tuple[str, ...]) -> frozenset[str]:
    if marker is None:
        return frozenset()
    if set(marker.args) - set(kinds) or not marker.args or not marker.kwargs.get("reason"):
        raise pytest.UsageError(
            f"actors_leaks_allowed takes kinds out of {kinds} and a reason, not {marker.args} and {marker.kwargs}"
        )
    return frozenset(marker.args)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Remember that a test failed, for the fixtures that end after it; tell of its simulation, if it has one."""
    result = yield
    if result.failed:
        item.stash[_FAILED] = True
        simulation = item.stash.get(_SIMULATED, None)
        if simulation is not None:
            del item.stash[_SIMULATED]
            result.sections.append(_story_of(simulation))
    return result


def _story_of(simulation: Simulation) -> tuple[str, str]:
    """What a failure tells of its simulation: how to run it again, and what happened."""
    from actors.testing.pictures.sequence import sequence  # noqa: PLC0415 - as above

    again = "" if simulation.seed is None else f"run it again with --actors-seed {simulation.seed}\n\n"
    return f"simulation, seed {simulation.seed}", again + sequence(simulation.history)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Look through all processes for one that detached itself from its test and still runs."""
    config = session.config
    told = config.stash.get(_OUTLIVED, [])
    scratch = config.stash.get(_SCRATCH, None)
    if scratch is not None:
        from actors.testing import leaks  # noqa: PLC0415 - as above

        deadline = time.monotonic() + 2
        while (found := leaks.processes_naming(str(scratch))) and time.monotonic() < deadline:
            time.sleep(0.05)
        if found:
            told = [*told, leaks.report(found)]
        shutil.rmtree(scratch, ignore_errors=True)
    if not told:
        return
    text = "\n".join(told)
    session.exitstatus = pytest.ExitCode.TESTS_FAILED
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if hasattr(config, "workeroutput"):
        config.workeroutput[_TOLD] = text
    elif reporter is not None:
        reporter.write_line(f"\nProcesses that outlived the tests:\n{text}", red=True)
    else:
        sys.stderr.write(f"\nProcesses that outlived the tests:\n{text}\n")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """In the controller of pytest-xdist: a worker has ended, and has told of what outlived its tests."""
    text = getattr(node, "workeroutput", {}).get(_TOLD)
    if text:
        node.config.stash.setdefault(_OUTLIVED, []).append(text)


# --- what tests use ------------------------------------------------------------------------------------------------


@pytest.fixture
def actors_clock() -> ManualClock:
    """A clock that stands at 0 until the test moves it: `advance(seconds)`, `move_to(time)`."""
    from actors.kernel.clock import ManualClock  # noqa: PLC0415 - only who uses it pays for it

    return ManualClock()


@pytest.fixture
def actors_probe() -> Iterator[Callable[..., Probe]]:
    """Makes probes, with the arguments of `actors.testing.probes.Probe`; they end with the test."""
    from actors.testing.probes import Probe  # noqa: PLC0415 - as above

    probes: list[Probe] = []

    def make(*args: Any, **kwargs: Any) -> Probe:
        probes.append(Probe(*args, **kwargs))
        return probes[-1]

    yield make
    for probe in probes:
        probe.stop()


@pytest.fixture
def actors_system(request: pytest.FixtureRequest) -> Iterator[ActorSystem]:
    """A running `ActorSystem`, whose agents are threads unless the marker `actors_system` says otherwise.

    Tasks that have not ended when the test has are cancelled.
    """
    from actors.system import ActorSystem  # noqa: PLC0415 - as above

    marker = request.node.get_closest_marker("actors_system")
    args, options = ((), {}) if marker is None else (marker.args, marker.kwargs)
    system = ActorSystem(*args, **{"host": "thread", **options})
    system.start()
    yield system
    system.shutdown(cancel_tasks=True, timeout=10.0)


@pytest.fixture
def simulation(request: pytest.FixtureRequest) -> Iterator[Simulation]:
    """A `Simulation` whose system has started, with the arguments of the marker `simulation`.

    Its seed is that of the marker, else that of `--actors-seed`, else `actors_seed` of the ini file, else a new one.
    """
    from actors.testing.simulation import Simulation  # noqa: PLC0415 - as above

    marker = request.node.get_closest_marker("simulation")
    args, options = ((), {}) if marker is None else (marker.args, dict(marker.kwargs))
    if "choices" not in options and options.get("seed") is None:
        options["seed"] = _seed(request.config)
    simulated = Simulation(*args, **options)
    request.node.stash[_SIMULATED] = simulated
    try:
        simulated.system.start()
        yield simulated
        if not request.node.stash.get(_FAILED, False):
            simulated.system.shutdown()
    finally:
        simulated.close()


def _seed(config: pytest.Config) -> int | None:
    given = config.getoption("--actors-seed")
    if given is not None:
        return int(given)
    stated = str(config.getini("actors_seed")).strip()
    if stated and not stated.lstrip("-").isdigit():
        raise pytest.UsageError(f"actors_seed takes a whole number, not {stated!r}")
    return int(stated) if stated else None
