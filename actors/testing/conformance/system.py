"""What a system must do on every host, and what it answers to who asks for what its host cannot keep.

    class TestMyHost(HostedSystem):
        def make_host(self):
            return MyHost()

Each check runs a real system on the host. What the host promises (`HostPromises`) is tried with the real thing; of what it
does not promise, the answer is tried that docs/hosts.md tells of.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from actors.config import AgentConfig, Limits, SystemConfig
from actors.errors import AgentDied, ConfigError, LimitExceeded, TaskTimeout
from actors.hosts.host import Host
from actors.hosts.promises import HostPromises
from actors.system import ActorSystem
from actors.testing.conformance.resident import Bounded, Greeting, Resident, Visited
from actors.testing.conformance.suite import Suite, expected

__all__ = ["HostedSystem"]

T = TypeVar("T")

_CONFIG = SystemConfig(agent=AgentConfig(grace=0.5))
_WITHOUT = "the host promises it"


class _Warnings(logging.Handler):
    """Keeps what the hosts' logger says."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


class HostedSystem(Suite):
    """Derive from it and say how a host is made.

    Attributes:
        system: the one that is checked, with two agents of type `resident`.
        promises: what its host says that it keeps.
    """

    start_timeout: ClassVar[float] = 60.0

    system: ActorSystem
    promises: HostPromises

    def make_host(self) -> Host | Literal["process", "thread"]:
        """A new host, or the name of one of the library's."""
        raise NotImplementedError(f"{type(self).__qualname__} has to say how a host is made: define make_host")

    def setup_method(self) -> None:
        """Start a system."""
        self.warnings = _Warnings()
        logging.getLogger("actors.hosts").addHandler(self.warnings)
        self.system = ActorSystem({Resident: 2}, max_agents=4, host=self.make_host(), config=_CONFIG).start()
        self.promises = self.system._running().host.promises  # noqa: SLF001 - hosts may be named only
        self._wait_for(
            lambda: [str(agent.state) for agent in self.system.agents()] == ["idle"] * 2, "the start of both"
        )

    def teardown_method(self) -> None:
        """End it."""
        self.system.shutdown(wait=False)
        logging.getLogger("actors.hosts").removeHandler(self.warnings)

    # --- what every host keeps -------------------------------------------------------------------------------------

    def test_tasks_run_on_agents_that_are_told_apart_and_what_they_are_given_is_theirs(self) -> None:
        """J2: values are copies, whoever runs the task."""
        given = [1, 2, 3]
        assert self._result(self.system.submit(Resident.change, given)) == [1, 2, 3, 4]
        assert given == [1, 2, 3]
        assert {agent.agent for agent in self.system.agents()} == {"resident-1", "resident-2"}
        assert self._result(self.system.submit(Resident.parent, 4)) == 8

    def test_messages_are_answered_and_go_from_agent_to_agent(self) -> None:
        """B3: by the handlers of workers."""
        assert self.system.ask("resident-1", Greeting("hello"), timeout=self.limit) == "hello from resident-1"
        asked = self.system.submit(Resident.ask_other, "resident-2", "psst")
        other = self.system.submit(Resident.ask_other, "resident-1", "psst")
        answers = {self._result(asked), self._result(other)}
        assert answers <= {"psst from resident-1", "psst from resident-2"}

    def test_events_reach_the_program_and_the_agents_in_order(self) -> None:
        """B5: in each scope."""
        listener = self._result(self.system.submit(Resident.listen))
        with self.system.events(Visited) as visited:
            self.system.publish(Visited(text="by the program"))
            for scope in ("global", "type"):
                self._result(self.system.submit(Resident.visit, scope, scope))
            texts = [getattr(visited.get(self.limit), "text", None) for _ in range(3)]
        assert texts == ["by the program", "global", "type"]

        def heard() -> bool:
            found: list[list[str]] = [self._result(self.system.submit(Resident.heard)) for _ in range(4)]
            return texts in found

        self._wait_for(heard, f"the events in {listener}")

    def test_each_agent_has_a_workspace_that_goes_with_it(self) -> None:
        """A3: a directory of its own."""
        path = Path(self._result(self.system.submit(Resident.write, "kept")))
        assert path.read_text() == "kept"
        self.system.terminate("resident-1", timeout=1)
        self.system.terminate("resident-2", timeout=1)
        self._wait_for(lambda: not path.exists(), "the end of the workspace")

    def test_a_wait_of_the_library_is_broken_at_once(self) -> None:
        """D6: a cancelled task gives its agent back."""
        resting = [self.system.submit(Resident.rest, 600) for _ in range(2)]
        self._wait_for(lambda: all(str(each.info().status) == "in_progress" for each in resting), "the start of both")
        for each in resting:
            assert each.cancel()
        assert self._result(self.system.submit(Resident.double, 2)) == 4

    def test_an_agent_with_a_process_is_out_of_reach_of_the_terminals_keys(self) -> None:
        """A6: Ctrl-C reaches the program alone."""
        pid = self._result(self.system.submit(Resident.identity))[1]
        if pid == os.getpid():
            self.does_not_apply("its agents have no process: signals go to the program's main thread")
        assert os.getpgid(pid) != os.getpgrp()

    # --- what hosts differ in --------------------------------------------------------------------------------------

    def test_kills_a_task_that_refuses_to_end_is_ended_or_its_limit_is_warned_of(self) -> None:
        """D5: a time limit that will not be enforced is told when the work is handed in."""
        if self.promises.kills:
            late = self.system.submit(Resident.refuse_to_end, 600)
            assert isinstance(late.exception(self.limit), TaskTimeout)
            assert not self.warnings.texts
        else:
            # Late, and within the grace.
            late = self.system.submit(Resident.refuse_to_end, 0.5)
            self._warned("time limit of 0.3 s of resident.refuse_to_end is not enforced")
            assert self._result(late) == "it has ended by itself"
            # Later than that: its agent is given up, and the thread goes on for a while.
            late = self.system.submit(Resident.refuse_to_end, 2.0)
            assert isinstance(late.exception(self.limit), TaskTimeout)
        assert self._result(self.system.submit(Resident.double, 2)) == 4

    def test_interrupts_a_system_call_is_broken_or_its_limit_is_warned_of(self) -> None:
        """D5: without a kill, so that the agent lives on."""
        before = {(agent.agent, agent.incarnation) for agent in self.system.agents()}
        if self.promises.interrupts:
            late = self.system.submit(Resident.sleep_in_the_system, 600)
            assert isinstance(late.exception(self.limit), TaskTimeout)
            assert {(agent.agent, agent.incarnation) for agent in self.system.agents()} == before
        elif not self.promises.kills:
            late = self.system.submit(Resident.sleep_in_the_system, 0.5)
            self._warned("time limit of 0.3 s of resident.sleep_in_the_system is not enforced")
            assert isinstance(self._result(late), int)

    def test_parallel_code_that_holds_the_interpreter_holds_up_nobody_else(self) -> None:
        """A5: as long as the host promises it."""
        if not self.promises.parallel:
            self.does_not_apply("the host does not promise it, and no work asks for it")
        with self._directory() as directory:
            begun = directory / "begun"
            held = self.system.submit(Resident.hold_the_interpreter, str(begun), 600)
            self._wait_for(begun.exists, "the start")
            assert self._result(self.system.submit(Resident.double, 2)) == 4
            assert not held.done()
            for agent in ("resident-1", "resident-2"):
                self.system.terminate(agent, timeout=0)
            # Ended, or its sleep was broken by the signal.
            assert held.exception(self.limit) is None or held.done()

    def test_isolation_a_crash_ends_its_own_agent_alone(self) -> None:
        """F1: its task fails with how it ended, the others go on."""
        if not self.promises.isolation:
            self.does_not_apply("the host does not promise it, and no work asks for it")
        crashed = self.system.submit(Resident.crash)
        doubles = [self.system.submit(Resident.double, number) for number in range(10)]
        error = crashed.exception(self.limit)
        assert isinstance(error, AgentDied)
        assert [self._result(each) for each in doubles] == [2 * number for number in range(10)]
        if self.promises.last_words:
            assert error.signal == "SIGSEGV", error
            assert "the last words of a resident" in str(error)

    def test_memory_limits_end_a_task_that_takes_more_or_are_warned_of(self) -> None:
        """E2: the error names limit and figure; the warning comes once, when work is handed in."""
        small = [self.system.submit(Bounded.small) for _ in range(3)]
        assert {self._result(each) for each in small} == {"done"}
        if self.promises.memory_limits:
            error = self.system.submit(Bounded.take_memory).exception(self.limit)
            assert isinstance(error, LimitExceeded | MemoryError), error
        else:
            self._warned("memory limit of bounded is not enforced")
            self.system.set_limits("resident-1", Limits(memory="300M", cpu=50))
            self._warned("memory limit of resident-1 is not enforced", "processor limit of resident-1 is not enforced")

    def test_file_limits_stop_a_task_that_opens_more_or_are_warned_of(self) -> None:
        """E2: open files."""
        if self.promises.file_limits:
            error = self.system.submit(Bounded.take_files).exception(self.limit)
            assert isinstance(error, LimitExceeded | OSError), error
        else:
            assert self._result(self.system.submit(Bounded.small)) == "done"
            self._warned("limit of open files of bounded is not enforced")
            self.system.spawn(Bounded, AgentConfig(limits=Limits(processes=1)))
            self._warned("limit of child processes of bounded is not enforced")

    def test_environment_is_given_or_refused_where_it_is_asked_for(self) -> None:
        """I2: at `spawn`, and at the start of a system; never silently left out."""
        with self._directory() as directory:
            config = AgentConfig(environment={"LANG": "C", "HOSTED": "yes"}, working_directory=str(directory))
            if not self.promises.environment:
                for own in (AgentConfig(environment={"HOSTED": "yes"}), AgentConfig(working_directory=str(directory))):
                    self._refused(own, "environment" if own.environment is not None else "working_directory")
                return
            with ActorSystem(
                {Resident: 1}, host=self.make_host(), config=SystemConfig(agent=config.merged(_CONFIG.agent))
            ) as other:
                environment, there = self._result(other.submit(Resident.surroundings))
            assert os.path.realpath(there) == os.path.realpath(directory)
            assert environment["HOSTED"] == "yes"

    def test_fresh_an_interpreter_of_its_own_is_given_or_refused(self) -> None:
        """C1: as for an environment."""
        config = AgentConfig(start_method="spawn")
        if self.promises.fresh:
            self.system.spawn(Bounded, config)
            assert self._result(self.system.submit(Bounded.small)) == "done"
        else:
            self._refused(config, "start_method")

    def test_descendants_what_a_task_leaves_behind_ends_with_its_agent(self) -> None:
        """A6: also what has detached itself."""
        if not self.promises.descendants:
            self.does_not_apply("the host does not promise it, and no work asks for it")
        pid = self._result(self.system.submit(Resident.leave_behind))
        for agent in ("resident-1", "resident-2"):
            self.system.terminate(agent, timeout=1)
        self._wait_for(lambda: not _runs(pid), f"the end of process {pid}")

    # --- inside ----------------------------------------------------------------------------------------------------

    def _result(self, future: Any) -> Any:
        return future.result(self.limit)

    def _wait_for(self, happened: Callable[[], T], what: str) -> T:
        deadline = time.monotonic() + self.limit
        while not (found := happened()):
            assert time.monotonic() < deadline, f"{what} did not happen within {self.limit} s"
            time.sleep(0.01)
        return found

    def _warned(self, *wanted: str) -> None:
        """Each of these was said once, with what to do about it."""
        for text in wanted:
            found = [said for said in self.warnings.texts if text in said]
            assert len(found) == 1, f"{text!r} was said {len(found)} times; all: {self.warnings.texts}"
            assert "host='process'" in found[0], found[0]

    def _refused(self, config: AgentConfig, key: str) -> None:
        """An agent that is to be run so is refused at `spawn`, and a system of such agents at its start."""
        with expected(ConfigError, "resident", key, "host='process'"):
            self.system.spawn(Resident, config)
        refused = ActorSystem(host=self.make_host(), config=SystemConfig(agent=config))
        try:
            with expected(ConfigError, "configuration", key, "host='process'"):
                refused.start()
        finally:
            refused.shutdown()

    @contextmanager
    def _directory(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="conformance-") as directory:
            yield Path(directory)


def _runs(pid: int) -> bool:
    """Whether a process is there, and is not only waiting to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
