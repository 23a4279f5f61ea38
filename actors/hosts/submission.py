"""From a call inside a task to the description that the system makes a sub-task of."""

from __future__ import annotations

from dataclasses import astuple, fields, replace
from typing import Any

from actors.core.taskspec import TaskSpec
from actors.errors import ConfigError
from actors.hosts.arguments import check_calls, with_results
from actors.hosts.options import Options
from actors.hosts.serialize import Call, dumps, pack_call
from actors.hosts.subtasks import SubTaskFuture
from actors.hosts.taskmethod import TaskMethod, TaskOptions, bound_check

__all__ = ["describe", "describe_spec"]

_PLAIN = TaskOptions()


def describe(
    call: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: Options,
    items: list[Any] | None = None,
    form: str = "",
) -> dict[str, Any]:
    """The fields of a submission, of those that were named.

    Args:
        call: a worker's task method or any callable.
        args: its positional arguments; futures of this agent's sub-tasks, at the top level or one container deep,
            stand for their results.
        kwargs: its keyword arguments, in the same way.
        options: how it is to be run.
        items: make one call for each of these argument tuples instead.
        form: see `Call`.

    Raises:
        TypeError: it cannot be called, or not with these arguments.
        ConfigError: it is a task of a class that is no worker.
        NotSerializable: the callable or an argument cannot be sent to another process.
    """
    method = call if isinstance(call, TaskMethod) else None
    if method is None and not callable(call):
        raise TypeError(f"submit takes a worker's task method (Thumbnailer.shrink) or any callable, not {call!r}")
    check = bound_check(call) if method is None else method.bind_check
    if items is None:
        check(args, kwargs)
    else:
        check_calls(check, kwargs, items, form)
    after: dict[int, None] = dict.fromkeys(_number(one) for one in options.after)
    args, named = with_results(args, kwargs, after, _number)
    name = method.task_type if method is not None else "general"
    task: dict[str, Any] = {
        "name": name,
        "call": "" if method is None else method.name,
        "payload": pack_call(
            Call(None if method is not None else call, args, named, items, form), f"the call of {name}"
        ),
        "after": list(after),
    }
    below = _PLAIN
    if method is None:
        task["family"] = (
            f"{getattr(call, '__module__', None) or 'builtins'}.{getattr(call, '__qualname__', type(call))}"
        )
    else:
        if method.owner is None or not hasattr(method.owner, "agent_type"):
            raise ConfigError(f"{method.name} is a task of a class that is no worker", key="worker", value=method.owner)
        below = method.options
        task["worker"] = method.owner.agent_type
        task["worker_payload"] = dumps(method.owner, f"the worker {method.owner.__qualname__}")
    for option in fields(TaskOptions):
        value = options.pick(option.name, below)
        if value != getattr(_PLAIN, option.name) or option.name in options.named:
            task[option.name] = _plain(value)
    for key in ("key", "job"):
        if getattr(options, key) is not None:
            task[key] = getattr(options, key)
    if options.inputs:
        task["inputs"] = sorted(options.inputs)
    return task


def describe_spec(spec: TaskSpec, options: Options) -> dict[str, Any]:
    """The fields of a submission of work described as data.

    Args:
        spec: the work; futures of this agent's sub-tasks in its data, at the top level or one container deep, stand for
            their results.
        options: the job, where the spec names none.

    Raises:
        ConfigError: it is no TaskSpec, or is to be submitted once, which is for the program.
        NotSerializable: the data cannot be sent to another process.
    """
    if not isinstance(spec, TaskSpec):
        raise ConfigError(f"submit_task takes a TaskSpec(…), not {spec!r}", key="spec", value=spec)
    if spec.once is not None:
        message = "once is for the program: sub-tasks are made again by the task that made them"
        raise ConfigError(message, key="once", value=spec.once)
    after: dict[int, None] = dict.fromkeys(_number(one) for one in spec.after)
    args, named = with_results((), dict(spec.data), after, _number)
    task: dict[str, Any] = {
        "spec": dumps(replace(spec, data={}, after=()), f"the task of type {spec.type}"),
        "names": sorted(map(str, spec.data)),
        "payload": pack_call(Call(None, args, named, None), f"the data of a task of type {spec.type}"),
        "after": list(after),
    }
    if options.job is not None:
        task["job"] = options.job
    return task


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return list(value)
    if hasattr(value, "__dataclass_fields__"):
        return list(astuple(value))
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _number(value: Any) -> int:
    if isinstance(value, SubTaskFuture):
        return value.number
    raise ConfigError(
        f"inside a task, after and arguments take futures of its own sub-tasks, not {value!r}",
        key="after",
        value=value,
        allowed="TaskFuture",
    )
