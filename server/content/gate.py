"""May this ticket's holder have these bytes now? Asked for every range, answered from at most a second ago.

The signature is checked once, the expiry each time; the entitlement is looked up once a second for each person and
thing, and streams under way are asked about together, so that a revocation ends them within two seconds, on every
process.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select, tuple_

from server.accounts.tables import User
from server.content.audience import Seen, viewer_of
from server.content.links import CAPTIONS, CONTENT, FILE, SEEK, THUMBNAIL
from server.content.rules import Entitlement
from server.content.tables import Content, ContentCaptions
from server.content.tickets import OPEN_REVISION, Subject, Ticket, TicketInvalid, Tickets
from server.courses.tables import Course, Enrollment
from server.db.database import Database, Reading
from server.errors import LecternError, Missing, NotEnrolled
from server.events import ContentChanged, EnrollmentActivated, EnrollmentEnded, SignInsEnded

CAPTIONS_TYPE = "text/vtt; charset=utf-8"
FRESH_SECONDS = 1.0
LARGEST_CACHE = 4096  # the answer asked for longest ago goes first


@dataclass(frozen=True, slots=True)
class Asked:
    """One person before one thing, holding a ticket made under `revision`."""

    subject: Subject
    user_id: int
    revision: int


@dataclass(frozen=True, slots=True)
class Pass:
    """Yes: these bytes, called this type."""

    key: str
    mime_type: str


Answer = Pass | LecternError
ENDING = (EnrollmentEnded, EnrollmentActivated, SignInsEnded, ContentChanged)  # what may end a right to bytes


class Gate:
    """One per process; hears committed facts (a Publisher) and then forgets its answers at once."""

    def __init__(self, database: Database, tickets: Tickets) -> None:
        self._database, self._tickets = database, tickets
        self._known: OrderedDict[Asked, tuple[float, Answer]] = OrderedDict()
        self._tickets_read: OrderedDict[tuple[Subject, str], Ticket] = OrderedDict()  # a signature is checked once
        self._asking: dict[Asked, asyncio.Task[Answer]] = {}
        self.changed = asyncio.Event()

    def asked(self, subject: Subject, ticket: str) -> Asked:
        """Read the ticket. Raises TicketInvalid, TicketExpired."""
        now, held = self._database.clock.now(), (subject, ticket)
        found = self._tickets_read.get(held)
        if found is None or found.expires_at <= now:
            found = self._tickets.check(subject, ticket, now)
            self._tickets_read[held] = found
            if len(self._tickets_read) > LARGEST_CACHE:
                self._tickets_read.popitem(last=False)
        return Asked(subject, found.user_id, found.revision)

    async def admit(self, asked: Asked, name: str) -> Pass:
        """`name` is the file's as the address has it: an answer that names another file is older than the address.

        Raises Missing, NotEnrolled, PremiumRequired, TicketInvalid, DatabaseAway.
        """
        answer = self._fresh(asked, name)
        if answer is None:
            answer = await self._ask_once(asked)
        if isinstance(answer, LecternError):
            raise answer
        return answer

    def fresh(self, asked: Asked, name: str) -> Pass | None:
        """The pass, when it was given less than a second ago; `name` as in `admit`."""
        answer = self._fresh(asked, name)
        return answer if isinstance(answer, Pass) else None

    async def ask(self, many: Collection[Asked]) -> dict[Asked, Answer]:
        """Ask the database about all of them together: four queries at most."""
        began = time.monotonic()
        async with self._database.read() as read:
            answers = await _answers(read, many)
        for asked, answer in answers.items():
            self._known[asked] = (began, answer)
            self._known.move_to_end(asked)
        while len(self._known) > LARGEST_CACHE:
            self._known.popitem(last=False)
        return answers

    def publish(self, facts: Sequence[object]) -> None:
        """Whatever may end somebody's right makes us ask anew, running streams too."""
        if any(isinstance(fact, ENDING) for fact in facts):
            self._known.clear()
            self.changed.set()

    def _fresh(self, asked: Asked, name: str) -> Answer | None:
        known = self._known.get(asked)
        is_fresh = known is not None and time.monotonic() - known[0] < FRESH_SECONDS and _is_of(known[1], name)
        return known[1] if known is not None and is_fresh else None

    async def _ask_once(self, asked: Asked) -> Answer:
        """Many ranges at once cost one look."""
        task = self._asking.get(asked)
        if task is None:
            task = self._asking[asked] = asyncio.create_task(self._ask_one(asked))
            task.add_done_callback(lambda _: self._asking.pop(asked, None))
        return await asyncio.shield(task)

    async def _ask_one(self, asked: Asked) -> Answer:
        return (await self.ask([asked]))[asked]


def _is_of(answer: Answer, name: str) -> bool:
    return not isinstance(answer, Pass) or answer.key.endswith(name)


async def _answers(read: Reading, many: Collection[Asked]) -> dict[Asked, Answer]:
    people = {asked.user_id for asked in many}
    welcome = set(await read.scalars(select(User.id).where(User.id.in_(people), User.disabled_at.is_(None))))
    lessons = {asked.subject.id for asked in many if asked.subject.kind == CONTENT}
    found = await read.execute(
        select(Content, Course)
        .join(Course, Course.id == Content.course_id)
        .where(Content.id.in_(lessons), Content.deleted_at.is_(None))
    )
    contents = {row.Content.id: (row.Content, row.Course) for row in found}
    courses = {course.id: course for _, course in contents.values()}
    others = {asked.subject.id for asked in many if asked.subject.kind != CONTENT} - courses.keys()
    if others:
        courses |= {course.id: course for course in await read.scalars(select(Course).where(Course.id.in_(others)))}
    pairs = {(course_id, asked.user_id) for asked in many if (course_id := _course_of(asked, contents)) in courses}
    rows = await read.scalars(
        select(Enrollment).where(tuple_(Enrollment.course_id, Enrollment.user_id).in_(list(pairs)))
    )
    enrollments = {(row.course_id, row.user_id): row for row in rows}
    texts = await _captions(read, many)
    answers: dict[Asked, Answer] = {}
    for asked in many:
        if asked.user_id not in welcome:
            answers[asked] = TicketInvalid()
        elif asked.subject.kind == CONTENT:
            answers[asked] = _lesson(asked, contents, enrollments, texts)
        else:
            answers[asked] = _course(asked, courses, enrollments)
    return answers


def _course_of(asked: Asked, contents: dict[int, tuple[Content, Course]]) -> int | None:
    if asked.subject.kind != CONTENT:
        return asked.subject.id
    found = contents.get(asked.subject.id)
    return found[1].id if found else None


def _lesson(
    asked: Asked,
    contents: dict[int, tuple[Content, Course]],
    enrollments: dict[tuple[int, int], Enrollment],
    texts: dict[tuple[int, str], str],
) -> Answer:
    if asked.subject.id not in contents:
        return Missing()
    content, course = contents[asked.subject.id]
    viewer = viewer_of(course, enrollments.get((course.id, asked.user_id)), asked.user_id)
    seen = Seen(content, course, viewer)
    variant = asked.subject.variant
    answer = seen.may_see() if variant == THUMBNAIL else seen.may_watch()
    if not isinstance(answer, Entitlement):
        return answer
    if answer.revision not in (OPEN_REVISION, asked.revision):
        return NotEnrolled("Your place in this course has changed; open the lesson again.")
    key, mime_type = {
        FILE: (content.file_url, content.served_mime_type or "application/octet-stream"),
        SEEK: (content.seek_sheet_key, "image/webp"),
        THUMBNAIL: (content.thumbnail_url, "image/webp"),
    }.get(variant, (texts.get((content.id, variant)), CAPTIONS_TYPE))
    return Pass(key, mime_type) if key else Missing()


async def _captions(read: Reading, many: Collection[Asked]) -> dict[tuple[int, str], str]:
    """The keys of the caption files that are asked for, by lesson and variant."""
    wanted = {
        (asked.subject.id, asked.subject.variant.removeprefix(CAPTIONS))
        for asked in many
        if asked.subject.kind == CONTENT and asked.subject.variant.startswith(CAPTIONS)
    }
    if not wanted:
        return {}
    rows = await read.scalars(
        select(ContentCaptions).where(tuple_(ContentCaptions.content_id, ContentCaptions.lang).in_(list(wanted)))
    )
    return {(row.content_id, CAPTIONS + row.lang): row.key for row in rows}


def _course(asked: Asked, courses: dict[int, Course], enrollments: dict[tuple[int, int], Enrollment]) -> Answer:
    course = courses.get(asked.subject.id)
    if course is None or course.thumbnail_url is None:
        return Missing()
    viewer = viewer_of(course, enrollments.get((course.id, asked.user_id)), asked.user_id)
    if viewer.role is None and not viewer.is_course_published:
        return Missing()
    return Pass(course.thumbnail_url, "image/webp")
