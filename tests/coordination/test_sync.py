"""Locks, barriers, flags and values between processes."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import (
    ActorSystem,
    AgentState,
    BarrierBroken,
    ConfigError,
    DeadlockDetected,
    LockNotHeld,
    SyncInfo,
    SystemClosed,
    TaskCancelled,
    TaskTimeout,
    VersionConflict,
    WaitTimeout,
)
from actors.core.sync.book import Book
from actors.errors import ActorsError
from actors.runtime.sync_requests import read_request
from tests.coordination.sync_workers import Asker, Coroutines, Locker, Rung, Start
from tests.system.support import idle, wait_for

_LIMIT = 20.0


@pytest.fixture(params=["process", "thread"])
def system(request: pytest.FixtureRequest) -> Iterator[ActorSystem]:
    """Three agents on each host."""
    with ActorSystem({Locker: 3, Coroutines: 1}, host=request.param) as system:
        yield system
        system.shutdown(cancel_tasks=True)


@pytest.fixture
def processes() -> Iterator[ActorSystem]:
    """Three agents in processes."""
    with ActorSystem({Locker: 3}) as system:
        yield system
        system.shutdown(cancel_tasks=True)


def info(system: ActorSystem, name: str) -> SyncInfo | None:
    """What there is of a name."""
    return next((each for each in system.synchronization() if each.name == name), None)


def holder(system: ActorSystem, name: str) -> str:
    """The agent that holds something, once one does."""

    def found() -> str:
        seen = info(system, name)
        return seen.holders[0].owner if seen is not None and seen.holders else ""

    return wait_for(found, f"{name} is held").rpartition(" at ")[2]


def waiters(system: ActorSystem, name: str, count: int = 1) -> SyncInfo:
    """What there is of a name, once so many wait for it."""

    def found() -> SyncInfo | None:
        seen = info(system, name)
        return seen if seen is not None and len(seen.waiters) == count else None

    return wait_for(found, f"{count} wait for {name}")


def forgotten(system: ActorSystem, name: str) -> None:
    """Wait until nothing is left of a name."""
    wait_for(lambda: info(system, name) is None, f"{name} is forgotten")


def kill(system: ActorSystem, agent_id: str) -> None:
    """Kill an agent with signal 9."""
    os.kill(next(each.pid for each in system.agents() if each.agent == agent_id and each.pid), signal.SIGKILL)


def state(system: ActorSystem, agent_id: str) -> AgentState:
    """The state that an agent shows."""
    return next(each for each in system.agents() if each.agent == agent_id).state


def test_one_at_a_time_does_what_two_at_a_time_must_not(system: ActorSystem, tmp_path: Path) -> None:
    """G1: a lock between agents and the program; the fencing numbers grow."""
    path = tmp_path / "lines"
    futures = [system.submit(Locker.add_line, str(path), str(number)) for number in range(40)]
    fences = [future.result(_LIMIT) for future in futures]
    lines = path.read_text("utf-8").splitlines()
    assert [int(line.split()[1]) for line in lines] == sorted(fences) == list(range(1, 41))
    forgotten(system, "file")


def test_what_an_agent_holds_is_free_when_it_is_killed(processes: ActorSystem) -> None:
    """G1: with a higher fencing number, for whoever waits longest; the attempt that died holds nothing any more."""
    system = processes
    first = system.submit(Locker.hold, "p", "go")
    agent_id = holder(system, "p")
    second = system.submit(Locker.want, "p")
    waiters(system, "p")
    kill(system, agent_id)
    assert second.result(_LIMIT) == 2
    system.flag("go").set()
    attempt, fence = first.result(_LIMIT)
    assert attempt == 2
    assert fence == 3


def test_what_an_attempt_leaves_held_is_released_with_a_warning(
    system: ActorSystem, caplog: pytest.LogCaptureFixture
) -> None:
    """G1: nobody waits for ever for one that forgot to release, and the log says who it was."""
    with caplog.at_level(logging.WARNING):
        future = system.submit(Locker.leave_held, "left")
        assert future.result(_LIMIT) == 1
        assert system.lock("left").acquire(timeout=_LIMIT) == 2
        wait_for(lambda: "still held 'left', which is released now" in caplog.text, "the warning")
    assert future.task_id in caplog.text
    system.lock("left").release()


def test_a_task_that_is_cancelled_while_it_waits_leaves_the_queue(system: ActorSystem) -> None:
    """G1: a wait is interruptible, and nothing is granted to one that has gone."""
    with system.lock("p"):
        future = system.submit(Locker.want, "p")
        seen = waiters(system, "p")
        agent_id = seen.waiters[0].owner.rpartition(" at ")[2]
        assert state(system, agent_id) is AgentState.WAITING
        assert future.cancel()
        wait_for(lambda: not getattr(info(system, "p"), "waiters", ()), "the wait ends")
    with pytest.raises(TaskCancelled):
        future.result(_LIMIT)
    forgotten(system, "p")


def test_a_task_that_runs_out_of_time_while_it_waits_leaves_the_queue(processes: ActorSystem) -> None:
    """G1, D5: the time limit of a task ends its wait."""
    with processes.lock("p"):
        future = processes.options(timeout=0.5, retries=0).submit(Locker.want, "p")
        with pytest.raises(TaskTimeout):
            future.result(_LIMIT)
        wait_for(lambda: not getattr(info(processes, "p"), "waiters", ()), "the wait ends")


def test_a_wait_has_a_time_limit_that_says_who_holds_the_lock(system: ActorSystem) -> None:
    """G1: in a task, in the program, and at once."""
    with system.lock("p"):
        with pytest.raises(
            WaitTimeout, match=r"did not get lock 'p' within .* held by thread MainThread of the program"
        ):
            system.submit(Locker.want, "p", 0.05).result(_LIMIT)
        errors: list[BaseException] = []

        def want() -> None:
            for timeout in (0, 0.05):
                try:
                    system.lock("p", timeout=timeout).acquire()
                except WaitTimeout as error:
                    errors.append(error)

        thread = threading.Thread(target=want)
        thread.start()
        thread.join(_LIMIT)
        assert len(errors) == 2


def test_a_deadlock_between_processes_is_told_to_all_in_it(system: ActorSystem) -> None:
    """G1: with the cycle written out; the others go on as soon as one of them gives way."""
    futures = [system.submit(Locker.grasp, "p", "q"), system.submit(Locker.grasp, "q", "p")]
    for future in futures:
        told = future.result(_LIMIT)
        for own, other, first, second in ((0, 1, "p", "q"), (1, 0, "q", "p")):
            line = (
                f"task {futures[own].task_id} at .* holds lock '{first}', waits for lock '{second}', "
                f"held by task {futures[other].task_id} at "
            )
            assert any(re.match(line, each) for each in told.splitlines()), told


def test_a_sub_task_that_wants_what_its_parent_holds_is_a_deadlock(system: ActorSystem) -> None:
    """G1: a task that waits for its sub-task counts in the graph."""
    told = system.submit(Locker.parent).result(_LIMIT)
    assert "holds lock 'of the parent', waits for the end of task" in told


def test_a_lock_is_not_reentrant_and_says_so_at_once(system: ActorSystem) -> None:
    """G1: the second time would wait for the first."""
    with system.lock("p"), pytest.raises(DeadlockDetected, match="holds lock 'p', waits for lock 'p'"):
        system.lock("p").acquire()


def test_a_lock_that_is_released_twice_or_was_never_acquired_is_an_error(system: ActorSystem) -> None:
    """G1: bad input."""
    with pytest.raises(LockNotHeld, match="does not hold lock 'twice'"):
        system.submit(Locker.release_twice).result(_LIMIT)
    assert 'does not hold lock "nobody\'s"' in system.submit(Locker.lost).result(_LIMIT)
    lock = system.lock("mine")
    lock.acquire()
    caught: list[BaseException] = []

    def by_another() -> None:
        try:
            lock.release()
        except LockNotHeld as error:
            caught.append(error)

    thread = threading.Thread(target=by_another)
    thread.start()
    thread.join(_LIMIT)
    assert caught
    lock.check()
    lock.release()
    with pytest.raises(LockNotHeld):
        lock.check()
    with pytest.raises(LockNotHeld):
        lock.fence  # noqa: B018 - what raises


def test_a_barrier_lets_generation_after_generation_pass(system: ActorSystem) -> None:
    """G1: nobody before all have come; each as another one of them."""
    places = [future.result(_LIMIT) for future in [system.submit(Locker.meet, 3, 20) for _ in range(3)]]
    assert [sorted(generation) for generation in zip(*places, strict=True)] == [[0, 1, 2]] * 20
    forgotten(system, "meeting")


def test_a_barrier_breaks_for_all_when_one_that_passed_before_is_killed(processes: ActorSystem) -> None:
    """G1: with an error that names who."""
    system = processes
    stays = system.submit(Locker.meet_and_stay, 2)
    goes = system.submit(Locker.meet_and_go, 2)
    system.flag("passed").wait(_LIMIT)
    waiters(system, "meeting")
    agent_id = goes.info().agent
    kill(system, agent_id)
    told = stays.result(_LIMIT)
    assert f"task {goes.task_id} at {agent_id} has ended: killed by SIGKILL" in told
    forgotten(system, "meeting")


def test_a_barrier_that_one_did_not_want_to_wait_at_any_longer_is_broken(system: ActorSystem) -> None:
    """G1: for the patient ones, too, and for those who come later, until it is reset."""
    future = system.submit(Locker.meet, 3, 1)
    waiters(system, "meeting")
    barrier = system.barrier("meeting", 3)
    with pytest.raises(WaitTimeout, match="1 of 3 parties did not come"):
        barrier.wait(timeout=0.05)
    with pytest.raises(BarrierBroken, match="thread MainThread of the program had waited"):
        future.result(_LIMIT)
    with pytest.raises(BarrierBroken):
        barrier.wait()
    barrier.reset()
    forgotten(system, "meeting")


def test_a_value_that_many_count_up_by_compare_and_set_loses_no_count(system: ActorSystem) -> None:
    """G1: from plain tasks and coroutines, each with the lock that the system checks in the same moment."""
    for call in (Locker.count, Locker.count, Coroutines.count, Coroutines.count):
        system.submit(call, 25)
    system.latch("counted", 4).wait(_LIMIT)
    value = system.value("counter")
    assert value.get() == (100, 100)
    with pytest.raises(VersionConflict, match="version 100 and not 7"):
        value.set("anything", expect=7)
    assert value.set("anything", expect=100) == 101
    value.delete()
    system.latch("counted", 4).delete()
    assert value.get() == (None, 0)
    assert not [each for each in system.synchronization() if each.name != "counting"]


def test_a_coroutine_that_waits_for_a_lock_does_not_hold_up_its_loop(system: ActorSystem) -> None:
    """G1: in async tasks nothing blocks the loop."""
    with system.lock("of the program"):
        future = system.submit(Coroutines.wait_and_beat)
        system.flag("waits").wait(_LIMIT)
        waiters(system, "of the program")
    assert future.result(_LIMIT) > 0
    with pytest.raises(ActorsError, match="would hold up the event loop of this thread"):
        system.submit(Coroutines.blocks).result(_LIMIT)


def test_a_task_is_waiting_for_as_long_as_any_of_its_coroutines_waits_for_a_lock(system: ActorSystem) -> None:
    """G1: that another one of them goes on does not hide it."""
    with system.lock("far"):
        with system.lock("near"):
            future = system.submit(Coroutines.one_after_the_other)
            waiters(system, "near")
            agent_id = waiters(system, "far").waiters[0].owner.rpartition(" at ")[2]
        system.flag("has near").wait(_LIMIT)
        assert state(system, agent_id) is AgentState.WAITING
    future.result(_LIMIT)


def test_coroutines_of_one_task_wait_for_each_other(system: ActorSystem) -> None:
    """G1: no false alarm."""
    assert system.submit(Coroutines.beside).result(_LIMIT) == "got it"


def test_asyncio_tasks_of_the_program_are_owners_of_their_own(system: ActorSystem) -> None:
    """G1: `async with` in the program; one that is cancelled leaves the queue."""

    async def main() -> list[int]:
        fences: list[int] = []

        async def one() -> None:
            async with system.lock("p") as lock:
                fences.append(lock.fence)
                await asyncio.sleep(0)

        async with system.lock("p"):
            tasks = [asyncio.create_task(one()) for _ in range(3)]
            await asyncio.to_thread(waiters, system, "p", 3)
            tasks[0].cancel()
            await asyncio.wait(tasks[:1])
        await asyncio.gather(*tasks[1:])
        return fences

    assert asyncio.run(main()) == [2, 3]
    forgotten(system, "p")


def test_what_a_thread_of_the_program_leaves_held_is_released_with_a_warning(
    system: ActorSystem, caplog: pytest.LogCaptureFixture
) -> None:
    """G1: a holder that is no more holds nothing, and nobody waits for it, in the program and in agents."""
    lock, other, held = system.lock("left"), system.lock("also left"), threading.Event()

    def forgetful() -> None:
        lock.acquire()
        other.acquire()
        held.set()

    thread = threading.Thread(target=forgetful, name="forgetful")
    thread.start()
    assert held.wait(_LIMIT)
    thread.join()
    with caplog.at_level(logging.WARNING, "actors.sync"):
        for each in (lock, other):
            each.acquire(timeout=_LIMIT)
            each.release()
    told = [record.getMessage() for record in caplog.records if "forgetful" in record.getMessage()]
    assert told == ["thread forgetful of the program has ended and held 'also left', 'left': that is released"]


def test_what_a_thread_holds_that_lives_is_not_released(system: ActorSystem) -> None:
    """G1: however long others wait."""
    lock, held, go = system.lock("kept"), threading.Event(), threading.Event()

    def patient() -> None:
        with lock:
            held.set()
            go.wait(_LIMIT)

    thread = threading.Thread(target=patient)
    thread.start()
    assert held.wait(_LIMIT)
    try:
        with pytest.raises(WaitTimeout):
            lock.acquire(timeout=1.0)
    finally:
        go.set()
        thread.join()
    lock.acquire(timeout=_LIMIT)
    lock.release()


def test_what_an_asyncio_task_of_the_program_leaves_held_is_released(system: ActorSystem) -> None:
    """G1: the owner in a coroutine is its task, and that has ended."""
    lock = system.lock("left")

    async def main() -> None:
        await asyncio.create_task(lock.acquire_async())
        async with asyncio.timeout(_LIMIT):
            async with lock:
                pass

    asyncio.run(main())


def test_an_agent_holds_by_itself_what_a_handler_acquires(processes: ActorSystem) -> None:
    """G1: outside of tasks the owner is the agent's incarnation."""
    agent = idle(processes, "locker-1").agent
    assert processes.ask(agent, Start()) == 1
    assert holder(processes, "of the agent") == f"agent {agent}"
    with pytest.raises(DeadlockDetected):
        processes.ask(agent, Start())
    kill(processes, agent)
    forgotten(processes, "of the agent")


def test_an_urgent_handler_is_told_that_it_cannot_wait(processes: ActorSystem) -> None:
    """G1: nothing hangs."""
    with pytest.raises(ActorsError, match="an urgent handler runs where the answer would arrive"):
        processes.ask(idle(processes, "locker-1").agent, b"now")


def test_an_agent_holds_by_itself_what_an_event_made_it_acquire(processes: ActorSystem) -> None:
    """G1: also while a task is in hand, which may end before."""
    future = processes.submit(Locker.listen_and_publish, "go")
    processes.flag("listens").wait(_LIMIT)
    agent = future.info().agent

    def held() -> bool:
        processes.publish(Rung(source="test"))
        seen = info(processes, "of the event")
        return seen is not None and bool(seen.holders)

    wait_for(held, "the event")
    assert holder(processes, "of the event") == f"agent {agent}"
    processes.flag("go").set()
    future.result(_LIMIT)
    assert holder(processes, "of the event") == f"agent {agent}"


def test_readers_are_together_and_permits_are_counted(system: ActorSystem) -> None:
    """G1: a read-write lock and a semaphore in the program's threads."""
    together = threading.Barrier(2, timeout=_LIMIT)

    def read() -> None:
        with system.rwlock("r").read():
            together.wait()

    def permit() -> None:
        with system.semaphore("s", 2):
            together.wait()

    for target in (read, permit):
        threads = [threading.Thread(target=target) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(_LIMIT)
            assert not thread.is_alive()
    with system.rwlock("r").write() as writer:
        assert writer.held
        assert getattr(info(system, "r"), "holders", ())[0].mode == "write"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda system: system.lock(""), "a name is a text"),
        (lambda system: system.lock(7), "a name is a text"),
        (lambda system: system.semaphore("s", -1), "n of a semaphore is a whole number from 1"),
        (lambda system: system.barrier("b", 0), "parties of a barrier"),
        (lambda system: system.latch("l", 1.5), "n of a latch"),
        (lambda system: system.lock("p", timeout=-1), "timeout takes seconds"),
        (lambda system: system.semaphore("held", 2).acquire(), "'held' is a lock, and no semaphore"),
        (lambda system: system.value("v").set(b"x" * (1 << 21)), "at most 1 MiB"),
        (lambda system: system.value("v").set(1, holding="held"), "holding takes a lock"),
        (lambda system: system.latch("l", 2).count_down(0), "by takes a whole number of 1 or more"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_is_said(make: Any, told: str) -> None:
    """G1: clear errors."""
    with ActorSystem(host="thread") as system, system.lock("held"):
        with pytest.raises(ConfigError, match=told):
            make(system)
        with pytest.raises(TypeError, match="send its name"):
            system.submit(print, system.lock("held"))


def test_the_end_of_the_system_answers_whoever_waits() -> None:
    """G1: nothing hangs, and afterwards each use says why it cannot be."""
    ended: list[BaseException] = []
    system = ActorSystem(host="thread")
    lock = system.lock("p")
    lock.acquire()

    def want() -> None:
        try:
            system.lock("p").acquire()
        except SystemClosed as error:
            ended.append(error)

    thread = threading.Thread(target=want)
    thread.start()
    waiters(system, "p")
    system.shutdown()
    thread.join(_LIMIT)
    assert "while thread" in str(ended[0])
    lock.release()
    with pytest.raises(SystemClosed):
        lock.acquire()


def test_a_synchronizer_that_fails_goes_on_with_what_it_knew(monkeypatch: pytest.MonkeyPatch) -> None:
    """F1: those who hold hold on, those who wait are answered."""
    with ActorSystem(host="thread") as system:
        lock = system.lock("p")
        lock.acquire()
        fences: list[int] = []
        thread = threading.Thread(target=lambda: fences.append(system.lock("p").acquire()))
        thread.start()
        waiters(system, "p")
        real = Book._write
        failures = iter([True])

        def write(self: Book, step: Any) -> None:
            real(self, step)
            if next(failures, False):
                raise RuntimeError("out of order")

        monkeypatch.setattr(Book, "_write", write)
        lock.release()
        thread.join(_LIMIT)
        assert fences == [2]


def test_a_hostile_agent_cannot_speak_for_others_or_harm_the_synchronizer() -> None:
    """I3: what makes no sense is refused where it is read."""
    good = ["acquire", "lock", "p", 0, [1, 1, 0, "task"], 1, None, "", []]
    assert read_request("x-1", 3, good).owner[:2] == ("x-1", 3)
    for place, bad in (
        (0, []),
        (2, ["p"]),
        (3, "0"),
        (4, [1, 1]),
        (4, [[], 1, 0, "t"]),
        (5, None),
        (7, [1]),
        (8, [[1]]),
    ):
        with pytest.raises((TypeError, ValueError)):
            read_request("x-1", 3, [*good[:place], bad, *good[place + 1 :]])


def test_asking_an_agent_while_one_holds_something_works(processes: ActorSystem) -> None:
    """G1: holding outlives other waits."""
    agent = idle(processes, "locker-1").agent
    assert processes.submit(Asker.ask_holding, agent).result(_LIMIT) == 2
