"""`dataclass` and `NamedTuple` as the standard library has them, made in a tenth and in half of the time.

The library has hundreds of such classes, and each start makes those that it imports. What the standard library makes of a
dataclass it compiles from text, method by method. Here a constructor is compiled when it is first called; what compares,
hashes and shows is made without. `fields`, `replace`, `asdict`, pickling and inheritance are those of `dataclasses`, and a
class of either kind may derive from one of the other. Left out is what the library does not use: `InitVar`, `KW_ONLY`, and
generic named tuples.
"""

from __future__ import annotations

import dataclasses
import reprlib
import threading
from collections import namedtuple
from operator import attrgetter
from types import FunctionType
from typing import TYPE_CHECKING, Any

__all__ = ["NamedTuple", "dataclass"]

# While a class is being made: its bases are changed for a moment.
_making = threading.Lock()
_put = object.__setattr__


class _Init:
    """A constructor before its first use."""

    __slots__ = ("_cls",)

    def __init__(self, cls: type[Any]) -> None:
        self._cls = cls

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        made = self._cls.__init__ = _init_of(self._cls)
        return made if instance is None else made.__get__(instance, owner)


def _init_of(cls: type[Any]) -> Any:
    """The constructor, as `dataclasses` has it."""
    fields = dataclasses.fields(cls)
    put = "__put(self, {0!r}, {1})" if cls.__dataclass_params__.frozen else "self.{0} = {1}"
    plain: list[str] = []
    named: list[str] = []
    body: list[str] = []
    # With names that no field has.
    scope: dict[str, Any] = {"__put": _put, "__unset": dataclasses.MISSING}
    for each in fields:
        name, value = each.name, each.name
        factory = each.default_factory is not dataclasses.MISSING
        given = f"__default_{name}()" if factory else f"__default_{name}"
        has_default = factory or each.default is not dataclasses.MISSING
        scope[f"__default_{name}"] = each.default_factory if factory else each.default
        if each.init:
            default = "" if not has_default else "=__unset" if factory else f"=__default_{name}"
            (named if each.kw_only else plain).append(name + default)
            value = f"{given} if {name} is __unset else {name}" if factory else name
        elif has_default:
            value = given
        else:
            continue
        body.append(put.format(name, value))
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    takes = ", ".join(["self", *plain, *(["*", *named] if named else [])])
    text = f"def __init__({takes}):\n " + "\n ".join(body or ["pass"])
    exec(text, scope)  # noqa: S102 - as `dataclasses` does it; the names are those of fields
    made = scope["__init__"]
    made.__module__ = cls.__module__
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__annotations__ = {**{each.name: each.type for each in fields if each.init}, "return": None}
    return made


def _compared(cls: type[Any]) -> Any:
    """What gives the values by which an instance is compared."""
    names = [each.name for each in dataclasses.fields(cls) if each.compare]
    if len(names) > 1:
        return attrgetter(*names)
    return lambda one: tuple(getattr(one, name) for name in names)


def _shown(fields: tuple[dataclasses.Field[Any], ...]) -> Any:
    names = [each.name for each in fields if each.repr]

    @reprlib.recursive_repr()
    def show(self: Any) -> str:
        told = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({told})"

    return show


def _equal(values: Any) -> Any:
    def equal(self: Any, other: object) -> Any:
        if other.__class__ is self.__class__:
            return values(self) == values(other)
        return NotImplemented

    return equal


def _freezing(cls: type[Any], fields: tuple[dataclasses.Field[Any], ...]) -> dict[str, Any]:
    """The methods by which an instance refuses to be changed."""
    names = frozenset(each.name for each in fields)

    def refuse_set(self: Any, name: str, value: Any) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def refuse_delete(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return {"__setattr__": refuse_set, "__delattr__": refuse_delete}


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, each.name) for each in dataclasses.fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for each, value in zip(dataclasses.fields(self), state, strict=True):
        _put(self, each.name, value)


def _methods(cls: type[Any], *, frozen: bool, eq: bool, shown: bool, slots: bool) -> dict[str, Any]:
    """What the class gets, by name, unless it has it."""
    fields = dataclasses.fields(cls)
    found: dict[str, Any] = {"__init__": _Init(cls)}
    if shown:
        found["__repr__"] = _shown(fields)
    if eq:
        values = _compared(cls)
        found["__eq__"] = _equal(values)
        found["__hash__"] = (lambda self: hash(values(self))) if frozen else None
    if frozen:
        found.update(_freezing(cls, fields))
    if frozen and slots:
        found["__getstate__"], found["__setstate__"] = _getstate, _setstate
    return found


def _fielded(cls: type[Any], *, frozen: bool, slots: bool, kw_only: bool) -> Any:
    """The class with its fields, and without any method."""
    if not cls.__doc__:
        # Else the constructor would be compiled now, to be shown in it.
        cls.__doc__ = cls.__name__
    bases = [base.__dict__["__dataclass_params__"] for base in cls.__mro__ if "__dataclass_params__" in base.__dict__]
    if any(each.frozen is not frozen for each in bases):
        raise TypeError(
            f"{cls.__qualname__}: a frozen dataclass derives from frozen ones alone, and others from others"
        )
    with _making:
        # For a frozen class it would compile methods, and where a base is frozen it insists.
        for each in bases:
            each.frozen = False
        try:
            return dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(cls)
        finally:
            for each in bases:
                each.frozen = frozen


def _made(
    cls: type[Any],
    *,
    frozen: bool = False,
    eq: bool = True,
    repr: bool = True,  # noqa: A002 - as `dataclasses` calls it
    slots: bool = False,
    kw_only: bool = False,
) -> Any:
    own = set(cls.__dict__)
    if "__eq__" in own and cls.__dict__.get("__hash__") is None:
        # Python put it there, because of the other one.
        own.discard("__hash__")
    made = _fielded(cls, frozen=frozen, slots=slots, kw_only=kw_only)
    stated = made.__dataclass_params__
    stated.init, stated.repr, stated.eq, stated.frozen = True, repr, eq, frozen
    for name, method in _methods(made, frozen=frozen, eq=eq, shown=repr, slots=slots).items():
        if name not in own:
            if isinstance(method, FunctionType) and method not in (_getstate, _setstate):
                method.__name__, method.__qualname__ = name, f"{made.__qualname__}.{name}"
            setattr(made, name, method)
    return made


class _Tuples(type):
    """Makes a named tuple of a class body."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> Any:
        if not bases:
            return super().__new__(cls, name, bases, body)
        types = body.get("__annotations__", {})
        defaults = [body[field] for field in types if field in body]
        make: Any = namedtuple  # noqa: PYI024 - the other one takes twice the time
        made = make(name, types, defaults=defaults, module=body["__module__"])
        made.__annotations__ = made.__new__.__annotations__ = dict(types)
        for key, value in body.items():
            if key not in types and key not in ("__annotations__", "__module__"):
                setattr(made, key, value)
                if hasattr(type(value), "__set_name__"):
                    type(value).__set_name__(value, made, key)
        return made


if TYPE_CHECKING:
    from dataclasses import dataclass
    from typing import NamedTuple
else:

    def dataclass(cls: type[Any] | None = None, /, **options: bool) -> Any:
        """See the head of this file."""
        return _made(cls, **options) if cls is not None else lambda cls: _made(cls, **options)

    class NamedTuple(metaclass=_Tuples):
        """See the head of this file."""
