"""A room's snapshot as JSON: what it says of each person is kept, and made again when that person has changed.

A class that begins is shown anew after every group of arrivals, and nearly all it shows are people it showed before.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from signaling.rooms.fitting import SNAPSHOT_BYTES
from signaling.rooms.state import Participant, Room, person, snapshot
from signaling.transport import Ready, dumps

NOBODY = '"participants":[]'  # cannot stand inside a JSON string, whose quotes are escaped


class Picture:
    """The last snapshot of one room, and its people's lines."""

    __slots__ = ("_lines", "_ready", "_room")

    def __init__(self) -> None:
        self._lines: dict[int, tuple[Participant, str, int]] = {}  # as they were, their JSON, its size for fit()
        self._room: Room | None = None
        self._ready = Ready(())

    def of(self, room: Room) -> Ready:
        """The room as joining tabs get it, serialized once for all who join at this position."""
        if self._room is not room:
            self._room, self._ready = room, Ready.of(self._drawn(room))
        return self._ready

    def _drawn(self, room: Room) -> str:
        around = snapshot(replace(room, participants={}))
        size, lines = _size(around), list[str]()
        for user_id, participant in room.participants.items():
            known = self._lines.get(user_id)
            if known is None or known[0] is not participant:
                shown = person(participant)
                known = self._lines[user_id] = participant, dumps(shown), _size(shown)
            lines.append(known[1])
            size += known[2] + 1
        if size - bool(lines) > SNAPSHOT_BYTES:
            return dumps(snapshot(room))
        before, _, after = dumps(around).partition(NOBODY)
        return f'{before}"participants":[{",".join(lines)}]{after}'


def _size(value: Any) -> int:
    return len(json.dumps(value, separators=(",", ":")))
