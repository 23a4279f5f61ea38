"""The cache of reports by the content of files."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from actors.analysis.filereport import FileReport
from actors.analysis.measure import analyse_file
from actors.analysis.source import MAX_BYTES
from actors.review import cachefile
from actors.review.cache import Known, ReportCache, default_folder
from actors.review.discover import discover
from actors.review.review import Review
from tests.review.trees import REPOSITORY, make_tree, poison


def age(root: Path) -> None:
    """Make all files look as if they had been written a while ago, as far as that can be done."""
    for path in root.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000), follow_symlinks=False)


def fill(cache: ReportCache, root: Path) -> dict[str, FileReport]:
    found = discover(str(root))
    known = cache.known(found.root, found.files, MAX_BYTES)
    reports = {path: analyse_file(path, found.root) for path in found.files}
    assert cache.remember(found.root, reports.values(), known.stamps) == ""
    return reports


def ask(cache: ReportCache, root: Path, max_bytes: int = MAX_BYTES) -> Known:
    found = discover(str(root))
    return cache.known(found.root, found.files, max_bytes)


def test_what_was_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    """A1: every field of every report, whatever language the file is in, and wherever it lies now."""
    root = make_tree(tmp_path / "tree", 5)
    (root / "a.js").write_text("import x from './y'\nfunction f(a) { return a && 1 }\nfunction g( {\n")
    (root / "b.h").write_text("class A { int f() { return 1; } };\n")
    (root / "binary.py").write_bytes(b"\0\1\2" * 50)
    (root / "wrong.py").write_bytes(b"x = '\xff'\n")
    cache = ReportCache(str(tmp_path / "cache"))
    reports = fill(cache, root)
    known = ask(cache, root)
    assert dict(known.reports) == reports and not known.notes
    root.rename(tmp_path / "moved")
    assert dict(ask(cache, tmp_path / "moved").reports) == reports


def test_a_file_that_changed_is_not_known_and_one_that_changed_back_is(tmp_path: Path) -> None:
    """A1: by content, also when the size and the time of change stay what they were."""
    root = make_tree(tmp_path / "tree", 3)
    cache = ReportCache(str(tmp_path / "cache"))
    fill(cache, root)
    path = root / "m0001.py"
    before = path.read_text()
    status = path.stat()
    path.write_text(before.replace("return 2", "return 3"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert set(ask(cache, root).reports) == {"m0000.py", "m0002.py"}
    path.write_text(before)
    assert set(ask(cache, root).reports) == {"m0000.py", "m0001.py", "m0002.py"}


def test_files_that_did_not_change_are_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A1: a second run reads only what changed."""
    root = make_tree(tmp_path / "tree", 20)
    cache = ReportCache(str(tmp_path / "cache"))
    # The time at which a file was looked at is far enough behind its last change.
    monkeypatch.setattr(time, "time_ns", lambda: 10**9 * int(time.time() + 60))
    fill(cache, root)
    (root / "m0007.py").write_text("x = 1\n")
    opened: list[str] = []
    real = os.open

    def seen(path: str, *rest: int) -> int:
        opened.append(os.path.basename(path))
        return real(path, *rest)

    (root / "m0008.py").write_text((root / "m0009.py").read_text())
    monkeypatch.setattr(os, "open", seen)
    known = ask(cache, root)
    assert len(known.reports) == 19
    assert [name for name in opened if name.endswith(".py")] == ["m0008.py"]


def test_a_file_that_was_written_a_moment_before_it_was_looked_at_is_read_again(tmp_path: Path) -> None:
    """A1: it may be written again without another time of change."""
    root = make_tree(tmp_path / "tree", 1)
    cache = ReportCache(str(tmp_path / "cache"))
    fill(cache, root)
    stamp = ask(cache, root).stamps["m0000.py"]
    path = root / "m0000.py"
    path.write_bytes(path.read_bytes().replace(b"2", b"9"))
    with sqlite3.connect(tmp_path / "cache" / "reports-1.sqlite3") as database:
        now = path.stat()
        database.execute(
            "UPDATE places SET mtime = ?, ctime = ?, seen = ?", (now.st_mtime_ns, now.st_ctime_ns, stamp.seen)
        )
    database.close()
    assert not ask(cache, root).reports


def test_another_version_of_the_analysis_knows_nothing_of_what_this_one_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A1: versioned by the analyser."""
    root = make_tree(tmp_path / "tree", 2)
    cache = ReportCache(str(tmp_path / "cache"))
    fill(cache, root)
    assert len(ask(cache, root).reports) == 2
    monkeypatch.setattr(cachefile.platform, "python_version", lambda: "3.99.0")
    assert not ask(cache, root).reports


def test_larger_files_than_the_bound_are_not_taken_from_the_cache(tmp_path: Path) -> None:
    """A1: they are to be reported as too large."""
    root = make_tree(tmp_path / "tree", 2)
    cache = ReportCache(str(tmp_path / "cache"))
    fill(cache, root)
    assert not ask(cache, root, max_bytes=10).reports


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE reports SET body = 'x'",
        "UPDATE reports SET body = '[1,2]', checksum = 0",
        "UPDATE reports SET body = replace(body, '\"python\"', '\"cobol\"')",
        "UPDATE reports SET body = NULL",
    ],
)
def test_entries_that_are_damaged_are_ignored_with_a_word(tmp_path: Path, harm: str) -> None:
    """A1: and made anew."""
    root = make_tree(tmp_path / "tree", 3)
    cache = ReportCache(str(tmp_path / "cache"))
    reports = fill(cache, root)
    with sqlite3.connect(tmp_path / "cache" / "reports-1.sqlite3") as database:
        database.execute(harm)
    database.close()
    known = ask(cache, root)
    assert not known.reports and "cannot be read" in known.notes[0]
    cache.remember(discover(str(root)).root, reports.values(), known.stamps)
    assert dict(ask(cache, root).reports) == reports


@pytest.mark.parametrize(
    "content", [b"this is no database, and long enough to be read as one" * 30, b"SQLite format 3\0"]
)
def test_a_cache_that_is_damaged_as_a_whole_is_made_anew(tmp_path: Path, content: bytes) -> None:
    """A1: a word, and the review goes on."""
    root = make_tree(tmp_path / "tree", 3)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "reports-1.sqlite3").write_bytes(content)
    cache = ReportCache(str(tmp_path / "cache"))
    known = ask(cache, root)
    assert not known.reports and "damaged" in known.notes[0]
    fill(cache, root)
    assert len(ask(cache, root).reports) == 3


def test_a_cache_that_cannot_be_written_costs_no_review(tmp_path: Path) -> None:
    """A1: where its folder should be is a file."""
    root = make_tree(tmp_path / "tree", 3)
    (tmp_path / "file").write_text("")
    outcome = Review(discover(str(root)), title="t", cache=ReportCache(str(tmp_path / "file" / "cache"))).run()
    assert outcome.complete and any("was not used" in note for note in outcome.notes)


def test_many_reviews_use_one_cache_at_once(tmp_path: Path) -> None:
    """A1: processes and threads; none fails, and all is known after."""
    root = make_tree(tmp_path / "tree", 30)
    cache = ReportCache(str(tmp_path / "cache"))
    notes: list[str] = []

    def work() -> None:
        for _ in range(5):
            notes.extend(ask(cache, root).notes)
            fill(cache, root)

    code = (
        "from pathlib import Path; from actors.review.cache import ReportCache; from tests.review.test_cache import fill\n"
        f"for _ in range(5): fill(ReportCache({cache.folder!r}), Path({str(root)!r}))"
    )
    other = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY)
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert other.wait(50) == 0
    assert not notes and len(ask(cache, root).reports) == 30


def test_a_review_analyses_only_what_changed_and_says_the_same_as_without_a_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A1: what is known is not analysed: the analysis would end its agent."""
    root = make_tree(tmp_path / "tree", 20)
    cache = ReportCache(str(tmp_path / "cache"))
    first = Review(discover(str(root)), title="t", cache=cache).run()
    assert first.known == 0
    for path in root.iterdir():
        path.rename(root / f"kill_{path.name}")
    (root / "new.py").write_text("def f(a):\n    return a or 1\n")
    plain = Review(discover(str(root)), title="t").run()
    poison(monkeypatch, tmp_path / "site")
    second = Review(discover(str(root)), title="t", cache=cache).run()
    assert (second.known, second.covered) == (20, 21) and second.complete
    assert second.code == plain.code
    third = Review(discover(str(root)), title="t", cache=cache).run()
    assert third.known == 21 and third.code == plain.code
    assert not [span for span in third.run.spans if span.kind == "file_analysis"]


def test_the_folder_is_that_of_the_specification() -> None:
    """A1: XDG_CACHE_HOME, which counts only if it is absolute."""
    assert default_folder({"XDG_CACHE_HOME": "/c", "HOME": "/h"}) == "/c/actors/review"
    assert default_folder({"XDG_CACHE_HOME": "c", "HOME": "/h"}) == "/h/.cache/actors/review"


def test_the_cache_is_its_owners_alone(tmp_path: Path) -> None:
    """A1: what is in it is about code that others may not read."""
    root = make_tree(tmp_path / "tree", 1)
    fill(ReportCache(str(tmp_path / "cache")), root)
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0
