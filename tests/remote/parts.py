"""Actors, workers and functions for tests across processes; importable from any of them."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any, NamedTuple

from actors import Actor, ActorRef, Worker, handles, task
from actors.kernel.watching import ActorEnded

LIMIT = 30.0
"""Seconds that anything may take before a test fails."""


class Say(NamedTuple):
    """Answered with its text."""

    text: str


class Fail(NamedTuple):
    """Raises."""

    error: BaseException


class Forward(NamedTuple):
    """Is asked of another actor; answered with what that one says."""

    to: ActorRef[Any]
    message: Any


class Padded(NamedTuple):
    """Is asked back, and is large."""

    to: ActorRef[Any]
    padding: str


class Wait(NamedTuple):
    """Keeps the actor busy until a file is there, after having made one that says so."""

    busy: str
    until: str


class Unsendable:
    """Pickles nowhere."""

    def __reduce__(self) -> Any:
        raise TypeError("I stay here")


class Bomb:
    """Raises where it is read."""

    def __reduce__(self) -> Any:
        return _explode, ()


def _explode() -> None:
    raise ValueError("it went off")


class Record:
    """Reachable through a proxy."""

    pykka_traversable = True

    def __init__(self) -> None:
        self.entries: list[Any] = []

    def add(self, entry: Any) -> int:
        self.entries.append(entry)
        return len(self.entries)


class Busy(Actor):
    """Is kept busy."""

    @handles(Wait)
    def _wait(self, message: Wait) -> str:
        Path(message.busy).touch()
        while not os.path.exists(message.until):
            threading.Event().wait(0.002)
        return "done"


class Echo(Busy):
    """Answers with what it gets, and remembers it."""

    def __init__(self, shift: int = 0) -> None:
        super().__init__()
        self.shift = shift
        self.seen: list[Any] = []
        self.record = Record()
        self._later: Any = None

    def on_receive(self, message: Any) -> Any:
        self.seen.append(message)
        return message

    def pid(self) -> int:
        return os.getpid()

    def add(self, number: int) -> int:
        return number + self.shift

    def fails(self) -> None:
        raise LookupError("nothing there")

    def later(self) -> Any:
        """Its answer is given by `now`."""
        self._later = self.defer()

    def now(self, value: Any) -> None:
        self._later.set(value)

    def grow(self) -> None:
        self.sprout = 7

    @handles(Say)
    def _say(self, message: Say) -> str:
        return message.text

    @handles(Fail)
    def _fail(self, message: Fail) -> None:
        raise message.error

    @handles(Forward)
    def _forward(self, message: Forward) -> Any:
        return message.to.ask(message.message, timeout=LIMIT)

    @handles(Padded)
    def _padded(self, message: Padded) -> Any:
        return message.to.ask(Say("back"), timeout=LIMIT)

    @handles(bytes)
    def _bytes(self, message: bytes) -> int:
        return len(message)


class Shelf(Echo):
    """Puts all bytes aside until it is told to take them."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def on_start(self) -> None:
        self.become({bytes: lambda _: self.stash()})

    def take(self) -> None:
        self.unbecome()
        self.unstash()

    @handles(bytes)
    def _take(self, message: bytes) -> int:
        self.sizes.append(len(message))
        return len(message)


class Sized(Worker):
    """Answers with how much it got."""

    @handles(bytes)
    def size(self, message: bytes) -> int:
        return len(message)


class Choosy(Echo):
    """Refuses what finds its mailbox full."""

    mailbox_bound = 10
    mailbox_overflow = "fail"


class Forgetful(Echo):
    """Drops the oldest for what finds its mailbox full."""

    mailbox_bound = 10
    mailbox_overflow = "drop_oldest"


class Awkward(Actor):
    """Answers with what does not travel."""

    def on_receive(self, message: Any) -> Any:
        if message == "unsendable":
            return Unsendable()
        if message == "bomb":
            return Bomb()
        if message == "generator":
            return (item for item in "abc")
        if message == "lock":
            return threading.Lock()
        return message


class Deadly(Actor):
    """Ends its process, or itself."""

    def on_receive(self, message: Any) -> Any:
        if message == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif message == "exit":
            raise SystemExit(3)
        elif message == "stop":
            self.stop()
        return message


class Watcher(Actor):
    """Watches whom it is sent, and remembers the first end."""

    def __init__(self) -> None:
        super().__init__()
        self._ends: list[Any] = []
        self._asked: list[Any] = []

    def on_receive(self, message: Any) -> None:
        self.watch(message)

    def first(self) -> Any:
        """Answered once there is an end."""
        if self._ends:
            return self._ends[0]
        self._asked.append(self.defer())
        return None

    @handles(ActorEnded)
    def _ended(self, message: ActorEnded) -> None:
        self._ends.append((message.ref.name, message.reason, str(message.error)))
        for asked in self._asked:
            asked.set(self._ends[0])


class Stillborn(Actor):
    """Cannot be started."""

    def __init__(self, where: str) -> None:
        super().__init__()
        if where == "constructor":
            raise LookupError("no room")
        self.where = where

    def on_start(self) -> None:
        raise LookupError("no power")


class Talker(Actor):
    """Passes a ball to the next in the ring until it has gone round often enough."""

    def __init__(self) -> None:
        super().__init__()
        self.next: ActorRef[Any] | None = None
        self.done: ActorRef[Any] | None = None
        self.passes = 0

    def join(self, following: ActorRef[Any], done: ActorRef[Any]) -> None:
        self.next, self.done = following, done

    def on_receive(self, message: int) -> None:
        assert self.next is not None
        assert self.done is not None
        self.passes += 1
        if message == 0:
            self.done.tell("round")
        else:
            self.next.tell(message - 1)


class Teller(Actor):
    """Sends numbers to another actor, from its own thread."""

    def tells(self, to: ActorRef[Any], name: str, count: int) -> int:
        for number in range(count):
            to.tell((name, number))
        return count


class Asking(Worker):
    """Uses actors from inside its tasks."""

    @task
    def asks(self, ref: ActorRef[Any], message: Any) -> Any:
        return ref.ask(message, timeout=LIMIT), os.getpid()

    @task
    def proxies(self, ref: ActorRef[Any], number: int) -> Any:
        return ref.proxy().add(number).get(timeout=LIMIT)

    @task
    def stops(self, ref: ActorRef[Any]) -> Any:
        return ref.stop(timeout=LIMIT)

    @task
    def hands_out(self) -> Any:
        """An actor of the agent's own process, for others."""
        return Echo.start(5)


def asked(ref: ActorRef[Any], message: Any) -> Any:
    """For a user's own pool or child."""
    return ref.ask(message, timeout=LIMIT)


def use_all(ref: ActorRef[Any], answers: Any) -> None:
    """For a user's own child: all that a reference can do."""
    try:
        ref.tell("told")
        proxy = ref.proxy()
        later = ref.ask_later(Say("later"))
        answers.put(
            (
                ref.ask(Say("hello"), timeout=LIMIT),
                later.get(timeout=LIMIT),
                proxy.add(1).get(timeout=LIMIT),
                proxy.seen.get(timeout=LIMIT),
                ref.is_alive(),
                ref == pykka_free_copy(ref),
                {ref: 1}[pykka_free_copy(ref)],
                ref.stop(timeout=LIMIT),
                ref.is_alive(),
            )
        )
    except BaseException as error:
        answers.put(repr(error))
        raise


def pykka_free_copy(ref: ActorRef[Any]) -> ActorRef[Any]:
    """The same reference once more, over a pickle."""
    import pickle

    return pickle.loads(pickle.dumps(ref))
