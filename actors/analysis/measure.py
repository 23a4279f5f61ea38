"""The analysis of one file."""

from __future__ import annotations

import hashlib
import os
import time

from actors.analysis.filereport import FileReport
from actors.analysis.generic import measure_generic
from actors.analysis.languages import SUPPORTED, language_of
from actors.analysis.measured import Measured
from actors.analysis.python import measure_python
from actors.analysis.source import MAX_BYTES, Unreadable, read_source

__all__ = ["analyse_file"]


def analyse_file(path: str, root: str | None = None, *, max_bytes: int = MAX_BYTES) -> FileReport:
    """Analyse one file.

    Args:
        path: the file; relative paths are taken from `root` if there is one.
        root: the folder that the path in the report is relative to; without it, the path stays as given.
        max_bytes: a larger file is reported and not read.

    Returns:
        The report. What cannot be read or is in no language of `SUPPORTED` is reported with its problem; what does
        not parse is analysed as far as possible and has a finding. Nothing that a file holds makes this raise.

    Raises:
        ConfigError: the extra `review` is not installed.
        ValueError: `max_bytes` is less than 1.
    """
    if max_bytes < 1:
        message = f"max_bytes: expected 1 or more, got {max_bytes}"
        raise ValueError(message)
    started = time.perf_counter()
    full = os.path.join(root, path) if root is not None else path
    shown = (os.path.relpath(full, root) if root is not None else path).replace(os.sep, "/")
    language = language_of(full)
    if language is None:
        detail = f"no language that the analysis takes; it takes {', '.join(SUPPORTED)}"
        return FileReport(shown, None, "reported", "unsupported", detail)
    source = read_source(full, max_bytes, language=language)
    digest = hashlib.sha256(source.data).hexdigest() if source.data or not isinstance(source, Unreadable) else ""
    if isinstance(source, Unreadable):
        return FileReport(
            path=shown,
            language=language,
            status="reported",
            problem=source.kind,
            detail=source.detail,
            bytes=source.size,
            lines=source.lines,
            sha256=digest,
            seconds=time.perf_counter() - started,
        )
    measured = _measure(source.text, language, full)
    return FileReport(
        path=shown,
        language=measured.language or language,
        status="analysed",
        bytes=len(source.data),
        lines=measured.lines,
        functions=measured.functions,
        classes=measured.classes,
        imports=measured.imports,
        findings=measured.findings,
        sha256=digest,
        seconds=time.perf_counter() - started,
    )


def _measure(text: str, language: str, path: str) -> Measured:
    if language == "python":
        return measure_python(text)
    if language == "c" and path.lower().endswith(".h"):
        return _measure_header(text)
    return measure_generic(text, language)


def _measure_header(text: str) -> Measured:
    """A header's name does not tell C from C++: it is what it parses as with fewer faults, C if both are equal."""
    as_c = measure_generic(text, "c")
    if not as_c.findings:
        return as_c
    as_cpp = measure_generic(text, "cpp")
    return as_cpp if len(as_cpp.findings) < len(as_c.findings) else as_c
