"""A whole system in virtual time: one thread, simulated agents, and faults that are chosen."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from actors.config import SystemConfig
from actors.core.engine import Engine
from actors.errors import ConfigError
from actors.kernel.cell import Cell
from actors.kernel.clock import ManualClock
from actors.runtime.assembly import Assembly
from actors.runtime.probe import Probe
from actors.runtime.worker_type import WorkerLike
from actors.runtime.world import World
from actors.system import ActorSystem
from actors.testing.errors import InvariantBroken
from actors.testing.failinginside import has_successor
from actors.testing.failure import seed_text
from actors.testing.faults import CALM, FaultPlan
from actors.testing.guarding.guard import Guard
from actors.testing.history import Broken, History
from actors.testing.promises.everything import INVARIANTS
from actors.testing.promises.invariant import Invariant, Watch
from actors.testing.sim.chance import ChosenRandom
from actors.testing.sim.choices import Choices, SeededChoices
from actors.testing.sim.conductor import Conductor
from actors.testing.sim.dispatcher import SimDispatcher
from actors.testing.sim.host import SimHost, SimWorkspaces
from actors.testing.sim.journal import MemoryJournal
from actors.testing.sim.machine import SimMachine, SimProcesses
from actors.testing.sim.network import Network
from actors.testing.sim.recorder import Recorder
from actors.testing.sim.threads import SimThreads
from actors.testing.simulatedsystem import SimulatedSystem

__all__ = ["Simulation"]

_START = 1_000.0
# 2020-01-01, so that times of day look like some.
_UTC = 1_577_836_800.0
_ROOM = 1 << 16
_AGENTS = 5
_RETRY_SOON = 0.001


class Simulation:
    """Runs a system of shipped parts in virtual time; only clock, transport, chance and measurements are simulated.

    Args:
        workers: as for `ActorSystem`.
        seed: the seed of all choices, if `choices` is not given; None takes one by chance, which `seed` tells.
        choices: makes all choices: see `Choices`.
        faults: what goes wrong, and how long things take.
        config: settings of the system. None: the defaults, whatever the environment says, and a look at the memory of
            agents every five seconds.
        max_agents: as for `ActorSystem`; None: the largest of 5 and what the workers ask for.
        resources: as for `ActorSystem`.
        journal: where the system keeps its tasks; a later simulation may go on with it. None: nowhere.
        detail: whether the history keeps what is in each message; without it a run is twice as fast.
        invariants: what must hold at any moment; none of them makes a run quicker.
        checks: further ones of one's own, each called with the simulation after each step; one that does not hold
            raises.
        allow: what code of workers may use all the same: see `Guard`.
        guarded: whether code of workers is watched at all.
        workspaces: whether agents get real directories.
        max_steps: after so many steps a run counts as endless.

    Attributes:
        system: the system.
        history: what has happened so far.
        guard: what code of workers has used that it should not.

    Raises:
        ConfigError: a value that is not allowed.

    Example:
        with Simulation({Account: 2}, seed=7, faults=ROUGH) as sim:
            paid = sim.system.submit(Account.pay, 3)
            sim.run()
            assert paid.result() == 3
    """

    def __init__(
        self,
        workers: Mapping[WorkerLike, int | tuple[int, int]] | Iterable[WorkerLike] | None = None,
        *,
        seed: int | None = None,
        choices: Choices | None = None,
        faults: FaultPlan = CALM,
        config: SystemConfig | None = None,
        max_agents: int | None = None,
        resources: Mapping[str, float] | None = None,
        journal: MemoryJournal | None = None,
        detail: bool = True,
        invariants: Iterable[type[Invariant]] = INVARIANTS,
        checks: Iterable[Callable[[Simulation], object]] = (),
        allow: Iterable[str] = (),
        guarded: bool = True,
        workspaces: bool = True,
        max_steps: int = 2_000_000,
    ) -> None:
        if choices is not None and seed is not None:
            raise ConfigError("give a seed or choices, not both", key="seed", value=seed)
        if choices is None:
            choices = SeededChoices(random.SystemRandom().randrange(1 << 32) if seed is None else seed)
        self.seed: int | None = getattr(choices, "seed", None)
        self.choices = choices
        self.faults = faults
        self.clock = ManualClock(_START, _UTC)
        self.conductor = Conductor(choices, self.clock, most=max_steps)
        if faults.stalls:
            self.conductor.stall = lambda: choices.chance(faults.stalls, "stalls")
        self.network = Network(self.conductor, faults.latency, _ROOM)
        self._recorder = Recorder(self.conductor, detail=detail)
        self.guard = Guard(allow, on=guarded)
        threads = SimThreads(self.conductor)
        self.host = SimHost(self.network, faults, self._recorder, threads, self.guard)
        self.dispatcher = SimDispatcher(self.conductor, self.network, self._recorder)
        self.machine = SimMachine()
        tokens = count(1)
        chosen = ChosenRandom(choices)
        processes = SimProcesses(self.clock.monotonic, self.host.memory)
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        world = World(
            clock=self.clock,
            random=chosen,
            threads=threads,
            dispatcher=self.dispatcher,
            token=lambda: f"sim{next(tokens)}",
            settle=self.host.settle,
            workspaces=lambda _: SimWorkspaces(self._workspace_root(workspaces), self.host, real=workspaces),
            probe=lambda: Probe(processes, self.machine, self.clock.monotonic),
            cpu_seconds=lambda _: 0.0,
        )
        config = SystemConfig(memory_sample_every=5.0) if config is None else config
        max_agents = _AGENTS if max_agents is None and config.max_agents is None else max_agents
        self.journal = journal
        if journal is not None:
            # A start that cannot write is refused, and is nothing to judge.
            journal.fails = lambda: self._judging and self.host.inject("journal_fails", "journal", "cannot be written")
        there_is: dict[str, Any] = {"max_agents": max_agents, "resources": resources, "journal": journal}
        self._system = SimulatedSystem(world, workers, host=self.host, config=config, **there_is)
        self._closed = False
        self._assembly: Assembly | None = None
        self.watch = Watch(self, invariants, checks)
        self.host.watchers.append(self.watch)
        # How often each of the system's actors was made to fail.
        self.crashed: Counter[str] = Counter()
        self.half_made: Cell | None = None
        self.conductor.after_step.append(self._after_step)
        # What must hold is judged from the start of the system to the beginning of its end.
        self._judging = False

    @property
    def system(self) -> ActorSystem:
        """The system."""
        return self._system

    @property
    def assembly(self) -> Assembly:
        """What runs behind the system, for invariants."""
        if self._assembly is None:
            self._assembly = self._system.assembly
        return self._assembly

    @property
    def engine(self) -> Engine:
        """The scheduler's mind, for invariants."""
        return self.assembly.engine

    @property
    def history(self) -> History:
        """What has happened so far."""
        return self._recorder.history

    @property
    def workspaces(self) -> Path | None:
        """The directory that has those of the agents; None if they get none."""
        return None if self._directory is None else Path(self._directory.name) / "workspaces"

    @property
    def now(self) -> float:
        """Virtual seconds since the start."""
        return self.clock.monotonic() - _START

    @property
    def longest_delay(self) -> float:
        """Virtual seconds that what is on its way takes at most, there and back, beside what a task takes."""
        return 4 * self.faults.latency[1] + self.faults.boot[1]

    # --- letting things happen ---

    def run(self, seconds: float | None = None) -> None:
        """Let things happen.

        Args:
            seconds: so much virtual time goes by; None: until all tasks have ended and nothing is on its way.
        """
        if seconds is not None:
            self.conductor.wait(_never, seconds)
            return
        self.run_until(self.at_rest)

    def run_steps(self, steps: int, timeout: float = 1.0) -> None:
        """Let so many single things happen, whatever time they take, but at most `timeout` virtual seconds."""
        if steps > 0:
            self.conductor.play(steps, timeout)

    def run_until(self, ready: Callable[[], bool], timeout: float | None = None) -> bool:
        """Let things happen until something is so, for at most `timeout` virtual seconds. Whether it is so."""
        return self.conductor.wait(ready, timeout)

    def at_rest(self) -> bool:
        """Whether all tasks have ended, no actor has a message and no answer is on its way."""
        return not self.engine.unfinished and not any(len(cell.mailbox) for cell in self.dispatcher.cells)

    def settle(self, most: float = 100_000.0) -> None:
        """Let nothing go wrong any more, wait until all work is done, and check what must hold then.

        Args:
            most: virtual seconds that all tasks together may take.

        Raises:
            InvariantBroken: a promise did not hold.
        """
        self.calm_down()
        if not self.run_until(lambda: self.at_rest() and self._can_be_kept(), most):
            left = ", ".join(sorted(task.id for task in self.engine.tasks() if not task.final))
            self.break_promise("EveryTaskEnds", "D8", f"after {most:g} s without faults these have no outcome: {left}")
        # What was under way when the last task ended: the ends of agents, the starts of their replacements.
        self.run_until(self._all_quiet, most)
        try:
            self.watch.at_rest()
        except InvariantBroken as error:
            self._recorder.broken(error.invariant, str(error))
            raise

    def break_promise(self, invariant: str, requirement: str, text: str) -> NoReturn:
        """Say that a promise did not hold.

        Raises:
            InvariantBroken: always.
        """
        said = f"{requirement} {invariant}: {text}"
        self._recorder.broken(invariant, said)
        raise InvariantBroken(said, invariant=invariant, requirement=requirement, time=self.now)

    def in_thread(self, act: Callable[[], None], name: str) -> None:
        """Have the program do something that waits, in a thread of its own beside the test."""
        self.assembly.world.threads.start(act, name)

    def note(self, text: str) -> None:
        """Write a step of the test into the history."""
        self._recorder.note("program", text)

    # --- doing harm ---

    def kill(self, agent: str) -> bool:
        """Kill an agent with signal 9, at this moment. False if it does not live."""
        handle = self.host.find(agent)
        if handle is None:
            return False
        self.host.die(handle.sim, 9, None)
        return True

    def hang(self, agent: str) -> bool:
        """Let an agent stand still for ever, as one that was stopped by a signal. False if it does not live."""
        handle = self.host.find(agent)
        if handle is None:
            return False
        self._recorder.fault(handle.sim.name, "hangs")
        handle.sim.hung = True
        return True

    def crash(self, name: str) -> bool:
        """Let an actor of the system fail: "hub", "scheduler", "resources" or "agents-" and a type.

        Its supervisor restarts it, and messages that wait go on to its next incarnation. Returns False if it is just
        being started.
        """
        run = next((run for run in self.dispatcher.runs() if run.cell.name == f"actors-{name}"), None)
        if run is None or run.over or not run.begun:
            return False
        self._recorder.fault(name, "fails")
        self.crashed[run.cell.name] += 1
        run.fail(RuntimeError("the simulation let it fail"))
        return True

    def calm_down(self) -> None:
        """Let nothing go wrong from now on."""
        self.host.calm = True
        self.conductor.stall = _never

    def die(self) -> None:
        """Let the program die, as by signal 9, at this moment: nothing is ended in order, and its journal stays as it is.

        Another simulation may go on with the journal. Nothing can be done with this one any more.
        """
        self._recorder.fault("program", "is killed")
        self._judging = False
        self.close()
        if self.journal is not None:
            self.journal.close()

    # --- start and end ---

    def __enter__(self) -> Self:
        self.system.start()
        self._judging = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                if not self._closed:
                    self._judging = False
                    self.system.shutdown()
            elif self.seed is not None:
                error.add_note(seed_text(self.seed))
        finally:
            self.close()

    def close(self) -> None:
        """End, in whatever state it is. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        # What is unwound now is no part of the run.
        self._recorder.stop()
        self._system.give_up()
        self.conductor.close()
        self.host.close()
        self.host.sweep()
        for cell in self.dispatcher.cells:
            cell.mailbox.release()
        if self._directory is not None:
            self._directory.cleanup()

    # --- for invariants ---

    def state_of(self, name: str) -> Any:
        """The state of an actor of the library that outlives its restarts: of "hub" or "scheduler"."""
        return self._named(name).args[0]

    @property
    def least(self) -> int:
        """How many agents the program asked for at the start, at the least."""
        return sum(least for _, least, _ in self._system.declared)

    def declared(self) -> dict[str, int]:
        """How many agents of each type the program asked for at the start, of types with a most."""
        declared = self._system.declared
        return {worker.agent_type: most for worker, _, most in declared if most is not None}

    def allow_more(self, agents: int) -> None:
        """So many agents may be started by tasks beyond the most of their type."""
        self._system.spawned += agents

    @property
    def spawned(self) -> int:
        """How many agents the program has asked for by `spawn`."""
        return self._system.spawned

    def who_stepped(self) -> str:
        """The name of the actor that took the last step; empty if that was none of the system's."""
        last, self.dispatcher.last = self.dispatcher.last, None
        return "" if last is None else last.name

    def scheduler_is_quiet(self) -> bool:
        """Whether the scheduler has nothing to do and nothing on its way from other actors."""
        return not self.dispatcher.busy()

    def unanswered(self) -> list[tuple[str, str]]:
        """The questions that no actor has answered: name of the actor, and kind of the question."""
        return self._recorder.unanswered()

    def mark_broken(self, name: str, text: str) -> None:
        """Write into the history that something of the test's own did not hold, unless a promise is said to be broken."""
        entries = self.history.entries
        if not entries or not isinstance(entries[-1], Broken):
            self._recorder.broken(name, text)

    def record_fault(self, who: str, what: str) -> None:
        """Write something that goes wrong into the history."""
        self._recorder.fault(who, what)

    def record_task(self, task: str, before: str, after: str) -> None:
        """Write a move of a task into the history."""
        self._recorder.moved(task, "task", before, after)

    def _named(self, name: str) -> Any:
        return next(cell for cell in self.dispatcher.cells if cell.name == f"actors-{name}")

    def _can_be_kept(self) -> bool:
        """Whether no outcome is held back because the journal could not be written when it was last tried."""
        return self.journal is None or self.state_of("scheduler").keeper.failing is None

    def _all_quiet(self) -> bool:
        if self.dispatcher.busy() or self.host.untold() or any(each.doomed for each in self.host.agents.values()):
            return False
        # A task that was cancelled has its outcome while its body still runs.
        return all(
            agent.hung or (agent.settled and not agent.holds())
            for agent in (handle.sim for handle in self.host.agents.values())
        )

    def _after_step(self) -> None:
        self.host.sweep()
        if self.choices.stopped is not None:
            raise self.choices.stopped
        if not self._judging:
            self.dispatcher.last = None
            return
        try:
            if self.half_made is not None and has_successor(self.half_made):
                self.half_made = None
            if self.half_made is None:
                self.watch.after_step()
            if self.guard.found:
                raise self.guard.found[0]
        except InvariantBroken as error:
            self._judging = False
            self._recorder.broken(error.invariant, str(error))
            raise

    def _workspace_root(self, real: bool) -> Path:  # noqa: FBT001 - as it was given
        if not real:
            return Path("workspaces")
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="actors-sim-")
        return Path(self._directory.name) / "workspaces"


def _never() -> bool:
    return False
