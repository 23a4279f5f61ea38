"""All peers by their names. A peer's own file is imported only where it is measured: it need not be installed."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from importlib import metadata
from typing import cast

from benchmarks.peers.peer import Peer

__all__ = ["ACTOR_LIBRARIES", "BARE", "CLUSTERS", "ENTRANTS", "OURS", "POOLS", "STANDARD", "Entrant"]


@dataclass(frozen=True, slots=True)
class Entrant:
    """Who is measured.

    Args:
        name: how the tables call it.
        place: module and class of its `Peer`; empty for what is none, such as a limit of the machine.
        distribution: its name for pip; empty for what comes with Python or is no library.
        share: this part of a row's tasks is enough for it: it is slow.
        rounds: it takes part in so many at most: it takes long to start, or to do them.
    """

    name: str
    place: str = ""
    distribution: str = ""
    share: float = 1.0
    rounds: int = 100

    def version(self) -> str | None:
        """What is installed; empty for what comes with Python, None if it is not installed."""
        try:
            return metadata.version(self.distribution) if self.distribution else ""
        except metadata.PackageNotFoundError:
            return None

    def kind(self) -> type[Peer]:
        """Its class."""
        module, name = self.place.split(":")
        return cast("type[Peer]", getattr(importlib.import_module(module), name))


_HERE = "benchmarks.peers"
OURS = "actors"

_ALL = (
    Entrant(OURS, f"{_HERE}.ours:ActorsPeer", "actors-hub"),
    Entrant("actors, submit_task", f"{_HERE}.ours:SpecPeer", "actors-hub"),
    Entrant("ProcessPoolExecutor", f"{_HERE}.pools:ExecutorPeer"),
    Entrant("multiprocessing.Pool", f"{_HERE}.pools:PoolPeer"),
    Entrant("loky", f"{_HERE}.pools:LokyPeer", "loky"),
    Entrant("Pebble", f"{_HERE}.pools:PebblePeer", "pebble"),
    Entrant("mpire", f"{_HERE}.pools:MpirePeer", "mpire"),
    Entrant("Ray", f"{_HERE}.clusters:RayPeer", "ray", 0.1, 2),
    Entrant("Dask distributed", f"{_HERE}.clusters:DaskPeer", "distributed", 0.05, 2),
    Entrant("xoscar", f"{_HERE}.actorlibraries:XoscarPeer", "xoscar", 0.2, 2),
    Entrant("Thespian", f"{_HERE}.actorlibraries:ThespianPeer", "thespian", 0.04, 2),
    Entrant("pykka", f"{_HERE}.actorlibraries:PykkaPeer", "pykka"),
    # Not those of a library: the same work, done by hand or left out.
    Entrant("bare pipe"),
    Entrant("machine"),
    Entrant("actors, journal", distribution="actors-hub"),
    Entrant("bare queue"),
    Entrant("bare socket"),
)

ENTRANTS: dict[str, Entrant] = {entrant.name: entrant for entrant in _ALL}
STANDARD = ("ProcessPoolExecutor", "multiprocessing.Pool")
POOLS = (*STANDARD, "loky", "Pebble", "mpire")
CLUSTERS = ("Ray", "Dask distributed")
ACTOR_LIBRARIES = ("xoscar", "Thespian", "pykka")
BARE = frozenset({"bare pipe", "machine", "bare queue", "bare socket"})
