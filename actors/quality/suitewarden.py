"""Runs a suite and ends it before it takes so much memory that its agent would be ended with it.

A program by itself, `python suitewarden.py BYTES LOG COMMAND …`: a thread inside the suite would do the same, and would
change what tests of threads and forks see.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys

_EVERY = 0.05


def main(argv: list[str]) -> int:
    """Run the command and end as it does. What it was ended for stands in the log."""
    most, log, command = int(argv[0]), argv[1], argv[2:]
    child = subprocess.Popen(command)
    code = child.poll()
    while code is None:
        try:
            code = child.wait(_EVERY)
        except subprocess.TimeoutExpired:
            used = _used_by(child.pid)
            if used > most:
                with open(log, "a", encoding="utf-8") as file:
                    file.write("\n" + json.dumps({"kind": "memory", "used": used, "most": most}) + "\n")
                child.kill()
                code = child.wait()
    if code < 0:
        # Whoever waits is to see the signal, and no second core file.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _used_by(pid: int) -> int:
    """Bytes that a process and all below it have for themselves."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    todo = [pid]
    while todo:
        one = todo.pop()
        try:
            with open(f"/proc/{one}/statm", encoding="ascii") as file:
                _, resident, shared = file.read().split()[:3]
            total += max(int(resident) - int(shared), 0) * page
            for thread in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{thread}/children", encoding="ascii") as file:
                    todo += map(int, file.read().split())
        except (OSError, ValueError):
            # It has ended in the meantime, or the system tells less.
            continue
    return total


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
