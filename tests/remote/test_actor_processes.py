"""Actors in processes of a system: what happens to them, and to who depends on them, when processes die."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from actors import (
    ActorSystem,
    AgentConfig,
    AgentDied,
    ConfigError,
    DeadLetterFound,
    DeadlockDetected,
    Limits,
    MessageRefused,
    NotSerializable,
)
from actors.remote.ref import arrive
from tests.kernel.support import Seen
from tests.remote.parts import (
    LIMIT,
    Asking,
    Deadly,
    Echo,
    Forward,
    Padded,
    Say,
    Shelf,
    Sized,
    Stillborn,
    Talker,
    Unsendable,
    Wait,
)
from tests.system.support import Heard, wait_for


def hosts_of(system: ActorSystem) -> list[str]:
    """The ids of the agents that are actor processes."""
    return [each.agent for each in system.agents() if each.agent_type == "actor_host"]


def test_several_actors_may_share_one_process(system: ActorSystem) -> None:
    """Design: several actors may share one process."""
    process = system.actor_process("shared")
    one, other = system.start_actor(Echo, host=process), system.start_actor(Echo, 3, host=process)
    alone = system.start_actor(Echo, host="process")
    pids = [ref.proxy().pid().get(timeout=LIMIT) for ref in (one, other, alone)]
    assert pids[0] == pids[1] != pids[2]
    assert os.getpid() not in pids
    assert one != other
    assert one.ask(Forward(other, Say("next door")), timeout=LIMIT) == "next door"
    assert hosts_of(system) == ["actor_host-1", "actor_host-2"]
    one.stop(timeout=LIMIT)
    assert other.is_alive()
    process.stop()
    assert not process.is_alive()
    wait_for(lambda: not other.is_alive())
    assert alone.is_alive()


def test_a_process_that_was_started_for_one_actor_ends_with_it(system: ActorSystem) -> None:
    """A6: nothing is left of an actor that has ended."""
    ref = system.start_actor(Echo, host="process")
    pid = ref.proxy().pid().get(timeout=LIMIT)
    ref.stop(timeout=LIMIT)
    wait_for(lambda: not hosts_of(system), "the end of the process")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_process_whose_only_actor_could_not_be_built_is_gone(system: ActorSystem) -> None:
    """A6: a failed start leaves nothing."""
    with pytest.raises(LookupError, match="no room"):
        system.start_actor(Stillborn, "constructor", host="process")
    wait_for(lambda: not hosts_of(system), "the end of the process")


def test_asks_under_way_get_the_record_of_the_process_that_died(system: ActorSystem, tmp_path: Path) -> None:
    """B3, H3: who asks a process that is killed is told at once how it ended."""
    ref, seen = system.start_actor(Echo, host="process"), Seen()
    ref.watch(seen)
    pid = ref.proxy().pid().get(timeout=LIMIT)
    busy = tmp_path / "busy"
    asks = [ref.ask_later(Wait(str(busy), str(tmp_path / "never"))), *(ref.ask_later(number) for number in range(50))]
    wait_for(busy.exists)
    os.kill(pid, signal.SIGKILL)
    for ask in asks:
        with pytest.raises(AgentDied, match="SIGKILL") as caught:
            ask.get(timeout=LIMIT)
        assert caught.value.agent_id == "actor_host-1"
        assert caught.value.pid == pid
        assert caught.value.signal == "SIGKILL"
    end = seen.wait(1)[0]
    assert end.reason == "failure"
    assert isinstance(end.error, AgentDied)
    with pytest.raises(AgentDied, match="SIGKILL"):
        ref.ask(Say("anybody?"), timeout=LIMIT)
    assert not ref.is_alive()
    assert ref.stop(timeout=LIMIT) is False
    assert ref.join(LIMIT)


def test_a_process_that_died_is_not_replaced_and_takes_no_actors(system: ActorSystem) -> None:
    """Design: an actor whose process dies has ended."""
    process = system.actor_process("mortal")
    ref = system.start_actor(Deadly, host=process)
    with pytest.raises(AgentDied):
        ref.ask("kill", timeout=LIMIT)
    wait_for(lambda: not process.is_alive(), "the end of the process")
    wait_for(lambda: not hosts_of(system), "word of it")
    with pytest.raises(AgentDied, match="SIGKILL"):
        system.start_actor(Echo, host=process)
    assert system.start_actor(Echo, host="process").ask(Say("another"), timeout=LIMIT) == "another"
    assert not ref.is_alive()


def test_a_dead_actor_harms_no_other_actor_that_asks_it(system: ActorSystem) -> None:
    """F2: every waiter is answered, in whatever process it waits."""
    asker, victim = system.start_actor(Echo, host="process"), system.start_actor(Deadly, host="process")
    with pytest.raises(AgentDied):
        asker.ask(Forward(victim, "kill"), timeout=LIMIT)
    with pytest.raises(AgentDied):
        asker.ask(Forward(victim, "again"), timeout=LIMIT)
    assert asker.ask(Say("alive"), timeout=LIMIT) == "alive"


def test_what_is_told_to_a_dead_process_is_a_dead_letter(system: ActorSystem) -> None:
    """B1: counted, published, and no error for who does not wait."""
    heard = Heard()
    system.subscribe(DeadLetterFound, heard)
    ref = system.start_actor(Deadly, host="process", name="mortal")
    with pytest.raises(AgentDied):
        ref.ask("kill", timeout=LIMIT)
    for _ in range(100_000):
        ref.tell("too late")
    assert heard.first().recipient == "mortal"
    assert heard.first(lambda event: event.total >= 50_000).total <= 100_000
    assert len(heard.events) < 100
    assert ref.dead_letters == 100_000


def test_a_hundred_thousand_messages_arrive_in_order_from_two_senders(system: ActorSystem) -> None:
    """B6: order for each sender and recipient, under load and batching."""
    ref = system.start_actor(Echo, host="process")

    def send(name: str) -> None:
        for number in range(50_000):
            ref.tell((name, number))

    threads = [threading.Thread(target=send, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = ref.proxy().seen.get(timeout=LIMIT)
    assert len(seen) == 100_000
    for name in "ab":
        assert [number for sender, number in seen if sender == name] == list(range(50_000))


def test_a_full_mailbox_makes_the_program_wait_and_nothing_is_lost(system: ActorSystem, tmp_path: Path) -> None:
    """Design: bounded mailboxes press back on the sender, across processes too."""
    ref = system.start_actor(Echo, host="process")
    busy, go = tmp_path / "busy", tmp_path / "go"
    ref.tell(Wait(str(busy), str(go)))
    wait_for(busy.exists)
    sent = 0
    done = threading.Event()

    def send() -> None:
        nonlocal sent
        for number in range(200_000):
            ref.tell(number)
            sent = number + 1
        done.set()

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    # It comes to a stand far below what it has to send: the bound, and what was under way.
    still = [-1]

    def stands() -> bool:
        before, still[0] = still[0], sent
        threading.Event().wait(0.25)
        return sent == before == still[0] and sent > 10_000

    wait_for(stands)
    assert not done.is_set()
    assert ref.ask is not None
    assert ref.is_alive()
    go.touch()
    assert done.wait(LIMIT)
    sender.join(LIMIT)
    assert ref.proxy().seen.get(timeout=LIMIT) == list(range(200_000))


def test_an_actor_that_is_stopped_while_senders_wait_lets_them_go(system: ActorSystem, tmp_path: Path) -> None:
    """F2: nobody waits for room in a mailbox that is gone."""
    ref = system.start_actor(Echo, host="process")
    pid = ref.proxy().pid().get(timeout=LIMIT)
    ref.tell(Wait(str(tmp_path / "busy"), str(tmp_path / "never")))
    done = threading.Event()

    def send() -> None:
        for number in range(100_000):
            ref.tell(number)
        done.set()

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    wait_for((tmp_path / "busy").exists)
    os.kill(pid, signal.SIGKILL)
    assert done.wait(LIMIT)
    sender.join(LIMIT)
    assert ref.dead_letters > 0


def test_a_message_that_cannot_travel_is_an_error_for_its_sender(system: ActorSystem) -> None:
    """Bad input: what cannot be pickled."""
    ref = system.start_actor(Echo, host="process")
    for send in (ref.tell, ref.ask, ref.ask_later):
        with pytest.raises(NotSerializable, match="I stay here"):
            send(Unsendable())
    with pytest.raises(NotSerializable):
        system.start_actor(Echo, Unsendable(), host="process")
    assert ref.ask(Say("goes on"), timeout=LIMIT) == "goes on"


def test_large_messages_and_answers_travel_through_shared_memory(system: ActorSystem) -> None:
    """B6: 40 MB there and back, and nothing of it is left."""
    ref = system.start_actor(Echo, host="process")
    data = os.urandom(1 << 20) * 40
    assert ref.ask(data, timeout=LIMIT) == len(data)
    assert ref.ask([data], timeout=LIMIT) == [data]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_message_of_a_gibibyte_arrives_and_others_go_on(system: ActorSystem) -> None:
    """Bad input: a message of 1 GiB."""
    ref, other = system.start_actor(Echo, host="process"), system.start_actor(Echo, host="process")
    answer = ref.ask_later(bytes(1 << 30))
    assert other.ask(Say("meanwhile"), timeout=LIMIT) == "meanwhile"
    assert answer.get(timeout=120) == 1 << 30


@pytest.mark.parametrize("pickle_of", ["one buffer", "many small values"])
def test_others_of_the_process_are_answered_while_a_large_message_is_read(system: ActorSystem, pickle_of: str) -> None:
    """Bad input: what is large holds up its recipient alone."""
    process = system.actor_process("shared")
    large, small = system.start_actor(Echo, host=process), system.start_actor(Echo, host=process)
    for ref in (large, small):
        ref.ask(Say("warm"), timeout=LIMIT)
    message: Any = bytes(256 << 20) if pickle_of == "one buffer" else [str(number) * 8 for number in range(1_000_000)]
    before, during = Order(), 0
    large.tell(message)
    end = large.ask_later(Say("end"))
    end.add_done_callback(lambda _: before.over())
    while not before.is_over:
        assert small.ask(Say("small"), timeout=LIMIT) == "small"
        during += not before.is_over
    assert end.get(timeout=LIMIT) == "end"
    # One might have been on its way already.
    assert during >= 3


class Order:
    """Whether something has happened yet."""

    is_over = False

    def over(self) -> None:
        """It has."""
        self.is_over = True


def test_large_messages_keep_their_order_with_small_ones_and_can_be_put_aside(system: ActorSystem) -> None:
    """Design: order between one sender and one recipient, whatever the way of its messages."""
    ref = system.start_actor(Shelf, host="process")
    sizes = [10, 2 << 20, 20, 3 << 20, 30]
    for size in sizes:
        ref.tell(bytes(size))
    later = ref.ask_later(bytes(5 << 20))
    assert ref.proxy().take().get(timeout=LIMIT) is None
    assert later.get(timeout=LIMIT) == 5 << 20
    assert ref.proxy().sizes.get(timeout=LIMIT) == [*sizes, 5 << 20]


def test_large_answers_arrive_and_circles_over_large_messages_are_found(system: ActorSystem) -> None:
    """B3: each ask has its one answer, however large."""
    one, other = (system.start_actor(Echo, host="process") for _ in range(2))
    assert len(one.ask("x" * (3 << 20), timeout=LIMIT)) == 3 << 20
    large = Forward(other, Forward(one, Say("back")))
    with pytest.raises(DeadlockDetected):
        one.ask(large, timeout=LIMIT)
    with pytest.raises(DeadlockDetected):
        one.ask(Forward(other, Padded(one, "x" * (3 << 20))), timeout=LIMIT)


def test_a_message_that_is_larger_than_the_memory_that_is_allowed_is_refused_and_kills_nobody(
    system: ActorSystem,
) -> None:
    """Bad input: the error says the limit and how to raise it."""
    process = system.actor_process("small", AgentConfig(limits=Limits(memory="200M")))
    ref = system.start_actor(Echo, host=process)
    pid = ref.proxy().pid().get(timeout=LIMIT)
    with pytest.raises(MessageRefused, match=r"message of 256 MiB: .*of the 200 MiB that it may.*Limits\(memory="):
        ref.ask(bytes(256 << 20), timeout=LIMIT)
    ref.tell(bytes(256 << 20))
    assert ref.proxy().pid().get(timeout=LIMIT) == pid
    worker = system.spawn(Sized, AgentConfig(limits=Limits(memory="200M")))
    with pytest.raises(MessageRefused, match=r"message of 256 MiB: .*Limits\(memory="):
        worker.ask(bytes(256 << 20), timeout=LIMIT)
    assert worker.ask(bytes(1 << 20), timeout=LIMIT) == 1 << 20
    assert worker.status().incarnation == 1


def test_references_work_in_tasks_of_process_agents(system: ActorSystem) -> None:
    """Design: refs as arguments of tasks, from inside a task, in any process."""
    in_thread, in_process = system.start_actor(Echo, 1), system.start_actor(Echo, 2, host="process")
    for ref in (in_thread, in_process):
        answer, pid = system.submit(Asking.asks, ref, Say("from a task")).result(timeout=LIMIT)
        assert answer == "from a task"
        assert pid not in {os.getpid(), ref.proxy().pid().get(timeout=LIMIT)}
        assert system.submit(Asking.proxies, ref, 10).result(timeout=LIMIT) == 10 + ref.proxy().shift.get(timeout=LIMIT)
        assert system.submit(Asking.stops, ref).result(timeout=LIMIT) is True
        assert not ref.is_alive()


def test_an_actor_that_a_task_has_started_can_be_asked_from_anywhere(system: ActorSystem) -> None:
    """Design: any process can have actors."""
    ref = system.submit(Asking.hands_out).result(timeout=LIMIT)
    assert ref.proxy().add(1).get(timeout=LIMIT) == 6
    middle = system.start_actor(Echo, host="process")
    assert middle.ask(Forward(ref, Say("through")), timeout=LIMIT) == "through"


def test_a_ring_of_actors_in_processes_and_threads_passes_a_ball_around(system: ActorSystem) -> None:
    """Design: messages between agents travel without passing through the scheduler."""
    done = system.start_actor(Echo)
    ring = [system.start_actor(Talker, host="process" if number % 2 else "thread") for number in range(4)]
    for place, talker in enumerate(ring):
        talker.proxy().join(ring[(place + 1) % 4], done).get(timeout=LIMIT)
    ring[0].tell(400)
    wait_for(lambda: done.proxy().seen.get(timeout=LIMIT) == ["round"])
    assert sum(talker.proxy().passes.get(timeout=LIMIT) for talker in ring) == 401


def test_processes_of_actors_do_not_count_towards_the_agents_that_may_be(system: ActorSystem) -> None:
    """C1: the limit is for agents that take tasks."""
    with ActorSystem(max_agents=1) as small:
        for _ in range(3):
            small.start_actor(Echo, host="process")
        assert small.submit(pow, 2, 10).result(timeout=LIMIT) == 1024
        assert small.drain(LIMIT)


def test_a_process_of_actors_has_the_configuration_that_it_is_given(system: ActorSystem, tmp_path: Path) -> None:
    """C1: limits, environment and the like."""
    config = AgentConfig(working_directory=str(tmp_path), limits=Limits(memory="512M"))
    process = system.actor_process("here", config)
    (status,) = [each for each in system.agents() if each.agent == process.agent]
    assert status.limits["memory"] == 512 << 20
    with pytest.raises(ConfigError, match="AgentConfig"):
        system.actor_process("there", {"memory": 1})  # type: ignore[arg-type]


def test_a_host_that_is_none_is_refused(system: ActorSystem) -> None:
    """Bad input."""
    with pytest.raises(ConfigError, match="host of an actor"):
        system.start_actor(Echo, host="moon")  # type: ignore[arg-type]
    with ActorSystem(host="thread") as threads, pytest.raises(ConfigError, match="no processes"):
        threads.start_actor(Echo, host="process")


def test_an_agent_of_actors_can_be_ended_by_its_id(system: ActorSystem) -> None:
    """A6: it is an agent like others."""
    process = system.actor_process()
    ref = system.start_actor(Echo, host=process)
    system.terminate(process.agent, timeout=1)
    wait_for(lambda: not process.is_alive())
    assert not ref.is_alive()


def test_the_processes_of_a_program_that_is_killed_are_gone_within_two_seconds(tmp_path: Path) -> None:
    """A6: when the program dies, its agents are gone within 2 s."""
    script = (
        "import sys\n"
        "from actors import ActorSystem\n"
        "from tests.remote.parts import Echo\n"
        "if __name__ == '__main__':\n"
        "    with ActorSystem() as system:\n"
        "        refs = [system.start_actor(Echo, host='process') for _ in range(2)]\n"
        "        print(*[ref.proxy().pid().get() for ref in refs], flush=True)\n"
        "        sys.stdin.read()\n"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=os.getcwd()
    )
    assert program.stdin is not None
    assert program.stdout is not None
    with contextlib.closing(program.stdin), contextlib.closing(program.stdout):
        pids = [int(pid) for pid in program.stdout.readline().split()]
        assert len(pids) == 2
        program.kill()
        program.wait(LIMIT)
        wait_for(lambda: not any(_runs(pid) for pid in pids), "the end of the actors", 2.0)


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_nothing_of_the_connections_is_left_after_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A6: sockets, threads and directories are gone, also where the temporary directory has a very long name."""
    long = tmp_path / ("long" * 30)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", None)
    with ActorSystem() as system:
        refs: list[Any] = [system.start_actor(Echo, host=host) for host in ("thread", "process", "process")]
        for one in refs:
            for other in refs:
                if one is not other:
                    assert one.ask(Forward(other, Say("x")), timeout=LIMIT) == "x"
    assert not any(thread.name == "actors-post" for thread in threading.enumerate())
    assert not [path for path in long.rglob("*") if path.is_socket()]


def test_what_is_told_to_an_actor_of_which_nothing_is_left_is_a_dead_letter(system: ActorSystem) -> None:
    """B1: counted and published, also where nobody remembers the actor."""
    heard = Heard()
    system.subscribe(DeadLetterFound, heard)
    known = system.start_actor(Echo, host="process")
    forgotten = arrive(known.address.process, 4711, "forgotten", known.address.endpoint)
    forgotten.tell("anybody?")
    letter = heard.first(lambda event: event.recipient == "actor 4711")
    assert (letter.message, letter.total) == ("str", 1)
    forgotten.tell(bytes(2 << 20))
    assert heard.first(lambda event: event.recipient == "actor 4711" and event.total == 2).message == "LargeMessage"
    assert known.ask(Say("still there"), timeout=LIMIT) == "still there"
