"""The hub's desk for events: who begins and ceases to listen, and who has to know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

from actors.core.asks import Ask
from actors.protocol.events import AgentRegistered, AgentRestarted, AgentTerminated
from actors.protocol.messages import HUB, Response, Subscribe, Unsubscribe
from actors.runtime import messages as m
from actors.runtime.mail import Asker

if TYPE_CHECKING:
    from actors.kernel.clock import Clock
    from actors.protocol.messages import Envelope
    from actors.runtime.agent_links import AgentLink
    from actors.runtime.event_router import EventRouter, Listener
    from actors.runtime.hub_state import HubState
    from actors.runtime.mail import Mail
    from actors.runtime.peers import Peers

__all__ = ["EventDesk"]


class EventDesk:
    """Works for the hub, in its turn.

    Args:
        state: what outlives a restart of the hub.
        peers: the scheduler, which makes most events.
        router: who hears which event.
        mail: writes to agents.
        clock: for the times of events.
    """

    def __init__(self, state: HubState, peers: Peers, router: EventRouter, mail: Mail, clock: Clock) -> None:
        self._state = state
        self._registry = state.registry
        self._links = state.links
        self._peers = peers
        self._router = router
        self._mail = mail
        self._clock = clock
        # Names of which the agents have been told and have not all acknowledged it.
        self._spreading: Counter[str] = Counter()

    # Who listens

    def welcome(self, link: AgentLink) -> None:
        """An agent has come that may have been described before the last of these began to listen."""
        if self._router.interest:
            self._tell(link, self._router.interest)

    def catch_up(self, link: AgentLink, done: Callable[[], object]) -> None:
        """An agent is idle for the first time; `done` is called when it knows who listens, so that its tasks do."""
        if not link.behind:
            done()
            return
        link.behind = False

        def caught_up() -> None:
            if self._links.get(link.agent, link.incarnation) is link:
                done()

        self._mail.announce([link], Subscribe(tuple(sorted(self._router.interest)), "global"), caught_up)

    def _tell(self, link: AgentLink, names: Iterable[str]) -> None:
        """Tell an agent that somebody listens, and wait for nothing."""
        link.behind = link.behind or not self._registry.is_ready(link.agent)
        self._mail.send(link, Subscribe(tuple(sorted(names)), "global"))

    def add_listener(self, listener: Listener, done: Callable[[], object]) -> None:
        """The program listens; `done` is called when the agents know, so that what they publish then is heard."""
        names = self._router.names_of(listener)
        self._spread(names, self._router.add(listener), None, done)

    def remove_listener(self, listener: Listener) -> None:
        """The program listens no more."""
        self.changed((), self._router.remove(listener))

    def add_agent(self, link: AgentLink, message: Subscribe, envelope: Envelope) -> None:
        """An agent listens; it is answered, if it waits, when all others know."""

        def done() -> None:
            if envelope.correlation is not None:
                asker = Asker(None, link.agent, link.incarnation, envelope.correlation)
                self._mail.answer(Ask(0, HUB, None, asker, None, "Subscribe"), Response(None))

        self._spread(message.kinds, self._router.add_agent(link.agent, message), link, done)

    def remove_agent(self, link: AgentLink, message: Unsubscribe, envelope: Envelope) -> None:
        """An agent listens no more."""
        del envelope
        self.changed((), self._router.remove_agent(link.agent, message))

    def agent_gone(self, agent: str) -> None:
        """An agent has ended."""
        self.changed((), self._router.agent_gone(agent))

    def _spread(
        self, names: Iterable[str], new: Collection[str], own: AgentLink | None, done: Callable[[], object]
    ) -> None:
        """Somebody listens to these names, of which some are new: tell all agents, and call `done` when they know."""
        # Also those on their way for somebody else: not all agents may know of them yet.
        told = tuple(sorted({*new, *(name for name in names if self._spreading[name])}))
        ready = (
            [link for link in self._links if link is not own and self._registry.is_ready(link.agent)] if told else []
        )
        self.changed(new, (), told=ready)
        if not ready:
            done()
            return
        self._spreading.update(told)

        def spread() -> None:
            self._spreading.subtract(told)
            done()

        self._mail.announce(ready, Subscribe(told, "global"), spread)

    def changed(self, new: Collection[str], gone: Collection[str], told: Collection[AgentLink] = ()) -> None:
        """Tell the scheduler and the agents which events somebody listens to, so that no other is made.

        Args:
            new: names that somebody listens to now.
            gone: names that nobody listens to any more.
            told: agents that hear of `new` otherwise.
        """
        self._peers.interest = self._router.interest
        self._peers.agents_interest = self._router.agents_interest()
        self._peers.straight = self._router.straight()
        wanted = self._router.wanted()
        if wanted != self._peers.wanted:
            self._peers.wanted = wanted
            # Before whoever subscribed goes on, and so before any work that they hand in then.
            self._peers.scheduler.tell(m.InterestChanged(wanted))
        for link in self._links:
            if new and link not in told:
                self._tell(link, new)
            if gone:
                self._mail.send(link, Unsubscribe(tuple(sorted(gone)), "global"))

    # What the hub itself has to tell

    def tell_ready(self, link: AgentLink) -> None:
        """An agent is idle for the first time in its incarnation."""
        reason = self._state.reasons.pop(link.agent, "")
        kind = AgentRegistered if link.incarnation == 1 else AgentRestarted
        if self._router.wants(kind):
            what: dict[str, Any] = {"pid": link.handle.pid or 0} if kind is AgentRegistered else {"reason": reason}
            self._router.publish(
                kind(
                    source="hub",
                    time=self._clock.utc(),
                    agent=link.agent,
                    type=link.agent_type,
                    incarnation=link.incarnation,
                    **what,
                )
            )

    def tell_gone(self, message: m.AgentGone, reason: str) -> None:
        """An agent has ended."""
        if self._router.wants(AgentTerminated):
            self._router.publish(
                AgentTerminated(
                    source="hub",
                    time=self._clock.utc(),
                    agent=message.agent,
                    type=message.agent_type,
                    incarnation=message.incarnation,
                    reason=reason,
                    exit_code=message.report.exit_code,
                    signal=message.report.signal,
                ),
                once=message,
            )
