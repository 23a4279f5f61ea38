"""Which file is in which language."""

from __future__ import annotations

import pytest

from actors.analysis.languages import SUFFIXES, SUPPORTED, label_of, language_of


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a.py", "python"),
        ("deep/er/A.PY", "python"),
        ("stub.pyi", "python"),
        ("x.tar.ts", "typescript"),
        ("Rakefile", "ruby"),
        ("dir.py/README", None),
        (".py", None),
        ("py", None),
        ("", None),
        ("a.pyc", None),
    ],
)
def test_the_name_tells_the_language(path: str, language: str | None) -> None:
    """A1: file_analyzer takes source files and leaves others alone."""
    assert language_of(path) == language


def test_every_suffix_is_of_a_supported_language_with_a_label() -> None:
    """A1: the languages that are taken have names for people."""
    assert set(SUFFIXES.values()) == set(SUPPORTED)
    assert all(label_of(language) for language in SUPPORTED)
    assert label_of(None) == "unknown"
