"""What is shown while a review runs."""

from __future__ import annotations

import io

import pytest

from actors.review import live
from actors.review.live import LineView, LiveView, SilentView, view_for
from actors.review.progress import Progress
from actors.review.recorder import AgentView

PROGRESS = Progress(
    phase="analysing",
    files=2000,
    done=500,
    cost=100.0,
    done_cost=40.0,
    written_off=2,
    seconds=10.0,
    agents=(
        AgentView("file_analyzer-1", "working", "t1", "src/\x1b[31mevil\x1b[0m.py and 3 more", 0.5, 7),
        AgentView("file_analyzer-2", "idle", done=9),
    ),
)


@pytest.fixture(autouse=True)
def a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a terminal, whatever the tests run in."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_picture_tells_agents_done_throughput_and_time_left(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """D7, C5: whatever the width; control characters in names do nothing."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("LINES", "24")
    out = Terminal()
    view = LiveView(out, "some/folder")
    view.show(PROGRESS)
    view.close()
    view.close()
    text = out.getvalue()
    for word in ("file_analyzer-1", "working", "file_analyzer-2", "idle", "500 of 2,000 files"):
        assert word in text
    if width >= 80:
        assert "40 %, 50 files/s, 15.0 s left, 2 failed" in text and "50 % of src/" in text
    assert "\x1b[31mevil" not in text


def test_more_agents_than_fit_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """C5: the picture never grows beyond the terminal."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "10")
    out = Terminal()
    view = LiveView(out, "x")
    agents = tuple(AgentView(f"a-{number}") for number in range(1, 21))
    view.show(Progress("starting", 1, 0, 1.0, 0.0, 0, 0.0, agents))
    view.close()
    assert "and 15 more agents" in out.getvalue()


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """D7: no control characters where nobody looks."""
    out = io.StringIO()
    view = LineView(out)
    view.show(PROGRESS)
    assert out.getvalue() == ""
    monkeypatch.setattr(live, "_LINE_EVERY", 0.0)
    view.show(PROGRESS)
    assert out.getvalue() == (
        "actors review: analysing: 500 of 2,000 files, 40 %, 50 files/s, 15.0 s left, 2 failed, 1 of 2 agents at work\n"
    )


def test_the_view_suits_where_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """D7: a picture, lines, or nothing."""
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(view_for(Terminal(), "x", quiet=True), SilentView)
    assert isinstance(view_for(io.StringIO(), "x", quiet=False), LineView)
    view = view_for(Terminal(), "x", quiet=False)
    assert isinstance(view, LiveView)
    view.close()
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(view_for(Terminal(), "x", quiet=False), LineView)
