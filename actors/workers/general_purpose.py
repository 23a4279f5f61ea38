"""The worker for everything that needs no type of its own."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from actors.errors import ConfigError
from actors.hosts.childprocess import Finished, failure_of
from actors.hosts.insideagent import OUTPUT_LIMIT
from actors.worker import Worker, task
from actors.workers.command import Command

__all__ = ["GeneralPurpose"]

_TELL_EVERY = 0.1


class GeneralPurpose(Worker):
    """Runs any callable, and any command.

    What `submit` is given as a plain callable comes here by itself. Work described as data names its callable, or has
    the words of its command:

        system.submit_task(TaskSpec(type="general", data={"callable": "math:gcd", "args": [12, 18]}))
        system.submit_task(TaskSpec(type="command", data={"argv": ["git", "status", "--short"], "cwd": "project"}))
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

    @task(type="command")
    def command(
        self,
        argv: Sequence[Any] | str,
        *,
        cwd: str | None = None,
        env: Mapping[str, str | float | None] | None = None,
        stdin: str | None = None,
        shell: bool = False,
        exit_codes: Sequence[int] = (0,),
        keep: int = OUTPUT_LIMIT,
    ) -> Finished:
        """Run a command. Its output is told as progress; it ends with the task at the latest, and all that it started.

        Args:
            argv: the program and each of its arguments by itself, texts and numbers; a list among them stands for its
                items. No shell reads them.
            cwd: the folder that it runs in; None is where the agent runs.
            env: variables of its environment, beside those of the agent; one that is None is taken away.
            stdin: what it reads; None is nothing.
            shell: `argv` is one text, which /bin/sh reads.
            exit_codes: those that are no failure.
            keep: how many bytes of each output stream are kept, the last ones; 1 or more.

        Returns:
            Its exit code, and the last of its output.

        Raises:
            CommandFailed: it cannot be started, or ended otherwise; has its exit code, its signal and its output.
            ConfigError: the data are not what is expected.
        """
        made = Command.of(argv, cwd=cwd, env=env, stdin=stdin, shell=shell, exit_codes=exit_codes, keep=keep)
        finished = self.run(
            made.argv,
            cwd=made.cwd,
            env=made.environment,
            stdin=made.stdin,
            limit=made.keep,
            on_output=lambda _stream, text: self.progress(0.0, text),
            output_every=_TELL_EVERY,
        )
        if finished.code not in made.exit_codes:
            raise failure_of(finished)
        return finished


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
