"""What every `Host` must do, whatever runs its agents.

    class TestMyHost(HostConformance):
        def make_host(self):
            return MyHost()

The agents are real ones: they run the worker of `actors.testing.conformance.exhibit`, and the check stands in the place
of the system. A host whose time is not that of the machine overrides `wait` and `now`, too.
"""

from __future__ import annotations

import os
import tempfile
import threading

from actors.errors import ConfigError
from actors.hosts.host import AgentHandle, Host
from actors.protocol.messages import Cancellation, CancellationCause, Outcome
from actors.protocol.states import AgentState
from actors.testing.conformance.counterpart import Counterpart
from actors.testing.conformance.endings import EndChecks
from actors.testing.conformance.suite import beside, expected
from actors.testing.conformance.traffic import TrafficChecks

__all__ = ["HostConformance"]


class HostConformance(TrafficChecks, EndChecks):
    """Derive from it and say how a host is made."""

    # --- launching -------------------------------------------------------------------------------------------------

    def test_a_launch_returns_at_once_with_a_handle_that_knows_its_agent(self) -> None:
        """A3: the agent may still be starting."""
        agent = self.launch("exhibit-7", incarnation=2)
        handle = agent.handle
        assert isinstance(handle, AgentHandle)
        assert (handle.agent, handle.incarnation, handle.alive) == ("exhibit-7", 2, True)
        assert handle.task is not handle.control
        agent.ready()
        if handle.pid is not None:
            assert not self.ran_out(handle.pid)

    def test_an_agent_is_what_its_spec_says(self) -> None:
        """A3: and says so before it is idle."""
        agent = self.launch(
            "exhibit-7", incarnation=2, capabilities=("a", "b"), limits={"open_files": 4096}, job="nightly"
        )
        told = agent.registered()
        assert (told.agent, told.type, told.incarnation) == ("exhibit-7", "exhibit", 2)
        assert (tuple(told.capabilities), dict(told.limits)) == (("a", "b"), {"open_files": 4096})
        assert AgentState(told.status) is AgentState.INITIALIZING
        agent.pump_until(lambda: agent.state is AgentState.IDLE, "the start")
        number = agent.start("identity", attempt=3, job="of the task")
        result = agent.result(number)
        assert result[:3] == (number, 3, Outcome.VALUE)
        assert agent.call("identity", job="of the task") == ("exhibit-7", f"t-{number + 1}", 1, "of the task")

    def test_the_status_block_says_what_the_agent_does(self) -> None:
        """Principle 4: read for nothing, while it works and afterwards."""
        agent = self.launch().ready()
        idle = agent.handle.status.read()
        assert (idle.state, idle.running, idle.started_seq, idle.done) == (AgentState.IDLE, None, 0, 0)
        assert agent.call("echo", 1) == 1
        self.settled(agent, 1)
        after = agent.handle.status.read()
        assert (after.running, after.started_seq, after.flushed_seq, after.done) == (None, 1, 1, 1)
        number = self.busy(agent)
        agent.pump_until(lambda: agent.state is AgentState.WORKING, "the work")
        status = agent.handle.status.read()
        assert status.running is not None
        assert status.running[:2] == (number, 1)
        assert (status.started_seq, status.done) == (2, 1)

    def test_agents_are_launched_from_many_threads_at_once(self) -> None:
        """B4: each with channels of its own."""
        if self.one_thread:
            self.does_not_apply("the host may be used in one thread only")
        start = threading.Barrier(3)

        def launch(first: int) -> list[Counterpart]:
            start.wait()
            return [self.launch(f"exhibit-{number}") for number in range(first, first + 3)]

        launching = [beside(launch, first) for first in (1, 4, 7)]
        agents = [agent for future in launching for agent in future.result(self.limit)]
        names = {agent.spec.agent: agent.registered().agent for agent in agents}
        assert names == {f"exhibit-{number}": f"exhibit-{number}" for number in range(1, 10)}

    def test_being_asked_for_nothing_does_nothing(self) -> None:
        """Whoever polls may come in vain, also before anything was launched."""
        for _ in range(3):
            self.host.on_readable()
        self.host.start()
        self.host.start()
        agent = self.launch().ready()
        for _ in range(3):
            self.host.on_readable()
        assert agent.handle.alive
        assert agent.call("echo", 1) == 1

    # --- promises --------------------------------------------------------------------------------------------------

    def test_a_task_that_waits_in_the_library_is_interrupted_on_every_host(self) -> None:
        """D4: what is asked for reaches the body, which may still refuse; here it goes on and has no value."""
        agent = self.launch().ready()
        number = agent.start("speak", "somebody-1")
        agent.asked("message")
        agent.pump_until(lambda: agent.state is AgentState.COMMUNICATING, "the question")
        agent.request(Cancellation(number, 1, int(CancellationCause.CANCELLED), "of a check"))
        assert agent.result(number).outcome == Outcome.INTERRUPTED

    def test_interrupts_are_kept_if_promised_a_system_call_is_broken(self) -> None:
        """D4: a sleep that knows nothing of it."""
        if not self.host.promises.interrupts:
            self.does_not_apply("the host does not promise it")
        agent = self.launch().ready()
        number = agent.start(self.sleeps_in, 600.0)
        agent.pump_until(lambda: agent.handle.status.read().running, "the start of the task")
        agent.request(Cancellation(number, 1, int(CancellationCause.TIMEOUT), "of a check"))
        assert agent.result(number).outcome == Outcome.INTERRUPTED

    def test_kills_are_kept_if_promised_nothing_is_left_of_the_process(self) -> None:
        """A6: also of one that does not listen."""
        agent = self.launch().ready()
        self.busy(agent)
        pid = agent.handle.pid
        agent.handle.kill("test")
        report = agent.ended()
        if not self.host.promises.kills:
            assert report.exit_code is None, "what goes on has no exit code"
        elif pid is not None:
            agent.pump_until(lambda: self.ran_out(pid), "the end of the process")

    def test_isolation_is_kept_if_promised_a_process_that_leaves_takes_nobody_with_it(self) -> None:
        """F1: its exit code is told."""
        if not self.host.promises.isolation:
            self.does_not_apply("the host does not promise it")
        agent, other = self.launch("exhibit-1").ready(), self.launch("exhibit-2").ready()
        self.leave(agent, 7)
        report = agent.ended()
        assert (report.exit_code, report.signal, report.clean, report.reason) == (7, None, False, None)
        assert other.call("identity")[0] == "exhibit-2"

    def test_an_environment_is_given_if_promised_and_else_refused(self) -> None:
        """I2: never silently left out."""
        given = {"LANG": "C", "CONFORMANCE": "yes"}
        here = os.path.realpath(tempfile.gettempdir())
        if not self.host.promises.environment:
            with expected(ConfigError, "exhibit-1", "environment"):
                self.launch(environment=given)
            with expected(ConfigError, "exhibit-1", "directory"):
                self.launch(cwd=here)
            return
        agent = self.launch(environment=given, cwd=here).ready()
        environment, directory = agent.call("surroundings")
        assert directory == here
        assert {name: environment[name] for name in given} == given
        assert (
            not (environment.keys() & os.environ.keys())
            - given.keys()
            - {"LC_CTYPE"}
            - {name for name in environment if name.startswith("ACTORS_")}
        )

    def test_memory_limits_are_promised_only_where_memory_can_be_told_apart(self) -> None:
        """C2: by the process that has it."""
        if not self.host.promises.memory_limits:
            self.does_not_apply("the host does not promise it")
        agent = self.launch().ready()
        pid = agent.pump_until(lambda: agent.handle.pid, "the pid")
        assert pid not in (None, os.getpid())

    def make_host(self) -> Host:
        """A new host, which runs agents as the system would have them run."""
        return super().make_host()
