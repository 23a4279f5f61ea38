"""The waiting line: ready tasks, indexed by what they need, never searched.

    Needs ── Bucket ── four lanes, one per priority ── tasks in the order of their acceptance
                          ▲
    View (one per set of abilities) ── four heaps of the lanes that it can serve, by the age of their first task

A task costs O(1) to put in and take out of its lane, and O(log n) in the number of different needs to find. What
nobody asks for costs nothing. Heaps are repaired when looked at: an entry may promise an older task than its lane
still has, never a younger one.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush, heapreplace
from typing import TYPE_CHECKING, Generic, TypeVar

from actors.core.gates import Gates
from actors.core.lane import NEAR, Lane

if TYPE_CHECKING:
    from actors.core.task import Needs, Task
    from actors.core.tasktable import TaskTable

__all__ = ["Bucket", "View", "WaitingLine"]

_SLACK = 64
_EMPTY_KEPT = 1024


class Bucket:
    """All waiting tasks with the same needs, and the views that can serve them.

    While it is `held` none of them is given out; while it is `single`, one at a time. `short`: what they need is not free.
    """

    __slots__ = ("held", "lanes", "live", "needs", "short", "single", "tasks", "views")

    def __init__(self, needs: Needs, tasks: TaskTable | None = None) -> None:
        self.needs = needs
        self.tasks = tasks
        self.held = False
        self.single = False
        self.short = False
        self.views: list[View] = []
        # Critical first.
        self.lanes: list[Lane | None] = [None, None, None, None]
        self.live = 0

    def lane(self, priority: int) -> Lane:
        """The lane of a priority."""
        lane = self.lanes[4 - priority]
        if lane is None:
            lane = self.lanes[4 - priority] = Lane(self, 4 - priority)
        return lane

    def first(self) -> Task:
        """The best of all; there must be one."""
        return next(lane for lane in self.lanes if lane is not None and lane.live).first()


class View:
    """What one set of abilities can serve, best first."""

    __slots__ = ("heaps", "known", "picks")

    def __init__(self) -> None:
        self.heaps: tuple[list[tuple[int, Lane]], ...] = ([], [], [], [])
        # How many lanes have a promise in each heap.
        self.known = [0, 0, 0, 0]
        self.picks = 0

    def serves(self, needs: Needs) -> bool:
        """Whether these abilities are enough for the needs."""
        raise NotImplementedError

    def post(self, lane: Lane) -> None:
        """The lane has a new first task, older than before."""
        promised = lane.posted.get(self)
        if promised is not None and promised <= lane.head:
            return
        rank = lane.rank
        heap = self.heaps[rank]
        if promised is None:
            self.known[rank] += 1
        elif len(heap) > 2 * self.known[rank] + _SLACK:
            self.rebuild(rank)
        lane.posted[self] = lane.head
        heappush(heap, (lane.head, lane))

    def best(self) -> Lane | None:
        """The lane whose first task is next: higher priority first, then earlier."""
        for heap in self.heaps:
            if heap and (lane := self._front(heap)) is not None:
                return lane
        return None

    def oldest(self) -> Lane | None:
        """The lane of the oldest waiting task of all, but a critical one if there is any."""
        heaps = self.heaps
        if heaps[0] and (lane := self._front(heaps[0])) is not None:
            return lane
        found: Lane | None = None
        for heap in heaps[1:]:
            if heap and (lane := self._front(heap)) is not None and (found is None or lane.head < found.head):
                found = lane
        return found

    def pick(self, ageing: int) -> Lane | None:
        """The lane to take from now: the best, but each `ageing`-th time the oldest. Counts when `picked` is called."""
        if ageing and self.picks % ageing == ageing - 1:
            return self.oldest()
        return self.best()

    def only(self) -> bool:
        """Whether all that waits for it is in one lane, so that the next is always that lane's first."""
        return sum(self.known) == 1

    def holds(self, count: int) -> bool:
        """Whether at least `count` tasks wait that it can serve; looks at no more than that many lanes."""
        seen = set()
        for heap in self.heaps:
            for _, lane in heap:
                if lane.live and not lane.held and lane not in seen:
                    seen.add(lane)
                    count -= lane.live
                if count <= 0:
                    return True
        return count <= 0

    def rebuild(self, rank: int) -> None:
        """Throw out promises of empty lanes and double ones."""
        heap = self.heaps[rank]
        lanes = {lane for _, lane in heap}
        heap.clear()
        for lane in lanes:
            if lane.live and not lane.held:
                lane.posted[self] = lane.head
                heap.append((lane.head, lane))
            else:
                lane.posted.pop(self, None)
        heapify(heap)
        self.known[rank] = len(heap)

    def _front(self, heap: list[tuple[int, Lane]]) -> Lane | None:
        while heap:
            order, lane = heap[0]
            if lane.held:
                heappop(heap)
                if lane.posted.get(self) == order:
                    del lane.posted[self]
                    self.known[lane.rank] -= 1
            elif lane.head == order or (len(heap) == 1 and lane.live):
                return lane
            elif lane.posted.get(self) != order:
                heappop(heap)
            elif lane.live:
                lane.posted[self] = lane.head
                heapreplace(heap, (lane.head, lane))
            else:
                heappop(heap)
                del lane.posted[self]
                self.known[lane.rank] -= 1
        return None


V = TypeVar("V", bound=View)


class WaitingLine(Generic[V]):
    """All ready tasks that wait for an agent.

    Args:
        tasks: the table of all tasks, where those far back are folded; None if none of them is to be.

    Invariants: each task in it has `queued` set and stands in the lane of its needs and priority; `live` counts them;
    `children` has exactly those that have a parent.
    """

    __slots__ = ("buckets", "children", "filled", "gates", "live", "tasks", "views")

    def __init__(self, tasks: TaskTable | None = None) -> None:
        self.tasks = tasks
        self.buckets: dict[Needs, Bucket] = {}
        self.views: list[V] = []
        self.live = 0
        self.filled = 0
        self.children: dict[int, dict[Needs, dict[int, Task]]] = {}
        self.gates: Gates[Bucket] = Gates()

    def add_view(self, view: V) -> None:
        """From now on also serve these abilities."""
        self.views.append(view)
        for bucket in self.buckets.values():
            if view.serves(bucket.needs):
                bucket.views.append(view)
                for lane in bucket.lanes:
                    if lane is not None and lane.live and not lane.held:
                        view.post(lane)

    def bucket(self, needs: Needs) -> Bucket:
        """The bucket of the needs; made if there is none."""
        bucket = self.buckets.get(needs)
        if bucket is None:
            if len(self.buckets) > 2 * self.filled + _EMPTY_KEPT:
                self._sweep()
            bucket = self.buckets[needs] = Bucket(needs, self.tasks)
            self.gates.add(bucket)
            bucket.views.extend(view for view in self.views if view.serves(needs))
        return bucket

    def put(self, task: Task) -> Bucket:
        """Let a ready task wait; gives the bucket that it stands in."""
        kind = task.kind
        bucket = self.buckets.get(kind.needs)
        if bucket is None:
            bucket = self.bucket(kind.needs)
        lane = bucket.lanes[4 - kind.priority] or bucket.lane(kind.priority)
        if not bucket.live:
            self.filled += 1
            if kind.needs.resources:
                self.gates.rationed[bucket] = None
        bucket.live += 1
        self.live += 1
        fifo = lane.fifo
        if (
            lane.live
            and fifo
            and fifo[-1].order < task.order
            and not task.inputs
            and lane.far is None
            and len(fifo) < NEAR
        ):
            # The usual case of `Lane.put`, without the call.
            fifo.append(task)
            task.queued = True
            lane.live += 1
        else:
            lane.put(task)
        if task.parent is not None:
            self.children.setdefault(task.parent, {}).setdefault(kind.needs, {})[task.number] = task
        return bucket

    def take(self, lane: Lane) -> Task:
        """Take the first task of a lane that has one."""
        task = lane.take()
        self._gone(task, lane.bucket)
        return task

    def take_run(self, lane: Lane, most: int) -> list[Task]:
        """Take the first task of a lane, and up to `most` in all while they are of its kind and in plain order."""
        first = lane.first()
        if most <= 1 or lane.late or lane.dead or first.inputs:
            return [self.take(lane)]
        kind = first.kind
        fifo = lane.fifo
        run = []
        while fifo and most:
            task = fifo[0]
            if task.kind is not kind or task.inputs:
                break
            del fifo[0]
            task.queued = False
            run.append(task)
            most -= 1
            if task.parent is not None:
                self._orphan(task)
        count = len(run)
        lane.live -= count
        if not fifo and lane.far is not None:
            lane.draw()
        lane.head = fifo[0].order if fifo else 0
        bucket = lane.bucket
        bucket.live -= count
        self.live -= count
        if not bucket.live:
            self.filled -= 1
        return run

    def remove(self, task: Task) -> None:
        """Take out a waiting task that stands anywhere."""
        bucket = self.buckets[task.kind.needs]
        bucket.lane(task.kind.priority).remove(task)
        self._gone(task, bucket)

    def _gone(self, task: Task, bucket: Bucket) -> None:
        self.live -= 1
        bucket.live -= 1
        if not bucket.live:
            self.filled -= 1
        if task.parent is not None:
            self._orphan(task)

    def _orphan(self, task: Task) -> None:
        """A task that has a parent no longer waits."""
        parent, needs = task.parent, task.kind.needs
        assert parent is not None  # noqa: S101 - for the type checker
        family = self.children[parent]
        siblings = family[needs]
        del siblings[task.number]
        if not siblings:
            del family[needs]
            if not family:
                del self.children[parent]

    def _sweep(self) -> None:
        """Forget empty buckets; paid for by the many that were made since the last time."""
        self.buckets = {needs: bucket for needs, bucket in self.buckets.items() if bucket.live}
        self.gates.keep(self.buckets.values())
        for view in self.views:
            for rank in range(4):
                view.rebuild(rank)
