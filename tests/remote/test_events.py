"""Events of actors and for them, from any process to any process."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from actors import Actor, ActorRef, ActorsError, ActorSystem, ConfigError
from tests.remote.conftest import HOSTS, Start
from tests.remote.eventparts import Clerk, Hear, Sell, Sold, Stall, Till, Until
from tests.remote.parts import LIMIT, Wait
from tests.system.support import Heard, wait_for


def heard(ref: ActorRef[Any], item: Any) -> list[Any]:
    """All that an actor has heard once it has heard of this item."""
    found: list[Any] = ref.ask(Until(item), timeout=LIMIT)
    return found


@pytest.mark.parametrize("publisher", HOSTS)
def test_what_an_actor_publishes_is_heard_in_the_program_in_agents_and_in_actors_of_every_host(
    system: ActorSystem, publisher: Any
) -> None:
    """B5: from any process to any process, in order and once."""
    in_program = Heard()
    system.subscribe(Sold, in_program)
    shared = system.actor_process("shared")
    ears = [system.start_actor(Till, host=host) for host in ("thread", "process", shared, shared)]
    for ear in ears:
        ear.ask(Hear(), timeout=LIMIT)
    system.spawn(Clerk)
    till = system.start_actor(Till, host=publisher, name="till")
    till.ask(Sell(range(500)), timeout=LIMIT)
    for ear in ears:
        assert heard(ear, 499) == list(range(500))
        assert set(ear.proxy().sources.get(timeout=LIMIT)) == {"Till/till"}
    assert system.submit(Clerk.until, 499).result(timeout=LIMIT) == list(range(500))
    assert [event.item for event in in_program.wait(500)] == list(range(500))


def test_actors_hear_what_the_program_and_agents_publish(start: Start, system: ActorSystem) -> None:
    """B5: the events of all others, too."""
    ear = start(Till)
    ear.ask(Hear(), timeout=LIMIT)
    system.publish(Sold(item="bread"))
    assert heard(ear, "bread") == ["bread"]
    system.submit(Clerk.sells, "milk").result(timeout=LIMIT)
    assert heard(ear, "milk") == ["bread", "milk"]


def test_the_scopes_of_actors_are_all_and_those_of_the_same_class(system: ActorSystem) -> None:
    """B5: "type" is actors of the publisher's class, "local" reaches the program alone."""
    in_program = Heard()
    system.subscribe(Sold, in_program)
    tills = [system.start_actor(Till, host=host) for host in HOSTS]
    stalls = [system.start_actor(Stall, host=host) for host in HOSTS]
    picky = [system.start_actor(Till, host=host) for host in HOSTS]
    for each in (*tills, *stalls):
        each.ask(Hear(), timeout=LIMIT)
    for each in picky:
        each.ask(Hear("type"), timeout=LIMIT)
    for number, till in enumerate(tills):
        till.ask(Sell([f"local {number}"], "local"), timeout=LIMIT)
        till.ask(Sell([f"type {number}"], "type"), timeout=LIMIT)
    for number, stall in enumerate(stalls):
        stall.ask(Sell([f"stall {number}"]), timeout=LIMIT)
    last = system.start_actor(Till, host="process")
    # Behind all others: each publisher's events come in order, and the hub has taken all of them by now.
    in_program.wait(6)
    last.ask(Sell(["last"]), timeout=LIMIT)
    types, of_stalls = {"type 0", "type 1"}, {"stall 0", "stall 1"}
    for each in tills:
        assert set(heard(each, "last")) == {*types, *of_stalls, "last"}
    for each in stalls:
        assert set(heard(each, "last")) == {*of_stalls, "last"}
    for each in picky:
        assert set(heard(each, "last")) == {*types, "last"}
    assert {event.item for event in in_program.wait(7)} == {*types, *of_stalls, "local 0", "local 1", "last"}


@pytest.mark.parametrize("place", HOSTS)
def test_a_slow_actor_keeps_the_latest_events_and_learns_how_many_it_missed(
    system: ActorSystem, tmp_path: Path, place: Any
) -> None:
    """B5: a slow subscriber has a bounded buffer and harms nobody."""
    host = system.actor_process() if place == "process" else "thread"
    # Beside each other: what has come to the one has come to the other.
    ear, quick = system.start_actor(Stall, host=host), system.start_actor(Till, host=host)
    done, busy = tmp_path / "done", tmp_path / "busy"
    for each in (ear, quick):
        each.ask(Hear(), timeout=LIMIT)

    held = ear.ask_later(Wait(str(busy), str(done)))
    wait_for(busy.exists)
    for number in range(1000):
        system.publish(Sold(item=number))
    assert heard(quick, 999) == list(range(1000))
    done.touch()
    held.get(timeout=LIMIT)
    found = heard(ear, 999)
    assert found == list(range(990, 1000))
    assert ear.proxy().lost.get(timeout=LIMIT) == [(990, 990)]
    assert ear.proxy().missed().get(timeout=LIMIT) == 990


def test_who_has_unsubscribed_or_ended_hears_nothing(start: Start, system: ActorSystem) -> None:
    """B5: nothing is handed over any more, and no event is made for nobody."""
    ear, control = start(Till), start(Till)
    for each in (ear, control):
        each.ask(Hear(), timeout=LIMIT)
    system.publish(Sold(item=1))
    assert heard(ear, 1) == [1]
    ear.proxy().hear_no_more().get(timeout=LIMIT)
    system.publish(Sold(item=2))
    assert heard(control, 2) == [1, 2]
    assert ear.proxy().heard.get(timeout=LIMIT) == [1]
    ear.ask(Hear(), timeout=LIMIT)
    system.publish(Sold(item=3))
    assert heard(ear, 3) == [1, 3]
    for each in (ear, control):
        each.stop(timeout=LIMIT)
    assembly = system._running()
    wait_for(lambda: "Sold" not in {name.rpartition(".")[2] for name in assembly.peers.interest})


def test_a_process_of_actors_that_is_killed_hears_nothing_and_harms_nobody(system: ActorSystem) -> None:
    """B5: a subscriber that dies is forgotten."""
    mortal, other = (system.start_actor(Till, host="process") for _ in range(2))
    for each in (mortal, other):
        each.ask(Hear(), timeout=LIMIT)
    os.kill(mortal.proxy().pid().get(timeout=LIMIT), signal.SIGKILL)
    assert mortal.join(LIMIT)
    system.publish(Sold(item="bread"))
    assert heard(other, "bread") == ["bread"]


def test_an_actor_that_an_actor_has_started_has_the_same_events(start: Start, system: ActorSystem) -> None:
    """B5: whoever belongs to the system may publish and subscribe."""
    child = start(Till).proxy().child().get(timeout=LIMIT)
    child.ask(Hear(), timeout=LIMIT)
    in_program = Heard()
    system.subscribe(Sold, in_program)
    child.ask(Sell(["bread"]), timeout=LIMIT)
    assert heard(child, "bread") == ["bread"]
    assert in_program.wait(1)[0].item == "bread"
    child.stop(timeout=LIMIT)


@pytest.mark.parametrize(("what", "scope", "said"), [(int, "global", "not <class 'int'>"), (Sold, "wide", "'wide'")])
def test_what_is_no_event_type_or_no_scope_is_refused(start: Start, what: Any, scope: str, said: str) -> None:
    """B5: bad input is an error at the one who can mend it."""
    with pytest.raises(ConfigError, match=said):
        start(Till).proxy().bad(what, scope).get(timeout=LIMIT)


def test_an_actor_of_no_system_is_told_that_nobody_hears_it() -> None:
    """B5: no silence where nothing can be heard."""
    till = Till.start()
    with pytest.raises(ActorsError, match=r"belongs to no system.*start_actor"):
        till.ask(Sell(["bread"]), timeout=LIMIT)
    till.stop(timeout=LIMIT)


def test_a_bound_of_events_that_is_none_is_refused() -> None:
    """A4: bad values are errors where they are written."""
    with pytest.raises(ConfigError, match="event_bound"):

        class Wrong(Actor):
            event_bound = 0
