"""Compares what was handed in, what the tasks wrote down, what the callbacks and the events told, and what is left."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.chaos.book import Book
from benchmarks.chaos.ledger import Pages, Run

__all__ = ["Promise", "Records", "judge", "read_book"]

_ENDS = {"TaskCompleted", "TaskFailed", "TaskCancelledEvent"}
_END_OF = {"TaskCompleted": "completed", "TaskFailed": "failed", "TaskCancelledEvent": "cancelled"}


@dataclass(slots=True)
class Promise:
    """A statement about a run, how many cases it was held against, and those in which it is broken."""

    statement: str
    cases: int
    broken: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Handed:
    """A task that the program handed in."""

    number: int
    task: str
    kind: str
    sort: str


@dataclass(slots=True)
class Records:
    """The book, read. `story` has the events of each task in the order in which they came."""

    handed: list[Handed] = field(default_factory=list)
    called: Counter[int] = field(default_factory=Counter)
    outcomes: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    story: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))


def read_book(book: Book) -> Records:
    """Read what the program wrote down."""
    records = Records()
    for sign, _, *values in book.lines():
        if sign == "S":
            records.handed.append(Handed(*values))
        elif sign == "D":
            records.called[values[0]] += 1
        elif sign == "O":
            records.outcomes[values[0]].append(values[2])
        elif sign == "V":
            records.story[values[1]].append((values[0], values[2]))
    return records


def judge(records: Records, pages: Pages, missed: int, told_broken: Iterable[str]) -> list[Promise]:
    """Hold the promises about tasks against the records.

    Args:
        records: of the program.
        pages: of the tasks.
        missed: events that the subscriber was too slow for; with any, stories may have holes.
        told_broken: what was seen to be wrong while it ran.
    """
    runs: dict[str, list[Run]] = defaultdict(list)
    for run in pages.runs:
        runs[run.task].append(run)
    handed = records.handed
    once = [each for each in handed if each.sort == "single"]
    never = [each for each in handed if each.sort == "never"]
    return [
        Promise("what is asked for is given, and every outcome is one that may be", len(handed), list(told_broken)),
        Promise("each task has exactly one outcome", len(handed), list(_outcomes(records))),
        Promise("a task that may begin once only begins once at most", len(once), list(_begun(once, runs, 1))),
        Promise("a task cancelled before its dependency was done never begins", len(never), [*_begun(never, runs, 0)]),
        Promise("no task is in two living processes at once", len(pages.runs), list(_alone(pages))),
        Promise("an attempt begins once, and their numbers rise", len(runs), list(_attempts(runs))),
        Promise("no result without a run that came to its end", len(handed), list(_results(records, runs))),
        Promise("each task's events tell one story with one end", len(records.story), [*_stories(records, missed)]),
        Promise("messages come once at most, and in their order", len(pages.heard), list(_messages(pages))),
    ]


def _outcomes(records: Records) -> Iterator[str]:
    for each in records.handed:
        called, looked_at = records.called[each.number], len(records.outcomes[each.number])
        if (called, looked_at) != (1, 1):
            yield f"{each.kind} {each.task}: its callback was called {called} times, it has {looked_at} outcomes"


def _begun(tasks: list[Handed], runs: dict[str, list[Run]], most: int) -> Iterator[str]:
    for each in tasks:
        begun = runs.get(each.task, [])
        if len(begun) > most:
            where = ", ".join(f"attempt {run.attempt} at {run.agent} ({run.pid}) {run.began:.3f}" for run in begun)
            yield f"{each.kind} {each.task} began {len(begun)} times: {where}"


def _alone(pages: Pages) -> Iterator[str]:
    ends = {(run.task, run.pid): run.ended for run in pages.runs}
    for conflict in pages.conflicts:
        ended = ends.get((conflict.task, conflict.holder))
        # Interrupted between the note of its end and the lock's release: that body was over.
        if ended is None or ended > conflict.at:
            yield (
                f"{conflict.task}: attempt {conflict.attempt} began in {conflict.pid} while {conflict.holder} was in it"
            )


def _attempts(runs: dict[str, list[Run]]) -> Iterator[str]:
    for task, several in runs.items():
        ordered = sorted(several, key=lambda run: run.began)
        attempts = [run.attempt for run in ordered]
        # A plain callable does not know its attempt.
        if attempts[0] and attempts != sorted(set(attempts)):
            yield f"{ordered[0].kind} {task}: attempts began in the order {attempts}"


def _results(records: Records, runs: dict[str, list[Run]]) -> Iterator[str]:
    for each in records.handed:
        if each.kind in ("plain", "harm") or records.outcomes[each.number] != ["result"]:
            continue
        if not any(run.ended is not None for run in runs.get(each.task, [])):
            yield f"{each.kind} {each.task} has a result, and no run of it came to its end"


def _stories(records: Records, missed: int) -> Iterator[str]:
    if missed:
        return
    outcome_of = {each.task: records.outcomes[each.number] for each in records.handed}
    for task, story in records.story.items():
        wrong = _wrong_in(story)
        if not wrong and task in outcome_of and outcome_of[task]:
            wrong = _unlike(story, outcome_of[task][0])
        if wrong:
            yield f"{task}: {wrong}: {', '.join(f'{name} {attempt}' for name, attempt in story)}"


def _wrong_in(story: list[tuple[str, int]]) -> str:
    names = [name for name, _ in story]
    if names[0] != "TaskSubmitted" or names.count("TaskSubmitted") != 1:
        return "it does not begin with its one submission"
    if sum(name in _ENDS for name in names) != 1 or names[-1] not in _ENDS:
        return "it does not end with its one end"
    assigned = 0
    for name, attempt in story:
        if name == "TaskAssigned":
            if attempt < assigned:
                return "an attempt is assigned after a later one"
            assigned = attempt
        elif name == "TaskStarted" and attempt != assigned:
            return "an attempt starts that was not the last to be assigned"
    return ""


def _unlike(story: list[tuple[str, int]], outcome: str) -> str:
    expected = {"result": "completed", "wrong": "completed", "TaskCancelled": "cancelled"}.get(outcome, "failed")
    told = _END_OF[story[-1][0]]
    if outcome == "NotSerializable":
        # Either the agent could not pickle it, or the program cannot unpickle what was completed there.
        return ""
    return "" if told == expected else f"its outcome is {outcome}, and its last event says {told}"


def _messages(pages: Pages) -> Iterator[str]:
    last: dict[tuple[str, int], int] = {}
    seen: Counter[int] = Counter()
    for heard in pages.heard:
        seen[heard.number] += 1
        before = last.get((heard.agent, heard.pid), 0)
        if heard.number <= before:
            yield f"{heard.agent} took message {heard.number} after {before}"
        last[heard.agent, heard.pid] = heard.number
    yield from (f"message {number} was taken {times} times" for number, times in seen.items() if times > 1)


def totals(promises: Iterable[Promise]) -> dict[str, Any]:
    """The promises as plain values."""
    return {
        each.statement: {"cases": each.cases, "broken": len(each.broken), "examples": each.broken[:20]}
        for each in promises
    }
