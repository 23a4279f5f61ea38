"""One step of the book: what it changes and whom it answers, kept apart until all of it is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from actors.core.sync.owner import Owner, TaskKey
from actors.core.sync.thing import Thing
from actors.core.sync.wait import Hold, Ticket, Wait

__all__ = ["Answer", "Step"]


class Answer(NamedTuple):
    """The end of a request: a value, or an error."""

    ticket: Ticket
    value: Any
    error: BaseException | None


class Step:
    """What a request, a death or the time has come to.

    Args:
        things: as they were before.
        tasks: which tasks wait for which.
        fence: the highest fencing number that was given.
        versions: the highest version of a value that was deleted.
        now: on the monotonic clock.

    Attributes:
        changed: things as they are afterwards; None is forgotten.
        answers: whom it answers, in their order.
        held, waiting: how many more things an owner holds, or waits for.
        judge: whether there may be a deadlock that was not there before.
    """

    def __init__(
        self,
        things: Mapping[str, Thing],
        tasks: Mapping[TaskKey, tuple[int, str]],
        fence: int,
        versions: int,
        now: float,
    ) -> None:
        self._things = things
        self.now = now
        self.fence = fence
        self.versions = versions
        self.tasks = tasks
        self.changed: dict[str, Thing | None] = {}
        self.answers: list[Answer] = []
        self.held: dict[Owner, int] = {}
        self.waiting: dict[Owner, int] = {}
        self.ended: list[Owner] = []
        self.judge = False

    def find(self, name: str) -> Thing | None:
        """The thing of that name."""
        return self.changed[name] if name in self.changed else self._things.get(name)

    def all(self) -> list[Thing]:
        """All things, as they are by now."""
        things: dict[str, Thing | None] = {**self._things, **self.changed}
        return [thing for thing in things.values() if thing is not None]

    def put(self, thing: Thing) -> None:
        """A thing is like this from now on."""
        self.changed[thing.name] = None if thing.idle else thing

    def enters(self, wait: Wait) -> None:
        """Somebody waits; it may end within this step."""
        self.waiting[wait.owner] = self.waiting.get(wait.owner, 0) + 1

    def answer(self, ticket: Ticket, value: Any) -> None:
        """Answer a request that does not wait."""
        self.answers.append(Answer(ticket, value, None))

    # What things say of themselves

    def grant(self, wait: Wait, value: Any = None) -> None:
        """See `Grants.grant`."""
        self._leaves(wait)
        self.answers.append(Answer(wait.ticket, value, None))

    def fail(self, wait: Wait, error: BaseException) -> None:
        """See `Grants.fail`."""
        self._leaves(wait)
        self.answers.append(Answer(wait.ticket, None, error))

    def hold(self, wait: Wait) -> Hold:
        """See `Grants.hold`."""
        self.fence += 1
        self.held[wait.owner] = self.held.get(wait.owner, 0) + 1
        self.grant(wait, self.fence)
        return Hold(wait.ticket, wait.owner, wait.mode, self.fence, self.now)

    def let_go(self, hold: Hold) -> None:
        """See `Grants.let_go`."""
        self.held[hold.owner] = self.held.get(hold.owner, 0) - 1

    def _leaves(self, wait: Wait) -> None:
        self.waiting[wait.owner] = self.waiting.get(wait.owner, 0) - 1
        self.ended.append(wait.owner)
