"""Agents from their start to their end, as the program sees them."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from actors import (
    ActorSystem,
    AgentConfig,
    AgentDied,
    AgentLimitReached,
    AgentRegistered,
    AgentRestarted,
    AgentTerminated,
    ConfigError,
    SystemClosed,
    SystemConfig,
    TaskFuture,
    TaskTimeout,
)
from tests.agent.gates import Gate
from tests.system.early import Early, EarlyLoop
from tests.system.storm import lines
from tests.system.support import CONFIG, LIMIT, Heard, agent, alive, gone, idle, wait_for
from tests.system.workers import Greeter, Slow, Toiler


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    """A system with one agent or two, and room for four."""
    system = ActorSystem({Toiler: (1, 2)}, max_agents=4, config=CONFIG).start()
    yield system
    # A test that failed may have left a task at a gate.
    system.shutdown(cancel_tasks=True)


@pytest.fixture
def lone() -> Iterator[ActorSystem]:
    """A system with one agent, no more."""
    system = ActorSystem({Toiler: 1}, max_agents=4, config=CONFIG).start()
    yield system
    system.shutdown(cancel_tasks=True)


# --- registration --------------------------------------------------------------------------------------------------


def test_an_agent_is_registered_before_it_is_idle(tmp_path: Path) -> None:
    """A3: id, type, pid, host name, capabilities, limits, start time and incarnation are known while it starts."""
    gate = Gate.make(tmp_path, "gate")
    before = time.time()
    with ActorSystem({Slow.configured(gate): 1}, config=CONFIG) as system:
        gate.reached()
        starting = wait_for(lambda: [each for each in system.agents() if each.pid is not None])[0]
        assert (starting.agent, starting.agent_type, starting.incarnation) == ("slow-1", "slow", 1)
        assert str(starting.state) == "initializing"
        assert alive(starting.pid or 0)
        assert starting.host_name == socket.gethostname()
        assert starting.limits["memory"] == 2**30
        assert starting.started_at is not None
        assert before - 1 <= starting.started_at <= time.time() + 1
        # It takes no work before on_start has returned.
        future = system.submit(Slow.echo, 1)
        assert system.explain(future).reason == "starting"
        gate.open()
        assert future.result(LIMIT) == 1
        assert str(idle(system, "slow-1").state) == "idle"


def test_an_agent_knows_itself_and_has_a_private_workspace(system: ActorSystem) -> None:
    """A3: in its environment and in that of its children stand its id, its type and its workspace."""
    told = system.submit(Toiler.who).result(LIMIT)
    status = agent(system, told["agent"])
    assert status is not None
    assert told["pid"] == status.pid != os.getpid()
    assert told["environment"] == {
        "ACTORS_AGENT_ID": told["agent"],
        "ACTORS_AGENT_TYPE": "toiler",
        "ACTORS_AGENT_WORKSPACE": told["workspace"],
    }
    assert told["child"] == [told["agent"], told["workspace"]]
    assert told["files"] == []
    assert os.stat(told["workspace"]).st_mode & 0o777 == 0o700


def test_a_workspace_is_removed_with_its_agent(system: ActorSystem) -> None:
    """A3: whether the agent ends in order or not."""
    left = system.submit(Toiler.litter, "file").result(LIMIT)
    assert os.path.exists(left)
    system.restart("toiler-1")
    assert not os.path.exists(os.path.dirname(left))
    idle(system, "toiler-1", 2)
    left = system.submit(Toiler.litter, "file").result(LIMIT)
    os.kill(system.agents()[0].pid or 0, signal.SIGKILL)
    wait_for(lambda: not os.path.exists(os.path.dirname(left)), "the removal of the workspace")


def test_agents_start_with_the_library_at_hand() -> None:
    """C1: a start does not import the library anew."""
    with ActorSystem({Early: 1}) as system:
        assert system.submit(Early.there).result(LIMIT)


def test_agents_with_coroutines_start_with_asyncio_at_hand() -> None:
    """C1: what the workers of the start need is imported once, and not by each agent."""
    with ActorSystem({EarlyLoop: 1}) as system:
        assert system.submit(EarlyLoop.there).result(LIMIT)


def test_hooks_run_once_each_and_arguments_arrive(tmp_path: Path) -> None:
    """A3: on_start before the first task, on_stop after the last; the constructor's arguments are those configured."""
    ledger = str(tmp_path / "ledger")
    with ActorSystem({Greeter.configured(ledger, greeting="good day"): 1}) as system:
        assert system.submit(Greeter.greet, "you").result(LIMIT) == "good day you"
        spawned = system.spawn(Greeter, AgentConfig(arguments={"greeting": "hey"}))
        assert spawned.agent_id == "greeter-2"
    noted = lines(ledger)
    assert noted[:2] == ["start greeter-1", "task greeter-1"]
    assert sorted(noted[2:]) == ["start greeter-2", "stop greeter-1", "stop greeter-2"]


# --- heartbeats ----------------------------------------------------------------------------------------------------


def test_usr1_brings_a_heartbeat_at_once(system: ActorSystem) -> None:
    """A5: long before the next is due, also with a task in hand."""
    status = idle(system, "toiler-1")
    os.kill(status.pid or 0, signal.SIGUSR1)
    later = wait_for(lambda: _newer(system, status.last_heartbeat), "a heartbeat", 5)
    assert later
    assert system.submit(Toiler.echo, 1).result(LIMIT) == 1


def _newer(system: ActorSystem, than: float | None) -> bool:
    status = agent(system, "toiler-1")
    return status is not None and (status.last_heartbeat or 0) > (than or 0)


def test_an_agent_that_stopped_is_killed_and_its_task_goes_on_elsewhere(tmp_path: Path) -> None:
    """A5: silent and not busy; it is replaced, and its work reassigned."""
    config = SystemConfig(heartbeat_every=0.2, heartbeat_missed=0.6, agent=AgentConfig(grace=1.0))
    gate, heard = Gate.make(tmp_path, "gate"), Heard()
    with ActorSystem({Toiler: 1}, config=config) as system, system.subscribe(AgentTerminated, heard):
        future = system.submit(Toiler.hold, gate, "done")
        gate.reached()
        stopped = system.agents()[0].pid or 0
        os.kill(stopped, signal.SIGSTOP)
        ended = heard.first()
        assert (ended.agent, ended.incarnation, ended.signal) == ("toiler-1", 1, "SIGKILL")
        assert "silent" in ended.reason
        assert not gone([stopped], LIMIT)
        gate.reached()
        gate.open()
        assert future.result(LIMIT) == "done"
        assert future.info().attempt == 2


def test_an_agent_in_c_code_is_unresponsive_and_judged_by_its_time_limit(tmp_path: Path) -> None:
    """A5: it is silent, but its process burns cpu; D5: its time limit still holds."""
    config = SystemConfig(heartbeat_every=0.1, heartbeat_missed=0.3, agent=AgentConfig(grace=0.2))
    gate = Gate.make(tmp_path, "gate")
    with ActorSystem({Toiler: 1}, config=config) as system:
        future = system.options(timeout=4).submit(Toiler.hold_interpreter, gate, 60)
        seen = wait_for(lambda: [each for each in system.agents() if each.unresponsive], "unresponsive")[0]
        assert seen.incarnation == 1
        assert seen.to_dict()["unresponsive"] is True
        with pytest.raises(TaskTimeout):
            future.result(LIMIT)
        idle(system, "toiler-1", 2)


# --- ending --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_an_agent_ends_it_in_order(signum: signal.Signals, tmp_path: Path) -> None:
    """A6: on_stop runs; the agent is below the least, so it is replaced."""
    ledger, heard = str(tmp_path / "ledger"), Heard()
    with ActorSystem({Greeter.configured(ledger): 1}) as system, system.subscribe(AgentTerminated, heard):
        pid = idle(system, "greeter-1").pid or 0
        os.kill(pid, signum)
        ended = heard.first()
        assert (ended.exit_code, ended.signal) == (0, None)
        assert signum.name in ended.reason
        assert lines(ledger)[:2] == ["start greeter-1", "stop greeter-1"]
        assert system.submit(Greeter.greet, "you").result(LIMIT) == "hello you"


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    """Runs what blocks beside the test."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_terminate_lets_the_running_task_finish(system: ActorSystem, aside: ThreadPoolExecutor, tmp_path: Path) -> None:
    """A6: within the timeout; what waited at the agent moves on and loses no try."""
    gate = Gate.make(tmp_path, "gate")
    running = system.submit(Toiler.hold, gate, "finished")
    gate.reached()
    there = running.info().agent
    behind = [system.submit(Toiler.echo, number) for number in range(3)]
    ended = aside.submit(system.terminate, there, timeout=LIMIT, reason="no more of this")
    assert [future.result(LIMIT) for future in behind] == [0, 1, 2]
    assert {future.info().attempt for future in behind} == {1}
    assert not running.done() and not ended.done()
    gate.open()
    assert running.result(LIMIT) == "finished"
    ended.result(LIMIT)


def test_terminate_interrupts_the_task_when_its_time_is_over(system: ActorSystem, tmp_path: Path) -> None:
    """A6: the body unwinds; the task is tried again on another agent. Events repeat the reason."""
    gate, ledger, heard = Gate.make(tmp_path, "gate"), tmp_path / "ledger", Heard()
    future = system.submit(Toiler.tidy, gate, str(ledger))
    gate.reached()
    first = system.agents()[0]
    with system.subscribe(AgentTerminated, heard):
        system.terminate(first.agent, timeout=0, reason="no more of this")
        assert lines(ledger) == ["interrupted"]
        ended = heard.first()
        assert (ended.reason, ended.exit_code, ended.signal) == ("no more of this", 0, None)
    assert not gone([first.pid or 0], 0)
    gate.reached()
    gate.open()
    future.result(LIMIT)


def test_terminate_kills_a_task_that_lets_nothing_interrupt_it(tmp_path: Path) -> None:
    """A6: after the timeout and the grace, by SIGTERM and then SIGKILL; its workspace is gone, too."""
    gate, heard = Gate.make(tmp_path, "gate"), Heard()
    config = SystemConfig(agent=AgentConfig(grace=0.1))
    with ActorSystem({Toiler: 1}, config=config) as system, system.subscribe(AgentTerminated, heard):
        workspace = system.submit(Toiler.who).result(LIMIT)["workspace"]
        future = system.submit(Toiler.stubborn, gate)
        gate.reached()
        pid = system.agents()[0].pid or 0
        system.terminate("toiler-1", timeout=0.1, reason="enough")
        assert not alive(pid)
        assert not os.path.exists(workspace)
        with pytest.raises(AgentDied, match="enough"):
            future.result(LIMIT)
        assert heard.first().signal == "SIGKILL"
        # Below the least, so it is replaced.
        idle(system, "toiler-1", 2)


def test_terminate_of_an_agent_above_the_least_leaves_it_ended(system: ActorSystem) -> None:
    """A6: and spawn gives the place, and its id, to another."""
    spawned = system.spawn(Toiler)
    assert spawned.agent_id == "toiler-2"
    system.terminate(spawned)
    assert [each.agent for each in system.agents()] == ["toiler-1"]
    with pytest.raises(ConfigError, match="there is no agent 'toiler-2'"):
        system.terminate("toiler-2")
    assert system.spawn(Toiler).agent_id == "toiler-2"
    assert agent(system, "toiler-2").incarnation == 2  # type: ignore[union-attr]


def test_a_restart_keeps_the_id_and_counts_up_the_incarnation(system: ActorSystem) -> None:
    """A3: the next incarnation is another process; both its end and its start are told."""
    heard = Heard()
    first = idle(system, "toiler-1")
    with system.subscribe([AgentRestarted, AgentTerminated, AgentRegistered], heard):
        system.restart("toiler-1", reason="why not")
        second = idle(system, "toiler-1", 2)
        assert second.pid != first.pid
        assert not alive(first.pid or 0)
        ended, restarted = heard.wait(2)
    assert (type(ended), ended.agent, ended.incarnation, ended.reason) == (AgentTerminated, "toiler-1", 1, "why not")
    assert (type(restarted), restarted.agent, restarted.incarnation) == (AgentRestarted, "toiler-1", 2)
    assert restarted.reason == "why not"


def test_the_end_of_the_system_waits_for_its_tasks(tmp_path: Path) -> None:
    """A6: leaving `with` normally is no reason to lose work."""
    gate = Gate.make(tmp_path, "gate")
    with ActorSystem({Toiler: 1}, config=CONFIG) as system:
        futures = [system.submit(Toiler.echo, number) for number in range(50)]
        held = system.submit(Toiler.hold, gate, "held")
        gate.reached()
        gate.open()
    assert [future.result(0) for future in futures] == list(range(50))
    assert held.result(0) == "held"


def test_the_end_of_the_system_by_an_exception_cancels_its_tasks(tmp_path: Path) -> None:
    """A6: nothing is waited for but the end of what runs."""
    gate = Gate.make(tmp_path, "gate")
    system = ActorSystem({Toiler: 1}, config=CONFIG)

    def goes_wrong() -> None:
        with system:
            futures.extend([system.submit(Toiler.hold, gate), system.submit(Toiler.echo, 1)])
            gate.reached()
            raise KeyError

    futures: list[TaskFuture[Any]] = []
    with pytest.raises(KeyError):
        goes_wrong()
    held, waiting = futures
    assert held.cancelled() and waiting.cancelled()
    with pytest.raises(SystemClosed):
        system.submit(Toiler.echo, 1)


# --- recycling -----------------------------------------------------------------------------------------------------


def test_an_agent_is_replaced_after_so_many_tasks() -> None:
    """A7: between two tasks, and none loses a try."""
    with ActorSystem({Toiler: 1}, config=SystemConfig(agent=AgentConfig(recycle_after_tasks=3))) as system:
        told = [system.submit(Toiler.who) for _ in range(8)]
        pids = [future.result(LIMIT)["pid"] for future in told]
        assert [future.info().attempt for future in told] == [1] * 8
        assert len(set(pids)) == 3
        assert max(map(pids.count, pids)) == 3


def test_an_agent_is_replaced_at_an_age() -> None:
    """A7: after the task during which it comes of age."""
    with ActorSystem({Toiler: 1}, config=SystemConfig(agent=AgentConfig(recycle_after_age=0.3))) as system:
        first = system.submit(Toiler.who).result(LIMIT)["pid"]
        wait_for(lambda: system.submit(Toiler.who).result(LIMIT)["pid"] != first, "another process")


def test_an_agent_is_replaced_when_its_memory_has_grown() -> None:
    """A7: by so much since its first task."""
    config = SystemConfig(agent=AgentConfig(recycle_after_growth="20M"))
    with ActorSystem({Toiler: 1}, config=config) as system:
        first = system.submit(Toiler.who).result(LIMIT)["pid"]
        assert system.submit(Toiler.grow, 1000).result(LIMIT) == 1000
        assert system.submit(Toiler.who).result(LIMIT)["pid"] == first
        system.submit(Toiler.grow, 40_000_000).result(LIMIT)
        wait_for(lambda: system.submit(Toiler.who).result(LIMIT)["pid"] != first, "another process")


# --- how many ------------------------------------------------------------------------------------------------------


def test_a_spawn_beyond_the_limit_is_refused() -> None:
    """C1: with an error that names the limit, and not silently."""
    with ActorSystem({Toiler: 1}, max_agents=2) as system:
        system.spawn(Toiler)
        with pytest.raises(AgentLimitReached, match="limit of 2 agents") as refused:
            system.spawn(Toiler)
        assert refused.value.limit == 2
        assert system.status().total == 2


def test_agents_are_spawned_for_work_and_end_when_they_are_idle(tmp_path: Path) -> None:
    """C2: up to the most while there is work, down to the least afterwards."""
    config = SystemConfig(agent=AgentConfig(idle_timeout=0.3))
    gates = [Gate.make(tmp_path, str(number)) for number in range(3)]
    with ActorSystem({Toiler: (1, 3)}, config=config) as system:
        futures = [system.submit(Toiler.hold, gate) for gate in gates]
        for gate in gates:
            gate.reached()
        assert len(system.agents()) == 3
        for gate in gates:
            gate.open()
        for future in futures:
            future.result(LIMIT)
        wait_for(lambda: len(system.agents()) == 1, "the end of idle agents")
        assert system.submit(Toiler.echo, 1).result(LIMIT) == 1


def test_each_type_of_agent_has_its_own_time_to_be_idle() -> None:
    """C2: `callable_agent.idle_timeout` is for agents of plain callables, `agent.idle_timeout` for those of workers."""
    config = SystemConfig(agent=AgentConfig(idle_timeout=None), callable_agent=AgentConfig(idle_timeout=0.3))
    with ActorSystem([Toiler], config=config) as system:
        assert system.submit(Toiler.echo, 1).result(LIMIT) == 1
        assert system.submit(abs, -1).result(LIMIT) == 1
        wait_for(lambda: [each.agent_type for each in system.agents()] == ["toiler"], "the end of the idle agent")


def test_scale_starts_and_ends_agents(system: ActorSystem) -> None:
    """C2: exactly so many, as soon as can be."""
    system.scale(Toiler, 3)
    for number in (1, 2, 3):
        idle(system, f"toiler-{number}")
    system.scale(Toiler, 1)
    wait_for(lambda: len(system.agents()) == 1, "the end of two agents")
    with pytest.raises(AgentLimitReached):
        system.scale(Toiler, 5)


# --- what can be seen ----------------------------------------------------------------------------------------------


def test_status_names_agents_and_queue_and_prints_as_json(lone: ActorSystem, tmp_path: Path) -> None:
    """C5: typed values, and the same as JSON."""
    system, gate = lone, Gate.make(tmp_path, "gate")
    done = system.submit(Toiler.echo, 1)
    assert done.result(LIMIT) == 1
    held = system.submit(Toiler.hold, gate)
    gate.reached()
    behind = system.options(priority=4, after=[held], timeout=7.5, job="night").submit(Toiler.echo, 2)
    status = system.status()
    assert (status.total, status.most) == (1, 4)
    (one,) = status.agents
    assert str(one.state) == "working"
    assert one.task == held.number
    assert one.tasks_done == 1
    assert (status.queue.waiting, status.queue.active, status.queue.finished) == (1, 1, 1)
    told = json.loads(json.dumps(status.to_dict()))
    assert told["total"] == 1 and told["agents"][0]["state"] == "working"
    queue = system.queue()
    assert [info.id for info in queue.waiting_tasks] == [behind.task_id]
    assert [info.id for info in queue.active_tasks] == [held.task_id]
    assert [info.id for info in queue.finished_tasks] == [done.task_id]
    waiting = json.loads(json.dumps(queue.to_dict()))["waiting_tasks"][0]
    assert waiting["type"] == "toiler.echo"
    assert waiting["priority"] == 4
    assert waiting["dependencies"] == [held.task_id]
    assert waiting["timeout"] == 7.5
    assert waiting["job"] == "night"
    assert waiting["status"] == "pending"
    info = system.task_info(held.task_id)
    assert info is not None and info == held.info()
    assert (info.status, info.agent, info.attempt) == ("in_progress", "toiler-1", 1)
    assert info.created <= (info.assigned or 0) <= (info.started or 0)
    explanation = system.explain(behind)
    assert explanation.reason == "dependencies"
    assert held.task_id in explanation.text
    assert json.loads(json.dumps(explanation.to_dict()))["reason"] == "dependencies"
    assert system.explain(held).reason == "running"
    gate.open()
    assert behind.result(LIMIT) == 2
    assert system.explain(behind).reason == "ended"
    with pytest.raises(ConfigError, match="no task of this system"):
        system.task_info("nobody-1")


def test_pause_keeps_tasks_back_until_resume(system: ActorSystem) -> None:
    """C5: explain says so."""
    system.pause()
    future = system.submit(Toiler.echo, 1)
    assert system.explain(future).reason == "paused"
    assert not system.drain(timeout=0.05)
    system.resume()
    assert future.result(LIMIT) == 1


def test_drain_waits_for_every_outcome(system: ActorSystem) -> None:
    """C5: of all that was handed in."""
    futures = [system.submit(Toiler.echo, number) for number in range(200)]
    assert system.drain()
    assert all(future.done() for future in futures)
