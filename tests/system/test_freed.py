"""What nobody needs any more is freed at once, and not when somebody happens to collect garbage."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from actors import ActorSystem, AgentConfig, SystemConfig, Worker, task
from actors.testing.holdings import descriptors, mappings

pytestmark = pytest.mark.timeout(60)

SOON = 20.0
CONFIG = SystemConfig(agent=AgentConfig(grace=1.0))


class Thing:
    """Counts itself."""

    alive = 0

    def __init__(self) -> None:
        Thing.alive += 1

    def __del__(self) -> None:
        Thing.alive -= 1


class Holder(Worker):
    """Fails while it holds something."""

    def on_start(self) -> None:
        gc.disable()

    @task(retries=0)
    def fail(self) -> None:
        thing = Thing()
        raise ValueError(f"{thing} in hand")

    @task
    def alive(self) -> int:
        return Thing.alive


class Coroutines(Holder):
    """The same with an event loop, and with a body that is a coroutine."""

    concurrency = 2

    @task(retries=0)
    async def fail_later(self) -> None:
        thing = Thing()
        raise ValueError(f"{thing} in hand")


@pytest.mark.parametrize(
    ("worker", "body"),
    [(Holder, Holder.fail), (Coroutines, Coroutines.fail), (Coroutines, Coroutines.fail_later)],
    ids=["task", "task beside coroutines", "coroutine"],
)
def test_what_a_failed_body_held_is_free_when_the_next_begins(worker: type[Holder], body: Any) -> None:
    """D4: a large array or an open file must not live on in the agent; no collection of garbage runs here."""
    with ActorSystem({worker: 1}, config=CONFIG) as system:
        for _ in range(3):
            assert isinstance(system.submit(body).exception(SOON), ValueError)
            assert system.submit(worker.alive).result(SOON) == 0


def test_large_results_are_freed_when_the_system_ends_though_it_is_still_referenced() -> None:
    """A6: finished tasks are kept with their results; a future that is kept must not keep all of them."""
    memory = [each for each in descriptors() if "memfd" in each[1]], list(mappings())
    with ActorSystem(config=CONFIG) as system:
        kept = system.submit(bytes, 1)
        lengths = [len(system.submit(bytes, size * 2**20).result(SOON)) for size in range(2, 6)]
    assert lengths == [size * 2**20 for size in range(2, 6)]
    assert ([each for each in descriptors() if "memfd" in each[1]], list(mappings())) == memory
    assert kept.result() == b"\0"
    assert "closed" in repr(system)
