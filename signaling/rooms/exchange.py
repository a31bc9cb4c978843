"""Presence counts between web processes through the database: what changed here is written, what changed there is read.

No count is written that did not change since the last time, whatever came and went in between: a thousand browsers that
reconnect cost one statement, or none. Only that something was said since is written then, and makes the others read:
of what was said, the last word may be the one that was lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import select, text, union

from server.courses.tables import Course, Enrollment
from server.db.database import Reading, Work
from server.live_sessions.tables import LiveSession, PresenceCount, ProcessLease
from signaling.rooms.headcount import Elsewhere, Headcount, Key
from signaling.rooms.leases import LEASE_LASTS

ROWS = 5_000  # in one statement
# PostgreSQL's alone, like all of this: one process with SQLite has nobody to tell.
PUT = text(
    "INSERT INTO presence_counts (lease_id, user_id, live_session_id, connections)"
    " SELECT :lease, given.*"
    " FROM unnest(CAST(:users AS bigint[]), CAST(:places AS bigint[]), CAST(:connections AS integer[])) AS given"
    " ON CONFLICT (lease_id, user_id, live_session_id) DO UPDATE SET connections = excluded.connections"
)
TAKE = text(
    "DELETE FROM presence_counts"
    " USING unnest(CAST(:users AS bigint[]), CAST(:places AS bigint[])) AS given (user_id, place)"
    " WHERE lease_id = :lease AND presence_counts.user_id = given.user_id AND live_session_id = given.place"
)
UNKNOWN = -1  # what the database holds of a key whose writing had no seen end


class Written:
    """What this process has written, and what it has to write yet."""

    def __init__(self, here: Headcount) -> None:
        self._here = here
        self._rows: dict[Key, int] = {}
        self._touched = set[Key]()
        self.version = 0
        self._settled = 0  # the version of what the database holds

    @property
    def is_due(self) -> bool:
        """Whether something may have changed, or was said, since the last writing."""
        return bool(self._touched) or self.version != self._settled

    def touch(self, key: Key) -> None:
        """This count may have changed."""
        self._touched.add(key)

    def touch_all(self) -> None:
        """Others have deleted what was written."""
        self._rows.clear()
        self._touched.update(key for key, _ in self._here.items())

    def next_version(self) -> int:
        self.version += 1
        return self.version

    async def write(self, work: Work, lease_id: int) -> int:
        """What differs from the rows, in the caller's transaction; kept for the next time if that fails.

        Returns the version of all rows, which belongs into the lease.
        """
        if not self.is_due:
            return self.version
        touched, self._touched = self._touched, set()
        differs = {key: n for key in touched if (n := self._here[key]) != self._rows.get(key, 0)}
        self._rows.update(dict.fromkeys(differs, UNKNOWN))
        version = self.next_version()
        work.after_rollback(lambda: self._touched.update(differs))
        work.after_commit(lambda: self._wrote(differs, version))
        await _write(work, lease_id, differs)
        return version

    def _wrote(self, rows: dict[Key, int], version: int) -> None:
        self._settled = version
        for key, connections in rows.items():
            if connections:
                self._rows[key] = connections
            else:
                del self._rows[key]


async def _write(work: Work, lease_id: int, counts: dict[Key, int]) -> None:
    every = list(counts.items())
    for start in range(0, len(every), ROWS):
        part = every[start : start + ROWS]
        kept, gone = [one for one in part if one[1]], [one for one in part if not one[1]]
        if kept:
            await work.execute(PUT, {**_columns(lease_id, kept), "connections": [n for _, n in kept]})
        if gone:
            await work.execute(TAKE, _columns(lease_id, gone))


def _columns(lease_id: int, counts: Sequence[tuple[Key, int]]) -> dict[str, Any]:
    return {"lease": lease_id, "users": [key[0] for key, _ in counts], "places": [key[1] for key, _ in counts]}


async def read_others(read: Reading, lease_id: int, elsewhere: Elsewhere) -> set[Key]:
    """Bring `elsewhere` to what the other living processes have written; returns what changed by it."""
    known = elsewhere.leases()
    living = select(ProcessLease.id, ProcessLease.counts_version).where(
        ProcessLease.kind == "web",
        ProcessLease.id != lease_id,
        ProcessLease.ended_at.is_(None),
        ProcessLease.renewed_at > read.now - LEASE_LASTS,
    )
    versions: dict[int, int] = dict((await read.execute(living)).all())
    stale = {found for found, version in versions.items() if elsewhere.version(found) != version}
    counts = defaultdict[int, dict[Key, int]](dict)
    if stale:
        rows = select(
            PresenceCount.lease_id, PresenceCount.user_id, PresenceCount.live_session_id, PresenceCount.connections
        ).where(PresenceCount.lease_id.in_(stale))
        for found, user_id, live_session_id, connections in await read.execute(rows):
            counts[found][user_id, live_session_id] = connections
    changed = elsewhere.forget(known - versions.keys())
    for found in stale:
        changed |= elsewhere.read(found, versions[found], counts[found])
    return changed


async def courses_of(read: Reading, user_ids: Collection[int]) -> dict[int, set[int]]:
    """The courses in whose rosters these people are, by person."""
    found = defaultdict[int, set[int]](set)
    for some in _parts(user_ids):
        studied = select(Enrollment.user_id, Enrollment.course_id).where(
            Enrollment.user_id.in_(some), Enrollment.status == "active"
        )
        taught = select(Course.instructor_id, Course.id).where(Course.instructor_id.in_(some))
        for user_id, course_id in await read.execute(union(studied, taught)):
            found[user_id].add(course_id)
    return found


async def course_of_rooms(read: Reading, live_session_ids: Collection[int]) -> dict[int, int | None]:
    """The course of each of these live sessions."""
    found: dict[int, int | None] = {}
    for some in _parts(live_session_ids):
        query = select(LiveSession.id, LiveSession.course_id).where(LiveSession.id.in_(some))
        found.update((await read.execute(query)).all())
    return found


def _parts(ids: Iterable[int]) -> list[list[int]]:
    every = sorted(ids)
    return [every[start : start + ROWS] for start in range(0, len(every), ROWS)]
