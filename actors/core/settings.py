"""What the scheduler's mind is told once, when it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from actors.core.amounts import Amounts, read_amounts
from actors.core.retry import Backoff
from actors.errors import ConfigError

if TYPE_CHECKING:
    from actors.core.fleet import Agent
    from actors.core.task import Task

__all__ = ["EngineSettings", "Weights"]


@dataclass(frozen=True, slots=True)
class Weights:
    """What counts how much when the best of the suitable agents is chosen.

    Args:
        free_slot: for each free task slot.
        surplus: for an agent without a capability that the task does not need; half of it with one, a third with two.
        free_resources: for each percent of cpu and memory that is free (their mean).
        preferred_type: for the type that the task prefers.
        warm_inputs: for an agent that has all inputs of the task warm; for some of them a share.
    """

    free_slot: float = 10.0
    surplus: float = 50.0
    free_resources: float = 1.0
    preferred_type: float = 25.0
    warm_inputs: float = 100.0


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The rules of one scheduler.

    Args:
        max_agents: how many agents there may be, 1 or more.
        assigned_at_once: how many tasks one agent may hold at once, 1 or more.
        very_short_at_once: the same for very short tasks.
        ageing: each n-th dispatch goes to the oldest waiting task; 0 for never.
        grace: seconds from an interruption to the kill, for agents whose profile says nothing else.
        idle_timeout: seconds after which an idle agent above the least is ended, likewise.
        kept_tasks, kept_seconds: how many finished tasks are kept, and for how long.
        kept_dead, kept_dead_seconds: how many tasks that failed for good are listed as dead letters, and for how long.
        kept_dead_bytes: how many bytes the arguments of all of these may take.
        breaker_window: seconds in which the failures that open a circuit breaker must lie.
        breaker_cooldown: how long an open circuit breaker lets its task type rest.
        spawn_backlog: seconds of measured work for each agent that must wait before one more is started.
        policy: how an agent is chosen among the suitable ones.
        weights: for the policy "best".
        score: replaces the weights: gives the worth of an agent for a task, the highest is taken.
        utc_offset: what to add to the engine's time to get UTC seconds.
        resources: named resources that tasks may need, and how much there is of each: a mapping, or pairs.

    Raises:
        ConfigError: a value that is not allowed.
    """

    max_agents: int = 5
    assigned_at_once: int = 5
    very_short_at_once: int = 256
    ageing: int = 16
    grace: float = 5.0
    idle_timeout: float = 60.0
    kept_tasks: int = 10_000
    kept_seconds: float = 86_400.0
    kept_dead: int = 1000
    kept_dead_seconds: float = 604_800.0
    kept_dead_bytes: int = 64 * 2**20
    breaker_window: float = 60.0
    breaker_cooldown: Backoff = field(default_factory=lambda: Backoff(10.0, limit=300.0))
    spawn_backlog: float = 0.1
    policy: Literal["best", "least_loaded", "round_robin", "sticky"] = "best"
    weights: Weights = field(default_factory=Weights)
    score: Callable[[Task, Agent], float] | None = None
    utc_offset: float = 0.0
    resources: Amounts = ()

    def __post_init__(self) -> None:
        for name, least in (
            ("max_agents", 1),
            ("assigned_at_once", 1),
            ("very_short_at_once", 1),
            ("ageing", 0),
            ("grace", 0),
            ("idle_timeout", 0),
            ("kept_tasks", 0),
            ("kept_seconds", 0),
            ("kept_dead", 0),
            ("kept_dead_seconds", 0),
            ("kept_dead_bytes", 0),
            ("breaker_window", 0),
            ("spawn_backlog", 0),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
                message = f"{name} must be a number from {least} on, not {value!r}"
                raise ConfigError(message, key=name, value=value, allowed=f"a number from {least} on")
        object.__setattr__(self, "resources", read_amounts("resources", self.resources, "of the system", none=True))
        policies = ("best", "least_loaded", "round_robin", "sticky")
        if self.policy not in policies:
            allowed = ", ".join(policies)
            message = f"policy must be one of {allowed}, not {self.policy!r}"
            raise ConfigError(message, key="policy", value=self.policy, allowed=allowed)
