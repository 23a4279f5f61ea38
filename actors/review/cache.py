"""The cache of a review: reports of files by the hash of what is in them."""

from __future__ import annotations

import hashlib
import os
import stat
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from actors.analysis.filereport import FileReport
from actors.review.cachefile import analyser_version, content_key, decode, depends_on_content, encode

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Known", "ReportCache", "Stamp", "default_folder", "remember"]

# The number is that of the tables; another one is another file, so that two versions do not quarrel over one.
_FILE = "reports-1.sqlite3"
_TABLES = """
CREATE TABLE IF NOT EXISTS reports (
    version TEXT, key TEXT, body TEXT, checksum INTEGER, size INTEGER, used INTEGER, PRIMARY KEY (version, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sizes ON reports (version, size);
CREATE TABLE IF NOT EXISTS places (
    root BLOB, path BLOB, size INTEGER, mtime INTEGER, ctime INTEGER, inode INTEGER, sha256 TEXT, seen INTEGER,
    PRIMARY KEY (root, path)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, body TEXT, checksum INTEGER, used INTEGER) WITHOUT ROWID;
"""
_PUT_PLACE = "INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_WAIT = 5.0
_DAY = 86_400
_KEPT_DAYS = 30
_MOST = 200_000
_MOST_ENTRIES = 1_000_000
# A file that was written just before it was looked at may be written again without another time of change.
_RACY_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the file system says of a file: if none of it changes, neither did the file."""

    size: int
    mtime: int
    ctime: int
    inode: int
    seen: int


@dataclass(frozen=True, slots=True)
class Known:
    """What need not be analysed again.

    Args:
        reports: by path.
        contents: the hashes of what is in the files, by path, as far as they are known.
        stamps: of all regular files, as they were before anything was read.
        notes: sentences for people on what is wrong with the cache.
    """

    reports: Mapping[str, FileReport] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)
    stamps: Mapping[str, Stamp] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class ReportCache:
    """The reports of files that were analysed before, in one SQLite file.

    A file is known by its bytes. So that a second run need not read what has not changed, the cache also keeps for
    each place in a tree what the file system said of it; only where that differs is the file read and hashed. Several
    reviews may use one cache at once. Whatever is wrong with it costs time, never a review: it is told in a note.

    Args:
        folder: where it lies; made when it is first written, for its owner alone.
    """

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(folder)
        self._path = os.path.join(self.folder, _FILE)

    def known(self, root: str, paths: Sequence[str], max_bytes: int, others: Sequence[str] = ()) -> Known:
        """Look up files.

        Args:
            root: the folder that the paths are relative to.
            paths: the files that are analysed.
            max_bytes: a larger file is not taken from the cache either: it is to be reported.
            others: files that are not analysed, but checked; of these the hashes alone are wanted.
        """
        stamps = dict(_stamps(root, (*paths, *others)))
        if not others and not os.path.exists(self._path):
            return Known(stamps=stamps)
        notes: list[str] = []
        reports: dict[str, FileReport] = {}
        contents: dict[str, str] = {}
        small = {path: stamp for path, stamp in stamps.items() if stamp.size <= max_bytes}
        with self._told(notes), self._open() as database:
            files = _Files(database, root)
            analysed = {path: small[path] for path in paths if path in small}
            broken = _look_up(database, files, analysed, reports)
            contents = {path: report.sha256 for path, report in reports.items()}
            contents |= {path: sha256 for path in others if path in small and (sha256 := files.hash(path, small[path]))}
            files.keep()
            if broken:
                what = "1 entry" if broken == 1 else f"{broken:,} entries"
                notes.append(f"The cache has {what} that cannot be read: the files were analysed again.")
        return Known(reports, contents, stamps, tuple(notes))

    def remember(self, root: str, reports: Iterable[FileReport], stamps: Mapping[str, Stamp]) -> str:
        """Keep reports.

        Args:
            root: as for `known`.
            reports: what was analysed now.
            stamps: of the files before they were read, as `known` gave them.

        Returns:
            A note for people if it could not be done; else nothing.
        """
        notes: list[str] = []
        with self._told(notes), self._open() as database:
            _keep(database, root, reports, stamps)
        return " ".join(notes)

    def entries(self, keys: Sequence[str]) -> tuple[dict[str, str], str]:
        """Look up what was kept under some keys.

        Args:
            keys: made of all that decides what is kept.

        Returns:
            What there is of it, whole as it was; and a note for people if something is wrong with the cache.
        """
        notes: list[str] = []
        found: dict[str, str] = {}
        if not keys or not os.path.exists(self._path):
            return found, ""
        with self._told(notes), self._open() as database:
            broken = _look_up_entries(database, keys, found)
            if broken:
                what = "1 entry" if broken == 1 else f"{broken:,} entries"
                notes.append(f"The cache has {what} that cannot be read: it was found out again.")
        return found, " ".join(notes)

    def keep(self, bodies: Mapping[str, str]) -> str:
        """Keep texts by their keys; gives a note for people if it could not be done."""
        notes: list[str] = []
        now = int(time.time())
        rows = [(key, body, zlib.crc32(body.encode()), now) for key, body in bodies.items()]
        with self._told(notes), self._open() as database:
            database.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", rows)
            _forget_old_entries(database, now)
        return " ".join(notes)

    def unchanged(self, root: str, stamps: Mapping[str, Stamp]) -> dict[str, str]:
        """The hashes of the files that are what they were, by path.

        Args:
            root: as for `known`.
            stamps: of the files when they were looked at first, as `known` gave them.
        """
        places: dict[bytes, tuple[Stamp, str]] = {}
        with self._told([]), self._open() as database:
            places = _places(database, root)
        found: dict[str, str] = {}
        for path, now in _stamps(root, list(stamps)):
            then, sha256 = places.get(os.fsencode(path), (None, ""))
            first = stamps[path]
            if then is None or not (_same(first, now) and _same(first, then)):
                continue
            if _unchanged(first, now) or _hash(os.path.join(root, path), now.size) == sha256:
                found[path] = sha256
        return found

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        import sqlite3  # noqa: PLC0415 - only a review with a cache needs it

        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        database = sqlite3.connect(self._path, timeout=_WAIT)
        try:
            database.executescript(_TABLES)
            with database:
                yield database
        finally:
            database.close()

    @contextmanager
    def _told(self, notes: list[str]) -> Iterator[None]:
        """What goes wrong inside becomes a note. A file that is no cache is taken out of the way."""
        import sqlite3  # noqa: PLC0415 - see _open

        try:
            yield
        except sqlite3.OperationalError as error:
            # Busy, full, not to be written: another time.
            notes.append(f"The cache in {self.folder!r} was not used: {error}.")
        except sqlite3.DatabaseError as error:
            for suffix in ("", "-journal"):
                with suppress(OSError):
                    os.unlink(self._path + suffix)
            notes.append(f"The cache in {self.folder!r} was damaged ({error}) and is made anew.")
        except OSError as error:
            notes.append(f"The cache in {self.folder!r} was not used: {error.strerror or error}.")


def default_folder(environment: Mapping[str, str]) -> str:
    """Where the cache is if nobody says otherwise: as the XDG base directory specification has it.

    Args:
        environment: variables, as `os.environ`.
    """
    base = environment.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        # The specification: a relative path is to be ignored.
        base = os.path.join(environment.get("HOME") or os.path.expanduser("~"), ".cache")
    return os.path.join(base, "actors", "review")


def remember(folder: str, root: str, batches: Sequence[Sequence[FileReport]], stamps: Mapping[str, Stamp]) -> str:
    """Keep what several tasks brought back. See `ReportCache.remember`."""
    return ReportCache(folder).remember(root, (report for batch in batches for report in batch), stamps)


def _stamps(root: str, paths: Sequence[str]) -> Iterator[tuple[str, Stamp]]:
    now = time.time_ns()
    for path in paths:
        try:
            status = os.lstat(os.path.join(root, path))
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(status.st_mode):
            yield path, Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, now)


class _Files:
    """The files of a tree, of which only those that may have changed are read."""

    def __init__(self, database: sqlite3.Connection, root: str) -> None:
        self._database = database
        self._root = root
        self._places = _places(database, root)
        self._read: list[tuple[Any, ...]] = []

    def hash(self, path: str, stamp: Stamp) -> str:
        """The hash of what is in a file; nothing if it cannot be read."""
        then, sha256 = self._places.get(os.fsencode(path), (None, ""))
        if then is None or not _unchanged(then, stamp):
            sha256 = _hash(os.path.join(self._root, path), stamp.size)
            if sha256:
                self._read.append(_place(self._root, path, stamp, sha256))
        return sha256

    def keep(self) -> None:
        """Keep what was found out."""
        self._database.executemany(_PUT_PLACE, self._read)


def _look_up(
    database: sqlite3.Connection, files: _Files, stamps: Mapping[str, Stamp], reports: dict[str, FileReport]
) -> int:
    """Fill `reports` with what is known; gives the number of entries that cannot be read."""
    version = analyser_version()
    sizes = {size for (size,) in database.execute("SELECT DISTINCT size FROM reports WHERE version = ?", (version,))}
    broken = 0
    old: list[str] = []
    now = int(time.time())
    for path, stamp in stamps.items():
        if stamp.size not in sizes:
            continue
        sha256 = files.hash(path, stamp)
        key = content_key(sha256, path)
        row = database.execute(
            "SELECT body, checksum, used FROM reports WHERE version = ? AND key = ?", (version, key)
        ).fetchone()
        if row is None:
            continue
        report = decode(row[0], row[1], path)
        if report is None or report.sha256 != sha256:
            broken += 1
            database.execute("DELETE FROM reports WHERE version = ? AND key = ?", (version, key))
            continue
        reports[path] = report
        if row[2] < now - _DAY:
            old.append(key)
    database.executemany(
        "UPDATE reports SET used = ? WHERE version = ? AND key = ?", [(now, version, key) for key in old]
    )
    return broken


def _places(database: sqlite3.Connection, root: str) -> dict[bytes, tuple[Stamp, str]]:
    return {
        path: (Stamp(size, mtime, ctime, inode, seen), sha256)
        for path, size, mtime, ctime, inode, sha256, seen in database.execute(
            "SELECT path, size, mtime, ctime, inode, sha256, seen FROM places WHERE root = ?", (os.fsencode(root),)
        )
    }


def _look_up_entries(database: sqlite3.Connection, keys: Sequence[str], found: dict[str, str]) -> int:
    """Fill `found`; gives the number of entries that cannot be read."""
    now = int(time.time())
    broken: list[tuple[str]] = []
    old: list[tuple[int, str]] = []
    for key in keys:
        row = database.execute("SELECT body, checksum, used FROM entries WHERE key = ?", (key,)).fetchone()
        if row is None:
            continue
        body, check, used = row
        if not isinstance(body, str) or zlib.crc32(body.encode(errors="replace")) != check:
            broken.append((key,))
            continue
        found[key] = body
        if not isinstance(used, int) or used < now - _DAY:
            old.append((now, key))
    database.executemany("DELETE FROM entries WHERE key = ?", broken)
    database.executemany("UPDATE entries SET used = ? WHERE key = ?", old)
    return len(broken)


def _forget_old_entries(database: sqlite3.Connection, now: int) -> None:
    database.execute("DELETE FROM entries WHERE used < ?", (now - _KEPT_DAYS * _DAY,))
    (count,) = database.execute("SELECT count(*) FROM entries").fetchone()
    if count > _MOST_ENTRIES:
        database.execute(
            "DELETE FROM entries WHERE key IN (SELECT key FROM entries ORDER BY used LIMIT ?)",
            (count - _MOST_ENTRIES,),
        )


def _same(then: Stamp, now: Stamp) -> bool:
    return (then.size, then.mtime, then.ctime, then.inode) == (now.size, now.mtime, now.ctime, now.inode)


def _unchanged(then: Stamp, now: Stamp) -> bool:
    return _same(then, now) and max(then.mtime, then.ctime) + _RACY_NS < then.seen


def _place(root: str, path: str, stamp: Stamp, sha256: str) -> tuple[Any, ...]:
    # As bytes: a name need not be any text.
    where = (os.fsencode(root), os.fsencode(path))
    return (*where, stamp.size, stamp.mtime, stamp.ctime, stamp.inode, sha256, stamp.seen)


def _hash(path: str, size: int) -> str:
    """The hash of a file; nothing if it cannot be read or is not as large as it was."""
    try:
        # Without following a link, and without waiting at a pipe that took the file's place.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            data = file.read(size + 1)
    except OSError:
        return ""
    return hashlib.sha256(data).hexdigest() if len(data) == size else ""


def _keep(database: sqlite3.Connection, root: str, reports: Iterable[FileReport], stamps: Mapping[str, Stamp]) -> None:
    version, now = analyser_version(), int(time.time())
    entries: list[tuple[Any, ...]] = []
    places: list[tuple[Any, ...]] = []
    for report in reports:
        stamp = stamps.get(report.path)
        if stamp is None or not depends_on_content(report) or stamp.size != report.bytes:
            continue
        body, check = encode(report)
        entries.append((version, content_key(report.sha256, report.path), body, check, report.bytes, now))
        places.append(_place(root, report.path, stamp, report.sha256))
    database.executemany("INSERT OR REPLACE INTO reports VALUES (?, ?, ?, ?, ?, ?)", entries)
    database.executemany(_PUT_PLACE, places)
    database.execute("DELETE FROM reports WHERE used < ?", (now - _KEPT_DAYS * _DAY,))
    database.execute("DELETE FROM places WHERE seen < ?", ((now - _KEPT_DAYS * _DAY) * 10**9,))
    (count,) = database.execute("SELECT count(*) FROM reports").fetchone()
    if count > _MOST:
        database.execute(
            "DELETE FROM reports WHERE (version, key) IN (SELECT version, key FROM reports ORDER BY used LIMIT ?)",
            (count - _MOST,),
        )
