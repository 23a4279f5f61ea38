"""Histories as a run of the simulation leaves them, told by hand."""

from __future__ import annotations

import itertools
import random

from actors.testing.history import History


class Telling:
    """Writes a history: messages get numbers by themselves, and time only goes on."""

    def __init__(self) -> None:
        self.history = History()
        self.time = 0.0
        self._number = 0

    def at(self, time: float) -> None:
        assert time >= self.time
        self.time = time

    def send(self, sender: str, recipient: str, name: str, text: str = "") -> int:
        self._number += 1
        self.history.sent(self.time, self._number, sender, recipient, name, text)
        return self._number

    def take(self, number: int, actor: str, fate: str = "handled", *, at: float | None = None) -> None:
        if at is not None:
            self.at(at)
        self.history.received(self.time, number, actor, fate)

    def pass_on(self, sender: str, recipient: str, name: str, text: str = "", *, at: float | None = None) -> None:
        """Send a message that is handled at once, or at the time given."""
        self.take(self.send(sender, recipient, name, text), recipient, at=at)

    def agent(self, name: str, *states: str) -> None:
        for source, target in itertools.pairwise(states):
            self.history.moved(self.time, name, "agent", source, target)

    def task(self, name: str, *states: str) -> None:
        for source, target in itertools.pairwise(states):
            self.history.moved(self.time, name, "task", source, target)

    def birth(self, agent: str, takes: float = 0.02) -> None:
        supervisor = f"agents-{agent.split('-', maxsplit=1)[0]}"
        number = self.send(supervisor, agent, "Start", "")
        self.take(number, agent, at=self.time + takes)
        self.pass_on(agent, "hub", "Registration", "pid 4001", at=self.time + 0.001)
        self.pass_on("hub", agent, "Response", "registered", at=self.time + 0.001)
        self.agent(agent, "initializing", "idle")


def death_and_retry(*, broken: bool = True) -> History:
    """A task whose agent dies, is run again by the next incarnation, and ends twice."""
    tell = Telling()
    history = tell.history
    tell.birth("account-1#1")
    tell.at(0.05)
    history.note(tell.time, "program", "submit Account.pay(3)")
    tell.pass_on("program", "scheduler", "Submit", "task-7 Account.pay(3)")
    tell.task("task-7", "pending", "assigned")
    assignment = tell.send("scheduler", "account-1#1", "Assignment", "task-7, attempt 1")
    tell.take(assignment, "account-1#1", at=0.0512)
    tell.agent("account-1#1", "idle", "assigned", "working")
    started = tell.send("account-1#1", "scheduler", "AssignmentAck", "task-7 started")
    tell.take(started, "scheduler", at=0.0524)
    tell.task("task-7", "assigned", "in_progress")
    tell.at(30.05)
    tell.pass_on("account-1#1", "hub", "Heartbeat", "working", at=30.051)
    tell.at(41.2)
    tell.agent("account-1#1", "working", "completing")
    result = tell.send("account-1#1", "scheduler", "Result", "task-7: 3 paid, balance 97")
    history.fault(41.2, "account-1#1", "dies (signal 9)")
    tell.take(result, "scheduler", "cut", at=41.2011)
    terminated = tell.send("agents-account", "scheduler", "Terminated", "account-1#1, signal 9")
    tell.take(terminated, "scheduler", at=41.2015)
    tell.task("task-7", "in_progress", "pending")
    start = tell.send("agents-account", "account-1#2", "Start")
    tell.take(start, "account-1#2", at=41.23)
    tell.pass_on("account-1#2", "hub", "Registration", "pid 4002", at=41.231)
    tell.agent("account-1#2", "initializing", "idle")
    tell.task("task-7", "pending", "assigned")
    assignment = tell.send("scheduler", "account-1#2", "Assignment", "task-7, attempt 2")
    tell.take(assignment, "account-1#2", at=41.2325)
    tell.agent("account-1#2", "idle", "assigned", "working")
    tell.at(41.2405)
    tell.agent("account-1#2", "working", "completing")
    result = tell.send("account-1#2", "scheduler", "Result", "task-7: 3 paid, balance 94")
    tell.take(result, "scheduler", at=41.2417)
    tell.task("task-7", "assigned", "completed")
    tell.agent("account-1#2", "completing", "idle")
    tell.pass_on("scheduler", "program", "Outcome", "task-7 completed: 94")
    if broken:
        text = (
            "after task-7 the balance is 94, but one payment of 3 from 100 leaves 97; account-1#1 and account-1#2 paid"
        )
        history.broken(tell.time, "Account: each payment is booked once", text)
    return history


def ask_that_times_out() -> History:
    """A worker that asks another, which hangs; the answer comes when nobody waits for it any more."""
    tell = Telling()
    history = tell.history
    for agent in ("clerk-1#1", "vault-1#1"):
        tell.agent(agent, "initializing", "idle")
    history.note(0.0, "program", "submit Clerk.close_the_day()")
    tell.pass_on("program", "scheduler", "Submit", "task-1 Clerk.close_the_day()")
    tell.pass_on("scheduler", "clerk-1#1", "Assignment", "task-1, attempt 1", at=0.0008)
    tell.agent("clerk-1#1", "idle", "assigned", "working")
    tell.at(0.5)
    tell.agent("clerk-1#1", "working", "communicating")
    ask = tell.send("clerk-1#1", "hub", "CoordinationRequest", "to vault-1: sum(account='savings'), 30 s")
    tell.take(ask, "hub", at=0.5007)
    forwarded = tell.send("hub", "vault-1#1", "CoordinationRequest", "sum(account='savings')")
    history.fault(0.501, "vault-1#1", "hangs for 60 s")
    tell.at(0.501)
    for beat in range(1, 4):
        tell.at(10.0 * beat)
        tell.pass_on("clerk-1#1", "hub", "Heartbeat", "communicating", at=tell.time + 0.0006)
    tell.at(30.5)
    timeout = tell.send("hub", "clerk-1#1", "ErrorResponse", "AskTimeout: vault-1 gave no answer within 30 s")
    tell.take(timeout, "clerk-1#1", at=30.5009)
    tell.agent("clerk-1#1", "communicating", "working", "completing")
    result = tell.send("clerk-1#1", "scheduler", "Result", "task-1: failed, AskTimeout")
    tell.take(result, "scheduler", at=30.5016)
    tell.task("task-1", "in_progress", "failed")
    tell.agent("clerk-1#1", "completing", "idle")
    tell.pass_on("scheduler", "program", "Outcome", "task-1 failed: AskTimeout")
    tell.take(forwarded, "vault-1#1", at=60.501)
    answer = tell.send("vault-1#1", "hub", "Response", "1,204.50")
    tell.take(answer, "hub", at=60.5018)
    late = tell.send("hub", "clerk-1#1", "Response", "1,204.50")
    tell.take(late, "clerk-1#1", "dead letter", at=60.5024)
    lost = tell.send("vault-1#1", "hub", "Event", "TaskProgress <&> 50 %")
    tell.take(lost, "hub", "lost", at=60.7)
    tell.send("vault-1#1", "hub", "Heartbeat", "idle")
    history.broken(60.7, "B3 each ask is answered once", "clerk-1#1 was told AskTimeout, and 1,204.50 came after it")
    return history


def forty_messages(messages: int = 40, seed: int = 5) -> History:
    """Work of five agents of two types: messages of all fates, one death, a doubled and a garbled frame."""
    tell = Telling()
    history = tell.history
    draw = random.Random(seed)
    agents = ["reader-1#1", "reader-2#1", "writer-1#1", "writer-2#1"]
    for agent in agents:
        tell.agent(agent, "initializing", "idle")
    waiting: list[tuple[float, int, str, str]] = []
    written = 0
    while written < messages:
        tell.at(tell.time + draw.choice([0.0, 0.0004, 0.001, 0.004, 0.2]))
        while waiting and waiting[0][0] <= tell.time:
            _, number, actor, fate = waiting.pop(0)
            tell.take(number, actor, fate)
        agent = agents[draw.randrange(len(agents))]
        task = f"task-{draw.randrange(1, 9)}"
        sender, recipient, name, text = draw.choice(
            [
                ("program", "scheduler", "Submit", f"{task} Reader.read('part-{draw.randrange(100)}.csv')"),
                ("scheduler", agent, "Assignment", f"{task}, attempt 1"),
                (agent, "scheduler", "Result", f"{task}: {draw.randrange(1000)} rows"),
                (agent, "hub", "EventMessage", f"TaskProgress {task} 50 %"),
                ("hub", "program", "EventMessage", f"TaskProgress {task} 50 %"),
                ("resources", agent, "ResourceLimit", "memory 512 MiB"),
                ("hub", "resources", "AdjustmentRequest", f"{agent} asks for 256 MiB more"),
            ]
        )
        if name == "Assignment":
            tell.agent(agent, "idle", "assigned", "working")
            tell.task(task, "pending", "assigned")
        if name == "Result":
            tell.agent(agent, "working", "completing", "idle")
            tell.task(task, "assigned", "completed")
        number = tell.send(sender, recipient, name, text)
        written += 1
        fate = "handled" if draw.random() < 0.85 else draw.choice(["lost", "garbled", "doubled", "dead letter"])
        waiting.append((tell.time + draw.choice([0.0, 0.0003, 0.002]), number, recipient, fate))
        waiting.sort()
        if written == messages // 2:
            history.fault(tell.time, agent, "dies (signal 11)")
            agents[agents.index(agent)] = agent[:-1] + "2"
            tell.agent(agent[:-1] + "2", "initializing", "idle")
    for at, number, actor, fate in waiting[:-1]:
        tell.take(number, actor, fate, at=max(at, tell.time))
    history.broken(tell.time, "D8 exactly one outcome", "task-4 completed twice: 771 rows, then 93 rows")
    return history
