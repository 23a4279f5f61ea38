"""A failing case is told to a person as text: who sent what to whom, when, and what became of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import ConfigError
from actors.testing.history import Broken, Entry, History, Note
from actors.testing.pictures.lettering import columns
from actors.testing.pictures.sequence import sequence
from tests.testing.stories import Telling, ask_that_times_out, death_and_retry, forty_messages
from tests.testing.test_history import entries


def line_of(text: str, *words: str) -> str:
    """The one line that has all of these words."""
    found = [line for line in text.splitlines() if all(word in line for word in words)]
    assert len(found) == 1, f"{len(found)} lines have {words} in:\n{text}"
    return found[0]


def test_a_message_says_when_it_left_who_sent_it_to_whom_and_when_it_arrived() -> None:
    """J2: readable from top to bottom, the two ends of a way joined by a number."""
    text = sequence(death_and_retry(), width=120)
    leaves = line_of(text, "──┄", "task-7, attempt 1")
    assert re.search(r"scheduler ──┄ account-1#1 +Assignment  task-7, attempt 1 \[5\]$", leaves)
    arrives = line_of(text, "┄─▶", "Assignment", "[5]")
    assert re.match(r" 0\.051 s +scheduler ┄─▶ account-1#1 +Assignment  after 1\.2 ms \[5\]", arrives)


def test_a_message_that_is_handled_at_once_is_one_line() -> None:
    """J2: no more lines than the story needs."""
    text = sequence(death_and_retry(), width=120)
    assert "program ──▶ scheduler" in line_of(text, "Submit")


def test_the_states_stand_beside_what_changed_them() -> None:
    """J2: moves of one moment are chained and stand in the same line as the message."""
    text = sequence(death_and_retry(), width=120)
    assert line_of(text, "Assignment", "┄─▶", "[5]").endswith("account-1#1 idle → assigned → working")
    assert line_of(text, "Outcome").endswith("task-7 completed: 94")
    assert line_of(text, "AssignmentAck", "after").endswith("task-7 assigned → in_progress")


def test_a_moment_is_written_once() -> None:
    """J2: what happened at the same time stands together under one time."""
    text = sequence(death_and_retry(), width=120)
    assert len(re.findall(r"^ *41\.200 s", text, re.MULTILINE)) == 1
    assert line_of(text, "FAULT").startswith(" " * 10)


def test_faults_notes_and_the_broken_promise_are_marked() -> None:
    """J2: what the simulation did, what the test did, and what did not hold."""
    text = sequence(death_and_retry(), width=120)
    assert "account-1#1  ↯  FAULT: dies (signal 9)" in text
    assert "program  •  submit Account.pay(3)" in text
    broken = text.splitlines()[-3:]
    assert broken[0] == "41.242 s  BROKEN: Account: each payment is booked once"
    assert " ".join(" ".join(broken[1:]).split()) == (
        "after task-7 the balance is 94, but one payment of 3 from 100 leaves 97; account-1#1 and account-1#2 paid"
    )


@pytest.mark.parametrize("fate", ["lost", "cut", "garbled", "dead letter", "doubled"])
def test_a_message_that_something_befell_says_what(fate: str) -> None:
    """J2: no mishap of a message goes unseen, not even of one that is usually left out."""
    for name in ("Result", "Heartbeat"):
        tell = Telling()
        tell.take(tell.send("account-1#1", "hub", name, "task-1"), "hub", fate, at=0.002)
        line = line_of(sequence(tell.history, width=120), fate.upper())
        assert name in line
        assert "┄═▶" in line if fate == "doubled" else "┄─✗" in line


def test_dull_messages_are_left_out_and_counted() -> None:
    """J2: heartbeats do not bury the story, and nothing is left out in silence."""
    text = sequence(death_and_retry(), width=120)
    assert text.startswith("… 3 messages left out: Heartbeat, Registration\n")
    full = sequence(death_and_retry(), width=120, hide=())
    assert "Heartbeat" in full
    assert "left out" not in full
    assert len(full.splitlines()) > len(text.splitlines())


def test_a_long_history_is_cut_around_the_failure() -> None:
    """J2: the lines before the failure stay, faults and steps of the test too, and the rest is counted."""
    tell = Telling()
    tell.history.note(0.0, "program", "the cause, long ago")
    for step in range(500):
        tell.at(float(step))
        tell.pass_on("hub", "scheduler", "Ping", f"number {step}")
    tell.history.broken(tell.time, "F1", "the failure")
    text = sequence(tell.history, width=120, most=20)
    lines = text.splitlines()
    kept = [line for line in lines if "left out" not in line]
    assert len(kept) == 1 + 14 + 2
    assert "the cause, long ago" in kept[0]
    assert "number 499" in kept[-3]
    assert [line.strip() for line in lines if "left out" in line] == ["… 486 lines left out"]
    assert len(sequence(tell.history, width=120, most=None).splitlines()) == 503


def test_what_concerns_the_task_of_the_broken_promise_is_kept_from_long_before() -> None:
    """J2: the promise names task-3, so its moves are worth more than other lines."""
    tell = Telling()
    tell.task("task-3", "pending", "assigned")
    for step in range(1, 300):
        tell.at(float(step))
        tell.task(f"task-{step + 10}", "pending", "assigned")
    tell.history.broken(tell.time, "D8 exactly one outcome", "task-3: none")
    assert "task-3 pending → assigned" in sequence(tell.history, width=80, most=12)


def test_only_the_first_broken_promise_is_the_failure() -> None:
    """J2: what broke later is most often the consequence of what broke first."""
    entries: list[Entry] = [Note(float(step), "program", f"step {step}") for step in range(100)]
    entries.insert(50, Broken(49.5, "D8", "the first"))
    entries.append(Broken(99.5, "E4", "the second"))
    text = sequence(History(entries), width=80, most=10)
    assert "step 49" in text
    assert "the first" in text
    assert "step 90" not in text


@pytest.mark.parametrize("width", [60, 80, 99, 100, 120, 200])
def test_no_line_is_wider_than_the_page(width: int) -> None:
    """J2: in any terminal, nothing is broken by the terminal itself."""
    for tell in (death_and_retry, ask_that_times_out, forty_messages):
        text = sequence(tell(), width=width, most=None)
        assert max(columns(line) for line in text.splitlines()) <= width
        assert all(line == line.rstrip() for line in text.splitlines())


@given(st.lists(entries, max_size=30), st.sampled_from([60, 100, 120]), st.sampled_from([5, 12, None]))
def test_any_history_can_be_told(some: list[Entry], width: int, most: int | None) -> None:
    """J2: names and texts are users' input: nothing in them breaks the page, and the telling is the same each time."""
    some.sort(key=lambda entry: entry.time)
    text = sequence(History(some), width=width, most=most)
    assert text == sequence(History(some), width=width, most=most)
    for line in text.split("\n"):
        assert line.isprintable()
        # A time of a million seconds leaves little room, but the page is kept all the same.
        assert columns(line) <= width


def test_an_empty_history_says_so() -> None:
    """J2: no blank page."""
    assert sequence(History()) == "Nothing happened."


def test_the_width_is_that_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """J2: COLUMNS counts, and without a terminal it is 120."""
    monkeypatch.setenv("COLUMNS", "72")
    assert max(map(columns, sequence(forty_messages()).splitlines())) <= 72
    monkeypatch.setenv("COLUMNS", "10")
    assert sequence(forty_messages()) == sequence(forty_messages(), width=60)


def test_bounds_that_leave_nothing_to_tell_are_refused() -> None:
    """J2: an error names the setting, the value and what is allowed."""
    with pytest.raises(ConfigError, match=r"width is 60 or more, or None for that of the terminal, not 20"):
        sequence(History(), width=20)
    with pytest.raises(ConfigError, match=r"most is 5 or more, or None for everything, not 0"):
        sequence(History(), most=0)
