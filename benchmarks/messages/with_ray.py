"""Ray: actors in processes, methods in the place of messages."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from benchmarks.messages.line import Line
from benchmarks.messages.post import Tally
from benchmarks.messages.workloads import Runner, Workload

__all__ = ["ray_cluster"]


class _Echo:
    def __init__(self) -> None:
        self.tally = Tally()

    def question(self, number: int, content: bytes) -> tuple[int, bytes]:
        return number, content

    def parcel(self, number: int, content: bytes) -> None:
        self.tally.add(number, content)

    def count(self) -> Any:
        return self.tally.told()


class _Sender:
    def __init__(self, echo: Any) -> None:
        self.line = _Line(echo)

    def drive(self, workload: Workload, count: int) -> dict[str, float]:
        return self.line.run(workload, count)


class _Line(Line):
    name = "ray_cluster"

    def __init__(self, echo: Any) -> None:
        import ray  # noqa: PLC0415 - only where it is measured

        self.get = ray.get
        self.question = echo.question
        self.count = echo.count
        # Nobody is to keep a result that nobody asks for.
        self.parcel = echo.parcel.options(num_returns=0)

    def ask(self, number: int, content: bytes) -> Any:
        return self.get(self.question.remote(number, content))

    def begin(self, number: int, content: bytes) -> Any:
        return self.question.remote(number, content)

    def end(self, handle: Any) -> Any:
        return self.get(handle)

    def tell(self, number: int, content: bytes) -> None:
        self.parcel.remote(number, content)

    def told(self) -> Any:
        return self.get(self.count.remote())


@contextlib.contextmanager
def ray_cluster(scene: str) -> Iterator[Runner]:
    """Ray on this machine alone, without its dashboard."""
    import ray  # noqa: PLC0415 - only where it is measured

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.CRITICAL)
    echo = ray.remote(_Echo).remote()
    if scene == "across":
        yield _Line(echo).run
    else:
        sender = ray.remote(_Sender).remote(echo)
        yield lambda workload, count: ray.get(sender.drive.remote(workload, count))
    ray.shutdown()
