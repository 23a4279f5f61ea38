"""What a run did is recorded cheaply, and its digest is the same wherever the same things happened."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.testing.history import FATES, Broken, Entry, Fault, History, Moved, Note, Received, Sent
from tests.testing.stories import ask_that_times_out, death_and_retry, forty_messages

ROOT = Path(__file__).parents[2]
# Written down once: another Python, another machine or a later version that digests differently is found by it.
DIGEST = "a7c60b672861140cf12034a9f6aa8bbb"
PROGRAM = """
from tests.testing.stories import ask_that_times_out, death_and_retry, forty_messages
# What depends on the hash seed, to be sure that it has an effect here.
print(" ".join({"hub", "scheduler", "program", "resources", "account-1#1", "account-1#2"}))
for tell in (death_and_retry, ask_that_times_out, forty_messages):
    print(tell().digest())
"""

times = st.floats(0, 1e6, allow_nan=False)
texts = st.one_of(st.sampled_from(["hub", "account-1#1", "account-1#2", "Result", ""]), st.text(max_size=12))
# Few, so that what is sent is often received too.
numbers = st.integers(0, 5)
entries: st.SearchStrategy[Entry] = st.one_of(
    st.builds(Sent, times, numbers, texts, texts, texts, texts),
    st.builds(Received, times, numbers, texts, st.one_of(st.sampled_from(FATES), texts)),
    st.builds(Moved, times, texts, st.sampled_from(["agent", "task", ""]), texts, texts),
    st.builds(Fault, times, texts, st.one_of(st.just("dies (signal 9)"), texts)),
    st.builds(Note, times, texts, texts),
    st.builds(Broken, times, texts, texts),
)


def digests_under(seed: str) -> tuple[str, list[str]]:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=True).stdout
    order, *digests = output.splitlines()
    return order, digests


def test_the_same_entries_have_the_same_digest_in_processes_with_different_hash_seeds() -> None:
    """J2: a failing history can be told from another by its digest, on any run."""
    order, digests = digests_under("1")
    other_order, other_digests = digests_under("271828")
    assert order != other_order
    assert (
        digests == other_digests == [tell().digest() for tell in (death_and_retry, ask_that_times_out, forty_messages)]
    )


def test_the_digest_is_the_one_that_was_written_down() -> None:
    """J2: it depends neither on the version of Python nor on the machine."""
    assert death_and_retry().digest() == DIGEST


@given(st.lists(entries, max_size=6), st.lists(entries, max_size=6))
def test_different_entries_have_different_digests(some: list[Entry], others: list[Entry]) -> None:
    """J2: nothing in a text passes for the end of it, and no kind of entry for another."""
    same = repr(some) == repr(others)
    assert (History(some).digest() == History(others).digest()) is same


def test_a_field_that_ends_where_the_next_begins_counts() -> None:
    """J2: the same letters in other fields are another history."""
    one, other = History(), History()
    one.note(0.0, "a", "bc")
    other.note(0.0, "ab", "c")
    assert one.digest() != other.digest()


def test_each_method_appends_the_entry_that_it_is_named_for() -> None:
    """J2: what is recorded can be read back field by field."""
    history = History()
    history.sent(0.0, 1, "hub", "scheduler", "Result", "task-1")
    history.received(0.5, 1, "scheduler", "handled")
    history.moved(0.5, "task-1", "task", "assigned", "completed")
    history.fault(0.6, "account-1#1", "hangs")
    history.note(0.7, "program", "submit")
    history.broken(0.8, "D8", "two outcomes")
    assert history.entries == [
        Sent(0.0, 1, "hub", "scheduler", "Result", "task-1"),
        Received(0.5, 1, "scheduler", "handled"),
        Moved(0.5, "task-1", "task", "assigned", "completed"),
        Fault(0.6, "account-1#1", "hangs"),
        Note(0.7, "program", "submit"),
        Broken(0.8, "D8", "two outcomes"),
    ]
    assert [type(entry) for entry in history.entries] == [Sent, Received, Moved, Fault, Note, Broken]


def test_a_number_that_is_a_float_and_one_that_is_an_int_are_the_same_time() -> None:
    """J2: a clock that begins at 0 and one that begins at 0.0 tell the same story."""
    assert History([Note(0, "a", "b")]).digest() == History([Note(0.0, "a", "b")]).digest()


def test_what_is_no_entry_is_refused_by_name() -> None:
    """J2: a recorder that is used wrongly says so."""
    history = History([("sent", 0.0)])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"Sent, Received, Moved, Fault, Note or Broken, not a tuple: \('sent', 0\.0\)"):
        history.digest()
