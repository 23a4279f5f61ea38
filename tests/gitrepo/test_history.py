"""The history of a repository, against what git itself counts."""

from __future__ import annotations

import collections
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from actors.errors import ConfigError
from actors.gitrepo.errors import GitFailed
from actors.gitrepo.history import HistoryReport
from actors.gitrepo.reading import read_history
from actors.gitrepo.repository import open_repository
from tests.gitrepo.made import Made, many_commits

ROOT = Path(__file__).parents[2]


def read(made: Made, **options: object) -> HistoryReport:
    return read_history(open_repository(made.path), **options)  # type: ignore[arg-type]


@pytest.fixture
def busy(tmp_path: Path) -> Made:
    """Two people, a merge, a binary file, a deletion and a commit without changes."""
    made = Made(tmp_path / "busy")
    made.commit(
        {"a.py": "def f(x):\n    return 1 if x else 2\n", "b.txt": "one\ntwo\n", "c.bin": b"\0\1"}, "feat: begin"
    )
    made.commit(
        {"a.py": "def f(x):\n    return 1 if x else 3\n", "b.txt": "one\n2\n"}, "fix(a): three.", "Bob <b@x.org>"
    )
    made.git("checkout", "-q", "-b", "side")
    made.commit({"d/e.py": "y = 1\n" * 5}, "On the side")
    made.git("checkout", "-q", "main")
    made.commit({"a.py": "def f(x):\n    return 4\n", "b.txt": "one\n2\n3\n", "c.bin": b"\0\2"}, "x" * 90)
    made.merge("side")
    made.git("rm", "-q", "c.bin")
    made.commit({"a.py": "def f(x):\n    return 5\n", "b.txt": "1\n2\n3\n"}, "No bin\nno blank line")
    made.commit({}, "nothing at all")
    return made


def counted_by_git(made: Made, *options: str) -> tuple[dict[str, list[int]], int]:
    """Commits, added and removed lines by path, and how many commits, as `git log` has them."""
    files: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0, 0])
    shown = made.raw("log", "--no-merges", "--no-renames", "--numstat", "-z", "--format=", *options)
    for record in shown.replace(b"\n", b"").split(b"\0"):
        if record:
            added, removed, path = record.split(b"\t", 2)
            of = files[os.fsdecode(path)]
            of[0] += 1
            of[1] += 0 if added == b"-" else int(added)
            of[2] += 0 if removed == b"-" else int(removed)
    commits = int(made.git("rev-list", "--count", "HEAD", *[one for one in options if one.startswith("--s")]))
    return dict(files), commits


def test_commits_and_lines_are_those_of_git_log(busy: Made) -> None:
    """A1: independent counts."""
    report = read(busy, renames=False)
    files, commits = counted_by_git(busy)
    assert (report.commits, report.merges) == (commits, 1)
    del files["c.bin"]  # It is gone, and what is gone has no place in the report.
    assert {one.path: [one.commits, one.added, one.removed] for one in report.files} == files
    assert "binary or very large" in report.notes[0]


def test_this_projects_own_history_is_that_of_git_log() -> None:
    """A1: independent counts on a real history."""
    inside = subprocess.run(["git", "rev-parse", "--is-shallow-repository"], cwd=ROOT, capture_output=True, check=False)
    if inside.stdout.strip() != b"false":
        pytest.skip("no git checkout with its whole history")
    made = Made(ROOT)
    report = read_history(open_repository(str(ROOT)), renames=False, complexity=False)
    files, commits = counted_by_git(made)
    present = set(made.raw("ls-tree", "-r", "-z", "--name-only", "HEAD").decode().split("\0"))
    assert report.commits == commits
    ours = {one.path: [one.commits, one.added, one.removed] for one in report.files}
    assert ours == {path: counts for path, counts in files.items() if path in present}
    summary = made.git("shortlog", "-sne", "HEAD")
    shown = {line.split("\t")[1]: int(line.split("\t")[0]) for line in summary.splitlines()}
    assert {one.author: one.commits for one in report.authors} == shown


def test_people_are_those_of_git_shortlog_with_the_mailmap(busy: Made) -> None:
    """A1: authors with mailmap."""
    busy.commit({".mailmap": "Robert <bob@work.org> <b@x.org>\n"}, "who is who")
    report = read(busy)
    shown = {
        line.split("\t")[1]: int(line.split("\t")[0]) for line in busy.git("shortlog", "-sne", "HEAD").splitlines()
    }
    assert {one.author: one.commits for one in report.authors} == shown
    assert "Robert <bob@work.org>" in shown
    (robert,) = [one for one in report.authors if one.author.startswith("Robert")]
    assert (robert.added, robert.removed, robert.files, robert.merges) == (2, 2, 2, 0)


def test_a_hot_spot_is_churn_times_complexity(busy: Made) -> None:
    """A1: the complexity is that of the file as it is at the revision."""
    report = read(busy)
    found = {one.path: (one.churn, one.complexity, one.hot_spot) for one in report.files}
    assert found["a.py"] == (8, 1, 8.0)
    assert found["b.txt"][1:] == (0, 0.0)
    assert report.files[0].path == "a.py"
    told = read(busy, complexity={"b.txt": 7}).files[0]
    assert (told.path, told.hot_spot) == ("b.txt", told.churn * 7.0)


def test_files_that_change_together_are_coupled(busy: Made) -> None:
    """A1: coupling, as the share of the one's commits that changed the other."""
    (coupled,) = [one for one in read(busy).files if one.path == "a.py"]
    assert [(one.path, one.together, one.share) for one in coupled.couplings] == [("b.txt", 4, 1.0)]


def test_a_file_keeps_its_history_when_it_is_renamed(tmp_path: Path) -> None:
    """A1: as `git log --follow`."""
    made = Made(tmp_path / "moved")
    text = "".join(f"line {number}\n" for number in range(30))
    made.commit({"old.py": text})
    made.commit({"old.py": text + "more\n"})
    made.git("mv", "old.py", "new name.py")
    made.commit({"new name.py": text + "more\nand more\n"})
    made.commit({"old.py": "another file\n"})
    report = read(made)
    followed = made.git("log", "--follow", "--format=%H", "--", "new name.py").split()
    found = {one.path: one.commits for one in report.files}
    assert found == {"new name.py": len(followed), "old.py": 1} == {"new name.py": 3, "old.py": 1}
    assert {one.path: one.commits for one in read(made, renames=False).files} == {"new name.py": 1, "old.py": 4}


def test_messages_are_judged_by_the_usual_forms(busy: Made) -> None:
    """A1: message conventions."""
    messages = read(busy).messages
    assert (messages.messages, messages.conventional, dict(messages.types)) == (6, 2, {"feat": 1, "fix": 1})
    assert dict(messages.problems) == {"full_stop": 1, "long_subject": 1, "no_blank_line": 1}
    assert [one.subject for one in messages.examples] == ["No bin", "x" * 90, "fix(a): three."]


def test_the_bus_factor_counts_those_without_whom_most_files_are_strange(tmp_path: Path) -> None:
    """A1: bus factor."""
    made = Made(tmp_path / "bus")
    for number in range(6):
        made.commit({f"f{number}": "x\n" * 9}, author=("Ann <a@x>", "Ben <b@x>", "Cid <c@x>")[number % 3])
    assert read(made).bus_factor == 2
    assert read(made, paths=["f0", "f3"]).bus_factor == 1


def test_a_part_of_the_history_is_that_of_git_log(busy: Made) -> None:
    """A1: paths, times and a base."""
    first = int(busy.git("log", "-1", "--format=%ct", "main~3"))
    for options, git in (
        ({"since": first}, [f"--since={first}"]),
        ({"paths": ["a.py"]}, ["--", "a.py"]),
        ({"paths": ["**/*.py"]}, ["--", "a.py", "d"]),
        ({"paths": ["d"]}, ["--", "d"]),
    ):
        report = read(busy, renames=False, complexity=False, **options)
        files, _ = counted_by_git(busy, *git)
        files.pop("c.bin", None)
        assert {one.path: [one.commits, one.added, one.removed] for one in report.files} == files
    assert read(busy, base="main~3").commits == int(busy.git("rev-list", "--count", "main~3..main"))
    assert read(busy, until="2023-11-14").commits == int(busy.git("rev-list", "--count", "--until=1700006399", "HEAD"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"since": "yesterday"}, "since is seconds since 1970"),
        ({"until": True}, "until is seconds since 1970"),
        ({"paths": "a.py"}, "paths is a list"),
        ({"paths": ["/etc"]}, "'/etc' is none"),
        ({"paths": ["../x"]}, "is none"),
        ({"revision": ""}, "revision is the name of a commit"),
        ({"revision": 7}, "revision is the name of a commit"),
    ],
)
def test_wrong_data_name_themselves(busy: Made, options: dict[str, object], words: str) -> None:
    """A1: what was expected and what came."""
    with pytest.raises(ConfigError, match=words):
        read(busy, **options)


def test_a_revision_that_is_not_there_is_named(busy: Made) -> None:
    """A1: a clear error."""
    for wrong in ("nowhere", "main..side", "HEAD~99", "0" * 40, "HEAD:a.py"):
        with pytest.raises(GitFailed, match="has no commit") as caught:
            read(busy, revision=wrong)
        assert (caught.value.reason, caught.value.subject) == ("unknown_revision", wrong)


def test_an_empty_repository_has_an_empty_report(tmp_path: Path) -> None:
    """A1: no error."""
    report = read(Made(tmp_path / "empty"))
    assert (report.commits, report.files, report.notes) == (0, (), ("The repository has no commits yet.",))


def test_bare_detached_and_linked_repositories_tell_the_same(busy: Made, tmp_path: Path) -> None:
    """A1: wherever it is read from."""
    whole = read(busy).to_dict()
    busy.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    busy.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    busy.git("clone", "-q", "--shared", ".", str(tmp_path / "shared"))
    assert read(Made(tmp_path / "bare.git")).to_dict() == whole
    assert read(Made(tmp_path / "linked")).to_dict() == whole
    assert read(Made(tmp_path / "shared")).to_dict() == whole
    assert read(Made(busy.folder / "d")).to_dict() == whole
    json.dumps(whole)


def test_a_shallow_clone_says_so_and_invents_nothing(busy: Made, tmp_path: Path) -> None:
    """A1: where it ends, nobody knows what was changed."""
    busy.git("clone", "-q", "--depth", "3", f"file://{busy.path}", str(tmp_path / "shallow"))
    made = Made(tmp_path / "shallow")
    report = read(made)
    assert report.shallow and "shallow" in report.notes[0]
    assert report.commits == int(made.git("rev-list", "--count", "HEAD"))
    assert {one.path: one.commits for one in report.files} == {"a.py": 1, "b.txt": 1}
    with pytest.raises(GitFailed, match="unshallow"):
        read(made, revision="HEAD~5")


def test_submodules_count_as_git_counts_them(busy: Made, tmp_path: Path) -> None:
    """A1: a line each, and a repository that can be read by itself."""
    outer = Made(tmp_path / "outer")
    outer.commit({"x": "x\n"})
    outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", busy.path, "inner")
    outer.commit({}, "with a part")
    report = read(outer)
    assert {one.path for one in report.files} == {"x", ".gitmodules"}
    assert read(Made(outer.folder / "inner")).to_dict() == read(busy).to_dict()


def test_names_of_all_kinds_are_kept(tmp_path: Path) -> None:
    """A1: spaces, line ends, quotes, and bytes that are no UTF-8."""
    made = Made(tmp_path / "na mes")
    names = ["with space", "line\nend", 'quo"te', "tab\tby", "umläut", os.fsdecode(b"\xff\xfe"), "-dash", "[a]*?"]
    for _ in range(3):
        made.commit(dict.fromkeys(names, f"{made.clock}\n"))
    report = read(made)
    assert sorted(one.path for one in report.files) == sorted(names)
    assert all(one.commits == 3 and len(one.couplings) == 7 for one in report.files)
    json.dumps(report.to_dict())
    assert [one.path for one in read(made, paths=[names[5]]).files] == [names[5]]


def test_names_of_people_may_be_in_any_encoding(tmp_path: Path) -> None:
    """A1: as git shows them."""
    made = Made(tmp_path / "latin")
    made.git("config", "i18n.commitEncoding", "ISO-8859-1")
    message = "caf\xe9".encode("latin-1")
    made.write({"f": "x\n"})
    made.git("add", "f")
    made.raw(b"-c", "user.name=Zo\xeb".encode("latin-1"), b"commit", b"-q", b"-m", message)
    report = read(made)
    assert report.authors[0].author == "Zoë <ada@example.org>"


def test_a_large_file_is_not_compared_line_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A1: memory stays bounded."""
    from actors.gitrepo import commits

    made = Made(tmp_path / "large")
    made.commit({"big": "x\n" * 1000, "small": "y\n"})
    monkeypatch.setattr(commits, "MOST_BYTES", 100)
    report = read(made)
    assert {one.path: (one.commits, one.added) for one in report.files} == {"big": (1, 0), "small": (1, 1)}
    assert report.notes == ("1 changes of binary or very large files count as commits, and have no lines.",)


def test_a_damaged_repository_is_an_error_that_names_it(busy: Made) -> None:
    """A1: not a crash."""
    victim = busy.id("HEAD~2")
    (busy.folder / ".git" / "objects" / victim[:2] / victim[2:]).unlink()
    with pytest.raises(GitFailed) as caught:
        read(busy)
    assert caught.value.reason == "damaged" and busy.path in str(caught.value)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_thousand_commits_are_read_in_bounded_memory(tmp_path: Path) -> None:
    """A1: streamed."""
    peaks = {}
    for count in (10_000, 100_000):
        made = many_commits(tmp_path / str(count), count)
        code = (
            "import sys, resource\n"
            "from actors.gitrepo.reading import read_history\n"
            "from actors.gitrepo.repository import open_repository\n"
            "report = read_history(open_repository(sys.argv[1]), complexity=False)\n"
            "of = {one.author: one.commits for one in report.authors}\n"
            "anonymous = [line for line in open('/proc/self/smaps_rollup') if line.startswith('Anonymous')]\n"
            "print(report.commits, len(report.files), len(of), set(of.values()), int(anonymous[0].split()[1]), sep='|')\n"
        )
        done = subprocess.run([sys.executable, "-c", code, made.path], capture_output=True, text=True, check=True)
        commits, files, people, each, kilobytes = done.stdout.strip().split("|")
        assert (int(commits), int(files), int(people), each) == (count, 200, 20, f"{{{count // 20}}}")
        peaks[count] = int(kilobytes)
    # Ten times the commits: what libgit2 notes of each commit, and its cache, are all that grows.
    assert peaks[100_000] < 160 * 1024, peaks
    assert peaks[100_000] - peaks[10_000] < 80_000, peaks
