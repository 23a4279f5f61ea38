"""The curve of what a task costs: points, a table, and what is written down."""

from __future__ import annotations

import gc
import json
import math
import platform
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from actors.testing.scale.fakefleet import FakeFleet

__all__ = ["Point", "agents_between", "measure", "table", "write"]

FLAT = 2.0
"""The dearest point may cost so many times the cheapest."""

INCLUDES = (
    "scheduler's mind: submission, waiting line, placement, work sent ahead and taken back, time limits, outcomes, "
    "history; hub's registry with a heartbeat of each agent every 5 s; one turn for each report of an agent; the fake "
    "agents themselves. Not: processes, agents' lanes, sockets, payloads, futures"
)


@dataclass(frozen=True)
class Point:
    """What was measured with one number of agents. `cpu_us` is microseconds of processor time for each task."""

    agents: int
    tasks: int
    cpu_us: float
    start_us: float
    wall_seconds: float
    peak_mb: float
    pause_ms: float
    decided: dict[str, int]


def agents_between(least: int, most: int, points: int) -> list[int]:
    """So many numbers of agents, at equal ratios from the least to the most.

    Raises:
        ValueError: they are not in order, or fewer than two points for two numbers.
    """
    if least < 1 or most < least or points < (1 if least == most else 2):
        raise ValueError(f"{points} points from {least} to {most} agents: take 1 or more agents, and 2 points or more")
    if points == 1:
        return [least]
    ratio = math.log(most / least) / (points - 1)
    return [round(least * math.exp(ratio * place)) for place in range(points)]


def measure(agents: int, tasks: int, *, ahead: int = 20, told: Callable[[int], object] = lambda _: None) -> Point:
    """Run so many tasks on so many agents.

    Args:
        agents: how many agents.
        tasks: how many tasks.
        ahead: how many tasks for each agent are handed in before others have completed.
        told: called with how many have completed, now and then.
    """
    pauses = [0.0]
    begun = 0.0

    def watch(phase: str, _: dict[str, int]) -> None:
        nonlocal begun
        if phase == "start":
            begun = time.perf_counter()
        else:
            pauses.append(time.perf_counter() - begun)

    gc.collect()
    fleet = FakeFleet(agents)
    before = time.process_time()
    fleet.start()
    started = time.process_time() - before
    gc.callbacks.append(watch)
    try:
        wall, cpu = time.perf_counter(), time.process_time()
        fleet.work(tasks, ahead, told)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    finally:
        gc.callbacks.remove(watch)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Point(
        agents, tasks, cpu / tasks * 1e6, started / agents * 1e6, wall, peak, max(pauses) * 1e3, dict(fleet.decided)
    )


def table(points: Sequence[Point]) -> str:
    """The points as text, and how flat the curve is."""
    lines = [
        f"{'agents':>8} {'tasks':>12} {'CPU µs a task':>14} {'µs to start one':>16} {'peak MB':>9} {'pause ms':>9}"
    ]
    lines += [
        f"{each.agents:>8,} {each.tasks:>12,} {each.cpu_us:>14.1f} {each.start_us:>16.1f} {each.peak_mb:>9.0f} "
        f"{each.pause_ms:>9.1f}"
        for each in points
    ]
    if len(points) > 1:
        lines.append(f"dearest / cheapest: {flatness(points):.2f}")
    return "\n".join(lines)


def flatness(points: Sequence[Point]) -> float:
    """The dearest point's cost of a task divided by the cheapest one's."""
    costs = [each.cpu_us for each in points]
    return max(costs) / min(costs)


def write(points: Sequence[Point], path: str) -> None:
    """Write the points down as JSON."""
    content = {
        "what": "cost of a task against the number of agents, in virtual time",
        "includes": INCLUDES,
        "python": platform.python_version(),
        "flatness": flatness(points) if points else None,
        "points": [asdict(each) for each in points],
    }
    Path(path).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
