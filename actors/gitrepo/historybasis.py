"""What decides what the history of a repository says, so that it need not be read twice."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from typing import Any

import pygit2

from actors.errors import ConfigError
from actors.gitrepo.errors import GitFailed
from actors.gitrepo.repository import common_folder, open_repository

__all__ = ["history_basis"]

# What they say concerns other work than reading.
_OF_OTHERS = ("branch.", "remote.", "alias.", "color.", "user.", "credential.", "gc.")
_ATTRIBUTES = ".gitattributes"


def history_basis(path: str) -> str | None:
    """A hash that is another one as soon as `read_history`, asked for HEAD, may give something else.

    Made of the commit, of where a shallow clone ends, of the mailmap, of the configuration, of the attributes of files
    (which say what is binary), and of the library that reads.

    Args:
        path: of a folder in the repository.

    Returns:
        The hash; None if there is no commit, or it cannot be known.
    """
    try:
        repository = open_repository(path)
        if repository.head_is_unborn:
            return None
        settings = sorted(
            (one.name, one.value or "") for one in repository.config if not one.name.startswith(_OF_OTHERS)
        )
        if {name for name, _ in settings} & {"mailmap.file", "mailmap.blob"}:
            return None
        parts = [
            str(repository.head.target),
            settings,
            *_texts(repository, dict(settings)),
            repository.is_bare,
            importlib.metadata.version("pygit2"),
            pygit2.LIBGIT2_VERSION,
        ]
    except (pygit2.GitError, GitFailed, ConfigError, OSError, KeyError, ValueError):
        return None
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _texts(repository: pygit2.Repository, settings: dict[str, str]) -> list[Any]:
    common = common_folder(repository)
    paths = [os.path.join(common, name) for name in ("shallow", "info/grafts", "info/attributes")]
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    paths += [
        os.path.expanduser(settings.get("core.attributesfile", "") or os.path.join(base, "git", "attributes")),
        "/etc/gitattributes",
    ]
    if repository.workdir is not None:
        folders = {""}
        for entry in repository.index:
            folder = os.path.dirname(entry.path)
            while folder not in folders:
                folders.add(folder)
                folder = os.path.dirname(folder)
        paths += [os.path.join(repository.workdir, folder, _ATTRIBUTES) for folder in sorted(folders)]
        paths.append(os.path.join(repository.workdir, ".mailmap"))
    # The places of the repository itself are no part of it: a copy elsewhere says the same.
    return [(index, text) for index, path in enumerate(paths) if (text := _text(path)) is not None]


def _text(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None
