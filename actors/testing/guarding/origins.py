"""Whose code a frame is: the library's, Python's, an installed package's or the user's."""

from __future__ import annotations

import enum
import linecache
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

__all__ = ["Origin", "called_name", "frames_of", "importing", "is_import", "origin", "users_frame", "where"]


class Origin(enum.Enum):
    """Whose code it is."""

    LIBRARY = "actors"
    PYTHON = "the standard library, or a package that stands between this library and the user"
    PACKAGE = "an installed package"
    USER = "the user"


# Code of these packages acts for whoever called it, as the standard library does.
_GO_BETWEENS = frozenset(
    {"_pytest", "cloudpickle", "coverage", "hypothesis", "pluggy", "psutil", "pykka", "pytest", "structlog"}
)
_LIBRARY = str(Path(os.path.abspath(__file__)).parents[2]) + os.sep
_PYTHON = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")})
_INSTALLED = ("site-packages", "dist-packages")
_IMPORT = "<frozen importlib"

# By the names of files, which are not many.
_origins: dict[str, Origin] = {}


def origin(frame: FrameType) -> Origin:
    """Whose code a frame runs."""
    file = frame.f_code.co_filename
    found = _origins.get(file)
    if found is None:
        if file.startswith("<") and not file.startswith("<frozen "):
            # Made at run time, as the constructor of a dataclass: it belongs to the module that made it.
            named = frame.f_globals.get("__file__")
            return Origin.USER if not isinstance(named, str) else _origin_of_file(named)
        found = _origins[file] = _origin_of_file(file)
    return found


def _origin_of_file(file: str) -> Origin:
    if file.startswith("<frozen "):
        return Origin.PYTHON
    path = os.path.abspath(file)
    if path.startswith(_LIBRARY):
        return Origin.LIBRARY
    parts = path.split(os.sep)
    for name in _INSTALLED:
        if name in parts:
            # The package is named by what follows the last of these directories.
            rest = parts[len(parts) - parts[::-1].index(name) :]
            package = rest[0].removesuffix(".py") if rest else ""
            return Origin.PYTHON if package in _GO_BETWEENS else Origin.PACKAGE
    return Origin.PYTHON if path.startswith(_PYTHON) else Origin.USER


def frames_of(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame and those that called it, the innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def is_import(frame: FrameType) -> bool:
    """Whether it is a frame of Python's import system."""
    return frame.f_code.co_filename.startswith(_IMPORT)


def importing(frame: FrameType) -> bool:
    """Whether a frame belongs to an import that is under way, up to the next code of the library."""
    for one in frames_of(frame):
        if is_import(one):
            return True
        if origin(one) is Origin.LIBRARY:
            return False
    return False


def users_frame(frame: FrameType) -> FrameType | None:
    """The innermost frame of the user's own code before the next of the library; else of an installed package."""
    package: FrameType | None = None
    for one in frames_of(frame):
        whose = origin(one)
        if whose is Origin.USER:
            return one
        if whose is Origin.LIBRARY:
            break
        if whose is Origin.PACKAGE and package is None:
            package = one
    return package


def called_name(frame: FrameType) -> str:
    """The name of the function that a frame runs, with its module, as "threading.Event.wait"."""
    code = frame.f_code
    module = frame.f_globals.get("__name__", "")
    name = code.co_qualname
    if code.co_argcount and code.co_varnames[0] == "self" and "<locals>" not in name:
        kind = type(frame.f_locals.get("self"))
        module, name = kind.__module__, f"{kind.__qualname__}.{code.co_name}"
    return f"{module}.{name}".removesuffix(".__init__")


def where(ident: int) -> str:
    """Where a thread is now, for the report of one that hangs.

    Args:
        ident: the thread's, as `threading.get_ident()` gives it.

    Returns:
        The function, file, line and source of the innermost code of the user, and what that waits in; of whatever code
        there is if none is the user's.

    Example:
        "shrink (/home/me/thumbs.py:12) `with self.lock:`"
    """
    innermost = sys._current_frames().get(ident)  # noqa: SLF001 - there is no other way to see another thread
    if innermost is None:
        return f"thread {ident}, which has ended"
    # Library code may stand below the user's: what the user called waits there.
    users = [frame for frame in frames_of(innermost) if origin(frame) is Origin.USER]
    frame = users[0] if users else users_frame(innermost) or innermost
    file, line = frame.f_code.co_filename, frame.f_lineno
    source = linecache.getline(file, line).strip()
    told = f"{frame.f_code.co_name} ({file}:{line})" + (f" `{source}`" if source else "")
    return told if frame is innermost else f"{told}, in {called_name(innermost)}"
