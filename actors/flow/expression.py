"""Values that come from elsewhere: `${{ tasks.find.result }}`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["ROOTS", "Expression", "ExpressionFailed", "Text", "fill", "plain", "read_value", "references", "shown"]

ROOTS = ("tasks", "matrix", "vars")
_MARK = re.compile(r"(\$?)\$\{\{(.*?)\}\}", re.DOTALL)
_STEP = re.compile(r"""\.?([A-Za-z_][\w-]*)|\[(-?\d+)\]|\[(?:"([^"]*)"|'([^']*)')\]""")
_DEEPEST = 60


class ExpressionFailed(ValueError):
    """An expression cannot be read, or there is nothing at its place."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression.

    Args:
        way: the root first, as ("tasks", "find", "result", 0, "path").
        filters: what is done with the value, in this order.
        text: as it stands in the file.
    """

    way: tuple[Any, ...]
    filters: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"${{{{ {self.text} }}}}"

    def value(self, scope: Mapping[str, Any]) -> Any:
        """What it stands for.

        Args:
            scope: values by their roots.

        Raises:
            ExpressionFailed: there is nothing at its place, or a filter does not fit what there is.
        """
        found: Any = scope
        for index, place in enumerate(self.way):
            try:
                found = _inside(found, place)
            except (LookupError, TypeError, AttributeError):
                where = _written(self.way[:index]) or "it"
                raise ExpressionFailed(f"{self}: {where} has no {place!r}{_there_is(found)}") from None
        for name in self.filters:
            try:
                found = _FILTERS[name](found)
            except (TypeError, ValueError) as error:
                raise ExpressionFailed(f"{self}: {name} does not fit a {type(found).__name__}: {error}") from None
        return found


@dataclass(frozen=True, slots=True)
class Text:
    """A text with expressions in it."""

    parts: tuple[str | Expression, ...]

    def __str__(self) -> str:
        return "".join(map(str, self.parts))


def read_value(value: Any, roots: Collection[str] = ROOTS) -> Any:
    """A plain value with its expressions read.

    Args:
        value: texts, numbers, lists and mappings.
        roots: those that may stand in it.

    Returns:
        The same, with an `Expression` for a text that is one, and a `Text` for one that has some in it. `$${{` stands
        for `${{` itself.

    Raises:
        ExpressionFailed: an expression cannot be read.
    """
    if isinstance(value, str):
        return _read_text(value, roots)
    if isinstance(value, list):
        return [read_value(one, roots) for one in value]
    if isinstance(value, dict):
        return {name: read_value(one, roots) for name, one in value.items()}
    return value


def fill(value: Any, scope: Mapping[str, Any]) -> Any:
    """A value with its expressions replaced by what they stand for; those of other roots stay.

    An expression that is a whole text gives its value as it is. In a text, what is no text is written as JSON.

    Raises:
        ExpressionFailed: there is nothing at the place of one.
    """
    if isinstance(value, Expression):
        return value.value(scope) if value.way[0] in scope else value
    if isinstance(value, Text):
        parts = tuple(_shown_in_text(part, scope) for part in value.parts)
        return Text(parts) if any(isinstance(part, Expression) for part in parts) else "".join(map(str, parts))
    if isinstance(value, list):
        return [fill(one, scope) for one in value]
    if isinstance(value, dict):
        return {name: fill(one, scope) for name, one in value.items()}
    return value


def references(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Expression]]:
    """All expressions in a value, each with the way to it."""
    if isinstance(value, Expression):
        yield way, value
    elif isinstance(value, Text):
        for part in value.parts:
            yield from references(part, way)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from references(one, (*way, index))
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from references(one, (*way, name))


def shown(value: Any) -> str:
    """A value as it stands in a text."""
    return value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)


def plain(value: Any, depth: int = 0) -> Any:
    """A value as plain ones, ready for JSON: what has a `to_dict` by that, anything else by its text."""
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, float):
        # JSON has no NaN and no infinity.
        return value if math.isfinite(value) else str(value)
    return "…" if depth > _DEEPEST else _plain_inside(value, depth + 1)


def _plain_inside(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {str(name): plain(one, depth) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one, depth) for one in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(one, depth) for one in value), key=repr)
    to_dict = getattr(value, "to_dict", None)
    return plain(to_dict(), depth) if callable(to_dict) and not isinstance(value, type) else str(value)


def _read_text(text: str, roots: Collection[str]) -> Any:
    parts: list[str | Expression] = []
    at = 0
    for match in _MARK.finditer(text):
        escaped = bool(match[1])
        parts.append(text[at : match.start()] + (match[0][1:] if escaped else ""))
        if not escaped:
            parts.append(_read(match[2].strip(), roots))
        at = match.end()
    parts.append(text[at:])
    if "${{" in text[at:]:
        raise ExpressionFailed(f"an expression has no end: {text[at:]!r}; expected }}}}")
    kept = tuple(part for part in parts if part != "")
    if not any(isinstance(part, Expression) for part in kept):
        return "".join(map(str, kept))
    return kept[0] if len(kept) == 1 else Text(kept)


def _read(text: str, roots: Collection[str]) -> Expression:
    path, *filters = (part.strip() for part in text.split("|"))
    way: list[Any] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or (not way and not match[1]) or (way and match[1] and path[at] != "."):
            break
        name, index, quoted, single = match.groups()
        way.append(int(index) if index is not None else name if name is not None else quoted or single or "")
        at = match.end()
    if not way or at < len(path):
        raise ExpressionFailed(
            f"${{{{ {text} }}}} is no expression; expected a place such as tasks.find.result[0].path"
        )
    if way[0] not in roots:
        raise ExpressionFailed(f"${{{{ {text} }}}} begins with {way[0]!r}; here it may begin with {', '.join(roots)}")
    for name in filters:
        if name not in _FILTERS:
            raise ExpressionFailed(f"${{{{ {text} }}}}: there is no filter {name!r}; there are {', '.join(_FILTERS)}")
    return Expression(tuple(way), tuple(filters), text)


def _inside(value: Any, place: Any) -> Any:
    if isinstance(place, int) or isinstance(value, Mapping):
        if isinstance(value, str | bytes | set | frozenset):
            raise TypeError
        return value[place]
    # What is private stays so, and what could be called gives nothing that a file could use.
    if place.startswith("_"):
        raise AttributeError(place)
    found = getattr(value, place)
    is_method = callable(found)
    if is_method:
        raise AttributeError(place)
    return found


def _there_is(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"; there is {', '.join(map(str, list(value)[:20])) or 'nothing'}"
    if isinstance(value, list | tuple):
        return f"; it has {len(value)} items"
    return f"; it is a {type(value).__name__}"


def _written(way: tuple[Any, ...]) -> str:
    return ".".join(str(place) for place in way)


def _shown_in_text(part: str | Expression, scope: Mapping[str, Any]) -> str | Expression:
    found = fill(part, scope)
    return found if isinstance(found, Expression) else shown(found)


def _lines(value: Any) -> list[str]:
    if not isinstance(value, str):
        raise TypeError("expected a text")
    return value.splitlines()


_FILTERS: dict[str, Callable[[Any], Any]] = {
    "json": lambda value: json.dumps(plain(value), ensure_ascii=False),
    "length": len,
    "lines": _lines,
    "plain": plain,
    "trim": lambda value: shown(value).strip(),
}
