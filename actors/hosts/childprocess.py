"""A command that a task runs: in a process group of its own, with bounded output, ended with the task at the latest."""

from __future__ import annotations

import codecs
import contextlib
import math
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any

from actors.errors import CommandFailed, ConfigError
from actors.platforms import signal_name

__all__ = ["ChildProcess", "Finished", "failure_of"]

"""How many bytes of each stream are kept, the last ones."""

_READ = 1 << 16
# Where the end of a process cannot be polled for, look for it this often.
_LOOK_EVERY = 0.05
_TOLD = 2000
# Of what comes between two calls of `on_output`, so many characters of each stream are told, the last ones.
_JOINED = 4096

OnOutput = Callable[[str, str], object]


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended.

    `code` is its exit code, negative the number of the signal that ended it. `stdout` and `stderr` are text; of long
    output only the last part is there, and `truncated` is set.
    """

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str
    truncated: bool
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, ready for JSON."""
        return {**asdict(self), "argv": list(self.argv)}


class _Told:
    """Output on its way to `on_output`: at once, or joined where there is to be some time between two calls."""

    def __init__(self, on_output: OnOutput | None, every: float) -> None:
        self._on_output = on_output
        self._every = every
        # A character may come in two pieces.
        self._decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in ("stdout", "stderr")}
        self._held: dict[str, str] = {}
        self._last = -math.inf

    def add(self, name: str, data: bytes) -> None:
        if self._on_output is None:
            return
        text = self._decoders[name].decode(data)
        held = self._held.get(name, "") + text
        self._held[name] = held if not self._every else held[-_JOINED:]
        self.tell(time.monotonic())

    def due(self, now: float) -> float | None:
        """Seconds until what is held is to be told; None if nothing is."""
        return max(0.0, self._last + self._every - now) if self._held else None

    def tell(self, now: float, *, last: bool = False) -> None:
        if self._on_output is None or (not last and now - self._last < self._every):
            return
        held, self._held = self._held, {}
        self._last = now
        for name, text in held.items():
            if text:
                self._on_output(name, text)


class _Tail:
    """The last bytes of a stream."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: deque[bytes] = deque()
        self._size = 0
        self.truncated = False

    def add(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        while self._size - len(self._parts[0]) >= self._limit:
            self._size -= len(self._parts.popleft())
            self.truncated = True

    def text(self) -> str:
        data = b"".join(self._parts)
        if len(data) > self._limit:
            self.truncated = True
            data = data[-self._limit :]
        return data.decode(errors="replace")


class ChildProcess:
    """One command under way.

    Args:
        argv: the program and its arguments, each by itself; no shell reads them.
        cwd: where it runs; None is where the agent runs.
        env: its whole environment; None is the agent's.
        stdin: what it reads; None is nothing.
        limit: how many bytes of each output stream to keep.
        on_output: called with "stdout" or "stderr" and each piece of text as it comes.
        output_every: seconds between two calls of `on_output`, 0 or more; what comes in between is joined, and of much
            of it the last part is told.

    Raises:
        ConfigError: `argv` is no list of texts.
        CommandFailed: there is no such program, or it cannot be started.
    """

    def __init__(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | str | None = None,
        limit: int,
        on_output: OnOutput | None = None,
        output_every: float = 0.0,
    ) -> None:
        if isinstance(argv, str | bytes) or not argv:
            raise ConfigError(
                f'argv is a list, the program and each argument by itself, as ["git", "status"], not {argv!r}',
                key="argv",
                value=argv,
            )
        self.argv = tuple(os.fspath(word) for word in argv)
        self._told = _Told(on_output, output_every)
        self._began = time.monotonic()
        self._input = memoryview(stdin.encode() if isinstance(stdin, str) else stdin or b"")
        self._tails = {"stdout": _Tail(limit), "stderr": _Tail(limit)}
        try:
            self._process = subprocess.Popen(
                self.argv,
                cwd=cwd,
                env=None if env is None else dict(env),
                stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                process_group=0,
            )
        except OSError as error:
            message = f"{self.argv[0]} cannot be started: {error.strerror or error}"
            raise CommandFailed(message, argv=self.argv, code=None, stdout="", stderr="") from error

    @property
    def pid(self) -> int:
        """The process, which is also the id of its group."""
        return self._process.pid

    def finish(self, timeout: float | None = None) -> Finished:
        """Read its output until it has ended. On any exception, also an interruption, it is ended with its group.

        Args:
            timeout: seconds; None without end.

        Raises:
            CommandFailed: it did not end within `timeout` and was ended.
        """
        deadline = None if timeout is None else self._began + timeout
        try:
            self._read_all(deadline)
            code = self._process.wait()
        except BaseException:
            self.end()
            raise
        self.end()
        stdout, stderr = self._tails["stdout"].text(), self._tails["stderr"].text()
        truncated = any(tail.truncated for tail in self._tails.values())
        return Finished(self.argv, code, stdout, stderr, truncated, time.monotonic() - self._began)

    def end(self) -> None:
        """Kill what is left of its group, reap it and free its pipes. Does nothing more the second time."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def failure(self, finished: Finished) -> CommandFailed:
        """The error for a command that did not end well."""
        return failure_of(finished)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _read_all(self, deadline: float | None) -> None:
        process = self._process
        exited = _exit_descriptor(process.pid)
        try:
            with selectors.DefaultSelector() as selector:
                for name in ("stdout", "stderr"):
                    stream: IO[bytes] = getattr(process, name)
                    os.set_blocking(stream.fileno(), False)
                    selector.register(stream, selectors.EVENT_READ, name)
                if process.stdin is not None:
                    os.set_blocking(process.stdin.fileno(), False)
                    selector.register(process.stdin, selectors.EVENT_WRITE, "stdin")
                if exited is not None:
                    selector.register(exited, selectors.EVENT_READ, "exit")
                self._pump(selector, deadline, polls=exited is None)
        finally:
            if exited is not None:
                os.close(exited)

    def _pump(self, selector: selectors.BaseSelector, deadline: float | None, *, polls: bool) -> None:
        """Move data until the process has ended. A grandchild may hold the pipes open: nobody waits for that."""
        ended = False
        while not ended:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                self._out_of_time()
            waits = [left, self._told.due(time.monotonic()), _LOOK_EVERY if polls else None]
            wait = min((one for one in waits if one is not None), default=None)
            for key, _ in selector.select(wait):
                if key.data == "exit":
                    ended = True
                elif key.data == "stdin":
                    self._write(selector, key.fileobj)
                elif not self._read(key.data, key.fd):
                    selector.unregister(key.fileobj)
            self._told.tell(time.monotonic())
            if polls and self._process.poll() is not None:
                ended = True
        for name in ("stdout", "stderr"):
            while self._read(name, getattr(self._process, name).fileno()):
                pass
        self._told.tell(time.monotonic(), last=True)

    def _read(self, name: str, descriptor: int) -> bool:
        """Take one piece. False if there is none now, or never again."""
        try:
            data = os.read(descriptor, _READ)
        except BlockingIOError:
            return False
        if not data:
            return False
        self._tails[name].add(data)
        self._told.add(name, data)
        return True

    def _write(self, selector: selectors.BaseSelector, stream: Any) -> None:
        try:
            self._input = self._input[os.write(stream.fileno(), self._input[:_READ]) :]
        except BlockingIOError:
            return
        except OSError:
            # It reads no more: what is left is not wanted.
            self._input = memoryview(b"")
        if not self._input:
            selector.unregister(stream)
            stream.close()

    def _out_of_time(self) -> None:
        seconds = time.monotonic() - self._began
        self.end()
        raise CommandFailed(
            f"{' '.join(self.argv)} did not end within {seconds:.1f} s and was killed",
            argv=self.argv,
            code=self._process.returncode,
            stdout=self._tails["stdout"].text(),
            stderr=self._tails["stderr"].text(),
        )


def failure_of(finished: Finished) -> CommandFailed:
    """The error for a command that did not end well, with its last lines."""
    ended = signal_name(-finished.code) if finished.code < 0 else None
    how = f"was ended by {ended}" if ended else f"ended with {finished.code}"
    told = finished.stderr.strip() or finished.stdout.strip()
    message = f"{' '.join(finished.argv)} {how}" + (f":\n{told[-_TOLD:]}" if told else "")
    return CommandFailed(
        message, argv=finished.argv, code=finished.code, signal=ended, stdout=finished.stdout, stderr=finished.stderr
    )


def _exit_descriptor(pid: int) -> int | None:
    """A descriptor that is readable when the process has ended, where there are such."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
