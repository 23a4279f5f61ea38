"""The answer to a message: set once, waited for by anybody."""

from __future__ import annotations

import asyncio
import pickle
import threading

import pytest

from actors.errors import AskTimeout, NotSerializable
from actors.kernel.reply import Reply
from tests.kernel.support import Seen, finished, in_thread


def test_a_reply_gives_its_value_as_often_as_asked() -> None:
    reply: Reply[int] = Reply()
    assert not reply.done()
    assert reply.set(5)
    assert reply.done()
    assert [reply.get(), reply.get(timeout=0)] == [5, 5]
    assert reply.exception() is None


def test_a_reply_raises_its_error_where_it_is_waited_for() -> None:
    reply: Reply[int] = Reply()
    error = KeyError("x")
    assert reply.fail(error)
    with pytest.raises(KeyError) as caught:
        reply.get()
    assert caught.value is error
    assert reply.exception() is error


def test_the_second_answer_changes_nothing_and_says_so() -> None:
    """B3: exactly one answer. With pykka, whoever comes second gets queue.Full."""
    reply: Reply[int] = Reply()
    assert reply.set(1)
    assert reply.set(2) is False
    assert reply.fail(ValueError()) is False
    assert reply.get() == 1


def test_all_who_wait_are_woken() -> None:
    reply: Reply[int] = Reply()
    seen = Seen()
    threads = [in_thread(lambda: seen(reply.get(timeout=20))) for _ in range(5)]
    reply.set(3)
    for thread in threads:
        finished(thread)
    assert seen.items == [3] * 5


def test_an_answer_that_does_not_come_is_an_error_for_the_waiter_and_may_still_come() -> None:
    reply: Reply[int] = Reply()
    with pytest.raises(AskTimeout):
        reply.get(timeout=0.001)
    with pytest.raises(TimeoutError):
        reply.get(timeout=-1)
    reply.set(1)
    assert reply.get() == 1


def test_of_many_answers_at_once_exactly_one_counts() -> None:
    for _ in range(50):
        reply: Reply[int] = Reply()
        told = Seen()
        reply.add_done_callback(lambda done, told=told: told(done.get()))
        start = threading.Barrier(4)
        won: list[int] = []

        def answer(number: int, reply: Reply[int] = reply, start: threading.Barrier = start, won: list = won) -> None:
            start.wait()
            if reply.set(number):
                won.append(number)

        threads = [in_thread(answer, number) for number in range(3)]
        start.wait()
        for thread in threads:
            finished(thread)
        assert won == [reply.get()] == told.items


def test_a_callback_is_called_once_whether_it_comes_before_or_after_and_may_fail() -> None:
    reply: Reply[int] = Reply()
    seen: list[int] = []
    reply.add_done_callback(lambda _: 1 / 0)
    reply.add_done_callback(lambda done: seen.append(done.get()))
    reply.set(1)
    reply.add_done_callback(lambda done: seen.append(done.get() + 1))
    assert seen == [1, 2]


def test_a_reply_does_not_pickle_and_says_why() -> None:
    """A future of pykka fails with a bare TypeError about a lock."""
    with pytest.raises(NotSerializable, match="belongs to the process that asked"):
        pickle.dumps(Reply())


def test_pykkas_combinators_work_on_replies() -> None:
    first: Reply[int] = Reply()
    second: Reply[int] = Reply()
    joined = first.join(second).map(sum)  # type: ignore[arg-type]
    first.set(1)
    second.set(2)
    assert joined.get(timeout=1) == 3


def test_awaiting_a_reply_leaves_the_event_loop_free() -> None:
    """A future of pykka blocks the whole loop while somebody awaits one."""
    reply: Reply[int] = Reply()

    async def main() -> int:
        async def wait() -> int:
            return await reply

        waiting = asyncio.ensure_future(wait())
        # Only if the loop is free while it is awaited does anybody come to answer.
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(lambda: in_thread(reply.set, 7))
        return await asyncio.wait_for(waiting, 20)

    assert asyncio.run(main()) == 7


def test_awaiting_gives_the_error_and_the_mapped_value() -> None:
    async def main() -> None:
        failed: Reply[int] = Reply()
        failed.fail(KeyError("x"))
        with pytest.raises(KeyError):
            await failed
        done: Reply[int] = Reply()
        done.set(2)
        assert await done.map(lambda value: value + 1) == 3

    asyncio.run(main())


def test_the_awaiter_that_is_cancelled_leaves_the_reply_alone() -> None:
    reply: Reply[int] = Reply()

    async def main() -> None:
        waiting = asyncio.ensure_future(asyncio.wait_for(reply, 0.01))
        with pytest.raises(TimeoutError):
            await waiting

    asyncio.run(main())
    # The loop is closed by now, which is no reason for whoever answers to fail.
    assert reply.set(1)
