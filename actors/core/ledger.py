"""The resource manager's book: who uses how much, who is over its limits, and whether new work may start.

All figures and the time come from outside; decisions go out. Memory is in bytes, cpu in percent of one core, open
files and processes in pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from actors.config import LIMIT_NAMES, LimitName, Limits
from actors.errors import ConfigError

__all__ = [
    "Admission",
    "Answer",
    "HardBreach",
    "Ledger",
    "LedgerDecision",
    "Machine",
    "Resource",
    "Sample",
    "SoftBreach",
]

Resource: TypeAlias = Literal["cpu", "memory", "io"]

_LOW_IDLE_CPU, _ENOUGH_IDLE_CPU = 0.05, 0.10
_HIGH_IO_WAIT, _MODEST_IO_WAIT = 0.40, 0.25


class Sample(NamedTuple):
    """What one agent with all its child processes uses. None was not measured this time."""

    memory: float | None = None
    cpu_percent: float | None = None
    open_files: float | None = None
    processes: float | None = None


class Machine(NamedTuple):
    """What the machine has, and how it does.

    `memory_total` and `memory_available` are bytes; `cpu_idle` is the share of all cores that does nothing, `io_wait`
    the share of time that some task waits for a disk; None was not measured.
    """

    memory_total: float
    memory_available: float
    cpu_idle: float | None = None
    io_wait: float | None = None


class SoftBreach(NamedTuple):
    """An agent has come over a soft limit; said once for each crossing."""

    agent: str
    incarnation: int
    limit: LimitName
    figure: float
    allowed: float


class HardBreach(NamedTuple):
    """An agent is over a hard limit, and is to be ended; said once for each of its lives."""

    agent: str
    incarnation: int
    limit: LimitName
    figure: float
    allowed: float


class Admission(NamedTuple):
    """Whether new work may start. `short`: what the machine is short of; `why` is for texts."""

    open: bool
    short: frozenset[Resource]
    why: str


class Answer(NamedTuple):
    """The answer to an agent that asked for more: `allowed` is its limit now, `limits` all of them."""

    agent: str
    limit: LimitName
    granted: bool
    allowed: float
    limits: Limits
    reason: str


LedgerDecision: TypeAlias = SoftBreach | HardBreach | Admission


class _Account:
    __slots__ = ("agent_type", "condemned", "incarnation", "limits", "over_soft", "running", "sample")

    def __init__(self, agent_type: str, incarnation: int, limits: Limits) -> None:
        self.agent_type = agent_type
        self.incarnation = incarnation
        self.limits = limits
        self.sample: dict[LimitName, float] = {}
        self.over_soft: set[LimitName] = set()
        self.condemned = False
        self.running = False


class Ledger:
    """Keeps the account of every agent and of the machine.

    Args:
        memory_low, memory_enough: shares of the machine's memory: with less than the first available nothing new
            starts, until more than the second is. Between the two it stays as it was, so that it does not flutter.
        admit_by: what closes admission beside memory: "cpu" (with hardly any core idle), "io" (with most of the time
            spent waiting for disks). Shortness of them is told in any case.
        ceilings: by agent type, the most that an agent may be granted when it asks for more. For what is not named
            there, its limit is the most; what is named as None has no ceiling.

    Invariants: an agent over a soft limit is in its `over_soft` until a figure is below that limit again; a condemned
    agent gets no further decision in this life.
    """

    def __init__(
        self,
        *,
        memory_low: float = 0.05,
        memory_enough: float = 0.07,
        admit_by: Iterable[Resource] = (),
        ceilings: Mapping[str, Limits] | None = None,
    ) -> None:
        self._memory_low, self._memory_enough = memory_low, memory_enough
        self._closed_by: frozenset[Resource] = frozenset({"memory", *admit_by})
        self._ceilings = dict(ceilings or {})
        self._accounts: dict[str, _Account] = {}
        self._machine: Machine | None = None
        self._admission = Admission(open=True, short=frozenset(), why="")
        # Memory that was granted since the machine was last measured: it is spoken for, though not used yet.
        self._promised = 0.0

    @property
    def admission(self) -> Admission:
        """Whether new work may start at the moment."""
        return self._admission

    # Who there is.

    def opened(self, agent: str, agent_type: str, incarnation: int, limits: Limits) -> None:
        """Take an agent, or its next incarnation, into the book. The account of an earlier life is dropped."""
        self._accounts[agent] = _Account(agent_type, incarnation, limits)

    def closed(self, agent: str, incarnation: int) -> None:
        """Take an agent that is gone out of the book, unless a later incarnation stands there."""
        account = self._accounts.get(agent)
        if account is not None and account.incarnation <= incarnation:
            del self._accounts[agent]

    def running(self, agent: str, incarnation: int, *, running: bool) -> None:
        """Note whether an agent has a task in hand: only then is its memory looked at all the time."""
        account = self._current(agent, incarnation)
        if account is not None:
            account.running = running

    def watched(self) -> list[str]:
        """The agents whose memory is to be sampled fast: they run a task and have a limit of memory."""
        return [
            agent
            for agent, account in self._accounts.items()
            if account.running and not account.condemned and account.limits.memory is not None
        ]

    # What is measured.

    def sampled(self, agent: str, incarnation: int, sample: Sample) -> list[LedgerDecision]:
        """Book what an agent uses. Samples of an unknown agent or an old incarnation are dropped.

        A hard breach of memory, open files or processes condemns the agent at once; cpu has none, it only advises.
        """
        account = self._current(agent, incarnation)
        if account is None:
            return []
        figures: tuple[tuple[LimitName, float | None], ...] = (
            ("memory", sample.memory),
            ("open_files", sample.open_files),
            ("processes", sample.processes),
            ("cpu", sample.cpu_percent),
        )
        account.sample.update({name: figure for name, figure in figures if figure is not None})
        return self._judge(agent, account, [name for name, figure in figures if figure is not None])

    def measured(self, machine: Machine) -> list[LedgerDecision]:
        """Book how the machine does. Says `Admission` if that, or what the machine is short of, has changed."""
        self._machine = machine
        self._promised = 0.0
        was = self._admission.short
        available = machine.memory_available / machine.memory_total if machine.memory_total > 0 else 1.0
        short: set[Resource] = set()
        if _is_short(available, self._memory_low, self._memory_enough, was="memory" in was):
            short.add("memory")
        if machine.cpu_idle is not None:
            if _is_short(machine.cpu_idle, _LOW_IDLE_CPU, _ENOUGH_IDLE_CPU, was="cpu" in was):
                short.add("cpu")
        elif "cpu" in was:
            short.add("cpu")
        if machine.io_wait is not None:
            if _is_short(-machine.io_wait, -_HIGH_IO_WAIT, -_MODEST_IO_WAIT, was="io" in was):
                short.add("io")
        elif "io" in was:
            short.add("io")
        closed = sorted(self._closed_by & short)
        admission = Admission(not closed, frozenset(short), self._story(machine, available, closed))
        changed = (admission.open, admission.short) != (self._admission.open, self._admission.short)
        self._admission = admission
        return [admission] if changed else []

    # What is allowed.

    def limits(self, agent: str) -> Limits | None:
        """The limits in force for an agent, or None if there is no such agent."""
        account = self._accounts.get(agent)
        return None if account is None else account.limits

    def change(self, agent: str, limits: Limits) -> list[LedgerDecision]:
        """Lay new limits over an agent's, and judge its last figures by them at once.

        Raises:
            ConfigError: there is no such agent.
        """
        account = self._accounts.get(agent)
        if account is None:
            allowed = ", ".join(self._accounts) or "none: there are no agents"
            message = f"there is no agent {agent!r} whose limits could be set; known: {allowed}"
            raise ConfigError(message, key="agent", value=agent, allowed=allowed)
        account.limits = account.limits.merged(limits)
        # A limit that has changed is crossed anew; the warnings about the others stand.
        account.over_soft -= limits.named if "soft" not in limits.named else account.over_soft
        return self._judge(agent, account, list(account.sample))

    def asked(self, agent: str, incarnation: int, limit: str, amount: float) -> Answer | None:
        """Decide on an agent's request for more.

        Granted is what is asked for, or as much of it as there is: the ceiling of its type, and for memory what the
        machine could spare and still be above the share at which work goes on. Less than a tenth of the request is
        not worth a grant.

        Args:
            agent: who asks.
            incarnation: which; requests of an old one are dropped.
            limit: what it needs more of: memory, open_files, processes or cpu.
            amount: how much more, in the unit of that limit.

        Returns:
            The answer, or None for an unknown agent or an old incarnation.
        """
        account = self._current(agent, incarnation)
        if account is None:
            return None
        name = next((each for each in LIMIT_NAMES if each == limit), None)
        if name is None:
            reason = f"there is no limit {limit!r}; known: {', '.join(LIMIT_NAMES)}"
            return Answer(agent, "memory", granted=False, allowed=0.0, limits=account.limits, reason=reason)
        hard = account.limits.hard_limit(name)
        if hard is None:
            reason = f"{name} is not limited"
            return Answer(agent, name, granted=True, allowed=0.0, limits=account.limits, reason=reason)
        if not 0 < amount < float("inf"):
            reason = f"asked for {amount!r}; an amount above 0 is needed"
            return Answer(agent, name, granted=False, allowed=hard, limits=account.limits, reason=reason)
        more, reason = self._grant(account, name, hard, amount)
        if more:
            if name == "memory":
                self._promised += more
            value: Any = hard + more if name == "cpu" else int(hard + more)
            account.limits = account.limits.merged(Limits(**{name: value}))
            account.over_soft.discard(name)
        now = account.limits.hard_limit(name)
        return Answer(agent, name, bool(more), hard if now is None else now, account.limits, reason)

    # What can be seen.

    def use(self, agent: str) -> dict[LimitName, float]:
        """The last figures of an agent, empty if there are none."""
        account = self._accounts.get(agent)
        return {} if account is None else dict(account.sample)

    def free_share(self, agent: str) -> float:
        """The mean of what an agent has left of its cpu and memory, 0 to 1. What is not limited, or not measured, is 1."""
        account = self._accounts.get(agent)
        if account is None:
            return 0.0
        shares = []
        for name in ("cpu", "memory"):
            hard = account.limits.hard_limit(name)
            shares.append(1.0 if not hard else max(0.0, 1.0 - account.sample.get(name, 0.0) / hard))
        return sum(shares) / len(shares)

    def inside_limits(self, agent: str) -> bool:
        """Whether an agent is known and over none of its soft limits but that of cpu, which only advises."""
        account = self._accounts.get(agent)
        return account is not None and not account.condemned and not account.over_soft - {"cpu"}

    # How it decides.

    def _current(self, agent: str, incarnation: int) -> _Account | None:
        account = self._accounts.get(agent)
        return account if account is not None and account.incarnation == incarnation else None

    def _judge(self, agent: str, account: _Account, names: Iterable[LimitName]) -> list[LedgerDecision]:
        if account.condemned:
            return []
        decisions: list[LedgerDecision] = []
        for name in names:
            figure = account.sample[name]
            hard, soft = account.limits.hard_limit(name), account.limits.soft_limit(name)
            if hard is None or soft is None or figure <= soft:
                account.over_soft.discard(name)
            elif figure > hard and name != "cpu":
                account.condemned = True
                return [HardBreach(agent, account.incarnation, name, figure, hard)]
            elif name not in account.over_soft:
                account.over_soft.add(name)
                decisions.append(SoftBreach(agent, account.incarnation, name, figure, soft))
        return decisions

    def _grant(self, account: _Account, name: LimitName, hard: float, amount: float) -> tuple[float, str]:
        more, reason = amount, "granted"
        ceilings = self._ceilings.get(account.agent_type)
        if ceilings is None or name not in ceilings.named:
            # A limit that gave way whenever it is reached would be none.
            return 0.0, f"no ceiling of {name} is set for {account.agent_type} beyond its limit (setting: ceilings)"
        ceiling = ceilings.hard_limit(name)
        if ceiling is not None and hard + more > ceiling:
            more, reason = max(0.0, ceiling - hard), f"the ceiling of {account.agent_type} is {ceiling:g}"
        if name == "memory":
            spare = self._spare_memory()
            if spare is None:
                return 0.0, "the machine's memory has not been measured yet"
            if more > spare:
                more, reason = spare, f"the machine can spare {spare:g} bytes"
        if more < amount / 10:
            return 0.0, f"asked for {amount:g} more, but {reason}"
        if name != "cpu" and int(hard + more) <= hard:
            return 0.0, f"asked for {amount:g} more, which is less than one"
        return more, reason

    def _spare_memory(self) -> float | None:
        if self._machine is None:
            return None
        kept = self._memory_enough * self._machine.memory_total
        return max(0.0, self._machine.memory_available - kept - self._promised)

    @staticmethod
    def _story(machine: Machine, available: float, closed: list[Resource]) -> str:
        figures = {
            "memory": f"{available:.1%} of the memory is available",
            "cpu": f"{machine.cpu_idle or 0.0:.1%} of the cores is idle",
            "io": f"{machine.io_wait or 0.0:.1%} of the time is spent waiting for disks",
        }
        return "; ".join(figures[resource] for resource in closed)


def _is_short(figure: float, low: float, enough: float, *, was: bool) -> bool:
    """Whether there is too little: below `low`, or not yet above `enough` if there was too little before."""
    return figure <= enough if was else figure < low
