"""What a machine has had workers do, and what came of it: its model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from actors.future import TaskFuture
from actors.testing.sim.conductor import Gone

__all__ = ["Asked", "Call"]


class Call:
    """A task that was submitted.

    Attributes:
        method: what was submitted, as `Account.pay`.
        args, kwargs: its arguments.
        future: as `submit` gave it.
    """

    def __init__(self, method: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], future: TaskFuture[Any]) -> None:
        self.method = method
        self.args = args
        self.kwargs = kwargs
        self.future = future
        self._seen = False

    def __repr__(self) -> str:
        given = [*map(repr, self.args), *(f"{key}={value!r}" for key, value in self.kwargs.items())]
        name = getattr(self.method, "task_type", None) or getattr(self.method, "__qualname__", repr(self.method))
        return f"{name}({', '.join(given)})"

    @property
    def done(self) -> bool:
        """Whether it has its outcome."""
        return self.future.done()

    @property
    def error(self) -> BaseException | None:
        """What it failed with; None if it did not, or has not ended, or was cancelled."""
        return self.future.exception() if self.future.done() and not self.future.cancelled() else None

    @property
    def succeeded(self) -> bool:
        """Whether it has ended, and with a result."""
        return self.done and not self.future.cancelled() and self.error is None

    @property
    def result(self) -> Any:
        """Its result.

        Raises:
            BaseException: what it failed with.
            TimeoutError: it has not ended.
        """
        return self.future.result(timeout=0)

    def unseen_error(self) -> BaseException | None:
        """Its error, the first time that one asks for it."""
        if self._seen or not self.future.done():
            return None
        self._seen = True
        return self.error


class Asked:
    """A question to a worker.

    Attributes:
        agent: the id of the agent.
        message: what was asked.
        done: whether there is an answer, or an error.
        answer: what the handler returned.
        error: what it raised, or why there is no answer.
    """

    def __init__(self, agent: str, message: Any) -> None:
        self.agent = agent
        self.message = message
        self.done = False
        self.answer: Any = None
        self.error: BaseException | None = None
        self._seen = False

    def __repr__(self) -> str:
        return f"ask({self.agent!r}, {self.message!r})"

    @property
    def succeeded(self) -> bool:
        """Whether it was answered."""
        return self.done and self.error is None

    def settle(self, ask: Callable[[], Any]) -> None:
        """Ask, and keep what comes of it."""
        try:
            self.answer = ask()
        except Gone:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the handler raised
            self.error = error
        self.done = True

    def unseen_error(self) -> BaseException | None:
        """The error, the first time that one asks for it."""
        if self._seen or not self.done:
            return None
        self._seen = True
        return self.error
