"""How references get from process to process; importing this file makes them able to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.kernel.travel import install_travel
from actors.ondemand import on_demand

if TYPE_CHECKING:
    from actors.kernel.address import Address
    from actors.kernel.ref import ActorRef
    from actors.remote import ref
else:
    ref = on_demand(globals(), "ref", "actors.remote.ref")

__all__: list[str] = []


class _Travel:
    """See `Travel`."""

    def leaving(self, address: Address) -> tuple[Any, ...]:
        return ref.leaving(address)

    def arriving(self, address: Address) -> ActorRef[Any]:
        return ref.RemoteRef(address)


install_travel(_Travel())
