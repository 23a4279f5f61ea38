"""Agents of several types: capabilities, limits, arguments, messages beside the tasks, events of one's own, and status.

Run it: python examples/typed_agents.py
"""

from __future__ import annotations

from dataclasses import dataclass

from actors import ActorSystem, AgentConfig, Event, Limits, NoSuitableAgent, Worker, handles, task


@dataclass(frozen=True)
class SetRate:
    """A message: what workers take beside their tasks."""

    currency: str
    rate: float


@dataclass(frozen=True, kw_only=True)
class LargeOrder(Event):
    """An event of the program's own; fields of events are named."""

    amount: float


class Accountant(Worker):
    capabilities = {"money"}
    limits = Limits(memory="256M", open_files=100)

    def __init__(self, notable: float = 1000.0) -> None:
        self.notable = notable
        self.rates = {"EUR": 1.0}

    @handles(SetRate)
    def set_rate(self, message: SetRate) -> int:
        # It runs between two tasks, or while one waits, never beside one: no lock is needed.
        self.rates[message.currency] = message.rate
        return len(self.rates)

    @task
    def convert(self, amount: float, currency: str) -> float:
        euros = amount * self.rates[currency]
        if euros >= self.notable:
            self.publish(LargeOrder(amount=euros))
        return euros


class Auditor(Accountant):
    """Also an accountant, which can do more; its type is "auditor"."""

    capabilities = {"money", "audit"}

    @task
    def sign(self, amount: float) -> str:
        return f"{amount:.2f} signed by {self.agent_id}"


if __name__ == "__main__":
    # Arguments for the constructor; the class alone would do where it needs none.
    with (
        ActorSystem({Accountant.configured(notable=500.0): 2, Auditor: 1}) as system,
        system.events(LargeOrder) as large,
    ):
        # A third one, with settings of its own. `spawn` returns when it is idle, so the message below finds it.
        extra = system.spawn(Auditor, AgentConfig(limits=Limits(memory="128M")))
        print("rates known:", extra.ask(SetRate("USD", 0.9)))

        print("euros:", system.submit(Accountant.convert, 750.0, "EUR").result(timeout=60))
        event = large.get(timeout=60)
        print("event:", type(event).__name__, event.amount if isinstance(event, LargeOrder) else None)

        # What is required picks the agents: a plain callable goes to whoever has the capability.
        print("by capability:", system.options(requires={"audit"}).submit(round, 2.71828, 2).result(timeout=60))
        print("audit:", system.submit(Auditor.sign, 99.5).result(timeout=60).split(" by ")[0])

        # What nobody can ever do fails at once and says what is missing.
        error = system.options(requires={"cooking"}).submit(round, 1.5).exception(timeout=60)
        print("nobody:", type(error).__name__, error.requires if isinstance(error, NoSuitableAgent) else "")

        status = system.status()
        print("agents:", sorted({agent.agent_type for agent in status.agents}), "of at most", status.most)
