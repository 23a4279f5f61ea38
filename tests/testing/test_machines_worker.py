"""Machines for workers of one's own: what they find, what they print, and that it can be run again."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, invariant, rule, run_state_machine_as_test

from actors import ConfigError, Worker, handles, task
from actors.testing.failure import failure_directory
from actors.testing.faults import ROUGH, FaultPlan
from actors.testing.machines.worker import WorkerMachine, asks, calls, tells, worker_machine
from actors.testing.replaying import replay
from actors.testing.simulation import Simulation

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Deposit:
    amount: int


class Account(Worker):
    def on_start(self) -> None:
        self.balance = 0

    @task
    def pay(self, amount: int, note: str = "") -> int:
        self.balance += amount
        self.sleep(0.01)
        return self.balance

    @task
    def close(self) -> None:
        self.balance = 0

    @handles(Deposit)
    def deposit(self, message: Deposit) -> int:
        self.balance += message.amount
        return self.balance


@pytest.fixture(autouse=True)
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACTORS_FAILURES", str(tmp_path / "pictures"))
    return tmp_path / "pictures"


@pytest.fixture(scope="module")
def shop() -> Iterator[ModuleType]:
    """The example, as a module that its workers can be found in."""
    spec = importlib.util.spec_from_file_location("double_booking", ROOT / "examples" / "double_booking.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def run(machine: type[WorkerMachine], **options: Any) -> None:
    options = {"derandomize": True, "database": None, "max_examples": 100, "stateful_step_count": 10} | options
    run_state_machine_as_test(machine, settings=settings(machine.TestCase.settings, print_blob=False, **options))


def test_a_machine_of_a_worker_has_a_rule_for_each_task_and_each_message() -> None:
    """Kit: ready as it is, and every run of a worker without errors passes, whatever goes wrong."""
    made = worker_machine(Account, pay={"amount": st.integers(1, 100)}, agents=2, faults=ROUGH)

    class AccountMachine(made):  # type: ignore[misc, valid-type]
        seen = 0

        @invariant()
        def never_negative(self) -> None:
            assert all(account.balance >= 0 for account in self.workers(Account) if account.balance is not None)
            type(self).seen = max(self.seen, len(self.workers()))

        def at_rest(self) -> None:
            assert all(call.done for call in self.calls)

    names = set(AccountMachine.steps_by_name())
    assert {"pay", "close", "asks_deposit", "tells_deposit", "passes", "kills", "cancels", "goes_on", "rests"} <= names
    strategy = st.builds(Deposit, st.integers(0, 9))

    class Fewer(AccountMachine):
        asks_deposit = asks(Account, strategy)
        tells_deposit = tells(Account, strategy)

    run(Fewer, max_examples=15)
    assert Fewer.seen == 2


def test_a_task_that_raises_what_it_may_not_fails_the_run() -> None:
    """Kit: an exception of the worker's code is an error of the worker, unless it was named."""

    class Clumsy(WorkerMachine):
        agents: ClassVar = {Account: 1}
        pay = calls(Account.pay, amount=st.sampled_from([1, None]))

    with pytest.raises(AssertionError, match=r"account\.pay\(amount=None, note=''\) raised TypeError"):
        run(Clumsy)

    class Lenient(Clumsy):
        errors = (Exception,)

    run(Lenient, max_examples=5)


def test_an_answer_and_a_question_to_nobody_are_kept() -> None:
    """Kit: what was asked is kept beside what was called."""

    class Asking(WorkerMachine):
        agents: ClassVar = {Account: 1}
        ask_it = asks(Account, Deposit)

    with replay(Asking) as machine:
        machine.ask_it(place=0, message=Deposit(3))
        machine.rests()
        machine.kills(steps=0, place=0)
        machine.ask("account-7", Deposit(1))
        machine.rests()
        assert [asked.answer for asked in machine.asked] == [3, None]
        assert type(machine.asked[1].error).__name__ == "DeadLetter"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: calls(Account.pay, sum=st.integers()), "has no parameter 'sum'; it has amount, note"),
        (lambda: calls(len), "calls takes a task of a worker"),
        (lambda: worker_machine(Account, withdraw={}), "Account has no task withdraw; it has close, pay"),
        (lambda: worker_machine(int), "takes a worker class"),
        (lambda: replay(int).__enter__(), "replay takes the class of a machine"),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_there_is(make: Any, told: str) -> None:
    """Kit: the error says how to mend it."""
    with pytest.raises(ConfigError, match=re.escape(told)):
        make()


# Which runs Hypothesis tries depends on what else is loaded, and so does how long it looks.
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_planted_error_is_found_made_small_and_run_again(
    shop: ModuleType, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kit: the text of the failure runs it again, to the last message."""
    histories = []

    class ShopMachine(shop.ShopMachine):  # type: ignore[misc, name-defined]
        def teardown(self) -> None:
            try:
                super().teardown()
            finally:
                histories.append(self.sim.history)

    with pytest.raises(AssertionError, match=r"\[1, 1\]") as caught:
        run(ShopMachine, max_examples=1_000, stateful_step_count=4)
    text = "\n".join(caught.value.__notes__) + capsys.readouterr().out
    code = text.partition("To run it again:")[2]
    steps = re.findall(r"machine\.(\w+)\(", code)
    # It may stop looking before the very least.
    assert [step for step in steps if step != "goes_on"] == ["pays", "kills", "rests"]
    assert text.count("To run it again:") == 1
    picture = Path(re.findall(r"As a picture: (.*\.svg)", text)[0])
    assert picture.parent == pictures == failure_directory()
    assert picture.read_text(encoding="utf-8").startswith("<svg")
    assert "BROKEN: nobody_pays_twice" in text

    found = histories[-1].digest()
    lines = code.strip("\n").splitlines()
    program = "\n".join(
        line.strip() if not line.strip().startswith("machine") else f"    {line.strip()}" for line in lines
    )
    with pytest.raises(AssertionError, match=r"\[1, 1\]"):
        exec(program, {"ShopMachine": ShopMachine, "__builtins__": __builtins__})
    assert histories[-1].digest() == found


def test_the_mended_worker_passes(shop: ModuleType) -> None:
    """Kit: the same machine finds nothing in it."""
    run(shop.MendedMachine, max_examples=25)


def test_a_run_with_faults_can_be_run_again_from_what_it_prints() -> None:
    """Kit: rules, the plan of faults and the choices are all that there is to a run."""

    class Rough(WorkerMachine):
        agents: ClassVar = {Account: 2}
        faults = st.just(ROUGH)
        accounts = Bundle("accounts")
        pay = calls(Account.pay, amount=st.integers(0, 9), note=st.just(""))
        runs: ClassVar[list[tuple[str, str]]] = []

        @rule(target=accounts, amount=st.integers(0, 9))
        def opens(self, amount: int) -> Any:
            return self.submit(Account.pay, amount)

        @rule(call=accounts)
        def drops(self, call: Any) -> None:
            call.future.cancel()

        def teardown(self) -> None:
            # Hypothesis breaks a run off that takes more choices than it gives: that one has no end to be compared.
            whole = sys.exception() is None
            super().teardown()
            if whole:
                self.runs.append((self.code(), self.sim.history.digest()))

    run(Rough, max_examples=15)
    assert any("script=" in code for code, _ in Rough.runs)
    with replay(Rough, faults=ROUGH) as machine:
        opened = machine.opens(amount=1)
        machine.drops(call=opened)
    assert "    v1 = machine.opens(amount=1)\n    machine.drops(call=v1)" in Rough.runs[-1][0]
    for code, digest in list(Rough.runs):
        exec(code, {"Rough": Rough})
        assert Rough.runs[-1] == (code, digest)


def test_a_simulation_that_fails_by_its_seed_says_how_to_run_it_again() -> None:
    """Kit: the seed is in the error."""
    with pytest.raises(AssertionError) as caught, Simulation({Account: 1}, seed=7, workspaces=False):
        raise AssertionError
    assert caught.value.__notes__ == ["To run it again: Simulation(…, seed=7)"]


def test_no_fault_happens_without_a_plan_for_it() -> None:
    """Kit: what has no probability draws no choice."""
    assert not FaultPlan().any
    assert not FaultPlan(dies=0.5, most=0).any
    assert ROUGH.any
    assert HealthCheck.too_slow in WorkerMachine.TestCase.settings.suppress_health_check
