"""What a program of the campaign says and hears, and what must hold of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from actors.future import TaskFuture
from actors.protocol.events import Event, EventsMissed
from actors.runtime.event_stream import EventStream
from actors.testing.campaign.part import Part, Submitting
from actors.testing.campaign.workers import Clerk, Said

__all__ = ["Listening"]

_MOST = 9
_BOUNDS = (2, 1_000)
# Virtual seconds in which the slowest hearer comes round to all that waits for it.
_PATIENCE = 5.0
_PROGRAM = "program"


class _Speech(NamedTuple):
    """So many events of a task, or (without a future) of the program, which is then the task of that name."""

    task: str
    future: TaskFuture[int] | None
    events: int


class Listening(Part):
    """Events of agents and of its own, heard by streams and by agents."""

    def __init__(self, program: Submitting) -> None:
        super().__init__(program)
        # Each stream, with how many speeches there were before it was opened.
        self._streams: list[tuple[EventStream, int]] = []
        self._speeches: list[_Speech] = []
        self.gentle = (self._talk, self._talk, self._say)

    def _talk(self) -> None:
        """Somebody listens, and then something is said."""
        self._listen()
        for _ in range(1 + self._choices.below(3, "speeches")):
            (self._say, self._say_itself)[self._choices.below(2, "speaker")]()

    def _count(self) -> int:
        return 1 + self._choices.below(_MOST, "count")

    def _say(self) -> None:
        """By an agent."""
        count, slow = self._count(), self._choices.below(3, "slow") == 0
        future = self._program.submit(Clerk.says, count, slow, value=count)
        self._speeches.append(_Speech(future.task_id, future, count))

    def _say_itself(self) -> None:
        """By the program."""
        name, count = f"{_PROGRAM} {self._program.number()}", self._count()
        for number in range(count):
            self._system.publish(Said(task=name, attempt=1, number=number))
        self._speeches.append(_Speech(name, None, count))

    def _listen(self) -> None:
        """A stream with little or much room, or an agent."""
        if self._choices.below(2, "who") == 0:
            number = self._program.number()
            self._program.submit(Clerk.listens, number, value=number)
            return
        before = len(self._speeches)
        bound = _BOUNDS[self._choices.below(len(_BOUNDS), "bound")]
        self._streams.append((self._system.events(Said, EventsMissed, bound=bound), before))

    # --- judging ---

    def finish(self, *, complete: bool) -> None:
        """Judge what everybody has heard.

        Args:
            complete: nobody was killed, so all is to be heard that was not missed. What the program itself said is heard
                in any case.

        Raises:
            InvariantBroken: something that may not be.
        """
        if not self._speeches:
            return
        self._sim.run(_PATIENCE)
        for handle in list(self._sim.host.agents.values()):
            worker = handle.sim.shipped.parts.worker
            if isinstance(worker, Clerk) and worker.heard:
                self._judge(handle.sim.name, worker.heard, worker.events_missed)
        for index, (stream, before) in enumerate(self._streams):
            heard = list(iter(lambda stream=stream: stream.get(0), None))  # type: ignore[misc]
            by_task = self._judge(f"stream {index + 1}", heard, stream.missed)
            lost = 0
            for speech in self._speeches[before:]:
                if speech.future is None or (complete and _went_well(speech.future)):
                    lost += max(0, speech.events - by_task.get(speech.task, 0))
            if lost > stream.missed:
                self._broken(f"stream {index + 1} lacks {lost} events, and is said to have missed {stream.missed}")
            stream.close()
        self._streams.clear()

    def _judge(self, who: str, heard: Iterable[Event], missed: int) -> dict[str, int]:
        """How many events it heard of each speech."""
        last: dict[tuple[str, str, int], int] = {}
        by_task: dict[str, int] = {}
        told = 0
        for event in heard:
            if isinstance(event, EventsMissed):
                told += event.count
                if event.total != told:
                    self._broken(f"{who} was told of {told} events that it missed, and that these were {event.total}")
            elif isinstance(event, Said):
                key = (event.source, event.task, event.attempt)
                if event.number <= last.get(key, -1):
                    self._broken(f"{who} heard {event.number} of {key} after {last[key]}")
                last[key] = event.number
                by_task[event.task] = by_task.get(event.task, 0) + 1
        if told != missed:
            self._broken(f"{who} missed {missed} events, and was told of {told}")
        return by_task

    def _broken(self, text: str) -> None:
        self._sim.break_promise("EventsAreHeardInOrder", "B5", text)


def _went_well(future: TaskFuture[int]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None
