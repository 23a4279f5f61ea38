"""The worker for any work."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.taskspec import TaskSpec
from actors.errors import ConfigError
from actors.system import ActorSystem
from actors.workers import BUILT_IN
from actors.workers.general_purpose import GeneralPurpose


def fail() -> None:
    raise TypeError("from the inside")


def test_the_built_in_workers_are_what_their_names_say() -> None:
    """A1: roles, capabilities and resource classes as the table has them."""
    import importlib

    classes = {}
    for agent_type, place in BUILT_IN.items():
        module, _, name = place.partition(":")
        classes[agent_type] = getattr(importlib.import_module(module), name)
    assert {name: worker.agent_type for name, worker in classes.items()} == {name: name for name in classes}
    table = {name: (w.role, w.cpu, w.memory, w.io, set(w.capabilities)) for name, w in classes.items()}
    assert table == {
        "file_analyzer": (
            "analyzer",
            "moderate",
            "low",
            "high",
            {"file_analysis", "syntax_analysis", "syntax_checking", "dependency_scanning", "metrics_calculation"},
        ),
        "template_processor": (
            "processor",
            "high",
            "moderate",
            "moderate",
            {"template_rendering", "file_generation", "validation"},
        ),
        "quality_checker": ("validator", "high", "moderate", "low", {"linting", "testing", "security_scanning"}),
        "general_purpose": (
            "worker",
            "moderate",
            "moderate",
            "moderate",
            {"general_purpose", "general_tasks", "file_operations", "basic_analysis"},
        ),
        "git_integrator": (
            "integrator",
            "low",
            "low",
            "moderate",
            {"git_operations", "commit_analysis", "branch_management", "merge_operations"},
        ),
        "orchestrator": (
            "orchestrator",
            "low",
            "low",
            "low",
            {"spawn_agents", "manage_lifecycle", "monitor_resources", "coordinate_tasks"},
        ),
    }


def test_work_described_as_data_calls_what_it_names() -> None:
    """A1: task type general."""
    worker = GeneralPurpose()
    assert worker.general("math:gcd", [12, 18]) == 6
    assert worker.general("builtins:str.upper", ("x",)) == "X"
    assert worker.general("builtins:dict", kwargs={"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"callable": "math.gcd"}, "module:function"),
        ({"callable": ":gcd"}, "module:function"),
        ({"callable": "math:"}, "module:function"),
        ({"callable": 3}, "module:function"),
        ({"callable": "no_such_module_here:x"}, "cannot be imported"),
        ({"callable": "math:nothing"}, "no attribute 'nothing'"),
        ({"callable": "math:pi"}, "something to call, not of a float"),
        ({"callable": "math:gcd", "args": "12"}, "list of positional"),
        ({"callable": "math:gcd", "args": {"a": 1}}, "list of positional"),
        ({"callable": "math:gcd", "kwargs": [1]}, "mapping of names"),
        ({"callable": "math:gcd", "kwargs": {1: 2}}, "mapping of names"),
    ],
)
def test_data_that_name_no_call_are_refused(data: dict[str, Any], words: str) -> None:
    """A1: the error says what was expected and what came."""
    with pytest.raises(ConfigError, match=words):
        GeneralPurpose().general(**data)


def test_wrong_arguments_are_told_apart_from_an_error_of_the_callable() -> None:
    """A1: the first names the signature, the second is left as it is."""
    with pytest.raises(TypeError, match=r"does not take these arguments: .*; its signature is"):
        GeneralPurpose().general(f"{__name__}:fail", [1])
    with pytest.raises(TypeError, match=r"^from the inside$"):
        GeneralPurpose().general(f"{__name__}:fail")


def test_a_system_runs_plain_callables_and_general_tasks_by_itself() -> None:
    """A1: nobody has to name the worker."""
    with ActorSystem() as system:
        assert system.submit(pow, 2, 10).result(timeout=30) == 1024
        spec = TaskSpec(type="general", data={"callable": "math:gcd", "args": [12, 18]})
        assert system.submit_task(spec).result(timeout=30) == 6
        wrong = system.submit_task(TaskSpec(type="general", data={"callable": "math.gcd"}))
        with pytest.raises(ConfigError, match="module:function"):
            wrong.result(timeout=30)
