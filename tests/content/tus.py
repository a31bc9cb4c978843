"""Resumable uploads as tests send them: headers by the book, and connections that can be cut anywhere."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.api import Answer, Api

OFFSET_STREAM = "application/offset+octet-stream"
VERSION = {"Tus-Resumable": "1.0.0"}
MP4_HEAD = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41"
MP3_HEAD = b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x00"


def part_size(uploads: Path) -> int:
    """The bytes of what is unfinished."""
    return sum(path.stat().st_size for path in (uploads / "incoming").glob("*.part"))


def id_in(path: str) -> int:
    """The lesson of an upload's address."""
    return int(path.rpartition("/")[2])


def metadata(**fields: Any) -> str:
    """Upload-Metadata with these values."""
    return ",".join(f"{name} {base64.b64encode(str(value).encode()).decode()}" for name, value in fields.items())


def checksum_of(data: bytes, algorithm: str = "sha256") -> dict[str, str]:
    digest = hashlib.new(algorithm, data).digest()
    return {"Upload-Checksum": f"{algorithm} {base64.b64encode(digest).decode()}"}


async def create(
    api: Api, course_id: int, size: int, *, headers: Mapping[str, str] | None = None, data: bytes = b"", **fields: Any
) -> Answer:
    """Begin an upload; `fields` go over the usual ones."""
    given = {"course_id": course_id, "type": "video", "title": "A lesson", "filename": "a.mp4", **fields}
    sent = {**VERSION, "Upload-Length": str(size), "Upload-Metadata": metadata(**given), **(headers or {})}
    if data:
        sent["Content-Type"] = OFFSET_STREAM
    return await api.post("/courses/uploads", headers=sent, data=data or None)


async def begun(api: Api, course_id: int, size: int, **fields: Any) -> str:
    """Begin an upload that must be accepted; its path."""
    answer = await create(api, course_id, size, **fields)
    assert answer.status == 201, answer.raw
    return urlsplit(answer.headers["Location"]).path


async def patch(api: Api, path: str, offset: int, data: Any, **headers: str) -> Answer:
    sent = {**VERSION, "Content-Type": OFFSET_STREAM, "Upload-Offset": str(offset)}
    sent.update({name.replace("_", "-"): value for name, value in headers.items()})
    return await api.patch(path, headers=sent, data=data)


async def ask(api: Api, path: str) -> Answer:
    return await api.call("HEAD", path, headers=VERSION)


async def offset_of(api: Api, path: str) -> int:
    answer = await ask(api, path)
    assert answer.status == 200, answer.status
    return int(answer.headers["Upload-Offset"])


class Cut:
    """A PATCH over a socket of its own, as far as the test lets it come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def begin(
        cls, port: int | None, token: str, path: str, offset: int, length: int, data: bytes, **headers: str
    ) -> Cut:
        """Promise `length` bytes and send `data` of them."""
        assert port is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = [
            f"PATCH {path} HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {token}",
            "Tus-Resumable: 1.0.0",
            f"Content-Type: {OFFSET_STREAM}",
            f"Upload-Offset: {offset}",
            f"Content-Length: {length}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        await writer.drain()
        return cls(reader, writer)

    async def status(self) -> int:
        """What it was answered in the end."""
        async with asyncio.timeout(30):
            return int((await self.reader.readline()).split()[1])

    def abort(self) -> None:
        """Gone, without a word."""
        self.writer.transport.abort()
