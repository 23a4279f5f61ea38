"""Letting code fail on any of its lines, to prove that what it leaves half made does no harm."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from actors import core

__all__ = ["LineFailed", "LineFailure", "is_of_the_core", "is_of_the_mind"]


_ROOT = Path(core.__file__).parent.parent
_CORE = str(_ROOT / "core")
_ACTORS = tuple(
    str(_ROOT / "runtime" / name)
    for name in (
        "scheduler.py",
        "durable_scheduler.py",
        "journal/keeper.py",
        "carrier.py",
        "outcomes.py",
        "hub.py",
        "mail.py",
        "resource_manager.py",
        "synchronizer.py",
    )
)
# What only looks: a failure there says nothing.
_LOOKING = ("checks.py", "explain.py")


def is_of_the_core(name: str) -> bool:
    """Whether a file is of the actors that decide, or of the cores in them; not what they stand on."""
    return name in _ACTORS or is_of_the_mind(name)


def is_of_the_mind(name: str) -> bool:
    """Whether a file is of the pure cores, and does more than look."""
    return name.startswith(_CORE) and not name.endswith(_LOOKING)


class LineFailed(Exception):
    """What is raised instead of the execution of a line; nothing in the library expects it."""


class LineFailure:
    """While it is entered, the thread's lines of some files are counted, and one of them is not carried out but fails.

    Args:
        at: which one, counted from 1 over all entries; 0 only counts.
        concerns: whether the lines of the file of this name count.

    Attributes:
        seen: how many lines were counted.
        place: the file name and line that failed; None before.
        paused: set it to let lines pass uncounted.
        passed: every (file name, line) that was counted, if `keep` is set.

    Example:
        >>> failure = LineFailure(1, lambda name: name == __file__)
        >>> with failure:
        ...     pass
    """

    def __init__(self, at: int, concerns: Callable[[str], bool], *, keep: bool = False) -> None:
        self.at = at
        self.seen = 0
        self.paused = False
        self.place: tuple[str, int] | None = None
        self.passed: list[tuple[str, int]] | None = [] if keep else None
        self._concerns = concerns
        self._known: dict[str, bool] = {}
        self._before: Any = None

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        sys.settrace(self._before)

    def _called(self, frame: FrameType, event: str, arg: Any) -> Any:
        name = frame.f_code.co_filename
        concerned = self._known.get(name)
        if concerned is None:
            concerned = self._known[name] = self._concerns(name)
        return self._line if concerned else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line" and not self.paused:
            self.seen += 1
            if self.passed is not None:
                self.passed.append((frame.f_code.co_filename, frame.f_lineno))
            if self.seen == self.at:
                self.place = (frame.f_code.co_filename, frame.f_lineno)
                raise LineFailed(f"line {frame.f_lineno} of {frame.f_code.co_filename} failed, as a test wanted")
        return self._line
