"""What both ends of the carrier speak of, without any library: a publisher's tracks, an offered pool, bindings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# {mid: {user_id, source, after?, refused?} or None}, as clients see it. `after`: this m-line showed somebody else
# before; frames whose RTP timestamp is not later than this (modulo 2**32) are still theirs. `refused`: why nothing will
# come.
Bindings = dict[str, dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Track:
    """An m-line of a publisher's offer and what it carries: microphone, camera, screen or screen_audio."""

    mid: str
    source: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A pool offered to a subscriber: the revision to answer, our description, and who is on which m-line."""

    revision: int
    sdp: str
    bindings: Bindings


@dataclass(frozen=True, slots=True)
class Wish:
    """How a subscriber wants a picture: not at all for now, or in this width (pixels; None: as large as there is)."""

    paused: bool = False
    width: int | None = None
