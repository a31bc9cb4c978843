"""The seeded classroom: three people, a course with two lessons, a class that was and one that will be.

Everything but the lessons is one transaction through the services, so that a start that was killed half-way leaves all
or nothing. The lessons come in afterwards like anybody's: uploaded to our own address, then processed. A second start
finds the people there and adds nothing.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
from aiohttp import web
from sqlalchemy import select

from server.access import AccountRole, Actor
from server.accounts import service as accounts
from server.accounts.passwords import Passwords
from server.accounts.tables import User
from server.accounts.tokens import token_hash
from server.accounts.wiring import ACCOUNTS
from server.content.tables import Content
from server.courses import enrollments
from server.courses import service as courses
from server.courses.schemas import NewCourse
from server.courses.tables import Course
from server.db.database import Database, Work
from server.demo_class import add_past_class
from server.demo_media import INTERVALS, STANDING, TRAVELING
from server.http.keys import DATABASE, READINESS, ROOMS
from server.live_sessions import service as live_sessions
from server.live_sessions.schemas import NewLiveSession
from server.ports import Rooms
from server.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PEOPLE = (
    ("ana@example.org", "Ana Castro", AccountRole.EXPERT),
    ("bo@example.org", "Bo Lindqvist", AccountRole.STUDENT),
    ("cleo@example.org", "Cleo Marchetti", AccountRole.STUDENT),
)
TITLE = "Waves and sound"
DESCRIPTION = (
    "Where sound comes from, how it travels and why two notes please together. "
    "Short lessons to watch in your own time, and a live class each week to ask, try and hear."
)
LESSONS = (
    (TRAVELING, "video", "A wave travels, the water stays", "Watch the float: it only goes up and down."),
    (INTERVALS, "audio", "Hearing intervals", "Octave, fifth, fourth and third: one after the other, then together."),
)
MAKING_SECONDS = 120  # a machine slower than this goes without lessons and says so
UPLOAD_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody the terminal gives a link to."""

    name: str
    email: str
    role: str
    token: str


@dataclass(frozen=True, slots=True)
class Demo:
    """What the terminal tells."""

    visitors: Sequence[Visitor]
    password: str
    sample: Path


class LessonsMissing(Exception):
    """The demo's lessons could not be made or taken in; everything else works."""


async def seed(app: web.Application, settings: Settings, links: MutableMapping[str, int]) -> Demo:
    """Put the classroom there if it is not, fill `links` with fresh one-click tokens, and tell who is who."""
    database = app[DATABASE]
    app[READINESS].demo_seeding = True
    password = demo_password(settings)
    people = await _people(database, app[ACCOUNTS].passwords, password)
    async with database.work("demo classroom") as work:
        if await work.scalar(select(Course.id).where(Course.instructor_id == people[0].id).limit(1)) is None:
            await _classroom(work, people, app[ROOMS])
    app[READINESS].demo_seeding = False
    visitors = []
    for user in people:
        token = secrets.token_urlsafe(32)
        links[token_hash(token)] = user.id
        role = "instructor" if user.role == AccountRole.EXPERT.value else "student"
        visitors.append(Visitor(user.name, user.email, role, token))
    return Demo(visitors, password, folder_of(settings) / STANDING)


async def add_lessons(app: web.Application, settings: Settings, address: str) -> None:
    """Make the lessons' files and upload those the course does not have. Raises LessonsMissing."""
    database, folder = app[DATABASE], folder_of(settings)
    if not all((folder / name).exists() for name in (TRAVELING, INTERVALS, STANDING)):
        await _make_files(folder)
    async with database.read() as read:
        ana = await accounts.user_by_email(read, PEOPLE[0][0])
        assert ana is not None
        of_ana = select(Course.id).where(Course.instructor_id == ana.id, Course.title == TITLE)
        course_id = await read.scalar(of_ana.order_by(Course.id).limit(1))
        known = set(await read.scalars(select(Content.title).where(Content.course_id == course_id)))
    missing = [lesson for lesson in LESSONS if lesson[2] not in known]
    if course_id is None or not missing:
        return
    async with database.work("demo sign-in") as work:
        sign_in = await accounts.sign_in_directly(work, ana.id)
    token = app[ACCOUNTS].tokens.access(ana.id, sign_in.id, database.clock.now())
    for name, kind, title, description in missing:
        fields = {"course_id": str(course_id), "type": kind, "title": title, "description": description}
        await _upload(f"{address}{settings.api_prefix}", token, fields, folder / name)
    async with database.work("demo sign-out") as work:
        await accounts.end_sign_ins(work, ana.id, "demo", only=sign_in.id)


def demo_password(settings: Settings) -> str:
    """LECTERN_DEMO_PASSWORD, else one that was made at the first start and is kept in the data directory."""
    if settings.demo_password:
        return settings.demo_password
    path = folder_of(settings) / "password"
    if path.exists() and (kept := path.read_text().strip()):
        return kept
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(made := secrets.token_urlsafe(9))
    return made


def folder_of(settings: Settings) -> Path:
    """Where the demo keeps what is its own."""
    return settings.data_dir.resolve() / "demo"


async def _people(database: Database, passwords: Passwords, password: str) -> list[User]:
    """The three, made if they are not there; they get this password, and stay signed in where they are."""
    async with database.read() as read:
        known = await accounts.users_by_emails(read, [email for email, _, _ in PEOPLE])
    fitting = {email: await passwords.verify(password, user.password_hash) for email, user in known.items()}
    hashed = {email: await passwords.hash(password) for email, _, _ in PEOPLE if not fitting.get(email)}
    people = []
    async with database.work("demo people") as work:
        for email, name, role in PEOPLE:
            if (user := known.get(email)) is None:
                user = await accounts.create_user(work, email=email, name=name, role=role, password_hash=hashed[email])
            elif email in hashed:
                await accounts.renew_hash(work, user.id, user.password_hash, hashed[email])
            people.append(user)
    return people


async def _classroom(work: Work, people: Sequence[User], rooms: Rooms) -> None:
    """The course with its students, last week's class and the next one."""
    ana, students = people[0], people[1:]
    actor = Actor(ana.id, ana.name, AccountRole(ana.role), sign_in_id=0, token_expires_at=0)
    course = await courses.create(
        work, actor, NewCourse(title=TITLE, description=DESCRIPTION, category="Physics", status="published")
    )
    await enrollments.admit(work, course.id, [student.id for student in students], None)
    await add_past_class(work, course, people)
    wanted = NewLiveSession(
        course_id=course.id,
        title="Why strings sing",
        description="Bring anything with a string. We look for the places that stand still.",
        scheduled_at=_next_class(work.now),
        duration_minutes=45,
    )
    await live_sessions.schedule(work, actor, wanted, rooms)


def _next_class(now: datetime) -> datetime:
    """In two days, at a full hour of an afternoon in Europe."""
    return (now + timedelta(days=2)).replace(hour=15, minute=0, second=0, microsecond=0)


async def _make_files(folder: Path) -> None:
    """In a process of its own, so that this one never loads a video codec. Raises LessonsMissing."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server.demo_media", str(folder)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,  # its end tells the child that we are gone
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(MAKING_SECONDS):
            words = await process.stderr.read()
            await process.wait()
    except TimeoutError as error:
        raise LessonsMissing("making them took too long") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise LessonsMissing(words.decode(errors="replace").strip()[-300:])


async def _upload(base: str, token: str, fields: Mapping[str, str], file: Path) -> None:
    form = aiohttp.FormData(fields)
    timeout = aiohttp.ClientTimeout(total=UPLOAD_SECONDS)
    with file.open("rb") as opened:
        form.add_field("file", opened, filename=file.name, content_type="application/octet-stream")
        try:
            async with (
                # Our own certificate need not be valid for a loopback address.
                aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(ssl=False)) as session,
                session.post(
                    f"{base}/courses/upload-content", data=form, headers={"Authorization": f"Bearer {token}"}
                ) as answer,
            ):
                if answer.status != 201:
                    raise LessonsMissing(f"{file.name}: {(await answer.text())[:200]}")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LessonsMissing(f"{file.name}: {error or 'no answer in time'}") from error
