"""The supervisor of the agents of one worker type: starts them, ends them, replaces those that die.

What to do after a death is decided by the pure supervision plan. This actor launches processes, carries orders to
end to them step by step (ask, SIGTERM, SIGKILL), and tells the scheduler and the hub who comes and who has gone.
"""

from __future__ import annotations

import contextlib
import logging
import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from actors.core.children import ChildSpec, ChildStatus, Intensity
from actors.core.retry import Backoff
from actors.core.supervision import SupervisionPlan
from actors.core.supervisionactions import Drop, Escalate, Later, Start, Stop
from actors.errors import ActorsError, AgentDied, ChannelClosed, ConfigError
from actors.hosts.serialize import error_of
from actors.kernel.actor import Actor
from actors.kernel.handlers import handles
from actors.protocol.messages import Failure, Shutdown
from actors.runtime import messages as m
from actors.runtime.agent_child import Child, SupervisorState
from actors.runtime.endings import agent_died, took_work
from actors.runtime.launching import launch_spec

if TYPE_CHECKING:
    from actors.config import SystemConfig
    from actors.hosts.exitreport import ExitReport
    from actors.hosts.host import Host
    from actors.kernel.reply import Reply
    from actors.runtime.peers import Peers
    from actors.runtime.worker_type import WorkerType
    from actors.runtime.workspaces import Workspaces

__all__ = ["AgentSupervisor"]

_log = logging.getLogger("actors.agents")

_TERM_TO_KILL = 2.0


class _Overdue(NamedTuple):
    """An agent has not become idle in its time."""

    agent: str
    incarnation: int


class _Harder(NamedTuple):
    """An agent that was asked to end has not: the next step is a signal."""

    agent: str
    incarnation: int
    signum: int


class _PlanDue(NamedTuple):
    """A restart that had to wait may go on."""


class AgentSupervisor(Actor):
    """Keeps the agents of one type alive.

    Args:
        worker_type: what the agents run.
        config: the system's configuration.
        host: where they run.
        peers: the system's other actors.
        workspaces: gives each agent its directory.
        rng: how long to wait between tries.
        state: what outlives a restart.
    """

    waits_for_room = False

    def __init__(
        self,
        worker_type: WorkerType,
        config: SystemConfig,
        host: Host,
        peers: Peers,
        workspaces: Workspaces,
        rng: Any,
        state: SupervisorState,
    ) -> None:
        super().__init__()
        self._type = worker_type
        self._config = config
        self._host = host
        self._peers = peers
        self._workspaces = workspaces
        self._rng = rng
        self._all_gone: list[Reply[bool]] = []
        self._state = state

    def on_start(self) -> None:
        """After a restart: timers end with an incarnation, so those that are still wanted are set again."""
        now = self.clock.monotonic()
        for child in self._state.children.values():
            if child.timer is not None:
                child.timer = self.timers.once(child.timer.due - now, child.timer.message)
        due = None if self._state.plan is None else self._state.plan.next_due()
        if due is not None:
            self.timers.once(due - now, _PlanDue())

    @property
    def _plan(self) -> SupervisionPlan:
        """The plan; a new one after the last has given up, so that a further request is a further try."""
        plan, config = self._state.plan, self._config
        if plan is None or (plan.ending and not self._state.children):
            plan = self._state.plan = SupervisionPlan(
                (),
                rng=self._rng,
                intensity=Intensity(config.restart_intensity, config.restart_period),
                backoff=Backoff(config.backoff_first, limit=config.backoff_limit),
                counted="failed_starts",
                parallel=True,
            )
        return plan

    # What it is asked for

    @handles(m.SpawnAgent)
    def _spawn(self, message: m.SpawnAgent) -> None:
        state = self._state
        if state.stopping is not None:
            self._peers.scheduler.tell(m.SpawnFailed(self._type.name))
            return
        # First: with a child in the book, a plan that has given up would not be replaced.
        plan = self._plan
        if plan.ending:
            # A refusal would let the scheduler ask again at once, and so on until the last has ended.
            state.wanted.append(message)
            return
        agent = self._free_id()
        config = self._type.config.merged(message.config)
        restart = message.restart or state.restart
        state.children[agent] = Child(config, message.job or config.job, message.reply, restart)
        self._carry_out(plan.add(ChildSpec(agent, restart), self.clock.monotonic()))

    def _spawn_wanted(self) -> None:
        wanted, self._state.wanted = self._state.wanted, []
        for each in wanted:
            self._spawn(each)

    def _free_id(self) -> str:
        number = 1
        while f"{self._type.name}-{number}" in self._state.children:
            number += 1
        return f"{self._type.name}-{number}"

    @handles(m.Resize)
    def _resize(self, message: m.Resize) -> None:
        self._type = message.worker_type

    @handles(m.Ping)
    def _ping(self, message: m.Ping) -> bool:
        return True

    @handles(m.TerminateAgent)
    def _terminate(self, message: m.TerminateAgent) -> None:
        child = self._state.children.get(message.agent)
        if child is None:
            known = ", ".join(sorted(self._state.children)) or "none"
            raise ConfigError(
                f"there is no agent {message.agent!r}; of this type there are: {known}",
                key="agent",
                value=message.agent,
                allowed=known,
            )
        child.waiters.append(self.defer())
        self._end(message.agent, child, message.timeout, message.reason, replace=message.replace)

    @handles(m.RetireAgent)
    def _retire(self, message: m.RetireAgent) -> None:
        child = self._present(message.agent, message.incarnation)
        if child is not None:
            self._end(message.agent, child, child.config.grace, "idle and not needed", replace=False)

    @handles(m.KillAgent)
    def _kill(self, message: m.KillAgent) -> None:
        child = self._present(message.agent, message.incarnation)
        if child is not None and child.handle is not None:
            child.handle.kill(message.reason)

    @handles(m.StopAgents)
    def _stop_agents(self, message: m.StopAgents) -> None:
        """End all agents; the answer comes when the last has gone."""
        state = self._state
        state.stopping = message.reason
        self._spawn_wanted()
        self._all_gone.append(self.defer())
        for agent, child in list(state.children.items()):
            self._end(agent, child, message.timeout, message.reason, replace=False)
        self._tell_if_all_gone()

    # What it hears

    @handles(m.AgentReady)
    def _ready(self, message: m.AgentReady) -> None:
        child = self._present(message.agent, message.incarnation)
        if child is None or child.ready:
            return
        child.ready, child.started = True, child.incarnation
        if child.ending is None:
            child.stop_timer()
        self._carry_out(self._plan.started(message.agent, self.clock.monotonic()))
        if child.spawned is not None:
            child.spawned.set(message.agent)
            child.spawned = None

    @handles(m.StartFailed)
    def _start_failed(self, message: m.StartFailed) -> None:
        child = self._present(message.agent, message.incarnation)
        if child is not None:
            child.failure = error_of(Failure(*message.failure))

    @handles(_Overdue)
    def _overdue(self, message: _Overdue) -> None:
        child = self._present(message.agent, message.incarnation)
        if child is not None and not child.ready and child.handle is not None:
            child.timer = None
            child.handle.kill(f"it was not idle within {child.config.start_timeout:g} s of its start (start_timeout)")

    @handles(_Harder)
    def _harder(self, message: _Harder) -> None:
        child = self._present(message.agent, message.incarnation)
        if child is None or child.handle is None:
            return
        if message.signum == signal.SIGTERM:
            child.handle.signal(signal.SIGTERM)
            child.timer = self.timers.once(_TERM_TO_KILL, message._replace(signum=signal.SIGKILL))
        else:
            child.timer = None
            child.handle.kill(child.ending or "it did not end when asked to")

    @handles(_PlanDue)
    def _plan_due(self, message: _PlanDue) -> None:
        self._carry_out(self._plan.due(self.clock.monotonic()))

    @handles(m.AgentExited)
    def _exited(self, message: m.AgentExited) -> None:
        report, state, now = message.report, self._state, self.clock.monotonic()
        child = self._present(report.agent, report.incarnation)
        if child is None:
            return
        agent = report.agent
        child.stop_timer()
        self._remove_workspace(child)
        expected = child.ending is not None or report.clean
        returns = child.restart == "permanent" or (child.restart == "transient" and not expected)
        replace = (child.ending is None or child.replace) and state.stopping is None and returns
        if took_work(report):
            # Whatever its end was for, its start was none of it, even if word of its readiness is still under way.
            child.started = child.incarnation
            self._plan.started(agent, now)
            self._plan.progressed(agent)
        error = self._death_of(child, report)
        if not expected:
            _log.warning("%s", error)
        actions = self._plan.exited(agent, "shutdown" if expected else "failure", now, str(error))
        if child.ending is not None and replace and not self._plan.ending:
            # It was taken out of the plan when it was asked to end.
            actions += self._plan.restart(agent, now)
        elif not replace and self._plan.status(agent) is ChildStatus.DOWN:
            self._plan.remove(agent)
        dropped = any(
            isinstance(each, Escalate) or (isinstance(each, Drop) and each.child == agent) for each in actions
        )
        replaced = replace and not dropped
        gone = m.AgentGone(
            agent,
            report.incarnation,
            self._type.name,
            report,
            child.ending or report.reason or report.cause,
            expected,
            replaced,
        )
        self._tell_gone(gone, [each.why for each in actions if isinstance(each, Escalate)], error)
        child.handle, child.ready, child.ending, child.replace = None, False, None, False
        for waiter in child.waiters:
            waiter.set(True)
        child.waiters.clear()
        if not replaced:
            del state.children[agent]
            if child.spawned is not None:
                child.spawned.fail(error)
        self._carry_out(actions, error, told=True)
        if not state.children:
            self._spawn_wanted()
        self._tell_if_all_gone()

    # How it does it

    def _tell_gone(self, gone: m.AgentGone, given_up: list[str], error: BaseException) -> None:
        """Tell of an agent's end, and that its type is given up, if it is for these reasons."""
        for peer in (self._peers.hub, self._peers.resources):
            peer.tell(gone)
        for why in given_up:
            # Before word of the end: the scheduler might ask for another one in its place.
            self._peers.scheduler.tell(m.TypeFailed(self._type.name, self._gave_up(why, error)))
        self._peers.scheduler.tell(gone)

    def _carry_out(self, actions: Iterable[Any], error: BaseException | None = None, *, told: bool = False) -> None:
        """Do what the plan says; `told`: the scheduler knows already if that is to give up the type."""
        now = self.clock.monotonic()
        for action in actions:
            if isinstance(action, Start):
                for agent in action.children:
                    self._launch(agent, now)
            elif isinstance(action, Later):
                self.timers.once(action.delay, _PlanDue())
            elif isinstance(action, Stop):
                self._stop(action.children)
            elif isinstance(action, Escalate):
                self._escalate(self._gave_up(action.why, error), told=told)

    def _stop(self, agents: Iterable[str]) -> None:
        """End agents with the plan that gives them up. What was asked to end is on its way already."""
        for agent in agents:
            child = self._state.children.get(agent)
            if child is not None and child.ending is None:
                self._end(agent, child, child.config.grace, "agents of its type are given up", replace=False)

    def _escalate(self, failed: AgentDied, *, told: bool) -> None:
        gone = [(agent, child) for agent, child in self._state.children.items() if child.handle is None]
        self._drop([(agent, child, child.incarnation) for agent, child in gone], failed, of_type=not told)

    def _launch(self, agent: str, now: float) -> None:
        state = self._state
        child = state.children[agent]
        child.incarnation = state.incarnations[agent] = state.incarnations.get(agent, 0) + 1
        child.failure = None
        config = child.config
        try:
            child.workspace = self._workspaces.make(agent, child.incarnation)
            spec = launch_spec(agent, child, self._type, self._config, self._peers.interest, self._peers.system)
            me = self.actor_ref
            handle = self._host.launch(spec, lambda report: me.tell(m.AgentExited(report)))
        except (ActorsError, OSError) as error:
            self._remove_workspace(child)
            self._could_not_launch(agent, child, error, now)
            return
        child.handle = handle
        child.announced = True
        starting = m.AgentStarting(handle, self._type, config, child.job)
        # The scheduler first: the hub reads what the agent says, and then tells the scheduler that it is ready.
        for peer in (self._peers.scheduler, self._peers.resources, self._peers.hub):
            peer.tell(starting)
        child.timer = self.timers.once(config.start_timeout, _Overdue(agent, child.incarnation))

    def _could_not_launch(self, agent: str, child: Child, error: BaseException, now: float) -> None:
        """Nothing that waiting could mend: the worker or its configuration cannot be sent, or the disk is full."""
        failed = self._gave_up(str(error), error)
        if child.spawned is not None:
            child.spawned.fail(error)
            child.spawned = None
        self._drop([(agent, child, child.incarnation - 1)], failed, of_type=True)
        plan = self._state.plan
        if not self._state.children:
            self._state.plan = None
        elif plan is not None and plan.status(agent) is not None:
            # As one that was asked to end: a start that failed would be tried again.
            plan.terminate(agent, now)
            plan.exited(agent, "shutdown", now, str(error))
            plan.remove(agent)

    def _gave_up(self, why: str, cause: BaseException | None) -> AgentDied:
        """The error that says that agents of this type cannot be started."""
        text = f"agents of type {self._type.name!r} cannot be started: {why}"
        error = AgentDied(text, agent_type=self._type.name, reason=why)
        error.__cause__ = cause.__cause__ if isinstance(cause, AgentDied) and cause.__cause__ is not None else cause
        return error

    def _drop(self, gone: list[tuple[str, Child, int]], error: AgentDied, *, of_type: bool) -> None:
        """Forget agents that have no process; the number is the last incarnation that had one.

        Whoever hears from the scheduler that the type has failed finds them gone at the hub. And the scheduler hears of
        that before it hears who will not come, or it might ask for further ones in their place.
        """
        scheduler, hub, kind = self._peers.scheduler, self._peers.hub, self._type.name
        dropped = [m.ReplacementDropped(agent, incarnation, kind, error) for agent, _, incarnation in gone]
        for each in dropped:
            hub.tell(each)
        if of_type:
            scheduler.tell(m.TypeFailed(kind, error))
        for (agent, child, _), each in zip(gone, dropped, strict=True):
            del self._state.children[agent]
            if not child.announced:
                scheduler.tell(m.SpawnFailed(kind))
            scheduler.tell(each)
            for waiter in child.waiters:
                waiter.set(True)
            if child.spawned is not None:
                child.spawned.fail(error)

    def _end(self, agent: str, child: Child, timeout: float, reason: str, *, replace: bool) -> None:
        """Begin to end an agent, or to end it sooner than it was going to."""
        first = child.ending is None
        child.ending, child.replace = reason, replace
        handle = child.handle
        if first:
            self._carry_out(self._plan.terminate(agent, self.clock.monotonic()))
        if handle is None:
            self._end_waiting(agent, child)
            return
        self._peers.scheduler.tell(m.DrainAgent(agent))
        if not child.ready:
            # It has no task that could be let finish, and its start is wanted by nobody.
            timeout = 0.0
        with contextlib.suppress(ChannelClosed):
            handle.control.send(Shutdown(reason, timeout))
        child.stop_timer()
        wait = timeout + child.config.grace
        child.timer = self.timers.once(wait, _Harder(agent, child.incarnation, signal.SIGTERM))

    def _end_waiting(self, agent: str, child: Child) -> None:
        """End an agent that waits for its next try: there is no process."""
        self._plan.remove(agent)
        ended = AgentDied(f"agent {agent} was ended before it had started", agent_id=agent)
        self._drop([(agent, child, child.incarnation)], ended, of_type=False)

    def _present(self, agent: str, incarnation: int) -> Child | None:
        child = self._state.children.get(agent)
        return child if child is not None and child.incarnation == incarnation and child.handle is not None else None

    def _death_of(self, child: Child, report: ExitReport) -> BaseException:
        error = agent_died(report, self._type.name)
        if child.failure is not None:
            error.__cause__ = child.failure
            error.args = (f"{report.agent} failed to start: {type(child.failure).__name__}: {child.failure}",)
        return error

    def _tell_if_all_gone(self) -> None:
        if self._state.stopping is not None and not self._state.children:
            for reply in self._all_gone:
                reply.set(True)
            self._all_gone.clear()

    def _remove_workspace(self, child: Child) -> None:
        if child.workspace:
            self._workspaces.remove(child.workspace)
            child.workspace = ""
