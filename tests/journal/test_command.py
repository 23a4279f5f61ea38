"""The command `actors journal`."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from actors import ActorSystem
from actors.cli import main
from tests.journal.workers import Scribe

LIMIT = 20.0


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal with a result, a failure, one that waits and one that was submitted once."""
    path = tmp_path / "jobs.db"
    system = ActorSystem({Scribe: 1}, journal=path, host="thread").start()
    assert system.submit(Scribe.join, "a").result(LIMIT) == "a"
    assert isinstance(system.submit(Scribe.fail, "no such order").exception(LIMIT), LookupError)
    assert system.options(once="order-1").submit(Scribe.join, "b").result(LIMIT) == "b"
    assert system.submit(Scribe.wait_for, str(tmp_path / "never")).accepted(LIMIT)
    system.shutdown(wait=False)
    return path


def ids(path: Path) -> list[str]:
    """The ids of all tasks, in their order."""
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT id FROM task ORDER BY number")]
    finally:
        connection.close()


def test_list_shows_the_latest_first(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """F3: as a table, or as JSON."""
    assert main(["journal", "list", str(journal), "--limit", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["ID", "STATUS", "TYPE"]
    assert "scribe.wait_for" in lines[1]
    assert "once order-1" in lines[2]
    assert "LookupError: no such order" in lines[3]
    assert lines[4] == "1 more: --limit 4"
    assert main(["journal", "list", str(journal), "--status", "failed", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["type"], entry["status"], entry["error"]) == ("scribe.fail", "failed", "LookupError: no such order")


def test_a_journal_can_be_read_while_a_program_has_it_open(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """F3: and is not changed behind its back."""
    with ActorSystem({Scribe: 1}, journal=journal, host="thread") as system:
        for future in system.recovered():
            future.cancel()
        assert main(["journal", "list", str(journal)]) == 0
        assert main(["journal", "purge", str(journal), "--older-than", "0s"]) == 3
        assert "in use by process" in capsys.readouterr().err


def test_show_tells_all_about_a_task(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """F3: with the traceback of its error."""
    failed = ids(journal)[1]
    assert main(["journal", "show", str(journal), failed]) == 0
    told = capsys.readouterr().out
    assert "scribe.fail" in told
    assert "Traceback (most recent call last)" in told
    assert "LookupError: no such order" in told
    assert main(["journal", "show", str(journal), failed, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["error_text"] == "no such order"
    assert main(["journal", "show", str(journal), "nobody-7"]) == 3
    assert "has no task nobody-7" in capsys.readouterr().err


def test_what_failed_runs_again_at_the_next_start(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """F4: also what was given up long ago; the program hears of its outcome."""
    good, failed, *_ = ids(journal)
    assert main(["journal", "retry", str(journal), failed, good]) == 1
    said = capsys.readouterr()
    assert f"{failed} runs again" in said.out
    assert f"{good} is unknown, did not fail" in said.err
    with ActorSystem({Scribe: 1}, journal=journal, host="thread") as system:
        again = next(future for future in system.recovered() if future.task_id == failed)
        assert isinstance(again.exception(LIMIT), LookupError)
        for future in system.recovered():
            future.cancel()


def test_purge_drops_what_has_ended(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """D9: and nothing else."""
    assert main(["journal", "purge", str(journal), "--older-than", "1d"]) == 0
    assert main(["journal", "purge", str(journal), "--older-than", "0s"]) == 0
    assert capsys.readouterr().out.splitlines() == ["0 tasks were dropped", "3 tasks were dropped"]
    assert len(ids(journal)) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["list", "jobs.db", "--status", "lost"], "expected one of pending"),
        (["list", "jobs.db", "--limit", "0"], "expected a number from 1 on"),
        (["purge", "jobs.db", "--older-than", "soon"], "expected a time as 90s"),
        (["purge", "jobs.db"], "--older-than"),
        ([], "ACTION"),
    ],
)
def test_wrong_usage_says_what_was_expected(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """F3: exit code 2."""
    with pytest.raises(SystemExit) as ended:
        main(["journal", *arguments])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_a_journal_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """F3: a slip of the pen leaves no file."""
    assert main(["journal", "list", str(tmp_path / "nowhere.db")]) == 3
    assert "there is no journal" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
