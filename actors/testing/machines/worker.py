"""Machines for workers of one's own: their tasks and handlers as rules, driven through the real protocol."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeAlias, cast

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument, ResolutionFailed
from hypothesis.stateful import invariant, precondition, rule

from actors.config import SystemConfig
from actors.errors import ActorsError, ConfigError
from actors.hosts.taskmethod import TaskMethod
from actors.kernel.handlers import HandlerTable
from actors.testing.faults import CALM, FaultPlan
from actors.testing.machines.called import Asked, Call
from actors.testing.machines.simulated import SimulatedMachine
from actors.worker import ConfiguredWorker, Worker

__all__ = ["WorkerMachine", "asks", "calls", "tells", "worker_machine"]

Rule: TypeAlias = Callable[..., None]
"""What stands in the body of a machine's class."""

# How Hypothesis' decorator names what is no argument of a rule.
_TAKEN = frozenset({"self", "target", "targets"})
_TIMES = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
_BACK = 15
_STEPS = 24


class WorkerMachine(SimulatedMachine):
    """Drives workers in a simulation: submits their tasks, asks and tells them, kills agents, cancels, lets time pass.

    Derive from it, or from what `worker_machine` gives; name the agents, and add rules made by `calls`, `asks` and
    `tells`, rules of your own and invariants. A rule that you do not want is taken away by `kills = None`.

    Class attributes, beside those of `SimulatedMachine`:
        errors: what tasks and handlers may raise. Other exceptions of theirs fail the run. By default what can befall any
            task, as `AgentDied`.

    Attributes:
        sim, plan: see `SimulatedMachine`.
        calls: what was submitted, in order: each with its `future`.
        asked: what was asked, in order.

    Example:
        class AccountMachine(WorkerMachine):
            agents = {Account: 2}
            faults = ROUGH
            pay = calls(Account.pay, amount=st.integers(1, 100))

            @invariant()
            def never_negative(self):
                assert all(account.balance >= 0 for account in self.workers(Account))

        TestAccount = AccountMachine.TestCase
    """

    errors: ClassVar[tuple[type[BaseException], ...]] = (ActorsError,)

    def begin(self) -> None:
        """See `SimulatedMachine.begin`."""
        self.calls: list[Call] = []
        self.asked: list[Asked] = []

    def at_end(self) -> None:
        """See `SimulatedMachine.at_end`: what was asked is answered, or its time is over."""
        self.sim.run_until(lambda: all(asked.done for asked in self.asked), self.longest)

    # --- what rules of one's own are made of ---

    def submit(self, method: TaskMethod[..., Any], /, *args: Any, **kwargs: Any) -> Call:
        """Submit a task, and keep it in `calls`. It runs when time passes, or when something is waited for.

        Args:
            method: a worker's task method, or any callable.
            *args, **kwargs: its arguments; a future of an earlier call stands for its result.
        """
        call = Call(method, args, kwargs, self.sim.system.submit(method, *args, **kwargs))
        self.calls.append(call)
        return call

    def ask(self, agent: str, message: Any, timeout: float = 30.0) -> Asked:
        """Ask a worker, wait for nothing, and keep the question in `asked`.

        Args:
            agent: the id of an agent; one that does not live is a dead letter.
            message: of a type that the worker handles.
            timeout: virtual seconds after which the answer counts as lost.
        """
        asked = Asked(agent, message)
        self.asked.append(asked)
        system = self.sim.system
        self.sim.in_thread(
            lambda: asked.settle(functools.partial(system.ask, agent, message, timeout)), f"asks {agent}"
        )
        return asked

    def tell(self, recipients: str | Iterable[str], message: Any) -> None:
        """Send a message to workers: see `ActorSystem.tell`."""
        self.sim.system.tell(recipients, message)

    # --- rules that there are for each worker ---

    @rule(seconds=st.sampled_from(_TIMES))
    def passes(self, seconds: float) -> None:
        """Time passes."""
        self.sim.run(seconds)

    @rule(steps=st.integers(1, _STEPS))
    def goes_on(self, steps: int) -> None:
        """So many single things happen, as that an actor takes its messages, or an agent a turn."""
        self.sim.run_steps(steps)

    @precondition(lambda self: self.agent_ids())
    @rule(steps=st.integers(0, _STEPS), place=st.integers(0, _BACK))
    def kills(self, steps: int, place: int) -> None:
        """So many single things happen, then an agent is killed, as by signal 9.

        It is the one at this place of those that live, those first that have a task in hand, counted in a circle.
        """
        self.sim.run_steps(steps)
        ids = self.agent_ids()
        if ids:
            self.sim.kill(ids[place % len(ids)])

    @precondition(lambda self: any(not call.future.done() for call in self.calls))
    @rule(place=st.integers(0, _BACK))
    def cancels(self, place: int) -> None:
        """A call is cancelled: the one at this place of those that have not ended, counted in a circle."""
        waiting = [call for call in self.calls if not call.future.done()]
        waiting[place % len(waiting)].future.cancel("by the test")

    @invariant()
    def only_errors_that_may_be(self) -> None:
        """What tasks and handlers raise is what they may."""
        ended: list[Call | Asked] = [*self.calls, *self.asked]
        for done in ended:
            error = done.unseen_error()
            if error is not None and not isinstance(error, type(self).errors):
                raise AssertionError(
                    f"{done} raised {type(error).__name__}, which `errors` does not name: {error}"
                ) from error


def calls(method: TaskMethod[..., Any], /, **strategies: st.SearchStrategy[Any]) -> Rule:
    """A rule that submits a task.

    Args:
        method: a worker's task method, as `Account.pay`.
        **strategies: for its arguments. Those that are left out are made for the annotation of the parameter, and are
            not given if it has a default and no annotation.

    Raises:
        ConfigError: there is no such parameter, or nothing that says how to make its values.

    Example:
        pay = calls(Account.pay, amount=st.integers(1, 100))
    """
    if not isinstance(method, TaskMethod):
        raise ConfigError(f"calls takes a task of a worker, as Account.pay, not {method!r}", key="method", value=method)
    made = _strategies(method, strategies)

    def submits(self: WorkerMachine, **arguments: Any) -> None:
        self.submit(method, **arguments)

    submits.__doc__ = f"Submit {method.task_type}."
    return _rule(submits, method.name, made)


def asks(worker: type[Worker], message: st.SearchStrategy[Any] | type[Any], /, timeout: float = 30.0) -> Rule:
    """A rule that asks an agent, and does not wait for the answer.

    Args:
        worker: the class of the worker that is asked.
        message: a strategy for the message, or its type.
        timeout: as for `WorkerMachine.ask`.

    Raises:
        ConfigError: nothing says how to make such a message.

    Example:
        asks_balance = asks(Account, Balance)
    """
    made = _messages(message)

    def asks_one(self: WorkerMachine, place: int, message: Any) -> None:
        self.ask(_one_of(self, worker, place), message, timeout)

    asks_one.__doc__ = f"Ask an agent of type {worker.agent_type}: the one at this place of those that live."
    return _rule(asks_one, f"asks_{worker.agent_type}", {"place": st.integers(0, _BACK), "message": made})


def tells(worker: type[Worker], message: st.SearchStrategy[Any] | type[Any], /) -> Rule:
    """A rule that tells an agent something; like `asks`, without an answer."""
    made = _messages(message)

    def tells_one(self: WorkerMachine, place: int, message: Any) -> None:
        self.tell(_one_of(self, worker, place), message)

    tells_one.__doc__ = f"Tell an agent of type {worker.agent_type}: the one at this place of those that live."
    return _rule(tells_one, f"tells_{worker.agent_type}", {"place": st.integers(0, _BACK), "message": made})


def worker_machine(
    worker: type[Worker] | ConfiguredWorker[Any],
    /,
    *,
    agents: int | tuple[int, int] = 2,
    faults: FaultPlan | st.SearchStrategy[FaultPlan] = CALM,
    config: SystemConfig | None = None,
    errors: tuple[type[BaseException], ...] = (ActorsError,),
    messages: Iterable[st.SearchStrategy[Any] | type[Any]] | None = None,
    **tasks: Mapping[str, st.SearchStrategy[Any]] | None,
) -> type[WorkerMachine]:
    """A machine for one worker: a rule for each of its tasks, and for each type of message that it handles.

    Args:
        worker: the class, or what its `configured(…)` gives.
        agents: how many agents, or (least, most).
        faults: what goes wrong: a plan, or a strategy for one.
        config: settings of the system.
        errors: what tasks and handlers may raise.
        messages: what its agents are asked and told: strategies, or types. None: all types that it handles.
        **tasks: by the name of a task, strategies for its arguments; None for a task that is not to be submitted. Tasks
            that are not named get rules all the same.

    Returns:
        A class to derive from, whose rules are named as the tasks, and `asks_<type>` and `tells_<type>`.

    Raises:
        ConfigError: there is no such task or parameter, or nothing says how to make its values.

    Example:
        Machine = worker_machine(Account, pay=dict(amount=st.integers(1, 100)), agents=2, faults=ROUGH)

        class AccountMachine(Machine):
            @invariant()
            def never_negative(self):
                assert all(account.balance >= 0 for account in self.workers())

        TestAccount = AccountMachine.TestCase
    """
    kind = worker.worker if isinstance(worker, ConfiguredWorker) else worker
    if not (isinstance(kind, type) and issubclass(kind, Worker)):
        raise ConfigError(f"worker_machine takes a worker class, not {worker!r}", key="worker", value=worker)
    known = kind.tasks()
    unknown = sorted(tasks.keys() - known.keys())
    if unknown:
        raise ConfigError(
            f"{kind.__qualname__} has no task {', '.join(unknown)}; it has {', '.join(sorted(known)) or 'none'}",
            key=unknown[0],
            value=tasks[unknown[0]],
            allowed=", ".join(sorted(known)),
        )
    body: dict[str, Any] = {"agents": {worker: agents}, "faults": faults, "config": config, "errors": errors}
    for name, method in known.items():
        strategies = tasks.get(name, {})
        if strategies is not None:
            _free(kind, name)
            body[name] = calls(method, **strategies)
    for message in HandlerTable.of(kind) if messages is None else messages:
        suffix = f"_{message.__name__.lower()}" if isinstance(message, type) else f"_{len(body)}"
        body[f"asks{suffix}"] = asks(kind, message)
        body[f"tells{suffix}"] = tells(kind, message)
    return type(f"{kind.__name__}Machine", (WorkerMachine,), body)


def _free(kind: type[Worker], name: str) -> None:
    if hasattr(WorkerMachine, name):
        raise ConfigError(
            f"{kind.__qualname__}.{name} has the name of something that every machine has: derive a class from "
            f"WorkerMachine, and give its rule another name: my_{name} = calls({kind.__qualname__}.{name}, …)",
            key=name,
        )


def _one_of(machine: WorkerMachine, worker: type[Worker], place: int) -> str:
    """The id of one of the agents of a type that live; if there is none, of one that will be a dead letter."""
    ids = [name for name in machine.agent_ids() if name.rpartition("-")[0] == worker.agent_type]
    return ids[place % len(ids)] if ids else f"{worker.agent_type}-1"


def _rule(function: Rule, name: str, strategies: Mapping[str, st.SearchStrategy[Any]]) -> Rule:
    function.__name__ = function.__qualname__ = name
    mark: Any = rule
    return cast("Rule", mark(**strategies)(function))


def _strategies(method: TaskMethod[..., Any], given: Mapping[str, Any]) -> dict[str, st.SearchStrategy[Any]]:
    """A strategy for each argument that the task is to get."""
    parameters = dict(list(inspect.signature(method.function).parameters.items())[1:])
    open_ended = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    for name in given:
        if name not in parameters and not open_ended:
            raise ConfigError(
                f"{method.task_type} has no parameter {name!r}; it has {', '.join(parameters) or 'none'}",
                key=name,
                value=given[name],
                allowed=", ".join(parameters),
            )
    hints = _hints(method.function)
    made = dict(given)
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or name in given:
            continue
        if name in hints:
            made[name] = _from_type(hints[name], f"the parameter {name} of {method.task_type}")
        elif parameter.default is parameter.empty:
            raise ConfigError(
                f"nothing says how to make the parameter {name} of {method.task_type}: give a strategy, as "
                f"{name}=st.integers()",
                key=name,
            )
    for name, parameter in parameters.items():
        if name in made and (name in _TAKEN or parameter.kind is parameter.POSITIONAL_ONLY):
            raise ConfigError(
                f"the parameter {name} of {method.task_type} cannot be one of a rule: write a rule of your own that "
                "calls self.submit(…)",
                key=name,
            )
    return made


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except NameError:
        return {}


def _messages(message: Any) -> st.SearchStrategy[Any]:
    if isinstance(message, st.SearchStrategy):
        return message
    return _from_type(message, f"messages of type {getattr(message, '__name__', message)}")


def _from_type(kind: Any, what: str) -> st.SearchStrategy[Any]:
    """A strategy for the values of a type."""
    strategy = st.from_type(kind)
    try:
        strategy.validate()
    except (InvalidArgument, ResolutionFailed) as error:
        raise ConfigError(f"nothing says how to make {what}: give a strategy ({error})", key=what) from error
    return strategy
