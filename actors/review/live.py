"""What is shown while a review runs: a picture on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Protocol, TextIO

from actors.review.display import count, duration, printable
from actors.review.progress import Phase, Progress

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

__all__ = ["LineView", "LiveView", "SilentView", "View", "view_for"]

_FRAME = 0.1
_LINE_EVERY = 5.0
_MOST_AGENTS = 12
_BAR = 24
_NARROW = 84
_PHASES: dict[Phase, str] = {
    "starting": "starting agents",
    "analysing": "analysing",
    "reducing": "adding up",
    "checking": "checking",
    "rendering": "rendering the report",
}
_STYLES = {
    "working": "green",
    "assigned": "green",
    "completing": "green",
    "waiting": "yellow",
    "communicating": "yellow",
    "error": "red",
    "terminating": "red",
}


class View(Protocol):
    """Shows the progress of a review."""

    def show(self, progress: Progress) -> None:
        """Show how it stands. Called a few times a second."""

    def close(self) -> None:
        """Leave the terminal as it was. A second call is nothing."""


class SilentView:
    """Shows nothing."""

    def show(self, progress: Progress) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""


class LineView:
    """Writes a line now and then, for a log.

    Args:
        stream: where to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told = time.monotonic()

    def show(self, progress: Progress) -> None:
        """Write a line if the last one is long enough ago."""
        now = time.monotonic()
        if now - self._told < _LINE_EVERY:
            return
        self._told = now
        busy = sum(1 for view in progress.agents if view.state == "working")
        line = f"{_PHASES[progress.phase]}: {_figures(progress)}, {count(busy)} of {count(len(progress.agents), 'agent')} at work"
        print(f"actors review: {line}", file=self._stream, flush=True)

    def close(self) -> None:
        """Do nothing."""


class LiveView:
    """A picture that changes in its place: how far it has come, and what each agent does. Needs the extra `cli`.

    Args:
        stream: a terminal.
        title: what is reviewed.
    """

    def __init__(self, stream: TextIO, title: str) -> None:
        from rich.console import Console  # noqa: PLC0415 - an extra
        from rich.live import Live  # noqa: PLC0415 - an extra

        self._console = Console(file=stream)
        self._title = printable(title)
        self._shown = 0.0
        self._live: Live | None = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def show(self, progress: Progress) -> None:
        """Draw it, unless it has just been drawn."""
        now = time.monotonic()
        if self._live is not None and now - self._shown >= _FRAME:
            self._shown = now
            self._live.update(self._picture(progress), refresh=True)

    def close(self) -> None:
        """Take the picture away."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _picture(self, progress: Progress) -> RenderableType:
        from rich.console import Group  # noqa: PLC0415 - an extra
        from rich.progress_bar import ProgressBar  # noqa: PLC0415 - an extra
        from rich.table import Table  # noqa: PLC0415 - an extra
        from rich.text import Text  # noqa: PLC0415 - an extra

        head = Text.assemble(("Reviewing ", "bold"), (self._title, "bold cyan"), f"  {_PHASES[progress.phase]}")
        head.truncate(self._console.width, overflow="ellipsis")
        figures = Text(_figures(progress), no_wrap=True, overflow="ellipsis")
        narrow = self._console.width < _NARROW
        line = ProgressBar(total=1.0, completed=progress.fraction, width=None if narrow else _BAR)
        bar = Table.grid(padding=(0, 1), expand=narrow)
        if narrow:
            bar.add_row(line)
            bar.add_row(figures)
        else:
            bar.add_row(line, figures)
        agents = Table.grid(padding=(0, 1), expand=True)
        agents.add_column(no_wrap=True)
        agents.add_column(no_wrap=True, width=13)
        agents.add_column(justify="right", no_wrap=True)
        agents.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        room = max(1, min(_MOST_AGENTS, self._console.height - 5))
        for view in progress.agents[:room]:
            label = printable(view.label)
            part = f"{100 * view.fraction:.0f} % of " if view.fraction and label else ""
            agents.add_row(
                Text(view.agent),
                Text(view.state, style=_STYLES.get(view.state, "dim")),
                Text(count(view.done, "task"), style="dim"),
                Text(part + label, style="dim", no_wrap=True, overflow="ellipsis"),
            )
        more = len(progress.agents) - room
        rest = [Text(f"and {count(more, 'more agent')}", style="dim")] if more > 0 else []
        return Group(head, bar, agents, *rest)


def view_for(stream: TextIO, title: str, *, quiet: bool) -> View:
    """The view that suits where it is shown.

    Raises:
        ImportError: it is a terminal, and the extra `cli` is not installed.
    """
    if quiet:
        return SilentView()
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        return LiveView(stream, title)
    return LineView(stream)


def _figures(progress: Progress) -> str:
    parts = [f"{count(progress.done)} of {count(progress.files, 'file')}", f"{100 * progress.fraction:.0f} %"]
    if progress.done:
        parts.append(f"{progress.rate:.0f} files/s" if progress.rate >= 10 else f"{progress.rate:.1f} files/s")
    if progress.phase == "analysing" and progress.left is not None:
        parts.append(f"{duration(progress.left)} left")
    if progress.written_off:
        parts.append(f"{count(progress.written_off)} failed")
    return ", ".join(parts)
