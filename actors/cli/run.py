"""The command `actors run`."""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.cli.ending import DONE, FAILED, PROBLEMS, USAGE, Stop, refuse, text_of

if TYPE_CHECKING:
    from actors.flow.flow import Flow
    from actors.flow.run import Outcome

__all__ = ["add_run"]

_NEEDED = ("rich", "yaml")

_EPILOG = """\
examples:
  actors run flow.yaml                       do it; what was completed before a crash is not done again
  actors run flow.yaml --dry-run             show what would be done
  actors run flow.yaml --picture flow.svg --dry-run
  actors run flow.yaml --var folder=src --json - -q
  actors run --schema > flow.schema.json     for the completion of an editor

While a workflow is under way its journal is FILE.journal; it is removed when all is completed. After a failure, a Ctrl-C or
the death of the program the same command goes on: tasks with a result keep it, the others are done.

exit codes:
  0    all tasks were completed, or skipped as the workflow says
  1    a task failed
  2    wrong usage: an option, a workflow with something wrong in it (each named with its line)
  3    the run itself failed, or its journal cannot be used
  130  interrupted by Ctrl-C (143: by TERM)
"""


def add_run(commands: Any) -> None:
    """Add it to the commands that there are."""
    run = commands.add_parser(
        "run",
        help="carry out the tasks of a workflow file",
        description="Carry out the tasks of a workflow file with several processes: in the order of their dependencies, "
        "each with the results of others where it names them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("file", metavar="FILE", nargs="?", help="the workflow, in YAML or JSON")
    run.add_argument(
        "--var", metavar="NAME=VALUE", action="append", default=[], type=_variable, help="a value for one of its vars"
    )
    run.add_argument("--dry-run", action="store_true", help="check it and show the graph, do nothing")
    run.add_argument("--picture", metavar="FILE", help="write the graph as an SVG image, too; - is standard output")
    run.add_argument("--schema", action="store_true", help="print the JSON schema of workflow files, do nothing else")
    run.add_argument("--journal", metavar="JOURNAL", type=Path, help="where results are kept (default: FILE.journal)")
    run.add_argument("--no-journal", action="store_true", help="keep nothing: the next run begins anew")
    run.add_argument("--fresh", action="store_true", help="forget what an earlier run has done")
    run.add_argument("--json", metavar="FILE", help="write what became of each task as JSON; - is standard output")
    run.add_argument("-v", "--verbose", action="store_true", help="show the output of commands")
    run.add_argument("-q", "--quiet", action="store_true", help="show nothing but errors")
    run.set_defaults(run=_run)


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"expected name=value, got {text!r}")
    return name, value


def _run(options: argparse.Namespace, stop: Stop) -> int:
    """The command `actors run`."""
    missing = [module for module in _NEEDED if importlib.util.find_spec(module) is None]
    if missing:
        refuse(FAILED, f"actors run needs what is not installed ({', '.join(missing)}): pip install 'actors-hub[cli]'")
    if options.schema:
        from actors.flow.schema import schema  # noqa: PLC0415 - the command starts fast

        print(json.dumps(schema(), indent=1))
        return DONE
    if options.file is None:
        refuse(USAGE, "which workflow? Name its file, as in: actors run flow.yaml")
    for stream in (sys.stdout, sys.stderr):
        # Whatever a terminal cannot show, a name in it must not end the command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # What a workflow names of its own is looked for where the command runs, as `python -m` does it.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    flow = _loaded(options)
    _check_outputs(options)
    if options.picture is not None:
        from actors.flow.picture import svg  # noqa: PLC0415 - as above

        _write(options.picture, svg(flow))
    if options.dry_run:
        from actors.flow.graph import text  # noqa: PLC0415 - as above
        from actors.review.display import printable  # noqa: PLC0415 - as above

        if options.picture != "-":
            print("\n".join(map(printable, text(flow))))
        return DONE
    return _carried_out(options, flow, stop)


def _loaded(options: argparse.Namespace) -> Flow:
    from actors.errors import ConfigError  # noqa: PLC0415 - as above
    from actors.flow.flow import load  # noqa: PLC0415 - as above
    from actors.flow.source import FlowInvalid  # noqa: PLC0415 - as above

    try:
        return load(options.file, dict(options.var))
    except FlowInvalid as error:
        refuse(USAGE, f"the workflow has something wrong in it\n{error}")
    except (OSError, ConfigError) as error:
        refuse(USAGE, f"cannot read {options.file!r}: {text_of(error)}")


def _carried_out(options: argparse.Namespace, flow: Flow, stop: Stop) -> int:
    from actors.errors import ActorsError, ConfigError  # noqa: PLC0415 - as above
    from actors.flow.past import forget  # noqa: PLC0415 - as above
    from actors.flow.run import FlowRun  # noqa: PLC0415 - as above
    from actors.flow.view import view_for  # noqa: PLC0415 - as above
    from actors.platforms import check_platform  # noqa: PLC0415 - as above

    if options.no_journal and options.journal is not None:
        refuse(USAGE, "--journal and --no-journal exclude each other")
    journal = None if options.no_journal else options.journal or Path(f"{options.file}.journal")
    view = view_for(sys.stderr, flow.name, quiet=options.quiet, output=options.verbose)
    run = FlowRun(flow, journal, view)
    stop.running = run
    try:
        check_platform()
        if options.fresh and journal is not None and journal.exists():
            forget(journal, flow.name)
        outcome = run.run()
    except ConfigError as error:
        refuse(USAGE, str(error))
    except (ActorsError, OSError) as error:
        refuse(FAILED, f"the run failed: {text_of(error)}")
    finally:
        view.close()
        stop.running = None
    if options.json is not None:
        _write(options.json, json.dumps(outcome.to_dict(), indent=1, ensure_ascii=True) + "\n")
    if not options.quiet:
        print(_summary(outcome, journal), file=sys.stderr if options.json == "-" else sys.stdout)
    if outcome.interrupted:
        return stop.code
    return DONE if outcome.status == "completed" else PROBLEMS


def _check_outputs(options: argparse.Namespace) -> None:
    from actors.review.output import check_output  # noqa: PLC0415 - as above

    if options.json == "-" == options.picture:
        refuse(USAGE, "--json and --picture cannot both go to standard output")
    for path in (options.json, options.picture):
        try:
            if path not in {None, "-"}:
                check_output(path)
        except (OSError, ValueError) as error:
            refuse(USAGE, f"cannot write to {path!r}: {text_of(error)}")


def _write(path: str, text: str) -> None:
    from actors.review.output import write_output  # noqa: PLC0415 - as above

    if path == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        write_output(path, text)
    except OSError as error:
        refuse(FAILED, f"cannot write to {path!r}: {text_of(error)}")


def _summary(outcome: Outcome, journal: Path | None) -> str:
    from actors.review.display import count, duration, printable  # noqa: PLC0415 - as above

    steps = outcome.report.steps.values()
    counts = {status: sum(step.status == status for step in steps) for status in ("completed", "skipped", "failed")}
    parts = [
        f"{count(number, 'task')} {status}" for status, number in counts.items() if number or status == "completed"
    ]
    left = len(outcome.report.steps) - sum(counts.values())
    if left:
        parts.append(f"{left:,} not done")
    if outcome.resumed:
        parts.append(f"{len(outcome.resumed):,} of them in an earlier run")
    said = f"{printable(outcome.name)}: {outcome.status} in {duration(outcome.report.seconds)}: {', '.join(parts)}"
    if outcome.status != "completed" and journal is not None:
        said += "\nThe same command goes on from here; with --fresh it begins anew."
    return said
