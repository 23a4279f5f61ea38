"""Repositories that tests make with git itself, and ask git itself about."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

__all__ = ["Made", "many_commits"]

_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "LC_ALL": "C",
}


class Made:
    """One repository in a folder. Each commit is a minute younger than the one before."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.clock = 1_700_000_000
        if not folder.exists():
            folder.mkdir(parents=True)
            self.git("init", "-q", "-b", "main", *options, ".")
            self.git("config", "user.name", "Ada")
            self.git("config", "user.email", "ada@example.org")

    @property
    def path(self) -> str:
        return str(self.folder)

    def git(self, *arguments: str | bytes, check: bool = True, given: bytes | None = None) -> str:
        """What git says on its standard output."""
        return os.fsdecode(self.raw(*arguments, check=check, given=given))

    def raw(self, *arguments: str | bytes, check: bool = True, given: bytes | None = None) -> bytes:
        when = {"GIT_AUTHOR_DATE": f"{self.clock} +0000", "GIT_COMMITTER_DATE": f"{self.clock} +0000"}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=_ENVIRONMENT | when,
            input=given,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert not check or done.returncode == 0, (arguments, done.stderr, done.stdout)
        return done.stdout

    def write(self, files: dict[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, files: dict[str, str | bytes], message: str = "a change", author: str | None = None) -> str:
        self.clock += 60
        self.write(files)
        self.git("add", "-A")
        by = [] if author is None else [f"--author={author}"]
        self.git("commit", "-q", "--allow-empty", "--allow-empty-message", "-m", message, *by)
        return self.id("HEAD")

    def merge(self, other: str) -> None:
        self.clock += 60
        self.git("merge", "-q", "--no-ff", "--no-edit", other)

    def id(self, revision: str) -> str:
        return self.git("rev-parse", revision).strip()

    def state(self) -> dict[str, bytes]:
        """All that a failed operation must leave as it is: references, index, files and objects."""
        found = {
            "refs": self.raw("for-each-ref"),
            "head": self.raw("rev-parse", "--symbolic-full-name", "HEAD"),
            "objects": self.raw("count-objects", "-v"),
            "status": self.raw("status", "--porcelain=v2", "--untracked-files=all", "--ignored", check=False),
        }
        for top, folders, files in os.walk(self.folder):
            if ".git" in folders:
                folders.remove(".git")
            for name in files:
                path = os.path.join(top, name)
                found[path] = Path(path).read_bytes() if not os.path.islink(path) else os.fsencode(os.readlink(path))
        return found


def many_commits(folder: Path, count: int, *, files: int = 200, people: int = 20) -> Made:
    """A repository with a long history, in the time that `git fast-import` takes."""
    made = Made(folder)
    parts: list[bytes] = []
    for number in range(count):
        name, person = number % files, number % people
        content = b"".join(b"line %d\n" % (number + line) for line in range(5))
        message = b"fix: change %d" % number
        parts.append(
            b"commit refs/heads/main\n"
            b"committer P%d <p%d@example.org> %d +0000\n"
            % (person, person, 1_600_000_000 + number * 10)
            + b"data %d\n%s\n" % (len(message), message)
            + b"M 100644 inline f%d/m%d.py\ndata %d\n%s\n" % (name % 10, name, len(content), content)
        )
    made.git("fast-import", "--quiet", given=b"".join(parts))
    return made
