"""What is asked of each library, and nothing more: each answers with facilities of its own."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, ClassVar

__all__ = ["WORKERS", "Library", "Need", "Outcome"]

WORKERS = 2


@dataclass(frozen=True, slots=True)
class Need:
    """What a fault asks of the library's settings; all else is as the library comes.

    `retries` False: a task that dies is not tried again. `memory`: limit in bytes. `silence`: seconds after which a
    worker that says nothing is given up. `journal`: where accepted work is kept.
    """

    retries: bool = True
    memory: int | None = None
    silence: float | None = None
    journal: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ended: with a value, with an error, or not in time."""

    value: Any = None
    error: BaseException | None = None
    late: bool = False


class Library(ABC):
    """One library with a pool of two workers."""

    name: ClassVar[str]
    distribution: ClassVar[str | None] = None
    """Its name for pip; None for what comes with Python."""

    cannot: ClassVar[Mapping[str, str]] = {}
    """By fault, why it cannot be measured: there is nothing in the library that could do it."""

    only: ClassVar[frozenset[str]] = frozenset()
    """The faults for which it is measured; none: all. For a second set of settings of a library."""

    remarks: ClassVar[Mapping[str, str]] = {}
    """By fault, how it was asked for where that is not plain."""

    def __init__(self) -> None:
        self.need = Need()
        self._stack = contextlib.ExitStack()

    @classmethod
    def version(cls) -> str | None:
        """What is installed; empty for what comes with Python, None if it is not installed."""
        if cls.distribution is None:
            return ""
        try:
            return metadata.version(cls.distribution)
        except metadata.PackageNotFoundError:
            return None

    @abstractmethod
    def opened(self, need: Need) -> contextlib.AbstractContextManager[None]:
        """The pool, used as its documentation recommends for a program that ends in order."""

    @abstractmethod
    def submit(self, function: Callable[..., Any], *args: Any, timeout: float | None = None) -> Any:
        """Hand in a call; a handle. With a time limit where the library has them."""

    @abstractmethod
    def wait(self, handle: Any) -> Any:
        """Wait without end, as a program does; the result, or its exception."""

    @abstractmethod
    def outcome(self, handle: Any, seconds: float) -> Outcome:
        """Wait for some time."""

    def cancel(self, handle: Any) -> None:
        """Cancel what may be running."""
        handle.cancel()

    def accepted(self, handle: Any) -> None:
        """Wait until the library has said that it has the task, where it says that."""
        del handle

    def recovered(self) -> list[Any]:
        """The handles of what goes on after a restart."""
        return []

    def start(self, need: Need) -> None:
        """Open it until `stop`."""
        self.need = need
        self._stack.enter_context(self.opened(need))

    def stop(self) -> None:
        """End it in order."""
        self._stack.close()


class FutureLibrary(Library):
    """One whose handles are futures of the standard library, or like them."""

    def wait(self, handle: Any) -> Any:
        """As Library says."""
        return handle.result()

    def outcome(self, handle: Any, seconds: float) -> Outcome:
        """As Library says."""
        try:
            return Outcome(handle.result(max(seconds, 0)))
        except TimeoutError as error:
            return Outcome(error=error) if handle.done() else Outcome(late=True)
        except BaseException as error:  # noqa: BLE001 - whatever the library says is what is looked at
            return Outcome(error=error)
