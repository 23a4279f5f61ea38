"""The root of all errors: they carry facts, and cross processes unchanged."""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = ["ActorsError"]


def _rebuild(cls: type[ActorsError], args: tuple[Any, ...], facts: dict[str, Any]) -> ActorsError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(facts)
    return error


class ActorsError(Exception):
    """The root of all errors that this library raises.

    Args:
        message: what was expected, what came instead, and how to mend it.
        **facts: the values of the class's declared attributes; one that is left out is None.

    Raises:
        TypeError: a fact that the class does not declare.
    """

    _facts: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = [name for name in cls.__dict__.get("__annotations__", {}) if not name.startswith("_")]  # noqa: RUF063 - inspect is slow to import
        cls._facts = cls._facts | frozenset(own)
        for name in own:
            if name not in cls.__dict__:
                setattr(cls, name, None)

    def __init__(self, message: str = "", /, **facts: Any) -> None:
        super().__init__(message)
        unknown = facts.keys() - self._facts
        if unknown:
            raise TypeError(f"{type(self).__name__} has no fact {', '.join(sorted(unknown))}")
        self.__dict__.update(facts)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)
