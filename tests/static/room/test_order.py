"""The room page keeps order and asks: lines changed and deleted, people muted and removed, policy, polls, questions."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.static.room.scene import ANA, BO, CLEO, PHONE, OpenRoom, say

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

AXE = Path(__file__).resolve().parents[3] / "node_modules/axe-core/axe.min.js"


async def open_menu(page: Page, line: str) -> None:
    row = page.locator(".room-line", has_text=line)
    await row.hover()
    await row.get_by_role("button", name="What to do with this line").click()


async def test_an_own_line_is_edited_and_deleted_with_its_menu(open_room: OpenRoom) -> None:
    page = await open_room(BO)
    await say(page, "chat_posted", BO, text="a frist try", reply_to=None)
    await open_menu(page, "a frist try")
    await page.get_by_role("button", name="Edit").click()
    await page.get_by_label("Change the line").fill("a first try")
    await page.keyboard.press("Enter")
    await expect(page.locator(".room-line-text")).to_contain_text("a first try")
    await expect(page.get_by_label("Change the line")).to_have_count(0)
    await open_menu(page, "a first try")
    await page.get_by_role("button", name="Delete", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("This line was deleted.")).to_be_visible()
    await expect(page.get_by_role("button", name="What to do with this line")).to_have_count(0)


async def test_by_keyboard_one_comes_back_to_the_menu_one_came_from(open_room: OpenRoom) -> None:
    page = await open_room(BO)
    await say(page, "chat_posted", BO, text="a line of mine", reply_to=None)
    menu = page.get_by_role("button", name="What to do with this line")
    for choice, ending in (("Edit", "Escape"), ("Delete", "Escape"), ("Heart", None)):
        await menu.focus()
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name=choice, exact=True).focus()
        await page.keyboard.press("Enter")
        if choice == "Edit":
            await expect(page.get_by_label("Change the line")).to_be_focused()
        if choice == "Delete":
            await expect(page.get_by_role("dialog")).to_be_visible()
        if ending:
            await page.keyboard.press(ending)
        await expect(menu).to_be_focused()
    await expect(page.get_by_text("a line of mine")).to_be_visible()


async def test_a_student_is_told_what_the_instructor_closed_and_asks(open_room: OpenRoom) -> None:
    page = await open_room(BO, size=PHONE)
    await say(page, "floor_given", ANA, user_id=BO)
    await expect(page.get_by_role("button", name="Mute microphone")).to_be_visible()
    await say(page, "participant_muted", ANA, user_id=BO, sources=["microphone"], muted=True)
    await expect(page.get_by_role("button", name="Mute microphone")).to_have_count(0)
    await expect(page.get_by_text("The instructor turned off your microphone")).to_be_visible()
    await page.get_by_role("button", name="All right").click()
    await expect(page.get_by_text("The instructor turned off")).to_have_count(0)
    await say(page, "poll_opened", ANA, question="Clear?", options=["Yes", "No"], multiple=False, hidden=False)
    notice = page.locator(".room-notice", has_text="The instructor asks")
    await expect(notice).to_contain_text("Clear?")
    await notice.get_by_role("button", name="Answer").click()
    await expect(page.get_by_role("radio", name="Yes")).to_be_visible()
    await expect(notice).to_have_count(0)


async def test_reactions_stand_under_a_line_and_are_joined_by_a_touch(open_room: OpenRoom) -> None:
    page = await open_room(BO)
    await say(page, "chat_posted", CLEO, text="Is it clear?", reply_to=None)
    await open_menu(page, "Is it clear?")
    await expect(page.get_by_role("button", name="Delete", exact=True)).to_have_count(0)
    await page.get_by_role("button", name="Thumbs up").click()
    mine = page.get_by_role("button", name="👍 1: You")
    await expect(mine).to_have_attribute("aria-pressed", "true")
    await mine.click()
    await expect(mine).to_have_count(0)


async def test_the_instructor_mutes_removes_and_sets_the_policy(open_room: OpenRoom) -> None:
    page = await open_room(ANA)
    await page.get_by_role("tab", name="People").click()
    row = page.locator(f'.room-person[data-user="{BO}"]')
    await row.get_by_role("button", name="More for Bo Lindqvist").click()
    await row.get_by_role("button", name="Mute microphone").click()
    await expect(row).to_contain_text("Muted")
    await row.get_by_role("button", name="More for Bo Lindqvist").click()
    await row.get_by_role("button", name="Unmute microphone").click()
    await expect(row).not_to_contain_text("Muted")
    await page.locator("summary", has_text="What students may do").click()
    chat = page.get_by_role("checkbox", name="Write in the chat")
    await expect(chat).to_be_checked()
    await chat.click()
    await expect(chat).not_to_be_checked()
    assert await page.evaluate("world.room.policy.chat") == "instructor"
    await row.get_by_role("button", name="More for Bo Lindqvist").click()
    await row.get_by_role("button", name="Remove from this class").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.wait_for_function(f"!world.room.participants.find((one) => one.user_id === {BO}).in_room")


async def test_a_poll_is_opened_answered_and_closed(open_room: OpenRoom) -> None:
    page = await open_room(ANA)
    await page.get_by_role("tab", name="Ask").click()
    await page.get_by_text("New poll").click()
    await page.get_by_label("Question", exact=True).fill("Clear so far?")
    await page.get_by_label("Answers, one in each line").fill("Yes")
    await page.get_by_role("button", name="Open poll").click()
    await expect(page.get_by_text("Write 2 to 10 different answers")).to_be_visible()
    await page.get_by_label("Answers, one in each line").fill("Yes\nNo")
    await page.get_by_role("button", name="Open poll").click()
    poll = page.locator(".room-poll")
    await expect(poll).to_contain_text("Clear so far?")
    await expect(page.get_by_label("Question", exact=True)).to_be_hidden()  # the form makes place for the poll
    number = await poll.get_attribute("data-poll")
    await page.evaluate(f"world.aside('poll_tally', {{poll: {number}, tally: [1, 0], answers: 1}})")
    await expect(poll).to_contain_text("1 answered")
    await page.get_by_role("button", name="Close and show the result").click()
    await expect(poll).to_contain_text("Closed")
    await expect(poll.get_by_label("Yes: 2 of 3")).to_be_visible()


async def test_a_student_answers_once_and_may_change_the_answer(open_room: OpenRoom) -> None:
    page = await open_room(BO)
    await say(page, "poll_opened", ANA, question="Clear?", options=["Yes", "No"], multiple=False, hidden=False)
    tab = page.get_by_role("tab", name="Ask")
    await expect(tab).to_contain_text("1")
    await tab.click()
    await expect(page.get_by_role("button", name="Answer")).to_be_disabled()
    await page.get_by_role("radio", name="No").check()
    await page.get_by_role("button", name="Answer").click()
    await expect(page.get_by_role("button", name="Answered")).to_be_disabled()
    await expect(tab).not_to_contain_text("1")
    await page.get_by_role("radio", name="Yes").check()
    await page.get_by_role("button", name="Change answer").click()
    wishes = "world.wishes.filter(({event}) => event === 'poll_answer').map(({payload}) => payload.choices)"
    assert await page.evaluate(wishes) == [[1], [0]]


async def test_questions_are_asked_voted_for_and_resolved(open_room: OpenRoom) -> None:
    page = await open_room(BO)
    await say(page, "question_asked", CLEO, text="Why do nodes stand still?")
    await page.get_by_role("tab", name="Ask").click()
    await page.get_by_role("button", name="vote for it").click()
    await expect(page.get_by_role("button", name="1 want this answered; take your vote back")).to_be_visible()
    await page.get_by_label("Your question").fill("And antinodes?")
    await page.keyboard.press("Enter")
    mine = page.locator(".room-question", has_text="And antinodes?")
    await expect(mine).to_contain_text("You")
    await mine.get_by_role("button", name="Resolve").click()
    await expect(page.get_by_text("Resolved 1")).to_be_visible()


async def test_somebody_writing_is_shown_and_a_closed_chat_says_so(open_room: OpenRoom) -> None:
    page = await open_room(BO)
    await expect(page.get_by_label("Write to everybody")).to_be_visible()
    await page.evaluate(f"world.aside('typing', {{user_id: {CLEO}, on: true}})")
    await expect(page.get_by_text("Cleo Marchetti is writing")).to_be_visible()
    await page.evaluate(f"world.aside('typing', {{user_id: {CLEO}, on: false}})")
    await expect(page.get_by_text("is writing")).to_have_count(0)
    policy = await page.evaluate("world.room.policy")
    await say(page, "policy_changed", ANA, **{**policy, "chat": "instructor"})
    await expect(page.get_by_text("Only the instructor writes right now.")).to_be_visible()


@pytest.mark.parametrize("me", [ANA, BO])
async def test_the_new_parts_have_nothing_serious_for_axe_and_fit_a_phone(open_room: OpenRoom, me: int) -> None:
    page = await open_room(me, size=PHONE)
    await say(page, "chat_posted", me, text="A line of mine", reply_to=None)
    await say(page, "chat_reacted", CLEO, seq=await page.evaluate("world.room.seq"), emoji="👍", on=True)
    await say(page, "poll_opened", ANA, question="Clear? " * 20, options=["Yes", "N" * 90], multiple=True, hidden=True)
    await say(page, "question_asked", CLEO, text="Whyever " * 20)
    await page.add_script_tag(path=AXE)
    await open_menu(page, "A line of mine")
    await expect(page.get_by_role("button", name="Delete", exact=True)).to_be_in_viewport(ratio=1)
    for name in ("Chat", "People", "Ask"):
        await page.get_by_role("tab", name=name).click()
        found = await page.evaluate("axe.run({resultTypes: ['violations']}).then((result) => result.violations)")
        serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
        assert serious == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
