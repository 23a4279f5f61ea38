"""Between the tasks of the engine and the records of a journal."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from actors.core.retry import Backoff
from actors.core.story import Attempt, Story
from actors.core.task import Needs, Task, TaskKind
from actors.errors import JournalError
from actors.hosts.payload import view_of
from actors.hosts.serialize import failure_of
from actors.protocol.messages import Failure
from actors.protocol.states import TaskStatus
from actors.runtime.journal.record import LARGEST, TaskRecord

if TYPE_CHECKING:
    from actors.protocol.messages import Payload

__all__ = ["Translator", "check_size", "kind_of", "task_of", "worker_of"]

_KINDS_KEPT = 4096
_NAMES = {status: str(status) for status in TaskStatus}
_FINAL = frozenset(status for status in TaskStatus if status.final)


class Translator:
    """Writes tasks as records. It keeps the text of kinds, which most tasks share.

    Args:
        worker_of_type: the worker class of an agent type; None if nobody knows it.
    """

    def __init__(self, worker_of_type: Callable[[str], type[Any] | None]) -> None:
        self._worker_of_type = worker_of_type
        self._kinds: dict[TaskKind, str] = {}
        # Most tasks are of the same kind as the one before.
        self._last_kind: TaskKind | None = None
        self._last_text = ""

    def record(self, task: Task, utc_offset: float, *, payload: bool = False, dead: bool = False) -> TaskRecord:
        """A task as it stands.

        Args:
            task: the task.
            utc_offset: what to add to its times to get UTC seconds.
            payload: whether its call is new to the journal.
            dead: whether it is listed as one that failed for good.
        """
        kind = task.kind
        if kind is not self._last_kind:
            self._last_kind, self._last_text = kind, self._kind(kind)
        agent_type = kind.needs.agent_type
        failure: Failure | None = None
        error = task.error
        status = task.status
        result = _bytes(task.result) if task.result is not None and status in _FINAL else None
        if result is not None and len(result) > LARGEST:
            failure = failure_of(_too_large(f"the result of {task.id}", len(result)))
            result = None
        if error is not None and status is TaskStatus.FAILED:
            failure = error if isinstance(error, Failure) else failure_of(error)
        # In the order of its fields: two are made for each task.
        return TaskRecord(
            task.number,
            task.id,
            task.once,
            None if agent_type is None else self._reference(agent_type),
            self._last_text,
            _bytes(task.payload) if payload else None,
            json.dumps(task.after) if task.after else "[]",
            json.dumps(sorted(task.inputs)) if task.inputs else "[]",
            task.key,
            task.created + utc_offset,
            _NAMES[status],
            task.attempt,
            task.retried,
            task.spared,
            task.agent,
            None if task.started is None else task.started + utc_offset,
            None if task.ended is None else task.ended + utc_offset,
            task.cancelling,
            result,
            None if failure is None else json.dumps(failure.type_names),
            None if failure is None else failure.text,
            None if failure is None else failure.traceback,
            None if failure is None else failure.pickled,
            # Nobody asks for what was given up.
            fetched=status is TaskStatus.CANCELLED,
            dead=dead,
            story=None if task.story is None else _told(task.story, utc_offset),
        )

    def _reference(self, agent_type: str) -> str | None:
        worker = self._worker_of_type(agent_type)
        if worker is None or "<locals>" in worker.__qualname__:
            return None
        return f"{worker.__module__}:{worker.__qualname__}"

    def _kind(self, kind: TaskKind) -> str:
        text = self._kinds.get(kind)
        if text is None:
            if len(self._kinds) >= _KINDS_KEPT:
                self._kinds.clear()
            values = {each.name: getattr(kind, each.name) for each in fields(kind)}
            values["needs"] = [kind.needs.agent_type, sorted(kind.needs.requires)]
            if kind.needs.resources:
                values["needs"].append(kind.needs.resources)
            values["backoff"] = [getattr(kind.backoff, each.name) for each in fields(kind.backoff)]
            text = self._kinds[kind] = json.dumps(values)
        return text


def _told(story: Story, utc_offset: float) -> str:
    attempts = [list(attempt.shifted(utc_offset)) for attempt in story.attempts]
    return json.dumps({"repeats": story.repeats, "attempts": attempts})


def _story(text: str, utc_offset: float) -> Story:
    values = json.loads(text)
    story = Story(values["repeats"])
    story.attempts.extend(Attempt(*fields).shifted(-utc_offset) for fields in values["attempts"])
    return story


def check_size(task: Task) -> None:
    """Refuse what no journal keeps.

    Raises:
        JournalError: its arguments are too large.
    """
    payload = _bytes(task.payload)
    if payload is not None and len(payload) > LARGEST:
        raise _too_large(f"the arguments of {task.id}", len(payload))


def _too_large(what: str, size: int) -> JournalError:
    return JournalError(
        f"{what} have {size:,} bytes, and a journal keeps up to {LARGEST:,}: put it into a file and hand over its path",
        reason="too large",
    )


def _bytes(payload: Payload) -> bytes | memoryview | None:
    if payload is None or isinstance(payload, bytes):
        return payload
    return view_of(payload)


def kind_of(text: str, where: str) -> TaskKind:
    """The kind that a record holds. Fields that this version does not know are left out.

    Raises:
        JournalError: it cannot be read.
    """
    try:
        values = json.loads(text)
        agent_type, requires, *resources = values["needs"]
        known = {each.name for each in fields(TaskKind)}
        given = {name: value for name, value in values.items() if name in known}
        needed = tuple((str(name), int(units)) for each in resources for name, units in each)
        given["needs"] = Needs(agent_type, frozenset(requires), resources=needed)
        given["backoff"] = Backoff(*values["backoff"])
        given["retry_on"] = tuple(values["retry_on"])
        return TaskKind(**given)
    except (ValueError, TypeError, KeyError) as error:
        raise JournalError(f"the journal cannot be read: {where} has a kind that makes no sense: {error}") from error


def task_of(record: TaskRecord, utc_offset: float) -> Task:
    """The task of a record. One without an outcome is to be run from the beginning, as its next attempt.

    Args:
        record: of the journal.
        utc_offset: what to add to the engine's time to get UTC seconds.

    Raises:
        JournalError: the record makes no sense.
    """
    try:
        status = TaskStatus(record.status)
        after = tuple(int(number) for number in json.loads(record.after))
        inputs = frozenset(json.loads(record.inputs))
        story = None if record.story is None else _story(record.story, utc_offset)
    except (ValueError, TypeError, KeyError) as error:
        raise JournalError(f"the journal cannot be read: {record.id} makes no sense: {error}") from error
    task = Task(
        record.number,
        record.id,
        kind_of(record.kind, record.id),
        record.payload,
        after=after,
        inputs=inputs,
        key=record.key,
    )
    task.once = record.once
    task.story = story
    task.created = record.created - utc_offset
    task.retried, task.spared = record.retried, record.spared
    task.cancelling = record.cancelling
    if status in _FINAL:
        task.status = status
        task.attempt = record.attempt
        task.agent = record.agent
        task.started = None if record.started is None else record.started - utc_offset
        task.ended = None if record.ended is None else record.ended - utc_offset
        task.result = record.result
        task.error = failure_in(record)
    else:
        # Attempts count within one life of the program: no agent of the one before can still tell of its own.
        task.attempt = record.retried + record.spared
    return task


def failure_in(record: TaskRecord) -> Failure | None:
    """The error of a task that failed."""
    if record.error_types is None:
        return None
    names: Any = json.loads(record.error_types)
    return Failure(tuple(names), record.error_text or "", record.error_traceback or "", record.error_pickle)


def worker_of(reference: str) -> Any:
    """The class of "module:Class".

    Raises:
        Exception: whatever its import raises.
    """
    module, _, name = reference.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found
