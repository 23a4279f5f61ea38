"""The order of the rooms, proven from the imports as they stand in the files."""

from __future__ import annotations

import ast
import graphlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "actors"
# About 400 is the rule; a file above this bound is two nouns in one.
MOST_LINES = 450
# A function up to 70 lines reads on one screen.
MOST_LINES_OF_A_FUNCTION = 70


@dataclass(frozen=True)
class Module:
    """One file of the package: its dotted name, its path and its syntax tree."""

    name: str
    path: Path
    tree: ast.Module
    lines: int

    @property
    def package(self) -> str:
        """What a relative import starts from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]


@cache
def modules() -> dict[str, Module]:
    """All modules of the package by name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        found[name] = Module(name, path, ast.parse(text, str(path)), text.count("\n"))
    return found


def imports(module: Module) -> Iterator[tuple[str, int]]:
    """Yield what a module imports, anywhere in it, functions and TYPE_CHECKING included: dotted name and line.

    `from a import b` yields both `a` and `a.b`; whoever asks knows which of them are modules.
    """
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                start = module.package.split(".")
                start = start[: len(start) - node.level + 1]
                base = ".".join([*start, base] if base else start)
            yield base, node.lineno
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)


def inner_edges() -> dict[str, set[str]]:
    """Which module of the package imports which other. A package stands for its `__init__.py` alone."""
    known = modules()
    edges: dict[str, set[str]] = {}
    for module in known.values():
        named = {name for name, _ in imports(module) if name in known and name != module.name}
        # `from actors.core import task` means the module actors.core.task; actors.core is only the way to it.
        through = {
            name
            for node in ast.walk(module.tree)
            if isinstance(node, ast.ImportFrom) and not node.level and node.module in known
            for name in [node.module]
            if all(f"{name}.{alias.name}" in known for alias in node.names)
        }
        edges[module.name] = named - through
    return edges


def cycle(edges: dict[str, set[str]]) -> list[str]:
    """Return one cycle of the graph, each name imported by the next and the first once more at the end, or nothing."""
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    yield from (node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_the_contracts_of_the_rooms_hold() -> None:
    """Every contract of setup.cfg: no import upwards, pykka in the kernel alone, pure cores."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_finder_of_cycles_finds_one() -> None:
    """A check that never fails proves nothing."""
    assert sorted(set(cycle({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}))) == ["b", "c"]
    assert cycle({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == []


def test_no_module_imports_itself_by_any_way_round() -> None:
    """No cycle, none hidden in a function or under TYPE_CHECKING."""
    found = cycle(inner_edges())
    assert not found, "modules import each other in a circle: " + " -> ".join(reversed(found))


def test_pykka_is_imported_in_the_kernel_alone() -> None:
    """The actor runtime has one door."""
    guilty = [
        f"{module.path.relative_to(ROOT)}:{line}"
        for module in modules().values()
        for name, line in imports(module)
        if name.split(".")[0] == "pykka" and not module.name.startswith("actors.kernel")
    ]
    assert guilty == []


def test_nothing_inside_imports_from_the_root_of_the_package() -> None:
    """`from actors import …` is for users; inside, each name comes from the module that defines it."""
    root = modules().get("actors")
    known = modules()
    guilty = [
        f"{module.path.relative_to(ROOT)}:{node.lineno}"
        for module in known.values()
        if module is not root
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.Import) and any(alias.name == "actors" for alias in node.names))
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "actors"
            and any(f"actors.{alias.name}" not in known for alias in node.names)
        )
    ]
    assert guilty == []


def test_the_pure_rooms_never_ask_for_the_time_or_for_chance() -> None:
    """The time and the random generator are handed to the cores; a call for one of their own breaks a replay."""
    clocks = {"now", "utcnow", "today", "monotonic", "perf_counter", "urandom", "uuid4", "uuid1", "token_hex"}
    modules_of_chance = {"random", "secrets", "uuid"}
    guilty = []
    for module in modules().values():
        if not module.name.startswith(("actors.core", "actors.protocol")):
            continue
        for node in ast.walk(module.tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            is_clock = node.func.attr in clocks and owner in {"datetime", "date", "time", "os", *modules_of_chance}
            is_chance = owner in modules_of_chance and node.func.attr != "Random"
            if is_clock or is_chance:
                guilty.append(f"{module.path.relative_to(ROOT)}:{node.lineno} {owner}.{node.func.attr}")
    assert guilty == []


def test_every_file_is_one_noun_long() -> None:
    """About 400 lines at most, functions up to 70."""
    long_files = [f"{m.path.relative_to(ROOT)}: {m.lines}" for m in modules().values() if m.lines > MOST_LINES]
    long_functions = [
        f"{module.path.relative_to(ROOT)}:{node.lineno} {node.name}: {node.end_lineno - node.lineno + 1}"
        for module in modules().values()
        for node in functions(module)
        if node.end_lineno is not None and node.end_lineno - node.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    ]
    assert (long_files, long_functions) == ([], [])


def test_each_package_of_the_tree_is_a_package_of_the_wheel() -> None:
    """A folder with modules and without `__init__.py` would be left out of some builds."""
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []
    assert os.path.isfile(PACKAGE / "py.typed")
