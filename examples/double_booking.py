"""A worker with an error that no ordinary test shows, and the machine that finds it.

A till books each payment with the ledger. If its process dies between the booking and its own result, the task is run
again, as tasks are that may be run again, and the payment is booked twice. The machine drives both workers in a
simulation, with the real protocol, until what must never be is: then Hypothesis makes the case small, and it prints the
steps, what happened, a picture of it, and the lines that run it again. docs/testing.md goes through all of that.

Run it: python examples/double_booking.py        (needs actors-hub[testing])
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from actors import Worker, handles, task
from actors.testing import WorkerMachine


@dataclass(frozen=True)
class Book:
    """A message to the ledger."""

    payment: int
    amount: int


class Ledger(Worker):
    def on_start(self) -> None:
        self.entries: list[Book] = []

    @handles(Book)
    def book(self, message: Book) -> int:
        self.entries.append(message)
        return len(self.entries)


class Till(Worker):
    @task(retries=3)
    def pay(self, payment: int, amount: int) -> int:
        line: int = self.ask("ledger-1", Book(payment, amount))
        return line


class ShopMachine(WorkerMachine):
    """One till and one ledger, payments, deaths, and what must never be."""

    agents = {Till: 1, Ledger: 1}

    @rule(amount=st.integers(1, 100))
    def pays(self, amount: int) -> None:
        self.submit(Till.pay, payment=len(self.calls) + 1, amount=amount)

    @invariant()
    def nobody_pays_twice(self) -> None:
        for ledger in self.workers(Ledger):
            payments = [entry.payment for entry in ledger.entries]
            assert len(payments) == len(set(payments)), f"these payments are booked: {payments}"


class CarefulLedger(Ledger):
    """The mend: a payment has a number, and the ledger knows those that it has booked."""

    agent_type = "ledger"

    @handles(Book)
    def book(self, message: Book) -> int:
        if message not in self.entries:
            self.entries.append(message)
        return self.entries.index(message) + 1


class MendedMachine(ShopMachine):
    agents = {Till: 1, CarefulLedger: 1}


if __name__ == "__main__":
    # Derandomized: each run finds the same; without it each run looks elsewhere. It stops at what it finds, as a rule
    # after some fifty runs.
    always = settings(
        ShopMachine.TestCase.settings, max_examples=1_000, derandomize=True, database=None, stateful_step_count=10
    )
    try:
        run_state_machine_as_test(ShopMachine, settings=always)
    except AssertionError as error:
        print("found:", error)
        story = "\n".join(error.__notes__).splitlines()
        print("\n".join(line for line in story if line.startswith("As a picture") or "machine." in line))
    run_state_machine_as_test(MendedMachine, settings=settings(always, max_examples=25))
    print("mended: found nothing")
