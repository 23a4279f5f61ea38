"""The strategies of the kit: what they give is valid, and varied."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from actors.config import LIMIT_NAMES, Limits
from actors.core.engine import Engine
from actors.core.graph import in_order
from actors.core.settings import EngineSettings
from actors.core.taskspec import TaskSpec
from actors.hosts.wire import Decoder, Encoder
from actors.protocol.messages import CODES, KINDS, Batch, Envelope, Outcome, Result
from actors.testing import strategies
from actors.testing.faults import FaultPlan
from actors.testing.machines.fleet import SimFleet

FEW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def through_the_wire(envelopes: list[Envelope]) -> list[Envelope]:
    """What arrives at an end that examines all that it reads."""
    decoder = Decoder(trusted=False, let_go=lambda _: None, released=lambda _: None)
    pieces = Encoder(examined=True).encode(envelopes)
    return decoder.feed(b"".join(part for piece in pieces for part in piece.parts))


@pytest.mark.parametrize("kind", list(CODES), ids=lambda kind: kind.__name__)
def test_each_kind_of_message_travels(kind: type[Any]) -> None:
    """B1 B2 J2: any message that a strategy gives comes out of the wire as it went in."""

    @FEW
    @given(strategies.envelopes(strategies.messages(kind)))
    def travels(envelope: Envelope) -> None:
        (arrived,) = through_the_wire([envelope])
        assert type(envelope.message) is type(arrived.message) is kind
        assert arrived == envelope

    travels()


@FEW
@given(st.lists(strategies.envelopes(), max_size=6))
def test_messages_of_all_kinds_travel_together(envelopes: list[Envelope]) -> None:
    """B6: in their order."""
    assert through_the_wire(envelopes) == envelopes


def test_any_kind_can_come() -> None:
    """B2: the list of kinds is closed, and all of it is in `messages()`."""
    seen: set[type[Any]] = set()

    @settings(max_examples=1000, database=None, derandomize=True, phases=[Phase.generate])
    @given(strategies.messages())
    def comes(message: Any) -> None:
        seen.add(type(message))

    comes()
    assert seen == set(KINDS.values())


def _can_be(strategy: st.SearchStrategy[Any], condition: Any) -> bool:
    # The first that is found will do.
    how = settings(
        max_examples=3000,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    return bool(condition(find(strategy, condition, settings=how)))


@pytest.mark.parametrize("outcome", Outcome)
def test_results_have_every_outcome(outcome: Outcome) -> None:
    """J2: varied."""
    assert _can_be(strategies.messages(Result), lambda message: any(each[2] == outcome for each in message.results))


def test_batches_hold_other_messages() -> None:
    """B6: envelopes inside of one."""
    assert _can_be(strategies.messages(Batch), lambda batch: len({type(each[5]) for each in batch.envelopes}) > 1)


@FEW
@given(strategies.task_graphs())
def test_a_graph_is_accepted_as_it_is(tasks: list[Any]) -> None:
    """D3: each after what it depends on, without a circle."""
    assert len(in_order(tasks, {})) == len(tasks)
    assert all(before < task.number for task in tasks for before in task.after)
    assert [task.number for task in tasks] == list(range(1, len(tasks) + 1))


@pytest.mark.parametrize("shape", ["chain", "diamonds", "layers", "any"])
def test_graphs_of_each_shape_grow(shape: str) -> None:
    """J2: varied."""
    graphs = strategies.task_graphs(max_tasks=10, shapes=[shape])
    assert _can_be(graphs, lambda tasks: len(tasks) >= 8 and any(task.after for task in tasks))


def test_diamonds_join_and_layers_are_wide() -> None:
    """J2: the shapes are what they are called."""
    diamonds = find(strategies.task_graphs(max_tasks=5, shapes=["diamonds"]), lambda tasks: len(tasks) == 5)
    assert [task.after for task in diamonds] == [(), (1,), (1,), (1,), (2, 3, 4)]
    chain = find(strategies.task_graphs(max_tasks=3, shapes=["chain"]), lambda tasks: len(tasks) == 3)
    assert [task.after for task in chain] == [(), (1,), (2,)]


@FEW
@given(st.data())
def test_a_graph_for_a_fleet_comes_to_its_end_there(data: st.DataObject) -> None:
    """C3 D8: each task can be taken by some type of the fleet."""
    fleet = data.draw(strategies.fleets())
    tasks = data.draw(strategies.task_graphs(fleet=fleet))
    sim = SimFleet(*fleet, settings=EngineSettings(max_agents=8))
    sim.checked = False
    sim.engine.submit_graph(tasks, sim.now)
    sim.run()
    assert {task.number for task in tasks} == set(sim.resolved)
    assert {str(task.status) for task in tasks} == {"completed"}


@FEW
@given(strategies.fleets(max_types=4))
def test_a_fleet_has_types_of_different_names(fleet: tuple[Any, ...]) -> None:
    """C2: and an engine takes it."""
    assert len({profile.agent_type for profile in fleet}) == len(fleet) > 0
    sim = SimFleet(*fleet, settings=EngineSettings(max_agents=100))
    assert isinstance(sim.engine, Engine)


@pytest.mark.parametrize(
    "condition",
    [
        lambda fleet: len(fleet) == 3,
        lambda fleet: any(profile.slots > 1 for profile in fleet),
        lambda fleet: any(profile.least for profile in fleet),
        lambda fleet: any(profile.most is not None for profile in fleet),
        lambda fleet: any(len(profile.capabilities) == 3 for profile in fleet),
        lambda fleet: any(profile.highs for profile in fleet),
    ],
)
def test_fleets_are_varied(condition: Any) -> None:
    """J2: varied."""
    assert _can_be(strategies.fleets(), condition)


@FEW
@given(strategies.limits())
def test_limits_travel(limits: Limits) -> None:
    """A4 E2: what an agent is told of its limits is what they are."""
    again = Limits.from_wire(limits.to_wire())
    assert [again.hard_limit(name) for name in LIMIT_NAMES] == [limits.hard_limit(name) for name in LIMIT_NAMES]
    assert again.soft == limits.soft


@pytest.mark.parametrize("name", LIMIT_NAMES)
def test_limits_are_named_lifted_and_left_out(name: Any) -> None:
    """J2: varied."""
    assert _can_be(strategies.limits(), lambda limits: name in limits.named and limits.hard_limit(name) is None)
    assert _can_be(strategies.limits(), lambda limits: limits.hard_limit(name) is not None)
    assert _can_be(strategies.limits(), lambda limits: name not in limits.named)


@FEW
@given(strategies.task_specs(), strategies.task_specs("mine"))
def test_specs_are_valid(spec: TaskSpec, mine: TaskSpec) -> None:
    """D1: their constructor takes them."""
    assert spec.type
    assert mine.type == "mine"


@FEW
@given(strategies.fault_plans(most=3))
def test_fault_plans_are_valid_and_bounded(plan: FaultPlan) -> None:
    """J2: their constructor takes them, and says so for each field."""
    assert plan.most is not None
    assert plan.most <= 3


def test_fault_plans_vary_in_each_field() -> None:
    """J2: no fault is left out, also one that is added later; in the simplest nothing goes wrong."""
    names = [field.name for field in dataclasses.fields(FaultPlan)]
    varied: set[str] = set()

    @settings(max_examples=200, database=None, derandomize=True, phases=[Phase.generate])
    @given(strategies.fault_plans())
    def varies(plan: FaultPlan) -> None:
        varied.update(name for name in names if getattr(plan, name) != getattr(FaultPlan(), name))

    varies()
    assert varied == set(names)
    simplest = find(strategies.fault_plans(), lambda _: True)
    assert not any([simplest.dies, simplest.hangs, simplest.garbles, simplest.leaks])


@pytest.mark.parametrize("module", ["machines", "strategies"])
def test_without_hypothesis_it_is_said_what_to_install(module: str) -> None:
    """J2: the extra is named."""
    program = f"import sys; sys.modules['hypothesis'] = None\nimport actors.testing.{module}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert "pip install 'actors-hub[testing]'" in done.stderr
