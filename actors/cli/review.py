"""The command `actors review`."""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from actors.cli.ending import DONE, FAILED, PROBLEMS, USAGE, Stop, installed_version, refuse, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.review.changes import Changes
    from actors.review.compare import Baseline
    from actors.review.discover import Discovery
    from actors.review.extras import Wanted
    from actors.review.review import Outcome

__all__ = ["add_review"]

_HTML = "actors-review.html"
# The formats beside it, by their options.
_OTHERS = ("json", "markdown", "sarif")
# From the mildest; a finding has one of those behind the first.
_LEVELS = ("none", "note", "warning", "error")
# What each extra brings that the review needs.
_NEEDED = {"rich": "cli", "jinja2": "review", "tree_sitter": "review"}

_EPILOG = """\
examples:
  actors review .                            review this folder, leave ./actors-review.html
  actors review src --html out/review.html   say where the report goes
  actors review . --json review.json -q      figures for a script, nothing on the terminal but the report's place
  actors review . --fail-on-problems         exit with 1 if a file does not parse or could not be read
  actors review . --diff origin/main         only what this branch changed
  actors review . --since review.json        what got better and worse since an earlier report
  actors review . --fail-under 80            exit with 1 if the score is lower
  actors review . --tests --osv PyPI.zip     run the tests, look up pinned dependencies

exit codes:
  0    every file was analysed, or reported for what it is
  1    with --fail-on-problems, --fail-under, --max-severity or --fail-on-worse: what they say is so
  2    wrong usage: an option, a path that is not there, a report that cannot be written
  3    the review failed or is incomplete; what could be done is in the report
  130  interrupted by Ctrl-C (143: by TERM); what was done until then is in the report
"""


def add_review(commands: Any) -> None:
    """Add it to the commands that there are."""
    review = commands.add_parser(
        "review",
        help="analyse a tree of source files, leave an HTML report",
        description="Analyse the source files of a folder with several processes, and leave an HTML report: size and "
        "complexity, dependencies and their cycles, what does not parse. What git ignores is left out.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    review.add_argument("path", metavar="PATH", help="a folder, or one source file")
    review.add_argument("--html", metavar="FILE", default=_HTML, help=f"where the report goes (default: ./{_HTML})")
    review.add_argument("--json", metavar="FILE", help="write the figures as JSON, too; - is standard output")
    review.add_argument(
        "--markdown", metavar="FILE", help="write a short report as Markdown, too; - is standard output"
    )
    review.add_argument("--sarif", metavar="FILE", help="write the findings as SARIF 2.1.0, too; - is standard output")
    review.add_argument(
        "--since",
        metavar="REPORT.json",
        help="compare with an earlier report, which --json wrote: what got better, worse",
    )
    review.add_argument(
        "--diff", metavar="BASE", help="report only what was changed since the branch left BASE, committed or not"
    )
    review.add_argument(
        "--cache", metavar="DIR", help="where reports of unchanged files are kept (default: ~/.cache/actors/review)"
    )
    review.add_argument("--no-checks", action="store_true", help="leave out linters and security scanners")
    review.add_argument("--no-history", action="store_true", help="leave out what the commits of the repository tell")
    review.add_argument("--no-cache", action="store_true", help="analyse every file, and keep nothing")
    review.add_argument(
        "--tests", action="store_true", help="run the tests of the tree with pytest, too: this runs its code"
    )
    review.add_argument(
        "--secrets-in-history",
        action="store_true",
        help="look for secrets in all that was ever committed, too",
    )
    review.add_argument(
        "--osv",
        metavar="DUMP",
        help="look for vulnerable pins of dependencies, too, with this dump of OSV: a folder, zip or JSON file",
    )
    review.add_argument(
        "--workers", metavar="N", type=_workers, help="agents that analyse (default: one per processor)"
    )
    review.add_argument(
        "--max-bytes", metavar="SIZE", type=_size, help="report larger files without reading them (default: 5M)"
    )
    review.add_argument(
        "--fail-on-problems", action="store_true", help="exit with 1 if a file has errors or could not be looked into"
    )
    review.add_argument(
        "--fail-under", metavar="SCORE", type=_score, help="exit with 1 if the score is lower, 0 to 100"
    )
    review.add_argument(
        "--max-severity",
        metavar="LEVEL",
        choices=_LEVELS,
        help=f"exit with 1 if a finding is more severe; one of {', '.join(_LEVELS)}",
    )
    review.add_argument(
        "--fail-on-worse",
        action="store_true",
        help="with --since: exit with 1 if the score is lower or there is a new error or warning",
    )
    review.add_argument("-q", "--quiet", action="store_true", help="print nothing but where the report is, and errors")
    review.set_defaults(run=_review)


def _workers(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= 1024:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 1024, got {text!r}")
    return number


def _score(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 100:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 100, got {text!r}")
    return number


def _size(text: str) -> int:
    from actors.settings import parse_size  # noqa: PLC0415 - the command starts fast

    try:
        number = parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'expected bytes, as 500000 or "5M", got {text!r}') from error
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 byte or more, got {text!r}")
    return number


def _review(options: argparse.Namespace, stop: Stop) -> int:
    """The command `actors review`."""
    _check_machine()
    for stream in (sys.stdout, sys.stderr):
        # Whatever a terminal cannot show, a file's name in it must not end the command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    from actors.errors import ConfigError  # noqa: PLC0415 - --help and --version start faster without
    from actors.review.cache import ReportCache, default_folder  # noqa: PLC0415
    from actors.review.discover import discover  # noqa: PLC0415
    from actors.review.live import view_for  # noqa: PLC0415
    from actors.review.output import write_output  # noqa: PLC0415
    from actors.review.review import Review, ReviewFailed  # noqa: PLC0415

    _check_options(options)
    _check_outputs(options)
    baseline = _baseline(options.since)
    try:
        found = discover(options.path)
    except OSError as error:
        refuse(USAGE, f"cannot review {options.path!r}: {text_of(error)}")
    changes = _changes(found.root, options.diff)
    title = os.path.basename(found.root) if found.method != "file" else found.files[0]
    view = view_for(sys.stderr, options.path, quiet=options.quiet)
    review = Review(
        found,
        title=title or "/",
        workers=options.workers,
        max_bytes=options.max_bytes,
        watch=view.show,
        cache=None if options.no_cache else ReportCache(options.cache or default_folder(os.environ)),
        changes=changes,
        baseline=baseline,
        wanted=_wanted(options),
    )
    stop.running = review
    if not options.quiet:
        # Now, and not when somebody waits for the end of an interrupted review.
        import rich.console  # noqa: PLC0415
        import rich.table  # noqa: F401, PLC0415

        import actors.review.summary  # noqa: F401, PLC0415
    try:
        outcome = review.run()
    except ReviewFailed as error:
        refuse(FAILED, str(error))
    except ConfigError as error:
        # A setting from the environment.
        refuse(USAGE, str(error))
    finally:
        view.close()
        stop.running = None
    try:
        write_output(options.html, outcome.page)
        for name, text in _others(options, found, outcome, title or "/").items():
            if getattr(options, name) == "-":
                sys.stdout.write(text)
                sys.stdout.flush()
            else:
                write_output(getattr(options, name), text)
    except OSError as error:
        refuse(FAILED, f"the review is done, but cannot be written: {text_of(error)}")
    _print(options, outcome)
    return _code(options, outcome, stop)


def _check_machine() -> None:
    from actors.errors import ConfigError  # noqa: PLC0415 - see _review
    from actors.platforms import check_platform  # noqa: PLC0415 - see _review

    try:
        check_platform()
    except ConfigError as error:
        refuse(FAILED, str(error))
    missing = [module for module in _NEEDED if importlib.util.find_spec(module) is None]
    if missing:
        # All at once, so that nobody installs one extra only to learn of the next.
        extras = ",".join(sorted({_NEEDED[module] for module in missing}))
        names = ", ".join(missing)
        refuse(FAILED, f"the review needs what is not installed ({names}): pip install 'actors-hub[{extras}]'")


def _check_outputs(options: argparse.Namespace) -> None:
    from actors.review.output import check_output  # noqa: PLC0415 - see _review

    wanted: dict[str, str] = {}
    for name in ("html", *_OTHERS):
        path = getattr(options, name)
        if path is None or (path == "-" and name != "html"):
            continue
        other = wanted.setdefault(os.path.realpath(path), name)
        if other != name:
            refuse(USAGE, f"--{other} and --{name} name the same file, {path!r}")
    if sum(getattr(options, name) == "-" for name in _OTHERS) > 1:
        refuse(USAGE, "only one of --json, --markdown and --sarif can go to standard output")
    for path in (getattr(options, name) for name in wanted.values()):
        try:
            check_output(path)
        except (OSError, ValueError) as error:
            refuse(USAGE, f"cannot write to {path!r}: {text_of(error)}")


def _others(options: argparse.Namespace, found: Discovery, outcome: Outcome, title: str) -> dict[str, str]:
    """The texts of the formats beside HTML that are wanted, by the names of their options."""
    texts: dict[str, str] = {}
    if options.json is not None:
        from actors.review.document import report_document  # noqa: PLC0415 - see _review

        document = report_document(found, outcome, installed_version(), title)
        texts["json"] = json.dumps(document, indent=1, ensure_ascii=True) + "\n"
    if options.markdown is not None:
        from actors.review.markdown import render_markdown  # noqa: PLC0415 - see _review

        texts["markdown"] = render_markdown(outcome.code, outcome.assessment, title=title, notes=outcome.notes)
    if options.sarif is not None:
        from actors.quality.finding import QualityReport  # noqa: PLC0415 - see _review
        from actors.quality.sarif import to_sarif  # noqa: PLC0415 - see _review

        quality = outcome.assessment.quality or QualityReport()
        log = to_sarif(QualityReport(outcome.assessment.findings, skipped=quality.skipped), found.root)
        texts["sarif"] = json.dumps(log, indent=1, ensure_ascii=True) + "\n"
    return texts


def _check_options(options: argparse.Namespace) -> None:
    if options.fail_on_worse and options.since is None:
        refuse(USAGE, "--fail-on-worse needs an earlier report to compare with: --since REPORT.json")
    if options.no_cache and options.cache is not None:
        refuse(USAGE, "--cache and --no-cache exclude each other")
    if options.cache is not None and os.path.lexists(options.cache) and not os.path.isdir(options.cache):
        refuse(USAGE, f"--cache: expected a folder, and {options.cache!r} is none")
    asked = {"--tests": options.tests, "--secrets-in-history": options.secrets_in_history, "--osv": options.osv}
    for name, value in asked.items():
        if options.no_checks and value:
            refuse(USAGE, f"{name} and --no-checks exclude each other")
    if options.osv is not None and not os.path.exists(options.osv):
        refuse(
            USAGE, f"--osv: expected a folder, zip or JSON file with records of OSV, and {options.osv!r} is not there"
        )


def _wanted(options: argparse.Namespace) -> Wanted:
    from actors.review.extras import Wanted  # noqa: PLC0415 - see _review

    return Wanted(
        checks=not options.no_checks,
        history=not options.no_history,
        tests=options.tests,
        secrets_in_history=options.secrets_in_history,
        osv=None if options.osv is None else os.path.abspath(options.osv),
    )


def _baseline(path: str | None) -> Baseline | None:
    if path is None:
        return None
    from actors.review.compare import BadBaseline, read_baseline  # noqa: PLC0415 - see _review

    try:
        return read_baseline(path)
    except OSError as error:
        refuse(USAGE, f"--since: cannot read {path!r}: {text_of(error)}")
    except BadBaseline as error:
        refuse(USAGE, f"--since: {error}")


def _changes(root: str, base: str | None) -> Changes | None:
    if base is None:
        return None
    from actors.review.changes import NoChanges, changes_since  # noqa: PLC0415 - see _review

    try:
        return changes_since(root, base)
    except NoChanges as error:
        refuse(USAGE, f"--diff: {error}")


def _print(options: argparse.Namespace, outcome: Outcome) -> None:
    """The summary, to standard output, or to standard error where the figures take that."""
    from actors.review.display import printable  # noqa: PLC0415 - see _review
    from actors.review.summary import print_summary  # noqa: PLC0415 - see _review

    taken = any(getattr(options, name) == "-" for name in _OTHERS)
    place = os.path.abspath(options.html)
    if options.quiet:
        print(f"Report: {printable(place)}", file=sys.stderr if taken else sys.stdout)
        return
    from rich.console import Console  # noqa: PLC0415 - an extra

    console = Console(stderr=taken, highlight=False)
    for note in outcome.notes:
        console.print(printable(note), style="yellow", markup=False)
    print_summary(outcome.code, outcome.run, report=place, console=console, assessment=outcome.assessment)


def _code(options: argparse.Namespace, outcome: Outcome, stop: Stop) -> int:
    if outcome.interrupted:
        return stop.code
    if not outcome.complete:
        return FAILED
    reasons = list(_missed(options, outcome))
    for reason in reasons:
        print(f"actors review: {reason}", file=sys.stderr)
    return PROBLEMS if reasons else DONE


def _missed(options: argparse.Namespace, outcome: Outcome) -> Iterator[str]:
    """What the options ask for and the tree does not keep, in words."""
    assessment = outcome.assessment
    if options.fail_on_problems and any(trouble.is_error for trouble in outcome.code.troubles):
        yield "files have errors or could not be looked into (--fail-on-problems)"
    if options.fail_under is not None and assessment.score.value < options.fail_under:
        yield f"the score is {assessment.score.value:.1f}, below {options.fail_under:g} (--fail-under)"
    if options.max_severity is not None:
        beyond = _LEVELS[_LEVELS.index(options.max_severity) + 1 :]
        counts = [
            f"{assessment.severities[name]:,} {name}s" for name in reversed(beyond) if assessment.severities[name]
        ]
        if counts:
            yield f"the findings are more severe than allowed: {', '.join(counts)} (--max-severity {options.max_severity})"
    if options.fail_on_worse and assessment.comparison is not None and assessment.comparison.got_worse:
        yield f"it got worse since {options.since} (--fail-on-worse)"
