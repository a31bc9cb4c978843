"""What people and programs may want of a live room: one frozen command each, judged by the decide_*.py files.

Fields with a default that are called "known" are filled in by briefing.py, in the transaction that carries the command
out: what a room in memory does not hold, and what not everybody may see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from signaling.rooms.state import Line


@dataclass(frozen=True, slots=True)
class Enter:
    """A connection takes its person's seat; `is_lapsed` when the seat held so far ran out unnoticed.

    One that `stayed` was there all the time, and its seat was given up by mistake.
    """

    user_id: int
    name: str
    avatar_url: str | None
    role: str
    connection_id: str
    is_lapsed: bool = False
    stayed: bool = False


@dataclass(frozen=True, slots=True)
class Vacate:
    """A connection went without a word: its person's seat is held for a while."""

    user_id: int
    connection_id: str


@dataclass(frozen=True, slots=True)
class GiveUpSeat:
    """Nobody came back to a seat in time; `is_lapsed` when that is so still, in the transaction of this command."""

    user_id: int
    is_lapsed: bool = False


@dataclass(frozen=True, slots=True)
class Leave:
    """A person's stay ends. With `connection_id` only when it was their last connection."""

    user_id: int
    connection_id: str | None = None


@dataclass(frozen=True, slots=True)
class PostChat:
    """`known`: whether `reply_to` is a line of this class, deleted ones too."""

    user_id: int
    text: str
    reply_to: int | None = None
    known: bool = False


@dataclass(frozen=True, slots=True)
class RaiseHand:
    user_id: int


@dataclass(frozen=True, slots=True)
class LowerHand:
    user_id: int
    of_user_id: int


@dataclass(frozen=True, slots=True)
class GiveFloor:
    user_id: int
    to_user_id: int


@dataclass(frozen=True, slots=True)
class TakeFloor:
    user_id: int
    from_user_id: int


@dataclass(frozen=True, slots=True)
class PublishTracks:
    """A person sends exactly these sources from now on."""

    user_id: int
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnpublishTracks:
    """These sources of a person stopped; None means all."""

    user_id: int
    sources: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class LoseTracks:
    """The worker that forwarded this room is gone, and every track with it."""


@dataclass(frozen=True, slots=True)
class EditLine:
    """`known`: the line as it stands; None when there is no such line."""

    user_id: int
    seq: int
    text: str
    known: Line | None = None


@dataclass(frozen=True, slots=True)
class DeleteLine:
    """`known`: the line as it stands; None when there is no such line."""

    user_id: int
    seq: int
    known: Line | None = None


@dataclass(frozen=True, slots=True)
class React:
    """`known`: the line as it stands; None when there is no such line."""

    user_id: int
    seq: int
    emoji: str
    is_on: bool
    known: Line | None = None


@dataclass(frozen=True, slots=True)
class Mute:
    """The instructor closes (`is_on`) or frees these sources of a person, until undone."""

    user_id: int
    of_user_id: int
    sources: tuple[str, ...]
    is_on: bool


@dataclass(frozen=True, slots=True)
class Remove:
    """The instructor puts a person out, for the rest of this session."""

    user_id: int
    removed_user_id: int


@dataclass(frozen=True, slots=True)
class SetPolicy:
    """These parts of the policy, each `all` or `instructor`; the others stay."""

    user_id: int
    changes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class OpenPoll:
    user_id: int
    question: str
    options: tuple[str, ...]
    is_multiple: bool
    is_hidden: bool


@dataclass(frozen=True, slots=True)
class AnswerPoll:
    """`known`: what this person had answered before; None when nothing."""

    user_id: int
    poll: int
    choices: tuple[int, ...]
    known: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class ClosePoll:
    """`known`: how often each option was chosen."""

    user_id: int
    poll: int
    known: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class AskQuestion:
    user_id: int
    text: str


@dataclass(frozen=True, slots=True)
class VoteQuestion:
    """`known`: whether this person's vote counts already."""

    user_id: int
    question: int
    is_on: bool
    known: bool = False


@dataclass(frozen=True, slots=True)
class ResolveQuestion:
    user_id: int
    question: int
