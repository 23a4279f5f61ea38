"""The journals of the library keep what every journal must."""

from __future__ import annotations

import tempfile
from pathlib import Path

from actors.runtime.journal.sqlite import SqliteJournal
from actors.testing.conformance.journal import JournalConformance
from actors.testing.sim.journal import MemoryJournal


class TestSqliteJournal(JournalConformance):
    """A file."""

    def setup_method(self) -> None:
        super().setup_method()
        self._directory = tempfile.TemporaryDirectory()

    def teardown_method(self) -> None:
        super().teardown_method()
        self._directory.cleanup()

    def make_journal(self) -> SqliteJournal:
        return SqliteJournal(Path(self._directory.name) / "journal.db")


class TestSqliteJournalForPower(TestSqliteJournal):
    """A file that is to outlive a loss of power."""

    def make_journal(self) -> SqliteJournal:
        return SqliteJournal(Path(self._directory.name) / "journal.db", "power")


class TestMemoryJournal(JournalConformance):
    """The one of the simulation."""

    def setup_method(self) -> None:
        super().setup_method()
        self._one = MemoryJournal()

    def make_journal(self) -> MemoryJournal:
        return self._one
