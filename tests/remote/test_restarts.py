"""Actors that are started again when they, or their process, have died."""

from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path
from typing import Any

import pytest

from actors import ActorRef, ActorSystem, AgentDied, ConfigError, DeadLetter
from tests.kernel.support import Seen
from tests.remote.conftest import Start
from tests.remote.eventparts import Hear, Sold, Till, Until
from tests.remote.parts import LIMIT, Asking, Deadly, Echo, Forward, Say, Wait, asked
from tests.system.support import wait_for


def pid_of(ref: ActorRef[Any]) -> int:
    """The process that an actor is in, once it answers."""

    def found() -> int:
        try:
            return int(ref.proxy().pid().get(timeout=LIMIT))
        except (AgentDied, DeadLetter):
            return 0

    return wait_for(found, "the actor's return")


def kill(ref: ActorRef[Any]) -> int:
    """Kill the process of an actor; which one it was."""
    pid = pid_of(ref)
    os.kill(pid, signal.SIGKILL)
    return pid


@pytest.mark.parametrize("restart", ["transient", "permanent"])
def test_an_actor_whose_process_is_killed_returns_behind_the_same_reference(
    system: ActorSystem, tmp_path: Path, restart: Any
) -> None:
    """F1: a fresh actor is started with the same arguments; who waited is answered, who watched is told."""
    ref, seen = system.start_actor(Echo, 5, host="process", name="phoenix", restart=restart), Seen()
    asker = system.start_actor(Echo, host="process")
    copy = pickle.loads(pickle.dumps(ref))
    ref.watch(seen)
    ref.ask("before", timeout=LIMIT)
    for _ in range(3):
        busy = tmp_path / f"busy {pid_of(ref)}"
        late = ref.ask_later(Wait(str(busy), str(tmp_path / "never")))
        wait_for(busy.exists)
        waits = ref.ask_later("never handled")
        pid = kill_now(system, busy)
        for each in (late, waits):
            with pytest.raises(AgentDied, match="SIGKILL"):
                each.get(timeout=LIMIT)
        assert pid_of(ref) != pid
        # A fresh one: its arguments are those of the first, what it knew is gone.
        assert ref.proxy().add(1).get(timeout=LIMIT) == 6
        assert ref.proxy().seen.get(timeout=LIMIT) == []
        for every in (ref, copy):
            assert every.ask(Say("here"), timeout=LIMIT) == "here"
        assert asker.ask(Forward(ref, Say("from there")), timeout=LIMIT) == "from there"
        assert system.submit(asked, ref, Say("from a task")).result(timeout=LIMIT) == "from a task"
    end = seen.wait(1)[0]
    assert isinstance(end.error, AgentDied)
    assert len(seen.wait(1)) == 1


def kill_now(system: ActorSystem, busy: Path) -> int:
    """Kill the process that has left this sign."""
    pid = int(busy.name.split()[-1])
    os.kill(pid, signal.SIGKILL)
    return pid


def test_the_end_of_an_actor_that_is_restarted_is_the_end_of_its_process(system: ActorSystem) -> None:
    """A6: also after it was started again, nothing is left of one that has ended."""
    ref = system.start_actor(Echo, host="process", restart="transient")
    pid = kill(ref)
    wait_for(lambda: pid_of(ref) != pid)
    assert ref.stop(timeout=LIMIT)
    wait_for(lambda: not system.agents(), "the end of the process")
    with pytest.raises((AgentDied, DeadLetter)):
        ref.ask("anybody?", timeout=LIMIT)
    assert not ref.is_alive()


def test_a_process_that_was_stopped_stays_so(system: ActorSystem) -> None:
    """F1: what the program ends is not started again."""
    process = system.actor_process("shared", restart="permanent")
    ref = system.start_actor(Echo, host=process, restart="permanent")
    pid = kill(ref)
    wait_for(lambda: pid_of(ref) != pid)
    assert process.is_alive()
    process.stop()
    assert not process.is_alive()
    assert not system.agents()
    with pytest.raises(AgentDied):
        system.start_actor(Echo, host=process)


def test_only_those_that_are_to_be_restarted_return_with_their_process(system: ActorSystem) -> None:
    """F1: each actor is restarted as it was said of it; another one never takes its place."""
    process = system.actor_process("shared", restart="transient")
    mortal = system.start_actor(Echo, host=process)
    returning = system.start_actor(Echo, 7, host=process, restart="transient")
    ended = system.start_actor(Echo, host=process, restart="transient")
    ended.stop(timeout=LIMIT)
    pid = kill(returning)
    wait_for(lambda: pid_of(returning) != pid)
    for gone in (mortal, ended):
        with pytest.raises((DeadLetter, AgentDied)):
            gone.ask(Say("anybody?"), timeout=LIMIT)
        assert not gone.is_alive()
    later = [system.start_actor(Echo, host=process) for _ in range(3)]
    assert len({*later, mortal, returning, ended}) == 6
    assert not mortal.is_alive()
    assert returning.proxy().add(0).get(timeout=LIMIT) == 7


def test_without_the_option_what_is_dead_stays_dead(system: ActorSystem) -> None:
    """F1: nothing is started again that nobody asked for."""
    ref = system.start_actor(Echo, host="process")
    kill(ref)
    assert ref.join(LIMIT)
    wait_for(lambda: not system.agents())
    with pytest.raises(AgentDied, match="SIGKILL"):
        ref.ask("anybody?", timeout=LIMIT)


def test_one_that_fails_by_itself_is_restarted_in_its_place_and_goes_on_with_what_waits(start: Start) -> None:
    """F1: the mailbox outlives the failure of the actor, on every host."""
    ref = start(Deadly, restart="transient")
    with pytest.raises(DeadLetter):
        ref.ask("exit", timeout=LIMIT)
    assert ref.ask("still there", timeout=LIMIT) == "still there"
    ref.stop(timeout=LIMIT)
    assert ref.join(LIMIT)


def test_one_that_fails_again_and_again_is_given_up(start: Start, system: ActorSystem) -> None:
    """F1: more restarts in the period than are borne end it, and who watches is told."""
    ref, seen = start(Deadly, restart="transient"), Seen()
    ref.watch(seen)
    for _ in range(4):
        ref.tell("exit")
    assert seen.wait(1)[0].reason == "failure"
    wait_for(lambda: not ref.is_alive())
    wait_for(lambda: not system.agents(), "the end of its process")


def test_a_permanent_actor_returns_also_after_a_normal_end(start: Start) -> None:
    """F1: permanent is always."""
    ref = start(Echo, restart="permanent")
    ref.ask("before", timeout=LIMIT)
    ref.stop(timeout=LIMIT)
    assert ref.ask(Say("after"), timeout=LIMIT) == "after"
    assert ref.proxy().seen.get(timeout=LIMIT) == []


def test_a_replacement_subscribes_and_watches_anew(system: ActorSystem) -> None:
    """B5: the subscriptions of one that is started again are those of its `on_start`."""
    ref = system.start_actor(Listening, host="process", restart="transient")
    pid = kill(ref)
    wait_for(lambda: pid_of(ref) != pid)
    system.publish(Sold(item="bread"))
    assert ref.ask(Until("bread"), timeout=LIMIT) == ["bread"]


class Listening(Till):
    """Subscribes at its start."""

    def on_start(self) -> None:
        self.subscribe(*(Sold,), scope=Hear().scope)


def test_what_is_told_while_the_process_is_away_is_a_dead_letter_and_later_messages_arrive(system: ActorSystem) -> None:
    """B1: nothing is silently lost, and nothing is refused for ever."""
    ref = system.start_actor(Echo, host="process", restart="transient")
    sender = system.submit(Asking.asks, ref, Say("warm")).result(timeout=LIMIT)
    assert sender[0] == "warm"
    pid = kill(ref)
    for number in range(1000):
        ref.tell(number)
    wait_for(lambda: pid_of(ref) != pid)
    ref.tell("after")
    seen = ref.proxy().seen.get(timeout=LIMIT)
    assert seen[-1] == "after"
    assert seen[:-1] == list(range(1000))[len(range(1000)) - len(seen) + 1 :]


def test_what_restart_takes_is_said(start: Start, system: ActorSystem) -> None:
    """A4: bad values are errors where they are written."""
    with pytest.raises(ConfigError, match=r"temporary.*transient.*permanent.*'sometimes'"):
        start(Echo, restart="sometimes")
    with pytest.raises(ConfigError, match="'sometimes'"):
        system.actor_process(restart="sometimes")  # type: ignore[arg-type]
    with pytest.raises(LookupError, match="no room"):
        start(Unborn, restart="transient")
    wait_for(lambda: not system.agents())


class Unborn(Echo):
    """Cannot be made."""

    def __init__(self) -> None:
        raise LookupError("no room")
