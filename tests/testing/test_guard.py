"""The guard of the simulation: what it finds, whom it blames, and what it lets pass."""

# A lambda around a function is code of the user's that calls it.
# ruff: noqa: PLW0108

from __future__ import annotations

import asyncio
import concurrent.futures
import cProfile
import datetime as dt
import functools
import importlib
import logging
import multiprocessing
import os
import pickle
import queue
import random
import secrets
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import choice as pick
from time import sleep as snooze
from typing import Any

import pytest

from actors.errors import ActorsError, ConfigError
from actors.hosts.attempt import Attempt
from actors.hosts.interrupts import FlagInterrupter
from actors.hosts.lane import run_items
from actors.logs import get_logger
from actors.protocol.messages import Outcome
from actors.testing.guarding.callsites import UNKNOWN, Arguments, arguments
from actors.testing.guarding.forbidden import RULES
from actors.testing.guarding.guard import Guard, OutsideSimulation, where
from tests.agent.sleepers import Sleeper

LIMIT = 20.0


def blame(body: Callable[[], Any], allow: Any = ()) -> OutsideSimulation:
    """The first error that a body is stopped with."""
    guard = Guard(allow)
    with pytest.raises(OutsideSimulation), guard.watching():
        body()
    assert sys.getprofile() is None and sys.gettrace() is None
    return guard.found[0]


def pass_by(body: Callable[[], Any], allow: Any = ()) -> Any:
    """The value of a body in which nothing is found."""
    guard = Guard(allow)
    with guard.watching():
        value = body()
    assert guard.found == []
    return value


# --- what is found -------------------------------------------------------------------------------------------------

held = threading.Lock()
held.acquire()
taken = multiprocessing.get_context("fork").Semaphore(0)


class MyTime(dt.datetime):
    """A user's own kind."""


class MyThread(threading.Thread):
    """As above."""


@dataclass
class Stamped:
    at: float = field(default_factory=time.time)


def received() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.recv(1)


def connected() -> None:
    with socket.socket() as ours:
        ours.connect(("127.0.0.1", 9))


def accepted() -> None:
    with socket.socket() as ours:
        ours.bind(("127.0.0.1", 0))
        ours.listen()
        ours.accept()


def polled() -> None:
    poll = select.poll()
    poll.poll(10)


def pooled() -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(len, "")


def awaited(seconds: float) -> None:
    asyncio.run(asyncio.sleep(seconds))


async def in_a_thread() -> None:
    await asyncio.to_thread(len, "")


def profiled() -> None:
    cProfile.Profile().enable()


CLOCK: dict[str, Callable[[], Any]] = {
    "time.time": lambda: time.time(),
    "time.time_ns": lambda: time.time_ns(),
    "time.monotonic": lambda: time.monotonic(),
    "time.perf_counter": lambda: time.perf_counter(),
    "time.process_time": lambda: time.process_time(),
    "time.localtime": lambda: time.localtime(),
    "time.gmtime": lambda: time.gmtime(None),
    "time.ctime": lambda: time.ctime(),
    "time.strftime": lambda: time.strftime("%Y"),
    "os.times": lambda: os.times(),
    "datetime.datetime.now": lambda: dt.datetime.now(dt.UTC),
    "datetime.datetime.today": lambda: MyTime.today(),
}
CHANCE: dict[str, Callable[[], Any]] = {
    "random.random": lambda: random.random(),
    "random.choice": lambda: pick([1, 2]),
    "random.seed": lambda: random.seed(7),
    "random.gauss": lambda: random.gauss(),
    "random.Random": lambda: random.Random(),
    "random.SystemRandom.random": lambda: random.SystemRandom().random(),
    "os.urandom": lambda: os.urandom(1),
    "uuid.uuid4": lambda: uuid.uuid4(),
    "uuid.uuid1": lambda: uuid.uuid1(),
    "secrets.token_hex": lambda: secrets.token_hex(),
    "tempfile.mkdtemp": lambda: tempfile.mkdtemp(),
    "tempfile.NamedTemporaryFile": lambda: tempfile.NamedTemporaryFile(),  # noqa: SIM115 - it is not to be made
}
WAITS: dict[str, Callable[[], Any]] = {
    "time.sleep": lambda: snooze(30),
    "lock.acquire": lambda: held.acquire(),
    "threading.Condition.wait": lambda: wait_on(threading.Condition()),
    "threading.Event.wait": lambda: threading.Event().wait(30),
    "threading.Semaphore.acquire": lambda: threading.Semaphore(0).acquire(),
    "threading.Barrier.wait": lambda: threading.Barrier(2).wait(),
    "queue.Queue.get": lambda: queue.Queue[int]().get(timeout=30),
    "queue.Queue.put": lambda: fill(queue.Queue(1)),
    "queue.SimpleQueue.get": lambda: queue.SimpleQueue[int]().get(),
    "concurrent.futures._base.Future.result": lambda: concurrent.futures.Future[int]().result(30),
    "multiprocessing.synchronize.Semaphore.__enter__": lambda: enter(taken),
    "select.select": lambda: select.select([], [], [], 30),
    "select.poll": polled,
    "asyncio.runners.run": lambda: awaited(30),
    "os.waitpid": lambda: os.waitpid(-1, 0),
    "os.wait": lambda: os.wait(),
    "signal.sigtimedwait": lambda: signal.sigtimedwait([], 30),
    "input": lambda: input(),
}
MACHINE: dict[str, Callable[[], Any]] = {
    "socket.recv": received,
    "socket.connect": connected,
    "socket.socket.accept": accepted,
    "os.fork": lambda: os.fork(),
    "os.system": lambda: os.system("true"),
    "os._exit": lambda: os._exit(1),
    "subprocess.run": lambda: subprocess.run(["true"], check=True),
    "os.popen": lambda: os.popen("true"),
    "multiprocessing.Process.start": lambda: multiprocessing.Process(target=len).start(),
    "threading.Thread.start": lambda: threading.Thread(target=len).start(),
    f"{__name__}.MyThread.start": lambda: MyThread(target=len).start(),
    "concurrent.futures.thread.ThreadPoolExecutor.submit": pooled,
    "asyncio.threads.to_thread": lambda: asyncio.run(in_a_thread()),
    "sys.setprofile": lambda: sys.setprofile(None),
}


def wait_on(condition: threading.Condition) -> None:
    with condition:
        condition.wait()


def enter(lock: Any) -> None:
    with lock:
        pass


def fill(full: queue.Queue[int]) -> None:
    full.put(1)
    full.put(2)


@pytest.mark.parametrize(
    ("called", "body"),
    [*CLOCK.items(), *CHANCE.items(), *WAITS.items(), *MACHINE.items()],
    ids=[*CLOCK, *CHANCE, *WAITS, *MACHINE],
)
def test_what_reaches_past_the_simulation_is_stopped_at_the_call(called: str, body: Callable[[], Any]) -> None:
    """Under whatever name it was imported, and through the standard library; the blame names what the user called."""
    began = time.monotonic()
    error = blame(body)
    assert time.monotonic() - began < LIMIT
    assert error.called == called
    assert error.file == __file__


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="cProfile uses sys.monitoring, and does not stand in the way")
def test_a_profiler_that_would_take_the_guards_place_is_refused() -> None:
    """The watch would end unseen."""
    assert blame(profiled).called == "cProfile"


def test_the_error_names_function_file_line_and_what_to_use_instead() -> None:
    """The message is all that a user needs."""

    def shrink() -> None:
        time.sleep(30)

    error = blame(shrink)
    line = shrink.__code__.co_firstlineno + 1
    assert isinstance(error, ActorsError)
    assert (error.function, error.called, error.file, error.line) == ("shrink", "time.sleep", __file__, line)
    assert error.instead == "self.sleep(…), or await asyncio.sleep(…) in an async task"
    assert str(error) == (
        f"shrink (test_guard.py:{line}) calls time.sleep, which the simulation cannot steer; use {error.instead}"
    )
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.line) == (str(error), line)


def test_the_error_tells_through_what_it_came() -> None:
    """`uuid.uuid4` does not look like a reading of the machine's chance."""
    assert "calls uuid.uuid4, which uses os.urandom, which the simulation cannot steer" in str(
        blame(CHANCE["uuid.uuid4"])
    )
    assert "calls random.choice, which the simulation" in str(blame(CHANCE["random.choice"]))
    assert "calls random.Random without a seed, which" in str(blame(CHANCE["random.Random"]))


def test_generated_code_is_of_the_module_that_made_it() -> None:
    """The constructor of a dataclass has no file."""
    assert blame(Stamped).called == "time.time"


def test_an_installed_package_is_blamed_on_the_user_who_calls_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place is the user's own; what is called is the package's function."""
    package = tmp_path / "site-packages" / "slow_helper"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "import time\n\ndef outer():\n    inner()\n\ndef inner():\n    time.sleep(30)\n"
    )
    monkeypatch.syspath_prepend(str(package.parent))
    helper = importlib.import_module("slow_helper")
    error = blame(lambda: helper.outer())
    assert error.called == "slow_helper.outer" and error.file == __file__


def test_a_task_that_is_the_forbidden_function_itself_is_found() -> None:
    """`system.submit(time.sleep, 30)` has no code of the user's."""
    for function, args in ((time.sleep, (30,)), (random.choice, ([1, 2],))):
        guard = Guard()
        with guard.watching():
            outcome, value = FlagInterrupter().call(Attempt.of_agent("a task"), function, args, {})
        assert outcome is Outcome.ERROR and guard.found == [value]
        assert "the task itself calls " in str(value) and value.function is None
    guard = Guard()
    with guard.watching():
        run_items(time.sleep, [(30,)], lambda value: value)
    assert [one.called for one in guard.found] == ["time.sleep"]


# --- what passes ---------------------------------------------------------------------------------------------------


def seeded() -> list[float]:
    generator = random.Random(7)
    generator.shuffle(items := [1, 2, 3])
    return [generator.random(), generator.gauss(), generator.choice(items), random.Random("text").random()]


def use_locks() -> None:
    lock, again, condition = threading.Lock(), threading.RLock(), threading.Condition()
    with lock:
        assert not lock.acquire(False)  # noqa: FBT003 - as many write it
        assert not lock.acquire(blocking=False)
        assert not lock.acquire(timeout=0)
        quiet = False
        assert not lock.acquire(quiet)
    assert lock.acquire()
    with again, again:
        again.acquire()
        again.release()
    with condition:
        condition.notify_all()
    done = threading.Event()
    done.set()
    done.wait()


def use_queues() -> None:
    items: queue.Queue[int] = queue.Queue()
    items.put(1)
    assert items.get(timeout=5) == 1
    simple: queue.SimpleQueue[int] = queue.SimpleQueue()
    simple.put(1)
    assert simple.get() == 1
    with pytest.raises(queue.Empty):
        simple.get_nowait()
    with pytest.raises(queue.Empty):
        simple.get(block=False)


def look_without_waiting() -> None:
    assert select.select([], [], [], 0) == ([], [], [])
    poll = select.poll()
    assert poll.poll(0) == []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)  # noqa: FBT003 - takes no keyword
        with pytest.raises(BlockingIOError):
            ours.recv(1)


def log_something() -> None:
    logging.getLogger("tests.guard").warning("a record has a time")
    get_logger("tests.guard").warning("another")


def tell_known_times() -> None:
    time.gmtime(0)
    time.localtime(0.0)
    time.strftime("%Y", time.gmtime(0))
    dt.datetime.fromtimestamp(0, dt.UTC)


def use_names() -> None:
    text, table = "-", {"a": 1}
    assert text.join(table) == "a"
    assert table.get("a") == 1


HARMLESS = [
    seeded,
    use_locks,
    use_queues,
    look_without_waiting,
    log_something,
    tell_known_times,
    use_names,
    lambda: awaited(0),
    lambda: concurrent.futures.Future[int]().cancel(),
    lambda: pickle.loads(pickle.dumps({"a": [1]})),
]


@pytest.mark.parametrize("body", HARMLESS)
def test_what_neither_waits_nor_depends_on_the_machine_passes(body: Callable[[], Any]) -> None:
    """A free lock, a generator with a seed, a time that was given, the time of a log record."""
    pass_by(body)


def test_the_library_may_do_for_the_user_what_the_user_may_not() -> None:
    """The nearest code outside of the standard library counts."""
    worker = Sleeper()
    pass_by(lambda: worker.sleep(0.01))
    pass_by(lambda: worker.clock.monotonic)
    pass_by(lambda: worker.random)


def test_code_that_an_import_runs_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs once in a process, and is no part of the task."""
    (tmp_path / "guarded_module.py").write_text(
        "import random, time, uuid\nBEGAN = time.time()\nDICE = random.Random()\nNAME = uuid.uuid4()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    module = pass_by(lambda: importlib.import_module("guarded_module"))
    assert module.BEGAN > 0
    monkeypatch.delitem(sys.modules, "guarded_module")


@pytest.mark.parametrize(
    ("allow", "body"),
    [
        ({"time.perf_counter"}, CLOCK["time.perf_counter"]),
        ("time.perf_counter", CLOCK["time.perf_counter"]),
        (["uuid.uuid4"], CHANCE["uuid.uuid4"]),
        (["uuid"], CHANCE["uuid.uuid4"]),
        (["os.urandom"], CHANCE["uuid.uuid4"]),
        (["random"], CHANCE["random.choice"]),
        (["random.choice"], CHANCE["random.choice"]),
        (["tempfile"], lambda: tempfile.TemporaryDirectory().cleanup()),
    ],
)
def test_what_is_allowed_passes(allow: Any, body: Callable[[], Any]) -> None:
    """By the name of the function, of the one that the user calls, or of a module."""
    pass_by(body, allow)


def test_what_is_allowed_allows_nothing_else() -> None:
    """A name is a whole name."""
    assert blame(CLOCK["time.time_ns"], {"time.time"}).called == "time.time_ns"
    assert blame(CHANCE["random.random"], {"random.choice"}).called == "random.random"


@pytest.mark.parametrize("name", ["time.slep", "no_such_module", "", 7])
def test_a_name_to_allow_that_does_not_exist_is_refused(name: Any) -> None:
    """A misspelt one would do nothing, silently."""
    with pytest.raises(ConfigError, match="allow takes names of functions or modules") as caught:
        Guard([name])
    assert caught.value.value == name


def test_every_rule_can_be_allowed_by_its_name() -> None:
    """Also those of what this Python does not have."""
    assert Guard([rule.name for rule in RULES]).found == []


# --- watching ------------------------------------------------------------------------------------------------------


def test_an_error_that_is_swallowed_is_noted_and_the_watch_goes_on() -> None:
    """The simulation fails all the same, and tells of all that there is, each place once."""
    guard = Guard()
    with guard.watching():
        for _ in range(3):
            for body in (lambda: snooze(30), lambda: time.monotonic_ns()):
                try:
                    body()
                except Exception:  # noqa: BLE001 - this is the misbehaviour
                    pass
    assert [one.called for one in guard.found] == ["time.sleep", "time.monotonic_ns"]


def test_beside_a_trace_function_the_first_call_is_found_and_the_function_stays() -> None:
    """As that of a debugger or of a measurement of coverage."""
    lines: list[int] = []

    def trace(frame: Any, event: str, arg: Any) -> Any:
        lines.append(frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        guard = Guard()
        with pytest.raises(OutsideSimulation), guard.watching():
            CLOCK["time.time"]()
        assert sys.gettrace() is trace
        with pytest.raises(OutsideSimulation), guard.watching():
            CLOCK["time.time_ns"]()
    finally:
        sys.settrace(before)
    assert len(guard.found) == 2 and lines


def test_watches_stand_inside_one_another() -> None:
    """As when a task runs inside the one that waits for it; also after an error came out of the inner one."""
    guard = Guard()
    with guard.watching():
        with pytest.raises(OutsideSimulation), guard.watching():
            CLOCK["time.time"]()
        with guard.watching():
            pass
        with pytest.raises(OutsideSimulation):
            CLOCK["time.time_ns"]()
    assert sys.getprofile() is None
    assert [one.called for one in guard.found] == ["time.time", "time.time_ns"]
    CLOCK["time.time"]()


def test_a_watch_concerns_its_own_thread() -> None:
    """Others go on as they were."""
    guard = Guard()
    told: list[float] = []
    thread = threading.Thread(target=lambda: told.append(time.time()))
    start = threading.Event()

    def wait_and_tell() -> None:
        start.wait(LIMIT)
        told.append(time.time())

    thread = threading.Thread(target=wait_and_tell)
    thread.start()
    with guard.watching():
        start.set()
    thread.join()
    assert told and guard.found == []


def test_a_profile_function_is_put_back() -> None:
    """Also after an error."""
    events: list[str] = []

    def profile(frame: Any, event: str, arg: Any) -> None:
        events.append(event)

    guard = Guard()
    sys.setprofile(profile)
    try:
        with guard.watching():
            seeded()
        assert sys.getprofile() is profile
        with pytest.raises(OutsideSimulation), guard.watching():
            CLOCK["time.time"]()
        assert sys.getprofile() is profile
    finally:
        sys.setprofile(None)


def test_a_profiler_goes_on_afterwards() -> None:
    """CProfile is a profile function in Python 3.11, and none in later ones."""
    profiler = cProfile.Profile()
    guard = Guard()
    profiler.enable()
    try:
        with guard.watching():
            seeded()
        use_names()
    finally:
        profiler.disable()
    assert any(entry.code is use_names.__code__ for entry in profiler.getstats())


# --- arguments and places ------------------------------------------------------------------------------------------


def probe_with_constants(probe: Any) -> None:
    probe(1)
    probe("text", key=2.5)


def probe_with_variables(probe: Any, first: int, second: int) -> None:
    probe(first, second)
    probe(LIMIT, key=second)


def probe_with_more(probe: Any, first: int) -> None:
    probe(first, first + 1, first)
    probe(*[first])


def probe_from_inside(probe: Any, outer: int) -> None:
    def inner() -> None:
        probe(outer)

    inner()


@pytest.mark.parametrize(
    ("caller", "given", "positional", "named"),
    [
        (probe_with_constants, (), [[1], ["text"]], [{}, {"key": 2.5}]),
        (probe_with_variables, (7, 8), [[7, 8], [LIMIT]], [{}, {"key": 8}]),
        (probe_with_more, (7,), [[UNKNOWN, UNKNOWN, 7], None], [{}, {}]),
        (probe_from_inside, (7,), [[7]], [{}]),
    ],
)
def test_arguments_are_read_from_constants_and_variables(
    caller: Any, given: tuple[int, ...], positional: list[Any], named: list[dict[str, Any]]
) -> None:
    """What takes more than one instruction is unknown, and so is what stands before it."""
    # It takes whatever it is given.
    probe = "".format
    seen: list[Arguments] = []

    def profile(frame: Any, event: str, arg: Any) -> None:
        if event == "c_call" and arg == probe:
            seen.append(arguments(frame))

    sys.setprofile(profile)
    try:
        caller(probe, *given)
    finally:
        sys.setprofile(None)
    assert [None if one.positional is None else list(one.positional) for one in seen] == positional
    assert [dict(one.named) for one in seen] == named


def hang_at(started: threading.Event, lock: threading.Lock) -> None:
    started.set()
    with lock:
        pass


def test_a_thread_that_hangs_is_told_with_the_users_line() -> None:
    """A bare `with lock:` is nothing that the guard sees."""
    lock, started = threading.Lock(), threading.Event()
    line = hang_at.__code__.co_firstlineno + 2
    with lock:
        thread = threading.Thread(target=hang_at, args=(started, lock))
        thread.start()
        assert started.wait(LIMIT)
        expected = f"hang_at ({__file__}:{line}) `with lock:`"
        deadline = time.monotonic() + LIMIT
        while (told := where(thread.ident or 0)) != expected and time.monotonic() < deadline:
            os.sched_yield()
        assert told == expected
    thread.join()
    assert where(thread.ident or 0) == f"thread {thread.ident}, which has ended"


def test_a_thread_that_hangs_in_the_library_is_told_with_what_the_user_called() -> None:
    """The user's line comes first, what it waits in after it."""
    done, started = threading.Event(), threading.Event()

    def wait_for_it() -> None:
        started.set()
        done.wait(LIMIT)

    thread = threading.Thread(target=wait_for_it)
    thread.start()
    assert started.wait(LIMIT)
    deadline = time.monotonic() + LIMIT
    while (
        not (told := where(thread.ident or 0)).endswith("in threading.Condition.wait") and time.monotonic() < deadline
    ):
        os.sched_yield()
    done.set()
    thread.join()
    assert told.startswith(f"wait_for_it ({__file__}:") and "`done.wait(LIMIT)`" in told
    assert told.endswith("in threading.Condition.wait")


def test_what_a_builtin_calls_by_itself_is_not_seen() -> None:
    """A limit of how Python tells of calls, and stated as such."""
    pass_by(functools.partial(list, map(time.sleep, [0])))
