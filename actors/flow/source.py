"""The text of a workflow file, as plain values that know their lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from actors.errors import ActorsError, ConfigError

if TYPE_CHECKING:
    import yaml

__all__ = ["FlowInvalid", "Problem", "Source", "Way", "parse"]

Way: TypeAlias = tuple[Any, ...]
"""Keys and indexes from the top of a file to a value in it."""

_MAX_BYTES = 4 * 1024 * 1024
# An alias counts as what it stands for: a small file can say a lot of them.
_MOST_VALUES = 200_000
_DEEPEST = 100


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something that is wrong in a workflow file: the line, counted from 1, and what was expected there."""

    line: int
    message: str


class FlowInvalid(ActorsError, ValueError):
    """A workflow file cannot be used. `problems` are all that is wrong, by line; the text names each."""

    file: str | None
    problems: tuple[Problem, ...] | None

    @classmethod
    def of(cls, file: str, problems: list[Problem]) -> FlowInvalid:
        """The error for what was found."""
        found = tuple(sorted(set(problems)))
        text = "\n".join(f"{file}:{one.line}: {one.message}" for one in found)
        return cls(text, file=file, problems=found)


@dataclass(frozen=True, slots=True)
class Source:
    """What stands in a workflow file.

    Args:
        file: its name, for people.
        value: its plain values.
        lines: where they stand, by the way to them; of an entry of a mapping it is the line of its key.
    """

    file: str
    value: Any
    lines: Mapping[Way, int] = field(default_factory=dict)

    def line(self, way: Way) -> int:
        """The line of a value, or of what it stands in if it has none of its own."""
        while way and way not in self.lines:
            way = way[:-1]
        return self.lines.get(way, 1)


def parse(text: str, file: str) -> Source:
    """Read the text of a workflow file: YAML, of which JSON is a part.

    Args:
        text: the content.
        file: its name, for the messages.

    Raises:
        FlowInvalid: it is no YAML, or has a key twice, a key that is no text, a value that is no plain one.
        ConfigError: the extra `cli` is not installed.
    """
    try:
        import yaml  # noqa: PLC0415 - an extra
    except ImportError:
        message = "workflow files need pyyaml, which is not installed: pip install 'actors-hub[cli]'"
        raise ConfigError(message, key="cli", allowed="actors-hub[cli]") from None
    if len(text) > _MAX_BYTES:
        message = f"the file has {len(text):,} characters; a workflow has {_MAX_BYTES:,} at most"
        raise FlowInvalid.of(file, [Problem(1, message)])
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise FlowInvalid.of(file, [Problem(line, f"no YAML: it has the character #x{error.character:04x}")]) from None
    try:
        node = loader.get_single_node()
        reader = _Reader(loader)
        value = None if node is None else reader.read(node, (), ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise FlowInvalid.of(file, [Problem(mark.line + 1 if mark else 1, f"no YAML: {said}")]) from None
    except yaml.YAMLError as error:
        raise FlowInvalid.of(file, [Problem(1, f"no YAML: {error}")]) from None
    except RecursionError:
        raise FlowInvalid.of(file, [Problem(1, "it is nested too deeply")]) from None
    finally:
        loader.dispose()
    if reader.problems:
        raise FlowInvalid.of(file, reader.problems)
    return Source(file, value, reader.lines)


class _Reader:
    """Makes plain values of YAML's nodes."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader
        self._count = 0
        # The mappings whose merge keys have been replaced by what they bring; an alias brings them here again.
        self._flat: set[int] = set()
        self.lines: dict[Way, int] = {}
        self.problems: list[Problem] = []

    def read(self, node: yaml.Node, way: Way, above: tuple[int, ...]) -> Any:
        import yaml  # noqa: PLC0415 - an extra

        line = node.start_mark.line + 1
        self.lines.setdefault(way, line)
        self._count += 1
        if self._count > _MOST_VALUES or len(above) > _DEEPEST or id(node) in above:
            what = "has more values than any workflow" if self._count > _MOST_VALUES else "stands in itself"
            raise yaml.MarkedYAMLError(problem=f"this {what}", problem_mark=node.start_mark)
        inside = (*above, id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.read(one, (*way, index), inside) for index, one in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, way, inside)
        value = self._loader.construct_object(node)
        if value is not None and not isinstance(value, str | int | float | bool):
            # YAML makes dates and bytes of some texts, which no JSON and no command line has.
            if node.tag == "tag:yaml.org,2002:timestamp":
                return node.value
            self.problems.append(Problem(line, f"a {type(value).__name__} is no plain value; put it in quotes"))
        return value

    def _mapping(self, node: yaml.MappingNode, way: Way, inside: tuple[int, ...]) -> dict[str, Any]:
        if id(node) not in self._flat:
            self._flat.add(id(node))
            self._check_keys(node)
            # What is merged comes first then, and what the mapping says itself goes over it.
            self._loader.flatten_mapping(node)
        made: dict[str, Any] = {}
        for key, value in node.value:
            name = self._loader.construct_object(key) if isinstance(key.value, str) else None
            line = key.start_mark.line + 1
            if not isinstance(name, str):
                what = key.value if isinstance(key.value, str) else "a list or mapping"
                self.problems.append(Problem(line, f"a key is a text, and {what} is none; put it in quotes"))
                continue
            self.lines[*way, name] = line
            made[name] = self.read(value, (*way, name), inside)
        return made

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen: dict[Any, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key.value, str):
                continue
            if key.value in seen:
                message = f"{key.value!r} stands twice; it is in line {seen[key.value]} already"
                self.problems.append(Problem(line, message))
            seen.setdefault(key.value, line)
