"""Each trap of pykka that the kernel closes, one test each, named for it."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
import threading
from typing import Any

import pykka
import pytest

from actors.errors import DeadLetter, MailboxFull, NotSerializable
from actors.kernel.actor import Actor, ActorOptions
from actors.kernel.handlers import handles
from actors.kernel.mailbox import Mailbox, Overflow
from actors.kernel.ref import ActorRef
from actors.kernel.reply import Reply
from actors.remote import office as post
from actors.remote import travel as _travel  # noqa: F401 - references travel from here on
from tests.kernel.support import LIMIT, Seen, finished, happens, in_thread


class Holding:
    """Keeps the actor that takes it busy."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()


class Echo(Actor):
    @handles(int)
    def number(self, message: int) -> int:
        return message

    @handles(threading.Event)
    def hold(self, message: threading.Event) -> str:
        happens(message)
        return "held"

    @handles(Holding)
    def be_held(self, message: Holding) -> None:
        message.begun.set()
        happens(message.go_on)


class Exiter(Echo):
    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self.seen = seen

    @handles(str)
    def leave(self, message: str) -> None:
        if message == "exit":
            sys.exit(3)
        raise KeyboardInterrupt

    def on_failure(self, exception: BaseException) -> None:
        self.seen(exception)


@pytest.fixture
def echo() -> Any:
    ref = Echo.start()
    yield ref
    ref.stop(timeout=LIMIT)
    post.close()


def test_references_pickle_inside_their_process(echo: ActorRef[Echo]) -> None:
    """Trap: pykka's ActorRef does not pickle (it holds a weak reference)."""
    copy = pickle.loads(pickle.dumps(echo))
    assert copy == echo
    assert hash(copy) == hash(echo)
    assert copy.ask(5, timeout=LIMIT) == 5
    assert {copy: 1}[echo] == 1


def test_a_reference_without_a_way_to_travel_is_an_error_that_says_what_to_import() -> None:
    """Trap: pykka's ActorRef does not pickle. Ours travels, once the room that has sockets is there."""
    script = (
        "import pickle\n"
        "from actors.kernel.actor import Actor\n"
        "ref = Actor.start()\n"
        "try: pickle.dumps(ref)\n"
        "except Exception as error: print(type(error).__name__, 'actors.remote.travel' in str(error))\n"
        "ref.stop()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=True)
    assert done.stdout.decode().split() == ["NotSerializable", "True"]


def test_futures_refuse_to_pickle_with_a_reason(echo: ActorRef[Echo]) -> None:
    """Trap: pykka's futures fail to pickle by accident (an RLock inside)."""
    with pytest.raises(NotSerializable, match="belongs to the process that asked"):
        pickle.dumps(echo.ask_later(1))


def test_awaiting_an_answer_does_not_block_the_event_loop(echo: ActorRef[Echo]) -> None:
    """Trap: awaiting pykka's future blocks the whole event loop until the answer is there."""

    async def main() -> Any:
        go_on = threading.Event()
        reply = echo.ask_later(go_on)
        # The loop itself sets free what is awaited, so blocking it would be a deadlock.
        asyncio.get_running_loop().call_later(0.01, go_on.set)
        return await reply

    assert asyncio.run(asyncio.wait_for(main(), LIMIT)) == "held"


def test_awaiting_through_a_proxy_does_not_block_the_event_loop() -> None:
    """Trap: awaiting pykka's future blocks the whole event loop until the answer is there."""

    class Slow(Actor):
        def work(self, go_on: threading.Event) -> int:
            happens(go_on)
            return 1

    ref = Slow.start()

    async def main() -> Any:
        go_on = threading.Event()
        asyncio.get_running_loop().call_later(0.01, go_on.set)
        return await ref.proxy().work(go_on)

    assert asyncio.run(asyncio.wait_for(main(), LIMIT)) == 1
    ref.stop(timeout=LIMIT)


@pytest.mark.parametrize("how", ["exit", "interrupt"])
@pytest.mark.parametrize("asked", [True, False])
def test_system_exit_in_a_handler_fails_that_actor_and_no_other(echo: ActorRef[Echo], how: str, asked: Any) -> None:
    """Trap: SystemExit in a handler stops every pykka actor of the process."""
    seen = Seen()
    ref = Exiter.start(seen)
    expected = SystemExit if how == "exit" else KeyboardInterrupt
    if asked:
        # Not SystemExit itself: that would end the asker too.
        with pytest.raises(DeadLetter) as caught:
            ref.ask(how, timeout=LIMIT)
        assert isinstance(caught.value.__cause__, expected)
    else:
        ref.tell(how)
    assert ref.join(LIMIT)
    assert isinstance(seen.wait(1)[0], expected)
    assert echo.ask(1, timeout=LIMIT) == 1


def test_a_stranger_that_stops_all_pykka_actors_does_not_reach_ours(echo: ActorRef[Echo]) -> None:
    """Trap: pykka's registry is global, so anybody's `ActorRegistry.stop_all()` ends everybody's actors."""
    assert pykka.ActorRegistry.get_all() == []
    pykka.ActorRegistry.stop_all(timeout=LIMIT)
    pykka.ActorRegistry.broadcast("hello")
    assert echo.is_alive()
    assert echo.ask(1, timeout=LIMIT) == 1


def test_a_program_that_forgets_its_actors_ends_all_the_same() -> None:
    """Trap: pykka's threads are no daemons, so they keep the program alive."""
    script = (
        "from actors.kernel.actor import Actor\n"
        "class Idle(Actor): pass\n"
        "class Polling(Actor): polls = True\n"
        "refs = [Idle.start(), Polling.start()]\n"
        "print('end of the program')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=True)
    assert done.stdout == b"end of the program\n"
    assert done.stderr == b""


def test_a_start_that_fails_calls_on_failure_and_ends_the_reference() -> None:
    """Trap: a failed on_start leaves a dead pykka reference, and on_failure is not called."""

    class Bad(Exiter):
        def on_start(self) -> None:
            raise KeyError("start")

    seen, ends = Seen(), Seen()
    ref = Bad.start(seen)
    ref.watch(ends)
    with pytest.raises(DeadLetter) as caught:
        ref.ask(1, timeout=LIMIT)
    assert repr(caught.value.__cause__) == "KeyError('start')"
    assert [repr(error) for error in seen.wait(1)] == ["KeyError('start')"]
    assert ends.wait(1)[0].reason == "failure"
    assert not ref.is_alive()


def test_an_ask_that_lands_while_the_actor_dies_is_always_answered() -> None:
    """Trap: what lands after pykka's dying actor drained its inbox is never answered.

    Close and put are one atomic decision here: whatever the moment, the message is handled, buried or refused.
    """
    for _ in range(60):
        ref = Echo.start()
        replies: list[Reply[Any]] = []
        start = threading.Barrier(2)

        def ask(ref: ActorRef[Echo] = ref, replies: list = replies, start: threading.Barrier = start) -> None:
            start.wait()
            replies.extend(ref.ask_later(number) for number in range(50))

        thread = in_thread(ask)
        start.wait()
        ref.stop(block=False)
        finished(thread)
        for number, reply in enumerate(replies):
            try:
                assert reply.get(timeout=LIMIT) == number
            except DeadLetter:
                pass


def test_an_ask_that_is_slow_to_be_put_is_still_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap: pykka looks whether the actor lives, and puts afterwards; in between it can die."""
    ref = Echo.start()
    put = Mailbox.put

    def slow_put(self: Mailbox, item: Any, **kwargs: Any) -> None:
        # The actor dies after the decision to send and before the message arrives.
        ref.stop(timeout=LIMIT)
        put(self, item, **kwargs)

    monkeypatch.setattr(Mailbox, "put", slow_put)
    with pytest.raises(DeadLetter):
        ref.ask(1, timeout=LIMIT)


def test_each_actor_has_a_mailbox_of_its_own_bound() -> None:
    """Trap: pykka makes inboxes in a static method, which cannot know the actor's bound."""
    for bound in (1, 3):
        ref = Echo.start_with(ActorOptions(bound=bound, overflow=Overflow.FAIL))
        holding = Holding()
        ref.tell(holding)
        happens(holding.begun)
        for number in range(bound):
            ref.tell(number)
        with pytest.raises(MailboxFull):
            ref.tell(bound)
        holding.go_on.set()
        ref.stop(timeout=LIMIT)


def test_a_drained_batch_costs_one_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap: pykka's loop takes one envelope at a time from its queue."""
    ref = Echo.start()
    holding = Holding()
    ref.tell(holding)
    happens(holding.begun)
    takes: list[int] = []
    take = Mailbox.take

    def counted(self: Mailbox, timeout: float | None = None) -> list[Any]:
        batch = take(self, timeout)
        takes.append(len(batch))
        return batch

    monkeypatch.setattr(Mailbox, "take", counted)
    replies = [ref.ask_later(number) for number in range(1000)]
    holding.go_on.set()
    assert [reply.get(timeout=LIMIT) for reply in replies] == list(range(1000))
    ref.stop(timeout=LIMIT)
    assert takes[0] == 1000


def test_a_second_answer_is_ignored() -> None:
    """Trap: a second `set` on pykka's future raises queue.Full at whoever comes second."""

    class Twice(Actor):
        @handles(int)
        def number(self, message: int) -> int:
            reply = self.defer()
            assert reply.set(message)
            assert not reply.set(message + 1)
            assert not reply.fail(KeyError())
            return message + 2

    ref = Twice.start()
    assert ref.ask(1, timeout=LIMIT) == 1
    assert ref.stop(timeout=LIMIT) is True


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_the_child_of_a_fork_reaches_the_actors_that_stayed_in_its_parent(echo: ActorRef[Echo]) -> None:
    """Trap: no thread runs a pykka actor in a fork, so whoever asks one there waits for ever."""
    for ref in (echo, pickle.loads(pickle.dumps(echo))):
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(7 if ref.ask(1, timeout=LIMIT) == 1 else 2)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert echo.ask(1, timeout=LIMIT) == 1
