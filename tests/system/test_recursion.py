"""Tasks that submit tasks and wait for them, deeper than there are agents: nobody waits for ever."""

from __future__ import annotations

import pytest

from actors import ActorSystem, AgentConfig, SystemConfig, Worker, task

pytestmark = pytest.mark.timeout(90)

SOON = 60.0
DEPTH = 50


class Plain(Worker):
    """Waits with its thread."""

    @task
    def descend(self, depth: int) -> int:
        return 1 + self.submit(Plain.descend, depth - 1).result() if depth else 0


class Awaiting(Worker):
    """Waits as a coroutine."""

    @task
    async def descend(self, depth: int) -> int:
        return 1 + await self.submit(Awaiting.descend, depth - 1) if depth else 0


class Mixed(Worker):
    """Does both in turn, and also waits with the thread that its event loop needs."""

    @task
    async def even(self, depth: int) -> int:
        return 1 + await self.submit(Mixed.odd, depth - 1) if depth else 0

    @task
    def odd(self, depth: int) -> int:
        return 1 + self.submit(Mixed.even, depth - 1).result() if depth else 0

    @task
    def straight(self, depth: int) -> int:
        return 1 + self.submit(Mixed.straight, depth - 1).result() if depth else 0


class There(Worker):
    """Calls the other one."""

    @task
    def go(self, depth: int) -> int:
        return 1 + self.submit(Back.go, depth - 1).result() if depth else 0


class Back(Worker):
    """Calls the one."""

    @task
    def go(self, depth: int) -> int:
        return 1 + self.submit(There.go, depth - 1).result() if depth else 0


@pytest.mark.parametrize("host", ["process", "thread"])
@pytest.mark.parametrize("call", [Plain.descend, Awaiting.descend, Mixed.even, Mixed.straight], ids=repr)
def test_fifty_deep_on_two_agents_ends(host: str, call: object) -> None:
    """Inside a task: a waiting task gives its slot away; at the limit the waiting agent runs its own children."""
    config = SystemConfig(agent=AgentConfig(grace=1.0))
    worker = call.owner  # type: ignore[attr-defined]
    with ActorSystem({worker: 2}, host=host, config=config) as system:  # type: ignore[arg-type]
        assert system.submit(call, DEPTH).result(SOON) == DEPTH  # type: ignore[arg-type]
        assert [agent.incarnation for agent in system.agents()] == [1, 1]


def test_two_types_that_call_each_other_end_although_the_limit_is_two() -> None:
    """Inside a task: if all that there is waits, one agent more than the limit is started."""
    config = SystemConfig(agent=AgentConfig(grace=1.0))
    with ActorSystem({There: 1, Back: 1}, max_agents=2, config=config) as system:
        assert system.submit(There.go, 6).result(SOON) == 6
