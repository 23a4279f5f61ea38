"""The data of the built-in task types: a wrong field names itself."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.taskspec import TaskSpec
from actors.errors import ConfigError
from actors.flow.kinds import Kinds, load_worker
from actors.system import ActorSystem
from actors.workers import BUILT_IN

_METHODS = {
    method.task_type: method
    for place in BUILT_IN.values()
    for method in load_worker(place).tasks().values()
    if not method.is_open
}
_VALUES: dict[str, Any] = {
    "callable": "math:gcd",
    "argv": ["true"],
    "paths": ["x"],
    "output": "x",
    "operation": "render",
}


def test_an_unknown_field_of_a_built_in_task_type_names_itself_and_what_there_is() -> None:
    """A1: before anything runs."""
    with ActorSystem() as system:
        for task_type, method in _METHODS.items():
            data = {name: _VALUES.get(name) for name, needed in method.fields().items() if needed}
            spec = TaskSpec(type=task_type, data={**data, "no_such_field": 1})
            with pytest.raises(ConfigError, match=r"no field 'no_such_field'; its fields are") as wrong:
                system.submit_task(spec)
            assert wrong.value.key == "no_such_field"
            assert wrong.value.allowed == ", ".join(method.fields())


def test_a_missing_field_names_itself() -> None:
    """A1: for each type that needs one."""
    with ActorSystem() as system:
        for task_type, method in _METHODS.items():
            for name in [name for name, needed in method.fields().items() if needed][:1]:
                with pytest.raises(ConfigError, match=f"'{name}'"):
                    system.submit_task(TaskSpec(type=task_type, data={}))


def test_each_built_in_task_type_can_stand_in_a_workflow() -> None:
    """A1: also those that are added later."""
    kinds = {kind.name for kind in Kinds()}
    assert set(_METHODS) <= kinds
    assert {"file_analysis", "template_processing", "general", "command", "orchestration"} <= kinds
