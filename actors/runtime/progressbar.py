"""The progress bar of `map`."""

from __future__ import annotations

from typing import Any

from actors.errors import ConfigError

__all__ = ["ProgressBar"]


class ProgressBar:
    """Shows on stderr how many items have been taken, how fast, and how long it will take.

    Args:
        total: how many there will be, or None if nobody knows.

    Raises:
        ConfigError: the extra `cli` is not installed.
    """

    def __init__(self, total: int | None) -> None:
        try:
            # An extra, and 50 ms that a program without a bar must not pay.
            from rich.console import Console  # noqa: PLC0415
            from rich.progress import (  # noqa: PLC0415
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
            )
        except ImportError:
            raise ConfigError(
                "progress=True draws with rich: install it with pip install 'actors-hub[cli]', or leave progress out",
                key="progress",
                value=True,
            ) from None
        self._progress: Any = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task("", total=total)
        self._progress.start()

    def advance(self) -> None:
        """One more item was taken."""
        self._progress.advance(self._task)

    def close(self) -> None:
        """Leave the bar as it is and give the terminal back."""
        self._progress.stop()
