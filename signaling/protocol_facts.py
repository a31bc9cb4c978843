"""Every event the server tells in namespace /live, with its payload; protocol.py has what clients wish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from server.wire import Wire
from signaling.protocol import Bindings, EventShown, JoinAnswer


class TimelineTold(Wire):
    live_session_id: int
    epoch: str
    events: list[EventShown]


class RoomOpenedTold(JoinAnswer):
    live_session_id: int


class RoomClosedTold(Wire):
    live_session_id: int
    reason: Literal["ended", "cancelled", "removed", "revoked", "empty"]


class PollTallyTold(Wire):
    """To whoever may see it: everyone, or the instructor alone while a hidden poll is open."""

    live_session_id: int
    poll: int
    tally: list[int]
    answers: int


class TypingTold(Wire):
    live_session_id: int
    user_id: int
    on: bool


class MediaLevelTold(Wire):
    live_session_id: int
    user_id: int
    level: float


class PeerSignalTold(Wire):
    live_session_id: int
    from_user_id: int
    data: Any


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
    course_id: int
    stage: str
    percent: int
    revision: int


class ContentReadyTold(ContentProcessingTold):
    """`stage` is `ready`, `percent` 100."""


class ContentFailedTold(ContentProcessingTold):
    """`stage` is `failed`; `code` says why."""

    code: str


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
    "poll_tally": Fact(PollTallyTold, "How an open poll stands; at most one a poll per 200 ms."),
    "typing": Fact(TypingTold, "Someone began or stopped writing; at most one a person per 200 ms."),
    "media_level": Fact(MediaLevelTold, "How loud someone is; at most one a person per 200 ms."),
    "peer_signal": Fact(PeerSignalTold, "Another person's message for browser-to-browser media."),
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
