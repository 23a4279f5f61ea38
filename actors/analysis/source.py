"""Reading a source file that may be anything: each way in which it cannot be read has a name."""

from __future__ import annotations

import codecs
import errno
import io
import os
import stat
import tokenize
from dataclasses import dataclass, field

from actors.analysis.filereport import Problem
from actors.analysis.lines import LineCounts, count_byte_lines

__all__ = ["MAX_BYTES", "Source", "Unreadable", "read_source"]

MAX_BYTES = 5 * 1024 * 1024
"""A larger file is generated or data, and is reported instead of analysed."""

# As git does: a NUL among the first bytes makes it binary.
_BINARY_WINDOW = 8000

_WIDE = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of a file and the text in them, whose line ends are all LF."""

    data: bytes
    text: str
    encoding: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a file has no text for us. `lines` and `data` are there if its bytes could be read."""

    kind: Problem
    detail: str
    size: int = 0
    lines: LineCounts = field(default_factory=LineCounts)
    data: bytes = b""


def read_source(path: str, max_bytes: int = MAX_BYTES, *, language: str | None = None) -> Source | Unreadable:
    """Read and decode one file.

    Python files are decoded by their byte order mark or coding cookie (PEP 263), all others as UTF-8, or as
    UTF-16 or UTF-32 by their byte order mark. Pipes, sockets and devices are never opened.

    Args:
        path: symbolic links are followed.
        max_bytes: a larger file is not read.
        language: as from `language_of`.

    Returns:
        The source, or what kept it from being read. Never raises for what the file is or holds.
    """
    read = _read_bytes(path, max_bytes)
    if isinstance(read, Unreadable):
        return read
    try:
        encoding = _encoding_of(read, language)
        if encoding not in {"utf-16", "utf-32"} and b"\0" in read[:_BINARY_WINDOW]:
            offset = read.index(b"\0")
            return Unreadable("binary", f"a NUL byte at offset {offset}: this is no text", len(read), data=read)
        text = read.decode(encoding)
    except (SyntaxError, ValueError, LookupError) as error:
        # UnicodeError is a ValueError. A cookie may name any codec, and some of those raise what they like.
        return Unreadable("undecodable", _why(error), len(read), count_byte_lines(read), read)
    return Source(read, text.replace("\r\n", "\n").replace("\r", "\n"), encoding)


def _read_bytes(path: str, max_bytes: int) -> bytes | Unreadable:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return Unreadable("not_a_file", f"{_kind_of(status.st_mode)} where a file was expected")
        if status.st_size > max_bytes:
            return _huge(status.st_size, max_bytes)
        # The file may have been swapped for a pipe since: do not wait for its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                return Unreadable("not_a_file", f"{_kind_of(mode)} where a file was expected")
            data = file.read(max_bytes + 1)
    except OSError as error:
        return _refused(error)
    except ValueError as error:
        return Unreadable("missing", f"no file can have this name: {error}")
    return data if len(data) <= max_bytes else _huge(len(data), max_bytes)


def _huge(size: int, max_bytes: int) -> Unreadable:
    return Unreadable("huge", f"more than {max_bytes:,} bytes, and was not read", size)


def _refused(error: OSError) -> Unreadable:
    reason = error.strerror or type(error).__name__
    if error.errno == errno.ELOOP:
        return Unreadable("symlink_loop", "a symbolic link that leads back to itself")
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return Unreadable("missing", "no such file, or a symbolic link to none")
    return Unreadable("unreadable", f"the operating system refused: {reason}")


def _kind_of(mode: int) -> str:
    for test, name in (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a character device"),
        (stat.S_ISBLK, "a block device"),
    ):
        if test(mode):
            return name
    return "something else"


def _encoding_of(data: bytes, language: str | None) -> str:
    if language == "python":
        return tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    for mark, encoding in _WIDE:
        if data.startswith(mark):
            return encoding
    return "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte 0x{error.object[error.start]:02x} at offset {error.start} is not {error.encoding}"
    if isinstance(error, SyntaxError):
        return str(error.msg)
    return str(error) or type(error).__name__
