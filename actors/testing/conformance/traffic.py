"""What a host's channels must do: carry everything, unchanged, in order, both ways, and hold up nobody else."""

from __future__ import annotations

from typing import Any

from actors.hosts.serialize import dumps, loads, pack_value, unpack_value
from actors.protocol.events import event_name
from actors.protocol.messages import (
    AdjustmentAnswer,
    AdjustmentRequest,
    Assignment,
    AssignmentAck,
    AssignmentRefusal,
    Batch,
    Cancellation,
    CoordinationRequest,
    Envelope,
    ErrorResponse,
    EventMessage,
    Heartbeat,
    Progress,
    Recall,
    Registration,
    ResourceLimit,
    Response,
    Result,
    StatusRequest,
    Subscribe,
    Terminated,
    Unsubscribe,
    Watch,
)
from actors.protocol.states import AgentState
from actors.testing.conformance.counterpart import Counterpart, value_of
from actors.testing.conformance.exhibit import Greeting, Shown
from actors.testing.conformance.hostsuite import HostSuite

__all__ = ["TrafficChecks"]

# Larger than what a frame carries by itself, so that it goes the way of large payloads where there is one.
_LARGE = 3 << 20


class TrafficChecks(HostSuite):
    """Derived from by `HostConformance`."""

    def test_tasks_run_in_the_order_of_their_assignment_and_so_come_the_results(self) -> None:
        """Also those of several assignments that were sent at once."""
        agent = self.launch().ready()
        items = [agent.item("echo", number) for number in range(60)]
        for at in range(0, 60, 20):
            agent.assign(*items[at : at + 20])
        results = [agent.result() for _ in items]
        assert [(one.number, one.attempt) for one in results] == [(item.number, 1) for item in items]
        assert [value_of(one) for one in results] == list(range(60))

    def test_values_arrive_as_what_they_were(self) -> None:
        """Small and large, either way."""
        agent = self.launch().ready()
        nested = {"a": [1, 2.5, None, (True, b"\0\xff"), {"ä": "\u2028"}], 7: frozenset({10**40})}
        for value in (None, "", nested, Greeting("hello"), bytes(range(256)) * 64):
            assert agent.call("echo", value) == value
        assert agent.call("echo", b"x" * _LARGE) == b"x" * _LARGE
        assert agent.call("repeat", b"ab", _LARGE) == b"ab" * _LARGE

    def test_every_kind_of_message_is_taken_or_refused_and_every_request_answered_once_in_order(self) -> None:
        """All kinds that there are go to the agent in one write, and nothing of what comes back is mixed up."""
        agent = self.launch().ready()
        inner = Envelope(1, "test", "", 2, 0.0, Recall([(99, 1)]), 901)
        wanted: list[tuple[Any, type[Any] | None]] = [
            (Registration("x", "x", 1, 1, "", (), {}, 0.0, 0), ErrorResponse),
            (Heartbeat("x", 1, 0.0, 0, None, 0, 0.0, 0, 0.0, 0, 0), ErrorResponse),
            (Assignment([]), ErrorResponse),
            (AssignmentAck(1, 1, 0.0), ErrorResponse),
            (AssignmentRefusal(1, 1, 0, ""), ErrorResponse),
            (Recall([(99, 1)]), Response),
            (Cancellation(99, 1, 0, "nobody"), Response),
            (Progress(1, 1, 0.5, "", 0.0), ErrorResponse),
            (Result([]), Response),
            (CoordinationRequest("of no known topic", {"a": [1, None]}), ErrorResponse),
            (Response("to nobody"), None),
            (ErrorResponse((("builtins.KeyError",), "to nobody", "", None)), None),
            (StatusRequest(), Heartbeat),
            (ResourceLimit({}, None), Response),
            (AdjustmentRequest("x", "memory", 1.0, ""), ErrorResponse),
            (AdjustmentAnswer("memory", False, 0.0, ""), None),  # noqa: FBT003 - a field
            (EventMessage("AgentRegistered", "somebody-1", "global", 1.0, {"agent": "somebody-1"}), None),
            (Subscribe(("Shown",), "global"), Response),
            (Unsubscribe(("Shown",), "global"), Response),
            (Batch([tuple(inner), tuple(inner._replace(correlation=902))]), None),
            (Watch("somebody-1"), ErrorResponse),
            (Terminated("somebody-1", 1, "it ended", None), None),
            (StatusRequest(), Heartbeat),
        ]
        channel = agent.handle.control
        for number, (message, _) in enumerate(wanted):
            channel.send(message, correlation=100 + number, sender="test", flush=False)
        channel.flush()
        answers = self._answers(agent, last=100 + len(wanted) - 1)
        expected: list[tuple[int, type[Any]]] = []
        for number, (message, kind) in enumerate(wanted):
            if type(message) is Batch:
                expected += [(901, Response), (902, Response)]
            elif kind is not None:
                expected.append((100 + number, kind))
        assert answers == expected

    def _answers(self, agent: Counterpart, last: int) -> list[tuple[int, type[Any]]]:
        def correlations() -> list[int | None]:
            return [envelope.correlation for envelope in agent.control_inbox]

        agent.pump_until(lambda: last in correlations(), f"the answer to request {last}")
        return [
            (envelope.correlation, type(envelope.message))
            for envelope in agent.control_inbox
            if envelope.correlation is not None
        ]

    def test_all_that_a_worker_says_arrives_in_the_order_in_which_it_said_it(self) -> None:
        """Progress, events, messages, requests; and their answers come back."""
        agent = self.launch(interest=(event_name(Shown),)).ready()
        number = agent.start("speak", "somebody-1")
        request = agent.next(CoordinationRequest, where=lambda envelope: envelope.correlation is not None)
        said = [*agent.control_inbox, request]
        kinds = [type(envelope.message) for envelope in said]
        assert kinds == [EventMessage, CoordinationRequest, CoordinationRequest]
        assert [envelope.id for envelope in said] == sorted(envelope.id for envelope in said)
        assert (said[0].message.type, said[0].message.source) == (event_name(Shown), "exhibit-1")
        assert [envelope.recipient for envelope in said[1:]] == ["somebody-1"] * 2
        assert [loads(envelope.message.data) for envelope in said[1:]] == [Greeting("told"), Greeting("asked")]
        agent.reply(request, pack_value("answered"))
        wish = agent.next(AdjustmentRequest)
        assert wish.message == AdjustmentRequest("exhibit-1", "open_files", 8.0, "to show it")
        granted = AdjustmentAnswer("open_files", True, 4096.0, "")  # noqa: FBT003 - a field
        agent.handle.control.send(granted, correlation=wish.correlation)
        assert value_of(agent.result(number)) == ("answered", True, 4096.0)
        assert agent.next(Progress).message[:4] == (number, 1, 0.25, "a quarter")

    def test_messages_and_events_reach_the_worker(self) -> None:
        """Those of other agents, by way of the system."""
        agent = self.launch().ready()
        answer = agent.answer(agent.request(CoordinationRequest("message", dumps(Greeting("hello")))))
        assert unpack_value(answer.data) == "hello from exhibit-1"
        agent.request(
            EventMessage("AgentRegistered", "somebody-1", "global", 1.0, {"agent": "somebody-1", "type": "x"})
        )

        def heard() -> Any:
            return agent.call("heard")

        assert agent.pump_until(heard, "the event") == ["AgentRegistered of somebody-1"]

    def test_a_thousand_requests_at_once_are_all_answered_and_none_overtakes_another(self) -> None:
        """Although nobody reads meanwhile."""
        agent = self.launch().ready()
        channel = agent.handle.control
        for number in range(1000):
            channel.send(StatusRequest(), correlation=5000 + number, sender="test")
        answers = self._answers(agent, last=5999)
        assert answers == [(5000 + number, Heartbeat) for number in range(1000)]

    def test_an_agent_whose_channel_is_full_holds_up_nobody_else(self) -> None:
        """Each has channels of its own."""
        full, other = self.launch("exhibit-1").ready(), self.launch("exhibit-2").ready()
        items = [full.item("repeat", b"x", 20_000) for _ in range(300)]
        full.assign(*items)
        assert other.call("identity")[0] == "exhibit-2"
        status = other.request(StatusRequest())
        assert other.answer(status, Heartbeat).agent == "exhibit-2"
        assert [len(value_of(full.result())) for _ in items] == [20_000] * 300

    def test_a_request_is_answered_while_a_task_runs(self) -> None:
        """B4: what is urgent never waits behind work."""
        agent = self.launch().ready()
        number = self.busy(agent)
        heartbeat = agent.answer(agent.request(StatusRequest()), Heartbeat)
        assert heartbeat.task == number
        assert heartbeat.state == AgentState.WORKING
