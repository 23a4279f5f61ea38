"""Actors in several processes that wait for each other in a circle, whatever they wait with."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import pytest

from actors import ActorRef, ActorSystem, DeadlockDetected, handles
from tests.remote.parts import LIMIT, Busy, Wait
from tests.system.support import wait_for

WAYS = ("ask", "later", "proxy")
PLACES = [
    ("process", "process", "process"),
    ("process", "thread", "process"),
    ("thread", "thread", "process"),
    ("shared", "shared", "process"),
    ("shared", "process", "shared"),
    ("thread", "process", "shared"),
]


class Round(NamedTuple):
    """Is asked of the next one, each by its own way of waiting; whoever has none left answers."""

    rest: tuple[tuple[ActorRef[Any], str], ...]
    give_up: float = LIMIT


class Later(NamedTuple):
    """Answered by `Now`, in a later message."""


class Now(NamedTuple):
    value: Any


class Waiting(Busy):
    """Waits for others."""

    def __init__(self) -> None:
        super().__init__()
        self._owed: Any = None

    @handles(Round)
    def go(self, message: Round) -> Any:
        if not message.rest:
            return "round"
        (to, way), rest = message.rest[0], message._replace(rest=message.rest[1:])
        if way == "ask":
            return to.ask(rest, timeout=message.give_up)
        if way == "later":
            return to.ask_later(rest).get(timeout=message.give_up)
        return to.proxy().go(rest).get(timeout=message.give_up)

    @handles(Later)
    def _later(self, message: Later) -> None:
        self._owed = self.defer()

    def owes(self) -> bool:
        return self._owed is not None

    @handles(Now)
    def _now(self, message: Now) -> None:
        self._owed.set(message.value)

    def waits_for_deferred(self, of: ActorRef[Any]) -> Any:
        """Waits long for an answer that is deferred."""
        return of.ask_later(Later()).get(timeout=LIMIT)


@pytest.mark.parametrize("ways", [ways for ways in itertools.product(WAYS, repeat=2) if ways != ("ask", "ask")])
def test_two_that_wait_for_each_other_are_told_so(system: ActorSystem, ways: tuple[str, str]) -> None:
    """F2: nobody waits in a circle until its time is up, whatever it waits with."""
    one, other = (system.start_actor(Waiting, host="process", name=name) for name in ("one", "other"))
    with pytest.raises(DeadlockDetected) as caught:
        one.ask(Round(((other, ways[0]), (one, ways[1]))), timeout=LIMIT)
    assert set(caught.value.cycle) == {"one waits for other", "other waits for one"}
    for each in (one, other):
        assert each.ask(Round(()), timeout=LIMIT) == "round"


@pytest.mark.parametrize("places", PLACES)
def test_a_circle_is_found_wherever_its_actors_are(system: ActorSystem, places: tuple[Any, ...]) -> None:
    """F2: also where it leads through a process more than once."""
    shared = system.actor_process("shared")
    refs = [
        system.start_actor(Waiting, host=shared if place == "shared" else place, name=f"actor {number}")
        for number, place in enumerate(places)
    ]
    ways = [(ref, "later") for ref in (*refs[1:], refs[0])]
    with pytest.raises(DeadlockDetected) as caught:
        refs[0].ask(Round(tuple(ways)), timeout=LIMIT)
    assert len(caught.value.cycle) == 3


def test_those_who_wait_long_for_one_that_is_busy_are_no_circle(system: ActorSystem, tmp_path: Any) -> None:
    """F2: no false alarm."""
    busy = system.start_actor(Waiting, host="process")
    line = [system.start_actor(Waiting, host="process") for _ in range(3)]
    done, began = tmp_path / "done", tmp_path / "began"
    first = busy.ask_later(Wait(str(began), str(done)))
    wait_for(began.exists)
    ways = tuple((ref, "later") for ref in (*line[1:], busy))
    waits = [line[0].ask_later(Round(ways)), line[1].ask_later(Round(((busy, "later"),)))]
    assert not waits[0].wait(0.5)
    done.touch()
    assert first.get(timeout=LIMIT) == "done"
    assert [each.get(timeout=LIMIT) for each in waits] == ["round"] * 2


def test_who_waits_for_an_answer_that_anybody_may_give_is_in_no_circle(system: ActorSystem) -> None:
    """F2: a deferred answer is owed by nobody who waits."""
    owner, waiter, third = (system.start_actor(Waiting, host="process") for _ in range(3))
    waits = waiter.proxy().waits_for_deferred(owner)
    wait_for(lambda: owner.proxy().owes().get(timeout=LIMIT))
    # The owner waits for the waiter, which waits for the answer that the owner has deferred.
    back = owner.ask_later(Round(((third, "later"), (waiter, "later")), 0.5))
    del back
    assert not waits.wait(0.3)
    owner.tell(Now("late"))
    assert waits.get(timeout=LIMIT) == "late"
