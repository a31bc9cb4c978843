"""Every wish of namespace /live: names, payloads, acknowledgements. AsyncAPI is made from this and protocol_facts.py.

Client → server events are wishes, named in the imperative's noun order (`hand_raise`); server → client events are
facts. Durable wishes carry a `client_id`: a repeated one gets the same answer and nothing is told again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from server.wire import Id, Number, StrictWire, Wire
from signaling.fields import (
    Allowed,
    ChatText,
    Emoji,
    Epoch,
    PollOption,
    PollQuestion,
    Position,
    QuestionText,
    Sdp,
    SignalData,
    Source,
    Token,
    distinct,
)
from signaling.rooms.state import DEFAULT_POLICY


class Passing(StrictWire):
    """A wish that is answered at once and stored nowhere; a client_id in it is ignored."""

    client_id: Any = None
    live_session_id: Id


class Durable(StrictWire):
    """A wish that becomes part of the timeline."""

    live_session_id: Id
    client_id: UUID


class After(StrictWire):
    epoch: Epoch
    seq: Position


class Join(Passing):
    after: After | None = None
    invite_code: Annotated[str, StringConstraints(max_length=200)] | None = None


class Leave(Passing):
    pass


class Sync(Passing):
    epoch: Epoch
    after: Position


class SessionStart(Durable):
    pass


class SessionEnd(Durable):
    pass


class ChatSend(Durable):
    text: ChatText
    reply_to: Id | None = None


class ChatEdit(Durable):
    seq: Id
    text: ChatText


class ChatDelete(Durable):
    seq: Id


class ChatReact(Durable):
    seq: Id
    emoji: Emoji
    on: bool


class HandRaise(Durable):
    pass


class HandLower(Durable):
    user_id: Id | None = None


class FloorGive(Durable):
    user_id: Id


class FloorTake(Durable):
    user_id: Id


class ParticipantMute(Durable):
    user_id: Id
    sources: Annotated[list[Source], Field(min_length=1, max_length=8)]
    muted: bool


class ParticipantRemove(Durable):
    user_id: Id


class PolicySet(Durable):
    """What is not named stays as it is."""

    chat: Allowed | None = None
    microphones: Allowed | None = None
    cameras: Allowed | None = None
    screens: Allowed | None = None
    hands: Allowed | None = None
    peers: Allowed | None = None

    @model_validator(mode="after")
    def _names_something(self) -> PolicySet:
        if not self.changes:
            raise ValueError("name at least one of chat, microphones, cameras, screens, hands, peers")
        return self

    @property
    def changes(self) -> dict[str, str]:
        """The parts that were named."""
        return self.model_dump(include=set(DEFAULT_POLICY), exclude_none=True)


class PollOpen(Durable):
    question: PollQuestion
    options: Annotated[list[PollOption], Field(min_length=2, max_length=10), AfterValidator(distinct)]
    multiple: bool = False
    hidden: bool = False


class PollAnswer(Durable):
    """`choices` are numbers of options, the first is 0."""

    poll: Id
    choices: Annotated[list[Annotated[int, Field(ge=0, le=9), Number]], Field(min_length=1, max_length=10)]


class PollClose(Durable):
    poll: Id


class QuestionAsk(Durable):
    text: QuestionText


class QuestionVote(Durable):
    question: Id
    on: bool


class QuestionResolve(Durable):
    question: Id


class Typing(Passing):
    on: bool


class MediaLevel(Passing):
    """`level` as the page measures it; told on as it is."""

    level: Annotated[float, Field(ge=-127, le=127), Number]


class PeerSignal(Passing):
    to_user_id: Id
    data: SignalData


class TrackWanted(StrictWire):
    mid: Annotated[str, StringConstraints(min_length=1, max_length=16)]
    source: Source


class MediaPublish(Passing):
    sdp: Sdp
    tracks: Annotated[list[TrackWanted], Field(max_length=8)]


class MediaSubscribe(Passing):
    pass


class MediaAnswer(Passing):
    revision: Position
    sdp: Sdp


class MediaRestart(Passing):
    side: Literal["publish", "subscribe"]
    sdp: Sdp | None = None


class MediaUnpublish(Passing):
    sources: Annotated[list[Source], Field(max_length=8)]


class SourcePreferred(StrictWire):
    """`paused`: its picture is not sent to this tab until unpaused; sound is never paused. `width`, in pixels, is for
    when there is more than one size to choose from.
    """

    user_id: Id
    source: Source
    width: Annotated[int, Field(ge=0, le=16_384), Number] | None = None
    paused: bool = False


class MediaPrefer(Passing):
    """Sources that are not named stay as they are."""

    sources: Annotated[list[SourcePreferred], Field(max_length=32)]


class AuthRefresh(StrictWire):
    client_id: Any = None
    token: Token


class SeqAnswer(Wire):
    ok: Literal[True]
    seq: int
    at: str
    unchanged: bool | None = None


class StartAnswer(SeqAnswer):
    live_session: dict[str, Any]
    notified: int


class EndAnswer(SeqAnswer):
    live_session: dict[str, Any]


class EventShown(Wire):
    seq: int
    at: str
    type: str
    actor_id: int | None
    client_id: str | None = None
    payload: dict[str, Any]


class PollAnswerShown(Wire):
    poll: int
    choices: list[int]


class TallyShown(Wire):
    poll: int
    tally: list[int]
    answers: int


class You(Wire):
    """`poll_answers`, `question_votes`: one's own for what is open; `poll_tallies`: of open polls one may see."""

    user_id: int
    role: Literal["instructor", "student", "guest"]
    may: list[str]
    poll_answers: list[PollAnswerShown] = []
    poll_tallies: list[TallyShown] = []
    question_votes: list[int] = []


class RosterLine(Wire):
    user: dict[str, Any]
    role: str
    online: bool
    in_room: bool


class JoinAnswer(Wire):
    """Either `snapshot`, or `events` and `more`; or `waiting` and `live_session` when it is not live yet.

    A snapshot of a crowd names the host, who has the floor, a track or a hand, and the newest inside: at most 256 KiB.
    """

    ok: Literal[True]
    epoch: str | None = None
    seq: int | None = None
    snapshot: dict[str, Any] | None = None
    events: list[EventShown] | None = None
    more: bool | None = None
    you: You | None = None
    roster: list[RosterLine] | None = None
    ice_servers: list[dict[str, Any]] | None = None
    waiting: bool | None = None
    live_session: dict[str, Any] | None = None


class SyncAnswer(Wire):
    ok: Literal[True]
    epoch: str
    seq: int
    snapshot: dict[str, Any] | None = None
    events: list[EventShown] | None = None
    more: bool | None = None


class Done(Wire):
    ok: Literal[True]


class SdpAnswer(Wire):
    ok: Literal[True]
    sdp: str


Bindings = dict[str, dict[str, Any] | None]


class OfferAnswer(Wire):
    ok: Literal[True]
    revision: int
    sdp: str
    bindings: Bindings


class RestartAnswer(Wire):
    ok: Literal[True]
    sdp: str
    revision: int | None = None
    bindings: Bindings | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """One client event: its payload, its acknowledgement, who may send it and what it is for."""

    payload: type[BaseModel]
    answer: type[BaseModel]
    who: str
    about: str

    @property
    def is_durable(self) -> bool:
        return issubclass(self.payload, Durable)


WISHES: dict[str, Wish] = {
    "join": Wish(Join, JoinAnswer, "member", "Enter a room, or come back to it from a position."),
    "leave": Wish(Leave, Done, "member", "Leave the room."),
    "sync": Wish(Sync, SyncAnswer, "member", "Read the next page of what was missed."),
    "session_start": Wish(SessionStart, StartAnswer, "instructor", "Go live and tell every enrolled student."),
    "session_end": Wish(SessionEnd, EndAnswer, "instructor", "End the class for everyone."),
    "chat_send": Wish(ChatSend, SeqAnswer, "member", "Write a line."),
    "chat_edit": Wish(ChatEdit, SeqAnswer, "member", "Change a line of one's own."),
    "chat_delete": Wish(ChatDelete, SeqAnswer, "member", "Delete a line of one's own; the instructor may delete any."),
    "chat_react": Wish(ChatReact, SeqAnswer, "member", "Put an emoji under a line, or take it away."),
    "hand_raise": Wish(HandRaise, SeqAnswer, "student", "Ask for the floor; first come, first served."),
    "hand_lower": Wish(HandLower, SeqAnswer, "member", "Lower one's hand; the instructor may lower any."),
    "floor_give": Wish(FloorGive, SeqAnswer, "instructor", "Open a student's microphone and camera in the server."),
    "floor_take": Wish(FloorTake, SeqAnswer, "instructor", "Close them again; a student may give the floor back."),
    "participant_mute": Wish(ParticipantMute, SeqAnswer, "instructor", "Silence sources of a person, until undone."),
    "participant_remove": Wish(ParticipantRemove, SeqAnswer, "instructor", "Put a person out of this session."),
    "policy_set": Wish(PolicySet, SeqAnswer, "instructor", "What everybody may do, and what the instructor alone."),
    "poll_open": Wish(PollOpen, SeqAnswer, "instructor", "Ask everybody; a poll is known by the seq of its opening."),
    "poll_answer": Wish(PollAnswer, SeqAnswer, "member", "Answer an open poll, or answer anew; nobody is told who."),
    "poll_close": Wish(PollClose, SeqAnswer, "instructor", "End a poll and tell everybody its tally."),
    "question_ask": Wish(QuestionAsk, SeqAnswer, "member", "Ask the instructor; it is known by the seq of its asking."),
    "question_vote": Wish(QuestionVote, SeqAnswer, "member", "Want this answered too, or no more; nobody is told who."),
    "question_resolve": Wish(QuestionResolve, SeqAnswer, "member", "It is answered: by the instructor or its asker."),
    "typing": Wish(Typing, Done, "member", "One is writing, or stopped; told on and forgotten."),
    "media_level": Wish(MediaLevel, Done, "member", "How loud one is; told on and forgotten."),
    "peer_signal": Wish(PeerSignal, Done, "member", "A message for browser-to-browser media, to one person."),
    "media_publish": Wish(MediaPublish, SdpAnswer, "who has the floor", "Send microphone, camera or screen."),
    "media_subscribe": Wish(MediaSubscribe, OfferAnswer, "member", "Receive what is on stage."),
    "media_answer": Wish(MediaAnswer, Done, "member", "Answer the server's offer of that revision."),
    "media_restart": Wish(MediaRestart, RestartAnswer, "member", "Restart ICE on one side."),
    "media_unpublish": Wish(MediaUnpublish, Done, "who has the floor", "Stop sending these sources."),
    "media_prefer": Wish(MediaPrefer, Done, "member", "Pause pictures one does not look at, and have them again."),
    "auth_refresh": Wish(AuthRefresh, Done, "anyone signed in", "A fresh access token for this connection."),
}
