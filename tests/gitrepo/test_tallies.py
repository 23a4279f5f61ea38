"""What needs no repository: patterns, messages and sums."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import ConfigError
from actors.gitrepo import tally as module
from actors.gitrepo.conventions import MessageTally, problems_of, type_of
from actors.gitrepo.history import CommitChange, FileChange
from actors.gitrepo.patterns import matcher
from actors.gitrepo.reading import seconds_of
from actors.gitrepo.tally import HistoryTally, bus_factor


def commit(number: int, *files: FileChange, author: str = "A <a>") -> CommitChange:
    return CommitChange(str(number), author, float(number), "message", 1, files)


def change(path: str, added: int | None = 1, old: str | None = None) -> FileChange:
    return FileChange(path, "R" if old else "M", added, added and 0, old)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("src", ["src", "src/a", "src/b/c"], ["srcs", "a/src"]),
        ("src/", ["src/a"], ["src2/a"]),
        ("*.py", ["a.py"], ["a/b.py", "a.pyc"]),
        ("**/*.py", ["a.py", "a/b.py", "a/b/c.py"], ["a.js"]),
        ("src/**", ["src/a", "src/b/c"], ["a/src/b"]),
        ("a/**/z", ["a/z", "a/b/c/z"], ["az", "b/a/z"]),
        ("[!a]?[0-9]", ["bx1"], ["ax1", "b/1", "bx"]),
        ("[a]*?", ["[a]*?", "axy"], ["b"]),
        ("[", ["["], ["x"]),
        ("./x y", ["x y"], ["x"]),
        (".", ["anything/at all"], []),
        ("a\nb", ["a\nb"], ["a"]),
    ],
)
def test_patterns_take_what_they_say(pattern: str, yes: list[str], no: list[str]) -> None:
    """A1: files, folders and globs."""
    keep = matcher([pattern])
    assert [path for path in (*yes, *no) if keep(path)] == yes
    assert not matcher([])("anything")


@given(st.text(max_size=12))
def test_no_pattern_trips_the_matcher(text: str) -> None:
    """A1: an error that names it, or a matcher, which takes the path that is written out."""
    try:
        keep = matcher([text])
    except ConfigError:
        assert not text or text.startswith("/") or ".." in text.split("/")
        return
    keep("a/b")
    assert keep(text.removeprefix("./").rstrip("/")) or not text.strip("./")


def test_messages_have_the_problems_that_they_have() -> None:
    """A1: message conventions."""
    assert problems_of("") == problems_of(" \n") == ("empty",)
    assert problems_of("Fix it\n\nBecause.") == ()
    assert problems_of("Wait for it...") == ()
    assert problems_of("x" * 73 + ".\nno") == ("long_subject", "no_blank_line", "full_stop")
    assert [type_of(text) for text in ("feat: x", "Fix(a b)!: x", "feat:x", "http://x", "a word: x", "")] == [
        "feat",
        "fix",
        None,
        None,
        None,
        None,
    ]
    tally = MessageTally()
    tally.add("1", "fix: x (#12)\n\nABC-3\n\nSigned-off-by: A <a@x>")
    tally.add("2", "x.")
    report = tally.report()
    assert (report.with_body, report.signed_off, report.with_reference, report.conventional) == (1, 1, 1, 1)
    for number in range(200):
        tally.add(str(number), f"type{number}: x.")
    assert (len(tally.report().types), len(tally.report().examples)) == (50, 50)


def test_two_files_that_change_names_keep_their_histories() -> None:
    """A1: renames are followed at once for all files of a commit."""
    tally = HistoryTally()
    tally.add(commit(3, change("a", 0, old="b"), change("b", 0, old="a")))
    tally.add(commit(2, change("a", 5)))
    assert {one.path: one.added for one in tally.report("x").files} == {"a": 0, "b": 5}


def test_pairs_are_bounded_and_the_closest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A1: bounded memory, and a note of it."""
    monkeypatch.setattr(module, "MOST_PAIRS", 20)
    tally = HistoryTally()
    for number in range(100, 0, -1):
        tally.add(commit(number, change("x"), change("y"), change(f"z{number}")))
    report = tally.report("x")
    (x,) = [one for one in report.files if one.path == "x"]
    assert [(one.path, one.together) for one in x.couplings] == [("y", 100)]
    assert len(tally._pairs) <= 20 and "the rarest" in report.notes[-1]


def test_a_commit_of_very_many_files_couples_none() -> None:
    """A1: a new licence header is no coupling."""
    tally = HistoryTally()
    for number in range(5, 0, -1):
        tally.add(commit(number, *(change(f"f{index}") for index in range(51))))
    assert not any(one.couplings for one in tally.report("x").files)


@given(st.lists(st.frozensets(st.sampled_from("abcd"), min_size=1), max_size=12))
def test_with_that_many_people_gone_most_files_are_strange(who: list[frozenset[str]]) -> None:
    """A1: bus factor, between nobody and everybody, and never more than the greedy leaving of all."""
    found = bus_factor(who)
    people = frozenset().union(*who)
    assert (found == 0) == (not who) and found <= len(people)
    import itertools

    def strange(gone: frozenset[str]) -> bool:
        return sum(not (one - gone) for one in who) * 2 > len(who)

    if who:
        assert any(strange(frozenset(gone)) for gone in itertools.combinations(sorted(people), found))


def test_moments_are_seconds_or_dates() -> None:
    """A1: what a workflow file may say."""
    import datetime as dt

    assert seconds_of(5, "since") == 5.0
    assert seconds_of("1970-01-02", "since") == seconds_of(dt.date(1970, 1, 2), "since") == 86400.0
    assert seconds_of("1970-01-01", "until", end=True) == 86399.0
    assert seconds_of("1970-01-01T01:00:00+01:00", "until", end=True) == 0.0
    assert seconds_of(dt.datetime(1970, 1, 1, tzinfo=dt.UTC), "since") == 0.0
    for wrong in (math.nan, math.inf, True, "soon", [], None):
        with pytest.raises(ConfigError, match="since is seconds"):
            seconds_of(wrong, "since")
