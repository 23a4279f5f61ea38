"""What stands beside the arrows and marks of a diagram."""

from __future__ import annotations

import math

from actors.testing.history import Moved, Sent
from actors.testing.pictures.chosen import Chosen
from actors.testing.pictures.drawing import Part
from actors.testing.pictures.lettering import breadth, printable, shorten
from actors.testing.pictures.plan import AMBER, GREY, INK, RED, SIZE

__all__ = ["PERISHED", "Captions", "move_text"]

PERISHED = frozenset({"lost", "cut", "garbled", "dead letter"})


class Captions:
    """Words for the messages of a history.

    Args:
        chosen: what is drawn.
        decimals: of moments.
    """

    def __init__(self, chosen: Chosen, decimals: int) -> None:
        self._chosen = chosen
        self._decimals = decimals

    def moment(self, time: float) -> str:
        """A time of the run."""
        return f"{time:,.{self._decimals}f} s"

    def message(self, entry: Sent, room: float) -> list[Part]:
        """A message in as much room as there is: its name, what befell it, its text."""
        name = printable(entry.name)
        fates = [fate for fate in self._chosen.fates.get(entry.number, ["on its way"]) if fate != "handled"]
        fate = f" ({', '.join(fates)})" if fates else ""
        text = printable(entry.text)
        colour = RED if any(fate in PERISHED for fate in fates) else AMBER
        rest = room - breadth(fate, SIZE)
        name = shorten(name, rest / 1.08, SIZE) if rest < math.inf else name
        parts = [(name, f"bold {INK}")]
        if fate:
            parts.append((fate, colour))
        rest -= breadth(name, SIZE) * 1.08 + breadth("  ", SIZE)
        if text and rest < math.inf:
            text = shorten(text, rest, SIZE) if rest > 20 else ""
        if text:
            parts.append((f"  {text}", GREY))
        return parts

    def title(self, sent: Sent) -> str:
        """Everything that is known of a message."""
        fates = ", ".join(self._chosen.fates.get(sent.number, ["still on its way"]))
        where = f"{sent.sender} → {sent.recipient}, {self.moment(sent.time)}, {fates}"
        return f"{sent.name} {sent.text}".rstrip() + f" [{sent.number}: {where}]"


def move_text(entry: Moved) -> str:
    """A move in words; one without a source is the first of its machine."""
    return f"{entry.actor} {entry.source} → {entry.target}".replace("  ", " ")
