"""Where the library runs, the clear word where it does not, and what the operating system names."""

from __future__ import annotations

import signal
import sys

from actors.errors import ConfigError

__all__ = ["check_platform", "signal_name"]


def check_platform(platform: str | None = None) -> None:
    """Refuse an operating system on which agents cannot be started.

    Args:
        platform: as `sys.platform` names it; None is the one that this runs on.

    Raises:
        ConfigError: it is Windows.
    """
    platform = sys.platform if platform is None else platform
    if platform == "win32":
        raise ConfigError(
            "actors runs on Linux, and this is Windows: agents need signals, Unix sockets and descriptors that are "
            "passed on. Run the program in the Windows Subsystem for Linux or in a Linux container",
            key="platform",
            value=platform,
            allowed="linux, darwin (not tested)",
        )


def signal_name(number: int) -> str:
    """The name of a signal, or `signal 40` for one that has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
