"""Who hears which events."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.subscriptions import EVERY, Subject, Subscriptions
from actors.errors import ConfigError

STANDS = {
    "a-1": Subject("a", frozenset({"night"})),
    "a-2": Subject("a", frozenset({"day"})),
    "b-1": Subject("b", frozenset({"night", "day"})),
    "b-2": Subject("b"),
}


def make(*keys: str, scope: Any = "global") -> Subscriptions[str]:
    """Subscriptions of these to TaskFailed; "program" stands nowhere."""
    subscriptions = Subscriptions(STANDS.get)
    for key in keys:
        subscriptions.add(key, ["TaskFailed"], scope)
    return subscriptions


EVERYBODY = ("program", *STANDS)


@pytest.mark.parametrize(
    ("reach", "listens", "heard"),
    [
        ("global", "global", EVERYBODY),
        ("local", "global", ("program", "a-1", "b-1")),
        ("type", "global", ("program", "a-1", "a-2")),
        ("global", "local", ("program", "a-1", "b-1")),
        ("global", "type", ("program", "a-1", "a-2")),
        ("local", "type", ("program", "a-1")),
        ("type", "local", ("program", "a-1")),
    ],
)
def test_an_event_is_heard_where_both_sides_allow(reach: Any, listens: Any, heard: tuple[str, ...]) -> None:
    """B5: scopes."""
    assert make(*EVERYBODY, scope=listens).hearers("TaskFailed", reach, STANDS["a-1"]) == list(heard)


def test_what_the_program_publishes_to_a_job_or_type_reaches_no_agent() -> None:
    """B5: the program has no job and no type."""
    for scope in ("local", "type"):
        assert make(*EVERYBODY).hearers("TaskFailed", scope) == ["program"]
    assert make(*EVERYBODY).hearers("TaskFailed", "global") == list(EVERYBODY)


def test_only_subscribers_hear_and_each_once() -> None:
    """B5: subscriptions."""
    subscriptions = make("a-1")
    subscriptions.add("a-1", ["TaskFailed", EVERY])
    subscriptions.add("a-2", [EVERY])
    assert subscriptions.hearers("TaskFailed") == ["a-1", "a-2"]
    assert subscriptions.hearers("TaskStarted") == ["a-1", "a-2"]
    assert make().hearers("TaskFailed") == []


def test_changes_of_interest_are_told_so_that_nobody_makes_events_for_nothing() -> None:
    """B5: only subscribers get an event, so only those kinds are made."""
    subscriptions = make()
    assert subscriptions.interest() == frozenset()
    assert not subscriptions.wants("X")
    assert subscriptions.add("p", ["X", "Y"]) == {"X", "Y"}
    assert subscriptions.add("q", ["Y", "Z"]) == {"Z"}
    assert subscriptions.interest() == {"X", "Y", "Z"}
    assert subscriptions.remove("p") == {"X"}
    assert subscriptions.remove("q", ["Y"]) == {"Y"}
    assert subscriptions.interest() == {"Z"}
    assert subscriptions.remove("q", ["Z"], "local") == frozenset()
    assert subscriptions.remove("nobody") == frozenset()
    assert subscriptions.wants("Z")
    subscriptions.add("q", [EVERY])
    assert subscriptions.wants("anything")


def test_a_scope_that_there_is_not_is_refused() -> None:
    """B5: scopes are three."""
    with pytest.raises(ConfigError, match="global, local, type"):
        make("a-1", scope="world")


CHANGES = st.lists(
    st.tuples(
        st.booleans(),
        st.sampled_from(EVERYBODY),
        st.sets(st.sampled_from(["X", "Y", EVERY]), min_size=1),
        st.sampled_from(["global", "local", "type"]),
    ),
    max_size=30,
)


@given(CHANGES, st.sampled_from(["X", "Y", "Z"]), st.sampled_from(["global", "local", "type"]))
def test_hearers_are_those_that_a_look_through_all_subscriptions_finds(
    changes: list[tuple[bool, str, set[str], Any]], kind: str, reach: Any
) -> None:
    """B5: against a plain set of subscriptions."""
    subscriptions = Subscriptions(STANDS.get)
    model: set[tuple[str, str, str]] = set()
    for adds, key, kinds, scope in changes:
        before = {each for _, each, _ in model}
        pairs = {(key, each, scope) for each in kinds}
        if adds:
            model |= pairs
            assert subscriptions.add(key, kinds, scope) == {each for _, each, _ in model} - before
        else:
            model -= pairs
            assert subscriptions.remove(key, kinds, scope) == before - {each for _, each, _ in model}
    assert subscriptions.interest() == {each for _, each, _ in model}
    source = STANDS["b-1"]

    def allows(key: str, scope: str) -> bool:
        stand = STANDS.get(key)
        if stand is None or scope == "global":
            return True
        return bool(stand.jobs & source.jobs) if scope == "local" else stand.agent_type == source.agent_type

    expected = {k for k, e, s in model if e in {kind, EVERY} and allows(k, s) and allows(k, reach)}
    heard = subscriptions.hearers(kind, reach, source)
    assert set(heard) == expected
    assert len(heard) == len(expected)
