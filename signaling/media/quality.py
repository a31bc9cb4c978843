"""Which layer of each picture a viewer gets: pure, from what the page shows, what arrives and what the link carries.

A larger layer is taken when the one at hand is noticeably too small, a smaller one only when it is large enough in
full, so that a tile dragged over the border of two sizes does not switch with every pixel. Under a budget every picture
is first given its smallest layer, in order, and then the larger ones, in order; what fits barely is kept but not begun.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ENLARGED = 0.8  # of the wanted width: drawn a quarter larger, a picture still looks sharp
KEPT = 0.95  # of its rate, a layer that is carried already has to fit into the budget
BEGUN = 1.1  # a layer to begin with


@dataclass(frozen=True, slots=True)
class Rung:
    """One layer as it arrives now: its index among the track's, pixels across (None: not known), bits per second."""

    index: int
    width: int | None
    rate: int


@dataclass(frozen=True, slots=True)
class Picture:
    """What one video line could carry, the smallest layer first; how wide it is shown (None: not told), and the index
    of the layer it carries now.
    """

    rungs: tuple[Rung, ...]
    wanted: int | None
    current: int | None


def fitting(picture: Picture) -> int:
    """The place among the rungs that the page has use for."""
    rungs, wanted, top = picture.rungs, picture.wanted, len(picture.rungs) - 1
    if wanted is None or top == 0:
        return top
    sharp = _first(rungs, wanted * ENLARGED)
    at = next((place for place, rung in enumerate(rungs) if rung.index == picture.current), None)
    if at is None or at < sharp:
        return sharp
    return min(at, _first(rungs, wanted))


def allot(pictures: Sequence[Picture], budget: float | None) -> list[int | None]:
    """The index of the layer each picture gets; None: it pauses. `pictures` come in order of importance; a budget of
    None has no end.
    """
    tops = [fitting(picture) for picture in pictures]
    if budget is None:
        return [picture.rungs[top].index for picture, top in zip(pictures, tops, strict=True)]
    places: list[int | None] = [None] * len(pictures)
    for lowest in (True, False):
        for number, (picture, top) in enumerate(zip(pictures, tops, strict=True)):
            begun = places[number]
            spent = 0 if begun is None else picture.rungs[begun].rate
            for place in (0,) if lowest else range(top, begun or 0, -1) if begun is not None else ():
                rung = picture.rungs[place]
                if rung.rate * (KEPT if rung.index == picture.current else BEGUN) - spent <= budget:
                    places[number], budget = place, budget + spent - rung.rate
                    break
    return [None if at is None else picture.rungs[at].index for picture, at in zip(pictures, places, strict=True)]


def cost(pictures: Sequence[Picture]) -> int:
    """Bits per second of all the page has use for."""
    return sum(picture.rungs[fitting(picture)].rate for picture in pictures)


def _first(rungs: Sequence[Rung], width: float) -> int:
    """The smallest that is at least so wide, or the largest."""
    wide = (place for place, rung in enumerate(rungs) if rung.width is not None and rung.width >= width)
    return next(wide, len(rungs) - 1)
