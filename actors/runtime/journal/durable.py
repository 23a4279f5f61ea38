"""The program's side of a journal: what goes on from an earlier life, and submissions that are made once."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from actors.errors import ActorsError, AgentDied, ConfigError
from actors.future import TaskFuture
from actors.hosts.serialize import error_of, failure_of, unpack_value
from actors.protocol.messages import Failure
from actors.protocol.states import TaskStatus
from actors.runtime import messages as m
from actors.runtime.journal.translate import kind_of, task_of, worker_of

if TYPE_CHECKING:
    from actors.core.task import Task
    from actors.kernel.clock import Clock
    from actors.runtime.journal.record import Journal, TaskRecord
    from actors.runtime.peers import Peers
    from actors.runtime.worker_type import WorkerTypes

__all__ = ["DurableWork"]

_log = logging.getLogger("actors.journal")


class DurableWork:
    """What a system with a journal does beside running tasks. Safe to use from any thread.

    Args:
        journal: it is open, and the scheduler does not use it yet; None if there is none, then names hold as long as the
            system lives.
        kept_dead: how many tasks that failed for good are listed.
        types: the worker types.
        peers: the system's actors.
        make_future: makes the future of a task, from its number and id.
        clock: the time.
    """

    def __init__(
        self,
        journal: Journal | None,
        kept_dead: int,
        types: WorkerTypes,
        peers: Peers,
        make_future: Callable[[int, str], TaskFuture[Any]],
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._kept_dead = kept_dead
        self._types = types
        self._peers = peers
        self._make_future = make_future
        self._utc = clock.utc
        self._now = clock.monotonic
        self._lock = threading.RLock()
        self._named: dict[str, TaskFuture[Any]] = {}
        # Tasks of worker types that this program has not named yet, by type.
        self._held: dict[str, list[Task]] = {}
        self._futures: list[TaskFuture[Any]] = []
        # "module:Class" of the workers of recovered tasks, by agent type.
        self._workers: dict[str, str] = {}

    # --- what goes on ---

    def recover(self) -> None:
        """Let everything go on that has no outcome; there are futures for that, and for what was never fetched.

        Raises:
            JournalError: the journal cannot be read or written.
        """
        journal = self._journal
        if journal is None:
            return
        offset = self._utc() - self._now()
        records = list(journal.unfinished())
        over = [end for record in records if (end := _ended(record, self._utc())) is not None]
        if over:
            journal.write(over)
        done = [task_of(record, offset) for record in journal.unfetched()]
        ended = {record.number for record in over}
        tasks = [task_of(record, offset) for record in records if record.number not in ended]
        for record, task in zip((each for each in records if each.number not in ended), tasks, strict=True):
            if record.worker and task.kind.needs.agent_type is not None:
                self._workers[task.kind.needs.agent_type] = record.worker
        known = {task.number for task in (*done, *tasks)}
        dead = [task_of(record, offset) for record in journal.dead(self._kept_dead)]
        needed = sorted({number for task in (*tasks, *dead) for number in task.after} - known)
        before = [task_of(record, offset) for record in journal.find(needed)]
        _complete(dead, {task.number: task for task in (*before, *done)})
        self._futures = [self._future_of(task) for task in sorted((*done, *tasks), key=lambda task: task.number)]
        ready = self._hold_back(tasks)
        self._peers.scheduler.tell(m.RestoreTasks([*before, *done], ready, dead=dead))
        if tasks:
            _log.warning("The journal has unfinished tasks, which go on: %d", len(tasks))

    def _future_of(self, task: Task) -> TaskFuture[Any]:
        future = self._make_future(task.number, task.id)
        future.set_accepted()
        if task.once is not None:
            self._named[task.once] = future
        if task.final:
            _resolve(future, task)
        else:
            task.handle = future
        return future

    def _hold_back(self, tasks: list[Task]) -> list[Task]:
        """Keep those whose worker nobody has named yet, and all that depend on them. Returns the others."""
        ready: list[Task] = []
        held: dict[int, str] = {}
        for task in tasks:
            waits_for = next((held[number] for number in task.after if number in held), None)
            agent_type = task.kind.needs.agent_type
            if waits_for is None and agent_type is not None and not self._is_known(task, agent_type):
                waits_for = agent_type
            if waits_for is None:
                ready.append(task)
            else:
                held[task.number] = waits_for
                self._held.setdefault(waits_for, []).append(task)
        for agent_type, waiting in self._held.items():
            _log.warning(
                "%d of the journal's tasks wait until the program names their worker type %r: pass its class to "
                "ActorSystem(workers=...)",
                len(waiting),
                agent_type,
            )
        return ready

    def _is_known(self, task: Task, agent_type: str) -> bool:
        if self._types.get(agent_type) is not None:
            return True
        with suppress(ConfigError):
            # One that ships with the library.
            self._types.named(agent_type)
            return True
        reference = self._workers.get(agent_type)
        try:
            if reference:
                self._types.add(worker_of(reference))
        except Exception as error:  # noqa: BLE001 - a module of the user's, which may raise anything
            _log.debug("The worker of %s cannot be imported from %r", task.id, reference, exc_info=error)
        return self._types.get(agent_type) is not None

    def type_known(self, agent_type: str) -> None:
        """A worker type was named: its tasks go on."""
        with self._lock:
            waiting = self._held.pop(agent_type, None)
            if waiting:
                self._peers.scheduler.tell(m.RestoreTasks([], self._hold_back(waiting)))

    def held(self, number: int) -> Task | None:
        """The task of a number, if it waits for its worker type to be named."""
        with self._lock:
            return next((task for tasks in self._held.values() for task in tasks if task.number == number), None)

    def cancel_held(self, number: int, reason: str) -> bool:
        """Cancel a task that waits for its worker type. Whether it was one."""
        with self._lock:
            task = self.held(number)
            if task is None:
                return False
            for tasks in self._held.values():
                if task in tasks:
                    tasks.remove(task)
        # In one message: the scheduler cancels it in the turn in which it hears of it.
        task.handle = None
        self._peers.scheduler.tell(m.RestoreTasks([], [task], reason))
        return True

    def recovered(self) -> list[TaskFuture[Any]]:
        """The futures of what the journal had, in the order of submission."""
        return list(self._futures)

    # --- once ---

    def submit_once(
        self, name: str, make: Callable[[], Task], send: Callable[[Task], TaskFuture[Any]]
    ) -> TaskFuture[Any]:
        """The future of the task that was submitted under a name; it is submitted now if there is none.

        Args:
            name: what it was or is submitted under.
            make: makes the task.
            send: hands it in.

        Raises:
            JournalError: the journal cannot be read.
        """
        with self._lock:
            future = self._named.get(name)
            if future is None:
                record: TaskRecord | None = self._peers.scheduler.ask(m.FindOnce(name))
                if record is None:
                    task = make()
                    task.once = name
                    future = send(task)
                    # One that was refused may be submitted again.
                    future.add_done_callback(lambda done: self._refused(name, done))
                else:
                    task = task_of(record, self._utc() - self._now())
                    future = self._make_future(task.number, task.id)
                    future.set_accepted()
                    _resolve(future, task)
                self._named[name] = future
            return future

    def _refused(self, name: str, future: Any) -> None:
        if not future.was_accepted:
            with self._lock:
                if self._named.get(name) is future:
                    del self._named[name]


def _resolve(future: TaskFuture[Any], task: Task) -> None:
    """Give a future the outcome that stands in the journal."""
    if task.status is TaskStatus.COMPLETED and task.error is None:
        future.set_payload(task.result, unpack_value)
    elif task.status is TaskStatus.CANCELLED:
        future.set_cancelled(task.cancelling or "")
    elif isinstance(task.error, Failure):
        future.set_failure(task.error, error_of)
    else:
        future.set_error(ActorsError(f"{task.id} failed, and the journal does not say why"))


def _complete(dead: list[Task], known: dict[int, Task]) -> None:
    """Give dead letters the results that they depend on; one of which the journal has not all cannot be run again."""
    for task in dead:
        if not task.after:
            continue
        results = {number: known[number].result for number in task.after if number in known}
        if len(results) == len(set(task.after)) and all(result is not None for result in results.values()):
            task.results = results
        else:
            task.payload = None


def _ended(record: TaskRecord, now: float) -> TaskRecord | None:
    """The record of a task that cannot go on after the death of its program; None if it can. `now`: UTC seconds."""
    if record.cancelling is not None:
        return record._replace(status="cancelled", ended=now, fetched=True)
    if record.status == "pending" or kind_of(record.kind, record.id).idempotent:
        return None
    error = AgentDied(
        f"the program of task {record.id} died while {record.agent or 'an agent'} had the task, which must not run twice; "
        "whether it ran is not known",
        agent_id=record.agent,
        task_id=record.id,
        attempt=record.attempt,
        reason="the program died",
    )
    failure = failure_of(error)
    return record._replace(
        status="failed",
        ended=now,
        error_types=json.dumps(failure.type_names),
        error_text=failure.text,
        error_traceback=failure.traceback,
        error_pickle=failure.pickled,
    )
