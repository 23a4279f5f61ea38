"""The strategies as methods: of the system, of what `options(…)` gives, and of a worker inside its task."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from actors.coordination.unset import NOTHING
from actors.hosts.submitter import BoundSubmitter, Sink, Submitter

if TYPE_CHECKING:
    from actors.coordination.calls import CallLike
    from actors.coordination.pipeline import ItemFailures, Pipeline
    from actors.coordination.saga import Step
    from actors.coordination.scatter import Failures
    from actors.coordination.whole import WholeFuture

__all__ = ["BoundStrategies", "Strategies"]


def _making() -> Any:
    from actors.coordination import making  # noqa: PLC0415 - takes some ms, and most programs call none of them

    return making


def _started(whole: Any) -> WholeFuture[Any]:
    future: WholeFuture[Any] = whole.start()
    return future


class Strategies(Submitter):
    """`submit`, `map` and `options` as in `Submitter`, and the strategies.

    Each composes tasks, for which all options hold: priorities, time limits, retries and so on. A call is a worker's task
    method or any callable; with arguments it is a tuple (call, *arguments), or `functools.partial(call, …)`.
    """

    def options(self, **options: Any) -> Strategies:  # noqa: D102 - as it is said above
        return BoundStrategies(self._opened, self._options.updated(options))

    def scatter_gather(
        self,
        calls: Iterable[CallLike] | CallLike,
        items: Iterable[Any] | None = None,
        *,
        failures: Failures = "raise",
        minimum: int | None = None,
        timeout: float | None = None,
    ) -> WholeFuture[list[Any]]:
        """Make many calls at once and gather all results, in the order of the calls.

        Args:
            calls: the calls, or one call for the items.
            items: each is the first argument of a call.
            failures: what a call that fails does: "raise" fails the whole and cancels the others, "collect" puts its error
                in the place of its result, "drop" leaves its place out.
            minimum: with "collect" or "drop", how many results there must be; as soon as that cannot be any more, the whole
                fails with an ExceptionGroup and the others are cancelled. None: none.
            timeout: seconds for all of it, after which the whole fails with TimeoutError and the calls are cancelled.

        Returns:
            The future of the list.

        Raises:
            ValueError: there is no call.
            ConfigError: an option is not allowed, also `once`.
            TypeError, NotSerializable, SystemClosed: as for `submit`; nothing is left running.

        Example:
            sizes = system.scatter_gather(Disk.size, paths, failures="drop", minimum=3).result()
        """
        found = _making().invocations(calls, items, "scatter_gather")
        tally = _making().Scatter(len(found), failures, minimum)
        return self._gather("scatter_gather", tally, found, timeout)

    def race(
        self, calls: Iterable[CallLike] | CallLike, items: Iterable[Any] | None = None, *, timeout: float | None = None
    ) -> WholeFuture[Any]:
        """Make several calls at once; the first result wins, and the others are cancelled.

        If all fail, the whole fails with an ExceptionGroup of all their errors, in the order of the calls.

        Args, errors: as for `scatter_gather`.

        Example:
            page = system.race([(Mirror.fetch, "north"), (Mirror.fetch, "south")]).result()
        """
        found = _making().invocations(calls, items, "race")
        return self._gather("race", _making().Race(len(found)), found, timeout)

    def quorum(
        self,
        calls: Iterable[CallLike] | CallLike,
        items: Iterable[Any] | None = None,
        *,
        need: int,
        key: Callable[[Any], Any] | None = None,
        timeout: float | None = None,
    ) -> WholeFuture[Any]:
        """Make several calls at once, until enough of them agree on an answer; the others are cancelled then.

        As soon as so many equal answers cannot be reached any more, the whole fails with QuorumFailed, which has all answers
        and errors. A call that fails is a vote for nothing.

        Args:
            calls, items, timeout: as for `scatter_gather`.
            need: how many equal answers it takes, from 1 to the number of calls.
            key: makes of an answer what is compared with ==; None compares the answers. It runs in the process of the caller,
                on a thread of the system's own, and should be quick.

        Returns:
            The future of the answer: of those that agree the first that came.

        Raises:
            ConfigError: `need` is more than there are calls; and as for `scatter_gather`.

        Example:
            temperature = system.quorum(Sensor.read, sensors, need=2, key=round).result()
        """
        found = _making().invocations(calls, items, "quorum")
        return self._gather("quorum", _making().Votes(len(found), need, key), found, timeout)

    def hedge(
        self, call: CallLike, /, *args: Any, after: float | None = None, timeout: float | None = None, **kwargs: Any
    ) -> WholeFuture[Any]:
        """Make a call, and make it a second time if it takes longer than such calls do; the first result wins.

        The other copy is cancelled. If one copy fails, the other one decides; if both fail, the first error is raised.

        Args:
            call: a task method or any callable, idempotent.
            *args, **kwargs: its arguments; for arguments called `after` or `timeout` take a partial.
            after: seconds from the start of the first copy until the second is sent. None: what 95 of 100 of the last 200
                completed tasks of this kind stayed below. While fewer than 10 of them are known, its `duration`; without
                that there is no second copy until there are 10.
            timeout: as for `scatter_gather`.

        Raises:
            ConfigError: the task is not idempotent, or `after` is not allowed.
            TypeError, NotSerializable, SystemClosed: as for `submit`.

        Example:
            answer = system.hedge(Search.look_up, "actors", after=0.2).result()
        """
        what = _making().invocation(call, "hedge")
        what = what._replace(args=(*what.args, *args), kwargs={**what.kwargs, **kwargs})
        hedge = _making().Hedge(what, after, self._opened().ground(), self._options, timeout)
        return _started(hedge)

    def map_reduce(
        self,
        map_call: CallLike,
        items: Iterable[Any],
        reduce_call: CallLike,
        *,
        chunksize: int | None = None,
        fan_in: int = 8,
        initial: Any = NOTHING,
        timeout: float | None = None,
    ) -> WholeFuture[Any]:
        """Map each item, and reduce the results as a tree; both in the agents, in bounded memory.

        The items are read as the work goes on, so there may be any number of them; they are read where the strategy was
        called (in the program on a thread of the system's). Results travel from agent to agent. Their order is kept, so the
        reduction need only be associative.

        Args:
            map_call: called with each item.
            items: the items.
            reduce_call: called with a list of results, of mapping or of reducing, in order; gives one like them. `sum` and
                `max` are such calls.
            chunksize: how many items make one task, 1 or more; None starts with one and grows while tasks are short. A chunk
                is tried again as a whole.
            fan_in: how many chunks, or reduced results, are reduced by one task, from 2 to 1024.
            initial: a result to stand before all others, and the result if there is no item.
            timeout: as for `scatter_gather`.

        Returns:
            The future of the reduced result. A call that raises fails it with that error; a note says which items.

        Raises:
            ValueError: there is no item and no `initial`.
            ConfigError: a value that is not allowed.
            TypeError, NotSerializable, SystemClosed: as for `submit`; of items that are read later, in the future.

        Example:
            words = system.map_reduce(Counting.count, paths, Counting.merge).result()
        """
        made = _making()
        calls = (
            made.invocation(map_call, "map_reduce (to map)"),
            made.invocation(reduce_call, "map_reduce (to reduce)"),
        )
        whole = made.MapReduce(
            calls,
            items,
            chunksize=chunksize,
            fan_in=fan_in,
            initial=initial,
            ground=self._opened().ground(),
            options=self._options,
            timeout=timeout,
        )
        return _started(whole)

    def pipeline(
        self,
        source: Iterable[Any],
        /,
        *stages: CallLike,
        ordered: bool = True,
        buffer: int | None = None,
        failures: ItemFailures = "raise",
        timeout: float | None = None,
    ) -> Pipeline:
        """Let items flow through stages, each a task on its own type of agent.

        The source is read as results are taken: with a slow stage, or a slow reader, the reading stops. What the source raises
        is raised after all that was read before. An item that fails raises when its turn comes, and the rest goes on.

        Args:
            source: the items; it may be endless.
            *stages: one or more calls; each gets what the one before gave as its first argument.
            ordered: whether results keep the order of the items; otherwise they come as they are there.
            buffer: how many items are under way at most, from being read to being taken, 1 or more; None: 32.
            failures: "raise", or "skip": leave failing items out, and report them in the pipeline's `skipped`.
            timeout: seconds from now after which taking a result raises TimeoutError and closes the pipeline.

        Returns:
            An iterator, also an async one; closing it, or leaving it as a context manager, cancels what was not taken.

        Raises:
            ValueError: there is no stage.
            ConfigError: a value that is not allowed.
            TypeError, NotSerializable, SystemClosed: as for `submit`.

        Example:
            for page in system.pipeline(addresses, Net.fetch, Text.parse, (Index.add, "pages"), ordered=False): ...
        """
        if not stages:
            raise ValueError("pipeline takes one stage at least, and got none")
        made = _making()
        calls = [made.invocation(stage, f"stage {number} of pipeline") for number, stage in enumerate(stages, 1)]
        pipeline: Pipeline = made.Pipeline(
            source,
            calls,
            ordered=ordered,
            buffer=buffer,
            failures=failures,
            ground=self._opened().ground(),
            options=self._options,
            timeout=timeout,
        )
        return pipeline

    def saga(
        self, steps: Iterable[Step | tuple[CallLike, CallLike | None]], *, timeout: float | None = None
    ) -> WholeFuture[list[Any]]:
        """Take steps in order; if one fails, undo those that were done, the last first.

        Cancelling it, or its `timeout`, undoes as well: the step in hand may end first, and the future is cancelled when what
        was done is undone. A compensation is tried up to 5 times more, and nothing cancels it but the end of the system; if
        it fails for good, the others run all the same. A step whose agent died counts as not done: let steps be atomic.

        With `options(once=NAME)` and a journal, a program that died in the middle goes on where it was, when it calls the
        saga again with the same name and steps: what is done is not done again, and what failed is not tried again.

        Args:
            steps: of each a pair (call, compensation), with None for nothing to undo, or a `Step`. `ResultFrom(step)` among
                their arguments stands for the result of a step before it, or for a compensation of its own.
            timeout: seconds for the steps, after which it is undone and fails.

        Returns:
            The future of the list of results.

        Raises:
            ValueError: there is no step.
            ConfigError: a step wants the result of one that is not before it, or two have one name.
            TypeError, NotSerializable, SystemClosed: as for `submit`, for the first step.
            SagaFailed: of the future: says which step failed, what was undone and what could not be.

        Example:
            system.saga([((Bank.take, "ann", 5), (Bank.give, "ann", 5)), ((Bank.give, "bob", 5), None)]).result()
        """
        made = _making()
        return _started(made.Saga(made.steps_of(steps), self._opened().ground(), self._options, timeout))

    def _gather(self, what: str, tally: Any, calls: list[Any], timeout: float | None) -> WholeFuture[Any]:
        return _started(_making().Gathering(what, tally, calls, self._opened().ground(), self._options, timeout))


class BoundStrategies(BoundSubmitter[Sink], Strategies):
    """Hands in work with certain options."""
