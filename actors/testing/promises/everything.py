"""All promises that are looked after."""

from __future__ import annotations

from actors.testing.promises.agents import AgentsAreBounded, AgentsMoveLegally, MemoryLimitsHold, SilentAgentsEnd
from actors.testing.promises.assigning import ASSIGNING
from actors.testing.promises.books import BooksAgree, BooksAreRight, NobodyWaitsForEver, NothingIsLeft
from actors.testing.promises.ending import ENDING
from actors.testing.promises.invariant import Invariant
from actors.testing.promises.keeping import KEEPING
from actors.testing.promises.leavings import LEAVINGS
from actors.testing.promises.resources import NamedResources
from actors.testing.promises.syncing import SYNCING
from actors.testing.promises.tasks import (
    DependenciesFirst,
    OneAgentPerTask,
    RetriesAreBounded,
    RightAgent,
    TasksMoveLegally,
    TimeLimitsHold,
)

__all__ = ["INVARIANTS"]

INVARIANTS: tuple[type[Invariant], ...] = (
    AgentsMoveLegally,
    TasksMoveLegally,
    BooksAreRight,
    OneAgentPerTask,
    DependenciesFirst,
    RightAgent,
    RetriesAreBounded,
    TimeLimitsHold,
    NamedResources,
    AgentsAreBounded,
    SilentAgentsEnd,
    MemoryLimitsHold,
    BooksAgree,
    NobodyWaitsForEver,
    NothingIsLeft,
    *ASSIGNING,
    *ENDING,
    *LEAVINGS,
    *KEEPING,
    *SYNCING,
)
"""All that there are."""
