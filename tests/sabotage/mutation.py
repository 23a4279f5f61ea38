"""A known-bad change of one shipped file."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["ROOT", "Mutation"]

ROOT = Path(__file__).parents[2]


class Mutation(NamedTuple):
    """What is changed where, and what it breaks.

    Args:
        name: unique, in words.
        module: the dotted name of the module.
        old: text that occurs exactly once in its file.
        new: what stands there instead.
        breaks: the requirement that no longer holds.
        story: in one sentence what goes wrong.
    """

    name: str
    module: str
    old: str
    new: str
    breaks: str
    story: str

    @property
    def path(self) -> Path:
        """The shipped file."""
        return ROOT.joinpath(*self.module.split(".")).with_suffix(".py")

    def apply(self, source: str) -> str:
        """The source with the change made.

        Raises:
            ValueError: the text does not occur exactly once, so the file has changed since the mutation was written.
        """
        count = source.count(self.old)
        if count != 1:
            raise ValueError(
                f"mutation {self.name!r}: the text {self.old!r} occurs {count} times in {self.module}, not once; "
                "write the mutation anew for the file as it is now"
            )
        return source.replace(self.old, self.new)
