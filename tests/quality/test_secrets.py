"""Secrets in files and in history: found, told without telling them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from actors.quality.check import check_files
from actors.quality.secrethistory import PatchReader, scan_history
from actors.quality.secrets import LONGEST_LINE, RULES, find_secrets
from actors.worker import Worker

run = Worker().run
ROOT = Path(__file__).parents[2]

# Put together here, so that no scanner takes this file for a leak.
TAIL = "aB3dE6gH9kL2nP5rS8tU1wX4zC7vQ0mJ"
SECRETS = {
    "private-key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "aws-access-key": "AK" + "IAQ7RSTUVWXYZ23456",
    "aws-secret-key": "aws_secret_access_key = " + TAIL + "Ab3dEf6h",
    "github-token": "gh" + "p_" + TAIL + "7yT2",
    "github-fine-grained-token": "github_" + "pat_" + TAIL + TAIL,
    "gitlab-token": "gl" + "pat-" + TAIL[:20],
    "slack-token": "xo" + "xb-123456789012-" + TAIL,
    "slack-webhook": "https://hooks.slack.com/" + "services/T0123ABCD/B0123ABCD/" + TAIL[:24],
    "google-api-key": "AI" + "za" + TAIL + "abc",
    "stripe-key": "sk_" + "live_" + TAIL,
    "pypi-token": "pypi-" + "AgEI" + TAIL + TAIL,
    "npm-token": "np" + "m_" + TAIL + "7yT2",
    "sendgrid-key": "S" + "G." + TAIL[:22] + "." + TAIL + "aB3dE6gH9kL",
    "openai-key": "sk-" + "proj-" + TAIL[:24] + "T3Blbk" + "FJ" + TAIL[:24],
    "azure-storage-key": "Account" + "Key=" + (TAIL * 3)[:86] + "==",
    "json-web-token": "ey" + "J" + TAIL[:16] + ".ey" + "J" + TAIL + "." + TAIL,
    "password-in-url": "postgres://admin:" + "s3cr3tpw@db.internal/x",
    "assigned-secret": 'api_key = "' + TAIL + '"',
}


def test_each_rule_finds_its_secret_and_none_tells_it() -> None:
    """A1: secrets in files; the report must not become the leak."""
    assert sorted(SECRETS) == sorted(rule.name for rule in RULES)
    for name, text in SECRETS.items():
        (found,) = find_secrets(f"x = f({text})")
        assert found.rule.name == name
        assert TAIL[:12] not in found.shown and "s3cr3t" not in found.shown


@pytest.mark.parametrize(
    "line",
    [
        'password = "changeme"',
        'password = "your-password-here1"',
        "password = os.environ['PASSWORD_OF_THE_DATABASE_1']",
        'token = "${CI_JOB_TOKEN_12345678}"',
        'secret_name = "my/path/of/the/secret"',
        'api_key = "xxxxxxxxxxxxxxxxxxxxxxxx1"',
        "postgres://user:password@localhost/db",
        "https://{user}:{password}@host",
        'key = "aaaaaaaaaaaaaaaaaaaa1"',
        "the password: a word that nobody else knows",
    ],
)
def test_placeholders_and_names_are_no_secrets(line: str) -> None:
    """A finding that is none costs the reader's trust."""
    assert find_secrets(line) == []


def test_a_line_may_be_allowed() -> None:
    """As other scanners have it."""
    line = f"key = '{SECRETS['stripe-key']}'"
    assert find_secrets(line) and not find_secrets(f"{line}  # pragma: allowlist secret")
    assert not find_secrets(f"{line} // gitleaks:allow")


def test_this_project_has_none() -> None:
    """No false alarm in 470 files of real code."""
    paths = [str(path.relative_to(ROOT)) for path in (ROOT / "actors").rglob("*.py")]
    assert check_files(paths, str(ROOT), ["secrets"], run).findings == ()


def test_files_of_all_kinds_are_looked_through(tmp_path: Path) -> None:
    """A1: by line and column; a file that is no UTF-8 too, a binary one not."""
    secret = SECRETS["github-token"]
    (tmp_path / ".env").write_text(f"A=1\nTOKEN={secret}\n")
    (tmp_path / "latin.cfg").write_bytes(f"é = {secret}\n".encode("latin-1"))
    (tmp_path / "binary").write_bytes(b"\0" + secret.encode())
    (tmp_path / "long.js").write_text("x" * (LONGEST_LINE + 10) + secret)
    found = check_files([".env", "latin.cfg", "binary", "long.js"], str(tmp_path), ["secrets"], run).findings
    assert [(one.path, one.line, one.column, one.severity) for one in found] == [
        (".env", 2, 7, "error"),
        ("latin.cfg", 1, 5, "error"),
    ]
    assert all(secret not in str(one) and "revoke" in one.mend for one in found)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    return tmp_path


def git(folder: Path, *argv: str) -> str:
    env = os.environ | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    return subprocess.run(
        ["git", *who, *argv], cwd=folder, env=env, capture_output=True, text=True, check=True
    ).stdout.strip()


def commit(folder: Path) -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one")
    return git(folder, "rev-parse", "HEAD")


def test_a_secret_that_was_taken_away_is_found_in_the_history(repository: Path) -> None:
    """A1: secrets in history, with the commit that brought it; also on another branch, in a file with an odd name."""
    (repository / "a b\té.py").write_text("x = 1\n")
    commit(repository)
    (repository / "a b\té.py").write_text(f"x = 1\ny = '{SECRETS['stripe-key']}'\n")
    brought = commit(repository)
    (repository / "a b\té.py").write_text("x = 1\n")
    commit(repository)
    git(repository, "checkout", "-q", "-b", "other", "HEAD~2")
    (repository / "b.txt").write_text(f"--- a\n+++ b/x\n{SECRETS['github-token']}\n")
    other = commit(repository)
    git(repository, "checkout", "-q", "main")
    found = {one.path: one for one in scan_history(str(repository), run, 60).findings}
    assert sorted(found) == ["a b\té.py", "b.txt"]
    assert found["a b\té.py"].line == 2 and brought[:12] in found["a b\té.py"].message
    assert found["b.txt"].line == 3 and other[:12] in found["b.txt"].message
    assert SECRETS["stripe-key"] not in str(found)


def test_the_history_below_a_folder_has_its_paths(repository: Path) -> None:
    """What lies outside the root is not the root's."""
    (repository / "sub").mkdir()
    (repository / "sub" / "a.txt").write_text(SECRETS["stripe-key"])
    (repository / "b.txt").write_text(SECRETS["stripe-key"])
    commit(repository)
    (found,) = scan_history(str(repository / "sub"), run, 60).findings
    assert found.path == "a.txt"


def test_no_program_of_the_repository_is_run(repository: Path) -> None:
    """Bad input: a hostile configuration and attributes."""
    touched = repository.parent / f"{repository.name}-touched"
    (repository / "a.txt").write_text(SECRETS["stripe-key"])
    (repository / ".gitattributes").write_text("*.txt diff=evil\n")
    commit(repository)
    for key in ("diff.evil.command", "diff.evil.textconv", "diff.external", "core.pager", "core.fsmonitor"):
        git(repository, "config", key, f"touch {touched}; true")
    assert len(scan_history(str(repository), run, 60).findings) == 1
    assert not touched.exists()


def test_repositories_without_history_and_folders_without_repository(tmp_path: Path) -> None:
    """Bad input: not a repository; an empty one; a bare one."""
    (skip,) = scan_history(str(tmp_path), run, 60).skipped
    assert skip.reason == "not a git repository"
    git(tmp_path, "init", "-q")
    assert scan_history(str(tmp_path), run, 60).to_dict()["findings"] == []
    (tmp_path / "a.txt").write_text(SECRETS["stripe-key"])
    commit(tmp_path)
    git(tmp_path, "clone", "-q", "--bare", ".", "bare.git")
    assert len(scan_history(str(tmp_path / "bare.git"), run, 60).findings) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_another_user_is_told_of(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bad input: git does not trust it, and neither do we."""
    (repository / "a.txt").write_text(SECRETS["stripe-key"])
    commit(repository)
    monkeypatch.setenv("HOME", str(repository))
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 12345, 12345)
    (skip,) = scan_history(str(repository), run, 60).skipped
    assert skip.reason == "another user owns the repository" and "safe.directory" in skip.install


def test_patches_are_read_in_pieces_of_any_size() -> None:
    """In bounded memory, as they come."""
    patch = (
        "\0commit 1234567890abcdef\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +7,3 @@\n"
        f"+++ b/no-header\n+a\n+{SECRETS['stripe-key']}\n\\ No newline at end of file\n"
        f"@@ -3 +20 @@\n--- gone {SECRETS['github-token']}\n+{'y' * (3 * LONGEST_LINE)}\n"
    )
    for size in (50, 1013, len(patch)):
        reader = PatchReader()
        for start in range(0, len(patch), size):
            reader.feed(patch[start : start + size])
        (found,) = reader.found.values()
        assert (found.path, found.line) == ("x", 9)
        assert len(reader._rest) <= 2 * LONGEST_LINE
