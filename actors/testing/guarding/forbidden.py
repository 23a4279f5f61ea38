"""What code in a simulation may not use of the machine, and what it is to use instead."""

from __future__ import annotations

import enum
import os
import random
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any, Final, NamedTuple, TypeAlias

from actors.testing.guarding.callsites import UNKNOWN, Arguments, arguments

__all__ = ["CODES", "NAMES", "PASSES", "RULES", "SHARED_RANDOM", "Matter", "Rule", "rules_of"]

Applies: TypeAlias = Callable[[Any, FrameType], bool]
"""Called with the builtin that is about to be called and the frame that calls it."""


class Matter(enum.Enum):
    """What somebody reaches for."""

    CLOCK = "clock"
    CHANCE = "chance"
    WAIT = "wait"
    MACHINE = "machine"


class Rule(NamedTuple):
    """One forbidden thing.

    Attributes:
        name: what it is, as one writes it.
        matter: what it is about.
        instead: what to use.
        applies: whether a call does what is forbidden; None for each call.
    """

    name: str
    matter: Matter
    instead: str
    applies: Applies | None = None


_CLOCK = "self.clock.monotonic() or self.clock.utc()"
_SLEEP = "self.sleep(…), or await asyncio.sleep(…) in an async task"
_CHANCE = "self.random"
_WAIT = "what the library waits with: a future's result(), self.ask(…), self.sleep(…)"
_OUTSIDE = "a worker of its own for what talks to the machine or the network, with a fake in its place here"
_THREAD = "self.submit(…)"
_FILE = "a name of your own below self.workspace"

SHARED_RANDOM: Final[Any] = random._inst  # noqa: SLF001 - the module's functions are its methods


# --- when a call is harmless ----------------------------------------------------------------------------------------


def _left_out(place: int, name: str) -> Applies:
    """It takes the present time unless it is given one."""

    def applies(_: Any, frame: FrameType) -> bool:
        return arguments(frame).get(place, name, None) is None

    return applies


def _blocks(given: Arguments) -> bool:
    """Whether an acquire with these arguments may wait."""
    blocking = given.get(0, "blocking", default=True)
    if given.positional is not None and "block" in given.named:
        blocking = given.named["block"]
    timeout = given.get(1, "timeout", -1)
    return (blocking is UNKNOWN or bool(blocking)) and (timeout is UNKNOWN or timeout is None or timeout != 0)


def _held(lock: Any) -> bool:
    """Whether this thread would wait for a lock."""
    if lock.acquire(False):  # noqa: FBT003 - takes it by place on each Python
        lock.release()
        return False
    return True


def _waits_for_lock(function: Any, frame: FrameType) -> bool:
    lock = function.__self__
    if function.__name__ == "__enter__":
        return _held(lock)
    return _held(lock) and _blocks(arguments(frame))


def _waits_for_item(function: Any, frame: FrameType) -> bool:
    return bool(function.__self__.empty()) and _blocks(arguments(frame))


def _waits_for_thread(function: Any, _: FrameType) -> bool:
    return not function.__self__.is_done()


def _waits_until(place: int) -> Applies:
    """It waits unless its timeout is nought."""

    def applies(_: Any, frame: FrameType) -> bool:
        timeout = arguments(frame).get(place, "timeout", None)
        return timeout is UNKNOWN or timeout is None or timeout != 0

    return applies


def _waits_for_child(_: Any, frame: FrameType) -> bool:
    options = arguments(frame).get(1, "options", 0)
    return options is UNKNOWN or not options & os.WNOHANG


def _waits_for_network(function: Any, _: FrameType) -> bool:
    return bool(function.__self__.gettimeout() != 0)


def _is_unseeded(function: Any, frame: FrameType) -> bool:
    return function.__self__ is not SHARED_RANDOM and arguments(frame).get(0, "a", None) is None


def _is_shared(function: Any, _: FrameType) -> bool:
    return function.__self__ is SHARED_RANDOM


# --- the table ------------------------------------------------------------------------------------------------------


def _all(names: str, matter: Matter, instead: str, applies: Applies | None = None) -> dict[tuple[str, str], Rule]:
    """One rule for each function of a module; names as "time.time"; one of a private module as "os.fork=posix.fork"."""
    found = {}
    for name in names.split():
        shown, _, real = name.partition("=")
        module, _, function = (real or shown).rpartition(".")
        found[module, function] = Rule(shown, matter, instead, applies)
    return found


_FUNCTIONS: dict[tuple[str, str], Rule] = {
    **_all(
        "time.time time.time_ns time.monotonic time.monotonic_ns time.perf_counter time.perf_counter_ns "
        "time.process_time time.process_time_ns time.thread_time time.thread_time_ns time.clock_gettime "
        "time.clock_gettime_ns os.times=posix.times",
        Matter.CLOCK,
        _CLOCK,
    ),
    **_all("time.localtime time.gmtime time.ctime", Matter.CLOCK, _CLOCK, _left_out(0, "seconds")),
    **_all("time.asctime", Matter.CLOCK, _CLOCK, _left_out(0, "tuple")),
    **_all("time.strftime", Matter.CLOCK, _CLOCK, _left_out(1, "tuple")),
    **_all("time.sleep", Matter.WAIT, _SLEEP),
    **_all(
        "os.urandom=posix.urandom os.getrandom=posix.getrandom uuid.uuid1=_uuid.generate_time_safe "
        "ssl.RAND_bytes=_ssl.RAND_bytes",
        Matter.CHANCE,
        _CHANCE,
    ),
    **_all("select.select", Matter.WAIT, _WAIT, _waits_until(3)),
    **_all(
        "os.wait=posix.wait os.wait3=posix.wait3 os.waitid=posix.waitid "
        "signal.pause=_signal.pause signal.sigwait=_signal.sigwait signal.sigwaitinfo=_signal.sigwaitinfo "
        "signal.sigtimedwait=_signal.sigtimedwait signal.pause=signal.pause signal.sigwait=signal.sigwait "
        "signal.sigwaitinfo=signal.sigwaitinfo signal.sigtimedwait=signal.sigtimedwait input=builtins.input",
        Matter.WAIT,
        _WAIT,
    ),
    **_all("os.waitpid=posix.waitpid os.wait4=posix.wait4", Matter.WAIT, _WAIT, _waits_for_child),
    **_all(
        "socket.getaddrinfo=_socket.getaddrinfo socket.gethostbyname=_socket.gethostbyname "
        "socket.gethostbyaddr=_socket.gethostbyaddr socket.getnameinfo=_socket.getnameinfo "
        "os.fork=posix.fork os.forkpty=posix.forkpty os.posix_spawn=posix.posix_spawn "
        "os.posix_spawnp=posix.posix_spawnp os.system=posix.system os.execv=posix.execv os.execve=posix.execve "
        "os._exit=posix._exit os.abort=posix.abort subprocess.Popen=_posixsubprocess.fork_exec",
        Matter.MACHINE,
        _OUTSIDE,
    ),
    **_all(
        "threading.Thread.start=_thread.start_new_thread threading.Thread.start=_thread.start_new "
        "threading.Thread.start=_thread.start_joinable_thread",
        Matter.MACHINE,
        _THREAD,
    ),
    **_all("sys.setprofile", Matter.MACHINE, "a profiler outside of the simulation"),
}


def _each(names: str, types: str, rule: Rule) -> dict[str, list[tuple[str, Rule]]]:
    """A rule for each of these methods of each of these types, "module.Type"."""
    return {name: [(kind, rule) for kind in types.split()] for name in names.split()}


def _joined(*parts: dict[str, list[tuple[str, Rule]]]) -> dict[str, list[tuple[str, Rule]]]:
    found: dict[str, list[tuple[str, Rule]]] = {}
    for part in parts:
        for name, rules in part.items():
            found.setdefault(name, []).extend(rules)
    return found


def _of_network(name: str) -> dict[str, list[tuple[str, Rule]]]:
    rule = Rule(f"socket.{name.lstrip('_')}", Matter.MACHINE, _OUTSIDE, _waits_for_network)
    return _each(name, "_socket.socket", rule)


_METHODS: dict[str, list[tuple[str, Rule]]] = _joined(
    _each(
        "acquire acquire_lock __enter__",
        "_thread.lock _thread.RLock",
        Rule("lock.acquire", Matter.WAIT, _WAIT, _waits_for_lock),
    ),
    _each(
        "acquire __enter__",
        "_multiprocessing.SemLock",
        Rule("multiprocessing.Lock.acquire", Matter.WAIT, _WAIT, _waits_for_lock),
    ),
    _each("join", "_thread._ThreadHandle", Rule("threading.Thread.join", Matter.WAIT, _WAIT, _waits_for_thread)),
    _each("get", "_queue.SimpleQueue", Rule("queue.SimpleQueue.get", Matter.WAIT, _WAIT, _waits_for_item)),
    _each("poll", "select.poll select.epoll", Rule("select.poll", Matter.WAIT, _WAIT, _waits_until(0))),
    *map(
        _of_network,
        (
            "recv",
            "recv_into",
            "recvfrom",
            "recvfrom_into",
            "recvmsg",
            "recvmsg_into",
            "_accept",
            "connect",
            "connect_ex",
        ),
    ),
    _each("seed", "_random.Random", Rule("random.Random without a seed", Matter.CHANCE, _CHANCE, _is_unseeded)),
    _each(
        "random getrandbits seed getstate setstate",
        "_random.Random",
        Rule("random", Matter.CHANCE, _CHANCE, _is_shared),
    ),
    *(
        _each(name, "datetime.date", Rule(f"datetime.datetime.{name}", Matter.CLOCK, _CLOCK))
        for name in ("now", "utcnow", "today")
    ),
    _each("enable", "_lsprof.Profiler", Rule("cProfile", Matter.MACHINE, "a profiler outside of the simulation")),
)

CODES: Final[dict[tuple[str, str], Rule]] = {
    ("tempfile", "__next__"): Rule("tempfile", Matter.CHANCE, _FILE),
    # Before it makes pipes for the child.
    ("multiprocessing.process", "start"): Rule("multiprocessing.Process.start", Matter.MACHINE, _OUTSIDE),
}
"""By module and name of a Python function: what no builtin tells, or none in time."""

NAMES: Final = frozenset(name for _, name in _FUNCTIONS) | frozenset(_METHODS)
"""The names of all builtins that may be forbidden: where a name is not among them, nothing else has to be looked at."""

RULES: Final[tuple[Rule, ...]] = tuple(
    {
        rule.name: rule
        for rule in (
            *_FUNCTIONS.values(),
            *(rule for rules in _METHODS.values() for _, rule in rules),
            *CODES.values(),
        )
    }.values()
)
"""All of them."""

_EVERYTHING = frozenset(Matter)
_READS_CLOCK = frozenset({Matter.CLOCK})
PASSES: Final[dict[str, frozenset[Matter]]] = {
    # A record's time and the lock of a handler say nothing of what the code does.
    "logging": frozenset({Matter.CLOCK, Matter.WAIT}),
    "structlog": _READS_CLOCK,
    # The loop is the agent's, and its clock with it. What these read the clock for is a wait, which is judged by itself.
    "asyncio": _READS_CLOCK,
    "concurrent": _READS_CLOCK,
    "queue": _READS_CLOCK,
    "selectors": _READS_CLOCK,
    "subprocess": _READS_CLOCK,
    "threading": _READS_CLOCK,
    # A test's own tools.
    "_pytest": _EVERYTHING,
    "coverage": _EVERYTHING,
    "hypothesis": _EVERYTHING,
    "pluggy": _EVERYTHING,
}
"""What code between the user's and the forbidden call may do on the user's behalf, by its top-level module."""

# By method and type: the rules of that method that concern the type.
_known: dict[tuple[str, type], tuple[Rule, ...]] = {}


def rules_of(function: Any) -> tuple[Rule, ...]:
    """The rules that calls of a builtin may break; its name is one of `NAMES`."""
    name = function.__name__
    owner = function.__self__
    kind = type(owner)
    # Names as those of "-".join and {}.get are in every program: they are done with here.
    rules = _known.get((name, kind))
    if rules is not None:
        return rules
    if kind is ModuleType:
        rule = _FUNCTIONS.get((function.__module__, name))
        return () if rule is None else (rule,)
    if issubclass(kind, type):
        return _of_type(name, owner)
    rules = _known[name, kind] = _of_type(name, kind)
    return rules


def _of_type(name: str, kind: type) -> tuple[Rule, ...]:
    bases = {f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__}
    return tuple(rule for base, rule in _METHODS.get(name, ()) if base in bases)
