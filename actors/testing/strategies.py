"""Hypothesis strategies for what the library works with: messages, task graphs, worker fleets, limits, fault plans.

Every value that a strategy gives is valid: what it stands for would take it. Simple values come first, so that a failing
example shrinks to few short tasks, one agent, no limits and no faults.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from actors.testing.extra import hypothesis_missing

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise hypothesis_missing("the strategies need") from error

from actors.core.profile import Profile
from actors.core.retry import Backoff
from actors.core.task import Needs, Task, TaskKind
from actors.core.taskspec import TaskSpec
from actors.testing.faults import FaultPlan
from actors.testing.messagestrategies import (
    AGENT_TYPES,
    CAPABILITIES,
    NAMES,
    envelopes,
    limits,
    messages,
    plain_values,
)

__all__ = [
    "backoffs",
    "envelopes",
    "fault_plans",
    "fleets",
    "limits",
    "messages",
    "plain_values",
    "profiles",
    "task_graphs",
    "task_kinds",
    "task_specs",
]

_ERRORS = ("builtins.ValueError", "builtins.OSError", "builtins.Exception")
_REQUIRED = st.frozensets(st.sampled_from(CAPABILITIES), max_size=2)


# Work and who does it


def backoffs() -> st.SearchStrategy[Backoff]:
    """How long to wait before a repetition: not at all, or growing from a short time."""
    growing = st.builds(
        Backoff,
        first=st.floats(0.01, 2),
        factor=st.floats(1, 4),
        limit=st.floats(2, 60),
        jitter=st.sampled_from([0.0, 0.5, 1.0]),
    )
    return st.just(Backoff(first=0.0, jitter=0.0)) | growing


@st.composite
def profiles(draw: st.DrawFn, agent_type: str | None = None) -> Profile:
    """One type of agents: capabilities, resource class, slots, the least and the most that there are.

    Args:
        draw: supplied by Hypothesis.
        agent_type: its name; any if left out.
    """
    least = draw(st.integers(0, 2))
    levels = st.sampled_from(["moderate", "low", "high"])
    return Profile(
        agent_type or draw(st.sampled_from(AGENT_TYPES)),
        draw(st.frozensets(st.sampled_from(CAPABILITIES), max_size=3)),
        cpu=draw(levels),
        memory=draw(levels),
        io=draw(levels),
        slots=draw(st.sampled_from([1, 1, 2, 4])),
        least=least,
        most=draw(st.none() | st.integers(max(1, least), 4)),
    )


@st.composite
def fleets(draw: st.DrawFn, max_types: int = 3) -> tuple[Profile, ...]:
    """A worker fleet: from one to `max_types` (4 at most) types of agents, each of another name.

    Args:
        draw: supplied by Hypothesis.
        max_types: how many types there may be.
    """
    names = draw(
        st.lists(st.sampled_from(AGENT_TYPES), min_size=1, max_size=min(max_types, len(AGENT_TYPES)), unique=True)
    )
    return tuple(draw(profiles(name)) for name in names)


@st.composite
def task_kinds(draw: st.DrawFn, fleet: Sequence[Profile] = ()) -> TaskKind:
    """What tasks have in common: needs, priority, time limit, retries, back-off.

    Args:
        draw: supplied by Hypothesis.
        fleet: if given, some type of it can take the task; else its needs may be met by nobody.
    """
    if fleet:
        able = draw(st.sampled_from(list(fleet)))
        named = draw(st.booleans()) or not able.capabilities
        offered = st.frozensets(st.sampled_from(sorted(able.capabilities)), max_size=2) if able.capabilities else None
        needs = Needs(able.agent_type if named else None, draw(offered) if offered is not None else frozenset())
    else:
        needs = Needs(draw(st.none() | st.sampled_from(AGENT_TYPES)), draw(_REQUIRED))
    retry_on = draw(st.lists(st.sampled_from(_ERRORS), max_size=2, unique=True).map(tuple))
    return TaskKind(
        draw(st.sampled_from(["resize", "parse", "check"])),
        needs,
        job=draw(st.none() | st.just("nightly")),
        priority=draw(st.sampled_from([2, 1, 3, 4])),
        timeout=draw(st.none() | st.floats(0.01, 600)),
        retries=draw(st.integers(0, 3)),
        error_retries=draw(st.integers(0, 3)) if retry_on else 0,
        retry_on=retry_on,
        backoff=draw(backoffs()),
        idempotent=draw(st.sampled_from([True, True, False])),
        duration=draw(st.none() | st.floats(0.001, 300)),
    )


def _chain(_: st.DrawFn, size: int) -> list[list[int]]:
    return [[place - 1] if place else [] for place in range(size)]


def _diamond(_: st.DrawFn, size: int) -> list[list[int]]:
    """One, then several beside each other, then one; and again from the last."""
    edges: list[list[int]] = [[]]
    while len(edges) < size:
        top = len(edges) - 1
        sides = min(3, max(1, size - len(edges) - 1))
        edges += [[top] for _ in range(sides)]
        if len(edges) < size:
            edges.append(list(range(top + 1, top + 1 + sides)))
    return edges


def _layers(draw: st.DrawFn, size: int) -> list[list[int]]:
    """Layers, each task of which depends on some of the layer before."""
    edges: list[list[int]] = []
    before: list[int] = []
    while len(edges) < size:
        width = draw(st.integers(1, min(5, size - len(edges))))
        layer = list(range(len(edges), len(edges) + width))
        some = st.lists(st.sampled_from(before), min_size=1, max_size=3, unique=True) if before else st.just([])
        edges += [sorted(draw(some)) for _ in layer]
        before = layer
    return edges


def _any_shape(draw: st.DrawFn, size: int) -> list[list[int]]:
    """Each task depends on any of those before it."""
    return [
        sorted(draw(st.lists(st.integers(0, place - 1), max_size=3, unique=True))) if place else []
        for place in range(size)
    ]


_SHAPES: dict[str, Callable[[st.DrawFn, int], list[list[int]]]] = {
    "chain": _chain,
    "diamonds": _diamond,
    "layers": _layers,
    "any": _any_shape,
}


@st.composite
def task_graphs(
    draw: st.DrawFn,
    *,
    max_tasks: int = 12,
    shapes: Sequence[str] = ("chain", "diamonds", "layers", "any"),
    fleet: Sequence[Profile] = (),
    first: int = 1,
) -> list[Task]:
    """Tasks that depend on each other, without a circle, each after those that it depends on.

    Args:
        draw: supplied by Hypothesis.
        max_tasks: how many tasks there are at most, 1 or more.
        shapes: of which shapes: "chain", "diamonds", "layers", "any".
        fleet: if given, each task can be taken by some type of it.
        first: the number of the first task; the others count up from it.

    Returns:
        Tasks that no engine has accepted yet.

    Raises:
        KeyError: there is no such shape.

    Example:
        >>> @given(task_graphs(shapes=["layers"]))
        ... def test_all_of_a_graph_ends(tasks):
        ...     engine.submit_graph(tasks, now=0.0)
    """
    shape = _SHAPES[draw(st.sampled_from(list(shapes)))]
    edges = shape(draw, draw(st.integers(1, max_tasks)))
    kinds = draw(st.lists(task_kinds(fleet), min_size=1, max_size=3))
    tasks = []
    for place, before in enumerate(edges):
        task = Task(
            first + place,
            f"t{first + place}",
            draw(st.sampled_from(kinds)),
            after=tuple(first + each for each in before),
            inputs=draw(st.sampled_from([frozenset[str](), frozenset({"in"}), frozenset({"in", "other"})])),
            key=draw(st.sampled_from([None, "user-7"])),
        )
        tasks.append(task)
    return tasks


def task_specs(type: str | None = None) -> st.SearchStrategy[TaskSpec]:  # noqa: A002 - the field's own name
    """Work described as data, for `ActorSystem.submit_task`, that depends on nothing.

    Args:
        type: the task type; any if left out.
    """
    return st.builds(
        TaskSpec,
        type=NAMES if type is None else st.just(type),
        data=st.dictionaries(NAMES, plain_values(3), max_size=3),
        requires=_REQUIRED,
        priority=st.sampled_from([2, 1, 3, 4]),
        timeout=st.none() | st.floats(0.01, 600),
        retries=st.none() | st.integers(0, 3),
        duration=st.none() | st.floats(0.001, 300),
        job=st.none() | st.just("nightly"),
        retry_on=st.lists(st.sampled_from(_ERRORS), max_size=2, unique=True).map(tuple),
        backoff=backoffs(),
        idempotent=st.booleans(),
        key=st.none() | st.just("user-7"),
        inputs=st.frozensets(st.sampled_from(["in", "other"])),
    )


# What goes wrong


def fault_plans(*, most: int = 8) -> st.SearchStrategy[FaultPlan]:
    """How often what goes wrong in a simulated run, and how long things take; nothing goes wrong in the simplest.

    Args:
        most: how many faults there may be in one run.
    """
    chance = st.just(0.0) | st.floats(0, 0.2)
    pairs = st.tuples(st.floats(0, 0.1), st.floats(0, 0.5)).map(sorted).map(tuple)
    return st.builds(
        FaultPlan,
        dies=chance,
        dies_writing=chance,
        hangs=chance,
        stalls=chance,
        doubles=chance,
        garbles=chance,
        launch_fails=chance,
        disk_full=chance,
        journal_fails=chance,
        leaks=chance,
        latency=pairs,
        boot=pairs,
        task=pairs,
        most=st.integers(0, most),
    )
