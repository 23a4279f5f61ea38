"""The command `python -m benchmarks`."""

from __future__ import annotations

import sys
from collections.abc import Callable

from benchmarks import compare, measure, review, show

_OTHERS: dict[str, Callable[[list[str]], int]] = {"compare": compare.main, "review": review.main, "show": show.main}


def main(arguments: list[str] | None = None) -> int:
    """Measure, or do what the first word says."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in _OTHERS:
        return _OTHERS[arguments[0]](arguments[1:])
    return measure.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
