"""One run: the system, the work, the faults, the end, and what is left afterwards."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from actors import (
    ActorsError,
    ActorSystem,
    AgentConfig,
    AgentError,
    AgentRegistered,
    AgentRestarted,
    AgentTerminated,
    Event,
    SystemClosed,
    SystemConfig,
    TaskAssigned,
    TaskCancelledEvent,
    TaskCompleted,
    TaskFailed,
    TaskRetried,
    TaskStarted,
    TaskSubmitted,
)
from actors.testing import leaks
from benchmarks.chaos.book import Book
from benchmarks.chaos.chat import Chat
from benchmarks.chaos.fleet import Fleet
from benchmarks.chaos.kept import judge_journal
from benchmarks.chaos.ledger import Ledger, Pages, Run
from benchmarks.chaos.load import Load
from benchmarks.chaos.promises import Promise, judge, read_book
from benchmarks.chaos.storm import Storm
from benchmarks.chaos.workers import Coro, Steady

__all__ = ["Outcome", "Settings", "run"]

_SETTLED = 60.0
_WHOLE = 20.0
_CALLS = 40.0
_TASK_EVENTS = (
    TaskSubmitted,
    TaskAssigned,
    TaskStarted,
    TaskRetried,
    TaskCompleted,
    TaskFailed,
    TaskCancelledEvent,
)
_AGENT_EVENTS = (AgentRegistered, AgentRestarted, AgentTerminated, AgentError)
_TASK_KINDS = frozenset(kind.__name__ for kind in _TASK_EVENTS)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is asked for. `seconds` of faults, one each `every` seconds, chosen from `seed`, on so many `agents`.

    `journal`: whether the tasks are kept in one.
    """

    seconds: float = 120.0
    every: float = 0.3
    seed: int = 0
    agents: int = 4
    journal: bool = False

    def config(self) -> SystemConfig:
        """The defaults, but for what makes a run of some minutes meet what a program meets in days."""
        return SystemConfig(
            max_agents=self.agents + 5,
            heartbeat_every=0.5,
            heartbeat_missed=2.0,
            resource_sample_every=1.0,
            kept_tasks=1000,
            # The deaths are this command's doing; a type must not be given up for them.
            restart_intensity=10**6,
            backoff_first=0.01,
            backoff_limit=0.2,
            agent=AgentConfig(grace=1.0, recycle_after_tasks=300),
            callable_agent=AgentConfig(grace=1.0, idle_timeout=3.0),
        )


@dataclass(slots=True)
class Outcome:
    """What a run found. `stopped`: it was ended before its time."""

    settings: Settings
    book: Book
    promises: list[Promise]
    outcomes: Counter[str]
    messages: Counter[str]
    events: Counter[str]
    logged: Counter[str]
    garbled: int
    seconds: float
    stopped: bool
    missed: int
    history: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    harms: dict[int, Run] = field(default_factory=dict)

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not any(promise.broken for promise in self.promises)


class _Logged(logging.Handler):
    """Counts what the library says of itself."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Count."""
        # By form, with the first text of that form.
        form = f"{record.name} {record.msg}"
        text = self._first.setdefault(form, f"{record.levelname} {record.name}: {record.getMessage()[:200]}")
        self.counts[text] += 1


class _Run:
    """The parts of a run, while it lasts."""

    def __init__(self, settings: Settings, place: Path, noise: int) -> None:
        self.settings = settings
        self.book = Book(place / "book")
        self.ledger = Ledger(str(place / "ledger"))
        self.journal = place / "journal.db" if settings.journal else None
        self.system = ActorSystem(
            {Steady.configured(self.ledger): settings.agents, Coro.configured(self.ledger): 1},
            journal=self.journal,
            config=settings.config(),
        )
        rng = self._rng("load")
        self.load = Load(self.system, self.ledger, self.book, rng, most=settings.agents * 12)
        self.fleet = Fleet(self.system, self.book, self.load, settings.agents, noise)
        self.chat = Chat(self.system, self.book, settings.seed, settings.agents)
        self.storm = Storm(
            self.system,
            self.book,
            self.fleet,
            self.load,
            self._rng("storm"),
            mark=str(place),
            every=settings.every,
            agents=settings.agents,
        )
        self.events: Counter[str] = Counter()
        self.missed = 0

    def _rng(self, name: str) -> random.Random:
        return random.Random(f"{self.settings.seed}-{name}")

    def note(self, event: Event) -> None:
        """Write an event down."""
        name = type(event).__name__
        self.events[name] += 1
        if name in _TASK_KINDS:
            self.book.write("V", name, getattr(event, "task_id", ""), getattr(event, "attempt", 0))

    def rage(self, going_on: Callable[[_Run, float], bool]) -> bool:
        """Work and faults until the time is over; whether it was ended before."""
        began = time.monotonic()
        with self.system, self.system.subscribe((*_TASK_EVENTS, *_AGENT_EVENTS), self.note) as subscription:
            self.fleet.start()
            self._wait_until(self.fleet.whole, _WHOLE, "the fleet was not whole at the beginning")
            self.chat.start()
            self.storm.start()
            stopped = False
            try:
                while not stopped and not self.fleet.failed and time.monotonic() - began < self.settings.seconds:
                    self.load.turn()
                    stopped = not going_on(self, time.monotonic() - began)
                self._come_to_rest(going_on, began)
            except SystemClosed as error:
                self.book.breach(f"the system failed: {error}")
            finally:
                self._stop_threads()
            self.missed = subscription.missed
        return stopped

    def _stop_threads(self) -> None:
        self.storm.stop(_CALLS)
        self.chat.stop(_SETTLED)
        self.fleet.stop()

    def _come_to_rest(self, going_on: Callable[[_Run, float], bool], began: float) -> None:
        """No more faults: everything must come to its end, and the fleet must be whole."""
        self.storm.stop(_CALLS)
        self.chat.stop(_SETTLED)
        deadline = time.monotonic() + _SETTLED
        while not self.load.settle(1.0) and time.monotonic() < deadline and not self.fleet.failed:
            going_on(self, time.monotonic() - began)
        for order in list(self.load.open.values())[:20]:
            with contextlib.suppress(ActorsError):
                why = self.system.explain(order.task)
                self.book.breach(f"{order.kind} {order.task} has no outcome: {why}")
        if not self.system.drain(10):
            self.book.breach("drain: there are tasks without an outcome")
        self._wait_until(self.fleet.whole, _WHOLE, "the fleet is not whole")
        self._wait_until(lambda: not self.fleet.open_wounds(), 5, "a fault was never healed")
        for fault in self.fleet.open_wounds():
            self.book.breach(f"not healed: {fault.kind} {fault.target} at {fault.at - self.book.began:.1f} s")
        if not self.system.healthy():
            self.book.breach("a part of the system does not answer")

    def _wait_until(self, happened: Callable[[], bool], limit: float, otherwise: str) -> None:
        deadline = time.monotonic() + limit
        while not happened():
            if time.monotonic() > deadline:
                self.book.breach(f"{otherwise} within {limit:g} s: {[each.to_dict() for each in self.fleet.statuses]}")
                return
            time.sleep(0.02)


@contextlib.contextmanager
def _place(keep: Path | None) -> Iterator[Path]:
    """A directory for everything, the temporary files of the library among it."""
    place = Path(tempfile.mkdtemp(prefix="actors-chaos-"))
    before = os.environ.get("TMPDIR")
    for name in ("tmp", "ledger"):
        place.joinpath(name).mkdir()
    os.environ["TMPDIR"] = str(place / "tmp")
    tempfile.tempdir = None
    try:
        yield place
    finally:
        tempfile.tempdir = None
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before
        if keep is not None:
            shutil.copytree(place, keep, dirs_exist_ok=True, ignore=shutil.ignore_patterns("tmp"))
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def _noise_into(path: Path) -> Iterator[int]:
    """Have all that the program's processes write to standard output and error in a file."""
    noise = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    saved = [os.dup(number) for number in (1, 2)]
    try:
        for number in (1, 2):
            os.dup2(noise, number)
        yield noise
    finally:
        for number, old in zip((1, 2), saved, strict=True):
            os.dup2(old, number)
            os.close(old)
        os.close(noise)


def run(settings: Settings, going_on: Callable[[_Run, float], bool], keep: Path | None = None) -> Outcome:
    """Run, and compare with the promises.

    Args:
        settings: what to do.
        going_on: called all the time with the run and the seconds since its begin; False ends it in order.
        keep: a directory that gets all records.
    """
    logged = _Logged()
    logger = logging.getLogger("actors")
    logger.addHandler(logged)
    try:
        with _place(keep) as place, _noise_into(place / "output") as noise:
            before = leaks.take(place / "tmp")
            began = time.monotonic()
            this = _Run(settings, place, noise)
            stopped = this.rage(going_on)
            seconds = time.monotonic() - began
            this.book.close()
            left = Promise("nothing is left: processes, threads, descriptors, shared memory, files", 1)
            left.broken += _left(before, place)
            pages, records = this.ledger.read(), read_book(this.book)
            promises = [*judge(records, pages, this.missed, this.book.broken), left]
            if this.journal is not None:
                promises.append(judge_journal(this.journal, records))
            return _outcome(this, promises, pages, logged.counts, seconds, stopped=stopped)
    finally:
        logger.removeHandler(logged)


def _left(before: leaks.Snapshot, place: Path) -> list[str]:
    found = leaks.settle(before, 5.0)
    found += [each for each in leaks.processes_naming(str(place)) if each.key not in {leak.key for leak in found}]
    texts = [f"{leak.kind}: {leak.description}" for leak in found]
    leaks.clean_up(before, found)
    return texts


def _outcome(
    this: _Run, promises: list[Promise], pages: Pages, logged: Counter[str], seconds: float, *, stopped: bool
) -> Outcome:
    return Outcome(
        settings=this.settings,
        book=this.book,
        promises=promises,
        outcomes=this.load.counts.outcomes,
        messages=this.chat.counts,
        events=this.events,
        logged=logged,
        garbled=pages.garbled,
        seconds=seconds,
        stopped=stopped,
        missed=this.missed,
        history=this.fleet.history,
        harms={run.number: run for run in pages.runs if run.kind.startswith("harm:")},
    )
