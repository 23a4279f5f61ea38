"""All known-bad changes."""

from __future__ import annotations

from tests.sabotage.core_mutations import CORE_MUTATIONS
from tests.sabotage.journal_mutations import JOURNAL_MUTATIONS
from tests.sabotage.mutation import Mutation
from tests.sabotage.shell_mutations import SHELL_MUTATIONS
from tests.sabotage.sync_mutations import SYNC_MUTATIONS

__all__ = ["MUTATIONS", "named"]

MUTATIONS: tuple[Mutation, ...] = (*CORE_MUTATIONS, *SHELL_MUTATIONS, *JOURNAL_MUTATIONS, *SYNC_MUTATIONS)


def named(name: str) -> Mutation:
    """The mutation of a name.

    Raises:
        ValueError: there is none.
    """
    for mutation in MUTATIONS:
        if mutation.name == name:
            return mutation
    known = "; ".join(each.name for each in MUTATIONS)
    raise ValueError(f"there is no mutation {name!r}; there are: {known}")
