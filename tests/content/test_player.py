"""The player's page in a real browser, on a real lesson: keys, captions, where one left off, what comes next."""

from __future__ import annotations

import asyncio
import io
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image
from playwright.async_api import Browser, Page, expect

from server.content.wiring import LIBRARY
from tests.api import Api
from tests.content import samples
from tests.factories import World

VTT = b"WEBVTT\n\n00:00.000 --> 00:40.000\nA wave travels.\n"
SECONDS = 30.0
PATIENCE = 40.0
TILES = {"columns": 3, "rows": 2, "tile_width": 64, "tile_height": 48, "seconds_per_tile": 5.0}
OpenAs = Callable[..., Awaitable[Page]]


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """One database is enough: it is the page that is looked at."""
    (tmp_path / "lectern.db").write_bytes(migrated_sqlite.read_bytes())
    return f"sqlite+aiosqlite:///{tmp_path / 'lectern.db'}"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return samples.make(tmp_path_factory.mktemp("film"), "mp4", SECONDS, (64, 48))


@pytest.fixture
async def lessons(api: Callable[[str | None], Api], world: World, app: web.Application, film: Path) -> list[int]:
    """Two lessons of half a minute with the same film and small pictures; the first has captions, a remark at 0:12."""
    storage = app[LIBRARY].storage
    keys = {"film": "videos/aa/aabb/video-0011.mp4", "sheet": "videos/aa/aabb/seek-0022.webp"}
    for name, content in (("film", film.read_bytes()), ("sheet", sheet())):
        part = storage.new_part()
        part.write_bytes(content)
        storage.adopt(keys[name], part)
    course = await world.course("ana", ["bo"])
    shown: dict[str, Any] = {"file_url": keys["film"], "served_mime_type": "video/mp4", "duration_seconds": SECONDS}
    pictures: dict[str, Any] = {"seek_sheet_key": keys["sheet"], "seek_sheet": TILES}
    rows = [
        await world.content(course, title=title, original_key="videos/aa/aabb/o.mp4", **shown, **pictures)
        for title in ("A wave travels", "Standing waves")
    ]
    made = await api("ana").call("PUT", f"/content/{rows[0].id}/captions/en?label=English", data=VTT)
    assert made.status == 200, made.raw
    await api("ana").post(f"/content/{rows[0].id}/comments", {"body": "Look here", "at_seconds": 12})
    return [row.id for row in rows]


def sheet() -> bytes:
    """Two rows of three small pictures."""
    out = io.BytesIO()
    Image.new("RGB", (3 * 64, 2 * 48), "teal").save(out, "webp")
    return out.getvalue()


@pytest.fixture
async def open_as(browser: Browser, server: TestServer, world: World) -> AsyncIterator[OpenAs]:
    """`await open_as("bo", 1)` is that lesson's page in a browser profile of its own: another device."""
    contexts = []

    async def open_(person: str, content_id: int, has_own_clock: bool = False) -> Page:
        context = await browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
        contexts.append(context)
        who = world.people[person]
        shown = {"id": who.id, "email": who.email, "name": who.name, "role": who.role, "avatar_url": None}
        shown["created_at"] = "2026-01-01T00:00:00Z"
        said = {"user": shown, "access_token": world.token(person), "expires_in": 600, "sign_in_id": who.sign_in_id}
        await context.route(
            "**/auth/refresh", lambda route: route.fulfill(json={**said, "token_type": "Bearer"}, status=200)
        )
        kept = json.dumps(json.dumps([{**shown, "id": str(who.sign_in_id)}]))
        await context.add_init_script(f"localStorage.setItem('lectern.sign_ins', {kept})")
        page = await context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        if has_own_clock:
            await page.clock.install()
        await page.goto(str(server.make_url(f"/app/content/{content_id}")))
        await until(page, "v?.readyState >= 1")
        return page

    yield open_
    for context in contexts:
        await context.close()


async def video(page: Page, what: str) -> Any:
    return await page.evaluate(f"document.querySelector('video').{what}")


async def until(page: Page, what: str) -> None:
    """Until this is so of the page's video `v`; asked from outside, because the page's policy evaluates no text."""
    deadline = time.monotonic() + PATIENCE
    while not await page.evaluate(f"(() => {{ const v = document.querySelector('video'); return {what}; }})()"):
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)


async def test_keys_move_play_caption_and_are_said_and_their_help_opens(open_as: OpenAs, lessons: list[int]) -> None:
    page = await open_as("bo", lessons[0])
    status = page.locator(".player [role=status]")
    await page.keyboard.press("5")
    await until(page, "Math.abs(v.currentTime - 15) < 0.5")
    await expect(status).to_have_text("0:15")
    for key, at in (("ArrowRight", 20), ("j", 10), ("l", 20), ("ArrowLeft", 15), ("0", 0)):
        await page.keyboard.press(key)
        await until(page, f"Math.abs(v.currentTime - {at}) < 0.5")
    await page.keyboard.press("k")
    await until(page, "!v.paused")
    await page.keyboard.press("Space")
    await until(page, "v.paused")
    await expect(status).to_contain_text("Paused at")
    await page.keyboard.press("m")
    await until(page, "v.muted")
    await page.keyboard.press(">")
    await until(page, "v.playbackRate === 1.25")
    await expect(status).to_have_text("Speed 1.25")
    await page.keyboard.press("c")
    await until(
        page, "v.textTracks[0].mode === 'showing' && v.textTracks[0].activeCues?.[0]?.text === 'A wave travels.'"
    )
    await expect(page.get_by_role("combobox", name="Captions")).to_have_value("en")
    await page.keyboard.press("c")
    await until(page, "v.textTracks[0].mode === 'disabled'")
    await page.keyboard.press("f")
    await until(page, "document.fullscreenElement !== null")
    await page.keyboard.press("f")
    await until(page, "document.fullscreenElement === null")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog", name="Keys")).to_have_count(0)


async def test_the_line_is_a_slider_with_pictures_and_remarks_lead_to_their_moment(
    open_as: OpenAs, lessons: list[int]
) -> None:
    page = await open_as("bo", lessons[0])
    line = page.get_by_role("slider", name="Where in the lesson")
    await expect(line).to_have_attribute("aria-valuetext", "0:00 of 0:30")
    await line.focus()
    await page.keyboard.press("End")
    await expect(line).to_have_attribute("aria-valuenow", "30")
    await page.keyboard.press("Home")
    await expect(line).to_have_attribute("aria-valuenow", "0")
    await page.keyboard.press("ArrowRight")
    await expect(line).to_have_attribute("aria-valuetext", "0:05 of 0:30")
    box = await line.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await expect(page.locator(".seek-preview")).to_contain_text("0:15")
    picture = await page.locator(".seek-picture").evaluate(
        "({style, offsetWidth}) => [style.backgroundImage, style.backgroundPosition, offsetWidth]"
    )
    assert "/media/content/" in picture[0]
    assert picture[1:] == ["0px -48px", 64]  # 0:15 is the fourth picture
    await page.mouse.down()
    await page.mouse.up()
    await until(page, "Math.abs(v.currentTime - 15) < 0.5")
    await page.get_by_role("button", name="Go to 0:12, comment by Ana Castro").click()
    await until(page, "Math.abs(v.currentTime - 12) < 0.5")


async def test_another_device_goes_on_where_this_one_stopped(
    open_as: OpenAs, lessons: list[int], api: Callable[[str | None], Api]
) -> None:
    first, other = await open_as("bo", lessons[0]), await open_as("bo", lessons[1])
    async with first.expect_response("**/progress") as told:
        await first.keyboard.press("6")
    assert (await (await told.value).json())["position_seconds"] == pytest.approx(18, abs=0.5)
    second = await open_as("bo", lessons[0])
    await until(second, "Math.abs(v.currentTime - 18) < 0.5")
    await expect(second.get_by_role("button", name="Go on at 0:18")).to_be_visible()
    await second.keyboard.press("m")
    await second.get_by_role("button", name="Go on at 0:18").click()
    await until(second, "v.currentTime > 19")
    async with second.expect_response("**/progress"):
        await second.keyboard.press("k")
    mine = (await api("bo").get(f"/content/{lessons[0]}")).json["my_progress"]
    assert len(mine["watched"]) == 1
    assert mine["watched"][0][0] == pytest.approx(18, abs=0.5)
    assert await video(other, "currentTime") == 0


async def test_the_next_lesson_begins_by_itself_unless_one_stays(open_as: OpenAs, lessons: list[int]) -> None:
    page = await open_as("bo", lessons[0], has_own_clock=True)
    await page.keyboard.press("m")

    async def to_the_end() -> None:
        await page.evaluate("document.querySelector('video').currentTime = 29.5")
        await page.evaluate("document.querySelector('video').play()")
        await expect(page.get_by_role("group", name="Next lesson")).to_be_visible()

    await to_the_end()
    await expect(page.locator(".next-card")).to_contain_text("Next in 8 s")
    await page.get_by_role("button", name="Stay here").click()
    await expect(page.locator(".next-card")).to_have_count(0)
    assert page.url.endswith(f"/app/content/{lessons[0]}")
    await to_the_end()
    await page.clock.run_for(2500)
    await expect(page.locator(".next-card")).to_contain_text(re.compile("Next in [56] s"))  # it counts
    await page.clock.run_for(6500)
    await page.wait_for_url(f"**/app/content/{lessons[1]}")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Standing waves")
    await until(page, "!v.paused && v.currentTime > 0.2")
    await page.evaluate("document.querySelector('video').currentTime = 29.8")
    await until(page, "v.ended")
    await expect(page.locator(".next-card")).to_have_count(0)  # it was the last
