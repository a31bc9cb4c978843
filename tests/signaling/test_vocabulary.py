"""The names clients were promised: every wish and fact is declared, described, and durable where it should be."""

from __future__ import annotations

from signaling.asyncapi import document
from signaling.protocol import WISHES
from signaling.protocol_facts import FACTS
from signaling.room_wishes import ROOM_WISHES
from signaling.rooms.evolve import EVOLVES


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


DURABLE = names("""
    session_start session_end chat_send chat_edit chat_delete chat_react hand_raise hand_lower floor_give floor_take
    participant_mute participant_remove policy_set poll_open poll_answer poll_close
    question_ask question_vote question_resolve
""")
PASSING = names("""
    join leave sync typing media_level media_publish media_subscribe media_answer media_restart media_unpublish
    media_prefer peer_signal auth_refresh
""")
TOLD = names("""
    timeline room_opened room_closed presence poll_tally typing media_level notification live_session
    content_processing content_ready content_failed media_offer media_bindings media_closed peer_signal
    auth_expiring draining
""")
TYPES = names("""
    session_started session_ended participant_joined participant_left chat_posted chat_edited chat_deleted chat_reacted
    hand_raised hand_lowered floor_given floor_taken participant_removed participant_muted policy_changed
    poll_opened poll_closed question_asked question_voted question_resolved track_published track_unpublished
""")


def test_every_promised_wish_is_taken_and_every_promised_fact_is_told() -> None:
    assert set(WISHES) >= DURABLE | PASSING
    assert set(FACTS) >= TOLD
    assert set(EVOLVES) == TYPES


def test_exactly_the_durable_wishes_need_a_client_id() -> None:
    assert {name for name, wish in WISHES.items() if wish.is_durable} == DURABLE
    for name in DURABLE:
        assert WISHES[name].payload.model_fields["client_id"].is_required()


def test_every_durable_wish_inside_a_room_becomes_a_command() -> None:
    assert set(ROOM_WISHES) == DURABLE - {"session_start", "session_end"}


def test_the_description_has_them_all() -> None:
    described = set(document()["operations"])
    assert set(WISHES) | set(FACTS) <= described
