"""What a start imports, and what it does not: each module that a start needs not is time that every start takes."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_architecture import Module, modules

# Which the library uses, but not for a plain start, or not in that process.
_HEAVY = (
    *("asyncio", "ssl", "sqlite3", "tomllib", "email", "http", "urllib.request", "xml", "multiprocessing.pool"),
    *("psutil", "structlog", "rich", "yaml", "jinja2", "pygit2", "tree_sitter", "hypothesis", "pytest"),
    *(
        "actors.analysis",
        "actors.cli",
        "actors.flow",
        "actors.gitrepo",
        "actors.quality",
        "actors.review",
        "actors.testing",
    ),
)
# What runs a system: in the program, once the system starts, and nowhere else.
_MACHINERY = (
    *(
        "actors.core.engine",
        "actors.core.fleet",
        "actors.core.task",
        "actors.core.sync.book",
        "actors.core.supervision",
    ),
    *("actors.hosts.process", "actors.hosts.launcherprocess", "actors.hosts.thread", "actors.kernel.supervisor"),
    *("actors.runtime.actor_processes", "actors.runtime.assembly", "actors.runtime.hub", "actors.runtime.scheduler"),
    *(
        "actors.runtime.resource_manager",
        "actors.runtime.synchronizer",
        "actors.runtime.journal",
        "actors.runtime.world",
    ),
)
# What a program needs that makes a system or declares a worker, and one that only imports the names for both does not.
_LATER = (
    *("pykka", "subprocess", "socket", "pickle", "secrets", "tempfile", "pathlib", "cloudpickle"),
    *("actors.config", "actors.future", "actors.hosts.context", "actors.kernel.cell", "actors.logs"),
    *("actors.protocol.events", "actors.protocol.messages", "actors.remote.ref", "actors.runtime.messages"),
    *("actors.coordination.sync", "actors.runtime.worker_type"),
)

_PROGRAM = """
import sys

from actors import ActorSystem, Worker, task


class Looking(Worker):
    @task
    def look(self):
        return sorted(sys.modules)


class Waiting(Worker):
    @task
    async def look(self):
        return sorted(sys.modules)


if __name__ == "__main__":
    with ActorSystem({{{worker}: 1}}) as system:
        inside = system.submit({worker}.look).result(timeout=30)
    print(*({where}))
"""


def _modules(code: str) -> set[str]:
    """What is imported in the end in an interpreter of its own, which runs `code`."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50)
    return set(done.stdout.split())


def _of_a_run(folder: Path, worker: str, where: str) -> set[str]:
    """What a program has imported that ran one task, or its agent."""
    program = folder / "program.py"
    program.write_text(_PROGRAM.format(worker=worker, where=where), encoding="utf-8")
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=True, timeout=50)
    return set(done.stdout.split())


def _among(unwanted: tuple[str, ...], modules: set[str]) -> list[str]:
    return [name for name in unwanted if name in modules]


def test_the_public_names_bring_nothing_of_what_runs_a_system() -> None:
    """Principle 9: a module that says `from actors import …` pays for that, in the program and in each agent."""
    imported = _modules("import sys; from actors import ActorSystem, Worker, task; print(*sys.modules)")
    assert _among((*_HEAVY, *_MACHINERY, *_LATER), imported) == []


def test_what_is_imported_on_demand_is_what_type_checkers_are_told() -> None:
    """Principle 9: a module of which only the name stands somewhere could be another one, or none."""
    asked = {
        (module.name, *(ast.literal_eval(each) for each in node.args[1:]))
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "on_demand"
    }
    told = {(module.name, alias, name) for module in modules().values() for alias, name in _aliases(module)}
    assert asked
    assert asked <= told


def _aliases(module: Module) -> Iterator[tuple[str, str]]:
    """What a module imports under which name."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((one.asname or one.name, one.name) for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((one.asname or one.name, f"{node.module}.{one.name}") for one in node.names)


def test_the_launcher_needs_little_of_the_library() -> None:
    """Principle 9: before it is told what its agents need."""
    imported = _modules("import sys, actors.hosts.launcher; print(*sys.modules)")
    assert _among((*_HEAVY, *_MACHINERY, "actors.system", "actors.worker", "pykka", "subprocess"), imported) == []


def test_a_program_that_runs_a_task_imports_no_more_than_that_takes(tmp_path: Path) -> None:
    """Principle 9: pay for what is used."""
    imported = _of_a_run(tmp_path, "Looking", "sys.modules")
    assert _among(tuple(name for name in _HEAVY if name != "psutil"), imported) == []
    assert "actors.runtime.assembly" in imported


def test_an_agent_and_its_launcher_import_nothing_of_what_runs_the_system(tmp_path: Path) -> None:
    """Principle 9: an agent has what its launcher had imported before the fork, so this tells of both."""
    imported = _of_a_run(tmp_path, "Looking", "inside")
    assert _among((*_HEAVY, *_MACHINERY), imported) == []
    assert "actors.system" in imported


def test_an_agent_with_coroutines_has_an_event_loop_and_nothing_else_more(tmp_path: Path) -> None:
    """Principle 9: the worker whose tasks are coroutines is the one that pays for asyncio."""
    imported = _of_a_run(tmp_path, "Waiting", "inside")
    with_asyncio = {"asyncio", "ssl"}
    assert _among(tuple(name for name in (*_HEAVY, *_MACHINERY) if name not in with_asyncio), imported) == []
    assert "asyncio" in imported


@pytest.mark.parametrize("name", [*_MACHINERY, *_LATER, "actors.hosts.asynclane"])
def test_each_module_that_is_looked_for_is_one(name: str) -> None:
    """A module that was renamed would never be found, and these tests would look for nothing."""
    __import__(name)
