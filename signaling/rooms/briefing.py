"""What a command must know that the room in memory does not hold, read in the transaction that carries it out.

Deciding stays pure: decide() is given the room and a command that is complete. Nothing is read for commands that need
nothing, which are most.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from server.db.database import Reading
from server.live_sessions.commands import EndLiveSession
from signaling.rooms import log as timeline_log
from signaling.rooms import private
from signaling.rooms.commands import AnswerPoll, ClosePoll, DeleteLine, EditLine, PostChat, React, VoteQuestion
from signaling.rooms.evolve import evolve
from signaling.rooms.state import Line, Room

Brief = Callable[[Reading, Room, Any], Awaitable[Any]]


async def briefed(read: Reading, room: Room, command: Any) -> Any:
    """`command` with all it must know."""
    brief = BRIEFS.get(type(command))
    return command if brief is None else await brief(read, room, command)


async def _with_line(read: Reading, room: Room, command: EditLine | DeleteLine | React) -> Any:
    return replace(command, known=await line(read, room, command.seq))


async def _with_answer(read: Reading, room: Room, command: AnswerPoll) -> AnswerPoll:
    known = await private.answer_of(read, room.live_session_id, command.poll, command.user_id)
    return replace(command, known=known)


async def _with_tally(read: Reading, room: Room, command: ClosePoll) -> ClosePoll:
    for poll in room.polls:
        if poll.poll == command.poll and poll.open:
            return replace(command, known=(await private.tally(read, room.live_session_id, poll)).counts)
    return command


async def _with_tallies(read: Reading, room: Room, command: EndLiveSession) -> EndLiveSession:
    opened = [poll for poll in room.polls if poll.open]
    known = [(poll.poll, (await private.tally(read, room.live_session_id, poll)).counts) for poll in opened]
    return replace(command, known=tuple(known))


async def _with_reply(read: Reading, room: Room, command: PostChat) -> PostChat:
    seq = command.reply_to
    if seq is None:
        return command
    is_line = any(shown.seq == seq for shown in room.lines)
    if not is_line and room.earlier and seq < room.seq:
        is_line = await timeline_log.is_line(read, room.live_session_id, seq)
    return replace(command, known=is_line)


async def _with_vote(read: Reading, room: Room, command: VoteQuestion) -> VoteQuestion:
    known = await private.has_voted(read, room.live_session_id, command.question, command.user_id)
    return replace(command, known=known)


BRIEFS: dict[type, Brief] = {
    EditLine: _with_line,
    DeleteLine: _with_line,
    React: _with_line,
    AnswerPoll: _with_answer,
    ClosePoll: _with_tally,
    EndLiveSession: _with_tallies,
    PostChat: _with_reply,
    VoteQuestion: _with_vote,
}


async def line(read: Reading, room: Room, seq: int) -> Line | None:
    """A chat line as it stands now, from the window or, when it has left that, from the log."""
    for shown in room.lines:
        if shown.seq == seq:
            return shown
    if not room.earlier or seq > room.seq:
        return None
    alone = replace(room, lines=(), earlier=False)
    for event in await timeline_log.line_events(read, room.live_session_id, seq):
        alone = evolve(alone, event)
    return alone.lines[0] if alone.lines else None
