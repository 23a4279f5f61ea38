"""What a host must do at the end of an agent, and at its own: report each once, and leave nothing."""

from __future__ import annotations

import threading

from actors.errors import SystemClosed
from actors.hosts.exitreport import ExitReport
from actors.hosts.host import LaunchSpec
from actors.hosts.serialize import dumps, error_of
from actors.protocol.messages import Shutdown
from actors.protocol.states import AgentState
from actors.testing.conformance.counterpart import value_of
from actors.testing.conformance.exhibit import Exhibit
from actors.testing.conformance.hostsuite import HostSuite
from actors.testing.conformance.suite import expected

__all__ = ["EndChecks"]


class EndChecks(HostSuite):
    """Derived from by `HostConformance`."""

    # --- of an agent -----------------------------------------------------------------------------------------------

    def test_an_agent_that_is_asked_to_end_is_reported_once_as_clean(self) -> None:
        """H3: with who it was and what it did."""
        agent = self.launch(incarnation=3).ready()
        assert agent.call("echo", 1) == 1
        agent.answer(agent.request(Shutdown("enough", 5.0)))
        report = agent.ended()
        assert (report.agent, report.incarnation, report.pid) == ("exhibit-1", 3, agent.handle.pid)
        assert (report.exit_code, report.signal, report.clean, report.reason) == (0, None, True, None)
        assert (report.running, report.started_seq, report.flushed_seq) == (None, 1, 1)
        assert report.moves[-1].target is AgentState.TERMINATING
        assert report.uptime >= 0.0
        self._is_over(agent.reports)
        assert not agent.handle.alive

    def test_what_an_agent_said_before_its_end_can_be_read_after_it(self) -> None:
        """F2: nothing that was told is lost, and then the channels say that nobody is there."""
        agent = self.launch().ready()
        numbers = [agent.start("echo", number) for number in range(20)]
        agent.pump_until(lambda: agent.handle.status.read().flushed_seq == 20, "the last result")
        agent.request(Shutdown("enough", 5.0))
        agent.ended()
        assert [value_of(agent.result(number)) for number in numbers] == list(range(20))
        assert agent.goodbye().reason == "enough"
        agent.pump_until(lambda: agent.deserted, "the end of the channels")

    def test_a_worker_that_cannot_be_made_is_an_end_that_is_told_with_its_error(self) -> None:
        """F2: what cannot start is reported like any other end."""
        agent = self.launch(arguments={"fail": "no licence"})
        report = agent.ended()
        assert (report.exit_code, report.clean) == (1, False)
        failure = agent.goodbye().failure
        assert failure is not None
        assert str(error_of(failure)) == "no licence"
        self._is_over(agent.reports)

    def test_a_worker_that_cannot_be_read_is_an_end_that_is_told(self) -> None:
        """F2: as above."""
        agent = self.launch(worker=b"no pickle at all")
        assert agent.ended().exit_code == 1
        assert agent.goodbye().failure is not None
        self._is_over(agent.reports)

    def test_a_kill_is_reported_once_with_its_reason_and_what_was_in_hand(self) -> None:
        """B2, H3: whatever the agent does at that moment; a second kill is nothing."""
        agent = self.launch().ready()
        assert agent.call("echo", 1) == 1
        number = self.busy(agent)
        agent.handle.kill("too slow")
        report = agent.ended()
        agent.handle.kill("again")
        assert report.reason == "too slow"
        assert "too slow" in report.cause
        assert not report.clean
        assert report.running is not None
        assert report.running[:2] == (number, 1)
        assert (report.started_seq, report.flushed_seq) == (2, 1)
        assert report.moves[-1].target is AgentState.WORKING
        self._is_over(agent.reports)
        assert not agent.handle.alive

    def test_a_kill_right_after_the_launch_is_reported_once(self) -> None:
        """F2: whatever the moment."""
        for number in range(1, 6):
            agent = self.launch(f"exhibit-{number}")
            agent.handle.kill("a change of mind")
            agent.ended()
            self._is_over(agent.reports)

    def test_the_end_of_one_agent_touches_no_other(self) -> None:
        """F1: as far as anybody can see."""
        doomed, others = self.launch("exhibit-1").ready(), [self.launch(f"exhibit-{n}").ready() for n in (2, 3)]
        self.busy(others[0])
        self.busy(doomed)
        doomed.handle.kill("test")
        doomed.ended()
        assert others[1].call("identity")[0] == "exhibit-3"
        assert [other.handle.alive for other in others] == [True, True]
        assert [other.reports for other in others] == [[], []]

    def test_the_status_block_can_be_read_after_the_end_and_after_the_channels_were_closed(self) -> None:
        """H3: what it said last."""
        agent = self.launch().ready()
        assert agent.call("echo", 1) == 1
        self.settled(agent, 1)
        agent.handle.kill("test")
        agent.ended()
        before = agent.handle.status.read()
        agent.handle.close()
        assert agent.handle.status.read() == before
        assert (before.state, before.done) == (AgentState.IDLE, 1)
        agent.handle.signal(15)
        agent.handle.close()

    def test_ends_are_told_by_the_thread_that_asks_and_the_descriptor_says_when(self) -> None:
        """A host has no thread of its own: whoever polls its descriptor, the same one for ever, hears of ends."""
        told: list[tuple[int, bool]] = []
        asking = False
        descriptor = self.host.fileno()

        def on_exit(_: ExitReport) -> None:
            told.append((threading.get_ident(), asking))

        spec = LaunchSpec(agent="exhibit-9", type="exhibit", incarnation=1, worker=b"no pickle")
        handle = self.host.launch(spec, on_exit)
        deadline = self.now() + self.limit
        while not told:
            assert self.now() < deadline, "the end was not told"
            self.wait([descriptor], self.limit)
            assert not told
            asking = True
            self.host.on_readable()
            asking = False
        assert told == [(threading.get_ident(), True)]
        assert self.host.fileno() == descriptor
        handle.close()

    def test_an_end_that_cannot_be_dealt_with_keeps_no_other_from_being_told(self) -> None:
        """Whoever fails is not the only one who listens."""

        def fails(_: ExitReport) -> None:
            raise LookupError("of a test")

        spec = LaunchSpec(agent="exhibit-8", type="exhibit", incarnation=1, worker=dumps(Exhibit))
        first = self.host.launch(spec, fails)
        second = self.launch("exhibit-9").ready()
        first.kill("test")
        second.handle.kill("test")
        second.ended()
        second.pump_until(lambda: not first.alive, "the end of the first")
        first.close()

    def _is_over(self, reports: list[ExitReport]) -> None:
        """See to it that nothing more is told of it."""
        for _ in range(3):
            self.host.on_readable()
        assert len(reports) == 1, f"its end was told {len(reports)} times"

    # --- of the host -----------------------------------------------------------------------------------------------

    def test_closing_ends_all_agents_and_reports_each_once_before_it_returns(self) -> None:
        """A6: those that are idle, that start, that do not listen, and whose end is being told."""
        agents = [self.launch(f"exhibit-{number}").ready() for number in (1, 2, 3)]
        self.busy(agents[0])
        agents.append(self.launch("exhibit-4"))
        gone = self.launch("exhibit-5").ready()
        gone.handle.kill("earlier")
        gone.ended()
        agents.append(self.launch("exhibit-6").ready())
        agents[-1].handle.kill("a moment before")
        began = self.now()
        self.host.close(1.0)
        assert self.now() - began < self.limit
        assert [len(agent.reports) for agent in (*agents, gone)] == [1] * 6
        assert [agent.handle.alive for agent in agents] == [False] * 5
        assert [agent.handle.control.closed for agent in agents] == [True] * 5
        assert [agent.handle.task.closed for agent in agents] == [True] * 5

    def test_a_closed_host_launches_nothing_and_says_so(self) -> None:
        """F2: also one that was never started, and closing again is nothing."""
        self.host.close(1.0)
        with expected(SystemClosed, "closed"):
            self.launch()
        with expected(SystemClosed, "closed"):
            self.host.start()
        self.host.close(1.0)
