"""A full stage: the instructor's camera and screen, two students with the floor; and sizes that follow the tiles."""

from __future__ import annotations

from playwright.async_api import ViewportSize

from tests.journeys.browser import Tab, until
from tests.journeys.classroom import Classroom

STAGE_CAMERA, SCREEN = "1", "3"  # the lines that carry them
PHONE, DESK = ViewportSize(width=320, height=700), ViewportSize(width=1280, height=800)
WIDTH = """async mid => {
  for (const one of (await __lectern.pcs().subscribe.getStats()).values())
    if (one.type === "inbound-rtp" && one.mid === mid) return one.frameWidth ?? 0;
  return 0;
}"""
ENCODED = """async () => [...(await __lectern.pcs().publish.getStats()).values()]
  .filter((one) => one.type === "outbound-rtp" && one.kind === "video").map((one) => one.rid ?? "")"""


async def width(tab: Tab, mid: str) -> int:
    """Of the last picture decoded on that line."""
    return int(await tab.page.evaluate(WIDTH, mid))


async def test_a_tile_that_shrinks_gets_a_smaller_picture_and_the_large_one_again_when_it_grows(
    classroom: Classroom,
) -> None:
    await classroom.sign_in("ana", "bo")
    await classroom.go_live()
    await classroom.in_room("ana")
    await classroom.join("bo")
    bo = classroom.bo
    await bo.page.bring_to_front()
    await bo.page.set_viewport_size(DESK)
    await classroom.receives("bo")

    async def is_large() -> bool:
        return await width(bo, STAGE_CAMERA) >= 640

    async def is_small() -> bool:
        return 0 < await width(bo, STAGE_CAMERA) <= 320

    await until(is_large, "bo's large tile has the large picture")
    await bo.page.evaluate("__journey.watchFrames()")
    await bo.page.set_viewport_size(PHONE)
    await until(is_small, "bo's small tile has the small picture")
    await bo.page.set_viewport_size(DESK)
    await until(is_large, "bo's large tile has the large picture again")
    assert await bo.page.evaluate("__journey.longestGap()") < 1_500
    assert len(await classroom.ana.page.evaluate(ENCODED)) >= 2
    assert not bo.faults


async def test_the_instructors_camera_and_screen_and_two_students_are_seen_by_each_other(classroom: Classroom) -> None:
    await classroom.sign_in("ana", "bo", "cleo")
    await classroom.go_live()
    await classroom.in_room("ana")
    await classroom.join("bo", "cleo")
    for student in ("bo", "cleo"):
        await classroom.give_floor(student)
    await classroom.ana.click("Share screen")
    for student in ("bo", "cleo"):
        await classroom.receives(student, pictures=2)

        async def has_screen(tab: Tab = classroom.tabs[student]) -> bool:
            return await width(tab, SCREEN) > 0

        await until(has_screen, f"{student} sees the screen")
    await classroom.receives("ana", pictures=2)
    encoded = await classroom.ana.page.evaluate(ENCODED)
    assert encoded.count("") == 1, "the screen goes out once"
    assert len(encoded) >= 3, "the camera in layers"
    assert not classroom.ana.faults
