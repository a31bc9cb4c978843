"""What is kept from one snapshot to the next never shows; neither does how a roster is put together."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from signaling.rooms.picture import NOBODY, Picture
from signaling.rooms.state import Participant, Room, snapshot
from signaling.rosters import BLOCK, Blocks
from signaling.transport import Ready
from signaling.transport.packets import acknowledgement
from signaling.transport.wire import framed
from tests.signaling.rooms.test_fitting import _crowd


def read(ready: Ready) -> Any:
    return json.loads(b"".join(ready.pieces))


def test_a_picture_is_the_snapshot_whoever_changed_since_the_last() -> None:
    picture, room = Picture(), Room(1, 1, "Ana", "live")
    assert read(picture.of(room)) == snapshot(room)
    room = _crowd(300)
    assert read(picture.of(room)) == snapshot(room)
    left = replace(room.participants[7], in_room=False)
    named = Participant(9_000, f'Zoë {NOBODY} "', None, "student", in_room=True)
    room = replace(room, participants={**room.participants, 7: left, 9_000: named}, hands=(7,))
    assert read(picture.of(room)) == snapshot(room)
    room = replace(room, host_name=NOBODY, participants={n: p for n, p in room.participants.items() if n > 5})
    assert read(picture.of(room)) == snapshot(room)


def test_a_picture_of_too_many_is_what_fits() -> None:
    picture, room = Picture(), _crowd()
    assert read(picture.of(room)) == snapshot(room)
    assert len(snapshot(room)["participants"]) < len(room.participants)


def test_a_picture_is_drawn_once_for_one_position() -> None:
    picture, room = Picture(), _crowd(3)
    assert picture.of(room) is picture.of(room)


def test_a_roster_keeps_its_order_whichever_lines_change() -> None:
    people = range(100, 100 + 2 * BLOCK + 3)
    blocks = Blocks(people)
    blocks.show({user_id: f'{{"id":{user_id}}}' for user_id in people})
    assert [one["id"] for one in read(blocks.ready)] == list(people)
    blocks.show({101: '{"id":1}', 100 + BLOCK: '{"id":2}'})
    changed = {101: 1, 100 + BLOCK: 2}
    assert [one["id"] for one in read(blocks.ready)] == [changed.get(user_id, user_id) for user_id in people]
    assert read(Blocks([]).ready) == []


def test_what_was_made_before_is_the_same_for_whoever_polls() -> None:
    for text in ("", "é" * 10, "x" * 200, "x" * 70_000):
        ready = acknowledgement("/live", 7, [{"ok": True, "name": "Zoë", "roster": Ready.of(json.dumps(text))}])
        plain = acknowledgement("/live", 7, [{"ok": True, "name": "Zoë", "roster": text}])
        assert [json.loads(wire.parts[0].partition(",7")[2]) for wire in (ready, plain)] == [  # type: ignore[arg-type]
            [{"ok": True, "name": "Zoë", "roster": text}]
        ] * 2
        assert ready.frame == framed(ready.parts[0])
