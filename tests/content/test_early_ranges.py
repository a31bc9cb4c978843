"""Ranges answered early are the bytes, headers and rights that they are on the ordinary way."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.content import files
from server.content.early_ranges import LONGEST_BYTES, EarlyRanges
from server.content.tables import Content
from server.content.wiring import LIBRARY
from server.http.keys import READINESS
from tests.api import Api
from tests.factories import World

ApiOf = Callable[[str | None], Api]
BYTES = random.Random(7).randbytes(1024 * 1024)
ORDINARY = "If-Modified-Since: never\r\n"  # means nothing to either, and is not looked at early
CUT_SECONDS = 2.0
SLOW_WINDOW = 4096


class Line:
    """One keep-alive connection to a lesson, asked byte by byte as we like."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str) -> None:
        self.reader, self.writer, self.target = reader, writer, target

    def head(self, range_: str, more: str = "") -> bytes:
        return f"GET {self.target} HTTP/1.1\r\nHost: x\r\nRange: bytes={range_}\r\n{more}\r\n".encode()

    async def ask(self, range_: str, more: str = "") -> tuple[str, dict[str, str], bytes]:
        self.writer.write(self.head(range_, more))
        return await self.answer()

    async def answer(self) -> tuple[str, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head[:-4].split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        assert len(headers) == len(lines)
        return status, headers, await self.reader.readexactly(int(headers["content-length"]))


Opened = Callable[[], Awaitable[Line]]


@pytest.fixture(autouse=True)
def memory_is_read_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File systems in memory know no reading without waiting, and never wait: files of tests may lie in one."""
    (probe := tmp_path / "probe").write_bytes(b"x")
    with probe.open("rb") as opened:
        if files.read_cached(files.OpenFile(opened.fileno(), 1, 0.0, ""), bytearray(1), 0) == 0:
            monkeypatch.setattr(files, "_NOWAIT", 0)


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What the early way said to each piece of a connection, True where it answered."""
    said: list[bool] = []
    answer = EarlyRanges.__call__

    def spied(self: EarlyRanges, transport: asyncio.Transport, data: bytes) -> bool:
        said.append(answer(self, transport, data))
        return said[-1]

    monkeypatch.setattr(EarlyRanges, "__call__", spied)
    return said


@pytest.fixture
async def row(app: web.Application, world: World) -> Content:
    course = await world.course("ana", ["bo"])
    storage = app[LIBRARY].storage
    part = storage.new_part()
    part.write_bytes(BYTES)
    key = "videos/aa/aabb/video-0123456789abcdef.mp4"
    storage.adopt(key, part)
    return await world.content(course, file_url=key, served_mime_type="video/mp4")


@pytest.fixture
async def opened(api: ApiOf, server: TestServer, row: Content, early: list[bool]) -> AsyncIterator[Opened]:
    """`await opened()` is a connection of somebody entitled, on which a first range has come."""
    url = str((await api("bo").get(f"/content/{row.id}")).json["file_url"])
    lines: list[Line] = []

    async def another() -> Line:
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_WINDOW)  # nothing comes through in one go
        one.setblocking(False)
        await asyncio.get_running_loop().sock_connect(one, ("127.0.0.1", server.port))
        reader, writer = await asyncio.open_connection(sock=one, limit=SLOW_WINDOW)
        lines.append(Line(reader, writer, url.split(str(server.port), 1)[1]))
        await lines[-1].ask("0-9")
        early.clear()
        return lines[-1]

    yield another
    for line in lines:
        line.writer.transport.abort()


@pytest.fixture
async def line(opened: Opened) -> Line:
    return await opened()


async def test_both_ways_say_the_same(line: Line, early: list[bool]) -> None:
    for range_, more in (
        ("0-0", ""),
        ("5-70000", ""),
        (f"1000-{1000 + LONGEST_BYTES - 1}", "Connection: keep-alive\r\nUser-Agent: Some/1.0 (a; b)\r\n"),
        ("1048000-99999999", ""),
        ("7-16", 'If-Range: "video-0123456789abcdef"\r\n'),
    ):
        quick, usual = await line.ask(range_, more), await line.ask(range_, more + ORDINARY)
        assert early[-2:] == [True, False], range_
        assert quick[0] == usual[0] == "HTTP/1.1 206 Partial Content"
        own = {"date", "x-request-id"}
        assert {k: v for k, v in quick[1].items() if k not in own} == {
            k: v for k, v in usual[1].items() if k not in own
        }
        assert own <= quick[1].keys() and len(quick[1]["x-request-id"]) == len(usual[1]["x-request-id"])
        assert quick[2] == usual[2]
        first = int(range_.partition("-")[0])
        assert quick[2] == BYTES[first : first + len(quick[2])]


async def test_what_is_not_the_plainest_question_goes_the_ordinary_way(opened: Opened, early: list[bool]) -> None:
    for range_, more, status in (
        (f"0-{LONGEST_BYTES}", "", "206"),
        ("-5", "", "206"),
        ("5-", "", "206"),
        ("0-1,3-4", "", "200"),
        ("9-5", "", "200"),
        (f"{len(BYTES)}-{len(BYTES) + 5}", "", "416"),
        ("0-5", 'If-Range: "other"\r\n', "200"),
        ("0-5", 'If-None-Match: "video-0123456789abcdef"\r\n', "304"),
        ("0-5", "Range: bytes=1-2\r\n", "206"),
        ("0-5", "Origin: http://elsewhere.example\r\n", "206"),
        ("0-5", "Connection: close\r\n", "206"),
    ):
        line = await opened()
        line.writer.write(line.head(range_, more))
        assert (await line.reader.readline()).split()[1] == status.encode(), (range_, more)
        assert early == [False], (range_, more)


async def test_a_ticket_that_is_not_for_it_is_refused_in_full(line: Line, early: list[bool]) -> None:
    line.target = line.target.replace("/file/", "/thumbnail/")
    status, headers, body = await line.ask("0-5")
    assert status.split()[1] == "401" and b"ticket_invalid" in body
    assert headers["content-type"].startswith("application/problem+json")
    assert early == [False]


async def test_questions_that_come_together_or_in_pieces_are_all_answered_in_order(
    line: Line, early: list[bool]
) -> None:
    ranges = [(n * 1000, n * 1000 + 150_000) for n in range(4)]
    line.writer.write(b"".join(line.head(f"{first}-{last}") for first, last in ranges))
    for first, last in ranges:
        assert (await line.answer())[2] == BYTES[first : last + 1]
    line.writer.write(line.head("3-4")[:20])
    await asyncio.sleep(0)
    line.writer.write(line.head("3-4")[20:])
    assert (await line.answer())[2] == BYTES[3:5]
    assert not any(early)


async def test_after_another_request_with_a_body_they_are_answered_early_again(line: Line, early: list[bool]) -> None:
    body = b'{"email": "nobody@example.org", "password": "wrong"}'
    head = f"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    line.writer.write(head.encode() + body)
    assert (await line.answer())[0].split()[1] in ("400", "401")
    early.clear()
    assert (await line.ask("3-40000"))[2] == BYTES[3:40_001]
    assert early == [True]


async def test_what_a_slow_viewer_has_not_taken_is_cut_when_the_right_to_it_ends(
    api: ApiOf, line: Line, early: list[bool], row: Content, world: World
) -> None:
    line.writer.write(line.head(f"0-{LONGEST_BYTES - 1}"))
    assert (await line.reader.readline()).startswith(b"HTTP/1.1 206")
    assert early == [True]
    since = time.monotonic()
    revoked = await api("ana").delete(f"/courses/{row.course_id}/enrollments/{world.id_of('bo')}")
    assert revoked.status == 204
    got = 0
    try:
        while data := await line.reader.read(512):
            got += len(data)
            await asyncio.sleep(0.02)  # the line itself, not a wait for something
    except ConnectionError:
        pass
    assert got < LONGEST_BYTES
    assert time.monotonic() - since < 2 * CUT_SECONDS


async def test_a_draining_server_says_that_it_closes(line: Line, early: list[bool], app: web.Application) -> None:
    app[READINESS].draining = True
    assert (await line.ask("0-5"))[1]["connection"] == "close"
    assert early == [False]


async def test_a_file_that_is_not_open_any_more_is_opened_again(
    line: Line, early: list[bool], app: web.Application
) -> None:
    app[LIBRARY].files.close()
    assert (await line.ask("0-5"))[2] == BYTES[:6]
    assert (await line.ask("0-5"))[2] == BYTES[:6]
    assert early == [False, True]
