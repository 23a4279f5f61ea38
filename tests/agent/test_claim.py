"""What was claimed and has not begun."""

# An assigned task is a flat list of fields, yes and no among them.
# ruff: noqa: FBT003

from __future__ import annotations

from pathlib import Path

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


def test_a_cancellation_that_comes_between_claim_and_start_takes_effect(tmp_path: Path) -> None:
    """D6: the body does not run, and the agent says so."""
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
    assert isinstance(agent.lane, TaskLane)
    payload = pack_call(Call(None, (7,)))
    theirs.send(Assignment([AssignedTask(1, 1, "t-1", "echo", payload, None, None, True, None, False)]))
    assignments = agent.parts.assignments
    assert assignments.read()
    claimed = assignments.claim()
    assert claimed is not None
    cause = int(CancellationCause.CANCELLED)
    program.send(Cancellation(1, 1, cause, "not needed"))
    (envelope,) = control.receive(5)
    agent.control_lane.take(envelope)
    agent.lane.perform(claimed)
    agent.lane.flush()
    (result,) = [
        each for envelope in theirs.receive(5) for each in envelope.message.results if type(envelope.message) is Result
    ]
    assert (result[0], result[2]) == (1, Outcome.INTERRUPTED)
    agent.parts.close()
    for channel in (task, theirs, control, program):
        channel.close()
