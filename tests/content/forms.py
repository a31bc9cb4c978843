"""Uploads as tests send them, and waiting for what becomes of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from tests.api import Answer, Api

PATIENCE_SECONDS = 60.0  # a busy machine starts processes slowly
BOUNDARY = "lectern-test-boundary"


async def upload(api: Api, file: bytes | Path, name: str, course_id: int, kind: str, **more: Any) -> Answer:
    """Send a file as the page does."""
    fields = {"course_id": course_id, "_kind": kind, "title": "A lesson", **more}
    return await api.post("/courses/upload-content", data=_typed(file, name, fields))


def _typed(file: bytes | Path, name: str, fields: Mapping[str, Any]) -> Any:
    """`type` is a field of the form and of the part; the field is called `_kind` here."""
    given = dict(fields)
    file_first, declared = given.pop("file_first", False), given.pop("declared", None)
    kind = given.pop("_kind")
    data = aiohttp.FormData(quote_fields=False)
    content = file.read_bytes() if isinstance(file, Path) else file
    if file_first:
        data.add_field("file", content, filename=name, content_type=declared or "application/octet-stream")
    for field, value in {"type": kind, **given}.items():
        data.add_field(field, str(value))
    if not file_first:
        data.add_field("file", content, filename=name, content_type=declared or "application/octet-stream")
    return data


def raw_form(parts: list[tuple[str, bytes]], *, is_ended: bool = True) -> tuple[bytes, dict[str, str]]:
    """A body written by hand: (Content-Disposition parameters, bytes) each, and the headers to send with it."""
    body = b""
    for parameters, content in parts:
        head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {parameters}\r\n\r\n"
        body += head.encode("utf-8", "surrogateescape") + content + b"\r\n"
    body += f"--{BOUNDARY}--\r\n".encode() if is_ended else b""
    return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


async def zeros(head: bytes, size: int, step: int = 1024 * 1024) -> AsyncIterator[bytes]:
    """A file of `size` bytes that begins with `head`, made as it is sent."""
    yield head
    left = size - len(head)
    block = bytes(step)
    while left > 0:
        yield block[: min(step, left)]
        left -= step


async def until_settled(api: Api, content_id: int) -> dict[str, Any]:
    """The lesson once it is ready or has failed."""
    return await until_shown(api, content_id, lambda shown: shown["upload_status"] in ("completed", "failed"))


async def until_shown(api: Api, content_id: int, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The lesson once `condition` holds for it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        shown = (await api.get(f"/content/{content_id}")).json
        if condition(shown):
            return dict(shown)
        assert time.monotonic() < deadline, f"still {shown['upload_status']}: {shown}"
        await asyncio.sleep(0.05)


async def eventually(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.02)


def files_under(folder: Path) -> list[str]:
    """Every file below, as relative names."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


async def first_line(port: int | None, head: list[str]) -> bytes:
    """The first line of the answer to a request of which only the head is sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join(head).encode() + b"\r\n\r\n")
    try:
        async with asyncio.timeout(30):
            return await reader.readline()
    finally:
        writer.transport.abort()
