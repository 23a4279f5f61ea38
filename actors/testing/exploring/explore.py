"""All ways in which a small set-up can go, up to a bound: each order of steps that matters, each moment of a death.

    plain run ──▶ its races: two steps, one right after the other, that touch the same thing
              ──▶ for each of them a run in which the later one goes first ──▶ the races of that one ──▶ …

Two orders that no actor and no agent can tell apart are one: of each such class one run is made. This is stateless
exploration with dynamic partial-order reduction (Flanagan and Godefroid, "Dynamic partial-order reduction for model
checking software", POPL 2005; the run that turns a race around takes along what does not depend on it, as in Abdulla,
Aronis, Jonsson and Sagonas, "Optimal dynamic partial order reduction", POPL 2014). A run that comes to a state from
which the plain course was taken before is cut. Runs with few deviations from the plain one come first (Musuvathi and
Qadeer, "Iterative context bounding", PLDI 2007), so the first that breaks a promise is about the simplest there is.

What it does not see: promises that compare two parts are looked at in the states that the runs pass, and not in each
order of steps that can change places. Agents that talk to each other through variables of the module, which real ones
cannot, are taken for independent.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.config import SystemConfig
from actors.errors import ConfigError
from actors.runtime.worker_type import WorkerLike
from actors.testing.errors import SimulationError
from actors.testing.exploring.steering import Cut, ExploringChoices, Impossible, Recording, Steering, Unsound, anytime
from actors.testing.exploring.variants import Variant, Variants
from actors.testing.faults import FaultPlan
from actors.testing.history import History
from actors.testing.promises.everything import INVARIANTS
from actors.testing.promises.invariant import Invariant
from actors.testing.sim.choices import Choices, ScriptedChoices
from actors.testing.simulation import Simulation

__all__ = ["STILL", "Bound", "InterleavingBroken", "Report", "Scenario", "anytime", "explore", "replay"]

STILL = FaultPlan(latency=(0.0, 0.0), boot=(0.01, 0.01), task=(0.001, 0.001))
"""Nothing goes wrong by itself, and a message has arrived when it is sent: how late it is read is a choice already."""

_LOG = logging.getLogger("actors")
_WARM = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Where an exploration ends; whichever comes first. None is no bound.

    Attributes:
        deviations: how far a run may be from the plain one: the number of races turned around, deaths, actions, and
            choices inside of steps that are not the plain ones. One step out of turn may turn several races around.
        runs: how many runs are made, cut ones too.
        seconds: of real time.
        steps: races are turned around among so many steps from the beginning of a run.

    Raises:
        ConfigError: a bound is below 0.
    """

    deviations: int | None = 2
    runs: int | None = 10_000
    seconds: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        for name in ("deviations", "runs", "seconds", "steps"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ConfigError(f"{name} is 0 or more, or None, not {value!r}", key=name, value=value, allowed="≥ 0")


_BOUND = Bound()


@dataclass(slots=True)
class Report:
    """What was explored.

    Attributes:
        explored: how many runs were made to their end; no two are equivalent.
        by_deviations: the same, by how many deviations they have from the plain one.
        equivalent: how many others were not made, or cut short, because they are equivalent to one that was made.
        impossible: how many were begun in which a step that was to go first could not.
        steps: of the longest run.
        stopped: which bound was reached; empty if nothing was left to explore.
        outcomes: what the scenario returned, and how often.
        classes: a number for each class of equivalent runs, the same in each exploration of the same set-up.
        seconds: of real time.
    """

    explored: int = 0
    by_deviations: list[int] = field(default_factory=list)
    equivalent: int = 0
    impossible: int = 0
    steps: int = 0
    stopped: str = ""
    outcomes: dict[Hashable, int] = field(default_factory=dict)
    classes: set[int] = field(default_factory=set, repr=False)
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether there is nothing that was not explored."""
        return not self.stopped

    def __str__(self) -> str:
        by = ", ".join(f"{count:,} with {number}" for number, count in enumerate(self.by_deviations))
        return (
            f"explored {self.explored:,} interleavings of up to {self.steps} steps ({self.equivalent:,} equivalent ones "
            f"cut) in {self.seconds:.1f} s; by deviations from the plain one: {by or 'none'}; "
            f"{f'bound reached: {self.stopped}' if self.stopped else 'there are no others'}"
        )


class InterleavingBroken(SimulationError):
    """In one of the interleavings something did not hold. `__cause__` is what the simulation or the scenario raised.

    Attributes:
        script: the choices of that run, for `replay`, or for `ScriptedChoices` with the same steering.
        deviations: how many of them are not the plain ones.
        report: what had been explored before.
        history: what happened in that run.
    """

    def __init__(self, text: str, *, script: str = "", deviations: int = 0, report: Report, history: History) -> None:
        super().__init__(text)
        self.script = script
        self.deviations = deviations
        self.report = report
        self.history = history


Scenario = Callable[[Simulation], Hashable | None]
"""What is done in each run. It begins when all agents are idle; what it returns is counted as an outcome."""


@dataclass(frozen=True, slots=True)
class _Setup:
    """What all runs have in common."""

    scenario: Scenario
    workers: Any
    deaths: int
    early: int
    options: Mapping[str, Any]

    def simulation(self, choices: Choices, *, detail: bool) -> Simulation:
        return Simulation(self.workers, choices=choices, detail=detail, workspaces=False, **self.options)

    def play(self, sim: Simulation, steering: Steering) -> Hashable | None:
        """The scenario, and then whatever must hold at rest, on the plain course."""
        # Without a shutdown, which would take the same course each time.
        with contextlib.closing(sim):
            sim.__enter__()
            sim.run_until(lambda: _all_idle(sim), _WARM)
            steering.begin()
            try:
                outcome = self.scenario(sim)
                steering.finish()
            finally:
                steering.end()
            sim.settle()
            return outcome


def _all_idle(sim: Simulation) -> bool:
    agents = sim.host.agents.values()
    return not sim.dispatcher.busy() and all(handle.sim.settled for handle in agents)


def explore(
    scenario: Scenario,
    workers: Mapping[WorkerLike, int | tuple[int, int]] | Iterable[WorkerLike] | None = None,
    *,
    deaths: int = 0,
    early: int = 0,
    bound: Bound = _BOUND,
    levels: Mapping[str, int] | None = None,
    faults: FaultPlan = STILL,
    config: SystemConfig | None = None,
    max_agents: int | None = None,
    invariants: Iterable[type[Invariant]] = INVARIANTS,
    checks: Iterable[Callable[[Simulation], object]] = (),
    reduce: bool = True,
    tell: Callable[[str], object] | None = print,
) -> Report:
    """Run a scenario in all ways that differ, up to a bound, and tell how many there are.

    Args:
        scenario: called with a simulation whose agents are idle; the same each time. `anytime` gives it a step that is
            taken at any moment.
        workers: as for `ActorSystem`.
        deaths: how many agents are killed in one run at most, each at any moment.
        early: how often in one run time goes by although somebody could go on: deadlines against answers.
        bound: where to end; two deviations and 10,000 runs.
        levels: how many values are tried of a choice inside a step, by what it is for ("latency", "batch", the name of
            a fault, …): evenly from the plain one to the last. Two, if it is not named; chance in retries has one.
        faults: as for `Simulation`; each one that may happen is a choice.
        config: as for `Simulation`.
        max_agents: as for `Simulation`.
        invariants: as for `Simulation`.
        checks: as for `Simulation`.
        reduce: whether equivalent runs are left out; without it even the smallest set-ups have too many.
        tell: called with the report in words at the end; None: nobody.

    Returns:
        How many were explored, and whether a bound was reached.

    Raises:
        InterleavingBroken: a promise did not hold in one of the runs, or the scenario raised.
        Unsound: two runs that were taken for equivalent are not.

    Example:
        def both_are_paid(sim: Simulation) -> None:
            paid = [sim.system.submit(Account.pay, n) for n in (1, 2)]
            sim.run()
            assert [each.result() for each in paid] == [1, 2]

        explore(both_are_paid, {Account: 2}, deaths=1)
    """
    options = {
        "faults": faults,
        "config": config,
        "max_agents": max_agents,
        "invariants": tuple(invariants),
        "checks": tuple(checks),
    }
    setup = _Setup(scenario, workers, deaths, early, options)
    variants = Variants(levels or {}, bound.steps, reduce=reduce)
    return _Exploration(setup, bound, variants).run(tell)


def replay(
    scenario: Scenario,
    workers: Mapping[WorkerLike, int | tuple[int, int]] | Iterable[WorkerLike] | None = None,
    *,
    script: str,
    deaths: int = 0,
    early: int = 0,
    detail: bool = True,
    faults: FaultPlan = STILL,
    **options: Any,
) -> History:
    """Make one run of an exploration once more; all arguments but the script as they were given to `explore`.

    Args:
        scenario: see `explore`.
        workers: see `explore`.
        script: of `InterleavingBroken`.
        deaths: see `explore`.
        early: see `explore`.
        detail: as for `Simulation`.
        faults: see `explore`.
        **options: see `explore`.

    Returns:
        What happened, if nothing failed.

    Raises:
        Exception: whatever the simulation or the scenario raises.
    """
    setup = _Setup(scenario, workers, deaths, early, {"faults": faults, **options})
    history, error = _replay(setup, script, detail=detail)
    if error is not None:
        raise error
    return history


def _replay(setup: _Setup, script: str, *, detail: bool = True) -> tuple[History, Exception | None]:
    sim = setup.simulation(ScriptedChoices(script), detail=detail)
    try:
        setup.play(sim, Steering(sim, setup.deaths, setup.early))
    except Exception as error:  # noqa: BLE001 - that it fails is what it is made for
        return sim.history, error
    return sim.history, None


class _Exploration:
    """One exploration: variants of runs that are still to be made, those with the fewest deviations first."""

    def __init__(self, setup: _Setup, bound: Bound, variants: Variants) -> None:
        self._setup = setup
        self._bound = bound
        self._variants = variants
        self._report = Report()
        self._left: list[deque[Variant]] = []
        self._states: set[int] = set()
        # What events with the same hash were seen to do.
        self._contents: dict[int, str] = {}
        self._runs = 0
        self._began = time.monotonic()

    def run(self, tell: Callable[[str], object] | None) -> Report:
        report = self._report
        # Agents die by the thousand, and each would be told.
        level = _LOG.level
        _LOG.setLevel(logging.CRITICAL)
        try:
            self._explore()
        finally:
            _LOG.setLevel(level)
            report.equivalent += self._variants.equivalent
            report.seconds = time.monotonic() - self._began
            if tell is not None:
                tell(str(report))
        return report

    def _explore(self) -> None:
        self._put(Variant.plain(), 0)
        level = 0
        while level < len(self._left):
            while self._left[level]:
                stopped = self._over()
                if stopped:
                    self._report.stopped = stopped
                    return
                self._one(self._left[level].popleft(), level)
            level += 1
        if self._variants.beyond:
            self._report.stopped = self._report.stopped or f"{self._bound.steps} steps"

    def _put(self, variant: Variant, level: int) -> None:
        most = self._bound.deviations
        if most is not None and level > most:
            self._report.stopped = f"{most} deviations"
            return
        while len(self._left) <= level:
            self._left.append(deque())
        self._left[level].append(variant)

    def _over(self) -> str:
        bound = self._bound
        if bound.runs is not None and self._runs >= bound.runs:
            return f"{bound.runs:,} runs"
        if bound.seconds is not None and time.monotonic() - self._began >= bound.seconds:
            return f"{bound.seconds:g} s"
        return ""

    def _one(self, variant: Variant, level: int) -> None:
        self._runs += 1
        report, choices = self._report, ExploringChoices()
        sim = self._setup.simulation(choices, detail=False)
        steps, hashes = variant.plan()
        known = self._known if self._variants.reduce else _unknown
        recording = Recording(sim, self._setup.deaths, self._setup.early, choices, steps, hashes, known)
        try:
            outcome = self._setup.play(sim, recording)
        except Cut:
            report.equivalent += 1
        except Impossible:
            report.impossible += 1
            return
        except Unsound:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what was looked for
            self._fail(error, choices, level)
        else:
            self._count(recording.state, outcome, level)
        trace = recording.trace
        report.steps = max(report.steps, len(trace.events) if recording.length is None else recording.length)
        self._check(recording)
        for more in self._variants.of(trace, steps, recording.length):
            self._put(more, level + 1)

    def _count(self, state: int, outcome: Hashable | None, level: int) -> None:
        report = self._report
        if self._variants.reduce and state in report.classes:
            # All of it was given, so that it was not known before its end.
            report.equivalent += 1
            return
        report.classes.add(state)
        report.explored += 1
        while len(report.by_deviations) <= level:
            report.by_deviations.append(0)
        report.by_deviations[level] += 1
        report.outcomes[outcome] = report.outcomes.get(outcome, 0) + 1

    def _known(self, state: int) -> bool:
        if state in self._states:
            return True
        self._states.add(state)
        return False

    def _check(self, recording: Recording) -> None:
        for event in recording.trace.events:
            before = self._contents.setdefault(event.hash, event.content)
            if before != event.content:
                raise Unsound(
                    f"{event.label} did not do the same in two runs, in what was taken for the same state: "
                    f"{event.content or 'nothing'} and {before or 'nothing'}"
                )

    def _fail(self, error: Exception, choices: Choices, level: int) -> None:
        script = choices.script()
        history, again = _replay(self._setup, script)
        told = f"{type(error).__name__}: {error}"
        if again is None or type(again) is not type(error):
            told += f" (and not again with the same choices: {again!r})"
        raise InterleavingBroken(
            f"{told}\nin an interleaving with {level} deviation{'' if level == 1 else 's'} from the plain one, after "
            f"{self._report.explored:,} in which nothing was broken. To see it again: replay(…, script={script!r})",
            script=script,
            deviations=level,
            report=self._report,
            history=history,
        ) from error


def _unknown(_state: int) -> bool:
    return False
