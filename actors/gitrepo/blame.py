"""Looking up where the lines of files come from."""

from __future__ import annotations

import os

import pygit2

from actors.gitrepo.commits import author_name, mailmap
from actors.gitrepo.lineage import BlameReport, LineOrigin

__all__ = ["MOST_BYTES", "blame"]

MOST_BYTES = 5 * 1024 * 1024
"""The lines of a larger file are not looked up."""


def blame(repository: pygit2.Repository, commit: pygit2.Commit, path: str) -> BlameReport:
    """Look up the lines of one file.

    Args:
        repository: as `open_repository` gives it.
        commit: the file as this commit has it; what the working tree has does not count.
        path: relative to the repository's root.

    Returns:
        The report. A file that is not there or has no lines says so in it; nothing that it holds makes this raise.
    """
    try:
        found = commit.tree[path]
    except (KeyError, ValueError, pygit2.GitError, TypeError):
        return BlameReport(path, problem="missing", detail=f"commit {str(commit.id)[:10]} has no such file")
    if not isinstance(found, pygit2.Blob):
        return BlameReport(path, problem="not_a_file", detail="a folder or a submodule where a file was expected")
    if found.size > MOST_BYTES:
        return BlameReport(path, problem="huge", detail=f"more than {MOST_BYTES:,} bytes, and was not looked into")
    if found.is_binary:
        return BlameReport(path, problem="binary", detail="a NUL byte near its beginning: it has no lines")
    try:
        lines = repository.blame(os.fsencode(path), newest_commit=commit.id)  # type: ignore[arg-type]
        return BlameReport(path, _merged(repository, lines))
    except (pygit2.GitError, KeyError, ValueError, OSError) as error:
        return BlameReport(path, problem="failed", detail=f"git could not look it up: {error}")


def _merged(repository: pygit2.Repository, lines: pygit2.blame.Blame) -> tuple[LineOrigin, ...]:
    names = mailmap(repository)
    people: dict[str, tuple[str, float]] = {}
    origins: list[LineOrigin] = []
    for hunk in lines:
        commit = str(hunk.final_commit_id)
        if commit not in people:
            whole = repository[hunk.final_commit_id].peel(pygit2.Commit)
            people[commit] = (author_name(whole.author, names), float(whole.commit_time))
        count = hunk.lines_in_hunk
        if not count:
            continue  # An empty file.
        if origins and origins[-1].commit == commit:
            first = origins.pop()
            origins.append(LineOrigin(first.line, first.lines + count, commit, *people[commit]))
        else:
            origins.append(LineOrigin(hunk.final_start_line_number, count, commit, *people[commit]))
    return tuple(origins)
