"""Counts of a tree that are made without the analysis: by the parser, by other tools, and by git."""

from __future__ import annotations

import ast
import collections
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from radon.visitors import ComplexityVisitor

from tests.gitrepo.made import Made

__all__ = ["PYTHON", "commits_of", "counted", "dependencies", "found_by_hand", "sources", "with_history"]

PYTHON = (".py", ".pyi", ".pyw")
SUFFIXES = (*PYTHON, ".c", ".h", ".sh", ".bash", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".go", ".java", ".rb")
SUFFIXES += (".rs", ".cc", ".cpp", ".cxx", ".hpp", ".hh")
BIN = Path(sys.executable).parent


def sources(root: Path) -> list[Path]:
    return [
        Path(top, name)
        for top, _, names in os.walk(root)
        for name in names
        if name.lower().endswith(SUFFIXES) and not {"__pycache__", "node_modules", ".git"}.intersection(Path(top).parts)
    ]


def parsed(path: Path) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            return None


def counted(root: Path, paths: list[Path]) -> dict[str, dict[str, Any]]:
    """Lines, bytes, and for Python functions, classes, imports and radon's complexity, by path."""
    counts: dict[str, dict[str, Any]] = {}
    for path in paths:
        data = path.read_bytes()
        one: dict[str, Any] = {
            "bytes": len(data),
            "lines": data.count(b"\n") + bool(data and not data.endswith(b"\n")),
        }
        tree = parsed(path) if path.suffix in PYTHON else None
        if tree is not None:
            nodes = list(ast.walk(tree))
            one["functions"] = sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes)
            one["classes"] = sum(isinstance(node, ast.ClassDef) for node in nodes)
            one["imports"] = sum(
                len(node.names) if isinstance(node, ast.Import) else 1
                for node in nodes
                if isinstance(node, ast.Import | ast.ImportFrom)
            )
            one["radon"] = radon(tree)
        counts[path.relative_to(root).as_posix()] = one
    return counts


def radon(tree: ast.AST) -> dict[int, int]:
    """The complexity of each function that stands in a module or class, by line, as radon counts it.

    Those with a `match`, an `assert`, a lambda or a function inside are left out: radon counts these otherwise, as
    tests/analysis/test_python.py tells.
    """
    apart = (ast.Match, ast.Assert, ast.Lambda, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    plain = {
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not any(isinstance(inner, apart) for inner in ast.walk(node) if inner is not node)
    }
    visitor = ComplexityVisitor.from_ast(tree)
    found = {one.lineno: one.complexity for one in visitor.functions}
    for one in visitor.classes:
        found.update({method.lineno: method.complexity for method in one.methods})
    return {line: complexity for line, complexity in found.items() if line in plain}


def dependencies(root: Path, package: str) -> set[tuple[str, str]]:
    """Which Python file of a package imports which other, as the import system would find them.

    A name that is a module counts as that module, any other one as the module that it comes from; a module that is
    no file of the package, as one that is compiled, as the package that it is in, if the importer is not in that, too.
    """
    files = {path for path in sources(root) if path.suffix in PYTHON}
    modules: dict[str, str] = {}
    for path in sorted(files, key=lambda one: (one.suffix == ".pyi", one.stem != "__init__")):
        inside = path.relative_to(root).with_suffix("").parts
        name = ".".join((package, *(inside[:-1] if inside[-1] == "__init__" else inside)))
        modules.setdefault(name, path.relative_to(root).as_posix())
    edges: set[tuple[str, str]] = set()
    for path in files:
        tree = parsed(path)
        shown = path.relative_to(root).as_posix()
        above = [package, *path.relative_to(root).parts[:-1]]
        for node in ast.walk(tree) if tree is not None else ():
            edges.update((shown, modules[name]) for name in imported(node, above, modules) if modules[name] != shown)
    return edges


def imported(node: ast.AST, above: list[str], modules: dict[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield from nearest(alias.name, above, modules)
    elif isinstance(node, ast.ImportFrom):
        if node.level > len(above):
            return
        start = above[: len(above) - node.level + 1] if node.level else []
        module = ".".join([*start, *(node.module.split(".") if node.module else [])])
        # A folder without __init__ is a package, too, and no file.
        folder = module not in modules and any(one.startswith(f"{module}.") for one in modules)
        for alias in node.names:
            if alias.name != "*" and f"{module}.{alias.name}" in modules:
                yield f"{module}.{alias.name}"
            elif not folder:
                yield from nearest(module, above, modules)


def nearest(name: str, above: list[str], modules: dict[str, str]) -> list[str]:
    parts = name.split(".")
    while parts and ".".join(parts) not in modules:
        parts.pop()
    found = ".".join(parts)
    return [] if not parts or (found != name and above[: len(parts)] == parts) else [found]


def found_by_hand(root: Path) -> set[tuple[str, str, str, int]]:
    """(tool, rule, path, line) of what ruff, bandit and shellcheck say when somebody runs them in a folder."""

    def said(*argv: str) -> Any:
        done = subprocess.run([str(BIN / argv[0]), *argv[1:]], cwd=root, capture_output=True, check=False, timeout=500)
        return json.loads(done.stdout)

    found = {
        ("ruff", one["code"] or "invalid-syntax", os.path.relpath(one["filename"], root), one["location"]["row"])
        for one in said("ruff", "check", "--no-cache", "--output-format=json", ".")
    }
    # Its configuration has to be named, as the documentation of bandit says.
    project = root / "pyproject.toml"
    settings = ["-c", "pyproject.toml"] if project.exists() and "[tool.bandit" in project.read_text("utf-8") else []
    found |= {
        ("bandit", one["test_id"], os.path.normpath(one["filename"]), one["line_number"])
        for one in said("bandit", *settings, "-q", "-r", "-f", "json", ".")["results"]
    }
    scripts = [str(path.relative_to(root)) for path in sources(root) if path.suffix in {".sh", ".bash"}]
    if scripts:
        comments = said("shellcheck", "-f", "json1", *scripts)["comments"]
        found |= {("shellcheck", f"SC{one['code']}", one["file"], one["line"]) for one in comments}
    return found


PEOPLE = ("Ada <ada@example.org>", "Bob <bob@example.org>", "Cid <cid@example.org>")


def with_history(folder: Path) -> Made:
    """Make a folder a repository in which several people wrote its files, in several steps and with a merge."""
    made = Made.__new__(Made)
    made.folder, made.clock = folder, 1_700_000_000
    made.git("init", "-q", "-b", "main", ".")
    made.git("config", "user.name", "Ada")
    made.git("config", "user.email", "ada@example.org")
    whole = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sources(folder)}
    early, late = sorted(whole)[0::2], sorted(whole)[1::2]
    for path in late:
        (folder / path).unlink()
    made.commit({path: halved(whole[path]) for path in early}, "Half of it", PEOPLE[0])
    made.commit({path: whole[path] for path in late}, "The others", PEOPLE[1])
    made.git("checkout", "-q", "-b", "side")
    made.commit({path: whole[path] for path in early[:50]}, "Some more", PEOPLE[2])
    made.git("checkout", "-q", "main")
    made.commit({path: whole[path] for path in early[50:]}, "The rest", PEOPLE[0])
    made.merge("side")
    assert made.git("status", "--porcelain") == ""
    return made


def halved(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join(lines[: len(lines) // 2])


def commits_of(made: Made, below: str) -> tuple[dict[str, int], dict[str, tuple[int, int, int]], int]:
    """What `git log` says: commits by author, and by path their commits, their authors and the churn; and merges.

    Left out are files that were renamed, or named as one that was: whether two files are one is a matter of degree.
    """
    summary = made.git("shortlog", "-sne", "HEAD")
    people = {line.split("\t")[1]: int(line.split("\t")[0]) for line in summary.splitlines()}
    renamed: set[str] = set()
    records = iter(made.raw("log", "-M30%", "--diff-filter=RC", "--name-status", "-z", "--format=").split(b"\0"))
    for record in records:
        if record.strip():
            renamed |= {os.fsdecode(next(records)), os.fsdecode(next(records))}
    commits: dict[str, int] = collections.Counter()
    churn: dict[str, int] = collections.Counter()
    authors: dict[str, set[str]] = collections.defaultdict(set)
    author = ""
    shown = made.raw("log", "--no-merges", "--no-renames", "--numstat", "-z", "--format=@%aN <%aE>")
    for record in shown.replace(b"\n", b"\0").split(b"\0"):
        if record.startswith(b"@"):
            author = os.fsdecode(record[1:])
        elif record:
            added, removed, name = record.split(b"\t", 2)
            path = os.fsdecode(name)
            commits[path] += 1
            churn[path] += sum(int(each) for each in (added, removed) if each != b"-")
            authors[path].add(author)
    files = {
        path.removeprefix(below): (commits[path], len(authors[path]), churn[path])
        for path in commits
        if path.startswith(below) and path not in renamed
    }
    return people, files, int(made.git("rev-list", "--count", "--merges", "HEAD"))
