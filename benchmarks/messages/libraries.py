"""All who are measured. A peer's own file is imported only where it is measured: it need not be installed."""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import metadata
from typing import cast

from benchmarks.messages.workloads import Runner

__all__ = ["ENTRANTS", "OURS", "Entrant"]


@dataclass(frozen=True, slots=True)
class Entrant:
    """Who is measured, in which scenes.

    `place`: module and function of what starts it. `distribution`: its name for pip, empty for what is no library.
    `cannot`: the keys of the work that there is nothing in it for.
    """

    name: str
    place: str
    scenes: frozenset[str]
    distribution: str = ""
    cannot: frozenset[str] = frozenset()

    def version(self) -> str | None:
        """What is installed; empty for what is no library, None if it is not installed."""
        try:
            return metadata.version(self.distribution) if self.distribution else ""
        except metadata.PackageNotFoundError:
            return None

    def opened(self, scene: str) -> AbstractContextManager[Runner]:
        """Start it, with one actor that gets messages; it ends in order."""
        module, name = self.place.split(":")
        return cast("AbstractContextManager[Runner]", getattr(importlib.import_module(module), name)(scene))


_WITHIN = frozenset({"within"})
_PROCESSES = frozenset({"across", "between"})
_HERE = "benchmarks.messages"

OURS = Entrant("actors", f"{_HERE}.with_actors:actors", _WITHIN | _PROCESSES, "actors-hub")

ENTRANTS: tuple[Entrant, ...] = (
    OURS,
    # A task that asks waits for the answer.
    Entrant(
        "actors (workers)", f"{_HERE}.with_actors:workers", frozenset({"between"}), "actors-hub", frozenset({"flight"})
    ),
    Entrant("pykka", f"{_HERE}.with_pykka:pykka_threads", _WITHIN, "pykka"),
    Entrant("Ray", f"{_HERE}.with_ray:ray_cluster", _PROCESSES, "ray"),
    Entrant("xoscar", f"{_HERE}.with_xoscar:xoscar_pool", _PROCESSES, "xoscar"),
    Entrant("Thespian", f"{_HERE}.with_thespian:thespian_system", _PROCESSES, "thespian"),
    Entrant("bare queue", f"{_HERE}.bare:bare_queue", _WITHIN),
    Entrant("bare socket", f"{_HERE}.bare:bare_socket", _PROCESSES),
)
