"""Who hears which events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

from actors.errors import ConfigError
from actors.protocol.events import SCOPES, Scope

__all__ = ["EVERY", "Subject", "Subscriptions"]

K = TypeVar("K")

EVERY = "*"
"""As a kind: events of every type."""


class Subject(NamedTuple):
    """Where a publisher or a subscriber stands: the agent's type, and the jobs that it works on.

    The program and the system have neither; they hear every scope, and what they publish is heard in the scope
    "global" only.
    """

    agent_type: str | None = None
    jobs: frozenset[str] = frozenset()


_NOWHERE = Subject()


class Subscriptions(Generic[K]):
    """Knows for each kind of event who wants it, and in which scope.

    A scope is a condition on both sides: the publisher says how far its event reaches, the subscriber how far it
    listens, and it hears what both allow. "local" is agents that share a job with the publisher, "type" is agents of
    its type. Subscribers are told apart by any hashable key.

    Args:
        subject: tells where a subscriber stands at the moment; None for the program itself.

    Invariant: `_by_kind` holds exactly the pairs of `_by_key`, the other way round, and no empty entry.
    """

    __slots__ = ("_by_key", "_by_kind", "_interest", "_subject")

    def __init__(self, subject: Callable[[K], Subject | None] = lambda _: None) -> None:
        self._subject = subject
        self._by_kind: dict[str, dict[K, set[Scope]]] = {}
        self._by_key: dict[K, set[tuple[str, Scope]]] = {}
        self._interest: frozenset[str] | None = frozenset()

    def add(self, key: K, kinds: Iterable[str], scope: Scope = "global") -> frozenset[str]:
        """Subscribe.

        Args:
            key: whose subscription it is.
            kinds: names of event types, `EVERY` for all.
            scope: how far it listens.

        Returns:
            The kinds that nobody was interested in before.

        Raises:
            ConfigError: the scope is none.
        """
        if scope not in SCOPES:
            allowed = ", ".join(SCOPES)
            raise ConfigError(f"scope takes one of {allowed}; got {scope!r}", key="scope", value=scope, allowed=allowed)
        new = set()
        for kind in kinds:
            if kind not in self._by_kind:
                new.add(kind)
                self._by_kind[kind] = {}
            self._by_kind[kind].setdefault(key, set()).add(scope)
            self._by_key.setdefault(key, set()).add((kind, scope))
        if new:
            self._interest = None
        return frozenset(new)

    def remove(self, key: K, kinds: Iterable[str] | None = None, scope: Scope | None = None) -> frozenset[str]:
        """Take back subscriptions. What was not subscribed to is ignored.

        Args:
            key: whose.
            kinds: which event types; None is all.
            scope: which scope; None is all.

        Returns:
            The kinds that nobody is interested in any more.
        """
        wanted = None if kinds is None else frozenset(kinds)
        own = self._by_key.get(key, set())
        ended = {(k, s) for k, s in own if (wanted is None or k in wanted) and (scope is None or s == scope)}
        gone = set()
        for kind, each in ended:
            own.discard((kind, each))
            keys = self._by_kind[kind]
            keys[key].discard(each)
            if not keys[key]:
                del keys[key]
            if not keys:
                del self._by_kind[kind]
                gone.add(kind)
        if not own:
            self._by_key.pop(key, None)
        if gone:
            self._interest = None
        return frozenset(gone)

    def interest(self) -> frozenset[str]:
        """The kinds that somebody listens to; `EVERY` among them means all. No other event need be made."""
        if self._interest is None:
            self._interest = frozenset(self._by_kind)
        return self._interest

    def interest_of(self, fits: Callable[[K], bool]) -> frozenset[str]:
        """The kinds that those subscribers listen to whose key `fits`."""
        return frozenset(kind for kind, keys in self._by_kind.items() if any(map(fits, keys)))

    def wants(self, kind: str) -> bool:
        """Whether anybody listens to events of that kind."""
        return kind in self._by_kind or EVERY in self._by_kind

    def hearers(self, kind: str, scope: Scope = "global", source: Subject | None = None) -> list[K]:
        """Who is to hear an event, each once, in the order they first subscribed to it (to all events: last).

        Args:
            kind: the name of its type.
            scope: how far it reaches.
            source: where its publisher stands.
        """
        publisher = source or _NOWHERE
        heard: dict[K, None] = {}
        for name in dict.fromkeys((kind, EVERY)):
            for key, scopes in self._by_kind.get(name, {}).items():
                if key not in heard and any(self._reaches(key, publisher, {scope, each}) for each in scopes):
                    heard[key] = None
        return list(heard)

    def _reaches(self, key: K, publisher: Subject, scopes: set[Scope]) -> bool:
        if scopes == {"global"}:
            return True
        subscriber = self._subject(key)
        if subscriber is None:
            return True
        if "local" in scopes and not publisher.jobs & subscriber.jobs:
            return False
        return "type" not in scopes or (
            publisher.agent_type is not None and publisher.agent_type == subscriber.agent_type
        )
