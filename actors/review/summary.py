"""The summary of a review for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.analysis.filereport import Finding
from actors.analysis.languages import label_of
from actors.errors import ConfigError
from actors.review.assessment import Assessment
from actors.review.bands import BANDS, band_of
from actors.review.codereport import CodeReport, Cycle, Totals, Trouble
from actors.review.display import count, duration, printable, shorten
from actors.review.timeline import RunTimeline

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

__all__ = ["print_summary", "render_summary"]

_STYLES = ("dim", "green", "yellow", "dark_orange", "red", "bold magenta")
_HOT = 8
_TROUBLES = 8
_CYCLES = 4
_BAR = 24
_BLOCKS = " ▏▎▍▌▋▊▉█"


def print_summary(
    code: CodeReport,
    run: RunTimeline | None = None,
    *,
    report: str = "",
    console: Console | None = None,
    assessment: Assessment | None = None,
) -> None:
    """Print the summary.

    Args:
        code: the tree.
        run: the run itself, for its last line.
        report: where the report is; empty if none was written.
        console: where to print; standard output if it is not given.
        assessment: the score and the findings; without it there are no lines about them.

    Raises:
        ConfigError: the extra `cli` is not installed.
    """
    parts = render_summary(code, run, report=report, assessment=assessment)
    if console is None:
        from rich.console import Console  # noqa: PLC0415 - an extra

        console = Console()
    from rich.text import Text  # noqa: PLC0415 - an extra

    for part in parts:
        # What is a line is not broken by us: a path in two pieces cannot be copied.
        console.print(part, soft_wrap=isinstance(part, Text))


def render_summary(
    code: CodeReport, run: RunTimeline | None = None, *, report: str = "", assessment: Assessment | None = None
) -> list[RenderableType]:
    """The parts of the summary, for `rich` to print. Arguments and errors as for `print_summary`."""
    try:
        from rich.text import Text  # noqa: PLC0415 - an extra
    except ImportError as error:
        message = "the summary needs rich, which is not installed: pip install 'actors-hub[cli]'"
        raise ConfigError(message, key="cli", allowed="actors-hub[cli]") from error
    totals = code.totals
    parts: list[RenderableType] = [Text(_headline(totals), style="bold")]
    if totals.files:
        parts.append(_languages(code))
    if code.complex_functions:
        parts += [_distribution(code), _hot_spots(code)]
    parts += [Text.assemble(("cycle  ", "red"), _cycle_line(cycle)) for cycle in code.graph.cycles[:_CYCLES]]
    if len(code.graph.cycles) > _CYCLES:
        parts.append(Text(f"       and {count(len(code.graph.cycles) - _CYCLES, 'more cycle')}", style="dim"))
    parts += [
        _trouble_line(trouble.path, trouble.problem, trouble.detail, trouble.findings) for trouble in _worst(code)
    ]
    errors = sum(1 for trouble in code.troubles if trouble.is_error)
    if errors > _TROUBLES:
        parts.append(Text(f"       and {count(errors - _TROUBLES, 'more file')} with problems", style="dim"))
    if assessment is not None and (totals.files or assessment.findings):
        parts += _assessed(assessment)
    if run is not None and run.spans:
        agents = len({span.agent for span in run.spans})
        parts.append(
            Text(f"{count(len(run.spans), 'task')} by {count(agents, 'agent')} in {duration(run.seconds)}", style="dim")
        )
    if report:
        parts.append(Text.assemble("Report: ", (printable(report), "bold cyan")))
    return parts


def _headline(totals: Totals) -> str:
    if not totals.files:
        return "No source file was found in a language that the analysis takes."
    line = f"{count(totals.files, 'file')}, {count(totals.lines.total, 'line')}, {count(totals.functions, 'function')}"
    line += f", mean complexity {totals.mean_complexity:.2f}" if totals.functions else ""
    return line + (f"; {count(totals.reported, 'file')} could not be analysed" if totals.reported else "")


def _assessed(assessment: Assessment) -> list[RenderableType]:
    """The score with what cost it most, the number of findings, and what changed."""
    from rich.text import Text  # noqa: PLC0415 - an extra

    score = assessment.score
    parts: list[RenderableType] = []
    line = Text.assemble("Score ", (f"{score.value:.1f}", "bold"), " of 100")
    lost = sorted((part for part in score.parts if part.lost), key=lambda part: -part.lost)
    if lost:
        line.append("; points lost: " + ", ".join(f"{part.lost:.1f} of {part.points} by {part.name}" for part in lost))
    parts.append(line)
    counts = [count(number, name) for name, number in assessment.severities.items() if number]
    if counts:
        parts.append(Text("Findings: " + ", ".join(counts)))
    comparison = assessment.comparison
    if comparison is not None:
        before = comparison.score_before
        text = f"Since the earlier report: {count(len(comparison.new), 'new finding')}, {len(comparison.gone):,} gone"
        text += f", score {before:.1f} before" if before is not None else ""
        parts.append(Text(text, style="red" if comparison.got_worse else "green"))
        parts += [
            Text.assemble(
                ("new    ", "red"),
                printable(one.path),
                f":{one.line}" if one.line else "",
                f"  {printable(one.message)}",
            )
            for one in comparison.new[:_TROUBLES]
        ]
    return parts


def _table(*columns: tuple[str, bool]) -> Table:
    from rich import box  # noqa: PLC0415 - an extra
    from rich.table import Table  # noqa: PLC0415 - an extra

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for name, numeric in columns:
        table.add_column(name, justify="right" if numeric else "left", overflow="fold", no_wrap=numeric)
    return table


def _languages(code: CodeReport) -> Table:
    table = _table(("Language", False), ("Files", True), ("Lines", True), ("Functions", True), ("Mean", True))
    for language, totals in code.languages:
        mean = f"{totals.mean_complexity:.2f}" if totals.functions else "–"
        table.add_row(label_of(language), count(totals.files), count(totals.lines.total), count(totals.functions), mean)
    return table


def _distribution(code: CodeReport) -> Table:
    """The functions of each band of complexity, with a bar for the share of all complexity that is in them."""
    functions = [0] * len(BANDS)
    weights = [0] * len(BANDS)
    for bucket in code.distribution:
        functions[band_of(bucket.least)] += bucket.functions
        weights[band_of(bucket.least)] += bucket.complexity
    table = _table(("Complexity", False), ("Functions", True), ("Share of all complexity", False))
    for band in BANDS[1:]:
        if functions[band.number]:
            share = weights[band.number] / max(1, code.totals.complexity)
            bar = f"[{_STYLES[band.number]}]{_bar(share)}[/] {100 * share:.0f} %"
            table.add_row(f"{band.range} {band.name}", count(functions[band.number]), bar)
    return table


def _bar(share: float) -> str:
    eighths = round(share * _BAR * 8)
    full, part = divmod(eighths, 8)
    return (_BLOCKS[8] * full + (_BLOCKS[part] if part else "")) or _BLOCKS[1]


def _hot_spots(code: CodeReport) -> Table:
    from rich.text import Text  # noqa: PLC0415 - an extra

    table = _table(("Most complex", True), ("Function", False), ("Where", False))
    for one in code.complex_functions[:_HOT]:
        style = _STYLES[band_of(one.complexity)]
        table.add_row(
            Text(str(one.complexity), style=style),
            Text(shorten(printable(one.name), 44)),
            Text(f"{shorten(printable(one.path), 60)}:{one.line}", style="dim"),
        )
    return table


def _cycle_line(cycle: Cycle) -> str:
    way = [printable(path) for path in cycle.path]
    shown = " → ".join(way[:5]) + (" → …" if len(way) > 5 else "")
    more = f" ({len(cycle.files)} files in all)" if len(cycle.files) > len(set(cycle.path)) else ""
    return f"{shown}{more}{'' if cycle.at_load else ', closed by a call'}"


def _worst(code: CodeReport) -> list[Trouble]:
    return [trouble for trouble in code.troubles if trouble.is_error][:_TROUBLES]


def _trouble_line(path: str, problem: str | None, detail: str, findings: tuple[Finding, ...]) -> RenderableType:
    from rich.text import Text  # noqa: PLC0415 - an extra

    if problem is not None:
        return Text.assemble(
            (f"{problem.replace('_', ' ')}  ", "red"), printable(path), (f"  {printable(detail)}", "dim")
        )
    first = next(finding for finding in findings if finding.severity == "error")
    where = f"{printable(path)}:{first.line}" if first.line else printable(path)
    return Text.assemble(("error  ", "red"), where, (f"  {printable(first.message)}", "dim"))
