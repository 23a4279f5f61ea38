"""What an agent is told when it is started."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from actors.hosts.host import LaunchSpec

if TYPE_CHECKING:
    from actors.config import SystemConfig
    from actors.runtime.agent_child import Child
    from actors.runtime.worker_type import WorkerType

__all__ = ["launch_spec"]


def launch_spec(
    agent: str, child: Child, worker_type: WorkerType, system: SystemConfig, interest: Iterable[str], system_id: str
) -> LaunchSpec:
    """The description of an agent's next incarnation.

    Args:
        agent: its id.
        child: its incarnation, workspace and configuration.
        worker_type: what it runs.
        system: what holds for all agents.
        interest: the names of the events that somebody listens to.
        system_id: what tells its system from all others.

    Raises:
        NotSerializable: the worker class or an argument of its constructor cannot be sent to another process.
    """
    config = child.config
    return LaunchSpec(
        agent=agent,
        type=worker_type.name,
        incarnation=child.incarnation,
        worker=worker_type.class_bytes(),
        arguments=worker_type.argument_bytes(config),
        limits=config.limits.to_wire(),
        environment=None if config.environment is None else dict(config.environment),
        cwd=config.working_directory,
        workspace=child.workspace,
        grace=config.grace,
        heartbeat=system.heartbeat_every,
        capabilities=tuple(sorted(worker_type.profile_with(config).capabilities)),
        log_level=system.log_level,
        start_method=config.start_method,
        concurrency=config.concurrency,
        job=child.job,
        interest=tuple(sorted(interest)),
        frame_limit=int(system.frame_limit),
        extra={
            "system": system_id,
            "mailbox_bound": system.mailbox_bound,
            "recycle_after_tasks": config.recycle_after_tasks,
            "recycle_after_age": config.recycle_after_age,
            "recycle_after_growth": config.recycle_after_growth,
        },
    )
