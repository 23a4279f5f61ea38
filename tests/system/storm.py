"""Workers for the tests that kill, and a program that the tests kill.

    python -m tests.system.storm OPTION...

Options: `hold` runs tasks that do not end, `family` leaves a detached grandchild, `fork` forks the program. It prints
what must end with it, as JSON, and waits.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from actors import ActorSystem, Worker, task
from tests.system.support import alive, parent_of, wait_for


def note(path: str, line: str) -> None:
    """Add a line to a file that many processes write; it is there whole, also when the writer dies right after."""
    ledger = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(ledger, line.encode() + b"\n")
    finally:
        os.close(ledger)


def leave_detached(path: str) -> None:
    """Start a process that belongs to nobody: its parent has ended, and it has a session of its own."""
    if os.fork():
        os.wait()
        return
    os.setsid()
    if not os.fork():
        note(path, str(os.getpid()))
        time.sleep(60)
    os._exit(0)


class Grinder(Worker):
    """Does a little work, many times."""

    @task(retries=1000)
    def grind(self, ledger: str, number: int) -> tuple[int, int, int]:
        """Take a few milliseconds, and note that it was done."""
        time.sleep(0.005)
        done = (number, self.attempt, os.getpid())
        note(ledger, " ".join(map(str, done)))
        return done

    @task(retries=1000)
    def hold(self, ledger: str) -> None:
        """Begin, and do not end."""
        note(ledger, str(os.getpid()))
        time.sleep(60)

    @task
    def leave_family(self, ledger: str) -> str:
        """Leave a detached grandchild, and the workspace not empty."""
        leave_detached(ledger)
        Path(self.workspace, "left").write_text("behind")
        return str(self.workspace)


def lines(path: str | Path) -> list[str]:
    """The lines of a ledger, whole ones."""
    try:
        return Path(path).read_text().splitlines()
    except FileNotFoundError:
        return []


def main() -> None:
    """Run."""
    ledger, *options = sys.argv[1:]
    with ActorSystem({Grinder: 2}) as system:
        pids: list[int] = []
        workspace = ""
        if "family" in options:
            workspace = system.submit(Grinder.leave_family, ledger).result(20)
            pids += [int(wait_for(lambda: lines(ledger))[0])]
        if "hold" in options:
            held = ledger + ".held"
            for _ in range(20):
                system.submit(Grinder.hold, held)
            wait_for(lambda: len(lines(held)) == 2)
        agents = [each.pid for each in system.agents() if each.pid is not None]
        pids += [*agents, parent_of(agents[0])]
        fork = os.fork() if "fork" in options else 0
        if "fork" in options and fork == 0:
            time.sleep(60)
            os._exit(0)
        assert all(map(alive, pids))
        told = {"pids": pids, "fork": fork, "workspace": workspace}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    main()
