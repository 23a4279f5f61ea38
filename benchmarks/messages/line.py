"""One sender's way to one recipient, and what is measured on it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from typing import Any

from benchmarks.messages.post import all_told, payload, right
from benchmarks.messages.workloads import Workload

__all__ = ["AsyncLine", "Line", "summed_up"]


def summed_up(latencies: list[int]) -> dict[str, float]:
    """The percentiles of some latencies in nanoseconds, as microseconds."""
    latencies = sorted(latencies)
    last = len(latencies) - 1
    return {f"p{percent}": latencies[min(last, len(latencies) * percent // 100)] / 1000 for percent in (50, 95)}


class Line(ABC):
    """A way on which the sender's own thread waits."""

    name: str

    @abstractmethod
    def ask(self, number: int, content: bytes) -> Any:
        """Send a `Question` and wait for its answer."""

    @abstractmethod
    def begin(self, number: int, content: bytes) -> Any:
        """Send a `Question` and wait for nothing; a handle."""

    @abstractmethod
    def end(self, handle: Any) -> Any:
        """Wait for the answer that belongs to a handle."""

    @abstractmethod
    def tell(self, number: int, content: bytes) -> None:
        """Send a `Parcel`."""

    @abstractmethod
    def told(self) -> Any:
        """Ask the recipient for its `Tally`."""

    def run(self, workload: Workload, count: int) -> dict[str, float]:
        """Do a piece of work: p50 and p95 in microseconds, or messages per second.

        Raises:
            WrongResult: an answer was wrong, or something was not told.
        """
        content = payload(workload.size)
        if workload.kind == "ask":
            return summed_up(self._one_by_one(count, content))
        began = time.perf_counter()
        if workload.kind == "flight":
            self._in_flight(count, workload.width, content)
        else:
            for number in range(count):
                self.tell(number, content)
            all_told(self.name, count, content, self.told())
        return {"rate": count / (time.perf_counter() - began)}

    def _one_by_one(self, count: int, content: bytes) -> list[int]:
        latencies = []
        for number in range(count):
            began = time.perf_counter_ns()
            answer = self.ask(number, content)
            latencies.append(time.perf_counter_ns() - began)
            right(self.name, number, content, answer)
        return latencies

    def _in_flight(self, count: int, width: int, content: bytes) -> None:
        handles: deque[Any] = deque()
        for number in range(count):
            handles.append(self.begin(number, content))
            if len(handles) == width:
                right(self.name, number - width + 1, content, self.end(handles.popleft()))
        for number in range(count - len(handles), count):
            right(self.name, number, content, self.end(handles.popleft()))


class AsyncLine(ABC):
    """A way on which an event loop waits."""

    name: str

    @abstractmethod
    async def ask(self, number: int, content: bytes) -> Any:
        """As Line says."""

    @abstractmethod
    async def tell(self, number: int, content: bytes) -> None:
        """As Line says."""

    @abstractmethod
    async def told(self) -> Any:
        """As Line says."""

    async def run(self, workload: Workload, count: int) -> dict[str, float]:
        """As Line says."""
        import asyncio  # noqa: PLC0415 - only who has a loop pays for it

        content = payload(workload.size)
        if workload.kind == "ask":
            latencies = []
            for number in range(count):
                began = time.perf_counter_ns()
                answer = await self.ask(number, content)
                latencies.append(time.perf_counter_ns() - began)
                right(self.name, number, content, answer)
            return summed_up(latencies)
        began_at = time.perf_counter()
        if workload.kind == "flight":
            numbers = iter(range(count))

            async def ask_on() -> None:
                for number in numbers:
                    right(self.name, number, content, await self.ask(number, content))

            await asyncio.gather(*[ask_on() for _ in range(workload.width)])
        else:
            for number in range(count):
                await self.tell(number, content)
            all_told(self.name, count, content, await self.told())
        return {"rate": count / (time.perf_counter() - began_at)}
