"""Durable wishes inside a room: which action each is, and the room command it becomes. A table, and nothing decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from server.access import Action
from signaling import protocol
from signaling.rooms import room


@dataclass(frozen=True, slots=True)
class RoomWish:
    """`command(user_id, wish)` is what the room is asked; `action(user_id, wish)` what the role must allow."""

    command: Callable[[int, Any], Any]
    action: Callable[[int, Any], Action]


def _always(action: Action) -> Callable[[int, Any], Action]:
    return lambda me, wish: action


def _own_or(action: Action) -> Callable[[int, Any], Action]:
    """One's own hand or floor is everybody's; another's takes `action`."""
    return lambda me, wish: Action.ROOM_ENTER if (wish.user_id or me) == me else action


def _chat_send(me: int, wish: protocol.ChatSend) -> room.PostChat:
    return room.PostChat(me, wish.text, wish.reply_to)


def _chat_edit(me: int, wish: protocol.ChatEdit) -> room.EditLine:
    return room.EditLine(me, wish.seq, wish.text)


def _chat_delete(me: int, wish: protocol.ChatDelete) -> room.DeleteLine:
    return room.DeleteLine(me, wish.seq)


def _chat_react(me: int, wish: protocol.ChatReact) -> room.React:
    return room.React(me, wish.seq, wish.emoji, wish.on)


def _hand_raise(me: int, wish: protocol.HandRaise) -> room.RaiseHand:
    return room.RaiseHand(me)


def _hand_lower(me: int, wish: protocol.HandLower) -> room.LowerHand:
    return room.LowerHand(me, wish.user_id or me)


def _floor_give(me: int, wish: protocol.FloorGive) -> room.GiveFloor:
    return room.GiveFloor(me, wish.user_id)


def _floor_take(me: int, wish: protocol.FloorTake) -> room.TakeFloor:
    return room.TakeFloor(me, wish.user_id)


def _participant_mute(me: int, wish: protocol.ParticipantMute) -> room.Mute:
    return room.Mute(me, wish.user_id, tuple(wish.sources), wish.muted)


def _participant_remove(me: int, wish: protocol.ParticipantRemove) -> room.Remove:
    return room.Remove(me, wish.user_id)


def _policy_set(me: int, wish: protocol.PolicySet) -> room.SetPolicy:
    return room.SetPolicy(me, wish.changes)


def _poll_open(me: int, wish: protocol.PollOpen) -> room.OpenPoll:
    return room.OpenPoll(me, wish.question, tuple(wish.options), wish.multiple, wish.hidden)


def _poll_answer(me: int, wish: protocol.PollAnswer) -> room.AnswerPoll:
    return room.AnswerPoll(me, wish.poll, tuple(wish.choices))


def _poll_close(me: int, wish: protocol.PollClose) -> room.ClosePoll:
    return room.ClosePoll(me, wish.poll)


def _question_ask(me: int, wish: protocol.QuestionAsk) -> room.AskQuestion:
    return room.AskQuestion(me, wish.text)


def _question_vote(me: int, wish: protocol.QuestionVote) -> room.VoteQuestion:
    return room.VoteQuestion(me, wish.question, wish.on)


def _question_resolve(me: int, wish: protocol.QuestionResolve) -> room.ResolveQuestion:
    return room.ResolveQuestion(me, wish.question)


ROOM_WISHES: dict[str, RoomWish] = {
    "chat_send": RoomWish(_chat_send, _always(Action.ROOM_CHAT)),
    "chat_edit": RoomWish(_chat_edit, _always(Action.ROOM_CHAT)),
    "chat_delete": RoomWish(_chat_delete, _always(Action.ROOM_CHAT)),
    "chat_react": RoomWish(_chat_react, _always(Action.ROOM_CHAT)),
    "hand_raise": RoomWish(_hand_raise, _always(Action.ROOM_RAISE_HAND)),
    "hand_lower": RoomWish(_hand_lower, _own_or(Action.ROOM_MANAGE_HANDS)),
    "floor_give": RoomWish(_floor_give, _always(Action.ROOM_MANAGE_FLOOR)),
    "floor_take": RoomWish(_floor_take, _own_or(Action.ROOM_MANAGE_FLOOR)),
    "participant_mute": RoomWish(_participant_mute, _always(Action.ROOM_MODERATE)),
    "participant_remove": RoomWish(_participant_remove, _always(Action.ROOM_MODERATE)),
    "policy_set": RoomWish(_policy_set, _always(Action.ROOM_SET_POLICY)),
    "poll_open": RoomWish(_poll_open, _always(Action.ROOM_RUN_POLLS)),
    "poll_answer": RoomWish(_poll_answer, _always(Action.ROOM_ANSWER_POLLS)),
    "poll_close": RoomWish(_poll_close, _always(Action.ROOM_RUN_POLLS)),
    "question_ask": RoomWish(_question_ask, _always(Action.ROOM_ASK)),
    "question_vote": RoomWish(_question_vote, _always(Action.ROOM_ASK)),
    "question_resolve": RoomWish(_question_resolve, _always(Action.ROOM_ASK)),
}
