"""Figures of resources, as people read them."""

from __future__ import annotations

__all__ = ["figure_text"]

_MIB = 1024 * 1024


def figure_text(limit: str, figure: float) -> str:
    """The figure with its unit.

    Args:
        limit: what it is a figure of: "memory" in bytes, "cpu" in percent, anything else in pieces.
        figure: the number.

    Example:
        >>> figure_text("memory", 213472256)
        '204 MiB'
    """
    if limit == "memory":
        return f"{figure / _MIB:.0f} MiB" if figure >= _MIB else f"{figure / 1024:.0f} KiB"
    return f"{figure:.0f} %" if limit == "cpu" else f"{figure:g}"
