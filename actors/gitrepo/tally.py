"""Adding up a history, commit by commit, in memory that its files and people bound and not its length."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from actors.gitrepo.conventions import MessageTally
from actors.gitrepo.history import AuthorHistory, CommitChange, Coupling, FileChange, FileHistory, HistoryReport

__all__ = ["MOST_PAIRS", "MOST_TOGETHER", "HistoryTally"]

MOST_TOGETHER = 50
"""A commit that changes more files than this (a new licence header, a move of all) couples none of them."""

MOST_PAIRS = 500_000
"""Pairs of files that are counted at a time; beyond this the rarest are let go."""

_LEAST_TOGETHER = 3
_LEAST_SHARE = 0.3
_MOST_COUPLINGS = 10
_KNOWS = 4  # One knows a file by having made one of so many parts of its churn.


@dataclass(slots=True)
class _File:
    commits: int = 0
    added: int = 0
    removed: int = 0
    first: float = 0.0
    last: float = 0.0
    # By author: commits, and lines added and removed.
    authors: dict[str, list[int]] = field(default_factory=dict)

    @property
    def churn(self) -> int:
        return self.added + self.removed


@dataclass(slots=True)
class _Author:
    commits: int = 0
    merges: int = 0
    added: int = 0
    removed: int = 0
    first: float = 0.0
    last: float = 0.0


class HistoryTally:
    """Adds commits up into a report.

    Commits come newest first: a file that a newer commit renamed is then known by its present name.

    Args:
        keep: which files are counted, by their present path; None counts all.
    """

    def __init__(self, keep: Callable[[str], bool] | None = None) -> None:
        self._keep = keep
        self._files: dict[str, _File] = {}
        self._authors: dict[str, _Author] = {}
        self._now: dict[str, str] = {}  # The present path by a former one, for commits older than the renaming.
        self._pairs: dict[tuple[str, str], int] = {}
        self._messages = MessageTally()
        self._let_go = False
        self._unmeasured = 0
        self.commits = 0
        self.merges = 0

    def add(self, commit: CommitChange) -> None:
        """Count one commit.

        Args:
            commit: older than those before it, as far as the clocks of their authors were right.
        """
        files = self._changed(commit.files)
        if self._keep is not None and not files:
            return
        self.commits += 1
        author = self._author(commit)
        if commit.parents > 1:
            self.merges += 1
            author.merges += 1
            return
        self._messages.add(commit.id, commit.message)
        for path, changes in files.items():
            self._count(path, changes, commit, author)
        if 1 < len(files) <= MOST_TOGETHER:
            self._couple(sorted(files))

    @property
    def paths(self) -> Collection[str]:
        """The files that were counted until now, by their present names."""
        return self._files.keys()

    def _changed(self, files: Iterable[FileChange]) -> dict[str, list[FileChange]]:
        """The changes by the present path of what they change. One commit may change a file under two names."""
        found: dict[str, list[FileChange]] = {}
        renamed: dict[str, str] = {}
        for change in files:
            path = self._now.get(change.path, change.path)
            if change.old_path is not None:
                renamed[change.old_path] = path
            if self._keep is None or self._keep(path):
                found.setdefault(path, []).append(change)
        # Only now: two files may have changed names with each other.
        self._now.update(renamed)
        return found

    def _author(self, commit: CommitChange) -> _Author:
        author = self._authors.get(commit.author)
        if author is None:
            author = self._authors[commit.author] = _Author(first=commit.time, last=commit.time)
        author.commits += 1
        author.first = min(author.first, commit.time)
        author.last = max(author.last, commit.time)
        return author

    def _count(self, path: str, changes: list[FileChange], commit: CommitChange, author: _Author) -> None:
        file = self._files.get(path)
        if file is None:
            file = self._files[path] = _File(first=commit.time, last=commit.time)
        added = sum(change.added or 0 for change in changes)
        removed = sum(change.removed or 0 for change in changes)
        self._unmeasured += sum(change.added is None for change in changes)
        file.commits += 1
        file.added += added
        file.removed += removed
        file.first = min(file.first, commit.time)
        file.last = max(file.last, commit.time)
        own = file.authors.setdefault(commit.author, [0, 0])
        own[0] += 1
        own[1] += added + removed
        author.added += added
        author.removed += removed

    def _couple(self, paths: list[str]) -> None:
        pairs = self._pairs
        for pair in itertools.combinations(paths, 2):
            pairs[pair] = pairs.get(pair, 0) + 1
        rarest = 1
        while len(pairs) > MOST_PAIRS:
            # Half of the room at least is made at a time, so that this is rare.
            self._let_go = True
            pairs = {pair: count for pair, count in pairs.items() if count > rarest}
            rarest += 1
        self._pairs = pairs

    def report(
        self,
        revision: str,
        *,
        present: Callable[[str], bool] | None = None,
        complexity: Mapping[str, int] | None = None,
        shallow: bool = False,
        notes: Iterable[str] = (),
    ) -> HistoryReport:
        """What was counted until now.

        Args:
            revision: what it was read from.
            present: whether a path is there at the revision; None counts all as present.
            complexity: of files, by path.
            shallow: see `HistoryReport`, also for the next.
            notes: what to say before that which the counting itself has to say.
        """
        known = {path: file for path, file in self._files.items() if present is None or present(path)}
        couplings = self._couplings(known)
        complexity = complexity or {}
        files = [
            self._file(path, file, complexity.get(path, 0), couplings.get(path, [])) for path, file in known.items()
        ]
        files.sort(key=lambda one: (-one.hot_spot, -one.churn, one.path))
        touched: dict[str, int] = {}
        for file in self._files.values():
            for name in file.authors:
                touched[name] = touched.get(name, 0) + 1
        authors = [
            AuthorHistory(
                name, one.commits, one.merges, one.added, one.removed, touched.get(name, 0), one.first, one.last
            )
            for name, one in self._authors.items()
        ]
        authors.sort(key=lambda one: (-one.commits, one.author))
        return HistoryReport(
            revision=revision,
            commits=self.commits,
            merges=self.merges,
            authors=tuple(authors),
            files=tuple(files),
            messages=self._messages.report(),
            bus_factor=bus_factor([_who_knows(file) for file in known.values()]),
            shallow=shallow,
            notes=(*notes, *self._notes()),
        )

    def _notes(self) -> Iterable[str]:
        if self._unmeasured:
            yield f"{self._unmeasured:,} changes of binary or very large files count as commits, and have no lines."
        if self._let_go:
            yield f"More than {MOST_PAIRS:,} pairs of files changed together: the rarest are not in the couplings."

    def _file(self, path: str, file: _File, complexity: int, couplings: list[Coupling]) -> FileHistory:
        by_commits = sorted(file.authors.items(), key=lambda pair: (-pair[1][0], pair[0]))
        return FileHistory(
            path=path,
            commits=file.commits,
            authors={name: counts[0] for name, counts in by_commits},
            first_changed=file.first,
            last_changed=file.last,
            added=file.added,
            removed=file.removed,
            complexity=complexity,
            hot_spot=float(file.churn * complexity),
            couplings=tuple(couplings),
            bus_factor=_majority([counts[1] for counts in file.authors.values()]),
        )

    def _couplings(self, known: Mapping[str, _File]) -> dict[str, list[Coupling]]:
        found: dict[str, list[Coupling]] = {}
        for (one, other), together in self._pairs.items():
            if together < _LEAST_TOGETHER or one not in known or other not in known:
                continue
            for path, partner in ((one, other), (other, one)):
                share = together / known[path].commits
                if share >= _LEAST_SHARE:
                    found.setdefault(path, []).append(Coupling(partner, together, share))
        for couplings in found.values():
            couplings.sort(key=lambda each: (-each.share, -each.together, each.path))
            del couplings[_MOST_COUPLINGS:]
        return found


def _majority(parts: Iterable[int]) -> int:
    """How many of the greatest parts make more than half of the whole."""
    ordered = sorted(parts, reverse=True)
    total, held = sum(ordered), 0
    for count, part in enumerate(ordered, 1):
        held += part
        if held * 2 > total:
            return count
    return len(ordered)


def _who_knows(file: _File) -> frozenset[str]:
    if not file.churn:
        return frozenset(file.authors)
    return frozenset(name for name, (_, churn) in file.authors.items() if churn * _KNOWS >= file.churn)


def bus_factor(who_knows: Iterable[frozenset[str]]) -> int:
    """How many people must leave until more than half of the files have nobody who knows them.

    Args:
        who_knows: for each file those who know it.

    Returns:
        The number, found by letting the one go who knows the most of what is still known; 0 without files.
    """
    left = list(who_knows)
    total, gone = len(left), 0
    left = [people for people in left if people]
    while total and (total - len(left)) * 2 <= total:
        counts: dict[str, int] = {}
        for people in left:
            for name in people:
                counts[name] = counts.get(name, 0) + 1
        leaver = min(counts, key=lambda name: (-counts[name], name))
        left = [rest for people in left if (rest := people - {leaver})]
        gone += 1
    return gone
