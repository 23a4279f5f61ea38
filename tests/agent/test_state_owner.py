"""Nothing sets a state but the machine's `move`."""

from __future__ import annotations

import ast
from pathlib import Path

import actors
from actors.protocol.states import AGENT_MOVES, AgentState, StateMachine

PACKAGE = Path(actors.__file__).parent
OWNER = PACKAGE / "protocol" / "states.py"
# What only notes the state that an agent has told of itself.
NOTES = {PACKAGE / "core" / "registry.py"}


def assignments(tree: ast.AST, names: frozenset[str]) -> list[tuple[int, str, str]]:
    """Each place that binds an attribute of one of these names: (line, attribute, innermost function)."""
    found: list[tuple[int, str, str]] = []

    def visit(node: ast.AST, function: str) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = node.name
        if isinstance(node, ast.Attribute) and node.attr in names and isinstance(node.ctx, ast.Store | ast.Del):
            found.append((node.lineno, node.attr, function))
        if isinstance(node, ast.Call) and _sets_by_name(node, names):
            found.append((node.lineno, "setattr", function))
        for child in ast.iter_child_nodes(node):
            visit(child, function)

    visit(tree, "")
    return found


def _sets_by_name(call: ast.Call, names: frozenset[str]) -> bool:
    function = getattr(call.func, "id", getattr(call.func, "attr", ""))
    constants = {one.value for one in call.args if isinstance(one, ast.Constant)}
    return function in ("setattr", "__setattr__", "delattr", "__delattr__") and not names.isdisjoint(constants)


def test_the_search_finds_what_it_is_for() -> None:
    source = "def f(m):\n m._state = 1\n m.x, m._state = 1, 2\n m._state += 1\n setattr(m, '_state', 1)\n"
    assert [line for line, _, _ in assignments(ast.parse(source), frozenset({"_state"}))] == [2, 3, 4, 5]


def test_only_move_changes_the_state_of_a_machine() -> None:
    """A2: nothing sets a state but the machine's `move`."""
    tree = ast.parse(OWNER.read_text("utf-8"))
    functions = {function for _, _, function in assignments(tree, frozenset({"_state"}))}
    assert functions == {"__init__", "move"}


def test_nobody_else_reaches_into_a_machine() -> None:
    """A2: as above, over the whole package. A class may have a `_state` of its own, but only on itself."""
    strangers = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path == OWNER or path in NOTES:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        for line, attribute, function in assignments(tree, frozenset({"_state", "state"})):
            text = path.read_text("utf-8").splitlines()[line - 1].strip()
            if not text.startswith("self.") or "machine" in text:
                strangers.append(f"{path.relative_to(PACKAGE)}:{line} {attribute} in {function}: {text}")
    assert not strangers


def test_no_class_of_the_agent_keeps_a_state_beside_its_machines() -> None:
    """A2: the agent's side has no second place for a state."""
    for name in ("agent", "parts", "slots", "lane", "tasklane", "asynclane", "controllane", "context", "insideagent"):
        tree = ast.parse((PACKAGE / "hosts" / f"{name}.py").read_text("utf-8"))
        assert not assignments(tree, frozenset({"_state", "state"})), name


def test_a_machine_has_no_way_in() -> None:
    """A2: its state cannot be set from outside by accident, and its table covers every state."""
    machine = StateMachine("test", AgentState.IDLE, AGENT_MOVES, lambda: 0.0)
    try:
        machine.state = AgentState.WORKING  # type: ignore[misc]
    except AttributeError:
        pass
    else:
        raise AssertionError("the state could be set")
    assert set(AGENT_MOVES) == set(AgentState)
