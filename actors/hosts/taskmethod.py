"""A worker's task methods: what `@task` makes of a function, and what it says about it."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from types import MethodType
from typing import Any, Concatenate, Generic, NoReturn, ParamSpec, Protocol, Self, TypeVar, overload

from actors.core.amounts import Amounts, read_amounts
from actors.core.retry import Backoff, exception_names
from actors.errors import ConfigError
from actors.protocol.priority import Priority

__all__ = ["AsyncTaskMethod", "TaskDecorator", "TaskMethod", "TaskOptions", "bound_check", "capability_set", "task"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """What `@task` says about a method. None everywhere means: what the worker or the system says.

    Args:
        timeout: time limit in seconds, above 0; `math.inf` for none.
        retries: how often it is tried again, 0 or more.
        retry_on: exception types, or their qualified names, after which it is tried again.
        backoff: how long to wait before it is tried again after an exception.
        priority: 1 (low) to 4 (critical).
        requires: capabilities that its agent must have, beside being an agent of the worker's type.
        idempotent: False if it must never run twice: it is then not retried once it has started.
        duration: estimated duration in seconds, 0 or more, until there is history.
        type: the name of the task's type; "<agent type>.<method>" if None.
        breaker_failures: after how many failures in a row the task type is let rest for a while; 0 for never.
        resources: how much it needs of named resources of the system, as {"gpu": 1}; fractions are allowed. It waits
            until that is free, and gives it back when it has ended, however that is.

    Raises:
        ConfigError: a value that is not allowed.
    """

    timeout: float | None = None
    retries: int | None = None
    retry_on: tuple[str, ...] = ()
    backoff: Backoff | None = None
    priority: Priority | None = None
    requires: frozenset[str] = frozenset()
    idempotent: bool = True
    duration: float | None = None
    type: str | None = None
    breaker_failures: int | None = None
    resources: Amounts = ()

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            value = getattr(self, name)
            object.__setattr__(self, name, check(name, value))


def _refuse(name: str, value: Any, allowed: str) -> NoReturn:
    raise ConfigError(f"{name} of a task is {allowed}, not {value!r}", key=name, value=value, allowed=allowed)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _timeout(name: str, value: Any) -> float | None:
    if value is not None and not (_number(value) and value > 0):
        _refuse(name, value, "a number of seconds above 0, math.inf for no limit")
    return None if value is None else float(value)


def _duration(name: str, value: Any) -> float | None:
    if value is not None and not (_number(value) and 0 <= value < math.inf):
        _refuse(name, value, "a number of seconds, 0 or more")
    return None if value is None else float(value)


def _count(name: str, value: Any) -> int | None:
    if value is not None and not (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        _refuse(name, value, "a whole number, 0 or more")
    return None if value is None else int(value)


def _retry_on(name: str, value: Any) -> tuple[str, ...]:
    try:
        return exception_names(value, name)
    except TypeError:
        _refuse(name, value, "exception types or their qualified names")


def _backoff(name: str, value: Any) -> Backoff | None:
    if value is not None and not isinstance(value, Backoff):
        _refuse(name, value, "a Backoff")
    return value


def _priority(name: str, value: Any) -> Priority | None:
    if value is None:
        return None
    try:
        return Priority(value)
    except ValueError:
        _refuse(name, value, "a Priority: 1 (low), 2 (normal), 3 (high) or 4 (critical)")


def capability_set(name: str, value: Any) -> frozenset[str]:
    """A set of capability names.

    Raises:
        ConfigError: it is anything else; a single text is a common slip, because it iterates by letters.
    """
    if isinstance(value, str) or not isinstance(value, Collection):
        _refuse(name, value, 'a set of names, as {"imaging"}')
    if not all(isinstance(one, str) and one for one in value):
        _refuse(name, value, 'a set of names, as {"imaging"}')
    return frozenset(value)


def _idempotent(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        _refuse(name, value, "True or False")
    return value


def _resources(name: str, value: Any) -> Amounts:
    return read_amounts(name, value, "of a task")


def _type(name: str, value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and value):
        _refuse(name, value, "a name")
    return value


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "timeout": _timeout,
    "retries": _count,
    "retry_on": _retry_on,
    "backoff": _backoff,
    "priority": _priority,
    "requires": capability_set,
    "idempotent": _idempotent,
    "duration": _duration,
    "type": _type,
    "breaker_failures": _count,
    "resources": _resources,
}


_FITTING_KEPT = 64


class _Shape:
    """What calls a function takes, so that most are judged without binding each argument."""

    __slots__ = ("_fitting", "_least", "_most", "_name", "_plain", "_signature")

    def __init__(self, name: str, signature: inspect.Signature) -> None:
        self._name = name
        self._signature = signature
        # Whether a call fits is a question of how many arguments it has, and which names.
        self._fitting: set[tuple[Any, ...]] = set()
        least, most, self._plain = 0, 0.0, True
        for parameter in signature.parameters.values():
            required = parameter.default is parameter.empty
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                least += required
                most += 1
            elif parameter.kind is parameter.VAR_POSITIONAL:
                most = math.inf
            elif parameter.kind is parameter.KEYWORD_ONLY and required:
                self._plain = False
        self._least, self._most = least, most

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not kwargs and self._plain and self._least <= len(args) <= self._most:
            return
        given = (len(args), *kwargs)
        if given in self._fitting:
            return
        try:
            self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self._name}() {error}") from None
        if len(self._fitting) < _FITTING_KEPT:
            self._fitting.add(given)


def bound_check(function: Callable[..., Any], *, skip_first: bool = False) -> Callable[[tuple[Any, ...], Any], None]:
    """What raises the TypeError that a call of `function` would raise for arguments that do not fit it.

    Args:
        function: any callable; one that does not tell its signature (some built-ins) lets everything pass.
        skip_first: overlook the first parameter, which the agent fills in.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return lambda args, kwargs: None  # noqa: ARG005
    if skip_first:
        signature = signature.replace(parameters=list(signature.parameters.values())[1:])
    return _Shape(getattr(function, "__qualname__", repr(function)), signature).check


def _importable(owner: type[Any] | None) -> bool:
    if owner is None or owner.__module__ == "__main__":
        return False
    found: Any = sys.modules.get(owner.__module__)
    for name in owner.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is owner


def _rebuilt(
    kind: type[TaskMethod[Any, Any]],
    function: Callable[..., Any],
    options: TaskOptions,
    owner: type[Any] | None,
    name: str,
) -> TaskMethod[Any, Any]:
    method = kind(function, options, owner)
    method.name = name
    return method


class TaskMethod(Generic[P, R]):
    """A method of a worker that can be submitted as a task.

    Reached through a class it knows that class: `Sub.shrink.owner is Sub`, also when `shrink` is inherited. Reached
    through an instance it is the plain method, so that a worker can be tried out without a system.

    Attributes:
        function: what was decorated.
        name: the method's name.
        owner: the worker class that it was reached through; None only inside a mixin that is no worker.
        options: what `@task` says about it.
        bind_check: called with positional and keyword arguments, raises TypeError if they do not fit the method.
    """

    __slots__ = ("__dict__", "bind_check", "function", "name", "options", "owner")

    def __init__(
        self, function: Callable[Concatenate[Any, P], Any], options: TaskOptions, owner: type[Any] | None = None
    ) -> None:
        if not inspect.isfunction(function):
            raise TypeError(f"@task is for methods, not for {function!r}")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"@task: {function.__qualname__} is a generator, but a task has one result: return a list")
        self.function: Callable[..., Any] = function
        self.name: str = function.__name__
        self.options = options
        self.owner = owner
        self.bind_check = bound_check(function, skip_first=True)
        self.__dict__.update(function.__dict__)
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<task {self.owner.__qualname__ if self.owner else '?'}.{self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # A class that can be imported is named. One that cannot travels by value, and this method with it, while the
        # class is still being built over there.
        if _importable(self.owner):
            return getattr, (self.owner, self.name)
        return _rebuilt, (type(self), self.function, self.options, self.owner, self.name)

    def of(self, owner: type[Any]) -> Self:
        """The same method as the class `owner` has it."""
        bound = type(self)(self.function, self.options, owner)
        bound.name = self.name
        return bound

    @property
    def task_type(self) -> str:
        """The name of the type of its tasks."""
        if self.options.type is not None:
            return self.options.type
        return f"{getattr(self.owner, 'agent_type', 'task')}.{self.name}"

    @property
    def is_async(self) -> bool:
        """Whether it is an `async def`."""
        return inspect.iscoroutinefunction(self.function)

    def fields(self) -> dict[str, bool]:
        """What it takes by name, and whether that has to be given."""
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        return {one.name: one.default is one.empty for one in self._parameters() if one.kind in named}

    @property
    def is_open(self) -> bool:
        """Whether it takes any other name, too."""
        return any(one.kind is one.VAR_KEYWORD for one in self._parameters())

    def _parameters(self) -> list[inspect.Parameter]:
        return list(inspect.signature(self.function).parameters.values())[1:]

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> Callable[P, R]: ...
    def __get__(self, instance: object | None, owner: type[Any] | None = None) -> Any:
        if instance is not None:
            return MethodType(self.function, instance)
        tasks: dict[str, TaskMethod[Any, Any]] | None = getattr(owner, "__actors_tasks__", None)
        known = None if tasks is None else tasks.get(self.name)
        return known if known is not None and known.function is self.function else self

    def __call__(self, worker: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the method on a worker, here and now."""
        return self.function(worker, *args, **kwargs)  # type: ignore[no-any-return]


class AsyncTaskMethod(TaskMethod[P, R]):
    """A task method that is an `async def`: its tasks give R, a call of it on an instance gives a coroutine."""

    __slots__ = ()

    @overload  # type: ignore[override]
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, instance: object | None, owner: type[Any] | None = None) -> Any:
        return super().__get__(instance, owner)

    def __call__(  # type: ignore[override]
        self, worker: Any, /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]:
        """Start the method on a worker, here and now."""
        return self.function(worker, *args, **kwargs)  # type: ignore[no-any-return]


class TaskDecorator(Protocol):
    """What `@task(…)` gives: it makes a task of a method."""

    @overload
    def __call__(self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /) -> AsyncTaskMethod[P, R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Any, P], R], /) -> TaskMethod[P, R]: ...


@overload
def task(function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /) -> AsyncTaskMethod[P, R]: ...
@overload
def task(function: Callable[Concatenate[Any, P], R], /) -> TaskMethod[P, R]: ...
@overload
def task(
    *,
    timeout: float | None = None,
    retries: int | None = None,
    retry_on: type[BaseException] | Iterable[type[BaseException] | str] | str = (),
    backoff: Backoff | None = None,
    priority: Priority | int | None = None,
    requires: Collection[str] = frozenset(),
    idempotent: bool = True,
    duration: float | None = None,
    type: str | None = None,
    breaker_failures: int | None = None,
    resources: Mapping[str, float] = ...,
) -> TaskDecorator: ...
def task(function: Any = None, /, **options: Any) -> Any:
    """Make a task of a worker's method, `async def` or not.

    Args:
        function: the method, where the decorator is used without arguments.
        **options: see `TaskOptions`; `retry_on` takes one exception type or several.

    Returns:
        A `TaskMethod`, or a decorator that makes one.

    Raises:
        ConfigError: an option's value is not allowed.
        TypeError: an unknown option, or what is decorated is no method or a generator.

    Example:
        class Thumbnailer(Worker):
            @task(timeout=60, retries=2)
            def shrink(self, path: str, size: int = 128) -> bytes: ...
    """
    unknown = options.keys() - _CHECKS.keys()
    if unknown:
        raise TypeError(f"@task has no option {', '.join(sorted(unknown))}; there are {', '.join(sorted(_CHECKS))}")
    stated = TaskOptions(**options)

    def decorate(method: Any, /) -> TaskMethod[Any, Any]:
        kind = AsyncTaskMethod if inspect.iscoroutinefunction(method) else TaskMethod
        return kind(method, stated)

    return decorate if function is None else decorate(function)
