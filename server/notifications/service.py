"""Write to people's inboxes and read them; telling connected devices happens after the commit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, insert, or_, select, update

from server.db.base import Base, UtcDateTime
from server.db.database import Reading, Work
from server.db.glances import Question
from server.errors import Missing
from server.events import NotificationsAdded
from server.http.paging import Page
from server.notifications.tables import Notification
from server.wire import rfc3339

RECENT = timedelta(minutes=2)
REPLAY_PAGE = 200  # read at a time
LARGEST_REPLAY = 1_000  # the newest; a device that missed more reads the inbox over REST
ROWS_PER_INSERT = 500
_inbox = Base.metadata.tables[Notification.__tablename__].c


async def notify(
    work: Work, user_ids: Collection[int], type: str, title: str, body: str, data: Mapping[str, Any]
) -> int:
    """One notification to each person's inbox and, after the commit, to all their devices; returns how many."""
    people = sorted(set(user_ids))
    items = []
    for start in range(0, len(people), ROWS_PER_INSERT):
        rows = [
            {
                "user_id": user_id,
                "type": type,
                "title": title[:250],
                "body": body,
                "data": dict(data),
                "created_at": work.now,
                "read_at": None,
            }
            for user_id in people[start : start + ROWS_PER_INSERT]
        ]
        written = await work.execute(insert(Notification).returning(Notification.id, Notification.user_id), rows)
        for notification_id, user_id in written:
            items.append((user_id, _shown(notification_id, type, title[:250], body, dict(data), work.now, None)))
    if items:
        work.announce(NotificationsAdded(tuple(items)))
    return len(people)


async def listed(read: Reading, user_id: int, page: Page, only_unread: bool) -> list[Notification]:
    """Newest first, one more than the page holds."""
    query = select(Notification).where(Notification.user_id == user_id).order_by(Notification.id.desc())
    if only_unread:
        query = query.where(Notification.read_at.is_(None))
    if page.after is not None:
        query = query.where(Notification.id < page.after)
    return list(await read.scalars(query.limit((page.limit or REPLAY_PAGE) + 1)))


def _newest(later: Sequence[ColumnElement[bool]] = ()) -> Select[*tuple[Any, ...]]:
    """Of the people and the moment it is given, and of what is `later`, oldest first."""
    of_them = _inbox.user_id.in_(bindparam("people", expanding=True))
    recent = and_(of_them, _inbox.created_at >= bindparam("since", type_=UtcDateTime))
    newest = func.row_number().over(partition_by=_inbox.user_id, order_by=_inbox.id.desc())
    ranked = select(_inbox.id, newest.label("place")).where(or_(recent, *later)).subquery()
    kept = select(ranked.c.id).where(ranked.c.place <= LARGEST_REPLAY)
    return select(*_inbox).where(_inbox.id.in_(kept)).order_by(_inbox.id)


_NEWEST = _newest()  # made once and without entities: a crowd asks the same again and again
LATEST = Question(  # each one's last notification
    lambda among: select(_inbox.user_id, _inbox.id, _inbox.created_at).where(
        _inbox.id.in_(select(func.max(_inbox.id)).where(among(_inbox.user_id, "people")).group_by(_inbox.user_id))
    )
)


def with_news(
    asked: Collection[tuple[int, int | None]], latest: Sequence[Sequence[Any]], now: datetime
) -> list[tuple[int, int | None]]:
    """Those of `asked`, as missed() has them, for whom it may find something; `latest` are the rows of LATEST."""
    recently = now - 2 * RECENT  # a moment is that of a transaction's beginning, and those overlap
    of = {user_id: (notification_id, created_at) for user_id, notification_id, created_at in latest}
    return [
        (user_id, after)
        for user_id, after in asked
        if (last := of.get(user_id)) is not None and (last[1] >= recently or (after is not None and last[0] > after))
    ]


async def missed(
    read: Reading, asked: Sequence[tuple[int, int | None]]
) -> dict[tuple[int, int | None], list[dict[str, Any]]]:
    """What each connecting device is told: everything later than the id it names and the last two minutes.

    `asked` are (person, id or None); oldest first, the newest LARGEST_REPLAY of a person; one query.
    """
    since = read.now - RECENT
    later = [and_(_inbox.user_id == who, _inbox.id > after) for who, after in asked if after is not None]
    people = list({user_id for user_id, _ in asked})
    inboxes: dict[int, list[Any]] = defaultdict(list)
    for row in await read.execute(_newest(later) if later else _NEWEST, {"people": people, "since": since}):
        inboxes[row.user_id].append(row)
    return {
        (user_id, after): [
            shown(row) for row in inboxes[user_id] if row.created_at >= since or (after is not None and row.id > after)
        ]
        for user_id, after in asked
    }


async def added_since(read: Reading, user_ids: Collection[int], since: datetime, limit: int) -> list[Notification]:
    """The newest rows in these people's inboxes, oldest first."""
    of_them = (Notification.user_id.in_(user_ids), Notification.created_at > since)
    rows = await read.scalars(select(Notification).where(*of_them).order_by(Notification.id.desc()).limit(limit))
    return list(reversed(list(rows)))


async def unread_count(read: Reading, user_id: int) -> int:
    query = select(func.count()).select_from(Notification)
    return int(await read.scalar(query.where(Notification.user_id == user_id, Notification.read_at.is_(None))))


async def mark_read(work: Work, user_id: int, notification_id: int) -> Notification:
    """Raises Missing for another person's."""
    row = await work.get(Notification, notification_id)
    if row is None or row.user_id != user_id:
        raise Missing()
    row.read_at = row.read_at or work.now
    return row


async def mark_all_read(work: Work, user_id: int) -> None:
    unread = (Notification.user_id == user_id, Notification.read_at.is_(None))
    await work.execute(update(Notification).where(*unread).values(read_at=work.now))


def shown(row: Notification) -> dict[str, Any]:
    """A notification as clients see it."""
    return _shown(row.id, row.type, row.title, row.body, row.data, row.created_at, row.read_at)


def _shown(
    notification_id: int,
    type: str,
    title: str,
    body: str,
    data: Mapping[str, Any],
    created_at: datetime,
    read_at: datetime | None,
) -> dict[str, Any]:
    return {
        "id": notification_id,
        "type": type,
        "title": title,
        "body": body,
        "data": data,
        "created_at": rfc3339(created_at),
        "read_at": rfc3339(read_at) if read_at else None,
    }
