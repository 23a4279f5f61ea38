"""Known-bad changes of locks, barriers and the like."""

from __future__ import annotations

from tests.sabotage.mutation import Mutation

__all__ = ["SYNC_MUTATIONS"]

SYNC_MUTATIONS = (
    Mutation(
        "a lock for two",
        "actors.core.sync.lock",
        "return not held",
        "return len(held) < 2",
        "G1",
        "two hold a lock at the same time",
    ),
    Mutation(
        "the dead go on holding",
        "actors.core.sync.book",
        "step.put(thing.left(owners, step, badly=badly))",
        "pass",
        "G1",
        "what a dead agent held is never free again",
    ),
    Mutation(
        "a lost wake-up",
        "actors.core.sync.holdable",
        "if each is not hold)).served(grants)",
        "if each is not hold))",
        "G1",
        "a lock is released, and whoever waits for it hears nothing",
    ),
    Mutation(
        "a barrier that lets one pass",
        "actors.core.sync.barrier",
        "len(self.queue) < self.parties",
        "len(self.queue) < self.parties - 1",
        "G1",
        "a party passes a barrier before the last one has come",
    ),
    Mutation(
        "deadlocks are waited out",
        "actors.core.sync.book",
        "                step.judge = bool(depended)",
        "                step.judge = False",
        "G1",
        "tasks that hold what the other wants wait for ever",
    ),
    Mutation(
        "bystanders of a deadlock",
        "actors.core.sync.book",
        "for owner in graph.cycle() if graph.waits(owner)",
        "for owner in graph.stuck if graph.waits(owner)",
        "G1",
        "who waits for one in a deadlock, and holds nothing that anybody wants, is told that it was in it",
    ),
    Mutation(
        "who goes away stays in the queue",
        "actors.core.sync.book",
        "            if wait is not None:\n                step.fail",
        "            if wait is not None and not wait.since:\n                step.fail",
        "G1",
        "a lock is granted to a task that was cancelled while it waited",
    ),
    Mutation(
        "one fencing number for all",
        "actors.core.sync.step",
        "        self.fence += 1\n",
        "",
        "G1",
        "a holder from before its death cannot be told from the next one",
    ),
)
"""All of them."""
