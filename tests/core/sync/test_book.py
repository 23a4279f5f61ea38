"""Locks, barriers, latches, flags and values as plain data."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.sync.book import Book
from actors.errors import (
    BarrierBroken,
    ConfigError,
    DeadlockDetected,
    LockNotHeld,
    SystemClosed,
    VersionConflict,
    WaitTimeout,
)
from tests.core.sync.scenes import Scene, owner

A, B, C, D = (owner(name, agent=f"x-{place}") for place, name in enumerate("abcd", 1))


def test_a_lock_goes_to_those_who_want_it_one_after_the_other() -> None:
    """G1: first come, first served, and each grant has a higher fencing number."""
    scene = Scene()
    first, second, third = scene.lock(A, "p"), scene.lock(B, "p"), scene.lock(C, "p")
    assert scene.answers == {first: 1}
    scene.release(A, "p", 1)
    assert scene.answers[second] == 2
    assert third not in scene.answers
    scene.release(B, "p", 2)
    assert scene.answers[third] == 3


def test_what_a_dead_agent_held_is_free_and_its_own_waits_get_nothing() -> None:
    """G1: what a dead agent held is released."""
    scene = Scene()
    also_a = owner("e", agent="x-1")
    scene.lock(A, "p")
    dead, living = scene.lock(also_a, "p"), scene.lock(B, "p")
    scene.die("x-1")
    assert scene.answers[living] == 2
    assert isinstance(scene.answers[dead], WaitTimeout)


def test_a_later_incarnation_has_nothing_of_what_an_earlier_one_held() -> None:
    """G1: a holder from before its death cannot act as if it still held it."""
    scene = Scene()
    scene.lock(A, "p")
    scene.die("x-1")
    again = A._replace(incarnation=2)
    with pytest.raises(LockNotHeld, match="was released, or was lost"):
        scene.ask(again, "check", "lock", "p", 1)
    assert scene.answers[scene.lock(again, "p")] == 2
    # Word of the first one's death comes once more.
    scene.die("x-1")
    scene.ask(again, "check", "lock", "p", 2)


def test_releasing_twice_and_what_another_one_holds_are_errors() -> None:
    """G1: bad input is told to whoever can act on it."""
    scene = Scene()
    scene.lock(A, "p")
    with pytest.raises(LockNotHeld, match=r"task b does not hold lock 'p' .* held by task a"):
        scene.release(B, "p", 1)
    scene.release(A, "p", 1)
    with pytest.raises(LockNotHeld):
        scene.release(A, "p", 1)
    assert not scene.book.things


def test_readers_are_together_and_do_not_overtake_a_writer() -> None:
    """G1: writers do not starve."""
    scene = Scene()
    scene.read(A, "r")
    scene.read(B, "r")
    writer, reader = scene.write(C, "r"), scene.read(D, "r")
    assert writer not in scene.answers
    assert reader not in scene.answers
    scene.release(A, "r", 1, "rwlock")
    scene.release(B, "r", 2, "rwlock")
    assert scene.answers[writer] == 3
    assert reader not in scene.answers
    scene.release(C, "r", 3, "rwlock")
    assert scene.answers[reader] == 4


def test_a_semaphore_has_as_many_permits_as_it_says() -> None:
    """G1: no more holders than permits, and one owner may have several."""
    scene = Scene()
    scene.semaphore(A, "s", 2)
    scene.semaphore(A, "s", 2)
    waits = scene.semaphore(B, "s", 2)
    assert waits not in scene.answers
    scene.release(A, "s", 2, "semaphore", size=2)
    assert scene.answers[waits] == 3


def test_a_time_limit_ends_a_wait_and_says_who_has_the_lock() -> None:
    """G1: everything is bounded in time."""
    scene = Scene()
    scene.lock(A, "p")
    waits, at_once = scene.lock(B, "p", timeout=2.0), scene.lock(C, "p", timeout=0)
    assert isinstance(scene.answers[at_once], WaitTimeout)
    scene.pass_time(1.9)
    assert waits not in scene.answers
    scene.pass_time(0.2)
    assert "task b did not get lock 'p' within 2.1 s: it is held by task a" in str(scene.answers[waits])
    scene.release(A, "p", 1)
    assert not scene.book.things


def test_who_withdraws_gets_nothing_and_gives_back_what_was_granted_meanwhile() -> None:
    """G1: exactly one of granted and withdrawn."""
    scene = Scene()
    held, waits, last = scene.lock(A, "p"), scene.lock(B, "p"), scene.lock(C, "p")
    scene.ask(B, "withdraw", "lock", "p", waits)
    scene.ask(A, "withdraw", "lock", "p", held)
    assert scene.answers[last] == 2
    assert isinstance(scene.answers[waits], WaitTimeout)
    # Too late, and nothing of it is left.
    scene.ask(B, "withdraw", "lock", "p", waits)


def test_an_owner_that_wants_what_it_holds_hears_at_once_that_it_would_wait_for_itself() -> None:
    """G1: locks are not reentrant, and the error says so."""
    scene = Scene()
    scene.lock(A, "p")
    again = scene.lock(A, "p")
    assert isinstance(scene.answers[again], DeadlockDetected)
    assert "task a holds lock 'p', waits for lock 'p', held by task a" in str(scene.answers[again])
    scene.ask(A, "check", "lock", "p", 1)


def test_all_in_a_deadlock_are_told_of_it_with_the_cycle() -> None:
    """G1: a deadlock is found and reported to those in it, and to nobody else."""
    scene = Scene()
    scene.lock(A, "p")
    scene.lock(B, "q")
    bystander = scene.lock(C, "p")
    first, second = scene.lock(A, "q"), scene.lock(B, "p")
    for number in (first, second):
        assert isinstance(scene.answers[number], DeadlockDetected)
        assert scene.answers[number].cycle in (
            (
                "task a holds lock 'p', waits for lock 'q', held by task b",
                "task b holds lock 'q', waits for lock 'p', held by task a",
            ),
            (
                "task b holds lock 'q', waits for lock 'p', held by task a",
                "task a holds lock 'p', waits for lock 'q', held by task b",
            ),
        )
    assert bystander not in scene.answers
    scene.release(A, "p", 1)
    assert scene.answers[bystander] == 3


def test_a_cycle_through_a_semaphore_with_a_free_hand_is_no_deadlock() -> None:
    """G1: no false alarm where another holder can give back."""
    scene = Scene()
    scene.semaphore(A, "s", 2)
    scene.semaphore(B, "s", 2)
    scene.lock(C, "p")
    waits_for_permit = scene.semaphore(C, "s", 2)
    waits_for_lock = scene.lock(A, "p")
    assert waits_for_permit not in scene.answers
    assert waits_for_lock not in scene.answers
    # Now both holders of permits wait for the one who wants a permit.
    third = scene.lock(B, "p")
    assert all(isinstance(scene.answers[each], DeadlockDetected) for each in (waits_for_permit, waits_for_lock, third))


def test_a_task_that_waits_for_its_sub_task_counts_in_the_graph() -> None:
    """G1: a sub-task that wants what the waiting task holds is in a deadlock with it."""
    scene = Scene()
    scene.lock(A, "p")
    scene.take(scene.book.waits_for_task(A.key, str(A), B.number, scene.now))
    wants = scene.lock(B, "p")
    assert isinstance(scene.answers[wants], DeadlockDetected)
    assert "task a holds lock 'p', waits for the end of task b" in str(scene.answers[wants])


def test_a_sub_task_that_waits_first_is_found_when_its_parent_begins_to_wait_for_it() -> None:
    """G1: the order in which the edges come does not matter."""
    scene = Scene()
    scene.lock(A, "p")
    wants = scene.lock(B, "p")
    assert wants not in scene.answers
    scene.take(scene.book.waits_for_task(A.key, str(A), B.number, scene.now))
    assert isinstance(scene.answers[wants], DeadlockDetected)


def test_a_task_that_waits_no_more_for_its_sub_task_is_in_no_deadlock() -> None:
    """G1: no false alarm."""
    scene = Scene()
    scene.lock(A, "p")
    scene.take(scene.book.waits_for_task(A.key, str(A), B.number, scene.now))
    scene.take(scene.book.waits_for_task(A.key, str(A), None, scene.now))
    assert scene.lock(B, "p") not in scene.answers


def test_code_on_top_of_a_waiting_task_that_wants_what_it_holds_is_in_a_deadlock() -> None:
    """G1: a task run inside another one keeps that from going on."""
    scene = Scene()
    scene.lock(A, "p")
    wants = scene.lock(B, "p", inside=(A,))
    assert isinstance(scene.answers[wants], DeadlockDetected)


def test_coroutines_of_one_task_wait_for_each_other_without_a_false_alarm() -> None:
    """G1: each coroutine waits by itself, and one may release what another one acquired."""
    scene = Scene()
    beside = A._replace(part=1)
    scene.lock(A, "p")
    waits = scene.lock(beside, "p")
    assert waits not in scene.answers
    scene.release(beside, "p", 1)
    assert scene.answers[waits] == 2


def test_an_attempt_that_ends_lets_go_of_all_its_parts_held() -> None:
    """G1: released when its attempt ends."""
    scene = Scene()
    scene.lock(A, "p")
    scene.lock(A._replace(part=1), "q")
    scene.ask(A, "ended", "", "")
    assert not scene.book.things


def barrier(scene: Scene, who: Any, parties: int = 2, **about: Any) -> int:
    """Come to a barrier."""
    return scene.ask(who, "wait", "barrier", "b", size=parties, **about)


def test_nobody_passes_a_barrier_before_all_have_come_and_then_all_do() -> None:
    """G1: generation after generation."""
    scene = Scene()
    for _ in range(3):
        first = barrier(scene, A)
        assert first not in scene.answers
        second = barrier(scene, B)
        assert (scene.answers[first], scene.answers[second]) == (0, 1)


def test_a_barrier_breaks_when_one_that_waits_dies_and_stays_so_until_it_is_reset() -> None:
    """G1: broken for all, with an error that names who."""
    scene = Scene()
    waits = barrier(scene, A, 3)
    barrier(scene, B, 3)
    scene.die("x-2")
    assert "task b has ended: killed by SIGKILL" in str(scene.answers[waits])
    late = barrier(scene, C, 3)
    assert isinstance(scene.answers[late], BarrierBroken)
    scene.ask(A, "reset", "barrier", "b", size=3)
    assert barrier(scene, A, 3) not in scene.answers


def test_a_barrier_breaks_when_a_party_of_the_generation_before_dies_on_its_way() -> None:
    """G1: the others would wait for ever."""
    scene = Scene()
    barrier(scene, A)
    barrier(scene, B)
    waits = barrier(scene, A)
    scene.die("x-2")
    assert isinstance(scene.answers[waits], BarrierBroken)


def test_a_barrier_does_not_count_on_one_that_has_done_its_work() -> None:
    """G1: and it is forgotten when all have."""
    scene = Scene()
    barrier(scene, A)
    barrier(scene, B)
    scene.ask(A, "ended", "", "")
    waits = barrier(scene, C)
    scene.ask(B, "ended", "", "")
    assert waits not in scene.answers
    barrier(scene, D)
    scene.ask(C, "ended", "", "")
    scene.ask(D, "ended", "", "")
    assert not scene.book.things


def test_a_time_limit_at_a_barrier_breaks_it_for_the_others() -> None:
    """G1: one that goes away will be missing."""
    scene = Scene()
    patient, hasty = barrier(scene, A, 3), barrier(scene, B, 3, timeout=1.0)
    scene.pass_time(1.5)
    assert isinstance(scene.answers[hasty], WaitTimeout)
    assert "task b had waited for 1.5 s" in str(scene.answers[patient])


def test_a_latch_opens_at_the_last_count_and_stays_open() -> None:
    """G1: counted down from anywhere."""
    scene = Scene()
    waits = scene.ask(A, "wait", "latch", "l", size=2)
    scene.ask(B, "count", "latch", "l", 1, size=2)
    assert waits not in scene.answers
    assert scene.answers[scene.ask(C, "count", "latch", "l", 5, size=2)] == 0
    assert waits in scene.answers
    assert scene.ask(D, "wait", "latch", "l", size=2) in scene.answers
    scene.ask(D, "delete", "latch", "l", size=2)
    assert not scene.book.things


def test_who_waits_for_a_flag_goes_on_also_if_it_is_cleared_at_once() -> None:
    """G1: no lost wake-up."""
    scene = Scene()
    waits = scene.ask(A, "wait", "flag", "f")
    scene.ask(B, "turn", "flag", "f", data=True)
    scene.ask(B, "turn", "flag", "f", data=False)
    assert waits in scene.answers
    assert not scene.book.things


def test_a_value_is_set_by_those_who_have_seen_its_version() -> None:
    """G1: compare and set; a version never comes twice, also after the value was deleted."""
    scene = Scene()
    put = lambda data, expect, guard=None: scene.ask(A, "set", "value", "v", (data, expect, guard))  # noqa: E731
    assert scene.answers[put(b"one", 0)] == 1
    assert scene.answers[put(b"two", 1)] == 2
    with pytest.raises(VersionConflict, match="version 2 and not 1"):
        put(b"three", 1)
    assert scene.answers[scene.ask(B, "get", "value", "v")] == (2, b"two")
    waits = scene.ask(B, "wait", "value", "v", 2)
    put(b"three", None)
    assert scene.answers[waits] == (3, b"three")
    scene.ask(A, "delete", "value", "v")
    assert scene.answers[put(b"four", 0)] == 4


def test_a_value_can_be_set_by_the_holder_of_a_lock_alone() -> None:
    """G1: one that has lost its lock cannot write."""
    scene = Scene()
    scene.lock(A, "p")
    scene.ask(A, "set", "value", "v", (b"1", None, ("p", "lock", 0, 1)))
    scene.release(A, "p", 1)
    with pytest.raises(LockNotHeld):
        scene.ask(A, "set", "value", "v", (b"2", None, ("p", "lock", 0, 1)))
    assert scene.answers[scene.ask(A, "get", "value", "v")] == (1, b"1")


@pytest.mark.parametrize(
    ("op", "kind", "name", "size", "data", "told"),
    [
        ("acquire", "semaphore", "p", 1, "", "'p' is a lock, and no semaphore"),
        ("acquire", "semaphore", "s", 3, "", "semaphore 's' was made with 2, and not with 3"),
        ("acquire", "semaphore", "t", 0, "", "n of a semaphore is a whole number from 1"),
        ("acquire", "semaphore", "t", True, "", "n of a semaphore is a whole number"),
        ("wait", "barrier", "t", -1, None, "parties of a barrier"),
        ("acquire", "lock", "", 0, "", "a name is a text of 1 to 200 characters, not ''"),
        ("acquire", "lock", 7, 0, "", "a name is a text"),
        ("acquire", "flag", "t", 0, "", "flag 't' does not take 'acquire'"),
        ("acquire", "door", "t", 0, "", "there is no 'door'; there are: lock, rwlock"),
        ("acquire", "rwlock", "t", 0, "", "a rwlock is not acquired in mode ''"),
        ("wait", "lock", "t", 0, None, "is acquired, and not waited for"),
        ("count", "latch", "t", 2, 0, "by takes a whole number of 1 or more, not 0"),
        ("nothing", "latch", "t", 2, 0, "no operation 'nothing'"),
        ("delete", "lock", "p", 0, None, "lock 'p' cannot be deleted: it is held by task a"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason_and_changes_nothing(
    op: str, kind: str, name: Any, size: Any, data: Any, told: str
) -> None:
    """G1: clear errors."""
    scene = Scene()
    scene.lock(A, "p")
    scene.semaphore(A, "s", 2)
    before = dict(scene.book.things)
    with pytest.raises(ConfigError, match=told):
        scene.ask(A, op, kind, name, data, size=size)
    assert scene.book.things == before


@pytest.mark.parametrize("timeout", [-1, "1", True, float("nan")])
def test_a_time_limit_is_a_number_of_seconds(timeout: Any) -> None:
    """G1: clear errors."""
    with pytest.raises(ConfigError, match="timeout takes seconds"):
        Scene().lock(A, "p", timeout=timeout)


def test_the_end_of_the_system_answers_all_who_wait() -> None:
    """G1: nothing hangs."""
    scene = Scene()
    scene.lock(A, "p")
    waits = [scene.lock(B, "p"), barrier(scene, C), scene.ask(D, "wait", "flag", "f")]
    scene.take(scene.book.close(scene.now))
    assert all(isinstance(scene.answers[each], SystemClosed) for each in waits)
    assert not scene.book.things


def test_what_there_is_can_be_seen_as_plain_values() -> None:
    """G1: listed and inspectable."""
    scene = Scene()
    scene.lock(A, "p")
    scene.lock(B, "p")
    scene.now += 2
    (info,) = scene.book.info(scene.now)
    assert info.to_dict() == {
        "name": "p",
        "kind": "lock",
        "holders": ({"owner": "task a", "mode": "", "fence": 1, "seconds": 2.0},),
        "waiters": ({"owner": "task b", "mode": "", "seconds": 2.0},),
        "detail": {},
    }


def test_a_step_that_fails_at_any_moment_is_as_if_it_had_not_been_or_had_been_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """F1, G1: half-made changes of a failing turn do not live on."""
    for moment in ("_commit", "_write"):
        scene = Scene()
        scene.lock(A, "p")
        waits = scene.lock(B, "p")
        real = getattr(Book, moment)

        def fail(self: Book, *args: Any, real: Any = real, moment: str = moment) -> Any:
            if moment == "_write":
                # In the middle of it.
                self.fence = args[0].fence
            raise RuntimeError("out of order")

        monkeypatch.setattr(Book, moment, fail)
        with pytest.raises(RuntimeError):
            scene.release(A, "p", 1)
        monkeypatch.setattr(Book, moment, real)
        scene.take([each for each in scene.book.recover() if each.ticket[2] not in scene.answers])
        if moment == "_commit":
            assert waits not in scene.answers
            scene.release(A, "p", 1)
        assert scene.answers[waits] == 2
        scene.release(B, "p", 2)
        assert not scene.book.things
        assert not scene.book.used
