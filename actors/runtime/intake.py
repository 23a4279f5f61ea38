"""Where the program hands in work, and what the futures of its tasks ask."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from actors.core.deadletters import DeadTask
from actors.errors import ActorsError, ConfigError, SystemClosed
from actors.future import TaskFuture
from actors.runtime import messages as m
from actors.runtime.journal.durable import DurableWork
from actors.runtime.journal.translate import check_size
from actors.runtime.mapping import map_tasks, seconds_of
from actors.runtime.programground import ProgramGround

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from actors.config import SystemConfig
    from actors.core.task import Task
    from actors.core.taskspec import TaskSpec
    from actors.hosts.mapping import Sent
    from actors.hosts.options import Options
    from actors.runtime.dispatcher import Dispatcher
    from actors.runtime.journal.keeper import Keeper
    from actors.runtime.journal.record import Journal
    from actors.runtime.peers import Peers
    from actors.runtime.submission import Submission
    from actors.runtime.worker_type import WorkerTypes
    from actors.runtime.world import World

__all__ = ["Intake"]


class Intake:
    """Makes tasks and strategies of what the program calls, and hands them to the scheduler. For use from any thread.

    Args:
        submission: makes tasks.
        types: the worker types.
        peers: the system's actors.
        world: the machine.
        dispatcher: where callbacks run.
        journal: where tasks are kept, open; None for nowhere.
        keeper: writes the journal; None if there is none.
        config: the configuration.
    """

    def __init__(
        self,
        submission: Submission,
        types: WorkerTypes,
        peers: Peers,
        world: World,
        dispatcher: Dispatcher,
        journal: Journal | None,
        keeper: Keeper | None,
        config: SystemConfig,
    ) -> None:
        self.submission = submission
        submission.owner = self
        self.name_of = submission.name_of
        self.peers = peers
        self.world = world
        self.dispatcher = dispatcher
        self.durable = DurableWork(journal, config.kept_dead, types, peers, self._make_future, world.clock)
        self.strategies = ProgramGround(self)
        self._keeper = keeper
        self._pid = os.getpid()

    def submit(self, call: Any, args: tuple[Any, ...], kwargs: dict[str, Any], options: Options) -> TaskFuture[Any]:
        """Hand in one task."""
        if options.once is None:
            return self._send(self.submission.task(call, args, kwargs, options))
        return self._hand_in(lambda: self.submission.task(call, args, kwargs, options), options.once)

    def submit_spec(self, spec: TaskSpec, options: Options) -> TaskFuture[Any]:
        """Hand in work described as data."""
        once = getattr(spec, "once", None) or options.once
        return self._hand_in(lambda: self.submission.spec_task(spec, options), once)

    def _hand_in(self, make: Callable[[], Task], once: str | None) -> TaskFuture[Any]:
        return self._send(make()) if once is None else self.durable.submit_once(once, make, self._send)

    def hand_in(
        self,
        call: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: Options,
        items: list[tuple[Any, ...]] | None,
        form: str,
    ) -> Sent:
        """Hand in a part of a strategy."""
        made: list[Task] = []

        def make() -> Task:
            made.append(self.submission.task(call, args, kwargs, options, items, form))
            made[0].watched = True
            return made[0]

        # One that was submitted under its name before has run at some other time.
        return self._hand_in(make, options.once), lambda: seconds_of(made[0]) if made else None

    def ground(self) -> ProgramGround:
        """What a strategy that the program calls stands on."""
        return self.strategies

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
        """Hand in a stream of calls.

        Raises:
            ConfigError: it is to be submitted once, and would make several tasks.
        """
        if options.once is not None:
            raise ConfigError(
                f"once={options.once!r} names one task, and map makes many; submit them one by one, each with a name",
                key="once",
                value=options.once,
            )
        return map_tasks(
            self.submission,
            self._send,
            options,
            call,
            iterables,
            chunksize=chunksize,
            timeout=timeout,
            progress=progress,
        )

    def _send(self, task: Task) -> TaskFuture[Any]:
        """Hand a task to the scheduler; its future."""
        future: TaskFuture[Any]
        if self._keeper is None:
            task.handle = future = TaskFuture(task.number, "", self)
        else:
            check_size(task)
            task.handle = future = self._make_future(task.number, task.id)
        self.peers.scheduler.tell(task)
        return future

    def retry_dead(self, task: DeadTask | TaskFuture[Any] | str) -> TaskFuture[Any]:
        """Hand in a task that failed for good once more.

        Raises:
            ConfigError: it is none of this system.
        """
        known = task.id if isinstance(task, DeadTask) else task
        number = self.submission.number_of(known)
        name = known if isinstance(known, str) else known.task_id
        again, task_id = self.submission.next_id()
        future = self._make_future(again, task_id)
        self.peers.scheduler.ask(m.RetryDead(number, name, (again, task_id, future)))
        return future

    def _make_future(self, number: int, task_id: str) -> TaskFuture[Any]:
        future: TaskFuture[Any] = TaskFuture(number, task_id, self)
        if self._keeper is not None:
            future.when_fetched(self._fetched)
        return future

    def _fetched(self, number: int) -> None:
        if self._pid != os.getpid():
            return
        if self._keeper is not None and self._keeper.fetched(number):
            # The system may have ended, and the next start of the program tells of the outcome once more.
            with suppress(ActorsError):
                self.peers.scheduler.tell(m.OutcomesFetched())

    # What futures ask of their owner

    def cancel(self, number: int, reason: str) -> None:
        """Cancel the task of a future."""
        if self._pid == os.getpid() and not self.durable.cancel_held(number, reason):
            self.peers.scheduler.tell(m.CancelTask(number, reason))

    def info(self, number: int) -> Any:
        """What is known of a task."""
        self.check_process()
        held = self.durable.held(number)
        if held is not None:
            return held.info()
        return self.peers.scheduler.ask(m.Inspect(lambda engine, _now, _utc: engine.info(number)))

    def before_wait(self, future: TaskFuture[Any], ready: Callable[[], bool], timeout: float | None) -> float | None:
        """Somebody waits for a future; in a fork of the program nobody would ever come to tell."""
        self.check_process()
        return self.world.settle(ready, timeout)

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Run a done-callback where it can hold up nobody."""
        self.dispatcher.call_soon(callback)

    def taken(self, number: int) -> None:
        """A result was taken: it need not be kept."""
        self.peers.scheduler.tell(m.ForgetTask(number))

    def check_process(self) -> None:
        """Refuse in a fork of the program.

        Raises:
            SystemClosed: this is not the process that started the system.
        """
        if self._pid != os.getpid():
            raise SystemClosed(
                f"this ActorSystem belongs to process {self._pid}, and this is process {os.getpid()}, a fork of it: "
                "its agents and futures stayed there. Make a system of its own here"
            )
