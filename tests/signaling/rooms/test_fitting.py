"""A snapshot is at most 256 KiB, however many people, lines and questions a class has."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from signaling.rooms.evolve import evolve
from signaling.rooms.fitting import SNAPSHOT_BYTES
from signaling.rooms.state import SOURCES, Line, Participant, Room, TimelineEvent, snapshot
from tests.signaling.rooms.test_twins import _room

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOST, CROWD = 1, 4_000


def _crowd(count: int = CROWD) -> Room:
    """The host and `count` students, of whom every fourth has left; person n came as the n-th."""
    everybody = {n: Participant(n, f"Zoë {n}", None, "student", in_room=n % 4 > 0) for n in range(HOST, count + 2)}
    return Room(1, HOST, "Ana", "live", seq=count + 1, participants=everybody)


def _bytes(shown: dict[str, Any]) -> int:
    return len(json.dumps(shown, separators=(",", ":"), ensure_ascii=False).encode())


def _ids(shown: dict[str, Any]) -> list[int]:
    return [one["user_id"] for one in shown["participants"]]


def test_of_a_crowd_those_on_stage_and_the_newest_stay_in_their_order() -> None:
    room = replace(_crowd(), hands=(11, 7), floor=(5,), tracks=((9, "camera"),), muted=((13, ("camera",)),))
    shown = snapshot(room)
    ids = _ids(shown)
    assert ids[:5] == [HOST, 5, 7, 9, 11]
    assert ids == sorted(ids)
    present = [person.user_id for person in room.present]
    assert ids[5:] == present[-(len(ids) - 5) :]
    assert (shown["hands"], shown["floor"]) == ([11, 7], [5])
    assert (shown["tracks"], shown["muted"]) == ([{"user_id": 9, "source": "camera"}], [])
    assert 1_000 < len(ids) < CROWD and _bytes(shown) <= SNAPSHOT_BYTES


def test_people_who_fit_all_stay_and_so_do_the_lines_beside_a_crowd() -> None:
    lines = tuple(Line(n, AT, HOST, None, "x" * 100, None) for n in range(100))
    few = snapshot(replace(_crowd(1_000), lines=lines))
    assert len(few["participants"]) == 1_001
    many = snapshot(replace(_crowd(), lines=lines))
    assert len(many["chat"]["lines"]) == 100 and not many["chat"]["earlier"]
    assert _bytes(many) <= SNAPSHOT_BYTES


def test_a_crowd_with_every_hand_floor_track_and_mute_fits_beside_long_lines() -> None:
    everybody = tuple(range(HOST, 20_000))
    room = replace(
        _crowd(20_000),
        hands=everybody,
        floor=everybody,
        muted=tuple((n, SOURCES) for n in everybody),
        tracks=tuple((n, source) for n in everybody for source in SOURCES),
        lines=tuple(Line(n, AT, HOST, None, "ż" * 4_000, None) for n in range(100)),
    )
    shown = snapshot(room)
    assert _bytes(shown) <= SNAPSHOT_BYTES
    assert _ids(shown)[0] == HOST and shown["hands"][:2] == [1, 2]
    assert shown["chat"]["lines"][-1]["seq"] == 99 and shown["chat"]["earlier"]


def test_a_client_goes_on_from_a_cut_snapshot_with_people_it_was_not_shown() -> None:
    seen = _room(snapshot(_crowd()), CROWD + 1)
    assert 2 not in seen.participants
    later: list[tuple[str, dict[str, Any]]] = [
        ("hand_raised", {"user_id": 2}),
        ("floor_given", {"user_id": 2}),
        ("participant_left", {"user_id": 2}),
        ("participant_left", {"user_id": 3}),
        ("participant_joined", {"user_id": 3, "role": "student", "name": "Zoë 3"}),
    ]
    for seq, (type, payload) in enumerate(later, CROWD + 2):
        seen = evolve(seen, TimelineEvent(seq, AT, type, payload["user_id"], None, payload))
    assert (seen.hands, seen.floor) == ((), ())
    assert 2 not in seen.participants and seen.participants[3].in_room
