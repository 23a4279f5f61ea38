"""Circuit breakers: a task type that fails again and again is let rest, and then tried with one task at a time.

    closed ── so many failures in a row, inside the window ──▶ open
      ▲                                                        │ the cool-down has passed
      │                                                        ▼
      └── the probe went well ── half-open ── the probe failed ──▶ open, with a longer cool-down

While it is open, submissions of the type are refused and what waits stays waiting, behind a gate of the waiting line.
In half-open the gate is open for one task, the probe, and shut again until that has told how it went.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from actors.errors import CircuitOpen

if TYPE_CHECKING:
    import random

    from actors.core.retry import Backoff

__all__ = ["Breaker", "Breakers", "CircuitInfo", "CircuitState"]

CircuitState: TypeAlias = Literal["closed", "open", "half_open"]

_TOO_MANY: Final = 1024


@dataclass(frozen=True, slots=True)
class CircuitInfo:
    """How the circuit breaker of a task type stands. Times are UTC seconds.

    Args:
        task_type: whose it is.
        state: "open" or "half_open"; those that are closed are not told of.
        since: when it opened.
        retry_at: when one task is tried again; None in half-open.
        openings: how often in a row it opened without a success in between.
        probe: the id of the task that is being tried, or None.
        error: what the last task failed with, in one line.
    """

    task_type: str
    state: CircuitState
    since: float
    retry_at: float | None
    openings: int
    probe: str | None
    error: str

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values that print as JSON."""
        return asdict(self)


class Breaker:
    """The breaker of one task type. Times are monotonic seconds.

    Invariants: `failures` are those since the last success that are inside the window, and of no use once it is open;
    `due` is set exactly while it is open; `probe`, a task's number, only in half-open.
    """

    __slots__ = ("due", "error", "failures", "name", "openings", "phase", "probe", "since")

    def __init__(self, name: str) -> None:
        self.name = name
        self.phase: CircuitState = "closed"
        self.failures: deque[float] = deque()
        self.openings = 0
        self.since = 0.0
        self.due: float | None = None
        self.probe: int | None = None
        self.error = ""

    @property
    def shut(self) -> bool:
        """Whether nothing of the type may begin."""
        return self.phase == "open" or self.probe is not None

    def opens(self, now: float, wait: float) -> None:
        """Let the type rest for so many seconds."""
        if not self.openings:
            self.since = now
        # In one step: a breaker that is open without being due would never be tried again.
        self.phase, self.due, self.probe, self.openings = "open", now + wait, None, self.openings + 1
        self.failures.clear()


class Breakers:
    """The breakers of all task types that failed lately; a type that is not known here is closed.

    Args:
        window: seconds in which the failures that open a breaker must lie.
        cooldown: how long an open breaker waits before a probe, by how often in a row it opened.
        rng: chance for the jitter of the cool-downs.
    """

    __slots__ = ("_cooldown", "_rng", "_window", "known")

    def __init__(self, window: float, cooldown: Backoff, rng: random.Random) -> None:
        self._window = window
        self._cooldown = cooldown
        self._rng = rng
        self.known: dict[str, Breaker] = {}

    def failed(self, name: str, number: int, most: int, error: str, now: float) -> Breaker | None:
        """Count a failure of a task.

        Args:
            name: the task type.
            number: the task.
            most: how many failures in a row open the breaker, 1 or more.
            error: in one line.
            now: monotonic seconds.

        Returns:
            The breaker, if it opened; `due` says until when.
        """
        breaker = self.known.get(name)
        if breaker is None:
            if len(self.known) >= _TOO_MANY:
                self._sweep(now)
            breaker = self.known[name] = Breaker(name)
        if breaker.phase == "open" or (breaker.phase == "half_open" and breaker.probe != number):
            # Of one that had begun before it opened: it tells nothing new.
            return None
        breaker.error = error
        if breaker.phase == "closed":
            failures = breaker.failures
            failures.append(now)
            while failures[0] < now - self._window:
                failures.popleft()
            if len(failures) < most:
                return None
        breaker.opens(now, self._cooldown.delay(breaker.openings + 1, self._rng))
        return breaker

    def succeeded(self, name: str, number: int) -> Breaker | None:
        """A task went well: gives the breaker, if that closed it."""
        breaker = self.known.get(name)
        if breaker is None or breaker.phase == "open" or (breaker.phase == "half_open" and breaker.probe != number):
            return None
        del self.known[name]
        if breaker.phase == "closed":
            return None
        breaker.phase, breaker.probe = "closed", None
        return breaker

    def rested(self, breaker: Breaker, now: float) -> bool:
        """Go half-open if the cool-down has passed; whether that is so."""
        if breaker.due is None or breaker.due > now:
            return False
        breaker.phase, breaker.due = "half_open", None
        return True

    def begins(self, name: str, number: int) -> Breaker | None:
        """A task is given to an agent: gives the breaker, if the task is its probe."""
        breaker = self.known.get(name)
        if breaker is None or breaker.phase != "half_open" or breaker.probe is not None:
            return None
        breaker.probe = number
        return breaker

    def returned(self, name: str, number: int) -> Breaker | None:
        """A task came back without having told anything: gives the breaker, if it was its probe."""
        breaker = self.known.get(name)
        if breaker is None or breaker.probe != number:
            return None
        breaker.probe = None
        return breaker

    def rebuild(self, is_out: Callable[[int], bool]) -> None:
        """After a failure in the middle of a step: a probe that is at no agent has told nothing; another one may be it.

        Args:
            is_out: whether the task of a number is at an agent.
        """
        for name, breaker in list(self.known.items()):
            if breaker.phase == "closed":
                if not breaker.failures:
                    del self.known[name]
            elif breaker.probe is not None and not is_out(breaker.probe):
                breaker.probe = None

    def refusal(self, name: str, task_id: str, now: float, utc_offset: float) -> CircuitOpen | None:
        """The error that a submission of the type is refused with, or None if it may come in."""
        breaker = self.known.get(name)
        if breaker is None or not breaker.shut:
            return None
        due = breaker.due
        ago = now - breaker.since
        when = (
            f"it is tried again in {max(0.0, due - now):.3g} s"
            if due is not None
            else "one task of it is being tried, and if that goes well, more are taken"
        )
        return CircuitOpen(
            f"task {task_id} is refused: tasks of type {name!r} failed again and again, so their circuit breaker opened "
            f"{ago:.3g} s ago; {when}. The last error was {breaker.error}",
            task_type=name,
            task_id=task_id,
            since=breaker.since + utc_offset,
            retry_at=None if due is None else due + utc_offset,
            last_error=breaker.error,
        )

    def _sweep(self, now: float) -> None:
        """Forget failures that are too old to count."""
        self.known = {
            name: each
            for name, each in self.known.items()
            if each.phase != "closed" or each.failures[-1] >= now - self._window
        }
