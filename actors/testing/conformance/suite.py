"""What the suites have in common: checks that pytest collects, and that run without it, too.

A suite is a class whose checks are methods `test_…`, each with the promise as its name. Derive a class from it that makes
what is to be checked; pytest finds it by the usual rules if its name begins with `Test`. Without pytest:

    for name, error in TestMyHost.run_all().items():
        print(name, "passed" if error is None else error)
"""

from __future__ import annotations

import contextlib
import threading
import unittest
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, ClassVar, TypeVar

from actors.errors import ConfigError

__all__ = ["Suite", "beside", "expected"]

R = TypeVar("R")


class Suite:
    """A set of checks. Each runs in an instance of its own, between `setup_method` and `teardown_method`.

    Attributes:
        limit: seconds after which a check gives up on what should come at once.
    """

    limit: ClassVar[float] = 20.0

    def setup_method(self) -> None:
        """Called before each check."""

    def teardown_method(self) -> None:
        """Called after each check, also after one that failed."""

    @classmethod
    def checks(cls) -> list[str]:
        """The names of all checks, in the order in which they were written."""
        names: dict[str, None] = {}
        for klass in reversed(cls.__mro__):
            names.update(dict.fromkeys(name for name in vars(klass) if name.startswith("test_")))
        return [name for name in names if callable(getattr(cls, name, None))]

    @classmethod
    def run(cls, name: str) -> None:
        """Run one check.

        Raises:
            AssertionError: the promise is not kept.
            unittest.SkipTest: it does not apply here.
            ConfigError: asserts are switched off, so that nothing would be checked.
        """
        if not __debug__:
            raise ConfigError("the checks are asserts: run Python without -O", key="-O", value=True, allowed="no -O")
        suite = cls()
        suite.setup_method()
        try:
            getattr(suite, name)()
        finally:
            suite.teardown_method()

    @classmethod
    def run_all(cls) -> dict[str, BaseException | None]:
        """Run all checks. For each name what it raised, or None if it passed; those that do not apply are left out."""
        outcomes: dict[str, BaseException | None] = {}
        for name in cls.checks():
            try:
                cls.run(name)
            except unittest.SkipTest:
                continue
            except Exception as error:  # noqa: BLE001 - it is this check's outcome
                outcomes[name] = error
            else:
                outcomes[name] = None
        return outcomes

    @staticmethod
    def does_not_apply(why: str) -> None:
        """Leave the check, because what it is about is not promised.

        Raises:
            unittest.SkipTest: always.
        """
        raise unittest.SkipTest(why)


@contextlib.contextmanager
def expected(kind: type[BaseException], *words: str) -> Iterator[None]:
    """See to it that a block raises an error of this type, whose text has these words.

    Raises:
        AssertionError: it raises nothing, or the text lacks a word.
    """
    try:
        yield
    except kind as error:
        missing = [word for word in words if word not in str(error)]
        if missing:
            raise AssertionError(f"the text of {kind.__name__} lacks {missing}: {error}") from error
        return
    raise AssertionError(f"{kind.__name__} was expected, and nothing was raised")


def beside(function: Callable[..., R], *args: Any, **kwargs: Any) -> Future[R]:
    """Call a function in a thread of its own; the future has what it returns or raises."""
    future: Future[R] = Future()

    def run() -> None:
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, name="conformance", daemon=True).start()
    return future
