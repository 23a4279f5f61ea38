"""Workers and actors for the tests of messages and events."""

from __future__ import annotations

import logging
import os
import signal
import warnings
from dataclasses import dataclass
from typing import Any

from actors import Actor, Event, TaskCompleted, Worker, handles, task
from tests.agent.gates import Gate
from tests.system.storm import note


@dataclass(frozen=True, kw_only=True)
class Spotted(Event):
    """An event of the user's own."""

    what: str = ""


@dataclass(frozen=True, kw_only=True)
class SpottedRare(Spotted):
    """One that derives from another."""


@dataclass(frozen=True)
class Question:
    """A message of the user's own."""

    text: str


@dataclass(frozen=True)
class Pressing:
    """One that is taken also while a task runs."""

    text: str


@dataclass(frozen=True)
class Deadly:
    """One that ends the agent that takes it."""


class Neighbour(Worker):
    """Talks."""

    @handles(Question)
    def answer(self, message: Question) -> str:
        """Answer; or fail, if that is asked for."""
        if message.text == "fail":
            raise LookupError("no answer to that")
        return f"{self.agent_id}: {message.text}"

    @handles(Pressing, urgent=True)
    def answer_at_once(self, message: Pressing) -> str:
        """Answer beside the running task."""
        return f"at once: {message.text}"

    @handles(Deadly)
    def die(self, message: Deadly) -> None:
        """End without an answer."""
        os.kill(os.getpid(), signal.SIGKILL)

    @task
    def hold(self, gate: Gate) -> None:
        """Stop at a gate."""
        gate.wait()

    @task
    def ask_other(self, agent: str, text: str) -> Any:
        """Ask another agent."""
        return self.ask(agent, Question(text), timeout=10)

    @task
    def spot(self, what: str, scope: Any = "global", rare: bool = False) -> str:  # noqa: FBT001, FBT002 - a task's argument
        """Publish an event."""
        self.publish((SpottedRare if rare else Spotted)(what=what, scope=scope))
        if what != "nothing":
            # An answer of the system comes after it has read the event, and so while this task is at work on its job.
            self.coordinate("info", 1)
        return self.agent_id

    @task
    def listen(self, ledger: str, scope: Any = "global", gate: Gate | None = None) -> str:
        """Have events of one type noted from now on."""
        self.ledger = ledger
        self.subscribe(Spotted, scope=scope)
        if gate is not None:
            gate.wait()
        return self.agent_id

    @task
    def listen_no_more(self) -> None:
        """Have them noted no more."""
        self.unsubscribe(Spotted)

    def on_event(self, event: Event) -> None:
        """Note it; or fail."""
        what = getattr(event, "what", "")
        note(self.ledger, f"{self.agent_id} {type(event).__name__} {what} from {event.source}")
        if what == "trouble":
            raise LookupError("a handler that fails")

    @task
    def chat(self) -> None:
        """Log and warn in every way there is."""
        logging.getLogger("users.own").warning("a record with password=hunter2hunter2")
        self.log.warning("bound", api_key="k-12345678", shoe_size=43)
        warnings.warn("a warning", UserWarning, stacklevel=1)


class OtherNeighbour(Neighbour):
    """Another type."""

    def heard(self, event: TaskCompleted) -> None:
        """Nothing that is called."""


class Counter(Actor):
    """An actor of the program's own."""

    def __init__(self, start: int) -> None:
        super().__init__()
        self.value = start

    @handles(int)
    def add(self, message: int) -> int:
        """Add."""
        self.value += message
        return self.value

    def twice(self) -> int:
        """Twice the value."""
        return 2 * self.value
