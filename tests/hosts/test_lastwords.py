"""What an agent leaves behind its status: the last lines of its log, and where its threads were."""

from __future__ import annotations

import faulthandler
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.hosts.lastwords import (
    MEMORY_SIZE,
    STACK_AT,
    STACK_SIGNAL,
    LastWords,
    has_whole_stack,
    is_ready,
    read_last_words,
)
from actors.hosts.launchedagent import LaunchedAgent
from actors.hosts.proctree import processor_time_of
from actors.hosts.statusblock import BLOCK_SIZE, StatusReader, StatusWriter, new_block


@pytest.fixture
def fd() -> Iterator[int]:
    made = new_block()
    yield made
    os.close(made)


def test_the_last_lines_of_the_log_are_kept_in_order(fd: int) -> None:
    """H3: eight of them, each in one line and of bounded length."""
    reader, writer = StatusReader.of_fd(fd), StatusWriter.of_fd(os.dup(fd))
    assert reader.last_words() == LastWords()
    for number in range(20):
        writer.log(f"line {number}\nand on")
    writer.log("é" * 1000)
    *lines, last = reader.last_words().log
    assert lines == [f"line {number} and on" for number in range(13, 20)]
    assert 200 < len(last) < 300 and last.startswith("éé")
    writer.close()
    reader.close()
    assert reader.last_words().log == (*lines, last)


def test_a_stack_is_read_as_far_as_it_was_written(fd: int) -> None:
    """H3: through a descriptor whose place all its copies share."""
    reader = StatusReader.of_fd(fd)
    os.lseek(fd, STACK_AT, os.SEEK_SET)
    faulthandler.dump_traceback(fd, all_threads=False)
    stack = reader.last_words().stack
    assert stack[0] == "Stack (most recent call first):"
    assert "in test_a_stack_is_read_as_far_as_it_was_written" in stack[1]
    assert os.lseek(fd, 0, os.SEEK_CUR) == STACK_AT + len("\n".join(stack)) + 1
    assert not is_ready(fd)
    reader.close()


def test_a_stack_that_is_half_written_is_waited_for(fd: int) -> None:
    """H3: whoever is slow to write, on a machine that has no time for it, is not cut off in the middle."""
    os.lseek(fd, STACK_AT, os.SEEK_SET)
    assert not has_whole_stack(fd)
    os.write(fd, b'Thread 0x1 (most recent call first):\n  File "/a.py", line 1 in _bootstrap\n\n')
    assert not has_whole_stack(fd)
    os.write(fd, b'Thread 0x2 (most recent call first):\n  File "/a.py", line 1 in body\n  File "<string>", line 1 in ')
    assert not has_whole_stack(fd)
    os.write(fd, b"<module>\n")
    assert has_whole_stack(fd)
    os.write(fd, b"x" * MEMORY_SIZE)
    assert has_whole_stack(fd), "there is no room for more"


def told_by(code: str, fd: int) -> tuple[float, float]:
    """Ask a process for its stacks: how many seconds it was given, and how many of these a processor was its own."""
    prelude = f"import signal, time; signal.signal({STACK_SIGNAL}, signal.SIG_IGN); print(flush=True); "
    with subprocess.Popen([sys.executable, "-c", prelude + code], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            os.pwrite(fd, b"\1", 8192)
            agent = LaunchedAgent(1, process.pid, -1, fd)
            assert agent.ask_for_stack()
            used, began = processor_time_of(process.pid), time.monotonic()
            while not agent.has_told():
                time.sleep(0.004)
            return time.monotonic() - began, processor_time_of(process.pid) - used
        finally:
            process.kill()


def test_an_agent_that_does_not_write_has_a_tenth_of_a_second_of_a_processor(fd: int) -> None:
    """H3: what it did not get a processor for does not count, up to a second."""
    waited, used = told_by("exec('while True: pass')", fd)
    assert waited > 1.0 or used >= 0.1
    waited, used = told_by("time.sleep(60)", fd)
    assert waited > 0.1 and used < 0.1


def test_a_stack_without_end_stays_in_its_place(fd: int) -> None:
    """I3: the memory cannot grow, and the status before it is out of reach of what is appended."""
    reader = StatusReader.of_fd(fd)
    os.lseek(fd, STACK_AT, os.SEEK_SET)
    assert os.write(fd, b"x" * (MEMORY_SIZE - STACK_AT)) == MEMORY_SIZE - STACK_AT
    with pytest.raises(PermissionError):
        os.write(fd, b"x")
    assert len(reader.last_words().stack[0]) == MEMORY_SIZE - STACK_AT
    reader.close()


def test_where_there_is_room_for_a_status_alone_nothing_is_kept() -> None:
    """H3: an agent that is a thread does not die by itself."""
    memory = bytearray(BLOCK_SIZE)
    StatusWriter(memory).log("a line")
    assert StatusReader(memory).last_words() == LastWords()


@given(st.binary(min_size=1, max_size=2000), st.integers(4096, MEMORY_SIZE - 2000))
def test_whatever_stands_there_can_be_read(content: bytes, at: int) -> None:
    """I3: an agent may write anything."""
    memory = bytearray(MEMORY_SIZE)
    memory[at : at + len(content)] = content
    words = read_last_words(memoryview(memory))
    assert all(isinstance(line, str) for line in (*words.log, *words.stack))
