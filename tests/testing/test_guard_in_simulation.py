"""The guard at work: code of workers that reaches past a simulation, wherever the library runs it."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from actors.protocol.events import Event
from actors.testing.guarding.guard import OutsideSimulation
from actors.testing.simulation import Simulation
from actors.worker import Worker, handles, task

HOUR = 3600.0


@dataclass
class Late:
    """Handled between tasks, or while the task waits."""


@dataclass
class Soon:
    """Handled beside the task."""


@dataclass(frozen=True, kw_only=True)
class Rung(Event):
    """For `on_event`."""


class Careless(Worker):
    @task
    def nap(self) -> None:
        time.sleep(HOUR)

    @task
    def hide(self) -> str:
        try:
            time.sleep(HOUR)
        except Exception:  # noqa: BLE001 - this is the misbehaviour
            return "hidden"
        return "slept"

    @task
    def dice(self) -> float:
        return random.choice([0.0, 1.0])

    @task
    def handler(self) -> None:
        self.ask(self.agent_id, Late())

    @task
    def urgent(self) -> None:
        self.tell(self.agent_id, Soon())
        self.sleep(5)

    @task
    def event(self) -> None:
        self.subscribe(Rung)
        self.sleep(5)
        self.publish(Rung())
        self.sleep(5)

    @handles(Late)
    def late(self, message: Late) -> None:
        uuid.uuid4()

    @handles(Soon, urgent=True)
    def soon(self, message: Soon) -> None:
        dt.datetime.now(dt.UTC)

    def on_event(self, event: Event) -> None:
        time.monotonic()


class CarelessLater(Worker):
    @task
    async def nap(self) -> None:
        await asyncio.sleep(1)
        time.sleep(HOUR)  # noqa: ASYNC251 - this is the misbehaviour


class CarelessAtStart(Worker):
    def on_start(self) -> None:
        time.time()

    @task
    def echo(self) -> None:
        pass


class Careful(Worker):
    @task
    def nap(self, seconds: float) -> tuple[float, float]:
        began = self.clock.monotonic()
        self.sleep(seconds)
        return self.clock.monotonic() - began, self.random.random()

    @task
    async def nap_async(self, seconds: float) -> float:
        began = self.clock.monotonic()
        await asyncio.sleep(seconds)
        return self.clock.monotonic() - began


@pytest.mark.parametrize(
    ("worker", "submitted", "function", "called"),
    [
        (Careless, Careless.nap, "nap", "time.sleep"),
        (Careless, Careless.hide, "hide", "time.sleep"),
        (Careless, Careless.dice, "dice", "random.choice"),
        (Careless, Careless.handler, "late", "uuid.uuid4"),
        (Careless, Careless.urgent, "soon", "datetime.datetime.now"),
        (Careless, Careless.event, "on_event", "time.monotonic"),
        (CarelessLater, CarelessLater.nap, "nap", "time.sleep"),
        (CarelessAtStart, CarelessAtStart.echo, "on_start", "time.time"),
        (Careless, time.sleep, None, "time.sleep"),
    ],
)
def test_a_worker_that_reaches_past_the_simulation_makes_it_fail(
    worker: type[Worker], submitted: Callable[..., Any], function: str | None, called: str
) -> None:
    """In a body, a handler, a hook, a coroutine that goes on, and where the error is swallowed."""

    def simulate() -> None:
        with Simulation({worker: 1}, seed=7) as simulation:
            given = (HOUR,) if submitted is time.sleep else ()
            simulation.system.options(retries=0).submit(submitted, *given)
            simulation.run()

    began = time.monotonic()
    with pytest.raises(OutsideSimulation) as caught:
        simulate()
    assert time.monotonic() - began < HOUR / 100
    assert (caught.value.function, caught.value.called) == (function, called)
    assert caught.value.file == (None if function is None else __file__)


@pytest.mark.parametrize("submitted", [Careful.nap, Careful.nap_async])
def test_what_the_library_offers_costs_virtual_time_only(submitted: Callable[..., Any]) -> None:
    """Ten minutes of sleep, in a plain body and in a coroutine."""
    began = time.monotonic()
    with Simulation({Careful: 2}, seed=7) as simulation:
        future = simulation.system.options(timeout=HOUR).submit(submitted, 600)
        simulation.run()
        value = future.result()
    assert (value[0] if isinstance(value, tuple) else value) == pytest.approx(600)
    assert time.monotonic() - began < HOUR / 100


def test_a_time_limit_breaks_a_sleep_in_virtual_time() -> None:
    """D6: as on the real hosts."""
    with Simulation({Careful: 1}, seed=7) as simulation:
        future = simulation.system.options(timeout=5, retries=0).submit(Careful.nap, HOUR)
        before = simulation.clock.monotonic()
        simulation.run()
        assert type(future.exception()).__name__ == "TaskTimeout"
        assert 5 <= simulation.clock.monotonic() - before < HOUR


def test_the_same_seed_throws_the_same_dice() -> None:
    """`self.random` is the simulation's."""

    def thrown(seed: int) -> float:
        with Simulation({Careful: 1}, seed=seed) as simulation:
            future = simulation.system.submit(Careful.nap, 1)
            simulation.run()
            value: float = future.result()[1]
            return value

    assert thrown(1) == thrown(1)
    assert len({thrown(seed) for seed in range(5)}) > 1


def test_what_is_allowed_is_let_through() -> None:
    """A reading of the clock that nothing depends on."""
    with Simulation({CarelessAtStart: 1}, seed=7, allow={"time.time"}) as simulation:
        simulation.system.submit(CarelessAtStart.echo)
        simulation.run()
        assert simulation.guard.found == []
