"""Tasks that submit tasks and wait for them, deeper than there are agents: nobody waits for ever."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from actors import ActorSystem, AgentConfig, SystemConfig, TaskSpec, Worker, task

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


class Wide(Worker):
    """Several below each, gathered as they come, and some need what there is one of."""

    @task
    def grow(self, width: int, depth: int) -> int:
        if depth == 0:
            return 1
        below = self.as_completed([self.submit(Wide.grow, width, depth - 1) for _ in range(width)])
        return 1 + sum(future.result() for future in below)

    @task(resources={"gpu": 1})
    def share(self, depth: int) -> int:
        return 1 + self.submit(Wide.share, depth - 1).result() if depth else 0

    @task
    async def together(self, width: int, depth: int) -> int:
        if depth == 0:
            return 1
        below = [self.submit(Wide.together, width, depth - 1) for _ in range(width)]
        return 1 + sum(await asyncio.gather(*below))


class Mortal(Worker):
    """Dies once, in the middle of the line."""

    @task(retries=3)
    def descend(self, depth: int, mark: str) -> int:
        if depth == 0:
            return 0
        if depth == DEPTH // 2 and not Path(mark).exists():
            Path(mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 1 + self.submit(Mortal.descend, depth - 1, mark).result()


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


class Chain(Worker):
    """The first of four."""

    @task
    def go(self, depth: int) -> int:
        return 1 + self.submit(Link.go, depth - 1).result() if depth else 0


class Link(Worker):
    """The second."""

    @task
    async def go(self, depth: int) -> int:
        return 1 + await self.submit(Thread.go, depth - 1) if depth else 0


class Thread(Worker):
    """The third, which waits for whichever comes first."""

    @task
    def go(self, depth: int) -> int:
        return (
            1 + sum(future.result() for future in self.as_completed([self.submit(Rope.go, depth - 1)])) if depth else 0
        )


class Rope(Worker):
    """The last, which has its part done by data."""

    @task(type="roping")
    def go(self, depth: int) -> int:
        if depth == 0:
            return 0
        return 1 + self.submit_task(TaskSpec(type="chain.go", data={"depth": depth - 1})).result()


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


def test_four_types_that_call_each_other_fifty_deep_end() -> None:
    """Inside a task: through several worker types, plain and async, at the limit of agents."""
    config = SystemConfig(agent=AgentConfig(grace=1.0))
    with ActorSystem({Chain: 1, Link: 1, Thread: 1, Rope: 1}, max_agents=4, config=config) as system:
        assert system.submit(Chain.go, DEPTH).result(SOON) == DEPTH


@pytest.mark.parametrize("host", ["process", "thread"])
def test_a_wide_and_deep_tree_ends_on_two_agents(host: Any) -> None:
    """Inside a task: each waits for whichever comes first, also async."""
    config = SystemConfig(agent=AgentConfig(grace=1.0))
    with ActorSystem({Wide: 2}, host=host, max_agents=2, config=config) as system:
        assert system.submit(Wide.grow, 3, 5).result(SOON) == 364
        assert system.submit(Wide.together, 3, 4).result(SOON) == 121


def test_a_line_of_tasks_that_all_need_the_one_resource_ends() -> None:
    """E4: who waits lends what it holds to those below."""
    config = SystemConfig(agent=AgentConfig(grace=1.0))
    with ActorSystem({Wide: 2}, resources={"gpu": 1}, max_agents=2, config=config) as system:
        assert system.submit(Wide.share, DEPTH).result(SOON) == DEPTH


def test_a_death_in_the_middle_of_the_line_costs_no_outcome(tmp_path: Path) -> None:
    """D8: what died is tried again, and what waited for it goes on."""
    config = SystemConfig(agent=AgentConfig(grace=1.0))
    with ActorSystem({Mortal: 2}, max_agents=2, config=config) as system:
        assert system.submit(Mortal.descend, DEPTH, str(tmp_path / "mark")).result(SOON) == DEPTH
        assert (tmp_path / "mark").exists()
