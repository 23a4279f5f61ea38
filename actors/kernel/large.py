"""Messages from other processes that are so large that their reading would hold up others: the actor reads them itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from actors.errors import ActorsError
from actors.kernel.reply import Ask

__all__ = ["LargeMessage", "take"]

_log = logging.getLogger("actors.kernel")


class LargeMessage:
    """Stands for a message until its actor comes round to it.

    Args:
        read: gives those who do nothing but wait for its answer (see `askers`), and the message.
    """

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[], tuple[tuple[Any, ...], Any]]) -> None:
        self._read: Callable[[], tuple[tuple[Any, ...], Any]] | None = read

    def read(self) -> tuple[tuple[Any, ...], Any]:
        """See `read` above; once.

        Raises:
            ActorsError: it cannot be read.
        """
        read, self._read = self._read, None
        if read is None:
            raise ActorsError("this message was read before")
        return read()


def take(run: Any, message: LargeMessage) -> Any:
    """Read the message in hand, and hand it to the method that takes it; in the actor's thread.

    Args:
        run: the actor's `Run`.
        message: what is in hand.
    """
    try:
        askers, value = message.read()
    except ActorsError as error:
        if run.asked is not None:
            raise
        _log.warning("A message to %s is lost: %s", run.cell.name, error)
        run.cell.bury(message)
        return None
    if isinstance(run.in_hand, Ask):
        # So that it is not to be read again after it was put aside.
        run.in_hand.message, run.in_hand.askers = value, askers
        run.askers = askers
    else:
        run.in_hand = value
    return run._dispatch(value)  # noqa: SLF001 - a part of it
