"""Events: from anywhere to anywhere, what becomes of bad ones, and of subscribers that are slow or fail."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import (
    ActorSystem,
    AgentDied,
    AgentError,
    ConfigError,
    Event,
    EventsMissed,
    NotSerializable,
    ShutdownInitiated,
    TaskCompleted,
    TaskFailed,
)
from actors.hosts.payload import Segment
from tests.agent.gates import Gate
from tests.system import heralds, otherheralds
from tests.system.heralds import (
    GoodNews,
    Greeter,
    Herald,
    Homemade,
    Latecomer,
    Listener,
    News,
    Quiet,
    Say,
    SayNow,
    Speaker,
    Untouchable,
)
from tests.system.support import CONFIG, LIMIT, Heard, idle, wait_for

HOSTS = ("process", "thread")


@pytest.fixture(params=HOSTS)
def system(request: pytest.FixtureRequest) -> Iterator[ActorSystem]:
    """A system with one agent that publishes, and one that listens."""
    system = ActorSystem({Quiet: 1, Listener: 1}, max_agents=4, host=request.param, config=CONFIG).start()
    for agent in ("quiet-1", "listener-1"):
        idle(system, agent)
    yield system
    system.shutdown(cancel_tasks=True)
    # What large values went through is kept warm for the next ones.
    Segment.trim()


def numbers(stream: Any, count: int) -> list[int]:
    """The numbers of the next events of a stream."""
    found = [stream.get(LIMIT) for _ in range(count)]
    assert None not in found, f"{count} events were not heard within {LIMIT} s, but {found}"
    return [event.number for event in found]


def told(system: ActorSystem, count: int) -> list[Any]:
    """What the listening agent has heard, once it is so much."""
    return wait_for(
        lambda: (found := system.submit(Listener.told).result(LIMIT)[0]) and len(found) >= count and found,
        f"{count} events in the agent",
    )


# --- from anywhere to anywhere -------------------------------------------------------------------------------------


def test_what_is_published_right_after_a_subscription_is_heard(system: ActorSystem) -> None:
    """B5: by a task, by the program, by another agent; and by whoever subscribed itself."""
    expected = []
    for number in range(0, 30, 3):
        system.submit(Listener.listen).result(LIMIT)
        system.publish(News(number=number))
        system.submit(Quiet.say, number + 1).result(LIMIT)
        system.submit(Listener.listen_and_say, number + 2).result(LIMIT)
        expected += [number, number + 1, number + 2]
        assert told(system, len(expected)) == expected
        system.submit(Listener.listen_no_more).result(LIMIT)


def test_subscriptions_are_made_in_coroutines_and_handlers_too(system: ActorSystem) -> None:
    """B5: and hold when they return; that of an urgent handler soon after."""
    agent = system.spawn(Latecomer).agent_id

    def heard(count: int) -> bool:
        return len(system.submit(Latecomer.told).result(LIMIT)[0]) >= count

    for count, subscribe in enumerate(
        (
            lambda: system.submit(Latecomer.listen_async).result(LIMIT),
            lambda: system.ask(agent, Say(1)),
        ),
        start=1,
    ):
        subscribe()
        system.publish(News(number=count))
        wait_for(lambda count=count: heard(count))  # type: ignore[misc]
        system.submit(Latecomer.listen_no_more).result(LIMIT)
    assert system.ask(agent, SayNow(1), timeout=5) == 1

    def heard_at_last() -> bool:
        system.publish(News(number=3))
        return heard(3)

    wait_for(heard_at_last)


def test_an_agent_that_has_unsubscribed_hears_no_more(system: ActorSystem) -> None:
    """B5: not even what is on its way to it."""
    system.submit(Listener.listen).result(LIMIT)
    system.publish(News(number=1))
    assert told(system, 1) == [1]
    system.submit(Quiet.say, 2, 5).result(LIMIT)
    system.submit(Listener.listen_no_more).result(LIMIT)
    before = system.submit(Listener.told).result(LIMIT)[0]
    system.submit(Quiet.say, 100).result(LIMIT)
    with system.events(News) as news:
        system.submit(Quiet.say, 101).result(LIMIT)
        # The one before may still have been on its way when this began to listen.
        while numbers(news, 1) != [101]:
            pass
    assert system.submit(Listener.told).result(LIMIT)[0] == before


def test_events_come_out_of_tasks_hooks_handlers_and_actors(system: ActorSystem) -> None:
    """B5: users publish their own types wherever their code runs."""
    with system.events(News) as news:
        greeter = system.spawn(Greeter)
        event = news.get(LIMIT)
        assert isinstance(event, News) and (event.source, event.data) == (greeter.agent_id, "on_start")
        system.terminate(greeter)
        assert news.get(LIMIT).data == "on_stop"  # type: ignore[union-attr]
        system.submit(Quiet.say, 3).result(LIMIT)
        system.tell("quiet-1", Say(4))
        assert numbers(news, 2) == [3, 4]
        system.submit(Herald.say_async, 5).result(LIMIT)
        speaker = system.start_actor(Speaker, system)
        speaker.tell(Say(6))
        system.publish(News(number=7))
        assert sorted(numbers(news, 3)) == [5, 6, 7]
        system.submit(Listener.listen).result(LIMIT)
        system.publish(News(number=8, data="again"))
        assert numbers(news, 2) == [8, 8], "on_event publishes, too"


def test_an_urgent_handler_publishes_while_a_task_runs(system: ActorSystem, tmp_path: Path) -> None:
    """B5: from the control lane."""
    gate = Gate.make(tmp_path, "gate")
    with system.events(News) as news:
        running = system.submit(Quiet.hold, gate)
        gate.reached()
        system.ask("quiet-1", SayNow(1), timeout=5)
        assert numbers(news, 1) == [1]
        assert not running.done()
        gate.open()
        running.result(LIMIT)


def test_events_of_one_publisher_come_in_order_and_each_once(system: ActorSystem) -> None:
    """B5: in the program, and in an agent."""
    system.scale(Quiet, 2)
    Quiet.say  # noqa: B018 - two of them
    with system.events(News, bound=5000) as news:
        said = [system.submit(Quiet.say, 1000 * index, 500) for index in range(4)]
        by: dict[tuple[str, int], list[int]] = {}
        for _ in range(2000):
            event = news.get(LIMIT)
            assert isinstance(event, News)
            by.setdefault((event.source, event.number // 1000), []).append(event.number)
        for future in said:
            future.result(LIMIT)
    assert sorted(number for run in by.values() for number in run) == sorted(
        1000 * index + number for index in range(4) for number in range(500)
    )
    assert all(run == sorted(run) for run in by.values())
    assert news.missed == 0


def test_what_an_agent_published_before_it_was_killed_is_heard() -> None:
    """B5, F2: events under way are not lost with their publisher."""
    with ActorSystem({Quiet: 1}, config=CONFIG) as system, system.events(News, bound=5000) as news:
        for _ in range(3):
            with pytest.raises(AgentDied):
                system.submit(Quiet.say_and_die, 300).result(LIMIT)
            assert numbers(news, 300) == list(range(300))
        assert news.get(0) is None


# --- types ---------------------------------------------------------------------------------------------------------


def test_types_of_one_name_are_told_apart(system: ActorSystem) -> None:
    """B5: only subscribers get an event; a class may be called as one of the library's, or of another module."""
    with (
        system.events(News) as news,
        system.events(otherheralds.News) as other,
        system.events(heralds.TaskFailed) as own,
        system.events(TaskFailed) as librarys,
        system.events(Homemade) as homemade,
    ):
        system.submit(Quiet.say_other, "for a test").result(LIMIT)
        assert other.get(LIMIT).title == "for a test"  # type: ignore[union-attr]
        assert own.get(LIMIT).why == "for a test"  # type: ignore[union-attr]
        made = homemade.get(LIMIT)
        assert isinstance(made, Homemade) and made.what == "for a test" and made.source == "quiet-1" and made.time  # type: ignore[attr-defined]
        assert (news.get(0), librarys.get(0)) == (None, None)


def test_an_event_with_a_constructor_of_its_own_harms_nobody(system: ActorSystem) -> None:
    """B5: it is filled in without being made anew."""
    with system.events(Homemade) as homemade:
        for _ in range(5):
            system.publish(Homemade("by the program"))
        for _ in range(5):
            event = homemade.get(LIMIT)
            assert isinstance(event, Homemade) and (event.what, event.source) == ("by the program", "program")  # type: ignore[attr-defined]
    assert system.healthy()


def test_without_a_subscriber_nothing_is_done_with_an_event(system: ActorSystem) -> None:
    """B5: only subscribers get an event; with none in another process nobody pickles it."""
    system.publish(Untouchable())
    system.submit(Quiet.say_wrong, "nobody's").result(LIMIT)
    with system.events(Untouchable) as there:
        system.publish(Untouchable(source="here", time=1.0))
        assert isinstance(there.get(LIMIT), Untouchable)


# --- what cannot be published --------------------------------------------------------------------------------------


def test_a_bad_event_is_an_error_where_it_is_published(system: ActorSystem) -> None:
    """B5: no event, no such scope, not to be sent, too large: in the program and in a task, and nothing else is harmed."""
    system.submit(Listener.listen).result(LIMIT)
    with system.events(News) as news:
        bad: dict[str, tuple[Any, type[Exception], str]] = {
            "no event": ("text", ConfigError, "takes an Event"),
            "scope": (News(scope="world"), ConfigError, "global, local, type"),  # type: ignore[arg-type]
            "lock": (News(data=threading.Lock()), NotSerializable, r"\.data of it is to blame"),
            "huge": (News(data=bytes(65 << 20)), NotSerializable, "too large"),
            "missed": (EventsMissed(count=1, total=1), ConfigError, "by the library"),
        }
        for name, (event, kind, text) in bad.items():
            with pytest.raises(kind, match=text):
                system.publish(event)
            with pytest.raises(kind, match=text):
                system.submit(Quiet.say_wrong, name).result(LIMIT)
        system.submit(Quiet.say, 7).result(LIMIT)
        assert numbers(news, 1) == [7]
    assert told(system, 1) == [7]
    assert system.healthy()


def test_a_bad_subscription_is_an_error_where_it_is_made(system: ActorSystem) -> None:
    """B5: in the program and in a task."""

    async def coroutine(event: Event) -> None:
        """Would never be awaited."""

    for wrong in (None, coroutine):
        with pytest.raises(ConfigError, match="async for"):
            system.subscribe(News, wrong)  # type: ignore[arg-type]
    for bound in (0, 1.5, True):
        with pytest.raises(ConfigError, match="1 or more"):
            system.subscribe(News, print, bound=bound)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="1 or more"):
            system.events(News, bound=bound)  # type: ignore[arg-type]
    for open_with in (lambda: system.subscribe(News, print, scope="world"), lambda: system.events(scope="world")):  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="scope takes"):
            open_with()
    for what, kind, text in (
        ("scope", ConfigError, "scope takes"),
        ("none", ConfigError, "one event type or more"),
        ("type", TypeError, "types of events"),
    ):
        with pytest.raises(kind, match=text):
            system.submit(Listener.listen_wrongly, what).result(LIMIT)
    with pytest.raises(ConfigError, match="on_event"):
        type("Coroutine", (Listener,), {"on_event": coroutine})
    with pytest.raises(ConfigError, match="event_bound"):
        type("Boundless", (Listener,), {"event_bound": 0})


# --- slow and failing subscribers ----------------------------------------------------------------------------------


def test_a_slow_handler_is_told_how_much_it_missed(system: ActorSystem) -> None:
    """B5: beside the count, if it asks for that."""
    heard, gate, entered = Heard(), threading.Event(), threading.Event()

    def slow(event: Any) -> None:
        entered.set()
        gate.wait(LIMIT)
        heard(event)

    with system.subscribe([News, EventsMissed], slow, bound=3) as subscription:
        system.publish(News(number=0))
        assert entered.wait(LIMIT)
        for number in range(1, 11):
            system.publish(News(number=number))
        wait_for(lambda: subscription.missed == 7)
        gate.set()
        events = heard.wait(5)
    assert isinstance(events[1], EventsMissed) and (events[1].count, events[1].total) == (7, 7)
    assert [event.number for event in events if isinstance(event, News)] == [0, 8, 9, 10]


def test_a_slow_reader_is_told_how_much_it_missed(system: ActorSystem) -> None:
    """B5: in a stream, also one of all events."""
    with system.events(News, EventsMissed, bound=2) as news, system.events(News, bound=2) as plain:
        for number in range(5):
            system.publish(News(number=number))
        wait_for(lambda: news.missed == plain.missed == 3)
        found = [news.get(LIMIT) for _ in range(3)]
        assert isinstance(found[0], EventsMissed) and (found[0].count, found[0].total) == (3, 3)
        assert [event.number for event in found[1:]] == [3, 4]  # type: ignore[union-attr]
        assert numbers(plain, 2) == [3, 4]
        assert (news.get(0), plain.get(0)) == (None, None)


def test_a_slow_agent_is_told_how_much_it_missed(system: ActorSystem, caplog: pytest.LogCaptureFixture) -> None:
    """B5: and nobody else waits for it: its own tasks, other agents and the program go on. The log says it once."""
    system.submit(Listener.listen, missed=True).result(LIMIT)
    with system.events(News, bound=5000) as news:
        system.publish(News(number=0, data="block"))
        system.submit(Listener.is_blocked).result(LIMIT)
        system.submit(Quiet.say, 1, 1000).result(LIMIT)
        assert numbers(news, 1001) == list(range(1001))
        wait_for(lambda: system.submit(Listener.told).result(LIMIT)[1] == 990)
        system.submit(Listener.unblock).result(LIMIT)
    assert told(system, 12) == [0, ("missed", 990, 990), *range(991, 1001)]
    wait_for(lambda: "on_event is slow" in caplog.text)
    assert caplog.text.count("on_event is slow") == 1


def test_an_agent_that_does_not_read_is_told_how_much_it_missed() -> None:
    """B5: what waits for it is bounded in the program too, so that a cancellation does not wait behind it."""
    with ActorSystem({Quiet: 1, Listener: 1}, config=CONFIG) as system:
        system.submit(Listener.listen, missed=True).result(LIMIT)
        pid = idle(system, "listener-1").pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            with system.events(News, bound=5000) as news:
                system.submit(Quiet.say, 0, 3000, data="x" * 2000).result(LIMIT)
                assert numbers(news, 3000) == list(range(3000))
        finally:
            os.kill(pid, signal.SIGCONT)

        def heard_all() -> bool:
            # A further event brings word of those that had no room.
            system.publish(News(number=-1))
            heard, missed = system.submit(Listener.told).result(LIMIT)
            known = [item for item in heard if isinstance(item, int) and item >= 0]
            assert known == sorted(set(known))
            return missed >= 3000 - len(known) > 1000

        wait_for(heard_all)


def test_what_fails_on_an_event_is_told_once(system: ActorSystem, caplog: pytest.LogCaptureFixture) -> None:
    """B5: in the program and in an agent; each goes on to hear."""
    failed = Heard()

    def fails(event: Any) -> None:
        raise LookupError("a handler that fails")

    system.submit(Listener.listen).result(LIMIT)
    with (
        caplog.at_level(logging.WARNING),
        system.subscribe(AgentError, failed),
        system.subscribe(News, fails) as subscription,
        system.events(News) as news,
    ):
        for number in range(10):
            system.publish(News(number=number, data="fail"))
        assert numbers(news, 10) == list(range(10))
        assert told(system, 10)[-1] == 9
        wait_for(lambda: subscription.failures == 10)
        wait_for(lambda: "a listener that fails" in caplog.text)
        # The log of an agent that is a thread is here before its event.
        wait_for(lambda: failed.events)
    assert caplog.text.count("LookupError: a listener that fails") == 1
    assert caplog.text.count("LookupError: a handler that fails") == 1
    assert "failed 10 times" in caplog.text
    assert len(failed.events) == 1


def test_an_agent_whose_handler_blocks_ends_in_time() -> None:
    """B5, A6: nobody waits for it, not even the end."""
    with ActorSystem({Listener: 1}, config=CONFIG) as system:
        system.submit(Listener.listen).result(LIMIT)
        system.publish(News(data="block"))
        system.submit(Listener.is_blocked).result(LIMIT)
        system.terminate("listener-1", timeout=5)
        system.submit(Listener.listen).result(LIMIT)


# --- streams -------------------------------------------------------------------------------------------------------


def test_a_stream_ends_with_the_system() -> None:
    """B5, F2: whoever reads is told, in a thread and in a coroutine; what came before can still be read."""
    got: list[Any] = []
    with ActorSystem(config=CONFIG) as system:
        stream = system.events(ShutdownInitiated)
        reader = threading.Thread(target=lambda: got.extend(stream))
        reader.start()

    async def read() -> list[Event]:
        return [event async for event in stream]

    reader.join(LIMIT)
    assert not reader.is_alive()
    assert [type(event) for event in got] == [ShutdownInitiated]
    assert stream.closed
    assert asyncio.run(read()) == []


def test_events_are_iterated_over_in_coroutines(system: ActorSystem) -> None:
    """B5, J1: in order, with no thread held up; the end of the block closes the stream."""

    async def follow() -> list[int]:
        found: list[int] = []
        async with system.events(News) as news:
            before = threading.active_count()
            future = system.submit(Quiet.say, 0, 100)
            async for event in news:
                assert isinstance(event, News)
                assert threading.active_count() <= before + 1
                found.append(event.number)
                if event.number == 99:
                    break
            await future
        assert news.closed
        return found

    assert asyncio.run(asyncio.wait_for(follow(), LIMIT)) == list(range(100))


def test_a_coroutine_that_is_cancelled_takes_no_event_with_it(system: ActorSystem) -> None:
    """B5: nor does one whose time is over; the next reader gets what came."""

    async def follow() -> list[int]:
        async with system.events(News) as news:
            for _ in range(20):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(news), 0.001)
            waiting = asyncio.ensure_future(anext(news))
            await asyncio.sleep(0)
            system.submit(Quiet.say, 1).result(LIMIT)
            # The loop stands still meanwhile: the coroutine is cancelled after the event came, and before it goes on.
            wait_for(lambda: len(news._buffer))
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return [(await anext(news)).number]  # type: ignore[attr-defined]

    assert asyncio.run(asyncio.wait_for(follow(), LIMIT)) == [1]


def test_readers_in_several_loops_and_threads_share_a_stream(system: ActorSystem) -> None:
    """B5: each event goes to one of them, and closing ends them all."""
    got: list[int] = []
    news = system.events(News)

    async def follow() -> None:
        async for event in news:
            got.append(event.number)  # type: ignore[attr-defined]  # noqa: PERF401 - as it comes

    def read() -> None:
        for event in news:
            got.append(event.number)  # type: ignore[attr-defined]  # noqa: PERF401 - as it comes

    readers = [
        threading.Thread(target=target)
        for target in (read, lambda: asyncio.run(follow()), lambda: asyncio.run(follow()))
    ]
    for reader in readers:
        reader.start()
    system.submit(Quiet.say, 0, 300).result(LIMIT)
    wait_for(lambda: len(got) == 300)
    news.close()
    for reader in readers:
        reader.join(LIMIT)
        assert not reader.is_alive()
    assert sorted(got) == list(range(300))


def test_a_stream_that_is_opened_in_a_coroutine_hears_what_follows(system: ActorSystem) -> None:
    """B5: without `async with`, and from all agents; a bad scope is an error of the first step."""

    async def follow() -> None:
        news = system.events(GoodNews, TaskCompleted)
        system.publish(GoodNews(number=1))
        assert (await anext(news)).number == 1  # type: ignore[attr-defined]
        news.close()
        assert [event async for event in news] == []
        with pytest.raises(ConfigError, match="scope takes"):
            async with system.events(News, scope="world"):  # type: ignore[arg-type]
                pass

    asyncio.run(asyncio.wait_for(follow(), LIMIT))
