"""How references get from process to process; importing this file makes them able to."""

from __future__ import annotations

from typing import Any

import actors.remote.office as post
from actors.kernel.address import Address, process_name
from actors.kernel.ref import ActorRef, install_travel
from actors.remote.ref import RemoteRef, arrive

__all__: list[str] = []


class _Travel:
    """See `Travel`."""

    def leaving(self, address: Address) -> tuple[Any, ...]:
        endpoint = address.endpoint or (post.office().endpoint if address.process == process_name() else "")
        return arrive, (address.process, address.number, address.name, endpoint)

    def arriving(self, address: Address) -> ActorRef[Any]:
        return RemoteRef(address)


install_travel(_Travel())
