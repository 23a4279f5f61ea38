"""What the commits of a repository tell about its files and its people."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.gitrepo.conventions import MessageProblem, MessageReport

__all__ = ["AuthorHistory", "CommitChange", "Coupling", "FileChange", "FileHistory", "HistoryReport"]


@dataclass(frozen=True, slots=True)
class FileChange:
    """What one commit, or one branch, does to one file.

    Args:
        path: with `/`, relative to the repository's root; bytes that are no UTF-8 are kept as surrogate escapes.
        status: "A" added, "D" deleted, "M" modified, "R" renamed, "T" changed its type.
        added, removed: lines; None for binary files, and for those too large to be compared line by line.
        old_path: where it was before, if it was renamed.
    """

    path: str
    status: str
    added: int | None
    removed: int | None
    old_path: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class CommitChange:
    """One commit with what it changes.

    Args:
        id: in hexadecimal.
        author: "Name <address>", as the mailmap has it.
        time: when it was committed, in seconds since 1970.
        message: the whole of it.
        parents: how many commits it follows; 2 or more for a merge.
        files: what it changes against its parent; none for merges and where a shallow clone ends.
    """

    id: str
    author: str
    time: float
    message: str
    parents: int
    files: tuple[FileChange, ...] = ()

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.strip().partition("\n")[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Coupling:
    """A file that changes together with another.

    Args:
        path: the other file.
        together: commits that changed both.
        share: of the commits that changed the file at hand, 0 to 1, those that changed the other as well.
    """

    path: str
    together: int
    share: float


@dataclass(frozen=True, slots=True)
class FileHistory:
    """The life of one file. Merges are not counted: what they bring is counted where it was written.

    Args:
        path: where it is now.
        commits: how many changed it, also under the names that it had before.
        authors: commits by author, most first.
        first_changed, last_changed: in seconds since 1970.
        added, removed: lines over all these commits.
        complexity: of all its functions together; 0 if that is not known.
        hot_spot: churn × complexity.
        couplings: the files that change with it, closest first.
        bus_factor: how many of its authors made, together, more than half of its churn; at least that many know it.
    """

    path: str
    commits: int
    authors: Mapping[str, int]
    first_changed: float
    last_changed: float
    added: int
    removed: int
    complexity: int = 0
    hot_spot: float = 0.0
    couplings: tuple[Coupling, ...] = ()
    bus_factor: int = 1

    @property
    def churn(self) -> int:
        """Lines added and removed."""
        return self.added + self.removed

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {**dataclasses.asdict(self), "authors": dict(self.authors), "churn": self.churn}


@dataclass(frozen=True, slots=True)
class AuthorHistory:
    """What one person did.

    Args:
        author: "Name <address>", as the mailmap has it.
        commits: with merges.
        merges: those among them that are merges.
        added, removed: lines, without merges.
        files: how many different files, by the names that they have now.
        first, last: times of commits, in seconds since 1970.
    """

    author: str
    commits: int
    merges: int
    added: int
    removed: int
    files: int
    first: float
    last: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class HistoryReport:
    """The history of a repository, or of a part of it.

    Args:
        revision: the commit that it was read from, in hexadecimal; empty in a repository without commits.
        commits, merges: how many; `commits` includes merges.
        authors: most commits first.
        files: those that are there at the revision, greatest hot spot first, then greatest churn.
        messages: how commit messages are written.
        bus_factor: how many people must leave until more than half of the files have nobody who knows them; 0 if no
            file has a history. A person knows a file by having made at least a quarter of its churn.
        shallow: the repository holds a part of its history only.
        notes: what a reader must know about these figures.
    """

    revision: str
    commits: int
    merges: int
    authors: tuple[AuthorHistory, ...]
    files: tuple[FileHistory, ...]
    messages: MessageReport = field(default_factory=MessageReport)
    bus_factor: int = 0
    shallow: bool = False
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "revision": self.revision,
            "commits": self.commits,
            "merges": self.merges,
            "authors": [one.to_dict() for one in self.authors],
            "files": [one.to_dict() for one in self.files],
            "messages": self.messages.to_dict(),
            "bus_factor": self.bus_factor,
            "shallow": self.shallow,
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> HistoryReport:
        """The opposite of `to_dict`.

        Raises:
            KeyError, TypeError: it is not what `to_dict` gave.
        """
        messages = dict(data["messages"])
        messages["examples"] = tuple(
            MessageProblem(one["commit"], one["subject"], tuple(one["problems"])) for one in messages["examples"]
        )
        return cls(
            **{
                **data,
                "authors": tuple(AuthorHistory(**one) for one in data["authors"]),
                "files": tuple(_file_of(one) for one in data["files"]),
                "messages": MessageReport(**messages),
                "notes": tuple(data["notes"]),
            }
        )


def _file_of(data: Mapping[str, Any]) -> FileHistory:
    fields = {name: value for name, value in data.items() if name != "churn"}
    fields["couplings"] = tuple(Coupling(**one) for one in data["couplings"])
    return FileHistory(**fields)
