"""Named resources with quotas (GPUs, licences): who holds how much, and what still fits.

A task that needs an amount of one holds it from its assignment until its agent has let go of it. Nothing is counted up
and down: a task holds exactly while it is among what its agent holds, so whatever becomes of task or agent, it is given
back.

A task that waits for its sub-tasks lends to them what it holds, and they to theirs:

    t1 holds 2 and waits ─┬─ t2 holds 1           t1 with all below it uses max(2, 1 + 1) = 2
                          └─ t3 holds 1

While it does not wait, it uses its own beside that of those below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from actors.core.amounts import amount_of, exact, refuse_unmeetable
from actors.errors import ConfigError

if TYPE_CHECKING:
    from actors.core.fleet import Agent, Fleet
    from actors.core.gates import Gates
    from actors.core.lane import Bucket
    from actors.core.task import Needs, Task

__all__ = ["Holding", "Quotas", "ResourceInfo"]


@dataclass(frozen=True, slots=True)
class Holding:
    """What a task holds of a named resource; `lends` while it waits for sub-tasks, which may use it meanwhile."""

    task: str
    agent: str
    amount: float
    lends: bool = False


@dataclass(frozen=True, slots=True)
class ResourceInfo:
    """A named resource: how much there is, how much is in use and by whom, how many tasks wait until it is free.

    What a task lends to its sub-tasks is in use once, although each of them is named as a holder.
    """

    name: str
    capacity: float
    in_use: float
    holders: tuple[Holding, ...] = ()
    waiting: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values that print as JSON."""
        return {**asdict(self), "holders": [asdict(each) for each in self.holders]}


class _Share:
    """What one holder has of one resource: its own, and what those use that hold it next below."""

    __slots__ = ("above", "below", "own", "waits")

    def __init__(self, own: int, *, waits: bool) -> None:
        self.own = own
        self.waits = waits
        self.below = 0
        # The next holder above it.
        self.above: int | None = None

    def use(self, more: int = 0) -> int:
        """What it takes with all below it, with so much more below."""
        below = self.below + more
        return max(self.own, below) if self.waits else self.own + below


class Quotas:
    """Says which of the waiting tasks may have what they need.

    Args:
        capacity: how much there is of each.
        fleet: the agents.
        tasks: all tasks, by number.

    Invariant: each task that an agent holds and that needs resources is in `holders`; others may be, until they are
    looked at.
    """

    __slots__ = ("_fleet", "_tallies", "_tasks", "capacity", "holders", "lent")

    def __init__(self, capacity: Iterable[tuple[str, float]], fleet: Fleet, tasks: Mapping[int, Task]) -> None:
        self._fleet = fleet
        self._tasks = tasks
        self.capacity = dict(exact(capacity))
        self.holders: dict[int, Task] = {}
        # What is open for one task although it does not fit, because nothing else could go on.
        self.lent: Bucket | None = None
        self._tallies: dict[str, tuple[dict[int, _Share], int]] = {}

    def check(self, task: Task) -> None:
        """Refuse a task that needs what there is not.

        Raises:
            ConfigError: it needs a resource that is unknown, or more of it than there is in all.
        """
        refuse_unmeetable(task.kind.needs.resources, self.capacity, f"task {task.id}")

    def refusal(self, task: Task) -> ConfigError | None:
        """What `check` raises."""
        try:
            self.check(task)
        except ConfigError as error:
            return error
        return None

    def tie(self, task: Task) -> None:
        """Let a new task stand apart from others if one above it holds what it needs, and may lend it."""
        needs = task.kind.needs
        names = {name for name, _ in needs.resources}
        lender = None
        for number in self._above(task.parent, task.number):
            holder = self.holders.get(number)
            if holder is not None and self._agent(holder) and names & {name for name, _ in holder.kind.needs.resources}:
                lender = number
                break
        if lender != needs.lender:
            task.kind = replace(task.kind, needs=needs._replace(lender=lender))

    def note(self, tasks: Sequence[Task], gates: Gates[Bucket], fresh: dict[Bucket, None]) -> None:
        """Tasks of one kind were given to an agent: others may not fit beside them."""
        needs = tasks[0].kind.needs
        if needs.resources:
            self.holders.update({task.number: task for task in tasks})
            if self.lent is not None and self.lent.needs == needs:
                self.lent = None
            self.settle(gates, fresh)

    def rebuild(self) -> None:
        """Derive everything from what the agents hold."""
        self._tallies.clear()
        self.lent = None
        self.holders = {
            number: task
            for agent in self._fleet.agents.values()
            for number, task in agent.held.items()
            if task.kind.needs.resources
        }

    def settle(self, gates: Gates[Bucket], fresh: dict[Bucket, None]) -> None:
        """Hold back what does not fit now, and open what does; what was opened is in `fresh`."""
        self.look()
        if self.lent is not None and not (self.lent.live and self._fits_beside_running(self.lent.needs)):
            self.lent = None
        for bucket in list(gates.rationed):
            if not bucket.live:
                gates.ration(bucket, short=True)
                del gates.rationed[bucket]
                continue
            short = bucket is not self.lent and not self.fits(bucket.needs)
            if short is not bucket.short:
                gates.ration(bucket, short=short)
                if not bucket.held:
                    fresh[bucket] = None

    def lend(self, bucket: Bucket, gates: Gates[Bucket], fresh: dict[Bucket, None]) -> None:
        """Open a bucket for one task although what it needs is held, by tasks that all wait."""
        self.lent = bucket
        gates.ration(bucket, short=False)
        fresh[bucket] = None

    def look(self) -> None:
        """See anew what agents hold."""
        self._tallies.clear()
        for number in [number for number, task in self.holders.items() if self._agent(task) is None]:
            del self.holders[number]

    def fits(self, needs: Needs) -> bool:
        """Whether a task may have what it needs now. What those above it lend takes nothing from others."""
        for name, units in needs.resources:
            more = units
            shares, total = self._tally(name)
            number = None if needs.lender is None else self._nearest(needs.lender, needs.lender + 1, shares)
            while number is not None and more > 0:
                share = shares[number]
                more = share.use(more) - share.use()
                number = share.above
            if more > 0 and total + more > self.capacity.get(name, 0):
                return False
        return True

    def room(self, needs: Needs) -> int:
        """How many more tasks with these needs, which fit, can begin now at most; 1 or more."""
        return max(
            1,
            min(
                (self.capacity[name] - (self._tally(name)[1] if needs.lender is None else 0)) // units
                for name, units in needs.resources
            ),
        )

    def report(self, waiting: Iterable[Bucket]) -> tuple[ResourceInfo, ...]:
        """How each resource stands; `waiting` is where tasks wait for any."""
        self.look()
        counts = dict.fromkeys(self.capacity, 0)
        for bucket in waiting:
            for name, _ in bucket.needs.resources:
                counts[name] += bucket.live if bucket.short else 0
        return tuple(
            ResourceInfo(
                name, amount_of(capacity), amount_of(self._tally(name)[1]), tuple(self._holdings(name)), counts[name]
            )
            for name, capacity in self.capacity.items()
        )

    def lacking(self, needs: Needs) -> dict[str, ResourceInfo]:
        """The resources for which a task with these needs waits; all that it needs if none of them by itself."""
        self.look()
        alone = {name: needs._replace(resources=((name, units),)) for name, units in needs.resources}
        short = [name for name, own in alone.items() if not self.fits(own)] or list(alone)
        return {info.name: info for info in self.report(()) if info.name in short}

    def _holdings(self, name: str) -> Iterator[Holding]:
        for number, share in sorted(self._tally(name)[0].items()):
            task = self.holders[number]
            yield Holding(task.id, task.agent or "", amount_of(share.own), share.waits)

    def _agent(self, task: Task) -> Agent | None:
        """The agent that holds a task; None if it has been let go of."""
        agent = self._fleet.agents.get(task.agent or "")
        return agent if agent is not None and agent.held.get(task.number) is task else None

    def _waits(self, agent: Agent, number: int) -> bool:
        """Whether a task waits for a sub-task; one whose sub-tasks have all ended is about to go on.

        Unless others run inside it: these come first.
        """
        awaited = agent.waits_for.get(number)
        if awaited is None:
            return False
        if agent.slots == 1 and agent.waiting[-1] != number:
            return True
        return any((task := self._tasks.get(each)) is not None and not task.final for each in awaited)

    def _tally(self, name: str) -> tuple[dict[int, _Share], int]:
        """What each holder has of a resource, and what all take together."""
        known = self._tallies.get(name)
        if known is not None:
            return known
        shares: dict[int, _Share] = {}
        for number, task in self.holders.items():
            agent = self._agent(task)
            if agent is not None:
                own = sum(units for each, units in task.kind.needs.resources if each == name)
                if own:
                    shares[number] = _Share(own, waits=self._waits(agent, number))
        total = 0
        # The youngest first: a sub-task has a higher number than the one that submitted it.
        for number in sorted(shares, reverse=True):
            share = shares[number]
            share.above = self._nearest(self.holders[number].parent, number, shares)
            if share.above is None:
                total += share.use()
            else:
                shares[share.above].below += share.use()
        self._tallies[name] = shares, total
        return shares, total

    def _fits_beside_running(self, needs: Needs) -> bool:
        """Whether it would fit if tasks that wait for their sub-tasks held nothing."""
        for name, more in needs.resources:
            running = sum(share.own for share in self._tally(name)[0].values() if not share.waits)
            if running + more > self.capacity.get(name, 0):
                return False
        return True

    def _nearest(self, number: int | None, below: int, shares: Mapping[int, _Share]) -> int | None:
        return next((each for each in self._above(number, below) if each in shares), None)

    def _above(self, number: int | None, below: int) -> Iterator[int]:
        """A task and all above it, as far as they are known. What an agent says of them may be nonsense, and a circle."""
        while number is not None and number < below:
            yield number
            task = self._tasks.get(number)
            below, number = number, None if task is None else task.parent
