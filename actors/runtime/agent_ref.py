"""A handle on an agent, by its id: it follows the agent through its incarnations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.hosts.serialize import pack_value, unpack_value
from actors.runtime import messages as m

if TYPE_CHECKING:
    from actors.core.agentstatus import AgentStatus
    from actors.kernel.ref import ActorRef

__all__ = ["AgentRef"]


class AgentRef:
    """Reaches one agent. Equal to every other ref of the same agent.

    Attributes:
        agent_id: like "thumbnailer-2".
        type: its agent type.
    """

    __slots__ = ("_hub", "agent_id", "type")

    def __init__(self, agent_id: str, agent_type: str, hub: ActorRef[Any]) -> None:
        self.agent_id = agent_id
        self.type = agent_type
        self._hub = hub

    def __repr__(self) -> str:
        return f"<AgentRef {self.agent_id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AgentRef) and (self.agent_id, self._hub) == (other.agent_id, other._hub)

    def __hash__(self) -> int:
        return hash((self.agent_id, self._hub))

    def status(self, timeout: float = 5) -> AgentStatus:
        """How the agent stands at this moment: it is asked for a sign of life, which it gives beside its task.

        Raises:
            AskTimeout: none came within `timeout` seconds.
            AgentDied: the agent ended meanwhile.
            DeadLetter: there is no such agent.
        """
        found: AgentStatus = self._hub.ask(m.AskStatus(self.agent_id, timeout), timeout=None)
        return found

    def tell(self, message: Any) -> None:
        """Send a message to the worker, which takes it with a method marked `@handles(type)`. No answer comes.

        Raises:
            NotSerializable: the message cannot be sent to another process.
        """
        payload = pack_value(message, f"the message {type(message).__name__}")
        self._hub.tell(m.SendToAgent(self.agent_id, payload, type(message).__name__, None))

    def ask(self, message: Any, timeout: float = 30) -> Any:
        """Send a message to the worker and wait for what its handler returns.

        Args:
            message: of a type that the worker handles.
            timeout: seconds to wait.

        Raises:
            AskTimeout: no answer within `timeout`.
            AgentDied: the agent ended before it had answered.
            DeadLetter: there is no such agent.
            MessageRefused: the worker does not take such a message, or not in its present state.
            NotSerializable: the message or the answer cannot be sent to another process.
            BaseException: what the handler raised, with the traceback from there.
        """
        payload = pack_value(message, f"the message {type(message).__name__}")
        answer = self._hub.ask(m.SendToAgent(self.agent_id, payload, type(message).__name__, timeout), timeout=None)
        return unpack_value(answer, f"the answer of {self.agent_id}")
