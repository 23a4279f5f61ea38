"""The command `actors`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from actors.cli.ending import FAILED, Stop, Stopped, installed_version, leave
from actors.cli.journal import add_journal
from actors.cli.review import add_review
from actors.cli.run import add_run

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; None takes those of the process.

    Returns:
        The exit code; see `actors review --help` and `actors run --help`.
    """
    stop = Stop()
    try:
        with stop.heeded():
            options = _parser().parse_args(argv)
            code: int = options.run(options, stop)
        if code == stop.code and argv is None:
            # Two seconds are promised, and the interpreter's own way out takes up to one on a busy machine.
            leave(code)
        return code
    except Stopped as stopped:
        print(f"actors: {stopped}", file=sys.stderr)
        return stopped.code
    except KeyboardInterrupt:
        print("actors: interrupted", file=sys.stderr)
        return stop.code
    except BrokenPipeError:
        # Whoever read the output has gone; a flush at exit must not say so again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="actors",
        description="Typed worker processes that work together as actors.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"actors {installed_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    add_review(commands)
    add_run(commands)
    add_journal(commands)
    return parser
