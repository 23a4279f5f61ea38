"""The layout of the treemap: area is lines, colour is complexity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from actors.review.bands import band_of
from actors.review.codereport import FileSummary
from actors.review.display import columns, count, printable, shorten

__all__ = ["Cell", "Treemap", "lay_out_treemap", "squarify"]

_HEADER = 17.0
_PADDING = 2.0
_LEAST_FOLDER = (64.0, 46.0)
_LEAST_AREA = 130.0
_CHARACTER = 6.4
# The heads of folders are in bold type.
_WIDE_CHARACTER = 7.4
_LABEL_HEIGHT = 15.0
_LEAST_LABEL = 5
# What is left of a name that is cut further tells nobody which one it was.
_LEAST_CUT = 9


@dataclass(frozen=True, slots=True)
class Cell:
    """One rectangle. `kind` is "file", "folder" (a heading with others inside it) or "rest" (several in one)."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    band: int
    label: str
    note: str
    title: str


@dataclass(frozen=True, slots=True)
class Treemap:
    """All cells, folders before what is inside them. `drawn` of `files` files have a cell of their own."""

    width: int
    height: int
    cells: tuple[Cell, ...]
    files: int
    drawn: int


@dataclass(slots=True)
class _Node:
    """A folder or file of the tree."""

    name: str
    path: str
    lines: int = 0
    peak: int = 0
    files: int = 0
    complexity: int = 0
    file: FileSummary | None = None
    children: dict[str, _Node] = field(default_factory=dict)


_Rectangle = tuple[float, float, float, float]


def lay_out_treemap(files: Sequence[FileSummary], width: int, height: int) -> Treemap:
    """Lay out a tree of files.

    Args:
        files: of the tree; those without lines are left out.
        width: of the picture, in the units that text is about 11 high in.
        height: likewise.

    Returns:
        The cells. What is too small to be seen is drawn together, folder by folder.
    """
    root = _tree([one for one in files if one.lines > 0])
    cells: list[Cell] = []
    if root.files:
        _fill(root, (0.0, 0.0, float(width), float(height)), cells)
    return Treemap(width, height, tuple(cells), root.files, sum(1 for cell in cells if cell.kind == "file"))


def _tree(files: Sequence[FileSummary]) -> _Node:
    root = _Node("", "")
    for one in files:
        node = root
        parts = one.path.split("/")
        _add(node, one)
        for depth, part in enumerate(parts):
            # A file and a folder cannot share a name, so the name alone is the key.
            node = node.children.setdefault(part, _Node(part, "/".join(parts[: depth + 1])))
            _add(node, one)
        node.file = one
    return _joined(root)


def _add(node: _Node, one: FileSummary) -> None:
    node.lines += one.lines
    node.files += 1
    node.complexity += one.complexity
    node.peak = max(node.peak, one.peak)


def _joined(root: _Node) -> _Node:
    """Make `a/b/c` one node where each is the only child of the one before. Depth may be beyond recursion."""
    pending = [root]
    while pending:
        node = pending.pop()
        for key, child in list(node.children.items()):
            inner = child
            while inner.file is None and len(inner.children) == 1:
                only = next(iter(inner.children.values()))
                if only.file is not None:
                    break
                only.name = f"{inner.name}/{only.name}"
                inner = only
            node.children[key] = inner
            pending.append(inner)
    return root


def _fill(root: _Node, rectangle: _Rectangle, cells: list[Cell]) -> None:
    pending: list[tuple[_Node, _Rectangle]] = [(root, rectangle)]
    while pending:
        node, (x, y, width, height) = pending.pop()
        children = sorted(node.children.values(), key=lambda child: (-child.lines, child.name))
        scale = width * height / max(1, node.lines)
        shown = [child for child in children if child.lines * scale >= _LEAST_AREA]
        rest = children[len(shown) :]
        weights = [float(child.lines) for child in shown]
        if rest:
            weights.append(float(sum(child.lines for child in rest)))
        inner = []
        prefix = _common_prefix([child.name for child in children])
        for index, place in enumerate(squarify(weights, x, y, width, height)):
            if index == len(shown):
                cells.append(_rest_cell(rest, place))
            elif shown[index].file is not None:
                cells.append(_file_cell(shown[index], place, prefix))
            elif place[2] < _LEAST_FOLDER[0] or place[3] < _LEAST_FOLDER[1]:
                cells.append(_closed_cell(shown[index], place, prefix))
            else:
                cells.append(_folder_cell(shown[index], place))
                inner.append((shown[index], _inside(place)))
        pending.extend(reversed(inner))


def _inside(place: _Rectangle) -> _Rectangle:
    x, y, width, height = place
    return x + _PADDING, y + _HEADER, width - 2 * _PADDING, height - _HEADER - _PADDING


def _label(text: str, place: _Rectangle, prefix: str = "") -> str:
    """As much of a name as fits; what is cut first is what the name has in common with its neighbours."""
    room = int((place[2] - 8) / _CHARACTER)
    if room < _LEAST_LABEL or place[3] < _LABEL_HEIGHT:
        return ""
    text = printable(text)
    if columns(text) <= room:
        return text
    if room < _LEAST_CUT:
        return ""
    folder = text.endswith("/")
    stem = text if folder else text.rsplit(".", 1)[0] or text
    if prefix and stem.startswith(prefix) and columns(stem) > room:
        stem = "…" + stem.removeprefix(prefix)
    return shorten(stem, room, 1.0)


def _common_prefix(names: Sequence[str]) -> str:
    """The first word of most of the names, with the mark behind it: `test_` of the files of a test folder."""
    words = Counter(name[: name.index("_") + 1] for name in names if "_" in name[1:-1] and not name.startswith("_"))
    word, times = max(words.items(), key=lambda each: (each[1], each[0]), default=("", 0))
    return word if 2 * times > len(names) > 2 else ""


def _cell(place: _Rectangle, kind: str, node_peak: int, label: str, note: str, title: str, prefix: str = "") -> Cell:
    x, y, width, height = (round(value, 1) for value in place)
    shown = _label(label, place, prefix)
    fits = bool(shown) and place[3] >= 2 * _LABEL_HEIGHT and len(note) * _CHARACTER <= place[2] - 8
    return Cell(x, y, width, height, kind, band_of(node_peak), shown, note if fits else "", printable(title))


def _file_cell(node: _Node, place: _Rectangle, prefix: str) -> Cell:
    one = node.file
    functions = count(one.functions if one else 0, "function")
    title = f"{node.path}: {count(node.lines, 'line')}, {functions}"
    title += f", the most complex at {node.peak}" if node.peak else ""
    return _cell(place, "file", node.peak, node.name, count(node.lines, "line"), title, prefix)


def _folder_title(node: _Node) -> str:
    return (
        f"{node.path}/: {count(node.files, 'file')}, {count(node.lines, 'line')}, "
        f"the most complex function at {node.peak}"
    )


def _folder_cell(node: _Node, place: _Rectangle) -> Cell:
    x, y, width, height = (round(value, 1) for value in place)
    room = int((place[2] - 8) / _WIDE_CHARACTER)
    note = count(node.lines, "line")
    name = printable(f"{node.name}/")
    if len(name) + len(note) + 2 > room:
        note = ""
    return Cell(x, y, width, height, "folder", 0, shorten(name, room), note, printable(_folder_title(node)))


def _closed_cell(node: _Node, place: _Rectangle, prefix: str) -> Cell:
    return _cell(place, "rest", node.peak, f"{node.name}/", count(node.files, "file"), _folder_title(node), prefix)


def _rest_cell(nodes: Sequence[_Node], place: _Rectangle) -> Cell:
    files = sum(node.files for node in nodes)
    lines = sum(node.lines for node in nodes)
    peak = max(node.peak for node in nodes)
    names = ", ".join(node.name for node in nodes[:6]) + (" …" if len(nodes) > 6 else "")
    title = f"{count(files, 'smaller file')} ({names}): {count(lines, 'line')}, the most complex function at {peak}"
    return _cell(place, "rest", peak, f"+{count(files)}", count(lines, "line"), title)


def squarify(weights: Sequence[float], x: float, y: float, width: float, height: float) -> Iterator[_Rectangle]:
    """Divide a rectangle by weights into parts that are as square as can be.

    The algorithm of Bruls, Huizing and van Wijk, "Squarified Treemaps" (2000).

    Args:
        weights: above 0, in descending order; their sum is the whole rectangle.
        x: left edge of the rectangle.
        y: its upper edge.
        width: of the rectangle, above 0.
        height: likewise.

    Yields:
        (x, y, width, height) for each weight, in their order.
    """
    total = sum(weights)
    if not total:
        return
    scale = width * height / total
    areas = [weight * scale for weight in weights]
    begin = 0
    while begin < len(areas):
        side = max(min(width, height), 1e-9)
        end, row = begin + 1, areas[begin]
        worst = _worst(areas[begin], areas[begin], row, side)
        while end < len(areas):
            wider = row + areas[end]
            ratio = _worst(areas[begin], areas[end], wider, side)
            if ratio > worst:
                break
            worst, row, end = ratio, wider, end + 1
        thick = row / side
        at = 0.0
        for area in areas[begin:end]:
            long = area / thick
            yield (x, y + at, thick, long) if height <= width else (x + at, y, long, thick)
            at += long
        if height <= width:
            x, width = x + thick, width - thick
        else:
            y, height = y + thick, height - thick
        begin = end


def _worst(largest: float, smallest: float, row: float, side: float) -> float:
    return max(side * side * largest / (row * row), row * row / (side * side * smallest))
