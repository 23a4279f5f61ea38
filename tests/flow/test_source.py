"""Workflow files are read with their lines."""

from __future__ import annotations

import pytest

from actors.flow.source import FlowInvalid, parse


def test_each_value_knows_its_line() -> None:
    """A1: an entry of a mapping by its key, an item by itself."""
    source = parse("tasks:\n  a:\n    data:\n      paths:\n        - x\n        - y\n", "f.yaml")
    assert source.value == {"tasks": {"a": {"data": {"paths": ["x", "y"]}}}}
    assert source.line(("tasks", "a", "data", "paths", 1)) == 6
    assert source.line(("tasks", "a", "data", "none of these")) == 3
    assert source.line(()) == 1


def test_json_is_read_too() -> None:
    """A1: it is a part of YAML."""
    assert parse('{"tasks": {"a": {"type": "command"}}}', "f").value == {"tasks": {"a": {"type": "command"}}}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: [", 2, "no YAML"),
        ("a: 1\na: 2\n", 2, "'a' stands twice; it is in line 1"),
        ("{a: 1, a: 2}\n", 1, "'a' stands twice"),
        ("\n1: x\n", 2, "a key is a text, and 1 is none"),
        ("a: &x [*x]\n", 1, "stands in itself"),
        ("a: !!python/object:os.system x\n", 1, "no YAML"),
        ("a: !!binary aGk=\n", 1, "put it in quotes"),
        ("a: 1\n---\nb: 2\n", 2, "no YAML"),
        ("a: \x00\n", 1, "no YAML"),
        ("[" * 2000, 1, "nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, line: int, words: str) -> None:
    """A1: bad input."""
    with pytest.raises(FlowInvalid, match=words) as wrong:
        parse(text, "f.yaml")
    assert wrong.value.problems is not None and wrong.value.problems[0].line == line
    assert str(wrong.value).startswith(f"f.yaml:{line}: ")


def test_aliases_that_would_fill_the_memory_are_refused() -> None:
    """A1: a small file that says a lot."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(FlowInvalid, match="more values than any workflow"):
        parse("\n".join(lines), "f.yaml")


def test_what_is_merged_gives_way_to_what_is_said() -> None:
    """A1: YAML's merge keys, also where the same mapping is named twice."""
    text = "base: &base {x: 1, y: 2}\none: &one\n  <<: *base\n  y: 3\ntwo: *one\n"
    value = parse(text, "f").value
    assert value["one"] == value["two"] == {"x": 1, "y": 3}


def test_a_date_stays_the_text_that_it_is() -> None:
    """A1: commands and JSON know no dates."""
    assert parse("a: 2024-01-02\n", "f").value == {"a": "2024-01-02"}
