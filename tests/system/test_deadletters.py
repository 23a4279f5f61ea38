"""Tasks that failed for good, with real processes: what is told of them, and running them again."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from actors import ActorSystem, AgentDied, ConfigError, SystemConfig, Worker, task
from tests.system.support import CONFIG, LIMIT


class Mender(Worker):
    """Fails until a file is there."""

    @task(retries=2, retry_on=(ValueError,))
    def mend(self, path: str, note: str = "") -> str:
        """Fail, or tell what the file holds."""
        if self.attempt == 1:
            raise ValueError("the first try never counts")
        return Path(path).read_text() + note

    @task(retries=1)
    def die(self, path: str) -> str:
        """Take the process along until the file is there."""
        if not Path(path).exists():
            os.kill(os.getpid(), signal.SIGKILL)
        return Path(path).read_text()

    @task
    def through(self, path: str) -> str:
        """Hand a sub-task in."""
        return self.submit(Mender.mend, path).result()


def test_what_failed_is_told_with_its_story_and_runs_again_when_its_cause_is_gone(tmp_path: Path) -> None:
    """F4: the same call, arguments and options; what was run again leaves the list."""
    path = tmp_path / "there"
    with ActorSystem({Mender: 1}, config=CONFIG) as system:
        failed = system.submit(Mender.mend, str(path), note="!")
        assert isinstance(failed.exception(LIMIT), FileNotFoundError)
        (dead,) = system.dead_letters()
        assert (dead.id, dead.type, dead.error) == (failed.task_id, "mender.mend", "FileNotFoundError")
        assert dead.arguments == f"({str(path)!r}, note='!')" or "..." in dead.arguments
        assert "in mend" in dead.traceback and "there" in dead.text
        assert [(each.number, each.agent) for each in dead.attempts] == [(1, "mender-1"), (2, "mender-1")]
        assert dead.attempts[0].error == "builtins.ValueError: the first try never counts"
        assert all(each.started and each.ended and each.started <= each.ended for each in dead.attempts)
        assert json.loads(json.dumps(dead.to_dict()))["retryable"] is True
        path.write_text("mended")
        again = system.retry_dead(dead)
        assert again.result(LIMIT) == "mended!"
        assert again.task_id != failed.task_id
        assert again.info().repeats == failed.task_id and again.info().attempt == 2
        assert system.dead_letters() == []
        with pytest.raises(ConfigError, match="not among the dead letters"):
            system.retry_dead(failed)


def test_a_task_that_killed_its_agents_is_listed_with_each_death(tmp_path: Path) -> None:
    """F4: agent and incarnation of each try, and it can be run again."""
    path = tmp_path / "there"
    with ActorSystem({Mender: 1}, config=CONFIG) as system:
        failed = system.submit(Mender.die, str(path))
        assert isinstance(failed.exception(LIMIT), AgentDied)
        (dead,) = system.dead_letters()
        assert [each.incarnation for each in dead.attempts] == [1, 2]
        assert all("SIGKILL" in each.error and each.started is not None for each in dead.attempts)
        path.write_text("spared")
        assert system.retry_dead(failed.task_id).result(LIMIT) == "spared"


def test_sub_tasks_are_listed_beside_those_that_submitted_them(tmp_path: Path) -> None:
    """F4: and are run again for the program, as whoever submitted them may be gone."""
    path = tmp_path / "there"
    with ActorSystem({Mender: 2}, config=CONFIG) as system:
        failed = system.submit(Mender.through, str(path))
        assert isinstance(failed.exception(LIMIT), FileNotFoundError)
        outer, inner = system.dead_letters()
        assert (outer.id, outer.type, inner.type) == (failed.task_id, "mender.through", "mender.mend")
        path.write_text("mended")
        assert system.retry_dead(inner).result(LIMIT) == "mended"
        assert system.retry_dead(outer).result(LIMIT) == "mended"
        assert system.dead_letters() == []


def test_what_failed_with_a_result_of_another_task_runs_again_with_that(tmp_path: Path) -> None:
    """F4: also when that task is forgotten, and its value large."""
    path = tmp_path / "there"
    config = CONFIG.merged(SystemConfig(kept_tasks=0))

    def measure(value: bytes, file: str) -> int:
        return len(value) + len(Path(file).read_text())

    with ActorSystem(config=config) as system:
        large = system.submit(bytes, 3_000_000)
        failed = system.submit(measure, large, str(path))
        assert isinstance(failed.exception(LIMIT), FileNotFoundError)
        path.write_text("four")
        assert system.retry_dead(failed).result(LIMIT) == 3_000_004


def test_what_is_not_kept_is_said_to_be_gone(tmp_path: Path) -> None:
    """F4: by number and by bytes; and a bad argument is named."""
    config = CONFIG.merged(SystemConfig(kept_dead=2, kept_dead_bytes=1000))
    with ActorSystem(config=config) as system:
        failed = []
        # One after the other: several agents would fail them in any order.
        for number in range(3):
            failed.append(system.submit(int, "x" * 600 + str(number)))
            assert isinstance(failed[-1].exception(LIMIT), ValueError)
        assert [dead.id for dead in system.dead_letters()] == [failed[2].task_id, failed[1].task_id]
        assert [dead.retryable for dead in system.dead_letters()] == [True, False]
        assert len(system.dead_letters(limit=1)) == 1
        with pytest.raises(ConfigError, match="kept_dead_bytes"):
            system.retry_dead(failed[1])
        with pytest.raises(ConfigError, match="not among the dead letters"):
            system.retry_dead(failed[0])
        with pytest.raises(ConfigError, match="no task of this system"):
            system.retry_dead("nonsense")
        with pytest.raises(ConfigError, match="limit"):
            system.dead_letters(limit=-1)
