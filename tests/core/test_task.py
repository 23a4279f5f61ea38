"""What a task is and how it looks from outside."""

from __future__ import annotations

import json
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.task import Needs, Task, TaskKind
from actors.core.taskspec import TaskSpec
from actors.errors import ConfigError, IllegalTransition
from actors.protocol.messages import Failure
from actors.protocol.states import TASK_MOVES, TaskStatus

KIND = TaskKind("shrink", Needs("thumbnailer", frozenset({"imaging"})), timeout=5.0, retries=2, job="nightly")


@given(st.lists(st.sampled_from(list(TaskStatus)), max_size=8))
def test_a_task_moves_only_along_the_table(targets: list[TaskStatus]) -> None:
    """D1: no other move is possible, and a refused one changes nothing."""
    task = Task(1, "t1", KIND)
    for target in targets:
        before = task.status
        if target in TASK_MOVES[before]:
            task.move(target)
            assert task.status is target
        else:
            with pytest.raises(IllegalTransition) as caught:
                task.move(target)
            assert task.status is before
            assert caught.value.target == str(target)


def test_a_task_reads_what_its_kind_says() -> None:
    """D1: what all tasks of a kind share is stored once."""
    task = Task(1, "t1", KIND)
    names = (
        "name",
        "needs",
        "job",
        "priority",
        "timeout",
        "retries",
        "error_retries",
        "idempotent",
        "duration",
        "call",
    )
    assert [getattr(task, name) for name in names] == [getattr(KIND, name) for name in names]
    assert KIND.family == "shrink"


@pytest.mark.parametrize("priority", [0, 5, -1, "high"])
def test_a_priority_outside_one_to_four_is_refused(priority: object) -> None:
    """D1: the four priorities are all there are."""
    with pytest.raises(ConfigError, match="priority"):
        TaskKind("x", Needs(), priority=priority)  # type: ignore[arg-type]


def test_no_limit_may_be_written_as_infinity_and_nonsense_is_refused() -> None:
    """A4: what is not a number of seconds never reaches a timer."""
    assert TaskKind("x", Needs(), timeout=math.inf).timeout is None
    for field in ("timeout", "duration"):
        for value in (math.nan, -1.0):
            with pytest.raises(ConfigError, match=field):
                TaskKind("x", Needs(), **{field: value})  # type: ignore[arg-type]


def test_info_has_all_that_the_task_has_and_prints_as_json() -> None:
    """C5: times in UTC, dependencies by id, the error as type and text."""
    task = Task(7, "t7", KIND, b"data", after=(3,))
    task.created, task.assigned, task.started = 10.0, 11.0, 12.0
    task.error = Failure(("builtins.ValueError",), "bad", "Traceback", None)
    task.note_progress(0.5, "half", 99.0)
    info = task.info(1000.0, lambda number: f"t{number}")
    assert (info.created, info.assigned, info.started, info.ended) == (1010.0, 1011.0, 1012.0, None)
    assert info.dependencies == ("t3",)
    shown = json.loads(json.dumps(info.to_dict()))
    assert shown["error"] == {"type": "builtins.ValueError", "text": "bad"}
    assert shown["progress"] == [[0.5, "half", 99.0]]
    assert shown["status"] == "pending"
    assert shown["requires"] == ["imaging"]
    assert pickle.loads(pickle.dumps(info)) == info


def test_progress_keeps_only_the_last_64() -> None:
    """D7: a task that tells a lot costs no more memory."""
    task = Task(1, "t1", KIND)
    for step in range(1000):
        task.note_progress(step / 1000, "", step)
    assert len(task.progress) == 64
    assert task.progress[-1] == (0.999, "", 999)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", ""),
        ("type", 3),
        ("data", [1]),
        ("after", "t1"),
        ("after", 5),
        ("requires", "imaging"),
        ("requires", [""]),
        ("priority", 9),
        ("priority", True),
        ("timeout", 0),
        ("timeout", math.nan),
        ("timeout", "5"),
        ("retries", -1),
        ("retries", 1.5),
        ("duration", -2),
        ("agent_type", ""),
        ("job", 7),
        ("retry_on", [3]),
        ("backoff", 0.5),
        ("idempotent", "yes"),
        ("inputs", 3),
    ],
)
def test_a_bad_field_of_a_spec_is_named_with_its_value(field: str, value: object) -> None:
    """D1: the error says which field, what came, what is allowed."""
    with pytest.raises(ConfigError) as caught:
        TaskSpec(**{"type": "file_analysis", field: value})  # type: ignore[arg-type]
    assert caught.value.key == field
    assert caught.value.allowed
    assert field in str(caught.value)


def test_a_spec_takes_any_collections() -> None:
    """D1: lists and sets do, and become what cannot change."""
    spec = TaskSpec(
        type="x",
        after=["t1", "t2"],  # type: ignore[arg-type]
        requires=["a", "b"],  # type: ignore[arg-type]
        retry_on=[ValueError, "my.Error", "KeyError"],  # type: ignore[arg-type]
        timeout=math.inf,
    )
    assert spec.after == ("t1", "t2")
    assert spec.requires == {"a", "b"}
    assert spec.retry_on == ("builtins.ValueError", "my.Error", "builtins.KeyError")
