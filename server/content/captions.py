"""The words of a lesson, in one language or several: put, replaced, taken away by its instructor.

A file is written anew (`webvtt.py`), stored beside the lesson's bytes under a name of its own, and only then named by a
row; so a crash leaves either the old captions or the new ones, and the lesson's end takes all of them along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select

from server.access import Actor
from server.content import webvtt
from server.content.audience import Seen, to_edit
from server.content.formats import MEGABYTE
from server.content.storage import new_token
from server.content.tables import Content, ContentCaptions
from server.content.uploads.form import FieldPart, FilePart, ask_for_body, parts
from server.content.uploads.intake import Intake
from server.db.database import Reading, Work
from server.errors import Conflict, Invalid, Missing, Stalled, TooLarge
from server.events import ContentChanged
from server.http.routes import FORM, Request

LIMIT_BYTES = MEGABYTE  # three hours of talk are a fifth of it
MOST_LANGUAGES = 40
LONGEST_LABEL = 60
IDLE_SECONDS = 30.0


class TooManyLanguages(Conflict):
    code, sentence = "too_many_languages", f"A lesson has captions in at most {MOST_LANGUAGES} languages."


@dataclass(frozen=True, slots=True)
class Received:
    """A caption file that was read and stored: its key, and what people call it (empty: as before)."""

    key: str
    label: str


def language_of(request: Request) -> str:
    """The language in the path. Raises Invalid."""
    found = webvtt.language(request.match_info["lang"])
    if found is None:
        raise Invalid(errors=[{"pointer": "/lang", "detail": "needs a language tag, as in en, de or pt-BR"}])
    return found


async def receive(request: Request, intake: Intake, folder: str, label: str) -> Received:
    """Take in the file, as the body or as `file` of a form, which may hold another `label`.

    Raises Malformed, Invalid, Stalled, TooLarge (1 MB), ContentMismatch; then nothing of it is left.
    """
    raw: bytes | None = None
    if request.content_type == FORM:
        async for part in parts(request):
            if isinstance(part, FilePart):
                raw = await _gathered(part)
            elif isinstance(part, FieldPart) and part.name == "label":
                label = part.value
    else:
        raw = await _body(request)
    if not raw:
        raise Invalid(errors=[{"pointer": "/file", "detail": "is missing"}])
    label = label.strip()
    if len(label) > LONGEST_LABEL or not label.isprintable():
        raise Invalid(errors=[{"pointer": "/label", "detail": f"needs at most {LONGEST_LABEL} ordinary characters"}])
    text = await intake.disk.run(webvtt.rewritten, raw)  # a megabyte takes longer than a loop's turn may
    key = f"{folder}/captions-{new_token()}.vtt"
    await intake.disk.run(_store, intake, key, text)
    return Received(key, label)


async def put(work: Work, actor: Actor, content_id: int, language: str, received: Received) -> tuple[Seen, str | None]:
    """Name the stored file as the captions in this language; returns the lesson and the key nobody needs any more.

    Raises Missing, NotCourseInstructor, TooManyLanguages.
    """
    seen = await to_edit(work, actor, content_id)
    row = await _row(work, content_id, language)
    old = row.key if row else None
    if row is None:
        many = await work.scalar(select(func.count(ContentCaptions.id)).filter_by(content_id=content_id))
        if many >= MOST_LANGUAGES:
            raise TooManyLanguages()
        row = ContentCaptions(content_id=content_id, lang=language, label=language, created_at=work.now)
        work.add(row)
    row.label, row.key, row.updated_at = received.label or row.label, received.key, work.now
    seen.content.updated_at = work.now
    work.announce(ContentChanged(content_id, seen.course.id))
    return seen, old


async def remove(work: Work, actor: Actor, content_id: int, language: str) -> str:
    """Take them away; returns the key nobody needs any more. Raises Missing, NotCourseInstructor."""
    seen = await to_edit(work, actor, content_id)
    row = await _row(work, content_id, language)
    if row is None:
        raise Missing()
    await work.delete(row)
    seen.content.updated_at = work.now
    work.announce(ContentChanged(content_id, seen.course.id))
    return row.key


async def of_lessons(read: Reading, content_ids: Collection[int]) -> dict[int, list[ContentCaptions]]:
    """The captions of some lessons by content id, in the order of their languages."""
    query = select(ContentCaptions).where(ContentCaptions.content_id.in_(content_ids))
    found: dict[int, list[ContentCaptions]] = {}
    for row in await read.scalars(query.order_by(ContentCaptions.lang)):
        found.setdefault(row.content_id, []).append(row)
    return found


async def folder_of(read: Reading, content_id: int) -> str:
    """Where this lesson's files lie. Raises Missing."""
    row = await read.get(Content, content_id)
    if row is None or row.original_key is None:
        raise Missing()
    return row.original_key.rpartition("/")[0]


async def _row(work: Work, content_id: int, language: str) -> ContentCaptions | None:
    found = await work.scalar(select(ContentCaptions).filter_by(content_id=content_id, lang=language))
    return found if isinstance(found, ContentCaptions) else None


def _store(intake: Intake, key: str, text: bytes) -> None:
    part = intake.storage.new_part()
    part.write_bytes(text)
    intake.storage.adopt(key, part)


async def _gathered(part: FilePart) -> bytes:
    raw = b""
    async for chunk in part.chunks():
        raw += chunk
        if len(raw) > LIMIT_BYTES:
            raise _too_large()
    return raw


async def _body(request: Request) -> bytes:
    if (request.content_length or 0) > LIMIT_BYTES:
        raise _too_large()
    await ask_for_body(request)
    raw = b""
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                chunk = await request.content.readany()
        except TimeoutError as error:
            raise Stalled() from error
        if not chunk:
            return raw
        raw += chunk
        if len(raw) > LIMIT_BYTES:
            raise _too_large()


def _too_large() -> TooLarge:
    limit = LIMIT_BYTES
    return TooLarge(f"The caption file is larger than {limit / MEGABYTE:g} MB.", limit=limit, limit_bytes=limit)
