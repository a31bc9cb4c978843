"""The room page as a person uses it: chat, hands, people, beginning and end; by keyboard, on a phone, for axe."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.static.room.scene import ANA, BO, CLEO, LONG_NAME, PEOPLE, PHONE, PROMPTS, OpenRoom, say, tile

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

AXE = Path(__file__).resolve().parents[3] / "node_modules/axe-core/axe.min.js"


async def test_chat_goes_both_ways_as_text(open_room: OpenRoom) -> None:
    page = await open_room(BO)
    await page.get_by_label("Write to everybody").fill("<img src=x onerror=alert(1)> & hello")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("<img src=x onerror=alert(1)> & hello")).to_be_visible()
    await say(page, "chat_posted", CLEO, text="Hello Bo", reply_to=None)
    await expect(page.get_by_role("log")).to_contain_text("Hello Bo")
    assert await page.locator(".room-line img").count() == 0


async def test_a_line_written_without_a_connection_waits_and_is_sent_once(open_room: OpenRoom) -> None:
    page = await open_room(BO)
    await expect(page.get_by_label("Write to everybody")).to_be_visible()
    await page.evaluate("world.down()")
    await expect(page.get_by_text("Reconnecting", exact=True)).to_be_visible()
    for text in ("first", "second"):
        await page.get_by_label("Write to everybody").fill(text)
        await page.keyboard.press("Enter")
    await expect(page.get_by_text("Waiting for the connection")).to_have_count(2)
    await page.evaluate("world.up()")
    await expect(page.get_by_text("Waiting for the connection")).to_have_count(0)
    await expect(page.locator(".room-line-text")).to_have_text(["first", "second"])
    assert await page.evaluate("world.room.chat.lines.map((line) => line.text)") == ["first", "second"]


async def test_what_is_wanted_twice_without_a_connection_is_said_to_wait_and_sent_once_in_order(
    open_room: OpenRoom,
) -> None:
    page = await open_room(BO)
    await page.get_by_role("tab", name="Ask").click()
    await page.evaluate("world.down()")
    await page.get_by_label("Your question").fill("Still there?")
    for _ in range(2):
        await page.get_by_role("button", name="Ask", exact=True).click()
        await page.get_by_role("button", name="Raise hand").click()
    await expect(page.get_by_text("The 2 things you just did are sent one by one")).to_be_visible()
    await page.evaluate("world.up()")
    await expect(page.locator(".room-question")).to_have_count(1)
    await expect(page.get_by_role("button", name="Lower hand")).to_be_visible()
    await expect(page.get_by_text("Waiting for the connection")).to_have_count(0)
    await expect(page.get_by_label("Your question")).to_have_value("")
    sent = "world.wishes.map(({event}) => event).filter((event) => /question_ask|hand_raise/.test(event))"
    assert sorted(await page.evaluate(sent)) == ["hand_raise", "question_ask"]


async def test_who_reads_the_end_of_the_chat_stays_there_when_the_page_gets_smaller(open_room: OpenRoom) -> None:
    page = await open_room(BO)
    for count in range(12):
        await say(page, "chat_posted", CLEO, text=f"line {count}", reply_to=None)
    await expect(page.get_by_text("line 11")).to_be_in_viewport()
    await page.set_viewport_size(PHONE)
    await expect(page.get_by_text("line 11")).to_be_in_viewport(ratio=1)
    await say(page, "chat_reacted", ANA, seq=await page.evaluate("world.room.seq"), emoji="👍", on=True)
    await expect(page.locator(".room-reaction")).to_be_in_viewport(ratio=1)


async def test_a_refused_line_stays_with_its_reason_and_can_be_sent_again(open_room: OpenRoom) -> None:
    page = await open_room(BO)
    no = "() => ({ok: false, error: {code: 'chat_closed', detail: 'Only the instructor writes right now.'}})"
    await page.evaluate(f"world.answers.chat_send = {no}")
    await page.get_by_label("Write to everybody").fill("may I?")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Only the instructor writes right now.")).to_be_visible()
    await page.evaluate("delete world.answers.chat_send")
    await page.get_by_role("button", name="Send again").click()
    await expect(page.locator('.room-line[data-state="failed"]')).to_have_count(0)
    await expect(page.locator(".room-line-text")).to_have_text(["may I?"])


async def test_a_raised_hand_knows_its_place_and_gets_the_floor(open_room: OpenRoom) -> None:
    page = await open_room(BO, script=PROMPTS)
    await say(page, "hand_raised", CLEO, user_id=CLEO)
    await page.get_by_role("button", name="Raise hand").click()
    await expect(page.get_by_role("button", name="Lower hand")).to_contain_text("2nd in line")
    await say(page, "floor_given", ANA, user_id=BO)
    await page.get_by_role("button", name="Turn on microphone and camera").click()
    await expect(tile(page, BO)).to_be_visible()
    await expect(tile(page, ANA)).to_be_visible()
    await page.get_by_role("button", name="Give back the floor").click()
    await expect(page.get_by_role("button", name="Raise hand")).to_be_visible()
    await page.wait_for_function("world.room.tracks.every((track) => track.user_id !== 2)")


async def test_the_instructor_works_through_the_queue(open_room: OpenRoom) -> None:
    page = await open_room(ANA)
    await say(page, "hand_raised", CLEO, user_id=CLEO)
    await say(page, "hand_raised", BO, user_id=BO)
    await page.get_by_role("tab", name="Hands").click()
    waiting = page.get_by_label("Waiting to speak")
    await expect(waiting.locator(".room-person-name")).to_have_text(["Cleo Marchetti", "Bo Lindqvist"])
    await waiting.get_by_role("button", name="Give floor to Cleo Marchetti").click()
    await waiting.get_by_role("button", name="Lower the hand of Bo Lindqvist").click()
    floor = page.get_by_label("On the floor")
    await expect(floor.locator(".room-person-name")).to_have_text(["Cleo Marchetti"])
    await floor.get_by_role("button", name="Take floor").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("No hand is up.")).to_be_visible()
    await expect(page.get_by_role("region", name="Raised hands")).to_be_focused()  # where the button was


async def test_who_is_here_follows_presence(open_room: OpenRoom) -> None:
    page = await open_room(ANA)
    await page.get_by_role("tab", name="People").click()
    here = page.get_by_label("In the room", exact=True)
    await expect(here.locator(".room-person-name")).to_have_text(["Ana Castro (you)", "Bo Lindqvist", "Cleo Marchetti"])
    await page.evaluate("world.present(4, true); world.present(3, false)")
    await expect(here.locator(".room-person-name")).to_have_text(["Ana Castro (you)", "Bo Lindqvist", "Dai Nguyen"])
    about = page.get_by_label("Online, not in the room")
    await expect(about.locator(".room-person-name")).to_have_text(["Cleo Marchetti"])


async def test_a_waiting_page_opens_by_itself(open_room: OpenRoom) -> None:
    planned = {"status": "scheduled", "scheduled_at": "2030-01-01T10:00:00Z", "started_at": None}
    page = await open_room(BO, about=planned, waiting=True)
    await expect(page.get_by_role("heading", name="The class has not started yet")).to_be_visible()
    await page.evaluate("world.open()")
    await expect(tile(page, ANA)).to_be_visible()


async def test_the_instructor_starts_the_class_from_its_door(open_room: OpenRoom) -> None:
    planned = {"status": "scheduled", "scheduled_at": "2030-01-01T10:00:00Z", "started_at": None}
    page = await open_room(ANA, about=planned, waiting=True)
    await page.get_by_role("button", name="Go live now").click()
    await expect(tile(page, ANA)).to_be_visible()


async def test_ending_asks_first_and_leads_to_attendance(open_room: OpenRoom) -> None:
    page = await open_room(ANA)
    await page.get_by_role("button", name="End class").click()
    await page.get_by_role("button", name="Stay").click()
    await page.get_by_role("button", name="End class").click()
    await page.get_by_role("dialog").get_by_role("button", name="End class").click()
    await expect(page.get_by_role("heading", name="The class is over")).to_be_visible()
    await expect(page.get_by_role("link", name="See attendance")).to_have_attribute(
        "href", "/app/sessions/9/attendance"
    )
    assert await page.evaluate("Object.values(__lectern.pcs())") == [None, None]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("ended", "The class is over"),
        ("empty", "The class is over"),
        ("cancelled", "The class was cancelled"),
        ("removed", "You were removed from this class"),
        ("revoked", "You are no longer enrolled"),
    ],
)
async def test_every_end_is_said_in_words(open_room: OpenRoom, reason: str, words: str) -> None:
    page = await open_room(BO)
    await expect(tile(page, ANA)).to_be_visible()
    await page.evaluate("(reason) => world.close(reason)", reason)
    await expect(page.get_by_role("heading", name=words)).to_be_visible()


async def test_tabs_and_buttons_work_from_the_keyboard(open_room: OpenRoom) -> None:
    page = await open_room(BO)
    await page.get_by_role("tab", name="Chat").focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("tab", name="People")).to_be_focused()
    await expect(page.get_by_role("tabpanel")).to_contain_text("In the room")
    await page.get_by_role("button", name="Raise hand").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Lower hand")).to_be_focused()


@pytest.mark.parametrize("me", [ANA, BO])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_serious_for_axe_and_nothing_jumps(open_room: OpenRoom, me: int, scheme: str) -> None:
    watch = (
        "window.shift = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries())"
        " if (!entry.hadRecentInput) window.shift += entry.value; }).observe({type: 'layout-shift', buffered: true});"
    )
    page = await open_room(me, scheme=scheme, script=watch)
    await say(page, "chat_posted", CLEO, text="A line " * 40, reply_to=None)
    await say(page, "hand_raised", CLEO, user_id=CLEO)
    await say(page, "floor_given", ANA, user_id=CLEO)
    await expect(page.locator(".room-tile")).to_have_count(2)
    await page.add_script_tag(path=AXE)
    for name in ("Chat", "People", "Hands"):
        await page.get_by_role("tab", name=name).click()
        found = await page.evaluate("axe.run({resultTypes: ['violations']}).then((result) => result.violations)")
        serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
        assert serious == []
    assert await page.evaluate("window.shift") < 0.05


async def test_all_of_the_room_is_in_sight_on_any_phone(open_room: OpenRoom) -> None:
    page = await open_room(BO)
    await say(page, "chat_posted", CLEO, text="the newest line", reply_to=None)
    await say(page, "floor_given", ANA, user_id=BO)
    for width, height in ((667, 375), (844, 390), (320, 568)):  # two on their side, and a small one
        await page.set_viewport_size({"width": width, "height": height})
        for control in ("Mute microphone", "Stop camera", "Silence the room", "Devices", "Give back the floor"):
            await expect(page.get_by_role("button", name=control)).to_be_in_viewport(ratio=1)
        for tab in ("Chat", "People", "Hands", "Ask"):
            await expect(page.get_by_role("tab", name=tab)).to_be_in_viewport(ratio=1)
        await expect(page.get_by_label("Write to everybody")).to_be_in_viewport(ratio=1)
        await expect(page.get_by_text("the newest line")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("count", [0, 1, 200])
async def test_the_main_button_is_in_sight_on_a_phone_however_many_people(open_room: OpenRoom, count: int) -> None:
    crowd = [
        {"id": 100 + at, "name": f"{LONG_NAME[:70]} {at}", "role": "student", "in_room": at % 2 == 0, "online": True}
        for at in range(count)
    ]
    for me, name in ((BO, "Raise hand"), (ANA, "End class")):
        page = await open_room(me, size=PHONE, people=[*PEOPLE[:2], *crowd])
        await page.get_by_role("tab", name="People").click()
        button = page.get_by_role("button", name=name)
        await expect(button).to_be_in_viewport(ratio=1)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")
