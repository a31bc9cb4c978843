"""Policy, floor, muting and removal decide together whose packets flow; every combination as plain values."""

from __future__ import annotations

import itertools

import pytest

from server.errors import NotAllowed
from server.live_sessions.rules import RemovedFromSession
from signaling.rooms.commands import (
    Enter,
    GiveFloor,
    Leave,
    Mute,
    PublishTracks,
    RaiseHand,
    Remove,
    SetPolicy,
    TakeFloor,
)
from signaling.rooms.decide_floor import HandsAreClosed, PeersNotAllowed, require_may_signal
from signaling.rooms.deciding import NotInRoom
from signaling.rooms.state import OPENED_BY, SOURCES
from tests.signaling.rooms.rehearsal import ANA, BO, CLEO, Rehearsal


@pytest.mark.parametrize(
    ("is_open", "has_floor", "is_muted", "source"), list(itertools.product((0, 1), (0, 1), (0, 1), SOURCES))
)
def test_a_student_may_send_what_the_policy_opens_or_the_floor_gives_unless_muted(
    is_open: int, has_floor: int, is_muted: int, source: str
) -> None:
    room = Rehearsal()
    if is_open:
        room.act(SetPolicy(ANA, {OPENED_BY[source]: "all"}))
    if has_floor:
        room.act(GiveFloor(ANA, BO))
    if is_muted:
        room.act(Mute(ANA, BO, (source,), True))
    given = has_floor and source in ("microphone", "camera")
    assert room.room.may_publish(BO, source) is bool((is_open or given) and not is_muted)
    assert room.room.may_publish(ANA, source)
    assert room.room.may_publish(CLEO, source) is bool(is_open)
    for user in (ANA, BO, CLEO):
        may = {one for one in SOURCES if room.room.may_publish(user, one)}
        assert room.room.senders().get(user, frozenset()) == may


def test_only_the_instructor_sets_policy_mutes_and_removes() -> None:
    room = Rehearsal()
    for wish in (SetPolicy(BO, {"chat": "instructor"}), Mute(BO, CLEO, ("microphone",), True), Remove(BO, CLEO)):
        with pytest.raises(NotAllowed):
            room.act(wish)


def test_policy_is_told_whole_and_only_when_it_changes() -> None:
    room = Rehearsal()
    [(type, told)] = room.told(SetPolicy(ANA, {"cameras": "all"}))
    assert (type, told) == ("policy_changed", {**told, "cameras": "all", "chat": "all", "screens": "instructor"})
    assert len(told) == 6
    assert room.act(SetPolicy(ANA, {"cameras": "all"})) == []


def test_tracks_end_with_the_policy_that_allowed_them_and_those_with_the_floor_go_on() -> None:
    room = Rehearsal()
    room.act(SetPolicy(ANA, {"microphones": "all"}))
    room.act(GiveFloor(ANA, CLEO))
    for user in (ANA, BO, CLEO):
        room.act(PublishTracks(user, ("microphone",)))
    told = room.told(SetPolicy(ANA, {"microphones": "instructor"}))
    assert told[1:] == [("track_unpublished", {"user_id": BO, "source": "microphone"})]
    assert room.told(TakeFloor(ANA, CLEO)) == [
        ("floor_taken", {"user_id": CLEO}),
        ("track_unpublished", {"user_id": CLEO, "source": "microphone"}),
    ]
    assert room.room.tracks == ((ANA, "microphone"),)


def test_taking_the_floor_leaves_what_the_policy_opens_to_everybody() -> None:
    room = Rehearsal()
    room.act(SetPolicy(ANA, {"microphones": "all"}))
    room.act(GiveFloor(ANA, BO))
    room.act(PublishTracks(BO, ("microphone", "camera")))
    assert room.told(TakeFloor(ANA, BO))[1:] == [("track_unpublished", {"user_id": BO, "source": "camera"})]


def test_a_mute_is_held_until_undone_also_over_coming_back() -> None:
    room = Rehearsal()
    room.act(GiveFloor(ANA, BO))
    room.act(PublishTracks(BO, ("microphone",)))
    assert room.told(Mute(ANA, BO, ("camera", "microphone"), True)) == [
        ("participant_muted", {"user_id": BO, "sources": ["microphone", "camera"], "muted": True})
    ]
    assert room.act(Mute(ANA, BO, ("microphone",), True)) == []
    assert room.room.tracks == ((BO, "microphone"),)
    with pytest.raises(NotAllowed, match="muted"):
        room.act(PublishTracks(BO, ("microphone", "camera")))
    room.act(Leave(BO))
    room.act(Enter(BO, "Bo", None, "student", "another tab"))
    room.act(GiveFloor(ANA, BO))
    assert not room.room.may_publish(BO, "microphone")
    room.act(Mute(ANA, BO, ("microphone",), False))
    assert room.room.may_publish(BO, "microphone") and not room.room.may_publish(BO, "camera")


def test_who_is_removed_leaves_with_all_they_had_and_stays_out() -> None:
    room = Rehearsal()
    room.act(GiveFloor(ANA, BO))
    room.act(PublishTracks(BO, ("microphone",)))
    assert room.told(Remove(ANA, BO)) == [
        ("participant_removed", {"user_id": BO}),
        ("participant_left", {"user_id": BO, "role": "student"}),
    ]
    assert (room.room.floor, room.room.tracks, room.room.is_in(BO)) == ((), (), False)
    assert room.act(Remove(ANA, BO)) == []
    with pytest.raises(RemovedFromSession):
        room.act(Enter(BO, "Bo", None, "student", "another tab"))


def test_somebody_who_just_left_can_be_removed_but_nobody_unknown_and_never_the_instructor() -> None:
    room = Rehearsal()
    room.act(Leave(CLEO))
    assert room.told(Remove(ANA, CLEO)) == [("participant_removed", {"user_id": CLEO})]
    with pytest.raises(NotInRoom):
        room.act(Remove(ANA, 99))
    with pytest.raises(NotInRoom):
        room.act(Mute(ANA, 99, ("microphone",), True))
    for wish in (Remove(ANA, ANA), Mute(ANA, ANA, ("microphone",), True)):
        with pytest.raises(NotAllowed):
            room.act(wish)


def test_hands_are_raised_while_the_policy_lets_them() -> None:
    room = Rehearsal()
    room.act(RaiseHand(BO))
    room.act(SetPolicy(ANA, {"hands": "instructor"}))
    with pytest.raises(HandsAreClosed):
        room.act(RaiseHand(CLEO))
    assert room.room.hands == (BO,)


def test_peers_connect_with_the_instructor_and_with_each_other_when_the_policy_lets_them() -> None:
    room = Rehearsal()
    require_may_signal(room.room, BO, ANA)
    require_may_signal(room.room, ANA, BO)
    with pytest.raises(PeersNotAllowed):
        require_may_signal(room.room, BO, CLEO)
    with pytest.raises(NotInRoom):
        require_may_signal(room.room, BO, 99)
    room.act(SetPolicy(ANA, {"peers": "all"}))
    require_may_signal(room.room, BO, CLEO)
