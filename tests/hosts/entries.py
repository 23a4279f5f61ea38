"""What the agents of these tests run in place of the real agent: small functions that show one thing each.

Each takes the spec as bytes and the descriptors of task, control and status, like the real one. An agent says "up" on
its control channel when it is where the test wants it.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import subprocess
import sys
import time
from typing import Any

from actors.hosts.channel import SocketChannel
from actors.hosts.host import LaunchSpec
from actors.hosts.statusblock import StatusWriter
from actors.protocol.messages import Response
from actors.protocol.states import AgentState

_SLEEP_LONG = "import time; time.sleep(300)"


def _say(control_fd: int, data: Any) -> SocketChannel:
    channel = SocketChannel.of_fd(control_fd, name="agent", trusted=True, blocking=True)
    channel.send(Response(data))
    return channel


def _rest() -> None:
    while True:
        signal.pause()


def by_topic(spec: bytes, task: int, control: int, status: int) -> int | None:
    """Do what the spec's `extra["do"]` names; the whole of this module for one launcher."""
    wanted = LaunchSpec.from_bytes(spec).extra.get("do", "rest")
    return globals()[wanted](spec, task, control, status)


def rest(_spec: bytes, _task: int, control: int, _status: int) -> None:
    """Be up and do nothing."""
    _channel = _say(control, os.getpid())
    _rest()


def echo(spec: bytes, _task: int, control: int, _status: int) -> None:
    """Answer each message with itself."""
    channel = _say(control, LaunchSpec.from_bytes(spec).agent)
    while True:
        channel.forward(channel.receive(None))


def surroundings(_spec: bytes, task: int, control: int, status: int) -> None:
    """Tell what an agent's process can see."""
    fds = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            fds[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # That of the listing itself.
    with open("/proc/self/environ", "rb") as file:
        given = file.read().decode(errors="replace").split("\0")
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(sorted(os.listdir('/proc/self/fd')))"], capture_output=True, check=True
    )
    data = {
        "pid": os.getpid(),
        "sid": os.getsid(0),
        "fds": fds,
        "planes": (task, control, status),
        "environ": dict(os.environ),
        "exec_environ": [line for line in given if line],
        "cwd": os.getcwd() if os.path.isdir("/proc/self/cwd/.") else "",
        "argv": list(sys.argv),
        "child_fds": child.stdout.decode(),
        "sigint": str(signal.getsignal(signal.SIGINT)),
    }
    _channel = _say(control, data)
    _rest()


def exits(spec: bytes, _task: int, control: int, _status: int) -> int:
    """Return the exit code that the spec names."""
    _channel = _say(control, "up")
    return int(LaunchSpec.from_bytes(spec).extra["code"])


def exits_hard(_spec: bytes, _task: int, _control: int, _status: int) -> None:
    """Leave without any clean-up."""
    sys.stderr.write("last words\n")
    sys.stderr.flush()
    os._exit(17)


def raises(_spec: bytes, _task: int, _control: int, _status: int) -> None:
    """End by an exception."""
    raise LookupError("nothing here")


def segfaults(_spec: bytes, _task: int, control: int, _status: int) -> None:
    """Crash in native code."""
    faulthandler.enable()
    _channel = _say(control, "up")
    ctypes.string_at(0)


def aborts(_spec: bytes, _task: int, _control: int, _status: int) -> None:
    """Be ended by abort()."""
    faulthandler.enable()
    os.abort()


def works(_spec: bytes, _task: int, control: int, status: int) -> None:
    """Be in the middle of a task, with a result that was not told."""
    writer = StatusWriter.of_fd(status)
    writer.move(1.0, AgentState.INITIALIZING, AgentState.IDLE)
    writer.begin(7, 1, 10.0)
    writer.finish()
    writer.flushed()
    writer.begin(8, 1, 11.0)
    writer.finish()
    writer.move(2.0, AgentState.IDLE, AgentState.ASSIGNED)
    writer.begin(9, 2, 12.5)
    _channel = _say(control, "up")
    _rest()


def has_family(spec: bytes, _task: int, control: int, _status: int) -> None:
    """Have a child, a grandchild, and one that detached itself with a session of its own; tell their pids.

    With `extra["then"]` "spin" it keeps the interpreter busy in C code afterwards.
    """
    script = (
        "import os, subprocess, sys\n"
        "inner = subprocess.Popen([sys.executable, '-c', sys.argv[1]])\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        print(inner.pid, os.getpid(), flush=True)\n"
        "        os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])\n"
        "    os._exit(0)\n"
        "os.wait3(0)\n"
        "inner.wait()\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script, _SLEEP_LONG], stdout=subprocess.PIPE)
    assert child.stdout is not None
    grandchild, detached = map(int, child.stdout.readline().split())
    forked = os.fork()
    if forked == 0:
        # A plain fork: it holds the agent's sockets open.
        os.setsid()
        time.sleep(300)
        os._exit(0)
    _channel = _say(control, [os.getpid(), child.pid, grandchild, detached, forked])
    if LaunchSpec.from_bytes(spec).extra.get("then") == "spin":
        # One call of C code that never lets go of the interpreter.
        sum(range(10**18))
    _rest()


def obeys(_spec: bytes, _task: int, control: int, _status: int) -> None:
    """End in order at SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    _channel = _say(control, "up")
    _rest()


def deaf(_spec: bytes, _task: int, control: int, _status: int) -> None:
    """Do not end at SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _channel = _say(control, "up")
    _rest()


def chatters(spec: bytes, _task: int, control: int, _status: int) -> None:
    """Write much to stderr, then be up."""
    line = b"x" * 99 + b"\n"
    for _ in range(int(LaunchSpec.from_bytes(spec).extra["lines"])):
        os.write(2, line)
    os.write(2, b"the end\n")
    _channel = _say(control, "up")
    _rest()


def closes_all(_spec: bytes, _task: int, control: int, _status: int) -> None:
    """Close every descriptor, so that sockets and pipe tell an end that is none, and live on."""
    _say(control, os.getpid())
    os.closerange(0, 64)
    _rest()
