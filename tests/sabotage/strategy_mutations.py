"""Known-bad changes of strategies."""

from __future__ import annotations

from tests.sabotage.mutation import Mutation

__all__ = ["STRATEGY_MUTATIONS"]

STRATEGY_MUTATIONS = (
    Mutation(
        "results as they come",
        "actors.coordination.scatter",
        "        self._ends[place] = (error, value)\n",
        "        self._ends[-self._left] = (error, value)\n",
        "G2",
        "the results of several calls stand in the order of their ends",
    ),
    Mutation(
        "one is enough for a quorum",
        "actors.coordination.quorum",
        "if len(camp) >= self._need:",
        "if len(camp) >= 1:",
        "G2",
        "the first answer counts as agreed",
    ),
)
