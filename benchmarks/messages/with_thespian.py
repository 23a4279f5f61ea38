"""Thespian: actors in processes, which send and never wait; only the program can ask."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from thespian.actors import Actor, ActorSystem

from benchmarks.messages.line import Line, summed_up
from benchmarks.messages.post import Count, Drive, Parcel, Question, Tally, Told, WrongResult, all_told, payload, right
from benchmarks.messages.workloads import Runner, Workload

__all__ = ["thespian_system"]

_PATIENCE = 300.0


class _Echo(Actor):  # type: ignore[misc]  # without types
    def __init__(self) -> None:
        super().__init__()
        self.tally = Tally()

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - named by Thespian
        if type(message) is Question:
            self.send(sender, message)
        elif type(message) is Parcel:
            self.tally.add(message.number, message.payload)
        elif type(message) is Count:
            self.send(sender, self.tally.told())


class _Sender(Actor):  # type: ignore[misc]  # without types
    """Goes on with each answer that comes. The first message has the address of the other one."""

    def __init__(self) -> None:
        super().__init__()
        self.echo: Any = None
        self.driver: Any = None
        self.latencies: list[int] = []
        self.began = self.asked = self.answered = 0

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - named by Thespian
        if type(message) is dict:
            self.echo = message["echo"]
            self.send(sender, "ready")
        elif type(message) is Drive:
            self._begin(message, sender)
        elif sender == self.echo:
            try:
                self._answered(message)
            except WrongResult as error:
                self.send(self.driver, str(error))

    def _begin(self, drive: Drive, driver: Any) -> None:
        self.driver = driver
        self.workload, self.count = drive
        self.content = payload(self.workload.size)
        self.latencies = []
        self.asked = self.answered = 0
        self.began = time.perf_counter_ns()
        if self.workload.kind == "tell":
            for number in range(self.count):
                self.send(self.echo, Parcel(number, self.content))
            self.send(self.echo, Count())
        else:
            for _ in range(min(self.workload.width, self.count)):
                self._ask()

    def _ask(self) -> None:
        if self.asked < self.count:
            self.since = time.perf_counter_ns()
            self.send(self.echo, Question(self.asked, self.content))
            self.asked += 1

    def _answered(self, message: Any) -> None:
        now = time.perf_counter_ns()
        if type(message) is Told:
            all_told("thespian_system", self.count, self.content, message)
            self.answered = self.count
        else:
            self.latencies.append(now - self.since)
            right("thespian_system", self.answered, self.content, message)
            self.answered += 1
            self._ask()
        if self.answered == self.count:
            rate = {"rate": self.count / (now - self.began) * 1e9}
            self.send(self.driver, summed_up(self.latencies) if self.workload.kind == "ask" else rate)


class _Line(Line):
    name = "thespian_system"

    def __init__(self, system: Any, echo: Any) -> None:
        self.system = system
        self.echo = echo

    def ask(self, number: int, content: bytes) -> Any:
        return self.system.ask(self.echo, Question(number, content), _PATIENCE)

    def begin(self, number: int, content: bytes) -> Any:
        self.system.tell(self.echo, Question(number, content))

    def end(self, handle: Any) -> Any:
        return self.system.listen(_PATIENCE)

    def tell(self, number: int, content: bytes) -> None:
        self.system.tell(self.echo, Parcel(number, content))

    def told(self) -> Any:
        return self.system.ask(self.echo, Count(), _PATIENCE)


@contextlib.contextmanager
def thespian_system(scene: str) -> Iterator[Runner]:
    """Its `multiprocTCPBase`, the one that its documentation recommends."""
    system = ActorSystem("multiprocTCPBase", logDefs={"version": 1})
    echo = system.createActor(_Echo)
    if scene == "across":
        yield _Line(system, echo).run
    else:
        sender = system.createActor(_Sender)
        system.ask(sender, {"echo": echo}, _PATIENCE)

        def run(workload: Workload, count: int) -> dict[str, float]:
            found = system.ask(sender, Drive(workload, count), _PATIENCE)
            if type(found) is not dict:
                raise WrongResult(str(found))
            return found

        yield run
    system.shutdown()
