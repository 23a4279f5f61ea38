"""How commit messages are written."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["LONG_SUBJECT", "MessageProblem", "MessageReport", "MessageTally", "problems_of", "type_of"]

LONG_SUBJECT = 72
"""A subject with more characters is cut off by most tools."""

_MOST_EXAMPLES = 50
_MOST_TYPES = 50
_CONVENTIONAL = re.compile(r"^([A-Za-z][\w-]*)(\([^()\n]+\))?!?: +\S")
_REFERENCE = re.compile(r"(?<![\w&])#\d+\b|\b[A-Z][A-Z0-9]+-\d+\b")
_SIGNED_OFF = re.compile(r"^Signed-off-by: .+<.+>", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class MessageProblem:
    """A commit whose message does not keep the usual form.

    Args:
        commit: in hexadecimal.
        subject: its first line, cut off after 200 characters.
        problems: some of "empty", "long_subject", "no_blank_line", "full_stop".
    """

    commit: str
    subject: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MessageReport:
    """How the messages of commits are written; merges are not counted.

    Args:
        messages: how many were looked at.
        conventional: those that begin with a type, as in `fix(parser): …` (Conventional Commits).
        types: how many of each type, most first.
        problems: how many messages have each problem: "empty", "long_subject" (more than 72 characters),
            "no_blank_line" (text in the second line), "full_stop" (at the end of the subject).
        examples: the newest messages with problems, 50 at most.
        with_body, signed_off, with_reference: how many have more than a subject, a `Signed-off-by:` line, a number of
            an issue (`#12`, `ABC-12`).
    """

    messages: int = 0
    conventional: int = 0
    types: Mapping[str, int] = field(default_factory=dict)
    problems: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[MessageProblem, ...] = ()
    with_body: int = 0
    signed_off: int = 0
    with_reference: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)


def type_of(message: str) -> str | None:
    """The type that a message names by the form of Conventional Commits, in lower case, or None."""
    found = _CONVENTIONAL.match(message)
    return found.group(1).lower() if found else None


def problems_of(message: str) -> tuple[str, ...]:
    """What is unusual in the form of a message; see `MessageReport`."""
    lines = message.strip().split("\n")
    subject = lines[0].rstrip()
    if not subject:
        return ("empty",)
    found = []
    if len(subject) > LONG_SUBJECT:
        found.append("long_subject")
    if len(lines) > 1 and lines[1].strip():
        found.append("no_blank_line")
    if subject.endswith(".") and not subject.endswith(".."):
        found.append("full_stop")
    return tuple(found)


class MessageTally:
    """Counts messages one by one, in bounded memory."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(("messages", "conventional", "with_body", "signed_off", "with_reference"), 0)
        self._types: dict[str, int] = {}
        self._problems: dict[str, int] = {}
        self._examples: list[MessageProblem] = []

    def add(self, commit: str, message: str) -> None:
        """Count one message.

        Args:
            commit: whose it is, in hexadecimal.
            message: the whole of it.
        """
        counts = self._counts
        counts["messages"] += 1
        text = message.strip()
        counts["with_body"] += "\n" in text
        counts["signed_off"] += _SIGNED_OFF.search(text) is not None
        counts["with_reference"] += _REFERENCE.search(text) is not None
        kind = type_of(text)
        if kind is not None:
            counts["conventional"] += 1
            # Anybody may write any word before a colon; the count of words stays bounded.
            if kind in self._types or len(self._types) < _MOST_TYPES:
                self._types[kind] = self._types.get(kind, 0) + 1
        problems = problems_of(text)
        for problem in problems:
            self._problems[problem] = self._problems.get(problem, 0) + 1
        if problems and len(self._examples) < _MOST_EXAMPLES:
            self._examples.append(MessageProblem(commit, text.partition("\n")[0][:200], problems))

    def report(self) -> MessageReport:
        """What was counted until now."""
        return MessageReport(
            **self._counts,
            types=_most_first(self._types),
            problems=_most_first(self._problems),
            examples=tuple(self._examples),
        )


def _most_first(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
