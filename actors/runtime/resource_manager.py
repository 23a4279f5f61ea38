"""The resource manager: measures what agents and the machine use, and sees to it that limits hold.

It has two rhythms. A full sample of all process trees every ten seconds, as long as there are agents. And a look at the
memory of agents with a memory limit at least twenty times a second, as long as there is work: the scheduler tells once
when that begins, and from then on is asked each second whether any is left. An idle system is not woken for it.

How busy an agent says it is does not matter for this: a hostile one could lie.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from actors.config import Limits
from actors.core.figures import figure_text
from actors.core.ledger import Admission, HardBreach, Ledger, Sample, SoftBreach
from actors.core.ledger import Machine as MachineShares
from actors.errors import ActorsError
from actors.hosts.payload import tend
from actors.kernel.actor import Actor
from actors.kernel.handlers import handles
from actors.protocol.events import Event, ResourceAvailable, ResourceLimitExceeded, ResourcePressure
from actors.protocol.messages import AdjustmentAnswer, Priority, ResourceLimit
from actors.runtime import messages as m
from actors.runtime.memory_watch import MemoryWatch
from actors.runtime.probe import Probe
from actors.runtime.resource_report import AgentResources, ResourceReport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.config import SystemConfig
    from actors.core.ledger import LedgerDecision
    from actors.hosts.host import AgentHandle
    from actors.kernel.timers import Timer
    from actors.runtime.machine import Machine
    from actors.runtime.peers import Peers
    from actors.runtime.usage import Usage

__all__ = ["ResourceManager", "ResourceState"]

_MACHINE_EVERY = 1.0
"""Seconds between looks at the machine while there is work, or while none may start."""

_LEASE = 1.0
"""Seconds after which the scheduler is asked whether there still is work."""

_SOURCE = "resources"

_NO_LIMITS = Limits(memory=None, open_files=None, processes=None, cpu=None)


class _Sample(NamedTuple):
    """A full sample is due."""


class _Look(NamedTuple):
    """A look at the memory of limited agents is due, or at the machine."""


class _Agent:
    """One agent that lives: how to reach it, and its latest figures."""

    __slots__ = ("handle", "incarnation", "memory", "usage")

    def __init__(self, handle: AgentHandle) -> None:
        self.handle = handle
        self.incarnation = handle.incarnation
        self.usage: Usage | None = None
        self.memory: int | None = None

    @property
    def pid(self) -> int | None:
        """Its process, once it is known; None for ever if it has none of its own."""
        pid = self.handle.pid
        return None if pid == os.getpid() else pid


class ResourceState:
    """What outlives a restart of the resource manager.

    Args:
        config: says when the machine is short, and what agents may be granted.
        probe: measures.
    """

    def __init__(self, config: SystemConfig, probe: Probe) -> None:
        self.ledger = Ledger(
            memory_low=config.memory_low,
            memory_enough=config.memory_enough,
            admit_by=config.admit_by,  # type: ignore[arg-type]
            ceilings=config.ceilings,
        )
        self.probe = probe
        self.agents: dict[str, _Agent] = {}
        self.machine: Machine | None = None


class ResourceManager(Actor):
    """Measures, warns, grants, and ends what is over its limits.

    Args:
        config: the rhythms.
        peers: the system's other actors.
        state: what outlives a restart.
    """

    bears = (ActorsError,)
    repeats = True
    waits_for_room = False

    def __init__(self, config: SystemConfig, peers: Peers, state: ResourceState) -> None:
        super().__init__()
        self._config = config
        self._peers = peers
        self._state = state
        self._ledger = state.ledger
        self._probe = state.probe
        self._agents = state.agents
        self._watch = MemoryWatch(state.probe, self.clock.monotonic, config.memory_sample_every)
        # Agents that may have to be watched, and whose process is not known yet.
        self._unseen = set(state.agents)
        self._working = False
        self._lease = self._machine_due = 0.0
        self._sampling: Timer | None = None
        self._looking: Timer | None = None

    def on_start(self) -> None:
        """After a restart: go on as if there were work, until the scheduler says otherwise."""
        if self._agents:
            self._sample_again()
            self._began(m.WorkBegan())
            self._peers.scheduler.tell(m.IsWorkLeft())

    def on_stop(self) -> None:
        """Close what the probe keeps open."""
        self._probe.close()

    def on_given_up(self, message: Any, exception: BaseException | None) -> None:
        """A message cannot be handled."""
        if isinstance(message, m.AgentStarting | m.AgentGone):
            self.try_again(message)

    def on_failure(self, exception: BaseException) -> None:
        """The next incarnation opens anew what it needs."""
        self._probe.close()

    # Agents come and go

    @handles(m.AgentStarting)
    def _starting(self, message: m.AgentStarting) -> None:
        handle = message.handle
        self._agents[handle.agent] = _Agent(handle)
        self._ledger.opened(handle.agent, message.worker_type.name, handle.incarnation, message.config.limits)
        self._watch.forget(handle.agent)
        self._follow(handle.agent)
        if self._sampling is None:
            self._measure_machine()
            self._sample_again()

    @handles(m.AgentGone)
    def _gone(self, message: m.AgentGone) -> None:
        known = self._agents.get(message.agent)
        self._ledger.closed(message.agent, message.incarnation)
        if known is not None and known.incarnation <= message.incarnation:
            del self._agents[message.agent]
            self._unseen.discard(message.agent)
            self._watch.forget(message.agent)

    def _follow(self, agent: str) -> None:
        """Watch an agent's memory by the limits that it has now."""
        known, limits = self._agents[agent], self._limits_of(agent)
        hard, soft = limits.hard_limit("memory"), limits.soft_limit("memory")
        self._unseen.discard(agent)
        if hard is None or soft is None:
            self._watch.forget(agent)
        elif known.pid is not None:
            self._watch.watch(agent, known.pid, hard, soft)
        elif known.handle.pid is None:
            self._unseen.add(agent)

    # The fast rhythm

    # Not urgent: it must not overtake the end of the work before.
    @handles(m.WorkBegan)
    def _began(self, message: m.WorkBegan) -> None:
        if self._working:
            return
        self._working = True
        self._lease = self.clock.monotonic() + _LEASE
        self._look_again()

    @handles(m.WorkEnded)
    def _ended(self, message: m.WorkEnded) -> None:
        self._working = False
        self._probe.close()
        self._look_again()

    @handles(_Look)
    def _look(self, message: _Look) -> None:
        if self._working:
            for agent in tuple(self._unseen):
                self._follow(agent)
            for agent, memory in self._watch.look().items():
                known = self._agents[agent]
                known.memory = memory
                self._carry_out(self._ledger.sampled(agent, known.incarnation, Sample(memory=memory)))
            now = self.clock.monotonic()
            if now >= self._lease:
                self._lease = now + _LEASE
                self._peers.scheduler.tell(m.IsWorkLeft())
        if self.clock.monotonic() >= self._machine_due:
            self._measure_machine()
        self._look_again()

    def _look_again(self) -> None:
        """Set the clock for the next look, or stop it."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        if self._working and (len(self._watch) or self._unseen):
            self._looking = self.timers.once(self._watch.pause(), _Look())
        elif self._working or not self._ledger.admission.open:
            self._looking = self.timers.once(_MACHINE_EVERY, _Look())

    # The slow rhythm

    @handles(_Sample)
    def _sample_due(self, message: _Sample) -> None:
        self._sample()
        self._sample_again()

    def _sample_again(self) -> None:
        """Set the clock for the next sample, if there are agents. What is due may come from before a restart."""
        if self._sampling is not None:
            self._sampling.cancel()
        self._sampling = self.timers.once(self._config.resource_sample_every, _Sample()) if self._agents else None

    def _sample(self) -> None:
        """Measure the machine and all agents in one pass, and give back memory that was of no use since the last time."""
        tend()
        self._measure_machine()
        pids = {agent: known.pid for agent, known in self._agents.items()}
        usages = self._probe.sample({agent: pid for agent, pid in pids.items() if pid is not None})
        measures = []
        for agent, usage in usages.items():
            known = self._agents[agent]
            known.usage, known.memory = usage, usage.memory
            # The limit is of child processes: the agent itself is none.
            sample = Sample(usage.memory, usage.cpu_percent, usage.open_files, usage.processes - 1)
            self._carry_out(self._ledger.sampled(agent, known.incarnation, sample))
            measures.append(self._measure(agent, known.incarnation, usage))
        if measures:
            self._peers.scheduler.tell(m.AgentsMeasured(measures))

    def _measure(self, agent: str, incarnation: int, usage: Usage) -> m.AgentMeasure:
        limits, machine = self._limits_of(agent), self._state.machine
        cpu = limits.hard_limit("cpu") or 100.0
        memory = limits.hard_limit("memory")
        if memory:
            free_memory = 1.0 - usage.memory / memory
        else:
            free_memory = 1.0 if machine is None else machine.memory_available_share
        return m.AgentMeasure(
            agent,
            incarnation,
            free_cpu=100.0 * max(0.0, 1.0 - usage.cpu_percent / cpu),
            free_memory=100.0 * max(0.0, free_memory),
            inside=self._ledger.inside_limits(agent),
        )

    def _measure_machine(self) -> None:
        machine = self._state.machine = self._probe.machine()
        self._machine_due = self.clock.monotonic() + _MACHINE_EVERY
        shares = MachineShares(
            machine.memory_total,
            machine.memory_available,
            1.0 - machine.cpu_percent / 100.0,
            machine.io_wait_percent / 100.0,
        )
        short_before = self._ledger.admission.short
        for decision in self._ledger.measured(shares):
            self._admit(decision, short_before, machine)  # type: ignore[arg-type]

    # What follows

    def _carry_out(self, decisions: Iterable[LedgerDecision]) -> None:
        for decision in decisions:
            if isinstance(decision, HardBreach):
                self._end(decision)
            elif isinstance(decision, SoftBreach):
                self._warn(decision)

    def _end(self, breach: HardBreach) -> None:
        """End an agent that is over a hard limit: the scheduler hears why before anybody can tell it that it is gone."""
        agent, incarnation, limit, figure, allowed = breach
        known = self._agents[agent]
        growth = self._watch.growth(agent) if limit == "memory" else ()
        self._peers.scheduler.tell(m.LimitBreached(agent, incarnation, limit, figure, allowed, growth))
        # Not by way of the scheduler, which may be in the middle of a long turn: a gigabyte takes less than a second.
        known.handle.kill(
            f"it was over its limit of {limit}: {figure_text(limit, figure)} of {figure_text(limit, allowed)}"
        )
        self._watch.forget(agent)
        exceeded = ResourceLimitExceeded(source=_SOURCE, resource=limit, agent=agent, figure=figure, allowed=allowed)
        self._publish(exceeded)

    def _warn(self, breach: SoftBreach) -> None:
        """Tell an agent that it is over a soft limit; it may ask for more."""
        agent, _, limit, figure, allowed = breach
        self._send(self._agents[agent], ResourceLimit(self._limits_of(agent).to_wire(), (limit, figure)))
        pressure = ResourcePressure(source=_SOURCE, resource=limit, agent=agent, figure=figure, allowed=allowed)
        self._publish(pressure)

    def _admit(self, admission: Admission, short_before: frozenset[str], machine: Machine) -> None:
        """Let new work start or not; say what the machine has become short of, and what it has enough of again."""
        short: frozenset[str] = frozenset(admission.short)
        self._peers.scheduler.tell(m.AdmissionChanged(admission.open, short))
        figures: dict[str, float] = {
            "memory": machine.memory_available_share,
            "cpu": machine.cpu_percent / 100.0,
            "io": machine.io_wait_percent / 100.0,
        }
        for resource in sorted(short - short_before):
            self._publish(ResourcePressure(source=_SOURCE, resource=resource, figure=figures[resource]))
        for resource in sorted(short_before - short):
            self._publish(ResourceAvailable(source=_SOURCE, resource=resource, figure=figures[resource]))
        self._look_again()

    @handles(m.AdjustmentAsked)
    def _asked(self, message: m.AdjustmentAsked) -> None:
        """Grant an agent more, or refuse; it hears the answer, and the limits that it now has."""
        agent, request = message.agent, message.request
        known = self._agents.get(agent)
        answer = self._ledger.asked(agent, message.incarnation, request.limit, request.amount)
        if known is None or answer is None:
            return
        told = AdjustmentAnswer(request.limit, answer.granted, float(answer.allowed), answer.reason)
        self._send(known, told, message.correlation)
        if answer.granted:
            self._limits_changed(agent, known, answer.limits)
        figure = self._ledger.use(agent).get(answer.limit, 0.0)
        pressure = ResourcePressure(
            source=_SOURCE, resource=request.limit, agent=agent, figure=figure, allowed=answer.allowed
        )
        self._publish(pressure)

    @handles(m.SetLimits)
    def _set_limits(self, message: m.SetLimits) -> Limits:
        """Change an agent's limits; its last figures are judged by them at once. An unknown agent is the asker's error."""
        decisions = self._ledger.change(message.agent, message.limits)
        limits = self._limits_of(message.agent)
        self._limits_changed(message.agent, self._agents[message.agent], limits)
        self._carry_out(decisions)
        return limits

    def _limits_changed(self, agent: str, known: _Agent, limits: Limits) -> None:
        self._send(known, ResourceLimit(limits.to_wire(), None))
        self._follow(agent)
        self._look_again()

    # Questions

    @handles(m.HeartbeatReceived)
    def _heartbeat(self, message: m.HeartbeatReceived) -> None:
        beat = message.heartbeat
        known = self._agents.get(beat.agent)
        if known is not None and known.incarnation == beat.incarnation and known.usage is None:
            known.memory = beat.memory_kb * 1024

    @handles(m.GetUsages)
    def _usages(self, message: m.GetUsages) -> ResourceReport:
        if message.fresh:
            self._sample()
        agents = {}
        for agent, known in self._agents.items():
            limits = self._limits_of(agent)
            agents[agent] = AgentResources(agent=agent, limits=limits, usage=known.usage, memory=known.memory)
        admission = self._ledger.admission
        return ResourceReport(
            machine=self._state.machine,
            admitting=admission.open,
            short=frozenset(admission.short),
            agents=agents,
        )

    @handles(m.Ping)
    def _ping(self, message: m.Ping) -> bool:
        return True

    def _limits_of(self, agent: str) -> Limits:
        return self._ledger.limits(agent) or _NO_LIMITS

    def _send(self, known: _Agent, message: Any, correlation: int | None = None) -> None:
        # An agent that is ending does not read any more, and its end is told by its supervisor.
        with contextlib.suppress(ActorsError):
            known.handle.control.send(message, priority=Priority.HIGH, correlation=correlation, sender=_SOURCE)

    def _publish(self, event: Event) -> None:
        if type(event).__name__ in self._peers.wanted:
            self._peers.hub.tell(m.Publish(event))
