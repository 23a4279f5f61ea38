"""What all machines have in common that drive a whole system in virtual time."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple

from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.control import current_build_context
from hypothesis.stateful import RuleBasedStateMachine, rule

from actors.config import SystemConfig
from actors.runtime.worker_type import WorkerLike
from actors.testing.errors import InvariantBroken
from actors.testing.failure import failure_text
from actors.testing.faults import CALM, FaultPlan
from actors.testing.machines.deviations import Deviations
from actors.testing.sim.choices import Choices
from actors.testing.simulation import Simulation
from actors.worker import Worker

__all__ = ["Origin", "SimulatedMachine", "Step"]

_LOGS = (logging.getLogger("actors"), logging.getLogger("asyncio"))
# Where Hypothesis keeps what its decorators have found out.
_RULE = "hypothesis_stateful_rule"
_INITIALIZE = "hypothesis_stateful_initialize_rule"
_INVARIANT = "hypothesis_stateful_invariant"
# Virtual seconds that the first agents have to start, some of which may not be able to.
_START = 5.0
# Long runs find little more than short ones, and take longer to be made small.
_STEPS = 25
_MODULE_OF_REPLAY = "actors.testing"


class Step(NamedTuple):
    """A rule that was called. `result` is what it gave."""

    name: str
    arguments: Mapping[str, Any]
    result: Any


@dataclass(frozen=True)
class Origin:
    """Where the choices of a machine come from that Hypothesis does not run.

    Args:
        choices: all of them.
        faults: the plan, where the machine leaves it to Hypothesis.
    """

    choices: Choices
    faults: FaultPlan | None = None

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Machines that are made in this block take their choices from here."""
        token = _ORIGIN.set(self)
        try:
            yield
        finally:
            _ORIGIN.reset(token)


_ORIGIN: ContextVar[Origin | None] = ContextVar("actors_testing_origin", default=None)


class SimulatedMachine(RuleBasedStateMachine):
    """A machine whose rules act on a system in virtual time.

    When a rule, an invariant or the end fails, and Hypothesis has made the case as small as it can, it prints what
    happened, where the picture of it is, and the lines that run it again.

    Class attributes, each to be set in a class of one's own:
        agents: which workers, and how many agents of each: as for `ActorSystem`.
        faults: what goes wrong: a `FaultPlan`, or a strategy for one.
        config, max_agents, allow: as for `Simulation`.
        longest: virtual seconds that all work may take to end when nothing goes wrong any more.
        started: whether the agents that there are from the beginning have started when the first rule is called.

    Attributes:
        sim: the simulation; `sim.system` is the system.
        plan: what goes wrong in this run.
    """

    agents: ClassVar[Mapping[Any, int | tuple[int, int]] | Iterable[WorkerLike]] = ()
    faults: ClassVar[FaultPlan | st.SearchStrategy[FaultPlan]] = CALM
    config: ClassVar[SystemConfig | None] = None
    max_agents: ClassVar[int | None] = None
    allow: ClassVar[Iterable[str]] = ()
    longest: ClassVar[float] = 100_000.0
    started: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, marked in _marked(cls, _RULE, _INITIALIZE):
            if not isinstance(marked.function, _Recorded):
                marked.function = _Recorded(name, marked.function)
        # To explain a failure, Hypothesis would run it a hundred times more; here the history explains it.
        phases = tuple(phase for phase in settings().phases if phase is not Phase.explain)
        cls.TestCase.settings = settings(
            deadline=None, suppress_health_check=list(HealthCheck), stateful_step_count=_STEPS, phases=phases
        )

    def __init__(self) -> None:
        super().__init__()
        origin = _ORIGIN.get()
        given = type(self).faults
        self._replayed = origin is not None
        self._drawn = not isinstance(given, FaultPlan)
        self.choices: Choices
        self.plan = given if isinstance(given, FaultPlan) else CALM
        if origin is not None:
            self.plan = origin.faults or self.plan
            self.choices = origin.choices
        else:
            data = st.data().do_draw(current_build_context().data)
            if not isinstance(given, FaultPlan):
                self.plan = data.conjecture_data.draw(given)
            self.choices = Deviations(data, faults=self.plan.any)
        self.steps: list[Step] = []
        self._told = False
        # What the system has to say of faults that are there on purpose would drown what is to be read.
        self._levels = [log.level for log in _LOGS]
        for log in _LOGS:
            log.setLevel(logging.CRITICAL)
        try:
            self.sim = self.make_simulation()
            self.sim.__enter__()
            if type(self).started:
                self.sim.run_until(self._all_started, _START)
            self.begin()
        except BaseException:
            self._close()
            raise

    # --- for subclasses ---

    def make_simulation(self) -> Simulation:
        """The simulation, made from the attributes of the class."""
        cls = type(self)
        return Simulation(
            cls.agents,
            choices=self.choices,
            faults=self.plan,
            config=cls.config,
            max_agents=cls.max_agents,
            allow=cls.allow,
            workspaces=False,
        )

    @rule()
    def rests(self) -> None:
        """All work comes to its end."""
        self.at_end()
        self.sim.run_until(self.sim.at_rest, self.longest)
        self.at_rest()

    def begin(self) -> None:
        """Called once the system has started, before the first rule."""

    def at_end(self) -> None:
        """Called before all work is let come to its end: take away what holds it back."""

    def at_rest(self) -> None:
        """Called whenever all work is done: by the rule `rests`, and at the end of a run.

        Check here what must be so then, with `assert`.
        """

    def workers(self, kind: type[Worker] | None = None) -> list[Any]:
        """The workers of the agents that live and have started, by the order of their start.

        Args:
            kind: of this class alone.
        """
        found = []
        for handle in self.sim.host.agents.values():
            worker = handle.sim.worker
            if worker is not None and (kind is None or isinstance(worker, kind)):
                found.append(worker)
        return found

    def agent_ids(self) -> list[str]:
        """The ids of the agents that live; those first that have a task in hand."""
        living = [handle.sim for handle in self.sim.host.agents.values()]
        return [sim.spec.agent for sim in sorted(living, key=lambda sim: (not sim.in_body, sim.spec.agent))]

    # --- one run ---

    def take_step(self, name: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """Call a rule, and write it down; for who calls rules."""
        self.choices.new_step()
        self.steps.append(Step(name, arguments, None))
        self.sim.note(_call(name, arguments, self._names()))
        result = function(self, **arguments)
        self.steps[-1] = Step(name, arguments, result)
        return result

    def check_all(self) -> None:
        """Check all invariants of the class, where Hypothesis does not: at the end, and in `replay`."""
        for _, marked in _marked(type(self), _INVARIANT):
            if all(holds(self) for holds in marked.preconditions):
                marked.function(self)

    def teardown(self) -> None:
        """The end of a run: all work comes to its end, and what must hold then is checked."""
        failed = sys.exception()
        try:
            if failed is None:
                self.choices.new_step()
                self.sim.calm_down()
                self.at_end()
                self.sim.settle(self.longest)
                self.check_all()
                self.at_rest()
                self.sim.__exit__(None, None, None)
        except BaseException as error:
            self._tell(error)
            raise
        else:
            if failed is not None:
                self._tell(failed)
        finally:
            self._close()

    @classmethod
    def steps_by_name(cls) -> dict[str, Callable[..., Any]]:
        """The rules of the class as functions of a machine and the rule's arguments."""
        return {name: _plain(marked.function) for name, marked in _marked(cls, _RULE, _INITIALIZE)}

    def code(self) -> str:
        """The lines that run this run again."""
        cls = type(self)
        given = [cls.__name__]
        if script := self.choices.script():
            given.append(f'script="{script}"')
        if self._drawn:
            given.append(f"faults={_plan_code(self.plan)}")
        lines = [f"from {_MODULE_OF_REPLAY} import replay"]
        if self._drawn:
            lines.append(f"from {FaultPlan.__module__} import FaultPlan")
        lines += ["", f"with replay({', '.join(given)}) as machine:"]
        names = self._names()
        used = " ".join(_call(step.name, step.arguments, names) for step in self.steps)
        for step in self.steps:
            named = names.get(id(step.result), "")
            assigned = f"{named} = " if named and named in used else ""
            lines.append(f"    {assigned}machine.{_call(step.name, step.arguments, names)}")
        if not self.steps:
            lines.append("    pass")
        return "\n".join(lines)

    # --- inside ---

    def _all_started(self) -> bool:
        living = self.sim.host.agents.values()
        return len(living) >= self.sim.least and all(handle.sim.worker is not None for handle in living)

    def _names(self) -> dict[int, str]:
        """Names for what rules have given, by identity: another rule may take it."""
        named = (step.result for step in self.steps if step.result is not None)
        return {id(result): f"v{number}" for number, result in enumerate(named, 1)}

    def _tell(self, error: BaseException) -> None:
        """Tell of the failure, if it is one, and the last: not each of those that Hypothesis tries on its way."""
        if self._told or not (self._replayed or current_build_context().is_final):
            return
        self._told = True
        name = error.invariant if isinstance(error, InvariantBroken) else self._broken_by(error)
        self.sim.mark_broken(name, str(error).strip().partition("\n")[0])
        text = failure_text(self.sim.history, type(self).__name__, self.code())
        if self._replayed:
            error.add_note(text)
        else:
            note(text)

    def _broken_by(self, error: BaseException) -> str:
        """The rule or invariant of the class that raised an error; else the kind of the error."""
        names = {name for name, _ in _marked(type(self), _RULE, _INITIALIZE, _INVARIANT)} | {"at_rest"}
        place = error.__traceback__
        found = type(error).__name__
        while place is not None:
            if place.tb_frame.f_code.co_name in names and place.tb_frame.f_locals.get("self") is self:
                found = place.tb_frame.f_code.co_name
            place = place.tb_next
        return found

    def _close(self) -> None:
        for log, level in zip(_LOGS, self._levels, strict=True):
            log.setLevel(level)
        if hasattr(self, "sim"):
            self.sim.close()


class _Recorded:
    """A rule's function that a machine calls through `take_step`."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.__name__ = name
        self.function = function

    def __call__(self, machine: Any, /, **arguments: Any) -> Any:
        if isinstance(machine, SimulatedMachine):
            return machine.take_step(self.__name__, self.function, arguments)
        return self.function(machine, **arguments)


def _marked(cls: type[Any], *markers: str) -> list[tuple[str, Any]]:
    """What Hypothesis' decorators have marked in a class: names and marks."""
    found = []
    for name, value in inspect.getmembers(cls):
        for marker in markers:
            mark = getattr(value, marker, None)
            if mark is not None:
                found.append((name, mark))
    return found


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    return function.function if isinstance(function, _Recorded) else function


def _call(name: str, arguments: Mapping[str, Any], names: Mapping[int, str]) -> str:
    shown = [f"{key}={names.get(id(value)) or repr(value)}" for key, value in arguments.items()]
    return f"{name}({', '.join(shown)})"


def _plan_code(plan: FaultPlan) -> str:
    """A plan as the code that makes it."""
    plain = FaultPlan()
    named = [(item.name, getattr(plan, item.name)) for item in fields(plan)]
    return f"FaultPlan({', '.join(f'{name}={value!r}' for name, value in named if value != getattr(plain, name))})"
