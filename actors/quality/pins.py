"""Dependencies that a tree pins to one version, as its requirement and lock files have them."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from actors.quality.target import Target

__all__ = ["Ecosystem", "LockError", "Pin", "canonical", "pins_in"]

Ecosystem = Literal["PyPI", "npm"]

_REQUIREMENTS = re.compile(r"(?:.*[-_.])?(?:requirements|constraints)(?:[-_.].*)?\.(?:txt|in)$", re.IGNORECASE)
_IN_FOLDER = re.compile(r"(?:^|/)requirements/[^/]+\.(?:txt|in)$")
_PINNED = re.compile(
    r"^\s*(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*={2,3}\s*(?P<version>[^\s;#,*\\]+)"
    r"\s*(?:[;#\\].*)?$"
)
_TOML_LOCKS: Final = {"poetry.lock": "package", "uv.lock": "package", "pdm.lock": "package", "pylock.toml": "packages"}
_PYLOCK = re.compile(r"pylock\.[^.]+\.toml")


class LockError(ValueError):
    """A lock file is not what its name says."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One dependency at one version, and where it is said. `line` is None where the format has none."""

    ecosystem: Ecosystem
    name: str
    version: str
    path: str
    line: int | None


def pins_in(target: Target) -> list[Pin]:
    """The pins of a file, by its name: requirements, and the lock files of pip, Poetry, uv, PDM, Pipenv and npm.

    Raises:
        ValueError: it is such a file and cannot be read as one.
    """
    name = os.path.basename(target.path)
    if target.text is None:
        return []
    if _REQUIREMENTS.match(name) or _IN_FOLDER.search(target.path):
        return list(_requirements(target.text, target.path))
    table = _TOML_LOCKS.get(name) or ("packages" if _PYLOCK.fullmatch(name) else None)
    if table is not None:
        return list(_toml_lock(target.text, table, target.path))
    if name == "Pipfile.lock":
        return list(_pipfile(target.text, target.path))
    if name in {"package-lock.json", "npm-shrinkwrap.json"}:
        return list(_npm(target.text, target.path))
    return []


def canonical(ecosystem: str, name: str) -> str:
    """The one spelling of a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower() if ecosystem == "PyPI" else name


def _requirements(text: str, path: str) -> Iterator[Pin]:
    for number, line in enumerate(text.split("\n"), 1):
        # Hashes and other options may follow on the same line.
        found = _PINNED.match(line.partition(" --")[0])
        if found:
            yield Pin("PyPI", found["name"], found["version"], path, number)


def _toml_lock(text: str, table: str, path: str) -> Iterator[Pin]:
    # TOMLDecodeError is a ValueError.
    packages = tomllib.loads(text).get(table, [])
    for one in _mappings(packages, path):
        name, version = one.get("name"), one.get("version")
        if isinstance(name, str) and isinstance(version, str):
            yield Pin("PyPI", name, version, path, _line_of(text, f'name = "{name}"'))


def _pipfile(text: str, path: str) -> Iterator[Pin]:
    data = _json_object(text, path)
    for section in ("default", "develop"):
        packages = data.get(section) or {}
        if not isinstance(packages, dict):
            raise LockError(f"{path}: {section} is no table")
        for name, one in packages.items():
            version = one.get("version", "") if isinstance(one, dict) else ""
            if isinstance(version, str) and version.startswith("=="):
                yield Pin("PyPI", name, version.lstrip("="), path, _line_of(text, f'"{name}": {{'))


def _npm(text: str, path: str) -> Iterator[Pin]:
    data = _json_object(text, path)
    packages = data.get("packages")
    if isinstance(packages, dict):
        for place, one in packages.items():
            name = one.get("name") or place.rpartition("node_modules/")[2] if isinstance(one, dict) else ""
            if place and name and not one.get("link") and isinstance(one.get("version"), str):
                yield Pin("npm", name, one["version"], path, _line_of(text, f'"{place}": {{'))
        return
    todo: list[Any] = [data.get("dependencies")]
    while todo:
        dependencies = todo.pop()
        for name, one in dependencies.items() if isinstance(dependencies, dict) else ():
            if isinstance(one, dict) and isinstance(one.get("version"), str):
                yield Pin("npm", name, one["version"], path, _line_of(text, f'"{name}": {{'))
                todo.append(one.get("dependencies"))


def _json_object(text: str, path: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except RecursionError:
        raise LockError(f"{path} is nested too deeply") from None
    if not isinstance(data, dict):
        raise LockError(f"{path} is no JSON object")
    return data


def _mappings(values: Any, path: str) -> Iterator[dict[str, Any]]:
    if not isinstance(values, list):
        raise LockError(f"{path}: its packages are no list")
    yield from (one for one in values if isinstance(one, dict))


def _line_of(text: str, part: str) -> int | None:
    index = text.find(part)
    return None if index < 0 else text.count("\n", 0, index) + 1
