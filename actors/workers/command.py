"""The data of a command, checked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from actors.workers.refusal import refuse_field

__all__ = ["Command"]


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it is run.

    Args:
        argv: the program and its arguments.
        cwd: its folder; None is that of the process.
        environment: all of its variables; None are those of the process.
        stdin: what it reads; None is nothing.
        exit_codes: those that are no failure.
        keep: bytes of each output stream that are kept.
    """

    argv: tuple[str, ...]
    cwd: str | None
    environment: dict[str, str] | None
    stdin: str | None
    exit_codes: frozenset[int]
    keep: int

    @classmethod
    def of(cls, argv: Any, *, cwd: Any, env: Any, stdin: Any, shell: Any, exit_codes: Any, keep: Any) -> Command:
        """Check the data of a task; see `GeneralPurpose.command`.

        Raises:
            ConfigError: a value that is not allowed; names the field.
        """
        if not isinstance(shell, bool):
            _refuse("shell", shell, "true or false")
        if stdin is not None and not isinstance(stdin, str):
            _refuse("stdin", stdin, "a text")
        if cwd is not None and not (_is_word(cwd) and os.path.isdir(cwd)):
            _refuse("cwd", cwd, "an existing folder")
        if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
            _refuse("keep", keep, "a number of bytes, 1 or more")
        return cls(
            argv=_shell_words(argv) if shell else _words(argv),
            cwd=cwd,
            environment=None if env is None else _environment(env),
            stdin=stdin,
            exit_codes=_codes(exit_codes),
            keep=keep,
        )


def _words(argv: Any) -> tuple[str, ...]:
    if isinstance(argv, str):
        _refuse(
            "argv", argv, 'a list, as ["git", "status"]; a text is for a shell, which has to be asked for: shell: true'
        )
    words: list[Any] = []
    for word in argv if isinstance(argv, Sequence) else ():
        if isinstance(word, list | tuple):
            words += word
        else:
            words.append(word)
    words = [_word(word) for word in words]
    if not words or not all(_is_word(word) for word in words) or not words[0]:
        _refuse("argv", argv, 'a list of texts, the program and each argument by itself, as ["git", "status"]')
    return tuple(words)


def _shell_words(argv: Any) -> tuple[str, ...]:
    if not _is_word(argv) or not argv.strip():
        _refuse("argv", argv, "one text for /bin/sh, because shell is true")
    return ("/bin/sh", "-c", argv)


def _environment(env: Any) -> dict[str, str]:
    allowed = "a mapping of names to texts, or to null for a variable to take away"
    if not isinstance(env, Mapping):
        _refuse("env", env, allowed)
    made = dict(os.environ)
    for name, given in env.items():
        value = _word(given)
        if not _is_word(name) or not name or "=" in name or not (value is None or _is_word(value)):
            _refuse("env", {name: value}, allowed)
        if value is None:
            made.pop(name, None)
        else:
            made[name] = value
    return made


def _codes(given: Any) -> frozenset[int]:
    good = isinstance(given, Sequence) and not isinstance(given, str) and given
    if not good or not all(isinstance(code, int) and not isinstance(code, bool) for code in given):
        _refuse("exit_codes", given, "a list of whole numbers, as [0, 1]")
    return frozenset(given)


def _word(value: Any) -> Any:
    """A number as the text that a command gets of it: in a file `5` needs no quotes."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _is_word(value: Any) -> bool:
    # The operating system ends a text at a NUL.
    return isinstance(value, str) and "\0" not in value


def _refuse(key: str, value: Any, allowed: str) -> NoReturn:
    refuse_field("a command", key, value, allowed)
