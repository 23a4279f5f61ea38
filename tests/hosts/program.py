"""A program with a process host, run by the tests as a process of its own so that they can end it any way they like.

    python -m tests.hosts.program ROOT OPTION...

Options: `family`, `spin`, `stop`, `rest` each start an agent; `fork` leaves a fork of the program that lives on.
It prints the pids of all that must end with it, then waits.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from actors.hosts.process import ProcessHost
from tests.hosts.support import ENTRY, Exits, heard, pump_until, spec


def main() -> None:
    """Run."""
    root, *options = sys.argv[1:]
    os.makedirs(os.path.join(root, "walker"), exist_ok=True)
    host = ProcessHost(entry=ENTRY, root=root)
    exits = Exits()
    pids: list[int] = []
    for option in options:
        if option == "fork":
            continue
        do = "rest" if option in ("rest", "stop") else "has_family"
        handle = host.launch(spec(f"{option}-1", do=do, extra={"then": option}), exits)
        told = heard(handle)
        family = told if isinstance(told, list) else [told]
        pump_until(host, lambda handle=handle: handle.pid is not None)
        if option == "stop":
            os.kill(family[0], signal.SIGSTOP)
        pids += family
    with open(f"/proc/{pids[0]}/stat", "rb") as file:
        pids.append(int(file.read().rpartition(b")")[2].split()[1]))
    fork = 0
    if "fork" in options:
        fork = os.fork()
        if fork == 0:
            time.sleep(60)
            os._exit(0)
    sys.stdout.write(json.dumps({"pids": pids, "fork": fork}) + "\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    main()
