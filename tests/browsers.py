"""A headless Chromium with a fake camera and microphone, as the tests' eyes and ears."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

from tests.services import ServiceMissing

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    # Loopback is left out of peer connections unless asked for; without it tests would use the machine's other address.
    "--allow-loopback-in-peer-connection",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


def chromium_path() -> str:
    """Where the system's Chromium is. Raises ServiceMissing."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise ServiceMissing("chromium is missing: install it (Debian: apt-get install chromium)")


@asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Browser]:
    """One browser, closed at the end."""
    path = chromium_path()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags], headless=True)
        yield browser
        await browser.close()
