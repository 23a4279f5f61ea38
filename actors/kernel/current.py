"""Which actor the running thread is busy with."""

from __future__ import annotations

import threading
from typing import Any

__all__ = ["current"]


class _Current(threading.local):
    """`cell` is the cell of the actor whose code this thread runs, None outside of actors."""

    cell: Any = None


current = _Current()
