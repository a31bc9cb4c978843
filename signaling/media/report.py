"""What the worker is asked for by whoever watches it: its load, its rooms, and each source that arrives.

Bounded, because rooms and people come and go all day: the largest rooms, and in each the sources most watched. Numbers
are plain and counted since the source began; whoever shows them adds nothing up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signaling.media.room import Room
from signaling.media.source import Source

ROOMS_REPORTED = 50  # the ones with the most connections
SOURCES_REPORTED = 24  # of one room: layers count each


def report(rooms: Mapping[int, Room]) -> dict[str, Any]:
    """The rooms, the largest first, each with its numbers and sources."""
    largest = sorted(rooms.values(), key=lambda room: (-_connections(room), room.room_id))[:ROOMS_REPORTED]
    return {"rooms": len(rooms), "each": [_room(room) for room in largest if _connections(room)]}


def _connections(room: Room) -> int:
    return len(room.publishers) + len(room.subscribers)


def _room(room: Room) -> dict[str, Any]:
    arriving = [
        (rid, source)
        for publisher in room.publishers.values()
        for track in publisher.tracks.values()
        for rid, source in track.layers.items()
        if source.newest is not None
    ]
    arriving.sort(key=lambda named: -len(named[1].outs))
    return {
        "room": room.room_id,
        "publishers": len(room.publishers),
        "subscribers": len(room.subscribers),
        "sources": [_source(rid, source) for rid, source in arriving[:SOURCES_REPORTED]],
    }


def _source(rid: str, source: Source) -> dict[str, Any]:
    return {
        "user": source.user,
        "source": source.name,
        "layer": rid,
        "packets": source.received,
        "bytes": source.octets,
        "lost": source.lost,
        "retransmitted": source.retransmitted,
        "keyframes_asked": source.keyframes_asked,
        "subscribers": len(source.outs),
    }
