"""Whatever happens in a class: from any moment on, the stored events lead to the same room as from the start.

The log is read as it is kept, with edited and deleted texts blanked, by somebody who saw the beginning unblanked.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import LecternError
from signaling.rooms.blanking import blank_all
from signaling.rooms.commands import (
    AskQuestion,
    ClosePoll,
    DeleteLine,
    EditLine,
    Enter,
    GiveFloor,
    Leave,
    Mute,
    OpenPoll,
    PostChat,
    PublishTracks,
    RaiseHand,
    React,
    Remove,
    ResolveQuestion,
    SetPolicy,
    TakeFloor,
    VoteQuestion,
)
from signaling.rooms.evolve import evolve
from signaling.rooms.state import SOURCES, Room, TimelineEvent, snapshot
from tests.signaling.rooms.rehearsal import ANA, BO, CLEO, Rehearsal

WHO = st.sampled_from([ANA, BO, CLEO])
SEQ = st.integers(4, 24)
SOURCE = st.sampled_from(SOURCES)
WORD = st.sampled_from(["secret one", "secret two", "plain"])
COMMANDS = st.one_of(
    st.builds(PostChat, WHO, WORD, st.none() | st.integers(1, 4), st.just(True)),
    st.builds(EditLine, WHO, SEQ, WORD),
    st.builds(DeleteLine, WHO, SEQ),
    st.builds(React, WHO, SEQ, st.sampled_from(["👍", "🎉"]), st.booleans()),
    st.builds(lambda who: Enter(who, f"Person {who}", None, "student", "tab"), WHO),
    st.builds(Leave, WHO),
    st.builds(RaiseHand, WHO),
    st.builds(GiveFloor, st.just(ANA), WHO),
    st.builds(TakeFloor, st.just(ANA), WHO),
    st.builds(Mute, st.just(ANA), WHO, st.tuples(SOURCE), st.booleans()),
    st.builds(Remove, st.just(ANA), st.just(CLEO)),
    st.builds(SetPolicy, st.just(ANA), st.fixed_dictionaries({"microphones": st.sampled_from(["all", "instructor"])})),
    st.builds(PublishTracks, WHO, st.tuples(SOURCE)),
    st.builds(OpenPoll, st.just(ANA), WORD, st.just(("a", "b")), st.booleans(), st.booleans()),
    st.builds(ClosePoll, st.just(ANA), SEQ, st.just((1, 0))),
    st.builds(AskQuestion, WHO, WORD),
    st.builds(VoteQuestion, WHO, SEQ, st.just(True)),
    st.builds(ResolveQuestion, WHO, SEQ),
)


def played(commands: list[object]) -> tuple[list[Room], list[TimelineEvent]]:
    """The room before each event and at the end, and the log as it is kept."""
    play = Rehearsal()
    rooms, log = [play.room], list(play.events)
    for command in commands:
        before, seen = play.room, len(play.events)
        if isinstance(command, (EditLine, DeleteLine, React)):
            command = replace(command, known=next((x for x in before.lines if x.seq == command.seq), None))
        with suppress(LecternError):
            play.act(command)
        for event in play.events[seen:]:
            log = blank_all([*log, event], [event])
            rooms.append(evolve(rooms[-1], event))
    return rooms, log


@settings(max_examples=120, deadline=None)
@given(st.lists(COMMANDS, max_size=25))
def test_from_any_moment_the_kept_log_leads_to_the_same_room(commands: list[object]) -> None:
    rooms, log = played(commands)
    end = snapshot(rooms[-1])
    for room in rooms:
        for event in log[room.seq :]:
            room = evolve(room, event)
        assert snapshot(room) == end
    assert [event.seq for event in log] == list(range(1, len(log) + 1))


def test_a_line_that_was_taken_back_is_readable_nowhere_in_the_log() -> None:
    edited = EditLine(BO, 4, "secret two")
    _, log = played([PostChat(BO, "secret one"), edited, DeleteLine(ANA, 4), PostChat(CLEO, "secret one")])
    kept = json.dumps([dict(event.payload) for event in log[:-1]])
    assert "secret" not in kept
    assert log[-1].payload["text"] == "secret one"
