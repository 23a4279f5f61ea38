"""The status block: what was written last is what is read, also when the writer died or writes meanwhile."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import ConfigError
from actors.hosts.descriptors import memory_file
from actors.hosts.statusblock import BLOCK_SIZE, StatusReader, StatusWriter, new_block
from actors.protocol.states import AgentState, Move, agent_machine


@pytest.fixture
def block() -> Iterator[tuple[StatusWriter, StatusReader]]:
    """A block in shared memory."""
    fd = new_block()
    reader = StatusReader.of_fd(fd)
    writer = StatusWriter.of_fd(fd)
    yield writer, reader
    writer.close()
    reader.close()


def test_a_new_block_says_that_nothing_happened() -> None:
    """A5: also before the agent has written anything."""
    status = StatusReader(bytearray(BLOCK_SIZE)).read()
    assert (status.state, status.running, status.started_seq, status.moves) == (AgentState.INITIALIZING, None, 0, ())


def test_the_last_words_are_read(block: tuple[StatusWriter, StatusReader]) -> None:
    """H3: what runs, what is done, what is told."""
    writer, reader = block
    writer.begin(5, 1, 10.5)
    assert reader.read().running == (5, 1, 10.5)
    writer.finish()
    writer.begin(0, 3, 11.5)
    writer.flushed(1)
    writer.beat(12.0)
    status = reader.read()
    assert status.running == (0, 3, 11.5)
    assert (status.started_seq, status.flushed_seq, status.done, status.heartbeat) == (2, 1, 1, 12.0)
    writer.finish()
    writer.flushed()
    status = reader.read()
    assert (status.running, status.started_seq, status.flushed_seq, status.done) == (None, 2, 2, 2)


@given(st.lists(st.sampled_from(AgentState), max_size=80))
def test_the_last_moves_are_kept_in_order(targets: list[AgentState]) -> None:
    """H3: the last 32."""
    memory = bytearray(BLOCK_SIZE)
    writer, reader = StatusWriter(memory), StatusReader(memory)
    made = [Move(float(at), AgentState.IDLE, target) for at, target in enumerate(targets)]
    for move in made:
        writer.observe(move)
    assert reader.read().moves == tuple(made[-32:])
    assert reader.read().state == (targets[-1] if targets else AgentState.INITIALIZING)


def test_a_state_machine_can_be_watched(block: tuple[StatusWriter, StatusReader]) -> None:
    """A2: the moves can be watched from outside."""
    writer, reader = block
    machine = agent_machine("walker-1", lambda: 1.0, writer.observe)
    machine.move(AgentState.IDLE)
    assert reader.read().state is AgentState.IDLE


@given(st.binary(min_size=1, max_size=200))
def test_whatever_is_in_the_block_can_be_read(content: bytes) -> None:
    """I3: a hostile agent may write what it likes."""
    memory = bytearray((content * BLOCK_SIZE)[:BLOCK_SIZE])
    assert len(StatusReader(memory).read().moves) <= 32


def test_a_block_that_was_closed_says_what_it_said_last() -> None:
    """H3: the record outlives the memory."""
    fd = new_block()
    reader = StatusReader.of_fd(fd)
    writer = StatusWriter.of_fd(fd)
    writer.begin(3, 1, 2.0)
    reader.close()
    writer.close()
    assert reader.read().running == (3, 1, 2.0)


def test_a_hostile_agent_cannot_cut_the_block_away() -> None:
    """I3: the reader would be killed by the kernel."""
    fd = new_block()
    with pytest.raises(OSError, match="permitted"):
        os.ftruncate(fd, 0)
    os.close(fd)
    other = memory_file("test", BLOCK_SIZE)
    with pytest.raises(ConfigError):
        StatusReader.of_fd(other)
    os.close(other)


def test_a_read_beside_a_writer_is_never_torn(block: tuple[StatusWriter, StatusReader]) -> None:
    """H3: the fields of a record belong together."""
    writer, reader = block
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            writer.begin(number, number, float(number))
            writer.finish()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(300):
            status = reader.read()
            if status.running is not None:
                number, attempt, started = status.running
                assert number == attempt == started == status.started_seq == status.done + 1
    finally:
        stop.set()
        thread.join()


def test_a_writer_killed_at_any_moment_leaves_a_whole_record(block: tuple[StatusWriter, StatusReader]) -> None:
    """H3: SIGKILL in the middle of a write costs that write and nothing more."""
    writer, reader = block
    for _ in range(20):
        ready, told = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                number = 0
                while True:
                    number += 1
                    writer.begin(number, number, float(number))
                    if number == 100:
                        os.write(told, b"x")
            finally:
                os._exit(1)
        os.close(told)
        os.read(ready, 1)
        os.close(ready)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        running = reader.read().running
        assert running is not None
        assert running[0] == running[1] == running[2]
