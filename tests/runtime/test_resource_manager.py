"""The resource manager: on a clock and figures of the test's own, and with real processes that run away."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from actors.config import AgentConfig, Limits, SystemConfig
from actors.errors import ConfigError
from actors.hosts.memorychannel import MemoryChannel
from actors.kernel.actor import Actor, ActorOptions
from actors.kernel.clock import ManualClock
from actors.kernel.dispatch import ManualDispatcher
from actors.protocol.events import KNOWN_EVENTS, ResourceAvailable, ResourceLimitExceeded, ResourcePressure
from actors.protocol.messages import AdjustmentAnswer, AdjustmentRequest, Heartbeat, ResourceLimit
from actors.runtime import messages as m
from actors.runtime.machine import Machine
from actors.runtime.peers import Peers
from actors.runtime.probe import Probe
from actors.runtime.resource_manager import ResourceManager, ResourceState
from actors.runtime.resource_report import ResourceReport
from actors.runtime.usage import Usage
from tests.runtime.children import Child, child
from tests.runtime.test_memory_watch import RUNAWAY

MB = 1 << 20
GB = 1 << 30


class Recorder(Actor):
    """Stands for the hub or the scheduler: keeps what it is told."""

    def __init__(self, told: list[Any], news: threading.Condition) -> None:
        super().__init__()
        self._told = told
        self._news = news

    def on_receive(self, message: Any) -> None:
        with self._news:
            self._told.append(message)
            self._news.notify_all()


class Handle:
    """The hold on an agent: a process of the test's, or none."""

    def __init__(self, agent: str, pid: int | None, incarnation: int = 1) -> None:
        self.agent = agent
        self.incarnation = incarnation
        self.pid = pid
        self.killed: list[str] = []
        self.control, self._end = MemoryChannel.pair(agent)

    def heard(self) -> list[Any]:
        """What was sent to the agent, with the correlation."""
        return [(envelope.message, envelope.correlation) for envelope in self._end.receive(0)]

    def kill(self, reason: str) -> None:
        self.killed.append(reason)
        if self.pid is not None and self.pid > 1:
            os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        self.control.close()
        self._end.close()


class Figures:
    """A probe whose figures the test sets, and which counts how often it is asked."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.memory: dict[int, int] = {}
        self.available = 8 * GB
        self.looks = self.samples = self.machines = 0

    def close(self) -> None:
        pass

    def sample(self, agents: Mapping[str, int]) -> dict[str, Usage]:
        self.samples += 1
        return {
            agent: Usage(
                agent=agent,
                pid=pid,
                time=self.clock.monotonic(),
                uptime=1.0,
                memory=self.memory.get(pid, 10 * MB),
                cpu_percent=40.0,
                open_files=10,
                processes=3,
                threads=2,
                read_bytes=0,
                written_bytes=0,
                context_switches=0,
            )
            for agent, pid in agents.items()
        }

    def machine(self) -> Machine:
        self.machines += 1
        return Machine(
            time=self.clock.monotonic(),
            memory_total=16 * GB,
            memory_available=self.available,
            cpus=2,
            cpu_percent=10.0,
            io_wait_percent=0.0,
            disk_percent=0.0,
        )

    def members(self, root: int) -> list[int]:
        return [root]

    def memory_of(self, pids: Iterable[int]) -> dict[int, int]:
        self.looks += 1
        return {pid: self.memory.get(pid, 10 * MB) for pid in pids}

    def tree_memory(self, root: int) -> int:
        return self.memory.get(root, 10 * MB)


class World:
    """The manager among recorders, on a clock that the test moves."""

    def __init__(self, config: SystemConfig | None = None) -> None:
        self.clock = ManualClock()
        self.figures = Figures(self.clock)
        self.dispatcher = ManualDispatcher(self.clock)
        self.scheduler: list[Any] = []
        self.hub: list[Any] = []
        self.handles: list[Handle] = []
        self.config = config or SystemConfig()
        self.peers = Peers()
        self.peers.wanted = frozenset(KNOWN_EVENTS)
        news = threading.Condition()
        self.peers.scheduler = self._start(Recorder, self.scheduler, news)
        self.peers.hub = self._start(Recorder, self.hub, news)
        self.state = ResourceState(self.config, self.figures)  # type: ignore[arg-type]
        self.manager = self._start(ResourceManager, self.config, self.peers, self.state)
        self.dispatcher.run()

    def _start(self, actor: type[Actor], *args: Any) -> Any:
        options = ActorOptions(clock=self.clock, dispatcher=self.dispatcher)
        return actor.start_with(options, *args)

    def tell(self, message: Any) -> None:
        self.manager.tell(message)
        self.dispatcher.run()

    def agent(self, name: str, pid: int | None, incarnation: int = 1, **limits: Any) -> Handle:
        handle = Handle(name, pid, incarnation)
        self.handles.append(handle)
        self.tell(starting(handle, Limits(**limits)))
        return handle

    def events(self, kind: type[Any]) -> list[Any]:
        return [message.event for message in self.hub if isinstance(message.event, kind)]

    def told(self, kind: type[Any]) -> list[Any]:
        return [message for message in self.scheduler if isinstance(message, kind)]

    def close(self) -> None:
        for ref in (self.manager, self.peers.scheduler, self.peers.hub):
            ref.stop(block=False)
        self.dispatcher.run()
        for handle in self.handles:
            handle.close()


def starting(handle: Handle, limits: Limits) -> m.AgentStarting:
    """What an agent's supervisor tells at its start."""
    worker_type: Any = SimpleNamespace(name="sort")
    return m.AgentStarting(handle, worker_type, AgentConfig(limits=limits), None)  # type: ignore[arg-type]


def gone(handle: Handle) -> m.AgentGone:
    """What an agent's supervisor tells at its end."""
    return m.AgentGone(handle.agent, handle.incarnation, "sort", None, "", expected=True, replaced=False)  # type: ignore[arg-type]


@pytest.fixture
def world() -> Iterator[World]:
    world = World(SystemConfig(ceilings={"sort": Limits(memory=None)}))
    yield world
    world.close()


def test_an_idle_system_is_woken_once_in_a_sample_period_only(world: World) -> None:
    """A4: a full sample every 10 s, and nothing twenty times a second without work."""
    world.agent("sort-1", 7, memory="512M")
    world.dispatcher.advance(100.0)
    assert world.figures.samples == 10
    assert world.figures.looks == 0
    assert world.told(m.IsWorkLeft) == []
    measures = world.told(m.AgentsMeasured)
    assert len(measures) == 10
    assert measures[-1].measures == [
        m.AgentMeasure(
            "sort-1", 1, pytest.approx(100 * (1 - 40 / 80)), pytest.approx(100 * (1 - 10 / 512)), inside=True
        )
    ]


def test_without_agents_nothing_is_measured(world: World) -> None:
    """A4: pay for what is used."""
    world.dispatcher.advance(100.0)
    handle = world.agent("sort-1", 7)
    world.tell(gone(handle))
    before = world.figures.samples
    world.dispatcher.advance(100.0)
    assert world.figures.samples <= before + 1
    assert world.dispatcher.next_due() is None


def test_while_there_is_work_limited_memory_is_looked_at_twenty_times_a_second(world: World) -> None:
    """A4, E2: memory of running tasks at least 20 times a second, until the scheduler says that no work is left."""
    world.agent("sort-1", 7, memory="512M")
    world.tell(m.WorkBegan())
    world.dispatcher.advance(5.0)
    assert world.figures.looks >= 98
    asked = len(world.told(m.IsWorkLeft))
    assert 4 <= asked <= 5
    world.tell(m.WorkBegan())
    world.tell(m.WorkEnded())
    looks = world.figures.looks
    world.dispatcher.advance(5.0)
    assert world.figures.looks == looks
    assert len(world.told(m.IsWorkLeft)) == asked
    world.tell(m.WorkBegan())
    world.dispatcher.advance(1.0)
    assert world.figures.looks >= looks + 19


def test_work_that_begins_right_after_other_work_ended_is_watched(world: World) -> None:
    """E2: both may wait in the mailbox at once."""
    world.agent("sort-1", 7, memory="512M")
    world.tell(m.WorkBegan())
    world.manager.tell(m.WorkEnded())
    world.manager.tell(m.WorkBegan())
    world.dispatcher.run()
    world.dispatcher.advance(0.5)
    assert world.figures.looks >= 9


def test_agents_without_a_memory_limit_are_not_looked_at(world: World) -> None:
    """E2: no price for what is not asked for. The machine is looked at once a second while there is work."""
    world.agent("sort-1", 7, memory=None)
    world.tell(m.WorkBegan())
    before = world.figures.machines
    world.dispatcher.advance(9.5)
    assert world.figures.looks == 0
    assert 8 <= world.figures.machines - before <= 10


def test_an_agent_whose_process_is_not_known_yet_is_looked_at_once_it_is(world: World) -> None:
    """E2: a launch returns before there is a process."""
    handle = world.agent("sort-1", None, memory="512M")
    world.tell(m.WorkBegan())
    world.dispatcher.advance(0.5)
    assert world.figures.looks == 0
    handle.pid = 7
    world.figures.memory[7] = GB
    handle.kill = handle.killed.append  # type: ignore[method-assign]
    world.dispatcher.advance(0.1)
    assert len(handle.killed) == 1


def test_an_agent_without_a_process_of_its_own_is_never_measured(world: World) -> None:
    """E2: an agent that is a thread of the program must not be ended for the program's memory."""
    handle = world.agent("sort-1", os.getpid(), memory="1M")
    world.tell(m.WorkBegan())
    world.dispatcher.advance(30.0)
    assert handle.killed == []
    assert world.told(m.LimitBreached) == []


def test_a_soft_breach_is_told_to_the_agent_and_published_once(world: World) -> None:
    """E2: a soft breach makes the agent ask for more."""
    handle = world.agent("sort-1", 7, memory="512M")
    world.figures.memory[7] = 450 * MB
    world.tell(m.WorkBegan())
    world.dispatcher.advance(1.0)
    [(message, _)] = handle.heard()
    assert isinstance(message, ResourceLimit)
    assert message.breach == ("memory", 450 * MB)
    assert message.limits["memory"] in ("512M", 512 * MB)
    [event] = world.events(ResourcePressure)
    assert (event.resource, event.agent, event.figure) == ("memory", "sort-1", 450 * MB)
    assert event.allowed == pytest.approx(0.8 * 512 * MB)
    assert handle.killed == []


def test_a_request_for_more_is_answered_and_the_new_limits_hold(world: World) -> None:
    """E2: granted what free memory allows; the agent hears the answer and its limits, subscribers hear of it."""
    handle = world.agent("sort-1", 7, memory="512M")
    handle.killed.clear()
    world.figures.memory[7] = 500 * MB
    world.tell(m.WorkBegan())
    world.dispatcher.advance(0.2)
    handle.heard()
    request = AdjustmentRequest("sort-1", "memory", 512 * MB, "a large file")
    world.tell(m.AdjustmentAsked("sort-1", 1, request, 41))
    (answer, correlation), (limits, _) = handle.heard()
    assert correlation == 41
    assert answer == AdjustmentAnswer("memory", granted=True, allowed=float(GB), reason=answer.reason)
    assert isinstance(limits, ResourceLimit)
    assert limits.limits["memory"] == GB
    world.figures.memory[7] = 700 * MB
    world.dispatcher.advance(1.0)
    assert world.told(m.LimitBreached) == []
    assert world.events(ResourcePressure)[-1].allowed == GB


@pytest.mark.parametrize(("limit", "available"), [("memory", GB // 2), ("colour", 8 * GB)])
def test_a_request_that_cannot_be_granted_is_refused_with_the_reason(world: World, limit: str, available: int) -> None:
    """E2: refused when the machine has no memory to spare, or when there is no such limit."""
    world.figures.available = available
    handle = world.agent("sort-1", 7, memory="512M")
    world.tell(m.AdjustmentAsked("sort-1", 1, AdjustmentRequest("sort-1", limit, 4.0 * GB, ""), 3))
    [(answer, correlation)] = handle.heard()
    assert (answer.limit, answer.granted, correlation) == (limit, False, 3)
    assert answer.reason


def test_a_request_of_an_agent_that_is_gone_goes_nowhere(world: World) -> None:
    """F2: an old incarnation gets nothing, and harms nobody."""
    handle = world.agent("sort-1", 7, 2, memory="512M")
    world.tell(m.AdjustmentAsked("sort-1", 1, AdjustmentRequest("sort-1", "memory", 5.0, ""), 3))
    world.tell(m.AdjustmentAsked("sort-9", 1, AdjustmentRequest("sort-9", "memory", 5.0, ""), 3))
    assert handle.heard() == []


def test_a_hard_breach_ends_the_agent_and_the_scheduler_knows_why(world: World) -> None:
    """E2: the error names limit and figure, so both are told; once for each life."""
    handle = world.agent("sort-1", 7, memory="512M")
    handle.kill = handle.killed.append  # type: ignore[method-assign]
    world.figures.memory[7] = 600 * MB
    world.tell(m.WorkBegan())
    world.dispatcher.advance(3.0)
    assert world.told(m.LimitBreached) == [m.LimitBreached("sort-1", 1, "memory", 600 * MB, 512 * MB)]
    assert len(handle.killed) == 1
    assert "memory" in handle.killed[0]
    [event] = world.events(ResourceLimitExceeded)
    assert (event.resource, event.agent, event.figure, event.allowed) == ("memory", "sort-1", 600 * MB, 512 * MB)


def test_a_full_sample_ends_an_agent_with_too_many_child_processes(world: World) -> None:
    """E2: every hard limit. The agent's own process is not one of its children."""
    two = world.agent("sort-1", 7, processes=2)
    one = world.agent("sort-2", 8, processes=1)
    one.kill = one.killed.append  # type: ignore[method-assign]
    world.dispatcher.advance(10.0)
    assert two.killed == []
    assert len(one.killed) == 1
    [breach] = world.told(m.LimitBreached)
    assert (breach.agent, breach.limit, breach.figure, breach.allowed) == ("sort-2", "processes", 2, 1)


def test_limits_can_be_changed_while_it_runs(world: World) -> None:
    """E2: the agent hears of it, and its last figures are judged by the new limits at once."""
    handle = world.agent("sort-1", 7, memory="512M", open_files=100)
    handle.kill = handle.killed.append  # type: ignore[method-assign]
    world.figures.memory[7] = 200 * MB
    world.dispatcher.advance(10.0)
    reply = world.manager.ask_later(m.SetLimits("sort-1", Limits(memory="300M")))
    world.dispatcher.run()
    assert reply.get(timeout=1).hard_limit("memory") == 300 * MB
    assert reply.get(timeout=1).hard_limit("open_files") == 100
    [(message, _)] = handle.heard()
    assert message.limits["open_files"] == 100
    assert handle.killed == []
    world.tell(m.SetLimits("sort-1", Limits(memory="100M")))
    assert len(handle.killed) == 1


def test_limits_of_an_unknown_agent_are_the_askers_error(world: World) -> None:
    """E2: and the manager goes on."""
    reply = world.manager.ask_later(m.SetLimits("nobody-1", Limits(memory="1G")))
    world.dispatcher.run()
    with pytest.raises(ConfigError, match="nobody-1"):
        reply.get(timeout=1)
    assert world.manager.is_alive()


def test_no_new_work_starts_while_memory_is_short_and_it_goes_on_by_itself(world: World) -> None:
    """E3: admission, also when no agent is left, and both are published."""
    handle = world.agent("sort-1", 7)
    world.figures.available = GB // 2
    world.tell(m.WorkBegan())
    world.dispatcher.advance(2.0)
    assert world.told(m.AdmissionChanged) == [m.AdmissionChanged(open=False, short=frozenset({"memory"}))]
    assert [event.resource for event in world.events(ResourcePressure)] == ["memory"]
    world.tell(m.WorkEnded())
    world.tell(gone(handle))
    world.dispatcher.advance(30.0)
    world.figures.available = 2 * GB
    world.dispatcher.advance(1.5)
    assert world.told(m.AdmissionChanged)[-1] == m.AdmissionChanged(open=True, short=frozenset())
    assert [event.resource for event in world.events(ResourceAvailable)] == ["memory"]
    assert world.dispatcher.next_due() is None or world.dispatcher.next_due() > world.clock.monotonic() + 1.5


def test_no_event_is_made_that_nobody_wants(world: World) -> None:
    """B5: only subscribers get an event."""
    world.peers.wanted = frozenset()
    world.agent("sort-1", 7, memory="512M")
    world.figures.memory[7] = 500 * MB
    world.tell(m.WorkBegan())
    world.dispatcher.advance(1.0)
    assert world.hub == []


def test_figures_can_be_asked_for(world: World) -> None:
    """C5: use of each agent, as values that print as JSON; a heartbeat stands in until the first sample."""
    world.agent("sort-1", 7, memory="512M")
    beat = Heartbeat("sort-1", 1, 0.0, 1, None, 2048, 0.0, 3, 1.0, 0, 0)
    world.tell(m.HeartbeatReceived(beat))
    reply = world.manager.ask_later(m.GetUsages())
    world.dispatcher.run()
    report: ResourceReport = reply.get(timeout=1)
    assert report.agents["sort-1"].memory == 2 * MB
    assert report.agents["sort-1"].usage is None
    reply = world.manager.ask_later(m.GetUsages(fresh=True))
    world.dispatcher.run()
    report = reply.get(timeout=1)
    assert report.agents["sort-1"].memory == 10 * MB
    assert report.to_dict()["agents"]["sort-1"]["usage"]["processes"] == 3
    assert report.to_dict()["machine"]["memory_total"] == 16 * GB
    assert report.admitting


def test_a_manager_that_was_restarted_goes_on_where_it_was(world: World) -> None:
    """F1: limits that were changed still hold, and running tasks are looked at again."""
    world.agent("sort-1", 7, memory="512M")
    world.tell(m.SetLimits("sort-1", Limits(memory="256M")))
    world.manager.stop(block=False)
    world.dispatcher.run()
    world.manager = world._start(ResourceManager, world.config, world.peers, world.state)
    handle = world.handles[0]
    handle.kill = handle.killed.append  # type: ignore[method-assign]
    world.figures.memory[7] = 300 * MB
    world.dispatcher.advance(0.2)
    assert len(world.told(m.IsWorkLeft)) == 1
    assert world.told(m.LimitBreached)[-1].allowed == 256 * MB


class Live:
    """The manager in a thread of its own, with the real probe."""

    def __init__(self) -> None:
        self.scheduler: list[Any] = []
        self.hub: list[Any] = []
        self.news = threading.Condition()
        self.peers = Peers()
        self.peers.wanted = frozenset(KNOWN_EVENTS)
        self.peers.scheduler = Recorder.start(self.scheduler, self.news)
        self.peers.hub = Recorder.start(self.hub, self.news)
        config = SystemConfig(resource_sample_every=0.2)
        self.manager = ResourceManager.start(config, self.peers, ResourceState(config, Probe()))
        self.handles: list[Handle] = []

    def agent(self, name: str, process: Child, **limits: Any) -> Handle:
        handle = Handle(name, process.pid)
        self.handles.append(handle)
        self.manager.tell(starting(handle, Limits(**limits)))
        return handle

    def wait_for(self, where: list[Any], test: Callable[[Any], bool], timeout: float = 30.0) -> Any:
        """The first message of which `test` holds."""
        with self.news:
            assert self.news.wait_for(lambda: any(map(test, where)), timeout), f"only {where}"
            return next(filter(test, where))

    def close(self) -> None:
        for ref in (self.manager, self.peers.scheduler, self.peers.hub):
            ref.stop(timeout=10)
        for handle in self.handles:
            handle.close()


@pytest.fixture
def live() -> Iterator[Live]:
    live = Live()
    yield live
    live.close()


def test_a_real_process_that_allocates_without_end_is_killed_at_its_limit(live: Live) -> None:
    """E2: it dies at its limit before the machine suffers, and an innocent agent beside it is left alone."""
    with child(RUNAWAY + "wait(); run_away()") as guilty, child("kept = fill(200); tell('full'); wait()") as innocent:
        innocent.told()
        handle = live.agent("sort-1", guilty, memory="300M")
        other = live.agent("sort-2", innocent, memory="300M")
        live.manager.tell(m.WorkBegan())
        guilty.go_on()
        guilty.told()
        breach = live.wait_for(live.scheduler, lambda message: isinstance(message, m.LimitBreached))
        _, status, usage = os.wait4(guilty.pid, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert usage.ru_maxrss * 1024 < 1000 * MB
        assert (breach.agent, breach.limit, breach.allowed) == ("sort-1", "memory", 300 * MB)
        assert breach.figure > 300 * MB
        exceeded = live.wait_for(live.hub, lambda each: isinstance(each.event, ResourceLimitExceeded)).event
        assert exceeded.agent == "sort-1"
        assert len(handle.killed) == 1
        assert other.killed == []


def test_real_processes_are_sampled_in_full(live: Live) -> None:
    """E1, C5: the figures of a real process tree arrive with the scheduler and in the report."""
    body = """
    kept = fill(100)
    if os.fork() == 0:
        tell('ready')
        wait()
        os._exit(0)
    wait()
    """
    with child(body) as process:
        process.told()
        live.agent("sort-1", process, memory="400M", processes=5)
        measured = live.wait_for(live.scheduler, lambda message: isinstance(message, m.AgentsMeasured))
        assert 60 < measured.measures[0].free_memory < 76
        assert measured.measures[0].inside
        usage = live.manager.ask(m.GetUsages(fresh=True), timeout=10).agents["sort-1"].usage
        assert usage.processes == 2
        assert 100 * MB < usage.memory < 160 * MB
        for _ in range(2):
            process.go_on()
