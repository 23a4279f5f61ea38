"""What only the program can hand in: work described as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from actors.coordination.strategies import Strategies
from actors.hosts.submitter import BoundSubmitter, Sink

if TYPE_CHECKING:
    from actors.core.taskspec import TaskSpec
    from actors.future import TaskFuture
    from actors.hosts.options import Options

__all__ = ["ProgramSubmitter"]


class ProgramSink(Sink, Protocol):
    """Where the program hands in work."""

    def submit_spec(self, spec: TaskSpec, options: Options) -> TaskFuture[Any]:
        """Hand in work described as data."""


class ProgramSubmitter(Strategies):
    """`submit`, `map`, `options`, the strategies and `submit_task`."""

    def _opened(self) -> ProgramSink:
        raise NotImplementedError

    def submit_task(self, spec: TaskSpec) -> TaskFuture[Any]:
        """Hand in work described as data: the worker that takes its type gets the data as keyword arguments.

        Raises:
            ConfigError: no worker takes tasks of this type, or it does not know a field of the data.
            NotSerializable, SystemClosed: as for `submit`.
        """
        return self._opened().submit_spec(spec, self._options)

    def options(self, **options: Any) -> ProgramSubmitter:  # noqa: D102 - as it is said above
        return _Bound(self._opened, self._options.updated(options))


class _Bound(BoundSubmitter[ProgramSink], ProgramSubmitter):
    """Hands in work with certain options."""
