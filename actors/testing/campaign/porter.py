"""More workers of the campaign: tasks that are hard to end, that tell and ask, and an actor of the program's own."""

from __future__ import annotations

from typing import NamedTuple

from actors.config import Limits
from actors.errors import AskTimeout, DeadLetter, NoSuitableAgent, TaskTimeout
from actors.hosts.interrupts import TaskInterrupted
from actors.kernel.actor import Actor
from actors.kernel.handlers import handles
from actors.kernel.reply import Reply
from actors.testing.campaign.workers import Question
from actors.worker import Worker, task

__all__ = ["Echo", "Fatal", "Porter", "Urgent", "twice"]


def twice(number: int) -> int:
    """A plain function: any agent with the right capabilities can run it."""
    return 2 * number


class Porter(Worker):
    """One task at a time, each of them a nuisance."""

    capabilities = frozenset({"loads"})
    limits = Limits(memory="256M")

    @task(timeout=1.0, retries=3, retry_on=(TaskTimeout,))
    def late(self, number: int, good_from: int) -> int:
        """Out of time in the first attempts."""
        self.sleep(1_000.0 if self.attempt < good_from else 0.9)
        return number

    @task(retries=3)
    def long(self, number: int, seconds: float) -> int:
        """The number, after a long while."""
        self.sleep(seconds)
        return number

    @task(retries=3, idempotent=False)
    def dear(self, number: int, seconds: float) -> int:
        """Never to be run twice."""
        self.sleep(seconds)
        return number

    @task(timeout=1.0)
    def stubborn(self, number: int, seconds: float) -> int:
        """Let no interruption end it."""
        until = self.clock.monotonic() + seconds
        while (left := until - self.clock.monotonic()) > 0:
            try:
                self.sleep(left)
            except TaskInterrupted:
                continue
        return number

    @task(retries=3)
    def steps(self, number: int, count: int) -> int:
        """Tell of each step."""
        for step in range(1, count + 1):
            self.progress(step / count, f"step {step}")
        return number

    @task(retries=3)
    def more(self, number: int, amount: int) -> int:
        """Ask for more memory; whether it is granted does not matter."""
        self.request_resources("memory", amount, "for the campaign")
        return number

    @task(retries=3)
    def hopeless(self, number: int) -> int:
        """Submit what nobody can do."""
        try:
            return self.options(requires={"wings"}).submit(twice, number).result()
        except NoSuitableAgent:
            return number

    @task(retries=3)
    def call_nobody(self, number: int) -> int:
        """Ask an agent that is not there, and be told so before the time is up."""
        try:
            self.ask("clerk-99", Question(number), timeout=60)
        except DeadLetter:
            return number
        except AskTimeout:
            return -number
        return 0

    @handles(Question)
    def double(self, message: Question) -> int:
        """Answer."""
        return 2 * message.number


class Urgent(NamedTuple):
    """What an `Echo` is to take before all that waits."""

    number: int


class Fatal(NamedTuple):
    """What an `Echo` ends at, with a question to itself waiting; `replies` gets what is to be its answer."""

    replies: list[Reply[int]]


class Echo(Actor):
    """Writes down in which order it takes its messages.

    Args:
        log: where.
    """

    def __init__(self, log: list[object]) -> None:
        super().__init__()
        self._log = log

    @handles(Question)
    def double(self, message: Question) -> int:
        """Answer."""
        self._log.append(message)
        return 2 * message.number

    @handles(Fatal)
    def fatal(self, message: Fatal) -> None:
        """Ask, and end before the answer."""
        message.replies.append(self.actor_ref.ask_later(Question(0)))
        raise RuntimeError("it was told to end")

    @handles(Urgent, urgent=True)
    def at_once(self, message: Urgent) -> None:
        """Only write it down."""
        self._log.append(message)
