"""What a snapshot gives up when a class is too large for one: people first, then lines, then what is over.

Pure, and on the JSON values alone. The log has everything, and the roster beside a snapshot names everybody.
"""

from __future__ import annotations

import json
from typing import Any

SNAPSHOT_BYTES = 256 * 1024
PEOPLE_BYTES = SNAPSHOT_BYTES // 2  # for participants and what names them, once not all fits
LINES_SHARE = 3 / 4  # of the lines kept at each look


def fit(shown: dict[str, Any]) -> dict[str, Any]:
    """A snapshot of at most SNAPSHOT_BYTES as JSON; `shown` itself when it is.

    Of the people the host stays, then who has the floor, a track or a hand (the first come first), then the newest in
    the room, then the newest of those who left; `hands`, `floor`, `muted` and `tracks` are theirs alone.
    """
    if _size(shown) <= SNAPSHOT_BYTES:
        return shown
    shown = _with_fewer_people(shown)
    while shown["chat"]["lines"] and _size(shown) > SNAPSHOT_BYTES:
        kept = int(len(shown["chat"]["lines"]) * LINES_SHARE)
        shown["chat"] = {"lines": shown["chat"]["lines"][-kept:] if kept else [], "earlier": True}
    if _size(shown) > SNAPSHOT_BYTES:
        shown["polls"] = [poll for poll in shown["polls"] if poll["open"]]
        shown["questions"] = [question for question in shown["questions"] if not question["resolved"]]
    return shown


def _with_fewer_people(shown: dict[str, Any]) -> dict[str, Any]:
    costs = _costs(shown)
    if sum(costs.values()) <= PEOPLE_BYTES:
        return shown
    kept, size = set[int](), 0
    for user_id in _by_weight(shown):
        size += costs.get(user_id, 0)
        if size > PEOPLE_BYTES:
            break
        kept.add(user_id)
    named = {
        part: [one for one in shown[part] if one["user_id"] in kept] for part in ("participants", "muted", "tracks")
    }
    ids = {part: [user_id for user_id in shown[part] if user_id in kept] for part in ("hands", "floor")}
    return {**shown, **named, **ids}


def _by_weight(shown: dict[str, Any]) -> dict[int, None]:
    """Everybody a snapshot names, once, the weightiest first."""
    newest = shown["participants"][::-1]
    present = [one["user_id"] for one in newest if one["in_room"]]
    on_stage = [*shown["floor"], *(track["user_id"] for track in shown["tracks"]), *shown["hands"]]
    left = [one["user_id"] for one in newest if not one["in_room"]]
    return dict.fromkeys([shown["host"]["id"], *on_stage, *present, *left])


def _costs(shown: dict[str, Any]) -> dict[int, int]:
    """The bytes each person takes in all lists together, commas included."""
    costs: dict[int, int] = {}
    for part in ("participants", "muted", "tracks"):
        for one in shown[part]:
            costs[one["user_id"]] = costs.get(one["user_id"], 0) + _size(one) + 1
    for user_id in (*shown["hands"], *shown["floor"]):
        costs[user_id] = costs.get(user_id, 0) + len(str(user_id)) + 1
    return costs


def _size(value: Any) -> int:
    return len(json.dumps(value, separators=(",", ":")))
