"""A drawing in SVG, written by hand: shapes in layers, everything that is text escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from actors.testing.pictures.lettering import breadth, printable

__all__ = ["FONT", "Drawing", "Part"]

FONT = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"

Part = tuple[str, str]
"""A text and its colour; a colour that begins with "bold " makes it bold."""


class Drawing:
    """Collects shapes in layers; those of a higher layer cover those of a lower one.

    It uses attributes alone: no style sheet that would leak into the page around it, no ids that could clash there.
    """

    def __init__(self) -> None:
        self._layers: dict[int, list[str]] = {}

    def _put(self, layer: int, text: str, title: str = "") -> None:
        if title:
            text = f"<g><title>{escape(title)}</title>{text}</g>"
        self._layers.setdefault(layer, []).append(text)

    def rectangle(
        self,
        layer: int,
        box: tuple[float, float, float, float],
        fill: str,
        *,
        stroke: str = "none",
        width: float = 1,
        radius: float = 0,
        opacity: float = 1,
        title: str = "",
    ) -> None:
        """Draw a rectangle. `box` is left, top, right, bottom."""
        left, top, right, bottom = box
        more = f' rx="{_number(radius)}"' if radius else ""
        more += f' opacity="{_number(opacity)}"' if opacity != 1 else ""
        line = f' stroke="{stroke}" stroke-width="{_number(width)}"' if stroke != "none" else ""
        place = (
            f'x="{_number(left)}" y="{_number(top)}" width="{_number(right - left)}" height="{_number(bottom - top)}"'
        )
        self._put(layer, f'<rect {place} fill="{fill}"{line}{more}/>', title)

    def path(
        self,
        layer: int,
        points: Sequence[tuple[float, float]],
        stroke: str,
        *,
        width: float = 1,
        dashes: str = "",
        fill: str = "none",
        title: str = "",
    ) -> None:
        """Draw a line through points; with a fill it is closed."""
        steps = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
        name = "polyline" if fill == "none" else "polygon"
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        line = f' stroke="{stroke}" stroke-width="{_number(width)}"{dashed}' if stroke != "none" else ""
        self._put(layer, f'<{name} points="{steps}" fill="{fill}"{line}/>', title)

    def circle(self, layer: int, x: float, y: float, radius: float, fill: str, stroke: str) -> None:
        """Draw a circle around a point."""
        place = f'cx="{_number(x)}" cy="{_number(y)}" r="{_number(radius)}"'
        self._put(layer, f'<circle {place} fill="{fill}" stroke="{stroke}" stroke-width="1.2"/>')

    def text(
        self,
        layer: int,
        x: float,
        y: float,
        parts: Iterable[Part],
        *,
        size: float,
        anchor: str = "start",
        backdrop: str = "",
        title: str = "",
    ) -> None:
        """Write a line of text.

        Args:
            layer: as for all shapes.
            x: where it starts, has its middle or ends, as `anchor` says.
            y: the line that the letters stand on.
            parts: pieces of the text with their colours.
            size: height of the font.
            anchor: "start", "middle" or "end".
            backdrop: a colour that dims what is behind it; none if empty.
            title: shown when a pointer rests on it.
        """
        spans = []
        whole = 0.0
        for text, colour in parts:
            bold = colour.startswith("bold ")
            weight = ' font-weight="bold"' if bold else ""
            spans.append(f'<tspan fill="{colour.removeprefix("bold ")}"{weight}>{escape(text)}</tspan>')
            whole += breadth(text, size)
        line = "".join(spans)
        at = f' text-anchor="{anchor}"' if anchor != "start" else ""
        # Blanks between the parts count: without xml:space a reader may drop them.
        text = f'<text x="{_number(x)}" y="{_number(y)}" font-size="{_number(size)}"{at} xml:space="preserve">{line}</text>'
        if backdrop:
            # The text is rather less broad than measured, and what is beside it should stay bright.
            whole *= 0.9
            left = x - {"start": 0.0, "middle": whole / 2, "end": whole}[anchor]
            self.rectangle(layer, (left - 2, y - size + 1, left + whole + 2, y + 3), backdrop, opacity=0.8)
        self._put(layer, text, title)

    def document(self, width: float, height: float, background: str, title: str, description: str) -> str:
        """The whole picture, on its own background, so that it can be read on a page of any colour."""
        size = f'width="{_number(width)}" height="{_number(height)}" viewBox="0 0 {_number(width)} {_number(height)}"'
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{html.escape(FONT)}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(description)}</desc>",
            f'<rect width="100%" height="100%" fill="{background}"/>',
        ]
        for layer in sorted(self._layers):
            lines += self._layers[layer]
        return "\n".join([*lines, "</svg>", ""])


def escape(text: str) -> str:
    """A text as content of an element, whatever is in it."""
    return html.escape(printable(text), quote=False)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
