"""Every page, wide and narrow, light and dark: nothing seriously in anybody's way, nothing that jumps, nothing raw.

With LECTERN_SCREENSHOTS naming a folder, each is kept there as a picture, to be looked at.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.journeys.browser import Tab
from tests.journeys.classroom import Classroom
from tests.program import ROOT

AXE = ROOT / "node_modules/axe-core/axe.min.js"
WIDE, NARROW = (1280, 800), (390, 844)
MOST_SHIFT = 0.05  # cumulative layout shift, as browsers count it
SCREENSHOTS = Path(os.environ.get("LECTERN_SCREENSHOTS", ""))
RAW = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d"  # a time as machines write it
    r"|[{\[]\"\w+\":"  # JSON
    r"|\bundefined\b|\bNaN\b|\[object |\bnull\b"
    r"|\b[a-z]+_(?:id|at|session|given|raised|only)\b"  # a code
)


@dataclass(frozen=True, slots=True)
class Visit:
    """A page by its address, who looks at it, what shows that it is complete."""

    name: str
    person: str
    path: str
    complete: str


def visits(ids: dict[str, int]) -> list[Visit]:
    """Every page of the product."""
    course, manage = f"/app/courses/{ids['course']}", f"/app/manage/{ids['course']}"
    return [
        Visit("courses", "ana", "/app/courses", ".cards li"),
        Visit("courses-student", "bo", "/app/courses", ".cards li"),
        Visit("catalog", "bo", "/app/catalog", "main li"),
        Visit("course-new", "ana", "/app/courses/new", "form"),
        Visit("course", "ana", course, ".lesson img"),
        Visit("course-student", "bo", course, ".lesson img"),
        Visit("course-sessions", "ana", f"{course}/sessions", ".session-row"),
        Visit("course-people", "ana", f"{course}/people", ".list li"),
        Visit("course-analytics", "ana", f"{course}/analytics", ".figures-row"),
        Visit("content-analytics", "ana", f"/app/content/{ids['video']}/analytics", ".chart canvas"),
        Visit("course-settings", "ana", f"{course}/settings", "form"),
        Visit("manage", "ana", manage, ".way"),
        Visit("manage-live", "ana", f"{manage}/live", ".way-form form"),
        Visit("manage-schedule", "ana", f"{manage}/schedule", ".way-form form"),
        Visit("manage-video", "ana", f"{manage}/video", ".way-form form"),
        Visit("manage-audio", "ana", f"{manage}/audio", ".way-form form"),
        Visit("sessions", "bo", "/app/sessions", ".session-row"),
        Visit("notifications", "bo", "/app/notifications", "main li"),
        Visit("player", "bo", f"/app/content/{ids['video']}", "video"),
        Visit("player-audio", "bo", f"/app/content/{ids['audio']}", ".player-bar"),
        Visit("attendance", "ana", f"/app/sessions/{ids['ended']}/attendance", "table td"),
        Visit("room-waiting", "bo", f"/app/sessions/{ids['scheduled']}", ".room-door"),
        Visit("room-ended", "bo", f"/app/sessions/{ids['ended']}", ".room-door"),
        Visit("missing", "bo", "/app/nowhere", "h1"),
    ]


async def known_ids(classroom: Classroom) -> dict[str, int]:
    ana = await classroom.api("ana")
    course = (await ana.get("/courses/instructor/my-courses")).json[0]["id"]
    lessons = (await ana.get(f"/courses/{course}/content")).json
    sessions = (await ana.get(f"/courses/{course}/sessions")).json
    await (await classroom.api("bo")).post(
        f"/content/{lessons[0]['id']}/comments", {"body": "So the float never leaves its place?", "at_seconds": 4}
    )
    return {
        "course": course,
        **{lesson["content_type"]: lesson["id"] for lesson in lessons},
        **{session["status"]: session["id"] for session in sessions},
    }


async def look(page: Page, name: str, size: str, faults: list[str]) -> None:
    """Light, then dark: axe's serious findings, sideways scrolling, jumps, raw text, a picture."""
    shift = await page.evaluate("__journey.shift()")
    if shift >= MOST_SHIFT:
        faults.append(f"{name} {size}: layout shift {shift:.3f}: {await page.evaluate('__journey.moved()')}")
    wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if wider > 0:
        faults.append(f"{name} {size}: scrolls sideways by {wider} px")
    raw = RAW.search(await page.locator("body").inner_text())
    if raw:
        faults.append(f"{name} {size}: shows {raw[0]!r}")
    await page.evaluate(AXE.read_text())
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        rules = {"runOnly": ["color-contrast"]} if scheme == "dark" else {}
        found = await page.evaluate("(options) => axe.run(document, options)", rules)
        for one in found["violations"]:
            if one["impact"] in ("serious", "critical"):
                where = "; ".join(node["target"][0] for node in one["nodes"][:3])
                faults.append(f"{name} {size} {scheme}: {one['id']} at {where}")
        if os.environ.get("LECTERN_SCREENSHOTS"):
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            await page.screenshot(path=SCREENSHOTS / f"{name}-{size}-{scheme}.png")
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")


async def resize(page: Page, size: tuple[int, int]) -> None:
    await page.set_viewport_size({"width": size[0], "height": size[1]})


@pytest.mark.timeout(300)
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_every_page_is_whole_calm_and_usable_by_all(classroom: Classroom, size: tuple[int, int]) -> None:
    name = "wide" if size == WIDE else "narrow"
    faults: list[str] = []
    stranger = Tab(await classroom.context.new_page(), "nobody")
    await resize(stranger.page, size)
    for page_name, path in (("sign-in", "/app/sign-in"), ("register", "/app/register")):
        await stranger.page.goto(classroom.program.url + path)
        await stranger.page.locator("form").wait_for()
        await look(stranger.page, page_name, name, faults)
    await stranger.close()
    await classroom.sign_in("ana", "bo")
    for tab in classroom.tabs.values():
        await resize(tab.page, size)
    for visit in visits(await known_ids(classroom)):
        tab = classroom.tabs[visit.person]
        await tab.go(visit.path)
        await tab.page.locator(visit.complete).first.wait_for()
        await tab.page.wait_for_load_state("networkidle")
        await look(tab.page, visit.name, name, faults)
    assert not faults, "\n".join(faults)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_the_room_is_whole_calm_and_usable_by_all(classroom: Classroom, size: tuple[int, int]) -> None:
    name = "wide" if size == WIDE else "narrow"
    faults: list[str] = []
    await classroom.sign_in("ana", "bo")
    await classroom.go_live("Why strings sing")
    for tab in classroom.tabs.values():
        await resize(tab.page, size)
    await classroom.join("bo")
    await classroom.ana.says("Welcome! Say hello so that I know you hear me.")
    await classroom.bo.says("Hello, loud and clear. Is the knot in the middle always at rest?")
    await classroom.receives("bo")
    await look(classroom.bo.page, "room-student", name, faults)
    await classroom.give_floor("bo")
    await classroom.receives("ana")
    for tab in classroom.tabs.values():
        await tab.page.evaluate("__journey.calm()")  # the stage made place for one more, as it should
    await look(classroom.ana.page, "room", name, faults)
    await classroom.ana.click("People", role="tab")
    await look(classroom.ana.page, "room-people", name, faults)
    await expect(classroom.ana.find("button", "End class")).to_be_in_viewport()
    await expect(classroom.bo.find("button", "Give back the floor").first).to_be_in_viewport()
    assert not faults, "\n".join(faults)
