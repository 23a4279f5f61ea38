"""The plan of a supervisor: which children to start, stop and restart, and when to give up.

The rules are those of Erlang/OTP's `supervisor` (strategies, restart types, intensity, automatic shutdown by
significant children, failed restarts counted like deaths), with a back-off between tries added. The plan is told
what happened and answers with actions (see `actors.core.supervisionactions` for who tells what to whom).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from actors.core.children import (
    AutoShutdown,
    Child,
    ChildSpec,
    ChildStatus,
    Counted,
    ExitReason,
    Intensity,
    Round,
    Strategy,
)
from actors.core.retry import Backoff
from actors.core.supervisionactions import Action, Drop, Escalate, Finish, Later, Start, Stop
from actors.errors import ConfigError, SystemClosed

if TYPE_CHECKING:
    import random

__all__ = ["SupervisionPlan"]

_INTENSITY = Intensity()
_BACKOFF = Backoff()
_UP = ChildStatus.UP


class SupervisionPlan:
    """Decides what a supervisor does.

    Args:
        children: those that `start` starts, in this order; more come by `add`.
        rng: chance for the jitter of the back-off.
        strategy: which children are restarted with one that has to be.
        intensity: when to give up.
        backoff: the waits between tries. The first try after a death is at once.
        counted: "restarts" is what Erlang/OTP does: each restart, of whichever child, counts, and a child that fails
            to start at first is not tried again. "failed_starts" is for agents: a child that fails to start is tried
            again, at first too, until it has failed more than `intensity.restarts` times in a row, however long each
            try takes; deaths after a start do not count. Then it is dropped if a sibling is up, else all is given up.
        auto_shutdown: whether the end of significant children ends the supervisor.
        parallel: children do not depend on each other, so they may start and stop at the same time; one-for-one only.
        quiet: seconds that a child must have been up for its tries to be forgotten; the intensity's period if None.

    Raises:
        ConfigError: two children with one id; a significant child without automatic shutdown; parallel children with
            another strategy than one-for-one.

    Reports about a child that is unknown, or down already, are ignored: they come late.
    """

    def __init__(
        self,
        children: Sequence[ChildSpec] = (),
        *,
        rng: random.Random,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity = _INTENSITY,
        backoff: Backoff = _BACKOFF,
        counted: Counted = "restarts",
        auto_shutdown: AutoShutdown = "never",
        parallel: bool = False,
        quiet: float | None = None,
    ) -> None:
        if parallel and strategy is not Strategy.ONE_FOR_ONE:
            allowed = "False with any strategy but one_for_one"
            message = f"parallel takes {allowed}; the strategy is {strategy.value}"
            raise ConfigError(message, key="parallel", value=parallel, allowed=allowed)
        self._strategy = strategy
        self._intensity = intensity
        self._backoff = backoff
        self._rng = rng
        self._counted = counted
        self._auto_shutdown = auto_shutdown
        self._parallel = parallel
        self._quiet = intensity.period if quiet is None else quiet
        self._children: dict[str, Child] = {}  # in the order of their start
        self._rounds: dict[str, Round] = {}  # by member
        self._restarts: deque[tuple[float, str]] = deque()  # when, inside the period, and which for what
        self._last: Escalate | Finish | None = None  # set: the plan is ending, and this will be its last action
        self._left: dict[str, None] = {}  # while ending: children that are not yet down
        for spec in children:
            self._accept(spec)

    # What may be asked of the supervisor.

    def start(self, now: float) -> list[Action]:
        """Start all children. With "restarts" counted, one that fails to start ends the supervisor."""
        children = tuple(self._children)
        for record in self._children.values():
            record.boots = True
        if self._parallel:
            return self._together(self._open([child], now, now, stopping=False) for child in children)
        return self._open(children, now, now, stopping=False)

    def add(self, spec: ChildSpec, now: float) -> list[Action]:
        """Take one more child and start it after all others.

        With "restarts" counted it is forgotten if this start fails: that is for whoever asked to know.

        Raises:
            ConfigError: there is a child of this id.
            SystemClosed: the supervisor is ending.
        """
        self._must_go_on(f"add {spec.id}")
        self._accept(spec)
        return self._start_on_request(spec.id, now)

    def restart(self, child: str, now: float) -> list[Action]:
        """Start a child that is down.

        Raises:
            ConfigError: there is no such child, or it is not down.
            SystemClosed: the supervisor is ending.
        """
        self._must_go_on(f"restart {child}")
        self._must_be_down(child)
        return self._start_on_request(child, now)

    def terminate(self, child: str, now: float) -> list[Action]:
        """End a child and leave it down. A temporary one is forgotten.

        Raises:
            ConfigError: there is no such child.
        """
        record = self._known(child)
        if self._last is not None:
            return []
        actions: list[Action] = []
        if record.status in {ChildStatus.STARTING, ChildStatus.UP}:
            record.status = ChildStatus.STOPPING
            actions.append(Stop((child,)))
        elif record.status is ChildStatus.WAITING:
            record.status = ChildStatus.DOWN
        record.on_request = False
        if record.status is ChildStatus.DOWN and record.spec.restart == "temporary":
            return self._forget(child, now)
        return [*actions, *self._leave(child, now)]

    def remove(self, child: str) -> None:
        """Forget a child that is down.

        Raises:
            ConfigError: there is no such child, or it is not down.
        """
        self._must_be_down(child)
        del self._children[child]

    def stop(self, why: str) -> list[Action]:
        """End all children in reverse order, then the supervisor: the last action is `Finish`."""
        return self._end(Finish(why))

    # What is reported to it.

    def started(self, child: str, now: float) -> list[Action]:
        """Note that the child runs (an agent: is idle for the first time)."""
        record = self._children.get(child)
        if record is None or record.status is not ChildStatus.STARTING:
            return []
        record.status = ChildStatus.UP
        record.new = record.boots = record.on_request = record.progressed = False
        record.failed_starts = 0
        record.started_at = now
        around = self._rounds.get(child)
        # One that is about to be stopped again has nobody waiting for it.
        return self._advance(around, now) if around is not None and not around.stopping else []

    def progressed(self, child: str) -> None:
        """Note that the child has done some of its work since its start: its next death is followed by a try at once."""
        record = self._children.get(child)
        if record is not None:
            record.progressed = record.status is ChildStatus.UP

    def exited(self, child: str, reason: ExitReason, now: float, why: str = "") -> list[Action]:
        """Note that the child has ended, or, before it was reported as started, failed to start; `why` is for texts."""
        record = self._children.get(child)
        if record is None or not record.alive:
            return []
        was, record.status = record.status, ChildStatus.DOWN
        # How long it was up counts, not how long ago it came up: it may be down for long before its next try.
        if record.progressed or (record.started_at is not None and now - record.started_at >= self._quiet):
            record.tries = 0
        record.progressed, record.started_at = False, None
        if self._last is not None:
            del self._left[child]
            return self._end_next()
        around = self._rounds.get(child)
        if around is not None and around.stopping:
            record.status = ChildStatus.WAITING
            if record.spec.restart != "temporary":
                return self._advance(around, now)
        if was is ChildStatus.STOPPING or record.status is ChildStatus.WAITING:
            return self._forget(child, now) if record.spec.restart == "temporary" else []
        if was is ChildStatus.STARTING:
            return self._failed_to_start(record, why or "it failed to start", now)
        return self._died(record, reason, why or f"it ended: {reason}", now)

    def due(self, now: float) -> list[Action]:
        """Go on with what had to wait. The shell calls it when a `Later` has passed."""
        rounds = [each for each in dict.fromkeys(self._rounds.values()) if not each.stopping and each.due <= now]
        actions = self._together(self._advance(each, now) for each in rounds)
        later = self.next_due()
        if later is not None and later > now:
            actions.append(Later(later - now))
        return actions

    # What can be seen of it.

    @property
    def ending(self) -> bool:
        """Whether it has begun to end: no child will be started any more."""
        return self._last is not None

    def next_due(self) -> float | None:
        """When `due` has something to do next, or None."""
        return min((each.due for each in dict.fromkeys(self._rounds.values()) if self._waits(each)), default=None)

    def status(self, child: str) -> ChildStatus | None:
        """Where the child stands; None: there is no such child."""
        record = self._children.get(child)
        return None if record is None else record.status

    def children(self) -> list[tuple[ChildSpec, ChildStatus]]:
        """All children in the order of their start."""
        return [(record.spec, record.status) for record in self._children.values()]

    # How it decides.

    def _died(self, record: Child, reason: ExitReason, why: str, now: float) -> list[Action]:
        spec = record.spec
        if spec.restart == "permanent" or (spec.restart == "transient" and reason == "failure"):
            return self._try_again(record, why, now)
        actions = self._forget(spec.id, now) if spec.restart == "temporary" else self._leave(spec.id, now)
        others = any(each.spec.significant and each.status is not ChildStatus.DOWN for each in self._children.values())
        if spec.significant and (self._auto_shutdown == "any" or not others):
            return self._end(Finish(f"the significant child {spec.id} has ended"))
        return actions

    def _failed_to_start(self, record: Child, why: str, now: float) -> list[Action]:
        child = record.spec.id
        record.failed_starts += 1
        if self._counted == "failed_starts":
            if record.failed_starts <= self._intensity.restarts:
                return self._try_again(record, why, now)
            story = f"{child} failed to start {record.failed_starts} times in a row: {why}"
            if any(each.status is ChildStatus.UP for each in self._children.values()):
                return [Drop(child, story), *self._forget(child, now)]
            return self._end(Escalate(child, story))
        if record.on_request:
            record.on_request = False
            return self._forget(child, now) if record.new else self._leave(child, now)
        if record.boots:
            return self._end(Escalate(child, f"{child} failed to start: {why}"))
        return self._try_again(record, why, now)

    def _try_again(self, record: Child, why: str, now: float) -> list[Action]:
        """Restart the child, and those that its strategy restarts with it, unless that is once too often."""
        child, most = record.spec.id, self._intensity
        if self._counted == "restarts":
            self._restarts.append((now, f"{child}: {why}"))
            while self._restarts[0][0] < now - most.period:
                self._restarts.popleft()
            if len(self._restarts) > most.restarts:
                story = f"more than {most.restarts} restarts in {most.period:g} s; the last was for {child}: {why}"
                before = [f"{told} ({now - when:.3g} s earlier)" for when, told in list(self._restarts)[:-1]]
                return self._end(
                    Escalate(child, "; before that ".join([story, ", ".join(before)]) if before else story)
                )
        wait = self._backoff.delay(record.tries, self._rng) if record.tries else 0.0
        record.tries += 1
        members = self._restarted_with(child)
        left = dict.fromkeys(self._rounds[each] for each in members if each in self._rounds)
        for each in members:
            around = self._rounds.pop(each, None)
            if around is not None:
                del around.members[each]
        actions = self._open(members, now, now + wait, stopping=True)
        for around in left:
            if self._strategy is Strategy.ONE_FOR_ONE:
                actions += self._advance(around, now)
            else:
                # Those that are left are up, and need no restart.
                self._close(around)
        return actions

    def _restarted_with(self, child: str) -> list[str]:
        if self._strategy is Strategy.ONE_FOR_ONE:
            return [child]
        names = list(self._children)
        first = names.index(child) if self._strategy is Strategy.REST_FOR_ONE else 0
        # A child before it may be on its way up, by request: tied children are in one round, so it joins this one.
        early = [name for name in names[:first] if name in self._rounds and self._children[name].status is not _UP]
        return early + names[first:]

    def _open(self, members: Sequence[str], now: float, due: float, *, stopping: bool) -> list[Action]:
        around = Round(members, due, stopping=stopping)
        for child in members:
            self._rounds[child] = around
            if not self._children[child].alive:
                self._children[child].status = ChildStatus.WAITING
        return self._advance(around, now)

    def _advance(self, around: Round, now: float) -> list[Action]:
        """Take the next step of a round."""
        members = [self._children[child] for child in around.members]
        if around.stopping:
            alive = [each for each in members if each.alive]
            if alive:
                if any(each.status is ChildStatus.STOPPING for each in alive):
                    return []
                alive[-1].status = ChildStatus.STOPPING
                return [Stop((alive[-1].spec.id,))]
            around.stopping = False
        if any(each.status is ChildStatus.STARTING for each in members):
            return []
        following = next((each for each in members if each.status is ChildStatus.WAITING), None)
        if following is None:
            self._close(around)
            return []
        if now < around.due:
            return [Later(around.due - now)]
        following.status = ChildStatus.STARTING
        return [Start((following.spec.id,), again=not following.new or following.tries > 0)]

    def _waits(self, around: Round) -> bool:
        members = [self._children[child].status for child in around.members]
        return not around.stopping and ChildStatus.WAITING in members and ChildStatus.STARTING not in members

    def _close(self, around: Round) -> None:
        for child in around.members:
            del self._rounds[child]

    def _start_on_request(self, child: str, now: float) -> list[Action]:
        record = self._children[child]
        record.on_request = True
        # A strategy that ties children together has them started one after the other.
        around = next(iter(self._rounds.values()), None) if self._strategy is not Strategy.ONE_FOR_ONE else None
        if around is None:
            return self._open([child], now, now, stopping=False)
        self._rounds[child] = around
        around.members = {each: None for each in self._children if self._rounds.get(each) is around}
        record.status = ChildStatus.WAITING
        return []

    def _leave(self, child: str, now: float) -> list[Action]:
        """Take a child out of its round, which goes on without it."""
        around = self._rounds.pop(child, None)
        if around is None:
            return []
        del around.members[child]
        return self._advance(around, now)

    def _forget(self, child: str, now: float) -> list[Action]:
        actions = self._leave(child, now)
        del self._children[child]
        return actions

    def _end(self, last: Escalate | Finish) -> list[Action]:
        if self._last is not None:
            return []
        self._last = last
        self._rounds.clear()
        self._left = {child: None for child, record in self._children.items() if record.alive}
        for record in self._children.values():
            if record.status is ChildStatus.WAITING:
                record.status = ChildStatus.DOWN
        if not self._parallel:
            return self._end_next()
        asked = [child for child in reversed(self._left) if self._children[child].status is not ChildStatus.STOPPING]
        for child in asked:
            self._children[child].status = ChildStatus.STOPPING
        return [Stop(tuple(asked))] if asked else self._end_next()

    def _end_next(self) -> list[Action]:
        if not self._left:
            return [self._last] if self._last is not None else []
        record = self._children[next(reversed(self._left))]
        if record.status is ChildStatus.STOPPING:
            return []
        record.status = ChildStatus.STOPPING
        return [Stop((record.spec.id,))]

    def _together(self, steps: Iterable[list[Action]]) -> list[Action]:
        """Make one `Start` of all starts: none of these waits for another."""
        actions = [action for step in steps for action in step]
        starts = [action for action in actions if isinstance(action, Start)]
        if len(starts) < 2:
            return actions
        merged = Start(tuple(child for start in starts for child in start.children), any(s.again for s in starts))
        return [merged, *(action for action in actions if not isinstance(action, Start))]

    # What it is asked for that cannot be.

    def _accept(self, spec: ChildSpec) -> None:
        if spec.id in self._children:
            allowed = "an id that no other child has"
            raise ConfigError(f"child {spec.id!r}: id takes {allowed}", key="id", value=spec.id, allowed=allowed)
        if spec.significant and self._auto_shutdown == "never":
            allowed = "False where auto_shutdown is never"
            message = f"child {spec.id!r}: significant takes {allowed}"
            raise ConfigError(message, key="significant", value=True, allowed=allowed)
        self._children[spec.id] = Child(spec)

    def _known(self, child: str) -> Child:
        if child not in self._children:
            allowed = ", ".join(self._children) or "none: there are no children"
            raise ConfigError(
                f"there is no child {child!r}; known: {allowed}", key="child", value=child, allowed=allowed
            )
        return self._children[child]

    def _must_be_down(self, child: str) -> None:
        status = self._known(child).status
        if status is not ChildStatus.DOWN:
            message = f"child {child!r} is {status.value}; it must be down: terminate it first"
            raise ConfigError(message, key="child", value=child, allowed="a child that is down")

    def _must_go_on(self, wish: str) -> None:
        if self._last is not None:
            raise SystemClosed(f"cannot {wish}: the supervisor is ending ({self._last.why})")
