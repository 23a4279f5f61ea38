"""The fleet as it is: which agents live, when a fault is healed, what the program uses."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from actors import ActorsError, ActorSystem, AgentState, AgentStatus, SystemClosed
from benchmarks.chaos.book import Book, Fault, Sample
from benchmarks.chaos.load import Load

__all__ = ["Agents", "Fleet", "stat"]

_LOOK_EVERY = 0.025
_SAMPLE_EVERY = 0.5
_M_MMAP_THRESHOLD = -3
# Each moment has its own victims, so one is missing nearly always on a loaded machine; but not for as long as this.
_TOO_FEW_FOR = 20.0
_NOT_WORKING = (AgentState.INITIALIZING, AgentState.ERROR, AgentState.TERMINATING)


def stat(pid: int) -> tuple[str, int] | None:
    """A process's state letter and its parent, or None if there is no such process."""
    try:
        # The name of the program comes first, in parentheses, and may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[1])


def _runs(status: AgentStatus) -> bool:
    if status.pid is None or status.state in _NOT_WORKING:
        return False
    found = stat(status.pid)
    return found is not None and found[0] not in "ZXTt"


@dataclass(frozen=True, slots=True)
class Agents:
    """The agents that run and take work: pid by id; and the ids of all, those that start, end or hang among them."""

    running: dict[str, int]
    known: frozenset[str] = frozenset()

    def of(self, agent_type: str) -> list[str]:
        """The ids of those of a type."""
        return [agent for agent in self.running if agent.rpartition("-")[0] == agent_type]


class Fleet:
    """Looks at the agents some forty times a second.

    Args:
        target: how many steady agents there are to be.
    """

    def __init__(self, system: ActorSystem, book: Book, load: Load, target: int, noise: int) -> None:
        self._system = system
        self._book = book
        self._load = load
        self._noise = noise
        self.target = target
        self.agents = Agents({})
        self.statuses: list[AgentStatus] = []
        self._wounds: list[tuple[Fault, Callable[[Agents], bool]]] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._sampled = 0.0
        # By agent, when it ran in which process; 0: in none. For the recovery from what tasks did.
        self.history: dict[str, list[tuple[float, int]]] = {}
        self._small_since: float | None = None
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.failed = False

    def start(self) -> None:
        """Begin to look."""
        _give_large_blocks_back()
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join(10)

    def expect(self, fault: Fault, healed: Callable[[Agents], bool]) -> None:
        """Look from now on whether a fault is healed."""
        with self._lock:
            self._wounds.append((fault, healed))

    def replaced(self, fault: Fault, agents: dict[str, int]) -> None:
        """Expect that each of these runs in another process, or that it is gone and there are enough."""

        def healed(now: Agents) -> bool:
            enough = len(now.of("steady")) >= self.target
            return all(
                now.running.get(agent, pid) != pid or (agent not in now.known and enough)
                for agent, pid in agents.items()
            )

        self.expect(fault, healed)

    def open_wounds(self) -> list[Fault]:
        """The faults that are not healed."""
        with self._lock:
            return [fault for fault, _ in self._wounds]

    def whole(self) -> bool:
        """Whether there are as many steady agents as there are to be, and all run."""
        return len(self.agents.of("steady")) >= self.target and all(map(_runs, self.statuses))

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_EVERY):
            try:
                self._look()
            except SystemClosed as error:
                self._book.breach(f"the system failed: {error}")
                self.failed = True
                return
            except ActorsError as error:
                self._book.breach(f"agents() ended with {type(error).__name__}: {error}")

    def _look(self) -> None:
        self.statuses = self._system.agents()
        running = {each.agent: each.pid for each in self.statuses if each.pid and _runs(each)}
        self.agents = now = Agents(running, frozenset(each.agent for each in self.statuses))
        moment = time.monotonic()
        for agent in {*self.history, *now.running}:
            story = self.history.setdefault(agent, [])
            pid = now.running.get(agent, 0)
            if not story or story[-1][1] != pid:
                story.append((moment, pid))
        self._measure(now, moment)
        with self._lock:
            left = []
            for fault, healed in self._wounds:
                if healed(now):
                    fault.healed = moment
                else:
                    left.append((fault, healed))
            self._wounds = left
        if moment >= self._sampled:
            self._sampled = moment + _SAMPLE_EVERY
            self._sample(moment)

    def _measure(self, now: Agents, moment: float) -> None:
        """Look whether there have been too few agents for too long."""
        if len(now.of("steady")) >= self.target:
            self._small_since = None
        elif self._small_since is None:
            self._small_since = moment
        elif moment - self._small_since > _TOO_FEW_FOR:
            states = ", ".join(f"{each.agent} {each.state} {each.pid}" for each in self.statuses)
            self._book.breach(f"for {_TOO_FEW_FOR:g} s fewer than {self.target} steady agents: {states}")
            self._small_since = moment

    def _sample(self, moment: float) -> None:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        figures = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        sample = Sample(
            at=moment,
            memory=int(figures["RssAnon"].split()[0]) * 1024,
            descriptors=len(os.listdir("/proc/self/fd")),
            threads=int(figures["Threads"]),
            agents=len(self.agents.running),
            open_tasks=len(self._load.open),
            ended_tasks=self._load.counts.ended,
        )
        self._book.samples.append(sample)
        # What agents and the library say goes into a file; nobody reads the whole of it.
        if os.fstat(self._noise).st_size > 2**26:
            os.ftruncate(self._noise, 0)


def _give_large_blocks_back() -> None:
    """Have the allocator return each large block when it is freed: what it keeps would hide what the program keeps."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 2**18)
