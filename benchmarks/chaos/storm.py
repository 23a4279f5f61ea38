"""The faults, at random from a seed: signals, parts of the system that fail, agents ended and changed, harmful tasks."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors import ActorsError, ActorSystem, AskTimeout, Limits, SystemClosed
from actors.kernel.ref import ActorRef
from actors.runtime import messages as m
from benchmarks.chaos.book import Book, Fault
from benchmarks.chaos.fleet import Agents, Fleet, stat
from benchmarks.chaos.harms import HARMS
from benchmarks.chaos.load import Load
from benchmarks.chaos.workers import Steady

__all__ = ["Storm"]

_ANSWER = 10.0
_CALLS_AT_ONCE = 2
_SIGNALS: dict[str, signal.Signals] = {
    "KILL": signal.SIGKILL,
    "STOP": signal.SIGSTOP,
    "TERM": signal.SIGTERM,
    "SEGV": signal.SIGSEGV,
    "INT": signal.SIGINT,
}


class _Stranger(Exception):
    """The process is no longer one of this system's."""


def planted(*_: Any) -> None:
    """A question that nobody can answer."""
    raise RuntimeError("planted by the chaos run")


class Storm:
    """Does something to the system again and again.

    Args:
        mark: stands in the environment of every process of this run, and of no other: nothing else is signalled.
        every: seconds between faults.
        fleet: knows the agents, and finds out when a fault is healed.
        load: takes the harmful tasks.
    """

    def __init__(
        self,
        system: ActorSystem,
        book: Book,
        fleet: Fleet,
        load: Load,
        rng: random.Random,
        *,
        mark: str,
        every: float,
        agents: int,
    ) -> None:
        self._system = system
        self._book = book
        self._fleet = fleet
        self._load = load
        self._rng = rng
        self._mark = mark.encode()
        self._every = every
        self._agents = agents
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._rage, daemon=True)
        self._calls: list[threading.Thread] = []
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._paused = False
        # Harmful tasks one after the other in an order of chance, so that a short run has most of them.
        self._harms: list[str] = []
        self._kinds: dict[Callable[[], None], int] = {
            self._signal: 12,
            self._stall: 2,
            self._several: 2,
            self._launcher: 1,
            self._part: 3,
            self._supervisor: 1,
            self._terminate: 2,
            self._restart: 2,
            self._scale: 2,
            self._pause: 1,
            self._limits: 2,
            self._harm: 20,
        }

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Do no more, take back what would hold up the end, and wait for the calls under way."""
        self._over.set()
        deadline = time.monotonic() + timeout
        for thread in (self._thread, *self._calls):
            thread.join(max(deadline - time.monotonic(), 0))
            if thread.is_alive():
                self._book.breach(f"{thread.name} did not end within {timeout:g} s")

    # The loop

    def _rage(self) -> None:
        following = time.monotonic() + self._every
        try:
            while True:
                due = min([following, *(at for at, _, _ in self._later[:1])])
                if self._over.wait(max(due - time.monotonic(), 0)):
                    break
                self._catch_up(time.monotonic())
                if time.monotonic() >= following:
                    following = max(following + self._every, time.monotonic())
                    self._strike()
        finally:
            self._catch_up(float("inf"))

    def _catch_up(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            _, _, action = heapq.heappop(self._later)
            self._try(action)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._count), action))

    def _strike(self) -> None:
        (strike,) = self._rng.choices(list(self._kinds), list(self._kinds.values()))
        self._try(strike)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except SystemClosed as error:
            self._book.breach(f"{action.__name__.strip('_<>')}: {error}")
            self._over.set()
        except (ActorsError, _Stranger, ProcessLookupError):
            # What it was to be done to is gone, or there is no room: nothing was promised for that.
            return
        except Exception as error:  # noqa: BLE001 - none of them may be
            self._book.breach(f"{action.__name__.strip('_<>')} ended with {type(error).__name__}: {error}")

    def _call(self, name: str, action: Callable[[], None]) -> None:
        """Something that takes its time, in a thread of its own."""
        self._calls = [thread for thread in self._calls if thread.is_alive()]
        if len(self._calls) < _CALLS_AT_ONCE:
            thread = threading.Thread(target=self._try, args=(action,), name=name, daemon=True)
            self._calls.append(thread)
            thread.start()

    # Processes

    def _victims(self, number: int) -> dict[str, int]:
        running = self._fleet.agents.running
        chosen = self._rng.sample(sorted(running), min(number, len(running)))
        return {agent: running[agent] for agent in chosen}

    def _send(self, pid: int, number: int) -> int:
        """Signal a process that belongs to this run; a descriptor of it, to be closed."""
        watched = os.pidfd_open(pid)
        try:
            # Read after the descriptor is open: it is this process that the signal will go to.
            if self._mark not in Path(f"/proc/{pid}/environ").read_bytes():
                raise _Stranger
            signal.pidfd_send_signal(watched, number)
        except BaseException as error:
            os.close(watched)
            if isinstance(error, OSError):
                raise _Stranger from error
            raise
        return watched

    def _signal(self) -> None:
        (name,) = self._rng.choices(list(_SIGNALS), [6, 2, 2, 2, 1])
        for agent, pid in self._victims(1).items():
            os.close(self._send(pid, _SIGNALS[name]))
            fault = self._book.fault(name, agent)
            self._fleet.replaced(fault, {agent: pid})

    def _several(self) -> None:
        victims = self._victims(3)
        fault = self._book.fault("KILL several", ", ".join(victims))
        for pid in victims.values():
            with contextlib.suppress(_Stranger):
                os.close(self._send(pid, signal.SIGKILL))
        self._fleet.replaced(fault, victims)

    def _stall(self) -> None:
        for agent, pid in self._victims(1).items():
            watched = self._send(pid, signal.SIGSTOP)
            fault = self._book.fault("STOP, CONT", agent)

            def go_on(watched: int = watched, fault: Fault = fault, agent: str = agent) -> None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(watched, signal.SIGCONT)
                os.close(watched)
                self._fleet.expect(fault, lambda now: agent in now.running or self._fleet.whole())

            self._after(self._rng.uniform(0.1, 4), go_on)

    def _launcher(self) -> None:
        agents = dict(self._fleet.agents.running)
        parents = {found[1] for pid in agents.values() if (found := stat(pid)) is not None}
        for pid in parents - {1, os.getpid()}:
            if b"actors.hosts.launcher" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.close(self._send(pid, signal.SIGKILL))
                fault = self._book.fault("KILL launcher", str(pid))
                self._fleet.replaced(fault, agents)

    # Parts of the system

    def _part(self) -> None:
        peers = self._system._running().peers  # noqa: SLF001 - no program can make them fail; this one has to
        poison: dict[str, tuple[ActorRef[Any], Any]] = {
            "scheduler": (peers.scheduler, m.Inspect(planted)),
            "hub": (peers.hub, m.AddListener(None)),
            "resource manager": (peers.resources, m.SetLimits("nobody", Limits())),
        }
        name = self._rng.choice(sorted(poison))
        self._poison(name, *poison[name])

    def _supervisor(self) -> None:
        supervisors = self._system._running().peers.supervisors  # noqa: SLF001 - as above
        name = self._rng.choice(sorted(supervisors))
        self._poison("agent supervisor", supervisors[name], m.TerminateAgent("nobody", 0, "", replace=False))

    def _poison(self, name: str, ref: ActorRef[Any], poison: Any) -> None:
        def wait_until_it_answers() -> None:
            fault = self._book.fault(f"fail {name}")
            ref.tell(poison)
            try:
                ref.ask(m.Ping(), timeout=_ANSWER)
            except AskTimeout as error:
                self._book.breach(f"the {name} did not answer after it failed: {error}")
                return
            fault.healed = time.monotonic()

        self._call(name, wait_until_it_answers)

    # What a program may ask for

    def _terminate(self) -> None:
        self._end("terminate", self._system.terminate)

    def _restart(self) -> None:
        self._end("restart", self._system.restart)

    def _end(self, name: str, end: Callable[..., None]) -> None:
        timeout = self._rng.choice([0, 0.2, 2])

        def call() -> None:
            for agent, pid in self._victims(1).items():
                fault = self._book.fault(name, agent)
                try:
                    end(agent, timeout=timeout, reason="chaos")
                except ActorsError:
                    # It went first, in another way.
                    self._book.faults.remove(fault)
                    return
                self._fleet.replaced(fault, {agent: pid})

        self._call(name, call)

    def _scale(self) -> None:
        wanted = self._rng.randrange(max(1, self._agents - 1), self._agents + 2)
        fault = self._book.fault("scale", str(wanted))
        before, self._fleet.target = self._fleet.target, min(wanted, self._fleet.target)
        try:
            self._system.scale(Steady, wanted)
        except BaseException:
            self._fleet.target = before
            self._book.faults.remove(fault)
            raise
        self._fleet.target = wanted

        def healed(now: Agents) -> bool:
            return len(now.of("steady")) >= self._fleet.target

        self._fleet.expect(fault, healed)

    def _pause(self) -> None:
        fault = self._book.fault("pause")
        self._system.pause()

        def resume() -> None:
            self._system.resume()
            fault.healed = time.monotonic()

        self._after(self._rng.uniform(0.05, 0.5), resume)

    def _limits(self) -> None:
        memory = self._rng.choice(["200M", "256M", "400M", None])
        for agent in self._victims(1):
            fault = self._book.fault("limits", agent)
            self._system.set_limits(agent, Limits(memory=memory))
            fault.healed = time.monotonic()

    # Tasks

    def _harm(self) -> None:
        if not self._harms:
            self._harms = self._rng.sample(sorted(HARMS), len(HARMS))
        how = self._harms.pop()
        self._load.harm(how, self._book.fault(f"task: {how}"))
