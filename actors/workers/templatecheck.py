"""What is wrong with a template, found without rendering it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import jinja2
from jinja2 import meta, nodes

from actors.workers.sandbox import failed
from actors.workers.templates import TemplateFailed, Templates

__all__ = ["TemplateProblem", "check_template"]


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """One problem.

    Args:
        template: its name.
        line: counted from 1; None when it concerns the template as a whole.
        kind: "syntax" (also an unknown filter or test), "undefined" for a variable that nobody gives, "missing" for a
            template that is not there, "unreadable" for one that cannot be read.
        message: what is wrong.
        name: of the variable or of the missing template.
    """

    template: str
    line: int | None
    kind: Literal["syntax", "undefined", "missing", "unreadable"]
    message: str
    name: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def check_template(
    environment: jinja2.Environment, templates: Templates, name: str, variables: Iterable[str] | None = None
) -> list[TemplateProblem]:
    """Look for the problems of one template.

    Args:
        environment: a `Sandbox`.
        templates: where it is, and where those are that it includes, imports or extends.
        name: of the template.
        variables: the names of the variables that it will be given; None does not look for undefined ones.

    Returns:
        The problems by line. What a template includes is checked to be there, and not looked into.
    """
    try:
        text = templates.source(name)
    except TemplateFailed as error:
        return [TemplateProblem(name, None, "unreadable", str(error))]
    if text is None:
        return [TemplateProblem(name, None, "missing", f"there is no template {name}", name)]
    try:
        tree = environment.parse(text, name)
        # Unknown filters and tests show when code is made of it.
        environment.compile(text, name)
    except jinja2.TemplateSyntaxError as error:
        return [TemplateProblem(name, error.lineno, "syntax", error.message or "a syntax error")]
    except RecursionError:
        return [TemplateProblem(name, None, "syntax", "it is nested too deeply")]
    except Exception as error:  # noqa: BLE001 - whatever a template makes the compiler raise is the template's problem
        return [TemplateProblem(name, None, "syntax", str(failed(error, name)))]
    problems = [*_missing(tree, templates, name)]
    if variables is not None:
        problems += _undefined(tree, {*variables, *environment.globals}, name)
    return sorted(problems, key=lambda one: (one.line or 0, one.kind, one.name or ""))


def _missing(tree: nodes.Template, templates: Templates, name: str) -> Iterator[TemplateProblem]:
    """The templates that this one needs by name and that are not there."""
    for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        wanted: Any = getattr(node, "template", None)
        if isinstance(node, nodes.Include) and node.ignore_missing:
            continue
        if isinstance(wanted, nodes.Const) and isinstance(wanted.value, str) and not _is_there(templates, wanted.value):
            message = f"there is no template {wanted.value}"
            yield TemplateProblem(name, node.lineno, "missing", message, wanted.value)


def _undefined(tree: nodes.Template, known: set[str], name: str) -> Iterator[TemplateProblem]:
    """The variables that the template uses and nobody gives, each where it is used first."""
    undefined = meta.find_undeclared_variables(tree) - known
    first: dict[str, int] = {}
    for use in tree.find_all(nodes.Name):
        if use.name in undefined and use.ctx == "load":
            first[use.name] = min(use.lineno, first.get(use.name, use.lineno))
    for variable in undefined:
        yield TemplateProblem(name, first.get(variable), "undefined", f"{variable!r} is undefined", variable)


def _is_there(templates: Templates, name: str) -> bool:
    try:
        return templates.source(name) is not None
    except TemplateFailed:
        return True
