"""What a program of the campaign does with strategies: tasks that compose others, and wait for what these come to."""

from __future__ import annotations

from functools import partial
from typing import Any

from actors.errors import QuorumFailed
from actors.testing.campaign.part import Part, Submitting
from actors.testing.campaign.workers import Clerk, Runner
from actors.worker import Worker, task

__all__ = ["Composer", "Composing"]

_LONG = 30.0
"""Virtual seconds that a part takes which nobody needs. It ends by itself: it may have the only agent that could run
what is needed.
"""


class Composer(Worker):
    """Composes."""

    capabilities = frozenset({"composing"})

    @task(retries=3)
    def doubled(self, count: int) -> list[int]:
        """The doubles of the first numbers, in their order."""
        return list(self.map(Clerk.add, range(count), range(count)))

    @task(retries=3)
    def gathered(self, count: int) -> list[int]:
        """The same, all at once, the later ones sooner."""
        calls = [(Clerk.slow, 2 * number, 0.05 * (count - number)) for number in range(count)]
        return self.scatter_gather(calls).result()

    @task(retries=3)
    def first_of(self, number: int, losers: int) -> int:
        """A number that several give, most of them late."""
        ends: list[tuple[Any, ...]] = [(Runner.fetch, number, 0.01), (Clerk.slow, number, 0.02), (Clerk.add, number, 0)]
        late = [(Clerk.slow, number, _LONG)] * losers
        won: int = self.race([*late, ends[number % 3]]).result()
        return won

    @task(retries=3)
    def agreed(self, number: int) -> int:
        """What two of three give; the first of them gives something else."""
        calls = [(Clerk.add, number, 1), (Clerk.add, number, 0), (Clerk.slow, number, 0.1)]
        try:
            agreed: int = self.quorum(calls, need=2).result()
        except QuorumFailed as error:
            raise (error.__cause__ or error) from None
        return agreed

    @task(retries=3)
    def passed_on(self, count: int, ordered: bool) -> list[int]:  # noqa: FBT001 - an argument as any other
        """Each number and two, through two stages."""
        items = self.pipeline(range(count), partial(Clerk.add, b=1), partial(Clerk.add, b=1), buffer=2, ordered=ordered)
        return sorted(items) if not ordered else list(items)

    @task(retries=3)
    def reduced(self, count: int) -> int:
        """The sum of the first doubles, as a tree."""
        parts = self.map_reduce(partial(Clerk.add, b=0), range(count), Composer.total, chunksize=2, fan_in=2)
        result: int = parts.result()
        return result

    @task(retries=3)
    def total(self, numbers: list[int]) -> int:
        """The sum."""
        return sum(numbers)


class Composing(Part):
    """Tasks with strategies inside."""

    def __init__(self, program: Submitting) -> None:
        super().__init__(program)
        self.gentle = (self._ordered, self._ordered, self._first, self._streamed)

    def _count(self) -> int:
        return 1 + self._choices.below(5, "count")

    def _ordered(self) -> None:
        """All of several results, in order."""
        call = (Composer.doubled, Composer.gathered)[self._choices.below(2, "call")]
        count = self._count()
        self._program.submit(call, count, value=[2 * number for number in range(count)])

    def _first(self) -> None:
        """Some of several results."""
        number = self._program.number()
        if self._choices.below(2, "call"):
            self._program.submit(Composer.agreed, number, value=number)
        else:
            self._program.submit(Composer.first_of, number, self._choices.below(3, "losers"), value=number)

    def _streamed(self) -> None:
        """Many results, a few at a time."""
        count = self._count()
        if self._choices.below(2, "call"):
            self._program.submit(Composer.reduced, count, value=sum(range(count)))
        else:
            ordered = self._choices.below(2, "ordered") == 0
            self._program.submit(Composer.passed_on, count, ordered, value=[number + 2 for number in range(count)])
