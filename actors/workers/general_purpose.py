"""The worker for everything that needs no type of its own."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from actors.errors import ConfigError
from actors.worker import Worker, task

__all__ = ["GeneralPurpose"]


class GeneralPurpose(Worker):
    """Runs any callable.

    What `submit` is given as a plain callable comes here by itself. Work described as data names its callable:

        system.submit_task(TaskSpec(type="general", data={"callable": "math:gcd", "args": [12, 18]}))
    """

    agent_type = "general_purpose"
    role = "worker"
    specialization = "any work"
    capabilities = frozenset({"general_purpose", "general_tasks", "file_operations", "basic_analysis"})

    @task(type="general")
    def general(
        self,
        callable: str,  # noqa: A002 - the word that stands in the data
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call what is named.

        Args:
            callable: "module:name", or "module:Class.method" for what is inside something.
            args: positional arguments, a list or tuple.
            kwargs: keyword arguments.

        Returns:
            What the call returns. Of an `async def` that is a coroutine, which no task can return.

        Raises:
            ConfigError: there is no such callable, or the arguments are no list and mapping.
            TypeError: the callable does not take these arguments.
            BaseException: whatever the callable raises.
        """
        kwargs = {} if kwargs is None else kwargs
        _check_data(args, kwargs)
        found = resolve_callable(callable)
        _check_call(found, callable, args, kwargs)
        return found(*args, **kwargs)


def resolve_callable(name: Any) -> Callable[..., Any]:
    """What a text such as "package.module:function" names; its module is imported.

    Raises:
        ConfigError: it names nothing, or nothing that can be called. The cause is chained.
    """
    shape = '"module:function", as "math:gcd"'
    if not isinstance(name, str):
        _refuse("callable", name, shape)
    module_name, colon, path = name.partition(":")
    if not colon or not module_name or not all(part.isidentifier() for part in path.split(".")):
        _refuse("callable", name, shape)
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        message = f"callable {name!r}: its module cannot be imported: {type(error).__name__}: {error}"
        raise ConfigError(message, key="callable", value=name, allowed=shape) from error
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            message = f"callable {name!r}: {error}"
            raise ConfigError(message, key="callable", value=name, allowed=shape) from None
    if not callable(found):
        _refuse("callable", name, f"the name of something to call, not of a {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def _check_data(args: Any, kwargs: Any) -> None:
    if isinstance(args, str | bytes) or not isinstance(args, Sequence):
        _refuse("args", args, "a list of positional arguments")
    if not isinstance(kwargs, Mapping) or not all(isinstance(name, str) for name in kwargs):
        _refuse("kwargs", kwargs, "a mapping of names to values")


def _check_call(found: Callable[..., Any], name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """A wrong call is told apart from a TypeError that the callable itself raises."""
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        # Some built-ins do not tell; the call will.
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        message = f"{name} does not take these arguments: {error}; its signature is {signature}"
        raise TypeError(message) from None


def _refuse(key: str, value: Any, allowed: str) -> NoReturn:
    raise ConfigError(f"{key} of a general task is {allowed}, not {value!r}", key=key, value=value, allowed=allowed)
