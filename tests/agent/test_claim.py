"""What was claimed and has not begun."""

# An assigned task is a flat list of fields, yes and no among them.
# ruff: noqa: FBT003

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.hosts.agent import Agent
from actors.hosts.host import LaunchSpec
from actors.hosts.interrupts import FlagInterrupter
from actors.hosts.memorychannel import MemoryChannel
from actors.hosts.serialize import Call, dumps, pack_call
from actors.hosts.statusblock import StatusWriter
from actors.hosts.tasklane import TaskLane
from actors.hosts.world import AgentWorld
from actors.protocol.messages import AssignedTask, Assignment, Cancellation, CancellationCause, Outcome, Result
from tests.agent.workers import Busybody


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[Agent, MemoryChannel, MemoryChannel, MemoryChannel]]:
    """An agent that nobody runs, and the program's ends of its channels: task, control; and its own of the latter."""
    task, theirs = MemoryChannel.pair()
    control, program = MemoryChannel.pair()
    spec = LaunchSpec(
        agent="busybody-1", type="busybody", incarnation=1, worker=dumps(Busybody), workspace=str(tmp_path / "here")
    )
    agent = Agent(
        spec,
        task,
        control,
        StatusWriter(bytearray(4096)),
        world=AgentWorld(),
        interrupter=FlagInterrupter(),
        whole_process=False,
    )
    assert agent.start()
    yield agent, theirs, program, control
    agent.parts.close()
    for channel in (task, theirs, control, program):
        channel.close()


def assign(theirs: MemoryChannel) -> None:
    """Assign a task that echoes 7."""
    payload = pack_call(Call(None, (7,)))
    theirs.send(Assignment([AssignedTask(1, 1, "t-1", "echo", payload, None, None, True, None, False)]))


def cancel(agent: Agent, program: MemoryChannel, control: MemoryChannel) -> None:
    """Cancel it, and let the control lane take the message."""
    program.send(Cancellation(1, 1, int(CancellationCause.CANCELLED), "not needed"))
    (envelope,) = control.receive(5)
    agent.control_lane.take(envelope)


def outcome(theirs: MemoryChannel) -> tuple[int, int]:
    """Number and outcome of the one result that was sent."""
    (result,) = [
        each for envelope in theirs.receive(5) for each in envelope.message.results if type(envelope.message) is Result
    ]
    return result[0], result[2]


def test_a_cancellation_that_comes_between_claim_and_start_takes_effect(
    ends: tuple[Agent, MemoryChannel, MemoryChannel, MemoryChannel],
) -> None:
    """D6: the body does not run, and the agent says so."""
    agent, theirs, program, control = ends
    assert isinstance(agent.lane, TaskLane)
    assign(theirs)
    assert agent.parts.assignments.read()
    claimed = agent.parts.assignments.claim()
    assert claimed is not None
    cancel(agent, program, control)
    agent.lane.perform(claimed)
    agent.lane.flush()
    assert outcome(theirs) == (1, Outcome.INTERRUPTED)


def test_a_cancellation_that_overtakes_the_assignment_takes_effect(
    ends: tuple[Agent, MemoryChannel, MemoryChannel, MemoryChannel],
) -> None:
    """D6: the planes are two, and a large assignment may be on its way for long."""
    agent, theirs, program, control = ends
    assert isinstance(agent.lane, TaskLane)
    cancel(agent, program, control)
    assign(theirs)
    while agent.lane.turn():
        pass
    assert outcome(theirs) == (1, Outcome.INTERRUPTED)


def test_what_was_cancelled_before_it_came_does_not_wait_for_its_turn(
    ends: tuple[Agent, MemoryChannel, MemoryChannel, MemoryChannel],
) -> None:
    """D6: the task before it may run for long, and whoever cancelled would take this one for it."""
    agent, theirs, program, control = ends
    cancel(agent, program, control)
    assign(theirs)
    assert agent.parts.assignments.read()
    assert outcome(theirs) == (1, Outcome.INTERRUPTED)
    assert agent.parts.assignments.claim() is None
