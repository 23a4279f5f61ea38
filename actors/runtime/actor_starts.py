"""Starting actors of the program's own, in its threads or in processes of the system.

How that is done is imported when it is asked for: agents, which import this too, never do, and few programs.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.config import AgentConfig
    from actors.core.children import Restart
    from actors.kernel.actor import Actor
    from actors.kernel.ref import ActorRef
    from actors.runtime.actor_processes import ActorProcess, Place
    from actors.runtime.assembly import Assembly

__all__ = ["ActorStarts"]


class ActorStarts(abc.ABC):
    """The methods of `ActorSystem` that start actors. All are thread-safe."""

    @abc.abstractmethod
    def _running(self) -> Assembly:
        """The running assembly, started if need be."""

    def start_actor(
        self,
        actor_class: type[Actor],
        *args: Any,
        host: Place = "thread",
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
        from actors.runtime.actor_starting import start_actor  # noqa: PLC0415 - see the head of this file

        return start_actor(self._running, actor_class, args, kwargs, host=host, name=name, restart=restart)

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
        from actors.runtime.actor_starting import start_process  # noqa: PLC0415 - see the head of this file

        return start_process(self._running, name, config, restart=restart)
