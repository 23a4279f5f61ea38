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
    from actors.review.discover import Discovery
    from actors.review.review import Outcome

__all__ = ["add_review"]

_HTML = "actors-review.html"
# What each extra brings that the review needs.
_NEEDED = {"rich": "cli", "jinja2": "review", "tree_sitter": "review"}

_EPILOG = """\
examples:
  actors review .                            review this folder, leave ./actors-review.html
  actors review src --html out/review.html   say where the report goes
  actors review . --json review.json -q      figures for a script, nothing on the terminal but the report's place
  actors review . --fail-on-problems         exit with 1 if a file does not parse or could not be read

exit codes:
  0    every file was analysed, or reported for what it is
  1    with --fail-on-problems: a file has errors or could not be looked into
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
        "--workers", metavar="N", type=_workers, help="agents that analyse (default: one per processor)"
    )
    review.add_argument(
        "--max-bytes", metavar="SIZE", type=_size, help="report larger files without reading them (default: 5M)"
    )
    review.add_argument(
        "--fail-on-problems", action="store_true", help="exit with 1 if a file has errors or could not be looked into"
    )
    review.add_argument("-q", "--quiet", action="store_true", help="print nothing but where the report is, and errors")
    review.set_defaults(run=_review)


def _workers(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= 1024:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 1024, got {text!r}")
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
    from actors.review.discover import discover  # noqa: PLC0415
    from actors.review.live import view_for  # noqa: PLC0415
    from actors.review.output import write_output  # noqa: PLC0415
    from actors.review.review import Review, ReviewFailed  # noqa: PLC0415

    _check_outputs(options)
    try:
        found = discover(options.path)
    except OSError as error:
        refuse(USAGE, f"cannot review {options.path!r}: {text_of(error)}")
    title = os.path.basename(found.root) if found.method != "file" else found.files[0]
    view = view_for(sys.stderr, options.path, quiet=options.quiet)
    review = Review(found, title=title or "/", workers=options.workers, max_bytes=options.max_bytes, watch=view.show)
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
        if options.json not in {None, "-"}:
            write_output(options.json, _json(found, outcome))
    except OSError as error:
        refuse(FAILED, f"the review is done, but cannot be written: {text_of(error)}")
    _print(options, found, outcome)
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

    wanted = [options.html, *([options.json] if options.json not in {None, "-"} else [])]
    if len({os.path.realpath(path) for path in wanted}) < len(wanted):
        refuse(USAGE, f"--html and --json name the same file, {options.html!r}")
    for path in wanted:
        try:
            check_output(path)
        except (OSError, ValueError) as error:
            refuse(USAGE, f"cannot write to {path!r}: {text_of(error)}")


def _json(found: Discovery, outcome: Outcome) -> str:
    data: dict[str, Any] = {
        "format": 1,
        "version": installed_version(),
        "root": found.root,
        "method": found.method,
        "notes": list(outcome.notes),
        "left_out": [{"path": one.path, "reason": one.reason} for one in found.left_out],
        "complete": outcome.complete,
        "interrupted": outcome.interrupted,
        "files_found": outcome.found,
        "files_covered": outcome.covered,
        "analyses_failed": outcome.written_off,
        "report": outcome.code.to_dict(),
        "run": outcome.run.to_dict(),
    }
    return json.dumps(data, indent=1, ensure_ascii=True) + "\n"


def _print(options: argparse.Namespace, found: Discovery, outcome: Outcome) -> None:
    """The summary, to standard output, or to standard error where the figures take that."""
    from actors.review.display import printable  # noqa: PLC0415 - see _review
    from actors.review.summary import print_summary  # noqa: PLC0415 - see _review

    if options.json == "-":
        sys.stdout.write(_json(found, outcome))
        sys.stdout.flush()
    place = os.path.abspath(options.html)
    if options.quiet:
        print(f"Report: {printable(place)}", file=sys.stderr if options.json == "-" else sys.stdout)
        return
    from rich.console import Console  # noqa: PLC0415 - an extra

    console = Console(stderr=options.json == "-", highlight=False)
    for note in outcome.notes:
        console.print(printable(note), style="yellow", markup=False)
    print_summary(outcome.code, outcome.run, report=place, console=console)


def _code(options: argparse.Namespace, outcome: Outcome, stop: Stop) -> int:
    if outcome.interrupted:
        return stop.code
    if not outcome.complete:
        return FAILED
    troubled = any(trouble.is_error for trouble in outcome.code.troubles)
    return PROBLEMS if options.fail_on_problems and troubled else DONE
