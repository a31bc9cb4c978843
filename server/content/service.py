"""Lessons: listing, adding what was uploaded, changing, ordering, trying again, deleting.

Guard, change, commit, then tell; files are touched before and after, never inside, a unit of work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, or_, select, tuple_

from server.access import Action, Actor, Role
from server.content.audience import Seen, lesson_of, to_edit, viewer_of
from server.content.rules import Entitlement, UploadStatus, sight
from server.content.schemas import ContentChange, UploadFields
from server.content.tables import Content
from server.courses import service as courses
from server.courses.tables import Course
from server.db.database import Reading, Work
from server.errors import Conflict, Invalid, NotCourseInstructor
from server.events import ContentChanged
from server.http.paging import Page
from server.jobs import queue

PROCESS, CONVERT, ERASE = "process_content", "convert_content", "erase_content"
SEEK_SHEET, EXPIRE = "make_seek_sheet", "expire_upload"


class InvalidContentStatus(Conflict):
    code, sentence = "invalid_status", "Only a lesson whose processing failed can be processed again."


class OriginalGone(Conflict):
    code, sentence = "original_gone", "The uploaded file is not kept any more; upload it again."


@dataclass(frozen=True, slots=True)
class Arrived:
    """An uploaded file: its place in the storage, name, size and type as shown to people."""

    key: str
    file_name: str
    size_bytes: int
    mime_type: str


async def to_upload(read: Reading, actor: Actor, course_id: int) -> Course:
    """The course, for its instructor. Raises Missing, NotCourseInstructor."""
    course, role, _ = await courses.course_role(read, course_id, actor)
    if role is not Role.INSTRUCTOR:
        raise NotCourseInstructor()
    return course


async def require_teaching(read: Reading, actor: Actor) -> None:
    """Raises NotCourseInstructor for somebody with no course of their own."""
    if await read.scalar(select(Course.id).where(Course.instructor_id == actor.id).limit(1)) is None:
        raise NotCourseInstructor()


async def add(
    work: Work, actor: Actor, wanted: UploadFields, arrived: Arrived, status: UploadStatus = UploadStatus.PROCESSING
) -> Content:
    """The row of an upload; processing begins after the commit unless its bytes are still to come.

    Raises as `to_upload`.
    """
    course = await to_upload(work, actor, wanted.course_id)
    order = wanted.content_order
    if order is None:
        last = select(func.max(Content.content_order)).where(Content.course_id == course.id)
        order = int(await work.scalar(last.where(Content.deleted_at.is_(None))) or 0) + 1
    row = Content(
        course_id=course.id,
        title=wanted.title,
        description=wanted.description,
        content_type=wanted.type,
        file_name=arrived.file_name,
        file_size=arrived.size_bytes,
        mime_type=arrived.mime_type,
        upload_status=status.value,
        content_order=order,
        is_preview=wanted.is_preview,
        access_level=wanted.access_level.value,
        original_key=arrived.key,
        revision=1,
        created_by=actor.id,
        created_at=work.now,
        updated_at=work.now,
    )
    work.add(row)
    await work.flush()
    if status is UploadStatus.PROCESSING:
        await queue.enqueue(work, PROCESS, row.id)
    await courses.note_activity(work, course.id)
    return row


async def listed(read: Reading, actor: Actor, course_id: int, page: Page) -> list[Seen]:
    """What this person may see of a course, in order, one more than a page holds. Raises Missing, NotEnrolled."""
    course, role, enrollment = await courses.course_role(read, course_id, actor)
    viewer = viewer_of(course, enrollment, actor.id)
    query = select(Content).where(Content.course_id == course_id, Content.deleted_at.is_(None))
    if role is not Role.INSTRUCTOR:
        query = query.where(Content.upload_status == UploadStatus.COMPLETED)
    if role is None:
        query = query.where(or_(Content.is_preview, Content.access_level == "free"))
    if page.after is not None:
        passed = await read.get(Content, page.after)
        if passed is not None:
            query = query.where(tuple_(Content.content_order, Content.id) > (passed.content_order, passed.id))
    query = query.order_by(Content.content_order, Content.id)
    if page.limit is not None:
        query = query.limit(page.limit + 1)
    rows = list(await read.scalars(query))
    return [Seen(r, course, viewer) for r in rows if isinstance(sight(viewer, lesson_of(r)), Entitlement)]


async def change(
    work: Work, actor: Actor, content_id: int, wanted: ContentChange, guard: Callable[[Content], None]
) -> Seen:
    """Change what was sent; `guard` sees the locked row first and may refuse (If-Match)."""
    seen = await to_edit(work, actor, content_id)
    guard(seen.content)
    for name, value in wanted.model_dump(mode="json", exclude_unset=True, exclude_none=True).items():
        setattr(seen.content, name, value)
    seen.content.updated_at = work.now
    work.announce(ContentChanged(content_id, seen.course.id))
    return seen


async def set_thumbnail(work: Work, actor: Actor, content_id: int, key: str) -> tuple[Seen, str | None]:
    """Show another picture; returns the lesson and the key nobody needs any more."""
    seen = await to_edit(work, actor, content_id)
    old, seen.content.thumbnail_url = seen.content.thumbnail_url, key
    seen.content.updated_at = work.now
    return seen, old


async def delete(work: Work, actor: Actor, content_id: int, guard: Callable[[Content], None]) -> None:
    """Take it away at once; a job removes its bytes."""
    seen = await to_edit(work, actor, content_id)
    guard(seen.content)
    seen.content.deleted_at = seen.content.updated_at = work.now
    await queue.enqueue(work, ERASE, content_id)
    work.announce(ContentChanged(content_id, seen.course.id))


async def retry(work: Work, actor: Actor, content_id: int) -> Seen:
    """Process again from the kept original. Raises InvalidContentStatus, OriginalGone."""
    seen = await to_edit(work, actor, content_id)
    row = seen.content
    if row.upload_status != UploadStatus.FAILED:
        raise InvalidContentStatus()
    if row.original_key is None:
        raise OriginalGone()
    row.upload_status, row.error_code = UploadStatus.PROCESSING.value, None
    row.processing_stage, row.processing_percent = None, 0
    row.revision += 1
    row.updated_at = work.now
    await queue.enqueue(work, PROCESS, row.id)
    return seen


async def reorder(work: Work, actor: Actor, course_id: int, ids: Sequence[int]) -> None:
    """Put these lessons first in this order, the others behind them as they were. Raises Invalid."""
    await courses.access(work, course_id, actor, Action.CONTENT_EDIT)
    query = select(Content).where(Content.course_id == course_id, Content.deleted_at.is_(None))
    query = query.order_by(Content.content_order, Content.id)
    rows = {row.id: row for row in await work.scalars(query)}
    if len(set(ids)) != len(ids):
        raise Invalid(errors=[{"pointer": "/ids", "detail": "names a lesson twice"}])
    if unknown := [i for i in ids if i not in rows]:
        raise Invalid(errors=[{"pointer": "/ids", "detail": f"has no lesson {unknown[0]} in this course"}])
    wanted = [*ids, *(i for i in rows if i not in set(ids))]
    for place, content_id in enumerate(wanted, start=1):
        if rows[content_id].content_order != place:
            rows[content_id].content_order = place
            rows[content_id].updated_at = work.now
