"""Starting actors of the program's own, in its threads or in processes of the system."""

from __future__ import annotations

import abc
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

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
    from actors.runtime.assembly import Assembly

__all__ = ["ActorStarts"]

_Place: TypeAlias = "Literal['thread', 'process'] | ActorProcess"
_HOSTS = '"thread", "process", or what actor_process(…) gives'


class ActorStarts(abc.ABC):
    """The methods of `ActorSystem` that start actors. All are thread-safe."""

    @abc.abstractmethod
    def _running(self) -> Assembly:
        """The running assembly, started if need be."""

    def start_actor(
        self,
        actor_class: type[Actor],
        *args: Any,
        host: _Place = "thread",
        name: str | None = None,
        restart: Restart = "temporary",
        **kwargs: Any,
    ) -> ActorRef[Any]:
        """Start an actor of one's own; it ends with the system.

        Args:
            actor_class: derived from `Actor`.
            *args, **kwargs: of its constructor.
            host: where it runs: "thread", a thread of the program; "process", a process of its own, which ends with it;
                or a process that it shares with others, from `actor_process`. An actor whose process dies has ended.
            name: for logs and errors.
            restart: whether it is started again, with the same arguments and behind the same reference: "transient" when
                it has failed, "permanent" whatever it ended by, "temporary" never. As often and as quickly as
                `restart_intensity` and the like of the configuration say. What waits in its mailbox waits for the new
                one, unless its process died: then that is lost, watchers are told, asks fail with `AgentDied`, and with
                a process of its own, or in one that is started again itself, the reference reaches the new one.

        Raises:
            ConfigError: it is no actor class, there is no such host for actors or no such `restart`, or this system has
                no processes.
            NotSerializable: for a process, the class or an argument cannot be sent there.
            AgentDied: the process has ended, or could not be started.
            BaseException: what the constructor raises.
        """
        if not is_class_of(actor_class, Actor):
            raise ConfigError(
                f"start_actor takes a class derived from actors.Actor, not {actor_class!r}; for a Worker use spawn",
                key="actor_class",
                value=actor_class,
            )
        if host not in {"thread", "process"} and not isinstance(host, ActorProcess):
            raise ConfigError(f"host of an actor is {_HOSTS}, not {host!r}", key="host", value=host, allowed=_HOSTS)
        check_restart(restart)
        assembly = self._running()
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
        process = host if isinstance(host, ActorProcess) else self.actor_process(name, restart=restart)
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

    def actor_process(
        self, name: str | None = None, config: AgentConfig | None = None, *, restart: Restart = "temporary"
    ) -> ActorProcess:
        """Start a process for actors that share one: `start_actor(…, host=process)`. It ends with the system.

        It is an agent like others, with heartbeat, logs and a record of its end; but it takes no tasks, does not count
        towards `max_agents`. When it dies, its actors have ended, and who asks them gets `AgentDied`.

        Args:
            name: for people; its agent's id if it is None.
            config: limits, environment, working directory and the like of the process; by default it has no limits.
            restart: whether it is started again when it has died ("transient"), or has been ended from outside as well
                ("permanent"), with those of its actors that `start_actor` was told to restart.

        Raises:
            ConfigError: the agents of this system are no processes, or there is no such `restart`.
            AgentDied: it could not be started.
        """
        check_restart(restart)
        if config is not None and not isinstance(config, AgentConfig):
            raise ConfigError(f"config takes an AgentConfig, not {config!r}", key="config", value=config)
        assembly = self._running()
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
