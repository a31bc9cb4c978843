"""A real browser at our door: a refused upload is seen by the page that is still sending it, a lesson plays and seeks.

The page belongs to another, listed site, so that the headers which let it read the answer are shown too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page

from server.settings import Settings
from tests.api import Api
from tests.conftest import SECRET
from tests.content.forms import files_under, until_settled, upload
from tests.factories import World
from tests.services import free_port

MEGABYTE = 1024 * 1024
SLOW_BYTES_PER_SECOND = 250_000  # 2 Mbit/s
SEEN_SECONDS = 10.0  # from the refusal; the slow case adds what the fields need to arrive
PAGE = """<!doctype html><title>another site</title><input type="file" id="file">
<script>
const form = (fields) => {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  data.append("file", document.getElementById("file").files[0]);
  return data;
};
window.byFetch = async ({url, token, fields}) => {
  const began = performance.now();
  try {
    const answer = await fetch(url, {method: "POST", body: form(fields), headers: {Authorization: `Bearer ${token}`}});
    return {status: answer.status, body: await answer.json(), seconds: (performance.now() - began) / 1000};
  } catch (error) { return {status: 0, error: String(error), seconds: (performance.now() - began) / 1000}; }
};
window.byXhr = ({url, token, fields}) => new Promise((done) => {
  const began = performance.now(), request = new XMLHttpRequest();
  const end = () => done({status: request.status, body: request.responseText && JSON.parse(request.responseText),
                          seconds: (performance.now() - began) / 1000});
  request.onload = request.onerror = end;
  request.open("POST", url);
  request.setRequestHeader("Authorization", `Bearer ${token}`);
  request.send(form(fields));
});
</script>"""


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """One database is enough here: it is the connection that is looked at."""
    (tmp_path / "lectern.db").write_bytes(migrated_sqlite.read_bytes())
    return f"sqlite+aiosqlite:///{tmp_path / 'lectern.db'}"


@pytest.fixture
def other_port() -> int:
    return free_port()


@pytest.fixture
def settings(database_url: str, tmp_path: Path, other_port: int) -> Settings:
    return Settings.model_validate(
        {
            "DATABASE_URL": database_url,
            "SECRET_KEY": SECRET,
            "LECTERN_DATA_DIR": str(tmp_path),
            "PORT": 0,
            "LECTERN_ALLOWED_ORIGINS": f"http://127.0.0.1:{other_port}",
        }
    )


@pytest.fixture
async def other_site(other_port: int) -> AsyncIterator[str]:
    """A page of another origin."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    running = TestServer(app, host="127.0.0.1", port=other_port)
    await running.start_server()
    yield f"http://127.0.0.1:{other_port}/"
    await running.close()


@pytest.fixture
async def slow_line(server: TestServer) -> AsyncIterator[str]:
    """The server behind a line of 2 Mbit/s."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: int | None) -> None:
        try:
            while data := await reader.read(16_384):
                writer.write(data)
                await writer.drain()
                if rate is not None:
                    await asyncio.sleep(len(data) / rate)  # the line itself, not a wait for something
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(
            carry(reader, up_writer, SLOW_BYTES_PER_SECOND), carry(up_reader, writer, None), return_exceptions=True
        )

    line = await asyncio.start_server(serve, "127.0.0.1", 0, limit=16_384)
    yield f"http://127.0.0.1:{line.sockets[0].getsockname()[1]}"
    line.close()


async def page_with_file(browser: Browser, site: str, file: Path) -> Page:
    page = await browser.new_page()
    await page.goto(site)
    await page.set_input_files("#file", str(file))
    return page


def sparse(folder: Path, size: int, head: bytes = b"") -> Path:
    """A large file that takes no room."""
    path = folder / "large.mp4"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return path


MP4_HEAD = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41"


@pytest.mark.parametrize("way", ["byXhr", "byFetch"])
async def test_600_megabytes_on_loopback_see_every_refusal(
    way: str, browser: Browser, server: TestServer, other_site: str, world: World, tmp_path: Path
) -> None:
    course, draft = await world.course("ana", ["bo"]), await world.course("dan", status="draft")
    page = await page_with_file(browser, other_site, sparse(tmp_path, 600 * MEGABYTE, MP4_HEAD))
    url = str(server.make_url("/courses/upload-content"))
    known = {"course_id": str(course.id), "type": "video", "title": "Long"}

    async def seen(person: str, fields: dict[str, str]) -> tuple[int, str]:
        token = world.token(person) if person else "nonsense"
        found: dict[str, Any] = await page.evaluate(
            f"(asked) => {way}(asked)", {"url": url, "token": token, "fields": fields}
        )
        assert found["status"], found
        assert found["seconds"] < SEEN_SECONDS, found
        return found["status"], found["body"]["code"]

    assert await seen("ana", known) == (413, "too_large")
    assert await seen("", known) == (401, "unauthenticated")
    assert await seen("bo", known) == (403, "not_course_instructor")
    assert await seen("ana", {**known, "course_id": str(draft.id)}) == (404, "not_found")
    assert await seen("ana", {**known, "type": "audio"}) == (413, "too_large")
    assert await seen("ana", {}) == (413, "too_large")  # the file comes first and is counted as it lands
    assert files_under(tmp_path / "uploads") == []


@pytest.mark.parametrize("way", ["byXhr", "byFetch"])
async def test_20_megabytes_on_a_slow_line_see_the_refusal_long_before_they_are_sent(
    way: str, browser: Browser, slow_line: str, other_site: str, world: World, tmp_path: Path
) -> None:
    course = await world.course("ana", ["bo"])
    page = await page_with_file(browser, other_site, sparse(tmp_path, 20 * MEGABYTE))
    url = f"{slow_line}/courses/upload-content"
    for person, status, code in (("ana", 422, "content_mismatch"), ("bo", 403, "not_course_instructor")):
        fields = {"course_id": str(course.id), "type": "video", "title": "Slow"}
        asked = {"url": url, "token": world.token(person), "fields": fields}
        began = time.monotonic()
        found: dict[str, Any] = await page.evaluate(f"(asked) => {way}(asked)", asked)
        assert (found["status"], (found.get("body") or {}).get("code")) == (status, code), found
        assert time.monotonic() - began < SEEN_SECONDS + 2
    assert files_under(tmp_path / "uploads") == []


@pytest.mark.parametrize("kind", ["mp4", "avi", "wav"])
async def test_a_lesson_plays_to_its_end_and_seeks_on_another_listed_site(
    kind: str,
    browser: Browser,
    other_site: str,
    api: Callable[[str | None], Api],
    world: World,
    sample: Callable[[str], Path],
) -> None:
    course = await world.course("ana", ["bo"])
    type_ = "audio" if kind == "wav" else "video"
    sent = await upload(api("ana"), sample(kind), sample(kind).name, course.id, type_)
    await until_settled(api("ana"), sent.json["content"]["id"])
    shown = (await api("bo").get(f"/content/{sent.json['content']['id']}")).json
    page = await browser.new_page()
    await page.goto(other_site)
    played: dict[str, Any] = await page.evaluate(
        """async ({url, picture}) => {
          const media = document.createElement("video");
          const until = (name) => new Promise((done, failed) => {
            media.addEventListener(name, done, {once: true});
            media.addEventListener("error", () => failed(new Error(media.error.message)), {once: true});
          });
          media.muted = true; media.src = url; document.body.append(media);
          await until("loadedmetadata");
          const began = performance.now();
          media.currentTime = 1.5;
          await until("seeked");
          const seek = performance.now() - began, duration = media.duration;
          media.play();
          await until("ended");
          let width = 0;
          if (picture) {
            const image = new Image(); image.src = picture; document.body.append(image);
            await image.decode(); width = image.naturalWidth;
          }
          return {seek, duration, width};
        }""",
        {"url": shown["file_url"], "picture": shown["thumbnail_url"]},
    )
    assert played["duration"] == pytest.approx(shown["duration_seconds"], abs=0.1)
    assert played["width"] == (160 if type_ == "video" else 0)
    assert played["seek"] < 3000
