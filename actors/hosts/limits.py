"""The limits of an agent, as the agent itself keeps them: backstops of the kernel, and the request for more.

The system measures the agent's whole tree and ends what goes over a hard limit. The kernel's own limits stand somewhat
further out and only catch what would be too fast for that: a single allocation beyond all bounds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from actors.hosts.parts import AgentParts
from actors.protocol.messages import HUB, AdjustmentRequest

__all__ = ["LimitKeeper"]

_ASK_TIMEOUT = 30.0
# An agent over its soft limit asks for so much more than it uses.
_HEADROOM = 1.25
_MEMORY_MARGIN = 256 << 20


class LimitKeeper:
    """Keeps `parts.limits`.

    Args:
        parts: what the lanes share.
        whole_process: the process is the agent's own, so that the kernel may limit it.
    """

    def __init__(self, parts: AgentParts, *, whole_process: bool) -> None:
        self._parts = parts
        self._whole_process = whole_process
        self._base = _data_size() if whole_process else 0
        self._asked: dict[str, Any] = {}
        if whole_process:
            parts.no_memory_for = self._no_memory_for

    def set(self, limits: Mapping[str, Any]) -> None:
        """These limits are in force from now on."""
        self._parts.limits = dict(limits)
        if self._whole_process:
            self._set_backstops()

    def ask_for_more(self, limit: str, figure: float) -> None:
        """The agent is over a soft limit with `figure`: ask for more, once at a time."""
        parts = self._parts
        asked = self._asked.get(limit)
        if asked is not None and not asked.done():
            return
        allowed = float(parts.limits.get(limit) or 0.0)
        soft = float(parts.limits.get("soft") or 1.0)
        amount = max(figure / soft * _HEADROOM - allowed, allowed * (_HEADROOM - 1.0))
        running = parts.slots.running()
        reason = f"{figure:g} of {allowed:g} are in use" + (f" by {running[0].task_id}" if running else "")
        self._asked[limit] = parts.requests.send(
            AdjustmentRequest(parts.spec.agent, limit, amount, reason), timeout=_ASK_TIMEOUT, recipient=HUB
        )

    def _no_memory_for(self, size: int) -> str | None:
        """See `AgentParts.no_memory_for`. What is read needs at least as much memory as it has bytes."""
        allowed = self._parts.limits.get("memory")
        if allowed is None:
            return None
        used = self._parts.vitals.memory_kb() * 1024
        if used + size <= allowed:
            return None
        return (
            f"it would need that much memory, and {self._parts.spec.agent} uses {used >> 20:,} MiB of the "
            f'{int(allowed) >> 20:,} MiB that it may; send it in parts, or raise the limit, as with Limits(memory="4G")'
        )

    def _set_backstops(self) -> None:
        import resource  # noqa: PLC0415 - absent on Windows, where this module must still import

        memory = self._parts.limits.get("memory")
        wanted = None if memory is None else self._base + int(memory * 1.5) + _MEMORY_MARGIN
        _set_soft(resource.RLIMIT_DATA, wanted)
        files = self._parts.limits.get("open_files")
        if files is not None:
            _set_soft(resource.RLIMIT_NOFILE, int(files) * 2)


def _set_soft(which: int, wanted: int | None) -> None:
    """Set a soft limit as near to what is wanted as the hard one allows; None takes it away."""
    import resource  # noqa: PLC0415 - as above

    _, hard = resource.getrlimit(which)
    soft = hard if wanted is None else wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(which, (soft, hard))


def _data_size() -> int:
    """The private writable memory that the process has now, in bytes; 0 where that cannot be told."""
    try:
        with open("/proc/self/status", "rb") as file:
            for line in file:
                if line.startswith(b"VmData:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
