"""What a program of the campaign does with the system: random calls, each with what may come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

from actors.config import Limits
from actors.errors import (
    ActorsError,
    AgentDied,
    AgentLimitReached,
    AskTimeout,
    ConfigError,
    DeadLetter,
    DependencyFailed,
    JournalError,
    LimitExceeded,
    MessageRefused,
    NoSuitableAgent,
    TaskCancelled,
    TaskExited,
    TaskTimeout,
)
from actors.future import TaskFuture
from actors.protocol.events import (
    Event,
    TaskAssigned,
    TaskCancelledEvent,
    TaskCompleted,
    TaskFailed,
    TaskRetried,
    TaskStarted,
    TaskSubmitted,
)
from actors.testing.campaign.composing import Composing
from actors.testing.campaign.contending import Sharing
from actors.testing.campaign.hardships import Hardships
from actors.testing.campaign.hearing import Hearing
from actors.testing.campaign.leading import Leading
from actors.testing.campaign.rationing import Rationing
from actors.testing.campaign.workers import Clerk, Question, Runner, Specialist
from actors.testing.simulation import Simulation

__all__ = ["Program"]

_HARM = (
    AgentDied,
    NoSuitableAgent,
    LimitExceeded,
    AskTimeout,
    DeadLetter,
    DependencyFailed,
    JournalError,
    TaskCancelled,
)
"""What may come of any task once something went wrong on purpose."""

_TASK_EVENTS = (
    TaskSubmitted,
    TaskAssigned,
    TaskStarted,
    TaskCompleted,
    TaskFailed,
    TaskRetried,
    TaskCancelledEvent,
)
_LAST = (TaskCompleted, TaskFailed, TaskCancelledEvent)
_NOTHING = object()


class _Handed(NamedTuple):
    """A task that was handed in, and what may come of it."""

    name: str
    future: TaskFuture[Any]
    value: Any
    errors: tuple[type[BaseException], ...]
    after: tuple[TaskFuture[Any], ...]


class Program:
    """Acts on the system of a simulation, by its choices, and judges what comes of it.

    Args:
        sim: the simulation.
        harmless: no fault is planned, and nothing here does harm either.
    """

    def __init__(self, sim: Simulation, *, harmless: bool) -> None:
        self.sim = sim
        self.system = sim.system
        self.choices = sim.choices
        self.harmless = harmless
        self._handed: list[_Handed] = []
        self._events: dict[str, list[Event]] = {}
        self._listens = False
        # Whether there were tasks before anybody listened: what is told of these begins in their middle.
        self._silent = bool(sim.system.recovered())
        # Whether something went wrong that somebody did here.
        self._harmed = False
        self._number = 0
        self._gentle: tuple[Callable[[], None], ...] = (
            self._add,
            self._add,
            self._many,
            self._depend,
            self._slow,
            self._flaky,
            self._fails,
            self._once,
            self._nest,
            self._fetch,
            self._gather,
            self._hard,
            self._endless,
            self._leaves,
            self._cancel,
            self._cancel,
            self._pass_time,
            self._pass_time,
            self._ask,
            self._ask_other,
            self._tell_all,
            self._listen,
            self._pause,
            self._map,
            self._look,
            self._take,
        )
        self._harmful: tuple[Callable[[], None], ...] = (
            self._kill,
            self._kill,
            self._hang,
            self._terminate,
            self._restart,
            self._spawn,
            self._scale,
            self._limit,
        )
        self._small: tuple[Callable[[], None], ...] = (
            self._add,
            self._fails,
            self._fetch,
            self._hard,
            self._leaves,
            self._ask,
            self._tell_all,
            self._take,
        )
        self._hardships = Hardships(self)
        leading = Leading(self)
        self._hearing = Hearing(self)
        for further in (self._hardships, Rationing(self), Sharing(self), leading, Composing(self), self._hearing):
            self._gentle += further.gentle
        self._harmful += self._hardships.harmful + leading.harmful

    @property
    def handed(self) -> int:
        """How many tasks it has handed in."""
        return len(self._handed)

    def futures(self) -> list[TaskFuture[Any]]:
        """Those of all tasks that it has handed in."""
        return [each.future for each in self._handed]

    def harmed(self) -> None:
        """Something goes wrong from now on that may cost tasks their outcome."""
        self._harmed = True

    def act(self, *, small: bool = False) -> None:
        """Do one thing; if asked for, one of those that take few steps."""
        acts = self._small if small else self._gentle if self.harmless else self._gentle + self._harmful
        acts[self.choices.below(len(acts), "act")]()

    # --- handing in ---

    def number(self) -> int:
        """One that no task has had yet."""
        self._number += 1
        return self._number

    def submit(
        self, call: Any, *args: Any, value: Any = _NOTHING, errors: Iterable[type[BaseException]] = (), **options: Any
    ) -> TaskFuture[Any]:
        """Hand in a task.

        Args:
            call: a task method or a function.
            *args: its arguments.
            value: what it gives; left out: it is not to give anything.
            errors: what it may fail with although nothing went wrong.
            **options: of the submission.
        """
        priority = 1 + (self.choices.below(4, "priority") + 1) % 4
        future: TaskFuture[Any] = self.system.options(priority=priority, **options).submit(call, *args)
        name, after = getattr(call, "name", "function"), tuple(options.get("after", ()))
        self._handed.append(_Handed(name, future, value, tuple(errors), after))
        return future

    def _add(self) -> None:
        a, b = self.number(), self.choices.below(10, "argument")
        key = ("x", "y")[self.choices.below(2, "key")] if self.choices.below(4, "keyed") == 3 else None
        self.submit(Clerk.add, a, b, value=a + b, key=key)

    def _many(self) -> None:
        for _ in range(2 + self.choices.below(8, "count")):
            self._add()

    def _depend(self) -> None:
        """On one or two earlier ones, whose outcome may be bad."""
        if not self._handed:
            return
        before = [self._earlier() for _ in range(1 + self.choices.below(2, "dependencies"))]
        number = self.number()
        errors: list[type[BaseException]] = []
        if any(each.value is _NOTHING or each.future.done() or each.errors for each in before):
            errors.append(DependencyFailed)
        # Somebody may cancel what it depends on later.
        errors.append(DependencyFailed)
        self.submit(
            Specialist.hard, number, value=number * number, errors=errors, after=[each.future for each in before]
        )

    def _slow(self) -> None:
        number = self.number()
        self.submit(Clerk.slow, number, 0.1 * self.choices.below(30, "seconds"), value=number)

    def _flaky(self) -> None:
        number = self.number()
        self.submit(Clerk.flaky, number, 1 + self.choices.below(4, "good from"), value=number)

    def _fails(self) -> None:
        call = (Clerk.fails, Runner.fails)[self.choices.below(2, "who")]
        self.submit(call, self.number(), errors=(LookupError,))

    def _once(self) -> None:
        number = self.number()
        self.submit(Clerk.once, number, value=number)

    def _nest(self) -> None:
        width, depth = 1 + self.choices.below(3, "width"), 1 + self.choices.below(2, "depth")
        total = sum(width**level for level in range(depth + 1))
        self.submit(Clerk.nest, width, depth, value=total)

    def _fetch(self) -> None:
        number = self.number()
        self.submit(Runner.fetch, number, 0.05 * self.choices.below(10, "seconds"), value=number)

    def _gather(self) -> None:
        width = 1 + self.choices.below(4, "width")
        self.submit(Runner.gather, width, value=sum(range(width)))

    def _hard(self) -> None:
        number = self.number()
        self.submit(Specialist.hard, number, value=number * number, requires={"rare"})

    def _endless(self) -> None:
        self.submit(Clerk.endless, self.number(), errors=(TaskTimeout,))

    def _leaves(self) -> None:
        self.submit(Clerk.leaves, self.choices.below(3, "code"), errors=(TaskExited,))

    def _map(self) -> None:
        self._silent = self._silent or not self._listens
        numbers = range(1 + self.choices.below(6, "items"))
        got = []
        try:
            got = list(self.system.map(Clerk.add, numbers, numbers))
        except _HARM as error:
            self._must(self.is_harmed(), f"map raised {error!r}, and nothing went wrong")
            return
        self._must(got == [2 * number for number in numbers], f"map gave {got}")

    def _earlier(self) -> _Handed:
        return self._handed[-1 - self.choices.below(min(len(self._handed), 16), "which")]

    def _cancel(self) -> None:
        if self._handed:
            handed = self._earlier()
            done = handed.future.done()
            self._must(handed.future.cancel("by the program") != done or handed.future.cancelled(), "cancel lied")

    def _take(self) -> None:
        if self._handed:
            future = self._earlier().future
            if future.done():
                # Asked for by whoever waits; what it gives is judged at the end.
                future.exception() if not future.cancelled() else None

    # --- time, looks and talk ---

    def _pass_time(self) -> None:
        self.sim.run((0.001, 0.01, 0.1, 1.0, 5.0, 20.0)[self.choices.below(6, "time")])

    def _pause(self) -> None:
        self.system.pause()
        self._many()
        self.sim.run(0.01)
        self.system.resume()

    def _look(self) -> None:
        self.system.status()
        self.system.queue()
        for each in self.system.agents():
            each.to_dict()
        if self._handed:
            self.system.explain(self._earlier().future.task_id)

    def _some_agent(self) -> str | None:
        agents = self.system.agents()
        return agents[self.choices.below(len(agents), "agent")].agent if agents else None

    def _ask(self) -> None:
        agent = self._some_agent()
        if agent is None or agent.startswith("specialist"):
            return
        number = self.number()
        try:
            answer = self.system.ask(agent, Question(number), timeout=10)
        except (AgentDied, AskTimeout, DeadLetter, MessageRefused):
            # It may be busy with something long, still starting, or gone.
            return
        self._must(answer == 2 * number, f"{agent} answered {answer} to {number}")

    def _ask_other(self) -> None:
        agent = self._some_agent()
        if agent is not None and not agent.startswith("specialist"):
            number = self.number()
            self.submit(
                Clerk.ask_other,
                agent,
                number,
                value=2 * number,
                errors=(AgentDied, AskTimeout, DeadLetter, MessageRefused),
            )

    def _tell_all(self) -> None:
        self.system.tell("*", Question(0))

    def _listen(self) -> None:
        if not self._listens and not self._handed and not self._silent:
            self._listens = True
            self.system.subscribe(_TASK_EVENTS, self._heard)

    def _heard(self, event: Any) -> None:
        self._events.setdefault(event.task_id, []).append(event)

    # --- doing harm ---

    def _kill(self) -> None:
        agent = self._some_agent()
        if agent is not None:
            self._harmed |= self.sim.kill(agent)

    def _hang(self) -> None:
        if self.choices.below(4, "hang") == 3:
            agent = self._some_agent()
            if agent is not None:
                self._harmed |= self.sim.hang(agent)

    def _end(self, end: Callable[..., None]) -> None:
        agent = self._some_agent()
        if agent is not None:
            self._harmed = True
            try:
                end(agent, timeout=(0.0, 0.5, 30.0)[self.choices.below(3, "grace")], reason="by the program")
            except (ConfigError, AskTimeout):
                # It has just ended.
                return

    def _terminate(self) -> None:
        self._end(self.system.terminate)

    def _restart(self) -> None:
        self._end(self.system.restart)

    def _spawn(self) -> None:
        kind = (Clerk, Runner, Specialist)[self.choices.below(3, "type")]
        with suppress(AgentLimitReached, AgentDied, OSError):
            self.system.spawn(kind)

    def _scale(self) -> None:
        kind = (Clerk, Runner)[self.choices.below(2, "type")]
        self._harmed = True
        with suppress(AgentLimitReached):
            self.system.scale(kind, (0, 1 + self.choices.below(3, "most")))

    def _limit(self) -> None:
        agent = self._some_agent()
        if agent is not None:
            # It may just have ended.
            with suppress(ActorsError):
                self.system.set_limits(agent, Limits(memory="512M"))

    # --- judging ---

    def finish(self) -> None:
        """Judge what has come of everything, once all work is done.

        Raises:
            InvariantBroken: something that may not be.
        """
        for handed in self._handed:
            self._judge(handed)
        if self._listens:
            # What was told last is still on its way to the handler.
            self.sim.run(1.0)
            for task_id, events in self._events.items():
                self._judge_events(task_id, events)
            taken = [future.task_id for future in self.futures() if future.was_accepted]
            unheard = [task_id for task_id in taken if task_id not in self._events]
            self._must(not unheard, f"nothing was told of {', '.join(unheard)}", "B5")
        self._hardships.finish()
        self._hearing.finish(complete=not self.is_harmed())

    def is_harmed(self) -> bool:
        """Whether something went wrong that may cost tasks their outcome."""
        return self._harmed or self.sim.host.injected > 0

    def _judge(self, handed: _Handed) -> None:
        name, future, value, errors, after = handed
        which = f"{future.task_id} ({name})"
        self._must(future.done(), f"{which} has no outcome")
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            self._must(value is not _NOTHING and future.result() == value, f"{which} gave {future.result()!r}")
            return
        allowed = errors + (_HARM if self.is_harmed() else ())
        if not all(each.was_accepted for each in after):
            # Nobody can wait for what was refused, by a circuit breaker or because it cannot be kept.
            allowed += (ConfigError,)
        ends = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
        self._must(all(isinstance(each, allowed) for each in ends), f"{which} failed with {error!r}")

    def _judge_events(self, task_id: str, events: list[Event]) -> None:
        kinds = [type(event) for event in events]
        last = [kind for kind in kinds if kind in _LAST]
        told = ", ".join(kind.__name__ for kind in kinds)
        self._must(len(last) == 1, f"the events of {task_id} have {len(last)} ends: {told}", "B5")
        self._must(kinds[0] is TaskSubmitted and kinds.count(TaskSubmitted) == 1, f"{task_id} begins with {told}", "B5")
        self._must(kinds[-1] in _LAST, f"the events of {task_id} go on after its end: {told}", "B5")

    def _must(self, holds: bool, text: str, requirement: str = "D8") -> None:  # noqa: FBT001 - as `assert`
        if not holds:
            self.sim.break_promise("TheProgramGetsWhatItIsPromised", requirement, text)
