"""The waiting line: ready tasks, indexed by what they need, never searched.

    Needs ── Bucket ── four lanes, one per priority ── tasks in the order of their acceptance
                          ▲
    View (one per set of abilities) ── four heaps of the lanes that it can serve, by the age of their first task

A task costs O(1) to put in and take out of its lane, and O(log n) in the number of different needs to find. What
nobody asks for costs nothing. Heaps are repaired when looked at: an entry may promise an older task than its lane
still has, never a younger one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from actors.core.gates import Gates
from actors.core.lane import NEAR, Bucket, Lane, View

if TYPE_CHECKING:
    from actors.core.task import Needs, Task
    from actors.core.tasktable import TaskTable

__all__ = ["WaitingLine"]

_EMPTY_KEPT = 1024


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
