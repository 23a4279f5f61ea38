"""Without the order in which records are written, or without making the books anew, the tests of failures fail."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.sabotage.mutation import ROOT, Mutation

MUTATIONS = {
    "the books stay as they are": Mutation(
        "the books stay as they are",
        "actors.core.engine",
        "        rebuild.make_anew(self._book, decided, unsent)\n",
        "",
        "F1",
        "a failure in the middle leaves tables half made",
    ),
    "the status before the result": Mutation(
        "the status before the result",
        "actors.core.outcomes",
        "        task.result = payload\n        task.started = started\n        task.ended = ended\n"
        "        task.status = _COMPLETED\n",
        "        task.status = _COMPLETED\n        task.result = payload\n        task.started = started\n"
        "        task.ended = ended\n",
        "F1",
        "a completed task can be without its result",
    ),
    "assignments that were not sent stay": Mutation(
        "assignments that were not sent stay",
        "actors.core.rebuild",
        "            task.status, task.attempt = _PENDING, attempt - 1\n",
        "            pass\n",
        "F1",
        "a task is assigned in the books and never sent",
    ),
    "no outcome is made up for": Mutation(
        "no outcome is made up for",
        "actors.core.rebuild",
        "            book.out.append(Resolve(task))\n",
        "            pass\n",
        "F1",
        "a future hangs",
    ),
    "half of a hand-back": Mutation(
        "half of a hand-back",
        "actors.core.outcomes",
        "        task.status, task.attempt, task.spared = _PENDING, task.attempt - (not begun), task.spared + spared\n",
        "        task.status = _PENDING\n        task.attempt -= not begun\n        task.spared += spared\n",
        "F1",
        "an attempt is lost",
    ),
    "a probe that came to nothing stays": Mutation(
        "a probe that came to nothing stays",
        "actors.core.breaker",
        "                breaker.probe = None\n\n    def refusal",
        "                pass\n\n    def refusal",
        "F4",
        "a task type rests for ever",
    ),
    "an opened breaker without its time": Mutation(
        "an opened breaker without its time",
        "actors.core.breaker",
        '        self.phase, self.due, self.probe, self.openings = "open", now + wait, None, self.openings + 1\n',
        '        self.phase = "open"\n        self.due, self.probe, self.openings = now + wait, None, self.openings + 1\n',
        "F4",
        "a task type rests for ever",
    ),
    "a dead letter is not listed": Mutation(
        "a dead letter is not listed",
        "actors.core.rebuild",
        "            book.dead.add(task, book.now)\n",
        "            pass\n",
        "F4",
        "a task that failed for good cannot be run again",
    ),
    "an attempt is told twice": Mutation(
        "an attempt is told twice",
        "actors.core.task",
        "if attempts and attempts[-1].number == self.attempt:",
        "if False:",
        "F4",
        "the story of a task has one try twice",
    ),
}
PROGRAM = """
import sys
from tests.core.test_rebuild_discipline import MUTATIONS
from tests.sabotage.loader import install
install(MUTATIONS[sys.argv[1]])
import pytest
from tests.core import test_rebuild as tests
patch = pytest.MonkeyPatch()
# Where it is likeliest first.
first = tests.rests if MUTATIONS[sys.argv[1]].breaks == "F4" else tests.outcomes
for scenario in sorted(tests.SCENARIOS, key=lambda scenario: scenario is not first):
    for call, line in tests.first_lines(scenario, patch).values():
        try:
            tests.played(scenario, patch, {call: [line]})
        except Exception as error:
            print("found:", type(error).__name__, error)
            sys.exit()
"""


QUICK = ("the books stay as they are", "the status before the result", "a dead letter is not listed")


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in MUTATIONS]
)
def test_a_break_of_the_discipline_is_found(name: str) -> None:
    """F1: a test that never fails proves nothing."""
    command = [sys.executable, "-c", PROGRAM, name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert "found:" in done.stdout, done.stderr[-2000:]
