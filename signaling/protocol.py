"""Every event of namespace /live, both directions: names, payloads, acknowledgements. AsyncAPI is made from this file.

Client → server events are wishes, named in the imperative's noun order (`hand_raise`); server → client events are
facts. Durable wishes carry a `client_id`: a repeated one gets the same answer and nothing is told again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from server.wire import Id, StrictWire, Wire, _storable

Source = Literal["microphone", "camera", "screen", "screen_audio"]
ChatText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000), AfterValidator(_storable)
]
Epoch = Annotated[str, StringConstraints(max_length=64)]
Position = Annotated[int, Field(ge=0, le=2**63 - 1)]
Sdp = Annotated[str, StringConstraints(min_length=1)]
Token = Annotated[str, StringConstraints(max_length=8192)]


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


class HandRaise(Durable):
    pass


class HandLower(Durable):
    user_id: Id | None = None


class FloorGive(Durable):
    user_id: Id


class FloorTake(Durable):
    user_id: Id


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


class You(Wire):
    user_id: int
    role: Literal["instructor", "student", "guest"]
    may: list[str]


class RosterLine(Wire):
    user: dict[str, Any]
    role: str
    online: bool
    in_room: bool


class JoinAnswer(Wire):
    """Either `snapshot`, or `events` and `more`; or `waiting` and `live_session` when it is not live yet."""

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
    "hand_raise": Wish(HandRaise, SeqAnswer, "student", "Ask for the floor; first come, first served."),
    "hand_lower": Wish(HandLower, SeqAnswer, "member", "Lower one's hand; the instructor may lower any."),
    "floor_give": Wish(FloorGive, SeqAnswer, "instructor", "Open a student's microphone and camera in the server."),
    "floor_take": Wish(FloorTake, SeqAnswer, "instructor", "Close them again; a student may give the floor back."),
    "media_publish": Wish(MediaPublish, SdpAnswer, "who has the floor", "Send microphone, camera or screen."),
    "media_subscribe": Wish(MediaSubscribe, OfferAnswer, "member", "Receive what is on stage."),
    "media_answer": Wish(MediaAnswer, Done, "member", "Answer the server's offer of that revision."),
    "media_restart": Wish(MediaRestart, RestartAnswer, "member", "Restart ICE on one side."),
    "media_unpublish": Wish(MediaUnpublish, Done, "who has the floor", "Stop sending these sources."),
    "auth_refresh": Wish(AuthRefresh, Done, "anyone signed in", "A fresh access token for this connection."),
}


class TimelineTold(Wire):
    live_session_id: int
    epoch: str
    events: list[EventShown]


class RoomOpenedTold(JoinAnswer):
    live_session_id: int


class RoomClosedTold(Wire):
    live_session_id: int
    reason: Literal["ended", "cancelled", "removed", "revoked", "empty"]


class PresenceChange(Wire):
    user_id: int
    online: bool
    in_room: bool
    connections: int


class PresenceTold(Wire):
    course_id: int | None = None
    live_session_id: int | None = None
    changes: list[PresenceChange]


class NotificationTold(Wire):
    id: int
    type: str
    title: str
    body: str
    data: dict[str, Any]
    created_at: str
    read_at: str | None


class LiveSessionTold(Wire):
    id: int
    course_id: int | None
    status: str


class ContentProcessingTold(Wire):
    content_id: int
    stage: str
    percent: int
    revision: int


class ContentReadyTold(Wire):
    content_id: int
    revision: int


class ContentFailedTold(Wire):
    content_id: int
    code: str
    revision: int


class MediaOfferTold(Wire):
    live_session_id: int
    revision: int
    sdp: str
    bindings: Bindings


class MediaBindingsTold(Wire):
    live_session_id: int
    revision: int
    bindings: Bindings


class MediaClosedTold(Wire):
    live_session_id: int
    side: Literal["publish", "subscribe"]
    reason: str


class AuthExpiringTold(Wire):
    expires_at: str


class DrainingTold(Wire):
    retry_after: float


@dataclass(frozen=True, slots=True)
class Fact:
    payload: type[BaseModel]
    about: str


FACTS: dict[str, Fact] = {
    "timeline": Fact(TimelineTold, "The only carrier of durable events: each once, in order, without a gap."),
    "room_opened": Fact(RoomOpenedTold, "A class one waited for is live; the connection is in the room."),
    "room_closed": Fact(RoomClosedTold, "The connection is out of the room."),
    "presence": Fact(PresenceTold, "Who came and went, at most one a room per 200 ms."),
    "notification": Fact(NotificationTold, "To every device of that person."),
    "live_session": Fact(LiveSessionTold, "A session of a course was scheduled, started, ended or cancelled."),
    "content_processing": Fact(ContentProcessingTold, "To the uploader: how far processing is."),
    "content_ready": Fact(ContentReadyTold, "To the uploader: it can be played."),
    "content_failed": Fact(ContentFailedTold, "To the uploader: it cannot be played, and why."),
    "media_offer": Fact(MediaOfferTold, "A new offer for the receiving side."),
    "media_bindings": Fact(MediaBindingsTold, "Who is in which m-line from now on."),
    "media_closed": Fact(MediaClosedTold, "One side of the media connection is closed."),
    "auth_expiring": Fact(AuthExpiringTold, "The token runs out soon; send auth_refresh."),
    "draining": Fact(DrainingTold, "This server closes; come back after that many seconds."),
}
