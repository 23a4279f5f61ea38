"""Places where actors can be started: one set of tests, each place a parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors import Actor, ActorRef, ActorSystem, AgentConfig, SystemConfig
from actors.remote import office as post

HOSTS = ("thread", "process")

Start = Callable[..., ActorRef[Any]]


@pytest.fixture(autouse=True)
def no_office() -> Iterator[None]:
    """What a test has opened outside of any system is closed after it."""
    yield
    post.close()


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    """A system without agents, with a short grace."""
    with ActorSystem(config=SystemConfig(agent=AgentConfig(grace=1.0))) as running:
        yield running
        running.shutdown(wait=False, timeout=2.0)


@pytest.fixture(params=HOSTS)
def start(request: pytest.FixtureRequest, system: ActorSystem) -> Start:
    """Starts an actor in one of the places."""

    def started(actor_class: type[Actor], *args: Any, **kwargs: Any) -> ActorRef[Any]:
        return system.start_actor(actor_class, *args, host=request.param, **kwargs)

    return started
