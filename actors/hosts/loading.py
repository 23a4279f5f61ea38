"""Whether this thread is just loading an agent's worker: importing the module that defines it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

__all__ = ["loading", "loading_worker"]

_here = threading.local()


def loading_worker() -> str | None:
    """The agent whose worker this thread is loading, or None.

    A module that starts a system when it is imported would start one in each agent that imports it, and so on without
    end; a system that is about to start asks here first.
    """
    return getattr(_here, "agent", None)


@contextlib.contextmanager
def loading(agent: str) -> Iterator[None]:
    """Say that this thread loads the worker of `agent`."""
    _here.agent = agent
    try:
        yield
    finally:
        _here.agent = None
