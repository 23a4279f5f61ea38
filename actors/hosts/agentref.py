"""A handle on an agent, by its id: a small value that means the same in the program, in a task, in any agent."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Protocol

from actors.errors import ActorsError, ConfigError, SystemClosed
from actors.protocol.priority import Priority

if TYPE_CHECKING:
    from actors.core.agentstatus import AgentStatus
    from actors.kernel.reply import Reply

__all__ = [
    "POSTS",
    "AgentRef",
    "InsidePost",
    "Post",
    "Posts",
    "address_of",
    "addresses_of",
    "check_other",
    "priority_of",
    "refuse_group",
    "timeout_of",
]


class Post(Protocol):
    """The way from where the code runs to the agents of a system."""

    def tell(self, recipient: str, message: Any, priority: int) -> None:
        """Send a message and wait for nothing."""

    def ask(self, recipient: str, message: Any, timeout: float, priority: int) -> Any:
        """Send a message and wait for the answer."""

    def ask_later(self, recipient: str, message: Any, timeout: float, priority: int) -> Reply[Any]:
        """Send a message; its answer is there later."""

    def status_of(self, agent: str, timeout: float) -> AgentStatus:
        """Have an agent tell how it stands."""


class InsidePost(Post, Protocol):
    """The way from inside an agent. `thread` is the one that runs the code of its worker."""

    @property
    def thread(self) -> int:
        """The thread that runs tasks, hooks and ordinary handlers."""


class Posts:
    """Which ways there are in this process, by system.

    The program has one for each of its systems. An agent that is a process has the process for itself; of agents that are
    threads, it is the one in whose thread the code runs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._programs: dict[str, Post] = {}
        self._process: tuple[str, Post] | None = None
        self._threads: weakref.WeakKeyDictionary[InsidePost, str] = weakref.WeakKeyDictionary()

    def open_program(self, system: str, post: Post) -> None:
        """The program has started a system."""
        with self._lock:
            self._begin()
            self._programs[system] = post

    def close_program(self, system: str) -> None:
        """The program's system has ended."""
        with self._lock:
            self._programs.pop(system, None)

    def open_agent(self, system: str, post: InsidePost, *, whole_process: bool) -> None:
        """An agent has come to live in this process; alone, if it is `whole_process`."""
        with self._lock:
            self._begin()
            if whole_process:
                self._process = system, post
            else:
                self._threads[post] = system

    def close_agent(self, post: InsidePost) -> None:
        """An agent that has not the process for itself has ended."""
        with self._lock:
            self._threads.pop(post, None)

    def _begin(self) -> None:
        """In a fork, what was open in the process that it is a copy of leads nowhere."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._programs.clear()
            self._threads.clear()
            self._process = None

    def find(self, system: str, agent: str) -> Post:
        """The way to an agent of a system, from the code that asks.

        Raises:
            SystemClosed: there is none.
        """
        if self._pid == os.getpid():
            if self._process is not None and self._process[0] == system:
                return self._process[1]
            found = self._inside(system) or self._programs.get(system)
            if found is not None:
                return found
            why = "its system has ended, or is not known in this process"
        else:
            why = f"this process is a fork of process {self._pid}, and has no connection of its own"
        raise SystemClosed(
            f"{agent} cannot be reached from here: {why}; use its ref in the program, a task or a handler"
        )

    def _inside(self, system: str) -> Post | None:
        if not self._threads:
            return None
        here = threading.get_ident()
        with self._lock:
            found = [post for post, own in self._threads.items() if own == system and post.thread == here]
        # On a bench one agent is stepped inside another.
        return found[-1] if found else None


POSTS = Posts()


class AgentRef:
    """Reaches one agent. Equal to every other ref of the same agent, in any process.

    It can be an argument of a task, a part of a message or of a result. It names the id, and so follows the agent through
    its incarnations. In a task or a handler it uses that agent's own connection, otherwise that of the program.

    Attributes:
        agent_id: like "thumbnailer-2".
        type: its agent type.
    """

    __slots__ = ("_system", "agent_id", "type")

    def __init__(self, agent_id: str, agent_type: str, system: str) -> None:
        self.agent_id = agent_id
        self.type = agent_type
        self._system = system

    def __repr__(self) -> str:
        return f"<AgentRef {self.agent_id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AgentRef) and (self.agent_id, self._system) == (other.agent_id, other._system)

    def __hash__(self) -> int:
        return hash((self.agent_id, self._system))

    def __reduce__(self) -> tuple[Any, ...]:
        return AgentRef, (self.agent_id, self.type, self._system)

    def status(self, timeout: float = 5) -> AgentStatus:
        """How the agent stands at this moment: it is asked for a sign of life, which it gives beside its task.

        Raises:
            AskTimeout: none came within `timeout` seconds.
            AgentDied: the agent ended meanwhile.
            DeadLetter: there is no such agent.
            SystemClosed: its system has ended, or cannot be reached from this process.
        """
        return POSTS.find(self._system, self.agent_id).status_of(self.agent_id, timeout_of(timeout))

    def tell(self, message: Any, *, priority: int = Priority.NORMAL) -> None:
        """Send a message to the worker, which takes it with a method marked `@handles(type)`. No answer comes.

        Args:
            message: of a type that the worker handles.
            priority: 1 (low) to 4 (critical); where several messages wait, the higher goes first.

        Raises:
            NotSerializable: the message cannot be sent to another process.
            SystemClosed: its system has ended, or cannot be reached from this process.
        """
        POSTS.find(self._system, self.agent_id).tell(self.agent_id, message, priority_of(priority))

    def ask(self, message: Any, timeout: float = 30, *, priority: int = Priority.HIGH) -> Any:
        """Send a message to the worker and wait for what its handler returns.

        Args:
            message: of a type that the worker handles.
            timeout: seconds to wait.
            priority: 1 (low) to 4 (critical); where several messages wait, the higher goes first.

        Raises:
            AskTimeout: no answer within `timeout`.
            AgentDied: the agent ended before it had answered.
            DeadLetter: there is no such agent.
            MessageRefused: the worker does not take such a message, or not in its present state.
            NotSerializable: the message or the answer cannot be sent to another process.
            SystemClosed: its system has ended, or cannot be reached from this process.
            BaseException: what the handler raised, with the traceback from there.
        """
        post = POSTS.find(self._system, self.agent_id)
        return post.ask(self.agent_id, message, timeout_of(timeout), priority_of(priority))

    def ask_later(self, message: Any, timeout: float = 30, *, priority: int = Priority.HIGH) -> Reply[Any]:
        """Send a message to the worker, and give its answer at once as a `Reply`; for the rest see `ask`.

        `await` it in a coroutine, which holds up nothing; or wait for it with `get`, or give it a callback.

        Raises:
            NotSerializable: the message cannot be sent to another process.
            SystemClosed: its system has ended, or cannot be reached from this process.
        """
        post = POSTS.find(self._system, self.agent_id)
        return post.ask_later(self.agent_id, message, timeout_of(timeout), priority_of(priority))


def address_of(recipient: object) -> str:
    """The id behind whatever names an agent: a ref, an `AgentStatus`, or the id; a group's name as it is.

    Raises:
        ConfigError: it is none of these.
    """
    if isinstance(recipient, AgentRef):
        return recipient.agent_id
    if isinstance(recipient, str) and recipient:
        return recipient
    agent = getattr(recipient, "agent", None)
    if isinstance(agent, str) and agent:
        return agent
    raise ConfigError(f"a recipient is an agent's ref or id, not {recipient!r}", key="recipient", value=recipient)


def addresses_of(recipients: Any) -> list[str]:
    """The ids behind one recipient or several, each once.

    Raises:
        ConfigError: one of them is neither ref nor text.
    """
    if isinstance(recipients, AgentRef | str) or not hasattr(type(recipients), "__iter__"):
        return [address_of(recipients)]
    return list(dict.fromkeys(address_of(one) for one in recipients))


def timeout_of(timeout: Any) -> float:
    """The seconds of an ask, checked.

    Raises:
        ConfigError: it is no number of 0 or more: an ask always ends.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0:
        allowed = "a number of seconds, 0 or more"
        raise ConfigError(f"timeout is {allowed}, not {timeout!r}", key="timeout", value=timeout, allowed=allowed)
    return float(timeout)


def priority_of(priority: Any) -> int:
    """The priority of a message, checked.

    Raises:
        ConfigError: it is none.
    """
    if isinstance(priority, bool) or priority not in (1, 2, 3, 4):
        allowed = "1 (low), 2 (normal), 3 (high) or 4 (critical)"
        raise ConfigError(f"priority is {allowed}, not {priority!r}", key="priority", value=priority, allowed=allowed)
    return int(priority)


def refuse_group(recipient: str) -> None:
    """Refuse to ask more than one agent.

    Raises:
        ConfigError: the recipient is a group.
    """
    if recipient == "*" or recipient.startswith(("type:", "job:")):
        raise ConfigError(
            f"ask is for one agent, and {recipient!r} means several: use tell, or ask each of agents()",
            key="recipient",
            value=recipient,
            allowed="one agent's ref or id",
        )


def check_other(agent: str, own: str, what: str) -> None:
    """Refuse what an agent cannot wait for because it would have to end first.

    Raises:
        ActorsError: the agent is the one that asks.
    """
    if agent == own:
        raise ActorsError(f"{own} cannot wait for its own end: let another one {what} it, or return from the task")
