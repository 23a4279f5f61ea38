"""How actors of the program's own are started: in a thread, or in a process of the system."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from actors.config import AgentConfig
from actors.core.children import Intensity, Restart
from actors.core.retry import Backoff
from actors.errors import ConfigError
from actors.kernel.actor import Actor
from actors.kernel.ref import ActorRef
from actors.runtime import messages as m
from actors.runtime.actor_events import ProgramEvents
from actors.runtime.actor_host import ActorHost, StartActor
from actors.runtime.actor_processes import ActorProcess
from actors.runtime.lost_letters import LostLetters
from actors.runtime.restarting import Pace, begin, check_restart
from actors.runtime.worker_type import is_class_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.runtime.actor_processes import Place
    from actors.runtime.assembly import Assembly

__all__ = ["start_actor", "start_process"]

_HOSTS = '"thread", "process", or what actor_process(…) gives'


def start_actor(
    running: Callable[[], Assembly],
    actor_class: type[Actor],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    host: Place,
    name: str | None,
    restart: Restart,
) -> ActorRef[Any]:
    """See `ActorStarts.start_actor`; `running` gives the running assembly, when all has been checked."""
    if not is_class_of(actor_class, Actor):
        raise ConfigError(
            f"start_actor takes a class derived from actors.Actor, not {actor_class!r}; for a Worker use spawn",
            key="actor_class",
            value=actor_class,
        )
    if host not in {"thread", "process"} and not isinstance(host, ActorProcess):
        raise ConfigError(f"host of an actor is {_HOSTS}, not {host!r}", key="host", value=host, allowed=_HOSTS)
    check_restart(restart)
    assembly = running()
    started = assembly.processes.actors
    config = assembly.config
    pace = Pace(
        Intensity(config.restart_intensity, config.restart_period),
        Backoff(config.backoff_first, limit=config.backoff_limit),
    )
    name = name or f"{actor_class.__name__}-{len(started) + 1}"
    world, hub = assembly.world, assembly.peers.hub
    ref: ActorRef[Any]
    if host == "thread":
        letters = LostLetters(lambda event: hub.tell(m.Publish(event)), world.clock)
        events = ProgramEvents(assembly.peers, world.clock)
        options = replace(world.options(name), on_dead_letter=letters, events=events)
        begun = begin(actor_class, args, kwargs, options, restart, pace)
        ref = begun.ref
        ref.publish()
        started.append(begun.root)
        return ref
    process = host if isinstance(host, ActorProcess) else start_process(running, name, None, restart=restart)
    try:
        message = StartActor(actor_class, args, kwargs, name, restart, pace)
        ref = process.start(message, alone=process is not host)
    except BaseException:
        if process is not host:
            process.stop(1.0)
        raise
    if restart == "temporary":
        # The others end with their process, not before.
        started.append(ref)
    return ref


def start_process(
    running: Callable[[], Assembly], name: str | None, config: AgentConfig | None, *, restart: Restart
) -> ActorProcess:
    """See `ActorStarts.actor_process`; `running` gives the running assembly, when all has been checked."""
    check_restart(restart)
    if config is not None and not isinstance(config, AgentConfig):
        raise ConfigError(f"config takes an AgentConfig, not {config!r}", key="config", value=config)
    assembly = running()
    promises = getattr(assembly.host, "promises", None)
    # In a simulation an agent is no process either, whatever its host promises.
    if promises is None or not promises.isolation or assembly.world.dispatcher is not None:
        raise ConfigError(
            'the agents of this system are no processes, so an actor cannot have one; start it with host="thread", or '
            'make the system with host="process"',
            key="host",
            value="process",
            allowed='"thread"',
        )
    worker_type = assembly.types.add(ActorHost)
    whole = worker_type.config.merged(config)
    process = ActorProcess(
        name or "", assembly.peers, assembly.processes, whole, config, restart, assembly.world.token()
    )
    process.name = process.name or process.agent
    return process
