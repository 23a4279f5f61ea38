"""Books for tests: owners a, b, c … and requests in few words."""

from __future__ import annotations

from itertools import count
from typing import Any

from actors.core.sync.book import Book
from actors.core.sync.owner import Owner
from actors.core.sync.request import Request
from actors.core.sync.step import Answer

__all__ = ["Scene", "owner"]


def owner(name: str, agent: str = "x-1", incarnation: int = 1, part: int = 0) -> Owner:
    """An attempt at a task; its number is the place of the name's first letter in the alphabet."""
    return Owner(agent, incarnation, ord(name[0]) - 96, 1, part, f"task {name}")


class Scene:
    """A book, and what it has answered so far: by ticket number, the value or the error."""

    def __init__(self) -> None:
        self.book = Book()
        self.answers: dict[int, Any] = {}
        self.now = 100.0
        self._numbers = count(1)

    def take(self, answers: list[Answer]) -> None:
        """Note answers; nobody is answered twice."""
        for answer in answers:
            assert answer.ticket[2] not in self.answers
            self.answers[answer.ticket[2]] = answer.value if answer.error is None else answer.error

    def ask(self, who: Owner, op: str, kind: str, name: str, data: Any = None, *, size: int = 0, **about: Any) -> int:
        """Make a request; its ticket's number."""
        number = next(self._numbers)
        ticket = (who.agent, who.incarnation, number)
        self.take(self.book.handle(Request(op, kind, name, size, who, ticket, data=data, **about), self.now))
        return number

    def lock(self, who: Owner, name: str, **about: Any) -> int:
        """Want a lock; its ticket's number."""
        return self.ask(who, "acquire", "lock", name, "", **about)

    def semaphore(self, who: Owner, name: str, n: int, **about: Any) -> int:
        """Want a permit."""
        return self.ask(who, "acquire", "semaphore", name, "", size=n, **about)

    def read(self, who: Owner, name: str, **about: Any) -> int:
        """Want to read."""
        return self.ask(who, "acquire", "rwlock", name, "read", **about)

    def write(self, who: Owner, name: str, **about: Any) -> int:
        """Want to write."""
        return self.ask(who, "acquire", "rwlock", name, "write", **about)

    def release(self, who: Owner, name: str, fence: int, kind: str = "lock", size: int = 0) -> int:
        """Give back."""
        return self.ask(who, "release", kind, name, fence, size=size)

    def pass_time(self, seconds: float) -> None:
        """Let time go by, and what is due happen."""
        self.now += seconds
        self.take(self.book.tick(self.now))

    def die(self, agent: str, incarnation: int = 1) -> None:
        """An agent dies."""
        self.take(self.book.gone(agent, incarnation, self.now, "killed by SIGKILL"))
