"""The samples in a file, written after each round, so that a run that was interrupted goes on."""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

from benchmarks.faults.library import Library

__all__ = ["OtherMachine", "Store", "machine"]


class OtherMachine(ValueError):
    """The file has samples that were taken with something else, which no table may mix with new ones."""


def machine() -> dict[str, Any]:
    """What the times depend on."""
    return {
        "cores": os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


class Store:
    """Samples by fault and library, with the machine, the versions and the days.

    Args:
        path: the file; made when the first sample comes.
        fresh: begin anew, whatever is in it.

    Raises:
        OtherMachine: it was taken on another machine or with another Python.
        ValueError: it is no file of ours.
    """

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self._path = path
        self.data: dict[str, Any] = {"machine": machine(), "libraries": {}, "samples": {}}
        if path.exists() and not fresh:
            self.data = json.loads(path.read_text(encoding="utf-8"))
            if not {"machine", "libraries", "samples"} <= self.data.keys():
                raise ValueError(f"{path} has no samples of faults")
            if self.data["machine"] != machine():
                raise OtherMachine(f"{path} was taken with {self.data['machine']}; --fresh begins anew")

    def samples(self, fault: str, library: str) -> list[dict[str, Any]]:
        """Those that are known."""
        found: list[dict[str, Any]] = self.data["samples"].get(fault, {}).get(library, [])
        return found

    def use(self, library: type[Library], version: str) -> None:
        """Before samples of a library are added: those of another version of it are dropped."""
        known = self.data["libraries"].setdefault(library.name, {"version": version, "days": []})
        if known["version"] != version:
            for cells in self.data["samples"].values():
                cells.pop(library.name, None)
            self.data["libraries"][library.name] = {"version": version, "days": []}

    def add(self, fault: str, library: str, sample: dict[str, Any]) -> None:
        """Keep one."""
        self.data["samples"].setdefault(fault, {}).setdefault(library, []).append(sample)
        days = self.data["libraries"][library]["days"]
        today = time.strftime("%Y-%m-%d")
        if today not in days:
            days.append(today)
        self.write()

    def write(self) -> None:
        """Put the whole file in place at once."""
        new = self._path.with_name(self._path.name + ".new")
        new.write_text(json.dumps(self.data, indent=1) + "\n", encoding="utf-8")
        new.replace(self._path)
