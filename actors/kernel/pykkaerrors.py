"""The errors that programs written for pykka catch by its names, as well as by ours."""

from __future__ import annotations

import pykka

from actors import errors

__all__ = ["AskTimeout", "DeadLetter"]


class AskTimeout(errors.AskTimeout, pykka.Timeout):
    """An answer did not come in time."""


class DeadLetter(errors.DeadLetter, pykka.ActorDeadError):
    """A message had no recipient: one that has ended, or that ended before it answered."""
