"""Which method takes which message, and in which states.

A class marks its methods with `@handles`; the table of a class is built once. A message finds its method by its own
type, else by the nearest of the types it derives from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, TypeVar

from actors.errors import ConfigError, MessageRefused

__all__ = ["Entry", "Handled", "HandlerTable", "handles"]

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__actors_handles__"


@dataclass(frozen=True, slots=True)
class Handled:
    """What one `@handles` says."""

    types: tuple[type[Any], ...]
    when: frozenset[Enum] | None
    urgent: bool


def handles(*types: type[Any], when: Collection[Enum] | None = None, urgent: bool = False) -> Callable[[F], F]:
    """Mark a method as the handler of messages of these types, and of types derived from them.

    Args:
        *types: one or more message types.
        when: the states of the actor's `machine` in which it takes them; None means every state. Several methods
            may share a type if their states do not overlap; one without `when` takes the states that are left.
        urgent: deliver these messages before all others, also before those that wait already.

    Returns:
        A decorator that returns the method unchanged.

    Raises:
        ConfigError: no type, something that is not a type, or an empty `when`.

    Example:
        class Door(Actor):
            @handles(Open, when={DoorState.CLOSED})
            def open(self, message: Open) -> None: ...
    """
    if not types or not all(isinstance(kind, type) for kind in types):
        raise ConfigError(f"@handles takes one or more message types, not {types!r}", key="types", value=types)
    states = None if when is None else frozenset(when)
    if states is not None and not (states and all(isinstance(state, Enum) for state in states)):
        raise ConfigError(
            f"when= of @handles takes a set of one or more states (members of an Enum), not {when!r}",
            key="when",
            value=when,
            allowed="a set of enum members",
        )

    def mark(method: F) -> F:
        earlier: tuple[Handled, ...] = getattr(method, _MARK, ())
        setattr(method, _MARK, (*earlier, Handled(types, states, urgent)))
        return method

    return mark


@dataclass(slots=True)
class Entry:
    """The handlers of one message type: one for some states each, and one for all the others."""

    default: Callable[..., Any] | None = None
    by_state: dict[Enum, Callable[..., Any]] = field(default_factory=dict)
    urgent: bool = False

    def pick(self, state: Enum | None) -> Callable[..., Any] | None:
        """The method that takes the message in `state`, to be called with the instance; None if it is refused."""
        if state is not None and self.by_state:
            return self.by_state.get(state, self.default)
        return self.default

    def bound_to(self, owner: Any) -> Entry:
        """The same with `owner` in the place of the instance."""

        def bind(method: Callable[..., Any]) -> Callable[..., Any]:
            return lambda _, message: method(owner, message)

        default = None if self.default is None else bind(self.default)
        return Entry(default, {state: bind(method) for state, method in self.by_state.items()}, self.urgent)

    def refusal(self, recipient: str, message: Any, state: Enum | None) -> MessageRefused:
        """The error for a message that is not taken in `state`: it names the states that would take it."""
        kind = type(message).__qualname__
        allowed = tuple(sorted(str(state) for state in self.by_state))
        now = "has no state machine" if state is None else f"is in state {state}"
        return MessageRefused(
            f"{recipient} does not take {kind} now: it {now}, and takes it in {', '.join(allowed)}",
            recipient=recipient,
            message=kind,
            state=None if state is None else str(state),
            allowed=allowed,
        )


class HandlerTable:
    """The handlers of one class, its bases' included.

    A method that overrides a marked one takes its place, with the marks of the overridden one unless it has its own.

    Raises:
        ConfigError: two methods of one class claim the same type in the same state.
    """

    __slots__ = ("_exact", "_found", "_urgent", "any_urgent", "plain")

    def __init__(self, owner: type[Any]) -> None:
        # What the methods name, and what each message type met so far has led to.
        self._exact: dict[type[Any], Entry] = {}
        self._found: dict[type[Any], Entry | None] = {}
        self._urgent: dict[type[Any], bool] = {}
        # For the actor's loop: the methods that take a type in every state. A type that is not in here may have others.
        self.plain: dict[type[Any], Callable[..., Any]] = {}
        for kind, claims in _claims(owner).items():
            self._exact[kind] = _entry(owner, kind, claims)
        self.any_urgent = any(entry.urgent for entry in self._exact.values())

    @classmethod
    def of(cls, owner: type[Any]) -> HandlerTable:
        """The table of a class, made when first asked for."""
        table: HandlerTable | None = vars(owner).get(_TABLE)
        if table is None:
            table = cls(owner)
            # Kept on the class itself, so that it lives exactly as long.
            setattr(owner, _TABLE, table)
        return table

    def extended(self, entries: dict[type[Any], Entry]) -> HandlerTable:
        """A table with these handlers beside its own, and instead of its own for the same types."""
        table: HandlerTable = HandlerTable.__new__(HandlerTable)
        table._exact = self._exact | entries
        table._found, table._urgent, table.plain = {}, {}, {}
        table.any_urgent = self.any_urgent
        return table

    def entry(self, kind: type[Any]) -> Entry:
        """The handlers of exactly this type.

        Raises:
            KeyError: there are none.
        """
        return self._exact[kind]

    def __iter__(self) -> Iterator[type[Any]]:
        """The message types that are handled."""
        return iter(self._exact)

    def find(self, kind: type[Any]) -> Entry | None:
        """The handlers of messages of type `kind`, None if nobody takes them."""
        try:
            return self._found[kind]
        except KeyError:
            exact = self._exact
            entry = next((exact[base] for base in kind.__mro__ if base in exact), None)
            self._found[kind] = entry
            if entry is not None and not entry.by_state and entry.default is not None:
                self.plain[kind] = entry.default
            return entry

    def is_urgent(self, kind: type[Any]) -> bool:
        """Whether messages of type `kind` go before all others."""
        try:
            return self._urgent[kind]
        except KeyError:
            entry = self.find(kind)
            urgent = self._urgent[kind] = entry is not None and entry.urgent
            return urgent


_TABLE = "__actors_handler_table__"


class _Claim(NamedTuple):
    """One method's claim to a message type. `level` is how far down in the line of bases its class stands."""

    level: int
    name: str
    handled: Handled


def _claims(owner: type[Any]) -> dict[type[Any], list[_Claim]]:
    """The claims to each message type, those of the bases first."""
    marks: dict[str, tuple[int, tuple[Handled, ...]]] = {}
    for level, klass in enumerate(reversed(owner.__mro__)):
        for name, value in vars(klass).items():
            found: tuple[Handled, ...] = getattr(value, _MARK, ()) if callable(value) else ()
            if found:
                marks[name] = (level, found)
            elif name in marks and not callable(value):
                # A method that a subclass sets to None takes nothing any more.
                del marks[name]
    claims: dict[type[Any], list[_Claim]] = {}
    for name, (level, found) in marks.items():
        for handled in found:
            for kind in handled.types:
                claims.setdefault(kind, []).append(_Claim(level, name, handled))
    for claimed in claims.values():
        claimed.sort(key=lambda claim: claim.level)
    return claims


def _entry(owner: type[Any], kind: type[Any], claims: list[_Claim]) -> Entry:
    """Join the claims to one type: a class overrules its bases state by state, two of one class must not collide."""
    entry = Entry()
    by_state: dict[Enum | None, _Claim] = {}
    for claim in claims:
        entry.urgent = entry.urgent or claim.handled.urgent
        for state in claim.handled.when or (None,):
            other = by_state.get(state)
            if other is not None and other.level == claim.level and other.name != claim.name:
                raise _conflict(owner, kind, "every state" if state is None else str(state), other.name, claim.name)
            by_state[state] = claim
    for state, claim in by_state.items():
        method = getattr(owner, claim.name)
        if state is None:
            entry.default = method
        else:
            entry.by_state[state] = method
    return entry


def _conflict(owner: type[Any], kind: type[Any], states: str, first: str, second: str) -> ConfigError:
    return ConfigError(
        f"{owner.__qualname__}: both {first} and {second} handle {kind.__qualname__} in {states}; "
        "name one method, or give them different states with when=",
        key=kind.__qualname__,
        value=(first, second),
    )
