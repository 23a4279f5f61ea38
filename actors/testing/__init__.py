"""The testing kit: the whole system in virtual time, and what tests of workers need.

Names are loaded when they are first used: pytest imports this package wherever the library is installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.kernel.cell import ActorOptions
    from actors.kernel.clock import ManualClock
    from actors.kernel.dispatch import ManualDispatcher
    from actors.testing.conformance.host import HostConformance
    from actors.testing.conformance.mailbox import MailboxConformance
    from actors.testing.leaks import Leak, LeakFound, no_leaks
    from actors.testing.probes import EventRecorder, Probe
    from actors.testing.simulation import Simulation
    from actors.testing.workbench import Workbench

__all__ = [
    "ActorOptions",
    "EventRecorder",
    "HostConformance",
    "Leak",
    "LeakFound",
    "MailboxConformance",
    "ManualClock",
    "ManualDispatcher",
    "Probe",
    "Simulation",
    "Workbench",
    "no_leaks",
]

_HOME = {
    "ActorOptions": "actors.kernel.cell",
    "ManualClock": "actors.kernel.clock",
    "ManualDispatcher": "actors.kernel.dispatch",
    "HostConformance": "actors.testing.conformance.host",
    "MailboxConformance": "actors.testing.conformance.mailbox",
    "Leak": "actors.testing.leaks",
    "LeakFound": "actors.testing.leaks",
    "no_leaks": "actors.testing.leaks",
    "EventRecorder": "actors.testing.probes",
    "Probe": "actors.testing.probes",
    "Simulation": "actors.testing.simulation",
    "Workbench": "actors.testing.workbench",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'actors.testing' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
