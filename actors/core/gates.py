"""Gates in the waiting line: what waits behind one that is shut is not given out, at the cost of no look at any task.

What needs a named resource that is not free is held back in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from actors.core.task import Needs

__all__ = ["Gates"]


class _Lane(Protocol):
    held: bool
    live: int

    def post(self) -> None:
        """Tell all views what stands in front."""


class _Bucket(Protocol):
    held: bool
    live: int
    short: bool
    single: bool
    needs: Needs

    @property
    def lanes(self) -> Sequence[_Lane | None]:
        """Where its tasks wait."""


B = TypeVar("B", bound=_Bucket)


class Gates(Generic[B]):
    """Holds buckets back by the gate that their needs name, and by the resources.

    Invariants: knows exactly the line's buckets whose needs name a gate; each is `held` while its gate is shut or it is
    `short` of resources, and `single` while its gate lets one through at a time. `rationed` has each bucket whose needs
    name resources and in which a task waits. A new one is `short` until it was judged.
    """

    __slots__ = ("_buckets", "_shut", "rationed")

    def __init__(self) -> None:
        self._buckets: dict[str, list[B]] = {}
        # Gates that are shut, or (False) let one through at a time.
        self._shut: dict[str, bool] = {}
        self.rationed: dict[B, None] = {}

    def add(self, bucket: B) -> None:
        """One more bucket, without any tasks."""
        gate = bucket.needs.gate
        if gate is not None:
            self._buckets.setdefault(gate, []).append(bucket)
        bucket.short = bool(bucket.needs.resources)
        self._mark(bucket)

    def keep(self, buckets: Iterable[B]) -> None:
        """Forget all but these, in each of which a task waits."""
        self._buckets.clear()
        rationed, self.rationed = self.rationed, {}
        for bucket in buckets:
            gate = bucket.needs.gate
            if gate is not None:
                self._buckets.setdefault(gate, []).append(bucket)
            if bucket in rationed:
                self.rationed[bucket] = None

    def ration(self, bucket: B, *, short: bool) -> None:
        """Say whether what the bucket's tasks need is not free."""
        bucket.short = short
        self._mark(bucket)
        self._post(bucket)

    def shut(self, gate: str) -> None:
        """Give out nothing that waits behind the gate."""
        self._shut[gate] = True
        for bucket in self._buckets.get(gate, ()):
            self._mark(bucket)

    def open(self, gate: str, *, single: bool = False) -> list[B]:
        """Give out again what waits behind the gate, or (`single`) one of it at a time; gives where something waits."""
        if single:
            self._shut[gate] = False
        else:
            self._shut.pop(gate, None)
        waiting = []
        for bucket in self._buckets.get(gate, ()):
            self._mark(bucket)
            if bucket.live:
                waiting.append(bucket)
                self._post(bucket)
        return waiting

    @property
    def held(self) -> list[B]:
        """Where tasks wait behind a gate that is shut, or for resources."""
        shut = [gate for gate, whole in self._shut.items() if whole]
        held = {bucket: None for gate in shut for bucket in self._buckets.get(gate, ()) if bucket.live}
        held.update({bucket: None for bucket in self.rationed if bucket.short and bucket.live})
        return list(held)

    def state(self, gate: str) -> bool | None:
        """True if the gate is shut, False if it lets one through at a time, None if it is open."""
        return self._shut.get(gate)

    def _post(self, bucket: B) -> None:
        if not bucket.held:
            for lane in bucket.lanes:
                if lane is not None and lane.live:
                    lane.post()

    def _mark(self, bucket: B) -> None:
        gate = bucket.needs.gate
        shut = None if gate is None else self._shut.get(gate)
        bucket.held, bucket.single = shut is True or bucket.short, shut is False
        for lane in bucket.lanes:
            if lane is not None:
                lane.held = bucket.held
