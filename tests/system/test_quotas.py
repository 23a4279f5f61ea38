"""Named resources on a running system: one at a time where there is one, and given back whatever dies."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from actors import (
    ActorSystem,
    AgentDied,
    ConfigError,
    LimitExceeded,
    Limits,
    TaskExited,
    TaskSpec,
    TaskTimeout,
    Worker,
    task,
)
from tests.system.support import CONFIG, LIMIT, wait_for

THERE_IS = {"gpu": 1, "licence": 4}


class Lock:
    """A file that only one may have; who finds it taken fails."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        os.close(os.open(self._path, os.O_CREAT | os.O_EXCL))

    def __exit__(self, *_: object) -> None:
        os.unlink(self._path)


class Painter(Worker):
    """Uses what there is one of."""

    limits = Limits(memory="256M")

    @task(resources={"gpu": 1}, retries=0)
    def paint(self, path: str, number: int, seconds: float = 0.01) -> int:
        """Alone with it."""
        with Lock(path):
            time.sleep(seconds)
        return number

    @task(resources={"gpu": 1}, retries=0, timeout=60)
    def end(self, how: str, begun: str = "") -> None:
        """End in a bad way, with it in hand."""
        if how == "error":
            raise LookupError(how)
        if how == "exit":
            sys.exit(3)
        if how == "memory":
            hoard = []
            while True:
                hoard.append(bytearray(1 << 24))
        Path(begun).write_text(str(os.getpid()))
        time.sleep(LIMIT)

    @task(resources={"gpu": 1}, retries=0)
    def family(self, path: str, width: int) -> int:
        """Let sub-tasks have it, and use it afterwards."""
        total = sum(future.result() for future in [self.submit(Painter.paint, path, n) for n in range(width)])
        with Lock(path):
            return total

    @task
    def ask(self, resource: str, amount: float) -> int:
        """Submit what needs so much of it."""
        return self.options(resources={resource: amount}).submit(pow, 2, 5).result()

    @task(resources={"gpu": 1})
    def crosswise(self, begun: list[str]) -> str:
        """Hold a GPU, and wait for a sub-task that needs a licence."""
        _meet(begun)
        return self.options(resources={"licence": 4}).submit(_echo, "one").result()

    @task(resources={"licence": 4})
    def lengthwise(self, begun: list[str]) -> str:
        """The other way round."""
        _meet(begun[::-1])
        return self.options(resources={"gpu": 1}).submit(_echo, "two").result()


def _echo(text: str) -> str:
    return text


def _meet(files: list[str]) -> None:
    Path(files[0]).touch()
    while not Path(files[1]).exists():
        time.sleep(0.001)


def free(system: ActorSystem) -> bool:
    """Whether nothing of any resource is in use."""
    return not any(each.in_use or each.holders for each in system.queue(0).resources)


def test_never_two_at_once_with_the_one_that_there_is(tmp_path: Path) -> None:
    """E4: three agents, one GPU; all tasks run, one after the other, and each finds nobody else there."""
    path = str(tmp_path / "gpu")
    with ActorSystem({Painter: 3}, resources=THERE_IS, config=CONFIG) as system:
        futures = [system.submit(Painter.paint, path, number) for number in range(40)]
        assert [future.result(LIMIT) for future in futures] == list(range(40))
        assert list(system.map(Painter.paint, [path] * 20, range(20), chunksize=1)) == list(range(20))
        assert free(system)


@pytest.mark.parametrize("how", ["error", "exit", "memory", "cancel", "timeout", "kill", "terminate"])
def test_it_is_given_back_whatever_becomes_of_the_task(how: str, tmp_path: Path) -> None:
    """E4: the next gets it: after an error, an exit, a limit, a cancellation, a time limit, a kill, the agent's end."""
    path, begun = str(tmp_path / "gpu"), tmp_path / "begun"
    with ActorSystem({Painter: 2}, resources=THERE_IS, config=CONFIG) as system:
        options = system.options(timeout=0.3) if how == "timeout" else system
        bad = options.submit(Painter.end, how, str(begun))
        waits = system.submit(Painter.paint, path, 7)
        if how in ("cancel", "kill", "terminate"):
            wait_for(lambda: begun.exists() and begun.read_text(), "the task")
            assert system.explain(waits).reason == "quota"
            assert not waits.done()
        if how == "cancel":
            assert bad.cancel()
        elif how == "kill":
            os.kill(int(begun.read_text()), signal.SIGKILL)
        elif how == "terminate":
            info = bad.info()
            assert info is not None and info.agent is not None
            system.terminate(info.agent, timeout=0)
        assert waits.result(LIMIT) == 7
        expected = {
            "error": LookupError,
            "exit": TaskExited,
            "memory": LimitExceeded,
            "timeout": TaskTimeout,
            "kill": AgentDied,
            "terminate": AgentDied,
        }
        if how != "cancel":
            assert isinstance(bad.exception(LIMIT), expected[how])
        wait_for(lambda: free(system), "the end of it")


def test_a_system_that_ends_with_tasks_that_hold_and_wait_leaves_nothing(tmp_path: Path) -> None:
    """E4, A6: those that wait for a resource are cancelled with the others."""
    begun = tmp_path / "begun"
    system = ActorSystem({Painter: 2}, resources=THERE_IS, config=CONFIG)
    holds = system.submit(Painter.end, "sleep", str(begun))
    waits = [system.submit(Painter.paint, str(tmp_path / "gpu"), number) for number in range(3)]
    wait_for(begun.exists, "the task")
    system.shutdown(wait=False, timeout=1)
    assert all(future.done() for future in [holds, *waits])
    assert all(future.cancelled() for future in waits)


def test_parts_of_one_and_options_of_the_submission(tmp_path: Path) -> None:
    """E4: halves run side by side; options go before `@task`, and work described as data has them too."""
    files = [str(tmp_path / "a"), str(tmp_path / "b")]
    with ActorSystem({Painter: 3}, resources=THERE_IS, config=CONFIG) as system:
        half = system.options(resources={"gpu": 0.5})
        both = half.submit(_meet, files), half.submit(_meet, files[::-1])
        for future in both:
            assert future.result(LIMIT) is None
        holds = system.submit(Painter.end, "sleep", str(tmp_path / "begun"))
        wait_for((tmp_path / "begun").exists, "the task")
        assert system.options(resources={}).submit(Painter.paint, str(tmp_path / "c"), 5).result(LIMIT) == 5
        assert system.options(resources={"licence": 4}).submit(Painter.paint, str(tmp_path / "c"), 6).result(LIMIT) == 6
        data = {"path": str(tmp_path / "c"), "number": 8}
        spec = TaskSpec(type="painter.paint", data=data, resources={"licence": 1})
        waits = system.submit_task(spec)
        info = waits.info()
        assert info is not None and info.resources == (("gpu", 1), ("licence", 1))
        assert "gpu: 1 of 1 is held by " + holds.task_id in system.explain(waits).text
        holds.cancel()
        assert waits.result(LIMIT) == 8


def test_who_holds_what_can_be_looked_at(tmp_path: Path) -> None:
    """C5, E4: explain, queue and resources tell it."""
    begun = tmp_path / "begun"
    with ActorSystem({Painter: 2}, resources=THERE_IS, config=CONFIG) as system:
        holds = system.submit(Painter.end, "sleep", str(begun))
        wait_for(begun.exists, "the task")
        waits = system.submit(Painter.paint, str(tmp_path / "gpu"), 1)
        info = holds.info()
        assert info is not None
        said = system.explain(waits)
        assert said.reason == "quota"
        assert f"It waits for gpu: 1 of 1 is held by {holds.task_id} ({info.agent})" in str(said)
        gpu, licence = system.resources().named
        assert (gpu.capacity, gpu.in_use, gpu.waiting) == (1, 1, 1)
        assert [(each.task, each.agent) for each in gpu.holders] == [(holds.task_id, info.agent)]
        assert (licence.name, licence.capacity, licence.in_use) == ("licence", 4, 0)
        assert system.resources().to_dict()["named"][0]["name"] == "gpu"
        holds.cancel()
        assert waits.result(LIMIT) == 1


def test_what_the_system_does_not_have_is_refused_in_the_call_and_to_a_sub_task() -> None:
    """E4: at once, with what there is; also inside an agent."""
    with ActorSystem({Painter: 1}, resources=THERE_IS, config=CONFIG) as system:
        with pytest.raises(ConfigError, match="needs 1 fpga, but the system has no resource of that name"):
            system.options(resources={"fpga": 1}).submit(pow, 2, 5)
        with pytest.raises(ConfigError, match="needs 2 gpu, but there is 1 of it in all"):
            system.options(resources={"gpu": 2}).submit(Painter.paint, "", 1)
        with pytest.raises(ConfigError, match="no resource of that name"):
            system.submit_task(TaskSpec(type="painter.paint", data={"path": "", "number": 1}, resources={"fpga": 1}))
        for resource, amount in (("fpga", 1), ("gpu", 2)):
            error = system.submit(Painter.ask, resource, amount).exception(LIMIT)
            assert isinstance(error, ConfigError), error
            assert resource in str(error)
        assert system.submit(Painter.ask, "gpu", 0.5).result(LIMIT) == 32
        assert free(system)
    with ActorSystem({Painter: 1}, config=CONFIG) as system, pytest.raises(ConfigError, match="it has: none"):
        system.submit(Painter.paint, "", 1)
    for bad in ({"gpu": -1}, {"gpu": "one"}, {"": 1}, ["gpu"], 3):
        with pytest.raises(ConfigError, match="resources of ActorSystem"):
            ActorSystem(resources=bad)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="resources of a task"):
        task(resources={"gpu": 0})


@pytest.mark.parametrize("agents", [1, 3])
def test_a_task_lends_to_its_sub_tasks_while_it_waits(agents: int, tmp_path: Path) -> None:
    """E4: they run one after the other, strangers come afterwards, and it has it again when it goes on."""
    path = str(tmp_path / "gpu")
    with ActorSystem({Painter: agents}, max_agents=agents, resources=THERE_IS, config=CONFIG) as system:
        families = [system.submit(Painter.family, path, 3) for _ in range(3)]
        strangers = [system.submit(Painter.paint, path, number) for number in range(5)]
        assert [future.result(LIMIT) for future in families] == [3, 3, 3]
        assert [future.result(LIMIT) for future in strangers] == list(range(5))
        assert free(system)


def test_two_that_wait_for_what_the_other_holds_both_end(tmp_path: Path) -> None:
    """E4: nothing else can go on, so one gets what is only held by a task that waits."""
    files = [str(tmp_path / "one"), str(tmp_path / "two")]
    with ActorSystem({Painter: 2}, resources=THERE_IS, config=CONFIG) as system:
        one, two = system.submit(Painter.crosswise, files), system.submit(Painter.lengthwise, files)
        assert (one.result(LIMIT), two.result(LIMIT)) == ("one", "two")
        assert free(system)


def test_after_a_restart_with_fewer_what_needs_more_fails_and_the_rest_goes_on(tmp_path: Path) -> None:
    """E4, F3: the journal keeps what a task needs, and the start does not fail for it."""
    journal = str(tmp_path / "journal.db")
    with ActorSystem({Painter: 1}, resources={"gpu": 2}, journal=journal, config=CONFIG) as system:
        system.pause()
        wide = system.options(resources={"gpu": 2}).submit(Painter.paint, str(tmp_path / "gpu"), 1)
        fits = system.submit(Painter.paint, str(tmp_path / "gpu"), 2)
        wide.accepted(LIMIT)
        fits.accepted(LIMIT)
        system.shutdown(wait=False, timeout=1)
    with ActorSystem({Painter: 1}, resources={"gpu": 1}, journal=journal, config=CONFIG) as system:
        found = {future.task_id: future for future in system.recovered()}
        info = found[fits.task_id].info()
        assert info is not None and info.resources == (("gpu", 1),)
        assert found[fits.task_id].result(LIMIT) == 2
        assert isinstance(found[wide.task_id].exception(LIMIT), ConfigError)
        assert free(system)
