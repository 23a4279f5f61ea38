"""Who waits for whom: the chain of askers that a request carries, and what ends a circle of them."""

from __future__ import annotations

from contextvars import ContextVar

from actors.errors import MessageRefused

__all__ = ["LONGEST_CHAIN", "OFTEN_IN_CHAIN", "asked_by", "next_chain"]

LONGEST_CHAIN = 1000
"""So many agents may wait for one another in a row."""

OFTEN_IN_CHAIN = 16
"""So often one agent may be in it: each time, a handler runs inside the wait of the one before, on one stack."""

asked_by: ContextVar[tuple[str, ...]] = ContextVar("asked_by", default=())
"""The agents that wait for the handler which runs here, the one that began first; empty in tasks."""


def next_chain(agent: str, recipient: str) -> tuple[str, ...]:
    """The chain of a request that an agent makes now.

    A circle of asks is no deadlock, because whoever waits serves its handlers; but one without end is refused.

    Raises:
        MessageRefused: the agent waits for itself too often already, or the chain is too long.
    """
    chain = asked_by.get()
    if chain.count(agent) < OFTEN_IN_CHAIN and len(chain) < LONGEST_CHAIN:
        return (*chain, agent)
    shown = " → ".join((*chain[-6:], agent, recipient))
    raise MessageRefused(
        f"{agent} asks {recipient} and waits for its own answer already {chain.count(agent)} deep (… {shown}): the handlers "
        "ask each other without end; let one of them answer by itself, or use tell",
        recipient=recipient,
    )
