"""What was measured as tables: for a terminal, as Markdown for docs/messages.md, and as JSON."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import page, report
from benchmarks.messages.libraries import OURS, Entrant
from benchmarks.messages.measure import Plan, Results
from benchmarks.messages.workloads import Scene, Workload
from benchmarks.page import markdown_table, text_table
from benchmarks.spread import Spread

__all__ = ["BEGIN", "END", "Table", "machine", "put_into"]

BEGIN = "<!-- messages: made by `make messages` from here on -->"
END = "<!-- messages: made by `make messages` up to here -->"


def machine() -> dict[str, Any]:
    """What the figures depend on, and how busy it was."""
    about = report.machine()
    return {
        "day": about["day"],
        "cores": about["cpus"],
        "kernel": about["system"],
        "python": about["python"],
        "load": about["load"],
    }


def put_into(path: Path, generated: str) -> None:
    """Replace what stands between the markers.

    Raises:
        ValueError: the file has no markers.
    """
    page.put_into(path, BEGIN, END, generated)


class Table:
    """Sums up.

    Args:
        plan: what was to be measured.
        results: what was.
        about: the machine at the beginning; see `machine`.
    """

    def __init__(self, plan: Plan, results: Results, about: dict[str, Any]) -> None:
        self._plan = plan
        self._results = results
        self._about = about

    def as_text(self) -> str:
        """For a terminal."""
        blocks = [self._machine()]
        for scene in self._scenes():
            for workload in self._plan.workloads:
                rows = [_heads(workload), *self._rows(scene, workload)]
                blocks.append(f"{scene.title}: {workload.title}\n{text_table(rows)}")
        return "\n\n".join([*blocks, *self._words()])

    def as_markdown(self) -> str:
        """For a page."""
        blocks = [self._machine()]
        blocks += [
            f"### {scene.title}\n\n{scene.text}\n\n{markdown_table(list(self._overview(scene)))}"
            for scene in self._scenes()
        ]
        blocks += self._words()
        blocks.append("### All figures")
        for scene in self._scenes():
            for workload in self._plan.workloads:
                rows = [_heads(workload), *self._rows(scene, workload)]
                blocks.append(f"{scene.title}: {workload.title}\n\n{markdown_table(rows)}")
        return "\n\n".join(blocks)

    def as_json(self) -> dict[str, Any]:
        """All samples, as values that `json` takes."""
        versions = {entrant.name: entrant.version() for entrant in self._plan.entrants}
        return {
            "machine": self._about,
            "rounds": self._plan.rounds,
            "versions": versions,
            "missing": self._results.missing,
            "failures": {scene: texts for scene, texts in self._results.failures.items() if texts},
            "samples": self._results.samples,
        }

    # --- the parts ---

    def _machine(self) -> str:
        about = self._about
        versions = [
            f"{entrant.name} {entrant.version()}"
            for entrant in self._plan.entrants
            if entrant.distribution not in {"", OURS.distribution}
            and any(entrant.name in known for known in self._results.samples.values())
        ]
        loads = f"load {about['load']} at the beginning, {os.getloadavg()[0]:.1f} at the end"
        rounds = f"{self._plan.rounds} round{'s' if self._plan.rounds != 1 else ''}"
        where = f"{about['cores']} cores, {about['kernel']}, {about['python']}"
        return f"{about['day']}; {where}; {loads}; {rounds}; {', '.join(versions) or 'no peer'}."

    def _words(self) -> list[str]:
        """What is not in the tables, and why."""
        words = [f"{name} is not installed: pip install 'actors-hub[benchmarks]'" for name in self._results.missing]
        for scene, failures in self._results.failures.items():
            words += [f"{name} failed in {scene}: {text.strip().splitlines()[-1]}" for name, text in failures.items()]
        return words

    def _scenes(self) -> list[Scene]:
        return [scene for scene in self._plan.scenes if self._results.samples.get(scene.key)]

    def _entrants(self, scene: Scene) -> list[Entrant]:
        known = self._results.samples.get(scene.key, {})
        return [entrant for entrant in self._plan.entrants if entrant.name in known]

    def _samples(self, scene: Scene, name: str, workload: Workload) -> list[dict[str, Any]]:
        rows = self._results.samples[scene.key].get(name, {}).get(workload.key, [])
        return [sample for sample in rows if sample is not None]

    def _times(self, scene: Scene, name: str, workload: Workload) -> Spread | None:
        """How many times as fast ours is, round by round."""
        rows = self._results.samples[scene.key]
        ours = rows.get(OURS.name, {}).get(workload.key, [])
        theirs = rows.get(name, {}).get(workload.key, [])
        value = workload.value
        pairs = [(one[value], other[value]) for one, other in zip(ours, theirs, strict=False) if one and other]
        times = [one / other if workload.more_is_better else other / one for one, other in pairs]
        return Spread.of(times) if times else None

    def _overview(self, scene: Scene) -> Iterator[list[str]]:
        entrants = self._entrants(scene)
        yield ["", *(entrant.name for entrant in entrants)]
        for workload in self._plan.workloads:
            unit = "µs" if workload.kind == "ask" else "a second"
            yield [f"{workload.title}, {unit}", *(self._cell(scene, entrant, workload) for entrant in entrants)]

    def _cell(self, scene: Scene, entrant: Entrant, workload: Workload) -> str:
        samples = self._samples(scene, entrant.name, workload)
        if not samples:
            return "cannot" if workload.key in entrant.cannot else "failed"
        text = f"{statistics.median(sample[workload.value] for sample in samples):,.0f}"
        times = self._times(scene, entrant.name, workload)
        return text if entrant is OURS or times is None else f"{text} ({_short(times.median)}×)"

    def _rows(self, scene: Scene, workload: Workload) -> Iterator[list[str]]:
        for entrant in self._entrants(scene):
            samples = self._samples(scene, entrant.name, workload)
            if not samples:
                empty = [""] * (len(_heads(workload)) - 2)
                yield [entrant.name, self._cell(scene, entrant, workload), *empty]
                continue
            values = [_spread(Spread.of(sample[workload.value] for sample in samples), 0)]
            if workload.kind == "ask":
                values.append(f"{statistics.median(sample['p95'] for sample in samples):,.0f}")
            times = self._times(scene, entrant.name, workload)
            spent = statistics.median(sample["cpu"] for sample in samples)
            against = "" if entrant is OURS or times is None else _spread(times, 2)
            yield [entrant.name, *values, f"{spent:,.0f}", against]


def _heads(workload: Workload) -> list[str]:
    values = ["p50 in µs (least … most)", "p95 in µs"] if workload.kind == "ask" else ["a second (least … most)"]
    return ["", *values, "cpu µs each", "actors is so many times as fast (least … most)"]


def _short(times: float) -> str:
    return f"{times:,.0f}" if times >= 10 else f"{times:.2g}"


def _spread(spread: Spread, digits: int) -> str:
    if spread.least == spread.most:
        return f"{spread.median:,.{digits}f}"
    return f"{spread.median:,.{digits}f} ({spread.least:,.{digits}f} … {spread.most:,.{digits}f})"
