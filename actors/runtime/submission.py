"""From a call to a task: arguments bound and serialised in the caller's thread, so that mistakes show there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from types import BuiltinFunctionType
from typing import Any

from actors.core.amounts import exact, refuse_unmeetable
from actors.core.profile import GENERAL_PURPOSE
from actors.core.retry import Backoff
from actors.core.task import Needs, Task, TaskKind
from actors.core.taskspec import TaskSpec
from actors.errors import ConfigError
from actors.future import TaskFuture
from actors.hosts.arguments import check_calls, with_results
from actors.hosts.options import Options
from actors.hosts.plaincall import pack_plain
from actors.hosts.serialize import Call, pack_call
from actors.hosts.taskmethod import AsyncTaskMethod, TaskMethod, TaskOptions, bound_check
from actors.protocol.messages import Priority
from actors.runtime.unkept import Unkept
from actors.runtime.worker_type import WorkerTypes

__all__ = ["Submission"]

_PLAIN = TaskOptions()
_KINDS_KEPT = 4096
_TASKS = (TaskFuture, str)
_METHODS = (TaskMethod, AsyncTaskMethod)
_LASTING = (BuiltinFunctionType, type)
_OPTION_FIELDS = frozenset(
    {
        "priority",
        "timeout",
        "retries",
        "retry_on",
        "backoff",
        "requires",
        "resources",
        "idempotent",
        "duration",
        "type",
        "breaker_failures",
    }
)


class Submission:
    """Makes the tasks of one system. Safe to use from any thread.

    Args:
        types: the worker types.
        token: the beginning of all ids.
        unkept: tells what the host cannot keep.
        last: the highest number of a task that there ever was.
        capacity: how much there is of each named resource, in millionths.
    """

    def __init__(
        self,
        types: WorkerTypes,
        token: str,
        unkept: Unkept | None = None,
        *,
        last: int = 0,
        capacity: Mapping[str, int] | None = None,
    ) -> None:
        self.types = types
        self._capacity = capacity or {}
        self._unkept = unkept or Unkept(None)
        self._numbers = count(last + 1)
        # Ids of two systems never meet, and none comes from the clock.
        self._token = token
        self.owner: object = self  # of futures that are certain to be of this system
        self._prefix = self._token + "-"
        self._kinds: dict[Any, TaskKind] = {}
        self._checks: dict[Any, Callable[[tuple[Any, ...], Any], None]] = {}
        # By the identities of a task method and of options, with these: what was looked up when they last met.
        self._met: dict[tuple[int, int], tuple[Any, Options, TaskKind]] = {}
        self._related: dict[tuple[Any, ...], tuple[Any, TaskOptions, TaskKind]] = {}
        self._described: dict[tuple[Any, ...], tuple[TaskMethod[Any, Any], Options, TaskOptions]] = {}

    @property
    def token(self) -> str:
        """The beginning of all ids."""
        return self._token

    def next_id(self) -> tuple[int, str]:
        """A new number and the id that goes with it."""
        number = next(self._numbers)
        return number, f"{self._prefix}{number}"

    def name_of(self, number: int) -> str:
        """The id that goes with a number."""
        return f"{self._prefix}{number}"

    def number_of(self, task: TaskFuture[Any] | str) -> int:
        """The number of a task of this system, from its future or its id.

        Raises:
            ConfigError: it is neither, or of another system.
        """
        if isinstance(task, TaskFuture):
            if task.is_of(self.owner):
                return task.number
            # The number alone would mean some other task here.
            if not task.task_id.startswith(self._prefix):
                raise ConfigError(
                    f"the future of {task.task_id} is of another system, and its task is unknown in this one; wait for "
                    "its result() and pass that",
                    key="future",
                    value=task,
                )
            return task.number
        if not isinstance(task, str):
            raise ConfigError(
                f"a task is named by its future or its id, not {task!r}",
                key="task",
                value=task,
                allowed="TaskFuture or task id",
            )
        task_id = task
        token, _, number = task_id.rpartition("-")
        if token != self._token or not number.isdigit():
            raise ConfigError(
                f"{task_id!r} is no task of this system; take the id from a future's task_id",
                key="task",
                value=task_id,
            )
        return int(number)

    def task(
        self,
        call: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: Options,
        items: list[Any] | None = None,
        form: str = "",
    ) -> Task:
        """The task that makes a call.

        Args:
            call: a worker's task method or any callable.
            args: its arguments; futures of this system at the top level, or one list, tuple or dict deep, stand for
                the results of their tasks.
            kwargs: the same by name.
            options: how it is to be run.
            items: make one call for each of these argument tuples instead, and give the list of what came of them.
            form: see `Call`.

        Raises:
            TypeError: it cannot be called, or not with these arguments.
            ConfigError: nobody can take it, or an option is not allowed.
            NotSerializable: the callable or an argument cannot be sent to another process.
        """
        met = self._met.get((id(call), id(options)))
        if met is not None and items is None and not options.after:
            kind = met[2]
            call.bind_check(args, kwargs)
            payload = pack_plain(args, kwargs)
            if payload is not None:
                # The usual way of small tasks: no option, argument or future is looked into.
                number = next(self._numbers)
                return Task(number, f"{self._prefix}{number}", kind, payload, inputs=options.inputs, key=options.key)
        kind = self.kind_of(call, options)
        is_method = isinstance(call, TaskMethod)
        check = self._check(call)
        if items is None:
            check(args, kwargs)
        else:
            check_calls(check, kwargs, items, form)
        after: dict[int, None] = dict.fromkeys(self._numbers_of(options.after))
        args, named = with_results(args, kwargs, after, self.number_of)
        payload = pack_plain(args, named) if is_method and items is None else None
        if payload is None:
            payload = pack_call(Call(None if is_method else call, args, named, items, form), f"the call of {kind.name}")
        number, task_id = self.next_id()
        return Task(number, task_id, kind, payload, after=tuple(after), inputs=options.inputs, key=options.key)

    def kind_of(self, call: Any, options: Options) -> TaskKind:
        """What all submissions of a call with these options have in common; made once."""
        near = (id(call), id(options.task), options.named, options.job)
        related = self._related.get(near)
        if related is not None:
            return related[2]
        if isinstance(call, TaskMethod):
            key: Any = (call.owner, call.name, options.task, options.named, options.job)
        elif callable(call):
            key = (_name_of(call), options.task, options.named, options.job)
        else:
            raise TypeError(f"submit takes a worker's task method (Thumbnailer.shrink) or any callable, not {call!r}")
        kind = self._kinds.get(key)
        if kind is None:
            kind = (
                self._method_kind(call, options)
                if isinstance(call, TaskMethod)
                else self._call_kind(_name_of(call), options)
            )
            if len(self._kinds) >= _KINDS_KEPT:
                self._kinds.clear()
            self._kinds[key] = kind
        if type(call) in _METHODS:
            self._remember(call, options, kind)
        return kind

    def _remember(self, call: Any, options: Options, kind: TaskKind) -> None:
        """Know a task method and options again; these are held, so that no other object can come to have their identities."""
        for known in (self._met, self._related):
            if len(known) >= _KINDS_KEPT:
                known.clear()
        self._related[id(call), id(options.task), options.named, options.job] = (call, options.task, kind)
        if not options.after:
            self._met[id(call), id(options)] = (call, options, kind)

    def _method_kind(self, method: TaskMethod[Any, Any], options: Options) -> TaskKind:
        if method.owner is None or not hasattr(method.owner, "agent_type"):
            raise ConfigError(
                f"{method.name} is a task of a class that is no worker: derive the class from actors.Worker",
                key="worker",
                value=method.owner,
            )
        worker_type = self.types.add(method.owner)
        config = self.types.system_config
        name = options.task.type or method.task_type
        named = options.pick("timeout", method.options)
        # What nobody named is a default, and no promise that anybody counts on.
        if named is not None or "timeout" in worker_type.config.named:
            self._unkept.time_limit(name, _finite(worker_type.config.timeout if named is None else named))
        self._unkept.limits(worker_type.name, method.owner.limits)
        return self._make(
            name=name,
            needs=Needs(worker_type.name, options.pick("requires", method.options)),
            call=method.name,
            options=options,
            below=method.options,
            timeout=self.types.timeout_of(worker_type, named),
            retries=config.retries,
            breaker=config.breaker_failures,
        )

    def _call_kind(self, family: str, options: Options) -> TaskKind:
        config = self.types.system_config
        requires = options.pick("requires", _PLAIN)
        if not requires:
            self.types.named(GENERAL_PURPOSE)
        timeout = options.task.timeout if "timeout" in options.named else config.callable_timeout
        if "timeout" in options.named:
            self._unkept.time_limit(family, _finite(timeout))
        return self._make(
            name=options.task.type or "general",
            needs=Needs(None, requires) if requires else Needs(GENERAL_PURPOSE),
            call="",
            options=options,
            below=_PLAIN,
            timeout=_finite(timeout),
            retries=config.callable_retries,
            # All callables that name no type are of one: what goes wrong with one says nothing about the others.
            breaker=config.breaker_failures if options.task.type else None,
            family=family,
        )

    def _make(
        self,
        *,
        name: str,
        needs: Needs,
        call: str,
        options: Options,
        below: TaskOptions,
        timeout: float | None,
        retries: int,
        breaker: int | None,
        family: str = "",
    ) -> TaskKind:
        named = options.pick("retries", below)
        opens_after = options.pick("breaker_failures", below)
        retry_on = options.pick("retry_on", below)
        least_errors = retries or 3
        needed = exact(options.pick("resources", below))
        if needed:
            refuse_unmeetable(needed, self._capacity, f"a task of type {name}")
            needs = needs._replace(resources=needed)
        return TaskKind(
            name=name,
            needs=needs,
            call=call,
            job=options.job,
            priority=int(options.pick("priority", below) or Priority.NORMAL),
            timeout=timeout,
            retries=retries if named is None else named,
            error_retries=(least_errors if named is None else named) if retry_on else 0,
            retry_on=retry_on,
            backoff=options.pick("backoff", below) or Backoff(),
            idempotent=options.pick("idempotent", below),
            duration=options.pick("duration", below),
            family=family,
            breaker=(breaker or 0) if opens_after is None else opens_after,
        )

    def kind_of_fields(self, data: Mapping[str, Any]) -> TaskKind:
        """The kind of a task that an agent submits, from the fields of its request: those that were named there.

        Raises:
            ConfigError: its worker is unknown, or a field has a value that is not allowed.
        """
        worker_type = self.types.named(data["worker"]) if data.get("worker") else None
        method = None
        if worker_type is not None and data.get("call"):
            method = worker_type.worker.tasks().get(data["call"])
            if method is None:
                raise ConfigError(
                    f"workers of type {worker_type.name} have no task {data['call']!r}", key="call", value=data["call"]
                )
        named = {name: data[name] for name in _OPTION_FIELDS if name in data}
        if "backoff" in named:
            named["backoff"] = Backoff(*named["backoff"])
        if "retry_on" in named:
            named["retry_on"] = tuple(named["retry_on"])
        options = Options().updated({**named, "job": data.get("job")})
        if method is not None:
            return self.kind_of(method, options)
        return self._call_kind(data.get("family") or "", options)

    def spec_task(self, spec: TaskSpec, options: Options) -> Task:
        """The task of work described as data.

        Raises:
            ConfigError: no worker takes it, or it does not know a field of the data.
            NotSerializable: the data cannot be sent to another process.
        """
        if not isinstance(spec, TaskSpec):
            raise ConfigError(f"submit_task takes a TaskSpec(…), not {spec!r}", key="spec", value=spec)
        known = (
            *(spec.type, spec.agent_type, spec.priority, spec.requires, spec.retry_on, spec.backoff, spec.idempotent),
            *(spec.timeout, spec.retries, spec.duration, spec.resources, id(options.task), options.named),
        )
        described = self._described.get(known)
        if described is None:
            method, named = self._of_spec(spec)
            if len(self._described) >= _KINDS_KEPT:
                self._described.clear()
            stands_for = options.beside({"after": (), "once": None}).updated(named)
            # With what is known by its identity, as in `_remember`.
            described = self._described[known] = (method, stands_for, options.task)
        method, stands_for, _ = described
        own = {"after": spec.after, "inputs": spec.inputs, "once": options.once}
        own |= {"key": spec.key or options.key, "job": spec.job or options.job}
        data = spec.data if type(spec.data) is dict else dict(spec.data)
        try:
            return self.task(method, (), data, stands_for.beside(own))
        except TypeError as error:
            raise _misfit(spec.type, method, error, data) from None

    def kind_of_spec(self, spec: TaskSpec, names: Iterable[str], options: Options) -> TaskKind:
        """The kind of a task that an agent describes as data.

        Args:
            spec: all but the data.
            names: the fields of the data.
            options: what the spec does not name.

        Raises:
            ConfigError: no worker takes it, or it does not know a field of the data.
        """
        method, named = self._of_spec(spec)
        try:
            method.bind_check((), dict.fromkeys(names))
        except TypeError as error:
            raise _misfit(spec.type, method, error, sorted(names)) from None
        return self.kind_of(method, options.updated(named))

    def _of_spec(self, spec: TaskSpec) -> tuple[TaskMethod[Any, Any], dict[str, Any]]:
        """The task method that takes work described as data, and the options of the description."""
        config = self.types.system_config
        method = self.types.taking(spec.type, spec.agent_type)
        named: dict[str, Any] = {
            "priority": spec.priority,
            "requires": spec.requires | method.options.requires,
            "retry_on": spec.retry_on or method.options.retry_on,
            "backoff": spec.backoff,
            "idempotent": spec.idempotent and method.options.idempotent,
            "inputs": spec.inputs,
            "type": spec.type,
            "resources": {**dict(method.options.resources), **dict(spec.resources)},
        }
        for name in ("timeout", "retries", "duration", "key", "job"):
            if getattr(spec, name) is not None:
                named[name] = getattr(spec, name)
        if spec.timeout is None and method.options.timeout is None:
            worker_type = self.types.add(method.owner) if method.owner is not None else None
            if worker_type is None or worker_type.config.timeout is None:
                named["timeout"] = math.inf if config.task_timeout is None else config.task_timeout
        return method, named

    def _check(self, call: Any) -> Callable[[tuple[Any, ...], Any], None]:
        if isinstance(call, TaskMethod):
            return call.bind_check
        # A closure is known by its code, so that nothing it holds is kept; built-ins and classes live on anyway.
        key = getattr(call, "__code__", None) or (call if isinstance(call, _LASTING) else None)
        if key is None:
            return bound_check(call)
        check = self._checks.get(key)
        if check is None:
            if len(self._checks) >= _KINDS_KEPT:
                self._checks.clear()
            check = self._checks[key] = bound_check(call)
        return check

    def _numbers_of(self, after: tuple[Any, ...]) -> list[int]:
        numbers = []
        for each in after:
            if isinstance(each, _TASKS):
                numbers.append(self.number_of(each))
            else:
                raise ConfigError(
                    f"after takes futures of this system or ids of its tasks, not {each!r}",
                    key="after",
                    value=each,
                    allowed="TaskFuture or task id",
                )
        return numbers


def _misfit(task_type: str, method: TaskMethod[Any, Any], error: TypeError, data: Any) -> ConfigError:
    fields = method.fields()
    unknown = [name for name in data if not method.is_open and name not in fields]
    text = f"the data of a task of type {task_type!r} does not fit: "
    text += f"there is no field {unknown[0]!r}" if unknown else str(error)
    known = ", ".join(fields) or None
    text += f"; its fields are {known}" if known else ""
    return ConfigError(text, key=unknown[0] if unknown else "data", value=data, allowed=known)


def _finite(seconds: float | None) -> float | None:
    return None if seconds is None or math.isinf(seconds) else seconds


def _name_of(call: Any) -> str:
    module = getattr(call, "__module__", None) or "builtins"
    return f"{module}.{getattr(call, '__qualname__', None) or type(call).__qualname__}"
