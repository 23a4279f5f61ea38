"""State machines for Hypothesis, each of which drives a core of the library beside a simple model of it.

A machine calls the shipped class by its rules, in any order that Hypothesis can think of, says beforehand what the
model expects, and checks its invariants after each step. Each invariant and each text of a broken promise names the
requirement that it stands for. A machine is run as a test case, and what it drives can be replaced:

    class Mine(MailboxMachine):
        def make(self, bound, overflow, on_dropped):
            return MyMailbox(bound, overflow, on_dropped)

    TestMine = Mine.TestCase
"""

from __future__ import annotations

from actors.testing.extra import hypothesis_missing

try:
    import hypothesis as _hypothesis  # noqa: F401 - asked for here, so that who lacks it is told what to install
except ImportError as error:
    raise hypothesis_missing("the state machines need") from error

from actors.testing.machines.ledger import LedgerMachine
from actors.testing.machines.mailbox import MailboxMachine
from actors.testing.machines.registry import RegistryMachine
from actors.testing.machines.scheduler import SchedulerMachine
from actors.testing.machines.supervisor import SupervisorMachine
from actors.testing.machines.supervisorstory import SupervisorStoryMachine
from actors.testing.machines.sync import SyncMachine
from actors.testing.machines.system import SystemMachine, check_system
from actors.testing.machines.worker import WorkerMachine, asks, calls, tells, worker_machine

__all__ = [
    "LedgerMachine",
    "MailboxMachine",
    "RegistryMachine",
    "SchedulerMachine",
    "SupervisorMachine",
    "SupervisorStoryMachine",
    "SyncMachine",
    "SystemMachine",
    "WorkerMachine",
    "asks",
    "calls",
    "check_system",
    "tells",
    "worker_machine",
]
