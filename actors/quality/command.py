"""What runs a tool: a worker's own `run`, or the same without an agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

__all__ = ["OUTPUT_LIMIT", "Ended", "Run"]

OUTPUT_LIMIT = 64 * 1024 * 1024
"""How many bytes of a tool's output are kept; one that says more about some files is asked about fewer."""


class Ended(Protocol):
    """How a command ended; `code` is negative for the signal that ended it."""

    @property
    def code(self) -> int: ...  # noqa: D102
    @property
    def stdout(self) -> str: ...  # noqa: D102
    @property
    def stderr(self) -> str: ...  # noqa: D102
    @property
    def truncated(self) -> bool: ...  # noqa: D102


class Run(Protocol):
    """Runs a command to its end, or kills it and raises `CommandFailed`; see `Worker.run`."""

    def __call__(  # noqa: D102
        self,
        argv: Sequence[str],
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        limit: int = ...,
        on_output: Callable[[str, str], object] | None = None,
    ) -> Ended: ...
