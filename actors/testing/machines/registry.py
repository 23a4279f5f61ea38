"""A machine for the registry."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.core.registry import Registry
from actors.errors import ConfigError
from actors.protocol.messages import ALL, HUB, SCHEDULER, Heartbeat, Registration, job_group, type_group
from actors.protocol.states import AgentState
from actors.testing.machines.promise import must, must_be

__all__ = ["RegistryMachine"]

_TYPES = ("alpha", "beta")
_JOBS = ("day", "night")
_DOINGS = ("watch", "watch", "a dead letter", "busy", "take a place")
_STATES = st.sampled_from([AgentState.IDLE, *AgentState])
_NOT_READY = {AgentState.INITIALIZING, AgentState.ERROR, AgentState.TERMINATING}


class _Known:
    """An agent by the model."""

    def __init__(self, agent_type: str, incarnation: int, now: float, bound: str | None) -> None:
        self.agent_type = agent_type
        self.bound = bound
        self.begin(incarnation, now)
        self.watchers: list[str] = []

    def begin(self, incarnation: int, now: float) -> None:
        self.incarnation = incarnation
        # What it took on ends with it; the job that it is bound to does not.
        self.jobs: Counter[str] = Counter([] if self.bound is None else [self.bound])
        self.registered = False
        self.ready = False
        self.stands = AgentState.INITIALIZING
        self.heard = now
        # When it was last heard or named as overdue.
        self.quiet_since = now
        self.unresponsive = False


class _Who(NamedTuple):
    agent: str
    incarnation: int
    current: bool


class RegistryMachine(RuleBasedStateMachine):
    """Drives a registry beside one dictionary of agents that is looked through each time.

    Override `make` to drive another registry.

    Example:
        >>> TestRegistry = RegistryMachine.TestCase
    """

    missed = 60.0

    def make(self) -> Registry:
        """The registry that is driven; an agent is overdue after `missed` seconds."""
        return Registry(self.missed)

    @initialize()
    def begins(self) -> None:
        """Nobody is there yet."""
        self.registry = self.make()
        self.now = 0.0
        self.agents: dict[str, _Known] = {}
        self.letters: list[tuple[str, str, str, float]] = []

    def speaker(self, data: st.DataObject) -> _Who:
        """Some agent, or an earlier or later incarnation of it, of which nothing may be taken."""
        agent = data.draw(st.sampled_from(list(self.agents)), label="agent")
        off = data.draw(st.sampled_from([0, 0, 0, 0, 0, 0, -1, 1]), label="incarnation off by")
        return _Who(agent, self.agents[agent].incarnation + off, current=not off)

    # Rules: how they live.

    @precondition(lambda self: len(self.agents) < 5)
    @rule(agent_type=st.sampled_from(_TYPES), job=st.sampled_from([None, *_JOBS]), given_up=st.integers(0, 2))
    def comes(self, agent_type: str, job: str | None, given_up: int) -> None:
        """An agent's start is asked for, after some others for which an id was taken and that are given up then."""
        free = [f"{agent_type}-{number}" for number in range(1, 20) if f"{agent_type}-{number}" not in self.agents]
        taken = [self.registry.new_id(agent_type) for _ in range(given_up + 1)]
        must_be(taken, free[: given_up + 1], "A3", "the ids of further agents")
        *others, agent = taken
        self.registry.starting(agent, agent_type, 1, self.now, job)
        for other in others:
            self.registry.release_id(other, agent_type)
        self.agents[agent] = _Known(agent_type, 1, self.now, job)

    @precondition(lambda self: self.agents)
    @rule(data=st.data(), what=st.sampled_from(["both", "registers", "beats", "moves"]), state=_STATES)
    def speaks(self, data: st.DataObject, what: str, state: AgentState) -> None:
        """An agent says who it is, gives a sign of life, or both."""
        who = self.speaker(data)
        if what in ("both", "registers"):
            self.registers(who, data.draw(st.sampled_from([None, None, None, "gamma"]), label="another type"))
        if what != "registers":
            self.is_heard(who, state, beats=what != "moves")

    def registers(self, who: _Who, other: str | None) -> None:
        """An agent says who it is."""
        known = self.agents[who.agent]
        said = Registration(
            who.agent, other or known.agent_type, who.incarnation, 42, "here", ("can",), {"memory": 1}, 1000.0, 0
        )
        taken = who.current and other is None
        must_be(self.registry.register(said, self.now), taken, "A3", "whether the registration is taken")
        if taken:
            known.registered, known.heard = True, self.now

    def is_heard(self, who: _Who, state: AgentState, *, beats: bool) -> None:
        """A heartbeat comes, or a state is known otherwise."""
        known = self.agents[who.agent]
        if beats:
            beat = Heartbeat(who.agent, who.incarnation, 1010.0, int(state), 7, 2048, 1.5, 9, 10.0, 2, 5)
            before = self.registry.heartbeat(beat, self.now)
        else:
            before = self.registry.moved(who.agent, who.incarnation, state, self.now)
        taken = who.current and known.registered
        must_be(before, known.stands if taken else None, "A5", "the state before this sign of life")
        if taken:
            known.stands, known.heard, known.unresponsive = state, self.now, False
            known.ready = known.ready or state not in _NOT_READY
            known.quiet_since = self.now

    @precondition(lambda self: self.agents)
    @rule(data=st.data(), replaced=st.booleans())
    def dies(self, *, data: st.DataObject, replaced: bool) -> None:
        """An agent dies; if it is to be replaced, the next incarnation is started at once or later."""
        who = self.speaker(data)
        known = self.agents[who.agent]
        departure = self.registry.gone(who.agent, who.incarnation, self.now, replaced=replaced)
        must_be(departure is not None, who.current, "A3", "whether the end of this incarnation counts")
        if departure is None:
            return
        must_be(list(departure.watchers), known.watchers, "F2", "who is told of the end")
        last = (departure.status.agent, departure.status.incarnation, departure.status.state)
        must_be(last, (who.agent, who.incarnation, known.stands), "A3", "how it was last seen")
        if not replaced:
            del self.agents[who.agent]
            return
        known.begin(known.incarnation, self.now)
        known.watchers = []
        if data.draw(st.booleans(), label="started at once"):
            self.registry.starting(who.agent, known.agent_type, known.incarnation + 1, self.now)
            known.begin(known.incarnation + 1, self.now)

    @precondition(lambda self: self.agents)
    @rule(data=st.data(), job=st.sampled_from(_JOBS), joins=st.integers(0, 2), leaves=st.integers(0, 2))
    def works(self, data: st.DataObject, job: str, joins: int, leaves: int) -> None:
        """An agent begins to work for a job, and ends to, several times each."""
        agent, incarnation, current = self.speaker(data)
        for _ in range(joins):
            self.registry.joins(agent, job, incarnation)
        for _ in range(leaves):
            self.registry.leaves(agent, job, incarnation)
        if current:
            jobs = self.agents[agent].jobs
            jobs[job] = max(0, jobs[job] + joins - leaves)

    # Rules: what is sent, and who wants to know.

    @rule(data=st.data(), watcher=st.sampled_from(["ann", "bob"]), what=st.sampled_from(_DOINGS))
    def something_else_happens(self, data: st.DataObject, watcher: str, what: str) -> None:
        """Somebody wants to be told of an end, a message has no recipient, or a silent agent's process burns cpu."""
        if what == "a dead letter":
            recipient = data.draw(st.sampled_from(["nobody-1", "alpha-99"]), label="recipient")
            must_be(self.registry.resolve(recipient), [], "B1", "whom the message is for")
            self.letters.append((recipient, "Ping", "hub", self.now))
            self.registry.dead_letter(*self.letters[-1])
        elif what == "watch" or not self.agents:
            target = data.draw(st.sampled_from([*self.agents, "nobody-1"]), label="target")
            must_be(self.registry.watch(watcher, target), target in self.agents, "F2", "whether it can be watched")
            if target in self.agents and watcher not in self.agents[target].watchers:
                self.agents[target].watchers.append(watcher)
        elif what == "busy":
            who = self.speaker(data)
            found = self.registry.set_unresponsive(who.agent, who.incarnation)
            must_be(found, who.current, "A5", "whether it can be shown as unresponsive")
            self.agents[who.agent].unresponsive |= who.current
        else:
            self.cannot_take_a_place(self.speaker(data).agent)

    def cannot_take_a_place(self, agent: str) -> None:
        """Another type, or an incarnation that is not above, is refused."""
        known = self.agents[agent]
        other = next(each for each in _TYPES if each != known.agent_type)
        for agent_type, incarnation in ((other, known.incarnation + 1), (known.agent_type, known.incarnation)):
            try:
                self.registry.starting(agent, agent_type, incarnation, self.now)
            except ConfigError:
                continue
            raise AssertionError(f"A3: {agent_type} #{incarnation} took the place of {agent}")

    @precondition(lambda self: self.agents)
    @rule(seconds=st.sampled_from([1, 20, 59, 60, 61, 200]))
    def time_passes(self, seconds: int) -> None:
        """Whoever was ready and is silent for too long is found, and nobody else."""
        self.now += seconds
        found = self.registry.overdue(self.now)
        late = {name for name, each in self.agents.items() if each.ready and self.now - each.quiet_since > self.missed}
        must_be({each.agent for each in found}, late, "A5", "who has been silent for too long")
        order = [self.agents[each.agent].quiet_since for each in found]
        must_be(order, sorted(order), "A5", "the longest silence is told first")
        for each in found:
            known = self.agents[each.agent]
            must_be(
                (each.incarnation, each.silence), (known.incarnation, self.now - known.heard), "A5", "how long it is"
            )
            known.quiet_since = self.now

    # Invariants.

    @invariant()
    def b1_groups_are_what_looking_through_all_agents_gives(self) -> None:
        """B1: all, all of a type, all of a job, one agent, the hub."""
        resolve = self.registry.resolve
        must_be(resolve(ALL), list(self.agents), "B1", "all agents")
        for kind in _TYPES:
            expected = [name for name, each in self.agents.items() if each.agent_type == kind]
            must_be(resolve(type_group(kind)), expected, "B1", "all of type", kind)
        for job in _JOBS:
            members = {name for name, each in self.agents.items() if each.jobs[job]}
            must_be(set(resolve(job_group(job))), members, "B1", "all of job", job)
        for name in (*self.agents, HUB, SCHEDULER):
            must_be(resolve(name), [name], "B1", "a recipient by name")
        self.registry.check()

    @invariant()
    def b1_dead_letters_are_counted_and_kept(self) -> None:
        """B1: counted."""
        must_be(self.registry.dead_letter_count, len(self.letters), "B1", "how many letters are dead")
        must_be([tuple(each) for each in self.registry.dead_letters()], self.letters[-1000:], "B1", "dead letters")

    @invariant()
    def a3_each_agent_is_shown_as_it_is(self) -> None:
        """A3 C5: by its present incarnation."""
        for name, known in self.agents.items():
            shown = self.registry.status(name, self.now)
            must(shown is not None, "C5", name, "is not shown")
            if shown is None:
                continue
            seen = (shown.agent_type, shown.incarnation, shown.state, shown.unresponsive, shown.silence)
            expected = (known.agent_type, known.incarnation, known.stands, known.unresponsive, self.now - known.heard)
            must_be(seen, expected, "C5", "how", name, "is shown")
            must_be(shown.jobs, frozenset(+known.jobs), "C5", "the jobs of", name)
            must_be((shown.pid is not None), known.registered, "A3", "whether the pid is known of", name)
            must_be(self.registry.is_ready(name), known.ready, "A3", "whether", name, "was idle")
        must_be(len(self.registry), len(self.agents), "C5", "how many agents there are")
        kinds = Counter(each.agent_type for each in self.agents.values())
        must_be(self.registry.types(), dict(kinds), "C5", "how many there are of each type")

    @invariant()
    def a5_the_next_look_is_not_too_late(self) -> None:
        """A5: the timer is set for whoever will be overdue first."""
        since = [each.quiet_since for each in self.agents.values() if each.ready]
        expected = min(since) + self.missed if since else None
        must_be(self.registry.next_overdue(), expected, "A5", "when to look next")
