"""Errors in words, whether they were raised here or in an agent."""

from __future__ import annotations

from actors.errors.recorded import RecordedError
from actors.protocol.messages import Failure

__all__ = ["line_of", "text_of"]

_LONGEST_LINE = 240


def text_of(error: BaseException | Failure | None) -> str:
    """The type and the text of an error; "" for None."""
    if isinstance(error, Failure):
        return f"{error.type_names[0] if error.type_names else 'error'}: {error.text}"
    if isinstance(error, RecordedError):
        return f"{type(error).__name__}: {error.headline}"
    return f"{type(error).__name__}: {error}" if error is not None else ""


def line_of(error: BaseException | Failure | None) -> str:
    """The same in one line that is not too long."""
    text = text_of(error)
    line = text.partition("\n")[0]
    if len(line) > _LONGEST_LINE:
        return line[: _LONGEST_LINE - 4] + " ..."
    return line if line == text else line + " ..."
