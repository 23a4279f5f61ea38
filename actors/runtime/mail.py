"""Messages to agents, and the answers to them: each request ends exactly once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from actors.core.asks import Ask, PendingAsks
from actors.errors import ActorsError, ChannelClosed, ConfigError, DeadLetter
from actors.hosts.serialize import dumps, error_of, failure_of
from actors.kernel.clock import Clock
from actors.protocol.events import DeadLetterFound
from actors.protocol.messages import CoordinationRequest, ErrorResponse, Heartbeat, Priority, Response, StatusRequest
from actors.runtime.agent_links import RECALL, AgentLink, AgentLinks

if TYPE_CHECKING:
    from actors.core.registry import Registry
    from actors.kernel.reply import Reply
    from actors.protocol.messages import Envelope
    from actors.runtime.event_router import EventRouter

__all__ = ["Asker", "Letter", "Mail", "MailState"]

_ACKNOWLEDGED_WITHIN = 1.0
"""Seconds: an agent in code that holds the interpreter does not hold up others for longer."""


class _All:
    """Goes on when several agents have each answered, have ended, or have had their time."""

    __slots__ = ("_done", "_left")

    def __init__(self, done: Callable[[], object], count: int) -> None:
        self._done = done
        self._left = count

    def set(self, _: Any = None) -> None:
        self._left -= 1
        if not self._left:
            self._done()

    def fail(self, _: BaseException) -> None:
        self.set()


class Asker(NamedTuple):
    """Who waits for an agent's answer: an actor of the program, or another agent with a correlation of its own."""

    reply: Reply[Any] | _All | None
    agent: str = ""
    incarnation: int = 0
    correlation: int | None = None


class Letter(NamedTuple):
    """A message for agents, what to call it in texts, who sends it, and how urgent it is (0: as is usual)."""

    message: Any
    what: str
    sender: str
    priority: int = 0


class MailState:
    """What outlives a restart of the hub."""

    def __init__(self) -> None:
        self.asks: PendingAsks[Asker] = PendingAsks()
        self.numbers = itertools.count(RECALL + 1)


class Mail:
    """Sends for the hub, in its turn, and keeps the book of who waits for an answer.

    Args:
        state: who waits.
        registry: knows whom a recipient means.
        links: the agents' channels.
        router: is told of dead letters.
        clock: for deadlines.
        kill: ends an agent that cannot be written to, for a reason.
    """

    def __init__(
        self,
        state: MailState,
        registry: Registry,
        links: AgentLinks,
        router: EventRouter,
        clock: Clock,
        kill: Callable[[AgentLink, str], None],
    ) -> None:
        self.asks = state.asks
        self._numbers = state.numbers
        self._registry = registry
        self._links = links
        self._router = router
        self._clock = clock
        self._kill = kill

    def route(self, recipient: str, letter: Letter, asker: Asker, deadline: float | None) -> None:
        """Send a message to whom it is for; a request is answered in every case, and is for one agent."""
        wants_answer = asker.reply is not None or asker.correlation is not None
        group = self._registry.is_group(recipient)
        links = [link for link in map(self._links.get, self._registry.resolve(recipient)) if link is not None]
        error: ActorsError | None = None
        if wants_answer and group:
            error = ConfigError(
                f"ask is for one agent, and {recipient!r} means several: use tell, or ask each of agents()",
                key="recipient",
                value=recipient,
            )
        elif not links and not group:
            self._dead_letter(recipient, letter)
            what = f"there is no agent {recipient!r} to take {letter.what}"
            error = DeadLetter(what, recipient=recipient, message=letter.what)
        if error is not None:
            if wants_answer:
                self.answer(Ask(0, recipient, None, asker, None, letter.what), error)
            return
        for link in links:
            correlation = None
            if wants_answer:
                correlation = next(self._numbers)
                self.asks.add(correlation, link.agent, deadline, asker, incarnation=link.incarnation, what=letter.what)
            priority = letter.priority or (Priority.HIGH if wants_answer else Priority.NORMAL)
            about = {"correlation": correlation, "deadline": deadline, "sender": letter.sender, "priority": priority}
            self.send(link, letter.message, **about)

    def pass_on(self, link: AgentLink, message: CoordinationRequest, envelope: Envelope) -> bool:
        """Route what an agent sends to others. False if its request is for the system."""
        asker = Asker(None, link.agent, link.incarnation, envelope.correlation)
        if message.topic == "message":
            letter = Letter(message, "a message", link.agent, envelope.priority)
            self.route(envelope.recipient, letter, asker, envelope.deadline)
        elif message.topic == "messages":
            # One message for many, which has come in one go.
            recipients, payload = message.data
            letter = Letter(CoordinationRequest("message", payload), "a message", link.agent, envelope.priority)
            for recipient in recipients:
                self.route(recipient, letter, Asker(None), None)
        elif message.topic == "status_of":
            self.route(message.data, Letter(StatusRequest(), "StatusRequest", link.agent), asker, envelope.deadline)
        else:
            return False
        return True

    def announce(self, links: Sequence[AgentLink], message: Any, done: Callable[[], object]) -> None:
        """Send a message to agents and call `done` when all know it; one that is silent for a second is left."""
        asker = Asker(_All(done, len(links)))
        deadline = self._clock.monotonic() + _ACKNOWLEDGED_WITHIN
        for link in links:
            correlation = next(self._numbers)
            what = type(message).__name__
            self.asks.add(correlation, link.agent, deadline, asker, incarnation=link.incarnation, what=what)
            self.send(link, message, correlation=correlation)

    def settle(self, correlation: int, link: AgentLink, message: Any) -> None:
        """An agent has answered a request; one that nobody waits for any more is overlooked."""
        ask = self.asks.answered(correlation, link.agent)
        if ask is not None:
            self.answer(ask, message)

    def answer(self, ask: Ask[Asker], answer: Any) -> None:
        """End a request: by a response, an error response, a heartbeat, or an error of our own."""
        reply, agent, incarnation, correlation = ask.waiter
        if reply is not None:
            if isinstance(answer, BaseException):
                reply.fail(answer)
            elif isinstance(answer, ErrorResponse):
                reply.fail(error_of(answer.failure))
            elif isinstance(answer, Heartbeat):
                reply.set(self._registry.status(answer.agent, self._clock.monotonic()))
            else:
                reply.set(answer.data)
            return
        link = self._links.get(agent, incarnation)
        if link is not None and correlation is not None:
            if isinstance(answer, BaseException):
                answer = ErrorResponse(tuple(failure_of(answer)))
            elif isinstance(answer, Heartbeat):
                status = self._registry.status(answer.agent, self._clock.monotonic())
                answer = Response(dumps(status, f"the status of {answer.agent}"))
            self.send(link, answer, correlation=correlation, sender=ask.target)

    def _dead_letter(self, recipient: str, letter: Letter) -> None:
        now, what, sender = self._clock.utc(), letter.what, letter.sender
        self._registry.dead_letter(recipient, what, sender, now)
        if self._router.wants(DeadLetterFound):
            lost = DeadLetterFound(source="hub", time=now, recipient=recipient, message=what, sender=sender)
            self._router.publish(lost)

    def send(self, link: AgentLink, message: Any, **about: Any) -> None:
        """Write to an agent. One that has gone is told of by its end, one that cannot be written to is ended."""
        try:
            link.handle.control.send(message, **{"sender": "hub", **about})
        except ChannelClosed:
            return
        except ActorsError as error:
            self._kill(link, f"it could not be written to: {error}")
