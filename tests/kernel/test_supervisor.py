"""Supervisors over actors in threads: order, strategies, escalation, what a replacement inherits."""

from __future__ import annotations

import os
import random
import threading
from typing import Any, NamedTuple

import pytest

from actors.core.children import ChildSpec, ChildStatus, Intensity, Strategy
from actors.core.retry import Backoff
from actors.errors import ActorsError, AskTimeout, ConfigError, DeadLetter, SupervisorGaveUp
from actors.kernel.actor import Actor, ActorOptions
from actors.kernel.cell import Exit
from actors.kernel.child import ActorChild, RestartChild, StartChild, StopChild, WhichChildren
from actors.kernel.handlers import handles
from actors.kernel.ref import ActorRef
from actors.kernel.supervisor import Supervisor
from tests.kernel.support import LIMIT, Seen, happens

AT_ONCE = Backoff(first=0.0, factor=1.0, limit=0.0, jitter=0.0)
MANY = Intensity(restarts=100, period=60.0)


class Die(NamedTuple):
    error: BaseException


class Hold(NamedTuple):
    begun: threading.Event
    go_on: threading.Event


class Kid(Actor):
    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self.seen = seen

    def on_start(self) -> None:
        self.seen(f"+{self.name}{self.incarnation}")

    def on_stop(self) -> None:
        self.seen(f"-{self.name}{self.incarnation}")

    def on_failure(self, exception: BaseException) -> None:
        self.seen(f"!{self.name}{self.incarnation}")

    @handles(Die)
    def die(self, message: Die) -> None:
        raise message.error

    @handles(Hold)
    def hold(self, message: Hold) -> str:
        message.begun.set()
        happens(message.go_on)
        return "held"

    @handles(int)
    def number(self, message: int) -> tuple[int, int]:
        return message, self.incarnation


def kids(seen: Seen, names: str = "abc", cls: type[Kid] = Kid, **spec: Any) -> list[ActorChild]:
    return [ActorChild(ChildSpec(name, **spec), cls, seen) for name in names]


def start(children: list[ActorChild], **kwargs: Any) -> ActorRef[Supervisor]:
    kwargs.setdefault("backoff", AT_ONCE)
    kwargs.setdefault("intensity", MANY)
    return Supervisor.start_with(ActorOptions(name="tree"), children, rng=random.Random(1), **kwargs)


def held(ref: ActorRef[Any]) -> threading.Event:
    begun, go_on = threading.Event(), threading.Event()
    ref.tell(Hold(begun, go_on))
    happens(begun)
    return go_on


# --- starting and ending ---


def test_children_start_in_order_and_end_in_reverse_order() -> None:
    """F1."""
    seen = Seen()
    tree = start(kids(seen))
    assert seen.wait(3) == ["+a1", "+b1", "+c1"]
    assert tree.stop(timeout=LIMIT) is True
    assert seen.items[3:] == ["-c1", "-b1", "-a1"]


def test_a_child_starts_only_when_the_one_before_has_started() -> None:
    """F1."""

    class Slow(Kid):
        def on_start(self) -> None:
            happens(go_on)
            super().on_start()

    seen, go_on = Seen(), threading.Event()
    slow = ActorChild(ChildSpec("slow"), Slow, seen)
    tree = start([slow, *kids(seen, "b")])
    statuses = [info.status for info in tree.ask(WhichChildren(), timeout=LIMIT)]
    assert statuses == [ChildStatus.STARTING, ChildStatus.WAITING]
    go_on.set()
    assert seen.wait(2) == ["+slow1", "+b1"]
    tree.stop(timeout=LIMIT)


def test_a_child_can_be_sent_to_before_it_runs_and_siblings_can_know_each_other() -> None:
    class Knows(Kid):
        def __init__(self, seen: Seen, *, other: ActorRef[Any]) -> None:
            super().__init__(seen)
            self.other = other

        @handles(str)
        def ask_other(self, message: str) -> None:
            self.seen((self.name, message))
            if message != "b":
                self.other.tell("b")

    seen = Seen()
    first, second = (ActorChild(ChildSpec(name), Knows, seen) for name in "ab")
    first.give(other=second.ref)
    second.give(other=first.ref)
    first.ref.tell("hello")
    tree = start([first, second])
    assert seen.wait(4)[-1] == ("b", "b")
    tree.stop(timeout=LIMIT)


def test_what_waits_for_a_child_is_handled_before_it_ends_with_its_supervisor() -> None:
    seen = Seen()
    (a,) = children = kids(seen, "a")
    tree = start(children)
    go_on = held(a.ref)
    waiting = a.ref.ask_later(5)
    tree.stop(block=False)
    go_on.set()
    assert waiting.get(timeout=LIMIT) == (5, 1)
    assert tree.join(LIMIT)
    with pytest.raises(DeadLetter):
        a.ref.ask(1, timeout=LIMIT)


def test_a_supervisor_has_started_when_all_its_children_have() -> None:
    """F1: a tree starts from left to right and from top to bottom."""
    seen = Seen()
    inner = ActorChild(
        ChildSpec("inner", type="supervisor"), Supervisor, kids(seen, "ab"), backoff=AT_ONCE, rng=random.Random(1)
    )
    tree = start([inner, *kids(seen, "c")])
    assert seen.wait(3) == ["+a1", "+b1", "+c1"]
    tree.stop(timeout=LIMIT)
    assert seen.items[3:] == ["-c1", "-b1", "-a1"]


def test_a_child_that_does_not_end_in_its_time_is_given_up_and_the_others_end() -> None:
    """F1: ask, wait, report. A hanging on_stop holds nobody up beyond its bound."""

    class Stubborn(Kid):
        def on_stop(self) -> None:
            happens(go_on)

    seen, go_on = Seen(), threading.Event()
    b = ActorChild(ChildSpec("b", shutdown=0.05), Stubborn, seen)
    tree = start([*kids(seen, "a"), b, *kids(seen, "c")])
    seen.wait(3)
    assert tree.stop(timeout=LIMIT) is True
    assert seen.items[3:] == ["-c1", "-a1"]
    assert not b.ref.is_alive()
    go_on.set()


def test_a_child_that_hangs_in_a_handler_is_given_up_and_all_who_wait_for_it_are_answered() -> None:
    """F2."""
    seen = Seen()
    a = ActorChild(ChildSpec("a", shutdown=0.05), Kid, seen)
    tree = start([a])
    begun, go_on = threading.Event(), threading.Event()
    asked = a.ref.ask_later(Hold(begun, go_on))
    happens(begun)
    waiting = a.ref.ask_later(1)
    tree.stop(timeout=LIMIT)
    for reply in (asked, waiting):
        with pytest.raises(DeadLetter, match=r"did not end within 0\.05 s"):
            reply.get(timeout=LIMIT)
    go_on.set()


def test_shutdown_zero_does_not_wait_at_all() -> None:
    seen = Seen()
    a = ActorChild(ChildSpec("a", shutdown=0), Kid, seen)
    tree = start([a])
    go_on = held(a.ref)
    assert tree.stop(timeout=LIMIT) is True
    go_on.set()


# --- restarting ---


def test_one_for_one_restarts_the_one() -> None:
    """F1."""
    seen = Seen()
    children = kids(seen)
    b = children[1]
    tree = start(children)
    seen.wait(3)
    b.ref.tell(Die(KeyError()))
    assert b.ref.ask(1, timeout=LIMIT) == (1, 2)
    assert seen.items == ["+a1", "+b1", "+c1", "!b1", "+b2"]
    assert [(info.id, info.restarts) for info in tree.ask(WhichChildren())] == [("a", 0), ("b", 1), ("c", 0)]
    tree.stop(timeout=LIMIT)


def test_one_for_all_restarts_all_in_order() -> None:
    """F1."""
    seen = Seen()
    children = kids(seen)
    tree = start(children, strategy=Strategy.ONE_FOR_ALL)
    seen.wait(3)
    children[1].ref.tell(Die(KeyError()))
    assert seen.wait(9)[3:] == ["!b1", "-c1", "-a1", "+a2", "+b2", "+c2"]
    tree.stop(timeout=LIMIT)


def test_rest_for_one_restarts_the_one_and_those_after_it() -> None:
    """F1."""
    seen = Seen()
    children = kids(seen)
    tree = start(children, strategy=Strategy.REST_FOR_ONE)
    seen.wait(3)
    children[1].ref.tell(Die(KeyError()))
    assert seen.wait(7)[3:] == ["!b1", "-c1", "+b2", "+c2"]
    tree.stop(timeout=LIMIT)


@pytest.mark.parametrize(
    ("restart", "after_failure", "after_stop"),
    [("permanent", True, True), ("transient", True, False), ("temporary", False, False)],
)
def test_permanent_transient_and_temporary_children(restart: Any, after_failure: Any, after_stop: Any) -> None:
    """F1."""
    for ending, again in (
        (lambda ref: ref.tell(Die(KeyError())), after_failure),
        (lambda ref: ref.stop(block=False), after_stop),
    ):
        seen = Seen()
        (a,) = children = kids(seen, "a", restart=restart)
        tree = start(children)
        seen.wait(1)
        ending(a.ref)
        if again:
            assert seen.wait(3)[2] == "+a2"
        else:
            assert a.ref.join(LIMIT)
            assert len(seen.items) == 2
        tree.stop(timeout=LIMIT)


def test_a_replacement_inherits_the_messages_that_wait_and_the_references() -> None:
    """Principle 6: refs follow; what waited is handled by the replacement."""
    seen = Seen()
    (a,) = children = kids(seen, "a")
    tree = start(children)
    go_on = held(a.ref)
    a.ref.tell(Die(KeyError()))
    replies = [a.ref.ask_later(number) for number in range(20)]
    go_on.set()
    assert [reply.get(timeout=LIMIT) for reply in replies] == [(number, 2) for number in range(20)]
    assert a.ref.incarnation == 2
    tree.stop(timeout=LIMIT)


def test_siblings_that_are_restarted_too_keep_their_messages() -> None:
    """Principle 6."""
    seen = Seen()
    a, b = children = kids(seen, "ab")
    tree = start(children, strategy=Strategy.ONE_FOR_ALL)
    seen.wait(2)
    go_on = held(b.ref)
    replies = [b.ref.ask_later(number) for number in range(5)]
    a.ref.tell(Die(KeyError()))
    seen.wait(3)
    # The failure is known before b goes on, or b would rightly have answered everything itself.
    while ChildStatus.STOPPING not in [info.status for info in tree.ask(WhichChildren(), timeout=LIMIT)]:
        pass
    go_on.set()
    assert [reply.get(timeout=LIMIT) for reply in replies] == [(number, 2) for number in range(5)]
    tree.stop(timeout=LIMIT)


def test_the_ask_in_hand_when_the_actor_fails_is_answered_with_an_error() -> None:
    """F2: and not handled a second time."""
    seen = Seen()
    (a,) = children = kids(seen, "a")
    tree = start(children)
    with pytest.raises(DeadLetter) as caught:
        a.ref.ask(Die(SystemExit(1)), timeout=LIMIT)
    assert isinstance(caught.value.__cause__, SystemExit)
    assert a.ref.ask(1, timeout=LIMIT) == (1, 2)
    tree.stop(timeout=LIMIT)


def test_an_answer_that_a_dead_incarnation_owes_is_an_error() -> None:
    """F2."""

    class Owing(Kid):
        @handles(str)
        def owe(self, message: str) -> None:
            self.defer()

    seen = Seen()
    (a,) = children = kids(seen, "a", Owing)
    tree = start(children)
    owed = a.ref.ask_later("later")
    error = KeyError("died")
    a.ref.tell(Die(error))
    with pytest.raises(DeadLetter) as caught:
        owed.get(timeout=LIMIT)
    assert caught.value.__cause__ is error
    assert a.ref.ask(1, timeout=LIMIT) == (1, 2)
    tree.stop(timeout=LIMIT)


def test_timers_and_descriptors_end_with_their_incarnation() -> None:
    seen = Seen()
    read, write = os.pipe()

    class Piped(Kid):
        polls = True

        def on_start(self) -> None:
            assert self.poller is not None
            self.seen((len(self.timers), len(self.poller)))
            self.timers.once(3600, 1)
            self.poller.register(read, lambda: None)

    (a,) = children = kids(seen, "a", Piped)
    tree = start(children)
    a.ref.tell(Die(KeyError()))
    assert [item for item in seen.wait(3) if isinstance(item, tuple)] == [(0, 0), (0, 0)]
    tree.stop(timeout=LIMIT)
    for fd in (read, write):
        os.close(fd)


# --- giving up ---


def test_too_many_restarts_end_the_children_and_escalate_with_the_chain_of_causes() -> None:
    """F1: intensity in a period, escalation."""
    seen, escalated = Seen(), Seen()
    a, b = children = kids(seen, "ab")
    tree = start(children, intensity=Intensity(restarts=2, period=60), on_escalation=escalated)
    seen.wait(2)
    errors = [KeyError(number) for number in range(3)]
    waiting = []
    for error in errors:
        a.ref.tell(Die(error))
    waiting.append(a.ref.ask_later(1))
    (gave_up,) = escalated.wait(1)
    assert isinstance(gave_up, SupervisorGaveUp)
    assert (gave_up.supervisor, gave_up.child) == ("tree", "a")
    assert gave_up.__cause__ is errors[2]
    assert "more than 2 restarts in 60 s" in str(gave_up)
    assert tree.join(LIMIT)
    assert seen.items[-1] == "-b1"
    for reply in waiting:
        with pytest.raises(DeadLetter):
            reply.get(timeout=LIMIT)
    assert not b.ref.is_alive()


def test_a_supervisor_that_gives_up_is_restarted_by_its_own_and_references_still_work() -> None:
    """F1: escalation one level up."""
    seen = Seen()
    a, b = inner_kids = kids(seen, "ab")
    inner = ActorChild(
        ChildSpec("inner", type="supervisor"),
        Supervisor,
        inner_kids,
        intensity=Intensity(restarts=0, period=60),
        backoff=AT_ONCE,
        rng=random.Random(1),
    )
    tree = start([inner])
    seen.wait(2)
    a.ref.tell(Die(KeyError()))
    assert a.ref.ask(5, timeout=LIMIT) == (5, 2)
    assert b.ref.ask(6, timeout=LIMIT) == (6, 2)
    assert seen.items == ["+a1", "+b1", "!a1", "-b1", "+a2", "+b2"]
    tree.stop(timeout=LIMIT)
    assert seen.items[6:] == ["-b2", "-a2"]


def test_a_chain_of_escalations_names_every_level() -> None:
    """F1: the root hears the whole story."""
    seen, escalated = Seen(), Seen()
    (a,) = leaf = kids(seen, "a")
    never = Intensity(restarts=0, period=60)
    inner = ActorChild(ChildSpec("inner", type="supervisor"), Supervisor, leaf, intensity=never, rng=random.Random(1))
    tree = start([inner], intensity=never, on_escalation=escalated)
    seen.wait(1)
    error = KeyError("the root of it")
    a.ref.tell(Die(error))
    (top,) = escalated.wait(1)
    assert tree.join(LIMIT)
    chain = [top, top.__cause__, top.__cause__.__cause__]
    assert [getattr(each, "supervisor", None) for each in chain] == ["tree", "inner", None]
    assert chain[2] is error
    assert not a.ref.is_alive()


def test_a_child_that_cannot_start_at_first_fails_its_supervisor() -> None:
    """F1."""

    class Bad(Kid):
        def on_start(self) -> None:
            raise KeyError("start")

    class Worse(Kid):
        def __init__(self, seen: Seen) -> None:
            raise KeyError("constructor")

    for cls, text in ((Bad, "start"), (Worse, "constructor")):
        seen, escalated = Seen(), Seen()
        first, bad = *kids(seen, "a"), ActorChild(ChildSpec("bad"), cls, seen)
        tree = start([first, bad], on_escalation=escalated)
        asked = bad.ref.ask_later(1)
        (gave_up,) = escalated.wait(1)
        assert repr(gave_up.__cause__) == f"KeyError('{text}')"
        assert tree.join(LIMIT)
        assert seen.items[0] == "+a1"
        assert seen.items[-1] == "-a1"
        with pytest.raises(DeadLetter):
            asked.get(timeout=LIMIT)


def test_a_supervisor_that_fails_by_itself_ends_its_children() -> None:
    class Broken(Supervisor):
        @handles(int)
        def fail(self, message: int) -> None:
            raise SystemExit(message)

    seen, escalated = Seen(), Seen()
    children = kids(seen, "ab")
    children.append(ActorChild(ChildSpec("c", shutdown=0.05), Kid, seen))
    tree = Broken.start(children, on_escalation=escalated)
    seen.wait(3)
    go_on = held(children[2].ref)
    tree.tell(1)
    assert tree.join(LIMIT)
    assert seen.items[3:] == ["-b1", "-a1"]
    assert isinstance(escalated.wait(1)[0], SystemExit)
    assert not any(child.ref.is_alive() for child in children)
    go_on.set()


# --- what is asked of it ---


def test_children_can_be_added_ended_and_started_again() -> None:
    """F1."""
    seen = Seen()
    tree = start(kids(seen, "a"))
    (b,) = kids(seen, "b")
    ref = tree.ask(StartChild(b), timeout=LIMIT)
    assert ref.ask(1, timeout=LIMIT) == (1, 1)
    with pytest.raises(ConfigError):
        tree.ask(StartChild(b), timeout=LIMIT)
    assert tree.ask(StopChild("b"), timeout=LIMIT) is True
    assert tree.ask(StopChild("b"), timeout=LIMIT) is True
    assert not ref.is_alive()
    assert [info.status for info in tree.ask(WhichChildren())] == [ChildStatus.UP, ChildStatus.DOWN]
    again = tree.ask(RestartChild("b"), timeout=LIMIT)
    assert again.ask(2, timeout=LIMIT)[0] == 2
    with pytest.raises(ConfigError, match="no child 'x'"):
        tree.ask(StopChild("x"), timeout=LIMIT)
    tree.stop(timeout=LIMIT)
    assert seen.items == ["+a1", "+b1", "-b1", "+b1", "-b1", "-a1"]


def test_a_child_that_is_added_and_fails_to_start_is_an_error_for_who_asked() -> None:
    class Bad(Kid):
        def on_start(self) -> None:
            raise KeyError("start")

    seen = Seen()
    tree = start(kids(seen, "a"))
    with pytest.raises(ActorsError, match="bad did not start") as caught:
        tree.ask(StartChild(ActorChild(ChildSpec("bad"), Bad, seen)), timeout=LIMIT)
    assert isinstance(caught.value.__cause__, KeyError)
    assert [info.id for info in tree.ask(WhichChildren())] == ["a"]
    tree.stop(timeout=LIMIT)


def test_a_temporary_child_that_was_ended_is_forgotten() -> None:
    seen = Seen()
    tree = start([])
    (a,) = kids(seen, "a", restart="temporary")
    tree.ask(StartChild(a), timeout=LIMIT)
    assert tree.ask(StopChild("a"), timeout=LIMIT) is True
    assert tree.ask(WhichChildren()) == []
    tree.stop(timeout=LIMIT)


def test_a_significant_child_ends_its_supervisor() -> None:
    """F1: significant children."""
    seen = Seen()
    a, b = *kids(seen, "a"), ActorChild(ChildSpec("b", restart="transient", significant=True), Kid, seen)
    tree = start([a, b], auto_shutdown="any")
    seen.wait(2)
    b.ref.stop(block=False)
    assert tree.join(LIMIT)
    assert seen.items[2:] == ["-b1", "-a1"]


def test_a_subclass_hears_of_every_end() -> None:
    ends = Seen()

    class Listening(Supervisor):
        def on_child_exit(self, child: str, end: Exit) -> None:
            ends((child, end.reason, end.incarnation))

    seen = Seen()
    (a,) = children = kids(seen, "a")
    tree = Listening.start(children)
    a.ref.tell(Die(KeyError()))
    assert a.ref.ask(1, timeout=LIMIT) == (1, 2)
    tree.stop(timeout=LIMIT)
    assert ends.items == [("a", "failure", 1), ("a", "shutdown", 2)]


def test_a_supervisor_that_is_stopped_while_a_child_starts_waits_for_it_and_ends_it() -> None:
    class Slow(Kid):
        def on_start(self) -> None:
            begun.set()
            happens(go_on)
            super().on_start()

    seen, begun, go_on = Seen(), threading.Event(), threading.Event()
    tree = start([ActorChild(ChildSpec("slow"), Slow, seen), *kids(seen, "b")])
    happens(begun)
    stopped = tree.stop(block=False)
    with pytest.raises(AskTimeout):
        stopped.get(timeout=0.01)
    go_on.set()
    assert stopped.get(timeout=LIMIT) is True
    assert seen.items == ["+slow1", "-slow1"]


def test_the_whole_tree_survives_a_storm_of_failures_and_answers_every_ask() -> None:
    """F2: exactly one end for each of thousands of asks, while their actors fail again and again."""
    seen = Seen()
    children = kids(seen, "abcd")
    tree = start(children, intensity=Intensity(restarts=10_000, period=60))
    chance = random.Random(5)
    replies = []
    for number in range(2000):
        child = chance.choice(children)
        if chance.random() < 0.02:
            child.ref.tell(Die(KeyError(number)))
        replies.append((number, child.ref.ask_later(number)))
    for number, reply in replies:
        assert reply.get(timeout=LIMIT)[0] == number
    tree.stop(timeout=LIMIT)


def test_a_sibling_that_hangs_is_given_up_and_its_replacement_lives_on() -> None:
    """F1: what was meant to end the one before must not end the replacement."""
    seen = Seen()
    a, b = children = [*kids(seen, "a"), ActorChild(ChildSpec("b", shutdown=0.05), Kid, seen)]
    tree = start(children, strategy=Strategy.ONE_FOR_ALL)
    seen.wait(2)
    go_on = held(b.ref)
    waiting = b.ref.ask_later(5)
    a.ref.tell(Die(KeyError()))
    assert waiting.get(timeout=LIMIT) == (5, 2)
    go_on.set()
    assert b.ref.ask(6, timeout=LIMIT) == (6, 2)
    assert a.ref.ask(7, timeout=LIMIT) == (7, 2)
    assert [info.restarts for info in tree.ask(WhichChildren(), timeout=LIMIT)] == [1, 1]
    tree.stop(timeout=LIMIT)


def test_stopping_a_permanent_child_waits_for_that_incarnation_and_not_for_ever() -> None:
    seen = Seen()
    (a,) = children = kids(seen, "a")
    tree = start(children)
    seen.wait(1)
    assert a.ref.stop(timeout=LIMIT) is True
    assert seen.wait(3) == ["+a1", "-a1", "+a2"]
    tree.stop(timeout=LIMIT)


def test_a_supervisor_that_is_given_up_takes_its_children_with_it() -> None:
    """F1, F2: nobody is left running, or spinning, without a supervisor."""

    class Stuck(Supervisor):
        @handles(int)
        def hang(self, message: int) -> None:
            begun.set()
            happens(go_on)

    begun, go_on = threading.Event(), threading.Event()
    seen = Seen()
    (a,) = leaf = kids(seen, "a")
    inner = ActorChild(ChildSpec("inner", type="supervisor", shutdown=0.05), Stuck, leaf, rng=random.Random(1))
    tree = start([inner])
    seen.wait(1)
    inner.ref.tell(1)
    happens(begun)
    assert tree.stop(timeout=LIMIT) is True
    assert seen.wait(2) == ["+a1", "-a1"]
    assert not a.ref.is_alive()
    go_on.set()


def test_a_polling_child_of_a_supervisor_that_is_given_up_ends_and_gives_its_descriptors_back() -> None:
    """F2: also if it sleeps in its poll at that moment."""

    class Stuck(Supervisor):
        @handles(int)
        def hang(self, message: int) -> None:
            begun.set()
            happens(go_on)

    class Polling(Kid):
        polls = True

    begun, go_on = threading.Event(), threading.Event()
    seen = Seen()
    leaf = kids(seen, "ab", Polling)
    inner = ActorChild(ChildSpec("inner", type="supervisor", shutdown=0), Stuck, leaf, rng=random.Random(1))
    tree = start([inner])
    seen.wait(2)
    inner.ref.tell(1)
    happens(begun)
    assert tree.stop(timeout=LIMIT) is True
    assert sorted(seen.wait(4)[2:]) == ["-a1", "-b1"]
    go_on.set()
