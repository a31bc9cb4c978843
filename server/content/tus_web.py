"""Resumable uploads over REST, as tus 1.0.0 words them: what its clients send and read, beside our own problems."""

from __future__ import annotations

import functools
from typing import Any

from aiohttp import hdrs, web
from pydantic import ValidationError

from server.content import rules, service
from server.content.audience import to_edit
from server.content.links import links_of
from server.content.quota import CourseFull
from server.content.schemas import UploadAccepted, UploadFields
from server.content.service import InvalidContentStatus
from server.content.shown import shown
from server.content.uploads import tus_headers
from server.content.uploads.appending import ChecksumMismatch, OffsetMismatch, append
from server.content.uploads.tus import Claim, Progress, Uploads, progress_of
from server.content.wiring import LIBRARY
from server.errors import (
    ContentMismatch,
    Invalid,
    LengthRequired,
    Malformed,
    Missing,
    NoRoom,
    NotCourseInstructor,
    PreconditionFailed,
    RateLimited,
    TooLarge,
    TypeNotAllowed,
)
from server.http import idempotency
from server.http.keys import ACTOR, DATABASE, SETTINGS
from server.http.routes import OFFSET_STREAM, Request, Routes, Who, path_id
from server.wire import Id, Wire, invalid_from

route = Routes("content")
PATH = "/courses/uploads"
TOLD: web.RequestKey[dict[str, str]] = web.RequestKey("TOLD", dict)
OWNER_REFUSALS = (PreconditionFailed, Missing, NotCourseInstructor)
FILE_REFUSALS = (TooLarge, TypeNotAllowed, ContentMismatch, NoRoom)
BYTE_REFUSALS = (Malformed, Invalid, *FILE_REFUSALS, OffsetMismatch, ChecksumMismatch)


class _CourseNamed(Wire):
    course_id: Id


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """What every answer about uploads carries, refusals too, and what the handler had to tell with its own."""
    path = request.path.removeprefix(request.app[SETTINGS].api_prefix)
    if path == PATH or path.startswith(PATH + "/"):
        response.headers.setdefault("Tus-Resumable", tus_headers.VERSION)
        for name, value in request.get(TOLD, {}).items():
            response.headers.setdefault(name, value)


def _tell(request: Request, **headers: Any) -> None:
    told = request.setdefault(TOLD, {})
    told.update({name.replace("_", "-"): str(value) for name, value in headers.items() if value is not None})


async def _understood(request: Request) -> None:
    """Raises PreconditionFailed for another version of the protocol."""
    if request.headers.get("Tus-Resumable") != tus_headers.VERSION:
        _tell(request, Tus_Version=tus_headers.VERSION)
        raise PreconditionFailed(f"Send Tus-Resumable: {tus_headers.VERSION}.")


async def _editing(request: Request) -> None:
    await _understood(request)
    async with request.app[DATABASE].read() as read:
        row = (await to_edit(read, request[ACTOR], path_id(request, "content_id"))).content
    if row.upload_expires_at is None:
        raise Missing()


@route.add("OPTIONS", PATH, who=Who.ANYONE)
async def describe_uploads(request: Request) -> web.Response:
    """What of tus 1.0.0 is understood, in headers: version, extensions, the largest file, checksums."""
    headers = {
        "Tus-Version": tus_headers.VERSION,
        "Tus-Extension": tus_headers.EXTENSIONS,
        "Tus-Max-Size": str(max(request.app[LIBRARY].intake.limits.values())),
        "Tus-Checksum-Algorithm": ",".join(tus_headers.ALGORITHMS),
    }
    return web.Response(status=204, headers=headers)


@route.post(
    PATH,
    answers=UploadAccepted,
    status=201,
    door=_understood,
    consumes=OFFSET_STREAM,
    refuses=(*OWNER_REFUSALS, LengthRequired, *BYTE_REFUSALS, CourseFull, RateLimited),
)
async def create_upload(request: Request) -> UploadAccepted:
    """Begin a resumable upload (tus 1.0.0 creation).

    `Upload-Length` is the file's size; `Upload-Metadata` carries course_id, type, title, filename and the other
    fields of the form. The lesson is there at once, `uploading`; `Location` is where its bytes go, and a first piece
    of them may come along.
    """
    uploads, actor = _uploads(request), request[ACTOR]
    is_with_upload = request.content_type == OFFSET_STREAM and request.body_exists
    claim = await _claim(request)
    checksum = tus_headers.checksum(tus_headers.only(request.headers, "Upload-Checksum"))
    content_id = request.get(idempotency.MADE)
    if content_id is not None:  # by an earlier request with this key; a client goes on at the offset it is told
        progress = await uploads.progress(actor, content_id)
    else:
        row = await uploads.create(actor, claim, functools.partial(idempotency.note_made, request))
        content_id, progress = row.id, progress_of(row, 0)
    _tell(request, Location=links_of(request).upload(content_id))
    if is_with_upload and idempotency.MADE not in request:
        progress = await append(request, uploads, actor, content_id, 0, checksum)
    _tell_progress(request, progress)
    async with request.app[DATABASE].read() as read:
        content = await shown(read, await to_edit(read, actor, content_id), links_of(request))
    return UploadAccepted(message="The upload has begun; send its bytes to upload_url.", content=content)


@route.head(PATH + "/{content_id}", door=_editing, status=200, refuses=OWNER_REFUSALS)
async def ask_upload(request: Request) -> web.Response:
    """How much has arrived: `Upload-Offset` of `Upload-Length`. A connection that still sends is ended first."""
    progress = await _uploads(request).progress(request[ACTOR], path_id(request, "content_id"))
    _tell_progress(request, progress)
    _tell(request, Upload_Length=progress.size_bytes, Upload_Metadata=progress.metadata or None)
    return web.Response(status=200, headers={hdrs.CACHE_CONTROL: "no-store"})


@route.patch(PATH + "/{content_id}", door=_editing, consumes=OFFSET_STREAM, refuses=(*OWNER_REFUSALS, *BYTE_REFUSALS))
async def append_to_upload(request: Request) -> web.Response:
    """Send bytes at `Upload-Offset`; what arrives counts even if the connection breaks.

    `Upload-Checksum` (sha256, sha1, sha512, md5) has the bytes of this request checked, all or nothing.
    """
    return await _append(request)


@route.post(
    PATH + "/{content_id}",
    door=_editing,
    consumes=OFFSET_STREAM,
    status=204,
    refuses=(*OWNER_REFUSALS, *BYTE_REFUSALS, InvalidContentStatus),
)
async def act_on_upload(request: Request) -> web.Response | None:
    """PATCH or DELETE for whoever cannot send them, named in `X-HTTP-Method-Override` (tus 1.0.0)."""
    method = request.headers.get("X-HTTP-Method-Override", "").strip().upper()
    if method == hdrs.METH_PATCH:
        return await _append(request)
    if method == hdrs.METH_DELETE:
        await _uploads(request).cancel(request[ACTOR], path_id(request, "content_id"))
        return None
    raise web.HTTPMethodNotAllowed(hdrs.METH_POST, [hdrs.METH_HEAD, hdrs.METH_PATCH, hdrs.METH_DELETE])


@route.delete(PATH + "/{content_id}", door=_editing, refuses=(*OWNER_REFUSALS, InvalidContentStatus))
async def cancel_upload(request: Request) -> None:
    """Give the upload up (tus termination): the lesson becomes `failed` with `cancelled`, its bytes go."""
    await _uploads(request).cancel(request[ACTOR], path_id(request, "content_id"))


async def _append(request: Request) -> web.Response:
    if request.content_type != OFFSET_STREAM:
        raise TypeNotAllowed(f"Send the bytes as {OFFSET_STREAM}.", allowed=[OFFSET_STREAM])
    offset = tus_headers.count("Upload-Offset", tus_headers.only(request.headers, "Upload-Offset"))
    checksum = tus_headers.checksum(tus_headers.only(request.headers, "Upload-Checksum"))
    content_id = path_id(request, "content_id")
    try:
        progress = await append(request, _uploads(request), request[ACTOR], content_id, offset, checksum)
    except OffsetMismatch as mismatch:
        _tell(request, Upload_Offset=mismatch.extra["offset"])
        raise
    _tell_progress(request, progress)
    return web.Response(status=204)


def _uploads(request: Request) -> Uploads:
    return Uploads(request.app[DATABASE], request.app[LIBRARY].intake)


def _tell_progress(request: Request, progress: Progress) -> None:
    expires_at = tus_headers.http_date(progress.expires_at) if progress.expires_at else None
    _tell(request, Upload_Offset=progress.offset, Upload_Expires=expires_at)


async def _claim(request: Request) -> Claim:
    """What the headers say; the course is judged before the rest.

    Raises Invalid, LengthRequired, Missing, NotCourseInstructor.
    """
    if "Upload-Concat" in request.headers:
        raise Invalid("Uploads are not put together here (Upload-Concat); send the file as one.")
    header = tus_headers.only(request.headers, "Upload-Metadata") or ""
    given = {name: value for name, value in tus_headers.metadata(header).items() if value}
    try:
        course_id = _CourseNamed.model_validate(given).course_id
        async with request.app[DATABASE].read() as read:
            await service.to_upload(read, request[ACTOR], course_id)
        fields = UploadFields.model_validate(given)
    except ValidationError as error:
        raise invalid_from(error) from error
    if "Upload-Defer-Length" in request.headers:
        raise Invalid("The size must be known: send Upload-Length instead of Upload-Defer-Length.")
    if "Upload-Length" not in request.headers:
        raise LengthRequired("Send Upload-Length, the size of the file in bytes.")
    size = tus_headers.count("Upload-Length", tus_headers.only(request.headers, "Upload-Length"))
    name = rules.clean_file_name(given.get("filename"))
    return Claim(fields, name, given.get("filetype", ""), size, header)
