"""The testing kit: the whole system in virtual time, and what tests of workers need.

Names are loaded when they are first used: pytest imports this package wherever the library is installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.kernel.clock import ManualClock
    from actors.kernel.dispatch import ManualDispatcher
    from actors.kernel.options import ActorOptions
    from actors.testing.bench.workbench import Workbench
    from actors.testing.conformance.host import HostConformance
    from actors.testing.conformance.mailbox import MailboxConformance
    from actors.testing.conformance.promisetable import promises_table
    from actors.testing.conformance.system import HostedSystem
    from actors.testing.errors import InvariantBroken
    from actors.testing.exploring.explore import Bound, explore
    from actors.testing.faults import CALM, ROUGH, FaultPlan
    from actors.testing.guarding.guard import OutsideSimulation
    from actors.testing.leaks import Leak, LeakFound, no_leaks
    from actors.testing.machines.system import SystemMachine
    from actors.testing.machines.worker import WorkerMachine, asks, calls, tells, worker_machine
    from actors.testing.pictures.diagram import write_diagram
    from actors.testing.pictures.sequence import sequence
    from actors.testing.probes import EventRecorder, Probe
    from actors.testing.promises.invariant import Invariant
    from actors.testing.replaying import replay
    from actors.testing.simulation import Simulation

__all__ = [
    "CALM",
    "ROUGH",
    "ActorOptions",
    "Bound",
    "EventRecorder",
    "FaultPlan",
    "HostConformance",
    "HostedSystem",
    "Invariant",
    "InvariantBroken",
    "Leak",
    "LeakFound",
    "MailboxConformance",
    "ManualClock",
    "ManualDispatcher",
    "OutsideSimulation",
    "Probe",
    "Simulation",
    "SystemMachine",
    "Workbench",
    "WorkerMachine",
    "asks",
    "calls",
    "explore",
    "no_leaks",
    "promises_table",
    "replay",
    "sequence",
    "tells",
    "worker_machine",
    "write_diagram",
]

_HOME = {
    "FaultPlan": "actors.testing.faults",
    "Bound": "actors.testing.exploring.explore",
    "explore": "actors.testing.exploring.explore",
    "Invariant": "actors.testing.promises.invariant",
    "InvariantBroken": "actors.testing.errors",
    "OutsideSimulation": "actors.testing.guarding.guard",
    "CALM": "actors.testing.faults",
    "ROUGH": "actors.testing.faults",
    "WorkerMachine": "actors.testing.machines.worker",
    "SystemMachine": "actors.testing.machines.system",
    "worker_machine": "actors.testing.machines.worker",
    "asks": "actors.testing.machines.worker",
    "calls": "actors.testing.machines.worker",
    "tells": "actors.testing.machines.worker",
    "replay": "actors.testing.replaying",
    "sequence": "actors.testing.pictures.sequence",
    "write_diagram": "actors.testing.pictures.diagram",
    "ActorOptions": "actors.kernel.options",
    "ManualClock": "actors.kernel.clock",
    "ManualDispatcher": "actors.kernel.dispatch",
    "HostConformance": "actors.testing.conformance.host",
    "HostedSystem": "actors.testing.conformance.system",
    "MailboxConformance": "actors.testing.conformance.mailbox",
    "promises_table": "actors.testing.conformance.promisetable",
    "Leak": "actors.testing.leaks",
    "LeakFound": "actors.testing.leaks",
    "no_leaks": "actors.testing.leaks",
    "EventRecorder": "actors.testing.probes",
    "Probe": "actors.testing.probes",
    "Simulation": "actors.testing.simulation",
    "Workbench": "actors.testing.bench.workbench",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'actors.testing' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
