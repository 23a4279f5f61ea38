"""The report and the summary."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import stat
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from actors.analysis.filereport import FileReport, Finding, FunctionReport, ImportReport
from actors.analysis.lines import LineCounts
from actors.review.output import write_output
from actors.review.reduce import reduce_reports
from actors.review.report import render_report
from actors.review.summary import print_summary
from actors.review.timeline import RunTimeline, Span

if TYPE_CHECKING:
    from pathlib import Path

    from actors.review.codereport import CodeReport

HOSTILE = "<script>alert(1)</script>\"'&\x1b[31m\u202e" + os.fsdecode(b"\xff") + "{{7*7}}.py"
VOID = {"wbr", "meta", "input", "br", "link", "img", "hr"}


class Page(HTMLParser):
    """The tags of a page; fails on one that is not closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile() -> tuple[CodeReport, RunTimeline]:
    reports = [
        FileReport(
            path=f"{HOSTILE}/{name}",
            language="python",
            status="analysed",
            bytes=100,
            lines=LineCounts(50, 50),
            functions=(FunctionReport(HOSTILE, 1, 20, 30, 2, 20),),
            imports=(ImportReport("b" if name == "a.py" else "a", 1), ImportReport(HOSTILE, 2)),
            findings=(Finding(1, 2, HOSTILE),),
        )
        for name in ("a.py", "b.py")
    ]
    reports.append(FileReport(HOSTILE, "c", "reported", "undecodable", HOSTILE))
    run = RunTimeline((Span(HOSTILE, HOSTILE, HOSTILE, 0, 1, "failed", HOSTILE), Span("b", "t", "k", 0.5, 2)))
    return reduce_reports(reports), run


def test_names_of_files_can_do_nothing_in_the_page() -> None:
    """I4: everything from the tree is escaped, wherever it stands."""
    code, run = hostile()
    page = Page(render_report(code, run, title=HOSTILE, root=HOSTILE, notes=(HOSTILE,)))
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "{{7*7}}" in page.text
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """A1: one self-contained file, and its policy allows its own script alone."""
    code, run = hostile()
    text = render_report(code, run, title="x")
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in {"link", "img", "iframe", "object", "embed"}
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in text
    assert "@import" not in text
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert policy is not None
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_all_sections_are_there_and_reached_by_links() -> None:
    """A1: pictures, tables and the run itself; every link leads somewhere."""
    code, run = hostile()
    page = Page(render_report(code, run, title="x", generated=datetime(2026, 11, 22, 10, 0, tzinfo=UTC)))
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = {(a["href"] or "")[1:] for _, a in page.tags if "href" in a}
    assert links == {
        "score",
        "findings",
        "map",
        "complexity",
        "hot",
        "dependencies",
        "problems",
        "run",
        "languages",
        "files",
    }
    assert links <= ids
    assert "2026-11-22 10:00 UTC" in page.text
    labels = [a.get("aria-label") or "" for tag, a in page.tags if tag == "svg"]
    assert all(labels)
    assert any("Treemap" in label for label in labels)


@pytest.mark.parametrize("files", [0, 1])
def test_next_to_nothing_makes_a_report_too(files: int) -> None:
    """A1: an empty tree, and one file that could not be read."""
    reports = [FileReport("a.py", "python", "reported", "missing", "gone")][:files]
    page = Page(render_report(reduce_reports(reports), title="empty"))
    assert ("Nothing to review" in page.text) == (files == 0)


def test_a_tree_of_many_thousand_files_makes_a_page_of_few_megabytes() -> None:
    """A1: big trees are drawn and listed sensibly."""
    reports = [
        FileReport(
            path=f"package{n % 50}/module{n % 9}/some_longer_file_name_{n}.py",
            language="python",
            status="analysed",
            lines=LineCounts(100 + n % 400, 100 + n % 400),
            functions=(FunctionReport("f", 1, 9, 1 + n % 60, 0, 9),),
            imports=(ImportReport(f"package{n % 7}.module1.some_longer_file_name_{n + 1}", 1),),
        )
        for n in range(6_000)
    ]
    spans = tuple(Span(f"a-{n % 8}", f"t{n}", "file_analysis", n * 0.01, n * 0.01 + 0.07) for n in range(6_000))
    text = render_report(reduce_reports(reports), RunTimeline(spans), title="big")
    assert len(text.encode()) < 4_000_000


def test_a_report_is_written_whole_with_the_rights_of_a_new_file(tmp_path: Path) -> None:
    """A1: the file replaces an older one in one step, and its folder is made."""
    path = tmp_path / "new" / "report.html"
    write_output(str(path), "one")
    write_output(str(path), "two ä")
    assert path.read_text(encoding="utf-8") == "two ä"
    assert [one.name for one in path.parent.iterdir()] == ["report.html"]
    (tmp_path / "plain").write_text("")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_report_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    """A1: a folder stands where the report should go."""
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_output(str(tmp_path / "report.html"), "x")
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_summary_tells_the_figures_and_is_safe_in_a_terminal(width: int) -> None:
    """A1: totals, hot spots, cycles, problems; control characters and markup in names do nothing."""
    code, run = hostile()
    out = io.StringIO()
    print_summary(code, run, report="/some/report.html", console=Console(file=out, width=width, color_system=None))
    text = " ".join(out.getvalue().split())
    assert "3 files, 100 lines, 2 functions, mean complexity 30.00" in text
    assert "cycle" in text
    assert "undecodable" in text
    assert "2 tasks by 2 agents in 2.0 s" in text
    assert "Report: /some/report.html" in out.getvalue()
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_the_summary_of_nothing_says_so() -> None:
    """A1: an empty tree is no error."""
    out = io.StringIO()
    print_summary(reduce_reports([]), console=Console(file=out))
    assert "No source file" in out.getvalue()
