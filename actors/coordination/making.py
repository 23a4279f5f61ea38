"""All that the strategies are made of, to be imported when the first of them is called."""

from __future__ import annotations

from actors.coordination.calls import invocation, invocations
from actors.coordination.gathering import Gathering
from actors.coordination.hedge import Hedge
from actors.coordination.mapreduce import MapReduce
from actors.coordination.pipeline import Pipeline
from actors.coordination.quorum import Votes
from actors.coordination.race import Race
from actors.coordination.saga import Saga, steps_of
from actors.coordination.scatter import Scatter

__all__ = [
    "Gathering",
    "Hedge",
    "MapReduce",
    "Pipeline",
    "Race",
    "Saga",
    "Scatter",
    "Votes",
    "invocation",
    "invocations",
    "steps_of",
]
