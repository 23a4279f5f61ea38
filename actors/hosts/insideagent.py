"""What a worker sees and does inside its agent; without an agent, the least that lets its tasks run as plain methods."""

from __future__ import annotations

import math
import os
import time
from functools import partial
from typing import IO, TYPE_CHECKING, Any, ClassVar, Literal

from actors.errors import ActorsError, ConfigError
from actors.hosts.administration import AgentAdministration
from actors.hosts.agentref import AgentRef, address_of, addresses_of, priority_of, timeout_of
from actors.hosts.submitter import Submitter
from actors.kernel.clock import SystemClock
from actors.ondemand import on_demand
from actors.protocol.priority import Priority

if TYPE_CHECKING:
    import os
    import random as chance
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path
    from random import Random

    from actors import logs
    from actors.config import LimitName
    from actors.core.taskspec import TaskSpec
    from actors.future import TaskFuture
    from actors.hosts import childprocess, workspace
    from actors.hosts.attempt import Attempt
    from actors.hosts.childprocess import Finished
    from actors.hosts.completed import Completed
    from actors.hosts.context import Context
    from actors.kernel.clock import Clock
    from actors.kernel.reply import Reply
    from actors.protocol.events import Event, Scope
    from actors.protocol.messages import AdjustmentAnswer
else:
    chance = on_demand(globals(), "chance", "random")
    logs = on_demand(globals(), "logs", "actors.logs")
    childprocess = on_demand(globals(), "childprocess", "actors.hosts.childprocess")
    workspace = on_demand(globals(), "workspace", "actors.hosts.workspace")

__all__ = ["OUTPUT_LIMIT", "InsideAgent"]

OUTPUT_LIMIT = 1 << 20
"""Bytes that are kept of each stream of a command."""

_MACHINE_CLOCK = SystemClock()


class InsideAgent(Submitter, AgentAdministration):
    """The part of `Worker` that speaks to the agent and, through it, to the system."""

    agent_type: ClassVar[str]

    _context: Context | None = None
    # Chance outside of an agent.
    _chance: Random | None = None

    def _inside(self, what: str) -> Context:
        if self._context is None:
            raise ActorsError(
                f"{what} is for a worker inside an agent; this {type(self).__qualname__} is a plain object"
            )
        return self._context

    def _attempt(self) -> Attempt | None:
        return None if self._context is None else self._context.attempt

    @property
    def agent_id(self) -> str:
        """The id of its agent, as "thumbnailer-2"; empty outside of one."""
        return "" if self._context is None else self._context.agent_id

    @property
    def task_id(self) -> str | None:
        """The id of the task in hand; None in hooks and handlers, and outside of an agent."""
        attempt = self._attempt()
        return None if attempt is None else attempt.task_id

    @property
    def attempt(self) -> int:
        """Which try at the task in hand this is, 1 for the first; 0 where no task is in hand."""
        attempt = self._attempt()
        return 0 if attempt is None else attempt.attempt

    @property
    def job(self) -> str | None:
        """The job of the task in hand, else that of its agent."""
        return None if self._context is None else self._context.job

    @property
    def deadline(self) -> float | None:
        """When the time limit of the task in hand is over, as `self.clock.monotonic()` counts; None for no limit."""
        attempt = self._attempt()
        return None if attempt is None else attempt.deadline

    @property
    def workspace(self) -> Path:
        """The agent's private directory, removed when it ends.

        Raises:
            ActorsError: it has none.
        """
        workspace = self._inside("workspace").workspace
        if workspace is None:
            raise ActorsError(f"{self.agent_id} was started without a workspace")
        return workspace

    @property
    def log(self) -> Any:
        """A structlog logger that knows agent, task and attempt; its records arrive in the program's logging."""
        attempt = self._attempt()
        identity: dict[str, Any] = {"agent": self.agent_id} if self.agent_id else {}
        if attempt is not None:
            identity.update(task=attempt.task_id, attempt=attempt.attempt)
        return logs.get_logger(f"actors.worker.{self.agent_type}").bind(**identity)

    @property
    def clock(self) -> Clock:
        """The time, on every host; in a simulation the simulated one, outside of an agent the machine's.

        `self.clock.monotonic()` is in seconds that only grow, comparable between the processes of one machine;
        `self.clock.utc()` in seconds since 1970.
        """
        return _MACHINE_CLOCK if self._context is None else self._context.parts.clock

    @property
    def random(self) -> Random:
        """Chance, on every host: a generator of the agent's own, seeded by the machine, in a simulation by its seed.

        Example:
            delay = self.random.uniform(0, 1)
        """
        if self._context is not None:
            return self._context.parts.world.random
        if self._chance is None:
            self._chance = chance.Random()
        return self._chance

    def sleep(self, seconds: float) -> None:
        """Wait, on every host: a cancellation or a time limit breaks it, also where agents are threads.

        The task stays working meanwhile and no handler runs. In an `async def` use `await asyncio.sleep(…)`, because
        this holds up all tasks of the agent.

        Args:
            seconds: how long, 0 or more; in a simulation these are simulated.

        Raises:
            ConfigError: it is negative or no finite number.

        Example:
            while not self.arrived():
                self.sleep(0.5)
        """
        wanted = _seconds(seconds)
        if self._context is None:
            time.sleep(wanted)
        else:
            self._context.sleep(wanted)

    def progress(self, fraction: float, note: str = "") -> None:
        """Tell how far the task in hand has come; outside of an agent it does nothing.

        Args:
            fraction: from 0 to 1.
            note: what it is doing.

        Raises:
            ActorsError: no task is in hand, as in a hook.
        """
        if self._context is not None:
            self._context.progress(fraction, note)

    def cancelled(self) -> bool:
        """Whether the task in hand is to be interrupted, for code that catches the interruption."""
        return self._context is not None and self._context.cancelled()

    def _opened(self) -> Context:
        return self._inside("handing in work")

    def as_completed(self, futures: Iterable[TaskFuture[Any]] = (), timeout: float | None = None) -> Completed:
        """An iterator over futures of own sub-tasks as they get their outcomes. To wait gives the slot away.

        `add(future)` has it wait for one more, also while it is gone through. (`concurrent.futures.as_completed` would hold
        the slot, and with it perhaps the place that a sub-task needs.)

        Args:
            futures: what `submit` and `submit_task` gave here.
            timeout: seconds for all of them; None waits without end.

        Raises:
            TimeoutError: some have no outcome by then.
            ConfigError: one is no future of this agent's sub-tasks.

        Example:
            pages = self.as_completed([self.submit(Crawler.read, first)])
            for page in pages:
                for link in page.result():
                    pages.add(self.submit(Crawler.read, link))
        """
        return self._inside("as_completed(…)").as_completed(futures, timeout)

    @property
    def ref(self) -> AgentRef:
        """A handle on this agent, to be sent to others."""
        spec = self._inside("ref").parts.spec
        return AgentRef(spec.agent, spec.type, str(spec.extra.get("system", "")))

    def submit_task(self, spec: TaskSpec) -> TaskFuture[Any]:
        """Hand in work described as data, as `ActorSystem.submit_task` does.

        Raises:
            ConfigError: no worker takes tasks of this type, it does not know a field of the data, or `once` is named.
            NotSerializable: the data cannot be sent to another process.
        """
        return self._inside("submit_task(…)").submit_spec(spec, self._options)

    def ask(
        self, recipient: AgentRef | str, message: Any, timeout: float = 30, *, priority: int = Priority.HIGH
    ) -> Any:
        """Send a message to another agent and wait for what its handler returns. This agent's handlers run meanwhile.

        Args:
            recipient: an agent's id or ref.
            message: what a method of that worker takes, marked `@handles(type(message))`.
            timeout: seconds.
            priority: 1 (low) to 4 (critical); where several messages wait there, critical ones go first, low ones last.

        Raises:
            AskTimeout: no answer in time.
            AgentDied: it has ended.
            DeadLetter: there is no such agent.
            MessageRefused: it does not take this message, or not in its state; or handlers ask each other without end.
            MailboxFull: too many messages wait there.
        """
        context = self._inside("ask(…)")
        return context.ask(address_of(recipient), message, timeout_of(timeout), priority_of(priority))

    def ask_later(
        self, recipient: AgentRef | str, message: Any, timeout: float = 30, *, priority: int = Priority.HIGH
    ) -> Reply[Any]:
        """Send a message to another agent, and give its answer at once as a `Reply`; for the rest see `ask`.

        `await` it in a coroutine, which holds up nothing; or wait for it with `get`, or give it a callback.

        Raises:
            MessageRefused: handlers ask each other without end.
            NotSerializable: the message cannot be sent to another process.
        """
        context = self._inside("ask_later(…)")
        return context.ask_later(address_of(recipient), message, timeout_of(timeout), priority_of(priority))

    def tell(
        self, recipients: AgentRef | str | Iterable[AgentRef | str], message: Any, *, priority: int = Priority.NORMAL
    ) -> None:
        """Send a message to another agent, to a group ("*", "type:…", "job:…"), or to several of these in one go.

        Args:
            recipients: an agent's id or ref, or a group; or several.
            message: what a method of these workers takes.
            priority: 1 (low) to 4 (critical).
        """
        self._inside("tell(…)").tell_all(addresses_of(recipients), message, priority_of(priority))

    def coordinate(self, topic: str, data: Any = None, timeout: float | None = 30) -> Any:
        """Ask the system for something that only it can do, as to spawn or to terminate an agent.

        Args:
            topic: what for.
            data: plain values (text, numbers, bytes, lists, dicts).
            timeout: seconds, None without end.

        Raises:
            AskTimeout: no answer in time.
            ActorsError: the system refuses.
        """
        return self._inside("coordinate(…)").coordinate(topic, data, timeout)

    def publish(self, event: Event) -> None:
        """Publish an event to whoever subscribed to its type, in the program and in agents.

        Without a subscriber nothing is sent, and the event is not looked into.

        Args:
            event: of the library, or an instance of a frozen dataclass of one's own that is derived from `Event`. Its
                `scope` says how far it reaches; `source` and `time` are filled in.

        Raises:
            ConfigError: it is no event, or has a scope that there is not.
            NotSerializable: it cannot be sent to another process, or has more than 64 MiB.
        """
        self._inside("publish(…)").publish(event)

    def subscribe(self, *kinds: type[Event], scope: Scope = "global") -> None:
        """Have events of these types, and of types derived from them, handed to `on_event`.

        What anybody publishes after this has returned is heard (after an urgent handler has subscribed: soon). Events
        wait in one buffer of the agent, of `event_bound`; beyond it the oldest are dropped, which `events_missed`
        counts. Who subscribes to `EventsMissed` as well is told in `on_event`, before the next event.

        Args:
            *kinds: event types; `Event` means all.
            scope: how far it listens: "global", "local" (agents at work on one of its jobs), "type" (agents of its type).

        Raises:
            ConfigError: there is no such scope, or no type is named.
            TypeError: something is no event type.
            AskTimeout: the system does not answer.
        """
        self._inside("subscribe(…)").subscribe(kinds, scope, on=True)

    def unsubscribe(self, *kinds: type[Event], scope: Scope = "global") -> None:
        """The opposite of `subscribe`, for the same scope. What waits for `on_event` is not handed to it any more."""
        self._inside("unsubscribe(…)").subscribe(kinds, scope, on=False)

    @property
    def events_missed(self) -> int:
        """How many events this agent was to hear and did not, because `on_event` did not come round to them in time."""
        return 0 if self._context is None else self._context.parts.events_missed()

    def request_resources(self, limit: LimitName, amount: float | str, reason: str = "") -> AdjustmentAnswer:
        """Ask for more of a limit.

        Args:
            limit: "memory", "open_files", "processes" or "cpu".
            amount: how much more, in the limit's unit; of memory also as text, as "256M".
            reason: what for.

        Returns:
            Whether it was granted, and what the limit is now.
        """
        return self._inside("request_resources(…)").request_resources(limit, amount, reason)

    def run(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | str | None = None,
        timeout: float | None = None,
        check: bool = False,
        limit: int = OUTPUT_LIMIT,
        on_output: Callable[[str, str], object] | None = None,
        output_every: float = 0.0,
    ) -> Finished:
        """Run a command, under the agent's limits; it ends with the task at the latest, however that ends.

        Args:
            argv: the program and each of its arguments by itself; no shell reads them.
            cwd: where it runs; None is where the agent runs.
            env: its whole environment; None is the agent's.
            stdin: what it reads; None is nothing.
            timeout: seconds, after which it is killed.
            check: raise unless it ends with 0.
            limit: how many bytes of each output stream are kept, the last ones.
            on_output: called with "stdout" or "stderr" and each piece of text as it comes.
            output_every: seconds between two such calls; what comes in between is joined, and the last 4,096
                characters of it are told.

        Raises:
            CommandFailed: it cannot be started, did not end in time, or with `check` ended badly; has its output.

        Example:
            head = self.run(["git", "rev-parse", "HEAD"], cwd=repository, check=True).stdout
        """
        child = partial(
            childprocess.ChildProcess,
            argv,
            cwd=cwd,
            env=env,
            stdin=stdin,
            limit=limit,
            on_output=on_output,
            output_every=output_every,
        )
        if self._context is not None:
            return self._context.run(child, timeout, check=check)
        alone = child()
        finished = alone.finish(timeout)
        if check and finished.code:
            raise alone.failure(finished)
        return finished

    @staticmethod
    def atomic_write(
        path: str | os.PathLike[str], mode: Literal["w", "wb"] = "w", **options: Any
    ) -> AbstractContextManager[IO[Any]]:
        """Write a file that appears under its name when the block has ended well, and not at all otherwise.

        Args:
            path: where it is to appear; what was there is replaced.
            mode: "w" or "wb".
            **options: as for `open`.

        Example:
            with self.atomic_write("report.json") as file:
                json.dump(report, file)
        """
        return workspace.atomic_write(path, mode, **options)


def _seconds(given: Any) -> float:
    """A time to sleep, checked."""
    try:
        seconds = math.nan if isinstance(given, str | bytes) else float(given)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        allowed = "a finite number, 0 or more"
        raise ConfigError(f"sleep takes seconds, {allowed}, not {given!r}", key="seconds", value=given, allowed=allowed)
    return seconds
