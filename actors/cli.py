"""The command `actors`."""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from actors.review.discover import Discovery
    from actors.review.review import Outcome, Review

__all__ = ["main"]

DONE = 0
PROBLEMS = 1
USAGE = 2
FAILED = 3
INTERRUPTED = 128
"""Plus the number of the signal, as shells count: 130 for Ctrl-C, 143 for TERM."""

_HTML = "actors-review.html"
# Where one of them does not exist, --help and --version work all the same.
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
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


class _Stopped(Exception):
    """The command ends with a code and a message for people."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; None takes those of the process.

    Returns:
        The exit code; see `actors review --help`.
    """
    stop = _Stop()
    try:
        with stop.heeded():
            options = _parser().parse_args(argv)
            code = _review(options, stop)
        if code == stop.code and argv is None:
            # Two seconds are promised, and the interpreter's own way out takes up to one on a busy machine.
            _leave(code)
        return code
    except _Stopped as stopped:
        print(f"actors: {stopped}", file=sys.stderr)
        return stopped.code
    except KeyboardInterrupt:
        print("actors: interrupted; there is no report", file=sys.stderr)
        return stop.code
    except BrokenPipeError:
        # Whoever read the output has gone; a flush at exit must not say so again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _leave(code: int) -> NoReturn:
    """End the process with nothing more than what stands in the buffers. The agents are gone by now."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


class _Stop:
    """Signals that ask the command to end: the first one the running review, a second one at once."""

    def __init__(self) -> None:
        self._signal: int | None = None
        self.review: Review | None = None

    @property
    def code(self) -> int:
        """The exit code that says so."""
        return INTERRUPTED + (self._signal or signal.SIGINT)

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Heed the signals inside the block; those that the command was started to ignore stay ignored."""
        earlier = {number: signal.getsignal(number) for number in _SIGNALS}
        for number, handler in earlier.items():
            if handler not in {signal.SIG_IGN, None}:
                signal.signal(number, self._heed)
        try:
            yield
        finally:
            for number, handler in earlier.items():
                if handler is not None:
                    signal.signal(number, handler)

    def _heed(self, number: int, frame: object) -> None:
        first, self._signal = self._signal is None, number
        if first and self.review is not None:
            # Not by an exception, which could come anywhere: the review ends at a place of its own choice.
            self.review.interrupt()
        else:
            raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="actors",
        description="Typed worker processes that work together as actors.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"actors {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
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
    return parser


def _version() -> str:
    try:
        return version("actors-hub")
    except PackageNotFoundError:
        return "of a source tree that is not installed"


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


def _review(options: argparse.Namespace, stop: _Stop) -> int:
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
        _refuse(USAGE, f"cannot review {options.path!r}: {_text(error)}")
    title = os.path.basename(found.root) if found.method != "file" else found.files[0]
    view = view_for(sys.stderr, options.path, quiet=options.quiet)
    review = Review(found, title=title or "/", workers=options.workers, max_bytes=options.max_bytes, watch=view.show)
    stop.review = review
    if not options.quiet:
        # Now, and not when somebody waits for the end of an interrupted review.
        import rich.console  # noqa: PLC0415
        import rich.table  # noqa: F401, PLC0415

        import actors.review.summary  # noqa: F401, PLC0415
    try:
        outcome = review.run()
    except ReviewFailed as error:
        _refuse(FAILED, str(error))
    except ConfigError as error:
        # A setting from the environment.
        _refuse(USAGE, str(error))
    finally:
        view.close()
        stop.review = None
    try:
        write_output(options.html, outcome.page)
        if options.json not in {None, "-"}:
            write_output(options.json, _json(found, outcome))
    except OSError as error:
        _refuse(FAILED, f"the review is done, but cannot be written: {_text(error)}")
    _print(options, found, outcome)
    return _code(options, outcome, stop)


def _check_machine() -> None:
    from actors.errors import ConfigError  # noqa: PLC0415 - see _review
    from actors.platforms import check_platform  # noqa: PLC0415 - see _review

    try:
        check_platform()
    except ConfigError as error:
        _refuse(FAILED, str(error))
    missing = [module for module in _NEEDED if importlib.util.find_spec(module) is None]
    if missing:
        # All at once, so that nobody installs one extra only to learn of the next.
        extras = ",".join(sorted({_NEEDED[module] for module in missing}))
        names = ", ".join(missing)
        _refuse(FAILED, f"the review needs what is not installed ({names}): pip install 'actors-hub[{extras}]'")


def _check_outputs(options: argparse.Namespace) -> None:
    from actors.review.output import check_output  # noqa: PLC0415 - see _review

    wanted = [options.html, *([options.json] if options.json not in {None, "-"} else [])]
    if len({os.path.realpath(path) for path in wanted}) < len(wanted):
        _refuse(USAGE, f"--html and --json name the same file, {options.html!r}")
    for path in wanted:
        try:
            check_output(path)
        except (OSError, ValueError) as error:
            _refuse(USAGE, f"cannot write to {path!r}: {_text(error)}")


def _json(found: Discovery, outcome: Outcome) -> str:
    data: dict[str, Any] = {
        "format": 1,
        "version": _version(),
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


def _code(options: argparse.Namespace, outcome: Outcome, stop: _Stop) -> int:
    if outcome.interrupted:
        return stop.code
    if not outcome.complete:
        return FAILED
    troubled = any(trouble.is_error for trouble in outcome.code.troubles)
    return PROBLEMS if options.fail_on_problems and troubled else DONE


def _text(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename!r}" if error.filename else error.strerror
    return str(error)


def _refuse(code: int, message: str) -> NoReturn:
    raise _Stopped(code, message) from None


if __name__ == "__main__":
    sys.exit(main())
