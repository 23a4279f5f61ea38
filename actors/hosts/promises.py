"""What a host can keep, and what the system answers to who asks for what it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["PROMISES", "HostPromises", "Promise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPromises:
    """What a host can keep; what it does not name it does not promise. `PROMISES` says what each means.

    Args:
        kills, interrupts, parallel, isolation, memory_limits, file_limits, environment, fresh, descendants, last_words:
            see `PROMISES`.
        startup: in words, what the start of an agent takes.
    """

    kills: bool = False
    interrupts: bool = False
    parallel: bool = False
    isolation: bool = False
    memory_limits: bool = False
    file_limits: bool = False
    environment: bool = False
    fresh: bool = False
    descendants: bool = False
    last_words: bool = False
    startup: str = ""


class Promise(NamedTuple):
    """One promise that a host can keep or not.

    `name` is the field of `HostPromises`, `text` what is promised; `without` is what happens where it is not kept, and
    `answer` what the system says to work or agents that ask for it there.
    """

    name: str
    text: str
    without: str
    answer: str


PROMISES: tuple[Promise, ...] = (
    Promise(
        "kills",
        "a task that does not react to an interruption is ended: by its time limit, by `cancel`, by `terminate`",
        "within the grace a late result counts; after it the task fails, its agent is given up and replaced, and its body "
        "goes on unheard until it returns",
        "a warning when work with a time limit of its own is handed in",
    ),
    Promise(
        "interrupts",
        "an interruption breaks a sleep or a system call",
        "it breaks an `await` and the library's own waits (`self.sleep`, `result()`, `ask`), nothing else",
        "the warning of `kills`",
    ),
    Promise(
        "parallel",
        "agents run Python code at the same time, and C code that holds the interpreter holds up its own agent only",
        "agents take turns; such C code stops the whole program until it returns",
        "nothing: no work asks for it",
    ),
    Promise(
        "isolation",
        "a crash (of native code, by a signal, by `os._exit`) ends its own agent and harms nobody else",
        "it ends the program",
        "nothing: no work asks for it",
    ),
    Promise(
        "memory_limits",
        "memory and processor time are measured for each agent with its children, and memory is limited",
        "not measured, not limited",
        "a warning when work for a worker that names such a limit is handed in, and at `spawn` and `set_limits`",
    ),
    Promise(
        "file_limits",
        "open files and child processes are limited for each agent",
        "not limited",
        "the same for these limits",
    ),
    Promise(
        "environment",
        "an agent can have an environment and a working directory of its own",
        "all share the program's",
        "`ConfigError` at `spawn`, and at the start of a system whose configuration names them",
    ),
    Promise(
        "fresh",
        '`start_method="spawn"` starts a fresh interpreter',
        "all share the program's interpreter",
        "the same error",
    ),
    Promise(
        "descendants",
        "what a task starts and leaves behind ends with its agent, also what has detached itself, and when the program dies",
        "what `self.run` starts ends with its task; all else is nobody's business",
        "nothing: no work asks for it",
    ),
    Promise(
        "last_words",
        "the error about a dead agent has its exit code or signal, the last lines of its standard error, and its native stack",
        "it has the Python traceback, if there is one",
        "nothing: no work asks for it",
    ),
)
"""All that hosts differ in, in the order of the fields."""
