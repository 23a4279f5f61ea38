"""The error for a field of a task's data that is not what is expected."""

from __future__ import annotations

from typing import Any, NoReturn

from actors.errors import ConfigError

__all__ = ["refuse_field"]

_SHOWN = 200


def refuse_field(of: str, key: str, value: Any, allowed: str) -> NoReturn:
    """Say what was expected of a field.

    Args:
        of: what the data describe, with its article.
        key: the field.
        value: what came.
        allowed: what is expected.

    Raises:
        ConfigError: always.
    """
    shown = repr(value)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    raise ConfigError(f"{key} of {of} is {allowed}, not {shown}", key=key, value=value, allowed=allowed)
