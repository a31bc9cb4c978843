"""What people do with a lesson: how far they are, what they say about it, how they like it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from server.access import Action, Actor, Role, require
from server.accounts.tables import User
from server.content import rules
from server.content.audience import Seen, to_see, to_watch, viewer_of
from server.content.rules import Reaction
from server.content.schemas import (
    CommentShown,
    NewComment,
    PersonShown,
    ProgressReport,
    ReactionsShown,
)
from server.content.tables import Content, ContentComment, ContentLike, ContentProgress, ContentWatchDay
from server.courses.tables import Enrollment
from server.db.database import Reading, Work
from server.errors import Invalid, Missing, NotAllowed
from server.http.paging import Page
from server.notifications.service import notify

_ONE_EACH = ["content_id", "user_id"]
QUOTED_CHARACTERS = 140  # of a reply, in the notification about it


async def report_progress(work: Work, actor: Actor, content_id: int, report: ProgressReport) -> ContentProgress:
    """Merge what was played; an older or repeated revision changes nothing. Raises as `to_watch`."""
    seen = await to_watch(work, actor, content_id)
    row, is_new = await _progress_row(work, actor.id, content_id)
    if not is_new and report.revision <= row.revision:
        return row
    duration = seen.content.duration_seconds or 0.0
    row.watched = rules.merge_ranges(row.watched, report.watched, duration)
    row.percent = rules.percent_watched(row.watched, duration)
    row.completed = row.completed or row.percent >= rules.COMPLETE_PERCENT
    row.position_seconds = min(report.position_seconds, duration)
    since = None if is_new else work.now - row.updated_at
    since_view = None if row.viewed_at is None else work.now - row.viewed_at
    played = min(rules.played_seconds(report.watched, since, since_view), duration)
    row.played_seconds += played
    is_view = rules.is_view(row.played_seconds, row.viewed_at, work.now)
    if played > 0:
        await _note_day(work, actor.id, content_id, played, int(is_view))
    if is_view:
        row.viewed_at, row.played_seconds = work.now, 0.0
        one_more = update(Content).where(Content.id == content_id).values(view_count=Content.view_count + 1)
        await work.execute(one_more.execution_options(synchronize_session=False))
    elif since_view is not None and since_view < rules.VIEW_EVERY:
        row.played_seconds = 0.0
    row.revision, row.updated_at = report.revision, work.now
    return row


async def comments(read: Reading, actor: Actor, content_id: int, page: Page) -> list[tuple[ContentComment, User]]:
    """Oldest first, one more than the page holds; deleted ones only where they hold replies together."""
    await to_watch(read, actor, content_id)
    reply = select(ContentComment.parent_id).where(
        ContentComment.content_id == content_id,
        ContentComment.deleted_at.is_(None),
        ContentComment.parent_id.is_not(None),
    )
    query = (
        select(ContentComment, User)
        .join(User, User.id == ContentComment.user_id)
        .where(ContentComment.content_id == content_id)
        .where(ContentComment.deleted_at.is_(None) | ContentComment.id.in_(reply))
        .order_by(ContentComment.id)
    )
    if page.after is not None:
        query = query.where(ContentComment.id > page.after)
    found = await read.execute(query.limit((page.limit or 200) + 1))
    return [(row.ContentComment, row.User) for row in found]


async def add_comment(work: Work, actor: Actor, content_id: int, wanted: NewComment) -> CommentShown:
    """Say something; whoever is answered is told. Raises Invalid for a parent that is not there."""
    seen = await to_watch(work, actor, content_id)
    parent = await _parent(work, content_id, wanted.parent_id)
    row = ContentComment(
        content_id=content_id,
        user_id=actor.id,
        # Threads are one level deep: an answer to an answer stands in the same thread.
        parent_id=None if parent is None else parent.parent_id or parent.id,
        body=wanted.body,
        at_seconds=wanted.at_seconds,
        created_at=work.now,
    )
    work.add(row)
    await work.flush()
    if parent is not None and parent.user_id != actor.id:
        await _tell_reply(work, actor, seen, parent, wanted.body)
    return comment_shown(row, PersonShown(id=actor.id, name=actor.name, avatar_url=actor.avatar_url))


async def edit_comment(work: Work, actor: Actor, comment_id: int, body: str) -> CommentShown:
    """Only one's own. Raises Missing, NotAllowed."""
    row = await to_edit_comment(work, actor, comment_id)
    row.body, row.edited_at = body, work.now
    return comment_shown(row, PersonShown(id=actor.id, name=actor.name, avatar_url=actor.avatar_url))


async def delete_comment(work: Work, actor: Actor, comment_id: int) -> None:
    """One's own, or any as the instructor. Raises Missing, NotAllowed, NotCourseInstructor."""
    row, seen = await comment_seen(work, actor, comment_id)
    if row.user_id != actor.id:
        require(seen.viewer.role, Action.COMMENT_MODERATE, is_known=True)
    row.deleted_at, row.body = work.now, ""


async def react(work: Work, actor: Actor, content_id: int, reaction: Reaction) -> ReactionsShown:
    """One reaction a person; a new one replaces it."""
    await to_watch(work, actor, content_id)
    made = _insert(work, ContentLike).values(
        content_id=content_id, user_id=actor.id, reaction=reaction.value, created_at=work.now
    )
    await work.execute(made.on_conflict_do_update(index_elements=_ONE_EACH, set_={"reaction": reaction.value}))
    return await reactions(work, actor.id, content_id)


async def unreact(work: Work, actor: Actor, content_id: int) -> ReactionsShown:
    await to_watch(work, actor, content_id)
    await work.execute(delete(ContentLike).filter_by(content_id=content_id, user_id=actor.id))
    return await reactions(work, actor.id, content_id)


async def reactions(read: Reading, user_id: int, content_id: int) -> ReactionsShown:
    """How a lesson is liked, and by whom of interest: the caller."""
    found = await read.execute(
        select(ContentLike.reaction, func.count().label("many"))
        .where(ContentLike.content_id == content_id)
        .group_by(ContentLike.reaction)
    )
    counts = {Reaction(row.reaction): int(row.many) for row in found}
    mine = await read.scalar(select(ContentLike.reaction).filter_by(content_id=content_id, user_id=user_id))
    return ReactionsShown(
        liked=mine is not None,
        like_count=sum(counts.values()),
        reactions={reaction: counts.get(reaction, 0) for reaction in Reaction},
        my_reaction=Reaction(mine) if mine else None,
    )


async def comment_seen(read: Reading, actor: Actor, comment_id: int) -> tuple[ContentComment, Seen]:
    """A comment and its lesson before this person; locked in a unit of work. Raises Missing, NotEnrolled."""
    row = await read.get(ContentComment, comment_id, for_update=isinstance(read, Work))
    if row is None or row.deleted_at is not None:
        raise Missing()
    return row, await to_see(read, actor, row.content_id)


async def to_edit_comment(read: Reading, actor: Actor, comment_id: int) -> ContentComment:
    """Raises Missing, NotEnrolled, NotAllowed for another's."""
    row, _ = await comment_seen(read, actor, comment_id)
    if row.user_id != actor.id:
        raise NotAllowed("Only its author may change a comment.")
    return row


def comment_shown(row: ContentComment, person: PersonShown) -> CommentShown:
    return CommentShown(
        id=row.id,
        user=person,
        body=row.body,
        at_seconds=row.at_seconds,
        parent_id=row.parent_id,
        created_at=row.created_at,
        edited_at=row.edited_at,
        deleted=row.deleted_at is not None,
    )


def comments_shown(rows: Sequence[tuple[ContentComment, User]]) -> list[CommentShown]:
    return [comment_shown(row, PersonShown.model_validate(user)) for row, user in rows]


async def _progress_row(work: Work, user_id: int, content_id: int) -> tuple[ContentProgress, bool]:
    """The locked row of this person, made if need be; the second tells whether it was."""
    fresh = {
        "content_id": content_id,
        "user_id": user_id,
        "position_seconds": 0.0,
        "watched": [],
        "percent": 0.0,
        "completed": False,
        "revision": 0,
        "played_seconds": 0.0,
        "updated_at": work.now,
    }
    made = await work.execute(
        _insert(work, ContentProgress).values(fresh).on_conflict_do_nothing(index_elements=_ONE_EACH)
    )
    is_new = bool(getattr(made, "rowcount", 0))
    mine = select(ContentProgress).filter_by(content_id=content_id, user_id=user_id)
    row = await work.scalar(mine.with_for_update())
    assert isinstance(row, ContentProgress)
    return row, is_new


async def _note_day(work: Work, user_id: int, content_id: int, played: float, views: int) -> None:
    """Add to what this person watched today."""
    made = _insert(work, ContentWatchDay).values(
        content_id=content_id, user_id=user_id, day=work.now.date(), played_seconds=played, views=views
    )
    more = {
        "played_seconds": ContentWatchDay.played_seconds + made.excluded.played_seconds,
        "views": ContentWatchDay.views + made.excluded.views,
    }
    await work.execute(made.on_conflict_do_update(index_elements=["content_id", "day", "user_id"], set_=more))


async def _parent(read: Reading, content_id: int, parent_id: int | None) -> ContentComment | None:
    if parent_id is None:
        return None
    parent = await read.get(ContentComment, parent_id)
    if parent is None or parent.content_id != content_id or parent.deleted_at is not None:
        raise Invalid(errors=[{"pointer": "/parent_id", "detail": "is no comment on this lesson"}])
    return parent


async def _tell_reply(work: Work, actor: Actor, seen: Seen, parent: ContentComment, body: str) -> None:
    """The author answered is told, while they may still see the course."""
    enrollment = await work.scalar(
        select(Enrollment).filter_by(course_id=seen.course.id, user_id=parent.user_id, status="active")
    )
    viewer = viewer_of(seen.course, enrollment, parent.user_id)
    if viewer.role not in (Role.INSTRUCTOR, Role.STUDENT) and not viewer.is_course_published:
        return
    quoted = body if len(body) <= QUOTED_CHARACTERS else body[: QUOTED_CHARACTERS - 1] + "…"
    data = {
        "url": f"/app/content/{seen.content.id}",
        "course_id": seen.course.id,
        "content_id": seen.content.id,
    }
    await notify(work, [parent.user_id], "comment_reply", f"{actor.name} replied to you", quoted, data)


def _insert(
    work: Work, table: type[ContentLike] | type[ContentProgress] | type[ContentWatchDay]
) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if work.is_sqlite else postgresql.insert(table)
