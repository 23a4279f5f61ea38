"""What must hold of locks, barriers and the like."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from actors.core.sync.barrier import Barrier
from actors.core.sync.flag import Flag
from actors.core.sync.holdable import Holdable
from actors.core.sync.latch import Latch
from actors.core.sync.owner import Owner
from actors.core.sync.wait import Ticket
from actors.testing.promises.invariant import Invariant
from actors.testing.promises.observed import Observed
from actors.testing.stuck import Contended, can_never_go_on

__all__ = ["SYNCING", "BarriersHold", "HoldersExcludeEachOther", "NobodyWaitsForWhatIsFree", "NobodyWaitsInADeadlock"]

_SITUATIONS = 64


class HoldersExcludeEachOther(Invariant):
    """See `statement`. What each living agent takes itself to hold counts, not what the book says."""

    requirement = "G1"
    statement = "no two of the living hold the same lock or the same fencing number"

    def after_sync(self) -> None:
        """A grant may be told now."""
        self.after_agent()

    def after_agent(self) -> None:
        """Ask all who live what they hold."""
        if self.sim.assembly.peers.sync is None:
            return
        fences: dict[int, Owner] = {}
        modes: dict[str, list[str]] = {}
        for desk in self._desks():
            for owner, held in desk._held.items():  # noqa: SLF001 - there is no other way to see what it believes
                for (name, mode), numbers in held.items():
                    for fence in numbers:
                        if fences.setdefault(fence, owner) is not owner:
                            self.broken(f"{owner} and {fences[fence]} have fencing number {fence}")
                        modes.setdefault(name, []).append(mode)
        for name, all_modes in modes.items():
            kinds = set(all_modes)
            alone = bool(kinds & {"lock ", "rwlock write"})
            if alone and len(all_modes) > 1:
                self.broken(f"{name} has {len(all_modes)} holders: {', '.join(map(str, fences.values()))}")

    def _desks(self) -> Iterator[Any]:
        yield self.sim.assembly.sync_desk
        for handle in self.sim.host.agents.values():
            worker = None if handle.sim.dead else handle.sim.worker
            context = getattr(worker, "_context", None)
            if context is not None and context.sync is not None:
                yield context.sync


class NobodyWaitsForWhatIsFree(Invariant):
    """See `statement`."""

    requirement = "G1"
    statement = "what is free goes to the first who waits for it, and no wake-up is lost"

    def after_sync(self) -> None:
        """Look at all queues."""
        for thing in self.sim.assembly.sync_state.book.things.values():
            if not thing.queue:
                continue
            free = (
                (isinstance(thing, Flag) and thing.up)
                or (isinstance(thing, Latch) and thing.done >= thing.count)
                or (isinstance(thing, Barrier) and (len(thing.queue) >= thing.parties or thing.broken is not None))
                or (isinstance(thing, Holdable) and _contended(thing).has_room(thing.queue[0].mode))
            )
            if free:
                self.broken(f"{thing} is free, and {thing.queue[0].owner} waits for it")

    def at_rest(self) -> None:
        """Nobody who has ended holds anything or waits."""
        for thing in self.sim.assembly.sync_state.book.things.values():
            for owner in [each.owner for each in thing.holds] + [each.owner for each in thing.queue]:
                handle = self.sim.host.find(owner.agent) if owner.attempt else None
                if owner.attempt and not (handle is not None and handle.sim.hung):
                    self.broken(f"{owner} has ended, and is said to hold {thing} or to wait for it")


class BarriersHold(Invariant):
    """See `statement`."""

    requirement = "G1"
    statement = "nobody passes a barrier before all parties of that generation have come"

    def __init__(self, sim: Observed) -> None:
        super().__init__(sim)
        # Who waited at which barrier, by the steps so far.
        self._came: dict[Ticket, str] = {}
        self._last: Any = None

    def after_sync(self) -> None:
        """Count who has passed in the last step of the book."""
        book = self.sim.assembly.sync_state.book
        note = book._note  # noqa: SLF001 - there is no other way to see it
        for thing in book.things.values():
            if isinstance(thing, Barrier):
                self._came.update((wait.ticket, thing.name) for wait in thing.queue)
        if note is None or note is self._last:
            return
        self._last = note
        for name, places in self._passed(*note).items():
            after = note[1].changed.get(name)
            parties = after.parties if isinstance(after, Barrier) else None
            if sorted(places) != list(range(len(places))) or (parties is not None and len(places) != parties):
                self.broken(f"{len(places)} passed {name}, as {places}")

    def _passed(self, ticket: Ticket | None, step: Any) -> dict[str, list[int]]:
        """As which ones of its generation some have passed in a step, by barrier."""
        passed: dict[str, list[int]] = {}
        for answer in step.answers:
            name = self._came.pop(answer.ticket, None)
            if name is not None and answer.error is None:
                passed.setdefault(name, []).append(answer.value)
        for answer in step.answers:
            if answer.ticket == ticket and answer.error is None and isinstance(answer.value, int):
                # One that came and passed in one step was never seen to wait.
                for name, thing in step.changed.items():
                    if isinstance(thing, Barrier) and thing.generation:
                        passed.setdefault(name, []).append(answer.value)
        return passed


class NobodyWaitsInADeadlock(Invariant):
    """See `statement`. That nobody is told of one that is none shows in tasks that keep to an order of locks."""

    requirement = "G1"
    statement = "a deadlock is found when it comes about"

    def after_sync(self) -> None:
        """Try in which order all could end."""
        book = self.sim.assembly.sync_state.book
        things = list(book.things.values())
        if not any(thing.queue for thing in things):
            return
        contended = [_contended(thing) for thing in things if isinstance(thing, Holdable)]
        elsewhere = {wait.owner for thing in things if not isinstance(thing, Holdable) for wait in thing.queue}
        all_owners: list[Any] = [owner for each in contended for owner, _ in (*each.held, *each.queue)]
        owners = {owner.task: owner for owner in all_owners if owner.task}
        keys = {owner.key: owner for owner in owners.values()}
        below: dict[Hashable, list[Hashable]] = {}
        for key, (number, _) in book.tasks.items():
            below.setdefault(keys.get(key, key), []).append(owners.get(number, ("task", number)))
        for key in book.tasks:
            # One that holds nothing is named by its number where others wait for it.
            if key not in keys:
                below.setdefault(("task", key[2]), []).append(key)
        for thing in things:
            for wait in thing.queue:
                for outer in wait.inside:
                    below.setdefault(keys.get(outer.key, outer), []).append(wait.owner)
        stuck = can_never_go_on(contended, below, elsewhere, most=_SITUATIONS)
        if stuck:
            self.broken(f"in a deadlock, and not told so: {', '.join(sorted(map(str, stuck)))}")


def _contended(thing: Any) -> Contended:
    held = tuple((hold.owner, hold.mode) for hold in thing.holds)
    queue = tuple((wait.owner, wait.mode) for wait in thing.queue)
    return Contended(thing.kind, thing.size, held, queue)


SYNCING: tuple[type[Invariant], ...] = (
    HoldersExcludeEachOther,
    NobodyWaitsForWhatIsFree,
    BarriersHold,
    NobodyWaitsInADeadlock,
)
"""All of them."""
