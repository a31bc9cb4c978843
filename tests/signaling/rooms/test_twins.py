"""Recorded timelines, read by this side and by the browser's: a snapshot plus later events is the fresh snapshot."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from signaling.rooms.evolve import EVOLVES, evolve, evolve_all
from signaling.rooms.state import Line, Participant, Poll, Question, Room, TimelineEvent, snapshot

RECORDED = sorted((Path(__file__).resolve().parents[2] / "fixtures" / "timelines").glob("*.json"))


def _room(shown: dict[str, Any], seq: int) -> Room:
    """The room a snapshot stands for."""
    return Room(
        live_session_id=1,
        host_id=shown["host"]["id"],
        host_name=shown["host"]["name"],
        status=shown["status"],
        seq=seq,
        participants={p["user_id"]: Participant(**p) for p in shown["participants"]},
        hands=tuple(shown["hands"]),
        floor=tuple(shown["floor"]),
        muted=tuple((m["user_id"], tuple(m["sources"])) for m in shown["muted"]),
        policy=shown["policy"],
        polls=tuple(_poll(p) for p in shown["polls"]),
        questions=tuple(Question(**{**q, "at": datetime.fromisoformat(q["at"])}) for q in shown["questions"]),
        tracks=tuple((t["user_id"], t["source"]) for t in shown["tracks"]),
        lines=tuple(_line(one) for one in shown["chat"]["lines"]),
        earlier=shown["chat"]["earlier"],
    )


def _poll(shown: dict[str, Any]) -> Poll:
    tally = tuple(shown["tally"]) if shown["tally"] is not None else None
    return Poll(**{**shown, "options": tuple(shown["options"]), "tally": tally})


def _line(shown: dict[str, Any]) -> Line:
    times = {at: datetime.fromisoformat(shown[at]) for at in ("at", "edited_at") if shown[at]}
    reactions = {emoji: tuple(people) for emoji, people in shown["reactions"].items()}
    return Line(**{**shown, **times, "reactions": reactions})


def _event(told: dict[str, Any]) -> TimelineEvent:
    at = datetime.fromisoformat(told["at"])
    return TimelineEvent(told["seq"], at, told["type"], told["actor_id"], told.get("client_id"), told["payload"])


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_snapshot_and_later_events_make_the_fresh_snapshot(path: Path) -> None:
    recorded = json.loads(path.read_text())
    room = _room(recorded["snapshot"], recorded["seq"])
    events = [_event(told) for told in recorded["events"]]
    together = evolve_all(room, events)
    for event in events:
        room = evolve(room, event)
    assert snapshot(room) == recorded["expected"]
    assert together == room


def test_every_type_of_event_is_recorded_somewhere() -> None:
    told = {event["type"] for path in RECORDED for event in json.loads(path.read_text())["events"]}
    assert set(EVOLVES) - told == set()
