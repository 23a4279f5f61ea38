"""Which file is written in which language, told by its name alone."""

from __future__ import annotations

import os
from types import MappingProxyType

__all__ = ["SUFFIXES", "SUPPORTED", "label_of", "language_of"]

_SUFFIXES_OF = {
    "bash": (".sh", ".bash"),
    "c": (".c", ".h"),
    "cpp": (".cc", ".cpp", ".cxx", ".c++", ".hh", ".hpp", ".hxx", ".h++", ".ipp", ".tpp"),
    "go": (".go",),
    "java": (".java",),
    "javascript": (".js", ".mjs", ".cjs", ".jsx"),
    "python": (".py", ".pyi", ".pyw"),
    "ruby": (".rb", ".rake", ".gemspec"),
    "rust": (".rs",),
    "tsx": (".tsx",),
    "typescript": (".ts", ".mts", ".cts"),
}

SUFFIXES = MappingProxyType({suffix: language for language, some in _SUFFIXES_OF.items() for suffix in some})
"""The language of each suffix. A header (`.h`) counts as C until its text shows that it is C++."""

_NAMES = MappingProxyType({"Rakefile": "ruby", "Gemfile": "ruby", "SConstruct": "python", "SConscript": "python"})

_LABELS = MappingProxyType(
    {
        "bash": "Shell",
        "c": "C",
        "cpp": "C++",
        "go": "Go",
        "java": "Java",
        "javascript": "JavaScript",
        "python": "Python",
        "ruby": "Ruby",
        "rust": "Rust",
        "tsx": "TypeScript (TSX)",
        "typescript": "TypeScript",
    },
)

SUPPORTED = tuple(sorted(_SUFFIXES_OF))
"""The languages that the analysis takes."""


def language_of(path: str) -> str | None:
    """The language of a file, told by its name.

    Args:
        path: any path; only its last part is looked at, and suffixes in either case count (`.PY`).

    Returns:
        One of `SUPPORTED`, or None for a file that the analysis does not take.
    """
    name = os.path.basename(path)
    known = _NAMES.get(name)
    if known is not None:
        return known
    stem, suffix = os.path.splitext(name)
    return SUFFIXES.get(suffix.lower()) if stem else None


def label_of(language: str | None) -> str:
    """The name of a language as people write it."""
    if language is None:
        return "unknown"
    return _LABELS.get(language, language)
