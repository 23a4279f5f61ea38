"""Reading the whole history of a repository into a report."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pygit2

from actors.analysis.languages import language_of
from actors.errors import ConfigError
from actors.gitrepo.commits import walk
from actors.gitrepo.complexity import complexity_of, paths_of
from actors.gitrepo.history import HistoryReport
from actors.gitrepo.patterns import matcher
from actors.gitrepo.repository import commit_at, told
from actors.gitrepo.tally import HistoryTally

__all__ = ["read_history", "seconds_of"]

_ISO = 'seconds since 1970, or a date as "2026-01-31" or "2026-01-31T12:00:00+00:00"'


def read_history(
    repository: pygit2.Repository,
    *,
    revision: str = "HEAD",
    base: str | None = None,
    paths: Any = None,
    since: Any = None,
    until: Any = None,
    renames: bool = True,
    complexity: bool | Mapping[str, int] = True,
    tell: Callable[[str, int], None] | None = None,
) -> HistoryReport:
    """Read the history behind a commit.

    Args:
        repository: as `open_repository` gives it.
        revision: the newest commit.
        base: leave out this commit and all that it follows.
        paths: count these files only (see `matcher`), and the commits that change them; None counts all.
        since, until: count commits of this time only, both inclusive, by the time of the committing.
        renames: follow files to the names that they had before.
        complexity: measure it for the hot spots; or what is known of it, by path.
        tell: hears now and then what is being done, and how many are done.

    Returns:
        The report. A repository without commits has an empty one.

    Raises:
        ConfigError: a value that is not allowed.
        GitFailed: a commit is not there, or the repository is damaged.
    """
    keep = None if paths is None else matcher(paths)
    earliest = -math.inf if since is None else seconds_of(since, "since")
    latest = math.inf if until is None else seconds_of(until, "until", end=True)
    if revision == "HEAD" and repository.head_is_unborn:
        return HistoryReport("", 0, 0, (), (), notes=("The repository has no commits yet.",))
    start = commit_at(repository, revision)
    without = None if base is None else commit_at(repository, base, "base")
    tally = HistoryTally(keep)
    seen = 0

    def wanted(commit: pygit2.Commit) -> bool:
        nonlocal seen
        seen += 1
        if tell is not None:
            tell("commits", seen)
        return earliest <= commit.commit_time <= latest

    for commit in walk(repository, start, without=without, wanted=wanted, renames=renames):
        tally.add(commit)
    files = paths_of(repository, start.tree)
    if complexity is True:
        known = {path: oid for path, oid in files.items() if language_of(path) and path in tally.paths}
        with told(repository, "the files of a commit cannot be read"):
            measured: Mapping[str, int] = complexity_of(
                repository, known, None if tell is None else partial(tell, "files")
            )
    else:
        measured = complexity or {}
    notes = []
    if repository.is_shallow:
        notes.append("The clone is shallow: what was before its oldest commits is not known, nor what those changed.")
    return tally.report(
        str(start.id), present=files.__contains__, complexity=measured, shallow=repository.is_shallow, notes=notes
    )


def seconds_of(value: Any, key: str, *, end: bool = False) -> float:
    """A moment in seconds since 1970.

    Args:
        value: such seconds, or a date and time by ISO 8601; UTC unless it names another zone.
        key: the name of the field, for errors.
        end: a date without a time means its last second instead of its first.

    Raises:
        ConfigError: it is neither.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if isinstance(value, dt.datetime):
        value = value.isoformat()
    elif isinstance(value, dt.date):
        # What YAML makes of a date.
        value = value.isoformat()
    if isinstance(value, str):
        try:
            moment = dt.datetime.fromisoformat(value)
            if end and len(value) <= len("2026-01-31"):
                moment = moment.replace(hour=23, minute=59, second=59)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=dt.UTC)
            return moment.timestamp()
        except ValueError:
            pass
    raise ConfigError(f"{key} is {_ISO}, not {value!r}", key=key, value=value, allowed=_ISO)
