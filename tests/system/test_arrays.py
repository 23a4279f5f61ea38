"""Large arrays on their way through real agents: nobody sees what another one has done to them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from actors import ActorSystem, AgentRestarted
from actors.hosts.payload import Segment
from tests.system.bulky import Bulk, Carrier
from tests.system.support import CONFIG, LIMIT, Heard

_SIZE = 8 << 20


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    """A system with two agents."""
    with ActorSystem({Carrier: 2}, config=CONFIG) as running:
        yield running
        running.shutdown(cancel_tasks=True)


def test_a_task_that_wrote_to_its_argument_and_died_gets_it_again_as_it_was(system: ActorSystem) -> None:
    """D3: at least once, with the same arguments."""
    content = bytearray(b"abc" + bytes(_SIZE) + b"xyz")
    assert system.submit(Carrier.spoil_and_die, Bulk(content)).result(LIMIT) == b"abcxyz"
    assert content[:3] == b"abc"


def test_each_dependent_has_a_result_for_itself(system: ActorSystem) -> None:
    """Work: a result goes to its dependents by reference, and is nobody's to change."""
    made = system.submit(Carrier.make, _SIZE, 200)
    marked = [system.submit(Carrier.mark, made, mark) for mark in range(6)]
    for mark, future in enumerate(marked):
        data = future.result(LIMIT).data
        assert [place for place in range(10) if data[place] != 200] == [mark]
    own = memoryview(made.result(LIMIT).data)
    own[:] = bytes(len(own))
    assert system.submit(Carrier.mark, made, 3).result(LIMIT).data[4] == 200


def test_a_result_outlives_the_agent_that_made_it(system: ActorSystem) -> None:
    """Principle 6: whoever dies first."""
    heard = Heard()
    system.subscribe(AgentRestarted, heard)
    future = system.submit(Carrier.make, _SIZE, 7)
    view = memoryview(future.take(LIMIT).data)
    pids = {system.submit(Carrier.pid).result(LIMIT) for _ in range(20)}
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    heard.wait(len(pids))
    for content in (8, 9):
        other = system.submit(Carrier.make, _SIZE, content).take(LIMIT)
        assert bytes(other.data[:2]) == bytes([content]) * 2
    assert bytes(view) == b"\7" * _SIZE
    view[:3] = b"abc"
    assert bytes(view[:5]) == b"abc\7\7"


def test_one_array_after_another_goes_through_the_same_memory(system: ActorSystem) -> None:
    """Figures: in and out, taken and let go of."""
    before = Segment.pool.held
    for number in range(24):
        content = bytearray(bytes([number]) * _SIZE)
        result = system.submit(Carrier.mark, Bulk(content), 100).take(LIMIT)
        assert bytes(result.data[99:102]) == bytes((number, 100, number))
        del result
    # Two on their way there, and two that came from each agent.
    assert Segment.pool.held - before <= 8
    assert Segment.mappings.held <= 4


def test_what_a_task_has_written_takes_no_memory_after_it() -> None:
    """Limits: the memory of an agent is what its tasks hold."""
    with ActorSystem({Carrier: 1}, config=CONFIG) as system:
        before = system.submit(Carrier.private_memory).result(LIMIT)
        for _ in range(3):
            assert system.submit(Carrier.overwrite, Bulk(bytearray(_SIZE))).result(LIMIT) == _SIZE
        after = system.submit(Carrier.private_memory).result(LIMIT)
        assert after - before < _SIZE >> 11
