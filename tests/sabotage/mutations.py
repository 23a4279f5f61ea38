"""All known-bad changes."""

from __future__ import annotations

from tests.sabotage.core_mutations import CORE_MUTATIONS
from tests.sabotage.journal_mutations import JOURNAL_MUTATIONS
from tests.sabotage.mutation import Mutation
from tests.sabotage.peering_mutations import PEERING_MUTATIONS
from tests.sabotage.shell_mutations import SHELL_MUTATIONS
from tests.sabotage.strategy_mutations import STRATEGY_MUTATIONS
from tests.sabotage.sync_mutations import SYNC_MUTATIONS

__all__ = ["MUTATIONS", "PEERING_MUTATIONS", "named"]

MUTATIONS: tuple[Mutation, ...] = (
    *CORE_MUTATIONS,
    *SHELL_MUTATIONS,
    *JOURNAL_MUTATIONS,
    *SYNC_MUTATIONS,
    *STRATEGY_MUTATIONS,
)
"""Those that the simulation is to find."""


def named(name: str) -> Mutation:
    """The mutation of a name.

    Raises:
        ValueError: there is none.
    """
    for mutation in (*MUTATIONS, *PEERING_MUTATIONS):
        if mutation.name == name:
            return mutation
    known = "; ".join(each.name for each in (*MUTATIONS, *PEERING_MUTATIONS))
    raise ValueError(f"there is no mutation {name!r}; there are: {known}")
