"""A real, headless Chromium with a fake camera, speaking with a real media worker; the test is its signaling server."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright

from signaling.media.client import MediaClient, Track

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
]
PAGE = "http://localhost/lab"  # answered from the file beside this one; a secure context, so cameras work


class Lab:
    """The page's functions, from the test's side."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def publish(self, name: str, user: int, width: int = 640, height: int = 360) -> None:
        """A camera and a microphone."""
        await self.page.evaluate("(a) => publish(...a)", [name, user, width, height])

    async def publish_noise(self, name: str, user: int, max_bitrate: int) -> None:
        """A microphone, and a picture that no encoder gets small."""
        await self.page.evaluate("(a) => publish(...a)", [name, user, 640, 360, max_bitrate])

    async def publish_layers(self, name: str, user: int, *, is_noisy: bool = False) -> None:
        """A microphone, and a camera in two layers: `h` as it is, `l` half as wide; noisy: no encoder gets it small."""
        layers = [
            {"rid": "l", "scaleResolutionDownBy": 2, "maxBitrate": 150_000},
            {"rid": "h", "maxBitrate": 1_200_000},
        ]
        await self.page.evaluate(
            "(a) => publish(...a)", [name, user, 640, 360, 1_200_000 if is_noisy else None, layers]
        )

    async def subscribe(self, name: str, user: int) -> None:
        """Take the pool."""
        await self.page.evaluate("(a) => subscribe(...a)", [name, user])

    async def restart(self, name: str) -> None:
        """ICE restart of a publisher or a subscriber."""
        await self.page.evaluate("(n) => publishers[n] ? restartPublish(n) : restartSubscribe(n)", name)

    async def measure(self, name: str) -> dict[str, Any]:
        """What getStats says."""
        return dict(await self.page.evaluate("(n) => measure(n)", name))

    async def frames(self, name: str, mid: str) -> list[dict[str, Any]]:
        """Every frame shown so far on an m-line."""
        return list(await self.page.evaluate("(a) => framesOf(...a)", [name, mid]))

    async def time(self) -> float:
        """The page's clock, seconds."""
        return float(await self.page.evaluate("now()"))

    async def wait_for_frames(self, name: str, mid: str, count: int, *, width: int, since: float = 0.0) -> float:
        """Wait until so many frames of that width were shown after `since`; the first one's time."""
        found = await self.page.wait_for_function(
            """([name, mid, count, width, since]) => {
                const shown = framesOf(name, mid).filter((f) => f.at > since && f.width === width);
                return shown.length >= count ? {first: shown[0].at} : false;
            }""",
            arg=[name, mid, count, width, since], timeout=40_000, polling=20,
        )  # fmt: skip
        return float((await found.json_value())["first"])


@asynccontextmanager
async def open_lab(client: MediaClient, room: int) -> AsyncIterator[Lab]:
    """A browser whose page signals through the client. Names of connections are peers."""

    async def publish(name: str, user: int, sdp: str, tracks: list[list[str]]) -> str:
        return await client.publish(room, name, user, sdp, [Track(mid, source) for mid, source in tracks])

    async def subscribe(name: str, user: int) -> dict[str, Any]:
        offer = await client.subscribe(room, name, user)
        return {"revision": offer.revision, "sdp": offer.sdp}

    async def answer(name: str, revision: int, sdp: str) -> None:
        await client.answer(room, name, revision, sdp)

    async def restart_publish(name: str, sdp: str) -> str:
        return await client.restart_publish(room, name, sdp)

    async def restart_subscribe(name: str) -> dict[str, Any]:
        offer = await client.restart_subscribe(room, name)
        return {"revision": offer.revision, "sdp": offer.sdp}

    with tempfile.TemporaryDirectory() as profile:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch_persistent_context(
                profile, executable_path="/usr/bin/chromium", headless=True, args=FLAGS
            )
            try:
                page = await browser.new_page()
                html = Path(__file__).with_name("lab.html").read_text()
                await page.route(PAGE, lambda route: route.fulfill(body=html, content_type="text/html"))
                await page.expose_function("serverPublish", publish)
                await page.expose_function("serverSubscribe", subscribe)
                await page.expose_function("serverAnswer", answer)
                await page.expose_function("serverRestartPublish", restart_publish)
                await page.expose_function("serverRestartSubscribe", restart_subscribe)
                await page.goto(PAGE)
                yield Lab(page)
            finally:
                await browser.close()
