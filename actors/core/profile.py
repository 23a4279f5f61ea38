"""What the scheduler knows of a type of agent."""

from __future__ import annotations

from dataclasses import dataclass

from actors.errors import ConfigError

__all__ = ["GENERAL_PURPOSE", "Profile"]

GENERAL_PURPOSE = "general_purpose"
"""The agent type that takes plain callables."""

_LEVELS = ("low", "moderate", "high")


@dataclass(frozen=True, slots=True)
class Profile:
    """What agents of one type can do and how many of them there should be.

    Args:
        agent_type: the type's name.
        capabilities: what they offer.
        cpu, memory, io: their resource class, each "low", "moderate" or "high".
        slots: how many tasks one of them runs at once, 1 or more.
        grace: seconds from an interruption to the kill, 0 or more; None: the scheduler's own setting.
        idle_timeout: seconds after which an idle one above the least is ended, 0 or more; None: as for `grace`.
        least, most: how many there are at least, and at most (None: as many as the system allows).

    Raises:
        ConfigError: a value that is not allowed.
    """

    agent_type: str
    capabilities: frozenset[str] = frozenset()
    cpu: str = "moderate"
    memory: str = "moderate"
    io: str = "moderate"
    slots: int = 1
    grace: float | None = None
    idle_timeout: float | None = None
    least: int = 0
    most: int | None = None

    def __post_init__(self) -> None:
        for name in ("cpu", "memory", "io"):
            value = getattr(self, name)
            if value not in _LEVELS:
                message = f"{self.agent_type}'s {name} must be low, moderate or high, not {value!r}"
                raise ConfigError(message, key=name, value=value, allowed=", ".join(_LEVELS))
        if self.slots < 1 or self.least < 0 or (self.most is not None and self.most < self.least):
            message = (
                f"{self.agent_type} must have 1 slot or more and 0 <= least <= most, not slots {self.slots}, "
                f"least {self.least}, most {self.most}"
            )
            raise ConfigError(message, key="least", value=self.least, allowed="0 <= least <= most")

    @property
    def highs(self) -> tuple[str, ...]:
        """The resources of which it takes much."""
        return tuple(name for name in ("cpu", "memory", "io") if getattr(self, name) == "high")
