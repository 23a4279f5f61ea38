"""Who is told of an event, and that a hub which fails in the middle tells nobody twice."""

from __future__ import annotations

from typing import Any

import pytest

from actors.config import SystemConfig
from actors.core.registry import Registry
from actors.protocol.events import Event, EventsMissed, Scope, TaskFailed, event_name, event_names
from actors.protocol.messages import EventMessage, Subscribe
from actors.runtime.agent_links import AgentLinks
from actors.runtime.event_router import EventRouter
from actors.runtime.hub_state import HubState


class Listener:
    """Hears everything; fails once, if it is to."""

    kinds: tuple[type[Event], ...] = ()
    scope: Scope = "global"

    def __init__(self, fails: int = 0) -> None:
        self.fails = fails
        self.heard: list[Event] = []
        self.ended = 0

    def offer(self, event: Event) -> bool:
        """Take it."""
        if self.fails:
            self.fails -= 1
            raise LookupError("of a test")
        self.heard.append(event)
        return True

    def end(self) -> None:
        """The system has ended."""
        self.ended += 1


class Control:
    """The channel of an agent that may not read."""

    def __init__(self) -> None:
        self.pending_out = 0
        self.sent: list[Any] = []

    def fileno(self) -> int:
        """None."""
        return -1

    def send(self, message: Any, **_: Any) -> int:
        """Keep it."""
        self.sent.append(message)
        return 0


class Handle:
    """The program's hold on an agent."""

    agent, incarnation = "a-1", 1

    def __init__(self) -> None:
        self.control = self.task = Control()


def make() -> tuple[EventRouter, Registry, AgentLinks]:
    """A router that knows nobody."""
    state = HubState(SystemConfig())
    return EventRouter(state.registry, state.links, lambda: 7.0), state.registry, state.links


def test_what_the_hub_hands_over_once_more_after_a_failure_reaches_those_alone_who_were_not_told() -> None:
    """B5, F1: each event at most once, and the rest of its subscribers hear it."""
    router, _, _ = make()
    first, failing, last = Listener(), Listener(fails=1), Listener()
    for listener in (first, failing, last):
        router.add(listener)
    message, event = object(), TaskFailed(task_id="t-1")
    with pytest.raises(LookupError):
        router.publish(event, once=message)
    router.publish(event, once=message)
    assert [len(each.heard) for each in (first, failing, last)] == [1, 0, 1]
    router.publish(event, once=object())
    router.publish(event)
    router.publish(event)
    assert [len(each.heard) for each in (first, failing, last)] == [4, 3, 4]
    assert {each.time for each in first.heard} == {7.0}


def test_an_agent_that_does_not_read_gets_word_of_what_it_missed_with_the_next_event() -> None:
    """B5: what waits for it is bounded."""
    router, registry, links = make()
    handle: Any = Handle()
    registry.starting("a-1", "a", 1, 0.0)
    links.add(handle, "a")
    router.add_agent("a-1", Subscribe((event_name(TaskFailed),), "global"))
    router.publish(TaskFailed(task_id="t-1"))
    handle.control.pending_out = 1 << 30
    for number in range(5):
        router.publish(TaskFailed(task_id=f"lost-{number}"))
    handle.control.pending_out = 0
    router.publish(TaskFailed(task_id="t-2"))
    router.publish(TaskFailed(task_id="t-3"))
    told = [(sent.type, sent.data.get("task_id", sent.data.get("count"))) for sent in handle.control.sent]
    assert told == [("TaskFailed", "t-1"), ("EventsMissed", 5), ("TaskFailed", "t-2"), ("TaskFailed", "t-3")]


@pytest.mark.parametrize(
    "message",
    [
        EventMessage("nothing.of.the.Kind", "a-1", "global", 1.0, b"no pickle"),
        EventMessage("TaskFailed", "a-1", "global", 1.0, {"no": "field"}),
        EventMessage("TaskFailed", "a-1", "world", 1.0, {"task_id": "t-1"}),
        EventMessage("EventsMissed", "a-1", "global", 1.0, {"count": 1, "total": 1}),
    ],
)
def test_an_event_that_no_agent_sends_is_logged_and_heard_by_nobody(
    message: EventMessage, caplog: pytest.LogCaptureFixture
) -> None:
    """I3: whatever comes out of an agent, the hub goes on."""
    router, _, _ = make()
    listener = Listener()
    router.add(listener)
    router.publish_from("a-1", message)
    assert not listener.heard
    assert len(caplog.records) == 1


def test_those_who_listen_in_the_program_are_told_of_the_end_and_who_left_is_not() -> None:
    """F2: nobody waits for ever."""
    router, _, _ = make()
    stays, leaves = Listener(), Listener()
    router.add(stays)
    router.add(leaves)
    router.remove(leaves)
    router.close()
    assert (stays.ended, leaves.ended) == (1, 0)


def test_the_librarys_types_have_short_names_and_users_those_of_their_modules() -> None:
    """B5: two classes of one name are two types."""
    own = type("TaskFailed", (TaskFailed,), {"__module__": "shop.events"})
    assert event_name(TaskFailed) == "TaskFailed"
    assert event_names(own) == ("shop.events.TaskFailed", "TaskFailed", "_TaskEvent", "Event")
    assert event_name(EventsMissed) == "EventsMissed"
