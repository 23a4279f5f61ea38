"""A task that submits tasks: each sorts its halves as sub-tasks of their own.

A task that waits for its sub-tasks gives its place away, so that even one agent gets through a tree of any depth.

Run it: python examples/recursive.py
"""

from __future__ import annotations

import heapq
import random

from actors import ActorSystem, Worker, task


class Sorter(Worker):
    @task
    def sort(self, numbers: list[int]) -> list[int]:
        # Below this size sending costs more than sorting.
        if len(numbers) <= 1000:
            return sorted(numbers)
        middle = len(numbers) // 2
        left = self.submit(Sorter.sort, numbers[:middle])
        right = self.submit(Sorter.sort, numbers[middle:])
        return list(heapq.merge(left.result(), right.result()))


if __name__ == "__main__":
    numbers = random.Random(7).sample(range(100_000), 8000)
    with ActorSystem({Sorter: (1, 2)}) as system:
        done = system.submit(Sorter.sort, numbers)
        print("sorted:", done.result(timeout=60) == sorted(numbers))
        print("tasks:", system.queue().finished)
