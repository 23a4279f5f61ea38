"""What is shown while a workflow runs."""

from __future__ import annotations

import io

import pytest

from actors.core.planreport import StepReport
from actors.flow.view import LineView, LiveView, SilentView, view_for

EVIL = "\x1b[31mevil\x1b[0m"
FAILED = StepReport(
    id="b", status="failed", error="\n".join(f"line {n} {EVIL}" for n in range(100)), seconds=2, attempts=3
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a terminal, whatever the tests run in."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_log_has_a_line_for_each_end_and_the_last_lines_of_each_error() -> None:
    """D7: control characters in it do nothing."""
    out = io.StringIO()
    view = LineView(out, output=False)
    view.began("a")
    view.started("a", "general_purpose-1")
    view.said("a", "not shown\n")
    view.tick(0, 2)
    view.ended(StepReport(id="a", status="completed", seconds=0.5), resumed=False)
    view.ended(StepReport(id="c", status="completed"), resumed=True)
    view.ended(FAILED, resumed=False)
    view.close()
    lines = out.getvalue().splitlines()
    assert lines[:2] == ["✓ a  completed  500 ms", "✓ c  completed in an earlier run"]
    assert lines[2] == "✗ b  failed  2.0 s, 3 attempts"
    assert len(lines) == 3 + 20 and lines[-1] == "    line 99 \\x1b[31mevil\\x1b[0m"


def test_output_is_written_in_whole_lines_whatever_pieces_it_comes_in() -> None:
    """D7: also a last line without an end."""
    out = io.StringIO()
    view = LineView(out, output=True)
    for task, text in (("a", "one\ntw"), ("b", "x\n"), ("a", "o\nthree")):
        view.said(task, text)
    view.ended(StepReport(id="a", status="completed"), resumed=False)
    assert out.getvalue().splitlines()[:4] == ["a | one", "b | x", "a | two", "a | three"]


def test_a_terminal_shows_what_runs_and_its_last_line() -> None:
    """D7, C5: and leaves a line for each end."""
    out = Terminal()
    view = view_for(out, "nightly", quiet=False, output=False)
    assert isinstance(view, LiveView)
    for n in range(40):
        view.started(f"task-{n}", f"general_purpose-{n}")
    view.said("task-0", f"first\n{EVIL} last\n")
    view.tick(3, 50)
    view.ended(FAILED, resumed=False)
    view.close()
    view.close()
    text = out.getvalue()
    for word in (
        "nightly: 3 of 50 tasks, 40 running",
        "task-0",
        "evil",
        "last",
        "more tasks",
        "✗ b  failed",
        "line 99",
    ):
        assert word in text, word
    assert "\x1b[31mevil" not in text


def test_the_view_suits_where_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """D7: a log gets lines, a quiet run nothing."""
    assert type(view_for(io.StringIO(), "x", quiet=False, output=True)) is LineView
    assert type(view_for(Terminal(), "x", quiet=True, output=True)) is SilentView
    monkeypatch.setenv("TERM", "dumb")
    assert type(view_for(Terminal(), "x", quiet=False, output=True)) is LineView
