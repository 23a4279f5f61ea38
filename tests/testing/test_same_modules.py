"""The simulation runs what is shipped: the same modules as with processes, but for those that stand for the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import actors
from actors.errors import DeadlockDetected
from actors.hosts.process import ProcessHost
from actors.kernel.actor import Actor
from actors.kernel.handlers import handles
from actors.protocol.events import TaskCompleted
from actors.system import ActorSystem
from actors.testing.campaign.workers import Clerk, Question, Runner
from actors.testing.simulation import Simulation
from tests.testing.traced import FOLDER, running

ROOMS = ("core", "protocol", "kernel", "hosts", "runtime")
"""The rooms whose modules are compared; all that decides anything is in them."""

MACHINE = {
    # transport: processes, their descriptors, their memory
    "actors.hosts.birth",
    "actors.hosts.child",
    "actors.hosts.doorbell",
    "actors.hosts.forked",
    "actors.hosts.launcher",
    "actors.hosts.launcherprocess",
    "actors.hosts.launchlink",
    "actors.hosts.linux",
    "actors.hosts.mappings",
    "actors.hosts.process",
    "actors.hosts.processhandle",
    "actors.hosts.proctree",
    "actors.hosts.segmentpool",
    "actors.hosts.stderrsink",
    # clock, threads, measurements
    "actors.kernel.dispatch",
    "actors.kernel.threads",
    "actors.hosts.vitals",
    "actors.hosts.limits",
    "actors.runtime.machine",
    "actors.runtime.procfs",
    # reads what a process leaves of its stacks, and a simulated agent has none
    "actors.core.stacks",
}
"""What stands for the machine with processes, and may be replaced in a simulation. Nothing else may."""

WITHOUT_CODE = {
    *("actors.core.sync", "actors.core.sync.wait"),
    # Says who knows the way out of the process, which no reference takes here.
    "actors.kernel.travel",
}
"""What only names things: it runs when it is imported, which here it was before."""

STANDS_FOR = {
    "actors.testing.sim.alarms": "nothing: what is to happen, by time and by step",
    "actors.testing.sim.agent": "the process of an agent and its two threads",
    "actors.testing.sim.chance": "random.Random",
    "actors.testing.sim.channel": "nothing: the shipped channel, with word of what goes through it",
    "actors.testing.sim.choices": "nothing: decides",
    "actors.testing.sim.conductor": "the machine's scheduler of threads, and the passing of time",
    "actors.testing.sim.dispatcher": "the threads of actors; their mailboxes are shipped",
    "actors.testing.sim.ground": "nothing: what an agent needs of its host",
    "actors.testing.sim.host": "actors.hosts.process",
    "actors.testing.sim.loop": "the selector of an event loop",
    "actors.testing.sim.machine": "actors.runtime.procfs and actors.runtime.machine",
    "actors.testing.sim.network": "sockets and epoll",
    "actors.testing.sim.recorder": "nothing: writes down",
    "actors.testing.sim.telling": "nothing: tells values in a few words",
    "actors.testing.sim.journal": "a file that outlives the program",
    "actors.testing.sim.threads": "threads, conditions, and descriptors to sleep on",
}
"""All there is in the simulated machine, and what each stands for."""


class Narrow(Actor):
    """Has room for one message, and sends itself more."""

    mailbox_bound = 1

    @handles(int)
    def count(self, message: int) -> int:
        for number in range(message):
            self.actor_ref.tell(str(number))
        return message

    @handles(str)
    def take(self, message: str) -> None:
        """Nothing."""


def work(system: ActorSystem) -> None:
    """Use a bit of everything."""
    heard: list[Any] = []
    system.subscribe(TaskCompleted, heard.append)
    futures = [
        system.submit(Clerk.add, 1, 2),
        system.options(retries=1).submit(Clerk.flaky, 3, 2),
        system.submit(Clerk.nest, 2, 1),
        system.submit(Runner.fetch, 4, 0.0),
    ]
    last = system.options(after=futures).submit(Clerk.slow, 5, 0.0)
    assert last.result(timeout=60) == 5
    assert futures[2].result() == 3
    with pytest.raises(LookupError):
        system.submit(Clerk.fails, 1).result(timeout=60)
    assert system.ask("clerk-1", Question(4)) == 8
    assert list(system.map(Clerk.add, range(3), range(3))) == [0, 2, 4]
    system.submit(Clerk.slow, 6, 30.0).cancel()
    system.agents()
    assert system.submit(Clerk.colleagues).result(timeout=60) == 2
    assert system.start_actor(Narrow).ask(3) == 3
    with system.lock("p"), system.rwlock("r").read(), system.semaphore("s", 1):
        with pytest.raises(DeadlockDetected):
            system.lock("p").acquire()
        system.synchronization()
    system.latch("l", 1).count_down()
    system.flag("f").set()
    system.value("v").set(1)
    system.barrier("b", 1).wait()


def of_rooms(modules: set[str]) -> set[str]:
    """Those of the compared rooms."""
    return {name for name in modules if name.split(".")[1] in ROOMS}


def in_processes(folder: Path) -> set[str]:
    """What runs with processes: in the program and in its agents."""
    with running() as seen:
        host = ProcessHost(entry="tests.testing.traced:run_traced_agent", root=str(folder / "workspaces"))
        with ActorSystem({Clerk: 2, Runner: 1}, host=host) as system:
            work(system)
    told = list(folder.glob("*.txt"))
    assert len(told) == 3
    for path in told:
        seen.update(path.read_text().split())
    return seen


def in_simulation() -> set[str]:
    """What runs in a simulation."""
    with running() as seen, Simulation({Clerk: 2, Runner: 1}, seed=1) as sim:
        work(sim.system)
    return seen


def test_the_simulation_runs_every_module_that_runs_with_processes_but_those_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """J2: engine, registry, ledger, supervisors, mailboxes and the agents' lanes are the shipped ones."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with_processes = of_rooms(in_processes(tmp_path))
    simulated = of_rooms(in_simulation())
    print(f"{len(with_processes)} modules run with processes, {len(simulated)} in the simulation:")  # noqa: T201 - the list is asked for
    for name in sorted(with_processes | simulated):
        print(  # noqa: T201 - the list is asked for
            f"  {name:45}{'processes' if name in with_processes else '':12}{'simulation' if name in simulated else ''}"
        )
    assert "actors.core.engine" in simulated
    assert with_processes - simulated - MACHINE - WITHOUT_CODE == set()


def test_each_part_of_the_simulated_machine_says_what_it_stands_for() -> None:
    """J2: nobody adds a second engine without writing it down here."""
    folder = Path(actors.__file__).parent / "testing" / "sim"
    there = {f"actors.testing.sim.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__"}
    assert there == STANDS_FOR.keys()


def test_no_other_module_of_the_testing_kit_has_the_name_of_a_shipped_one() -> None:
    """J2: a twin of a shipped module would be tested in its place. Machines and conformance suites drive the shipped."""
    root = Path(actors.__file__).parent
    shipped = {path.stem for room in ROOMS for path in (root / room).glob("*.py")} - {"__init__"}
    kit = {
        path for path in (root / "testing").rglob("*.py") if path.parent.name not in {"sim", "machines", "conformance"}
    }
    # The record of a run, and one run of the campaign, are none of what a scheduler keeps, an error has and an actor lives.
    allowed = {"testing/history.py", "testing/record.py", "testing/campaign/run.py"}
    assert {str(path.relative_to(root)) for path in kit if path.stem in shipped} <= allowed
