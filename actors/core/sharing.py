"""Moving work between agents: taking back what was sent ahead, and letting a task that waits run its own children."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from actors.core.book import ASK_AGAIN, STEAL, Book
from actors.core.credit import LONG, release, reserve
from actors.core.decisions import Recall
from actors.protocol.states import TaskStatus

if TYPE_CHECKING:
    from actors.core.dispatch import Dispatcher
    from actors.core.fleet import Agent, Skill
    from actors.core.task import Task

__all__ = ["Sharing"]

_ASSIGNED = TaskStatus.ASSIGNED
_SHORT_WORK = 0.001
_STEAL_LATER = 0.01
_ASK_AGAIN = 0.02
_ASK_AT_MOST = 1.0
_LOOKED_AT = 16


class Sharing:
    """Takes work from agents that cannot begin it, and nests it into those that wait."""

    __slots__ = ("_book", "_dispatcher")

    def __init__(self, book: Book, dispatcher: Dispatcher) -> None:
        self._book = book
        self._dispatcher = dispatcher

    def steal(self, *, patient: bool = True) -> None:
        """For agents that fell idle with nothing to do: take back what others were sent ahead.

        `patient`: leave those alone a moment whose work ahead should take less time than the taking.
        """
        book = self._book
        if book.paused or not book.admitting:
            book.idled.clear()
            return
        # One that was looked at in vain, or asked just now, has nothing for the next thief of the kind either.
        victims: dict[tuple[Skill, Skill], Iterator[Agent]] = {}
        for thief in book.idled:
            skill = thief.skill
            if thief not in skill.idle or (book.short and book.blocked(skill)):
                continue
            for other in (skill, *(s for s in book.fleet.skills.values() if s is not skill)):
                if not other.laden:
                    continue
                if (skill, other) not in victims:
                    victims[skill, other] = iter(self._laden(other, patient=patient))
                if any(self._take_back(thief, victim, patient=patient) for victim in victims[skill, other]):
                    break
        book.idled.clear()

    def _laden(self, skill: Skill, *, patient: bool) -> list[Agent]:
        """Those that hold work ahead: at first a few of them, each time others, and a moment later all."""
        if not patient or len(skill.laden) <= _LOOKED_AT:
            return list(skill.laden)
        some = list(islice(skill.laden, _LOOKED_AT))
        for agent in some:
            skill.laden[agent] = skill.laden.pop(agent)
        self._steal_later()
        return some

    def steal_late(self, _: None, __: None) -> None:
        """Some time after work was left where it was: what has not begun yet stands behind something long."""
        book = self._book
        book.steal_timer = False
        for skill in book.fleet.skills.values():
            book.idled.update(skill.idle)
        self.steal(patient=False)

    def fetch(self, agent: Agent, numbers: Iterable[int]) -> None:
        """A task of the agent waits for these: take back what stands behind something long at another agent."""
        if agent.slots > 1:
            # It is free for any work, and takes back what it can begin.
            return
        book = self._book
        victims: dict[Agent, None] = {}
        for number in numbers:
            task = book.tasks.get(number)
            if task is not None and task.status is _ASSIGNED and task.agent is not None:
                victims[book.fleet.agents[task.agent]] = None
        self._relieve_all(victim for victim in victims if victim is not agent)

    def overdue(self, _: None, __: None) -> None:
        """Some time after work was sent ahead: take back what could go elsewhere, and stands behind something long."""
        book = self._book
        book.overdue_timer = False
        self._relieve_all([agent for skill in book.fleet.skills.values() for agent in skill.laden])

    def _relieve_all(self, victims: Iterable[Agent]) -> None:
        if sum(self._relieve(victim) for victim in victims):
            self._book.look_for_overdue()

    def _relieve(self, victim: Agent) -> bool:
        """Take back what could go elsewhere, if what it stands behind is long. Gives whether to look again."""
        if victim.killed is not None:
            return False
        ahead = [task for task in _ahead(victim) if self._dispatcher.could_go(task)]
        if ahead and not victim.recalls and (victim.unknowns or victim.longs or self._is_overdue(victim)):
            self.recall(victim, tuple((task.number, task.attempt) for task in ahead))
        return bool(ahead)

    def _is_overdue(self, agent: Agent) -> bool:
        """Whether all that an agent runs takes longer than it was taken for; from now on it is taken for long."""
        now = self._book.now
        running = [task for number, task in agent.held.items() if number not in agent.waiting][: agent.slots]
        since = max((task.assigned for task in running if task.assigned is not None), default=now)
        if now - max(since, agent.moved) < LONG:
            return False
        for task in running:
            if 0 <= task.estimate < LONG:
                release(agent, task.estimate)
                task.estimate = LONG
                reserve(agent, LONG)
        self._book.reconsider = True
        return True

    def answered(self, agent: Agent) -> None:
        """The agent has answered a recall. What it kept has begun, or had not reached it yet: look again later."""
        book = self._book
        settled = agent.open or not any(
            task.status is _ASSIGNED and task.number not in agent.waiting for task in agent.held.values()
        )
        if settled:
            agent.asked = 0
            if agent in agent.skill.laden and any(skill.idle for skill in book.fleet.skills.values()):
                self._steal_later()
        elif not agent.recalls:
            agent.asked += 1
            delay = min(_ASK_AT_MOST, _ASK_AGAIN * 2 ** (agent.asked - 1))
            book.timer(book.now + delay, ASK_AGAIN, agent, agent.incarnation)

    def ask_again(self, agent: Agent, incarnation: int) -> None:
        """Ask once more for what an agent has not begun, if it still is to give it back."""
        if agent.incarnation == incarnation and agent.asked and not agent.open and not agent.recalls:
            self.take_back_all(agent)

    def take_back_types(self, names: set[str]) -> None:
        """Ask all agents for what they have not begun of these task types: these are to rest."""
        for agent in self._book.fleet.agents.values():
            if agent.killed is None and any(task.kind.name in names for task in agent.held.values()):
                self.take_back_all(agent, names)

    def take_back_all(self, agent: Agent, names: set[str] | None = None) -> None:
        """Ask for all that the agent has not begun, as far as is known, or for all of it of some task types."""
        asked = {number for recall in agent.recalls for number, _ in recall}
        waiting = [
            (task.number, task.attempt)
            for task in agent.held.values()
            if task.status is _ASSIGNED
            and task.number not in asked
            and task.number not in agent.waiting
            and (names is None or task.kind.name in names)
        ]
        if waiting:
            self.recall(agent, tuple(waiting))

    def recall(self, agent: Agent, tasks: tuple[tuple[int, int], ...]) -> None:
        """Ask the agent to give tasks back."""
        self._book.out.append(Recall(agent.id, agent.incarnation, tasks))
        agent.recalls.append(tasks)

    def nest(self) -> None:
        """At the limit, let agents whose task waits run what that task waits for."""
        book = self._book
        if not book.waiting_agents or not book.line.children or book.paused:
            return
        if not book.admitting and any(len(a.held) > len(a.waiting) for a in book.fleet.agents.values()):
            # Short of memory: but if all wait, none of it would ever be freed.
            return
        for agent in list(book.waiting_agents):
            if agent.slots > 1 or agent.killed is not None or len(agent.held) > len(agent.waiting):
                continue
            task = self._own_child(agent)
            if task is not None:
                book.line.remove(task)
                self._dispatcher.assign(agent, task, nested=True)

    def _own_child(self, agent: Agent) -> Task | None:
        """The best ready descendant of the innermost waiting task that no other agent could get."""
        book = self._book
        top = agent.waiting[-1]
        best: Task | None = None
        for parent in self._waiting_below(top):
            for needs, siblings in book.line.children.get(parent, {}).items():
                bucket = book.line.buckets[needs]
                if bucket.held or not agent.skill.serves(needs) or self._dispatcher.more_to_come(bucket):
                    continue
                task = next(iter(siblings.values()))
                if best is None or (-task.kind.priority, task.order) < (-best.kind.priority, best.order):
                    best = task
        return best

    def _waiting_below(self, top: int) -> list[int]:
        """The task itself, and all waiting tasks anywhere that descend from it."""
        book = self._book
        found = [top]
        for agent in book.waiting_agents:
            for number in agent.waiting:
                ancestor = agent.held[number].parent
                while ancestor is not None and ancestor != top:
                    task = book.tasks.get(ancestor)
                    ancestor = task.parent if task is not None else None
                if ancestor == top:
                    found.append(number)
        return found

    def _take_back(self, thief: Agent, victim: Agent, *, patient: bool) -> bool:
        if victim is thief or victim.recalls or victim.killed is not None or victim.phase != thief.phase:
            return False
        ahead = [task for task in _ahead(victim) if victim.skill is thief.skill or thief.skill.serves(task.kind.needs)]
        if not ahead:
            return False
        if patient and not victim.longs and not victim.unknowns and victim.work < _SHORT_WORK:
            self._steal_later()
            return False
        half = ahead[len(ahead) // 2 :]
        self.recall(victim, tuple((task.number, task.attempt) for task in half))
        return True

    def _steal_later(self) -> None:
        book = self._book
        if not book.steal_timer:
            book.steal_timer = True
            book.timer(book.now + _STEAL_LATER, STEAL)


def _ahead(agent: Agent) -> list[Task]:
    """What an agent holds and cannot begin yet, as far as is known."""
    return [task for task in list(agent.held.values())[agent.slots + len(agent.waiting) :] if task.status is _ASSIGNED]
