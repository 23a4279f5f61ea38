"""The curve of what a task costs with many agents: real, repeatable, and ended cleanly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from actors.testing.__main__ import main
from actors.testing.scale.curve import agents_between, measure, table
from actors.testing.scale.fakefleet import FakeFleet


def test_every_task_of_a_fake_fleet_completes_and_its_minds_hold() -> None:
    """D8: with work sent ahead and taken back, and all invariants at the end; the same seed decides the same."""
    decided = []
    for _ in range(2):
        fleet = FakeFleet(30, seed=3)
        fleet.start()
        fleet.work(3000, 20, lambda _: None)
        assert fleet.done == 3000
        fleet._engine.check()
        fleet._registry.check()
        decided.append(fleet.decided)
    assert decided[0] == decided[1]
    assert decided[0]["Recall"] > 0


def test_the_points_of_a_curve_lie_at_equal_ratios() -> None:
    """From the least to the most, both among them."""
    assert agents_between(100, 10_000, 5) == [100, 316, 1000, 3162, 10_000]
    assert agents_between(7, 7, 1) == [7]
    with pytest.raises(ValueError, match="take 1 or more agents"):
        agents_between(10, 5, 3)


def test_a_point_tells_what_it_cost() -> None:
    """CPU seconds beside wall time, and the longest pause of the collector."""
    point = measure(5, 500)
    assert (point.agents, point.tasks) == (5, 500)
    assert point.cpu_us > 0
    assert point.wall_seconds > 0
    assert "dearest / cheapest" in table([point, point])


def test_the_command_writes_its_points_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON with what they include; a mistake is told, and ends with 2."""
    out = tmp_path / "curve.json"
    assert main(["scale", "--from", "2", "--to", "8", "--points", "3", "--tasks", "20", "--json", str(out)]) == 0
    content = json.loads(out.read_text())
    assert [point["agents"] for point in content["points"]] == [2, 4, 8]
    assert [point["tasks"] for point in content["points"]] == [40, 80, 160]
    assert "heartbeat" in content["includes"]
    assert "CPU µs a task" in capsys.readouterr().out
    assert main(["scale", "--from", "0"]) == 2
    assert main(["scale", "--tasks", "0"]) == 2


def test_an_interrupt_ends_it_with_the_points_that_there_are(tmp_path: Path) -> None:
    """H8: Ctrl-C in the middle of a point."""
    out = tmp_path / "curve.json"
    code = (
        "import sys; from actors.testing.__main__ import main; from actors.testing.scale import command\n"
        "measure = command.measure\n"
        "def told(agents, tasks, **rest):\n"
        "    print('begins', agents, flush=True)\n"
        "    return measure(agents, tasks, **rest)\n"
        "command.measure = told\n"
        f"sys.exit(main(['scale', '--from', '2', '--to', '2000', '--points', '2', '--json', {str(out)!r}]))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begins 2\n"
    assert process.stdout.readline() == "begins 2000\n"
    os.kill(process.pid, signal.SIGINT)
    printed, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert "CPU µs a task" in printed
    assert [point["agents"] for point in json.loads(out.read_text())["points"]] == [2]
