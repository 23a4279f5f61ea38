"""Prints the digests of histories: "seed steps digest", one a line. Run with the seeds as arguments."""

from __future__ import annotations

import logging
import sys

from actors.testing.campaign.run import run_history

if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    for seed in map(int, sys.argv[1:]):
        outcome = run_history(seed, detail=True)
        print(seed, outcome.steps, outcome.digest)  # noqa: T201 - it is what the program is for
