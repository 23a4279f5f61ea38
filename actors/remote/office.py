"""The one post office of a process: opened when a reference first leaves or comes in, closed with the last system.

A child of a fork has none of its parent's: its own is opened when it first needs one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable

from actors.kernel.address import Address, process_name
from actors.kernel.cell import live_cells
from actors.remote import endpoint as endpoints
from actors.remote.delivery import Room
from actors.remote.postoffice import DeadLetterListener, Inquiry, Office

__all__ = [
    "close",
    "dead_letter",
    "hold",
    "know",
    "know_no_more",
    "limit",
    "office",
    "opened",
    "release",
]

_log = logging.getLogger("actors.remote")


class _Post:
    """The one office of the process, and who wants it to be there."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.office: Office | None = None
        # The roots of the systems that run here, the first of them first.
        self.holders: list[str] = []
        self.inquiries: list[Inquiry] = []
        self.listeners: list[DeadLetterListener] = []
        self.room = Room()


_post = _Post()


def office() -> Office:
    """The post office of this process, opened if need be.

    Raises:
        OSError: there are no descriptors for it.
    """
    post = _post
    found = post.office
    if found is not None:
        return found
    with post.lock:
        if post.office is None:
            directory = endpoints.directory_below(post.holders[0]) if post.holders else endpoints.directory_here()
            post.office = Office(directory, post.inquiries, post.room, _to_nobody)
        return post.office


def dead_letter(address: Address, message: object) -> None:
    """A message from here will not arrive: tell who wants to know."""
    _log.debug("Dead letter to %s: %r", address.name, message)
    for listener in list(_post.listeners):
        try:
            listener(address, message)
        except Exception:  # noqa: BLE001 - the listener's own trouble
            _log.exception("The listener for dead letters to %s raised", address.name)


def _to_nobody(number: int, message: object) -> None:
    """A message has come for an actor of this process of which nothing is left, not even its name."""
    dead_letter(Address(process_name(), number, f"actor {number}"), message)


def opened() -> Office | None:
    """The post office if there is one."""
    return _post.office


def know(*, inquiry: Inquiry | None = None, listener: DeadLetterListener | None = None) -> None:
    """Ask `inquiry` about processes that are gone, and tell `listener` of dead letters."""
    if inquiry is not None:
        _post.inquiries.append(inquiry)
    if listener is not None:
        _post.listeners.append(listener)


def limit(refusal: Callable[[int], str | None]) -> None:
    """This process has limits of memory: `refusal` says why there is none for a message of so many bytes, or None."""
    _post.room.refusal = refusal


def know_no_more(*, inquiry: Inquiry, listener: DeadLetterListener) -> None:
    """The opposite of `know`."""
    with contextlib.suppress(ValueError):
        _post.inquiries.remove(inquiry)
    with contextlib.suppress(ValueError):
        _post.listeners.remove(listener)


def hold(root: str) -> None:
    """A system has started, with its workspaces below `root`: an office that is opened from now on listens there."""
    with _post.lock:
        _post.holders.append(root)


def release(root: str) -> None:
    """A system has ended. With the last one, or when the office listens below its root, the office closes."""
    with _post.lock:
        if root not in _post.holders:
            return
        _post.holders.remove(root)
        found = _post.office
        if found is None or (_post.holders and not found.endpoint.startswith(os.path.join(root, ""))):
            return
        _post.office = None
    found.close()


def close() -> None:
    """Close the office of this process; the next reference that travels opens another."""
    with _post.lock:
        found, _post.office = _post.office, None
    if found is not None:
        found.close()


def _before_fork() -> None:
    """Open the office if the program has references that it may use in the child, where it could not be done."""
    if _post.office is None and any(cell.public and not cell.stopped.is_set() for cell in live_cells()):
        with contextlib.suppress(OSError):
            office()


def _after_fork() -> None:
    global _post
    mine, _post = _post, _Post()
    if mine.office is not None:
        for cell in live_cells():
            if cell.left_behind == "":
                cell.left_behind = mine.office.endpoint
        mine.office.part()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
