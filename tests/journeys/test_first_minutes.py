"""What a newcomer meets first: tabs that know who they are, a demo that seeds once, devices that are not there."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from tests.journeys.browser import CAMERA, SOUND, Tab, browser
from tests.journeys.classroom import NAMES, Classroom
from tests.program import Program

PICTURES_ONLY = "--autoplay-policy=document-user-activation-required"
BUSY = """
navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("Device in use", "NotReadableError"));
"""  # no machine has a camera that another program holds; the browser's answer is all the page knows of it


async def what_is_there(classroom: Classroom) -> dict[str, Any]:
    """Ana's courses with their lessons, sessions and people."""
    ana = await classroom.api("ana")
    courses = (await ana.get("/courses/instructor/my-courses")).json
    there: dict[str, Any] = {"courses": [course["id"] for course in courses]}
    for course in courses:
        for part in ("content", "sessions", "enrollments"):
            rows = (await ana.get(f"/courses/{course['id']}/{part}")).json
            there[f"{part} of {course['title']}"] = sorted(row.get("id") or row["user"]["id"] for row in rows)
    return there


async def test_tabs_stay_who_they_are_and_a_second_start_adds_nothing(classroom: Classroom) -> None:
    await classroom.sign_in("ana", "bo", "cleo")
    before = await what_is_there(classroom)
    for tab in classroom.tabs.values():
        await tab.page.reload()
    for person, tab in classroom.tabs.items():
        await expect(tab.find("button", NAMES[person]).first).to_be_visible()
    assert await classroom.program.stop() == 0
    await classroom.program.start()
    for person, tab in classroom.tabs.items():
        await tab.page.reload()
        await expect(tab.find("button", NAMES[person]).first).to_be_visible()
        await expect(tab.page).to_have_url(f"{classroom.program.url}/app/courses")
    assert await what_is_there(classroom) == before
    lessons, sessions = before["content of Waves and sound"], before["sessions of Waves and sound"]
    assert (len(before["courses"]), len(lessons), len(sessions)) == (1, 2, 2)
    # A link from the terminal that is gone is refused in words.
    stranger = Tab(await classroom.context.new_page(), "nobody")
    await stranger.page.goto(f"{classroom.program.url}/app/sign-in#{'x' * 43}")
    await stranger.sees("This link does not work any more")


@pytest.mark.parametrize(
    ("flags", "script", "words"),
    [
        ((), "", "No camera and no microphone was found"),
        (("--use-fake-device-for-media-stream", "--deny-permission-prompts"), "", "Your browser does not allow"),
        (CAMERA, BUSY, "in use"),
    ],
    ids=["none", "refused", "busy"],
)
async def test_without_devices_a_test_picture_and_tone_go_out(
    program: Program, flags: tuple[str, ...], script: str, words: str
) -> None:
    async with browser((*flags, *SOUND)) as context:
        if script:
            await context.add_init_script(script)
        classroom = await Classroom(program, context).sign_in("ana", "bo")
        await classroom.go_live()
        await classroom.ana.sees(words)
        await classroom.ana.sees_role("button", "Go on without")
        await classroom.ana.click("Send a test picture and tone")
        await classroom.join("bo")
        await classroom.receives("bo")
        assert classroom.ana.faults == []


async def test_sound_that_the_browser_holds_back_is_one_tap_away(program: Program) -> None:
    async with browser() as teachers, browser((*CAMERA, PICTURES_ONLY)) as students:
        teaching = await Classroom(program, teachers).sign_in("ana")
        learning = await Classroom(program, students).sign_in("bo")
        live_session = await teaching.go_live()
        await teaching.in_room("ana")
        # An address typed into a new tab is not yet a touch of the page. Looking at a page through the driver counts as
        # one, so the page itself says when it is held back.
        bo = learning.tabs["bo"] = Tab(await students.new_page(), "bo")
        async with bo.page.expect_console_message(lambda message: "sound is held back" in message.text):
            await bo.page.goto(f"{program.url}/app/sessions/{live_session}")
        await bo.sees("Tap to hear the class")
        await bo.click("Tap to hear")
        await learning.receives("bo")
        await expect(learning.bo.page.get_by_text("Tap to hear the class")).to_have_count(0)


async def test_a_page_over_plain_http_says_what_does_not_work_and_does_the_rest(program: Program) -> None:
    away = f"http://classroom.test:{program.port}"  # not this machine, as far as the browser is concerned
    async with browser((*CAMERA, *SOUND, "--host-resolver-rules=MAP classroom.test 127.0.0.1")) as context:
        ana = Tab(await context.new_page(), "ana")
        await ana.page.goto(f"{away}/app/sign-in")
        assert not await ana.page.evaluate("isSecureContext")
        await ana.write("E-mail", "ana@example.org")
        await ana.write("Password", program.password)
        await ana.click("Sign in", exact=True)
        classroom = Classroom(program, context, {"ana": ana})
        await ana.sees_role("link", "Manage sessions")
        await classroom.go_live()
        await classroom.in_room("ana")
        await ana.sees("need a secure page")
        await ana.says("You read me, at least")
        await expect(ana.page.locator(".room-line-text")).to_have_text(["You read me, at least"])
        await expect(ana.page.locator("[data-state=pending]")).to_have_count(0)
        assert ana.faults == []
