"""An error with the flight record of an agent, which says how it came about."""

from __future__ import annotations

from actors.errors.root import ActorsError

__all__ = ["RecordedError", "seconds_text"]


class RecordedError(ActorsError):
    """A task was ended by something else than its own code. Carries what the flight recorder has of it.

    The text is the message (`headline`) and below it all of this that is known:

    `task_id`, `task_type`, `attempt`: what was running; `arguments` what it was called with, shortened; `ran` for how
    many seconds. `agent_id`, `agent_type`, `incarnation`, `pid`: where; `uptime` (seconds), `peak_kb` (most memory
    resident) and `cpu` (seconds) of its process, and `ended`, how that ended. `moves` are its last state changes (time,
    source, target), `stack` is where the code was, `log` what it logged last, `stderr` what it wrote last to its
    standard error.
    """

    task_id: str | None
    task_type: str | None
    attempt: int | None
    arguments: str | None
    ran: float | None
    agent_id: str | None
    agent_type: str | None
    incarnation: int | None
    pid: int | None
    uptime: float | None
    peak_kb: int | None
    cpu: float | None
    ended: str | None
    moves: tuple[tuple[float, str, str], ...] | None
    stack: tuple[str, ...] | None
    log: tuple[str, ...] | None
    stderr: tuple[str, ...] | None

    @property
    def headline(self) -> str:
        """What happened, without the record."""
        return str(self.args[0]) if self.args else ""

    def __str__(self) -> str:
        return "\n".join([self.headline, *_record_of(self)])

    def _growth(self) -> str:
        """How a figure that ended it came to be, in words."""
        return ""

    def learn(self, other: RecordedError) -> None:
        """Take over of another record what this one does not know. For what tells the same story."""
        for name in RecordedError._facts:
            if not getattr(self, name):
                setattr(self, name, getattr(other, name))


_SHOWN_MOVES = 6
_SHOWN_STACK = 24
_SHOWN_LOG = 5
_SHOWN_STDERR = 8


def _record_of(error: RecordedError) -> list[str]:
    """The lines below the headline. One layout for all kinds of errors that have a record."""
    e = error
    lines = []
    task = [f"{e.task_type or 'task'} {e.task_id}"] if e.task_id else []
    if task:
        task += [f"attempt {e.attempt}"] if e.attempt else []
        task += [f"ran for {seconds_text(e.ran)}"] if e.ran is not None else []
    agent = [e.agent_id] if e.agent_id else []
    agent += [f"incarnation {e.incarnation}"] if e.incarnation else []
    agent += [f"pid {e.pid}"] if e.pid else []
    agent += [f"up for {seconds_text(e.uptime)}"] if e.uptime else []
    agent += [f"at most {e.peak_kb // 1024} MiB resident"] if e.peak_kb else []
    agent += [f"{seconds_text(e.cpu)} of processor time"] if e.cpu else []
    last = (e.moves or ())[-_SHOWN_MOVES:]
    told = {
        "task": ", ".join(task),
        "arguments": e.arguments,
        "agent": ", ".join(agent),
        "its end": e.ended if e.ended and e.ended not in e.headline else "",
        "growth": e._growth(),  # noqa: SLF001 - of the same family
        "last moves": " -> ".join([last[0][1], *(target for _, _, target in last)]) if last else "",
    }
    lines += [f"  {label}: {text}" for label, text in told.items() if text]
    stack, written = e.stack or (), e.stderr or ()
    if stack and stack[0] in written:
        # The report of a crash came with it.
        written = written[: len(written) - 1 - written[::-1].index(stack[0])]
    blocks = {
        # Of a traceback the end tells most, of a dump the beginning.
        "stack": _part(stack, _SHOWN_STACK, end=bool(stack) and "most recent call last" in stack[0]),
        "last lines of its log": _part(e.log, _SHOWN_LOG, end=True),
        "last lines on stderr": _part(written, _SHOWN_STDERR, end=True),
    }
    for label, block in blocks.items():
        if block:
            lines += [f"  {label}:", *(f"    {line}" for line in block)]
    return lines


def seconds_text(time: float) -> str:
    """A time for people to read."""
    return f"{time:.2f} s" if time < 10 else f"{time:.0f} s"


def _part(lines: tuple[str, ...] | None, most: int, *, end: bool) -> list[str]:
    """The first or the last of some lines, with a sign where there are more."""
    kept = list(lines or ())
    if len(kept) > most:
        kept = ["...", *kept[-most:]] if end else [*kept[:most], "..."]
    return kept
