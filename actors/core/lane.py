"""Where waiting tasks stand: a lane for each need and priority, and the views of those who can serve some of them.

    late (came back) ─┐
    fifo (the front) ─┴─▶ next        far (all behind, by number) ──▶ fifo, a thousand at a time

What stands far back is folded in the table of all tasks, and is a task again when it comes to the front.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from heapq import heapify, heappop, heappush, heapreplace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from actors.core.task import Needs, Task
    from actors.core.tasktable import TaskTable

__all__ = ["NEAR", "Bucket", "Lane", "View"]

_SLACK = 64

NEAR: Final = 16_384
"""So many tasks stand in the front of a lane before further ones are folded: a burst of thousands is not worth it."""

_DRAWN = 1024
"""So many come to an empty front at once: to unfold them takes a few milliseconds."""


class Lane:
    """The waiting tasks of one need and one priority, the one accepted first in front.

    Invariants: `fifo`, `late` and `far` (from `begun` on) together hold `live` tasks that wait and `dead` entries of ones
    that were taken out of turn; all of `far` are younger than all of `fifo`, which is empty only if `far` is; `head` is the
    order of the first that waits, 0 if none does. While it is `held` no view gives it out, whatever it still promises.
    """

    __slots__ = (
        "begun",
        "bucket",
        "dead",
        "far",
        "fifo",
        "groups",
        "head",
        "held",
        "last",
        "late",
        "live",
        "posted",
        "rank",
    )

    def __init__(self, bucket: Bucket, rank: int) -> None:
        self.bucket = bucket
        self.rank = rank
        self.fifo: deque[Task] = deque()
        # Those that came back, or whose dependencies took long: older than the last of `fifo`.
        self.late: list[tuple[int, Task]] = []
        # The numbers of those behind all of `fifo`, from `begun` on, and the order of the last of them.
        self.far: array[int] | None = None
        self.begun = 0
        self.last = 0
        self.live = 0
        self.dead = 0
        self.head = 0
        self.held = bucket.held
        # The best promise that each view's heap holds for this lane.
        self.posted: dict[View, int] = {}
        # Tasks with inputs, by type and inputs, so that similar ones can go together. Entries may be of tasks gone.
        self.groups: dict[tuple[str, frozenset[str]], deque[Task]] = {}

    def first(self) -> Task:
        """The task in front; there must be one."""
        if self.late and self.late[0][0] == self.head:
            return self.late[0][1]
        return self.fifo[0]

    def put(self, task: Task) -> None:
        """Let a task wait."""
        order = task.order
        fifo = self.fifo
        task.queued = True
        if (self.far is not None or len(fifo) >= NEAR) and self.bucket.tasks is not None:
            self._put_far(task, self.bucket.tasks)
        elif not fifo or fifo[-1].order < order:
            fifo.append(task)
        else:
            heappush(self.late, (order, task))
        self.live += 1
        if task.inputs:
            self.groups.setdefault((task.kind.name, task.inputs), deque()).append(task)
        if self.live == 1 or order < self.head:
            self.head = order
            if not self.held:
                self.post()

    def post(self) -> None:
        """Tell all views that can serve it what stands in front."""
        for view in self.bucket.views:
            view.post(self)

    def take(self) -> Task:
        """Take the task in front; there must be one."""
        late = self.late
        task = heappop(late)[1] if late and late[0][0] == self.head else self.fifo.popleft()
        task.queued = False
        self.live -= 1
        if task.inputs:
            self._clean_group(task)
        self._settle_head()
        return task

    def remove(self, task: Task) -> None:
        """Take out a task that stands anywhere."""
        task.queued = False
        self.live -= 1
        self.dead += 1
        if task.inputs:
            self._clean_group(task)
        if task.order == self.head or not self.live:
            self._settle_head()
        if self.dead > self.live + _SLACK:
            self._sweep()

    def similar(self, group: tuple[str, frozenset[str]]) -> Task | None:
        """The first waiting task of the same type and inputs."""
        waiting = self.groups.get(group)
        while waiting:
            if waiting[0].queued:
                return waiting[0]
            waiting.popleft()
        return None

    def tasks(self) -> Iterator[Task]:
        """All that wait, in their order."""
        found = {item.number: item for item in self.fifo if item.queued}
        found.update((item[1].number, item[1]) for item in self.late if item[1].queued)
        table = self.bucket.tasks
        for number in self._numbers():
            if table is not None and table.stands(number):
                found[number] = table[number]
        return iter(sorted(found.values(), key=lambda item: item.order))

    def before(self, order: int) -> int:
        """How many wait that were accepted before; looks at each, and unfolds none."""
        table = self.bucket.tasks
        orders = {item.order for item in self.fifo if item.queued} | {one for one, item in self.late if item.queued}
        if table is not None:
            orders.update(table.order(number) for number in self._numbers())
        return sum(0 < one < order for one in orders)

    @property
    def entries(self) -> int:
        """How many entries it has, dead ones too."""
        return len(self.fifo) + len(self.late) + len(self._numbers())

    def draw(self) -> None:
        """Let the next of those far back come to the front, which is empty."""
        table, far, fifo = self.bucket.tasks, self.far, self.fifo
        while far is not None and table is not None and not fifo:
            some = far[self.begun : self.begun + _DRAWN]
            # A failure in here is mended by making the line anew.
            self.begun += len(some)
            for number in some:
                task = table.get(number)
                if task is not None and task.queued:
                    fifo.append(task)
                else:
                    self.dead -= 1
            if self.begun >= len(far):
                far = self.far = None
                self.begun = self.last = 0
            elif self.begun * 2 > len(far):
                del far[: self.begun]
                self.begun = 0

    def _put_far(self, task: Task, table: TaskTable) -> None:
        """Let a task wait in a lane with a long front, or with some far back."""
        if task.order < (self.last or self.fifo[-1].order) or table.get(task.number) is not task:
            # What the table does not have would not be found by its number.
            heappush(self.late, (task.order, task))
        else:
            if self.far is None:
                self.far = array("q")
            self.far.append(task.number)
            self.last = task.order
            table.fold(task)

    def _numbers(self) -> array[int]:
        return array("q") if self.far is None else self.far[self.begun :]

    def _sweep(self) -> None:
        """Throw out dead entries."""
        table = self.bucket.tasks
        self.fifo = deque(item for item in self.fifo if item.queued)
        self.late = [item for item in self.late if item[1].queued]
        heapify(self.late)
        if self.far is not None and table is not None:
            self.far = array("q", (number for number in self._numbers() if table.stands(number)))
            self.begun = 0
            if not self.far:
                self.far, self.last = None, 0
            elif not self.fifo:
                self.draw()
        self.dead = self.entries - self.live

    def _settle_head(self) -> None:
        fifo, late = self.fifo, self.late
        if not self.live:
            self.head = 0
            self.dead = 0
            fifo.clear()
            late.clear()
            self.far = None
            self.begun = self.last = 0
            return
        while late and not late[0][1].queued:
            heappop(late)
            self.dead -= 1
        while fifo and not fifo[0].queued:
            fifo.popleft()
            self.dead -= 1
        if not fifo and self.far is not None:
            self.draw()
        head = fifo[0].order if fifo else 0
        self.head = late[0][0] if late and (not head or late[0][0] < head) else head

    def _clean_group(self, task: Task) -> None:
        group = (task.kind.name, task.inputs)
        waiting = self.groups.get(group)
        while waiting and not waiting[0].queued:
            waiting.popleft()
        if waiting is not None and not waiting:
            del self.groups[group]


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
