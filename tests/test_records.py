"""The cheap dataclasses and named tuples, held against those of the standard library."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import typing
from collections.abc import Callable
from dataclasses import field
from typing import Any, ClassVar

import pytest

from actors import records

Decorator = Callable[..., Callable[[type[Any]], type[Any]]]
KINDS = ("plain", "frozen", "slots", "both", "named", "bare")


def family(dataclass: Decorator, prefix: str) -> dict[str, type[Any]]:
    """The same classes, made by one decorator."""

    @dataclass(frozen=True, slots=True)
    class Both:
        """What it is."""

        first: int
        second: str = "two"
        third: list[int] = field(default_factory=list, compare=False, repr=False)

        def __post_init__(self) -> None:
            if self.first == 13:
                raise ValueError(self.first)

    @dataclass(frozen=True)
    class Frozen:
        first: int
        second: str = "two"

        def __repr__(self) -> str:
            return f"its own {self.first}"

    @dataclass()
    class Plain:
        first: int
        second: dict[str, int] = field(default_factory=dict)
        known: ClassVar[int] = 8

    @dataclass(slots=True)
    class Slots:
        first: int
        made: int = field(default=7, init=False)

    @dataclass(frozen=True, kw_only=True, eq=False, repr=False)
    class Root:
        source: str = ""

    @dataclass(frozen=True, kw_only=True, eq=False, repr=False)
    class Named(Root):
        first: int
        other: float = 0.0

    @dataclass(frozen=True)
    class Bare:
        pass

    found = {"both": Both, "frozen": Frozen, "plain": Plain, "slots": Slots, "named": Named, "bare": Bare}
    for name, cls in found.items():
        # Pickle finds them there.
        cls.__qualname__ = cls.__name__ = f"{prefix}{name}"
        globals()[cls.__name__] = cls
    return found


OURS = family(records.dataclass, "ours_")
THEIRS = family(dataclasses.dataclass, "theirs_")
CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    ((1,), {}),
    ((), {"first": 1}),
    ((1, "x"), {}),
    ((1, "x", [3]), {}),
    ((1,), {"second": "y"}),
    ((13,), {}),
    ((1, 2, 3, 4), {}),
    ((), {"first": 1, "nonsense": 2}),
    ((), {"first": 2, "other": 0.5, "source": "here"}),
]


def told(do: Callable[[], Any]) -> str:
    """What comes of it: its text, or what it raises, with the name of the family left out."""
    try:
        text = repr(do())
    except Exception as error:  # noqa: BLE001 - to be compared
        text = f"{type(error).__name__}: {error}"
    for prefix in ("ours_", "theirs_"):
        text = text.replace(prefix, "")
    # A class that shows itself by its address, and locals of the function that made it.
    text = text.replace("family.<locals>.", "").split(" at 0x")[0]
    return text.replace("Both.", "both.").replace("Frozen.", "frozen.").replace("Plain.", "plain.").lower()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", CALLS, ids=repr)
def test_an_instance_is_what_the_standard_library_makes(
    kind: str, call: tuple[tuple[Any, ...], dict[str, Any]]
) -> None:
    """Constructor, repr, equality, hash, copies, pickles, replacement, fields: all of them the same."""
    args, kwargs = call

    def all_of(cls: type[Any]) -> list[Any]:
        def one() -> Any:
            return cls(*args, **kwargs)

        looks: list[Callable[[], Any]] = [
            one,
            lambda: one() == one(),
            lambda: one() == copy.copy(one()),
            lambda: len({one(), one()}),
            lambda: hash(one()) if kind in ("both", "frozen", "bare") else cls.__hash__ is None,
            lambda: dataclasses.astuple(pickle.loads(pickle.dumps(one()))),
            lambda: dataclasses.asdict(dataclasses.replace(one(), first=5)),
            lambda: setattr(one(), "first", 3),
            # The standard library makes a TypeError of its own of it, where a class has slots and is frozen.
            lambda: None if kind == "both" else setattr(one(), "unknown", 3),
            lambda: delattr(one(), "first"),
            lambda: one() == 3,
            lambda: vars(one()),
            lambda: cls.__match_args__,
        ]
        return [told(look) for look in looks]

    assert all_of(OURS[kind]) == all_of(THEIRS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_tells_of_itself_what_the_standard_library_tells(kind: str) -> None:
    """Signature, fields and parameters, before the first instance and after."""
    ours, theirs = family(records.dataclass, "new_")[kind], THEIRS[kind]
    # What a default_factory gives is shown as an object of its own.
    assert str(inspect.signature(ours)).replace("MISSING", "<factory>").count(":") == str(
        inspect.signature(theirs)
    ).count(":")
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
    names = ("name", "type", "init", "repr", "compare", "kw_only")
    assert [[getattr(one, name) for name in names] for one in dataclasses.fields(ours)] == [
        [getattr(one, name) for name in names] for one in dataclasses.fields(theirs)
    ]
    stated = (ours.__dataclass_params__, theirs.__dataclass_params__)
    assert len({(one.init, one.repr, one.eq, one.frozen) for one in stated}) == 1


def test_one_kind_derives_from_the_other() -> None:
    """A user's event is a dataclass of the standard library, derived from one of these."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Derived(OURS["named"]):  # type: ignore[misc]
        own: int = 3

    @records.dataclass(frozen=True)
    class Back(THEIRS["frozen"]):  # type: ignore[misc]
        own: int = 4

    assert dataclasses.asdict(Derived(first=1)) == {"source": "", "first": 1, "other": 0.0, "own": 3}
    assert dataclasses.asdict(Back(1)) == {"first": 1, "second": "two", "own": 4}
    for one in (Derived(first=1), Back(1)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            one.own = 5
    with pytest.raises(TypeError, match="frozen"):
        records.dataclass(type("Melted", (OURS["frozen"],), {}))


def test_a_named_tuple_is_what_the_standard_library_makes() -> None:
    """Fields, defaults, annotations, methods, pickles."""

    class Ours(records.NamedTuple):
        """What it is."""

        first: int
        second: str | None = None

        @property
        def both(self) -> tuple[Any, ...]:
            return (self.first, self.second)

    class Theirs(typing.NamedTuple):
        """What it is."""

        first: int
        second: str | None = None

        @property
        def both(self) -> tuple[Any, ...]:
            return (self.first, self.second)

    assert (Ours(1), Ours(1, "x").both, Ours._fields, Ours._field_defaults, Ours.__doc__, Ours(1)._asdict()) == (
        *(Theirs(1), Theirs(1, "x").both, Theirs._fields, Theirs._field_defaults, Theirs.__doc__, Theirs(1)._asdict()),
    )
    assert repr(Ours(1)) == repr(Theirs(1)).replace("Theirs", "Ours")
    assert typing.get_type_hints(Ours) == typing.get_type_hints(Theirs)
    assert inspect.signature(Ours).parameters.keys() == inspect.signature(Theirs).parameters.keys()
    assert issubclass(Ours, tuple)
    assert copy.copy(Ours(1)) == Ours(1)
