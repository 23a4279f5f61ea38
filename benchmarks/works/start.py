"""How long it takes until something runs: a program, an import, a further agent, a task whose agent was killed."""

from __future__ import annotations

import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.gauge import Gauge
from benchmarks.peers import ours
from benchmarks.peers.ours import ActorsPeer, Echo
from benchmarks.peers.peer import AGENTS
from benchmarks.works.bare import forkserver, started
from benchmarks.works.held import Gate, gate, until

__all__ = ["first", "imported", "killed", "later"]

_GUARD = "\nif __name__ == '__main__':\n"
_FIRST = {
    "actors": "from actors import ActorSystem, Worker, task\n"
    "class Adder(Worker):\n    @task\n    def add(self, one, two):\n        return one + two\n"
    f"{_GUARD}    with ActorSystem({{Adder: 2}}) as system:\n"
    "        print(system.submit(Adder.add, 1, 2).result(), flush=True)\n",
    "ProcessPoolExecutor": "from concurrent.futures import ProcessPoolExecutor\nfrom operator import add\n"
    f"{_GUARD}    with ProcessPoolExecutor(2) as pool:\n        print(pool.submit(add, 1, 2).result(), flush=True)\n",
    "multiprocessing.Pool": "from multiprocessing import Pool\nfrom operator import add\n"
    f"{_GUARD}    with Pool(2) as pool:\n        print(pool.apply(add, (1, 2)), flush=True)\n",
    "loky": "from loky import get_reusable_executor\nfrom operator import add\n"
    f"{_GUARD}    print(get_reusable_executor(2).submit(add, 1, 2).result(), flush=True)\n",
    "Pebble": "from pebble import ProcessPool\nfrom operator import add\n"
    f"{_GUARD}    with ProcessPool(2) as pool:\n        print(pool.submit(add, None, 1, 2).result(), flush=True)\n",
    "mpire": "from mpire import WorkerPool\nfrom operator import add\n"
    f"{_GUARD}    with WorkerPool(2) as pool:\n        print(pool.apply(add, (1, 2)), flush=True)\n",
    "Ray": "import logging\nimport ray\nfrom operator import add\n"
    f"{_GUARD}    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.CRITICAL)\n"
    "    print(ray.get(ray.remote(lambda one, two: one + two).remote(1, 2)), flush=True)\n",
    "Dask distributed": "from distributed import Client, LocalCluster\nfrom operator import add\n"
    f"{_GUARD}    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:\n"
    "        with Client(cluster) as client:\n            print(client.submit(add, 1, 2).result(), flush=True)\n",
}
_BASE = "import concurrent.futures, multiprocessing, pykka"
_IMPORT = "from actors import ActorSystem, Worker, task"
_IMPORTS = 15
_AGENTS = 8
_KILLS = 5


def first(name: str, count: int) -> dict[str, Any]:
    """Milliseconds from the start of a program to its first result, so many times after a first one."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "program.py")
        script.write_text(_FIRST[name], encoding="utf-8")
        times = [_first(script) for _ in range(count + 1)]
    return {"figures": {"ms": statistics.median(times[1:])}, "wrong": ""}


def _first(script: Path) -> float:
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        line = program.stdout.readline() if program.stdout is not None else b""
        milliseconds = (time.perf_counter() - began) * 1000
        _, told = program.communicate()
    if line.strip() != b"3":
        raise RuntimeError(f"{line!r} instead of the result: {told.decode(errors='replace')[-500:]}")
    return milliseconds


def imported(name: str, count: int) -> dict[str, Any]:
    """Milliseconds that the import takes over what the library is made of, and of cpu time; both alternate."""
    del name
    walls: dict[str, list[float]] = {_BASE: [], _IMPORT: []}
    used: dict[str, list[float]] = {_BASE: [], _IMPORT: []}
    for number in range(count * _IMPORTS + 1):
        for code in (_BASE, f"{_BASE}; {_IMPORT}"):
            key = code if code == _BASE else _IMPORT
            before = _children()
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            if number:
                walls[key].append((time.perf_counter() - began) * 1000)
                used[key].append((_children() - before) * 1000)
    over, cpu = (statistics.median(one[_IMPORT]) - statistics.median(one[_BASE]) for one in (walls, used))
    least = min(walls[_IMPORT]) - min(walls[_BASE])
    return {"figures": {"over": over, "least": least, "cpu": cpu}, "wrong": ""}


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def later(name: str, count: int) -> dict[str, Any]:
    """Milliseconds from the start of a further agent to its first result, beside a bare forkserver's process.

    The program has imported NumPy. All agents before are busy, so the next task is the new one's.
    """
    del name
    import numpy as np  # noqa: PLC0415 - the program has it, as many have

    # Both come from a server that has imported what the program has.
    context = forkserver([np.__name__, ours.__name__])
    bare, agents, wrong = [], [], ""
    for _ in range(count):
        with gate() as shut, ActorsPeer(max_agents=AGENTS + _AGENTS) as peer:
            system = peer.system
            peer.latencies(10)
            pids: set[int] = set()
            _occupied(peer, shut, AGENTS)
            for number in range(_AGENTS):
                bare.append(started(context))
                began = time.perf_counter()
                system.spawn(Echo)
                future = system.submit(Echo.pid)
                pids.add(future.result())
                agents.append((time.perf_counter() - began) * 1000)
                _occupied(peer, shut, AGENTS + number + 1, 1)
            if len(pids) != _AGENTS:
                wrong = f"{_AGENTS} agents were started, and {len(pids)} did the tasks"
            shut.open()
    # The first of each starts what the others come from.
    agent, start = statistics.median(agents[1:]), statistics.median(bare[1:])
    return {"figures": {"over": agent - start, "agent": agent, "bare": start}, "wrong": wrong}


def _occupied(peer: ActorsPeer, shut: Gate, held: int, more: int = AGENTS) -> None:
    for _ in range(more):
        peer.system.submit(Echo.hold, shut.path)
    until(lambda: shut.waiting() == held, "that all agents are busy")


def killed(name: str, count: int) -> dict[str, Any]:
    """Milliseconds from the SIGKILL of an agent until its task runs on another one, which was idle."""
    del name
    times, wrong = [], ""
    for _ in range(count):
        with ActorsPeer() as peer, Gauge(1):
            for _ in range(_KILLS):
                until(lambda: _idle(peer) == AGENTS, "that both agents are idle")
                found = _killed(peer)
                if found is None:
                    wrong = "the task did not run again"
                else:
                    times.append(found)
    return {"figures": {"ms": statistics.median(times or [0.0]), "most": max(times or [0.0])}, "wrong": wrong}


def _idle(peer: ActorsPeer) -> int:
    return sum(status.state.name == "IDLE" for status in peer.system.agents())


def _killed(peer: ActorsPeer) -> float | None:
    with tempfile.NamedTemporaryFile() as file:
        future = peer.system.submit(Echo.survive, file.name)
        until(lambda: os.path.getsize(file.name), "that the task runs")
        victim = int(Path(file.name).read_text())
        began = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        pid, at = future.result(timeout=30)
        info = future.info()
    return (at - began) * 1000 if pid != victim and info is not None and info.attempt == 2 else None
