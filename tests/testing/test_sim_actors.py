"""Actors of the program in the simulation: whatever the order of steps, what they promise each other holds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from actors import Actor, ActorEnded, ActorRef, AskTimeout, DeadlockDetected, handles
from actors.kernel.reply import Reply
from actors.testing import Simulation


class Errand(NamedTuple):
    """Ask these about their own errands, one after the other, and count all that were asked."""

    stops: tuple[tuple[ActorRef[Any], Any], ...]


class Book:
    """Who waits for whom, as the actors themselves say it: what the kernel's own book is held against."""

    def __init__(self) -> None:
        self.waits: dict[str, tuple[str, Reply[Any]]] = {}
        self.refused = 0
        self.answered = 0
        self.wrong: list[str] = []

    def leads_back(self, asker: str, target: str) -> bool:
        """Whether `target` waits, over however many others, for `asker`."""
        seen = set()
        while target != asker:
            if target in seen or target not in self.waits or self.waits[target][1].done():
                return False
            seen.add(target)
            target = self.waits[target][0]
        return True


class Runner(Actor):
    def __init__(self, book: Book) -> None:
        super().__init__()
        self.book = book

    @handles(Errand)
    def run(self, message: Errand) -> int:
        count = 1
        for ref, errand in message.stops:
            reply = ref.ask_later(errand)
            closes = self.book.leads_back(self.name, ref.name)
            self.book.waits[self.name] = (ref.name, reply)
            try:
                count += reply.get(timeout=1000.0)
                self.book.answered += 1
            except DeadlockDetected as error:
                self.book.refused += 1
                # One of another's further down the way is passed on as the answer.
                if error is not reply.exception() and not closes:
                    self.book.wrong.append(f"{self.name} was refused to ask {ref.name}: {error}")
            except AskTimeout as error:
                self.book.wrong.append(f"{self.name} waited for ever: {error}")
            finally:
                del self.book.waits[self.name]
        return count


def errand(chance: random.Random, refs: Sequence[ActorRef[Any]], depth: int) -> Errand:
    """An errand of chance."""
    if not depth:
        return Errand(())
    return Errand(tuple((chance.choice(refs), errand(chance, refs, depth - 1)) for _ in range(chance.randint(0, 2))))


def _all_at_rest(replies: Sequence[Reply[Any]], refs: Sequence[ActorRef[Any]]) -> bool:
    """Also those that nobody waits for any more, because the one who asked was refused."""
    cells = [ref.actor_inbox.owner for ref in refs]
    return all(reply.done() for reply in replies) and not any(cell.waits_on or len(cell.mailbox) for cell in cells)


def test_every_circle_of_waits_is_found_and_nothing_else_is_taken_for_one() -> None:
    """G: neither misses nor false alarms, in a hundred orders of steps, against a book that knows no kernel."""
    refused = answered = 0
    for seed in range(100):
        chance = random.Random(seed)
        book = Book()
        with Simulation(seed=seed, workspaces=False) as sim:
            refs = [sim.system.start_actor(Runner, book, name=f"runner-{number}") for number in range(4)]
            replies = [ref.ask_later(errand(chance, refs, 3)) for ref in refs]
            sim.run_until(lambda replies=replies, refs=refs: _all_at_rest(replies, refs))
            assert book.wrong == [], f"seed {seed}"
        refused += book.refused
        answered += book.answered
    # Both happen often enough to mean something.
    assert refused > 30
    assert answered > 100


class Gossip(Actor):
    """Tells numbers to others, watches them, and writes down what it hears."""

    mailbox_bound = 3

    def __init__(self, heard: list[tuple[str, Any]], others: Sequence[ActorRef[Any]] = ()) -> None:
        super().__init__()
        self.heard = heard
        self.others = others
        self.open = False

    def on_start(self) -> None:
        for other in self.others:
            self.watch(other)
        self.timers.once(0.5, "open")

    @handles(str)
    def command(self, message: str) -> None:
        if message == "open":
            self.open = True
            self.unstash()

    @handles(tuple)
    def hear(self, message: tuple[str, int]) -> None:
        if not self.open:
            self.stash()
            return
        self.heard.append(message)

    @handles(int)
    def talk(self, message: int) -> None:
        for number in range(message):
            for other in self.others:
                other.tell((self.name, number))
        self.stop()

    @handles(ActorEnded)
    def ended(self, message: ActorEnded) -> None:
        self.heard.append((message.ref.name, "end"))


@pytest.mark.parametrize("seed", range(25))
def test_order_and_ends_hold_over_stash_and_watch_in_any_order_of_steps(seed: int) -> None:
    """B6, F2: of each pair of actors all messages arrive once and in order, and one end is told."""
    heard: list[tuple[str, Any]] = []
    with Simulation(seed=seed, workspaces=False) as sim:
        listener = sim.system.start_actor(Gossip, heard, name="listener")
        talkers = [sim.system.start_actor(Gossip, [], (listener,), name=f"talker-{number}") for number in range(3)]
        watcher = sim.system.start_actor(Gossip, ends := [], talkers, name="watcher")
        for talker in talkers:
            talker.tell(5)
        sim.run(5.0)
        for talker in talkers:
            assert [what for who, what in heard if who == talker.name] == list(range(5))
        assert sorted(ends) == [(talker.name, "end") for talker in talkers]
        assert watcher.is_alive()
