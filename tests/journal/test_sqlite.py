"""The journal's file: what it does when it cannot be used, or is not what it should be."""

from __future__ import annotations

import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from actors.errors import ConfigError, JournalError
from actors.runtime.journal import queries
from actors.runtime.journal.sqlite import SqliteJournal
from actors.testing.conformance.journal import record

_HOLDER = (
    "import sys; from actors.runtime.journal.sqlite import SqliteJournal; j = SqliteJournal(sys.argv[1]);"
    "j.open('token'); print('open', flush=True); sys.stdin.read()"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "journal.db"


def filled(path: Path, count: int = 3) -> None:
    """Leave a journal with some tasks."""
    journal = SqliteJournal(path)
    journal.open("token")
    journal.write([record(number) for number in range(1, count + 1)])
    journal.close()


def numbers(path: Path) -> list[int]:
    """The tasks that a journal has."""
    journal = SqliteJournal(path)
    journal.open("token")
    try:
        return [each.number for each in journal.unfinished()]
    finally:
        journal.close()


def read(journal: SqliteJournal) -> None:
    """Open it and read all of it."""
    journal.open("token")
    list(journal.unfinished())


def test_only_its_owner_can_read_it(path: Path) -> None:
    """F3 I2: it holds pickled calls."""
    filled(path)
    assert path.stat().st_mode & 0o077 == 0


def test_a_second_program_is_told_who_has_it(path: Path) -> None:
    """F3: and has changed nothing."""
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _HOLDER,
            str(path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(JournalError, match=rf"in use by process {holder.pid}"):
            SqliteJournal(path).open("token")
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert numbers(path) == []


def test_a_fork_of_the_program_does_not_keep_it(path: Path) -> None:
    """F3: what is left of a program that was killed must not keep its successor from going on."""
    program = (
        "import os, sys, time; from actors.runtime.journal.sqlite import SqliteJournal; j = SqliteJournal(sys.argv[1]);"
        "j.open('token'); r, w = os.pipe(); child = os.fork();\n"
        "if child == 0:\n"
        "    os.close(w); os.read(r, 1); os._exit(0)\n"
        "print(child, flush=True); os.kill(os.getpid(), 9)"
    )
    # The child ends when the pipe's only writer, its dead parent, is gone; it may still live when the journal is opened.
    done = subprocess.run([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, check=False)
    assert done.returncode == -signal.SIGKILL
    assert numbers(path) == []


def test_another_programs_database_is_left_alone(path: Path) -> None:
    """F3: a wrong name must not cost anybody's data."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (a)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="a database of something else"):
        SqliteJournal(path).open("token")
    assert path.read_bytes() == before


def test_what_is_no_database_is_left_alone(path: Path) -> None:
    """F3: the same for a file of any kind."""
    path.write_text("dear diary\n" * 1000)
    with pytest.raises(JournalError, match="no database"):
        SqliteJournal(path).open("token")
    assert path.read_text().startswith("dear diary")


def test_a_later_format_is_not_touched(path: Path) -> None:
    """F3: an older version of the program must not spoil it."""
    filled(path)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {queries.VERSION + 1}")
    connection.close()
    with pytest.raises(JournalError, match=rf"has format {queries.VERSION + 1}.*up to format {queries.VERSION}"):
        SqliteJournal(path).open("token")


def test_a_damaged_journal_says_what_to_do(path: Path) -> None:
    """F3: the file is kept."""
    filled(path, 500)
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)
    journal = SqliteJournal(path)
    with pytest.raises(JournalError, match="damaged; keep the file"):
        read(journal)
    journal.close()


def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    """F3: a clear word."""
    with pytest.raises(JournalError, match="cannot be opened"):
        SqliteJournal(tmp_path).open("token")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_where_nobody_may_write_says_so(tmp_path: Path) -> None:
    """F3: a clear word."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(JournalError, match="cannot be opened"):
            SqliteJournal(tmp_path / "journal.db").open("token")
    finally:
        tmp_path.chmod(0o700)


def test_another_connection_that_locks_it_makes_the_write_fail_in_order(path: Path) -> None:
    """F3: nothing of it is written, and the next one goes through."""
    journal = SqliteJournal(path)
    journal.open("token")
    other = sqlite3.connect(path, isolation_level=None)
    try:
        journal._open_connection().execute("PRAGMA busy_timeout = 50")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="has it locked"):
            journal.write([record(1)])
        other.execute("ROLLBACK")
        journal.write([record(2)])
        assert [each.number for each in journal.unfinished()] == [2]
    finally:
        other.close()
        journal.close()


def test_a_full_disk_costs_the_write_and_nothing_else(path: Path) -> None:
    """F3: what was there is there, and it goes on when there is room again."""
    journal = SqliteJournal(path)
    journal.open("token")
    journal.write([record(1)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        with pytest.raises(JournalError):
            journal.write([record(number, payload=b"x" * 1000) for number in range(2, 1000)])
        assert [each.number for each in journal.unfinished()] == [1]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    journal.write([record(number, payload=b"x" * 1000) for number in range(2, 1000)])
    journal.close()
    assert len(numbers(path)) == 999


def test_what_it_is_to_survive_is_checked(path: Path) -> None:
    """A4: a bad value names itself."""
    with pytest.raises(ConfigError, match='survives is "processes" or "power", not \'fire\''):
        SqliteJournal(path, "fire")  # type: ignore[arg-type]


def test_every_step_of_the_format_is_made_from_an_empty_file(path: Path) -> None:
    """F3: what is new and what came the whole way are the same."""
    filled(path)
    connection = sqlite3.connect(path)
    schema = "".join(sql for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL"))
    connection.close()
    for name in re.findall(r"CREATE (?:TABLE|INDEX) (\w+)", "".join(queries.MIGRATIONS)):
        assert name in schema


@pytest.mark.parametrize("operations", [*range(0, 400, 20), 500, 1000, 2000, 5000])
def test_a_kill_in_the_middle_of_a_write_leaves_all_of_it_or_nothing(path: Path, operations: int) -> None:
    """F3: killed by signal 9 after so many operations of SQLite's machine, in a write of 40 tasks."""
    filled(path)
    program = (
        "import os, sys\n"
        "from actors.runtime.journal.sqlite import SqliteJournal\n"
        "from actors.testing.conformance.journal import record\n"
        "journal = SqliteJournal(sys.argv[1]); journal.open('token')\n"
        "count = 0\n"
        "def step():\n"
        "    global count\n"
        "    count += 1\n"
        "    if count > int(sys.argv[2]): os.kill(os.getpid(), 9)\n"
        "journal._open_connection().set_progress_handler(step, 1)\n"
        "journal.write([record(n, payload=b'x' * 3000) for n in range(10, 50)])\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path), str(operations)], check=False)
    assert numbers(path) in ([1, 2, 3], [1, 2, 3, *range(10, 50)])
