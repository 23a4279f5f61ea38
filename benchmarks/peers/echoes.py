"""The actors of those libraries that want theirs to be importable; each is made where its library is installed."""

from __future__ import annotations

import contextlib
from typing import Any

__all__ = ["ThespianEcho", "XoscarEcho"]

with contextlib.suppress(ImportError):
    import xoscar

    class XoscarEcho(xoscar.Actor):  # type: ignore[misc]  # without types
        """Gives back what it gets."""

        async def echo(self, value: Any) -> Any:
            """The empty task."""
            return value


with contextlib.suppress(ImportError):
    from thespian.actors import Actor

    class ThespianEcho(Actor):  # type: ignore[misc]  # without types
        """Sends back what it gets; anything but a number is a message of the library itself."""

        def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - named by Thespian
            """The empty task."""
            if isinstance(message, int):
                self.send(sender, message)
