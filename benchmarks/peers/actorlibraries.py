"""Actor libraries: an empty task is a message to one of so many actors, and its answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Self

from benchmarks.peers.peer import Peer, WrongResult

__all__ = ["PykkaPeer", "ThespianPeer", "XoscarPeer"]

_PATIENCE = 120.0


class PykkaPeer(Peer):
    """pykka's actors. They are threads of the program: no other process is woken, and none is isolated."""

    name = "pykka"

    def __enter__(self) -> Self:
        import pykka  # noqa: PLC0415 - only where it is measured

        class Echo(pykka.ThreadingActor):
            def on_receive(self, message: Any) -> Any:
                return message

        self._refs = [Echo.start() for _ in range(self.agents)]
        return self

    def __exit__(self, *exc_info: object) -> None:
        for ref in self._refs:
            ref.stop()

    def burst(self, count: int) -> Sequence[int]:
        """As Peer says."""
        refs, agents = self._refs, self.agents
        futures = [refs[value % agents].ask(value, block=False) for value in range(count)]
        return [future.get() for future in futures]

    def single(self, value: Any) -> Any:
        """As Peer says."""
        return self._refs[0].ask(value)


class XoscarPeer(Peer):
    """xoscar: a pool of processes, an actor in each; the calls are gathered, as its documentation has it."""

    name = "xoscar"

    def __enter__(self) -> Self:
        import xoscar  # noqa: PLC0415 - only where it is measured

        from benchmarks.peers.echoes import XoscarEcho  # noqa: PLC0415 - as above

        self._loop = asyncio.Runner().__enter__()

        async def started() -> tuple[Any, list[Any]]:
            pool = await xoscar.create_actor_pool("127.0.0.1:0", n_process=self.agents)
            place = xoscar.allocate_strategy.ProcessIndex
            return pool, [
                await xoscar.create_actor(XoscarEcho, address=pool.external_address, allocate_strategy=place(1 + index))
                for index in range(self.agents)
            ]

        self._pool, self._refs = self._loop.run(started())
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.run(self._pool.stop())
        self._loop.close()

    def burst(self, count: int) -> Sequence[int]:
        """As Peer says."""

        async def gathered() -> list[int]:
            refs, agents = self._refs, self.agents
            return list(await asyncio.gather(*[refs[value % agents].echo(value) for value in range(count)]))

        return self._loop.run(gathered())

    def single(self, value: Any) -> Any:
        """As Peer says."""

        async def asked() -> Any:
            return await self._refs[0].echo(value)

        return self._loop.run(asked())

    def latencies(self, count: int) -> list[int]:
        """As Peer says, within one run of the event loop."""

        async def asked() -> list[int]:
            found = []
            for value in range(count):
                began = time.perf_counter_ns()
                result = await self._refs[0].echo(value)
                found.append(time.perf_counter_ns() - began)
                self.right(value, result)
            return found

        latencies: list[int] = self._loop.run(asked())
        return latencies


class ThespianPeer(Peer):
    """Thespian's `multiprocTCPBase`, the one that its documentation recommends. The program tells and listens."""

    name = "Thespian"

    def __enter__(self) -> Self:
        from thespian.actors import ActorSystem  # noqa: PLC0415 - only where it is measured

        from benchmarks.peers.echoes import ThespianEcho  # noqa: PLC0415 - as above

        self._system: Any = ActorSystem("multiprocTCPBase", logDefs={"version": 1})
        self._refs = [self._system.createActor(ThespianEcho) for _ in range(self.agents)]
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._system.shutdown()

    def burst(self, count: int) -> Sequence[int]:
        """As Peer says. Answers come in the order of each actor: the numbers tell which they are of."""
        for value in range(count):
            self._system.tell(self._refs[value % self.agents], value + 1)
        found = [self._system.listen(_PATIENCE) for _ in range(count)]
        if None in found:
            raise WrongResult(f"{self.name}: an answer did not come in {_PATIENCE:g} s")
        return sorted(value - 1 for value in found)

    def single(self, value: Any) -> Any:
        """As Peer says."""
        return self._system.ask(self._refs[0], value + 1, _PATIENCE) - 1
