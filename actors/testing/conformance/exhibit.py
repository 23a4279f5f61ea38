"""The worker that the agents of the suite for hosts run."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

from actors.hosts.interrupts import TaskInterrupted
from actors.protocol.events import Event
from actors.worker import Worker, handles, task

__all__ = ["Exhibit", "Greeting", "Shown"]


@dataclass(frozen=True)
class Greeting:
    """A message to a worker."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Shown(Event):
    """An event of a worker's own."""

    text: str = ""


class Exhibit(Worker):
    """Shows one thing with each task.

    Args:
        fail: the text of an error that keeps it from starting.
    """

    def __init__(self, fail: str = "") -> None:
        if fail:
            raise RuntimeError(fail)
        self.events: list[str] = []

    def on_event(self, event: Event) -> None:
        """Keep it."""
        self.events.append(f"{type(event).__name__} of {event.source}")

    @handles(Greeting)
    def greet(self, message: Greeting) -> str:
        """Answer."""
        return f"{message.text} from {self.agent_id}"

    @task
    def echo(self, value: Any) -> Any:
        """Give back."""
        return value

    @task
    def repeat(self, value: bytes, times: int) -> bytes:
        """Give back more."""
        return value * times

    @task
    def identity(self) -> tuple[str, str | None, int, str | None]:
        """Who it is, and what it runs."""
        return self.agent_id, self.task_id, self.attempt, self.job

    @task
    def heard(self) -> list[str]:
        """The events so far."""
        return self.events

    @task
    def speak(self, other: str) -> tuple[Any, ...]:
        """Say all that a worker can say."""
        self.progress(0.25, "a quarter")
        self.publish(Shown(text="here"))
        self.tell(other, Greeting("told"))
        answer = self.ask(other, Greeting("asked"))
        granted = self.request_resources("open_files", 8, "to show it")
        return answer, granted.granted, granted.allowed

    @task
    def surroundings(self) -> tuple[dict[str, str], str]:
        """Environment and working directory."""
        return dict(os.environ), os.getcwd()

    @task
    def leave(self, code: int) -> None:
        """End the process."""
        os._exit(code)

    @task
    def sleep_in_the_system(self, seconds: float) -> None:
        """Sleep in a system call that only a signal breaks."""
        time.sleep(seconds)

    @task
    def sleep_in_the_library(self, seconds: float) -> None:
        """Sleep as tasks should."""
        self.sleep(seconds)

    @task
    def hold(self, path: str) -> str:
        """Go on for as long as there is a file, whoever asks it to end."""
        while os.path.exists(path):
            # Between the end of one `try` and the next an interruption is not caught; the next one comes a second later.
            try:
                self._hold(path)
            except TaskInterrupted:
                continue
        return "the file is gone"

    def _hold(self, path: str) -> None:
        while os.path.exists(path):
            try:
                self.sleep(0.01)
            except TaskInterrupted:
                continue
