"""The entry of an agent's process: signals, faulthandler, the channels; then `Agent`."""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import os
import signal
import sys
import threading
from types import FrameType

from actors.hosts.agent import Agent
from actors.hosts.channel import SocketChannel
from actors.hosts.forked import part_on_fork
from actors.hosts.host import LaunchSpec
from actors.hosts.interrupts import INTERRUPT_SIGNAL, SignalInterrupter
from actors.hosts.lastwords import record_stacks
from actors.hosts.statusblock import StatusWriter
from actors.hosts.world import AgentWorld
from actors.logs import AgentLogForwarder

__all__ = ["run_agent"]

# Seconds that exit functions have at the least.
_LEAST_EXIT = 0.5
_CONTROL_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


def run_agent(spec_bytes: bytes, task_fd: int, control_fd: int, status_fd: int) -> int:
    """Be an agent: the whole life of its process.

    Args:
        spec_bytes: the `LaunchSpec`.
        task_fd: its end of the task plane.
        control_fd: its end of the control plane.
        status_fd: its status block.

    Returns:
        The exit code: 0 if it ended in order, 1 after a failed start or a fault of its own.
    """
    with contextlib.suppress(OSError, ValueError, AttributeError):
        faulthandler.enable(file=2)
    spec = LaunchSpec.from_bytes(spec_bytes)
    memory = os.dup(status_fd)
    agent = Agent(
        spec,
        SocketChannel.of_fd(task_fd, blocking=True, trusted=True, limit=spec.frame_limit),
        SocketChannel.of_fd(control_fd, blocking=True, trusted=True, limit=spec.frame_limit),
        StatusWriter.of_fd(status_fd),
        world=AgentWorld(),
        interrupter=SignalInterrupter(),
        whole_process=True,
    )
    for number in _CONTROL_SIGNALS:
        signal.signal(number, _leave_to_control_lane)
    # The number of a signal is written there by the handler that Python has in C, at once, also while the main thread
    # is busy in C; the control lane reads it.
    signal.set_wakeup_fd(agent.parts.control_bell.writer, warn_on_full_buffer=False)
    part_on_fork((task_fd, control_fd), (*_CONTROL_SIGNALS, INTERRUPT_SIGNAL))
    with contextlib.suppress(OSError, RuntimeError, ValueError, AttributeError):
        record_stacks(memory, lambda: agent.parts.interrupter.current is not None)
    forwarder = AgentLogForwarder(agent.parts.forward_log, source=spec.agent, level=spec.log_level)
    forwarder.install()
    code = 1
    try:
        code = agent.run()
        return code
    finally:
        forwarder.remove()
        signal.set_wakeup_fd(-1)
        # What a task left to be done at the exit may wait for ever, as multiprocessing does for its children.
        bound = threading.Timer(max(spec.grace, _LEAST_EXIT), os._exit, (code,))
        bound.daemon = True
        bound.start()
        # The process ends without the interpreter's own end, which would wait for threads that nobody needs.
        atexit._run_exitfuncs()  # noqa: SLF001 - the only way to run them
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()


def _leave_to_control_lane(number: int, frame: FrameType | None) -> None:
    """A handler there must be, for the number to be written; it has nothing left to do."""
