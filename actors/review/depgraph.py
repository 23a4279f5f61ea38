"""The picture of the dependencies: what needs others stands above them, and what goes in circles is marked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from actors.review.bands import band_of
from actors.review.codereport import CodeReport
from actors.review.display import count, printable, shorten
from actors.review.graph import strongly_connected

__all__ = ["Box", "Curve", "Picture", "draw_graph"]

_BOX_HEIGHT = 24.0
_ROW_GAP = 44.0
_BOX_GAP = 14.0
# Above the first row and below the last one, where arrows between neighbours go.
_MARGIN = 20.0
_CHARACTER = 6.6
_SWEEPS = 6
_REDUCE_ABOVE = 60
_NAMELESS = ("__", "index.", "mod.")

_Arrow = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Box:
    """A file or folder."""

    x: float
    y: float
    width: float
    height: float
    label: str
    band: int
    title: str
    index: int
    in_cycle: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """One needs another. `kind` is "plain", "back" (upwards, between folders) or "cycle" (a circle of files)."""

    path: str
    kind: str
    source: int
    target: int
    title: str


@dataclass(frozen=True, slots=True)
class Picture:
    """The picture; `units` of `all_units` are in it."""

    width: int
    height: float
    boxes: tuple[Box, ...]
    curves: tuple[Curve, ...]
    units: int
    all_units: int
    reduced: bool


def draw_graph(code: CodeReport, width: int, limit: int) -> Picture:
    """Draw what needs what at load time.

    Args:
        code: the tree. Files without dependencies are not drawn.
        width: of the picture, in the units that text is about 11 high in.
        limit: the most boxes. Folders stand for their files where there are more; of what is still too much, the
            boxes with the most connections are drawn.
    """
    arrows_of_files = [(edge.source, edge.target) for edge in code.graph.edges if edge.when == "load"]
    unit_of = _units({path for arrow in arrows_of_files for path in arrow}, limit)
    weights: Counter[_Arrow] = Counter(
        (unit_of[source], unit_of[target]) for source, target in arrows_of_files if unit_of[source] != unit_of[target]
    )
    degree = Counter(unit for arrow in weights for unit in arrow)
    shown = set(sorted(degree, key=lambda unit: (-degree[unit], unit))[:limit])
    weights = Counter({arrow: n for arrow, n in weights.items() if shown.issuperset(arrow)})
    circle = {path: index for index, cycle in enumerate(code.graph.cycles) if cycle.at_load for path in cycle.files}
    circular = {
        (unit_of[source], unit_of[target])
        for source, target in arrows_of_files
        if source in circle and circle[source] == circle.get(target)
    }
    layers = _layers(shown, weights)
    kept, reduced = _kept(weights, layers)
    rows = _ordered_rows(layers, kept, max(2, int((width + _BOX_GAP) // (_box_width(width) + _BOX_GAP))))
    boxes = _boxes(rows, code, unit_of, width, circular)
    curves = tuple(_curve(boxes[s], boxes[t], (s, t) in circular, weights[s, t], s, t) for s, t in sorted(kept))
    height = max((box.y + box.height for box in boxes.values()), default=0.0) + _MARGIN
    return Picture(
        width=width,
        height=round(height, 1),
        boxes=tuple(boxes[unit] for row in rows for unit in row),
        curves=tuple(sorted(curves, key=lambda curve: curve.kind == "cycle")),
        units=len(boxes),
        all_units=len(degree),
        reduced=reduced,
    )


def _units(paths: Iterable[str], limit: int) -> dict[str, str]:
    """What each file is drawn as: itself or a folder. The fullest folders are opened while there is room."""
    below: dict[str, list[str]] = defaultdict(list)
    for path in sorted(paths):
        below[path.split("/", 1)[0] + ("/" if "/" in path else "")].append(path)
    closed: set[str] = set()
    while True:
        folders = [unit for unit in below if unit.endswith("/") and unit not in closed]
        if not folders:
            break
        largest = min(folders, key=lambda unit: (-len(below[unit]), unit))
        opened: dict[str, list[str]] = defaultdict(list)
        for path in below[largest]:
            rest = path[len(largest) :]
            opened[largest + rest.split("/", 1)[0] + ("/" if "/" in rest else "")].append(path)
        if len(below) - 1 + len(opened) <= limit:
            del below[largest]
            below.update(opened)
        else:
            closed.add(largest)
    return {path: unit for unit, some in below.items() for path in some}


def _layers(units: set[str], weights: Mapping[_Arrow, int]) -> dict[str, int]:
    """The layer of each unit, 0 at the top: below all that need it. Units in one circle share a layer."""
    successors: dict[str, list[str]] = {unit: [] for unit in sorted(units)}
    for source, target in sorted(weights):
        successors[source].append(target)
    group = {unit: unit for unit in units}
    for component in strongly_connected(successors):
        group.update(dict.fromkeys(component, component[0]))
    needs: dict[str, set[str]] = defaultdict(set)
    for source, target in weights:
        if group[source] != group[target]:
            needs[group[source]].add(group[target])
    depth: dict[str, int] = {}

    def below(name: str) -> int:
        # As deep as there are boxes in the picture at most, so recursion is safe.
        if name not in depth:
            depth[name] = 1 + max((below(other) for other in needs[name]), default=-1)
        return depth[name]

    for name in sorted(set(group.values())):
        below(name)
    deepest = max(depth.values(), default=0)
    return {unit: deepest - depth[group[unit]] for unit in units}


def _kept(weights: Mapping[_Arrow, int], layers: Mapping[str, int]) -> tuple[set[_Arrow], bool]:
    """The arrows to draw. In a crowded picture one that a longer way implies is left out."""
    arrows = set(weights)
    if len(arrows) <= _REDUCE_ABOVE:
        return arrows, False
    down: dict[str, set[str]] = defaultdict(set)
    for source, target in arrows:
        if layers[source] < layers[target]:
            down[source].add(target)
    reach: dict[str, set[str]] = {}
    for unit in sorted(layers, key=lambda unit: -layers[unit]):
        reach[unit] = set(down[unit]).union(*(reach[other] for other in down[unit]))
    kept = {
        (source, target)
        for source, target in arrows
        if layers[source] >= layers[target]
        or not any(target in reach[other] for other in down[source] if other != target)
    }
    return kept, len(kept) < len(arrows)


def _ordered_rows(layers: Mapping[str, int], arrows: Iterable[_Arrow], per_row: int) -> list[list[str]]:
    """The units of each layer, ordered so that few arrows cross, wrapped into rows."""
    by_layer: dict[int, list[str]] = defaultdict(list)
    for unit in sorted(layers):
        by_layer[layers[unit]].append(unit)
    near: dict[str, list[str]] = defaultdict(list)
    for source, target in sorted(arrows):
        near[source].append(target)
        near[target].append(source)
    place = {unit: (index + 0.5) / len(units) for units in by_layer.values() for index, unit in enumerate(units)}
    for sweep in range(_SWEEPS):
        for layer in sorted(by_layer, reverse=bool(sweep % 2)):
            units = by_layer[layer]
            wish = {
                unit: sum(place[other] for other in near[unit]) / len(near[unit]) if near[unit] else place[unit]
                for unit in units
            }
            units.sort(key=lambda unit: (wish[unit], unit))
            place.update({unit: (index + 0.5) / len(units) for index, unit in enumerate(units)})
    rows = []
    for layer in sorted(by_layer):
        units = by_layer[layer]
        lines = -(-len(units) // per_row)
        even = -(-len(units) // lines)
        rows += [units[start : start + even] for start in range(0, len(units), even)]
    return rows


def _box_width(width: int) -> float:
    return min(150.0, (width - 2 * _BOX_GAP) / 3)


def _boxes(
    rows: Sequence[Sequence[str]], code: CodeReport, unit_of: Mapping[str, str], width: int, circular: set[_Arrow]
) -> dict[str, Box]:
    files: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    peaks: dict[str, int] = defaultdict(int)
    for one in code.files:
        unit = unit_of.get(one.path)
        if unit is not None:
            files[unit] += 1
            lines[unit] += one.lines
            peaks[unit] = max(peaks[unit], one.peak)
    wide = _box_width(width)
    names = _short_names([unit for row in rows for unit in row])
    in_circle = {unit for arrow in circular for unit in arrow}
    boxes: dict[str, Box] = {}
    for number, row in enumerate(rows):
        step = width / len(row)
        for index, unit in enumerate(row):
            what = f"{unit}: {count(files[unit], 'file')}, " if unit.endswith("/") else f"{unit}: "
            boxes[unit] = Box(
                x=round(step * (index + 0.5) - wide / 2, 1),
                y=round(_MARGIN + number * (_BOX_HEIGHT + _ROW_GAP), 1),
                width=round(wide, 1),
                height=_BOX_HEIGHT,
                label=shorten(printable(names[unit]), int((wide - 12) / _CHARACTER)),
                band=band_of(peaks[unit]),
                title=printable(f"{what}{count(lines[unit], 'line')}, the most complex function at {peaks[unit]}"),
                index=len(boxes),
                in_cycle=unit in in_circle,
            )
    return boxes


def _short_names(units: Sequence[str]) -> dict[str, str]:
    """For each unit as few of the last parts of its path as tell it from the others."""
    names: dict[str, str] = {}
    depth = 1
    left = list(units)
    while left:
        tails = {
            unit: "/".join(unit.rstrip("/").split("/")[-depth:]) + ("/" if unit.endswith("/") else "") for unit in left
        }
        times = Counter(tails.values())
        settled = {unit: tail for unit, tail in tails.items() if times[tail] == 1 or len(tail) >= len(unit)}
        # A package's own file says nothing without its folder.
        if depth == 1:
            settled = {unit: tail for unit, tail in settled.items() if not tail.startswith(_NAMELESS) or tail == unit}
        names.update(settled)
        left = [unit for unit in left if unit not in settled]
        depth += 1
    return names


def _curve(source: Box, target: Box, in_cycle: bool, weight: int, names: str, named: str) -> Curve:  # noqa: FBT001
    x1, x2 = source.x + source.width / 2, target.x + target.width / 2
    if source.y < target.y:
        y1, y2 = source.y + source.height, target.y
        bend = max(18.0, (y2 - y1) * 0.45)
        path = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}"
    elif source.y > target.y:
        # Upwards on the side, so that it does not lie on the arrow that goes down between the same two.
        y1, y2 = source.y, target.y + target.height
        bend = max(18.0, (y1 - y2) * 0.45)
        x1, x2 = x1 + source.width / 4, x2 + target.width / 4
        path = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 - bend:.1f} {x2:.1f} {y2 + bend:.1f} {x2:.1f} {y2:.1f}"
    else:
        # Beside each other: one way above the boxes, the other way below them.
        y1 = source.y if x1 < x2 else source.y + source.height
        lift = -24.0 if x1 < x2 else 24.0
        path = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + lift:.1f} {x2:.1f} {y1 + lift:.1f} {x2:.1f} {y1:.1f}"
    kind = "cycle" if in_cycle else "plain" if source.y < target.y else "back"
    title = printable(f"{names} needs {named}") + (f" ({count(weight, 'import')})" if weight > 1 else "")
    return Curve(path, kind, source.index, target.index, title)
