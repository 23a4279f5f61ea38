"""What decides what a tool says of a file, beside what is in the file.

If none of it changes, the tool says the same again, and need not be asked. Where it cannot be known the tool is always
asked: eslint, whose configuration and plugins are programs; a tool whose settings lead to files that only the tool
finds; a program that cannot be known (see `actors.quality.program`).
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import stat
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, Final

from actors.quality.program import identity

__all__ = ["Basis", "digest", "speaking"]

_RUFF: Final = (".ruff.toml", "ruff.toml", "pyproject.toml")
_SHELLCHECK: Final = (".shellcheckrc", "shellcheckrc")
_YAMLLINT: Final = (".yamllint", ".yamllint.yaml", ".yamllint.yml")
# Signs of a setting that speaks of places by more than their names below the file that it stands in.
_PLACES = re.compile(rb"[\"']\s*/|\.\.|~|\$")
_SOURCES = re.compile(rb"external-sources|source-path")
_PLAIN_EXTENDS = re.compile(rb"(?m)^\s*extends:\s*+[\"']?+(?!(?:default|relaxed)\b)")
_VARIABLES: Final = {
    "ruff": ("RUFF_",),
    "bandit": ("BANDIT_", "PYTHON"),
    "shellcheck": ("SHELLCHECK_",),
    "yamllint": ("YAMLLINT_", "PYTHON"),
}


class _Unknown(Exception):
    """It cannot be known."""


def speaking(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of an environment that may speak to one of the tools."""
    prefixes = tuple(prefix for some in _VARIABLES.values() for prefix in some)
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(prefixes) or name in {"HOME", "XDG_CONFIG_HOME"}
    }


class Basis:
    """What decides beside the content, for the files of one tree. It looks at each folder and setting once.

    What each tool's answer depends on:

    - ruff: the settings above the file, up to the root of the file system, with those that they extend, and the
      user's; the path below the highest of them; which folders above the file are packages; whether the file may be
      executed; and, because the sorting of imports asks what is first-party, the names of modules and folders that
      lie beside the settings, in `src`, and where the setting `src` points.
    - bandit: `.bandit` and the table `tool.bandit` in the root, and the path below the root.
    - shellcheck: the `.shellcheckrc` that it may find, and the path below the root; and all other scripts that it is
      given, as it follows from one to another, which is left to whoever knows these.
    - yamllint: its settings in the root and above, the user's, and the path below the root.
    - all: the program, and the variables of the environment that speak to it.

    Args:
        root: the folder that tools run in, absolute.
        environment: variables, as `os.environ`; those that `speaking` takes are enough.
        programs: where the tools are, by name.
    """

    def __init__(self, root: str, environment: Mapping[str, str], programs: Mapping[str, str]) -> None:
        self._root = root
        self._environment = environment
        self._programs = programs
        self._tools: dict[str, str | None] = {}
        self._folders: dict[str, Any] = {}
        self._listed: dict[str, dict[str, bool]] = {}
        self._read: dict[str, bytes | None] = {}

    def of(self, tool: str, path: str) -> str | None:
        """What decides what a tool says of a file.

        Args:
            tool: its name.
            path: relative to the root.

        Returns:
            A hash; None if it cannot be known.
        """
        if tool == "secrets":
            return "-"
        look: dict[str, Callable[[str], Any]] = {
            "ruff": self._ruff,
            "bandit": self._bandit,
            "shellcheck": self._shellcheck,
            "yamllint": self._yamllint,
        }
        if tool not in look:
            return None
        if tool not in self._tools:
            self._tools[tool] = self._tool(tool)
        try:
            parts = None if self._tools[tool] is None else look[tool](path)
        except (_Unknown, OSError, ValueError):
            return None
        return None if parts is None else digest([self._tools[tool], parts])

    def _tool(self, tool: str) -> str | None:
        """What concerns a tool and no file: the program, and what the environment says to it."""
        program = self._programs.get(tool)
        known = None if program is None else identity(program, tool)
        said = {name: value for name, value in self._environment.items() if name.startswith(_VARIABLES[tool])}
        return None if known is None else digest([tool, known, sorted(said.items())])

    # ruff

    def _ruff(self, path: str) -> Any:
        full = os.path.join(self._root, path)
        folder = os.path.dirname(full)
        if folder not in self._folders:
            self._folders[folder] = self._ruff_of(folder)
        top, settings, packages = self._folders[folder]
        executable = bool(stat.S_IMODE(os.stat(full).st_mode) & 0o111)
        return [os.path.relpath(full, top), settings, packages, executable]

    def _ruff_of(self, folder: str) -> tuple[str, str, list[Any]]:
        """For all files of a folder: the highest folder with settings, what decides there, the packages above."""
        above = _above(folder)
        found = [os.path.join(one, name) for one in above for name in _RUFF if self._has(one, name)]
        top = min([self._root, *(os.path.dirname(one) for one in found)], key=len)
        settings = self._once(f"ruff {top!r} {found!r}", lambda: self._ruff_settings(found, top))
        packages = []
        for one in above:
            is_package = self._has(one, "__init__.py")
            if len(one) <= len(top) and not is_package:
                break
            packages.append((os.path.basename(one), is_package))
        return top, settings, packages

    def _ruff_settings(self, found: list[str], top: str) -> str:
        seen: dict[str, bytes] = {}
        for one in found:
            self._follow(one, seen)
        sources = {self._root, *(os.path.dirname(one) for one in seen)}
        sources |= {os.path.join(one, "src") for one in sources}
        for one, text in seen.items():
            sources.update(self._ruff_sources(one, text))
        config = self._config_folder("ruff")
        return digest(
            [
                [(os.path.relpath(one, top), _hash(text)) for one, text in sorted(seen.items())],
                [self._hash_of(os.path.join(config, name)) for name in _RUFF],
                [(os.path.relpath(one, top), self._modules(one)) for one in sorted(sources)],
                os.path.relpath(self._root, top),
                top if any(_PLACES.search(text) for text in seen.values()) else "",
            ]
        )

    def _follow(self, path: str, seen: dict[str, bytes]) -> None:
        """Read a file of settings, and what it extends."""
        path = os.path.abspath(path)
        if path in seen:
            return
        text = self._text(path)
        if text is None:
            raise _Unknown
        seen[path] = text
        extended = _ruff_table(path, text).get("extend")
        if extended is not None:
            self._follow(os.path.join(os.path.dirname(path), _expanded(extended)), seen)

    def _ruff_sources(self, path: str, text: bytes) -> list[str]:
        """The folders that the setting `src` names."""
        named = _ruff_table(path, text).get("src", [])
        if not isinstance(named, list):
            raise _Unknown
        base = os.path.dirname(path)
        return [one for name in named for one in glob.glob(os.path.join(base, _expanded(name)), recursive=True)]

    def _modules(self, folder: str) -> list[str]:
        """The names in a folder that an import could mean."""
        names = self._names(folder)
        found = {name for name, is_folder in names.items() if is_folder and name.isidentifier()}
        found |= {
            stem for stem, suffix in map(os.path.splitext, names) if suffix in {".py", ".pyi"} and stem.isidentifier()
        }
        return sorted(found)

    # The others

    def _bandit(self, path: str) -> Any:
        return [path, self._once("bandit", self._bandit_settings)]

    def _bandit_settings(self) -> Any:
        ini = self._text(os.path.join(self._root, ".bandit"))
        if ini is not None and b"baseline" in ini:
            raise _Unknown
        project = self._text(os.path.join(self._root, "pyproject.toml"))
        try:
            table = {} if project is None else tomllib.loads(project.decode()).get("tool", {})
        except tomllib.TOMLDecodeError:
            table = {}
        return [None if ini is None else _hash(ini), repr(table.get("bandit"))]

    def _shellcheck(self, path: str) -> Any:
        if self._environment.get("SHELLCHECK_OPTS"):
            raise _Unknown
        folders = _above(os.path.dirname(os.path.join(self._root, path)))
        found = [os.path.join(one, name) for one in folders for name in _SHELLCHECK if self._has(one, name)]
        users = (os.path.expanduser("~"), self._config_folder(""))
        found += [os.path.join(one, name) for one in users for name in _SHELLCHECK]
        texts = [self._text(one) for one in found]
        if any(text is not None and _SOURCES.search(text) for text in texts):
            raise _Unknown
        return [path, [None if text is None else _hash(text) for text in texts]]

    def _yamllint(self, path: str) -> Any:
        return [path, self._once("yamllint", self._yamllint_settings)]

    def _yamllint_settings(self) -> Any:
        if self._environment.get("YAMLLINT_CONFIG_FILE"):
            raise _Unknown
        found = [os.path.join(one, name) for one in _above(self._root) for name in _YAMLLINT if self._has(one, name)]
        found.append(os.path.join(self._config_folder("yamllint"), "config"))
        texts = [self._text(one) for one in found]
        if any(text is not None and (b"ignore-from-file" in text or _PLAIN_EXTENDS.search(text)) for text in texts):
            raise _Unknown
        return [None if text is None else _hash(text) for text in texts]

    # Looking

    def _once(self, name: str, look: Callable[[], Any]) -> Any:
        """What a look gives; the same for all files, so once."""
        if name not in self._folders:
            try:
                self._folders[name] = look()
            except (_Unknown, OSError, ValueError):
                self._folders[name] = _Unknown
        if self._folders[name] is _Unknown:
            raise _Unknown
        return self._folders[name]

    def _config_folder(self, name: str) -> str:
        base = self._environment.get("XDG_CONFIG_HOME", "")
        if not os.path.isabs(base):
            base = os.path.join(self._environment.get("HOME") or os.path.expanduser("~"), ".config")
        return os.path.join(base, name)

    def _names(self, folder: str) -> dict[str, bool]:
        """The names in a folder, each with whether it is a folder; none if it cannot be looked into."""
        if folder not in self._listed:
            try:
                with os.scandir(folder) as entries:
                    self._listed[folder] = {entry.name: entry.is_dir() for entry in entries}
            except OSError:
                self._listed[folder] = {}
        return self._listed[folder]

    def _has(self, folder: str, name: str) -> bool:
        return name in self._names(folder)

    def _text(self, path: str) -> bytes | None:
        if path not in self._read:
            try:
                with open(path, "rb") as file:
                    self._read[path] = file.read()
            except OSError:
                self._read[path] = None
        return self._read[path]

    def _hash_of(self, path: str) -> str | None:
        text = self._text(path)
        return None if text is None else _hash(text)


def _above(folder: str) -> list[str]:
    """A folder and all above it, the nearest first."""
    found = [folder]
    while os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
        found.append(folder)
    return found


def _ruff_table(path: str, text: bytes) -> dict[str, Any]:
    table = tomllib.loads(text.decode())
    if os.path.basename(path) == "pyproject.toml":
        table = table.get("tool", {}).get("ruff", {})
    if not isinstance(table, dict):
        raise _Unknown
    return table


def _expanded(name: Any) -> str:
    if not isinstance(name, str):
        raise _Unknown
    full = os.path.expanduser(os.path.expandvars(name))
    if "$" in full:
        raise _Unknown
    return full


def _hash(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def digest(parts: Any) -> str:
    """The hash of plain values, another one as soon as one of them is."""
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()
