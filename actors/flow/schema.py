"""The JSON schema of workflow files, for editors."""

from __future__ import annotations

from typing import Any

from actors.flow.kinds import Kind, Kinds
from actors.flow.reading import PRIORITIES

__all__ = ["schema"]

_EXPRESSION = {"type": "string", "pattern": r"^\$\{\{.*\}\}$"}
_NAME = r"^[A-Za-z_][A-Za-z0-9_-]*$"


def schema() -> dict[str, Any]:
    """The schema, of JSON Schema's draft 2020-12, with the task types that ship with the library."""
    kinds = sorted(Kinds(), key=lambda kind: kind.name)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A workflow for `actors run`",
        "type": "object",
        "required": ["tasks"],
        "additionalProperties": False,
        "properties": {
            "name": _said("What it is called.", type="string", minLength=1),
            "vars": _said("Values for ${{ vars.name }}; --var name=value goes over them.", type="object"),
            "parallel": _said("How many tasks may be under way at once.", type="integer", minimum=1),
            "on_failure": _on_failure("What the failure of a task means where the task says nothing."),
            "max_agents": _said("How many agents live at once.", type="integer", minimum=1),
            "limits": _said("What an agent that runs commands and callables may use.", type="object"),
            "resources": _said("Named resources that tasks share, as {gpu: 1}.", **_amounts()),
            "workers": _said(
                'Worker classes of your own, as "module:Class".', type="array", items={"type": "string", "pattern": ":"}
            ),
            "tasks": _said(
                "The tasks, by their names.",
                type="object",
                minProperties=1,
                propertyNames={"pattern": _NAME},
                additionalProperties={"$ref": "#/$defs/task"},
            ),
        },
        "$defs": {"task": _task(kinds)},
    }


def _task(kinds: list[Kind]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["type"],
        "additionalProperties": False,
        "properties": {
            "type": _said(
                "What is done.",
                anyOf=[
                    *({"const": kind.name, "description": kind.about} for kind in kinds),
                    {"type": "string", "description": "A task type of one of the workflow's own workers."},
                ],
            ),
            "data": _said(
                "The fields of the task; ${{ tasks.NAME.result }} is the result of another one.", type="object"
            ),
            "after": _said(
                "Names of tasks that come first.",
                anyOf=[{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            ),
            "matrix": _said(
                "The task is done once for each combination of these values, which are ${{ matrix.name }}.",
                type="object",
                minProperties=1,
                properties={"exclude": {"type": "array", "items": {"type": "object", "minProperties": 1}}},
                additionalProperties={"anyOf": [{"type": "array", "minItems": 1}, _EXPRESSION]},
            ),
            "requires": _said("Capabilities that its agent must have.", type="array", items={"type": "string"}),
            "resources": _said("How much it needs of named resources.", **_amounts()),
            "priority": _said("Which of several goes first.", anyOf=[{"enum": [*PRIORITIES, 1, 2, 3, 4]}, _EXPRESSION]),
            "timeout": _number("Its time limit in seconds, from its own start; .inf for none.", above=0),
            "retries": _number("How often it is repeated after the death of its agent.", least=0),
            "duration": _number("How long it may take, in seconds, until that has been measured.", above=0),
            "agent_type": _said("The type that its agent must have.", type="string", minLength=1),
            "attempts": _number("How often it is tried, whatever its error is.", least=1),
            "on_failure": _on_failure("What its failure means: stop all, or go on with `default` for its result."),
            "default": {"description": "Its result where it failed and was skipped."},
            "idempotent": _said("Whether it may run again after a death in its middle.", type="boolean"),
        },
        "allOf": [
            {
                "if": {"properties": {"type": {"const": kind.name}}, "required": ["type"]},
                "then": {
                    "properties": {"data": _data(kind)},
                    **({"required": ["data"]} if any(kind.fields.values()) else {}),
                },
            }
            for kind in kinds
        ],
    }


def _data(kind: Kind) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict.fromkeys(kind.fields, True),
        "required": [name for name, needed in kind.fields.items() if needed],
        "additionalProperties": kind.open,
    }


def _said(description: str, **rest: Any) -> dict[str, Any]:
    return {"description": description, **rest}


def _number(description: str, *, least: int | None = None, above: int | None = None) -> dict[str, Any]:
    number: dict[str, Any] = {"type": "number"} if least is None else {"type": "integer", "minimum": least}
    if above is not None:
        number["exclusiveMinimum"] = above
    return _said(description, anyOf=[number, _EXPRESSION])


def _on_failure(description: str) -> dict[str, Any]:
    return _said(description, enum=["stop", "skip"])


def _amounts() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": {"type": "number", "exclusiveMinimum": 0}}
