"""The submitter's side of a task: a standard future that decodes its value when it is wanted."""

from __future__ import annotations

import asyncio
import concurrent.futures
import pickle
import signal
import sys
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from actors.errors import NotSerializable, ResultTaken, SystemClosed, TaskCancelled
from actors.future import TaskFuture, TaskProgress
from tests.kernel.support import LIMIT, Seen, finished, in_thread


class Owner:
    """Whoever runs the task, as a future knows it."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def cancel(self, number: int, reason: str) -> None:
        self.calls.append(("cancel", number, reason))

    def info(self, number: int) -> Any:
        return ("info", number)

    def before_wait(self, future: TaskFuture[Any], ready: Callable[[], bool], timeout: float | None) -> float | None:
        self.calls.append(("before_wait", future.number, timeout))
        return timeout

    def taken(self, number: int) -> None:
        self.calls.append(("taken", number))


class Posting(Owner):
    """An owner with a thread of its own for callbacks."""

    def __init__(self) -> None:
        super().__init__()
        self.posted: list[Callable[[], object]] = []

    def call_soon(self, function: Callable[[], object]) -> None:
        self.posted.append(function)


def made(owner: Any = None) -> TaskFuture[Any]:
    return TaskFuture(7, "task-7", owner)


class Bomb:
    """What cannot be unpickled."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        return _raise, (self.error,)


def _raise(error: BaseException) -> None:
    raise error


# --- values ---


def test_the_value_is_decoded_once_when_it_is_first_wanted_in_the_thread_that_wants_it() -> None:
    """Principle 5: bodies are deserialised lazily."""
    decoded: list[int] = []

    def decode(payload: bytes) -> int:
        decoded.append(threading.get_ident())
        return int(payload)

    future = made()
    assert future.set_payload(b"5", decode) is True
    assert future.done()
    assert decoded == []
    results: list[Any] = []
    thread = in_thread(lambda: results.append((threading.get_ident(), future.result())))
    finished(thread)
    assert results == [(decoded[0], 5)]
    assert future.result() == 5
    assert future.exception() is None
    assert len(decoded) == 1


@pytest.mark.parametrize("value", [None, 0, False, "", KeyError("a value, not an error")])
def test_any_value_is_a_value(value: Any) -> None:
    direct, encoded = made(), made()
    direct.set_result(value)
    encoded.set_payload(b"", lambda _: value)
    assert direct.result() is value
    assert encoded.result() is value
    assert encoded.exception() is None


def test_many_threads_that_want_the_value_at_once_get_the_same_one() -> None:
    for _ in range(20):
        future = made()
        seen = Seen()
        threads = [in_thread(lambda future=future, seen=seen: seen(future.result(LIMIT))) for _ in range(4)]
        future.set_payload(b"x", lambda payload: [payload])
        for thread in threads:
            finished(thread)
        assert len({id(value) for value in seen.items}) == 1


def test_waiting_has_a_limit_and_the_task_goes_on() -> None:
    future = made()
    with pytest.raises(concurrent.futures.TimeoutError, match="no outcome yet"):
        future.result(timeout=0.001)
    with pytest.raises(TimeoutError):
        future.exception(timeout=0)
    future.set_payload(b"1", int)


# --- errors ---


def test_a_failure_is_decoded_and_raised_where_the_value_is_wanted() -> None:
    """B3: the remote exception arrives as itself."""
    future = made()
    error = KeyError("remote")
    future.set_failure(b"", lambda _: error)
    with pytest.raises(KeyError) as caught:
        future.result()
    assert caught.value is error
    assert future.exception() is error


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3), RecursionError(), MemoryError()])
def test_what_cannot_be_rebuilt_fails_this_future_alone_whatever_it_raises(error: BaseException) -> None:
    """Principle 5: guarded. A SystemExit while unpickling must not end the program."""
    payload = pickle.dumps(Bomb(error))
    for put in ("set_payload", "set_failure"):
        future = made()
        getattr(future, put)(payload, pickle.loads)
        with pytest.raises(NotSerializable, match="of task-7 came, but cannot be rebuilt here") as caught:
            future.result()
        assert type(caught.value.__cause__) is type(error)
        assert isinstance(future.exception(), NotSerializable)


def test_a_failure_that_is_no_exception_is_reported_as_such() -> None:
    future = made()
    future.set_failure(b"", lambda _: "text")  # type: ignore[arg-type, return-value]
    with pytest.raises(NotSerializable, match="the error of task-7"):
        future.result()


def test_ctrl_c_while_decoding_is_the_users_and_the_value_can_be_wanted_again() -> None:
    future = made()
    tries: list[int] = []

    def decode(payload: bytes) -> int:
        tries.append(1)
        if len(tries) == 1:
            signal.raise_signal(signal.SIGINT)
        return int(payload)

    future.set_payload(b"5", decode)
    with pytest.raises(KeyboardInterrupt):
        future.result()
    assert future.result() == 5


def test_an_error_is_not_kept_alive_by_having_been_raised() -> None:
    """No circle through the traceback: the memory is free when the last reference is gone, without the collector."""
    import gc
    import weakref

    future = made()
    future.set_error(KeyError("x"))
    with pytest.raises(KeyError):
        future.result()
    watched = weakref.ref(future)
    gc.disable()
    try:
        del future
        assert watched() is None
    finally:
        gc.enable()


# --- exactly one outcome ---


def test_the_first_outcome_stays() -> None:
    """Principle 7: exactly one outcome."""
    future = made()
    assert future.set_payload(b"1", int)
    assert future.set_payload(b"2", int) is False
    assert future.set_failure(b"", lambda _: KeyError()) is False
    assert future.set_error(KeyError()) is False
    assert future.set_cancelled("late") is False
    assert future.cancel() is False
    assert future.set_running() is False
    with pytest.raises(concurrent.futures.InvalidStateError):
        future.set_result(3)
    with pytest.raises(concurrent.futures.InvalidStateError):
        future.set_exception(KeyError())
    assert future.result() == 1


def test_of_a_cancel_and_a_value_at_the_same_time_exactly_one_wins() -> None:
    """D6, principle 7."""
    for _ in range(100):
        future = made()
        start = threading.Barrier(3)
        won: list[str] = []

        def act(name: str, act_on: Callable[[], bool], start: threading.Barrier = start, won: list = won) -> None:
            start.wait()
            if act_on():
                won.append(name)

        threads = [
            in_thread(act, "value", lambda future=future: future.set_payload(b"1", int)),
            in_thread(act, "cancel", lambda future=future: future.set_cancelled("test")),
        ]
        start.wait()
        concurrent.futures.wait([future], timeout=LIMIT)
        for thread in threads:
            finished(thread)
        assert won == (["cancel"] if future.cancelled() else ["value"])


def test_no_waiter_is_ever_forgotten_however_it_races_with_the_outcome() -> None:
    """F2: the condition that comes into being late must not miss the outcome."""
    for _ in range(300):
        future = made()
        start = threading.Barrier(2)
        thread = in_thread(lambda future=future, start=start: (start.wait(), future.set_payload(b"1", int)))
        start.wait()
        assert future.result(LIMIT) == 1
        finished(thread)


# --- cancelling ---


def test_a_running_task_can_be_cancelled_and_its_owner_is_told_why() -> None:
    """D6: waiting, assigned or running; the future is cancelled at once."""
    owner = Owner()
    future = made(owner)
    assert future.set_running()
    assert future.running()
    assert future.cancel("changed my mind") is True
    assert future.cancel() is True
    assert future.cancelled()
    assert future.done()
    assert not future.running()
    assert owner.calls == [("cancel", 7, "changed my mind")]
    with pytest.raises(TaskCancelled, match="task-7 was cancelled: changed my mind") as caught:
        future.result()
    assert isinstance(caught.value, concurrent.futures.CancelledError)
    assert (caught.value.task_id, caught.value.reason) == ("task-7", "changed my mind")
    with pytest.raises(concurrent.futures.CancelledError):
        future.exception()


def test_a_cancellation_by_the_system_wakes_who_waits() -> None:
    """F2."""
    future = made()
    errors = Seen()

    def wait() -> None:
        try:
            future.result(LIMIT)
        except TaskCancelled as error:
            errors(error)

    thread = in_thread(wait)
    future.set_cancelled("shutdown")
    finished(thread)
    assert errors.items[0].reason == "shutdown"


# --- with the standard library ---


def test_wait_and_as_completed_take_it() -> None:
    """J1."""
    futures: list[TaskFuture[Any]] = [TaskFuture(number, f"task-{number}") for number in range(6)]
    futures[0].set_payload(b"0", int)
    done, pending = concurrent.futures.wait(futures, timeout=0)
    assert (done, pending) == ({futures[0]}, set(futures[1:]))
    thread = in_thread(lambda: [future.set_payload(b"1", int) for future in futures[1:5]] + [futures[5].cancel()])
    assert set(concurrent.futures.as_completed(futures, timeout=LIMIT)) == set(futures)
    finished(thread)


def test_wait_returns_at_the_first_exception_and_at_the_first_end() -> None:
    """J1."""
    for end, returns in (
        (lambda future: future.set_error(KeyError()), concurrent.futures.FIRST_EXCEPTION),
        (lambda future: future.set_failure(b"", lambda _: KeyError()), concurrent.futures.FIRST_EXCEPTION),
        (lambda future: future.set_payload(b"1", int), concurrent.futures.FIRST_COMPLETED),
        (lambda future: future.cancel(), concurrent.futures.FIRST_COMPLETED),
    ):
        futures = [made(), made()]
        thread = in_thread(end, futures[0])
        done, _ = concurrent.futures.wait(futures, timeout=LIMIT, return_when=returns)
        finished(thread)
        assert done == {futures[0]}


def test_it_can_stand_beside_ordinary_futures() -> None:
    """J1."""
    ordinary: concurrent.futures.Future[int] = concurrent.futures.Future()
    ours = made()
    thread = in_thread(lambda: (ordinary.set_result(1), ours.set_payload(b"2", int)))
    assert len(concurrent.futures.wait([ordinary, ours], timeout=LIMIT).done) == 2
    finished(thread)


def test_an_executors_protocol_works_on_it() -> None:
    """J1: what an executor calls on its futures."""
    future = made()
    assert future.set_running_or_notify_cancel() is True
    future.set_exception(KeyError("x"))
    assert isinstance(future.exception(), KeyError)
    cancelled = made()
    cancelled.cancel()
    assert cancelled.set_running_or_notify_cancel() is False


def test_it_can_be_awaited_and_wrapped() -> None:
    """J1."""

    async def main() -> list[Any]:
        future, wrapped, done = made(), made(), made()
        done.set_payload(b"3", int)
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: in_thread(future.set_payload, b"1", int))
        loop.call_soon(lambda: in_thread(wrapped.set_payload, b"2", int))
        return [await future, await asyncio.wrap_future(wrapped), await done]

    assert asyncio.run(asyncio.wait_for(main(), LIMIT)) == [1, 2, 3]


def test_the_awaiter_gets_errors_and_the_cancellation_of_the_task_and_not_its_own() -> None:
    """J1: asyncio's CancelledError would look as if the awaiting coroutine itself had been cancelled."""

    async def main() -> None:
        future = made()
        asyncio.get_running_loop().call_soon(future.set_error, KeyError("x"))
        with pytest.raises(KeyError):
            await future
        future = made()
        asyncio.get_running_loop().call_soon(future.cancel, "enough")
        with pytest.raises(TaskCancelled, match="enough"):
            await future

    asyncio.run(asyncio.wait_for(main(), LIMIT))


def test_cancelling_the_awaiter_cancels_the_task() -> None:
    """J1."""
    owner = Owner()
    future = made(owner)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_awaiting(future), 0.01)

    asyncio.run(main())
    assert future.cancelled()
    assert owner.calls == [("cancel", 7, "the one who awaited it was cancelled")]


async def _awaiting(future: TaskFuture[Any]) -> Any:
    return await future


# --- callbacks ---


def test_callbacks_are_called_once_each_and_one_that_fails_harms_nobody() -> None:
    """B5's habit: a failing listener harms nobody else. A SystemExit in one must not end the thread of the system."""
    future = made()
    seen: list[Any] = []

    def leave(_: Any) -> None:
        sys.exit(1)

    future.add_done_callback(leave)
    future.add_done_callback(lambda _: 1 / 0)
    future.add_done_callback(lambda done: seen.append(done.result()))
    future.set_payload(b"1", int)
    future.add_done_callback(lambda _: seen.append("late"))
    assert seen == [1, "late"]


def test_callbacks_run_where_the_owner_wants_them() -> None:
    owner = Posting()
    future = made(owner)
    seen: list[Any] = []
    future.set_running()
    silent = made(owner)
    silent.set_payload(b"1", int)
    assert owner.posted == []
    future.add_done_callback(seen.append)
    future.set_payload(b"1", int)
    assert seen == []
    owner.posted[0]()
    assert seen == [future]


def test_the_owner_hears_of_the_cancellation_before_any_callback() -> None:
    owner = Owner()
    future = made(owner)
    seen: list[Any] = []
    future.add_done_callback(lambda _: seen.append(list(owner.calls)))
    future.cancel("now")
    assert seen == [[("cancel", 7, "now")]]


# --- what it knows of its task ---


def test_accepted_waits_until_the_task_is_accepted() -> None:
    """F3: accepted = `future.accepted()` has returned."""
    future = made()
    with pytest.raises(TimeoutError, match="was not accepted within 0 s"):
        future.accepted(0)
    thread = in_thread(future.set_accepted)
    assert future.accepted(LIMIT) is True
    finished(thread)
    assert future.accepted() is True
    assert not future.done()


def test_accepted_raises_why_a_task_was_refused() -> None:
    """F2: who waits for the acceptance learns that there will be none."""
    refused, cancelled, odd = made(), made(), made()
    thread = in_thread(refused.set_error, KeyError("refused"))
    with pytest.raises(KeyError):
        refused.accepted(LIMIT)
    finished(thread)
    cancelled.cancel()
    with pytest.raises(TaskCancelled):
        cancelled.accepted(LIMIT)
    # What has a value was taken on, whoever forgot to say so.
    odd.set_payload(b"1", int)
    assert odd.accepted(LIMIT) is True


def test_progress_is_the_last_that_was_reported() -> None:
    """D7."""
    future = made()
    assert future.progress() == TaskProgress(0.0, "", None)
    future.set_progress(0.5, "half", 100.0)
    assert tuple(future.progress()) == (0.5, "half", 100.0)


def test_info_comes_from_the_owner() -> None:
    assert made(Owner()).info() == ("info", 7)
    with pytest.raises(SystemClosed, match="belongs to no system"):
        made().info()


def test_a_result_can_be_taken_once() -> None:
    """D9: a result can be taken once and freed."""
    owner = Owner()
    future = made(owner)
    future.set_payload(b"5", int)
    assert future.take() == 5
    assert owner.calls == [("taken", 7)]
    for again in (future.take, future.result):
        with pytest.raises(ResultTaken, match="was taken before"):
            again()
    assert future.done()


def test_of_many_that_take_at_once_one_gets_it() -> None:
    """D9."""
    for _ in range(30):
        future = made()
        future.set_payload(b"5", int)
        start = threading.Barrier(3)
        seen = Seen()

        def take(future: TaskFuture[Any] = future, start: threading.Barrier = start, seen: Seen = seen) -> None:
            start.wait()
            try:
                seen(future.take())
            except ResultTaken:
                seen(None)

        threads = [in_thread(take) for _ in range(3)]
        for thread in threads:
            finished(thread)
        assert sorted(seen.items, key=str) == [5, None, None]


def test_the_owner_is_told_before_somebody_waits_and_its_time_counts() -> None:
    """Waiting for own sub-tasks gives the slot away: the agent must know that its task waits."""

    class Busy(Owner):
        def before_wait(
            self, future: TaskFuture[Any], ready: Callable[[], bool], timeout: float | None
        ) -> float | None:
            assert not ready()
            super().before_wait(future, ready, timeout)
            future.set_payload(b"1", int)
            assert ready()
            return 0.0

    owner = Busy()
    future = made(owner)
    assert future.result(timeout=5) == 1
    assert future.result(timeout=5) == 1
    assert owner.calls == [("before_wait", 7, 5)]


def test_it_says_who_it_is_and_does_not_pickle() -> None:
    future = made()
    assert repr(future) == "<TaskFuture task-7: pending>"
    future.cancel()
    assert repr(future) == "<TaskFuture task-7: cancelled>"
    with pytest.raises(NotSerializable, match="stands for its result"):
        pickle.dumps(future)


# --- cost ---


def test_a_waiting_future_is_small() -> None:
    """A million waiting tasks, every future held: at most 1 KiB each with all that belongs to a task."""
    ids = [f"task-{number}" for number in range(10_000)]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        futures: list[TaskFuture[Any]] = [TaskFuture(number, name) for number, name in enumerate(ids)]
        each = (tracemalloc.get_traced_memory()[0] - before) / len(futures)
    finally:
        tracemalloc.stop()
    assert each < 400


def test_the_outcome_of_a_future_that_nobody_waits_for_makes_no_condition() -> None:
    future = made()
    future.set_running()
    future.set_accepted()
    future.set_payload(b"1", int)
    assert future.result() == 1
    assert future.done()
    assert future._audience is None
