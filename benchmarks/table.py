"""The results as a table for a person, and as JSON for a program."""

from __future__ import annotations

import dataclasses
import os
import platform
import statistics
from collections.abc import Iterable
from importlib import metadata
from typing import Any

from benchmarks.harness import Row, Spread


def machine() -> dict[str, Any]:
    """Return what the figures depend on, and what else the machine was doing."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
        "processes": sum(name.isdigit() for name in os.listdir("/proc")) if os.path.isdir("/proc") else None,
        "pykka": metadata.version("pykka"),
    }


def as_text(rows: Iterable[Row], ours: str, about: dict[str, Any]) -> str:
    """Return the table; medians stand before their spread, a ratio is ours divided by the peer's, round by round."""
    lines = [", ".join(f"{key} {value}" for key, value in about.items()), ""]
    for row in rows:
        lines += [*_block(row, ours), ""]
    return "\n".join(lines).rstrip()


def _block(row: Row, ours: str) -> list[str]:
    unit = row.workload.unit
    better = "more is better" if row.workload.more_is_better else "less is better"
    lines = [f"{row.workload.name}: {row.tasks:,} tasks, {unit}, {better}"]
    cells = [("", f"median (least … most) {unit}", "cpu µs/task: program + agents", "ratio (least … most)", "goal")]
    for peer, samples in row.samples.items():
        parent = statistics.median(sample.parent_cpu for sample in samples)
        children = statistics.median(sample.children_cpu for sample in samples)
        extra = "".join(
            f", {name} {statistics.median(sample.extra[name] for sample in samples):,.0f}" for name in samples[0].extra
        )
        ratio, goal = _against(row, ours, peer) if peer != ours else ("", "")
        cells.append((peer, _spread(row.values(peer), 0) + extra, f"{parent:.1f} + {children:.1f}", ratio, goal))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines += ["  " + "  ".join(text.ljust(width) for text, width in zip(cell, widths, strict=True)) for cell in cells]
    lines += [f"  {ours} also handled: {notes}" for notes in _notes(row, ours)]
    return [line.rstrip() for line in lines]


def _against(row: Row, ours: str, peer: str) -> tuple[str, str]:
    ratio = row.ratio(ours, peer)
    goal = row.workload.goals.get(peer)
    if goal is None:
        return _spread(ratio, 2), ""
    more = row.workload.more_is_better
    reached = ratio.median >= goal.ratio if more else ratio.median <= goal.ratio
    text = f"{'≥' if more else '≤'} {goal.ratio:g} × {goal.rival}: {'reached' if reached else 'missed'}"
    return _spread(ratio, 2), text


def _notes(row: Row, ours: str) -> list[str]:
    sums: dict[str, int] = {}
    for sample in row.samples.get(ours, ()):
        for name, count in sample.notes.items():
            sums[name] = sums.get(name, 0) + count
    return [", ".join(f"{count:,} × {name}" for name, count in sums.items())] if sums else []


def _spread(spread: Spread, digits: int) -> str:
    return f"{spread.median:,.{digits}f} ({spread.least:,.{digits}f} … {spread.most:,.{digits}f})"


def as_json(rows: Iterable[Row], ours: str, about: dict[str, Any]) -> dict[str, Any]:
    """Return all samples and what was made of them, as values that `json` takes."""
    return {
        "machine": about,
        "rows": [
            {
                "name": row.workload.name,
                "unit": row.workload.unit,
                "more_is_better": row.workload.more_is_better,
                "tasks": row.tasks,
                "samples": {peer: [dataclasses.asdict(s) for s in samples] for peer, samples in row.samples.items()},
                "ratios": {
                    peer: dataclasses.asdict(row.ratio(ours, peer))
                    for peer in row.samples
                    if peer != ours and ours in row.samples
                },
                "goals": {peer: goal.ratio for peer, goal in row.workload.goals.items()},
            }
            for row in rows
        ],
    }
