"""A class asks and keeps order in real browsers: a poll, a question, a line taken back, a voice closed, one put out."""

from __future__ import annotations

from playwright.async_api import expect

from tests.journeys.classroom import Classroom


async def test_a_class_is_asked_and_kept_in_order(classroom: Classroom) -> None:
    await classroom.sign_in("ana", "bo", "cleo")
    await classroom.go_live()
    await classroom.in_room("ana")
    await classroom.join("bo", "cleo")
    ana, bo, cleo = classroom.ana, classroom.bo, classroom.cleo

    for tab in (ana, bo, cleo):
        await tab.click("Ask", role="tab")
    await ana.page.locator("summary", has_text="New poll").click()
    await ana.page.get_by_label("Question", exact=True).fill("Clear so far?")
    await ana.write("Answers, one in each line", "Yes\nNo")
    await ana.click("Open poll")
    for tab, answer in ((bo, "Yes"), (cleo, "No")):
        await tab.page.get_by_role("radio", name=answer).check()
        await tab.click("Answer", exact=True)
    await ana.sees("2 answered")
    await bo.page.reload()  # the page comes back knowing what was answered
    await classroom.in_room("bo")
    await bo.click("Ask", role="tab")
    await expect(bo.find("button", "Answered")).to_be_disabled()
    await ana.click("Close and show the result")
    await expect(cleo.page.get_by_label("No: 1 of 2")).to_be_visible()
    await bo.page.get_by_label("Your question").fill("Why do nodes stand still?")
    await bo.click("Ask", exact=True)
    await cleo.click("vote for it")
    await expect(ana.page.locator(".room-vote")).to_contain_text("1")

    await bo.click("Chat", role="tab")
    await cleo.click("Chat", role="tab")
    await bo.says("this was a slip")
    await cleo.sees("this was a slip")
    line = bo.page.locator(".room-line", has_text="this was a slip")
    await line.hover()
    await line.get_by_role("button", name="What to do with this line").click()
    await bo.click("Delete", exact=True)
    await bo.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await cleo.sees("This line was deleted.")

    await ana.click("People", role="tab")
    await ana.page.locator("summary", has_text="What students may do").click()
    await ana.page.get_by_role("checkbox", name="Speak without being given the floor").click()
    await cleo.sees_role("button", "Unmute microphone")
    row = ana.page.locator(".room-person", has_text="Cleo Marchetti")
    await row.get_by_role("button", name="More for Cleo").click()
    await row.get_by_role("button", name="Mute microphone").click()
    await cleo.sees_no("button", "Unmute microphone")
    await row.get_by_role("button", name="More for Cleo").click()
    await row.get_by_role("button", name="Remove from this class").click()
    await ana.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await cleo.sees("You were removed from this class")
    await cleo.page.reload()
    await cleo.sees("You were removed from this class")
