"""What came to a test's double, in order, and what the test expects of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, overload

from actors.errors import ConfigError
from actors.kernel.clock import Clock, SystemClock
from actors.kernel.options import Drive

__all__ = ["Entry", "Record", "Wanted"]

T = TypeVar("T")

# A text of a value beyond this is cut: a failure is read by a person.
_SHOWN = 160
_LISTED = 30


class Wanted:
    """What is expected: `matches` judges an item, `text` says it in words.

    Args:
        given: a type, whose instances are meant; a predicate, called with an item; any other value, which is compared.
    """

    def __init__(self, given: Any) -> None:
        self.given = given
        if isinstance(given, type):
            self.matches: Callable[[Any], Any] = lambda item: isinstance(item, given)
            self.text = f"{given.__name__}(…)"
        elif callable(given):
            self.matches = given
            self.text = f"one for which {_name(given)} holds"
        else:
            self.matches = lambda item: type(item) is type(given) and bool(item == given)
            self.text = _shown(given)


class Entry:
    """One item that came: when, on the record's clock from its beginning, and what became of it."""

    __slots__ = ("expected", "item", "reply", "time")

    def __init__(self, time: float, item: Any, reply: Any = None) -> None:
        self.time = time
        self.item = item
        # Where the answer goes, if it was a question.
        self.reply = reply
        self.expected = False


class Record:
    """A list that any thread appends to and a test has expectations of.

    Each item is expected once: `expect` takes the first that was not, and the next call goes on from there.

    Args:
        name: whose record it is, for the texts of failures.
        clock: the time; None is the machine's.
        drive: what lets things happen while the test waits, where they do not by themselves; see `Dispatcher`.
        within: seconds that an expectation waits unless it says otherwise; virtual ones on a clock that the test owns.
    """

    def __init__(
        self, name: str, *, clock: Clock | None = None, drive: Drive | None = None, within: float = 5.0
    ) -> None:
        if not within > 0:
            raise ConfigError(
                f"within is a number of seconds above 0, not {within!r}", key="within", value=within, allowed="above 0"
            )
        self.name = name
        self.within = within
        self._clock = SystemClock() if clock is None else clock
        self._began = self._clock.monotonic()
        self._drive = drive
        self._entries: list[Entry] = []
        self._changed = threading.Condition()
        # The entry that was expected last.
        self.last: Entry | None = None

    def add(self, item: Any, reply: Any = None) -> None:
        """Note an item; `reply` is where an answer to it goes."""
        with self._changed:
            self._entries.append(Entry(self._clock.monotonic() - self._began, item, reply))
            self._changed.notify_all()

    @property
    def received(self) -> list[Any]:
        """All that came, in order."""
        with self._changed:
            return [entry.item for entry in self._entries]

    @property
    def unexpected(self) -> list[Any]:
        """What came and was not expected yet, in order."""
        with self._changed:
            return [entry.item for entry in self._entries if not entry.expected]

    def clear(self) -> None:
        """Forget all that came."""
        with self._changed:
            self._entries.clear()
            self.last = None

    # --- expectations ----------------------------------------------------------------------------------------------

    @overload
    def expect(self, wanted: type[T], *, within: float | None = None, skipping: bool = False) -> T: ...
    @overload
    def expect(self, wanted: Any, *, within: float | None = None, skipping: bool = False) -> Any: ...
    def expect(self, wanted: Any, *, within: float | None = None, skipping: bool = False) -> Any:
        """Wait for the next item, which is to be this one.

        Args:
            wanted: a type, whose instances are meant; a predicate, called with the item; any other value, compared with it.
            within: seconds to wait for it; None is what the record was made with.
            skipping: pass over what does not match, instead of failing; it can still be expected afterwards.

        Returns:
            The item.

        Raises:
            AssertionError: another one came, or none in time. The text lists all that came, in order.
        """
        __tracebackhide__ = True
        judge = wanted if isinstance(wanted, Wanted) else Wanted(wanted)
        limit = self.within if within is None else within
        seen = 0

        def found() -> Entry | None:
            nonlocal seen
            left = [entry for entry in self._entries if not entry.expected]
            if not skipping:
                return left[0] if left else None
            # Judged once each: a predicate may be slow, or count.
            for entry in left[seen:]:
                seen += 1
                if judge.matches(entry.item):
                    return entry
            return None

        entry = self._wait(found, limit)
        what = f"{self.name} expected {'' if skipping else 'the next to be '}{judge.text}"
        if entry is None:
            raise AssertionError(
                f"{what} within {limit:g} s, and {'none' if skipping else 'nothing'} came\n{self._story()}"
            )
        if not skipping and not judge.matches(entry.item):
            raise AssertionError(f"{what}, and another came\n{self._story(entry)}")
        entry.expected = True
        self.last = entry
        return entry.item

    def expect_all(self, *wanted: Any, within: float | None = None) -> list[Any]:
        """Wait for as many items as are named, in any order among each other, and nothing else between them.

        Args:
            *wanted: each as for `expect`.
            within: seconds for all of them together.

        Returns:
            The items in the order in which they were named.

        Raises:
            AssertionError: one of them did not come, or one came that was not named.
        """
        __tracebackhide__ = True
        judges = [Wanted(one) for one in wanted]
        limit = self.within if within is None else within

        def enough() -> list[Entry] | None:
            left = [entry for entry in self._entries if not entry.expected]
            return left[: len(judges)] if len(left) >= len(judges) else None

        entries = self._wait(enough, limit)
        text = f"{self.name} expected, in any order: {', '.join(judge.text for judge in judges)}"
        if entries is None:
            raise AssertionError(f"{text}; within {limit:g} s not all of them came\n{self._story()}")
        taken = _paired(judges, entries)
        if taken is None:
            raise AssertionError(f"{text}; others came\n{self._story(*entries)}")
        for entry in taken:
            entry.expected = True
            self.last = entry
        return [entry.item for entry in taken]

    def expect_nothing(self, *, within: float = 0.1) -> None:
        """See to it that nothing is left that was not expected, and nothing comes for so many seconds.

        On a clock that the test owns these seconds cost nothing; else they are waited.

        Raises:
            AssertionError: something came.
        """
        __tracebackhide__ = True

        def found() -> Entry | None:
            return next((entry for entry in self._entries if not entry.expected), None)

        entry = self._wait(found, within)
        if entry is not None:
            raise AssertionError(f"{self.name} expected nothing within {within:g} s\n{self._story(entry)}")

    # --- inside ----------------------------------------------------------------------------------------------------

    def _wait(self, found: Callable[[], T | None], limit: float) -> T | None:
        """What `found` gives, as soon as it gives something; None after `limit` seconds."""
        if self._drive is None:
            with self._changed:
                return self._changed.wait_for(found, limit)
        got: list[T] = []

        def ready() -> bool:
            if not got and (one := found()) is not None:
                got.append(one)
            return bool(got)

        self._drive(ready, limit)
        return got[0] if got else None

    def _story(self, *strange: Entry) -> str:
        """What came, in order, with the entries that were not expected marked."""
        with self._changed:
            entries = list(self._entries)
        if not entries:
            return f"  {self.name} has received nothing at all"
        lines = []
        for entry in entries[-_LISTED:]:
            fate = "expected" if entry.expected else "came instead" if entry in strange else "not expected"
            mark = "→" if entry in strange else " "
            kind = "asked " if entry.reply is not None else ""
            lines.append(f"  {mark} {entry.time:10.3f} s  {kind}{_shown(entry.item)}  ({fate})")
        earlier = f"  … {len(entries) - _LISTED} earlier ones\n" if len(entries) > _LISTED else ""
        return f"  what {self.name} has received, the oldest first:\n{earlier}" + "\n".join(lines)


def _paired(judges: list[Wanted], entries: list[Entry]) -> list[Entry] | None:
    """For each judge an entry of its own that it matches; None if there is no such pairing."""
    if not judges:
        return []
    for at, entry in enumerate(entries):
        if judges[0].matches(entry.item):
            rest = _paired(judges[1:], entries[:at] + entries[at + 1 :])
            if rest is not None:
                return [entry, *rest]
    return None


def _name(function: Any) -> str:
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", None) or repr(function)
    if code is not None and name.endswith("<lambda>"):
        return f"the lambda of {code.co_filename}:{code.co_firstlineno}"
    return str(name)


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - its own trouble; the failure must still be told
        text = f"<{type(value).__qualname__} whose repr raises {type(error).__name__}>"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
