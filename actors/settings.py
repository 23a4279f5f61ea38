"""The machinery of settings: rules that check a value, and tables of settings.

A setting that was named explicitly is known as such (`named`), so that tables can be laid over each other:
`base.merged(over)` takes from `over` only what `over` names.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Self

from actors.errors import ConfigError

__all__ = [
    "FromEnvironment",
    "Rule",
    "Settings",
    "bad_setting",
    "mapping",
    "names",
    "nested",
    "number",
    "one_of",
    "optional",
    "parse_size",
    "plain_text",
    "seconds",
    "setting",
    "size",
    "text",
    "whole",
]

_SIZE = re.compile(r"([0-9._]+)\s*([KMGT]?)(I?B)?", re.ASCII)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_SIZE_TEXT = 'bytes as a whole number above 0, or text such as "512M", "1GiB" (1024) or "1GB" (1000)'
_NOTHING = frozenset({"none", "unlimited"})


def parse_size(value: object) -> int:
    """A number of bytes from a whole number or from text.

    Args:
        value: bytes, or a number with a unit: K, M, G, T and KiB … TiB count by 1024, KB … TB by 1000.

    Raises:
        ValueError: it is neither, or not above 0.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    found = _SIZE.fullmatch(value.strip().upper()) if isinstance(value, str) else None
    if found is None or (found[3] == "IB" and not found[2]):
        raise ValueError(value)
    base = 1000 if found[3] == "B" else 1024
    count = float(found[1]) * float(base ** _POWERS[found[2]])
    if not 1 <= count < math.inf:
        raise ValueError(value)
    return int(count)


class Rule(NamedTuple):
    """What a setting takes: `check` gives the value to keep or raises ValueError; `read` is for environment text."""

    check: Callable[[Any], Any]
    allowed: str
    read: Callable[[str], Any] = str
    optional: bool = False
    nested: type[Settings] | None = None


class FromEnvironment(str):
    """Text of an environment variable, still to be read as the setting's own type."""

    __slots__ = ("variable",)
    variable: str


class _Unnamed:
    def __repr__(self) -> str:
        return "…"


_UNNAMED: Any = _Unnamed()


def setting(default: Any, rule: Rule) -> Any:
    """A field whose value is checked by `rule`, and for which is known whether it was named."""
    if isinstance(default, Settings):
        default.with_named(frozenset())
    return field(default=_UNNAMED, metadata={"rule": rule, "default": default})


def size() -> Rule:
    """A number of bytes, see `parse_size`."""
    return Rule(parse_size, _SIZE_TEXT)


def whole(least: int, most: int | None = None) -> Rule:
    """A whole number in a range, both ends included."""

    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(value)  # noqa: TRY004 - all that is wrong with a value becomes one ConfigError
        if value < least or (most is not None and value > most):
            raise ValueError(value)
        return value

    above = f"from {least} to {most}" if most is not None else f"of {least} or more"
    return Rule(check, f"a whole number {above}", int)


def number(least: float, most: float = math.inf, *, unit: str, open_end: bool = False) -> Rule:
    """A finite number in a range, both ends included, the lower one only without `open_end`."""

    def check(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValueError(value)  # noqa: TRY004 - all that is wrong with a value becomes one ConfigError
        if not math.isfinite(value) or not least <= value <= most or (open_end and value == least):
            raise ValueError(value)
        return float(value)

    low = f"above {least:g}" if open_end else f"of {least:g} or more"
    high = f", at most {most:g}" if most < math.inf else ""
    return Rule(check, f"{unit} as a number {low}{high}", float)


def seconds() -> Rule:
    """A duration above 0."""
    return number(0, unit="seconds", open_end=True)


def optional(rule: Rule) -> Rule:
    """What `rule` takes, or None."""
    return rule._replace(allowed=f"{rule.allowed}, or None (in files and the environment: none)", optional=True)


def one_of(*names: str) -> Rule:
    """One of a few words."""

    def check(value: object) -> str:
        if value not in names:
            raise ValueError(value)
        return str(value)

    return Rule(check, "one of " + ", ".join(f'"{name}"' for name in names))


def names(*allowed: str) -> Rule:
    """A set of names: any, or those that are allowed."""

    def check(value: object) -> frozenset[str]:
        if not isinstance(value, list | tuple | set | frozenset):
            raise ValueError(value)  # noqa: TRY004 - all that is wrong with a value becomes one ConfigError
        if not all(isinstance(name, str) and name and (not allowed or name in allowed) for name in value):
            raise ValueError(value)
        return frozenset(value)

    text = f"a set of names out of {', '.join(allowed)}" if allowed else "a set or list of names"
    return Rule(check, text, lambda text: [name.strip() for name in text.split(",") if name.strip()])


def text() -> Rule:
    """A text or a path, not empty."""

    def check(value: object) -> str:
        path = os.fspath(value) if isinstance(value, os.PathLike) else value
        if not isinstance(path, str) or not path or "\0" in path:
            raise ValueError(value)
        return path

    return Rule(check, "a text that is not empty")


def _read_pairs(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise ValueError(text)
    return {name.strip(): value.strip() for name, _, value in pairs}


def mapping(of: Callable[[Any], Any], allowed: str) -> Rule:
    """A mapping of names to values that `of` checks; it is kept as a read-only copy."""

    def check(value: object) -> Mapping[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) and name for name in value):
            raise ValueError(value)
        return MappingProxyType({name: of(item) for name, item in value.items()})

    return Rule(check, allowed, _read_pairs)


def plain_text(value: object) -> str:
    """A text that may stand in an environment: it may be empty.

    Raises:
        ValueError: it is none, or holds a zero byte.
    """
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(value)
    return value


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The root of all tables of settings: checks each value, and knows which were named explicitly."""

    named: frozenset[str] = field(default=frozenset(), init=False, repr=False, compare=False)
    _inside: ClassVar[str] = ""

    def __post_init__(self) -> None:
        named = set()
        for each in dataclasses.fields(self):
            if "rule" not in each.metadata:
                continue
            value, default = getattr(self, each.name), each.metadata["default"]
            if value is _UNNAMED:
                value = default
            else:
                named.add(each.name)
                value = _checked(each.metadata["rule"], f"{self._inside}{each.name}", value)
                if isinstance(default, Settings) and isinstance(value, Settings):
                    # What the inner settings do not name has the outer one's default, and stays unnamed.
                    value = default.merged(value).with_named(value.named)
            object.__setattr__(self, each.name, value)
        self.with_named(frozenset(named))
        self._check_together()

    def with_named(self, named: frozenset[str]) -> Self:
        """Note which settings count as named. Only for settings that nobody else has seen yet."""
        object.__setattr__(self, "named", named)
        return self

    def _check_together(self) -> None:
        """Check what concerns several settings."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: dict(v) if isinstance(v, MappingProxyType) else v for name, v in self.__dict__.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, MappingProxyType(value) if isinstance(value, dict) else value)

    def merged(self, over: Self | None) -> Self:
        """These settings, with each that `over` names taken from `over` (limits one by one)."""
        values = {each.name: getattr(self, each.name) for each in dataclasses.fields(self) if each.init}
        for name in over.named if over is not None else ():
            value, below = getattr(over, name), values[name]
            values[name] = below.merged(value) if isinstance(value, Settings) else value
        # Not by the constructor: each value has been checked already.
        made = object.__new__(type(self))
        made.__dict__.update(values)
        made.with_named(self.named | (over.named if over is not None else frozenset()))
        made._check_together()
        return made

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain values that print as JSON (values of the environment and arguments as text)."""
        return {
            each.name: _plain(getattr(self, each.name)) for each in dataclasses.fields(self) if each.name != "named"
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Settings from plain nested mappings, as a file holds them.

        Raises:
            ConfigError: an unknown key or a bad value.
        """
        return cls.build(data, "")

    @classmethod
    def from_sources(cls, *sources: Mapping[str, Any]) -> Self:
        """Settings from several nested mappings, each laid over those before it, table by table.

        Raises:
            ConfigError: an unknown key or a bad value.
        """
        data: dict[str, Any] = {}
        for source in sources:
            cls.lay_over(data, source)
        return cls.from_dict(data)

    @classmethod
    def _rules(cls) -> dict[str, Rule]:
        return {each.name: each.metadata["rule"] for each in dataclasses.fields(cls) if "rule" in each.metadata}

    @classmethod
    def lay_over(cls, data: dict[str, Any], over: Mapping[str, Any]) -> None:
        """Put what the nested mapping `over` says into `data`, table by table."""
        rules = cls._rules()
        for key, value in over.items():
            table = rules[key].nested if key in rules else None
            inner = {name: getattr(value, name) for name in value.named} if isinstance(value, Settings) else value
            if table is not None and isinstance(inner, Mapping):
                below = data.get(key)
                data[key] = below if isinstance(below, dict) else {}
                table.lay_over(data[key], inner)
            else:
                data[key] = value

    @classmethod
    def build(cls, data: Mapping[str, Any], inside: str) -> Self:
        """As `from_dict`; `inside` is where the table stands, for texts."""
        rules = cls._rules()
        values: dict[str, Any] = {}
        for key, value in data.items():
            if key not in rules:
                raise _unknown(f"{inside}{key}", value, rules, inside)
            rule = rules[key]
            if rule.nested is not None and isinstance(value, Mapping):
                values[key] = rule.nested.build(value, f"{inside}{key}.")
            else:
                values[key] = _checked(rule, f"{inside}{key}", _read(rule, f"{inside}{key}", value), value)
        return cls(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, Settings):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    return value if value is None or isinstance(value, str | int | float | bool) else repr(value)


def bad_setting(key: str, value: object, allowed: str) -> ConfigError:
    """The error for a value that is not allowed; it names the environment variable that it came from, if any."""
    came = f"{str(value)!r} from {value.variable}" if isinstance(value, FromEnvironment) else repr(value)
    shown = str(value) if isinstance(value, FromEnvironment) else value
    return ConfigError(f"{key} takes {allowed}; got {came}", key=key, value=shown, allowed=allowed)


def _unknown(key: str, value: object, known: Mapping[str, Any], inside: str) -> ConfigError:
    import difflib  # noqa: PLC0415 - for this error alone

    name = key.removeprefix(inside)
    near = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {inside}{near[0]}?" if near else ""
    where = f" (from {value.variable})" if isinstance(value, FromEnvironment) else ""
    allowed = ", ".join(f"{inside}{each}" for each in sorted(known))
    shown = str(value) if isinstance(value, FromEnvironment) else value
    return ConfigError(
        f"there is no setting {key}{where}{hint}; known: {allowed}", key=key, value=shown, allowed=allowed
    )


def _read(rule: Rule, key: str, value: object) -> object:
    """A value of a file or of the environment, with "none" and environment text turned into what code would give."""
    if isinstance(value, str) and rule.optional and value.strip().lower() in _NOTHING:
        return None
    if not isinstance(value, FromEnvironment):
        return value
    try:
        return rule.read(str(value))
    except ValueError:
        raise bad_setting(key, value, rule.allowed) from None


def _checked(rule: Rule, key: str, value: object, came: object = None) -> object:
    if value is None and rule.optional:
        return None
    try:
        return rule.check(value)
    except ConfigError:
        raise
    except (ValueError, TypeError, ArithmeticError):
        raise bad_setting(key, value if came is None else came, rule.allowed) from None


def nested(cls: type[Settings]) -> Rule:
    """A table of settings of its own."""

    def check(value: object) -> Settings:
        if isinstance(value, cls):
            return value
        if isinstance(value, Mapping):
            return cls.from_dict(value)
        raise ValueError(value)

    return Rule(check, f"{cls.__name__}(…), or a table of its settings", nested=cls)
