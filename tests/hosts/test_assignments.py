"""What was assigned to an agent is taken once: to be run, or to be given back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from actors.hosts.assignments import Assignments
from actors.hosts.memorychannel import MemoryChannel
from actors.protocol.messages import AssignedTask, Assignment


def task(number: int, attempt: int = 1, *, nested: bool = False) -> tuple[Any, ...]:
    return tuple(AssignedTask(number, attempt, f"t-{number}", "call", b"", None, None, True, None, nested))  # noqa: FBT003 - its fields


@pytest.fixture
def plane() -> Iterator[tuple[MemoryChannel, Assignments]]:
    near, far = MemoryChannel.pair()
    assignments = Assignments(
        far,
        lambda envelope: pytest.fail(f"a stranger: {envelope}"),
        on_early=lambda attempt: pytest.fail(f"cancelled early: {attempt}"),
        on_arrival=lambda: None,
        on_late=lambda: None,
    )
    yield near, assignments
    near.close()
    far.close()


@pytest.mark.parametrize("again", ["at the end of the line", "to be run inside another"])
def test_what_was_given_back_and_comes_again_is_run_as_it_came_the_second_time(
    plane: tuple[MemoryChannel, Assignments], again: str
) -> None:
    """D8: a task that comes back unstarted keeps the number of its attempt, so the same key may come twice."""
    program, assignments = plane
    program.send(Assignment([task(1), task(2)]))
    (first,) = assignments.withdraw([(1, 1)])
    assert first.ended
    program.send(Assignment([task(1, nested=again == "to be run inside another")]))
    assignments.read()
    if again == "to be run inside another":
        second = assignments.claim_nested()
        other = assignments.claim()
    else:
        other = assignments.claim()
        second = assignments.claim()
    assert other is not None
    assert other.number == 2
    assert second is not None
    assert second.key == (1, 1)
    assert second is not first
    assert not second.ended
    assert assignments.claim() is None
    assert not len(assignments)


def test_what_comes_again_to_be_run_inside_another_is_not_taken_for_what_was_given_back(
    plane: tuple[MemoryChannel, Assignments],
) -> None:
    """D8: the place of the first one in the line is nobody's."""
    program, assignments = plane
    program.send(Assignment([task(1)]))
    assignments.withdraw([(1, 1)])
    program.send(Assignment([task(1, nested=True), task(2)]))
    assignments.read()
    claimed = assignments.claim()
    assert claimed is not None
    assert claimed.number == 2
    nested = assignments.claim_nested()
    assert nested is not None
    assert (nested.nested, nested.ended) == (True, False)
