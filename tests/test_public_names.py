"""The public names: what `actors` offers is one list, and each name is what it says."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import actors


def test_the_list_the_places_and_the_types_name_the_same() -> None:
    """The face: `__all__`, where each name is loaded from, and what type checkers see agree."""
    tree = ast.parse(Path(actors.__file__).read_text("utf-8"))
    typed = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == actors._HOME
    assert sorted(actors.__all__) == sorted(actors._HOME)


def test_each_public_name_is_the_one_of_its_own_module() -> None:
    """The face: loading a name late changes nothing about it."""
    for name, home in actors._HOME.items():
        assert getattr(actors, name) is getattr(importlib.import_module(home), name)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """The face: like any module."""
    with pytest.raises(AttributeError, match="nothing"):
        _ = actors.nothing


def test_importing_the_package_imports_none_of_its_parts() -> None:
    """Principle 9: pay for what is used."""
    code = "import sys, actors; print([name for name in sys.modules if name.startswith('actors.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"


def test_structlog_psutil_cloudpickle_and_sqlite_come_when_they_are_first_used() -> None:
    """Principle 9: the face does not need them."""
    code = (
        "import sys; from actors import ActorSystem, Worker, task; "
        "print([name for name in ('structlog', 'psutil', 'cloudpickle', 'sqlite3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"
