"""What was asked for and the host cannot keep, told when work is handed in or an agent is asked for."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, NoReturn

from actors.config import AgentConfig, LimitName, Limits
from actors.errors import ConfigError
from actors.hosts.promises import HostPromises

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Unkept"]

_log = logging.getLogger("actors.hosts")

_MEASURED: tuple[LimitName, ...] = ("memory", "cpu")
_COUNTED: tuple[LimitName, ...] = ("open_files", "processes")
_NAMES: dict[LimitName, str] = {
    "memory": "memory limit",
    "cpu": "processor limit",
    "open_files": "limit of open files",
    "processes": "limit of child processes",
}


class Unkept:
    """Warns once for each limit that somebody named and that will not be enforced, and refuses what cannot be had at all.

    Safe to use from any thread. What is a default of the configuration is no promise that anybody counts on.

    Args:
        promises: what the host keeps; None of a host that does not say, which is taken at its word.
    """

    def __init__(self, promises: HostPromises | None) -> None:
        self._promises = promises
        self._lock = threading.Lock()
        self._told: set[str] = set()

    def time_limit(self, task_type: str, seconds: float | None) -> None:
        """A task, its worker or its submission names a time limit."""
        if seconds is None or self._promises is None or self._promises.kills:
            return
        self._tell(
            f"the time limit of {seconds:g} s of {task_type} is not enforced: this host cannot end a body that goes on. "
            "Only an await and the library's own waits are interrupted; within the grace a late result counts, after it the "
            "task fails and its body goes on unheard. Use host='process' to enforce it"
        )

    def limits(self, agent: str, limits: Limits | None) -> None:
        """A worker, the configuration of an agent, or `set_limits` names limits.

        Args:
            agent: of which type, or which agent.
            limits: what is named; None for nothing.
        """
        if limits is None or self._promises is None:
            return
        if not self._promises.memory_limits:
            self._not_limited(agent, limits, _MEASURED, "this host cannot tell what each agent takes")
        if not self._promises.file_limits:
            self._not_limited(agent, limits, _COUNTED, "this host cannot tell agents apart in that")

    def _not_limited(self, agent: str, limits: Limits, names: Iterable[LimitName], why: str) -> None:
        for name in names:
            if name in limits.named and limits.hard_limit(name) is not None:
                self._tell(
                    f"the {_NAMES[name]} of {agent} is not enforced: {why}. Use host='process' on Linux to enforce it"
                )

    def agent(self, who: str, config: AgentConfig | None) -> None:
        """An agent is asked for, or a system's agents are configured.

        Args:
            who: for the error, as "thumbnailer".
            config: what is named for it.

        Raises:
            ConfigError: it is to have something of its own that the agents of this host share.
        """
        if config is None or self._promises is None:
            return
        if not self._promises.environment:
            for key in ("environment", "working_directory"):
                if getattr(config, key) is not None:
                    self._refuse(who, key, getattr(config, key), f"share the {key.replace('_', ' ')} of the program")
        if not self._promises.fresh and config.start_method == "spawn":
            self._refuse(who, "start_method", "spawn", "share the interpreter of the program")
        self.limits(who, config.limits)

    @staticmethod
    def _refuse(who: str, key: str, value: object, why: str) -> NoReturn:
        raise ConfigError(
            f"{who}: the agents of this host {why}; leave {key} out, or use host='process'",
            key=key,
            value=value,
            allowed="None" if key != "start_method" else "fork",
        )

    def _tell(self, text: str) -> None:
        with self._lock:
            if text in self._told:
                return
            self._told.add(text)
        _log.warning(text)
