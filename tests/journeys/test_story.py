"""A class from its course to its attendance, as its people live it: real pages, real clicks, a real server."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from tests.journeys.browser import Tab
from tests.journeys.classroom import NAMES, Classroom

SLOW_UPLOAD = {"offline": False, "latency": 5, "downloadThroughput": -1, "uploadThroughput": 400_000}


async def slow_down_uploads(tab: Tab, conditions: dict[str, Any]) -> None:
    """As over a slow line, so that a progress bar has something to show."""
    devtools = await tab.page.context.new_cdp_session(tab.page)
    await devtools.send("Network.emulateNetworkConditions", conditions)


@pytest.mark.timeout(180)
async def test_a_course_its_lesson_a_class_and_its_attendance(classroom: Classroom) -> None:
    await classroom.sign_in("ana", "bo", "cleo")
    ana, bo, cleo = classroom.ana, classroom.bo, classroom.cleo

    # Ana creates a course and uploads the sample; the bar moves with the bytes.
    await ana.follow("New course")
    await ana.write("Title", "Standing waves")
    await ana.click("Create course")
    await ana.sees_role("heading", "Standing waves")
    await ana.follow("Upload a video")
    await ana.page.get_by_label("Choose a video").set_input_files(classroom.program.sample)
    await slow_down_uploads(ana, SLOW_UPLOAD)
    await ana.write("Title", "What stands still")
    await ana.click("Upload", exact=True)
    await ana.sees("Ready to play", seconds=60)
    bar = await ana.page.evaluate("__journey.progress")
    sent = bar[: next((at for at in range(1, len(bar)) if bar[at] < bar[at - 1]), len(bar))]  # then: the processing
    assert len(sent) >= 4 and sent[-1] > 75, f"the progress bar stood still: {bar}"

    # It is processed: a duration, a thumbnail.
    await ana.follow("My courses")
    await ana.follow("Standing waves")
    lesson = ana.find("listitem", "").filter(has_text="What stands still")
    await expect(lesson.locator(".lesson-length")).to_be_visible()
    picture = lesson.locator("img")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0

    # She adds both students; their open pages say so, and tell of the next lesson as well.
    await ana.follow("People")
    await ana.write("Add people by e-mail", "bo@example.org, cleo@example.org")
    await ana.click("Add", exact=True)
    for student in (bo, cleo):
        await student.told("Standing waves")
        await student.sees_role("link", "Standing waves")
    await ana.follow("Manage sessions")
    await ana.page.get_by_label("Course", exact=True).select_option(label="Standing waves (draft)")
    await ana.follow("Upload audio")
    audio = classroom.program.sample.with_name("hearing-intervals.m4a")
    await ana.page.get_by_label("Choose a sound recording").set_input_files(audio)
    await ana.write("Title", "Listen to it")
    await ana.click("Upload", exact=True)
    await bo.told("Listen to it")
    await cleo.told("Listen to it")

    # Bo plays the video, seeks in it, comments, likes, and comes back to the same place.
    await bo.page.get_by_role("link", name="Standing waves").first.click()
    await bo.follow("What stands still")
    video = bo.page.locator("video")
    await video.evaluate("(video) => { video.muted = true; return video.play(); }")
    await bo.eventually("document.querySelector('video').currentTime > 0.5")
    await video.evaluate("(video) => { video.currentTime = video.duration / 2; }")
    await bo.eventually(
        "(() => { const v = document.querySelector('video');"
        " return !v.seeking && v.currentTime > v.duration / 2 + 0.3; })()"
    )
    await video.evaluate("(video) => video.pause()")
    place = await video.evaluate("(video) => video.currentTime")
    await bo.write("Your comment", "So the middle never moves?")
    await bo.click("Comment", exact=True)
    await bo.sees("So the middle never moves?")
    await bo.page.get_by_role("group", name="What do you think of it?").get_by_role("button", name="Like").click()
    await bo.sees_role("button", "Like 1")
    await bo.follow("My courses")
    await bo.follow("Standing waves")
    await bo.follow("What stands still")
    await bo.eventually("document.querySelector('video')?.readyState > 0")
    again = await bo.page.evaluate("document.querySelector('video').currentTime")
    assert abs(again - place) < 1.5, f"stopped at {place} s, came back at {again} s"
    await bo.sees("So the middle never moves?")

    # Ana goes live from Manage sessions; both are told within a second, wherever they are, and join with one click.
    live_session = await classroom.go_live("Where nothing moves", "Standing waves (draft)")
    pressed = await ana.clicked("Go live")
    for student in (bo, cleo):
        delay = (await student.told("Where nothing moves"))["at"] - pressed
        print(f"{student.person} was told after {delay:.0f} ms")
        assert delay < 1000
    await classroom.in_room("ana")
    await classroom.join("bo", "cleo")
    assert bo.page.url.endswith(f"/app/sessions/{live_session}")

    # Everyone sees who is here; ana is seen and heard through the server's one port.
    for tab in (ana, bo, cleo):
        await tab.click("People", role="tab")
        here = tab.page.get_by_role("region", name="In the room")
        for name in NAMES.values():
            await expect(here.get_by_text(name).first).to_be_visible()
    for person in ("bo", "cleo"):
        seen = await classroom.receives(person)
        assert seen["ports"]["subscribe"] == classroom.program.media_port
    assert (await ana.measure())["ports"]["publish"] == classroom.program.media_port

    # The conversation goes both ways.
    await ana.says("Can you hear me?")
    await bo.says("Loud and clear.")
    for tab in (ana, bo, cleo):
        await tab.click("Chat", role="tab")
        await tab.sees("Can you hear me?")
        await tab.sees("Loud and clear.")

    # Bo asks for the floor, gets it, and is seen and heard by cleo.
    await classroom.give_floor("bo")
    await expect(cleo.page.locator("figure").filter(has_text=NAMES["bo"]).locator("video")).to_be_visible()
    await classroom.receives("cleo", pictures=2)
    await classroom.receives("ana", pictures=1)
    assert (await bo.measure())["ports"]["publish"] == classroom.program.media_port

    # Ana ends the class; everybody leaves it, and the attendance is there.
    await ana.click("End class")
    await ana.page.get_by_role("dialog").get_by_role("button", name="End class").click()
    for student in (bo, cleo):
        await student.sees_role("heading", "The class is over")
    await ana.follow("See attendance")
    await ana.sees("2 of 2 students came")
    for name in (NAMES["bo"], NAMES["cleo"]):
        row = ana.page.get_by_role("row").filter(has_text=name)
        await expect(row.locator(".stay")).to_have_count(1)
    assert [tab.faults for tab in (ana, bo, cleo)] == [[], [], []]
