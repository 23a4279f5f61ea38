"""Where templates come from, and how they are rendered: both checked when they are said."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from actors.errors import ActorsError
from actors.workers.refusal import refuse_field

__all__ = ["MAX_OUTPUT", "Rules", "TemplateFailed", "Templates", "check_names", "refuse"]

MAX_OUTPUT = 32 * 1024 * 1024
"""The most characters that one rendering gives."""

_MAX_SOURCE = 4 * 1024 * 1024


class TemplateFailed(ActorsError, ValueError):
    """A template cannot be read or rendered, or does what a template may not.

    `template` is its name, `line` where it happened (None if that is not known).
    """

    template: str | None
    line: int | None


@dataclass(frozen=True, slots=True)
class Rules:
    """How templates are rendered.

    Args:
        autoescape: make what is printed safe for HTML.
        undefined: "error" when a template uses a variable that is not there, or "empty" to print nothing.
        trim: take the line end after a block tag and the blanks before it away.
        filters: further filters by name, each as "module:function". They come from whoever gives the task, so they
            may be anything; they see what templates hand them.
        max_output: the most characters that come out, 1 or more.

    Raises:
        ConfigError: a value that is not allowed.
    """

    autoescape: bool = True
    undefined: str = "error"
    trim: bool = False
    filters: Mapping[str, str] = field(default_factory=dict)
    max_output: int = MAX_OUTPUT

    def __post_init__(self) -> None:
        for name in ("autoescape", "trim"):
            if not isinstance(getattr(self, name), bool):
                refuse(name, getattr(self, name), "True or False")
        if self.undefined not in {"error", "empty"}:
            refuse("undefined", self.undefined, '"error" or "empty"')
        check_names("filters", self.filters, 'a mapping of names to "module:function"')
        most: Any = self.max_output
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            refuse("max_output", most, "a whole number of 1 or more")


@dataclass(frozen=True, slots=True)
class Templates:
    """Where templates come from: also those that a template includes, imports or extends.

    Args:
        texts: sources by name.
        folder: a folder whose files are templates by their paths. Links that lead out of it are not followed.

    Raises:
        ConfigError: neither a mapping of texts nor a folder.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    folder: str | None = None

    def __post_init__(self) -> None:
        check_names("templates", self.texts, "a mapping of names to template texts")
        folder: Any = self.folder
        if folder is not None and not (isinstance(folder, str) and os.path.isdir(folder)):
            refuse("folder", folder, "an existing folder")

    def source(self, name: str) -> str | None:
        """The text of a template, or None if there is none of that name.

        Raises:
            TemplateFailed: it is too large or no UTF-8.
        """
        text = self.texts.get(name)
        if text is None and self.folder is not None:
            text = self._read(name)
        if text is not None and len(text) > _MAX_SOURCE:
            message = f"template {name!r} has {len(text):,} characters; {_MAX_SOURCE:,} are allowed"
            raise TemplateFailed(message, template=name)
        return text

    def _read(self, name: str) -> str | None:
        if os.path.isabs(name) or "\0" in name or ".." in name.split("/"):
            return None
        root = os.path.realpath(str(self.folder))
        path = os.path.realpath(os.path.join(root, name))
        if not path.startswith(os.path.join(root, "")) or not os.path.isfile(path):
            return None
        try:
            with open(path, encoding="utf-8", newline="") as file:
                return file.read(_MAX_SOURCE + 1)
        except UnicodeDecodeError as error:
            raise TemplateFailed(f"template {name!r} is no UTF-8: {error}", template=name) from None

    def names(self) -> Iterator[str]:
        """The names of all templates, sorted."""
        found = set(self.texts)
        if self.folder is not None:
            for top, folders, files in os.walk(self.folder):
                folders.sort()
                found |= {os.path.relpath(os.path.join(top, file), self.folder).replace(os.sep, "/") for file in files}
        yield from sorted(found)


def refuse(key: str, value: Any, allowed: str) -> NoReturn:
    """Say what was expected of a part of the task's data.

    Raises:
        ConfigError: always.
    """
    refuse_field("a template", key, value, allowed)


def check_names(key: str, value: Any, allowed: str) -> None:
    """Check that a part of the task's data is a mapping of texts to texts.

    Raises:
        ConfigError: it is not.
    """
    if not isinstance(value, Mapping) or not all(isinstance(one, str) for pair in value.items() for one in pair):
        refuse(key, value, allowed)
