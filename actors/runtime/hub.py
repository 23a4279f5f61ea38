"""The hub: who is there, who gets what, who heard it.

It owns the control channels of all agents: what they say of themselves, ask for, and publish comes in here and goes to
whoever it concerns. It also polls the host, which reports the ends of agents.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from actors.errors import ActorsError, AskTimeout, ChannelClosed, DeadLetter
from actors.hosts.serialize import error_of
from actors.kernel.handlers import handles
from actors.kernel.polling import PollingActor
from actors.protocol.messages import (
    AdjustmentRequest,
    AssignmentAck,
    AssignmentRefusal,
    CoordinationRequest,
    ErrorResponse,
    EventMessage,
    Heartbeat,
    Progress,
    Registration,
    Response,
    Result,
    StatusRequest,
    Subscribe,
    Terminated,
    Unsubscribe,
    Watch,
)
from actors.protocol.states import AgentState
from actors.runtime import messages as m
from actors.runtime.agent_links import RECALL, AgentLink
from actors.runtime.endings import agent_died
from actors.runtime.event_desk import EventDesk
from actors.runtime.event_router import EventRouter
from actors.runtime.mail import Asker, Letter, Mail
from actors.runtime.silence import Silence

if TYPE_CHECKING:
    from actors.hosts.host import Host
    from actors.kernel.timers import Timer
    from actors.protocol.messages import Envelope
    from actors.runtime.hub_state import HubState
    from actors.runtime.peers import Peers
    from actors.runtime.requests import AgentRequests

__all__ = ["Hub"]

_log = logging.getLogger("actors.hub")


class _Due(NamedTuple):
    """A deadline has passed, or an agent has been silent for too long."""


class Hub(PollingActor):
    """Registry, routing and events.

    Args:
        state: what outlives a restart.
        host: where agents run; polled here.
        peers: the system's other actors.
        router: who hears which event.
        requests: answers what agents ask of the system.
        cpu_seconds: the processor time that a process has used.
    """

    bears = (ActorsError,)
    repeats = True

    def __init__(
        self,
        state: HubState,
        host: Host,
        peers: Peers,
        router: EventRouter,
        requests: AgentRequests,
        cpu_seconds: Callable[[int], float | None],
    ) -> None:
        super().__init__()
        self._state = state
        self._registry = state.registry
        self._links = state.links
        self._host = host
        self._peers = peers
        self._router = router
        self._requests = requests
        self._mail = Mail(state.mail, state.registry, state.links, router, self.clock, self._kill)
        self._desk = EventDesk(state, peers, router, self._mail, self.clock)
        self._silence = Silence(cpu_seconds)
        self._timer: Timer | None = None
        self._timer_due = 0.0
        self._take: dict[type[Any], Callable[[AgentLink, Any, Envelope], None]] = {
            Registration: self._registration,
            Heartbeat: self._heartbeat,
            CoordinationRequest: self._request,
            Response: self._response,
            ErrorResponse: self._response,
            EventMessage: self._event,
            Subscribe: self._desk.add_agent,
            Unsubscribe: self._desk.remove_agent,
            AdjustmentRequest: self._adjustment,
            Watch: self._watch_agent,
            Terminated: self._terminated,
            Progress: self._for_scheduler,
            Result: self._for_scheduler,
            AssignmentAck: self._for_scheduler,
            AssignmentRefusal: self._for_scheduler,
        }

    def on_start(self) -> None:
        """Watch the host and the control channels, again after a restart."""
        self.descriptors.register(self._host.fileno(), self._host.on_readable)
        for link in self._links:
            self._watch(link)
        if self.incarnation > 1:
            self._say_again()
            self.on_turn_end()

    def on_given_up(self, message: Any, exception: BaseException | None) -> None:
        """A message cannot be handled."""
        if isinstance(message, m.AgentStarting | m.AgentGone | m.ReplacementDropped):
            self.try_again(message)
        elif isinstance(message, m.ControlReceived) and (link := self._links.get(message.agent, message.incarnation)):
            link.taken(message)
            self._kill(link, f"what it sent made the hub fail twice: {exception}")

    def _say_again(self) -> None:
        """After a restart: what the others should have heard, and may not have."""
        self._desk.changed((), ())
        for link in self._links:
            if self._registry.is_ready(link.agent):
                self._tell_ready(link)

    def _tell_ready(self, link: AgentLink) -> None:
        ready = m.AgentReady(link.agent, link.incarnation)
        self._peers.stand_ins.get(link.agent_type, self._peers.scheduler).tell(ready)
        self._peers.supervisors[link.agent_type].tell(ready)

    def on_stop(self) -> None:
        """Nobody who waits stays without an answer."""
        for ask in self._mail.asks.close():
            self._mail.answer(
                ask, DeadLetter(f"the system has ended before {ask.target} answered", recipient=ask.target)
            )

    def on_turn_end(self) -> None:
        """Set the clock for the next deadline."""
        dues = (self._mail.asks.next_due(), self._registry.next_overdue(), self._silence.next_due())
        due = min(filter(None, dues), default=None)
        if due is None:
            return
        if self._timer is None or due < self._timer_due:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_due = due
            self._timer = self.timers.once(max(0.0, due - self.clock.monotonic()) + 0.001, _Due())

    @handles(_Due)
    def _due(self, message: _Due) -> None:
        self._timer = None
        now = self.clock.monotonic()
        for ask in self._mail.asks.due(now):
            self._mail.answer(
                ask,
                AskTimeout(f"{ask.target} did not answer {ask.what} in time", recipient=ask.target, message=ask.what),
            )
        for overdue in self._registry.overdue(now):
            link = self._links.get(overdue.agent, overdue.incarnation)
            if link is not None:
                self._silence.suspect(link, overdue.silence, now)
        for link, verdict in self._silence.judge(now):
            if verdict is None:
                self._registry.set_unresponsive(link.agent, link.incarnation)
            else:
                self._kill(link, verdict)

    # Agents come and go

    @handles(m.AgentStarting)
    def _starting(self, message: m.AgentStarting) -> None:
        handle, now = message.handle, self.clock.monotonic()
        if not self._registry.knows(handle.agent, handle.incarnation):
            self._registry.starting(handle.agent, message.worker_type.name, handle.incarnation, now, message.job)
        known = self._links.get(handle.agent, handle.incarnation)
        link = known or self._links.add(handle, message.worker_type.name)
        self._desk.welcome(link)
        if known is None:
            self._watch(link)

    @handles(m.AgentGone)
    def _gone(self, message: m.AgentGone) -> None:
        agent, incarnation, now = message.agent, message.incarnation, self.clock.monotonic()
        link = self._links.get(agent, incarnation)
        if link is not None:
            told = link.last_words[1]
            # One look gives what came in one piece; there may be several.
            while any(received.envelopes for received in self._receive(link)):
                pass
            told.extend(link.polled)
            link.polled = []
            for received in told:
                self._received(received)
            self.descriptors.unregister(link.control_fd)
            self._links.remove(link)
            self._silence.forget(link)
            link.close_control()
        report, reason = message.report, message.reason
        if link is not None and link.farewell and report.clean:
            # It ended by itself, and has said why.
            reason = link.farewell
        if message.replaced:
            self._state.reasons[agent] = reason
        departure = self._registry.gone(agent, incarnation, now, replaced=message.replaced)
        if self._peers.sync is not None:  # after all that it has asked for
            self._peers.sync.tell(message)
        error = agent_died(message.report, message.agent_type)
        for ask in self._mail.asks.target_gone(agent, incarnation):
            self._mail.answer(ask, error)
        self._desk.agent_gone(agent)
        for watcher in departure.watchers if departure is not None else ():
            watching = self._links.get(watcher)
            if watching is not None:
                self._mail.send(watching, Terminated(agent, incarnation, reason, None))
        self._desk.tell_gone(message, reason)

    @handles(m.ReplacementDropped)
    def _dropped(self, message: m.ReplacementDropped) -> None:
        self._registry.gone(message.agent, message.incarnation, self.clock.monotonic())

    def _registration(self, link: AgentLink, message: Registration, envelope: Envelope) -> None:
        if not self._registry.register(message, self.clock.monotonic()):
            _log.warning("%s registered as %s, which it is not", link.agent, message.agent)

    def _heartbeat(self, link: AgentLink, message: Heartbeat, envelope: Envelope) -> None:
        registry = self._registry
        was_ready = registry.is_ready(link.agent)
        previous = registry.heartbeat(message, self.clock.monotonic())
        self._peers.resources.tell(m.HeartbeatReceived(message))
        if envelope.correlation is not None:
            self._mail.settle(envelope.correlation, link, message)
        if previous is None or was_ready or not registry.is_ready(link.agent):
            return
        self._desk.catch_up(link, lambda: self._tell_ready(link))
        self._desk.tell_ready(link)

    def _terminated(self, link: AgentLink, message: Terminated, envelope: Envelope) -> None:
        link.farewell = message.reason
        if message.failure is not None:
            failed = m.StartFailed(link.agent, link.incarnation, message.failure)
            self._peers.supervisors[link.agent_type].tell(failed)

    def _watch_agent(self, link: AgentLink, message: Watch, envelope: Envelope) -> None:
        if not self._registry.watch(link.agent, message.target):
            self._mail.send(link, Terminated(message.target, 0, "there is no such agent", None))

    def _kill(self, link: AgentLink, reason: str) -> None:
        self._peers.supervisors[link.agent_type].tell(m.KillAgent(link.agent, link.incarnation, reason))

    # What agents say

    def _watch(self, link: AgentLink) -> None:
        link.watch_control(self.descriptors, partial(self._receive, link))

    def _receive(self, link: AgentLink) -> Iterator[m.ControlReceived]:
        """What has come from an agent. Its end is not told by its channel but by its host, which knows why."""
        try:
            # In one step: what has been read must not be lost by a failure here.
            yield link.keep(m.ControlReceived(link.agent, link.incarnation, link.handle.control.receive(0), None))
        except ChannelClosed:
            self.descriptors.unregister(link.control_fd)
        except ActorsError as error:
            self.descriptors.unregister(link.control_fd)
            broken = f"it sent what cannot be read: {error}"
            yield link.keep(m.ControlReceived(link.agent, link.incarnation, [], broken))

    @handles(m.ControlReceived)
    def _received(self, message: m.ControlReceived) -> None:
        link = self._links.get(message.agent, message.incarnation)
        if link is None:
            return
        if message.broken is not None:
            self._kill(link, message.broken)
        waiting = message.envelopes
        while waiting:
            envelope = waiting[0]
            if isinstance(envelope.message, CoordinationRequest | AdjustmentRequest):
                # Not twice, even after a failure: what it asks for may have been done. It is answered with the error.
                del waiting[0]
            take = self._take.get(type(envelope.message))
            if take is None:
                _log.warning("%s sent a %s, which no agent sends", link.agent, type(envelope.message).__name__)
                del waiting[0]
                continue
            try:
                take(link, envelope.message, envelope)
            except (TypeError, ValueError, KeyError) as error:
                # What an agent says is judged, and never harms the hub.
                _log.warning(
                    "%s sent a %s that makes no sense", link.agent, type(envelope.message).__name__, exc_info=error
                )
                self._kill(link, f"it sent a {type(envelope.message).__name__} that makes no sense: {error}")
            except Exception as error:
                if isinstance(envelope.message, CoordinationRequest | AdjustmentRequest):
                    self._requests.fail(link, envelope.correlation, error)
                raise
            if waiting and waiting[0] is envelope:
                del waiting[0]
        link.taken(message)

    def _for_scheduler(self, link: AgentLink, message: Any, envelope: Envelope) -> None:
        self._peers.scheduler.tell(m.TaskReceived(link.agent, link.incarnation, [envelope], None))

    def _adjustment(self, link: AgentLink, message: AdjustmentRequest, envelope: Envelope) -> None:
        asked = m.AdjustmentAsked(link.agent, link.incarnation, message, envelope.correlation)
        self._peers.resources.tell(asked)

    def _request(self, link: AgentLink, message: CoordinationRequest, envelope: Envelope) -> None:
        if not self._mail.pass_on(link, message, envelope):
            self._requests.take(link, message, envelope.correlation)

    # Messages to agents

    @handles(m.SendToAgents)
    def _send_to_agents(self, message: m.SendToAgents) -> None:
        reply = self.defer() if message.timeout is not None else None
        deadline = None if message.timeout is None else self.clock.monotonic() + message.timeout
        letter = Letter(CoordinationRequest("message", message.payload), message.what, "program", message.priority)
        for recipient in message.recipients:
            self._mail.route(recipient, letter, Asker(reply), deadline)

    @handles(m.AskStatus)
    def _ask_status(self, message: m.AskStatus) -> None:
        until = self.clock.monotonic() + message.timeout
        self._mail.route(message.agent, Letter(StatusRequest(), "StatusRequest", "program"), Asker(self.defer()), until)

    def _response(self, link: AgentLink, message: Response | ErrorResponse, envelope: Envelope) -> None:
        if envelope.correlation == RECALL:
            self._for_scheduler(link, message, envelope)
        elif envelope.correlation is None:
            # A refusal of something that nobody waits for.
            if isinstance(message, ErrorResponse):
                _log.warning("%s refused a message: %s", link.agent, error_of(message.failure))
        else:
            self._mail.settle(envelope.correlation, link, message)

    # Events

    @handles(m.Publish)
    def _publish(self, message: m.Publish) -> None:
        self._router.publish(message.event, message.message, once=message)

    @handles(m.AddListener)
    def _add_listener(self, message: m.AddListener) -> None:
        """The answer comes when the agents know, so that what they publish from then on is heard."""
        reply = self.defer()
        self._desk.add_listener(message.listener, lambda: reply.set(None))

    @handles(m.RemoveListener)
    def _remove_listener(self, message: m.RemoveListener) -> None:
        self._desk.remove_listener(message.listener)

    def _event(self, link: AgentLink, message: EventMessage, envelope: Envelope) -> None:
        self._router.publish_from(link.agent, message)

    # Questions of the program

    @handles(m.ListAgents)
    def _list_agents(self, message: m.ListAgents) -> Any:
        """All agents, with the state that their status blocks show at this moment."""
        found = []
        for status in self._registry.statuses(self.clock.monotonic()):
            link = self._links.get(status.agent, status.incarnation)
            if link is None or not self._registry.is_ready(status.agent):
                found.append(status)
                continue
            block = link.handle.status.read()
            task = None if block.running is None else block.running[0]
            found.append(replace(status, state=AgentState(block.state), task=task, tasks_done=block.done))
        return found

    @handles(m.JobChanged)
    def _job_changed(self, message: m.JobChanged) -> None:
        change = self._registry.joins if message.joined else self._registry.leaves
        change(message.agent, message.job, message.incarnation)

    @handles(m.Ping)
    def _ping(self, message: m.Ping) -> bool:
        return True
