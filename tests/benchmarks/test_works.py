"""Each piece of work measures what it says, with results that are checked."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

import pytest

from benchmarks import harness
from benchmarks.layers import LAYERS, layer_of
from benchmarks.peers.ours import ActorsPeer
from benchmarks.peers.peer import WrongResult, combine, layered
from benchmarks.works import empty, graph, mail, payload, start, steady, waiting
from benchmarks.works.held import gate, hold, until

POOL = "multiprocessing.Pool"


def test_a_gate_holds_all_until_it_opens() -> None:
    """Who waits is counted, and nobody is left when it goes."""
    with gate() as shut:
        threads = [threading.Thread(target=hold, args=(shut.path,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        until(lambda: shut.waiting() == 3, "that all wait")
        shut.open()
        for thread in threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in threads)


def test_a_layered_graph_needs_two_of_the_layer_before() -> None:
    """But for the first one, and one that is one wide."""
    assert layered(2, 3) == [[(), (), ()], [(0, 1), (1, 2), (0, 2)]]
    assert layered(2, 1) == [[()], [(0,)]]
    assert combine(1, 2) != combine(2, 1)


def test_a_graph_that_comes_to_something_else_is_a_wrong_result() -> None:
    """The results of the last layer depend on every task and every dependency."""

    class Careless(ActorsPeer):
        def graph(self, depth: int, width: int) -> Sequence[int]:
            return [*super().graph(depth, width)[1:], 0]

    with Careless() as peer, pytest.raises(WrongResult, match="came to something else"):
        graph._timed(peer, 3, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["actors", "actors, submit_task"])
def test_a_graph_goes_through_both_public_submit_calls(name: str) -> None:
    """The same results, by calls and by data."""
    assert graph.layers(name, 200)["figures"]["rate"] > 0
    assert set(graph.curve_depth(name, 100)["figures"]) == {"1", "10"} == set(graph.curve_width(name, 100)["figures"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["actors", "ProcessPoolExecutor", POOL])
def test_tasks_wait_while_all_are_busy_and_are_gone_afterwards(name: str) -> None:
    """Every future of ours has an outcome at the end."""
    found = waiting.waiting(name, 2000)
    assert found["wrong"] == "" and set(found["figures"]) == {"each", "more", "bytes", "pause"}
    assert set(waiting.curve(name, 1000)["figures"]) == {"100", "1000"}


@pytest.mark.slow
def test_a_task_passes_those_that_nobody_can_take() -> None:
    """None of them is done meanwhile."""
    found = waiting.untakeable("actors", 2000)
    assert found["wrong"] == "" and found["figures"]["times"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["actors", POOL])
def test_payloads_of_each_size_arrive(name: str) -> None:
    """Up to the size that is asked for."""
    assert set(payload.curve(name, 10_000)["figures"]) == {"100", "1000", "10000"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["actors", POOL])
def test_arrays_arrive_and_come_back(name: str) -> None:
    """Beside a copy of the same size, measured before each call."""
    pytest.importorskip("numpy")
    for work in (payload.array_in, payload.array_through):
        figures = work(name, 2)["figures"]
        assert figures["ms"] > 0 and figures["copy"] > 0 and figures["first"] > 0


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_starts_are_measured() -> None:
    """A program, an agent of a program that has NumPy, and a task whose agent was killed."""
    pytest.importorskip("numpy")
    for name in ("actors", "ProcessPoolExecutor", POOL):
        assert start.first(name, 1)["figures"]["ms"] > 0
    assert start.killed("actors", 1)["wrong"] == ""
    # In a program of its own: the forkserver beside which it is measured lasts as long as its program.
    found = harness.program("benchmarks.works.start:later", "actors", 1, 60)
    assert found["wrong"] == "" and set(found["figures"]) == {"over", "agent", "bare"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["actors", "actors, journal"])
def test_tasks_go_on_beside_a_thread_that_computes(name: str) -> None:
    """Each is recorded, with a journal and without."""
    assert steady.journal(name, 50)["wrong"] == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["actors", "pykka", "bare queue"])
def test_messages_within_a_process_are_measured_as_the_other_command_does(name: str) -> None:
    """Its work, its checks, its names."""
    assert set(mail.ask_within(name, 50)["figures"]) == {"ask p50", "ask p95"}
    assert set(mail.pipelined_within(name, 200)["figures"]) == {"flight rate", "tell rate"}


def test_the_bursts_of_more_and_more_agents_are_a_curve() -> None:
    """Up to the number that is worth it for so few tasks."""
    assert list(empty.agents_curve(POOL, 20)["figures"]) == ["1", "2", "5", "10", "20"]


@pytest.mark.parametrize(
    ("file", "layer"),
    [
        ("/x/actors/core/engine.py", "scheduler"),
        ("/x/actors/runtime/scheduler.py", "scheduler"),
        ("/x/actors/hosts/wire.py", "wire"),
        ("/x/actors/hosts/serialize.py", "caller"),
        ("/x/actors/future.py", "future"),
        ("/usr/lib/python3.11/concurrent/futures/_base.py", "future"),
        ("/x/actors/runtime/event_router.py", "events"),
        ("/x/benchmarks/peers/ours.py", "caller"),
        ("/usr/lib/python3.11/json/decoder.py", ""),
    ],
)
def test_each_file_is_of_one_layer(file: str, layer: str) -> None:
    """What is of none counts for whoever called it."""
    assert layer_of(file) == layer


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="its profiler serves one thread at a time")
def test_the_layers_share_the_cpu_time_of_a_task() -> None:
    """All of it, by the clocks of threads and processes."""
    from benchmarks import layers

    figures = layers.empty("actors", 500)["figures"]
    assert set(figures) == set(LAYERS) and all(value >= 0 for value in figures.values())
    assert figures["scheduler"] > 0 and figures["agent"] > 0 and figures["caller"] > 0
