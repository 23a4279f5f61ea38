"""Runs the program's own callbacks, where they can block nobody but themselves.

One daemon thread, the runner, calls handlers in turn: one item of each lane that has some, then the next lane. A lane
is a subscription with its buffer, or the one lane for callbacks. A handler that runs for longer than the dispatcher's
patience (1 s) while something waits loses the others: a second thread, which watches only then, becomes the runner, and
the thread that is stuck belongs from then on to the slow subscription alone, which never holds up anybody again. So
an event waits for others' handlers at most as long as the patience, once for each slow subscription.

A callback that is stuck keeps its thread, and the callbacks after it go on with the new runner.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from actors.core.eventbuffer import EVENT_BOUND
from actors.errors import ConfigError
from actors.kernel.clock import Clock, SystemClock
from actors.kernel.threads import SystemThreads, Thread, Threads
from actors.protocol.events import Event, Scope
from actors.runtime.lane import CallbackLane, EventLane, Lane
from actors.runtime.subscription import Subscription

__all__ = ["Dispatcher"]

_log = logging.getLogger("actors.dispatcher")

_MOST_STUCK = 16
"""Callbacks that may be stuck at once before the others wait for them."""


class Dispatcher:
    """Runs event handlers and callbacks on a thread of its own, which starts when it is first needed.

    All methods may be called from any thread, also from inside a handler, and but for `close` they never block.

    Args:
        name: how its threads are called.
        patience: seconds that a handler may run while others wait, before it is given a thread of its own and a
            warning names it.
        threads, clock: what it runs on; None: the machine's.

    Raises:
        ConfigError: `patience` is not above 0.
    """

    # Invariants, all under `_lock`:
    # - only the runner takes from lanes that are not slow; a slow lane has a thread of its own, which alone takes from it;
    # - a lane is in `_ready` at most once, and is there if it has items, is not slow and is not `_current`;
    # - `_outstanding` counts the items that wait and the calls under way.

    def __init__(
        self,
        name: str = "actors-events",
        *,
        patience: float = 1.0,
        threads: Threads | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not patience > 0:
            raise ConfigError(
                f"patience is the seconds that a handler may take, above 0, not {patience}",
                key="patience",
                value=patience,
                allowed="seconds above 0",
            )
        self._name = name
        self._threading = threads = threads or SystemThreads()
        self._monotonic = (clock or SystemClock()).monotonic
        self._patience = patience
        # Reentrant: a signal handler, or the end of an object, may hand in a callback while this thread holds it.
        self._lock = threading.RLock()
        self._work = threads.condition(self._lock)
        self._watch = threads.condition(self._lock)
        self._quiet = threads.condition(self._lock)
        self._ready: deque[Lane] = deque()
        self._lanes: set[Lane] = set()
        self._callbacks = CallbackLane(self, threads.condition(self._lock))
        # What each thread is in at the moment.
        self._threads: dict[Thread, Lane | None] = {}
        self._runner: Thread | None = None
        self._watcher: Thread | None = None
        self._watcher_sleeps = False
        # What the runner is in, and since when.
        self._current: Lane | None = None
        self._calling: object = None
        self._since = 0.0
        self._outstanding = 0
        self._stuck = 0
        self._closing = False
        self._closed = False

    def subscribe(
        self,
        kinds: tuple[type[Event], ...],
        handler: Callable[[Any], object],
        scope: Scope = "global",
        *,
        bound: int = EVENT_BOUND,
        notice: Callable[[int, int], Event] | None = None,
        on_end: Callable[[Subscription], None] | None = None,
    ) -> Subscription:
        """Make a subscription; whoever routes events offers them to it.

        Args:
            kinds: the types of event, for the one who routes; empty means all.
            handler: called with each event, one at a time and in order. What it raises is logged once, and counted.
            scope: see `Scope`.
            bound: how many events wait for the handler; beyond it the oldest are dropped and counted as missed.
            notice: makes the event that the handler is called with after a loss; None: it is not told.
            on_end: called once, with the subscription, when it is unsubscribed.

        Raises:
            ConfigError: `bound` is less than 1.
        """
        lane = EventLane(self, self._threading.condition(self._lock), handler, bound, notice)
        with self._lock:
            lane.active = not self._closing
            if lane.active:
                self._lanes.add(lane)
        return Subscription(kinds, handler, scope, lane, on_end)

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Have a callback called, after those that were handed in before. What it raises is logged.

        After `close` it is called at once, in the calling thread.
        """
        if not self._callbacks.offer(callback):
            _run(callback, ())

    def close(self, timeout: float = 5.0) -> bool:
        """Take no more events, deliver what waits, and end.

        Called from inside a handler, it waits neither for that handler nor for what waits behind it.

        Args:
            timeout: seconds to wait at most; what has not been delivered then is dropped and a warning says so.

        Returns:
            Whether everything was delivered and all other handlers have returned.
        """
        deadline = self._monotonic() + max(0.0, timeout)
        me = self._threading.current()
        with self._lock:
            self._closing = True
            own = self._step_aside(me)
            while self._outstanding > own and (left := deadline - self._monotonic()) > 0:
                self._quiet.wait(left)
            late = max(0, self._outstanding - own)
            self._closed = True
            for lane in (*self._lanes, self._callbacks):
                self._end(lane)
            self._work.notify_all()
            self._watch.notify_all()
            threads = [thread for thread in self._threads if thread is not me]
        if late:
            _tell(
                logging.WARNING, "closed after %g s with %d events or callbacks that were not done with", timeout, late
            )
        for thread in threads:
            thread.join(max(0.0, deadline - self._monotonic()) if late else self._patience)
        return not late

    def _step_aside(self, me: Thread) -> int:
        """Let the others go on without this thread if it is one of ours; how much waits for it alone."""
        lane = self._threads.get(me)
        if lane is None:
            return 0
        if self._runner is me:
            self._set_apart(lane)
            self._runner = self._start(self._serve)
        return 1 + (len(lane) if lane.slow else 0)

    def offer(self, lane: Lane, item: Any) -> bool:
        """Add an item to a lane and see to it that it is done; False if the lane has ended."""
        return self.offer_all(lane, (item,))

    def offer_all(self, lane: Lane, items: Sequence[Any]) -> bool:
        """Add items to a lane, in their order, and see to it that they are done; False if the lane has ended."""
        with self._lock:
            # Callbacks are taken until the last moment: they are promised, events are not.
            if not lane.active or (self._closing and lane is not self._callbacks):
                return False
            before = len(lane)
            for item in items:
                lane.put(item)
            self._outstanding += len(lane) - before
            if lane.slow:
                lane.changed.notify()
                return True
            if lane is not self._current and not lane.queued:
                lane.queued = True
                self._ready.append(lane)
                self._work.notify()
            if self._runner is None:
                self._runner = self._start(self._serve)
            elif self._current is not None:
                self._have_watched()
        return True

    def end(self, lane: Lane) -> bool:
        """Drop what waits in a lane and take no more; False if it has ended before."""
        with self._lock:
            return self._end(lane)

    def _end(self, lane: Lane) -> bool:
        """With the lock held: nothing more of this lane is called. Whether it was active until now."""
        if not lane.active:
            return False
        lane.active = False
        self._outstanding -= lane.drop()
        if lane.handler is not None and lane.failures > 1:
            text = "%s failed %d times in all; the first was told in full"
            _tell(logging.WARNING, text, _title(lane.handler), lane.failures)
        if lane is not self._callbacks:
            self._lanes.discard(lane)
        if lane.slow:
            lane.changed.notify()
        self._quiet.notify_all()
        return True

    def _start(self, target: Callable[[], None]) -> Thread | None:
        """With the lock held, so that the thread finds itself in the book."""
        try:
            thread = self._threading.start(target, self._name)
        except RuntimeError:
            # The interpreter is ending and starts no more threads: nobody is left who could be called.
            return None
        self._threads[thread] = None
        return thread

    def _serve(self) -> None:
        """The runner's life; when the runner is stuck and replaced, the rest is that of the lane it is stuck in."""
        me = self._threading.current()
        with self._lock:
            while (lane := self._next()) is not None:
                self._current = lane
                self._threads[me] = lane
                self._since = self._monotonic()
                if self._ready or len(lane) > 1:
                    self._have_watched()
                self._call(lane, me)
                while len(lane) and not self._ready and self._runner is me and not self._closed:
                    # Nobody else waits: the same lane once more, without standing in line.
                    self._since = self._monotonic()
                    self._call(lane, me)
                self._threads[me] = None
                if self._runner is not me:
                    self._serve_apart(lane, me)
                    break
                self._current = self._calling = None
                if len(lane):
                    lane.queued = True
                    self._ready.append(lane)
            del self._threads[me]

    def _call(self, lane: Lane, me: Thread) -> None:
        """With the lock held, but not during the call: do the oldest item of a lane."""
        function, arguments = lane.take()
        if self._runner is me:
            self._calling = function
            began = self._since
        else:
            began = self._monotonic()
        self._lock.release()
        try:
            if not _run(function, arguments, lane.handler is None or not lane.failures):
                lane.failures += 1
            seconds = self._monotonic() - began
            if seconds > self._patience and self._runner is me and not lane.told:
                lane.told = lane is not self._callbacks
                _tell(logging.WARNING, "%s took %.1f s: others may have to wait for it", _title(function), seconds)
        finally:
            self._lock.acquire()
            self._outstanding -= 1
            if self._closing:
                self._quiet.notify_all()

    def _next(self) -> Lane | None:
        """With the lock held: the lane whose turn it is, or None when it is time to end."""
        while True:
            while not self._ready:
                if self._closed:
                    return None
                self._work.wait()
            lane = self._ready.popleft()
            lane.queued = False
            # An unsubscribed lane stays in line, empty.
            if len(lane):
                return lane

    def _serve_apart(self, lane: Lane, me: Thread) -> None:
        """With the lock held: what a thread does that was stuck in a call of this lane."""
        if not lane.slow:
            self._stuck -= 1
            return
        while lane.active:
            if len(lane):
                self._threads[me] = lane
                self._call(lane, me)
                self._threads[me] = None
            else:
                lane.changed.wait()

    def _have_watched(self) -> None:
        """With the lock held: see to it that somebody notices if what runs now does not end."""
        if self._watcher is None:
            self._watcher = self._start(self._look_after)
        elif self._watcher_sleeps:
            self._watch.notify()

    def _look_after(self) -> None:
        """The watcher's life: it sleeps until something waits for the runner, and takes its place if it is stuck."""
        me = self._threading.current()
        stuck_in = ""
        with self._lock:
            while not self._closed:
                lane = self._current
                left = self._since + self._patience - self._monotonic()
                if lane is None or not (self._ready or len(lane)):
                    self._watcher_sleeps = True
                    self._watch.wait()
                    self._watcher_sleeps = False
                elif left > 0:
                    self._watch.wait(left)
                else:
                    stuck_in = _title(self._calling)
                    self._runner, self._watcher = me, None
                    self._set_apart(lane)
                    break
            else:
                del self._threads[me]
                return
        _tell(logging.WARNING, "%s has run for more than %g s: the others go on without it", stuck_in, self._patience)
        self._serve()

    def _set_apart(self, lane: Lane) -> None:
        """With the lock held: the runner is stuck in a call of this lane and another takes its place."""
        self._current = self._calling = None
        if lane is self._callbacks and self._stuck < _MOST_STUCK:
            self._stuck += 1
            if len(lane):
                lane.queued = True
                self._ready.append(lane)
        else:
            lane.slow = True


def _run(function: Callable[..., object], arguments: tuple[Any, ...], loud: bool = True) -> bool:  # noqa: FBT001, FBT002 - called for each event
    """Call, and tell of a failure if it is to be `loud`. Whether it went well."""
    # SystemExit and KeyboardInterrupt too: a handler must not end the thread that serves the others.
    try:
        function(*arguments)
    except BaseException:  # noqa: BLE001
        if loud:
            about = f" on {type(arguments[0]).__name__}" if arguments else ""
            _tell(logging.ERROR, "%s failed%s", _title(function), about, exc_info=True)
        return False
    return True


def _tell(level: int, text: str, *values: object, exc_info: bool = False) -> None:
    # The program's own log handlers may fail.
    with contextlib.suppress(Exception):
        _log.log(level, text, *values, exc_info=exc_info)


def _title(function: object) -> str:
    try:
        named = getattr(function, "func", function)
        name = getattr(named, "__qualname__", None) or type(named).__qualname__
        return f"{getattr(named, '__module__', None) or type(named).__module__}.{name}"
    except Exception:  # noqa: BLE001
        # It is the program's object, and may refuse to tell.
        return type(function).__qualname__
