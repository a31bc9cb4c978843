"""One published track as the layers it comes in: the same picture in up to three sizes, or the one there is.

Each layer is a source of its own, with its cache, keyframes and repairs; what they share is kept here. Which of them a
viewer gets is decided elsewhere (quality.py); here it is only known which arrive, how wide and how large they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from signaling.media.counters import Counters
from signaling.media.quality import Rung
from signaling.media.sdp import Chosen
from signaling.media.source import Source

QUIET_SECONDS = 0.7  # a layer without a packet for this long is not there; browsers stop the large one on a weak link


class Layered:
    """A user's camera, microphone or screen. `flows` tells the track's beginning and end, `moved` that other layers
    than before arrive.
    """

    def __init__(
        self, user: int, name: str, kind: str, chosen: Chosen, *, send_rtcp: Callable[..., None],
        flows: Callable[[Layered, bool], None], moved: Callable[[Layered], None], counters: Counters,
    ) -> None:  # fmt: skip
        self.user, self.name, self.kind, self.chosen = user, name, kind, chosen
        self.is_flowing = False
        self.layers = {
            rid: Source(user, name, kind, chosen, send_rtcp=send_rtcp, flows=self._layer_flows, counters=counters)
            for rid in chosen.rids or ("",)
        }
        self.sources = tuple(self.layers.values())
        self._flows, self._moved = flows, moved
        self._here: tuple[object, ...] = ()

    def permit(self, may: bool) -> None:
        """Whether its packets may pass; on revocation everyone it feeds is cut, at once."""
        for source in self.sources:
            source.permit(may)

    def end(self) -> None:
        """It is over: unpublished, or its publisher is gone."""
        for source in self.sources:
            source.end()

    def rungs(self) -> tuple[Rung, ...]:
        """The layers to choose from now, the smallest first; the only one, or the first offered, also when nothing of
        it has come yet.
        """
        since = time.monotonic() - QUIET_SECONDS
        rungs = [
            Rung(index, source.width, source.bits_per_second)
            for index, source in enumerate(self.sources)
            if source.newest is not None and source.newest_at >= since
        ]
        if len(self.sources) == 1 or not rungs:
            return (Rung(0, self.sources[0].width, self.sources[0].bits_per_second),)
        return tuple(sorted(rungs, key=lambda rung: (rung.width or 0, rung.index)))

    def tick(self) -> None:
        """Once a second: silent layers are noticed."""
        for source in self.sources:
            source.tick()
        self._compare()

    # --- inside -----------------------------------------------------------------------------------
    def _layer_flows(self, source: Source, on: bool) -> None:
        is_flowing = any(each.is_flowing for each in self.sources)
        if is_flowing != self.is_flowing:
            self.is_flowing = is_flowing
            self._flows(self, is_flowing)
        self._compare()

    def _compare(self) -> None:
        if len(self.sources) == 1:
            return
        here = tuple((rung.index, rung.width) for rung in self.rungs())
        if here != self._here:
            self._here = here
            self._moved(self)
