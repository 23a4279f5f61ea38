"""Finds code of the user that reaches past the simulation: for the machine's clock, chance, threads or waits.

    with guard.watching():  ──▶ sys.setprofile, in this thread
        the user's body         each call of a builtin: may it be forbidden? (forbidden.py, callsites.py)
                                whose code calls it?                         (origins.py)
                                ──▶ OutsideSimulation, at the call, before it is made; noted in `found`

A call is told by what is called, under whatever name it was imported. What a builtin calls by itself, as `map` and
`functools.partial` do, and a bare `with lock:` make no such event: where that blocks, `where` tells it of the thread that
hangs.
"""

from __future__ import annotations

import contextlib
import os
import pkgutil
import sys
import threading
from collections.abc import Callable, Iterable
from types import FrameType, TracebackType
from typing import Any

from actors.errors import ConfigError
from actors.testing.errors import SimulationError
from actors.testing.guarding.forbidden import CODES, NAMES, PASSES, RULES, SHARED_RANDOM, Rule, rules_of
from actors.testing.guarding.origins import (
    Origin,
    called_name,
    frames_of,
    importing,
    is_import,
    origin,
    users_frame,
    where,
)

__all__ = ["Guard", "OutsideSimulation", "where"]

_CODE_NAMES = frozenset(name for _, name in CODES)

# Where the library calls what the user gave it: a builtin, or a function of the standard library, is called from here
# without any code of the user in between.
_CALLS_USERS = frozenset(
    {
        ("actors.hosts.interrupts", "_enter"),
        ("actors.hosts.lane", "run_items"),
    }
)


_NOT_WATCHING = contextlib.nullcontext()


class OutsideSimulation(SimulationError):
    """Code in a simulation uses something of the machine that the simulation cannot steer.

    Attributes:
        function: the user's function that does; None if the task itself is the forbidden function.
        called: what it calls.
        file, line: where; None as above.
        instead: what to use.
    """

    function: str | None
    called: str
    file: str | None
    line: int | None
    instead: str


class Guard:
    """Watches code of the user while it runs in a simulation.

    Args:
        allow: names of what is allowed all the same, as "time.perf_counter" or "tempfile"; of a forbidden function, of
            one that the user calls and that calls it, or of a module.
        on: whether it watches at all.

    Attributes:
        found: what was found, also where the code swallowed the error; each place once.

    Raises:
        ConfigError: `allow` names what does not exist.

    Example:
        guard = Guard(allow={"time.perf_counter"})
        with guard.watching():
            worker.shrink("a.png")
        assert not guard.found
    """

    def __init__(self, allow: Iterable[str] = (), *, on: bool = True) -> None:
        self._on = on
        self.found: list[OutsideSimulation] = []
        self._allowed = frozenset((allow,) if isinstance(allow, str) else allow)
        for name in self._allowed:
            _check_name(name)
        self._passing = frozenset(rule.name for rule in RULES if self._allows(rule.name))
        self._local = _Local()
        self._hook = self._make_hook()

    def watching(self) -> contextlib.AbstractContextManager[object]:
        """Watch this thread for as long as the block runs. Such blocks may stand inside one another.

        A profile function that is there before is put back afterwards.
        """
        return _Watch(self._hook, self._local) if self._on else _NOT_WATCHING

    def _allows(self, name: str) -> bool:
        return any(name == one or name.startswith(f"{one}.") for one in self._allowed)

    def _make_hook(self) -> Callable[[FrameType, str, Any], None]:
        names, code_names, judge, own = NAMES, _CODE_NAMES, self._judge, _Watch.__exit__.__code__

        def hook(frame: FrameType, event: str, arg: Any) -> None:
            # This runs at each call and each return of what is watched: almost always it ends here.
            if event == "c_call":
                if arg.__name__ in names and frame.f_code is not own:
                    rules = rules_of(arg)
                    if rules:
                        judge(rules, arg, frame, frame)
            elif event == "call" and frame.f_code.co_name in code_names:
                rule = CODES.get((frame.f_globals.get("__name__", ""), frame.f_code.co_name))
                if rule is not None:
                    judge((rule,), None, frame, frame.f_back)

        return hook

    def _judge(self, rules: tuple[Rule, ...], function: Any, frame: FrameType, caller: FrameType | None) -> None:
        """Find out whose call it is, and raise if it is the user's and breaks a rule.

        The caller comes first: looking into a lock is for locks of the user's only.

        Raises:
            OutsideSimulation: it is and does.
        """
        modules = set()
        for one in frames_of(caller):
            whose = origin(one)
            module = one.f_globals.get("__name__", "")
            if whose is Origin.PYTHON:
                if is_import(one):
                    return
                modules.add(module.partition(".")[0])
                continue
            direct = whose is Origin.LIBRARY
            if direct and (module, one.f_code.co_name) not in _CALLS_USERS:
                return
            for rule in rules:
                if (
                    rule.name not in self._passing
                    and not any(rule.matter in PASSES.get(name, ()) for name in modules)
                    and (rule.applies is None or rule.applies(function, frame))
                    and not importing(one)
                ):
                    self._refuse(rule, function, frame, None if direct else users_frame(one))
            return

    def _refuse(self, rule: Rule, function: Any, frame: FrameType, users: FrameType | None) -> None:
        called = _called(rule, function, frame, users)
        if self._allows(called):
            return
        if users is None:
            told, name, file, line = "the task itself", None, None, None
        else:
            name, file, line = users.f_code.co_name, users.f_code.co_filename, users.f_lineno
            told = f"{name} ({os.path.basename(file)}:{line})"
        if rule.name.startswith(called):
            what = rule.name
        elif called.startswith(rule.name):
            what = called
        else:
            what = f"{called}, which uses {rule.name}"
        error = OutsideSimulation(
            f"{told} calls {what}, which the simulation cannot steer; use {rule.instead}",
            function=name,
            called=called,
            file=file,
            line=line,
            instead=rule.instead,
        )
        if not any((one.file, one.line, one.called) == (file, line, called) for one in self.found):
            self.found.append(error)
        _watch_again(self._hook, self._local, frame)
        raise error


def _called(rule: Rule, function: Any, frame: FrameType, users: FrameType | None) -> str:
    """What the user's code calls: the forbidden function, or the one through which it comes to that."""
    callee: FrameType | None = None
    for one in frames_of(frame):
        if one is users or origin(one) is Origin.LIBRARY:
            break
        callee = one
    if callee is None or (callee is frame and function is None):
        return f"random.{function.__name__}" if rule.name == "random" else rule.name
    if callee.f_locals.get("self") is SHARED_RANDOM:
        return f"random.{callee.f_code.co_name}"
    return called_name(callee)


class _Local(threading.local):
    """How many watches are open in this thread."""

    depth = 0


class _Watch:
    """The block of `Guard.watching`."""

    __slots__ = ("_before", "_hook", "_local")

    def __init__(self, hook: Callable[[FrameType, str, Any], None], local: _Local) -> None:
        self._hook = hook
        self._local = local
        self._before: Any = None

    def __enter__(self) -> None:
        before = sys.getprofile()
        if before is not self._hook:
            # An outer watch puts back what was there before it; what is there now may be its own, or nothing after an
            # error was raised.
            self._before = None if self._local.depth else before
            disable = getattr(before, "disable", None)
            if disable is not None:
                # Up to Python 3.11 cProfile stands there itself; it wants to be stopped and started as a whole.
                disable()
            sys.setprofile(self._hook)
        self._local.depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        self._local.depth -= 1
        if self._local.depth:
            if sys.getprofile() is not self._hook:
                sys.setprofile(self._hook)
            return
        before, self._before = self._before, None
        sys.setprofile(None)
        if before is None:
            return
        enable = getattr(before, "enable", None)
        if enable is not None:
            enable()
        else:
            sys.setprofile(before)


def _watch_again(hook: Callable[[FrameType, str, Any], None], local: _Local, frame: FrameType) -> None:
    """Put the hook back as soon as the error that it is about to raise has been raised.

    Python removes a profile function that raises. A trace function is told of the exception; where one is there
    already, as that of a debugger, it is left alone, and the watch goes on with the next block.
    """
    if sys.gettrace() is not None:
        return
    frames = [one for one in (frame, frame.f_back) if one is not None]

    def on_event(*_: Any) -> None:
        sys.settrace(None)
        for one in frames:
            one.f_trace = None
        if local.depth:
            sys.setprofile(hook)

    sys.settrace(lambda *_: None)
    for one in frames:
        one.f_trace = on_event


def _check_name(name: Any) -> None:
    known = {rule.name for rule in RULES}
    if isinstance(name, str):
        if name in known or any(one.startswith(f"{name}.") for one in known):
            return
        try:
            pkgutil.resolve_name(name)
        except (AttributeError, ImportError, ValueError):
            pass
        else:
            return
    allowed = 'names of functions or modules, as "time.perf_counter" or "tempfile"'
    raise ConfigError(f"allow takes {allowed}; there is no {name!r}", key="allow", value=name, allowed=allowed)
