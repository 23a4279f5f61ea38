"""Reading what may be anything."""

from __future__ import annotations

import codecs
import os
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.analysis.lines import count_byte_lines, count_lines, split_lines
from actors.analysis.source import Source, Unreadable, read_source

if TYPE_CHECKING:
    from pathlib import Path


def problem(path: object, language: str = "python", max_bytes: int = 1000) -> str:
    read = read_source(str(path), max_bytes, language=language)
    assert isinstance(read, Unreadable), read
    assert read.detail
    return read.kind


def test_a_text_file_is_read_with_its_line_ends_made_one(tmp_path: Path) -> None:
    """A1: CR, LF and CR LF all end a line."""
    file = tmp_path / "a.py"
    file.write_bytes(b"a = 1\r\nb = 2\rc = 3\n")
    read = read_source(str(file), language="python")
    assert isinstance(read, Source)
    assert read.text == "a = 1\nb = 2\nc = 3\n"
    assert read.data == b"a = 1\r\nb = 2\rc = 3\n"


def test_a_coding_cookie_is_obeyed(tmp_path: Path) -> None:
    """A1: Python sources are decoded as PEP 263 says."""
    file = tmp_path / "a.py"
    file.write_bytes("# -*- coding: latin-1 -*-\nname = 'ä'\n".encode("latin-1"))
    read = read_source(str(file), language="python")
    assert isinstance(read, Source)
    assert "ä" in read.text


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE])
def test_wide_encodings_are_told_by_their_mark(tmp_path: Path, mark: bytes) -> None:
    """A1: a UTF-16 or UTF-32 file is text, for all its NUL bytes."""
    names = {
        codecs.BOM_UTF16_LE: "utf-16-le",
        codecs.BOM_UTF16_BE: "utf-16-be",
        codecs.BOM_UTF32_LE: "utf-32-le",
        codecs.BOM_UTF32_BE: "utf-32-be",
    }
    file = tmp_path / "a.c"
    file.write_bytes(mark + "int ä;\n".encode(names[mark]))
    read = read_source(str(file), language="c")
    assert isinstance(read, Source)
    assert read.text == "int ä;\n"


def test_what_is_no_text_has_a_name_each(tmp_path: Path) -> None:
    """A1: binary, huge, undecodable, unreadable, looping, missing files and things that are no files."""
    file = tmp_path / "a.py"
    file.write_bytes(b"\x7fELF\0\0")
    assert problem(file) == "binary"
    file.write_bytes(b"#" * 1001)
    assert problem(file) == "huge"
    file.write_bytes(b"name = '\xff'\n")
    assert problem(file) == "undecodable"
    file.write_bytes(b"# coding: no-such-codec\n")
    assert problem(file) == "undecodable"
    file.write_bytes(b"# coding: hex\n6162\n")
    assert problem(file) == "undecodable"
    assert problem(tmp_path / "none.py") == "missing"
    assert problem(tmp_path / "bad\0name.py") == "missing"
    assert problem(file / "below.py") == "missing"
    assert problem(tmp_path) == "not_a_file"
    assert problem("/dev/null") == "not_a_file"
    # A regular file that opens and whose first page cannot be read, for root too.
    assert problem("/proc/self/mem") == "unreadable"


def test_loops_and_dangling_links_are_told(tmp_path: Path) -> None:
    """A1: a symbolic link that leads back to itself is reported."""
    one, two, dangling = (tmp_path / name for name in ("one.py", "two.py", "dangling.py"))
    one.symlink_to(two)
    two.symlink_to(one)
    dangling.symlink_to(tmp_path / "nowhere.py")
    assert problem(one) == "symlink_loop"
    assert problem(dangling) == "missing"


@pytest.mark.timeout(10)
def test_pipes_and_sockets_are_never_opened(tmp_path: Path) -> None:
    """A1: nothing waits for the other end of a pipe."""
    os.mkfifo(tmp_path / "pipe.py")
    assert problem(tmp_path / "pipe.py") == "not_a_file"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.py"))
        assert problem(tmp_path / "socket.py") == "not_a_file"


def test_the_lines_of_an_undecodable_file_are_counted(tmp_path: Path) -> None:
    """A1: what is known of a reported file is told."""
    file = tmp_path / "a.py"
    file.write_bytes(b"# coding: no-such\n\nx = 1")
    read = read_source(str(file), language="python")
    assert isinstance(read, Unreadable)
    assert (read.lines.total, read.lines.blank, read.size) == (3, 1, len(read.data))


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["python", "c"]))
def test_no_bytes_make_it_raise(tmp_path_factory: pytest.TempPathFactory, data: bytes, language: str) -> None:
    """A1: whatever a file holds, it is read or reported."""
    file = tmp_path_factory.getbasetemp() / "any"
    file.write_bytes(data)
    read = read_source(str(file), language=language)
    assert isinstance(read, Source | Unreadable)


@settings(deadline=None)
@given(st.text(alphabet="a# \t\n\f\v\x1c\u2028"))
def test_lines_end_at_line_feeds_alone_and_sum_up(text: str) -> None:
    """A1: form feeds and other separators end no line; total is code, comment and blank together."""
    lines = split_lines(text)
    counts = count_lines(lines, bytearray(len(lines)))
    assert counts.total == text.count("\n") + bool(text and not text.endswith("\n"))
    assert counts.total == counts.code + counts.comment + counts.blank
    assert count_byte_lines(text.encode()).total == counts.total
