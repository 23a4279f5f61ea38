"""pykka: actors in threads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pykka

from benchmarks.messages.line import Line
from benchmarks.messages.post import Count, Parcel, Question, Tally
from benchmarks.messages.workloads import Runner

__all__ = ["pykka_threads"]


class _Echo(pykka.ThreadingActor):
    def __init__(self) -> None:
        super().__init__()
        self.tally = Tally()

    def on_receive(self, message: Any) -> Any:
        if type(message) is Question:
            return message
        if type(message) is Parcel:
            self.tally.add(message.number, message.payload)
            return None
        return self.tally.told()


class _Line(Line):
    name = "pykka"

    def __init__(self, echo: pykka.ActorRef[_Echo]) -> None:
        self.echo = echo

    def ask(self, number: int, content: bytes) -> Any:
        return self.echo.ask(Question(number, content))

    def begin(self, number: int, content: bytes) -> Any:
        return self.echo.ask(Question(number, content), block=False)

    def end(self, handle: Any) -> Any:
        return handle.get()

    def tell(self, number: int, content: bytes) -> None:
        self.echo.tell(Parcel(number, content))

    def told(self) -> Any:
        return self.echo.ask(Count())


@contextlib.contextmanager
def pykka_threads(scene: str) -> Iterator[Runner]:
    """A `ThreadingActor`."""
    del scene
    echo = _Echo.start()
    yield _Line(echo).run
    echo.stop()
