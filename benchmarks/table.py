"""What was measured as tables: for a terminal, and as Markdown for docs/performance.md."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.page import markdown_table, text_table
from benchmarks.peers.registry import BARE
from benchmarks.report import Measured, Report
from benchmarks.row import Row
from benchmarks.rows import ROWS
from benchmarks.spread import Spread
from benchmarks.verdict import verdicts

__all__ = ["Table"]


class Table:
    """Sums up a report.

    Args:
        report: what was measured.
        rows: all rows that there are.
    """

    def __init__(self, report: Report, rows: Sequence[Row] = ROWS) -> None:
        self._report = report
        self._rows = [(row, report.rows[row.key]) for row in rows if row.key in report.rows]

    def as_text(self) -> str:
        """For a terminal."""
        blocks = [self.about()]
        for row, measured in self._rows:
            lines = [f"{row.title}: {_shape(row, measured)}", text_table(list(self._cells(row, measured)))]
            blocks.append("\n".join([*lines, *(f"  {line}" for line in self._words(row, measured))]))
        return "\n\n".join(blocks)

    def as_markdown(self, pictures: dict[str, str] | None = None) -> str:
        """For a page.

        Args:
            pictures: by the key of a row, or "ratios", the place of a picture on that page.
        """
        pictures = pictures or {}
        blocks = [self.about(), markdown_table(list(self._goals()))]
        if "ratios" in pictures:
            blocks.append(f"![How many times as fast, by workload]({pictures['ratios']})")
        for row, measured in self._rows:
            blocks.append(f"### {row.title[0].upper()}{row.title[1:]}")
            if row.key in pictures:
                blocks.append(f"![{row.title}]({pictures[row.key]})")
            blocks.append(f"{_shape(row, measured)}.")
            blocks.append(markdown_table(list(self._cells(row, measured))))
            if words := self._words(row, measured):
                blocks.append("\n".join(f"- {line}" for line in words))
        return "\n\n".join(blocks)

    def about(self) -> str:
        """The machine, and who was measured."""
        known = self._report.machine
        versions = [f"{name} {version}" for name, version in sorted(self._report.versions.items()) if "," not in name]
        return (
            f"{known['day']}; {known['cpus']} cores, {known['system']}, {known['python']}; "
            f"load {known['load']} at the beginning, {known['processes']} processes; {', '.join(versions)}."
        )

    # --- the parts ---

    def _goals(self) -> Iterator[list[str]]:
        yield ["work", "wanted", "measured", ""]
        for row, measured in self._rows:
            for verdict in verdicts(row, measured):
                said = verdict.why if verdict.reached is None else "reached" if verdict.reached else "missed"
                yield [row.title, verdict.wanted(), verdict.measured(), said]

    def _cells(self, row: Row, measured: Measured) -> Iterator[list[str]]:
        if row.axes is not None:
            yield from _points(row, measured)
            return
        ours = row.entrants[0]
        costly = any("parent_cpu" in sample for samples in measured.samples.values() for sample in samples)
        heads = ["", f"{row.unit} (least … most)", *row.others.values()]
        heads += ["cpu µs: program + agents", "peak MiB: program + agents"] if costly else []
        yield [*heads, "actors is so many times as good (least … most)"]
        for name in _names(row, measured):
            values = measured.values(name, row.figure)
            if not values:
                said = "wrong" if name in measured.wrong else "failed" if name in measured.failures else "not measured"
                yield [name, said, *[""] * (len(heads) - 1)]
                continue
            cells = [name, _spread(Spread.of(values))]
            cells += [_median(measured.values(name, figure)) for figure in row.others]
            if costly:
                cells += [_pair(measured, name, "cpu", 1), _pair(measured, name, "memory", 0)]
            yield [*cells, "" if name == ours else self._times(row, measured, name, ours)]

    def _times(self, row: Row, measured: Measured, name: str, ours: str) -> str:
        ratios = measured.ratios(row.figure, name, ours)
        if not ratios:
            return ""
        return _spread(Spread.of(ratios if row.more_is_better else [1 / ratio for ratio in ratios if ratio]))

    def _words(self, row: Row, measured: Measured) -> list[str]:
        words = [verdict.said() for verdict in verdicts(row, measured)]
        words += [f"{name}: {text}, so its figures count for nothing" for name, text in measured.wrong.items()]
        words += [f"{name} failed: {text}" for name, text in measured.failures.items()]
        if measured.missing:
            words.append(f"not installed: {', '.join(measured.missing)} (pip install 'actors-hub[benchmarks]')")
        if row.control and not measured.control:
            words.append("control: an agent was killed in the middle, and all results came")
        if measured.layers:
            words.append(_layers(measured.layers))
        for name, samples in measured.samples.items():
            notes = {key: sum(sample.get("notes", {}).get(key, 0) for sample in samples) for key in _keys(samples)}
            if notes:
                words.append(f"{name}: {', '.join(f'{count:,} {key}' for key, count in notes.items())}")
        return [*words, row.note] if row.note else words


def _keys(samples: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for sample in samples for key in sample.get("notes", {})))


def _names(row: Row, measured: Measured) -> list[str]:
    known = [*measured.samples, *measured.failures]
    return [name for name in row.entrants if name in known]


def _shape(row: Row, measured: Measured) -> str:
    rounds = max(map(len, measured.samples.values()), default=0)
    better = "more is better" if row.more_is_better else "less is better"
    parts = [f"{measured.count:,} {row.counted}" if measured.count > 1 else "", row.unit, better]
    parts += [f"{rounds} round{'s' if rounds != 1 else ''}", f"load {measured.load}"]
    return ", ".join(part for part in parts if part)


def _points(row: Row, measured: Measured) -> Iterator[list[str]]:
    names = _names(row, measured)
    points: dict[str, None] = {}
    for name in names:
        for sample in measured.samples.get(name, ()):
            points.update(dict.fromkeys(sample["figures"]))
    yield [row.axes.x if row.axes is not None else "", *names]
    for point in sorted(points, key=float):
        yield [f"{float(point):,.0f}", *(_median(measured.values(name, point)) for name in names)]


def _layers(found: dict[str, Any]) -> str:
    parts = ", ".join(f"{layer} {value:.1f}" for layer, value in found["figures"].items())
    return f"cpu µs of each task by layer: {parts}; {found['how']}"


def _pair(measured: Measured, name: str, what: str, digits: int) -> str:
    values = [measured.costs(name, f"{who}_{what}") for who in ("parent", "agents")]
    if not all(values):
        return ""
    alone = name in BARE and what == "memory"
    return "" if alone else " + ".join(f"{statistics.median(known):,.{digits}f}" for known in values)


def _median(values: Sequence[float]) -> str:
    return _number(statistics.median(values)) if values else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _spread(spread: Spread) -> str:
    if spread.least == spread.most:
        return _number(spread.median)
    return f"{_number(spread.median)} ({_number(spread.least)} … {_number(spread.most)})"
