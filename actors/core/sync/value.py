"""A value with a version, to be compared and set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from actors.core.sync.thing import Grants, Thing
from actors.errors import VersionConflict

__all__ = ["Value"]


@dataclass(frozen=True)
class Value(Thing):
    """Lives from the first `set` to `delete`, or to the system's end.

    Attributes:
        version: counts up with each set; 0 before the first.
        payload: the value, serialised; nobody looks into it here.
    """

    kind: ClassVar[str] = "value"

    version: int = 0
    payload: bytes | None = None

    @property
    def idle(self) -> bool:
        """Nobody waits, and it was never set."""
        return not self.queue and not self.version

    @property
    def read(self) -> tuple[int, bytes | None]:
        """Version and value."""
        return self.version, self.payload

    def served(self, grants: Grants) -> Self:
        """Let those go on who have seen but earlier versions."""
        ready = [wait for wait in self.queue if wait.above < self.version]
        for wait in ready:
            grants.grant(wait, self.read)
        return replace(self, queue=tuple(wait for wait in self.queue if wait.above >= self.version))

    def put(self, payload: bytes, version: int, expect: int | None, grants: Grants) -> Self:
        """Set it.

        Args:
            payload: what to.
            version: the one that it gets.
            expect: the version that it must have; None is whichever.
            grants: takes what follows.

        Raises:
            VersionConflict: it has another version.
        """
        if expect is not None and expect != self.version:
            raise VersionConflict(
                f"{self} has version {self.version} and not {expect}: somebody has set it meanwhile; get it again, and "
                "set it with that version",
                name=self.name,
                expected=expect,
                version=self.version,
            )
        return replace(self, payload=payload, version=version).served(grants)

    def standing(self) -> str:
        """See `Thing.standing`."""
        return f"it still has version {self.version}"

    def detail(self) -> dict[str, Any]:
        """Its version."""
        return {"version": self.version, "bytes": 0 if self.payload is None else len(self.payload)}
