"""An agent under test, with the test in the place of the system: it sees every message and answers by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from actors.hosts.host import Host, LaunchSpec
from actors.hosts.serialize import dumps
from actors.testing.conformance.counterpart import Counterpart, error_in, value_of
from actors.worker import Worker
from tests.agent.gates import LIMIT
from tests.agent.workers import Busybody

__all__ = ["Subject", "error_in", "value_of"]


class Subject(Counterpart):
    """One agent on a host, driven by hand.

    Args:
        host: runs it.
        directory: its workspace is made below.
        worker: what it runs.
        arguments: of the worker's constructor.
        **spec: fields of the `LaunchSpec`.
    """

    def __init__(
        self, host: Host, directory: Path, worker: type[Worker] = Busybody, *, arguments: Any = None, **spec: Any
    ) -> None:
        self.workspace = directory / "workspace"
        super().__init__(
            host,
            LaunchSpec(
                agent=spec.pop("agent", f"{worker.agent_type}-1"),
                type=worker.agent_type,
                incarnation=1,
                worker=spec.pop("worker_bytes", None) or dumps(worker),
                arguments=b"" if arguments is None else dumps(((), arguments)),
                workspace=str(self.workspace),
                capabilities=tuple(sorted(worker.capabilities)),
                **spec,
            ),
            limit=LIMIT,
        )
