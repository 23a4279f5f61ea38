"""An event with the name of another one."""

from __future__ import annotations

from dataclasses import dataclass

from actors import Event


@dataclass(frozen=True, kw_only=True)
class News(Event):
    """Of another module, with other fields."""

    title: str = ""
