"""Workflows: what their files say, and what is wrong in them, with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from actors.flow.flow import Flow, load, read
from actors.flow.graph import levels, text
from actors.flow.picture import svg
from actors.flow.schema import schema
from actors.flow.source import FlowInvalid, parse

FULL = """\
name: nightly
vars: {folder: src, level: high}
parallel: 3
on_failure: skip
resources: {gpu: 1}
limits: {memory: 2G}
tasks:
  find:
    type: file_analysis
    data: {paths: ["${{ vars.folder }}/**/*.py"]}
  test:
    type: command
    matrix:
      part: [core, system]
      python: ["3.11", "3.12"]
      exclude: [{part: system, python: "3.12"}]
    data: {argv: [pytest, "${{ matrix.part }}", "${{ tasks.find.result | length }}"]}
    priority: ${{ vars.level }}
    resources: {gpu: 1}
    timeout: 60
    attempts: 2
    idempotent: false
  page:
    type: template_processing
    after: [test]
    data:
      operation: render
      template: "$${{ no expression }}"
      context: {tests: "${{ tasks.test.result }}", one: '${{ tasks["test[core,3.11]"].status }}'}
    requires: [template_rendering]
"""


def flow_of(text: str, **variables: Any) -> Flow:
    return read(parse(text, "f.yaml"), variables)


def test_a_workflow_is_a_plan_with_its_matrices_written_out() -> None:
    """D1, D3: ids, order, options and dependencies."""
    flow = flow_of(FULL, folder="lib")
    assert (flow.name, flow.parallel, flow.on_failure, flow.limits) == ("nightly", 3, "skip", {"memory": "2G"})
    assert list(flow.tasks) == ["find", "test[core,3.11]", "test[core,3.12]", "test[system,3.11]", "page"]
    assert flow.tasks["find"].step.data == {"paths": ["lib/**/*.py"]}
    test = flow.tasks["test[core,3.11]"]
    assert (test.step.priority, test.step.timeout, test.step.attempts, test.idempotent) == (3, 60, 2, False)
    assert test.step.after == ("find",)
    assert set(flow.tasks["page"].step.after) == {one for one in flow.tasks if one.startswith("test")}
    assert flow.tasks["page"].step.data["template"] == "${{ no expression }}"
    assert len(flow.plan().steps) == 5


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("- a\n", 1, "a workflow is a mapping"),
        ("", 1, "a workflow is a mapping"),
        ("name: x\n", 1, "tasks is a mapping"),
        (
            "name: x\ntaskz: {}\ntasks: {a: {type: command, data: {argv: [x]}}}\n",
            2,
            "no field 'taskz'; did you mean 'tasks'",
        ),
        ("name: 3\ntasks: {a: {type: command, data: {argv: [x]}}}\n", 1, "name: expected a text"),
        ("\nparallel: 0\ntasks: {a: {type: command, data: {argv: [x]}}}\n", 2, "parallel: expected a whole number"),
        ("\non_failure: go\ntasks: {a: {type: command, data: {argv: [x]}}}\n", 2, "on_failure"),
        ("limits:\n  memory: lots\ntasks: {a: {type: command, data: {argv: [x]}}}\n", 1, "limits"),
        ("limits:\n  memry: 1G\ntasks: {a: {type: command, data: {argv: [x]}}}\n", 1, "memry"),
        ("workers: [no.such.module:X]\ntasks: {a: {type: command, data: {argv: [x]}}}\n", 1, "cannot be imported"),
        ("workers: [math:gcd]\ntasks: {a: {type: command, data: {argv: [x]}}}\n", 1, "names no class derived"),
        ("tasks:\n  1a: {type: command}\n", 2, "cannot be the name of a task"),
        ("tasks:\n  a: [x]\n", 2, "is a mapping of its fields"),
        ("tasks:\n  a:\n    data: {}\n", 2, "lacks the field 'type'"),
        ("tasks:\n  a:\n    type: comand\n", 3, "no task type 'comand'; did you mean 'command'"),
        (
            "tasks:\n  a:\n    type: command\n    data:\n      arg: [x]\n      argv: [x]\n",
            5,
            "command has no field 'arg'",
        ),
        ("tasks:\n  a:\n    type: command\n    data:\n      cwd: x\n", 4, "command lacks the field 'argv'"),
        ("tasks:\n  a:\n    type: command\n    data:\n      argv: ls -l\n", 5, "shell: true"),
        ("tasks:\n  a:\n    type: command\n    data: [x]\n", 4, "data is a mapping"),
        ("tasks:\n  a:\n    type: template_processing\n    data: {operation: paint}\n", 4, "no operation 'paint'"),
        ("tasks:\n  a:\n    type: template_processing\n    data: {operation: render, text: x}\n", 4, "no field 'text'"),
        ("tasks:\n  a:\n    type: command\n    data: {argv: [x]}\n    timeot: 3\n", 5, "did you mean 'timeout'"),
        (
            "tasks:\n  a:\n    type: command\n    data: {argv: [x]}\n    timeout: -3\n",
            5,
            "timeout is a number of seconds above 0",
        ),
        ("tasks:\n  a:\n    type: command\n    data: {argv: [x]}\n    priority: urgent\n", 5, "priority is 1 .low."),
        ("tasks:\n  a:\n    type: command\n    data: {argv: [x]}\n    requires: x\n", 5, "requires is a list"),
        ("tasks:\n  a:\n    type: command\n    data: {argv: [x]}\n    resources: {gpu: -1}\n", 5, "resources"),
        (
            "tasks:\n  a:\n    type: command\n    data: {argv: [x]}\n    idempotent: maybe\n",
            5,
            "idempotent is true or false",
        ),
        (
            "tasks:\n  a:\n    type: command\n    data: {argv: [x]}\n    after:\n      - b\n",
            6,
            "comes after 'b', which is no task",
        ),
        ("tasks:\n  a:\n    type: command\n    data: {argv: [x]}\n    after: 3\n", 5, "after is a list of names"),
        (
            "tasks:\n  a:\n    type: command\n    data:\n      argv:\n        - x\n        - ${{ tasks.b.result }}\n",
            7,
            "no task 'b'",
        ),
        ("tasks:\n  a:\n    type: command\n    data: {argv: ['${{ tasks.a }}']}\n", 4, "its result and its status"),
        (
            "tasks:\n  a:\n    type: command\n    data: {argv: ['${{ tasks.a.result }}']}\n",
            2,
            "a .line 2. → a .line 2.",
        ),
        ("tasks:\n  a:\n    type: command\n    data: {argv: ['${{ vars.x }}']}\n", 4, "vars has no 'x'"),
        ("tasks:\n  a:\n    type: command\n    data: {argv: ['${{ matrix.x }}']}\n", 4, "matrix has no 'x'"),
        (
            "tasks:\n  a:\n    type: command\n    data: {argv: [x]}\n    timeout: ${{ tasks.b.result }}\n",
            5,
            "may begin with vars, matrix",
        ),
        ("tasks:\n  a:\n    type: command\n    matrix: [x]\n    data: {argv: [x]}\n", 4, "a matrix is a mapping"),
        ("tasks:\n  a:\n    type: command\n    matrix: {}\n    data: {argv: [x]}\n", 4, "one name with a list"),
        (
            "tasks:\n  a:\n    type: command\n    matrix:\n      x: [1]\n      y: 2\n    data: {argv: [x]}\n",
            6,
            "'y' of a matrix is a list",
        ),
        (
            "tasks:\n  a:\n    type: command\n    matrix:\n      x: [1, 1]\n    data: {argv: [x]}\n",
            5,
            "has a value twice",
        ),
        (
            "tasks:\n  a:\n    type: command\n    matrix:\n      x: [1]\n      exclude:\n        - {z: 1}\n    data: {argv: [x]}\n",
            7,
            "exclude names 'z'",
        ),
        (
            "tasks:\n  a:\n    type: command\n    matrix:\n      x: [1]\n      exclude: [{x: 1}]\n    data: {argv: [x]}\n",
            6,
            "leaves nothing",
        ),
        (
            (
                "tasks:\n  a:\n    type: command\n    data: {argv: [x]}\n    after: [c]\n"
                "  b:\n    type: command\n    data: {argv: [x]}\n    after: [a]\n"
                "  c:\n    type: command\n    data: {argv: ['${{ tasks.b.result }}']}\n"
            ),
            None,
            "in a circle: .*line 2",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, line: int | None, words: str) -> None:
    """D3: cycles, unknown types, fields, results and wrong matrices."""
    with pytest.raises(FlowInvalid, match=words) as wrong:
        flow_of(text)
    problems = wrong.value.problems or ()
    assert line is None or line in [one.line for one in problems], wrong.value


def test_all_that_is_wrong_is_named_at_once() -> None:
    """A1: nobody mends a file line by line."""
    with pytest.raises(FlowInvalid) as wrong:
        flow_of("nam: x\ntasks:\n  a: {type: x}\n  b: {type: command, data: {arg: 1}}\n")
    assert [one.line for one in wrong.value.problems or ()] == [1, 3, 4, 4]


def test_a_variable_that_the_workflow_does_not_have_is_refused() -> None:
    """A1: a slip of the command line."""
    with pytest.raises(FlowInvalid, match="no variable 'fold'; did you mean 'folder'"):
        flow_of(FULL, fold="x")


def test_a_huge_matrix_is_refused_before_it_is_written_out() -> None:
    """A1: a small file that says a lot."""
    axes = "\n".join(f"      a{n}: [1, 2, 3, 4, 5, 6, 7, 8, 9]" for n in range(30))
    with pytest.raises(FlowInvalid, match="tasks; 10,000 are the most"):
        flow_of(f"tasks:\n  a:\n    type: command\n    matrix:\n{axes}\n    data: {{argv: [x]}}\n")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A1: bad input."""
    file = tmp_path / "f.yaml"
    file.write_bytes(b"tasks: \xff\xfe")
    with pytest.raises(FlowInvalid, match="no UTF-8"):
        load(file)


def test_the_graph_is_told_level_by_level() -> None:
    """C5: with one name for the tasks of a matrix."""
    flow = flow_of(FULL)
    assert levels(flow) == {one: 0 if one == "find" else 2 if one == "page" else 1 for one in flow.tasks}
    lines = list(text(flow))
    assert lines[0] == "nightly: 5 tasks in 3 levels, 3 at once at most"
    assert "after all 3 of test" in lines[-1] and "requires template_rendering" in lines[-1]


def test_the_picture_of_the_graph_is_sound_whatever_the_names_are() -> None:
    """C5: a box for each task, a line for each dependency, and no markup out of a name."""
    flow = flow_of(
        FULL + '  odd:\n    type: command\n    matrix: {x: [\'<script>&"\', "\\n"]}\n    data: {argv: [x]}\n'
    )
    picture = ET.fromstring(svg(flow))
    space = "{http://www.w3.org/2000/svg}"
    assert len(picture.findall(f"{space}g")) == len(flow.tasks)
    assert len(picture.findall(f"{space}path")) == sum(len(task.step.after) for task in flow.tasks.values())
    assert not picture.findall(f".//{space}script")


def test_the_schema_takes_what_the_reader_takes() -> None:
    """A1: an editor says the same as the command, for the shape of a file."""
    validator = jsonschema.Draft202012Validator(schema())
    jsonschema.Draft202012Validator.check_schema(schema())
    assert not list(validator.iter_errors(parse(FULL, "f").value))
    for wrong in (
        {},
        {"tasks": {}},
        {"tasks": {"1a": {"type": "command", "data": {"argv": ["x"]}}}},
        {"tasks": {"a": {"type": "command", "data": {"arg": ["x"]}}}},
        {"tasks": {"a": {"type": "command"}}},
        {"tasks": {"a": {"type": "command", "data": {"argv": ["x"]}, "timeout": -1}}},
        {"tasks": {"a": {"type": "command", "data": {"argv": ["x"]}, "on_failure": "go"}}},
        {"tasks": {"a": {"type": "command", "data": {"argv": ["x"]}, "matrix": {"x": 3}}}},
    ):
        assert list(validator.iter_errors(wrong)), wrong
        with pytest.raises(FlowInvalid):
            flow_of(json.dumps(wrong))
