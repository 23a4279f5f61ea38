"""Carrying out what the engine decided: messages to agents, outcomes to futures, orders to supervisors."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from actors.core.decisions import Assign, Interrupt, Kill, Look, Publish, Recall, Resolve, Retire, Spawn
from actors.errors import ActorsError, ChannelClosed, WireError
from actors.hosts.bundle import bundle
from actors.hosts.plain import NotPlain
from actors.hosts.serialize import failure_of
from actors.protocol.messages import Assignment, Cancellation, Outcome
from actors.protocol.messages import Recall as RecallMessage
from actors.runtime import messages as m
from actors.runtime.agent_links import RECALL, AgentLink
from actors.runtime.endings import complete
from actors.runtime.outcomes import deliver, refuse

if TYPE_CHECKING:
    from actors.core.decisions import Decision
    from actors.protocol.events import Event
    from actors.runtime.peers import Peers
    from actors.runtime.scheduler_state import SchedulerState

__all__ = ["Carrier"]

_log = logging.getLogger("actors.scheduler")

_PORTION = 8 << 20
"""Bytes of payloads that one assignment holds at most, unless a single task has more: a frame has a limit."""


def _portion(items: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The tasks for an agent in one piece, or the first of them if they are large."""
    if len(items) >= 8:
        size = 0
        for count, item in enumerate(items, 1):
            size += len(item[4])
            if size >= _PORTION:
                return items[:count]
    # A copy: what is handed to a thread must not change afterwards.
    return items[:]


class Carrier:
    """The scheduler's hand. Runs in the scheduler's turn.

    Args:
        state: the engine, what it decided, and the agents' channels.
        peers: the system's other actors.
        now: monotonic seconds.
    """

    def __init__(self, state: SchedulerState, peers: Peers, now: Callable[[], float]) -> None:
        self._state = state
        self._links = state.links
        self._peers = peers
        self._now = now
        self._carry: dict[type[Any], Callable[[Any], None]] = {
            Assign: self._assign,
            Recall: self._recall,
            Interrupt: self._interrupt,
            Look: self._look,
            Kill: self._kill,
            Resolve: self._resolve,
            Spawn: self._spawn,
            Retire: self._retire,
            Publish: self._publish,
        }

    def carry_out(self) -> None:
        """Carry out all that has been decided, and what follows from it; each agent gets its new tasks in one message."""
        state, carry = self._state, self._carry
        decided = state.decided
        self.take()
        if state.keeper is not None:
            # What was handed in has been accepted only now.
            self.take()
        while decided or state.assignments:
            while decided:
                decision = state.carrying = decided.popleft()
                carry[type(decision)](decision)
                if not decided and (state.keeper is not None or state.engine.restless):
                    self.take()
            state.carrying = None
            self._send_assignments()
        if state.publishing:
            self._tell_events()

    def take(self) -> None:
        """Take over what the engine has decided; with a journal, it is written down first, with what was handed in."""
        state = self._state
        if state.keeper is None:
            state.engine.decide(state.decided)
            return
        state.engine.decide(state.taken)
        state.decided.extend(state.keeper.admit(state.engine, self._now(), state.taken))
        # What a failure leaves in both is written and carried out once: `Engine.rebuild` keeps one of each.
        state.taken.clear()

    def recover(self, error: BaseException | None = None) -> None:
        """After a failure: have the books made anew, and go on where it was. What fails twice is given up.

        Args:
            error: what it failed with.
        """
        state = self._state
        engine, decision, now = state.engine, state.carrying, self._now()
        again = decision is not None and _same(decision, state.carried_again)
        unsent = [(item[0], item[1]) for items in state.assignments.values() for item in items]
        if isinstance(decision, Assign):
            unsent.append((decision.task.number, decision.attempt))
        elif decision is not None and not again and not any(each is decision for each in state.decided):
            state.decided.appendleft(decision)
        state.decided.extend(state.taken)
        # What was not told yet came before all that was not carried out. It may be of an assignment that is taken back.
        state.decided.extendleft(reversed(state.publishing))
        tasks = ((engine.task(number), attempt) for number, attempt in unsent)
        engine.rebuild(state.decided, [(task, attempt) for task, attempt in tasks if task is not None], now)
        state.assignments.clear()
        state.taken.clear()
        state.publishing.clear()
        state.carried_again, state.carrying = decision, None
        if again and decision is not None:
            self._give_up(decision, error or ActorsError("the scheduler failed when it carried this out"))

    def _give_up(self, decision: Decision, error: BaseException) -> None:
        """Do without a decision that cannot be carried out, and let nobody wait for what would have followed from it."""
        engine, now = self._state.engine, self._now()
        _log.error("The scheduler gives up on %s: it failed twice", type(decision).__name__, exc_info=error)
        if isinstance(decision, Assign):
            engine.unservable(decision.task.number, error, now)
        elif isinstance(decision, Resolve) and decision.task.handle is not None:
            refuse(decision.task, error)
        elif isinstance(decision, Spawn):
            engine.spawn_failed(decision.agent_type, now)
        elif isinstance(decision, Recall | Interrupt | Retire | Look):
            self.kill(decision.agent, decision.incarnation, f"it could not be reached: {error}")

    def _assign(self, decision: Assign) -> None:
        agent, incarnation, task, attempt, nested = decision
        link = self._links.get(agent, incarnation)
        if link is None:
            return
        kind = task.kind
        item = (
            task.number,
            attempt,
            task.id,
            kind.call,
            task.payload,
            None if task.results is None else dict(bundle(task.results)),
            kind.timeout,
            kind.idempotent,
            kind.job,
            nested,
        )
        if kind.job is not None:
            link.jobs[task.number] = kind.job
            self._peers.hub.tell(m.JobChanged(agent, incarnation, kind.job, joined=True))
        if not self._state.work_told:
            self._state.work_told = True
            self._peers.resources.tell(m.WorkBegan())
        waiting = self._state.assignments.get(link)
        if waiting is None:
            self._state.assignments[link] = [item]
        else:
            waiting.append(item)

    def _send_assignments(self) -> None:
        assignments = self._state.assignments
        while assignments:
            link, items = next(iter(assignments.items()))
            try:
                while items:
                    portion = _portion(items)
                    # In one step, here and below: after a failure that which was sent is not sent again, and the rest is.
                    del items[: self._send(link, link.handle.task, Assignment(portion), len(portion))]
            except (WireError, NotPlain):
                while items:
                    self._send_alone(link, items[0])
                    del items[0]
            del assignments[link]

    def _send_alone(self, link: AgentLink, item: tuple[Any, ...]) -> None:
        """Send one task of several that could not be sent together; the one that cannot be sent at all fails."""
        try:
            self._send(link, link.handle.task, Assignment([item]), 1)
        except (WireError, NotPlain) as error:
            now = self._now()
            result = (item[0], item[1], int(Outcome.ERROR), tuple(failure_of(error)), now, now)
            self._state.engine.finished(link.agent, link.incarnation, result, now)
            self.take()

    def _recall(self, decision: Recall) -> None:
        self._send_assignments()
        link = self._links.get(decision.agent, decision.incarnation)
        if link is not None:
            self._tell(link, RecallMessage(list(decision.tasks)), RECALL)

    def _interrupt(self, decision: Interrupt) -> None:
        self._send_assignments()
        link = self._links.get(decision.agent, decision.incarnation)
        if link is not None:
            message = Cancellation(decision.number, decision.attempt, int(decision.cause), decision.reason)
            self._tell(link, message)

    def _send(self, link: AgentLink, channel: Any, message: Any, count: int) -> int:
        """Write so many tasks to an agent, and give their number. One that is gone already is reported by its exit.

        Raises:
            WireError, NotPlain: the message cannot be sent; nothing was, and the channel goes on.
        """
        try:
            return (channel.send(message, correlation=None, sender="scheduler"), count)[1]
        except ChannelClosed:
            return count

    def _tell(self, link: AgentLink, message: Any, correlation: int | None = None) -> None:
        """Write a decision to an agent."""
        with suppress(ChannelClosed):
            self._state.carrying = (
                link.handle.control.send(message, correlation=correlation, sender="scheduler"),
                None,
            )[1]

    def look(self, link: AgentLink) -> None:
        """Tell the engine what an agent runs at this moment, by its status block."""
        running = link.handle.status.read().running
        self._state.engine.observed(link.agent, link.incarnation, running, self._now())

    def kill(self, agent: str, incarnation: int, reason: str) -> None:
        """Have an agent's process ended, if it still is that incarnation."""
        link = self._links.get(agent, incarnation)
        if link is not None:
            self._tell_supervisor(link.agent_type, m.KillAgent(agent, incarnation, reason))

    def _look(self, decision: Look) -> None:
        link = self._links.get(decision.agent, decision.incarnation)
        if link is not None:
            self.look(link)

    def _kill(self, decision: Kill) -> None:
        self.kill(*decision)

    def _resolve(self, decision: Resolve) -> None:
        task = decision.task
        if task.error is not None:
            complete(task, self._links)
        deliver(task)

    def _spawn(self, decision: Spawn) -> None:
        config, answer = decision.order or (None, None)
        self._tell_supervisor(decision.agent_type, m.SpawnAgent(config, decision.job, answer))

    def _retire(self, decision: Retire) -> None:
        link = self._links.get(decision.agent, decision.incarnation)
        if link is not None:
            self._tell_supervisor(link.agent_type, m.RetireAgent(*decision))

    def _tell_supervisor(self, agent_type: str, message: Any) -> None:
        self._state.carrying = (self._peers.supervisors[agent_type].tell(message), None)[1]  # type: ignore[func-returns-value]

    def _publish(self, decision: Publish) -> None:
        self._state.carrying = (self._state.publishing.append(decision), None)[1]  # type: ignore[func-returns-value]

    def _tell_events(self) -> None:
        """Tell the events of the turn: to the program's listeners themselves, else to the hub, which knows all."""
        publishing, told = self._state.publishing, self._state.told
        while publishing:
            listeners = self._peers.straight.get(type(publishing[0].event))
            if listeners is None:
                # In one step, here and below: after a failure nobody is told twice.
                _, publishing[:1] = self._peers.hub.tell(m.Publish(publishing[0].event)), ()  # type: ignore[func-returns-value]
                continue
            run = _of_one_type(publishing)
            for listener in listeners:
                if listener not in told:
                    _ = listener.offer_all(run), told.add(listener)  # type: ignore[func-returns-value]
            publishing[: len(run)], _ = (), told.clear()  # type: ignore[func-returns-value]


def _of_one_type(publishing: list[Publish]) -> list[Event]:
    """The first of the events, and those behind it that are of its type."""
    kind = type(publishing[0].event)
    return [each.event for each in takewhile(lambda each: type(each.event) is kind, publishing)]


def _same(decision: Decision, other: Decision | None) -> bool:
    """Whether both are the same; an assignment is made anew after a failure, with the same task."""
    if isinstance(decision, Assign) and isinstance(other, Assign):
        return decision.task is other.task
    return decision is other
