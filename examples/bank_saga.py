"""A bank with a saga: a transfer takes steps in several places, and one that fails is undone.

Every entry has a reference, and is made once for each: so a step may be tried again when its agent was killed in the middle.

Run it: python examples/bank_saga.py
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
from pathlib import Path

from actors import ActorSystem, SagaFailed, Step, Worker, task


class Bank(Worker):
    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def _entries(self, account: str) -> dict[str, int]:
        path = self.folder / account
        if not path.exists():
            raise LookupError(f"no account {account}")
        entries: dict[str, int] = json.loads(path.read_text())
        return entries

    @task
    def book(self, account: str, reference: str, amount: int) -> None:
        entries = self._entries(account)
        if entries.get(reference) == amount:
            return
        if sum(entries.values()) + amount < 0:
            raise ValueError(f"{account} has too little")
        with self.atomic_write(self.folder / account) as file:
            json.dump({**entries, reference: amount}, file)

    @task
    def unbook(self, account: str, reference: str) -> None:
        entries = self._entries(account)
        entries.pop(reference, None)
        with self.atomic_write(self.folder / account) as file:
            json.dump(entries, file)

    @task
    def book_and_die(self, account: str, reference: str, amount: int) -> None:
        self.book(account, reference, amount)
        if self.attempt == 1:
            # The entry is made, and nobody hears of it.
            os.kill(os.getpid(), signal.SIGKILL)

    @task
    def balance(self, account: str) -> int:
        return sum(self._entries(account).values())


def transfer(system: ActorSystem, reference: str, source: str, target: str, amount: int, *, dies: bool = False) -> None:
    pay_in = Bank.book_and_die if dies else Bank.book
    steps = [
        Step((Bank.book, source, reference, -amount), undo=(Bank.unbook, source, reference), name="take out"),
        Step((pay_in, target, reference, amount), undo=(Bank.unbook, target, reference), name="pay in"),
    ]
    try:
        system.saga(steps).result(timeout=60)
        print(f"{source} to {target}: done")
    except SagaFailed as error:
        print(f"{source} to {target}: {error.step} failed ({error.__cause__}); undone: {list(error.undone or ())}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for account in ("ann", "bob"):
            Path(folder, account).write_text(json.dumps({"opening": 100}))
        with ActorSystem({Bank.configured(folder): 1}) as system:
            transfer(system, "t1", "ann", "bob", 30)
            transfer(system, "t2", "ann", "eve", 30)
            transfer(system, "t3", "ann", "bob", 500)
            transfer(system, "t4", "bob", "ann", 5, dies=True)
            balances = {name: system.submit(Bank.balance, name).result() for name in ("ann", "bob")}
            print(balances, "in all", sum(balances.values()))
