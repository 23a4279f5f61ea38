"""The last touch to a diagram: texts move along their arrows to where they hide least."""

from __future__ import annotations

from collections.abc import Iterator

from actors.testing.pictures.plan import TAG, Arrow, Bar, Box, Plan, Words, breadth_of

__all__ = ["settle"]

# What it costs to lie on something, in units of one pixel away from the sender.
_ON_ARROW, _ON_BAR, _ON_LIFELINE = 400.0, 300.0, 60.0
_BAND = 64.0


class _Bands:
    """Finds what is near by height, so that a long picture takes time in proportion to its length."""

    def __init__(self) -> None:
        self._texts: dict[int, list[tuple[object, Box]]] = {}
        self._arrows: dict[int, list[Arrow]] = {}
        self._bars: dict[int, list[Bar]] = {}

    def add_text(self, owner: object, box: Box) -> None:
        for band in _bands(box[1], box[3]):
            self._texts.setdefault(band, []).append((owner, box))

    def remove_text(self, owner: object, box: Box) -> None:
        for band in _bands(box[1], box[3]):
            self._texts[band] = [each for each in self._texts[band] if each[0] is not owner]

    def add_arrow(self, arrow: Arrow) -> None:
        top, bottom = sorted((arrow.start[1], arrow.end[1]))
        for band in _bands(top, bottom):
            self._arrows.setdefault(band, []).append(arrow)

    def add_bar(self, bar: Bar) -> None:
        for band in _bands(bar.top, bar.bottom):
            self._bars.setdefault(band, []).append(bar)

    def hits_text(self, box: Box) -> bool:
        near = (each for band in _bands(box[1], box[3]) for each in self._texts.get(band, ()))
        return any(_overlap(box, other) for _, other in near)

    def cost(self, box: Box) -> float:
        arrows = {id(arrow): arrow for band in _bands(box[1], box[3]) for arrow in self._arrows.get(band, ())}
        bars = {bar.x for band in _bands(box[1], box[3]) for bar in self._bars.get(band, ()) if _covers(box, bar)}
        return _ON_BAR * len(bars) + _ON_ARROW * sum(1 for arrow in arrows.values() if _crosses(arrow, box))


def settle(plan: Plan) -> None:
    """Move the text of each message along its arrow, where that hides fewer arrows and bars.

    No text comes to lie on another that way, and none goes far from its sender for nothing.

    Args:
        plan: complete; its words are moved.
    """
    bands = _taken(plan)
    lanes = [lane.x for lane in plan.lanes]
    for words in plan.words:
        if words.arrow is not None:
            _settle_one(words, words.arrow, bands, lanes)


def _taken(plan: Plan) -> _Bands:
    """Everything that a text could come to lie on."""
    bands = _Bands()
    for words in plan.words:
        bands.add_text(words, words.box)
    for box, _, _ in plan.notes:
        bands.add_text(None, box)
    taken = [(plan.left, height - 10, plan.right, height + 10) for height, _ in [*plan.gaps, *plan.breaks]]
    taken += [(tag.x - 40, tag.top, tag.x + 40, tag.top + TAG) for tag in plan.tags if tag.shown]
    taken += [(cross.x - 7, cross.y - 7, cross.x + 7, cross.y + 7) for cross in plan.crosses]
    for box in taken:
        bands.add_text(None, box)
    for bar in plan.bars:
        bands.add_bar(bar)
    for arrow in plan.arrows:
        if not arrow.loop:
            bands.add_arrow(arrow)
    return bands


def _settle_one(words: Words, arrow: Arrow, bands: _Bands, lanes: list[float]) -> None:
    here = words.box
    bands.remove_text(words, here)
    best = (_price(here, arrow, bands, lanes), words.x, words.y)
    for left, right, y in _places(words, arrow, lanes):
        box = (left - 2, y - 10, right + 2, y + 3)
        if bands.hits_text(box):
            continue
        price = _price(box, arrow, bands, lanes)
        if price < best[0] - 1:
            best = (price, left if words.anchor == "start" else right, y)
    _, words.x, words.y = best
    bands.add_text(words, words.box)


def _price(box: Box, arrow: Arrow, bands: _Bands, lanes: list[float]) -> float:
    lines = sum(1 for x in lanes if box[0] < x < box[2])
    way = min(abs(box[0] - arrow.start[0]), abs(box[2] - arrow.start[0]))
    return bands.cost(box) + _ON_LIFELINE * lines + way


def _places(words: Words, arrow: Arrow, lanes: list[float]) -> Iterator[tuple[float, float, float]]:
    """Where a text could stand on its arrow: beside each lane that the arrow crosses, and between two of them."""
    wide = breadth_of(words.parts)
    low, high = sorted((arrow.start[0], arrow.end[0]))
    stops = sorted({low, high, *(x for x in lanes if low < x < high)})
    for index, begin in enumerate(stops[:-1]):
        for end in stops[index + 1 : index + 3]:
            room = end - begin - 22 - wide
            if room < 0:
                continue
            for left in (begin + 11, begin + 11 + room / 2, begin + 11 + room):
                above = min(_height(arrow, left), _height(arrow, left + wide))
                yield left, left + wide, above - 4


def _height(arrow: Arrow, x: float) -> float:
    (x0, y0), (x1, y1) = arrow.start, arrow.end
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0) if x1 != x0 else y0


def _bands(top: float, bottom: float) -> range:
    return range(int(top // _BAND), int(bottom // _BAND) + 1)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _covers(box: Box, bar: Bar) -> bool:
    return _overlap(box, (bar.x - 6, bar.top, bar.x + 6, bar.bottom))


def _crosses(arrow: Arrow, box: Box) -> bool:
    low, high = sorted((arrow.start[0], arrow.end[0]))
    left, right = max(low, box[0]), min(high, box[2])
    if left >= right:
        return False
    top, bottom = sorted((_height(arrow, left), _height(arrow, right)))
    return top < box[3] and box[1] < bottom
