"""Handing in work: `submit`, `map` and `options`, the same in the program and inside a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload

from actors.hosts.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator

    from actors.future import TaskFuture
    from actors.hosts.ground import Ground
    from actors.hosts.taskmethod import TaskMethod

__all__ = ["BoundSubmitter", "Sink", "Submitter"]

R = TypeVar("R")


class Sink(Protocol):
    """Where work is handed in: the system, or an agent that passes it on to the system."""

    def submit(self, call: Any, args: tuple[Any, ...], kwargs: dict[str, Any], options: Options) -> TaskFuture[Any]:
        """Hand in one task."""

    def map(
        self,
        call: Any,
        iterables: tuple[Iterable[Any], ...],
        options: Options,
        *,
        chunksize: int | None,
        timeout: float | None,
        progress: bool,
    ) -> Iterator[Any]:
        """Hand in a stream of calls."""

    def ground(self) -> Ground:
        """What a strategy that is called here stands on."""


S = TypeVar("S", bound=Sink)


class Submitter:
    """Hands in work. What it derives from says where to, by `_opened`."""

    _options = Options()

    def _opened(self) -> Sink:
        """Where work is handed in, started if need be."""
        raise NotImplementedError

    @overload
    def submit(self, call: TaskMethod[..., R], /, *args: Any, **kwargs: Any) -> TaskFuture[R]: ...
    @overload
    def submit(self, call: Callable[..., Coroutine[Any, Any, R]], /, *args: Any, **kwargs: Any) -> TaskFuture[R]: ...
    @overload
    def submit(self, call: Callable[..., R], /, *args: Any, **kwargs: Any) -> TaskFuture[R]: ...
    def submit(self, call: Any, /, *args: Any, **kwargs: Any) -> TaskFuture[Any]:
        """Hand in one task.

        Args:
            call: a worker's task method, taken from its class (`Thumbnailer.shrink`), or any callable, which an
                agent of type general_purpose runs unless required capabilities say otherwise.
            *args, **kwargs: its arguments. They are serialised before this returns, so later changes of them do not
                matter. A future of this system, at the top level or one list, tuple or dict deep, stands for the
                result of its task, which must complete first (inside a task: a future of its own sub-tasks).

        Returns:
            The future of its result. To wait for it inside a task gives the agent's slot away; an async task awaits it.

        Raises:
            TypeError: it cannot be called, or not with these arguments.
            ConfigError: two workers have one type name, an option is not allowed, or it needs a named resource that the
                system does not have, or more of it than there is in all.
            NotSerializable: the callable or an argument cannot be sent to another process.
            SystemClosed: the system was shut down, or belongs to another process.

        Example:
            future = system.submit(Thumbnailer.shrink, "a.png", size=64)
        """
        return self._opened().submit(call, args, kwargs, self._options)

    @overload
    def map(
        self,
        call: TaskMethod[..., R],
        /,
        *iterables: Iterable[Any],
        chunksize: int | None = None,
        timeout: float | None = None,
        progress: bool = False,
    ) -> Iterator[R]: ...
    @overload
    def map(
        self,
        call: Callable[..., Coroutine[Any, Any, R]],
        /,
        *iterables: Iterable[Any],
        chunksize: int | None = None,
        timeout: float | None = None,
        progress: bool = False,
    ) -> Iterator[R]: ...
    @overload
    def map(
        self,
        call: Callable[..., R],
        /,
        *iterables: Iterable[Any],
        chunksize: int | None = None,
        timeout: float | None = None,
        progress: bool = False,
    ) -> Iterator[R]: ...
    def map(
        self,
        call: Any,
        /,
        *iterables: Iterable[Any],
        chunksize: int | None = None,
        timeout: float | None = None,
        progress: bool = False,
    ) -> Iterator[Any]:
        """Call with each item of the iterables (in parallel, as the builtin `map`), results in order.

        The iterables are read as results are taken, so they may be endless. An item that fails raises when its turn
        comes, and the rest runs on. Closing the iterator cancels what has not been taken.

        Args:
            call: as for `submit`.
            *iterables: the arguments; the shortest ends it.
            chunksize: how many calls make one task, 1 or more; None starts with one and grows while tasks are short.
            timeout: seconds from this call after which taking a result raises TimeoutError.
            progress: show a progress bar on stderr; in the program alone (needs the extra `cli`).

        Raises:
            ConfigError: `chunksize` is below 1.
            ValueError: no iterable.
            TypeError, NotSerializable, SystemClosed: as for `submit`; of an item, when its turn comes.
        """
        return self._opened().map(
            call, iterables, self._options, chunksize=chunksize, timeout=timeout, progress=progress
        )

    def options(self, **options: Any) -> Submitter:
        """The same with options, which go before those of `@task` and of the configuration.

        Args:
            priority: 1 (low) to 4 (critical), as `Priority`.
            after: futures or task ids that must complete first.
            timeout: time limit in seconds from the start of the task; `math.inf` for none.
            retries: how often it is tried again after its agent died, or after an exception of `retry_on`.
            retry_on: exception types after which it is tried again.
            backoff: how long to wait before that.
            requires: capabilities that its agent must have.
            resources: how much it needs of named resources of the system, as {"gpu": 1}: it waits until that is free.
            key: tasks with the same key go to the same agent where possible.
            inputs: names of what it reads, so that it finds an agent that has them warm.
            job: what tasks and agents belong together.
            once: a name; a second submission under it gives the future of the first one, also after a restart of the
                program if there is a journal. Of the program alone, and for one task or one saga, so not for `map`.
            idempotent: False if it must never run twice.
            duration: estimated seconds, until there is history.
            type: the name of its task type.

        Raises:
            ConfigError: a value that is not allowed.
            TypeError: an unknown option.
        """
        return BoundSubmitter(self._opened, self._options.updated(options))


class BoundSubmitter(Submitter, Generic[S]):
    """Hands in work with certain options; what `options` gives. A class that hands in more is derived from it and this.

    Args:
        opened: gives the place to hand in work.
        options: how the work is to be run.
    """

    def __init__(self, opened: Callable[[], S], options: Options) -> None:
        self._open_sink = opened
        self._options = options

    def _opened(self) -> S:
        return self._open_sink()
