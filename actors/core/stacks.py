"""What stacks say about the body of a task: the library's own frames, and threads that have no part in it, left out.

A stack is lines of text, as Python's `traceback` and `faulthandler` write them.
"""

from __future__ import annotations

import re

__all__ = ["crashed", "dumped", "interrupted"]

_THREAD = re.compile(r"(Current thread|Thread) 0x")
_OWN_FRAME = re.compile(r'File "[^"]*[/\\]actors[/\\]hosts[/\\][a-z_]+\.py", line')
_BODY_BEGINS = re.compile(r'[/\\]actors[/\\]hosts[/\\]interrupts\.py", line \d+,? in _enter')
_INTERRUPTION = "actors.hosts.interrupts.TaskInterrupted"
_OWN_FILE = re.compile(r'[/\\]actors[/\\]hosts[/\\](interrupts|lastwords)\.py", line')
_EXTENSIONS = "Extension modules:"
_LONGEST = 400


def interrupted(traceback: str) -> tuple[str, ...]:
    """Where a body was when it was interrupted, out of the traceback of its interruption."""
    lines: list[str] = []
    own = False
    for line in traceback.splitlines():
        if line.startswith("  File "):
            own = _OWN_FILE.search(line) is not None
        elif not line.startswith("    "):
            own = line.startswith(_INTERRUPTION)
        if not own:
            lines.append(line[:_LONGEST])
    # Without a frame there is nothing to see.
    return tuple(lines) if any(line.startswith("  File ") for line in lines) else ()


def dumped(stack: tuple[str, ...]) -> tuple[str, ...]:
    """Where a body is, out of a dump of all threads: its own thread first, which comes last in the dump."""
    blocks: list[list[str]] = []
    for line in stack:
        if _THREAD.match(line) or not blocks:
            blocks.append([])
        if line.strip():
            blocks[-1].append(line[:_LONGEST])
    if not blocks:
        return ()
    *others, body = blocks
    shown = [_users(body)]
    shown += [block for block in others if any("File" in line and not _of_library(line) for line in block)]
    return tuple(line for block in shown for line in block)


def crashed(stack: tuple[str, ...]) -> tuple[str, ...]:
    """The thread that crashed, out of a report of `faulthandler`, and which extension modules were loaded."""
    for at, line in enumerate(stack):
        if line.startswith("Current thread"):
            end = next((end for end in range(at + 1, len(stack)) if not stack[end].startswith("  ")), len(stack))
            modules = [line[:_LONGEST] for line in stack[end:] if line.startswith(_EXTENSIONS)]
            return (stack[0], *_users(list(stack[at:end])), *modules)
    return stack


def _users(block: list[str]) -> list[str]:
    """A thread's frames, the innermost first, down to where the body of the task begins."""
    body = next((at for at, line in enumerate(block) if _BODY_BEGINS.search(line)), len(block))
    return [line for line in block[:body] if not _OWN_FILE.search(line)]


def _of_library(line: str) -> bool:
    return _OWN_FRAME.search(line) is not None or '/threading.py", line' in line
