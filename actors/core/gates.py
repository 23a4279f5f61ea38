"""Gates in the waiting line: what waits behind one that is shut is not given out, at the cost of no look at any task."""

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
    single: bool
    needs: Needs

    @property
    def lanes(self) -> Sequence[_Lane | None]:
        """Where its tasks wait."""


B = TypeVar("B", bound=_Bucket)


class Gates(Generic[B]):
    """Holds buckets back by the gate that their needs name.

    Invariants: knows exactly the line's buckets whose needs name a gate; each is `held` while its gate is shut, and
    `single` while it lets one through at a time.
    """

    __slots__ = ("_buckets", "_shut")

    def __init__(self) -> None:
        self._buckets: dict[str, list[B]] = {}
        # Gates that are shut, or (False) let one through at a time.
        self._shut: dict[str, bool] = {}

    def add(self, bucket: B) -> None:
        """One more bucket, without any tasks."""
        gate = bucket.needs.gate
        if gate is not None:
            self._buckets.setdefault(gate, []).append(bucket)
            self._mark(bucket, self._shut.get(gate))

    def keep(self, buckets: Iterable[B]) -> None:
        """Forget all but these."""
        self._buckets.clear()
        for bucket in buckets:
            self.add(bucket)

    def shut(self, gate: str) -> None:
        """Give out nothing that waits behind the gate."""
        self._shut[gate] = True
        for bucket in self._buckets.get(gate, ()):
            self._mark(bucket, shut=True)

    def open(self, gate: str, *, single: bool = False) -> list[B]:
        """Give out again what waits behind the gate, or (`single`) one of it at a time; gives where something waits."""
        if single:
            self._shut[gate] = False
        else:
            self._shut.pop(gate, None)
        waiting = []
        for bucket in self._buckets.get(gate, ()):
            self._mark(bucket, shut=False if single else None)
            if bucket.live:
                waiting.append(bucket)
                for lane in bucket.lanes:
                    if lane is not None and lane.live:
                        lane.post()
        return waiting

    @property
    def held(self) -> list[B]:
        """Where tasks wait behind a gate that is shut."""
        shut = [gate for gate, whole in self._shut.items() if whole]
        return [bucket for gate in shut for bucket in self._buckets.get(gate, ()) if bucket.live]

    def state(self, gate: str) -> bool | None:
        """True if the gate is shut, False if it lets one through at a time, None if it is open."""
        return self._shut.get(gate)

    def _mark(self, bucket: B, shut: bool | None) -> None:  # noqa: FBT001 - see `state`
        bucket.held, bucket.single = shut is True, shut is False
        for lane in bucket.lanes:
            if lane is not None:
                lane.held = bucket.held
