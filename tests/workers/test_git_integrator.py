"""The worker for git repositories, in agents of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.core.taskspec import TaskSpec
from actors.errors import ConfigError
from actors.gitrepo.errors import GitFailed
from actors.system import ActorSystem
from actors.workers.git_integrator import GitIntegrator
from tests.gitrepo.made import Made


@pytest.fixture
def made(tmp_path: Path) -> Made:
    made = Made(tmp_path / "made")
    made.commit({f"src/m{number:02}.py": f"x = {number}\n" * 300 for number in range(60)})
    made.git("checkout", "-q", "-b", "side")
    made.commit({"src/m00.py": "y = 1\n"})
    made.git("checkout", "-q", "main")
    made.commit({"new.py": "z = 1\n"})
    return made


def spec(operation: str, made: Made, **data: Any) -> TaskSpec:
    return TaskSpec(type="git_operation", data={"operation": operation, "repository": made.path, **data})


def test_work_described_as_data_runs_in_an_agent(made: Made) -> None:
    """A1: task type git_operation; errors keep what they know."""
    with ActorSystem() as system:
        report = system.submit_task(spec("history", made)).result(timeout=60)
        preview = system.submit_task(spec("merge", made, source="side")).result(timeout=60)
        tip = made.id("main")
        refused = system.submit_task(spec("merge", made, source="side", apply=True))
        with pytest.raises(GitFailed, match="update_worktree") as caught:
            refused.result(timeout=60)
        assert caught.value.reason == "checked_out" and made.id("main") == tip
        done = system.submit_task(spec("merge", made, source="side", apply=True, update_worktree=True))
        assert done.result(timeout=60).after == made.id("main") != tip
        named = TaskSpec(type="git_operation.branches", data={"repository": made.path})
        assert {one.name for one in system.submit_task(named).result(timeout=60)} == {"main", "side"}
        with pytest.raises(GitFailed, match="not a git repository") as caught:
            system.submit(GitIntegrator.worktrees, str(made.folder.parent)).result(timeout=60)
        assert caught.value.reason == "not_a_repository"
    assert (report.commits, preview.outcome, preview.applied) == (2, "clean", False)


def test_many_files_are_shared_out_among_the_agents(made: Made) -> None:
    """A1: split into tasks of sensible size; each file has a report, in order."""
    with ActorSystem({GitIntegrator: 2}) as system:
        reports = system.submit(GitIntegrator.blame, made.path, ["src", "gone.py", "*.py"]).result(timeout=60)
        agents = [one for one in system.agents() if one.tasks_done]
    assert [one.path for one in reports] == ["gone.py", "new.py", *(f"src/m{number:02}.py" for number in range(60))]
    assert [one.problem for one in reports] == ["missing", *[None] * 61]
    assert {one.lines for one in reports[2:]} == {300}
    assert len(agents) == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"operation": "push"}, "operation of a git_operation is one of history, blame"),
        ({"operation": None}, "operation of a git_operation"),
        (
            {"operation": "merge", "repository": ".", "sauce": "x"},
            "'merge' has no field 'sauce'; it takes repository, source, branch",
        ),
        ({"operation": "merge", "repository": "."}, "do not fit its operation 'merge': .*'source'"),
        ({"operation": "history", "repository": 3}, "repository is the path"),
        ({"operation": "history", "repository": ".", "renames": "no"}, "renames of a git_operation"),
        ({"operation": "history", "repository": ".", "complexity": {"a": "b"}}, "complexity of a git_operation"),
        ({"operation": "blame", "repository": ".", "paths": "a"}, "paths is a list"),
        ({"operation": "blame_files", "repository": ".", "files": "a"}, "one of history"),
        ({"operation": "delete_merged", "repository": ".", "apply": "yes"}, "apply of a git_operation"),
        ({"operation": "merge", "repository": ".", "source": "x", "fast_forward": 1}, "fast_forward of a git"),
    ],
)
def test_wrong_data_name_themselves(data: dict[str, Any], words: str) -> None:
    """A1: the error says what was expected and what came."""
    with pytest.raises(ConfigError, match=words):
        GitIntegrator().operate(**data)


def test_every_operation_has_a_task_of_its_own() -> None:
    """A1: the same by both ways."""
    from actors.workers.git_integrator import _OPERATIONS

    types = {method.task_type for method in GitIntegrator.tasks().values()}
    assert types == {"git_operation", "git_operation.blame_files", *(f"git_operation.{one}" for one in _OPERATIONS)}


def test_importing_the_worker_imports_no_git_library() -> None:
    """A1: the program, which only submits, does not pay for what its agents load."""
    code = "import sys, actors.workers.git_integrator; print([m for m in sys.modules if m.startswith('pygit2')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_without_the_extra_the_error_says_what_to_install(made: Made) -> None:
    """A1: a missing one is named."""
    code = (
        "import sys\n"
        "sys.modules['pygit2'] = None\n"
        "from actors.workers.git_integrator import GitIntegrator\n"
        "GitIntegrator().history('.')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "pip install 'actors-hub[review]'" in done.stderr
