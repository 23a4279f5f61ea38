"""A tree that goes over its memory limit is found out soon, and only then."""

from __future__ import annotations

import os
import select
import signal
import textwrap
import time
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.kernel.clock import ManualClock
from actors.runtime.memory_watch import MemoryWatch
from actors.runtime.probe import Probe
from tests.runtime.children import Child, child

MB = 1 << 20


class Tree:
    """A tree of one process whose figures the test sets, and whose looks take as long as the test says."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.bound = self.exact = 0
        self.walks = self.exact_looks = 0
        self.walk_cost = self.exact_cost = 0.0

    def members(self, root: int) -> list[int]:
        self.walks += 1
        self.clock.advance(self.walk_cost)
        return [root]

    def memory_of(self, pids: Iterable[int]) -> dict[int, int]:
        return dict.fromkeys(pids, self.bound)

    def tree_memory(self, root: int) -> int:
        self.exact_looks += 1
        self.clock.advance(self.exact_cost)
        return self.exact


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def tree(clock: ManualClock) -> Tree:
    return Tree(clock)


@pytest.fixture
def watch(tree: Tree, clock: ManualClock) -> MemoryWatch:
    watch = MemoryWatch(tree, clock.monotonic, 0.05)
    watch.watch("a-1", 7, hard=1000, soft=800)
    return watch


def test_below_the_soft_limit_the_cheap_figure_is_good_enough(tree: Tree, watch: MemoryWatch) -> None:
    """E2: nothing dear is done twenty times a second."""
    tree.bound, tree.exact = 799, 10
    assert watch.look() == {"a-1": 799}
    assert tree.exact_looks == 0


def test_shared_pages_do_not_make_a_breach(tree: Tree, watch: MemoryWatch, clock: ManualClock) -> None:
    """E1, E2: memory without what is shared: a fork that doubles the cheap figure is no breach."""
    tree.bound, tree.exact, tree.exact_cost = 1800, 900, 0.01
    assert watch.look() == {"a-1": 900}
    for _ in range(3):
        clock.advance(0.05)
        assert watch.look() == {"a-1": 900}
    assert tree.exact_looks == 1


def test_growth_since_the_exact_figure_counts_in_full(tree: Tree, watch: MemoryWatch, clock: ManualClock) -> None:
    """E2: a breach is never hidden by what was shared before."""
    tree.bound, tree.exact, tree.exact_cost = 1800, 900, 0.01
    watch.look()
    clock.advance(0.05)
    tree.bound = 1850
    assert watch.look() == {"a-1": 950}
    clock.advance(0.05)
    tree.bound, tree.exact = 1950, 1050
    assert watch.look() == {"a-1": 1050}
    assert tree.exact_looks == 2


def test_the_dear_looks_take_a_bounded_share_of_the_time(tree: Tree, watch: MemoryWatch, clock: ManualClock) -> None:
    """E2: a tree beyond its soft limit for long, and one of many processes, cost a few percent at most."""
    tree.bound, tree.exact, tree.exact_cost, tree.walk_cost = 950, 900, 0.03, 0.02
    began = clock.monotonic()
    for _ in range(1000):
        watch.look()
        clock.advance(0.05)
    passed = clock.monotonic() - began
    assert tree.exact_looks * tree.exact_cost < 0.06 * passed
    assert tree.walks * tree.walk_cost < 0.03 * passed
    assert tree.walks > 10


def test_a_tree_that_grows_fast_is_looked_at_sooner(tree: Tree, watch: MemoryWatch, clock: ManualClock) -> None:
    """E2: caught at its limit."""
    tree.bound = 100
    watch.look()
    assert watch.pause() == 0.05
    clock.advance(0.05)
    tree.bound = 500
    watch.look()
    assert watch.pause() == pytest.approx(0.05 * 500 / 400 / 2)
    clock.advance(0.05)
    tree.bound = 790
    watch.look()
    assert 0.005 <= watch.pause() < 0.02
    clock.advance(0.05)
    watch.look()
    assert watch.pause() == 0.05


def test_another_process_of_the_same_agent_starts_afresh(tree: Tree, watch: MemoryWatch, clock: ManualClock) -> None:
    """E2: what was known of an earlier incarnation is nothing to the next."""
    tree.bound, tree.exact, tree.exact_cost = 1800, 900, 1.0
    watch.look()
    watch.watch("a-1", 8, hard=1000, soft=800)
    tree.exact = 990
    assert watch.look() == {"a-1": 990}
    watch.forget("a-1")
    assert watch.look() == {}
    assert len(watch) == 0
    assert watch.pause() == 0.05


def test_new_limits_hold_at_once(tree: Tree, watch: MemoryWatch) -> None:
    """E2: limits can be changed while it runs."""
    tree.bound, tree.exact = 600, 590
    assert watch.look() == {"a-1": 600}
    watch.watch("a-1", 7, hard=500, soft=400)
    assert watch.look() == {"a-1": 590}


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 2000), st.integers(0, 2000), st.floats(0, 0.2), st.floats(0, 0.05)), max_size=40
    )
)
def test_a_breach_is_told_only_on_an_exact_figure_and_never_later_than_growth_shows_it(
    steps: list[tuple[int, int, float, float]],
) -> None:
    """E2: no agent is ended for what it shares, and no growth over the limit goes unseen."""
    clock = ManualClock()
    tree = Tree(clock)
    watch = MemoryWatch(tree, clock.monotonic, 0.05)
    watch.watch("a-1", 1, hard=1000, soft=800)
    exact_then = bound_then = None
    for shared, own, pause, cost in steps:
        tree.bound, tree.exact, tree.exact_cost = own + shared, own, cost
        looks = tree.exact_looks
        figure = watch.look().get("a-1", 0)
        assert figure <= tree.bound
        if figure >= 1000:
            assert tree.exact_looks > looks
            assert figure == own
        grown = exact_then is None or exact_then + tree.bound - bound_then >= 1000
        if tree.bound >= 1000 and grown:
            assert tree.exact_looks > looks
        if tree.exact_looks > looks:
            assert figure == own
            exact_then, bound_then = own, tree.bound
        assert 0.005 <= watch.pause() <= 0.05
        clock.advance(pause)


def _follow(probe: Probe, process: Child, limit: int, timeout: float = 30.0) -> int:
    """Watch a process until it is over its limit, then kill it; the figure."""
    watch = MemoryWatch(probe, time.monotonic, 0.05)
    watch.watch("a-1", process.pid, hard=limit, soft=0.8 * limit)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        select.select([], [], [], watch.pause())
        figure = watch.look().get("a-1")
        assert figure is not None, "it ended by itself"
        if figure >= limit:
            os.kill(process.pid, signal.SIGKILL)
            return figure
    pytest.fail("the limit was not seen")


@pytest.fixture
def probe() -> Iterator[Probe]:
    probe = Probe()
    yield probe
    probe.close()


RUNAWAY = """
import resource
cap = 2000 << 20
resource.setrlimit(resource.RLIMIT_DATA, (cap, cap))

def run_away():
    tell('running')
    kept = []
    while True:
        kept.append(bytearray(b'x') * (8 << 20))
"""


def test_a_task_that_allocates_without_end_is_caught_at_its_limit(probe: Probe) -> None:
    """E2: caught long before it has what the machine could suffer from (here: the cap it would die of)."""
    with child(RUNAWAY + "run_away()") as process:
        process.told()
        _follow(probe, process, 300 * MB)
        _, status, usage = os.wait4(process.pid, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert usage.ru_maxrss * 1024 < 1000 * MB


def test_a_child_of_a_task_that_allocates_without_end_is_caught(probe: Probe) -> None:
    """E2: the whole tree counts, processes that were born since the last look too."""
    body = """
    tell('ready')
    wait()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
        run_away()
    wait()
    """
    with child(RUNAWAY + textwrap.dedent(body)) as process:
        process.told()
        process.go_on()
        assert _follow(probe, process, 300 * MB) < 1000 * MB
        assert process.reap() == -signal.SIGKILL
