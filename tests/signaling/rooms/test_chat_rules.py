"""Who may write, change, delete and react, and when: no loop, no database."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.errors import NotAllowed
from signaling.rooms.commands import DeleteLine, EditLine, PostChat, React, SetPolicy
from signaling.rooms.decide_chat import MOST_EMOJI, ChatIsClosed, LineDeleted, LineNotFound, TooManyEmoji
from signaling.rooms.deciding import SessionNotLive
from signaling.rooms.state import Line
from tests.signaling.rooms.rehearsal import ANA, BO, CLEO, Rehearsal


def a_line(room: Rehearsal, author: int = BO, text: str = "hello") -> Line:
    room.act(PostChat(author, text))
    return room.room.lines[-1]


def test_a_line_is_changed_by_its_author_and_by_nobody_else() -> None:
    room = Rehearsal()
    line = a_line(room)
    for other in (ANA, CLEO):
        with pytest.raises(NotAllowed):
            room.act(EditLine(other, line.seq, "no", known=line))
    assert room.told(EditLine(BO, line.seq, "hello all", known=line)) == [
        ("chat_edited", {"seq": line.seq, "text": "hello all"})
    ]
    changed = room.room.lines[-1]
    assert (changed.text, changed.edited_at is not None) == ("hello all", True)
    assert room.act(EditLine(BO, line.seq, "hello all", known=changed)) == []


def test_a_line_is_deleted_by_its_author_or_the_instructor_once() -> None:
    room = Rehearsal()
    first, second = a_line(room), a_line(room)
    with pytest.raises(NotAllowed):
        room.act(DeleteLine(CLEO, first.seq, known=first))
    assert room.told(DeleteLine(BO, first.seq, known=first)) == [("chat_deleted", {"seq": first.seq})]
    assert room.told(DeleteLine(ANA, second.seq, known=second)) == [("chat_deleted", {"seq": second.seq})]
    gone = room.room.lines[0]
    assert (gone.text, gone.deleted) == (None, True)
    assert room.act(DeleteLine(BO, first.seq, known=gone)) == []
    with pytest.raises(LineDeleted):
        room.act(EditLine(BO, first.seq, "back", known=gone))
    with pytest.raises(LineDeleted):
        room.act(React(CLEO, first.seq, "👍", True, known=gone))


def test_a_line_that_is_none_is_not_found() -> None:
    room = Rehearsal()
    for wish in (EditLine(BO, 99, "x"), DeleteLine(BO, 99), React(BO, 99, "👍", True)):
        with pytest.raises(LineNotFound):
            room.act(wish)


def test_reactions_come_and_go_once_each() -> None:
    room = Rehearsal()
    line = a_line(room)
    room.act(React(CLEO, line.seq, "👍", True, known=line))
    assert room.room.lines[-1].reactions == {"👍": (CLEO,)}
    assert room.act(React(CLEO, line.seq, "👍", True, known=room.room.lines[-1])) == []
    room.act(React(CLEO, line.seq, "👍", False, known=room.room.lines[-1]))
    assert room.room.lines[-1].reactions == {}
    assert room.act(React(CLEO, line.seq, "👍", False, known=room.room.lines[-1])) == []


def test_a_line_carries_a_bounded_number_of_different_emoji() -> None:
    room = Rehearsal()
    full = replace(a_line(room), reactions={chr(0x1F600 + n): (CLEO,) for n in range(MOST_EMOJI)})
    with pytest.raises(TooManyEmoji):
        room.act(React(BO, full.seq, "🎉", True, known=full))
    assert room.act(React(BO, full.seq, chr(0x1F600), True, known=full))


def test_a_closed_chat_is_the_instructors_but_own_lines_may_still_be_taken_back() -> None:
    room = Rehearsal()
    line = a_line(room)
    room.act(SetPolicy(ANA, {"chat": "instructor"}))
    for wish in (PostChat(BO, "x"), EditLine(BO, line.seq, "x", known=line), React(BO, line.seq, "👍", True, line)):
        with pytest.raises(ChatIsClosed):
            room.act(wish)
    assert room.act(PostChat(ANA, "please listen"))
    assert room.act(DeleteLine(BO, line.seq, known=line))


def test_after_the_end_nothing_is_written() -> None:
    room = Rehearsal()
    line = a_line(room)
    room.end()
    edit, delete = EditLine(BO, line.seq, "x", known=line), DeleteLine(BO, line.seq, known=line)
    for wish in (PostChat(BO, "x"), edit, delete, React(BO, line.seq, "👍", True, known=line)):
        with pytest.raises(SessionNotLive):
            room.act(wish)
