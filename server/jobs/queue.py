"""Rows that say what is still to be done, taken by lease: whoever takes one and vanishes loses it to the next.

Claiming is one conditional update, which is right on every database; `attempts` is the fencing token: a worker that
overslept its lease cannot finish somebody else's try.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, or_, select, update

from server.db.base import UtcDateTime
from server.db.database import Database, Reading, Work
from server.db.glances import Question
from server.jobs.tables import Job

MOST_ATTEMPTS = 3
LEASE = timedelta(seconds=30)
RENEW_SECONDS = 10.0
BACK_OFF = (timedelta(seconds=2), timedelta(seconds=30))  # after the first and the second failed try
KEPT_ERROR_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class JobQueued:
    """There is something to do; runners of this process wake at once, others find it when they look."""

    kind: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job taken by us until its lease lapses. `attempts` counts this try."""

    id: int
    kind: str
    subject_id: int | None
    payload: dict[str, Any]
    attempts: int
    created_at: datetime

    @property
    def is_last_try(self) -> bool:
        return self.attempts >= MOST_ATTEMPTS


async def enqueue(
    work: Work,
    kind: str,
    subject_id: int | None = None,
    payload: dict[str, Any] | None = None,
    run_at: datetime | None = None,
) -> None:
    """Have `kind` done once this work is committed, or at `run_at`."""
    work.add(
        Job(
            kind=kind,
            subject_id=subject_id,
            payload=payload or {},
            state="waiting",
            attempts=0,
            run_at=run_at or work.now,
            created_at=work.now,
        )
    )
    work.announce(JobQueued(kind))


async def is_pending(read: Reading, kinds: Collection[str], subject_id: int) -> bool:
    """Whether one of `kinds` waits or runs for this subject."""
    query = select(Job.id).where(Job.kind.in_(kinds), Job.subject_id == subject_id)
    return await read.scalar(query.where(Job.state.in_(("waiting", "running"))).limit(1)) is not None


async def due_kinds(database: Database) -> frozenset[str]:
    """Kinds of which something is to be done now, a lapsed job included."""
    (found,) = await database.glance((_DUE_KINDS, {"now": database.clock.now()}))
    return frozenset(kind for (kind,) in found)


async def claim(database: Database, kind: str) -> Claimed | None:
    """Take the oldest due job of `kind`, a lapsed one included; None when there is nothing to do now."""
    async with database.read() as read:
        if await read.scalar(select(Job.id).where(*_due(read, kind)).limit(1)) is None:
            return None
    async with database.work("claim job") as work:
        oldest = select(Job.id).where(*_due(work, kind)).order_by(Job.run_at, Job.id).limit(1)
        if not work.is_sqlite:
            oldest = oldest.with_for_update(skip_locked=True)
        job_id = await work.scalar(oldest)
        if job_id is None:
            return None
        taken = {"state": "running", "attempts": Job.attempts + 1, "lease_until": work.now + LEASE}
        row = (
            await work.execute(
                update(Job)
                .where(Job.id == job_id, *_due(work, kind))
                .values(taken)
                .returning(Job.id, Job.kind, Job.subject_id, Job.payload, Job.attempts, Job.created_at)
            )
        ).first()
        if row is None:
            return None
        payload = dict(row.payload or {})
        return Claimed(row.id, row.kind, row.subject_id, payload, row.attempts, row.created_at)


async def renew(work: Work, job: Claimed) -> bool:
    """Keep it for another lease; False when it is ours no longer."""
    return await _set(work, job, lease_until=work.now + LEASE)


async def finish(work: Work, job: Claimed) -> bool:
    return await _set(work, job, state="done", lease_until=None, finished_at=work.now, error=None)


async def fail(work: Work, job: Claimed, error: str) -> bool:
    """It will not be tried again."""
    said = error[:KEPT_ERROR_CHARACTERS]
    return await _set(work, job, state="failed", lease_until=None, finished_at=work.now, error=said)


async def put_back(work: Work, job: Claimed, error: str) -> bool:
    """Try again later; each time later."""
    wait = BACK_OFF[min(job.attempts, len(BACK_OFF)) - 1]
    said = error[:KEPT_ERROR_CHARACTERS]
    return await _set(work, job, state="waiting", lease_until=None, run_at=work.now + wait, error=said)


async def give_back(work: Work, job: Claimed, wait: timedelta = timedelta(0)) -> bool:
    """It was interrupted by our own closing, or its time has not come: not a try that counts."""
    again_at = work.now + wait
    return await _set(work, job, state="waiting", lease_until=None, attempts=Job.attempts - 1, run_at=again_at)


async def free_all(work: Work, kinds: Collection[str]) -> int:
    """Take jobs from their dead holders at once, not counting that try.

    Only for the start of an embedded server: one process tree owns the database, so nobody else can be at work.
    """
    freed = {"state": "waiting", "lease_until": None, "run_at": work.now, "attempts": Job.attempts - 1}
    found = await work.execute(update(Job).where(Job.state == "running", Job.kind.in_(kinds)).values(freed))
    return int(getattr(found, "rowcount", 0))


async def waiting_count(read: Reading) -> int:
    return int(await read.scalar(select(func.count()).select_from(Job).where(Job.state == "waiting")) or 0)


def _due(read: Reading, kind: str) -> tuple[Any, ...]:
    return Job.kind == kind, _is_due(read.now)


def _is_due(now: Any) -> ColumnElement[bool]:
    waits = (Job.state == "waiting") & (Job.run_at <= now)
    lapsed = (Job.state == "running") & (Job.lease_until < now)
    return or_(waits, lapsed)


_DUE_KINDS = Question(lambda among: select(Job.kind).where(_is_due(bindparam("now", type_=UtcDateTime))).distinct())


async def _set(work: Work, job: Claimed, **values: Any) -> bool:
    held = (Job.id == job.id, Job.state == "running", Job.attempts == job.attempts)
    found = await work.execute(update(Job).where(*held).values(values))
    return bool(getattr(found, "rowcount", 0))
