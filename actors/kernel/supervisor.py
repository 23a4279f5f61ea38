"""An actor that keeps others running, by the plan of `actors.core.supervision`.

    plan ── actions ──▶ supervisor ── start, stop ──▶ cells of the children
      ▲                                                   │
      └──────── started, exited, due ◀── own mailbox ◀────┘

Nothing here waits: every report, and every moment when something is due, is a message of its own.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from actors.core.children import AutoShutdown, ChildStatus, Intensity, Strategy
from actors.core.retry import Backoff
from actors.core.supervision import SupervisionPlan
from actors.core.supervisionactions import Action, Drop, Escalate, Finish, Later, Start, Stop
from actors.errors import ActorsError, MailboxClosed, SupervisorGaveUp
from actors.kernel.actor import Actor
from actors.kernel.cell import Cell, Exit
from actors.kernel.child import ActorChild, ChildInfo, RestartChild, StartChild, StopChild, WhichChildren
from actors.kernel.handlers import handles
from actors.kernel.reply import Reply
from actors.kernel.timers import Timer

__all__ = ["Supervisor"]

_log = logging.getLogger("actors.kernel")

_INTENSITY = Intensity()
_BACKOFF = Backoff()
# How long a supervisor that itself fails waits for a child whose spec says "for ever".
_LAST_WAIT = 5.0


class _Started(NamedTuple):
    cell: Cell
    incarnation: int


class _Exited(NamedTuple):
    cell: Cell
    exit: Exit


class _Due(NamedTuple):
    """The plan has something to do."""


class _TimeUp(NamedTuple):
    """A child that was asked to end has had its time."""

    id: str
    cell: Cell
    incarnation: int


def _report_start(supervisor: Cell, cell: Cell, incarnation: int) -> None:
    try:
        supervisor.mailbox.put(_Started(cell, incarnation), urgent=True)
    except MailboxClosed:
        # It ended meanwhile, and nobody else will tell this child.
        cell.stop_now()


def _report_exit(supervisor: Cell, cell: Cell, end: Exit) -> None:
    try:
        supervisor.mailbox.put(_Exited(cell, end), urgent=True)
    except MailboxClosed:
        cell.retire(end)


class Supervisor(Actor):
    """Keeps its children running.

    A child that fails is restarted behind the same reference, and its replacement goes on with the messages that wait.
    Children start one after the other, each once the one before has started, and end in the reverse order. It has
    started itself when all of its children have.

    Args:
        children: those that it starts with; more come by `StartChild`.
        strategy: which children are restarted with one that fails.
        intensity: how many restarts in how many seconds are borne. One more, and the supervisor ends its children and
            fails with `SupervisorGaveUp`, which is for its own supervisor to judge.
        backoff: the waits before further tries.
        auto_shutdown: whether the end of significant children ends the supervisor.
        on_escalation: called with the error when the supervisor itself fails, in its thread.
        rng: chance for the jitter.

    Messages: `StartChild`, `StopChild`, `RestartChild`, `WhichChildren`.
    """

    reports_start = False
    waits_for_room = False

    def __init__(
        self,
        children: Sequence[ActorChild] = (),
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity = _INTENSITY,
        backoff: Backoff = _BACKOFF,
        auto_shutdown: AutoShutdown = "never",
        on_escalation: Callable[[BaseException], None] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        super().__init__()
        self._plan = SupervisionPlan(
            [child.spec for child in children],
            rng=rng or random.Random(),  # noqa: S311 - jitter
            strategy=strategy,
            intensity=intensity,
            backoff=backoff,
            auto_shutdown=auto_shutdown,
        )
        self._children = {child.spec.id: child for child in children}
        # Children that a next incarnation of this supervisor would have as well.
        self._static = frozenset(self._children)
        self._ids: dict[Cell, str] = {}
        self._bounds: dict[str, Timer] = {}
        self._on_escalation = on_escalation
        self._announced = False
        self._why_stopped = "normal"
        # Whoever waits for the start, or the end, of a child.
        self._starting: dict[str, Reply[Any]] = {}
        self._stopping: dict[str, Reply[Any]] = {}
        # What each child failed with last.
        self._errors: dict[str, BaseException | None] = {}
        for child in children:
            self._adopt(child)

    def on_start(self) -> None:
        """Start the children."""
        self._carry_out(self._plan.start(self.clock.monotonic()))
        self._announce()

    def on_child_exit(self, child_id: str, end: Exit) -> None:
        """Called after each end of an incarnation of a child, before anything is done about it."""

    # --- what it is asked ---

    @handles(StartChild)
    def start_child(self, message: StartChild) -> None:
        """Take one more child and start it."""
        child = message.child
        actions = self._plan.add(child.spec, self.clock.monotonic())
        self._children[child.spec.id] = child
        self._adopt(child)
        self._starting[child.spec.id] = self.defer()
        self._carry_out(actions)

    @handles(RestartChild)
    def restart_child(self, message: RestartChild) -> None:
        """Start a child that is down."""
        actions = self._plan.restart(message.id, self.clock.monotonic())
        self._children[message.id].renew()
        self._adopt(self._children[message.id])
        self._starting[message.id] = self.defer()
        self._carry_out(actions)

    @handles(StopChild)
    def stop_child(self, message: StopChild) -> Any:
        """End a child and leave it down."""
        if self._plan.status(message.id) is ChildStatus.DOWN:
            return True
        actions = self._plan.terminate(message.id, self.clock.monotonic())
        if self._plan.status(message.id) in {None, ChildStatus.DOWN}:
            # It waited to be started again.
            self._settle(message.id, self._children[message.id].cell, "shutdown", None)
            self._carry_out(actions)
            return True
        self._stopping[message.id] = self.defer()
        self._children[message.id].cell.retiring()
        self._carry_out(actions)
        return None

    @handles(WhichChildren)
    def which_children(self, message: WhichChildren) -> list[ChildInfo]:
        """All children in the order of their start."""
        found = []
        for spec, status in self._plan.children():
            child = self._children[spec.id]
            found.append(ChildInfo(spec.id, child.ref, status, max(0, child.cell.incarnation - 1)))
        return found

    def on_stop_request(self, reason: str) -> None:
        """End the children first, in reverse order; each gets the time that its spec names."""
        if not self._plan.ending:
            self._why_stopped = reason
            self._carry_out(self._plan.stop(reason))

    # --- what is reported to it ---

    @handles(_Started, urgent=True)
    def _child_started(self, message: _Started) -> None:
        child_id = self._ids.get(message.cell)
        if child_id is None or message.incarnation != message.cell.incarnation:
            return
        self._carry_out(self._plan.started(child_id, self.clock.monotonic()))
        reply = self._starting.pop(child_id, None)
        if reply is not None:
            reply.set(self._children[child_id].ref)
        self._announce()

    @handles(_Exited, urgent=True)
    def _child_exited(self, message: _Exited) -> None:
        child_id = self._ids.get(message.cell)
        if child_id is not None and message.exit.incarnation == message.cell.incarnation:
            self._exited(child_id, message.cell, message.exit)

    @handles(_Due, urgent=True)
    def _due(self, message: _Due) -> None:
        self._carry_out(self._plan.due(self.clock.monotonic()))

    @handles(_TimeUp, urgent=True)
    def _time_up(self, message: _TimeUp) -> None:
        if message.cell.incarnation == message.incarnation and self._ids.get(message.cell) == message.id:
            self._give_up_on(message.id, message.cell)

    def _exited(self, child_id: str, cell: Cell, end: Exit) -> None:
        self._errors[child_id] = end.error
        bound = self._bounds.pop(child_id, None)
        if bound is not None:
            bound.cancel()
        self.on_child_exit(child_id, end)
        reason: Any = end.reason
        why = f"{type(end.error).__name__}: {end.error}" if end.error is not None else ""
        actions = self._plan.exited(child_id, reason, self.clock.monotonic(), why)
        if self._plan.status(child_id) in {None, ChildStatus.DOWN}:
            self._settle(child_id, cell, end.reason, end.error)
        self._carry_out(actions)
        self._announce()

    def _settle(self, child_id: str, cell: Cell, reason: str, error: BaseException | None) -> None:
        """A child is down and will not be started by itself: end it for good, and tell who waits for it."""
        own = self._run.cell
        if not (self._plan.ending and child_id in self._static and not own.will_end()):
            cell.retire(Exit(cell.name, cell.incarnation, reason, error))
        starting, stopping = self._starting.pop(child_id, None), self._stopping.pop(child_id, None)
        if stopping is not None:
            stopping.set(True)
        if starting is not None:
            failed = ActorsError(f"{child_id} did not start: {error or reason}")
            failed.__cause__ = error
            starting.fail(failed)
        if self._plan.status(child_id) is None:
            self._forget(child_id)

    # --- carrying out ---

    def _carry_out(self, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, Start):
                for child_id in action.children:
                    self._launch(self._children[child_id].cell)
            elif isinstance(action, Stop):
                for child_id in action.children:
                    self._halt(child_id)
            elif isinstance(action, Later):
                self.timers.once(action.delay, _Due())
            elif isinstance(action, Drop):
                _log.error("%s gives up on %s: %s", self.name, action.child, action.why)
            elif isinstance(action, Escalate):
                self._escalate(action)
            elif isinstance(action, Finish):
                self._run.finish(self._why_stopped)

    def _launch(self, cell: Cell) -> None:
        try:
            cell.start(build_here=False)
        except Exception as error:  # noqa: BLE001 - it is reported
            # No further thread, most likely. It counts like any other failure to start.
            _log.error("%s could not start %s", self.name, cell.name, exc_info=error)
            _report_exit(self._run.cell, cell, Exit(cell.name, cell.incarnation, "failure", error))

    def _halt(self, child_id: str) -> None:
        spec, cell = self._children[child_id].spec, self._children[child_id].cell
        if spec.shutdown == 0:
            self._give_up_on(child_id, cell)
            return
        if child_id in self._stopping or (self._plan.ending and self._run.cell.will_end()):
            # For good: it may finish what waits for it.
            cell.retiring()
            cell.stop("shutdown")
        else:
            # Its replacement will find what waits.
            cell.stop_now("shutdown")
        if spec.shutdown is not None:
            self._bounds[child_id] = self.timers.once(spec.shutdown, _TimeUp(child_id, cell, cell.incarnation))

    def _give_up_on(self, child_id: str, cell: Cell) -> None:
        """A child had its time to end. A thread cannot be killed: it goes on, but nothing it does is heard any more."""
        allowed = self._children[child_id].spec.shutdown
        error = ActorsError(f"{cell.name} did not end within {allowed} s and was given up; its thread may still run")
        end = cell.abandon(error)
        if end is not None:
            _log.error("%s", error)
            _report_exit(self._run.cell, cell, end)

    def _escalate(self, action: Escalate) -> None:
        error = SupervisorGaveUp(f"{self.name} gives up: {action.why}", supervisor=self.name, child=action.child)
        error.__cause__ = self._errors.get(action.child)
        _log.error("%s", error)
        self._run.fail(error)

    def _announce(self) -> None:
        """Tell its own supervisor, once, that all children have started."""
        if self._announced or self._plan.ending:
            return
        if not any(status in {ChildStatus.WAITING, ChildStatus.STARTING} for _, status in self._plan.children()):
            self._announced = True
            self._run.report_start()

    def on_failure(self, exception: BaseException) -> None:
        """See to it that no child outlives a supervisor that fails, and tell who asked to know."""
        for child_id, child in reversed(self._children.items()):
            cell = child.cell
            run = cell.run
            if run is None:
                continue
            cell.stop_now("shutdown")
            allowed = _LAST_WAIT if child.spec.shutdown is None else child.spec.shutdown
            if cell.drive is not None:
                cell.drive(run.ended.is_set, allowed)
            elif not run.ended.wait(allowed):
                self._give_up_on(child_id, cell)
        if self._on_escalation is not None:
            self._on_escalation(exception)

    # --- who is who ---

    def _adopt(self, child: ActorChild) -> None:
        own, cell = self._run.cell, child.cell
        cell.on_started = partial(_report_start, own)
        cell.on_exit = partial(_report_exit, own)
        self._ids[cell] = child.spec.id
        if cell not in own.dependents:
            own.dependents.append(cell)

    def _forget(self, child_id: str) -> None:
        child = self._children.pop(child_id, None)
        if child is not None:
            self._ids.pop(child.cell, None)
            self._run.cell.dependents.remove(child.cell)
        self._errors.pop(child_id, None)
