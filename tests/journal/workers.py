"""Workers of the tests of durable work."""

from __future__ import annotations

import time
from pathlib import Path

from actors import Worker, task


class Scribe(Worker):
    """Does small things."""

    @task()
    def join(self, *parts: str) -> str:
        """Put texts together."""
        return "".join(parts)

    @task()
    def fail(self, text: str) -> None:
        """Fail."""
        raise LookupError(text)

    @task()
    def wait_for(self, path: str) -> str:
        """Return when a file is there, or nobody wants to know any more."""
        while not (Path(path).exists() or self.cancelled()):
            time.sleep(0.005)
        return "there"

    @task()
    def must_see(self, path: str, text: str) -> str:
        """Fail as long as a file is not there."""
        if not Path(path).exists():
            raise LookupError("it is not there")
        return f"{text} sees"

    @task()
    def nest(self, count: int) -> int:
        """Add up what sub-tasks give."""
        return sum(len(future.result()) for future in [self.submit(Scribe.join, "x") for _ in range(count)])


class Stranger(Worker):
    """One that a later start of the program does not name."""

    @task()
    def greet(self, name: str) -> str:
        """Greet."""
        return f"hello {name}"
