"""Workers for the tests of whole systems."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from actors import Worker, task
from tests.agent.gates import Gate
from tests.system.storm import note


class Toiler(Worker):
    """Does what a test asks for."""

    capabilities = frozenset({"toil"})

    def on_start(self) -> None:
        """Keep what is promised to be there by now."""
        self.seen = {name: os.environ.get(name) for name in sorted(os.environ) if name.startswith("ACTORS_AGENT_")}

    @task
    def echo(self, value: Any) -> Any:
        """Give it back."""
        return value

    @task
    def who(self) -> dict[str, Any]:
        """Who this is, and what its process was given."""
        return {
            "pid": os.getpid(),
            "agent": self.agent_id,
            "workspace": str(self.workspace),
            "files": sorted(os.listdir(self.workspace)),
            "environment": self.seen,
            "child": self.run(["/bin/sh", "-c", "echo $ACTORS_AGENT_ID $ACTORS_AGENT_WORKSPACE"]).stdout.split(),
        }

    @task
    def hold(self, gate: Gate, value: Any = None) -> Any:
        """Stop at a gate, then give the value back."""
        gate.wait()
        return value

    @task
    def litter(self, name: str) -> str:
        """Leave a file in the workspace."""
        path = Path(self.workspace, name)
        path.write_text("left")
        return str(path)

    @task
    def tidy(self, gate: Gate, ledger: str) -> None:
        """Stop at a gate; note it when that is interrupted."""
        try:
            gate.wait()
        except BaseException:
            note(ledger, "interrupted")
            raise

    @task(retries=0)
    def stubborn(self, gate: Gate) -> None:
        """Stop at a gate, and let nothing interrupt it."""
        arrived = False
        while True:
            try:
                if not arrived:
                    arrived = True
                    gate.wait()
                time.sleep(60)
            except BaseException:  # noqa: BLE001 - that is the point
                pass

    @task(timeout=1.5, retries=0)
    def hold_interpreter(self, gate: Gate, seconds: float) -> None:
        """Burn processor time in C code that lets no other thread run."""
        Path(gate.path, "began").touch()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            sum(range(10**12))

    @task
    def grow(self, size: int) -> int:
        """Keep memory."""
        self.kept = bytearray(os.urandom(1)) * size
        return len(self.kept)


class Greeter(Worker):
    """Notes its hooks."""

    def __init__(self, ledger: str, greeting: str = "hello") -> None:
        self.ledger = ledger
        self.greeting = greeting

    def on_start(self) -> None:
        """Note it."""
        note(self.ledger, f"start {self.agent_id}")

    def on_stop(self) -> None:
        """Note it."""
        note(self.ledger, f"stop {self.agent_id}")

    @task
    def greet(self, name: str) -> str:
        """Greet."""
        note(self.ledger, f"task {self.agent_id}")
        return f"{self.greeting} {name}"


class Slow(Worker):
    """Is idle only when its gate is open."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def on_start(self) -> None:
        """Wait for the gate."""
        self.gate.wait()

    @task
    def echo(self, value: Any) -> Any:
        """Give it back."""
        return value
