"""This library: actors in threads and in processes, and workers whose agents talk."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from actors import Actor, ActorRef, ActorSystem, AgentRef, Worker, handles, task
from benchmarks.messages.line import Line
from benchmarks.messages.post import Count, Drive, Parcel, Question, Tally, Told
from benchmarks.messages.workloads import Runner, Workload

__all__ = ["actors", "workers"]

_PATIENCE = 300.0


class _Echoing:
    """Gets messages."""

    def __init__(self) -> None:
        super().__init__()
        self.tally = Tally()

    @handles(Question)
    def question(self, message: Question) -> Question:
        """Give it back."""
        return message

    @handles(Parcel)
    def parcel(self, message: Parcel) -> None:
        """Note it."""
        self.tally.add(message.number, message.payload)

    @handles(Count)
    def count(self, message: Count) -> Told:
        """Tell what came."""
        return self.tally.told()


class Echo(_Echoing, Actor):
    """Gets messages one after the other."""


Ref = TypeVar("Ref", ActorRef[Echo], AgentRef)


class Sender(Actor):
    """Sends messages."""

    def __init__(self, echo: ActorRef[Echo]) -> None:
        super().__init__()
        self.line = _ActorLine(echo)

    @handles(Drive)
    def drive(self, message: Drive) -> dict[str, float]:
        """Do a piece of work."""
        return self.line.run(message.workload, message.messages)


class _EchoLine(Line, Generic[Ref]):
    def __init__(self, echo: Ref) -> None:
        self.echo: Ref = echo

    def ask(self, number: int, content: bytes) -> Any:
        return self.echo.ask(Question(number, content))

    def tell(self, number: int, content: bytes) -> None:
        self.echo.tell(Parcel(number, content))

    def told(self) -> Any:
        return self.echo.ask(Count(), timeout=_PATIENCE)


class _ActorLine(_EchoLine[ActorRef[Echo]]):
    name = "actors"

    def begin(self, number: int, content: bytes) -> Any:
        return self.echo.ask_later(Question(number, content))

    def end(self, handle: Any) -> Any:
        return handle.get()


@contextlib.contextmanager
def actors(scene: str) -> Iterator[Runner]:
    """Actors of the program, with all settings as they come."""
    with ActorSystem(host="thread" if scene == "within" else "process") as system:
        if scene == "within":
            yield _ActorLine(system.start_actor(Echo)).run
            return
        echo = system.start_actor(Echo, host="process")
        if scene == "across":
            yield _ActorLine(echo).run
            return
        sender = system.start_actor(Sender, echo, host="process")
        yield lambda workload, count: sender.ask(Drive(workload, count), timeout=_PATIENCE)


class EchoWorker(_Echoing, Worker):
    """Gets messages between its tasks."""


class SenderWorker(Worker):
    """Sends messages from inside a task."""

    @task
    def drive(self, echo: AgentRef, workload: Workload, count: int) -> dict[str, float]:
        """Do a piece of work."""
        return _WorkerLine(echo).run(workload, count)


class _WorkerLine(_EchoLine[AgentRef]):
    name = "actors (workers)"

    def begin(self, number: int, content: bytes) -> Any:
        raise NotImplementedError

    def end(self, handle: Any) -> Any:
        raise NotImplementedError


@contextlib.contextmanager
def workers(scene: str) -> Iterator[Runner]:
    """Agents whose tasks send messages to each other; these go through the hub, which knows who is free for them."""
    del scene
    with ActorSystem([EchoWorker, SenderWorker]) as system:
        echo = system.spawn(EchoWorker)
        yield lambda workload, count: system.submit(SenderWorker.drive, echo, workload, count).result(_PATIENCE)
