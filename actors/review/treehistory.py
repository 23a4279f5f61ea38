"""What the commits of a repository tell about the files of a tree."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from actors.gitrepo.history import AuthorHistory, HistoryReport
from actors.review.codereport import CodeReport

__all__ = ["HotFile", "TreeHistory", "tree_history"]


@dataclass(frozen=True, slots=True)
class HotFile:
    """One file: how often it changes, and how much there is in it to go wrong.

    Args:
        path: relative to the root of the review.
        commits, authors: how many commits by how many people changed it.
        churn: lines added and removed by them.
        complexity: of all its functions now.
        hot_spot: churn × complexity.
        last_changed: in seconds since 1970.
        bus_factor: how many of its authors made more than half of its churn.
        coupled: the file that changes with it most often, if there is one.
    """

    path: str
    commits: int
    authors: int
    churn: int
    complexity: int
    hot_spot: int
    last_changed: float
    bus_factor: int
    coupled: str = ""


@dataclass(frozen=True, slots=True)
class TreeHistory:
    """The history of the files that a review is about.

    Args:
        revision: the commit that it was read from.
        commits, merges: how many, also of files outside the tree; `commits` includes merges.
        people: who made them, most commits first.
        bus_factor: as `HistoryReport` has it.
        shallow: the repository holds a part of its history only.
        notes: what a reader must know about these figures.
        files: the hottest first.
    """

    revision: str
    commits: int
    merges: int
    people: tuple[AuthorHistory, ...]
    bus_factor: int
    shallow: bool
    notes: tuple[str, ...]
    files: tuple[HotFile, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)


def tree_history(report: HistoryReport, code: CodeReport, prefix: str) -> TreeHistory:
    """Join the history with the measures.

    Args:
        report: of the whole repository.
        code: the tree.
        prefix: where the tree lies in the repository, with `/` at its end; empty for its root.
    """
    known = {prefix + one.path: one for one in code.files}
    files = []
    for one in report.files:
        measured = known.get(one.path)
        if measured is None:
            continue
        coupled = one.couplings[0].path if one.couplings else ""
        files.append(
            HotFile(
                path=measured.path,
                commits=one.commits,
                authors=len(one.authors),
                churn=one.churn,
                complexity=measured.complexity,
                hot_spot=one.churn * measured.complexity,
                last_changed=one.last_changed,
                bus_factor=one.bus_factor,
                coupled=coupled.removeprefix(prefix),
            )
        )
    return TreeHistory(
        revision=report.revision,
        commits=report.commits,
        merges=report.merges,
        people=report.authors,
        bus_factor=report.bus_factor,
        shallow=report.shallow,
        notes=report.notes,
        files=tuple(sorted(files, key=lambda one: (-one.hot_spot, -one.churn, one.path))),
    )
