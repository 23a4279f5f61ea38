"""Says who takes the next step of a simulation, from a list that is the same for equal states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from actors.testing.exploring.trace import EVERYTHING, Event, Step, Trace
from actors.testing.history import Received, Sent
from actors.testing.sim.choices import Choices
from actors.testing.sim.conductor import WRITE, Conductor, Owner, Waiter
from actors.testing.simulation import Simulation

__all__ = [
    "TIME",
    "Cut",
    "ExploringChoices",
    "Impossible",
    "Recording",
    "Steering",
    "Unsound",
    "action_of",
    "agent_of",
    "anytime",
    "death_of",
    "floats",
]

TIME = "time"
"""The label of the step in which nobody does anything and the clock moves to what is due next."""

_ACTION, _DEATH = "action ", "death of "
_SIGKILL = 9
_INSTANT = 1e-9


class Cut(BaseException):
    """The state was reached before, so everything that comes after it is known."""


class Impossible(BaseException):
    """A step that was to be taken cannot be taken."""


class Unsound(AssertionError):
    """Two runs that were taken for equivalent are not: a step touched something that nobody told of."""


class _Action:
    """Something that the test does once, at a moment that is chosen."""

    owner: Owner | None = None

    def __init__(self, act: Callable[[], object], name: str) -> None:
        self.name = name
        self._act = act

    def step(self) -> None:
        """Do it."""
        self._act()


class _Death:
    """The end of an agent by signal 9, as a step."""

    owner: Owner | None = None

    def __init__(self, sim: Simulation, agent: Any) -> None:
        self.name = death_of(agent.name)
        self._sim = sim
        self._agent = agent

    def step(self) -> None:
        """Kill it."""
        self._sim.host.die(self._agent, _SIGKILL, None)


class _Option(NamedTuple):
    """What could happen next; time goes by if it has no player."""

    label: str
    player: Any


def anytime(sim: Simulation, act: Callable[[], object], name: str = "action") -> None:
    """Have something done once at most, at any moment from now on: a step like those of actors and agents.

    In the plain run of an exploration it is not done, in others at each moment at which that makes a difference. In a
    simulation that is not explored it is done when its turn comes.

    Args:
        sim: the simulation.
        act: what is done. It may send and cancel, and must not wait. What it reads beside futures and answers is not
            known to the exploration, which may then take two moments for equivalent that are not.
        name: what it is called; unique in a scenario.
    """
    sim.conductor.wake(_Action(act, name))


def action_of(name: str) -> str:
    """The label of the step in which the test does something that was given to `anytime`."""
    return f"{_ACTION}{name}"


def death_of(agent: str) -> str:
    """The label of the step in which an agent dies, by its id and incarnation."""
    return f"{_DEATH}{agent}"


def agent_of(label: str) -> str:
    """Whose death a label stands for; empty if it stands for none."""
    return label.removeprefix(_DEATH) if label.startswith(_DEATH) else ""


def floats(label: str) -> bool:
    """Whether a step needs nobody to be ready: it is a death, something that the test does, or time that goes by."""
    return label == TIME or label.startswith((_ACTION, _DEATH))


class Steering:
    """Picks who steps next, with deaths and the passing of time among what can be chosen.

    The list does not depend on the order in which steps that could change places were taken, so the same index means
    the same in equal states. The first of the list is the plain choice: the test goes on, then actors in the order of
    their starts, then agents; time goes by when none of them is ready. Then come actions and deaths.

    Args:
        sim: the simulation.
        deaths: how many agents may die.
        early: how often time may go by although somebody is ready.
    """

    def __init__(self, sim: Simulation, deaths: int, early: int) -> None:
        self.sim = sim
        self._conductor: Conductor = sim.conductor
        self._deaths = deaths
        self._early = early
        # Whether the scenario is over.
        self.over = False
        # Time goes by until then.
        self._until: float | None = None
        # Whether anybody is ready who does not wait for the plain course to end.
        self._somebody = False

    def begin(self) -> None:
        """From now on."""
        self._conductor.pick = self._pick

    def finish(self) -> None:
        """The scenario is over: let those who are ready take their steps, on the plain course."""
        self.over = True
        self.sim.run(_INSTANT)

    def end(self) -> None:
        """No longer."""
        self._conductor.pick = self._conductor.pick_any

    def _pick(self, ready: list[Any]) -> Any:
        if self._until is not None:
            if self._conductor.clock.monotonic() < self._until:
                return None
            self._until = None
        options = self._options(ready)
        if not options:
            return None
        _, player = options[self._decide(options)]
        if player is None:
            self._until = self._conductor.next_due()
            if self._somebody:
                self._early -= 1
        elif type(player) is _Death:
            self._deaths -= 1
        return player

    def _decide(self, options: Sequence[_Option]) -> int:
        return self._conductor.choices.below(len(options), "next")

    def _options(self, ready: list[Any]) -> list[_Option]:
        ranked = sorted(
            [(*_rank(player, place), player) for place, player in enumerate(ready)], key=lambda each: each[:3]
        )
        options: list[_Option] = []
        actions: list[_Option] = []
        seen: dict[str, int] = {}
        for rank, _, label, player in ranked:
            if rank == _LAST:
                actions.append(_Option(label, player))
                continue
            count = seen[label] = seen.get(label, 0) + 1
            options.append(_Option(label if count == 1 else f"{label} {count}", player))
        self._somebody = bool(options)
        if (not options or self._early > 0) and self._conductor.next_due() is not None:
            options.append(_Option(TIME, None))
        if self.over:
            return options
        # These are never the plain choice.
        options += actions
        if options and self._deaths > 0:
            agents = [handle.sim for handle in self.sim.host.agents.values()]
            options += [_Option(death_of(agent.name), _Death(self.sim, agent)) for agent in agents]
        return options


_LAST = 9


def _rank(player: Any, place: int) -> tuple[int, int, str]:
    if type(player) is _Action:
        return _LAST, 0, action_of(player.name)
    if player.owner is not None:
        return 3, 0, f"{player.owner.name} / {type(player).__name__.strip('_')} {player.name}"
    if type(player) is Waiter:
        return 1, 0, f"program {player.name}"
    # Actors come in the order in which they were started.
    return 2, place, f"actor {player.name}"


class ExploringChoices(Choices):
    """The choices of one run of an exploration."""

    def __init__(self) -> None:
        super().__init__()
        self.planned = 0
        # The choices inside the step that is being taken, and what they are to be.
        self.event: Event | None = None
        self.values: tuple[int, ...] = ()

    def _draw(self, n: int, what: str) -> int:
        event = self.event
        if event is None:
            return 0
        if what == "next":
            return self.planned
        place = len(event.points)
        value = min(self.values[place], n - 1) if place < len(self.values) else 0
        event.points.append((what, n, value))
        return value


class Recording(Steering):
    """Takes given steps, then the plain course, and makes a trace of it.

    Args:
        sim: the simulation.
        deaths: see `Steering`.
        early: see `Steering`.
        choices: the simulation's.
        steps: those that are taken first.
        hashes: of the events that they are to be; there may be fewer.
        known: called with the state after each step on the plain course; whether it was reached before.
    """

    def __init__(
        self,
        sim: Simulation,
        deaths: int,
        early: int,
        choices: ExploringChoices,
        steps: Sequence[Step],
        hashes: Sequence[int],
        known: Callable[[int], bool],
    ) -> None:
        super().__init__(sim, deaths, early)
        self.trace = Trace()
        # When the scenario was over: how many steps had been taken, and to which state they led.
        self.length: int | None = None
        self.state = 0
        self._choices = choices
        self._steps = steps
        self._hashes = hashes
        self._known = known
        self._event: Event | None = None
        self._mark = 0
        self._untold = self._conductor.touch

    def begin(self) -> None:
        """See `Steering.begin`."""
        super().begin()
        self._mark = len(self.sim.history.entries)
        self._untold, self._conductor.touch = self._conductor.touch, self._touch

    def finish(self) -> None:
        """See `Steering.finish`. What they do tells who is in a race with whom before the end."""
        self._close()
        self.length, self.state = len(self.trace.events), self.trace.state
        super().finish()

    def end(self) -> None:
        """See `Steering.end`."""
        super().end()
        self._close()
        self._choices.event = None
        self._conductor.touch = self._untold

    def _touch(self, what: str, how: int) -> None:
        if self._event is not None:
            self._event.touch(what, how)

    def _decide(self, options: Sequence[_Option]) -> int:
        self._close()
        labels = tuple([label for label, _ in options])
        place = len(self.trace.events)
        index = 0
        values: tuple[int, ...] = ()
        if self.over:
            if labels[0] == TIME:
                self._choices.event = None
                self._choices.planned = 0
                return super()._decide(options)
        elif place < len(self._steps):
            wanted, values = self._steps[place]
            if wanted not in labels:
                if place < len(self._hashes):
                    raise Unsound(f"{wanted} cannot step in a run that was taken for an equivalent one, only {labels}")
                raise Impossible(wanted)
            index = labels.index(wanted)
        elif self._known(self.trace.state):
            raise Cut
        label, player = options[index]
        event = self._event = self._choices.event = Event(label, labels, self.trace.state)
        for name in _own(label, player):
            event.touch(name, WRITE)
        self._choices.values = values
        self._choices.planned = index
        return super()._decide(options)

    def _close(self) -> None:
        """The step that was taken has come to its end."""
        event, self._event = self._event, None
        entries = self.sim.history.entries
        if event is None:
            # What the scenario did before it waited for the first time.
            self._mark = len(entries)
            return
        done = entries[self._mark :]
        self._mark = len(entries)
        # Times and numbers count what others did, too.
        content = [
            repr(("R", each.actor, each.fate))
            if type(each) is Received
            else repr(("S", each.sender, each.recipient, each.name))
            if type(each) is Sent
            else repr(each[1:])
            for each in done
        ]
        trace = self.trace
        trace.add(event, "; ".join(content))
        place = len(trace.events) - 1
        if place < len(self._hashes) and event.hash != self._hashes[place]:
            raise Unsound(f"{event.label} did not do the same in a run that was taken for an equivalent one: {content}")


def _own(label: str, player: Any) -> tuple[str, ...]:
    """What a step changes in any case."""
    if player is None:
        return (EVERYTHING,)
    if player.owner is not None:
        return (player.owner.name,)
    if type(player) is _Action:
        # It may ask futures, which the scheduler's steps change.
        return (label, "actor scheduler")
    if type(player) is _Death:
        return ()
    if type(player) is Waiter or not hasattr(player, "run"):
        # The test, or a thread of the library with code of users: nobody knows what they look at.
        return (EVERYTHING,)
    return (label,)
