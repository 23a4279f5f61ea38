"""What every journal must do: keep what was written, all of a write or nothing, beyond the life of whoever wrote it.

class TestMyJournal(JournalConformance):
    def make_journal(self):
        return MyJournal(self.place)    # the same place for the whole check
"""

from __future__ import annotations

from typing import Any

from actors.errors import JournalError
from actors.runtime.journal.record import Journal, Keep, TaskRecord
from actors.testing.conformance.suite import Suite

__all__ = ["JournalConformance", "record"]


def record(number: int, **fields: Any) -> TaskRecord:
    """A record with nothing special in it but what is given."""
    given: dict[str, Any] = {
        "number": number,
        "id": f"t-{number}",
        "once": None,
        "worker": None,
        "kind": "{}",
        "payload": b"call %d" % number,
        "after": "[]",
        "inputs": "[]",
        "key": None,
        "created": 1000.0 + number,
        "status": "pending",
    }
    return TaskRecord(**{**given, **fields})


class JournalConformance(Suite):
    """Derive from it and say how a journal is made."""

    _open: list[Journal]

    def make_journal(self) -> Journal:
        """A journal of the place that this check has; what one wrote the next one finds."""
        raise NotImplementedError(f"{type(self).__qualname__} has to say how a journal is made: define make_journal")

    def setup_method(self) -> None:
        """Called before each check."""
        self._open = []

    def teardown_method(self) -> None:
        """Close what was opened."""
        for journal in self._open:
            journal.close()

    def opened(self) -> Journal:
        """A journal that is open, and closed when the check has ended."""
        journal = self.make_journal()
        journal.open("token")
        self._open.append(journal)
        return journal

    def reopened(self, journal: Journal) -> Journal:
        """The same place once more, after the first has ended."""
        journal.close()
        return self.opened()

    def test_what_was_written_is_there_after_a_new_start(self) -> None:
        """F3: every field of it."""
        journal = self.opened()
        told = record(
            7,
            once="order-7",
            worker="shop:Account",
            kind='{"name": "pay"}',
            after="[3, 5]",
            inputs='["a"]',
            key="user-7",
            status="completed",
            attempt=2,
            retried=1,
            spared=1,
            agent="account-1",
            started=1001.5,
            ended=1002.5,
            result=b"\x00paid",
            story='{"repeats": "t-1", "attempts": []}',
        )
        failed = record(
            8,
            status="failed",
            ended=1003.0,
            error_types='["ValueError"]',
            error_text="no",
            error_traceback="Traceback",
            error_pickle=b"\x80",
        )
        journal.write([told, failed])
        journal = self.reopened(journal)
        assert journal.find([7, 8]) == [told, failed]
        assert list(journal.unfetched()) == [told, failed]
        assert list(journal.unfinished()) == []

    def test_a_later_write_changes_how_a_task_stands_and_nothing_else(self) -> None:
        """F3: its call stays what was accepted."""
        journal = self.opened()
        journal.write([record(1, key="k")])
        journal.write([record(1, payload=None, kind='{"name": "other"}', status="assigned", attempt=1, agent="a-1")])
        (found,) = journal.unfinished()
        assert found == record(1, key="k", status="assigned", attempt=1, agent="a-1")

    def test_the_same_write_twice_is_one(self) -> None:
        """F3: whoever does not know whether it was written writes it again."""
        journal = self.opened()
        for _ in range(2):
            journal.write([record(1), record(2, status="cancelled", ended=1.0, fetched=True)])
        assert [each.number for each in journal.unfinished()] == [1]
        assert list(journal.unfetched()) == []

    def test_of_a_write_that_fails_nothing_is_kept(self) -> None:
        """F3: a name that is taken spoils all of it."""
        journal = self.opened()
        journal.write([record(1, once="order")])
        for records in (
            [record(2), record(3, once="order")],
            [record(n) for n in range(10, 600)] + [record(4, once="order")],
        ):
            try:
                journal.write(records)
            except JournalError:
                continue
            raise AssertionError("two tasks have one name")
        journal = self.reopened(journal)
        assert [each.number for each in journal.unfinished()] == [1]

    def test_large_writes_are_whole(self) -> None:
        """F3: a turn may have any number of tasks."""
        journal = self.opened()
        journal.write([record(number) for number in range(1, 1001)])
        journal = self.reopened(journal)
        assert [each.number for each in journal.unfinished()] == list(range(1, 1001))

    def test_numbers_and_ids_go_on_where_they_were(self) -> None:
        """D1: also when the last tasks have been dropped."""
        journal = self.make_journal()
        assert journal.open("first") == ("first", 0)
        self._open.append(journal)
        journal.write([record(41), record(42, status="cancelled", ended=1.0, fetched=True)])
        assert journal.forget(Keep(2000.0, 100, 0.0, 100)) == 1
        journal.close()
        journal = self.make_journal()
        assert journal.open("second") == ("first", 42)
        self._open.append(journal)

    def test_the_task_of_a_name_is_found(self) -> None:
        """F3: once means once."""
        journal = self.opened()
        journal.write([record(1, once="a"), record(2, once="b"), record(3)])
        journal = self.reopened(journal)
        found = journal.named("b")
        assert found is not None
        assert found.number == 2
        assert journal.named("c") is None

    def test_what_was_fetched_is_not_told_again(self) -> None:
        """F3: an outcome waits until the program has had it."""
        journal = self.opened()
        journal.write([record(n, status="completed", ended=1.0, result=b"") for n in (1, 2)])
        journal.fetched([1])
        journal = self.reopened(journal)
        assert [each.number for each in journal.unfetched()] == [2]

    def test_what_is_old_is_dropped_and_what_is_needed_stays(self) -> None:
        """D9 F3: an open task still needs the result that it depends on, and a name is remembered."""
        journal = self.opened()
        ended = {"status": "completed", "ended": 10.0, "result": b"r", "fetched": True}
        journal.write(
            [
                record(1, **ended),
                record(2, **ended),
                record(3, once="named", **ended),
                record(4, **{**ended, "ended": 99.0}),
                record(5, after="[2]"),
            ]
        )
        assert journal.forget(Keep(50.0, 100, 50.0, 100)) == 1
        assert [each.number for each in journal.find(range(9))] == [2, 3, 4, 5]
        named = journal.named("named")
        assert named is not None
        assert (named.payload, named.result) == (None, b"r")

    def test_of_what_was_fetched_only_the_last_are_kept(self) -> None:
        """D9: a program that runs for months does not fill the disk."""
        journal = self.opened()
        ended = {"status": "completed", "ended": 10.0, "result": b"r"}
        journal.write([record(n, fetched=n != 2, **ended) for n in range(1, 7)])
        assert journal.forget(Keep(0.0, 2, 0.0, 2)) == 3
        assert [each.number for each in journal.find(range(9))] == [2, 5, 6]

    def test_dead_letters_are_kept_by_their_own_rule(self) -> None:
        """F4: longer than other tasks that have ended; what is run again is none any more."""
        journal = self.opened()
        failed = {"status": "failed", "fetched": True, "dead": True}
        journal.write(
            [record(n, ended=100.0 - n, story='{"repeats": null, "attempts": []}', **failed) for n in range(1, 7)]
        )
        journal.write([record(7, status="failed", ended=1.0, fetched=True)])
        journal = self.reopened(journal)
        assert [each.number for each in journal.dead(100)] == [6, 5, 4, 3, 2, 1]
        assert [each.number for each in journal.dead(2)] == [6, 5]
        assert journal.dead(1)[0].payload == b"call 6"
        assert journal.forget(Keep(1000.0, 0, 95.0, 4)) == 4
        assert [each.number for each in journal.dead(100)] == [5, 4, 3]
        journal.write([record(8), record(4, status="failed", ended=96.0, fetched=True)])
        assert [each.number for each in journal.dead(100)] == [5, 3]

    def test_a_closed_journal_says_so(self) -> None:
        """F3: nothing is taken that would be lost."""
        journal = self.opened()
        journal.close()
        try:
            journal.write([record(1)])
        except JournalError:
            return
        raise AssertionError("a closed journal has taken a task")

    def test_two_programs_cannot_have_it_open(self) -> None:
        """F3: each task would run twice."""
        journal = self.opened()
        try:
            self.opened()
        except JournalError:
            journal.write([record(1)])
            return
        raise AssertionError("it is open twice")
