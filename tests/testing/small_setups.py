"""Small set-ups of which every way is explored: workers, and what is done with them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

from actors.future import TaskFuture
from actors.kernel.handlers import handles
from actors.testing.exploring.explore import Bound, anytime, explore
from actors.testing.history import Fault, Moved, Received, Sent
from actors.testing.simulation import Simulation
from actors.worker import Worker, task


class Question(NamedTuple):
    """Ask for the double of a number."""

    number: int


class Clerk(Worker):
    """Plain tasks."""

    @task
    def add(self, *numbers: int) -> int:
        return sum(numbers)

    @task(idempotent=False)
    def once(self, number: int) -> int:
        return number

    @task(retries=1)
    def double_of(self, number: int, other: str) -> int:
        answer: int = self.ask(other, Question(number), timeout=20)
        return answer


class Librarian(Worker):
    """Answers questions."""

    @handles(Question)
    def double(self, message: Question) -> int:
        return 2 * message.number


class Knock(NamedTuple):
    """Somebody is at the door."""

    number: int


class Deposit(NamedTuple):
    """Add to a balance."""

    amount: int


class Doorkeeper(Worker):
    """Lets the first one in, and takes it for the first that was sent: a planted bug, which needs a race."""

    def __init__(self) -> None:
        self.inside = 0

    @handles(Knock)
    def knock(self, message: Knock) -> bool:
        if self.inside:
            return False
        self.inside = message.number
        return True


class Guest(Worker):
    """Knocks."""

    @task
    def visit(self, number: int) -> bool:
        entered: bool = self.ask("doorkeeper-1", Knock(number), timeout=20)
        return entered


class Bank(Worker):
    """Adds whatever comes, whether it came before or not: a planted bug, which needs a death."""

    def __init__(self) -> None:
        self.balance = 0

    @handles(Deposit)
    def deposit(self, message: Deposit) -> int:
        self.balance += message.amount
        return self.balance

    @task
    def tell(self) -> int:
        return self.balance


class Teller(Worker):
    """Brings money to the bank, again if it died before it could say that it had."""

    @task(retries=1)
    def bring(self, amount: int) -> int:
        balance: int = self.ask("bank-1", Deposit(amount), timeout=20)
        return balance


def outcome_of(future: TaskFuture[Any]) -> str:
    """What has become of a task, in a word."""
    if future.cancelled():
        return "cancelled"
    error = future.exception()
    return str(future.result()) if error is None else type(error).__name__


def told(sim: Simulation) -> Hashable:
    """All that can be told apart of a run: what each actor and agent took, did and was in, and what became of tasks."""
    sent: dict[int, Sent] = {}
    by: dict[str, list[tuple[str, ...]]] = {}
    for entry in sim.history.entries:
        if type(entry) is Sent:
            sent[entry.number] = entry
        elif type(entry) is Received:
            message = sent[entry.number]
            by.setdefault(entry.actor, []).append((message.sender, message.name, entry.fate))
        elif type(entry) is Moved:
            by.setdefault(entry.actor, []).append((entry.source, entry.target))
        elif type(entry) is Fault:
            by.setdefault(entry.actor, []).append((entry.what,))
    tasks = sorted(
        (task.id, str(task.status), task.agent or "", task.attempt, task.retried) for task in sim.engine.tasks()
    )
    return tuple(sorted((name, tuple(lines)) for name, lines in by.items())), tuple(tasks)


def three_tasks(sim: Simulation) -> Hashable:
    """Three tasks that do not depend on each other."""
    futures = [sim.system.submit(Clerk.add, number) for number in (1, 2, 3)]
    sim.run()
    return tuple(outcome_of(future) for future in futures)


def two_tasks(sim: Simulation) -> Hashable:
    """Two tasks, and all that can be told of the run."""
    for number in (1, 2):
        sim.system.submit(Clerk.add, number)
    sim.run()
    return told(sim)


def cancelled(sim: Simulation) -> Hashable:
    """One task that is cancelled at any moment, and all that can be told of the run."""
    future = sim.system.submit(Clerk.add, 1)
    anytime(sim, future.cancel, "cancel")
    sim.run()
    return told(sim)


def until_it_is_known(sim: Simulation) -> Hashable:
    """One task, until it has its outcome or the scheduler knows of the death of its agent; and all that can be told."""
    future = sim.system.submit(Clerk.add, 1)

    def over() -> bool:
        dead = sim.state_of("scheduler").links.get("clerk-1", 1) is None
        return dead or future.done() or any(task.retried for task in sim.engine.tasks())

    sim.run_until(over)
    return told(sim)


def diamond(sim: Simulation) -> Hashable:
    """One task, two that need it, one that needs both."""
    submit = sim.system.submit
    top = submit(Clerk.add, 1)
    left, right = submit(Clerk.add, top, 10), submit(Clerk.add, top, 100)
    bottom = submit(Clerk.add, left, right)
    sim.run()
    return outcome_of(bottom)


def cancelled_at_any_moment(sim: Simulation) -> Hashable:
    """Two tasks, of which the first is cancelled before, while or after it runs."""
    first, second = sim.system.submit(Clerk.add, 1), sim.system.submit(Clerk.add, 2)
    anytime(sim, first.cancel, "cancel")
    sim.run()
    assert outcome_of(second) == "2"
    return outcome_of(first)


def question(sim: Simulation) -> Hashable:
    """A task that asks another agent."""
    asked = sim.system.submit(Clerk.double_of, 4, "librarian-1")
    sim.run()
    return outcome_of(asked)


def runs_once(sim: Simulation) -> Hashable:
    """Tasks that must not be begun twice."""
    futures = [sim.system.submit(Clerk.once, number) for number in (1, 2)]
    sim.run()
    return tuple(outcome_of(future) for future in futures)


def first_come_first_served(sim: Simulation) -> Hashable:
    """Two guests, who are thought to arrive in the order in which they were sent."""
    futures = [sim.system.submit(Guest.visit, number) for number in (1, 2)]
    sim.run()
    assert [future.result() for future in futures] == [True, False]
    return None


def money_is_brought_once(sim: Simulation) -> Hashable:
    """One deposit; the bank does not die."""
    brought = sim.system.submit(Teller.bring, 5)
    sim.run()
    if brought.exception() is not None:
        return "not brought"
    balance = sim.system.submit(Bank.tell)
    sim.run()
    if balance.result():
        assert balance.result() == 5, f"there are {balance.result()}"
    return "brought"


def explore_all(seed: int, *, steps: int) -> None:
    """One history, for the runner of the sabotage: some set-ups with few deviations. There is no chance in it."""
    bound = Bound(deviations=1)
    for scenario, agents, deaths in (
        (cancelled_at_any_moment, 1, 0),
        (runs_once, 1, 1),
        (three_tasks, 2, 1),
        (diamond, 2, 1),
    ):
        explore(scenario, {Clerk: agents}, deaths=deaths, bound=bound, tell=None)
