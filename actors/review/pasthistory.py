"""The history of a repository as an earlier review read it."""

from __future__ import annotations

import json

from actors.gitrepo.history import HistoryReport
from actors.review.cache import ReportCache
from actors.review.cachefile import code_of

__all__ = ["known_history", "remember_history"]

# A longer text would fill the cache more than it saves time.
_MOST_BYTES = 128 * 1024 * 1024


def known_history(cache: ReportCache, root: str) -> tuple[HistoryReport | None, str]:
    """Look up what was read of the same history.

    It is known for the very commit that is checked out. To go on from an older one would not be right: a file that a
    newer commit renames is counted under its new name in all older ones.

    Args:
        cache: where it was kept.
        root: a folder in the repository.

    Returns:
        The report, None if there is none; and the key under which to keep it, empty if it cannot be kept.
    """
    key = _key(root)
    if not key:
        return None, ""
    bodies, _ = cache.entries([key])
    try:
        return HistoryReport.from_dict(json.loads(bodies[key])), key
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return None, key


def remember_history(folder: str, root: str, key: str, report: HistoryReport) -> str:
    """Keep what was read, unless the repository changed meanwhile.

    Args:
        folder: of the cache.
        root: a folder in the repository.
        key: as `known_history` gave it.
        report: what was read.

    Returns:
        A note for people if it could not be done; else nothing.
    """
    if _key(root) != key:
        return ""
    body = json.dumps(report.to_dict(), separators=(",", ":"))
    return ReportCache(folder).keep({key: body}) if len(body) <= _MOST_BYTES else ""


def _key(root: str) -> str:
    try:
        from actors.gitrepo.historybasis import history_basis  # noqa: PLC0415 - pygit2 is an extra
    except ImportError:
        return ""
    basis = history_basis(root)
    return "" if basis is None else f"history:{basis}:{code_of('actors.gitrepo')}"
