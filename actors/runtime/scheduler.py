"""The scheduler: the actor around the engine.

It owns the task channels of all agents and waits on them and on its mailbox at once, so a result goes from the
socket to its future without changing threads. Each turn feeds what came to the engine, and then carries out what
the engine decided: one message per agent and turn, however many tasks it gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from actors.core.fleet import AgentExit
from actors.core.task import Task
from actors.errors import (
    ActorsError,
    AgentDied,
    AgentLimitReached,
    ChannelClosed,
    CircuitOpen,
    ConfigError,
    SystemClosed,
)
from actors.kernel.handlers import handles
from actors.protocol.messages import (
    AssignmentAck,
    AssignmentRefusal,
    ErrorResponse,
    Progress,
    Response,
    Result,
)
from actors.runtime import messages as m
from actors.runtime.agent_links import AgentLink
from actors.runtime.durable_scheduler import DurableScheduler
from actors.runtime.endings import agent_died
from actors.runtime.outcomes import refuse

if TYPE_CHECKING:
    from actors.kernel.timers import Timer
    from actors.protocol.messages import Envelope
    from actors.runtime.peers import Peers
    from actors.runtime.scheduler_state import SchedulerState

__all__ = ["Scheduler"]


class _Tick(NamedTuple):
    """Something that the engine waits for is due."""


class Scheduler(DurableScheduler):
    """Decides which task goes where and when, and tells everyone concerned.

    Args:
        state: what outlives a restart.
        peers: the system's other actors.
        most: how many agents there may be.
    """

    bears = (ActorsError,)
    repeats = True

    def __init__(self, state: SchedulerState, peers: Peers, most: int) -> None:
        super().__init__(state, peers)
        self._links = state.links
        self._peers = peers
        self._most = most
        self._timer: Timer | None = None
        self._timer_due = 0.0
        self._incoming: dict[type[Any], Callable[[str, int, Any, Envelope], None]] = {
            Result: self._results,
            Progress: self._progress,
            AssignmentAck: self._started,
            AssignmentRefusal: self._refused,
            Response: self._given_back,
            ErrorResponse: self._nothing_given_back,
        }

    def on_start(self) -> None:
        """Watch the task channels; after a restart, with the books made anew and all carried out that was decided."""
        self._engine.utc_offset = self.clock.utc() - self.clock.monotonic()
        self._engine.wanted = self._peers.wanted
        for link in self._links:
            self._watch(link)
        if self.incarnation > 1:
            self._carrier.recover(self._state.failure)
            self.on_turn_end()

    def on_failure(self, exception: BaseException) -> None:
        """What was begun is completed by the next incarnation."""
        self._state.failure = exception

    def on_given_up(self, message: Any, exception: BaseException | None) -> None:
        """A message cannot be handled: whoever waits for what it asks for is told."""
        if isinstance(message, Task):
            if not self._engine.knows(message) and not self.hands_in(message):
                error = ActorsError(
                    f"task {message.id} was not accepted: the scheduler failed on it twice: {exception}"
                )
                error.__cause__ = exception
                refuse(message, error)
        elif isinstance(message, m.TaskReceived):
            if (link := self._links.get(message.agent, message.incarnation)) is not None:
                link.taken(message)
            reason = f"what it sent made the scheduler fail twice: {exception}"
            self._carrier.kill(message.agent, message.incarnation, reason)
        elif not isinstance(message, m.Inspect):
            # There is no system without it: it is tried until the supervisor has had enough.
            self.try_again(message)

    def on_turn_end(self) -> None:
        """Carry out all decisions of the turn, then set the clock for what is due next."""
        engine, state = self._engine, self._state
        self._carrier.carry_out()
        if state.waiting_for_idle and not engine.unfinished:
            state.answer_idle()
        self.tend_later()
        due = engine.next_due()
        if due is not None and (self._timer is None or due < self._timer_due):
            if self._timer is not None:
                self._timer.cancel()
            self._timer_due = due
            self._timer = self.timers.once(max(0.0, due - self.clock.monotonic()), _Tick())

    # What comes in

    @handles(_Tick)
    def _tick(self, message: _Tick) -> None:
        self._timer = None
        # The wall clock may have been set meanwhile.
        self._engine.utc_offset = self.clock.utc() - self.clock.monotonic()
        self._engine.tick(self.clock.monotonic())

    @handles(Task)
    def _submit(self, task: Task) -> None:
        """Take in a task that was handed in: it is its own message."""
        if self._state.keeper is not None:
            self._state.keeper.hand_in(task)
            return
        try:
            self._engine.submit(task, self.clock.monotonic())
        except (CircuitOpen, ConfigError, SystemClosed) as error:
            # It is handed in for the second time if the first one ended in a failure.
            if not self._engine.knows(task):
                refuse(task, error)
                return
        if task.handle is not None:
            task.handle.set_accepted()

    @handles(m.RetryDead)
    def _retry_dead(self, message: m.RetryDead) -> None:
        keeper = self._state.keeper
        if keeper is not None:
            keeper.check()
        dead = self._engine.dead_task(message.number)
        task = self._engine.retry_dead(message.number, message.name, message.again, self.clock.monotonic())
        if keeper is not None:
            keeper.adopt(task, dead)
        else:
            message.again[2].set_accepted()

    @handles(m.CancelTask)
    def _cancel(self, message: m.CancelTask) -> bool:
        self.admit()
        return self._engine.cancel(message.number, message.reason, self.clock.monotonic())

    @handles(m.ForgetTask)
    def _forget(self, message: m.ForgetTask) -> None:
        self._engine.take_result(message.number)

    @handles(m.InterestChanged)
    def _interest_changed(self, message: m.InterestChanged) -> None:
        self._engine.wanted = message.wanted

    @handles(m.KnowType)
    def _know(self, message: m.KnowType) -> None:
        worker_type = message.worker_type
        self._engine.profile_known(worker_type.profile, self.clock.monotonic())
        if message.fill:
            for _ in range(self._engine.missing(worker_type.name)):
                self._request_agent(m.RequestAgent(worker_type))

    @handles(m.WhenIdle)
    def _when_idle(self, message: m.WhenIdle) -> None:
        self._state.waiting_for_idle.append((self.defer(), message.told))

    @handles(m.TypeFailed)
    def _type_failed(self, message: m.TypeFailed) -> None:
        self._engine.type_failed(message.agent_type, message.error, self.clock.monotonic())

    @handles(m.SpawnFailed)
    def _spawn_failed(self, message: m.SpawnFailed) -> None:
        self._engine.spawn_failed(message.agent_type, self.clock.monotonic())

    @handles(m.RequestAgent)
    def _request_agent(self, message: m.RequestAgent) -> None:
        """Let one more agent of a type be started, if there is room for it."""
        worker_type = message.worker_type
        now = self.clock.monotonic()
        self._engine.type_mended(worker_type.name, now)
        refused = self._engine.room_for(worker_type.name)
        if refused:
            raise AgentLimitReached(
                f"no further agent of type {worker_type.name} can be started: {refused}; end one with terminate(…), "
                "or allow more with max_agents",
                limit=self._most,
            )
        order = (message.config, self.defer() if message.answer else None)
        self._engine.agent_requested(worker_type.name, now, order, message.job)

    @handles(m.AgentStarting)
    def _starting(self, message: m.AgentStarting) -> None:
        handle, now = message.handle, self.clock.monotonic()
        known = self._links.get(handle.agent, handle.incarnation)
        link = known or self._links.add(handle, message.worker_type.name)
        self._engine.agent_starting(
            handle.agent,
            handle.incarnation,
            message.worker_type.profile_with(message.config),
            message.config.concurrency,
            now,
            message.job,
        )
        if known is None:
            self._watch(link)

    @handles(m.AgentReady)
    def _ready(self, message: m.AgentReady) -> None:
        self._engine.agent_ready(message.agent, message.incarnation, self.clock.monotonic())

    @handles(m.AgentGone)
    def _gone(self, message: m.AgentGone) -> None:
        """Take in what the agent had told before it ended, and only then that it has."""
        link = self._links.get(message.agent, message.incarnation)
        now = self.clock.monotonic()
        running = message.report.running
        begun = 0
        if link is not None:
            told = link.last_words[0]
            # One look gives what came in one piece; there may be several.
            while any(received.envelopes for received in self._receive(link)):
                pass
            told.extend(link.polled)
            link.polled = []
            for received in told:
                self._received(received)
            begun = message.report.started_seq - self._engine.told(message.agent, message.incarnation)
            self._state.assignments.pop(link, None)
        task_id = None
        if running is not None:
            task = self._engine.task(running[0])
            task_id = None if task is None else task.id
        self._engine.agent_gone(
            message.agent,
            message.incarnation,
            AgentExit(
                running=None if running is None else (running[0], running[1]),
                error=agent_died(message.report, message.agent_type, task_id, now),
                replaced=message.replaced,
                begun=begun,
                since=None if running is None else running[2],
                # A task that ends its process with code 0 was not asked to.
                ordered=message.expected and (running is None or not message.report.clean),
            ),
            now,
        )
        if link is not None:
            self.descriptors.unregister(link.task_fd)
            self._links.remove(link)
            link.close_task()
        if message.expected and not message.replaced:
            self._refill(message.agent_type, now)

    def _refill(self, agent_type: str, now: float) -> None:
        """Start what is missing of the least: two agents may be asked to end, each as the one that is too many."""
        for _ in range(self._engine.missing(agent_type)):
            if self._engine.room_for(agent_type):
                return
            self._engine.agent_requested(agent_type, now)

    @handles(m.ReplacementDropped)
    def _dropped(self, message: m.ReplacementDropped) -> None:
        self._engine.agent_gone(
            message.agent,
            message.incarnation,
            AgentExit(running=None, error=AgentDied(str(message.error)), replaced=False),
            self.clock.monotonic(),
        )

    @handles(m.DrainAgent)
    def _drain_agent(self, message: m.DrainAgent) -> None:
        self._engine.agent_drain(message.agent, self.clock.monotonic())

    @handles(m.LimitBreached)
    def _breached(self, message: m.LimitBreached) -> None:
        self._engine.breached(
            message.agent,
            message.incarnation,
            message.limit,
            message.figure,
            message.allowed,
            self.clock.monotonic(),
            message.growth,
        )

    @handles(m.AdmissionChanged)
    def _admission(self, message: m.AdmissionChanged) -> None:
        self._engine.admission(message.open, message.short, self.clock.monotonic())

    @handles(m.AgentsMeasured)
    def _measured(self, message: m.AgentsMeasured) -> None:
        now = self.clock.monotonic()
        for measure in message.measures:
            self._engine.agent_measured(
                measure.agent,
                measure.incarnation,
                (measure.free_cpu, measure.free_memory),
                measure.inside,
                now,
            )

    @handles(m.IsWorkLeft)
    def _is_work_left(self, message: m.IsWorkLeft) -> None:
        self._state.work_told = self._engine.working
        self._peers.resources.tell(m.WorkBegan() if self._state.work_told else m.WorkEnded())

    @handles(m.Ping)
    def _ping(self, message: m.Ping) -> bool:
        return True

    @handles(m.TaskReceived)
    def _received(self, message: m.TaskReceived) -> None:
        agent, incarnation = message.agent, message.incarnation
        for envelope in message.envelopes:
            take = self._incoming.get(type(envelope.message))
            if take is not None:
                take(agent, incarnation, envelope.message, envelope)
            else:
                self._peers.hub.tell(m.ControlReceived(agent, incarnation, [envelope], None))
        if message.broken is not None:
            self._carrier.kill(agent, incarnation, message.broken)
        if (link := self._links.get(agent, incarnation)) is not None:
            link.taken(message)

    def _results(self, agent: str, incarnation: int, message: Result, envelope: Envelope) -> None:
        link = self._links.get(agent, incarnation)
        if link is not None and link.jobs:
            for fields in message.results:
                self._leave_job(link, fields[0])
        self._engine.finished_many(agent, incarnation, message.results, self.clock.monotonic())

    def _progress(self, agent: str, incarnation: int, message: Progress, envelope: Envelope) -> None:
        self._engine.progressed(
            agent,
            incarnation,
            message.number,
            message.attempt,
            message.fraction,
            message.note,
            message.time,
            self.clock.monotonic(),
        )
        task = self._engine.task(message.number)
        if task is not None and task.handle is not None and task.attempt == message.attempt:
            task.handle.set_progress(message.fraction, message.note, message.time)

    def _started(self, agent: str, incarnation: int, message: AssignmentAck, envelope: Envelope) -> None:
        now = self.clock.monotonic()
        self._engine.started(agent, incarnation, message.number, message.attempt, message.time, now)

    def _leave_job(self, link: AgentLink, number: int) -> None:
        job = link.jobs.pop(number, None)
        if job is not None:
            self._peers.hub.tell(m.JobChanged(link.agent, link.incarnation, job, joined=False))

    def _refused(self, agent: str, incarnation: int, message: AssignmentRefusal, envelope: Envelope) -> None:
        link = self._links.get(agent, incarnation)
        if link is not None:
            self._leave_job(link, message.number)
        now = self.clock.monotonic()
        self._engine.refused(agent, incarnation, message.number, message.attempt, message.reason, now)

    def _given_back(self, agent: str, incarnation: int, message: Response, envelope: Envelope) -> None:
        link = self._links.get(agent, incarnation)
        if link is not None:
            for number, _ in message.data:
                self._leave_job(link, number)
        now = self.clock.monotonic()
        given_back = [(number, attempt) for number, attempt in message.data]
        self._engine.recalled(agent, incarnation, given_back, now, message)

    def _nothing_given_back(self, agent: str, incarnation: int, message: ErrorResponse, envelope: Envelope) -> None:
        """An agent refused a recall, as one does that ends: it keeps what it has, until its end tells what becomes of it."""
        self._engine.recalled(agent, incarnation, [], self.clock.monotonic(), message)

    # What agents ask for their tasks

    @handles(m.TaskWaiting)
    def _waiting(self, message: m.TaskWaiting) -> None:
        now = self.clock.monotonic()
        if message.on is None:
            self._engine.agent_resumed(message.agent, message.incarnation, message.number, now)
        else:
            self._engine.agent_waiting(message.agent, message.incarnation, message.number, message.on, now)

    # What the program asks

    @handles(m.Control)
    def _control(self, message: m.Control) -> None:
        now = self.clock.monotonic()
        if message.word == "pause":
            self._engine.pause(now)
        else:
            self._engine.resume(now)

    @handles(m.CancelAll)
    def _cancel_all(self, message: m.CancelAll) -> None:
        self.admit()
        now = self.clock.monotonic()
        if message.leave and self._state.keeper is not None:
            self._state.keeper.leave()
        self._engine.cancel_all(message.reason, now)

    @handles(m.Inspect)
    def _inspect(self, message: m.Inspect) -> Any:
        """Answer a question about tasks, with the status blocks looked at first: they know what runs right now."""
        self.admit()
        for link in self._links:
            self._carrier.look(link)
        return message.question(self._engine, self.clock.monotonic(), self.clock.utc() - self.clock.monotonic())

    # The agents' task channels

    def _watch(self, link: AgentLink) -> None:
        link.watch_task(self.descriptors, partial(self._receive, link))

    def _receive(self, link: AgentLink) -> Iterator[m.TaskReceived]:
        """What has come from an agent. Its end is not told by its channel but by its host, which knows why."""
        try:
            # In one step: what has been read must not be lost by a failure here.
            yield link.keep(m.TaskReceived(link.agent, link.incarnation, link.handle.task.receive(0), None))
        except ChannelClosed:
            self.descriptors.unregister(link.task_fd)
        except ActorsError as error:
            self.descriptors.unregister(link.task_fd)
            yield link.keep(m.TaskReceived(link.agent, link.incarnation, [], f"it sent what cannot be read: {error}"))
