"""Lessons as one person sees them: counts, progress and reaction, signed addresses; five queries for any list."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import func, select

from server.content import captions
from server.content.audience import Seen
from server.content.links import Links
from server.content.rules import AccessLevel, Entitlement, Reaction, UploadStatus
from server.content.schemas import CaptionsShown, ContentShown, ProgressShown, SeekPreviewShown
from server.content.tables import Content, ContentCaptions, ContentComment, ContentLike, ContentProgress
from server.db.database import Reading
from server.http.etags import QUOTE, etag_of, require_edition


@dataclass(frozen=True, slots=True)
class Engagement:
    """What people did with some lessons, by content id."""

    reactions: dict[int, dict[Reaction, int]]
    comments: dict[int, int]
    mine: dict[int, str]
    captions: dict[int, list[ContentCaptions]]
    progress: dict[int, ContentProgress]


def require_unedited(request: web.BaseRequest, row: Content) -> None:
    """Honor If-Match: only what an instructor may change counts, not somebody's like. Raises PreconditionFailed."""
    require_edition(request, _edition(row))


async def shown(read: Reading, seen: Seen, links: Links) -> ContentShown:
    """One lesson with its ETag: its edition and all that is shown, so that no old ticket lives on in a cache."""
    one = (await shown_many(read, [seen], links))[0]
    return one.tagged(f'"{_edition(seen.content)}.{etag_of(one.model_dump_json()).strip(QUOTE)}"')


async def shown_many(read: Reading, many: Sequence[Seen], links: Links) -> list[ContentShown]:
    """Lessons in the given order."""
    engagement = await _engagement(read, [seen.content.id for seen in many], links.user_id)
    return [_one(seen, engagement, links) for seen in many]


def progress_shown(row: ContentProgress) -> ProgressShown:
    return ProgressShown(
        position_seconds=row.position_seconds,
        watched=[(a, b) for a, b in row.watched],
        percent=row.percent,
        completed=row.completed,
        revision=row.revision,
    )


def _edition(row: Content) -> str:
    return etag_of("content", row.id, row.updated_at.isoformat()).strip(QUOTE)


def _one(seen: Seen, engagement: Engagement, links: Links) -> ContentShown:
    row = seen.content
    watch, see = seen.may_watch(), seen.may_see()
    is_ready = row.upload_status == UploadStatus.COMPLETED and row.file_url is not None
    is_arriving = row.upload_status == UploadStatus.UPLOADING
    file_url = thumbnail_url = seek_preview = None
    if isinstance(watch, Entitlement) and is_ready and row.file_url:
        file_url = links.content_file(row.id, row.file_url, watch.revision)
        if row.seek_sheet_key and row.seek_sheet:
            url = links.content_seek_sheet(row.id, row.seek_sheet_key, watch.revision)
            seek_preview = SeekPreviewShown(url=url, **row.seek_sheet)
    if isinstance(see, Entitlement):
        thumbnail_url = links.content_thumbnail(row.id, row.thumbnail_url, see.revision)
    mine = engagement.mine.get(row.id)
    reactions = engagement.reactions.get(row.id, {})
    progress = engagement.progress.get(row.id)
    return ContentShown(
        id=row.id,
        course_id=row.course_id,
        title=row.title,
        description=row.description,
        content_type="video" if row.content_type == "video" else "audio",
        file_url=file_url,
        file_name=row.file_name,
        file_size=row.file_size,
        mime_type=row.mime_type,
        duration_seconds=row.duration_seconds,
        thumbnail_url=thumbnail_url,
        seek_preview=seek_preview,
        upload_status=UploadStatus(row.upload_status),
        error_code=row.error_code,
        processing_stage=row.processing_stage,
        processing_percent=row.processing_percent,
        bytes_received=row.bytes_received if is_arriving else None,
        upload_url=links.upload(row.id) if is_arriving else None,
        content_order=row.content_order,
        is_preview=row.is_preview,
        access_level=AccessLevel(row.access_level),
        view_count=row.view_count,
        like_count=sum(reactions.values()),
        comment_count=engagement.comments.get(row.id, 0),
        liked=mine is not None,
        reactions={reaction: reactions.get(reaction, 0) for reaction in Reaction},
        my_reaction=Reaction(mine) if mine else None,
        captions=[
            CaptionsShown(
                lang=one.lang,
                label=one.label,
                url=links.content_captions(row.id, one.lang, one.key, watch.revision)
                if isinstance(watch, Entitlement)
                else None,
            )
            for one in engagement.captions.get(row.id, [])
        ],
        my_progress=progress_shown(progress) if progress else None,
        width=row.width,
        height=row.height,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


async def _engagement(read: Reading, ids: Collection[int], user_id: int) -> Engagement:
    if not ids:
        return Engagement({}, {}, {}, {}, {})
    reactions: dict[int, dict[Reaction, int]] = {}
    for content_id, reaction, many in await read.execute(
        select(ContentLike.content_id, ContentLike.reaction, func.count())
        .where(ContentLike.content_id.in_(ids))
        .group_by(ContentLike.content_id, ContentLike.reaction)
    ):
        reactions.setdefault(content_id, {})[Reaction(reaction)] = many
    comments = await read.execute(
        select(ContentComment.content_id, func.count().label("many"))
        .where(ContentComment.content_id.in_(ids), ContentComment.deleted_at.is_(None))
        .group_by(ContentComment.content_id)
    )
    mine = await read.execute(
        select(ContentLike.content_id, ContentLike.reaction).where(
            ContentLike.content_id.in_(ids), ContentLike.user_id == user_id
        )
    )
    progress = await read.scalars(
        select(ContentProgress).where(ContentProgress.content_id.in_(ids), ContentProgress.user_id == user_id)
    )
    return Engagement(
        reactions,
        {row.content_id: row.many for row in comments},
        {row.content_id: row.reaction for row in mine},
        await captions.of_lessons(read, ids),
        {row.content_id: row for row in progress},
    )
