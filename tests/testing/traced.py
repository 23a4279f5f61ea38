"""Which of the library's modules run: in this process, and in agents that are processes."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from actors.hosts.child import run_agent

FOLDER = "TRACES_OF_MODULES"
"""The variable of the environment that names the directory in which agents leave what they have run."""


@contextmanager
def running() -> Iterator[set[str]]:
    """The names of the library's modules of which some code runs meanwhile, in any thread that begins in it."""
    seen: set[str] = set()

    def note(frame: FrameType, event: str, arg: Any) -> None:
        name = frame.f_globals.get("__name__", "")
        if name.startswith("actors"):
            seen.add(name)

    # A tracer, because the guard of a simulation is a profiler. It is told of calls alone.
    before = sys.gettrace()
    threading.settrace(note)
    sys.settrace(note)
    try:
        yield seen
    finally:
        sys.settrace(before)
        threading.settrace(before)  # type: ignore[arg-type]


def run_traced_agent(spec: bytes, task: int, control: int, status: int) -> int:
    """Be an agent, and leave the names of the modules that ran."""
    folder = Path(os.environ[FOLDER])
    with running() as seen:
        code = run_agent(spec, task, control, status)
    (folder / f"{os.getpid()}.txt").write_text("\n".join(sorted(seen)))
    return code
