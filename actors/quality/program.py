"""What a program is: so that the same program is known again without being started."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
from collections.abc import Iterator

__all__ = ["identity"]

_PYTHON = re.compile(r"python[0-9.]*")
# How pip begins a script whose interpreter's path is too long, or has blanks, for the line of an interpreter.
_LONG = re.compile(rb"#!/bin/sh\n'''exec' (\"[^\"\n]+\"|\S+) ")
_INSTALLED = (".dist-info", ".egg-info")
_LIBRARIES = ("site-packages", "dist-packages")
_OF_DEBIAN = "/usr/lib/python3/dist-packages"


def identity(program: str, package: str) -> str | None:
    """A text that is another one as soon as the program, or what it is made of, is another one.

    A binary is known by what the file system says of it. A script of Python is known by its text, its interpreter and
    all packages that are installed beside it. Whatever chooses what to run only when it is run (a shim, a script of
    the shell, of Node) cannot be known, nor can a package that is installed as a checkout, which changes in its place.

    Args:
        program: the path of an executable file.
        package: the name of the Python package that it comes with, if it is a script of Python. If other packages
            have entry points for it, they are plugins, and it cannot be known either.

    Returns:
        The text; None if it cannot be known.
    """
    real = os.path.realpath(program)
    try:
        with open(real, "rb") as file:
            head = file.read(4096)
        if head.startswith(b"\x7fELF"):
            # A link to something of another name is a shim, which behaves by the name that it is called by.
            same = os.path.basename(real).startswith(os.path.basename(program))
            return _stamp(real) if same else None
        interpreter = _interpreter(head)
        if interpreter is None:
            return None
        with open(real, "rb") as file:
            digest = hashlib.sha256(file.read())
        parts = [
            _stamp(os.path.realpath(interpreter)),
            *_packages(os.path.dirname(os.path.dirname(interpreter)), package),
        ]
    except (OSError, _Unknown):
        return None
    for part in parts:
        digest.update(part.encode(errors="surrogateescape") + b"\0")
    return digest.hexdigest()


class _Unknown(Exception):
    """It cannot be known."""


def _stamp(path: str) -> str:
    status = os.stat(path)
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}"


def _interpreter(head: bytes) -> str | None:
    """The Python that runs a script; None if that is none, or not surely one."""
    if (long := _LONG.match(head)) is not None:
        words = [os.fsdecode(long[1]).strip('"')]
    elif head.startswith(b"#!"):
        words = shlex.split(os.fsdecode(head[2:].partition(b"\n")[0]))
    else:
        return None
    if words and os.path.basename(words[0]) == "env":
        words = [shutil.which(words[1]) or ""] if len(words) == 2 else []
    if not words or not os.path.isabs(words[0]) or not _PYTHON.fullmatch(os.path.basename(words[0])):
        return None
    real = os.path.realpath(words[0])
    with open(real, "rb") as file:
        is_binary = file.read(4) == b"\x7fELF"
    return words[0] if is_binary and _PYTHON.fullmatch(os.path.basename(real)) else None


def _packages(prefix: str, package: str) -> Iterator[str]:
    """What is installed for an interpreter."""
    for folder in _libraries(prefix):
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        yield folder
        for name in names:
            if not name.endswith(_INSTALLED):
                continue
            full = os.path.join(folder, name)
            yield f"{name}:{os.stat(full).st_mtime_ns}"
            own = name.partition("-")[0].lower() == package
            if own and os.path.exists(os.path.join(full, "direct_url.json")):
                raise _Unknown
            if not own and _extends(full, package):
                raise _Unknown
        # Checkouts whose places stand in files of their own, by which older tools install them.
        if any(name.endswith(".egg-link") and name.lower().startswith(package) for name in names):
            raise _Unknown


def _libraries(prefix: str) -> Iterator[str]:
    bases = [os.path.join(prefix, "lib")]
    settings = os.path.join(prefix, "pyvenv.cfg")
    isolated = False
    if os.path.isfile(settings):
        with open(settings, encoding="utf-8", errors="replace") as file:
            text = file.read()
        yield text
        isolated = re.search(r"(?im)^include-system-site-packages\s*=\s*true", text) is None
    if not isolated:
        yield _OF_DEBIAN
        bases += ["/usr/lib", "/usr/local/lib", os.path.expanduser("~/.local/lib")]
    for base in dict.fromkeys(bases):
        names = sorted(os.listdir(base)) if os.path.isdir(base) else []
        for name in names:
            if _PYTHON.fullmatch(name):
                yield from (os.path.join(base, name, library) for library in _LIBRARIES)


def _extends(folder: str, package: str) -> bool:
    """Whether an installed package has entry points for another one."""
    try:
        with open(os.path.join(folder, "entry_points.txt"), encoding="utf-8", errors="replace") as file:
            return re.search(rf"(?m)^\[{re.escape(package)}\.", file.read()) is not None
    except OSError:
        return False
