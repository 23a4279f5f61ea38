"""A system with a journal: what goes on at the next start, what is made once, and what happens while it cannot write."""

from __future__ import annotations

import gc
import logging
import pickle
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from actors import ActorSystem, SystemConfig
from actors.core.taskspec import TaskSpec
from actors.errors import AgentDied, ConfigError, JournalError, TaskCancelled
from actors.hosts.payload import Segment
from actors.runtime.journal.record import TaskRecord
from actors.runtime.journal.sqlite import SqliteJournal
from tests.journal.workers import Scribe, Stranger

LIMIT = 20.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "journal.db"


def make(path: Any, workers: Any = None, **options: Any) -> ActorSystem:
    """A system with a journal; its agents are threads, because nothing here dies."""
    return ActorSystem({Scribe: 1} if workers is None else workers, journal=path, host="thread", **options)


def leave(system: ActorSystem) -> None:
    """End a system as one that is left by an error."""
    system.shutdown(wait=False)


def query(path: Path, sql: str) -> list[Any]:
    """Ask the file."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_unfinished_work_goes_on_at_the_next_start(path: Path, tmp_path: Path) -> None:
    """F3: with the results that it depends on, in the order of submission."""
    gate = tmp_path / "gate"
    system = make(path).start()
    first = system.submit(Scribe.join, "a", "b")
    assert first.result(LIMIT) == "ab"
    blocked = system.submit(Scribe.wait_for, str(gate))
    later = system.submit(Scribe.join, first, blocked)
    assert later.accepted(LIMIT)
    leave(system)
    gate.touch()
    with make(path) as system:
        again = system.recovered()
        assert [future.task_id for future in again][-2:] == [blocked.task_id, later.task_id]
        assert [future.result(LIMIT) for future in again][-2:] == ["there", "abthere"]
        assert again[-1].info().type == "scribe.join"
        # Ids go on.
        assert int(system.submit(Scribe.join).task_id.rpartition("-")[2]) > int(later.task_id.rpartition("-")[2])


def test_an_outcome_that_nobody_fetched_is_told_at_the_next_start(path: Path) -> None:
    """F3: the value, or the error itself; once."""
    with make(path) as system:
        fetched, value, error = (
            system.submit(Scribe.join, "x"),
            system.submit(Scribe.join, "y"),
            system.submit(Scribe.fail, "no"),
        )
        assert fetched.result(LIMIT) == "x"
        assert error.accepted(LIMIT)
        ids = [value.task_id, error.task_id]
    with make(path) as system:
        recovered = system.recovered()
        assert [future.task_id for future in recovered] == ids
        assert recovered[0].result(LIMIT) == "y"
        with pytest.raises(LookupError, match="no"):
            recovered[1].result(LIMIT)
    with make(path) as system:
        assert system.recovered() == []


def test_what_is_submitted_once_runs_once(path: Path, tmp_path: Path) -> None:
    """F3: also after a restart, whether it had ended before or not."""
    gate = tmp_path / "gate"
    system = make(path).start()
    once = system.options(once="order-1")
    future = once.submit(Scribe.join, "a")
    assert once.submit(Scribe.join, "b") is future
    assert future.result(LIMIT) == "a"
    open_one = system.options(once="order-2").submit(Scribe.wait_for, str(gate))
    assert open_one.accepted(LIMIT)
    leave(system)
    gate.touch()
    with make(path) as system:
        assert system.options(once="order-1").submit(Scribe.join, "c").result(LIMIT) == "a"
        again = system.options(once="order-2").submit(Scribe.join, "d")
        assert again.task_id == open_one.task_id
        assert again.result(LIMIT) == "there"
        spec = TaskSpec(type="scribe.join", once="order-1")
        assert system.submit_task(spec).result(LIMIT) == "a"
    assert query(path, "SELECT count(*) FROM task") == [(2,)]


def test_once_holds_without_a_journal_as_long_as_the_system_lives() -> None:
    """F3: the name is the same, the promise as far as it can be kept."""
    with make(None) as system:
        once = system.options(once="a")
        assert once.submit(Scribe.join, "x") is once.submit(Scribe.join, "y")
        with pytest.raises(ConfigError, match="once='a' names one task"):
            once.map(Scribe.join, ["x"])


def test_what_was_cancelled_stays_cancelled(path: Path, tmp_path: Path) -> None:
    """D6 F3: also if it ran."""
    system = make(path).start()
    running, waiting = (system.submit(Scribe.wait_for, str(tmp_path / "never")) for _ in range(2))
    assert running.accepted(LIMIT)
    assert waiting.cancel()
    assert running.cancel()
    assert system.submit(Scribe.join, "x").result(LIMIT) == "x"
    leave(system)
    with make(path) as system:
        assert [future.task_id for future in system.recovered()] == []


def test_a_shutdown_that_cancels_does_so_for_good(path: Path, tmp_path: Path) -> None:
    """F3: and one that only does not wait leaves the work for the next start."""
    system = make(path).start()
    future = system.submit(Scribe.wait_for, str(tmp_path / "never"))
    assert future.accepted(LIMIT)
    system.shutdown(cancel_tasks=True)
    with pytest.raises(TaskCancelled):
        future.result(LIMIT)
    with make(path) as system:
        assert system.recovered() == []


def test_what_must_not_run_twice_is_not_run_again(path: Path, tmp_path: Path) -> None:
    """D8 F3: it may have run; whoever waits is told so."""
    system = make(path).start()
    future = system.options(idempotent=False).submit(Scribe.wait_for, str(tmp_path / "never"))
    waiting = system.options(idempotent=False, after=[future]).submit(Scribe.join, "x")
    assert waiting.accepted(LIMIT)
    # It is said to be assigned before it is.
    deadline = time.monotonic() + LIMIT
    while future.info().status == "pending":
        assert time.monotonic() < deadline
    leave(system)
    assert query(path, "SELECT status FROM task ORDER BY number") == [("assigned",), ("pending",)]
    with make(path) as system:
        recovered = system.recovered()
        with pytest.raises(AgentDied, match=r"the program of task .* died"):
            recovered[0].result(LIMIT)
        assert recovered[1].exception(LIMIT) is not None


def test_sub_tasks_belong_to_the_task_that_made_them(path: Path) -> None:
    """F3: they are made again when it runs again, so the journal has the task alone."""
    with make(path) as system:
        assert system.submit(Scribe.nest, 3).result(LIMIT) == 3
    assert query(path, "SELECT count(*) FROM task") == [(1,)]


def test_tasks_of_a_worker_that_cannot_be_found_wait_until_it_is_named(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """F3: nothing is lost because a module was renamed."""
    system = make(path, {Stranger: 1}).start()
    system.pause()
    future = system.submit(Stranger.greet, "you")
    joined = system.options(after=[future]).submit(len, "four")
    assert joined.accepted(LIMIT)
    leave(system)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE task SET worker = 'no.such.module:Stranger' WHERE worker IS NOT NULL")
    connection.commit()
    connection.close()
    with caplog.at_level(logging.DEBUG), make(path) as system:
        greeting, length = system.recovered()
        assert greeting.info().status == "pending"
        assert any("wait until the program names their worker type 'stranger'" in each for each in caplog.messages)
        assert not greeting.done()
        assert system.submit(Stranger.greet, "me").result(LIMIT) == "hello me"
        assert (greeting.result(LIMIT), length.result(LIMIT)) == ("hello you", 4)


def test_a_worker_that_can_be_imported_need_not_be_named(path: Path) -> None:
    """F3: its module stands in the journal."""
    system = make(path, {Stranger: 1}).start()
    system.pause()
    assert system.submit(Stranger.greet, "you").accepted(LIMIT)
    leave(system)
    with make(path) as system:
        assert [future.result(LIMIT) for future in system.recovered()] == ["hello you"]


def test_a_task_that_waits_for_its_worker_can_be_cancelled(path: Path) -> None:
    """D6: like any other."""
    system = make(path, {Stranger: 1}).start()
    system.pause()
    assert system.submit(Stranger.greet, "you").accepted(LIMIT)
    leave(system)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE task SET worker = NULL")
    connection.commit()
    connection.close()
    with make(path) as system:
        (future,) = system.recovered()
        assert future.cancel()
        assert system.submit(Scribe.join, "x").result(LIMIT) == "x"
    assert query(path, "SELECT status FROM task ORDER BY number") == [("cancelled",), ("completed",)]


class FullJournal(SqliteJournal):
    """One whose disk is full now and then."""

    full = False

    def write(self, records: Sequence[TaskRecord]) -> None:
        """See `Journal.write`."""
        if self.full:
            raise JournalError("the journal cannot be written: the disk is full", path=str(self.path), reason="full")
        super().write(records)


def test_while_it_cannot_be_written_new_work_is_refused_and_outcomes_wait(path: Path, tmp_path: Path) -> None:
    """F3: nobody is told of a result that the next start would not know; nothing is lost, and it goes on by itself."""
    gate = tmp_path / "gate"
    journal = FullJournal(path)
    with make(journal) as system:
        running = system.submit(Scribe.wait_for, str(gate))
        waiting = system.submit(Scribe.join, "w")
        assert waiting.accepted(LIMIT)
        journal.full = True
        with pytest.raises(JournalError, match=r"not accepted, because it cannot be kept: .* the disk is full"):
            system.submit(Scribe.join, "x").result(LIMIT)
        assert not system.healthy()
        gate.touch()
        # Both have ended, as the books say; nobody is told.
        with pytest.raises(TimeoutError):
            waiting.result(0.5)
        assert not running.done()
        journal.full = False
        assert (running.result(LIMIT), waiting.result(LIMIT)) == ("there", "w")
        assert system.healthy()
        assert system.submit(Scribe.join, "y").result(LIMIT) == "y"
    assert query(path, "SELECT status, count(*) FROM task GROUP BY 1") == [("completed", 3)]


class ForgetsFailures(SqliteJournal):
    """One whose disk is full just when a failure is to be written."""

    def write(self, records: Any) -> None:
        if any(record.status == "failed" for record in records):
            raise JournalError("the journal cannot be written: the disk is full", path=str(self.path), reason="full")
        super().write(records)


def test_a_task_that_can_never_run_does_not_keep_the_others_from_going_on(path: Path, tmp_path: Path) -> None:
    """F3: it was refused in an earlier life, and that could not be written down any more."""
    gate = tmp_path / "gate"
    system = make(ForgetsFailures(path)).start()
    running = system.submit(Scribe.wait_for, str(gate))
    assert running.accepted(LIMIT)
    unknown = running.task_id.rpartition("-")[0] + "-999"
    refused = system.options(after=[unknown]).submit(Scribe.join, "x")
    assert isinstance(refused.exception(LIMIT), ConfigError)
    leave(system)
    gate.touch()
    with make(path) as system:
        again, never = system.recovered()
        assert again.result(LIMIT) == "there"
        assert "never accepted here" in str(never.exception(LIMIT))
    assert query(path, "SELECT status FROM task ORDER BY number") == [("completed",), ("failed",)]


def test_agents_live_on_while_what_must_not_run_twice_waits_for_the_journal(path: Path, tmp_path: Path) -> None:
    """F3, A6: that nothing can be written is no fault of theirs, however much waits for it."""
    gate = tmp_path / "gate"
    journal = FullJournal(path)
    with make(journal) as system:
        running = system.submit(Scribe.wait_for, str(gate))
        waiting = [system.options(idempotent=False).submit(Scribe.join, str(number)) for number in range(20)]
        assert waiting[-1].accepted(LIMIT)
        journal.full = True
        gate.touch()
        # As long as it takes an agent that refuses by itself to be killed for it.
        with pytest.raises(TimeoutError):
            waiting[0].result(4.0)
        journal.full = False
        assert [future.result(LIMIT) for future in waiting] == [str(number) for number in range(20)]
        assert running.result(LIMIT) == "there"
        assert [agent.incarnation for agent in system.agents()] == [1]


def test_all_work_is_done_when_all_of_it_is_told(path: Path, tmp_path: Path) -> None:
    """D8, F3: an outcome that is held back is still waited for."""
    gate = tmp_path / "gate"
    journal = FullJournal(path)
    with make(journal) as system:
        running = system.submit(Scribe.wait_for, str(gate))
        assert running.accepted(LIMIT)
        journal.full = True
        gate.touch()
        assert not system.drain(1.0)
        assert not running.done()
        journal.full = False
        assert system.drain(LIMIT)
        assert running.done()


def test_at_the_end_nobody_waits_for_a_disk_that_stays_full(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """F3: the outcome is told, and that it will be made again is said."""
    journal = FullJournal(path)
    with caplog.at_level(logging.CRITICAL), make(journal) as system:
        future = system.submit(Scribe.join, "x")
        assert future.accepted(LIMIT)
        journal.full = True
    assert future.result(LIMIT) == "x"
    told = [each for each in caplog.messages if "run again at the next start" in each]
    assert len(told) == (query(path, "SELECT status FROM task") == [("pending",)])


def test_large_values_are_kept(path: Path, tmp_path: Path) -> None:
    """F3: what travels through shared memory, too."""
    large = "x" * (3 << 20)
    with make(path) as system:
        future = system.submit(Scribe.join, large)
        assert future.accepted(LIMIT)
    with make(path) as system:
        (future,) = system.recovered()
        assert future.result(LIMIT) == large
    # The systems are circles of objects.
    del future, system
    gc.collect()
    Segment.trim()


def test_settings_name_the_journal(path: Path) -> None:
    """A4: as any other setting."""
    config = SystemConfig(journal=str(path), journal_survives="power")
    with ActorSystem({Scribe: 1}, host="thread", config=config) as system:
        assert system.submit(Scribe.join, "x").accepted(LIMIT)
    assert path.exists()
    with pytest.raises(ConfigError, match="journal takes the path of a file or a Journal, not 7"):
        ActorSystem(journal=7, host="thread").start()  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="journal_survives"):
        SystemConfig(journal_survives="fire")  # type: ignore[arg-type]


def test_a_journal_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    """F3: nothing is left behind."""
    (tmp_path / "journal.db").write_text("dear diary\n" * 1000)
    with pytest.raises(JournalError, match="no database"):
        make(tmp_path / "journal.db").start()
    with make(tmp_path / "other.db"):
        second = make(tmp_path / "other.db")
        with pytest.raises(JournalError, match="in use by process"):
            second.start()


def test_errors_of_the_journal_travel() -> None:
    """F3: they pickle like all others."""
    error = pickle.loads(pickle.dumps(JournalError("no", path="/x", reason="full")))
    assert (str(error), error.path, error.reason) == ("no", "/x", "full")


def test_dead_letters_outlive_the_program(path: Path, tmp_path: Path) -> None:
    """F4: with their story and their arguments, those of what they depend on too; what was run again is none any more."""
    gate = tmp_path / "gate"
    with make(path) as system:
        before = system.submit(Scribe.join, "a")
        assert before.result(LIMIT) == "a"
        after = system.submit(Scribe.must_see, str(gate), before)
        plain = system.options(retries=1, retry_on=(LookupError,)).submit(Scribe.fail, "no")
        for future in (after, plain):
            assert isinstance(future.exception(LIMIT), LookupError)
        listed = system.dead_letters()
    with make(path) as system:
        again = system.dead_letters()
        assert [(each.id, each.arguments, each.error, each.text, each.retryable) for each in again] == [
            (each.id, each.arguments, each.error, each.text, each.retryable) for each in listed
        ]
        found = next(each for each in again if each.id == plain.task_id)
        assert [attempt.number for attempt in found.attempts] == [1, 2]
        gate.touch()
        assert system.retry_dead(after.task_id).result(LIMIT) == "a sees"
        assert [each.id for each in system.dead_letters()] == [plain.task_id]
    with make(path) as system:
        (left,) = system.dead_letters()
        assert left.id == plain.task_id
        assert isinstance(system.retry_dead(plain.task_id).exception(LIMIT), LookupError)
        (repeated,) = system.dead_letters()
        assert repeated.repeats == plain.task_id
        assert system.recovered() == []
    with make(path) as system:
        (left,) = system.dead_letters()
        assert (left.id, left.repeats) == (repeated.id, plain.task_id)
