"""Values of any size and number get through, whatever a frame holds."""

from __future__ import annotations

import pytest

from actors import ActorSystem, AgentConfig, SystemConfig, Worker, task

pytestmark = pytest.mark.timeout(120)

SOON = 60.0
LIMIT = 4 * 2**20


class Carrier(Worker):
    """Makes and weighs bytes."""

    @task
    def make(self, size: int) -> bytes:
        return b"x" * size

    @task
    def weigh(self, parts: list[bytes]) -> int:
        return sum(map(len, parts))

    @task
    def length(self, part: bytes) -> int:
        return len(part)


def system() -> ActorSystem:
    return ActorSystem({Carrier: 2}, config=SystemConfig(agent=AgentConfig(grace=1.0), frame_limit=LIMIT))


@pytest.mark.parametrize(("count", "size"), [(12, 900_000), (300, 20_000), (110, 1_100_000)])
def test_a_task_gets_the_results_of_many_others_though_they_exceed_a_frame(count: int, size: int) -> None:
    """A4, D3: twelve that are just too small for shared memory, many small ones, more than descriptors fit a message."""
    with system() as running:
        parts = [running.submit(Carrier.make, size) for _ in range(count)]
        assert running.submit(Carrier.weigh, parts).result(SOON) == count * size
        assert [agent.incarnation for agent in running.agents()] == [1, 1]


def test_many_tasks_for_one_agent_are_sent_in_portions() -> None:
    """A4: forty arguments of nearly a mebibyte each."""
    with system() as running:
        lengths = [running.submit(Carrier.length, b"x" * 900_000) for _ in range(40)]
        assert [future.result(SOON) for future in lengths] == [900_000] * 40
        assert [agent.incarnation for agent in running.agents()] == [1, 1]


def test_an_argument_and_a_result_larger_than_a_frame_go_through_shared_memory() -> None:
    """A4: 32 MiB both ways where a frame holds 4."""
    with system() as running:
        assert running.submit(Carrier.length, b"x" * 8 * LIMIT).result(SOON) == 8 * LIMIT
        assert len(running.submit(Carrier.make, 8 * LIMIT).result(SOON)) == 8 * LIMIT
