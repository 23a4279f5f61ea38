"""A machine for the resource ledger."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actors.config import LIMIT_NAMES, LimitName, Limits
from actors.core.ledger import HardBreach, Ledger, Machine, Resource, Sample, SoftBreach
from actors.testing.machines.promise import must, must_be

__all__ = ["LedgerMachine"]

_AGENTS = {"alpha-1": "alpha", "alpha-2": "alpha", "beta-1": "beta"}
_NAMES = st.sampled_from(["alpha-1", *sorted(_AGENTS)])
_LATE = st.sampled_from([*[False] * 5, True])
_TOTAL = 10_000.0
# Few figures, and those about the limits: what happens exactly at a limit is what there is to be found.
_HARD: dict[str, st.SearchStrategy[Any]] = {
    "memory": st.sampled_from([1000, 2000, 1000, None]),
    "open_files": st.sampled_from([100, 20, None]),
    "processes": st.sampled_from([10, 0, None]),
    "cpu": st.sampled_from([80, 10, None]),
}
_SOFT = st.sampled_from([0.8, 0.5, 1.0])
_FIGURES = st.builds(
    Sample,
    st.sampled_from([None, 0, 500, 800, 801, 1000, 1001, 1600, 1601, 2000, 2001]),
    st.sampled_from([None, None, 0, 16, 17, 80, 81, 100, 101]),
    st.sampled_from([None, None, 0, 64, 65, 400]),
    st.sampled_from([None, None, 0, 8, 9, 10, 11]),
)
_OPTIONAL: dict[str, st.SearchStrategy[Any]] = {**_HARD, "soft": _SOFT}
_NOTHING: dict[str, st.SearchStrategy[Any]] = {}
_ALL_LIMITS = st.fixed_dictionaries(_NOTHING, optional=_OPTIONAL)
# Percent of the machine's memory that are available.
_AVAILABLE = (20, 10, 8, 4, 6, 7, 5, 4)
_AMOUNTS = st.sampled_from([1000, 300, 500, 3000, 20, 1, 300, 1000, 500, 0.5, 0, -1, math.inf, math.nan])
_SHARES = st.none() | st.sampled_from([0.0, 0.04, 0.05, 0.07, 0.1, 0.11, 0.25, 0.3, 0.4, 0.41, 1.0])


class _Account:
    """An agent's account by the model: limits and figures by name."""

    def __init__(self, incarnation: int, limits: dict[str, Any]) -> None:
        self.incarnation = incarnation
        self.hard: dict[LimitName, float | None] = {name: limits.get(name) for name in LIMIT_NAMES}
        self.soft: float = limits.get("soft", 0.8)
        self.figures: dict[LimitName, float] = {}
        self.warned: set[LimitName] = set()
        self.condemned = False
        self.running = False

    def judged(self, names: Iterable[LimitName]) -> list[tuple[type, LimitName, float, float]]:
        """What is to be said about these figures."""
        if self.condemned:
            return []
        said: list[tuple[type, LimitName, float, float]] = []
        for name in names:
            figure, hard = self.figures[name], self.hard[name]
            if hard is None or figure <= hard * self.soft:
                self.warned.discard(name)
            elif figure > hard and name != "cpu":
                self.condemned = True
                return [(HardBreach, name, figure, hard)]
            elif name not in self.warned:
                self.warned.add(name)
                said.append((SoftBreach, name, figure, hard * self.soft))
        return said


class LedgerMachine(RuleBasedStateMachine):
    """Drives the resource manager's book beside a model of three agents' accounts and one machine.

    Agents come, are replaced and go; figures come late and early; limits change; agents ask for more; the machine falls
    short of memory, cpu and io and recovers. What was granted is added up: it never exceeds what could be spared.

    Override `make` to drive another ledger.

    Example:
        >>> TestLedger = LedgerMachine.TestCase
    """

    def make(self, **settings: Any) -> Ledger:
        """The ledger that is driven; `settings` are its constructor's."""
        return Ledger(**settings)

    @initialize(
        admit_by=st.sets(st.sampled_from(["cpu", "io"])),
        ceiling=st.fixed_dictionaries(
            {"memory": st.sampled_from([None, 3000, None])}, optional={name: _HARD[name] for name in LIMIT_NAMES[1:]}
        ),
        share=st.sampled_from([*_AVAILABLE[:3], None]),
    )
    def begins(self, admit_by: set[Resource], ceiling: dict[str, Any], share: int | None) -> None:
        """A ledger with a ceiling for one of two agent types."""
        self.ledger = self.make(
            memory_low=0.05, memory_enough=0.07, admit_by=admit_by, ceilings={"alpha": Limits(**ceiling)}
        )
        self.ceiling = ceiling
        self.closing: set[str] = {"memory", *admit_by}
        self.accounts: dict[str, _Account] = {}
        self.lives = dict.fromkeys(_AGENTS, 0)
        self.short: set[str] = set()
        # What the machine can spare since it was last measured; unknown before.
        self.spare: float | None = None
        for agent in sorted(_AGENTS):
            self.comes(agent, {"memory": 1000, "open_files": 100, "processes": 10, "cpu": 80})
        if share is not None:
            self.the_machine_is_measured(share, None, None)

    def said(self, agent: str, decisions: Iterable[Any], expected: list[Any], requirement: str) -> None:
        """The decisions must be those of the model, and name this life of the agent."""
        got = list(decisions)
        must_be([(type(each), *each[2:]) for each in got], expected, requirement, "what is said of", agent)
        life = self.lives[agent]
        must(all(each[:2] == (agent, life) for each in got), requirement, "a breach names another agent or life:", got)

    @rule(agent=_NAMES, limits=_ALL_LIMITS, what=st.sampled_from(["is replaced", "word of an earlier life", "goes"]))
    def comes_or_goes(self, agent: str, limits: dict[str, Any], what: str) -> None:
        """An agent's next incarnation comes, or it goes; word of an earlier life's end comes too late to count."""
        if what == "is replaced":
            self.comes(agent, limits)
            return
        gone = what == "goes"
        self.ledger.closed(agent, self.lives[agent] if gone else self.lives[agent] - 1)
        if gone:
            self.accounts.pop(agent, None)

    def comes(self, agent: str, limits: dict[str, Any]) -> None:
        """An agent's account is a new one."""
        self.lives[agent] += 1
        self.ledger.opened(agent, _AGENTS[agent], self.lives[agent], Limits(**limits))
        self.accounts[agent] = _Account(self.lives[agent], limits)

    @rule(agent=_NAMES, figures=_FIGURES, late=_LATE)
    def is_sampled(self, *, agent: str, figures: Sample, late: bool) -> None:
        """Figures come, also late ones of an earlier life."""
        decisions = self.ledger.sampled(agent, self.lives[agent] - late, figures)
        account = self.accounts.get(agent)
        if account is None or late:
            must_be(decisions, [], "E2", "what is said of nobody")
            return
        by_name: dict[LimitName, float | None] = {
            "memory": figures.memory,
            "open_files": figures.open_files,
            "processes": figures.processes,
            "cpu": figures.cpu_percent,
        }
        fresh = {name: figure for name, figure in by_name.items() if figure is not None}
        account.figures.update(fresh)
        self.said(agent, decisions, account.judged(fresh), "E2")

    @rule(agent=_NAMES, limits=_ALL_LIMITS)
    def is_changed(self, agent: str, limits: dict[str, Any]) -> None:
        """Limits are set while it runs: the last figures are judged by them at once."""
        account = self.accounts.get(agent)
        if account is None:
            return
        decisions = self.ledger.change(agent, Limits(**limits))
        for name in LIMIT_NAMES:
            if name in limits:
                account.hard[name] = limits[name]
            if name in limits or "soft" in limits:
                account.warned.discard(name)
        account.soft = limits.get("soft", account.soft)
        self.said(agent, decisions, account.judged(list(account.figures)), "E2")

    def more(self, agent: str, name: LimitName, hard: float, amount: float) -> float:
        """How much of a request is to be granted, by the model."""
        if _AGENTS[agent] != "alpha" or name not in self.ceiling:
            return 0.0
        ceiling = self.ceiling[name]
        more = amount if ceiling is None else min(amount, max(0.0, ceiling - hard))
        if name == "memory":
            more = min(more, self.spare if self.spare is not None else 0.0)
        worth = more >= amount / 10 and (name == "cpu" or math.floor(hard + more) > hard)
        return more if worth else 0.0

    @rule(
        agent=_NAMES,
        name=st.sampled_from(["memory", "memory", "memory", *LIMIT_NAMES]),
        amounts=st.lists(_AMOUNTS, min_size=1, max_size=3),
        share=st.sampled_from([None, None, *_AVAILABLE[:3]]),
        late=_LATE,
    )
    def asks_for_more(
        self, *, agent: str, name: LimitName, amounts: list[float], share: int | None, late: bool
    ) -> None:
        """An agent asks for more of one limit, and again; the machine may be measured in between."""
        for amount in amounts:
            self.asks(agent, name, amount, late=late)
            if share is not None:
                self.the_machine_is_measured(share, None, None)

    def asks(self, agent: str, name: LimitName, amount: float, *, late: bool) -> None:
        """An agent asks for more once."""
        answer = self.ledger.asked(agent, self.lives[agent] - late, name, amount)
        account = self.accounts.get(agent)
        if account is None or late:
            must_be(answer, None, "E2", "the answer to nobody")
            return
        if answer is None:
            raise AssertionError(f"E2: {agent} asked for more and got no answer")
        hard = account.hard[name]
        if hard is None:
            must(answer.granted, "E2", name, "is not limited, and more of it was refused")
            return
        more = self.more(agent, name, hard, amount) if 0 < amount < math.inf else 0.0
        must_be(answer.granted, more > 0, "E2", f"whether {amount} more of {name} are granted to {agent}")
        if more:
            hard = account.hard[name] = hard + more if name == "cpu" else math.floor(hard + more)
            account.warned.discard(name)
            if name == "memory" and self.spare is not None:
                self.spare -= more
                must(self.spare >= 0, "E2", "more memory was granted than the machine could spare")
            ceiling = self.ceiling[name]
            must(ceiling is None or hard <= ceiling, "E4", "a grant went over the ceiling of", name)
        must_be(answer.allowed, hard, "E2", "the limit of", name, "after the request")
        must(answer.reason, "E2", "an answer without a reason")

    @rule(agent=_NAMES, running=st.booleans(), late=_LATE)
    def runs(self, *, agent: str, running: bool, late: bool) -> None:
        """An agent takes a task in hand, or has none any more."""
        self.ledger.running(agent, self.lives[agent] - late, running=running)
        account = self.accounts.get(agent)
        if account is not None and not late:
            account.running = running

    @rule(share=st.sampled_from(_AVAILABLE), idle=_SHARES, waits=_SHARES)
    def time_passes(self, share: int, idle: float | None, waits: float | None) -> None:
        """The machine is measured again."""
        self.the_machine_is_measured(share, idle, waits)

    def the_machine_is_measured(self, share: int, idle: float | None, waits: float | None) -> None:
        """Shortness begins below one figure and ends above another; what was not measured stays as it was."""
        available = _TOTAL * share / 100
        was, short = self.short, set()
        figures: list[tuple[str, float | None, float, float]] = [
            ("memory", share / 100, 0.05, 0.07),
            ("cpu", idle, 0.05, 0.10),
            ("io", None if waits is None else -waits, -0.40, -0.25),
        ]
        for name, figure, low, enough in figures:
            if (name in was) if figure is None else (figure <= enough if name in was else figure < low):
                short.add(name)
        decisions: list[Any] = self.ledger.measured(Machine(_TOTAL, available, idle, waits))
        before = not (was & self.closing), was
        self.short = short
        self.spare = max(0.0, available - 0.07 * _TOTAL)
        after = not (short & self.closing), short
        expected = [after] if after != before else []
        must_be([(each[0], set(each[1])) for each in decisions], expected, "E3", "what is said of the machine")

    @invariant()
    def e3_work_is_held_back_while_the_machine_is_short(self) -> None:
        """E3: and only then."""
        admission = self.ledger.admission
        must_be(admission.open, not (self.short & self.closing), "E3", "whether new work may start")
        must_be(set(admission.short), self.short, "E3", "what the machine is short of")
        must_be(bool(admission.why), not admission.open, "E3", "whether there is a reason")

    @invariant()
    def e2_limits_and_figures_are_those_that_were_told(self) -> None:
        """E2: for each agent, in its present life."""
        for agent in _AGENTS:
            account, limits = self.accounts.get(agent), self.ledger.limits(agent)
            must_be(limits is None, account is None, "E2", "whether there are no limits of", agent)
            if account is None or limits is None:
                must_be((self.ledger.use(agent), self.ledger.free_share(agent)), ({}, 0.0), "C4", "use of nobody")
                must(not self.ledger.inside_limits(agent), "C3", agent, "is gone and inside its limits")
                continue
            hard = {name: limits.hard_limit(name) for name in LIMIT_NAMES}
            must_be((hard, limits.soft), (account.hard, account.soft), "E2", "the limits of", agent)
            must_be(self.ledger.use(agent), account.figures, "E1", "the figures of", agent)
            inside = not account.condemned and not account.warned - {"cpu"}
            must_be(self.ledger.inside_limits(agent), inside, "C3", "whether it is inside its limits:", agent)

    @invariant()
    def e2_memory_is_watched_where_a_task_runs_under_a_limit(self) -> None:
        """E2: 20 times a second, for those that need it."""
        expected = {
            agent
            for agent, account in self.accounts.items()
            if account.running and not account.condemned and account.hard["memory"] is not None
        }
        must_be(set(self.ledger.watched()), expected, "E2", "whose memory is watched")

    @invariant()
    def c4_the_free_share_is_the_mean_of_cpu_and_memory(self) -> None:
        """C4: what is not limited, or not measured, is free."""
        for agent, account in self.accounts.items():
            free = 0.0
            for name in ("cpu", "memory"):
                hard = account.hard[name]
                free += 0.5 if not hard else 0.5 * max(0.0, 1 - account.figures.get(name, 0.0) / hard)
            got = self.ledger.free_share(agent)
            must(math.isclose(got, free, abs_tol=1e-9), "C4", "the free share of", agent, "is", free, "and not", got)
