"""What people may do in a live room: decide() turns a command into events, private records or a refusal.

Pure: nothing here awaits, so a hundred joins are tested without a loop; timeline.py makes the events durable and
numbers them. This file is where the rest of the program takes commands and judgments from; each decide_*.py holds the
rules of one kind of thing.
"""

from __future__ import annotations

from signaling.rooms import decide_chat, decide_floor, decide_polls, decide_questions, decide_stays
from signaling.rooms.commands import (
    AnswerPoll,
    AskQuestion,
    ClosePoll,
    DeleteLine,
    EditLine,
    Enter,
    GiveFloor,
    GiveUpSeat,
    Leave,
    LoseTracks,
    LowerHand,
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
    UnpublishTracks,
    Vacate,
    VoteQuestion,
)
from signaling.rooms.decide_chat import require_may_chat
from signaling.rooms.decide_floor import publish_tracks, require_may_signal
from signaling.rooms.deciding import (
    DECIDES,
    New,
    NotInRoom,
    PollAnswered,
    Private,
    QuestionVoted,
    SessionNotLive,
    decide,
)

RULES = (decide_stays, decide_chat, decide_floor, decide_polls, decide_questions)  # importing them declares them

__all__ = [
    "DECIDES",
    "RULES",
    "AnswerPoll",
    "AskQuestion",
    "ClosePoll",
    "DeleteLine",
    "EditLine",
    "Enter",
    "GiveFloor",
    "GiveUpSeat",
    "Leave",
    "LoseTracks",
    "LowerHand",
    "Mute",
    "New",
    "NotInRoom",
    "OpenPoll",
    "PollAnswered",
    "PostChat",
    "Private",
    "PublishTracks",
    "QuestionVoted",
    "RaiseHand",
    "React",
    "Remove",
    "ResolveQuestion",
    "SessionNotLive",
    "SetPolicy",
    "TakeFloor",
    "UnpublishTracks",
    "Vacate",
    "VoteQuestion",
    "decide",
    "publish_tracks",
    "require_may_chat",
    "require_may_signal",
]
