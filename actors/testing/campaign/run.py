"""One seeded random history of the whole system."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import NamedTuple

from actors.config import AgentConfig, Limits, SystemConfig
from actors.testing.campaign.composing import Composer
from actors.testing.campaign.leading import Leader
from actors.testing.campaign.lives import Lives
from actors.testing.campaign.porter import Porter
from actors.testing.campaign.program import Program
from actors.testing.campaign.rationing import THERE_IS
from actors.testing.campaign.sharers import Sharer, Weaver
from actors.testing.campaign.workers import Clerk, Runner, Specialist
from actors.testing.faults import CALM, ROUGH, FaultPlan
from actors.testing.sim.choices import Choices, SeededChoices
from actors.testing.sim.journal import MemoryJournal
from actors.testing.simulation import Simulation

__all__ = ["Outcome", "make_simulation", "run_history"]

_ACTS_AT_ONCE = 4
# The end of a system takes so many at the least, and so many more for each agent that lives.
_LAST_STEPS, _STEPS_OF_AN_END = 20, 8
# What an act takes that is not a small one: some take more.
_STEPS_OF_AN_ACT = 60
# To look at what has come of everything takes about so many, or none.
_STEPS_OF_A_LOOK = 15
_MOST_STEPS = 200_000
# Of eight histories one has real directories, and one a journal and several lives.
_WORKSPACES, _JOURNAL = 7, 6
_LIVES = 3
_STEPS_OF_A_LIFE = 60
# So often a write fails where anything may go wrong; the journal is tried again a second later.
_JOURNAL_FAILS = 0.15

_CEILINGS = {"porter": Limits(memory="300M")}
_CONFIG = SystemConfig(
    memory_sample_every=1.0,
    ceilings=_CEILINGS,
    agent=AgentConfig(limits=Limits(memory="256M"), grace=2.0),
)
_BRISK = SystemConfig(
    memory_sample_every=1.0,
    heartbeat_every=2.0,
    heartbeat_missed=5.0,
    assigned_at_once=2,
    backoff_first=0.01,
    ceilings=_CEILINGS,
    agent=AgentConfig(
        limits=Limits(memory="256M"), start_timeout=8.0, grace=0.5, idle_timeout=3.0, recycle_after_tasks=9
    ),
)
_SLOW = FaultPlan(latency=(0.0, 0.2), task=(0.0, 2.0), boot=(0.1, 3.0), stalls=0.02)
_DEADLY = FaultPlan(dies=0.25, dies_writing=0.05, most=12)
_TORN = FaultPlan(dies_writing=0.03, garbles=0.03, doubles=0.1, latency=(0.0, 0.05), most=12)
_STILL = FaultPlan(hangs=0.15, stalls=0.02, most=4)
_BARREN = FaultPlan(launch_fails=0.3, disk_full=0.05, dies=0.05, most=10)

# The first is the plain one.
_PLANS = (CALM, _SLOW, ROUGH, _DEADLY, _TORN, _STILL, _BARREN, ROUGH)


class Outcome(NamedTuple):
    """How a history went. `seconds` are virtual, `real` are not; a history without details has no digest."""

    seed: int | None
    steps: int
    seconds: float
    tasks: int
    faults: int
    real: float
    digest: str
    simulation: Simulation | None = None


def make_simulation(
    choices: Choices, *, detail: bool = False, journal: MemoryJournal | None = None
) -> tuple[Simulation, bool]:
    """A simulation of the campaign: how many agents of which types, and what goes wrong, are its first choices.

    Args:
        choices: of the history.
        detail: whether its history keeps what is in each message.
        journal: the one of an earlier life; without it, there is a new one in one of eight histories.

    Returns:
        The simulation, and whether nothing is planned to go wrong.
    """
    plan = _PLANS[choices.below(len(_PLANS), "plan")]
    clerks = 1 + (choices.below(3, "clerks") + 1) % 3
    workers = {
        Clerk: clerks if choices.below(2, "fixed") == 0 else (0, clerks),
        Runner: (0, 1 + choices.below(2, "runners")),
        Specialist: (0, 1),
        Porter: (0, 1 + choices.below(2, "porters")),
        Leader: (0, 1 + choices.below(2, "leaders")),
        Sharer: (0, 2 + choices.below(2, "sharers")),
        Weaver: (0, 1),
        Composer: (0, 1 + choices.below(2, "composers")),
    }
    config = (_CONFIG, _BRISK)[choices.below(2, "config")]
    most, rare = 4 + choices.below(3, "most"), choices.below(8, "workspaces")
    if rare == _JOURNAL and journal is None:
        journal = MemoryJournal()
    if journal is not None and plan not in (CALM, _SLOW):
        plan = replace(plan, journal_fails=_JOURNAL_FAILS)
    sim = Simulation(
        workers,
        choices=choices,
        faults=plan,
        config=config,
        max_agents=most,
        resources=THERE_IS,
        journal=journal,
        detail=detail,
        # Its workers are known to be good.
        guarded=False,
        workspaces=rare == _WORKSPACES,
        max_steps=_MOST_STEPS,
    )
    return sim, plan in (CALM, _SLOW)


def _steps_to_come(sim: Simulation) -> int:
    """How many steps the end of a system takes at the least."""
    return _LAST_STEPS + _STEPS_OF_AN_END * len(sim.host.agents)


def _live_and_die(sim: Simulation, lives: Lives, choices: Choices) -> None:
    """One life of a program with a journal: random calls, and its death at any moment."""
    with sim:
        lives.judge(sim, last=False)
        program = Program(sim, harmless=False)
        most = choices.below(_STEPS_OF_A_LIFE, "death")
        while sim.conductor.steps < most:
            program.act()
            sim.run_steps(1 + choices.below(20, "steps"))
        lives.note(program)
        sim.die()


def run_history(
    seed: int | None = None,
    steps: int = 200,
    *,
    choices: Choices | None = None,
    detail: bool = False,
    keep: bool = False,
) -> Outcome:
    """Run one history: random calls of a program, then calm until all work is done, and all must be right.

    Args:
        seed: of all its choices.
        steps: how many it has at the least.
        choices: instead of a seed.
        detail: whether its history keeps what is in each message.
        keep: whether the outcome has the simulation.

    Raises:
        InvariantBroken: a promise did not hold. The simulation is its attribute `simulation`.
        SimulationError: it got stuck, or did not end.
    """
    began = time.perf_counter()
    choices = SeededChoices(seed or 0) if choices is None else choices
    sim, harmless = make_simulation(choices, detail=detail)
    lives, done = Lives(), 0
    try:
        if sim.journal is not None:
            for _ in range(1 + choices.below(_LIVES, "lives")):
                _live_and_die(sim, lives, choices)
                done += sim.conductor.steps
                sim, _ = make_simulation(choices, detail=detail, journal=sim.journal)
        steps = max(0, steps - done)
        with sim:
            # A death of the program does harm to what must not run twice.
            program = Program(sim, harmless=harmless and not done)
            # At first much at once; then one thing after the other, until there have been enough steps.
            enough, most = steps // 6, _ACTS_AT_ONCE
            while (left := steps - sim.conductor.steps - _steps_to_come(sim)) > 0:
                while sim.conductor.steps < enough:
                    for _ in range(1 + choices.below(most, "acts")):
                        program.act(small=left < _STEPS_OF_AN_ACT)
                    sim.run((0.0, 0.005, 0.05)[choices.below(3, "pause")])
                sim.settle()
                enough, most = sim.conductor.steps + 1, 1
                if sim.conductor.steps + _steps_to_come(sim) + _STEPS_OF_A_LOOK >= steps:
                    program.finish()
            if sim.journal is not None:
                sim.settle()
                lives.note(program)
                lives.judge(sim, last=True)
    except BaseException as error:
        error.simulation = sim  # type: ignore[attr-defined]
        raise
    return Outcome(
        seed,
        done + sim.conductor.steps,
        sim.now,
        program.handed,
        sim.host.injected,
        time.perf_counter() - began,
        sim.history.digest() if detail else "",
        sim if keep else None,
    )
