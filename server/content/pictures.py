"""Pictures people upload, for courses and lessons: received under a limit, made anew in a worker, kept as WebP."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from server.content import child
from server.content.child import WorkerRefused
from server.content.formats import MEGABYTE
from server.content.rules import clean_file_name, extension_of
from server.content.storage import new_token
from server.content.uploads.form import LARGEST_FORM_BYTES, FilePart, parts
from server.content.uploads.intake import Intake
from server.content.uploads.part_file import PartFile
from server.errors import ContentMismatch, Invalid, TooLarge, TypeNotAllowed
from server.http.routes import Request

LIMIT_BYTES = 5 * MEGABYTE
ALLOWED = ("image/jpeg", "image/png", "image/gif", "image/webp")
_DECLARED = frozenset({*ALLOWED, "image/jpg", "image/pjpeg", "image/x-png", "application/octet-stream", ""})
_EXTENSIONS = frozenset({"jpg", "jpeg", "jpe", "jfif", "png", "gif", "webp", ""})


async def receive(request: Request, intake: Intake, folder: str) -> str:
    """Take in the picture of this form and return its storage key under `folder`.

    Raises Malformed, Invalid, TooLarge (5 MB), TypeNotAllowed, ContentMismatch, NoRoom; then nothing of it is left.
    """
    async with AsyncExitStack() as stack:
        picture: PartFile | None = None
        if (request.content_length or 0) > LIMIT_BYTES + LARGEST_FORM_BYTES:
            raise _too_large()
        async for part in parts(request):
            if isinstance(part, FilePart):
                picture = await _arrived(part, intake, stack)
        if picture is None:
            raise Invalid(errors=[{"pointer": "/file", "detail": "is missing"}])
        return await _kept(picture.path, intake, folder)


async def _arrived(part: FilePart, intake: Intake, stack: AsyncExitStack) -> PartFile:
    declared = part.declared_type.partition(";")[0].strip().lower()
    if declared not in _DECLARED or extension_of(clean_file_name(part.file_name)) not in _EXTENSIONS:
        raise _not_allowed()
    stack.enter_context(intake.space.promised(LIMIT_BYTES, await intake.free_bytes()))
    file = await stack.enter_async_context(intake.part())
    async for chunk in part.chunks():
        await file.write(chunk, _judge)
    await file.finish(_judge)
    return file


def _judge(file: PartFile) -> None:
    if file.size > LIMIT_BYTES:
        raise _too_large()
    head = file.head
    is_webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    if not (head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")) or is_webp):
        raise _not_allowed()


async def _kept(path: Path, intake: Intake, folder: str) -> str:
    token = new_token()
    scratch = await intake.disk.run(intake.storage.scratch_of, f"picture-{token}")
    made = scratch / "picture.webp"
    try:
        order = {"command": "picture", "path": str(path), "output": str(scratch)}
        await child.run(child.PICTURE, order)
        key = f"{folder}/{token}.webp"
        await intake.disk.run(intake.storage.adopt, key, made)
        return key
    except WorkerRefused as refused:
        raise ContentMismatch(refused.detail) from refused
    finally:
        await intake.disk.run(intake.storage.remove_scratch, scratch.name)


def _too_large() -> TooLarge:
    limit = LIMIT_BYTES
    return TooLarge(f"The picture is larger than {limit / MEGABYTE:g} MB.", limit=limit, limit_bytes=limit)


def _not_allowed() -> TypeNotAllowed:
    return TypeNotAllowed("Send a JPEG, PNG, GIF or WebP picture.", allowed=list(ALLOWED))
