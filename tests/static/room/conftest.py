"""The room page in a real Chromium with a whole class inside it: the scene and the fixtures that open it.

No server takes part: the page's connection ends in the page (world.js), while its outbox, its store, its peer
connections and the fake camera are the real ones. One browser serves all tests of a module, one context each.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, Route, ViewportSize, async_playwright

from tests.static.room.scene import ABOUT, ANA, ANA_SENDS, DESK, PEOPLE, OpenRoom

ROOT = Path(__file__).resolve().parents[3]
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
    "--no-sandbox",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        await opened.close()


@pytest_asyncio.fixture(loop_scope="module")
async def open_room(browser: Browser) -> AsyncIterator[OpenRoom]:
    """Open the room as one of PEOPLE; every error on the page fails the test."""
    page_html = (ROOT / "static/index.html").read_text()
    app = web.Application()
    app.router.add_static("/static", ROOT / "static")

    async def page_of_the_app(request: web.Request) -> web.Response:
        return web.Response(text=page_html, content_type="text/html")

    app.router.add_get("/app/{rest:.*}", page_of_the_app)
    errors: list[str] = []

    async with TestServer(app) as server:

        async def open_as(
            me: int,
            *,
            size: ViewportSize = DESK,
            scheme: Any = "light",
            about: dict[str, Any] | None = None,
            script: str = "",
            people: list[dict[str, Any]] | None = None,
            **scene: Any,
        ) -> Page:
            everyone = people or PEOPLE
            person = next(one for one in everyone if one["id"] == me)
            user = {
                "id": me,
                "email": "somebody@example.org",
                "name": person["name"],
                "role": "student",
                "avatar_url": None,
            }
            session = {**ABOUT, "my_role": person["role"], **(about or {})}
            answers: dict[str, Any] = {
                "**/auth/refresh": {"user": user, "access_token": "t", "expires_in": 600, "sign_in_id": 1},
                "**/live-sessions/9": session,
                "**/notifications/**": {"unread_count": 0},
            }
            events = [] if me == ANA else ANA_SENDS
            told = {"me": me, "people": everyone, "about": session, "events": events, **scene}
            context = await browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
            page = await context.new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            await page.add_init_script(
                f"window.scene = {json.dumps(told)}; sessionStorage.setItem('lectern.sign_in', '1'); {script}"
            )
            for pattern, answer in answers.items():
                await page.route(pattern, _answering(answer))
            await page.route("**/static/js/socket.js", _world)
            await page.goto(str(server.make_url("/app/sessions/9")))
            return page

        yield open_as
        for context in browser.contexts:
            await context.close()
    assert errors == []


def _answering(answer: Any) -> Callable[[Route], Awaitable[None]]:
    async def fulfill(route: Route) -> None:
        await route.fulfill(json=answer)

    return fulfill


async def _world(route: Route) -> None:
    await route.fulfill(path=ROOT / "tests/static/room/world.js", content_type="text/javascript")
