"""What a program of the campaign does with the system: random calls, each with what may come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from actors.config import Limits
from actors.errors import (
    ActorsError,
    AgentDied,
    AgentLimitReached,
    AskTimeout,
    ConfigError,
    DeadLetter,
    DependencyFailed,
    MessageRefused,
    TaskExited,
    TaskTimeout,
)
from actors.future import TaskFuture
from actors.testing.campaign.composing import Composing
from actors.testing.campaign.contending import Sharing
from actors.testing.campaign.hardships import Hardships
from actors.testing.campaign.harvest import HARM, NOTHING, TASK_EVENTS, Handed, Harvest
from actors.testing.campaign.leading import Leading
from actors.testing.campaign.listening import Listening
from actors.testing.campaign.rationing import Rationing
from actors.testing.campaign.workers import Clerk, Question, Runner, Specialist
from actors.testing.simulation import Simulation

__all__ = ["Program"]


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
        self._harvest = Harvest(sim)
        # Whether there were tasks before anybody listened: what is told of these begins in their middle.
        self._silent = bool(sim.system.recovered())
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
        self._listening = Listening(self)
        parts = (self._hardships, Rationing(self), Sharing(self), Leading(self), Composing(self), self._listening)
        for part in parts:
            self._gentle += part.gentle
            self._harmful += part.harmful

    @property
    def handed(self) -> int:
        """How many tasks it has handed in."""
        return len(self._harvest.handed)

    def futures(self) -> list[TaskFuture[Any]]:
        """Those of all tasks that it has handed in."""
        return [each.future for each in self._harvest.handed]

    def harmed(self) -> None:
        """Something goes wrong from now on that may cost tasks their outcome."""
        self._harvest.harmed = True

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
        self, call: Any, *args: Any, value: Any = NOTHING, errors: Iterable[type[BaseException]] = (), **options: Any
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
        self._harvest.handed.append(Handed(name, future, value, tuple(errors), after))
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
        if not self._harvest.handed:
            return
        before = [self._earlier() for _ in range(1 + self.choices.below(2, "dependencies"))]
        number = self.number()
        errors: list[type[BaseException]] = []
        if any(each.value is NOTHING or each.future.done() or each.errors for each in before):
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
        self._silent = self._silent or not self._harvest.listens
        numbers = range(1 + self.choices.below(6, "items"))
        got = []
        try:
            got = list(self.system.map(Clerk.add, numbers, numbers))
        except HARM as error:
            self._harvest.must(self.is_harmed(), f"map raised {error!r}, and nothing went wrong")
            return
        self._harvest.must(got == [2 * number for number in numbers], f"map gave {got}")

    def _earlier(self) -> Handed:
        return self._harvest.handed[-1 - self.choices.below(min(len(self._harvest.handed), 16), "which")]

    def _cancel(self) -> None:
        if self._harvest.handed:
            handed = self._earlier()
            done = handed.future.done()
            self._harvest.must(
                handed.future.cancel("by the program") != done or handed.future.cancelled(), "cancel lied"
            )

    def _take(self) -> None:
        if self._harvest.handed:
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
        if self._harvest.handed:
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
        self._harvest.must(answer == 2 * number, f"{agent} answered {answer} to {number}")

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
        if not self._harvest.listens and not self._harvest.handed and not self._silent:
            self._harvest.listens = True
            self.system.subscribe(TASK_EVENTS, self._harvest.heard)

    # --- doing harm ---

    def _kill(self) -> None:
        agent = self._some_agent()
        if agent is not None:
            self._harvest.harmed |= self.sim.kill(agent)

    def _hang(self) -> None:
        if self.choices.below(4, "hang") == 3:
            agent = self._some_agent()
            if agent is not None:
                self._harvest.harmed |= self.sim.hang(agent)

    def _end(self, end: Callable[..., None]) -> None:
        agent = self._some_agent()
        if agent is not None:
            self._harvest.harmed = True
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
        self._harvest.harmed = True
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
        self._harvest.judge()
        self._hardships.finish()
        self._listening.finish(complete=not self.is_harmed())

    def is_harmed(self) -> bool:
        """Whether something went wrong that may cost tasks their outcome."""
        return self._harvest.is_harmed()
