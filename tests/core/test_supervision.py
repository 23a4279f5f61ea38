"""The plan of a supervisor, case by case: what it starts, stops and restarts, and when it gives up."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.children import ChildSpec, ChildStatus, Intensity, Strategy
from actors.core.retry import Backoff
from actors.core.supervision import SupervisionPlan
from actors.core.supervisionactions import Action, Drop, Escalate, Finish, Later, Start, Stop
from actors.errors import ConfigError, SystemClosed

NO_WAIT = Backoff(first=0.0, jitter=0.0)
STEADY = Backoff(first=0.1, factor=2.0, limit=30.0, jitter=0.0)
PATIENT = Intensity(1_000_000, 5.0)


def make(*children: ChildSpec | str, **settings: Any) -> SupervisionPlan:
    """A plan of these children (a name is a permanent worker), with a back-off that does not vary."""
    specs = [ChildSpec(child) if isinstance(child, str) else child for child in children]
    settings.setdefault("backoff", STEADY)
    return SupervisionPlan(specs, rng=random.Random(1), **settings)


@dataclass
class World:
    """Carries a plan's actions out at once, keeps the time, and tells what was done, in words."""

    plan: SupervisionPlan
    now: float = 100.0
    told: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    """Children that fail to start."""
    laters: list[float] = field(default_factory=list)

    def carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Start(children):
                    for child in children:
                        self.told.append(f"+{child}")
                        if child in self.broken:
                            self.carry_out(self.plan.exited(child, "failure", self.now, "broken"))
                        else:
                            self.carry_out(self.plan.started(child, self.now))
                case Stop(children):
                    for child in children:
                        self.told.append(f"-{child}")
                        self.carry_out(self.plan.exited(child, "shutdown", self.now))
                case Later(delay):
                    self.laters.append(delay)
                case Drop() | Escalate():
                    self.told.append(f"{type(action).__name__.lower()} {action.child}")
                case Finish():
                    self.told.append("finish")

    def start(self) -> World:
        self.carry_out(self.plan.start(self.now))
        self.told.clear()
        return self

    def die(self, child: str, reason: Any = "failure") -> str:
        self.carry_out(self.plan.exited(child, reason, self.now, "it broke"))
        return self.said()

    def wait(self, seconds: float) -> str:
        self.now += seconds
        self.carry_out(self.plan.due(self.now))
        return self.said()

    def said(self) -> str:
        told, self.told = " ".join(self.told), []
        return told

    def up(self) -> str:
        return " ".join(spec.id for spec, status in self.plan.children() if status is ChildStatus.UP)


# Start


def test_children_start_in_their_order_each_after_the_one_before() -> None:
    """F1: the order of start."""
    plan = make("a", "b", "c")
    assert plan.start(0) == [Start(("a",), again=False)]
    assert plan.started("a", 1) == [Start(("b",), again=False)]
    assert plan.started("b", 2) == [Start(("c",), again=False)]
    assert plan.started("c", 3) == []


def test_no_children_is_no_action() -> None:
    """F1: an empty supervisor."""
    assert make().start(0) == []


def test_a_child_that_fails_at_the_first_start_ends_those_before_it_and_the_supervisor() -> None:
    """F1: a failed boot; none of those after it is started."""
    world = World(make("a", "b", "c", "d"), broken={"c"})
    world.carry_out(world.plan.start(0))
    assert world.said() == "+a +b +c -b -a escalate c"


@pytest.mark.parametrize("strategy", Strategy)
def test_children_that_are_independent_start_and_stop_at_the_same_time(strategy: Strategy) -> None:
    """F1: parallel children, one-for-one only."""
    if strategy is not Strategy.ONE_FOR_ONE:
        with pytest.raises(ConfigError, match="one_for_one"):
            make("a", "b", strategy=strategy, parallel=True)
        return
    plan = make("a", "b", "c", parallel=True)
    assert plan.start(0) == [Start(("a", "b", "c"), again=False)]
    assert plan.started("b", 1) == plan.started("a", 1) == plan.started("c", 1) == []
    assert plan.stop("enough") == [Stop(("c", "b", "a"))]
    assert plan.exited("a", "shutdown", 2) == plan.exited("c", "shutdown", 2) == []
    assert plan.exited("b", "shutdown", 2) == [Finish("enough")]


def test_a_failed_first_start_of_parallel_children_ends_the_others_that_are_still_starting() -> None:
    """F1: a failed boot, parallel."""
    plan = make("a", "b", "c", parallel=True)
    plan.start(0)
    plan.started("a", 0)
    assert plan.exited("b", "failure", 0) == [Stop(("c", "a"))]
    assert plan.exited("c", "shutdown", 0) == []
    (last,) = plan.exited("a", "shutdown", 0)
    assert isinstance(last, Escalate)
    assert last.child == "b"


# Specs


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"id": ""}, "id"),
        ({"id": "a", "restart": "always"}, "restart"),
        ({"id": "a", "shutdown": -3}, "shutdown"),
        ({"id": "a", "type": "boss"}, "type"),
        ({"id": "a", "significant": True}, "significant"),
        ({"id": "a", "significant": True, "restart": "permanent"}, "significant"),
    ],
)
def test_a_bad_spec_is_refused_and_says_what_is_allowed(fields: dict[str, Any], key: str) -> None:
    """F1: specs are checked where they are made."""
    with pytest.raises(ConfigError) as caught:
        ChildSpec(**fields)
    assert caught.value.key == key
    assert caught.value.allowed


def test_a_worker_gets_five_seconds_to_end_and_a_supervisor_all_the_time_it_needs() -> None:
    """F1: the default of `shutdown`."""
    assert ChildSpec("a").shutdown == 5.0
    assert ChildSpec("a", type="supervisor").shutdown is None
    assert ChildSpec("a", shutdown=0).shutdown == 0


def test_two_children_of_one_id_are_refused() -> None:
    """F1: ids are unique."""
    with pytest.raises(ConfigError, match="no other child"):
        make("a", "a")
    plan = make("a")
    with pytest.raises(ConfigError, match="no other child"):
        plan.add(ChildSpec("a"), 0)


def test_a_significant_child_needs_automatic_shutdown() -> None:
    """F1: significant children."""
    with pytest.raises(ConfigError, match="significant"):
        make(ChildSpec("a", "transient", significant=True))


@pytest.mark.parametrize(("restarts", "period"), [(-1, 5), (3, 0), (3, -1)])
def test_an_intensity_that_makes_no_sense_is_refused(restarts: int, period: float) -> None:
    """F1: intensity."""
    with pytest.raises(ConfigError, match="intensity"):
        Intensity(restarts, period)


# Restart types


@pytest.mark.parametrize(
    ("restart", "reason", "again"),
    [
        ("permanent", "normal", True),
        ("permanent", "shutdown", True),
        ("permanent", "failure", True),
        ("transient", "normal", False),
        ("transient", "shutdown", False),
        ("transient", "failure", True),
        ("temporary", "normal", False),
        ("temporary", "shutdown", False),
        ("temporary", "failure", False),
    ],
)
@pytest.mark.parametrize("strategy", Strategy)
def test_the_restart_type_and_the_reason_decide_whether_a_child_is_restarted(
    *, strategy: Strategy, restart: Any, reason: str, again: bool
) -> None:
    """F1: permanent, transient, temporary."""
    world = World(make("a", ChildSpec("x", restart), "z", strategy=strategy, backoff=NO_WAIT)).start()
    restarted = {
        Strategy.ONE_FOR_ONE: "+x",
        Strategy.ONE_FOR_ALL: "-z -a +a +x +z",
        Strategy.REST_FOR_ONE: "-z +x +z",
    }[strategy]
    assert world.die("x", reason) == (restarted if again else "")
    expected = {"permanent": "up", "transient": "up" if again else "down", "temporary": "gone"}[restart]
    status = world.plan.status("x")
    assert ("gone" if status is None else status.value) == expected


# Strategies

SIX = ["a", "b", "c", "d", "e", "f"]


@pytest.mark.parametrize(
    ("strategy", "victim", "story"),
    [
        ("one_for_one", "a", "+a"),
        ("one_for_one", "f", "+f"),
        ("one_for_all", "a", "-f -e -d -c -b +a +b +c +d +e +f"),
        ("one_for_all", "c", "-f -e -d -b -a +a +b +c +d +e +f"),
        ("one_for_all", "f", "-e -d -c -b -a +a +b +c +d +e +f"),
        ("rest_for_one", "a", "-f -e -d -c -b +a +b +c +d +e +f"),
        ("rest_for_one", "c", "-f -e -d +c +d +e +f"),
        ("rest_for_one", "f", "+f"),
    ],
)
def test_a_death_restarts_whom_the_strategy_says_in_order(strategy: str, victim: str, story: str) -> None:
    """F1: one-for-one, one-for-all, rest-for-one."""
    world = World(make(*SIX, strategy=Strategy(strategy), backoff=NO_WAIT)).start()
    assert world.die(victim) == story
    assert world.up() == "a b c d e f"


def test_one_for_all_waits_for_each_end_before_the_next() -> None:
    """F1: stops go one by one from the last, and no start before the last stop."""
    plan = make("a", "b", "c", strategy=Strategy.ONE_FOR_ALL)
    World(plan).start()
    assert plan.exited("b", "failure", 100) == [Stop(("c",))]
    assert plan.exited("c", "shutdown", 101) == [Stop(("a",))]
    assert plan.exited("a", "shutdown", 102) == [Start(("a",), again=True)]
    assert plan.started("a", 103) == [Start(("b",), again=True)]


def test_a_sibling_that_dies_by_itself_while_all_are_stopped_is_not_counted_again() -> None:
    """F1: simultaneous deaths are one restart."""
    plan = make("a", "b", "c", strategy=Strategy.ONE_FOR_ALL, intensity=Intensity(1, 5))
    World(plan).start()
    assert plan.exited("b", "failure", 100) == [Stop(("c",))]
    assert plan.exited("a", "failure", 100) == []
    assert plan.exited("c", "failure", 100) == [Start(("a",), again=True)]


def test_temporary_siblings_are_not_started_again_with_the_others() -> None:
    """F1: temporary children end with a restart of all."""
    for strategy, story in ((Strategy.ONE_FOR_ALL, "-c -b +a +c"), (Strategy.REST_FOR_ONE, "-c -b +a +c")):
        world = World(make("a", ChildSpec("b", "temporary"), "c", strategy=strategy)).start()
        assert world.die("a") == story
        assert world.plan.status("b") is None


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
def test_transient_siblings_that_had_ended_are_started_again_with_the_others(strategy: Strategy) -> None:
    """F1: a restart of all is of all that have a spec."""
    world = World(make("a", ChildSpec("b", "transient"), "c", strategy=strategy)).start()
    assert world.die("b", "normal") == ""
    assert world.die("a") == "-c +a +b +c"


def test_rest_for_one_leaves_those_before_alone_even_when_they_die_meanwhile() -> None:
    """F1: an earlier death widens the restart."""
    plan = make("a", "b", "c", "d", strategy=Strategy.REST_FOR_ONE)
    World(plan).start()
    assert plan.exited("c", "failure", 100) == [Stop(("d",))]
    # b dies while d is still ending: b, c and d are to be restarted, after d's end.
    assert plan.exited("b", "failure", 100) == []
    assert plan.exited("d", "shutdown", 100) == [Start(("b",), again=True)]
    assert plan.started("b", 100) == [Start(("c",), again=True)]


def test_a_death_during_the_restart_of_all_begins_it_anew() -> None:
    """F1: deaths while starting."""
    world = World(make("a", "b", "c", strategy=Strategy.ONE_FOR_ALL, backoff=NO_WAIT)).start()
    plan = world.plan
    plan.exited("a", "failure", 100)
    plan.exited("c", "shutdown", 100)
    assert plan.exited("b", "shutdown", 100) == [Start(("a",), again=True)]
    assert plan.started("a", 100) == [Start(("b",), again=True)]
    assert plan.exited("a", "failure", 100) == [Stop(("b",))]
    assert plan.exited("b", "shutdown", 100) == [Start(("a",), again=True)]


# Failed restarts


@pytest.mark.parametrize(
    ("strategy", "stories"),
    [
        ("one_for_one", ["+b", "+b"]),
        ("one_for_all", ["-c -a +a +b -a", "+a +b -a"]),
        ("rest_for_one", ["-c +b", "+b"]),
    ],
)
def test_a_restart_that_fails_is_tried_again_after_a_wait(strategy: str, stories: list[str]) -> None:
    """F1: failed restarts take the same path as deaths."""
    world = World(make("a", "b", "c", strategy=Strategy(strategy), intensity=PATIENT)).start()
    world.broken = {"b"}
    assert world.die("b") == stories[0]
    assert world.laters == [pytest.approx(0.1)]
    assert world.wait(0.1) == stories[1]
    world.broken.clear()
    world.wait(0.2)
    assert world.up() == "a b c"


@pytest.mark.parametrize("strategy", Strategy)
def test_failed_restarts_count_towards_the_intensity(strategy: Strategy) -> None:
    """F1: a child that never comes up again ends the supervisor, not an endless loop."""
    world = World(make("a", "b", strategy=strategy, intensity=Intensity(3, 5), backoff=NO_WAIT)).start()
    world.broken = {"b"}
    story = world.die("b")
    assert story.count("+b") == 3
    assert story.endswith("-a escalate b")
    assert world.plan.ending


def test_rest_for_one_goes_on_from_the_child_that_failed_to_restart() -> None:
    """F1: those before it in the restart stay up."""
    world = World(make("a", "b", "c", "d", strategy=Strategy.REST_FOR_ONE, backoff=NO_WAIT)).start()
    plan = world.plan
    plan.exited("b", "failure", 100)
    plan.exited("d", "shutdown", 100)
    assert plan.exited("c", "shutdown", 100) == [Start(("b",), again=True)]
    assert plan.started("b", 100) == [Start(("c",), again=True)]
    assert plan.exited("c", "failure", 100) == [Start(("c",), again=True)]


def test_a_child_in_its_wait_can_be_terminated_and_stays_down() -> None:
    """F1: requests are served between tries."""
    world = World(make("a", "b", intensity=PATIENT)).start()
    world.broken = {"b"}
    world.die("b")
    assert world.plan.terminate("b", world.now) == []
    assert world.plan.status("b") is ChildStatus.DOWN
    assert world.wait(60) == ""
    world.broken.clear()
    world.carry_out(world.plan.restart("b", world.now))
    assert world.said() == "+b"


def test_a_supervisor_that_waits_for_a_restart_can_be_stopped() -> None:
    """F1: the end is served between tries."""
    world = World(make("a", "b", intensity=PATIENT)).start()
    world.broken = {"b"}
    world.die("b")
    world.carry_out(world.plan.stop("enough"))
    assert world.said() == "-a finish"
    assert world.wait(60) == ""


# Intensity


@pytest.mark.parametrize(
    ("intensity", "deaths", "gives_up"),
    [
        (Intensity(0, 5), [0.0], True),
        (Intensity(1, 5), [0.0], False),
        (Intensity(1, 5), [0.0, 4.9], True),
        (Intensity(1, 5), [0.0, 5.0], True),
        (Intensity(1, 5), [0.0, 5.1], False),
        (Intensity(3, 5), [0.0, 1.0, 2.0], False),
        (Intensity(3, 5), [0.0, 1.0, 2.0, 3.0], True),
        (Intensity(3, 5), [0.0, 1.0, 2.0, 5.1], False),
        (Intensity(3, 5), [0.0, 1.0, 2.0, 5.1, 5.2], True),
        (Intensity(3, 5), [float(10 * i) for i in range(50)], False),
    ],
)
def test_more_restarts_than_the_intensity_in_a_period_end_the_supervisor(
    *, intensity: Intensity, deaths: list[float], gives_up: bool
) -> None:
    """F1: intensity in a period, counted over all children."""
    world = World(make("a", "b", "c", intensity=intensity, backoff=NO_WAIT)).start()
    begin = world.now
    stories = []
    for number, death in enumerate(deaths):
        world.now = begin + death
        stories.append(world.die("abc"[number % 3]))
    assert world.plan.ending is gives_up
    assert stories[:-1] == [f"+{'abc'[i % 3]}" for i in range(len(deaths) - 1)]
    if gives_up:
        assert stories[-1].endswith(f"escalate {'abc'[(len(deaths) - 1) % 3]}")


def test_the_supervisor_that_gives_up_stops_the_others_in_reverse_order_and_says_why() -> None:
    """F1: escalation comes last, and names child, count and cause."""
    plan = make("a", "b", "c", intensity=Intensity(0, 5))
    World(plan).start()
    assert plan.exited("b", "failure", 100, "division by zero") == [Stop(("c",))]
    assert plan.exited("c", "shutdown", 100) == [Stop(("a",))]
    (last,) = plan.exited("a", "failure", 100)
    assert isinstance(last, Escalate)
    assert last.child == "b"
    assert "more than 0 restarts in 5 s" in last.why
    assert "division by zero" in last.why


# Back-off


def test_the_first_try_after_a_death_is_at_once_and_the_next_wait_longer_and_longer() -> None:
    """F1: back-off 0.1 to 30 s."""
    world = World(make("a", intensity=PATIENT)).start()
    waits = []
    for _ in range(12):
        world.laters.clear()
        world.die("a")
        waits.append(world.laters[0] if world.laters else 0.0)
        world.wait(waits[-1])
        assert world.up() == "a"
    assert waits == pytest.approx([0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0])


def test_a_quiet_time_makes_the_next_try_immediate_again() -> None:
    """F1: the back-off is reset after quiet."""
    world = World(make("a", intensity=PATIENT, quiet=10)).start()
    assert world.die("a") == "+a"
    world.now += 9
    assert world.die("a") == ""
    assert world.wait(0.1) == "+a"
    world.now += 10
    assert world.die("a") == "+a"


def test_progress_makes_the_next_try_immediate_again() -> None:
    """F1: a child that did some work since its start is not punished for its death."""
    world = World(make("a", intensity=PATIENT)).start()
    for _ in range(5):
        world.plan.progressed("a")
        assert world.die("a") == "+a"
    assert world.die("a") == ""


@given(st.lists(st.sampled_from(["a", "b"]), max_size=60), st.integers(0, 3), st.floats(0, 10))
def test_deaths_at_work_never_end_a_type_and_are_followed_by_a_try_at_once(
    deaths: list[str], most: int, gap: float
) -> None:
    """F4 F1: they are the doing of what ran; a start that fails again and again ends the type all the same."""
    plan = make("a", "b", counted="failed_starts", parallel=True, intensity=Intensity(most, 5.0))
    world = World(plan).start()
    for child in deaths:
        world.now += gap
        plan.progressed(child)
        assert world.die(child) == f"+{child}"
    assert world.laters == []
    world.broken.update({"a", "b"})
    for child in ("a", "b"):
        plan.progressed(child)
        world.die(child)
        for _ in range(most + 1):
            world.wait(30.0)
    assert plan.ending


def test_waits_vary_by_chance() -> None:
    """F1: jitter."""
    waits = set()
    for seed in range(20):
        plan = SupervisionPlan([ChildSpec("a")], rng=random.Random(seed), intensity=PATIENT, backoff=Backoff())
        world = World(plan).start()
        world.die("a")
        world.die("a")
        waits.add(world.laters[0])
    assert len(waits) == 20
    assert all(0.05 <= wait <= 0.1 for wait in waits)


def test_a_wake_up_too_early_or_too_often_does_no_harm() -> None:
    """F1: timers."""
    world = World(make("a", "b", intensity=PATIENT)).start()
    world.die("a")
    world.die("a")
    assert world.wait(0.05) == ""
    assert world.plan.next_due() == pytest.approx(100.1)
    # Each early call says when to come again.
    assert world.laters[-1] == pytest.approx(0.05)
    assert world.wait(0.06) == "+a"
    assert world.wait(0.0) == ""
    assert world.plan.next_due() is None


def test_children_wait_independently_under_one_for_one() -> None:
    """F1: one child's back-off does not hold up another."""
    world = World(make("a", "b", intensity=PATIENT)).start()
    for _ in range(4):
        world.die("a")
        world.wait(0.5)
    world.die("a")
    assert world.up() == "b"
    assert world.die("b") == "+b"


# Requests


def test_a_child_is_added_after_the_others_and_supervised_like_them() -> None:
    """F1: children come while it runs."""
    world = World(make("a", strategy=Strategy.REST_FOR_ONE, backoff=NO_WAIT)).start()
    world.carry_out(world.plan.add(ChildSpec("b"), world.now))
    assert world.said() == "+b"
    assert world.die("a") == "-b +a +b"
    assert world.die("b") == "+b"


def test_an_added_child_that_fails_to_start_is_forgotten_and_hurts_nobody() -> None:
    """F1: whoever asked learns of it; it is no restart."""
    world = World(make("a", intensity=Intensity(0, 5)), broken={"b"}).start()
    world.carry_out(world.plan.add(ChildSpec("b"), world.now))
    assert world.said() == "+b"
    assert world.plan.status("b") is None
    assert world.up() == "a"


def test_a_child_added_during_a_restart_of_all_is_started_last() -> None:
    """F1: the order of start holds."""
    plan = make("a", "b", strategy=Strategy.ONE_FOR_ALL)
    world = World(plan).start()
    assert plan.exited("a", "failure", 100) == [Stop(("b",))]
    assert plan.add(ChildSpec("c"), 100) == []
    world.carry_out(plan.exited("b", "shutdown", 100))
    assert world.said() == "+a +b +c"


def test_a_terminated_child_stays_down_until_it_is_restarted() -> None:
    """F1: terminate and restart on request, neither counts."""
    world = World(make("a", "b", intensity=Intensity(0, 5))).start()
    world.carry_out(world.plan.terminate("a", world.now))
    assert world.said() == "-a"
    assert world.plan.status("a") is ChildStatus.DOWN
    with pytest.raises(ConfigError, match="must be down"):
        world.plan.restart("b", world.now)
    world.carry_out(world.plan.restart("a", world.now))
    assert world.said() == "+a"


def test_a_restart_on_request_that_fails_leaves_the_child_down() -> None:
    """F1: restart on request."""
    world = World(make("a", "b")).start()
    world.carry_out(world.plan.terminate("a", world.now))
    world.broken = {"a"}
    world.carry_out(world.plan.restart("a", world.now))
    assert world.plan.status("a") is ChildStatus.DOWN
    assert not world.plan.ending


def test_a_terminated_temporary_child_is_forgotten() -> None:
    """F1: temporary children leave no spec."""
    world = World(make("a", ChildSpec("b", "temporary"))).start()
    world.carry_out(world.plan.terminate("b", world.now))
    assert world.plan.status("b") is None


def test_only_a_child_that_is_down_can_be_removed() -> None:
    """F1: remove."""
    world = World(make("a", "b")).start()
    with pytest.raises(ConfigError, match="terminate it first"):
        world.plan.remove("a")
    world.carry_out(world.plan.terminate("a", world.now))
    world.plan.remove("a")
    assert world.plan.status("a") is None
    for request in (
        world.plan.remove,
        lambda name: world.plan.terminate(name, 0),
        lambda name: world.plan.restart(name, 0),
    ):
        with pytest.raises(ConfigError, match="no child 'nobody'; known: b"):
            request("nobody")


def test_a_child_that_dies_as_it_is_terminated_is_not_restarted() -> None:
    """F1: the race between an end on request and a death."""
    plan = make("a", "b")
    World(plan).start()
    assert plan.terminate("a", 100) == [Stop(("a",))]
    assert plan.exited("a", "failure", 100) == []
    assert plan.status("a") is ChildStatus.DOWN


def test_a_child_that_is_starting_can_be_terminated_and_the_others_go_on() -> None:
    """F1: terminate during the boot."""
    plan = make("a", "b")
    plan.start(0)
    assert plan.terminate("a", 0) == [Stop(("a",)), Start(("b",), again=False)]
    assert plan.exited("a", "shutdown", 0) == []
    assert plan.started("b", 0) == []


# The end


def test_children_end_in_reverse_order_each_after_the_one_before() -> None:
    """F1: the order of the end."""
    plan = make("a", "b", "c")
    World(plan).start()
    assert plan.stop("enough") == [Stop(("c",))]
    assert plan.exited("c", "shutdown", 101) == [Stop(("b",))]
    assert plan.exited("b", "failure", 101) == [Stop(("a",))]
    assert plan.exited("a", "normal", 101) == [Finish("enough")]


def test_a_second_request_to_end_changes_nothing() -> None:
    """F1: one end."""
    plan = make("a")
    World(plan).start()
    assert plan.stop("first") == [Stop(("a",))]
    assert plan.stop("second") == []
    assert plan.terminate("a", 0) == []
    with pytest.raises(SystemClosed, match="ending"):
        plan.add(ChildSpec("b"), 0)
    assert plan.exited("a", "shutdown", 0) == [Finish("first")]
    assert plan.exited("a", "shutdown", 0) == []


def test_an_end_with_nobody_left_is_at_once() -> None:
    """F1: the end of an empty supervisor."""
    assert make().stop("enough") == [Finish("enough")]


def test_a_child_that_dies_or_comes_up_while_all_end_is_not_restarted() -> None:
    """F1: races with the end."""
    plan = make("a", "b", "c")
    plan.start(0)
    plan.started("a", 0)
    assert plan.stop("enough") == [Stop(("b",))]
    assert plan.started("b", 0) == []
    assert plan.exited("a", "failure", 0) == []
    assert plan.exited("b", "shutdown", 0) == [Finish("enough")]
    assert plan.status("c") is ChildStatus.DOWN


def test_late_and_unknown_reports_are_ignored() -> None:
    """F1: whatever order things are reported in."""
    plan = make("a")
    World(plan).start()
    assert plan.started("a", 0) == plan.started("x", 0) == plan.exited("x", "failure", 0) == []
    plan.progressed("x")
    plan.terminate("a", 0)
    plan.exited("a", "shutdown", 0)
    assert plan.exited("a", "failure", 0) == []


# Significant children

S = ChildSpec


@pytest.mark.parametrize(
    ("auto", "specs", "deaths", "story"),
    [
        ("any", [S("a"), S("b", "transient", significant=True)], [("b", "normal")], "-a finish"),
        ("any", [S("a"), S("b", "transient", significant=True)], [("b", "shutdown")], "-a finish"),
        ("any", [S("a"), S("b", "transient", significant=True)], [("b", "failure")], "+b"),
        ("any", [S("a"), S("b", "temporary", significant=True)], [("b", "normal")], "-a finish"),
        ("any", [S("a"), S("b", "temporary", significant=True)], [("b", "failure")], "-a finish"),
        ("any", [S("a", "transient"), S("b", "temporary", significant=True)], [("a", "normal")], ""),
        (
            "all",
            [S("a", "temporary", significant=True), S("b", "temporary", significant=True), S("c")],
            [("a", "failure")],
            "",
        ),
        (
            "all",
            [S("a", "temporary", significant=True), S("b", "temporary", significant=True), S("c")],
            [("a", "failure"), ("b", "normal")],
            "-c finish",
        ),
        (
            "all",
            [S("a", "transient", significant=True), S("b", "transient", significant=True), S("c")],
            [("a", "normal"), ("b", "failure"), ("b", "normal")],
            "+b -c finish",
        ),
        ("all", [S("a"), S("b", "transient", significant=True)], [("a", "failure"), ("b", "shutdown")], "+a -a finish"),
    ],
)
def test_the_end_of_significant_children_ends_the_supervisor(
    auto: Any, specs: list[ChildSpec], deaths: list[tuple[str, str]], story: str
) -> None:
    """F1: automatic shutdown."""
    world = World(make(*specs, auto_shutdown=auto)).start()
    assert " ".join(filter(None, [world.die(*death) for death in deaths])) == story


def test_ending_a_significant_child_on_request_does_not_end_the_supervisor() -> None:
    """F1: only ends of their own count."""
    world = World(make("a", ChildSpec("b", "temporary", significant=True), auto_shutdown="any")).start()
    world.carry_out(world.plan.terminate("b", world.now))
    assert world.said() == "-b"
    assert not world.plan.ending


def test_a_significant_child_that_ends_with_a_restart_of_all_does_not_end_the_supervisor() -> None:
    """F1: ends by the supervisor itself do not count."""
    specs = (S("a"), S("b", "temporary", significant=True), S("c", "transient", significant=True))
    world = World(make(*specs, auto_shutdown="any", strategy=Strategy.ONE_FOR_ALL)).start()
    assert world.die("a") == "-c -b +a +c"


def test_a_significant_child_about_to_be_restarted_counts_as_there() -> None:
    """F1: all significant children must have ended."""
    specs = (S("a", "transient", significant=True), S("b", "transient", significant=True))
    world = World(make(*specs, auto_shutdown="all", intensity=PATIENT)).start()
    world.die("b")
    world.die("b")
    assert world.plan.status("b") is ChildStatus.WAITING
    assert world.die("a", "normal") == ""
    assert world.wait(0.1) == "+b"


# Agents: failed starts count, deaths after a start do not


def agents(*children: str, **settings: Any) -> World:
    """A plan as the supervisors of agents have it."""
    settings = {"counted": "failed_starts", "parallel": True, "intensity": Intensity(3, 5)} | settings
    return World(make(*children, **settings))


def test_agents_that_die_after_their_start_are_restarted_however_often() -> None:
    """A6 F1: a task that kills its agents does not end their supervisor."""
    world = agents("a-1", "a-2").start()
    for _ in range(50):
        world.die("a-1")
        world.wait(30)
    assert world.up() == "a-1 a-2"


def test_agents_that_cannot_start_are_given_up_after_as_many_tries_as_the_intensity_says() -> None:
    """F1: the first try and three more, at first too; then it escalates."""
    world = agents("a-1")
    world.broken = {"a-1"}
    world.carry_out(world.plan.start(world.now))
    assert world.said() == "+a-1 +a-1"
    assert world.wait(0.1) == "+a-1"
    assert world.wait(0.2) == "+a-1 escalate a-1"


def test_agents_whose_starts_fail_slowly_are_given_up_all_the_same() -> None:
    """F2: a start that takes longer than the period to fail is not tried for ever."""
    world = agents("a-1")
    actions = world.plan.start(0)
    starts = 0
    now = 0.0
    while not any(isinstance(action, Escalate) for action in actions):
        if any(isinstance(action, Start) for action in actions):
            starts += 1
            now += 20
            actions = world.plan.exited("a-1", "failure", now, "too slow")
        else:
            now += 1
            actions = world.plan.due(now)
    assert starts == 4


def test_an_agent_that_cannot_start_is_dropped_alone_while_a_sibling_lives() -> None:
    """F1: that a sibling runs proves that the type can."""
    world = agents("a-1", "a-2").start()
    world.broken = {"a-2"}
    world.die("a-2")
    stories = [world.wait(1) for _ in range(4)]
    assert [story for story in stories if story][-1].endswith("drop a-2")
    assert world.plan.status("a-2") is None
    assert world.up() == "a-1"
    assert not world.plan.ending


def test_a_start_that_works_clears_the_count_of_those_that_failed() -> None:
    """F1: only failed starts in a row count."""
    world = agents("a-1").start()
    for _ in range(10):
        world.broken = {"a-1"}
        world.die("a-1")
        world.wait(30)
        world.broken.clear()
        world.wait(30)
        assert world.up() == "a-1"


def test_an_added_agent_that_fails_to_start_is_tried_again() -> None:
    """C1 F1: agents come by request, and one failure is not the end."""
    world = agents()
    world.broken = {"a-1"}
    world.carry_out(world.plan.add(ChildSpec("a-1"), world.now))
    world.broken.clear()
    world.wait(1)
    assert world.up() == "a-1"


def test_thousands_of_children_start_and_stop_in_time() -> None:
    """F1: the plan's cost does not explode with the number of children."""
    for parallel in (True, False):
        world = World(make(*[f"c{i}" for i in range(300)], parallel=parallel)).start()
        assert len(world.up().split()) == 300
        world.carry_out(world.plan.stop("enough"))
        assert world.said().endswith("finish")


def test_the_time_that_a_child_was_down_does_not_count_as_time_that_it_did_well() -> None:
    """F1: back-off is forgotten for who was up for long, not for who came up long ago and was ended soon."""
    plan = SupervisionPlan(
        [ChildSpec("a")], rng=random.Random(0), counted="failed_starts", backoff=Backoff(first=2.0, jitter=0.0)
    )
    plan.start(0.0)
    plan.started("a", 0.0)
    assert plan.exited("a", "failure", 0.0) == [Start(("a",), again=True)]
    plan.started("a", 0.0)
    plan.terminate("a", 1.0)
    plan.exited("a", "shutdown", 1.0)
    plan.restart("a", 100.0)
    assert plan.exited("a", "failure", 100.0) == [Later(2.0)]
