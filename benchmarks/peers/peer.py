"""What a peer is asked for. It is started for one measurement, in a program of its own, and ended after it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Self

__all__ = ["AGENTS", "Peer", "WrongResult", "combine", "echo", "layered", "length", "summed"]

AGENTS = 2


class WrongResult(AssertionError):
    """A peer answered something else than it was asked for; its time means nothing."""


def echo(value: Any) -> Any:
    """The empty task: what comes back proves that it ran and that answers are not mixed up."""
    return value


def length(content: bytes) -> int:
    """What of a large argument comes back."""
    return len(content)


def summed(array: Any) -> float:
    """What of an array comes back: it was there, to its last element."""
    return float(array[0] + array[-1])


_PRIME = 1_000_003


def combine(*values: int) -> int:
    """A node of the graph: it depends on each of its values and their order."""
    number = 1
    for value in values:
        number = (number * 31 + value) % _PRIME
    return number


def layered(depth: int, width: int) -> list[list[tuple[int, ...]]]:
    """The layers of a graph: for each node, which two of the layer before it needs; none in the first."""
    first: list[tuple[int, ...]] = [() for _ in range(width)]
    other = [tuple(sorted({index, (index + 1) % width})) for index in range(width)]
    return [first, *([other] * (depth - 1))]


class Peer(ABC):
    """A running pool. What a peer cannot do it leaves as it is here; no row asks it for that.

    Args:
        agents: how many processes.
    """

    name: str

    def __init__(self, agents: int = AGENTS) -> None:
        self.agents = agents

    @abstractmethod
    def __enter__(self) -> Self:
        """Start it."""

    @abstractmethod
    def __exit__(self, *exc_info: object) -> None:
        """End it; its processes are gone afterwards."""

    @abstractmethod
    def burst(self, count: int) -> Sequence[int]:
        """Submit `count` empty tasks, holding a future for each, and return all results."""

    @abstractmethod
    def single(self, value: Any) -> Any:
        """Submit one empty task and wait for its result."""

    def latencies(self, count: int) -> list[int]:
        """So many empty tasks one after another: the nanoseconds of each."""
        found = []
        for value in range(count):
            began = time.perf_counter_ns()
            result = self.single(value)
            found.append(time.perf_counter_ns() - began)
            self.right(value, result)
        return found

    def right(self, value: Any, result: Any) -> None:
        """Check what an empty task brought back.

        Raises:
            WrongResult: it is something else than it was given.
        """
        if result != value:
            raise WrongResult(f"{self.name}: the empty task got {value} and brought back {result!r:.200}")

    def map(self, count: int) -> Iterator[int]:
        """Map the empty task over so many numbers, with the chunks that the peer's documentation recommends."""
        raise NotImplementedError

    def call(self, function: Any, argument: Any) -> Any:
        """Submit one call and wait for its result."""
        raise NotImplementedError

    def graph(self, depth: int, width: int) -> Sequence[int]:
        """Submit a `layered` graph of `combine`; the results of its last layer."""
        raise NotImplementedError

    def examined(self) -> str:
        """What is wrong with how the last burst was done, beside its results; empty if nothing is."""
        return ""

    def notes(self) -> dict[str, int]:
        """Counters that the table's reader should know of."""
        return {}
