"""How many agents there should be: when to start one, and which to end to make a place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.core.decisions import Spawn
from actors.core.fleet import READY
from actors.errors import AgentLimitReached

if TYPE_CHECKING:
    from actors.core.book import Book
    from actors.core.dispatch import Dispatcher
    from actors.core.fleet import Agent, Skill
    from actors.core.lane import Bucket
    from actors.core.outcomes import Outcomes

__all__ = ["Scaling"]


class Scaling:
    """Starts agents for ready work that finds none, within the limits."""

    __slots__ = ("_book", "_dispatcher", "_outcomes")

    def __init__(self, book: Book, dispatcher: Dispatcher, outcomes: Outcomes) -> None:
        self._book = book
        self._dispatcher = dispatcher
        self._outcomes = outcomes

    def run(self) -> None:
        """Look at what still waits of this turn's work, or at all of it if a place may have become free."""
        book = self._book
        if book.paused or not book.admitting:
            return
        if book.reconsider or (book.starved and book.idled):
            book.reconsider = False
            book.starved.clear()
            waiting = [
                (lane.rank, lane.head, lane.bucket) for skill in book.fleet.skills.values() if (lane := skill.best())
            ]
            for _, _, bucket in sorted(waiting, key=lambda item: item[:2]):
                self._consider(bucket)
        for bucket in book.fresh:
            if bucket.live and not bucket.held:
                self._consider(bucket)

    def unstick(self) -> bool:
        """If nothing else can go on, let a task have what others hold while they wait, or start one agent beyond the limit.

        That is so when tasks wait for their sub-tasks, no agent runs or can take anything, and none is coming or going, nor
        left alone for a moment after a refusal. A task whose sub-tasks have all ended is about to go on.

        Returns:
            Whether there is something to give out now that was held back.
        """
        if not self._is_stuck():
            return False
        bucket = self._awaited()
        book = self._book
        # An agent within the limits before lending, lending before an agent beyond them.
        if (bucket is None or self._is_full(bucket)) and self._lend(at_once=True):
            return True
        bucket = bucket or self._best()
        skill = book.fleet.spawner(bucket) if bucket is not None else None
        if bucket is not None and skill is not None:
            if book.fleet.count < book.fleet.max_agents or not self._retire_one():
                self._spawn(skill, bucket)
            return False
        return self._lend(at_once=False)

    def _is_stuck(self) -> bool:
        book = self._book
        fleet = book.fleet
        if not book.waiting_agents or not book.line.live or book.paused or not book.admitting:
            return False
        for agent in fleet.agents.values():
            going = agent.retiring or agent.killed is not None or (agent.draining and not agent.held)
            if going or agent.cooling or len(agent.held) > len(agent.waiting):
                return False
            # In a single lane only the innermost can go on.
            next_on = agent.waiting[-1:] if agent.slots == 1 else agent.waiting
            if any(self._have_ended(agent.waits_for[number]) for number in next_on):
                return False
        coming = any(skill.starting for skill in fleet.skills.values()) or any(t.spawning for t in fleet.types.values())
        return not coming

    def _lend(self, *, at_once: bool) -> bool:
        """Tasks wait for sub-tasks that need what others hold which wait as well: let one of these have it.

        `at_once`: one for which there is an agent.
        """
        book = self._book
        gates, quotas = book.line.gates, book.quotas
        if quotas.lent is not None:
            return False
        short = [bucket for bucket in gates.rationed if bucket.live and bucket.short]
        awaited = {
            number for agent in book.waiting_agents for numbers in agent.waits_for.values() for number in numbers
        }
        first = {book.tasks[number].kind.needs for number in awaited if number in book.tasks}
        for bucket in sorted(short, key=lambda each: (each.needs not in first, each.first().order)):
            if gates.state(bucket.needs.gate or "") is True:
                continue
            if self._can_be_taken(bucket) if at_once else book.fleet.spawner(bucket) is not None:
                quotas.lend(bucket, gates, book.fresh)
                return True
        return False

    def _can_be_taken(self, bucket: Bucket) -> bool:
        """Whether there is an agent for what waits in a bucket: an idle one, or one that waits for it."""
        book = self._book
        return any(skill.idle for skill in book.fleet.serving(bucket)) or any(
            agent.slots == 1
            and agent.skill.serves(bucket.needs)
            and bucket.needs in book.line.children.get(agent.waiting[-1], ())
            for agent in book.waiting_agents
        )

    def _have_ended(self, numbers: set[int]) -> bool:
        tasks = self._book.tasks
        return all((task := tasks.get(number)) is None or task.final for number in numbers)

    def surplus(self, agent: Agent) -> bool:
        """Whether an agent that has become idle is one more than the limit allows, or than its type is to have."""
        fleet = self._book.fleet
        staying = fleet.count - sum(skill.leaving for skill in fleet.skills.values())
        return (staying > fleet.max_agents or fleet.too_many(agent.skill.type)) and fleet.dispensable(agent)

    def _awaited(self) -> Bucket | None:
        """What a waiting task waits for, if it is ready and an agent could be started for it."""
        book = self._book
        for agent in book.waiting_agents:
            for number in agent.waiting:
                for needs in book.line.children.get(number, ()):
                    bucket = book.line.buckets[needs]
                    if not bucket.held and book.fleet.spawner(bucket) is not None:
                        return bucket
        return None

    def _is_full(self, bucket: Bucket) -> bool:
        """Whether an agent for a bucket would be one beyond the limit, or beyond the most of its type."""
        fleet = self._book.fleet
        skill = fleet.spawner(bucket)
        return skill is not None and bool(fleet.room_for(skill.type))

    def _best(self) -> Bucket | None:
        """The best of all that an agent could be started for."""
        book = self._book
        lanes = [lane for skill in book.fleet.skills.values() if skill.spawnable and (lane := skill.best())]
        return min(lanes, key=lambda lane: (lane.rank, lane.head)).bucket if lanes else None

    def _consider(self, bucket: Bucket) -> None:
        book = self._book
        fleet = book.fleet
        while True:
            skill = fleet.spawner(bucket)
            if skill is None or (book.short and book.blocked(skill)):
                return
            starting = agents = 0
            for other in fleet.serving(bucket):
                coming = other.type.spawning if other.spawnable else 0
                starting += other.starting + coming
                agents += len(other.agents) - other.leaving + coming
            if starting and not skill.holds(starting + 1):
                return
            if bucket.needs.resources and starting >= book.quotas.room(bucket.needs):
                return
            if fleet.room_for(skill.type):
                if not agents:
                    self._make_place(skill, bucket)
                return
            if agents and not (self._worth_it(bucket, agents) or self._are_held_up(bucket)):
                return
            self._spawn(skill, bucket)

    def _worth_it(self, bucket: Bucket, agents: int) -> bool:
        """Whether enough work waits for each agent that is there to start one more."""
        book = self._book
        estimate = book.estimates.of(bucket.first().kind)
        if bucket.single:
            return False
        return estimate < 0 or estimate * bucket.live / agents > book.settings.spawn_backlog

    def _are_held_up(self, bucket: Bucket) -> bool:
        """Whether all agents for a bucket run what takes long, or nobody knows how long, or wait."""
        return not bucket.single and all(
            agent.phase == READY
            and not agent.cooling
            and (agent.draining or agent.unknowns or agent.longs or (agent.waiting and agent.slots == 1))
            for skill in self._book.fleet.serving(bucket)
            for agent in skill.agents
        )

    def _spawn(self, skill: Skill, bucket: Bucket) -> None:
        book = self._book
        book.ask_for(skill.type, Spawn(skill.type.name, bucket.first().kind.job))
        book.starved.pop(skill, None)

    def _make_place(self, skill: Skill, bucket: Bucket) -> None:
        """The limit is reached and no agent can do this work: end an idle one, now or when one falls idle."""
        book = self._book
        fleet = book.fleet
        if fleet.count < fleet.max_agents:
            return
        least = sum(kind.least for kind in fleet.types.values())
        if least >= fleet.max_agents and not book.waiting_agents and not skill.type.least:
            self._no_place_ever(bucket)
            return
        book.starved[skill] = None
        if not any(agent.retiring for agent in fleet.agents.values()):
            self._retire_one()

    def _retire_one(self) -> bool:
        """End an idle agent that its type can do without, if there is one."""
        fleet = self._book.fleet
        for other in fleet.skills.values():
            for agent in other.idle:
                if not agent.held and fleet.dispensable(agent):
                    self._dispatcher.retire(agent)
                    return True
        return False

    def _no_place_ever(self, bucket: Bucket) -> None:
        limit = self._book.fleet.max_agents
        for lane in bucket.lanes:
            for task in list(lane.tasks()) if lane is not None and lane.live else ():
                error = AgentLimitReached(
                    f"task {task.id} needs {bucket.needs}, but the limit of {limit} agents is used up by those that the "
                    f"program asks for at least; raise max_agents to {limit + 1} or more",
                    limit=limit,
                )
                self._outcomes.unservable(task, error)
