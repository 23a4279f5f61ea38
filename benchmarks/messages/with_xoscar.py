"""xoscar: actors in a pool of processes, each with an event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import xoscar

from benchmarks.messages.line import AsyncLine
from benchmarks.messages.post import Tally
from benchmarks.messages.workloads import Runner, Workload

__all__ = ["xoscar_pool"]


class _Echo(xoscar.Actor):  # type: ignore[misc]  # without types
    def __init__(self) -> None:
        super().__init__()
        self.tally = Tally()

    async def question(self, number: int, content: bytes) -> tuple[int, bytes]:
        return number, content

    async def parcel(self, number: int, content: bytes) -> None:
        self.tally.add(number, content)

    async def count(self) -> Any:
        return self.tally.told()


class _Sender(xoscar.Actor):  # type: ignore[misc]  # without types
    def __init__(self, echo: Any) -> None:
        super().__init__()
        self.line = _Line(echo)

    async def drive(self, workload: Workload, count: int) -> dict[str, float]:
        return await self.line.run(workload, count)


class _Line(AsyncLine):
    name = "xoscar"

    def __init__(self, echo: Any) -> None:
        self.echo = echo

    async def ask(self, number: int, content: bytes) -> Any:
        return await self.echo.question(number, content)

    async def tell(self, number: int, content: bytes) -> None:
        await self.echo.parcel.tell(number, content)

    async def told(self) -> Any:
        return await self.echo.count()


@contextlib.contextmanager
def xoscar_pool(scene: str) -> Iterator[Runner]:
    """A pool of two processes beside the program."""
    with asyncio.Runner() as loop:
        pool = loop.run(xoscar.create_actor_pool("127.0.0.1:0", n_process=2))
        echo = loop.run(_started(pool, 1, _Echo))
        if scene == "across":
            line = _Line(echo)
            yield lambda workload, count: loop.run(line.run(workload, count))
        else:
            sender = loop.run(_started(pool, 2, _Sender, echo))
            yield lambda workload, count: loop.run(_awaited(sender.drive(workload, count)))
        loop.run(pool.stop())


async def _started(pool: Any, process: int, *made_of: Any) -> Any:
    place = xoscar.allocate_strategy.ProcessIndex(process)
    return await xoscar.create_actor(*made_of, address=pool.external_address, allocate_strategy=place)


async def _awaited(one: Any) -> Any:
    return await one
