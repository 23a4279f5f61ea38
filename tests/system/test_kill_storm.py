"""Whatever is killed, at whatever moment: each task has exactly one outcome, and nothing is left behind."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from actors import ActorSystem, SystemConfig, TaskFuture
from tests.system.storm import Grinder, lines
from tests.system.support import LIMIT, alive, gone, parent_of, wait_for

TASKS = 2000
EVERY = 0.2
PROMISE = 2.0

# A kill may hit an agent that is starting. Many failed starts in a short time make a supervisor wait longer and longer,
# and give up, as they should; here they are the test's doing.
STORM = SystemConfig(restart_intensity=10_000, backoff_first=0.01, backoff_limit=0.1)


class Outcomes:
    """Counts the outcomes of tasks, as their callbacks tell them."""

    def __init__(self, futures: list[TaskFuture[Any]]) -> None:
        self.counts: Counter[str] = Counter()
        for future in futures:
            future.add_done_callback(lambda done: self.counts.update([done.task_id]))

    def check(self, futures: list[TaskFuture[Any]]) -> None:
        """Each has one and only one."""
        wait_for(lambda: sum(self.counts.values()) >= len(futures), "every callback")
        assert self.counts == {future.task_id: 1 for future in futures}


@contextmanager
def storm(system: ActorSystem, rng: random.Random) -> Iterator[list[int]]:
    """Kill a random agent again and again; gives the pids of those that were killed."""
    killed: list[int] = []
    over = threading.Event()

    def rage() -> None:
        while not over.wait(EVERY):
            pids = [each.pid for each in system.agents() if each.pid is not None]
            if pids:
                victim = rng.choice(pids)
                try:
                    os.kill(victim, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                killed.append(victim)

    thread = threading.Thread(target=rage)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def test_each_of_two_thousand_tasks_has_one_outcome_while_agents_are_killed(tmp_path: Path) -> None:
    """D8: a random agent is killed every 200 ms; no task is lost, and none ends twice."""
    ledger = tmp_path / "ledger"
    with ActorSystem({Grinder: 4}, config=STORM) as system:
        futures = [system.submit(Grinder.grind, str(ledger), number) for number in range(TASKS)]
        outcomes = Outcomes(futures)
        with storm(system, random.Random()) as killed:
            done = [future.result(LIMIT * 2) for future in futures]
        outcomes.check(futures)
        queue = system.queue(0)
        assert (queue.waiting, queue.active, queue.finished) == (0, 0, TASKS)
    assert len(killed) > 3
    assert [number for number, _, _ in done] == list(range(TASKS))
    # Each outcome is that of a run that the tasks themselves have written down, and no run was written down twice.
    runs = [tuple(map(int, line.split())) for line in lines(ledger)]
    assert set(done) <= set(runs)
    assert len(runs) == len(set(runs))
    assert not gone(killed, 0)


def test_tasks_go_on_when_the_launcher_is_killed(tmp_path: Path) -> None:
    """D8: all agents die with it; they are replaced, and each task has its one outcome."""
    ledger = tmp_path / "ledger"
    with ActorSystem({Grinder: 2}, config=STORM) as system:
        futures = [system.submit(Grinder.grind, str(ledger), number) for number in range(300)]
        outcomes = Outcomes(futures)
        for so_many in (50, 150):
            wait_for(lambda enough=so_many: len(lines(ledger)) > enough)  # type: ignore[misc]
            pids = wait_for(lambda: [each.pid for each in system.agents() if each.pid and alive(each.pid)])
            os.kill(parent_of(pids[0]), signal.SIGKILL)
            assert not gone(pids, PROMISE)
        assert [future.result(LIMIT)[0] for future in futures] == list(range(300))
        outcomes.check(futures)
        assert system.healthy()


def test_what_a_task_left_behind_ends_with_its_agent(tmp_path: Path) -> None:
    """A6: also a grandchild that has a session of its own and whose parent is gone."""
    ledger = tmp_path / "ledger"
    with ActorSystem({Grinder: 1}, config=STORM) as system:
        workspace = system.submit(Grinder.leave_family, str(ledger)).result(LIMIT)
        child = int(wait_for(lambda: lines(ledger))[0])
        assert alive(child)
        os.kill(system.agents()[0].pid or 0, signal.SIGKILL)
        assert not gone([child], PROMISE)
        wait_for(lambda: not os.path.exists(workspace), "the removal of the workspace", PROMISE)
        system.submit(Grinder.leave_family, str(ledger)).result(LIMIT)
        child = int(wait_for(lambda: lines(ledger)[1:])[0])
        assert alive(child)
    assert not alive(child)


# --- the program is killed -----------------------------------------------------------------------------------------


def _killed_program(ledger: Path, options: list[str]) -> dict[str, Any]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.system.storm", str(ledger), *options],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    ) as program:
        assert program.stdout is not None
        told: dict[str, Any] = json.loads(program.stdout.readline())
        program.send_signal(signal.SIGKILL)
        program.wait(LIMIT)
    return told


@pytest.mark.parametrize("options", [["hold"], ["family", "hold"]], ids="+".join)
def test_everything_ends_with_a_program_that_is_killed(options: list[str], tmp_path: Path) -> None:
    """A6: agents, launcher, detached grandchildren and workspaces are gone within 2 s."""
    told = _killed_program(tmp_path / "ledger", options)
    since = time.monotonic()
    assert not gone(told["pids"], PROMISE)
    if told["workspace"]:
        root = Path(told["workspace"]).parent
        wait_for(lambda: not root.exists(), "the removal of the workspaces", PROMISE - (time.monotonic() - since))


def test_everything_ends_with_a_killed_program_whose_fork_lives_on(tmp_path: Path) -> None:
    """A6: the fork holds all of its sockets, and nothing but the fork is left after 2 s."""
    told = _killed_program(tmp_path / "ledger", ["family", "hold", "fork"])
    try:
        since = time.monotonic()
        assert not gone(told["pids"], PROMISE)
        root = Path(told["workspace"]).parent
        wait_for(lambda: not root.exists(), "the removal of the workspaces", PROMISE - (time.monotonic() - since))
        assert alive(told["fork"])
    finally:
        os.kill(told["fork"], signal.SIGKILL)
        assert not gone([told["fork"]], LIMIT)
