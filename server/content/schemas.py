"""Lessons, progress, comments and reactions as clients send and see them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from server.content.rules import AccessLevel, Reaction, UploadStatus
from server.wire import Id, LongText, Moment, Number, Remark, Title, Wire

MOST_SENT_RANGES = 500
LONGEST_LESSON_SECONDS = 86_400.0

Kind = Literal["video", "audio"]
Seconds = Annotated[float, Field(ge=0, le=LONGEST_LESSON_SECONDS), Number]
Order = Annotated[int, Field(ge=0, le=1_000_000), Number]


class PersonShown(Wire):
    id: int
    name: str
    avatar_url: str | None = None


class ProgressShown(Wire):
    """`watched` is sorted and disjoint, in seconds; `percent` is 0 to 100."""

    position_seconds: float
    watched: list[tuple[float, float]]
    percent: float
    completed: bool
    revision: int


class SeekPreviewShown(Wire):
    """One picture of small ones, along the rows: number n stands for what begins at n * seconds_per_tile."""

    url: str
    columns: int
    rows: int
    tile_width: int
    tile_height: int
    seconds_per_tile: float


class CaptionsShown(Wire):
    """A caption track for `<track>`; `url` is null for who may not watch the lesson."""

    lang: str
    label: str
    url: str | None


class CaptionsAsked(Wire):
    """What people call these captions; the language's tag when they call them nothing."""

    label: Annotated[str, Field(max_length=60)] = ""


class ContentShown(Wire):
    """A lesson to one person: `file_url` is null for who may not watch it, and until it is ready.

    `seek_preview`, of videos, comes a moment after `completed`, for who may watch.

    While it arrives by a resumable upload, `upload_url` is where to go on and `bytes_received` how far it is.
    """

    id: int
    course_id: int
    title: str
    description: str
    content_type: Kind
    file_url: str | None
    file_name: str
    file_size: int
    mime_type: str
    duration_seconds: float | None
    thumbnail_url: str | None
    seek_preview: SeekPreviewShown | None
    upload_status: UploadStatus
    error_code: str | None
    processing_stage: str | None
    processing_percent: int
    bytes_received: int | None
    upload_url: str | None
    content_order: int
    is_preview: bool
    access_level: AccessLevel
    view_count: int
    like_count: int
    comment_count: int
    liked: bool
    reactions: dict[Reaction, int]
    my_reaction: Reaction | None
    captions: list[CaptionsShown]
    my_progress: ProgressShown | None
    width: int | None
    height: int | None
    created_by: int
    created_at: Moment
    updated_at: Moment


class UploadFields(Wire):
    """What a form or a query says about the file it carries."""

    course_id: Id
    type: Kind
    title: Title
    description: LongText = ""
    access_level: AccessLevel = AccessLevel.ENROLLED_ONLY
    is_preview: bool = False
    content_order: Order | None = None


class UploadAccepted(Wire):
    message: str
    content: ContentShown


class ContentChange(Wire):
    title: Title | None = None
    description: LongText | None = None
    access_level: AccessLevel | None = None
    is_preview: bool | None = None
    content_order: Order | None = None


class ContentOrder(Wire):
    """All of the course's lessons, or some to be put first, in the wanted order."""

    ids: Annotated[list[Id], Field(max_length=5000)]


class TicketShown(Wire):
    url: str
    thumbnail_url: str | None
    expires_at: Moment


class ProgressReport(Wire):
    """What was played since the last report, or all of it; `revision` grows with every report of one person."""

    position_seconds: Seconds
    watched: Annotated[list[tuple[Seconds, Seconds]], Field(max_length=MOST_SENT_RANGES)] = []
    revision: Annotated[int, Field(ge=0, le=2**53), Number]


class NewComment(Wire):
    body: Remark
    at_seconds: Seconds | None = None
    parent_id: Id | None = None


class CommentChange(Wire):
    body: Remark


class CommentShown(Wire):
    """A deleted comment stays only while it holds replies together: its body is empty then."""

    id: int
    user: PersonShown
    body: str
    at_seconds: float | None
    parent_id: int | None
    created_at: Moment
    edited_at: Moment | None
    deleted: bool = False


class NewReaction(Wire):
    reaction: Reaction = Reaction.LIKE


class ReactionsShown(Wire):
    """`like_count` counts people, whatever their reaction; `reactions` counts each."""

    liked: bool
    like_count: int
    reactions: dict[Reaction, int]
    my_reaction: Reaction | None
