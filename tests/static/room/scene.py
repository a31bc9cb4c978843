"""The class that the room page's tests show: its people, what a page needs to know, and how tests look at it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from playwright.async_api import Page, ViewportSize

ANA, BO, CLEO, DAI = 1, 2, 3, 4
LONG_NAME = "Eleonora Maximiliana Vandenberghe-Hernandez de la Torre y Castellanos Rodrigues"
PEOPLE = [
    {"id": ANA, "name": "Ana Castro", "role": "instructor", "in_room": True, "online": True},
    {"id": BO, "name": "Bo Lindqvist", "role": "student", "in_room": True, "online": True},
    {"id": CLEO, "name": "Cleo Marchetti", "role": "student", "in_room": True, "online": True},
    {"id": DAI, "name": "Dai Nguyen", "role": "student", "online": True},
    {"id": 5, "name": LONG_NAME, "role": "student"},
]
ABOUT = {
    "id": 9,
    "course_id": 5,
    "course_title": "Waves and sound",
    "title": "Standing waves",
    "description": "",
    "status": "live",
    "scheduled_at": None,
    "started_at": "2026-11-23T16:20:00Z",
    "host": {"id": ANA, "name": "Ana Castro"},
    "participant_count": 3,
    "join_url": "",
}
ANA_SENDS = [
    ["track_published", ANA, {"user_id": ANA, "source": "microphone"}],
    ["track_published", ANA, {"user_id": ANA, "source": "camera"}],
]
PROMPTS = "navigator.permissions.query = () => Promise.resolve({state: 'prompt'});"
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 800}
OpenRoom = Callable[..., Awaitable[Page]]


def failing(audio: str | None, video: str | None) -> str:
    """Script: asking for a device fails with the named error of the browser."""
    names = json.dumps({"audio": audio, "video": video})
    return PROMPTS + (
        "const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
        "navigator.mediaDevices.getUserMedia = (wanted) => {"
        f"const names = {names}; const name = (wanted.audio && names.audio) || (wanted.video && names.video);"
        "return name ? Promise.reject(new DOMException('no', name)) : real(wanted); };"
    )


def tile(page: Page, user: int, source: str = "camera") -> Any:
    return page.locator(f'.room-tile[data-user="{user}"][data-source="{source}"][data-shown="true"]')


async def say(page: Page, type: str, actor: int, **payload: Any) -> None:
    await page.evaluate("([type, actor, payload]) => void world.say(type, actor, payload)", [type, actor, payload])
