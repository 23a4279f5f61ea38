"""A machine for the mailbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.errors import MailboxClosed, MailboxFull
from actors.kernel.mailbox import Mailbox, Overflow
from actors.protocol.messages import Priority
from actors.testing.machines.promise import broken, must, must_be

__all__ = ["MailboxMachine"]

_PRIORITIES = st.sampled_from(Priority)
_WAYS = ("now", "wait 0 s", "urgent", "forced")
_BOUNDS = st.integers(1, 3)
_OVERFLOWS = st.sampled_from(Overflow)


class MailboxMachine(RuleBasedStateMachine):
    """Drives a mailbox from one thread beside three plain lists.

    The model: what is of the system lane; what was given back; and for each priority what came. Taken is all of it in
    this order, the highest priority first. The bound holds for what came, neither for the system lane nor for what was
    given back. In the end each message was handed over, dropped or refused, once.

    Override `make` to drive another mailbox.

    Example:
        >>> TestMailbox = MailboxMachine.TestCase
    """

    def make(self, bound: int, overflow: Overflow, on_dropped: Callable[[Any], None]) -> Mailbox:
        """The mailbox that is driven."""
        return Mailbox(bound, overflow, on_dropped)

    @initialize(bound=_BOUNDS, overflow=_OVERFLOWS)
    def begins(self, bound: int, overflow: Overflow) -> None:
        """A mailbox is made."""
        self.begin(bound, overflow)

    @precondition(lambda self: self.closed)
    @rule(bound=_BOUNDS, overflow=_OVERFLOWS)
    def begins_anew(self, bound: int, overflow: Overflow) -> None:
        """The one that was closed is done with, and another is made."""
        self.ends()
        self.begin(bound, overflow)

    def begin(self, bound: int, overflow: Overflow) -> None:
        """An empty mailbox, and an empty model."""
        self.bound, self.overflow = bound, overflow
        self.dropped: list[int] = []
        self.mailbox = self.make(bound, overflow, self.dropped.append)
        self.system: list[int] = []
        self.returned: list[int] = []
        self.lanes: dict[Priority, list[int]] = {priority: [] for priority in sorted(Priority, reverse=True)}
        self.closed = False
        self.count = 0
        self.accepted: set[int] = set()
        self.handed: list[int] = []

    def waiting(self) -> int:
        """How many messages of users wait, by the model."""
        return sum(map(len, self.lanes.values()))

    def next_message(self) -> int:
        """A message that there has not been."""
        self.count += 1
        return self.count

    def accept(self, message: int, lane: list[int]) -> None:
        """Note in the model that a message was accepted."""
        lane.append(message)
        self.accepted.add(message)

    def refused(self, message: int, error: type[Exception], **how: Any) -> None:
        """The mailbox must refuse this message."""
        try:
            self.mailbox.put(message, **how)
        except error:
            return
        must(False, "A4", f"message {message} must be refused with {error.__name__}, but was accepted")  # noqa: FBT003

    @rule(priority=_PRIORITIES, way=st.sampled_from(_WAYS))
    def sends(self, priority: Priority, way: str) -> None:
        """Somebody sends a message: in one of the ways that do not wait."""
        message = self.next_message()
        if way == "urgent":
            self.puts_urgently(message, priority)
        elif way == "forced":
            self.forces(message, priority)
        else:
            self.puts(message, priority, block=0.0 if way == "wait 0 s" else False)

    def puts(self, message: int, priority: Priority, *, block: float | bool) -> None:
        """An ordinary message: the bound holds for it."""
        if self.closed:
            self.refused(message, MailboxClosed, priority=priority, block=block)
            return
        gone = len(self.dropped)
        if self.waiting() < self.bound:
            self.mailbox.put(message, priority=priority, block=block)
        elif self.overflow is Overflow.DROP_OLDEST:
            spared = next(lane for lane in reversed(self.lanes.values()) if lane)
            oldest = spared.pop(0)
            self.mailbox.put(message, priority=priority, block=block)
            must_be(self.dropped[gone:], [oldest], "A4", "dropped is the oldest of the lowest priority")
            gone += 1
        else:
            self.refused(message, MailboxFull, priority=priority, block=block)
            return
        must_be(len(self.dropped), gone, "A4", "how many messages were dropped")
        self.accept(message, self.lanes[priority])

    def puts_urgently(self, message: int, priority: Priority) -> None:
        """A message of the system: before all others, beyond the bound."""
        if self.closed:
            self.refused(message, MailboxClosed, priority=priority, urgent=True)
            return
        self.mailbox.put(message, priority=priority, urgent=True)
        self.accept(message, self.system)

    def forces(self, message: int, priority: Priority) -> None:
        """A message of somebody who cannot wait: beyond the bound."""
        try:
            self.mailbox.force(message, priority=priority)
        except MailboxClosed:
            must(self.closed, "A4", "what is forced is refused by a mailbox that is open")
            return
        must(not self.closed, "F2", "a closed mailbox took a message")
        self.accept(message, self.lanes[priority])

    def all_waiting(self) -> list[int]:
        """All that waits, in order, and the model is empty."""
        expected = [*self.system, *self.returned, *(message for lane in self.lanes.values() for message in lane)]
        self.system.clear()
        self.returned.clear()
        for lane in self.lanes.values():
            lane.clear()
        return expected

    @rule(what=st.sampled_from(["all", "all", "the urgent"]), back=st.lists(st.integers(0, 3), max_size=2))
    def takes(self, what: str, back: list[int]) -> None:
        """The owner takes all that waits, or what is urgent, and gives back some of its end; the rest is handled.

        It was called for a look around before: no message is made or lost by that.
        """
        self.mailbox.rouse()
        if what == "the urgent":
            self.takes_the_urgent()
            return
        leading = len(self.system)
        expected = self.all_waiting()
        taken = list(self.mailbox.take(0))
        must_be(taken, expected, "B6", "the order in which messages are taken")
        must_be(self.mailbox.leading, leading, "B4", "how many of them are of the system lane")
        for count in back:
            kept = max(0, len(taken) - count)
            self.gives_back(taken[kept:], max(0, leading - kept))
            taken, leading = taken[:kept], min(leading, kept)
        self.handed += taken

    def gives_back(self, rest: list[int], leading: int) -> None:
        """The owner gives back what it has not handled, the first `leading` of it of the system lane."""
        must_be(self.mailbox.restore(list(rest), leading), not self.closed, "F1", "whether it takes them back")
        if self.closed:
            self.handed += rest
        else:
            self.system[:0] = rest[:leading]
            self.returned[:0] = rest[leading:]

    def takes_the_urgent(self) -> None:
        """The owner takes what is of the system lane, in the middle of its batch."""
        taken = self.mailbox.take_urgent()
        must_be(taken, self.system, "B4", "what waits in the system lane")
        self.system.clear()
        self.handed += taken

    @precondition(lambda self: self.count > 8 and not self.closed)
    @rule(how=st.sampled_from(["twice", "once"]))
    def is_closed(self, how: str) -> None:
        """The owner ends: whatever waits is given out, and nothing is taken any more."""
        expected = self.all_waiting()
        left = self.mailbox.close()
        must_be(left, expected, "F2", "what waited when it was closed")
        self.handed += left
        self.closed = True
        if how == "twice":
            must_be(self.mailbox.close(), [], "F2", "what waited when it was closed again")

    @invariant()
    def b6_as_many_wait_as_were_put_and_not_taken(self) -> None:
        """B6: none is lost and none made."""
        waiting = len(self.system) + len(self.returned) + self.waiting()
        must_be(len(self.mailbox), waiting, "B6", "how many messages wait")
        must_be(self.mailbox.bound, self.bound, "A4", "the bound")

    @invariant()
    def b4_the_owner_sees_that_something_urgent_waits(self) -> None:
        """B4: in the middle of a batch, without the lock."""
        must_be(self.mailbox.pressing, bool(self.system), "B4", "whether something urgent waits")

    @invariant()
    def f2_it_says_whether_it_is_closed(self) -> None:
        """F2: whoever would wait for an answer can know."""
        must_be(self.mailbox.closed, self.closed, "F2", "whether it is closed")

    def teardown(self) -> None:
        """Each message that was accepted was handed over or dropped, and none twice."""
        if hasattr(self, "mailbox"):
            if broken():
                self.mailbox.release()
            else:
                self.ends()

    def ends(self) -> None:
        """The mailbox is closed, if it was not, and done with."""
        expected = self.all_waiting()
        left = self.mailbox.close()
        self.mailbox.release()
        must_be(left, expected, "F2", "what waited in the end")
        seen = [*self.handed, *left, *self.dropped]
        must_be(sorted(seen), sorted(self.accepted), "B6", "what was handed over or dropped")
