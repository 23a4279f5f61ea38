"""Known-bad changes of the journal's side of the scheduler."""

from __future__ import annotations

from tests.sabotage.mutation import Mutation

__all__ = ["JOURNAL_MUTATIONS"]

JOURNAL_MUTATIONS = (
    Mutation(
        "outcomes are told without being written",
        "actors.runtime.journal.keeper",
        "        if type(decision) is Resolve:\n            task = decision.task\n",
        "        if type(decision) is Resolve:\n            return None\n            task = decision.task\n",
        "F3",
        "a result that the program had is made once more after its death",
    ),
    Mutation(
        "what cannot be written is told all the same",
        "actors.runtime.journal.keeper",
        "            self._held[decision.task.number] = decision\n            return True\n",
        "            return False\n",
        "F3",
        "while the disk is full, outcomes are told that nobody keeps",
    ),
    Mutation(
        "what was held back is forgotten",
        "actors.runtime.journal.keeper",
        "                decided.extend(held)\n",
        "",
        "D8",
        "an outcome that could not be written at once is never told",
    ),
    Mutation(
        "a task is accepted without being written",
        "actors.runtime.journal.keeper",
        "        ready = self._write(engine, now, records, decisions)\n",
        "        ready = self._write(engine, now, [], decisions)\n",
        "F3",
        "the death of the program takes a task with it that was accepted",
    ),
    Mutation(
        "accepted although it cannot be kept",
        "actors.runtime.journal.keeper",
        "                refuse(self._incoming[number], self._refusal())\n                del self._incoming[number]\n",
        "                refuse(self._incoming[number], self._refusal())\n",
        "F3",
        "a task whose record could not be written is refused, and runs all the same",
    ),
    Mutation(
        "what is open is not gone on with",
        "actors.runtime.journal.durable",
        "m.RestoreTasks([*before, *done], ready, dead=dead)",
        "m.RestoreTasks([*before, *done], [], dead=dead)",
        "F3",
        "a task that was accepted in an earlier life never gets its outcome",
    ),
)
