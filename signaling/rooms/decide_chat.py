"""Chat lines: written, edited, deleted, reacted to.

A line that has left the window is judged like any other: the command brings it along as `known`.
"""

from __future__ import annotations

from collections.abc import Sequence

from server.errors import Conflict, Forbidden, Invalid, Missing, NotAllowed
from signaling.rooms.commands import DeleteLine, EditLine, PostChat, React
from signaling.rooms.deciding import New, decides, require_live
from signaling.rooms.state import Line, Room

MOST_EMOJI = 20  # different ones under one line; another is refused, joining one that is there is not


class ChatIsClosed(Forbidden):
    code, sentence = "chat_closed", "Only the instructor may write right now."


class LineNotFound(Missing):
    code, sentence = "line_not_found", "There is no such line in this class."


class LineDeleted(Conflict):
    code, sentence = "line_deleted", "That line was deleted."


class TooManyEmoji(Conflict):
    code, sentence = "too_many_emoji", f"A line carries at most {MOST_EMOJI} different reactions."


@decides(PostChat)
def post_chat(room: Room, wish: PostChat) -> Sequence[New]:
    _require_open(room, wish.user_id)
    if wish.reply_to is not None and not wish.known:
        raise Invalid(errors=[{"pointer": "/reply_to", "detail": "is no chat line of this class"}])
    return (New("chat_posted", {"text": wish.text, "reply_to": wish.reply_to}),)


@decides(EditLine)
def edit_line(room: Room, wish: EditLine) -> Sequence[New]:
    _require_open(room, wish.user_id)
    line = _standing(wish.known)
    if line.actor_id != wish.user_id:
        raise NotAllowed("You may change only your own lines.")
    if line.text == wish.text:
        return ()
    return (New("chat_edited", {"seq": line.seq, "text": wish.text}),)


@decides(DeleteLine)
def delete_line(room: Room, wish: DeleteLine) -> Sequence[New]:
    """One's own, also while the chat is closed; the instructor any."""
    require_live(room)
    if wish.known is None:
        raise LineNotFound()
    if wish.user_id not in (wish.known.actor_id, room.host_id):
        raise NotAllowed("You may delete only your own lines.")
    if wish.known.deleted:
        return ()
    return (New("chat_deleted", {"seq": wish.seq}),)


@decides(React)
def react(room: Room, wish: React) -> Sequence[New]:
    _require_open(room, wish.user_id)
    line = _standing(wish.known)
    people = line.reactions.get(wish.emoji, ())
    if (wish.user_id in people) == wish.is_on:
        return ()
    if wish.is_on and not people and len(line.reactions) >= MOST_EMOJI:
        raise TooManyEmoji()
    return (New("chat_reacted", {"seq": line.seq, "emoji": wish.emoji, "on": wish.is_on}),)


def require_may_chat(room: Room, user_id: int) -> None:
    """Raises ChatIsClosed where policy leaves the chat to the instructor."""
    if user_id != room.host_id and room.policy["chat"] != "all":
        raise ChatIsClosed()


def _require_open(room: Room, user_id: int) -> None:
    require_live(room)
    require_may_chat(room, user_id)


def _standing(line: Line | None) -> Line:
    if line is None:
        raise LineNotFound()
    if line.deleted:
        raise LineDeleted()
    return line
