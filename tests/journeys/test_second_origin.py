"""A page of another site: one that is listed signs in, uploads, plays and joins; one that is not can do none of it.

The site is `localhost`, the server `127.0.0.1`: two sites to a browser, both trusted enough for Secure cookies without
TLS, so that SameSite=None and CORS are really needed here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.journeys.browser import browser
from tests.program import ROOT, Program
from tests.services import free_port

CLIENT = ROOT / "node_modules/socket.io-client/dist/socket.io.js"
PAGE = Path(__file__).with_name("other_site.html")


@asynccontextmanager
async def site(port: int) -> AsyncIterator[str]:
    """A static site with one page; its origin."""

    async def page(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(CLIENT if request.path.endswith(".js") else PAGE)

    app = web.Application()
    app.router.add_get("/{name:.*}", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://localhost:{port}"
    finally:
        await runner.cleanup()


@pytest.fixture
def listed_port() -> int:
    return free_port()


@pytest.fixture
def environment(listed_port: int) -> dict[str, str]:
    return {"LECTERN_ALLOWED_ORIGINS": f"http://localhost:{listed_port}"}


async def test_a_listed_site_does_everything_and_an_unlisted_one_nothing(program: Program, listed_port: int) -> None:
    ana = {"email": "ana@example.org", "password": program.password}
    sample = program.sample
    async with browser(other_sites_cookies=True) as context, site(listed_port) as listed, site(free_port()) as unlisted:

        async def visit(origin: str) -> Any:
            page = await context.new_page()
            await page.goto(origin)
            await page.evaluate("(server) => { window.server = server; }", program.url)
            await page.locator("input").set_input_files(sample)
            return page

        page = await visit(listed)
        signed_in = await page.evaluate("(who) => signIn(who)", ana)
        assert signed_in["status"] == 200
        assert (await page.evaluate("() => refresh()"))["status"] == 200, "the cookie did not come back"
        uploaded = await page.evaluate("() => upload('From elsewhere')")
        assert uploaded["status"] == 201, uploaded
        played = await page.evaluate("(id) => play(id)", uploaded["body"]["content"]["id"])
        assert played["seconds"] > 0.3 and played["seeked"] > 1, played
        joined = await page.evaluate("() => join()")
        assert joined["transport"] == "websocket"
        assert joined["joined"]["ok"] and joined["heard"] == "From the other site", joined
        refused = await page.evaluate("() => uploadGarbage()")
        assert (refused["status"], refused["body"]["code"]) == (422, "content_mismatch"), refused

        token = signed_in["body"]["access_token"]
        lessons = (await page.evaluate("() => ask('GET', courseContent())"))["body"]
        stranger = await visit(unlisted)
        assert (await stranger.evaluate("(who) => signIn(who)", ana))["status"] == 0
        assert (await stranger.evaluate("() => refresh()"))["status"] == 0
        # Even with a token that came into its hands.
        await stranger.evaluate(
            "([token, course]) => take(token, course)", [token, uploaded["body"]["content"]["course_id"]]
        )
        assert (await stranger.evaluate("() => upload('By a stranger')"))["status"] == 0
        assert (await stranger.evaluate("() => ask('GET', courseContent())"))["status"] == 0
        for transport in ("websocket", "polling"):
            assert "refused" in await stranger.evaluate("(transport) => join(transport)", transport)
        after = (await page.evaluate("() => ask('GET', courseContent())"))["body"]
        assert [lesson["id"] for lesson in after] == [lesson["id"] for lesson in lessons]
        # The listed page's sign-in is as it was.
        assert (await page.evaluate("() => refresh()"))["status"] == 200
