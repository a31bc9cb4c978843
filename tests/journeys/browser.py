"""One real, headless Chromium with a fake camera, and people at its tabs who click what they can read."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import BrowserContext, Locator, Page, async_playwright, expect

PATIENCE = 40.0  # seconds a test waits for what should take a fraction of one
MEASURE = Path(__file__).with_name("measure.js").read_text()
QUIET = (  # a browser that asks nothing of anybody but us
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
LOOPBACK = ("--allow-loopback-in-peer-connection",)
SOUND = ("--autoplay-policy=no-user-gesture-required",)
Role = Literal["button", "link", "heading", "tab", "textbox", "dialog", "listitem", "region", "combobox", "status"]


def chromium() -> str:
    """The system's browser."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert found, "Chromium is missing: install it (Debian: apt-get install chromium)"
    return found


@asynccontextmanager
async def browser(
    flags: Sequence[str] = (*CAMERA, *SOUND), *, width: int = 1280, height: int = 800, other_sites_cookies: bool = False
) -> AsyncIterator[BrowserContext]:
    """A browser with a fresh profile; all of a test's tabs are in it.

    Some distributions' Chromium refuses cookies of other sites unless told otherwise: `other_sites_cookies` tells it.
    """
    expect.set_options(timeout=PATIENCE * 1000)
    with tempfile.TemporaryDirectory(prefix="lectern-chromium-", ignore_cleanup_errors=True) as profile:
        if other_sites_cookies:
            wanted = {"profile": {"cookie_controls_mode": 0, "block_third_party_cookies": False}}
            (folder := Path(profile) / "Default").mkdir()
            (folder / "Preferences").write_text(json.dumps(wanted))
        async with async_playwright() as playwright:
            context = await playwright.chromium.launch_persistent_context(
                profile,
                executable_path=chromium(),
                headless=True,
                args=[*QUIET, *LOOPBACK, *flags],
                viewport={"width": width, "height": height},
                locale="en-US",
                timezone_id="Europe/Lisbon",
            )
            context.set_default_timeout(PATIENCE * 1000)
            await context.add_init_script(MEASURE)
            try:
                yield context
            finally:
                await context.close()


class Tab:
    """A person at a tab."""

    def __init__(self, page: Page, person: str) -> None:
        self.page, self.person = page, person
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def find(self, role: Role, name: str, *, exact: bool = False) -> Locator:
        """What a person, or their screen reader, knows by that name."""
        return self.page.get_by_role(role, name=name, exact=exact)

    async def click(self, name: str, *, role: Role = "button", exact: bool = False) -> None:
        await self.find(role, name, exact=exact).first.click()

    async def follow(self, name: str, *, exact: bool = False) -> None:
        """Click a link."""
        await self.click(name, role="link", exact=exact)

    async def write(self, label: str, text: str) -> None:
        await self.page.get_by_label(label, exact=False).first.fill(text)

    async def sees(self, text: str, *, seconds: float = PATIENCE) -> None:
        """Wait until the page shows this text."""
        await expect(self.page.get_by_text(text).first).to_be_visible(timeout=seconds * 1000)

    async def sees_role(self, role: Role, name: str, *, seconds: float = PATIENCE) -> None:
        await expect(self.find(role, name).first).to_be_visible(timeout=seconds * 1000)

    async def sees_no(self, role: Role, name: str) -> None:
        await expect(self.find(role, name)).to_have_count(0)

    async def go(self, path: str) -> None:
        """Type an address of the same site."""
        await self.page.goto(self.page.url.split("/app")[0] + path)

    async def told(self, text: str) -> dict[str, Any]:
        """Wait for a message that holds this text; when (milliseconds since 1970) and what it was."""
        return dict(await self.eventually("(t) => __journey.shown.find((each) => each.text.includes(t))", text))

    async def eventually(self, expression: str, arg: Any = None, *, seconds: float = PATIENCE) -> Any:
        """Wait until an expression of the page is true; its value. (The page's own rules forbid evaluating in it.)"""

        async def ask() -> Any:
            return await self.page.evaluate(expression, arg)

        return await until(ask, f"{self.person}: {expression} ({arg})", seconds)

    async def clicked(self, text: str) -> float:
        """When the last control with this text was clicked, milliseconds since 1970."""
        return float(await self.page.evaluate("(t) => __journey.clicks.findLast((c) => c.text.includes(t)).at", text))

    async def measure(self) -> dict[str, Any]:
        """What getStats says; see measure.js."""
        return dict(await self.page.evaluate("__journey.measure()"))

    async def says(self, text: str) -> None:
        """A line in the room's chat."""
        await self.click("Chat", role="tab")
        await self.write("Write to everybody", text)
        await self.page.keyboard.press("Enter")

    async def chat(self) -> list[str]:
        """The lines of the conversation, as they are read."""
        return [text.strip() for text in await self.page.locator(".room-line-text").all_inner_texts()]

    async def close(self) -> None:
        await self.page.close()


async def until(what: Callable[[], Awaitable[Any]], because: str, seconds: float = PATIENCE) -> Any:
    """Ask again and again until the answer is true; returns it. Pages and processes cannot call a test back."""
    deadline = time.monotonic() + seconds
    while not (answer := await what()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain: {because}")
        await asyncio.sleep(0.05)
    return answer
