"""The status block of an agent: a page of shared memory that says what it does, also after it was killed.

The agent writes without a system call and without a lock; the program reads whenever it likes. Layout, native byte
order, because both ends are the same machine:

    0     magic, version
    16    heartbeat        d         written by the control lane alone
    64    work, slot 0     QqIdQQQQ  sequence, number, attempt, started, begun, flushed, done, sequence again
    128   work, slot 1     the same
    256   moves, 32 slots  QdBBxxxxxxQ  count, time, source, target, count again
    4096  the last words, see `lastwords`

A write of the work goes to the slot of its sequence's parity, so the other one is always whole: a writer that is
killed in the middle of a write costs the reader that write and nothing more. A record counts only if the numbers
at its two ends agree; reading twice and comparing covers processors that reorder stores.
"""

from __future__ import annotations

import mmap
import os
import struct
from typing import NamedTuple, Protocol

from actors.errors import ConfigError
from actors.hosts.descriptors import is_sealed, memory_file, seal
from actors.hosts.lastwords import MEMORY_SIZE, LastWords, read_last_words, write_log
from actors.protocol.states import AgentState, Move

__all__ = ["BLOCK_SIZE", "Status", "StatusReader", "StatusWriter", "new_block"]

BLOCK_SIZE = 4096
"""Bytes of the status; agents that are processes have room for last words behind it."""

_MAGIC = b"actors-status\x01\x00\x00"
_HEARTBEAT = struct.Struct("=d")
_HEARTBEAT_AT = 16
_WORK = struct.Struct("=QqIdQQQQ")
_WORK_AT = (64, 128)
_MOVE = struct.Struct("=QdBB6xQ")
_MOVES_AT = 256
_MOVES_KEPT = 32
_TRIES = 8

_set_work = _WORK.pack_into
_set_move = _MOVE.pack_into


class Buffer(Protocol):
    """Writable memory: a `bytearray`, a `memoryview`, a `mmap`."""

    def __buffer__(self, flags: int, /) -> memoryview:
        """The buffer protocol of Python 3.12, which type checkers know for older ones too."""
        ...


class Status(NamedTuple):
    """What a status block says.

    `running` is (number, attempt, start on the monotonic clock) of the task in hand, or None. `begun` counts the
    tasks started so far; `flushed` is the value of `begun` at the last one whose result was written to the socket.
    `heartbeat` is monotonic seconds, 0.0 before the first. `moves` are the last changes of state, oldest first.
    """

    state: AgentState
    running: tuple[int, int, float] | None
    started_seq: int
    flushed_seq: int
    done: int
    heartbeat: float
    moves: tuple[Move[AgentState], ...]


def new_block() -> int:
    """A descriptor of the memory for one status block. Its size is sealed, so a hostile agent cannot cut it away."""
    fd = memory_file("actors-status", MEMORY_SIZE)
    try:
        seal(fd, future_write=False)
    except OSError:
        os.close(fd)
        raise
    return fd


class StatusWriter:
    """The agent's end of a status block.

    Args:
        buffer: `BLOCK_SIZE` bytes of writable memory, or `MEMORY_SIZE` with room for last words.

    Invariants: `begin`, `finish` and `flushed` are called in one thread, `beat` in one thread, `move` in one thread;
    these may be three. `log` is called by one thread at a time. No call makes a system call or waits.
    """

    __slots__ = (
        "_attempt",
        "_begun",
        "_buffer",
        "_done",
        "_flushed",
        "_lines",
        "_moves",
        "_number",
        "_sequence",
        "_started",
    )

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._sequence = 0
        self._number = 0
        self._attempt = 0
        self._started = 0.0
        self._begun = 0
        self._flushed = 0
        self._done = 0
        self._moves = 0
        # How many lines of the log were kept; None where there is no room for any.
        self._lines: int | None = 0 if memoryview(buffer).nbytes >= MEMORY_SIZE else None
        memoryview(buffer)[: len(_MAGIC)] = _MAGIC

    @classmethod
    def of_fd(cls, fd: int) -> StatusWriter:
        """Map the block of a descriptor from `new_block`, and close the descriptor."""
        try:
            return cls(mmap.mmap(fd, MEMORY_SIZE))
        finally:
            os.close(fd)

    def close(self) -> None:
        """Write no more; free the mapping."""
        if isinstance(self._buffer, mmap.mmap):
            self._buffer.close()

    def begin(self, number: int, attempt: int, started: float) -> None:
        """A task starts: its number, attempt (1 or more) and the time on the monotonic clock."""
        self._number = number
        self._attempt = attempt
        self._started = started
        self._begun = begun = self._begun + 1
        self._sequence = seq = self._sequence + 1
        at = _WORK_AT[seq & 1]
        _set_work(self._buffer, at, seq, number, attempt, started, begun, self._flushed, self._done, seq)

    def finish(self) -> None:
        """The task that was begun last has ended; its result may not be written yet."""
        self._attempt = 0
        self._done = done = self._done + 1
        self._sequence = seq = self._sequence + 1
        at = _WORK_AT[seq & 1]
        _set_work(self._buffer, at, seq, 0, 0, 0.0, self._begun, self._flushed, done, seq)

    def resume(self, number: int, attempt: int, started: float) -> None:
        """A task that was begun goes on in hand, after one that ran inside it or beside it has finished."""
        self._number = number
        self._attempt = attempt
        self._started = started
        self._sequence = seq = self._sequence + 1
        at = _WORK_AT[seq & 1]
        _set_work(self._buffer, at, seq, number, attempt, started, self._begun, self._flushed, self._done, seq)

    def flushed(self, sequence: int | None = None) -> None:
        """The results of all tasks begun so far, or of the first `sequence` of them, are written to the socket."""
        self._flushed = self._begun if sequence is None else sequence
        self._sequence = seq = self._sequence + 1
        task = (self._number, self._attempt, self._started) if self._attempt else (0, 0, 0.0)
        _set_work(self._buffer, _WORK_AT[seq & 1], seq, *task, self._begun, self._flushed, self._done, seq)

    def move(self, time: float, source: int, target: int) -> None:
        """Note a change of state."""
        count = self._moves
        self._moves = stored = count + 1
        at = _MOVES_AT + _MOVE.size * (count % _MOVES_KEPT)
        _set_move(self._buffer, at, stored, time, source, target, stored)

    def observe(self, made: Move[AgentState]) -> None:
        """`move` in the shape of a state machine's observer."""
        self.move(made.time, made.source, made.target)

    def log(self, line: str) -> None:
        """Keep a line of the log among the last ones."""
        if self._lines is not None:
            self._lines += 1
            write_log(self._buffer, self._lines, line)

    def beat(self, time: float) -> None:
        """Note that the control lane was alive at this time on the monotonic clock."""
        _HEARTBEAT.pack_into(self._buffer, _HEARTBEAT_AT, time)


class StatusReader:
    """The program's end of a status block; it stays readable after the writer's death.

    Args:
        buffer: the memory that the writer writes, or another mapping of it.
    """

    __slots__ = ("_buffer", "_last", "_words")

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._last: Status | None = None
        self._words = LastWords()

    @classmethod
    def of_fd(cls, fd: int) -> StatusReader:
        """Map the block of a descriptor from `new_block`; the descriptor stays the caller's.

        Raises:
            ConfigError: the descriptor is not one of a status block.
        """
        if not is_sealed(fd) or os.fstat(fd).st_size != MEMORY_SIZE:
            raise ConfigError("expected the descriptor of a status block, made by new_block()", key="fd", value=fd)
        return cls(mmap.mmap(fd, MEMORY_SIZE, access=mmap.ACCESS_READ))

    def read(self) -> Status:
        """What the block says now, or said when it was closed."""
        if self._last is not None:
            return self._last
        view = memoryview(self._buffer)[:BLOCK_SIZE]
        image = bytes(view)
        for _ in range(_TRIES):
            again = bytes(view)
            if again == image:
                break
            # Written meanwhile: the two differ, and only a pair that agrees is known to hold no half-done store.
            image = again
        return _decode(image)

    def last_words(self) -> LastWords:
        """What the agent has left behind the status."""
        return self._words if self._last is not None else read_last_words(memoryview(self._buffer))

    def close(self) -> None:
        """Free the mapping; what the block says now is kept."""
        if self._last is None:
            self._words = self.last_words()
            self._last = self.read()
            if isinstance(self._buffer, mmap.mmap):
                self._buffer.close()


def _decode(image: bytes) -> Status:
    newest = (0, 0, 0, 0.0, 0, 0, 0, 0)
    for at in _WORK_AT:
        record = _WORK.unpack_from(image, at)
        if record[0] == record[-1] and record[0] > newest[0]:
            newest = record
    _, number, attempt, started, begun, flushed, done, _ = newest
    moves = []
    for slot in range(_MOVES_KEPT):
        count, time, source, target, again = _MOVE.unpack_from(image, _MOVES_AT + slot * _MOVE.size)
        # What an agent wrote is not trusted: a number that is no state is dropped like a record torn in two.
        if count and count == again and source in _STATES and target in _STATES:
            moves.append((count, Move(time, AgentState(source), AgentState(target))))
    moves.sort()
    story = tuple(made for _, made in moves)
    return Status(
        state=story[-1].target if story else AgentState.INITIALIZING,
        running=(number, attempt, started) if attempt else None,
        started_seq=begun,
        flushed_seq=flushed,
        done=done,
        heartbeat=_HEARTBEAT.unpack_from(image, _HEARTBEAT_AT)[0],
        moves=story,
    )


_STATES = frozenset(int(state) for state in AgentState)
