"""Values that come from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.flow.expression import ExpressionFailed, fill, plain, read_value, references


@dataclass
class Report:
    path: str
    lines: tuple[int, ...] = (1, 2)
    _secret: str = "no"

    def to_dict(self) -> dict[str, Any]:
        return {"path": self.path}


SCOPE = {"tasks": {"find": {"result": [Report("a.py"), Report("b.py")]}}, "vars": {"n": 3, "my text": " x "}}


def value_of(text: Any) -> Any:
    return fill(read_value(text), SCOPE)


def test_an_expression_alone_gives_the_value_itself() -> None:
    """A1: a report stays a report."""
    assert value_of("${{ tasks.find.result[1] }}") is SCOPE["tasks"]["find"]["result"][1]
    assert value_of({"a": ["${{vars.n}}"]}) == {"a": [3]}


def test_in_a_text_values_are_written_as_json() -> None:
    """A1: and texts as they are."""
    assert (
        value_of("n=${{ vars.n }} ${{ tasks.find.result[0] }} ${{ tasks.find.result[0].path }}!")
        == 'n=3 {"path": "a.py"} a.py!'
    )
    assert value_of("[${{ vars['my text'] | trim }}]") == "[x]"
    assert value_of("${{ tasks.find.result | length }}") == 2
    assert value_of("$${{ vars.n }}") == "${{ vars.n }}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${{ }}", "is no expression"),
        ("${{ tasks..x }}", "is no expression"),
        ("${{ tasks.x() }}", "is no expression"),
        ("${{ [0] }}", "is no expression"),
        ("${{ vars.n", "has no end"),
        ("${{ env.HOME }}", "begins with 'env'; here it may begin with tasks, matrix, vars"),
        ("${{ vars.n | upper }}", "no filter 'upper'; there are json"),
    ],
)
def test_what_is_no_expression_is_refused(text: str, words: str) -> None:
    """A1: bad input."""
    with pytest.raises(ExpressionFailed, match=words):
        read_value(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${{ vars.m }}", "vars has no 'm'; there is n, my text"),
        ("${{ tasks.find.result[2] }}", "has no 2; it has 2 items"),
        ("${{ tasks.find.result[0]._secret }}", "has no '_secret'"),
        ("${{ tasks.find.result[0].to_dict }}", "has no 'to_dict'; it is a Report"),
        ("${{ tasks.find.result[0].__class__ }}", "has no '__class__'"),
        ("${{ vars.n | length }}", "length does not fit a int"),
        ("${{ vars.n | lines }}", "lines does not fit"),
    ],
)
def test_what_is_not_there_names_where_it_should_be(text: str, words: str) -> None:
    """A1: bad input; what is private or a method is not there."""
    with pytest.raises(ExpressionFailed, match=words):
        value_of(text)


def test_what_is_filled_in_is_not_read_again() -> None:
    """I: a result that holds an expression stays what it is."""
    value = fill(read_value("a ${{ vars.x }} ${{ tasks.t.result }}"), {"vars": {"x": "${{ tasks.evil.result }}"}})
    assert [found.text for _, found in references(value)] == ["tasks.t.result"]
    assert fill(value, {"tasks": {"t": {"result": "r"}}}) == "a ${{ tasks.evil.result }} r"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    )
)
def test_a_value_without_expressions_stays_as_it_is(value: Any) -> None:
    """A1: whatever it is."""
    if "${{" not in repr(value):
        assert fill(read_value(value), {}) == value
        assert plain(value) == value


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """A1: with no other error."""
    for shape in (text, f"${{{{ {text} }}}}", f"a ${{{{ tasks.{text} }}}}"):
        try:
            read_value(shape)
        except ExpressionFailed:
            continue


def test_a_result_is_plain_in_the_end() -> None:
    """A1: JSON has no NaN, no set and no object."""
    assert plain({"a": (1, {2}), "b": float("nan"), "c": Report("x"), 3: b"y"}) == {
        "a": [1, [2]],
        "b": "nan",
        "c": {"path": "x"},
        "3": "b'y'",
    }
