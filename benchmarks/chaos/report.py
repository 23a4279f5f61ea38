"""What a run found, as a table for a person and as values for a program."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from benchmarks.chaos import figures
from benchmarks.chaos.promises import totals
from benchmarks.chaos.run import Outcome
from benchmarks.report import machine

__all__ = ["as_json", "as_text"]

_MIB = 2**20


def as_text(outcome: Outcome) -> str:
    """Return the report."""
    settings, book = outcome.settings, outcome.book
    ended = sum(outcome.outcomes.values())
    how = ", ended before its time" if outcome.stopped else ""
    what = (
        f"seed {settings.seed}, {settings.agents} agents, {outcome.seconds:.0f} s{how}: "
        f"{ended:,} tasks, {len(book.faults):,} faults"
    )
    lines = [
        ", ".join(f"{key} {value}" for key, value in machine().items()),
        what,
        "",
        *_promises(outcome),
        "",
        "recovery: seconds from the fault until its agents run again, or the part of the system answers",
        *_columns(_recovery_rows(outcome)),
        "",
        *_program(outcome),
        "",
        "outcomes by kind of task",
        *_wrapped(outcome),
        "messages: " + _counts(outcome.messages),
        f"events: {sum(outcome.events.values()):,} heard, {outcome.missed} missed: " + _counts(outcome.events),
    ]
    if outcome.logged:
        # The first text of each form stands for all of them.
        lines += [
            "log:",
            *(f"  {count:,} × {' '.join(text.split())}" for text, count in outcome.logged.most_common(12)),
        ]
    return "\n".join(lines)


def _promises(outcome: Outcome) -> list[str]:
    lines = []
    for promise in outcome.promises:
        word = f"BROKEN {len(promise.broken)} times" if promise.broken else "kept" if promise.cases else "not judged"
        lines.append(f"{word:>12}  {promise.statement} ({promise.cases:,})")
        lines += [f"{'':14}{text}" for text in promise.broken[:10]]
    return lines


def _recovery_rows(outcome: Outcome) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("fault", "times", "p50", "p95", "worst")]
    rows += [
        (each.kind, str(each.faults), f"{each.p50:.2f}", f"{each.p95:.2f}", f"{each.worst:.2f}")
        for each in figures.recoveries(outcome)
    ]
    return rows


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + row[0].ljust(widths[0])
        + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]


def _program(outcome: Outcome) -> list[str]:
    samples = outcome.book.samples
    if not samples:
        return []
    rates = sorted(rate for _, rate in figures.throughput(samples))
    lines = []
    if rates:
        middle, least = rates[len(rates) // 2], rates[len(rates) // 20]
        lines.append(f"throughput: median {middle:.0f} tasks/s, a twentieth of the time below {least:.0f}")
    memory = figures.trend(samples, lambda sample: sample.memory / _MIB)
    long = outcome.seconds >= figures.JUDGED_FROM
    if long and memory is not None:
        most = max(sample.memory for sample in samples) / _MIB
        lines.append(
            f"memory of the program: {memory.level:.1f} MiB at half time, then {memory.per_minute * 1024:+.0f} KiB a minute "
            f"(most at any time: {most:.0f} MiB)"
        )
    descriptors = figures.trend(samples, lambda sample: float(sample.descriptors))
    if long and descriptors is not None:
        most = max(sample.descriptors for sample in samples)
        lines.append(f"descriptors: {descriptors.level:.0f}, then {descriptors.per_minute:+.1f} a minute (most {most})")
    return lines


def _wrapped(outcome: Outcome) -> list[str]:
    kinds: dict[str, list[str]] = {}
    for name, count in sorted(outcome.outcomes.items()):
        kind, _, what = name.partition(": ")
        kinds.setdefault(kind, []).append(f"{what} {count:,}")
    return [f"  {kind}: {', '.join(several)}" for kind, several in kinds.items()]


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return everything as values that `json` takes; times are seconds since the begin."""
    book = outcome.book
    memory = figures.trend(book.samples, lambda sample: float(sample.memory))
    descriptors = figures.trend(book.samples, lambda sample: float(sample.descriptors))
    return {
        "machine": machine(),
        "settings": asdict(outcome.settings),
        "seconds": outcome.seconds,
        "stopped": outcome.stopped,
        "kept": outcome.kept,
        "tasks": sum(outcome.outcomes.values()),
        "promises": totals(outcome.promises),
        "recovery": [
            {
                key: None if isinstance(value, float) and math.isnan(value) else value
                for key, value in asdict(each).items()
            }
            for each in figures.recoveries(outcome)
        ],
        "memory": None if memory is None else asdict(memory),
        "descriptors": None if descriptors is None else asdict(descriptors),
        "outcomes": dict(outcome.outcomes),
        "messages": dict(outcome.messages),
        "events": {**outcome.events, "missed": outcome.missed},
        "logged": dict(outcome.logged),
        "garbled_lines": outcome.garbled,
        "faults": [
            {
                "kind": fault.kind,
                "at": fault.at - book.began,
                "target": fault.target,
                "outcome": fault.outcome,
                "recovery": figures.recovery(outcome, fault),
            }
            for fault in book.faults
        ],
        "samples": [{**asdict(sample), "at": sample.at - book.began} for sample in book.samples],
    }
