"""References in processes that are no agents: children and pools of the user's own, however they are started."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from actors import ActorRef, ActorSystem, AgentDied, DeadLetter
from tests.remote.parts import LIMIT, Echo, Say, asked, use_all
from tests.system.support import wait_for

METHODS = ("fork", "spawn")

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.actors_leaks_allowed("processes", reason="the resource tracker of multiprocessing stays"),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("host", ["thread", "process"])
def test_a_reference_works_in_a_child_of_the_users_own(system: ActorSystem, method: str, host: Any) -> None:
    """Design: refs may be handed to a multiprocessing child."""
    ref = system.start_actor(Echo, 4, host=host)
    context: Any = multiprocessing.get_context(method)
    answers = context.SimpleQueue()
    child = context.Process(target=use_all, args=(ref, answers))
    child.start()
    try:
        assert answers.get() == ("hello", "later", 5, ["told"], True, True, 1, True, False)
    finally:
        child.join(LIMIT)
        answers.close()
    assert child.exitcode == 0
    child.close()
    assert not ref.is_alive()


def test_a_reference_works_in_a_child_of_the_forkserver() -> None:
    """Design: however the child is started; in a program of its own, because a forkserver stays with its program."""
    script = (
        "import multiprocessing\n"
        "from actors import ActorSystem\n"
        "from tests.remote.parts import Echo, Say, asked\n"
        "if __name__ == '__main__':\n"
        "    with ActorSystem() as system, multiprocessing.get_context('forkserver').Pool(1) as pool:\n"
        "        refs = [system.start_actor(Echo), system.start_actor(Echo, host='process')]\n"
        "        print(pool.starmap(asked, [(ref, Say('hello')) for ref in refs]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == ("['hello', 'hello']", "")


@pytest.mark.parametrize("method", METHODS)
def test_a_reference_works_in_a_pool_of_the_users_own(system: ActorSystem, method: str) -> None:
    """Design: refs may be handed to a multiprocessing pool."""
    refs = [system.start_actor(Echo), system.start_actor(Echo, host="process")]
    with multiprocessing.get_context(method).Pool(2) as pool:
        for ref in refs:
            asks = [(ref, Say(str(number))) for number in range(20)]
            assert pool.starmap(asked, asks) == [str(number) for number in range(20)]
        pool.close()
        pool.join()


def test_an_actor_outside_of_any_system_can_be_asked_from_a_child() -> None:
    """Design: a reference needs no system."""
    ref: ActorRef[Any] = Echo.start(1)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(asked, (ref, Say("hello"))) == "hello"
        pool.close()
        pool.join()
    ref.stop(timeout=LIMIT)


def test_a_child_that_dies_harms_nobody(system: ActorSystem) -> None:
    """F2: a peer may vanish at any moment."""
    ref = system.start_actor(Echo)
    pid = os.fork()
    if pid == 0:
        try:
            ref.ask(Say("hello"), timeout=LIMIT)
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert ref.ask(Say("goes on"), timeout=LIMIT) == "goes on"


def test_a_child_of_a_fork_uses_nothing_of_its_parents_connections(system: ActorSystem) -> None:
    """Design: after a fork both sides go on, each on connections of its own."""
    ref = system.start_actor(Echo, host="process")
    assert ref.ask(Say("before"), timeout=LIMIT) == "before"
    pids = []
    for number in range(3):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                good = all(ref.ask((number, each), timeout=LIMIT) == (number, each) for each in range(200))
                code = 0 if good else 2
            finally:
                os._exit(code)
        pids.append(pid)
    for each in range(200):
        assert ref.ask(("parent", each), timeout=LIMIT) == ("parent", each)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0, 0]
    assert len(ref.proxy().seen.get(timeout=LIMIT)) == 800


def test_a_reference_to_an_actor_of_a_process_that_is_gone_says_so(system: ActorSystem) -> None:
    """Bad input: a ref to an actor in a dead process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        ref = pool.apply(started_there)
        assert ref.ask(Say("hello"), timeout=LIMIT) == "hello"
        pool.terminate()
        pool.join()
    wait_for(lambda: not ref.is_alive())
    with pytest.raises(AgentDied, match="Echo"):
        ref.ask(Say("anybody?"), timeout=LIMIT)
    ref.tell("nobody")
    assert ref.stop(timeout=LIMIT) is False
    assert ref.join(LIMIT)


def test_a_reference_to_an_actor_that_is_gone_is_read_and_says_so_when_it_is_used(system: ActorSystem) -> None:
    """Bad input: a ref to an actor that is gone does not spoil the message that it is in."""
    middle = system.start_actor(Echo, host="process")
    gone: ActorRef[Any] = Echo.start()
    gone.stop(timeout=LIMIT)
    back = middle.ask({"gone": gone}, timeout=LIMIT)["gone"]
    assert back == gone
    with pytest.raises(DeadLetter, match="Echo"):
        back.ask(Say("anybody?"), timeout=LIMIT)
    assert not back.is_alive()


def started_there() -> ActorRef[Any]:
    """An actor in the process that runs this."""
    return Echo.start()
