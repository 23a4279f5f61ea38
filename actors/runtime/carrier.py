"""Carrying out what the engine decided: messages to agents, outcomes to futures, orders to supervisors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from actors.core.decisions import Assign, Interrupt, Kill, Look, Publish, Recall, Resolve, Retire, Spawn
from actors.errors import ChannelClosed, WireError
from actors.hosts.bundle import bundle
from actors.hosts.plain import NotPlain
from actors.hosts.serialize import failure_of
from actors.protocol.messages import Assignment, Cancellation, Outcome
from actors.protocol.messages import Recall as RecallMessage
from actors.runtime import messages as m
from actors.runtime.agent_links import RECALL, AgentLink
from actors.runtime.endings import complete
from actors.runtime.outcomes import deliver

if TYPE_CHECKING:
    from actors.runtime.peers import Peers
    from actors.runtime.scheduler_state import SchedulerState

__all__ = ["Carrier"]


_PORTION = 8 << 20
"""Bytes of payloads that one assignment holds at most, unless a single task has more: a frame has a limit."""


def _portions(items: list[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """The tasks for an agent in one piece, or in several if they are large."""
    if len(items) < 8:
        yield items
        return
    portion: list[tuple[Any, ...]] = []
    size = 0
    for item in items:
        portion.append(item)
        size += len(item[4])
        if size >= _PORTION:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


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
                # Out of the line first: one that cannot be carried out costs a restart, and then the rest goes on.
                decision = decided.popleft()
                carry[type(decision)](decision)
                if not decided:
                    self.take()
            self._send_assignments()

    def take(self) -> None:
        """Take over what the engine has decided; with a journal, it is written down first, with what was handed in."""
        state = self._state
        if state.keeper is None:
            state.decided.extend(state.engine.take())
            return
        state.taken += state.engine.take()
        state.decided.extend(state.keeper.admit(state.engine, self._now(), state.taken))
        state.taken = []

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
        assignments, self._state.assignments = self._state.assignments, {}
        for link, items in assignments.items():
            try:
                for portion in _portions(items):
                    self._send(link, link.handle.task, Assignment(portion))
            except (WireError, NotPlain):
                for item in items:
                    self._send_alone(link, item)

    def _send_alone(self, link: AgentLink, item: tuple[Any, ...]) -> None:
        """Send one task of several that could not be sent together; the one that cannot be sent at all fails."""
        try:
            self._send(link, link.handle.task, Assignment([item]))
        except (WireError, NotPlain) as error:
            now = self._now()
            result = (item[0], item[1], int(Outcome.ERROR), tuple(failure_of(error)), now, now)
            self._state.engine.finished(link.agent, link.incarnation, result, now)
            self.take()

    def _recall(self, decision: Recall) -> None:
        self._send_assignments()
        link = self._links.get(decision.agent, decision.incarnation)
        if link is not None:
            self._send(link, link.handle.control, RecallMessage(list(decision.tasks)), ask=True)

    def _interrupt(self, decision: Interrupt) -> None:
        self._send_assignments()
        link = self._links.get(decision.agent, decision.incarnation)
        if link is not None:
            message = Cancellation(decision.number, decision.attempt, int(decision.cause), decision.reason)
            self._send(link, link.handle.control, message)

    def _send(self, link: AgentLink, channel: Any, message: Any, *, ask: bool = False) -> None:
        """Write to an agent. One that is gone already is reported by its exit.

        Raises:
            WireError, NotPlain: the message cannot be sent; nothing was, and the channel goes on.
        """
        try:
            channel.send(message, correlation=RECALL if ask else None, sender="scheduler")
        except ChannelClosed:
            return

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
        self._tell_supervisor(decision.agent_type, m.SpawnAgent(None, decision.job))

    def _retire(self, decision: Retire) -> None:
        link = self._links.get(decision.agent, decision.incarnation)
        if link is not None:
            self._tell_supervisor(link.agent_type, m.RetireAgent(*decision))

    def _tell_supervisor(self, agent_type: str, message: Any) -> None:
        self._peers.supervisors[agent_type].tell(message)

    def _publish(self, decision: Publish) -> None:
        self._peers.hub.tell(m.Publish(decision.event))
