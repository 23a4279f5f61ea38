"""The worker that renders templates, generates files from them and checks them."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from actors.config import Limits
from actors.core.taskspec import TaskSpec
from actors.errors import ConfigError, LimitExceeded, TaskTimeout
from actors.system import ActorSystem
from actors.workers.template_processor import TemplateProcessor
from actors.workers.templates import TemplateFailed


@dataclasses.dataclass
class Person:
    name: str
    _secret: str = "s3cret"

    @property
    def initial(self) -> str:
        return self.name[0]

    def fire(self) -> str:
        return "fired"


def render(template: str, context: dict[str, Any] | None = None, **more: Any) -> str:
    return TemplateProcessor().render(template, context, **more)


# Rendering


def test_a_template_is_rendered_with_its_context_and_escapes_html() -> None:
    """A1: template rendering."""
    assert render("Dear {{ name }}!\n", {"name": "<Ada>"}) == "Dear &lt;Ada&gt;!\n"
    assert render("{{ name }}", {"name": "<Ada>"}, rules={"autoescape": False}) == "<Ada>"


def test_templates_include_and_extend_others() -> None:
    """A1: by name, from texts and from a folder."""
    texts = {"base": "[{% block body %}{% endblock %}]", "part": "p{{ x }}"}
    page = '{% extends "base" %}{% block body %}{% include "part" %}{% endblock %}'
    assert render(page, {"x": 1}, templates=texts) == "[p1]"
    assert TemplateProcessor().render(name="part", context={"x": 2}, templates=texts) == "p2"


def test_a_dataclass_shows_its_public_values() -> None:
    """A1: fields and properties, and no more."""
    assert render("{{ p.name }} {{ p.initial }}", {"p": Person("Ada")}) == "Ada A"


def test_filters_come_from_whoever_gives_the_task() -> None:
    """A1: named as module:function."""
    assert render("{{ 'x'|up }}", rules={"filters": {"up": "builtins:str.upper"}}) == "X"


@pytest.mark.parametrize(
    ("template", "words", "line"),
    [
        ("a\nb {{ nope }}", "'nope' is undefined", 2),
        ("a\n\n{% if %}", "Expected an expression", 3),
        ("{{ 1|nofilter }}", "No filter named 'nofilter'", 1),
        ("\n{{ 1 / 0 }}", "ZeroDivisionError", 2),
        ("{% include 'gone' %}", "there is no template gone", 1),
        ("{% for x in y", "unexpected", 1),
    ],
)
def test_an_error_names_the_template_and_the_line(template: str, words: str, line: int) -> None:
    """A1: clear errors."""
    with pytest.raises(TemplateFailed, match=words) as caught:
        render(template)
    assert caught.value.line == line and caught.value.template == "<template>"


def test_an_error_in_an_included_template_names_that_one() -> None:
    """A1: the place where it happened."""
    with pytest.raises(TemplateFailed, match=r"^part, line 3: ") as caught:
        render("{% include 'part' %}", templates={"part": "\n\n{{ nope }}"})
    assert (caught.value.template, caught.value.line) == ("part", 3)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"template": "x", "name": "y"},
        {"template": 3},
        {"name": 3},
        {"template": "x", "context": [1]},
        {"template": "x", "context": {1: 2}},
        {"template": "x", "templates": {"a": 1}},
        {"template": "x", "folder": "/no/such/folder"},
        {"template": "x", "rules": {"unknown": 1}},
        {"template": "x", "rules": {"undefined": "maybe"}},
        {"template": "x", "rules": {"max_output": 0}},
        {"template": "x", "rules": {"autoescape": "yes"}},
        {"template": "x", "rules": {"filters": {"f": "math:nothing"}}},
    ],
)
def test_wrong_data_are_refused(data: dict[str, Any]) -> None:
    """A1: a ConfigError that says what was expected."""
    with pytest.raises(ConfigError):
        TemplateProcessor().render(**data)


# The sandbox


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ ''|attr('__class__') }}",
        "{{ '{0.__class__}'.format('') }}",
        "{{ ['__class__']|map('attr', '__class__')|join }}",
        "{{ [p]|map(attribute='_secret')|join }}",
        "{{ p._secret }}",
        "{{ p.fire() }}",
        "{{ os.environ }}",
        "{{ os.system('true') }}",
        "{{ f.__globals__ }}",
        "{{ f.x }}",
        "{{ kind.mro() }}",
        "{{ kind() }}",
        "{{ self.__init__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ namespace.__class__ }}",
        "{{ numbers.append(3) }}",
        "{{ table.update({'a': 1}) }}",
        "{{ raw.tofile('x') }}",
        "{% import 'gone' as g %}",
        "{{ range(10**9) }}",
    ],
)
def test_a_hostile_template_reaches_nothing(template: str) -> None:
    """I4: templates run sandboxed: no internals, no modules, functions or classes, no changes of the data."""
    import array

    context = {
        "p": Person("Ada"),
        "os": os,
        "f": render,
        "kind": Person,
        "numbers": [1],
        "table": {},
        "raw": array.array("b"),
    }
    with pytest.raises(TemplateFailed):
        render(template, context)
    assert context["numbers"] == [1] and context["table"] == {}


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'x' * 10**10 }}",
        "{{ 10**10 * 'x' }}",
        "{{ [1] * 10**9 }}",
        "{{ 9**99999999 }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '%*d' % (999999999, 1) }}",
        "{{ '%999999999d'|format(1) }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ '{:{w}}'.format(1, w=999999999) }}",
        "{{ 'x'.ljust(10**9) }}",
        "{{ 'x'.center(10**9) }}",
        "{{ 'x'|center(10**9) }}",
        "{{ 'a\nb'|indent(10**9) }}",
        "{% set a = 'x' * 8000000 %}{{ (a + a)|length }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% include '<template>' %}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    ],
)
def test_a_small_template_makes_no_huge_value(template: str) -> None:
    """I4: refused before the memory is asked for."""
    with pytest.raises(TemplateFailed):
        render(template)


def test_the_output_is_bounded() -> None:
    """I4: a loop that prints without end is stopped at the bound."""
    template = "{% for a in range(99999) %}{% for b in range(99999) %}{{ 'x' * 100 }}{% endfor %}{% endfor %}"
    with pytest.raises(TemplateFailed, match="more than 5,000 characters; raise max_output"):
        render(template, rules={"max_output": 5000})


def test_a_folder_of_templates_shows_nothing_outside_of_it(tmp_path: Path) -> None:
    """I4: neither by a path nor by a link."""
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "fine").write_text("fine")
    for name in ("../secret", str(tmp_path / "secret"), "link", "./../secret", "a/../../secret", "\0"):
        with pytest.raises(TemplateFailed, match="there is no template"):
            TemplateProcessor().render(name=name, folder=str(folder))
    assert TemplateProcessor().render(name="fine", folder=str(folder)) == "fine"


def test_hostile_templates_end_at_the_limits_of_their_tasks() -> None:
    """I4, D5, E2: endless loops by time, heaps of small values by memory; the next task is served."""
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    heap = (
        "{% set all = namespace(x=[]) %}{% for a in range(99999) %}"
        "{% set all.x = [all.x, 'x' * 1000000 ~ a] %}{% endfor %}{{ all.x|length }}"
    )

    class Bounded(TemplateProcessor):
        agent_type = "bounded_processor"
        limits = Limits(memory="300M")

    with ActorSystem({Bounded: 1}) as system:
        slow = system.options(timeout=0.5, retries=0).submit(Bounded.render, endless)
        with pytest.raises(TaskTimeout):
            slow.result(timeout=30)
        large = system.options(retries=0).submit(Bounded.render, heap)
        with pytest.raises((LimitExceeded, TemplateFailed)):
            large.result(timeout=30)
        assert system.submit(Bounded.render, "{{ 1 + 1 }}").result(timeout=30) == "2"


# Generating


def test_files_are_generated_from_named_templates(tmp_path: Path) -> None:
    """A1: file generation; paths are templates, too, and nothing is escaped."""
    written = TemplateProcessor().generate(
        str(tmp_path / "out"),
        {"{{ package }}/__init__.py": "init", "README": "readme"},
        {"package": "demo", "title": "A & B"},
        templates={"init": '"""{{ title }}"""\n', "readme": "{{ title }}"},
    )
    assert written == ("demo/__init__.py", "README")
    assert (tmp_path / "out" / "demo" / "__init__.py").read_text() == '"""A & B"""\n'
    assert (tmp_path / "out" / "README").read_text() == "A & B"


def test_a_tree_is_generated_from_a_folder(tmp_path: Path) -> None:
    """A1: templates lose their suffix, other files are taken as they are."""
    source = tmp_path / "source"
    (source / "{{ name }}").mkdir(parents=True)
    (source / "{{ name }}" / "main.py.j2").write_text("print({{ value }})\n")
    (source / "logo.png").write_bytes(b"\x89PNG\0{{ value }}")
    written = TemplateProcessor().generate(
        str(tmp_path / "out"), context={"name": "app", "value": 3}, folder=str(source)
    )
    assert sorted(written) == ["app/main.py", "logo.png"]
    assert (tmp_path / "out" / "app" / "main.py").read_text() == "print(3)\n"
    assert (tmp_path / "out" / "logo.png").read_bytes() == b"\x89PNG\0{{ value }}"


@pytest.mark.parametrize("path", ["{{ evil }}", "../x", "/etc/cron.d/x", "a/{{ evil }}/b"])
def test_no_template_chooses_a_place_outside(tmp_path: Path, path: str) -> None:
    """I4: nothing is written at all."""
    with pytest.raises(ConfigError, match="relative path"):
        TemplateProcessor().generate(
            str(tmp_path / "out"), {"fine": "t", path: "t"}, {"evil": "../../etc"}, templates={"t": "x"}
        )
    assert os.listdir(tmp_path) == []


def test_an_error_in_one_template_writes_none(tmp_path: Path) -> None:
    """A1: trees are generated atomically."""
    with pytest.raises(TemplateFailed, match=r"^bad, line 1"):
        TemplateProcessor().generate(
            str(tmp_path / "out"), {"a": "good", "b": "bad"}, templates={"good": "x", "bad": "{{ nope }}"}
        )
    assert os.listdir(tmp_path) == []


def test_two_files_with_one_path_are_refused(tmp_path: Path) -> None:
    """A1: a clear error."""
    with pytest.raises(ConfigError, match="two give this one"):
        TemplateProcessor().generate(str(tmp_path / "out"), {"x": "t", "{{ 'x' }}": "t"}, templates={"t": "x"})


def test_all_files_of_a_tree_share_the_bound_on_output(tmp_path: Path) -> None:
    """I4: many files are no way around it."""
    with pytest.raises(TemplateFailed, match="max_output"):
        TemplateProcessor().generate(
            str(tmp_path / "out"),
            {str(n): "t" for n in range(20)},
            templates={"t": "x" * 100},
            rules={"max_output": 999},
        )
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "data",
    [
        {"output": ""},
        {"output": 3},
        {"output": "x"},
        {"output": "x", "files": {"a": 1}},
        {"output": "x", "files": {}, "overwrite": 1},
    ],
)
def test_wrong_data_for_generating_are_refused(data: dict[str, Any]) -> None:
    """A1: a ConfigError that says what was expected."""
    with pytest.raises(ConfigError):
        TemplateProcessor().generate(**data)


# Checking


def test_a_check_finds_syntax_errors_undefined_variables_and_missing_templates() -> None:
    """A1: validation, with lines."""
    problems = TemplateProcessor().validate("a\n{{ x }}{{ y.z }}\n{% include 'q' %}{% set w = 1 %}{{ w }}", ["x"])
    assert [(one.line, one.kind, one.name) for one in problems] == [(2, "undefined", "y"), (3, "missing", "q")]
    (syntax,) = TemplateProcessor().validate("a\n{% if %}")
    assert (syntax.line, syntax.kind) == (2, "syntax")
    (unknown,) = TemplateProcessor().validate("{{ 1|nofilter }}")
    assert (unknown.kind, unknown.to_dict()["line"]) == ("syntax", 1)


def test_a_check_takes_patterns_of_a_folder(tmp_path: Path) -> None:
    """A1: task data takes file lists and globs."""
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "a.j2").write_text("{{ x")
    (tmp_path / "mail" / "b.j2").write_text("{{ x }}")
    (tmp_path / "notes.txt").write_text("{{")
    (tmp_path / "latin.j2").write_bytes(b"\xff\xfe\xfa")
    check = TemplateProcessor().validate
    assert [(p.template, p.kind) for p in check(paths=["mail/*.j2"], folder=str(tmp_path))] == [("mail/a.j2", "syntax")]
    assert [(p.template, p.kind) for p in check(folder=str(tmp_path))] == [
        ("latin.j2", "unreadable"),
        ("mail/a.j2", "syntax"),
    ]
    assert [p.kind for p in check(paths=["gone.j2"], folder=str(tmp_path))] == ["missing"]


def test_a_good_template_has_no_problems() -> None:
    """A1: an optional include may be missing."""
    text = "{% include 'gone' ignore missing %}{% for x in xs %}{{ loop.index }}{{ x }}{% endfor %}{{ range(3) }}"
    assert TemplateProcessor().validate(text, ["xs"]) == ()


# Work described as data


def test_an_operation_is_named_by_its_data() -> None:
    """A1: task type template_processing."""
    worker = TemplateProcessor()
    assert worker.process("render", template="{{ 1 + 1 }}") == "2"
    assert worker.process("validate", template="{{ 1 }}") == ()
    with pytest.raises(ConfigError, match='"render", "generate" or "validate"'):
        worker.process("delete")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="do not fit its operation"):
        worker.process("render", tempalte="x")


def test_a_system_takes_it_as_a_task() -> None:
    """A1: by its task type."""
    with ActorSystem() as system:
        data = {"operation": "render", "template": "Dear {{ name }}", "context": {"name": "Ada"}}
        assert system.submit_task(TaskSpec(type="template_processing", data=data)).result(timeout=30) == "Dear Ada"
        bad = system.submit_task(TaskSpec(type="template_processing", data={"operation": "render", "template": "{{ x"}))
        with pytest.raises(TemplateFailed) as caught:
            bad.result(timeout=30)
        assert caught.value.line == 1
