"""The samples as tables: for a terminal, and as Markdown for docs/faults.md."""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks import page
from benchmarks.faults.faults import FAULTS, Fault
from benchmarks.faults.libraries import LIBRARIES
from benchmarks.faults.library import Library
from benchmarks.faults.store import Store
from benchmarks.page import markdown_table, text_table

__all__ = ["BEGIN", "END", "as_markdown", "as_text", "put_into"]

BEGIN = "<!-- faults: made by `make faults` from here on -->"
END = "<!-- faults: made by `make faults` up to here -->"

_Samples = list[dict[str, Any]]
_SHOWN_OUTCOMES = 3
_SHOWN_ERROR = 1200
# Where this machine has things is nobody's concern.
_PATHS = (
    (r"/[^\s\"']*/lib/(?=python3)", "/usr/lib/"),
    (r"/[^\s\"']*/(?=benchmarks/faults/)", ""),
    (r"/[^\s\"']*/(?=desk)", "/run/"),
)


def put_into(path: Path, generated: str) -> None:
    """Replace what stands between the markers.

    Raises:
        ValueError: the file has no markers.
    """
    page.put_into(path, BEGIN, END, generated)


def as_markdown(store: Store) -> str:
    """The whole generated part."""
    blocks = [_about(store), _overview(store)]
    for fault in _measured(store):
        rows = [_heads(fault), *_rows(store, fault)]
        blocks.append(f"### {fault.title}\n\n{fault.text}\n\n{markdown_table(rows)}{_remarks(store, fault)}")
    blocks.append(_errors(store))
    return "\n\n".join(block for block in blocks if block)


def as_text(store: Store) -> str:
    """For a terminal."""
    blocks = [_about(store)]
    for fault in _measured(store):
        rows = [_heads(fault), *_rows(store, fault)]
        blocks.append(f"{fault.title}\n{text_table(rows)}")
    return "\n\n".join(blocks)


def _measured(store: Store) -> list[Fault]:
    return [fault for fault in FAULTS if store.data["samples"].get(fault.key)]


def _about(store: Store) -> str:
    machine = store.data["machine"]
    known = store.data["libraries"]
    versions = [f"{each.name} {known[each.name]['version']}".strip() for each in _libraries(store) if not each.only]
    days = sorted({day for each in known.values() for day in each["days"]})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}" if days else "not yet measured"
    return f"{when}; {machine['cores']} cores, {machine['kernel']}, {machine['python']}; {', '.join(versions)}."


def _libraries(store: Store) -> list[type[Library]]:
    return [library for library in LIBRARIES if library.name in store.data["libraries"]]


def _overview(store: Store) -> str:
    libraries = [each for each in _libraries(store) if not each.only]
    rows = [["", *(each.name for each in libraries)]]
    rows += [
        [fault.title, *(_verdict(fault, each, store.samples(fault.key, each.name)) for each in libraries)]
        for fault in _measured(store)
    ]
    return "### At a glance\n\n" + markdown_table(rows)


def _verdict(fault: Fault, library: type[Library], samples: _Samples) -> str:
    """What went wrong in any of the rounds, or the median of the last time of the fault."""
    if fault.key in library.cannot:
        return "cannot"
    if not samples:
        return ""
    harms = Counter(sample["harm"] for sample in samples if sample["harm"])
    if harms:
        harm, number = harms.most_common(1)[0]
        return harm if number == len(samples) else f"{harm} ({number} of {len(samples)})"
    last = list(fault.times)[-1]
    return _length(statistics.median_low(_values(samples, last))) if samples[0]["times"] else "ok"


def _heads(fault: Fault) -> list[str]:
    times = [f"{head}: p50 / worst" for head in fault.times.values()]
    return ["library", "what comes of it", "rounds", *times, *fault.figures.values()]


def _rows(store: Store, fault: Fault) -> Iterable[list[str]]:
    for library in _libraries(store):
        samples = store.samples(fault.key, library.name)
        empty = [""] * (len(fault.times) + len(fault.figures))
        if fault.key in library.cannot:
            yield [library.name, f"cannot: {library.cannot[fault.key]}", "", *empty]
        elif samples:
            times = [_spread(fault, samples, key) for key in fault.times]
            figures = [_figures(samples, key) for key in fault.figures]
            yield [library.name, _outcomes(samples), str(len(samples)), *times, *figures]


def _outcomes(samples: _Samples) -> str:
    counts = Counter(sample["outcome"] for sample in samples).most_common()
    if len(counts) == 1:
        return str(counts[0][0])
    shown = [f"{number} × {text}" for text, number in counts[:_SHOWN_OUTCOMES]]
    rest = sum(number for _, number in counts[_SHOWN_OUTCOMES:])
    return "; ".join(shown) + (f"; {rest} × other" if rest else "")


def _values(samples: _Samples, key: str) -> list[float]:
    return [math.inf if (value := sample["times"].get(key)) is None else value for sample in samples]


def _spread(fault: Fault, samples: _Samples, key: str) -> str:
    values = sorted(_values(samples, key))
    endless = f"> {fault.limit:g} s" if any(sample["hangs"] for sample in samples) else "never"
    median, worst = (_length(value, endless) for value in (statistics.median_low(values), values[-1]))
    return median if median == worst == endless else f"{median} / {worst}"


def _length(seconds: float, endless: str = "never") -> str:
    if seconds == math.inf:
        return endless
    return f"{seconds * 1000:,.0f} ms" if seconds < 9.9995 else f"{seconds:,.1f} s"


def _figures(samples: _Samples, key: str) -> str:
    values = [sample["figures"][key] for sample in samples if key in sample["figures"]]
    if not values:
        return ""
    least, most = min(values), max(values)
    return f"{least:,.0f}" if least == most else f"{least:,.0f} … {most:,.0f}"


def _remarks(store: Store, fault: Fault) -> str:
    remarks = [f"{each.name}: {each.remarks[fault.key]}." for each in _libraries(store) if fault.key in each.remarks]
    return "\n\n" + " ".join(remarks) if remarks else ""


def _errors(store: Store) -> str:
    """What a program is told about one and the same crash, word for word."""
    blocks = []
    for library in _libraries(store):
        texts = [sample["error"] for sample in store.samples("crash", library.name) if sample["error"]]
        if texts and not library.only:
            text = texts[0].strip()
            blocks.append(f"{library.name}:\n\n```text\n{_shortened(text)}\n```")
    return "### What is told about a crash in native code\n\n" + "\n\n".join(blocks) if blocks else ""


def _shortened(text: str) -> str:
    for pattern, shown in _PATHS:
        text = re.sub(pattern, shown, text)
    lines = [line[:160] + ("…" if len(line) > 160 else "") for line in text.splitlines() if line.strip()]
    kept: list[str] = []
    for line in lines:
        if sum(map(len, kept)) + len(line) > _SHOWN_ERROR:
            return "\n".join([*kept, "…"])
        kept.append(line)
    return "\n".join(kept)
