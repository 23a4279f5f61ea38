"""From an import as written to the files of the tree that it means.

Only what the text alone tells is resolved; a guess would make circles that do not exist. Not resolved: imports that
a build tool, a search path or a package manifest decides (Go's module paths, Rust's crates, bare names in JavaScript),
and wildcards in Java.
"""

from __future__ import annotations

import posixpath
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from actors.analysis.filereport import FileReport, ImportReport

__all__ = ["RESOLVED", "Resolver"]

RESOLVED = frozenset({"bash", "c", "cpp", "java", "javascript", "python", "ruby", "rust", "tsx", "typescript"})
"""The languages whose imports can be told from the text."""

_SCRIPT_SUFFIXES = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
_INCLUDE_FOLDERS = ("include", "inc", "src")


class Resolver:
    """The files of a tree, indexed by what imports may call them.

    Args:
        reports: of all files.
        package: the dotted name of the Python package that the root of the tree itself is; empty if it is none.
    """

    def __init__(self, reports: Sequence[FileReport], package: str = "") -> None:
        self._package = package.split(".") if package else []
        self._files = {report.path for report in reports}
        self._python_folders = {
            folder
            for path in self._files
            if path.endswith((".py", ".pyi"))
            for folder in _upwards(posixpath.dirname(path))
        }
        # The folders that absolute imports may start from, by the package or module that they offer.
        self._offers: dict[str, set[str]] = defaultdict(set)
        for path in self._files:
            if path.endswith((".py", ".pyi")):
                root = self._import_root(path)
                if self._is_inside(root):
                    continue
                top = path[len(root) :].lstrip("/").split("/", 1)[0]
                self._offers[top.removesuffix(".pyi").removesuffix(".py")].add(root)
        self._rules: dict[str, Callable[[str, ImportReport], tuple[set[str], str]]] = {
            "bash": self._shell,
            "c": self._include,
            "cpp": self._include,
            "java": self._java,
            "javascript": self._script,
            "ruby": self._ruby,
            "rust": self._rust,
            "tsx": self._script,
            "typescript": self._script,
        }
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self._files):
            self._by_name[posixpath.basename(path)].append(path)

    def targets(self, report: FileReport, one: ImportReport) -> tuple[set[str], str]:
        """The files that an import means, and the name of what lies outside the tree (empty if it is inside)."""
        if report.language == "python":
            return self._python(report.path, one)
        rule = self._rules.get(report.language or "")
        return rule(report.path, one) if rule is not None else (set(), one.module)

    def _first(self, candidates: Sequence[str | None]) -> set[str]:
        for candidate in candidates:
            if candidate is not None and candidate in self._files:
                return {candidate}
        return set()

    # Python

    def _import_root(self, path: str) -> str:
        """The folder above the outermost package that a file is in."""
        return next(
            folder
            for folder in _upwards(posixpath.dirname(path))
            if not folder.strip("/") or not self._is_package(folder)
        )

    def _is_inside(self, root: str) -> bool:
        """Whether a folder is the package that the whole tree is: what lies in it has no name of its own."""
        return bool(self._package) and not root

    def _is_package(self, folder: str) -> bool:
        return f"{folder}/__init__.py" in self._files or f"{folder}/__init__.pyi" in self._files

    def _module(self, base: str, parts: Sequence[str]) -> str | None:
        """The file of a module below a folder, if it is in the tree."""
        stem = posixpath.join(base, *parts)
        inside = posixpath.join(stem, "__init__")
        for candidate in (f"{inside}.py", f"{stem}.py", f"{stem}.pyi", f"{inside}.pyi"):
            if candidate in self._files:
                return candidate
        return None

    def _python(self, path: str, one: ImportReport) -> tuple[set[str], str]:
        parts = one.module.split(".") if one.module else []
        if one.level:
            base: str | None = posixpath.dirname(path)
            for _ in range(one.level - 1):
                base = posixpath.dirname(base) if base else None
            found = self._from(path, base, parts, one.names) if base is not None else None
            return found or set(), "" if found is not None else "." * one.level + one.module
        if self._package and parts[: len(self._package)] == self._package:
            return self._from(path, "", parts[len(self._package) :], one.names) or set(), ""
        for base in self._bases(path, parts[0]):
            found = self._from(path, base, parts, one.names, least=1)
            if found is not None:
                return found, ""
        return set(), parts[0]

    def _bases(self, path: str, top: str) -> Iterator[str]:
        """Where an absolute import may start.

        Beside the importer's own package, at the top, or at a place that only one folder of the tree offers.
        """
        own = self._import_root(path)
        # A module that is named as one of the standard library, and does not lie beside, is another one.
        places = (own,) if top in sys.stdlib_module_names else (own, "", "src")
        likely = [root for root in dict.fromkeys(places) if not self._is_inside(root)]
        yield from likely
        if top in sys.stdlib_module_names:
            return
        others = [root for root in self._offers.get(top, ()) if root not in likely]
        if len(others) == 1:
            yield others[0]

    def _from(
        self, path: str, base: str, parts: Sequence[str], names: Sequence[str], *, least: int = 0
    ) -> set[str] | None:
        """What `from parts import names` loads: each name that is a module, and the package for what is none.

        Args:
            path: the importer.
            base: the folder that the parts start at.
            parts: of the module's name.
            names: what is taken from it; none for `import parts`.
            least: how many parts must be in the tree at least.

        Returns:
            The files; None if the tree does not have it.
        """
        module = self._module(base, parts)
        folder = posixpath.join(base, *parts) if parts else base
        if module is None and folder not in self._python_folders:
            return self._nearest(path, base, parts, least)
        found = set()
        missed = not names
        for name in names:
            inner = self._module(folder, [name]) if name != "*" else None
            if inner is not None:
                found.add(inner)
            else:
                missed = True
        if missed and module is not None:
            found.add(module)
        return found or None

    def _nearest(self, path: str, base: str, parts: Sequence[str], least: int) -> set[str] | None:
        """The package that a module is in which is no file of the tree: it is compiled, or made at run time."""
        for end in range(len(parts) - 1, least - 1, -1):
            package = self._module(base, parts[:end])
            if package is not None:
                # One that the importer is in was loaded before it, and is not what it needs.
                folder = posixpath.dirname(package)
                own = posixpath.basename(package).startswith("__init__.") and path.startswith(folder and f"{folder}/")
                return set() if own else {package}
        return None

    # The others

    def _shell(self, path: str, one: ImportReport) -> tuple[set[str], str]:
        found = self._first([_join(posixpath.dirname(path), one.module), _join("", one.module)])
        return found, "" if found else one.module

    def _include(self, path: str, one: ImportReport) -> tuple[set[str], str]:
        module = one.module
        plain = module.strip("<>")
        folder = posixpath.dirname(path)
        near = [] if module.startswith("<") else [_join(folder, plain), _join("", plain)]
        found = self._first([*near, *(_join(place, plain) for place in self._include_folders(folder))])
        if not found and not module.startswith("<"):
            suffix = "/" + plain.lstrip("./")
            matching = [each for each in self._by_name[posixpath.basename(plain)] if each.endswith(suffix)]
            found = set(matching) if len(matching) == 1 else set()
        return found, "" if found else module

    @staticmethod
    def _include_folders(folder: str) -> Iterator[str]:
        for above in _upwards(folder):
            for name in _INCLUDE_FOLDERS:
                yield posixpath.join(above, name)

    def _script(self, path: str, one: ImportReport) -> tuple[set[str], str]:
        module = one.module
        if not module.startswith("."):
            # The package's name without the path inside it: `@scope/name/deep` and `name/deep`.
            deep = 2 if module.startswith("@") else 1
            return set(), "/".join(module.split("/")[:deep])
        stem = _join(posixpath.dirname(path), module)
        if stem is None:
            return set(), module
        # TypeScript writes the name of the file that it is compiled to.
        bare = re.sub(r"\.([mc]?)jsx?$", "", stem)
        candidates = [stem, *(stem + suffix for suffix in _SCRIPT_SUFFIXES)]
        candidates += [posixpath.join(stem, "index" + suffix) for suffix in _SCRIPT_SUFFIXES]
        candidates += [bare + suffix for suffix in _SCRIPT_SUFFIXES] if bare != stem else []
        found = self._first(candidates)
        return found, "" if found else module

    def _java(self, _path: str, one: ImportReport) -> tuple[set[str], str]:
        parts = one.module.split(".")
        # A static import, or one of an inner class, goes on behind the class.
        for end in range(len(parts), 0, -1):
            suffix = "/".join(parts[:end]) + ".java"
            matching = [
                path
                for path in self._by_name[parts[end - 1] + ".java"]
                if path == suffix or path.endswith("/" + suffix)
            ]
            if len(matching) == 1 and end > 1:
                return set(matching), ""
        return set(), ".".join(parts[:2])

    def _ruby(self, path: str, one: ImportReport) -> tuple[set[str], str]:
        name = one.module if one.module.endswith(".rb") else one.module + ".rb"
        candidates = [_join(posixpath.dirname(path), name)] if one.level else [_join("lib", name), _join("", name)]
        found = self._first(candidates)
        return found, "" if found else one.module.split("/")[0]

    def _rust(self, path: str, one: ImportReport) -> tuple[set[str], str]:
        """`mod name;` names a file by rule; what `use` means depends on all that was declared."""
        module = one.module
        if not module.startswith("mod "):
            first = module.split("::", maxsplit=1)[0]
            return set(), "" if first in {"crate", "self", "super"} else first
        name = module.removeprefix("mod ")
        folder, file = posixpath.split(path)
        stem = file.removesuffix(".rs")
        base = folder if stem in {"mod", "lib", "main"} else posixpath.join(folder, stem)
        found = self._first([posixpath.join(base, f"{name}.rs"), posixpath.join(base, name, "mod.rs")])
        return found, "" if found else module


def _upwards(folder: str) -> Iterator[str]:
    """A folder and all above it, to the root of the tree or of the file system."""
    while True:
        yield folder
        above = posixpath.dirname(folder)
        if above == folder:
            return
        folder = above


def _join(folder: str, name: str) -> str | None:
    """A path inside the tree, or None for one that leads out of it."""
    joined = posixpath.normpath(posixpath.join(folder, name))
    return None if joined.startswith("..") or (joined.startswith("/") and not folder.startswith("/")) else joined
