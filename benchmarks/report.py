"""What was measured, as it is kept in a file: all samples, so that whoever wants other statistics has what they need."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peers.registry import ENTRANTS, OURS

__all__ = ["FORMAT", "Measured", "NoReport", "Report", "machine"]

FORMAT = "actors benchmarks 1"


class NoReport(ValueError):
    """A file that is no report of these benchmarks."""


def machine() -> dict[str, Any]:
    """What the figures depend on, and what else the machine was doing."""
    return {
        "day": time.strftime("%Y-%m-%d"),
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load": round(os.getloadavg()[0], 1),
        "processes": sum(name.isdigit() for name in os.listdir("/proc")) if os.path.isdir("/proc") else None,
    }


@dataclass(slots=True)
class Measured:
    """The samples of one row by the name of the entrant, one for each round.

    `wrong`: by entrant, why its figures count for nothing. `failures`: why it has none. `control`: what went wrong in the
    round in which an agent was killed. `cut`: rounds after which the time was over. `layers`: cpu time by layers. `load`:
    of the machine when it began.
    """

    key: str
    count: int
    samples: dict[str, list[dict[str, Any]]]
    wrong: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    control: str = ""
    cut: int = 0
    layers: dict[str, Any] = field(default_factory=dict)
    load: float = field(default_factory=lambda: round(os.getloadavg()[0], 1))

    def add(self, name: str, sample: dict[str, Any]) -> None:
        """Keep the sample of one round."""
        self.samples[name].append(sample)
        if sample["wrong"]:
            self.wrong.setdefault(name, sample["wrong"])

    def trim(self) -> None:
        """Leave out those that have nothing to show."""
        self.samples = {name: samples for name, samples in self.samples.items() if samples}

    def began(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.samples or self.failures or self.control)

    def disqualified(self) -> str:
        """Why this library's figures count for nothing; empty if they do."""
        if self.control:
            return self.control
        return next((text for name, text in self.wrong.items() if name.startswith(OURS)), "")

    def broken(self) -> str:
        """What makes the command end with 1: wrong results of anybody, and this library's having none."""
        for name, text in self.wrong.items():
            return f"{name}: {text}"
        if self.control:
            return self.control
        return next((f"{name}: {text}" for name, text in self.failures.items() if name.startswith(OURS)), "")

    def values(self, name: str, figure: str) -> list[float]:
        """A figure of an entrant, round by round; none if its results were wrong."""
        if name in self.wrong:
            return []
        return [sample["figures"][figure] for sample in self.samples.get(name, ()) if figure in sample["figures"]]

    def costs(self, name: str, field_name: str) -> list[float]:
        """What something cost an entrant, round by round."""
        return [sample[field_name] for sample in self.samples.get(name, ()) if field_name in sample]

    def ratios(self, figure: str, name: str, ours: str = OURS) -> list[float]:
        """Ours divided by another's, round by round: what slowed a whole round cancels out."""
        pairs = zip(self.values(ours, figure), self.values(name, figure), strict=False)
        return [mine / other for mine, other in pairs if other]


@dataclass(slots=True)
class Report:
    """All rows, and where they were measured."""

    machine: dict[str, Any] = field(default_factory=machine)
    versions: dict[str, str] = field(default_factory=dict)
    rows: dict[str, Measured] = field(default_factory=dict)

    def merge(self, other: Report) -> None:
        """Take the rows of another report that this one has not."""
        for key, measured in other.rows.items():
            self.rows.setdefault(key, measured)
        self.versions = {**other.versions, **self.versions}

    def note_versions(self) -> None:
        """What is installed of those who were measured."""
        for measured in self.rows.values():
            for name in measured.samples:
                if version := ENTRANTS[name].version():
                    self.versions[name] = version

    def write(self, path: Path) -> None:
        """Write it; whoever reads meanwhile finds the one before."""
        data = {
            "format": FORMAT,
            "machine": self.machine,
            "versions": self.versions,
            "rows": [asdict(measured) for measured in self.rows.values()],
        }
        beside = path.with_name(path.name + ".new")
        beside.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        beside.replace(path)

    @classmethod
    def read(cls, path: Path) -> Report:
        """Read what `write` wrote.

        Raises:
            NoReport: the file is not there, or is something else; what was found, and what is expected.
        """
        expected = "expected what `python -m benchmarks --json FILE` writes"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise NoReport(f"{path} cannot be read: {error.strerror}; {expected}") from None
        except ValueError as error:
            raise NoReport(f"{path} is not JSON ({error}); {expected}") from None
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            found = data.get("format") if isinstance(data, dict) else type(data).__name__
            raise NoReport(f"{path} is no report: its format is {found!r} and not {FORMAT!r}; {expected}")
        with contextlib.suppress(KeyError, TypeError, AttributeError):
            rows = [Measured(**row) for row in data["rows"]]
            if all(_sound(row) for row in rows):
                return cls(data["machine"], data["versions"], {row.key: row for row in rows})
        raise NoReport(f"{path} is a report that was damaged: a row has not its samples; {expected}")


def _sound(row: Measured) -> bool:
    return all(
        isinstance(value, int | float)
        for samples in row.samples.values()
        for sample in samples
        for value in sample["figures"].values()
    )
