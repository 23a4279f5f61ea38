"""A tool that checks files: a command whose output becomes findings."""

from __future__ import annotations

import os
import shutil
import sysconfig
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from actors.errors import CommandFailed
from actors.quality.command import OUTPUT_LIMIT, Ended, Run
from actors.quality.finding import Finding, Kind, QualityReport, Skip
from actors.quality.target import Names, Syntax, Target

__all__ = ["Tool", "ToolFailed", "environment", "find_program", "found_above"]

_TOLD = 2000


class ToolFailed(Exception):
    """A tool ended without saying what it found. `for_all` if other files would make no difference."""

    def __init__(self, message: str, *, for_all: bool = False) -> None:
        super().__init__(message)
        self.for_all = for_all


class Tool(ABC):
    """One tool.

    Attributes:
        name: of the tool, as people call it.
        kind: of its findings.
        syntax: of the files that it takes.
        install: what to do where it is missing.
        start_seconds: what one run takes at least, roughly; used until it was measured, as the next.
        byte_seconds: what each byte of the files takes.
        configs: names of files of which one must lie beside the files or above them; none if it needs none.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind] = "lint"
    syntax: ClassVar[Syntax]
    install: ClassVar[str]
    start_seconds: ClassVar[float] = 0.1
    byte_seconds: ClassVar[float] = 1e-6
    configs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def argv(self, program: str, root: str) -> list[str]:
        """The command without the files."""

    @abstractmethod
    def read(self, ended: Ended, names: Names) -> list[Finding]:
        """What its output says.

        Raises:
            ToolFailed: it did not do its work.
            ValueError, KeyError, TypeError: its output is not what it should be.
        """

    def takes(self, target: Target) -> bool:
        """Whether a file is one for this tool."""
        return target.syntax == self.syntax

    def is_configured(self, target: Target, root: str) -> bool:
        """Whether the tree says how this tool is to judge a file."""
        return not self.configs or found_above(os.path.dirname(os.path.join(root, target.argument)), self.configs)

    def program(self, root: str) -> str | None:
        """Where it is installed."""
        return find_program(self.name)

    def check(self, targets: Sequence[Target], root: str, run: Run, timeout: float) -> QualityReport:
        """Check the files that are for it.

        Args:
            targets: any files.
            root: where it runs.
            run: what runs it.
            timeout: seconds for one run.

        Returns:
            What it found. A file on which it fails has a finding that says so, and costs the others nothing.
        """
        mine = [target for target in targets if self.takes(target)]
        if not mine:
            return QualityReport()
        wanted = [target for target in mine if self.is_configured(target, root)]
        if not wanted:
            return QualityReport(skipped=(self.not_configured(len(mine)),))
        program = self.program(root)
        if program is None:
            return QualityReport(skipped=(self.not_installed(),))
        found: list[Finding] = []
        try:
            for part in _told_apart(wanted, root):
                found += self._checked(program, part, root, run, timeout)
        except ToolFailed as error:
            found.append(self._failure(".", str(error)))
        return QualityReport(findings=tuple(found))

    def _checked(
        self, program: str, targets: Sequence[Target], root: str, run: Run, timeout: float
    ) -> Iterator[Finding]:
        """The findings of some files; if the tool fails on them, of each half by itself."""
        argv = [*self.argv(program, root), *(target.argument for target in targets)]
        try:
            ended = run(argv, cwd=root, env=environment(), timeout=timeout, limit=OUTPUT_LIMIT)
            if ended.truncated:
                raise ToolFailed(f"{self.name} said more than {OUTPUT_LIMIT >> 20} MiB about it")
            yield from self.read(ended, Names(root, targets))
            return
        except CommandFailed as error:
            failure = ToolFailed(str(error).partition("\n")[0], for_all=error.code is None)
        except ToolFailed as error:
            failure = error
        except (ValueError, KeyError, TypeError) as error:
            failure = ToolFailed(f"{self.name} wrote what cannot be read: {type(error).__name__}: {error}")
        if failure.for_all:
            raise failure
        if len(targets) == 1:
            yield self._failure(targets[0].path, str(failure))
            return
        middle = len(targets) // 2
        for half in (targets[:middle], targets[middle:]):
            yield from self._checked(program, half, root, run, timeout)

    def not_configured(self, files: int) -> Skip:
        """What is told where nothing says how it is to judge so many files."""
        names = " or ".join(self.configs[:2])
        reason = f"not configured: {files} file{'s' * (files > 1)} for it, and none of its own ({names})"
        return Skip(self.name, reason, f"add {self.configs[0]}")

    def not_installed(self) -> Skip:
        """What is told where it is missing."""
        return Skip(self.name, "not installed", self.install)

    def _failure(self, path: str, message: str) -> Finding:
        return Finding(self.name, "tool-failed", "error", path, None, None, None, message[:_TOLD], kind=self.kind)

    def failed(self, ended: Ended, *, for_all: bool = False) -> ToolFailed:
        """The error for a tool that ended in another way than it should."""
        told = (ended.stderr.strip() or ended.stdout.strip())[-_TOLD:]
        how = f"was ended by signal {-ended.code}" if ended.code < 0 else f"ended with {ended.code}"
        return ToolFailed(f"{self.name} {how}" + (f": {told}" if told else ""), for_all=for_all)


def find_program(name: str) -> str | None:
    """Where a command is: beside the interpreter that runs this, or in the PATH."""
    return shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)


def found_above(folder: str, names: Sequence[str]) -> bool:
    """Whether one of some files lies in a folder or above it, up to the top of its checkout."""
    folder = os.path.abspath(folder)
    while True:
        if any(os.path.isfile(os.path.join(folder, name)) for name in names):
            return True
        above = os.path.dirname(folder)
        if above == folder or os.path.lexists(os.path.join(folder, ".git")):
            return False
        folder = above


def environment() -> dict[str, str]:
    """What tools run with: the agent's environment, without colours, with names in UTF-8, one thread each."""
    kept = {name: value for name, value in os.environ.items() if name not in {"FORCE_COLOR", "CLICOLOR_FORCE"}}
    # The agents share the processors among themselves; a tool that took them all would take them from the others.
    return kept | {"LC_ALL": "C.UTF-8", "NO_COLOR": "1", "RAYON_NUM_THREADS": "1"}


def _told_apart(targets: Sequence[Target], root: str) -> Iterator[list[Target]]:
    """The files in runs in each of which the tool's output can tell all of them apart; nearly always one."""
    names = Names(root, ())
    runs: list[tuple[set[str], list[Target]]] = []
    for target in targets:
        key = names.key(target.argument)
        for keys, members in runs:
            if key not in keys:
                keys.add(key)
                members.append(target)
                break
        else:
            runs.append(({key}, [target]))
    yield from (members for _, members in runs)
