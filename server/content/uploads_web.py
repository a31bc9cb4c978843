"""Where files come in and go out: upload, pictures, media bytes."""

from __future__ import annotations

from aiohttp import web

from server.content import captions, pictures, service
from server.content.audience import to_edit
from server.content.links import CONTENT, COURSES, links_of
from server.content.quota import CourseFull
from server.content.schemas import CaptionsAsked, ContentShown, UploadAccepted
from server.content.shown import shown
from server.content.tables import Content
from server.content.tickets import Subject, TicketExpired, TicketInvalid
from server.content.uploads import multipart
from server.content.wiring import LIBRARY
from server.errors import (
    ContentMismatch,
    Invalid,
    Malformed,
    Missing,
    NoRoom,
    NotCourseInstructor,
    NotEnrolled,
    OutcomeUnknown,
    PreconditionFailed,
    PremiumRequired,
    RateLimited,
    Stalled,
    TooLarge,
    TypeNotAllowed,
)
from server.http import idempotency
from server.http.keys import ACTOR, DATABASE
from server.http.routes import CAPTIONS, FORM, Request, Routes, Who, path_id

route = Routes("content")
PICTURE_REFUSALS = (NotCourseInstructor, Missing, Malformed, Invalid, TooLarge, TypeNotAllowed, ContentMismatch, NoRoom)
CAPTION_REFUSALS = (
    *(NotCourseInstructor, Missing, Malformed, Invalid, Stalled, TooLarge, ContentMismatch, NoRoom),
    captions.TooManyLanguages,
)
MEDIA_REFUSALS = (TicketInvalid, TicketExpired, NotEnrolled, PremiumRequired, Missing, PreconditionFailed)


@route.post(
    "/courses/upload-content",
    answers=UploadAccepted,
    status=201,
    consumes=FORM,
    refuses=(*PICTURE_REFUSALS, CourseFull, RateLimited),
)
async def upload_content(request: Request) -> UploadAccepted:
    """Upload a lesson; `course_id` and `type` before `file`, or as query parameters, are judged before it is read."""
    database, actor = request.app[DATABASE], request[ACTOR]
    content_id = request.get(idempotency.MADE)
    if content_id is None:
        content_id = (await multipart.receive(request, actor, database, request.app[LIBRARY].intake)).id
    async with database.read() as read:
        content = await shown(read, await to_edit(read, actor, content_id), links_of(request))
    return UploadAccepted(message="The file has arrived and is being processed.", content=content)


async def _editor(request: Request) -> None:
    async with request.app[DATABASE].read() as read:
        await to_edit(read, request[ACTOR], path_id(request, "content_id"))


@route.put(
    "/content/{content_id}/thumbnail", answers=ContentShown, consumes=FORM, door=_editor, refuses=PICTURE_REFUSALS
)
async def put_thumbnail(request: Request) -> ContentShown:
    """Show another picture for a lesson: JPEG, PNG, GIF or WebP of at most 5 MB, made anew."""
    database, actor, library = request.app[DATABASE], request[ACTOR], request.app[LIBRARY]
    content_id = path_id(request, "content_id")
    async with database.read() as read:
        row = await read.get(Content, content_id)
    if row is None or row.original_key is None:
        raise Missing()
    key = await pictures.receive(request, library.intake, row.original_key.rpartition("/")[0])
    try:
        async with database.work("set lesson picture") as work:
            _, old = await service.set_thumbnail(work, actor, content_id, key)
    except OutcomeUnknown:
        raise  # the row may name it
    except Exception:
        await library.disk.run(library.storage.delete, key)
        raise
    if old is not None:
        await library.disk.run(library.storage.delete, old)
    async with database.read() as read:
        return await shown(read, await to_edit(read, actor, content_id), links_of(request))


@route.put(
    "/content/{content_id}/captions/{lang}",
    answers=ContentShown,
    consumes=CAPTIONS,
    query=CaptionsAsked,
    door=_editor,
    refuses=CAPTION_REFUSALS,
)
async def put_captions(request: Request, asked: CaptionsAsked) -> ContentShown:
    """Caption a lesson in a language (`en`, `pt-BR`): WebVTT of at most 1 MB, as the body or as a form's `file`."""
    database, library = request.app[DATABASE], request.app[LIBRARY]
    content_id, language = path_id(request, "content_id"), captions.language_of(request)
    async with database.read() as read:
        folder = await captions.folder_of(read, content_id)
    received = await captions.receive(request, library.intake, folder, asked.label)
    try:
        async with database.work("put captions") as work:
            _, old = await captions.put(work, request[ACTOR], content_id, language, received)
    except OutcomeUnknown:
        raise  # the row may name it
    except Exception:
        await library.disk.run(library.storage.delete, received.key)
        raise
    if old is not None:
        await library.disk.run(library.storage.delete, old)
    async with database.read() as read:
        return await shown(read, await to_edit(read, request[ACTOR], content_id), links_of(request))


@route.delete("/content/{content_id}/captions/{lang}", door=_editor, refuses=(Missing, NotCourseInstructor, Invalid))
async def delete_captions(request: Request) -> None:
    """Take a lesson's captions in this language away."""
    library, language = request.app[LIBRARY], captions.language_of(request)
    async with request.app[DATABASE].work("delete captions") as work:
        key = await captions.remove(work, request[ACTOR], path_id(request, "content_id"), language)
    await library.disk.run(library.storage.delete, key)


async def _media(request: Request, kind: str, id_name: str) -> web.StreamResponse:
    subject = Subject(kind, path_id(request, id_name), request.match_info["variant"])
    library = request.app[LIBRARY]
    return await library.sender.send(request, library.gate.asked(subject, request.query.get("t", "")))


@route.get(
    "/media/content/{content_id}/{variant}/{name}",
    who=Who.ANYONE,
    answers=bytes,
    produces="application/octet-stream",
    refuses=MEDIA_REFUSALS,
)
async def get_lesson_media(request: Request) -> web.StreamResponse:
    """A lesson's bytes or picture, by the ticket in `t`; Range, ETag and If-Range are honored."""
    return await _media(request, CONTENT, "content_id")


@route.head(
    "/media/content/{content_id}/{variant}/{name}",
    who=Who.ANYONE,
    answers=bytes,
    produces="application/octet-stream",
    refuses=MEDIA_REFUSALS,
)
async def head_lesson_media(request: Request) -> web.StreamResponse:
    """What a GET would answer, without the bytes."""
    return await _media(request, CONTENT, "content_id")


@route.get(
    "/media/courses/{course_id}/{variant}/{name}",
    who=Who.ANYONE,
    answers=bytes,
    produces="image/webp",
    refuses=MEDIA_REFUSALS,
)
async def get_course_picture(request: Request) -> web.StreamResponse:
    """A course's picture, by the ticket in `t`."""
    return await _media(request, COURSES, "course_id")


@route.head(
    "/media/courses/{course_id}/{variant}/{name}",
    who=Who.ANYONE,
    answers=bytes,
    produces="image/webp",
    refuses=MEDIA_REFUSALS,
)
async def head_course_picture(request: Request) -> web.StreamResponse:
    """What a GET would answer, without the bytes."""
    return await _media(request, COURSES, "course_id")
