"""The way of references from process to process, which a room above this one knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from actors.errors import NotSerializable

if TYPE_CHECKING:
    from actors.kernel.address import Address

__all__ = ["Travel", "install_travel", "travel"]


class Travel(Protocol):
    """What knows the way to the actors of other processes."""

    def leaving(self, address: Address) -> tuple[Any, ...]:
        """What `__reduce__` of a reference to an actor of this process gives: a function and its arguments."""

    def arriving(self, address: Address) -> Any:
        """The reference to an actor of another process."""


# At most one. It is installed by the room above that has sockets, which this one does not know.
_installed: list[Travel] = []


def install_travel(travel: Travel | None) -> None:
    """Say how references get from process to process; None: not at all, which is an error for who tries."""
    _installed[:] = [] if travel is None else [travel]


def travel() -> Travel:
    """What is installed.

    Raises:
        NotSerializable: nothing is.
    """
    for installed in _installed:
        return installed
    raise NotSerializable(
        "references to actors cannot travel here: import actors.remote.travel first",
        what="a reference to an actor",
        reason="nothing is installed that knows the way",
    )
