"""Who receives which source in which slot: pure, from the stage's order and what is being published.

A subscriber is offered a fixed pool of m-lines once. Which source each carries is decided here from plain values, so a
hundred layouts are tested without a packet, and a change of speaker needs no session description. Audio and video of a
slot belong to one person and move together; a person who keeps a slot keeps the same one, so that nobody's picture
jumps when another leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

SOURCES = ("microphone", "camera", "screen", "screen_audio")
KIND = {"microphone": "audio", "camera": "video", "screen": "video", "screen_audio": "audio"}

Published = Mapping[int, frozenset[str]]  # user -> sources that are permitted and negotiated


class Part(Enum):
    """What a slot is for."""

    STAGE = "stage"  # the first of the order: the instructor
    SCREEN = "screen"  # whoever shares a screen, the earliest in the order
    GUEST = "guest"  # everyone else, in order


@dataclass(frozen=True, slots=True)
class Slot:
    """Two m-lines for one person; `mids` are one character each, so that every packet's header block has the same
    length.
    """

    part: Part
    audio_mid: str
    video_mid: str
    audio: str
    video: str

    def sources(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """(mid, source) of the audio and of the video line."""
        return (self.audio_mid, self.audio), (self.video_mid, self.video)


@dataclass(frozen=True, slots=True)
class Binding:
    """A source of a user, carried by one m-line."""

    user_id: int
    source: str


POOL: tuple[Slot, ...] = (
    Slot(Part.STAGE, "0", "1", "microphone", "camera"),
    Slot(Part.SCREEN, "2", "3", "screen_audio", "screen"),
    Slot(Part.GUEST, "4", "5", "microphone", "camera"),
    Slot(Part.GUEST, "6", "7", "microphone", "camera"),
    Slot(Part.GUEST, "8", "9", "microphone", "camera"),
)

GUESTS = sum(slot.part is Part.GUEST for slot in POOL)
PRECEDENCE = ("3", "1", "5", "7", "9")  # the pool's video lines, the first the last to suffer from a weak link
Holders = tuple[int | None, ...]  # the user in each slot of the pool
NOBODY: Holders = (None,) * len(POOL)


def seat(
    order: Sequence[int],
    published: Published,
    viewer: int,
    held: Holders,
    pool: Sequence[Slot] = POOL,
    *,
    lately: Sequence[int] = (),
) -> Holders:
    """Who sits in each slot of one viewer's pool.

    `order` is the stage: the instructor first, then those with the floor. Publishers who are not in it (where policy
    lets everybody speak) come after, by user id. Nobody is seated who publishes nothing a slot carries, and never the
    viewer. `held` is the seating until now: a guest who is still among those to be shown keeps the slot. With more
    guests than slots they go to those who spoke most lately (`lately`, the last to begin first), then to who has one.
    """
    ranked = [user for user in dict.fromkeys([*order, *sorted(published)]) if user != viewer]
    stage = order[0] if order else None
    seats: list[int | None] = [None] * len(pool)
    for part in (Part.STAGE, Part.SCREEN, Part.GUEST):
        slots = [index for index, slot in enumerate(pool) if slot.part is part]
        carried = {source for index in slots for _, source in pool[index].sources()}
        wanted = [user for user in ranked if published.get(user, frozenset()) & carried]
        if part is Part.STAGE:
            wanted = [user for user in wanted if user == stage]
        elif part is Part.GUEST:
            wanted = [user for user in wanted if user != stage]
            if len(wanted) > len(slots):
                heard = [user for user in lately if user in wanted][: len(slots)]
                wanted = list(dict.fromkeys([*heard, *(u for u in wanted if u in held), *wanted]))
        shown = wanted[: len(slots)]
        for index in slots:
            if held[index] in shown:
                seats[index] = held[index]
        free = [index for index in slots if seats[index] is None]
        for index, user in zip(free, (user for user in shown if user not in [seats[i] for i in slots]), strict=False):
            seats[index] = user
    return tuple(seats)


def bind(
    seats: Holders,
    published: Published,
    pool: Sequence[Slot] = POOL,
    *,
    lately: Sequence[int] = (),
    faces: int | None = None,
) -> dict[str, Binding | None]:
    """What each m-line of the pool carries: `{mid: Binding or None}`, every mid present. Of the guests at most `faces`
    are seen, those who spoke most lately first; all who are seated are heard.
    """
    guests = [user for user, slot in zip(seats, pool, strict=True) if slot.part is Part.GUEST and user is not None]
    ranked = [user for user in dict.fromkeys([*lately, *guests]) if user in guests]
    seen = [user for user in ranked if "camera" in published.get(user, frozenset())][:faces]
    bindings: dict[str, Binding | None] = {}
    for user, slot in zip(seats, pool, strict=True):
        for mid, source in slot.sources():
            has = user is not None and source in published.get(user, frozenset())
            if slot.part is Part.GUEST and source == "camera":
                has = has and user in seen
            bindings[mid] = Binding(user, source) if has and user is not None else None
    return bindings


def shown(bindings: Mapping[str, Binding | None]) -> dict[str, dict[str, object] | None]:
    """The bindings as clients see them: `{mid: {user_id, source} or null}`."""
    return {mid: {"user_id": b.user_id, "source": b.source} if b else None for mid, b in bindings.items()}


def permitted(may: Mapping[int, frozenset[str]], negotiated: Iterable[tuple[int, str]]) -> dict[int, frozenset[str]]:
    """What is both negotiated and permitted, by user."""
    result: dict[int, frozenset[str]] = {}
    for user, source in negotiated:
        if source in may.get(user, frozenset()):
            result[user] = result.get(user, frozenset()) | {source}
    return result
