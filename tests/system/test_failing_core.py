"""With real processes: a part of the system fails again and again in the middle of what it does, and nobody loses a task."""

from __future__ import annotations

import logging
import os
import random
from collections import Counter
from typing import Any

import pytest

from actors import ActorSystem, AgentConfig, SystemConfig, Worker, task
from actors.kernel.run import Run
from actors.testing.linefailure import LineFailure, is_of_the_core

SOON = 100.0


class Adder(Worker):
    """Adds."""

    @task(retries=20)
    def more(self, value: int) -> int:
        return value + 1


class Failures:
    """Lets the turns of one actor fail on a line of chance, up to a number of times."""

    def __init__(self, name: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.places: list[tuple[str, int]] = []
        rng = random.Random(int(os.environ.get("ACTORS_TEST_SEED", "7")))
        work = Run._work

        def fails(run: Run) -> None:
            if run.cell.name != name or len(self.places) >= most or rng.random() < 0.5:
                work(run)
                return
            # The turns of the others are short.
            failure = LineFailure(rng.randrange(1, 1500 if name == "actors-scheduler" else 20), is_of_the_core)
            try:
                with failure:
                    work(run)
            finally:
                if failure.place is not None:
                    self.places.append(failure.place)

        monkeypatch.setattr(Run, "_work", fails)


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    ("part", "times", "count"), [("scheduler", 50, 5000), ("hub", 20, 1000), ("resources", 20, 1000)]
)
def test_a_part_that_fails_on_lines_of_chance_loses_no_task(
    part: str, times: int, count: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """F1: each task has one outcome, and that is its result."""
    caplog.set_level(logging.CRITICAL + 1, logger="actors")
    failures = Failures(f"actors-{part}", times, monkeypatch)
    config = SystemConfig(
        agent=AgentConfig(grace=2.0),
        restart_intensity=1000,
        restart_period=1.0,
        backoff_first=0.001,
        backoff_limit=0.01,
    )
    told: Counter[int] = Counter()
    with ActorSystem({Adder: 2}, config=config) as system:
        futures: list[Any] = []
        while len(futures) < count or (len(failures.places) < times and len(futures) < 20 * count):
            # Some at a time, so that there are many turns; of a job, which the hub hears of.
            start = len(futures)
            work = system.options(job="night")
            futures += [work.submit(Adder.more, value) for value in range(start, start + 100)]
            for future in futures[start:]:
                future.add_done_callback(lambda done: told.update([done.number]))
            assert [future.result(SOON) for future in futures[start:]] == list(range(start + 1, start + 101))
        system.submit(Adder.more, 1).result(SOON)
        assert system.healthy()
    assert set(told.values()) == {1}
    assert len(told) == len(futures)
    assert len(failures.places) == times, failures.places
