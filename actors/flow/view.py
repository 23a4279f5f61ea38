"""What is shown while a workflow runs: a picture on a terminal, a line for each task elsewhere."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, TextIO

from actors.core.planreport import StepReport
from actors.flow.run import Watcher
from actors.review.display import count, duration, printable, shorten

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

__all__ = ["FlowView", "LineView", "LiveView", "SilentView", "view_for"]

_FRAME = 0.1
_MOST_TASKS = 12
_BAR = 24
_LAST_LINES = 20
_SIGNS = {"completed": ("✓", "green"), "skipped": ("–", "yellow"), "failed": ("✗", "red"), "cancelled": ("·", "dim")}


class FlowView(Watcher):
    """A watcher that has something to put away in the end."""

    def close(self) -> None:
        """Leave the terminal as it was. A second call is nothing."""


class SilentView(FlowView):
    """Shows nothing."""

    def began(self, task: str) -> None:
        """Show nothing."""

    def started(self, task: str, agent: str) -> None:
        """Show nothing."""

    def said(self, task: str, text: str) -> None:
        """Show nothing."""

    def ended(self, report: StepReport, *, resumed: bool) -> None:
        """Show nothing."""

    def tick(self, ended: int, total: int) -> None:
        """Show nothing."""


class LineView(SilentView):
    """Writes a line for each task that has ended, for a log.

    Args:
        stream: where to.
        output: write what tasks tell, too, each line after the name of its task.
    """

    def __init__(self, stream: TextIO, *, output: bool) -> None:
        self._stream = stream
        self._output = output
        # Of each task the beginning of a line whose end has not come yet.
        self._open: dict[str, str] = {}

    def said(self, task: str, text: str) -> None:
        """Write whole lines."""
        if not self._output:
            return
        *lines, rest = (self._open.get(task, "") + text).split("\n")
        self._open[task] = rest
        for line in lines:
            self._write(f"{printable(task)} | {printable(line)}")

    def ended(self, report: StepReport, *, resumed: bool) -> None:
        """Write how it ended."""
        rest = self._open.pop(report.id, "")
        if rest:
            self._write(f"{printable(report.id)} | {printable(rest)}")
        sign, _ = _SIGNS[report.status]
        self._write(f"{sign} {_ending(report, resumed=resumed)}")
        for line in _error_lines(report):
            self._write(f"    {line}")

    def _write(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class LiveView(SilentView):
    """A picture that changes in its place, below the lines of what has ended. Needs the extra `cli`.

    Args:
        stream: a terminal.
        title: what is done.
        output: write what tasks tell, too.
    """

    def __init__(self, stream: TextIO, title: str, *, output: bool) -> None:
        from rich.console import Console  # noqa: PLC0415 - an extra
        from rich.live import Live  # noqa: PLC0415 - an extra

        self._console = Console(file=stream, highlight=False)
        self._title = printable(title)
        self._output = output
        self._lines: dict[str, str] = {}
        self._agents: dict[str, tuple[str, float]] = {}
        self._shown = 0.0
        self._live: Live | None = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def started(self, task: str, agent: str) -> None:
        """It runs from now on."""
        self._agents[task] = (agent, time.monotonic())

    def said(self, task: str, text: str) -> None:
        """Keep the last line."""
        lines = [line for line in text.splitlines() if line.strip()]
        if lines:
            self._lines[task] = lines[-1]
        if self._output:
            for line in lines:
                self._print(f"{printable(task)} | {printable(line)}", "dim")

    def ended(self, report: StepReport, *, resumed: bool) -> None:
        """Write how it ended, above the picture."""
        self._agents.pop(report.id, None)
        self._lines.pop(report.id, None)
        sign, style = _SIGNS[report.status]
        self._print(f"{sign} {_ending(report, resumed=resumed)}", style)
        for line in _error_lines(report):
            self._print(f"    {line}", "")

    def tick(self, ended: int, total: int) -> None:
        """Draw it, unless it has just been drawn."""
        now = time.monotonic()
        if self._live is not None and now - self._shown >= _FRAME:
            self._shown = now
            self._live.update(self._picture(ended, total, now), refresh=True)

    def close(self) -> None:
        """Take the picture away."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _print(self, line: str, style: str) -> None:
        self._console.print(line, style=style, markup=False, soft_wrap=True)

    def _picture(self, ended: int, total: int, now: float) -> RenderableType:
        from rich.console import Group  # noqa: PLC0415 - an extra
        from rich.progress_bar import ProgressBar  # noqa: PLC0415 - an extra
        from rich.table import Table  # noqa: PLC0415 - an extra
        from rich.text import Text  # noqa: PLC0415 - an extra

        bar = Table.grid(padding=(0, 1))
        figures = f"{self._title}: {ended:,} of {count(total, 'task')}, {len(self._agents)} running"
        bar.add_row(ProgressBar(total=max(1, total), completed=ended, width=_BAR), Text(figures, no_wrap=True))
        tasks = Table.grid(padding=(0, 1), expand=True)
        tasks.add_column(no_wrap=True)
        tasks.add_column(justify="right", no_wrap=True)
        tasks.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        room = max(1, min(_MOST_TASKS, self._console.height - 4))
        for task, (agent, since) in list(self._agents.items())[:room]:
            line = printable(self._lines.get(task, "")) or agent
            tasks.add_row(
                Text(shorten(printable(task), 40), style="cyan"), Text(duration(now - since)), Text(line, style="dim")
            )
        more = len(self._agents) - room
        return Group(bar, tasks, *([Text(f"and {count(more, 'more task')}", style="dim")] if more > 0 else []))


def view_for(stream: TextIO, title: str, *, quiet: bool, output: bool) -> FlowView:
    """The view that suits where it is shown.

    Raises:
        ImportError: it is a terminal, and the extra `cli` is not installed.
    """
    if quiet:
        return SilentView()
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        return LiveView(stream, title, output=output)
    return LineView(stream, output=output)


def _ending(report: StepReport, *, resumed: bool) -> str:
    how = "completed in an earlier run" if resumed and report.status == "completed" else report.status
    took = "" if resumed else f"  {duration(report.seconds)}"
    tries = f", {report.attempts} attempts" if report.attempts > 1 else ""
    return f"{printable(report.id)}  {how}{took}{tries}"


def _error_lines(report: StepReport) -> list[str]:
    return [printable(line) for line in report.error.splitlines()][-_LAST_LINES:]
