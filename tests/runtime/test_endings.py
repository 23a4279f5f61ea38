"""What an agent's end tells whoever depended on it."""

from __future__ import annotations

from itertools import pairwise

from actors.hosts.exitreport import ExitReport
from actors.protocol.states import AGENT_MOVES, AgentState, Move
from actors.runtime.endings import agent_died

LIFE = (
    AgentState.INITIALIZING,
    AgentState.IDLE,
    *(AgentState.ASSIGNED, AgentState.WORKING, AgentState.COMPLETING, AgentState.IDLE) * 3,
    AgentState.ASSIGNED,
    AgentState.WORKING,
)


def report(states: tuple[AgentState, ...]) -> ExitReport:
    """The end of an agent that went through these states."""
    moves = tuple(Move(float(at), *pair) for at, pair in enumerate(pairwise(states)))
    return ExitReport(
        agent="thumbnailer-2",
        incarnation=3,
        pid=77,
        exit_code=None,
        signal="SIGKILL",
        cause="killed by SIGKILL",
        reason=None,
        stderr=("the last line",),
        moves=moves,
        running=(7, 2, 0.0),
        started_seq=4,
        flushed_seq=3,
        uptime=1.0,
    )


def test_the_last_moves_that_are_told_are_a_way_that_the_agent_went() -> None:
    """H3: each arrow is a legal move, also where the beginning of a long life is left out."""
    for end in range(2, len(LIFE) + 1):
        text = str(agent_died(report(LIFE[:end]), "thumbnailer"))
        line = next(line for line in text.splitlines() if line.startswith("  last moves: "))
        told = [AgentState[name.upper()] for name in line.removeprefix("  last moves: ").split(" -> ")]
        assert tuple(told) == LIFE[max(0, end - 7) : end]
        assert all(after in AGENT_MOVES[before] for before, after in pairwise(told))


def test_the_error_says_who_ended_how_and_what_ran() -> None:
    """F2, H3: in the text and in its attributes."""
    error = agent_died(report(LIFE), "thumbnailer", "t-7")
    assert "thumbnailer-2, incarnation 3 (pid 77): killed by SIGKILL" in str(error)
    assert "task: task t-7, attempt 2" in str(error) and "the last line" in str(error)
    assert (error.agent_id, error.pid, error.signal, error.attempt) == ("thumbnailer-2", 77, "SIGKILL", 2)
    assert error.moves is not None and len(error.moves) == len(LIFE) - 1


def test_an_agent_that_never_moved_tells_no_moves() -> None:
    """A2: it was killed while it started."""
    assert "moves" not in str(agent_died(report(LIFE[:1]), "thumbnailer"))
