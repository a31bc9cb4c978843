"""A class in a browser: the program, ana, bo and cleo at their tabs, and what the tests ask about them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from playwright.async_api import BrowserContext, expect

from tests.api import Api
from tests.journeys.browser import PATIENCE, Tab, until
from tests.program import Program

RISING_SECONDS = 0.4  # between two looks at a picture that is to move
NAMES = {"ana": "Ana Castro", "bo": "Bo Lindqvist", "cleo": "Cleo Marchetti"}


@dataclass
class Classroom:
    """Everybody's tabs, and the server they are connected to."""

    program: Program
    context: BrowserContext
    tabs: dict[str, Tab] = field(default_factory=dict)

    @property
    def ana(self) -> Tab:
        return self.tabs["ana"]

    @property
    def bo(self) -> Tab:
        return self.tabs["bo"]

    @property
    def cleo(self) -> Tab:
        return self.tabs["cleo"]

    async def sign_in(self, *people: str) -> Classroom:
        """Each in a tab of their own, by the link from the terminal, until the page says who they are."""
        for person in people:
            tab = Tab(await self.context.new_page(), person)
            await tab.page.goto(self.program.links[person])
            await expect(tab.page).to_have_url(f"{self.program.url}/app/courses")
            await tab.page.get_by_text(NAMES[person].split()[0]).first.wait_for(state="attached")
            self.tabs[person] = tab
        return self

    async def api(self, person: str) -> Api:
        """A REST client of that person beside the browser; it is closed with the process."""
        session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        api = Api(session, self.program.url, None)
        answer = await api.post("/auth/login", {"email": f"{person}@example.org", "password": self.program.password})
        assert answer.status == 200, answer.raw
        self._sessions.append(session)
        return Api(session, self.program.url, answer.json["access_token"])

    _sessions: list[aiohttp.ClientSession] = field(default_factory=list)

    async def close(self) -> None:
        for session in self._sessions:
            await session.close()

    async def go_live(self, title: str = "Strings", course: str = "Waves and sound") -> int:
        """Ana goes live from Manage sessions; the live session's id."""
        await self.ana.follow("Manage sessions")
        await self.ana.page.get_by_label("Course", exact=True).select_option(label=course)
        await self.ana.follow("Go live now")
        await self.ana.write("What is it about?", title)
        await self.ana.click("Go live", exact=True)
        await self.ana.page.wait_for_url("**/app/sessions/*")
        return int(self.ana.page.url.rsplit("/", 1)[1])

    async def join(self, *people: str) -> None:
        """One click on the message that a class is live; in the room, with sound."""
        for person in people:
            tab = self.tabs[person]
            await tab.page.locator(".toast.live").get_by_role("link", name="Join").first.click()
            await self.in_room(person)
        for person in people:
            await self.with_sound(person)

    async def in_room(self, person: str) -> None:
        """Until the room's page says that it is connected."""
        await expect(self.tabs[person].page.locator(".room-state")).to_have_text("Live")

    async def with_sound(self, person: str) -> None:
        """Sound on in this tab as well, which goes quiet as soon as it finds its neighbor in the class; what was chosen
        by hand stays.
        """
        tab = self.tabs[person]
        listen, silence = tab.find("button", "Listen to the room"), tab.find("button", "Silence the room")
        await listen.or_(silence).click()
        if await listen.count():
            await listen.click()
        await expect(silence).to_be_visible()

    async def give_floor(self, person: str) -> None:
        """A hand goes up, ana gives the floor, devices go on."""
        tab = self.tabs[person]
        await tab.click("Raise hand")
        await self.ana.click("Hands", role="tab")
        await self.ana.click(f"Give floor to {NAMES[person]}")
        await self.devices_on(person)

    async def devices_on(self, person: str) -> None:
        """Camera and microphone are on; a browser that was told yes before turns them on by itself, others ask."""
        tab = self.tabs[person]
        ask = tab.find("button", "Turn on microphone and camera")
        camera = tab.find("button", "Stop camera")
        await expect(ask.or_(camera).first).to_be_visible()
        if await ask.count():
            await ask.click()
        await expect(camera).to_be_visible()

    async def receives(self, person: str, *, pictures: int = 1, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until that many pictures move and as many voices sound in that tab; the measurement that showed it."""
        tab = self.tabs[person]
        last: dict[str, Any] = {}

        async def both() -> dict[str, Any] | None:
            nonlocal last
            before = await tab.measure()
            await asyncio.sleep(RISING_SECONDS)
            last = now = await tab.measure()
            moving = [m for m, v in now["video"].items() if v["frames"] > before["video"].get(m, v)["frames"] + 2]
            loud = [m for m, a in now["audio"].items() if a["energy"] > before["audio"].get(m, a)["energy"]]
            return now if len(moving) >= pictures and len(loud) >= pictures else None

        try:
            return dict(await until(both, f"{person} receives {pictures} moving pictures with sound", seconds))
        except AssertionError as error:
            raise AssertionError(f"{error}; last: {last}") from None

    async def mark(self) -> None:
        """Note every tab's connections, to tell later whether new ones took their place."""
        for tab in self.tabs.values():
            await tab.page.evaluate("__journey.mark()")

    async def back(self, since: float, *, pictures: int = 1, seconds: float = 20.0) -> dict[str, float]:
        """Wait until all are in the room again and students see and hear over new connections; each one's seconds."""

        async def one(person: str) -> float:
            tab = self.tabs[person]
            if person != "ana":

                async def renewed() -> bool:
                    return bool((await tab.measure())["isNew"])

                await until(renewed, f"{person} has a new connection for media", seconds)
                await self.receives(person, pictures=pictures, seconds=seconds)
            await self.in_room(person)
            return time.monotonic() - since

        took = await asyncio.gather(*(one(person) for person in self.tabs))
        return dict(zip(self.tabs, took, strict=True))
