"""A system for all tests of a module, in a form that the leak check around each of them can bear."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from actors import ActorSystem, AgentConfig, ConfigError, SystemConfig, TaskSpec, TaskSubmitted
from actors.workers.general_purpose import GeneralPurpose

LIMIT = 20.0
CONFIG = SystemConfig(agent=AgentConfig(grace=1.0), callable_agent=AgentConfig(grace=1.0))


@contextmanager
def shared_system(workers: Mapping[Any, int]) -> Iterator[ActorSystem]:
    """A system with exactly these agents, in which all that starts later than the first task runs already."""
    # The check looks at mappings only if some shared memory is in use: it is to know those of the agents from the start.
    with mmap.mmap(-1, 1) as page:
        page[0] = 1
        with ActorSystem({**workers, GeneralPurpose: 1}, max_agents=sum(workers.values()) + 1, config=CONFIG) as system:
            with system.subscribe(TaskSubmitted, lambda _: None):
                system.submit(pow, 2, 3).result(LIMIT)
            # Loads all workers that ship with the library.
            try:
                system.submit_task(TaskSpec(type="none"))
            except ConfigError:
                pass
            for worker in workers:
                system.submit(worker.echo).result(LIMIT)
            # Every supervisor answers, and so has its thread.
            if not system.healthy():
                raise AssertionError("a part of the system does not answer")
            yield system
