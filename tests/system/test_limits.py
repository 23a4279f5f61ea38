"""Limits of agents, and what happens while the machine is short."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors import (
    ActorSystem,
    AgentConfig,
    AskTimeout,
    ConfigError,
    LimitExceeded,
    Limits,
    ResourceAvailable,
    ResourceLimitExceeded,
    ResourcePressure,
    SystemConfig,
)
from tests.agent.gates import Gate
from tests.system.glutton import Glutton
from tests.system.support import LIMIT, Heard, idle, wait_for

MIB = 2**20
CONFIG = SystemConfig(resource_sample_every=0.1, agent=AgentConfig(grace=1.0))


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    """A system with two agents that have low limits."""
    system = ActorSystem({Glutton: 2}, config=CONFIG).start()
    for number in (1, 2):
        idle(system, f"glutton-{number}")
    yield system
    system.shutdown(cancel_tasks=True)


def test_a_task_that_takes_memory_without_end_dies_near_its_limit(system: ActorSystem, tmp_path: Path) -> None:
    """E2: the error names limit, figure and task; its agent is replaced, and others go on."""
    gate, heard = Gate.make(tmp_path, "gate"), Heard()
    beside = system.submit(Glutton.hold, gate)
    gate.reached()
    with system.subscribe(ResourceLimitExceeded, heard):
        future = system.submit(Glutton.eat_memory)
        with pytest.raises(LimitExceeded, match="memory") as exceeded:
            future.result(LIMIT)
        told = heard.first()
    assert exceeded.value.task_id == future.task_id
    assert future.task_id in str(exceeded.value)
    assert exceeded.value.limit == "memory"
    assert 200 * MIB <= exceeded.value.figure <= 450 * MIB
    assert exceeded.value.allowed == 200 * MIB
    assert (told.resource, told.agent, told.allowed) == ("memory", told.agent, 200 * MIB)
    gate.open()
    beside.result(LIMIT)
    idle(system, told.agent, 2)


def test_a_task_with_too_many_children_dies_at_its_limit(system: ActorSystem) -> None:
    """E2: child processes that live at once; they end with their agent."""
    with pytest.raises(LimitExceeded, match="processes") as exceeded:
        system.submit(Glutton.eat_processes).result(LIMIT)
    assert exceeded.value.limit == "processes"
    # Whoever looks while they are being started sees three.
    assert exceeded.value.figure in (3, 4) and exceeded.value.allowed == 2
    assert system.submit(Glutton.nothing).result(LIMIT) is None


def test_a_task_that_opens_too_many_files_fails_at_its_limit(system: ActorSystem) -> None:
    """E2: it cannot open one more, or is ended if it was seen over its limit before."""
    with pytest.raises((OSError, LimitExceeded), match="open"):
        system.submit(Glutton.eat_files).result(LIMIT)
    assert system.submit(Glutton.nothing).result(LIMIT) is None


def test_a_soft_breach_is_told_to_the_agent_and_to_who_listens(system: ActorSystem) -> None:
    """E2: over 80 % of a limit; the task goes on."""
    heard = Heard()
    with system.subscribe(ResourcePressure, heard):
        assert system.submit(Glutton.take, 170 * MIB).result(LIMIT) == 170 * MIB
        told = heard.first(lambda event: event.resource == "memory" and event.agent)
    assert told.figure >= 160 * MIB
    assert told.allowed == 160 * MIB


def test_limits_can_be_changed_while_an_agent_runs(tmp_path: Path) -> None:
    """E2: up, so that more is allowed, and down, which is judged at once."""
    system = ActorSystem({Glutton: 1}, config=CONFIG).start()
    try:
        idle(system, "glutton-1")
        system.set_limits("glutton-1", Limits(memory="600M"))
        assert system.submit(Glutton.take, 300 * MIB).result(LIMIT) == 300 * MIB
        assert system.agents()[0].incarnation == 1
        gate = Gate.make(tmp_path, "gate")
        future = system.submit(Glutton.hold_memory, gate, 100 * MIB)
        gate.reached()
        system.set_limits("glutton-1", Limits(memory="50M"))
        with pytest.raises(LimitExceeded, match="memory"):
            future.result(LIMIT)
    finally:
        system.shutdown(cancel_tasks=True)


def test_new_limits_are_in_force_when_set_limits_returns_and_silence_is_an_error() -> None:
    """B4: a control message is answered within 5 s, also beside a task, or fails with an error."""
    with ActorSystem({Glutton: 1}, config=CONFIG) as system:
        pid = idle(system, "glutton-1").pid
        for limit in (300, 400, 500):
            system.set_limits("glutton-1", Limits(memory=f"{limit}M"))
            # What the kernel holds the process to stands in its own limits by then.
            assert system.submit(Glutton.backstop).result(LIMIT) >= limit * MIB
            assert system.submit(Glutton.backstop).result(LIMIT) < (limit + 400) * 2 * MIB
        os.kill(pid, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            with pytest.raises(AskTimeout, match=r"glutton-1 has not said within 5 s that it keeps its new limits"):
                system.set_limits("glutton-1", Limits(memory="600M"))
            assert time.monotonic() - begun < 7
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_for(lambda: system.submit(Glutton.backstop).result(LIMIT) >= 600 * MIB)
        with pytest.raises(ConfigError, match="no agent"):
            system.set_limits("nobody-1", Limits(memory="1G"))


def test_an_agent_is_granted_more_up_to_its_ceiling() -> None:
    """E2: as far as it reaches, and refused beyond."""
    config = SystemConfig(resource_sample_every=0.1, ceilings={"glutton": Limits(memory="300M")})
    with ActorSystem({Glutton: 1}, config=config) as system:
        assert system.submit(Glutton.ask_for, 50 * MIB).result(LIMIT) == (True, float(250 * MIB))
        assert system.submit(Glutton.ask_for, 500 * MIB).result(LIMIT) == (True, float(300 * MIB))
        assert system.submit(Glutton.ask_for, 1 * MIB).result(LIMIT) == (False, float(300 * MIB))


def test_no_work_starts_while_the_machine_is_short_of_memory() -> None:
    """E3: explain says so, and what runs goes on."""
    short = SystemConfig(memory_low=0.999, memory_enough=1.0, resource_sample_every=0.1)
    heard = Heard()
    system = ActorSystem(config=short).start()
    try:
        system.subscribe([ResourcePressure, ResourceAvailable], heard)
        system.scale(Glutton, 1)
        told = heard.first(lambda event: event.resource == "memory")
        assert type(told) is ResourcePressure and told.agent is None and 0 < told.figure < 0.999
        future = system.submit(Glutton.nothing)
        assert system.explain(future).reason == "admission"
        assert not system.drain(0.2)
        assert future.cancel()
    finally:
        system.shutdown(cancel_tasks=True)
