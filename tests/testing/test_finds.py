"""What the simulation has found in the library, each as the smallest run that shows it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from actors.config import AgentConfig, SystemConfig
from actors.core.retry import Backoff
from actors.errors import ChannelClosed, JournalError, MessageRefused
from actors.hosts.serialize import failure_of
from actors.protocol.messages import ErrorResponse, job_group
from actors.runtime.agent_links import RECALL
from actors.runtime.messages import AgentReady
from actors.testing.campaign.run import run_history
from actors.testing.campaign.workers import Clerk, Runner, Said
from actors.testing.faults import FaultPlan
from actors.testing.history import Moved
from actors.testing.sim.choices import PlainChoices
from actors.testing.sim.journal import MemoryJournal
from actors.testing.simulation import Simulation


@pytest.mark.parametrize("seed", range(5))
def test_an_agent_that_is_to_be_recycled_still_runs_what_its_waiting_task_needs(seed: int) -> None:
    """A7: between two tasks means also between two that wait for nobody."""
    config = SystemConfig(agent=AgentConfig(recycle_after_tasks=2))
    with Simulation({Clerk: 1}, seed=seed, max_agents=1, config=config) as sim:
        nested = sim.system.submit(Clerk.nest, 3, 2)
        sim.settle()
        assert nested.result() == 13


def test_a_full_disk_for_one_agent_lets_the_next_take_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """F1 C2: the supervisor kept a plan for the agent whose workspace could not be made, and failed at the next one."""
    with Simulation({Clerk: (0, 3)}, choices=PlainChoices(), workspaces=False) as sim:
        full: list[str] = []

        def inject(kind: str, actor: str, what: str) -> bool:
            if kind != "disk_full" or full or actor != "clerk-2#1":
                return False
            full.append(actor)
            return True

        monkeypatch.setattr(sim.host, "inject", inject)
        futures = [sim.system.submit(Clerk.slow, number, 1.0) for number in range(3)]
        sim.run()
        assert full
        assert [future.result() for future in futures] == [0, 1, 2]
        assert sim.system.spawn(Clerk).agent_id == "clerk-3"
        supervisor = next(cell for cell in sim.dispatcher.cells if cell.name == "actors-agents-clerk")
        assert supervisor.incarnation == 1


def test_a_replacement_is_not_at_work_on_the_job_of_what_its_predecessor_had() -> None:
    """B5: the job of a task that was under way when its agent died counted for the replacement, for ever."""
    with Simulation({Clerk: 1}, choices=PlainChoices(), workspaces=False) as sim:
        future = sim.system.options(job="night").submit(Clerk.slow, 1, 1.0)
        registry = sim.state_of("hub").registry
        assert sim.run_until(lambda: registry.resolve(job_group("night")) == ["clerk-1"], 5.0)
        sim.run(0.5)
        assert sim.kill("clerk-1")
        sim.settle()
        assert future.result() == 1
        assert registry.resolve(job_group("night")) == []


def test_a_supervisor_that_was_restarted_goes_on_with_what_it_had_to_do_later() -> None:
    """F1 C1: the time that a start may take was forgotten with the incarnation that had set it."""
    config = SystemConfig(agent=AgentConfig(start_timeout=8.0))
    with Simulation({Clerk: 1}, choices=PlainChoices(), config=config, workspaces=False) as sim:
        assert sim.run_until(lambda: sim.hang("clerk-1"), 1.0)
        sim.run(1.0)
        assert sim.crash("agents-clerk")
        sim.run(10.0)
        handle = sim.host.find("clerk-1")
        assert handle is not None
        assert handle.incarnation == 2
        assert not handle.sim.hung


@pytest.mark.parametrize("who", ["hub", "scheduler"])
def test_an_actor_that_was_restarted_does_not_watch_a_channel_that_is_closed(who: str) -> None:
    """F1 I3: one agent had sent what cannot be read, and no further incarnation of the hub could start."""
    with Simulation({Clerk: 1}, choices=PlainChoices(), workspaces=False) as sim:
        assert sim.run_until(lambda: sim.state_of("hub").registry.is_ready("clerk-1"), 5.0)
        handle = sim.host.find("clerk-1")
        assert handle is not None
        (handle.control if who == "hub" else handle.task).close()
        assert sim.crash(who)
        future = sim.system.submit(Clerk.add, 1, 2)
        sim.settle()
        assert future.result() == 3
        assert next(cell for cell in sim.dispatcher.cells if cell.name == f"actors-{who}").incarnation == 2


def test_a_refused_recall_is_an_answer_to_it() -> None:
    """D8: hub and scheduler sent the refusal to each other until its agent was gone."""
    with Simulation({Clerk: 1}, choices=PlainChoices(), workspaces=False) as sim:
        assert sim.run_until(lambda: sim.state_of("hub").registry.is_ready("clerk-1"), 5.0)
        handle = sim.host.find("clerk-1")
        assert handle is not None
        refusal = ErrorResponse(tuple(failure_of(MessageRefused("it is terminating"))))
        handle.sim.control_channel.send(refusal, correlation=RECALL, recipient="scheduler", sender="clerk-1")
        before = sim.conductor.steps
        sim.run(0.1)
        assert sim.conductor.steps - before < 20


def test_an_agent_shows_legal_moves_while_a_task_runs_inside_the_one_that_waits_for_it() -> None:
    """A2: also in an event loop, where each of the two has a machine of its own."""
    with Simulation({Runner: 1}, seed=1, max_agents=1) as sim:
        gathered = sim.system.submit(Runner.gather, 3)
        sim.settle()
        assert gathered.result() == 3
        moves = [entry for entry in sim.history.entries if isinstance(entry, Moved) and entry.kind == "agent"]
        assert ("waiting", "working") in {(move.source, move.target) for move in moves}


@pytest.mark.parametrize("seed", [80, 89, 101, 116])
def test_a_task_whose_agent_cannot_be_read_any_more_is_tried_again(seed: int) -> None:
    """I3: a garbled frame costs the agent its life; its task does not fail with an error of the channel."""
    faults = FaultPlan(garbles=0.2, latency=(0.0, 0.2), most=1)
    with Simulation({Clerk: 2, Runner: 1}, seed=seed, faults=faults) as sim:
        futures = [sim.system.submit(Clerk.ask_other, "runner-1", 4), sim.system.submit(Clerk.nest, 2, 1)]
        sim.run()
        sim.settle()
        assert not [future for future in futures if isinstance(future.exception(), ChannelClosed)]


def test_a_task_that_was_done_and_not_told_has_a_new_attempt() -> None:
    """D8: no attempt begins twice, and what arrives twice hides no other; the promises after each step see to it."""
    for seed in range(6):
        faults = FaultPlan(dies=0.4, doubles=0.4, task=(0.0, 0.001), latency=(0.0, 0.05), most=10)
        with Simulation({Clerk: 2}, seed=seed, faults=faults) as sim:
            futures = [sim.system.submit(Clerk.add, number, 1) for number in range(12)]
            sim.run()
            sim.settle()
            assert all(future.done() for future in futures)


@pytest.mark.parametrize("seed", [1930, 10804, 11294, 14282, 100384, 101300, 103053, 103513])
def test_histories_that_once_broke_a_promise_hold(seed: int) -> None:
    """C1 D6 E1 F1: what was found there has tests of its own in the core and in the agent; these are the whole stories."""
    assert run_history(seed).steps >= 200


def test_what_a_waiting_task_holds_is_lent_before_an_agent_beyond_the_limits_is_started() -> None:
    """C1 E4: a sub-task that another agent might have run brought a third agent of a type that may have two."""
    assert run_history(3_000_140).steps >= 200


class _Late:
    """The reference of a supervisor that does not hear in time that its agents are ready."""

    def __init__(self, ref: Any) -> None:
        self._ref = ref

    def tell(self, message: Any) -> None:
        """Send on all but that."""
        if not isinstance(message, AgentReady):
            self._ref.tell(message)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ref, name)


def test_an_agent_that_a_task_kills_before_its_supervisor_heard_of_it_has_started_all_the_same() -> None:
    """F1 F4: the scheduler heard first that it is ready, and gave it a task; such deaths counted as failed starts."""
    with Simulation({Clerk: 1}, choices=PlainChoices(), workspaces=False) as sim:
        supervisors = sim.assembly.peers.supervisors
        supervisors["clerk"] = _Late(supervisors["clerk"])
        future = sim.system.options(retries=9, backoff=Backoff(0.0)).submit(Clerk.slow, 1, 1.0)

        def tried(attempt: int) -> bool:
            task = sim.engine.task(future.number)
            return task is not None and task.attempt == attempt

        for attempt in range(1, 8):
            assert sim.run_until(partial(tried, attempt), 60.0)
            sim.run(0.2)
            assert sim.kill("clerk-1")
        sim.settle()
        assert future.result() == 1


@pytest.mark.parametrize("seed", range(90, 105))
def test_an_agent_that_starts_while_somebody_begins_to_listen_is_heard_from_its_first_task_on(seed: int) -> None:
    """B5: its first task could come before word that somebody listens, and published for nobody."""
    plan = FaultPlan(latency=(0.0, 0.2))
    with Simulation({Clerk: 1}, seed=seed, faults=plan, guarded=False, workspaces=False) as sim:
        sim.run_steps(seed % 40)
        stream = sim.system.events(Said)
        sim.system.submit(Clerk.says, 3, False)  # noqa: FBT003 - as a task takes it
        sim.settle()
        sim.run(1.0)
        stream.close()
        assert [event.number for event in stream if isinstance(event, Said)] == [0, 1, 2]


@pytest.mark.parametrize("seed", [1, 2, 3, 6, 9, 11, 13, 20, 71, 96])
def test_the_last_events_of_an_agent_that_ends_are_heard_in_order(seed: int) -> None:
    """B5 D8: word of its end overtook what was read in the same turn, and what came in several pieces was read in part.

    So were results, and the task ran again.
    """
    config = SystemConfig(agent=AgentConfig(recycle_after_tasks=1))
    plan = FaultPlan(latency=(0.0, 0.1))
    with Simulation({Clerk: 1}, seed=seed, config=config, faults=plan, guarded=False, workspaces=False) as sim:
        stream = sim.system.events(Said)
        for _ in range(3):
            sim.system.submit(Clerk.says, 4, False)  # noqa: FBT003 - as a task takes it
        sim.settle()
        sim.run(1.0)
        stream.close()
        heard: dict[tuple[str, int], list[int]] = {}
        for event in stream:
            assert isinstance(event, Said)
            heard.setdefault((event.task, event.attempt), []).append(event.number)
        assert len(heard) == 3
        assert all(numbers == [0, 1, 2, 3] for numbers in heard.values())


def test_a_dead_letter_that_cannot_be_kept_is_given_to_no_agent() -> None:
    """F3: it was refused, and an agent got it all the same, with word of its cancellation behind it."""
    journal = MemoryJournal()
    with Simulation({Clerk: 1}, choices=PlainChoices(), journal=journal, workspaces=False) as sim:
        failed = sim.system.submit(Clerk.fails, 1)
        sim.settle()
        assert isinstance(failed.exception(), LookupError)
        journal.fails = lambda: True
        again = sim.system.retry_dead(failed)
        sim.run(5.0)
        assert isinstance(again.exception(), JournalError)
        moves = [(entry.source, entry.target) for entry in sim.history.entries if type(entry) is Moved]
        assert moves.count(("pending", "assigned")) == 1


def test_a_task_that_awaits_several_at_once_on_the_only_agent_goes_on() -> None:
    """Inside a task: with the first result that came the scheduler was told that the task waits no longer."""
    with Simulation({Runner: 1}, choices=PlainChoices(), max_agents=1, workspaces=False) as sim:
        future = sim.system.submit(Runner.gather, 5)
        sim.settle()
        assert future.result() == 10
