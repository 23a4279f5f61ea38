"""This library: the default system, with limits, retries, heartbeats and records of each task, and one subscriber."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Self

from actors import ActorSystem, SystemConfig, TaskCompleted, TaskFuture, TaskSpec, Worker, task
from benchmarks.honest import wrong_with
from benchmarks.peers import peer
from benchmarks.peers.peer import AGENTS, Peer
from benchmarks.works.held import hold

__all__ = ["ActorsPeer", "Echo", "SpecPeer"]

_PATIENCE = 30.0


class Echo(Worker):
    """A worker whose agents do nothing, under the limits, retries and heartbeats that every worker has."""

    @task
    def echo(self, value: Any) -> Any:
        """The empty task."""
        return value

    @task
    def length(self, content: bytes) -> int:
        """What of a large argument comes back."""
        return peer.length(content)

    @task
    def summed(self, array: Any) -> float:
        """What of an array comes back."""
        return peer.summed(array)

    @task
    def combine(self, *values: int) -> int:
        """A node of the graph."""
        return peer.combine(*values)

    @task
    def hold(self, path: str) -> int:
        """Wait until a gate opens."""
        return hold(path)

    @task
    def pid(self) -> int:
        """Who did it."""
        return os.getpid()

    @task
    def survive(self, path: str) -> tuple[int, float]:
        """Wait for the end in the first attempt, having said who waits; in the second one, say since when it runs."""
        now = time.monotonic()
        if self.attempt == 1:
            with open(path, "w", encoding="ascii") as file:
                file.write(str(os.getpid()))
            signal.pause()
        return os.getpid(), now

    @task(type="node")
    def node(self, values: list[int]) -> int:
        """The same for `submit_task`, whose data have names."""
        return peer.combine(*values)


_TASKS = {peer.echo: Echo.echo, peer.length: Echo.length, peer.summed: Echo.summed}


class ActorsPeer(Peer):
    """The default system with one subscriber to the event that every task brings.

    Args:
        agents: how many.
        options: further arguments of `ActorSystem`.
    """

    name = "actors"

    def __init__(self, agents: int = AGENTS, **options: Any) -> None:
        super().__init__(agents)
        self.system = ActorSystem({Echo: agents}, **options)
        self.futures: list[TaskFuture[Any]] = []
        self._events: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._asked = 0

    def __enter__(self) -> Self:
        self.system.__enter__()
        self._subscription = self.system.subscribe(TaskCompleted, self._on_completed)
        return self

    def _on_completed(self, event: TaskCompleted) -> None:
        with self._changed:
            self._events["TaskCompleted"] += 1
            self._changed.notify_all()

    def __exit__(self, *exc_info: object) -> None:
        self.system.shutdown(cancel_tasks=exc_info[0] is not None)

    def burst(self, count: int) -> Sequence[int]:
        """As Peer says."""
        submit, function = self.system.submit, Echo.echo
        self._asked += count
        self.futures = futures = [submit(function, value) for value in range(count)]
        return [future.result() for future in futures]

    def submitted(self, futures: list[TaskFuture[Any]]) -> None:
        """These were handed in by another way than `burst`, and are to be examined."""
        self._asked += len(futures)
        self.futures = futures

    def single(self, value: Any) -> Any:
        """As Peer says."""
        self._asked += 1
        return self.system.submit(Echo.echo, value).result()

    def call(self, function: Any, argument: Any) -> Any:
        """As Peer says."""
        # Taken, as nobody asks for it again: the memory of a large result is free for the next.
        return self.system.submit(_TASKS[function], argument).take()

    def map(self, count: int) -> Iterator[int]:
        """As Peer says."""
        return iter(self.system.map(Echo.echo, range(count)))

    def graph(self, depth: int, width: int) -> Sequence[int]:
        """As Peer says."""
        submit, function = self.system.submit, Echo.combine
        before: list[TaskFuture[int]] = []
        for layer in peer.layered(depth, width):
            before = [submit(function, *[before[index] for index in needs]) for needs in layer]
        return [future.result() for future in before]

    def examined(self) -> str:
        """As Peer says: who did each task, when, and whether the subscriber was told of each."""
        agents = {status.agent for status in self.system.agents()}
        # Of more tasks than are kept, the first are forgotten; they do not end in the order of their submission.
        kept = SystemConfig().kept_tasks
        for future in self.futures if len(self.futures) <= kept else self.futures[-kept // 2 :]:
            if reason := wrong_with(future.info(), agents):
                return reason
        return self._unheard()

    def _unheard(self) -> str:
        end = time.monotonic() + _PATIENCE
        with self._changed:
            while (told := self._told()) < self._asked and time.monotonic() < end:
                self._changed.wait(0.1)
        return "" if told >= self._asked else f"the subscriber was told of {told} of {self._asked} tasks"

    def _told(self) -> int:
        """Events that came, and those of which the subscription says that its buffer had no room for them."""
        return self._events["TaskCompleted"] + self._subscription.missed

    def notes(self) -> dict[str, int]:
        """Return how many events the subscriber got."""
        return {"events of the subscriber": self._events["TaskCompleted"], "of them missed": self._subscription.missed}


class SpecPeer(ActorsPeer):
    """The same, with work described as data."""

    name = "actors, submit_task"

    def graph(self, depth: int, width: int) -> Sequence[int]:
        """As Peer says."""
        submit = self.system.submit_task
        before: list[TaskFuture[Any]] = []
        for layer in peer.layered(depth, width):
            before = [
                submit(TaskSpec(type="node", data={"values": [before[index] for index in needs]})) for needs in layer
            ]
        return [future.result() for future in before]
