"""Pictures that nobody sees are not sent; sound is."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.journeys.browser import until
from tests.journeys.classroom import RISING_SECONDS, Classroom

HIDE = """is => {
  Object.defineProperty(document, "hidden", { value: is, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def test_a_hidden_tab_gets_sound_only_and_the_picture_again_when_it_is_shown(classroom: Classroom) -> None:
    await classroom.sign_in("ana", "bo", "cleo")
    await classroom.go_live()
    await classroom.in_room("ana")
    await classroom.join("bo", "cleo")
    for person in ("bo", "cleo"):
        await classroom.receives(person)
    bo = classroom.bo
    await bo.page.evaluate(HIDE, True)

    async def sound_only() -> bool:
        before = await bo.measure()
        await asyncio.sleep(RISING_SECONDS)
        now = await bo.measure()
        return rose(before, now, "audio", "energy") and not rose(before, now, "video", "frames")

    await until(sound_only, "bo hears and gets no picture")
    await classroom.receives("cleo")
    await bo.page.evaluate(HIDE, False)
    await classroom.receives("bo")
    assert not bo.faults


def rose(before: dict[str, Any], now: dict[str, Any], kind: str, name: str) -> bool:
    """On any line."""
    return any(line[name] > before[kind].get(mid, line)[name] for mid, line in now[kind].items())
