"""The way from the program to the agents of a system: through its hub."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from actors.hosts.agentref import refuse_group
from actors.hosts.later import LaterReply
from actors.hosts.serialize import pack_value, unpack_value
from actors.runtime import messages as m

if TYPE_CHECKING:
    from actors.core.agentstatus import AgentStatus
    from actors.kernel.ref import ActorRef
    from actors.kernel.reply import Reply

__all__ = ["ProgramPost"]


class ProgramPost:
    """Serialises in the caller's thread, and leaves the rest to the hub.

    Args:
        hub: the system's hub.
    """

    def __init__(self, hub: ActorRef[Any]) -> None:
        self._hub = hub

    def tell(self, recipient: str, message: Any, priority: int) -> None:
        """See `Post.tell`."""
        self.tell_all((recipient,), message, priority)

    def tell_all(self, recipients: Sequence[str], message: Any, priority: int) -> None:
        """Send a message to several recipients in one go."""
        payload = pack_value(message, f"the message {type(message).__name__}")
        self._hub.tell(m.SendToAgents(tuple(recipients), payload, type(message).__name__, None, priority))

    def ask(self, recipient: str, message: Any, timeout: float, priority: int) -> Any:
        """See `Post.ask`."""
        request = self._question(recipient, message, timeout, priority)
        return unpack_value(self._hub.ask(request, timeout=None), f"the answer of {recipient}")

    def ask_later(self, recipient: str, message: Any, timeout: float, priority: int) -> Reply[Any]:
        """See `Post.ask_later`."""
        sent = self._hub.ask_later(self._question(recipient, message, timeout, priority))
        reply = LaterReply(lambda came: unpack_value(came, f"the answer of {recipient}"))
        reply.drive = sent.drive
        return reply.follow(sent)

    def _question(self, recipient: str, message: Any, timeout: float, priority: int) -> m.SendToAgents:
        refuse_group(recipient)
        payload = pack_value(message, f"the message {type(message).__name__}")
        return m.SendToAgents((recipient,), payload, type(message).__name__, timeout, priority)

    def status_of(self, agent: str, timeout: float) -> AgentStatus:
        """See `Post.status_of`."""
        found: AgentStatus = self._hub.ask(m.AskStatus(agent, timeout), timeout=None)
        return found
