"""The room page in a real Chromium with a whole class inside it (room_world.js): what a person sees and can do.

No server takes part: the page's connection ends in the page, while its outbox, its store, its peer connections and the
fake camera are the real ones. Journeys against the real server are in tests/journeys.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, Route, ViewportSize, async_playwright, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules/axe-core/axe.min.js"
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
    "--no-sandbox",
]
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        await opened.close()


@pytest_asyncio.fixture(loop_scope="module")
async def open_room(browser: Browser) -> AsyncIterator[OpenRoom]:
    """Open the room as one of PEOPLE; every error on the page fails the test."""
    page_html = (ROOT / "static/index.html").read_text()
    app = web.Application()
    app.router.add_static("/static", ROOT / "static")

    async def page_of_the_app(request: web.Request) -> web.Response:
        return web.Response(text=page_html, content_type="text/html")

    app.router.add_get("/app/{rest:.*}", page_of_the_app)
    errors: list[str] = []

    async with TestServer(app) as server:

        async def open_as(
            me: int,
            *,
            size: ViewportSize = DESK,
            scheme: Any = "light",
            about: dict[str, Any] | None = None,
            script: str = "",
            people: list[dict[str, Any]] | None = None,
            **scene: Any,
        ) -> Page:
            everyone = people or PEOPLE
            person = next(one for one in everyone if one["id"] == me)
            user = {
                "id": me,
                "email": "somebody@example.org",
                "name": person["name"],
                "role": "student",
                "avatar_url": None,
            }
            session = {**ABOUT, "my_role": person["role"], **(about or {})}
            answers: dict[str, Any] = {
                "**/auth/refresh": {"user": user, "access_token": "t", "expires_in": 600, "sign_in_id": 1},
                "**/live-sessions/9": session,
                "**/notifications/**": {"unread_count": 0},
            }
            events = [] if me == ANA else ANA_SENDS
            told = {"me": me, "people": everyone, "about": session, "events": events, **scene}
            context = await browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
            page = await context.new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            await page.add_init_script(
                f"window.scene = {json.dumps(told)}; sessionStorage.setItem('lectern.sign_in', '1'); {script}"
            )
            for pattern, answer in answers.items():
                await page.route(pattern, _answering(answer))
            await page.route("**/static/js/socket.js", _world)
            await page.goto(str(server.make_url("/app/sessions/9")))
            return page

        yield open_as
        for context in browser.contexts:
            await context.close()
    assert errors == []


def _answering(answer: Any) -> Callable[[Route], Awaitable[None]]:
    async def fulfill(route: Route) -> None:
        await route.fulfill(json=answer)

    return fulfill


async def _world(route: Route) -> None:
    await route.fulfill(path=ROOT / "tests/static/room_world.js", content_type="text/javascript")


def tile(page: Page, user: int, source: str = "camera") -> Any:
    return page.locator(f'.room-tile[data-user="{user}"][data-source="{source}"][data-shown="true"]')


async def say(page: Page, type: str, actor: int, **payload: Any) -> None:
    await page.evaluate("([type, actor, payload]) => void world.say(type, actor, payload)", [type, actor, payload])


async def test_a_student_sees_the_instructor_without_any_device_or_click(open_room: OpenRoom) -> None:
    page = await open_room(BO, script=failing("NotFoundError", "NotFoundError"))
    await expect(tile(page, ANA)).to_be_visible()
    await expect(page.locator(".room-notice")).to_have_count(0)
    await expect(page.get_by_role("heading", name="Standing waves")).to_be_visible()
    await expect(page.locator(".room-me")).to_contain_text("Bo Lindqvist")


async def test_the_instructor_is_on_air_by_entering(open_room: OpenRoom) -> None:
    page = await open_room(ANA)
    await expect(tile(page, ANA)).to_be_visible()
    await page.wait_for_function("window.__lectern?.pcs().publish?.connectionState === 'connected'")
    await page.wait_for_function(
        "async () => [...(await __lectern.pcs().publish.getStats()).values()].some((one) => one.framesSent > 5)"
    )
    assert await page.evaluate("world.room.tracks.map((track) => track.source)") == ["microphone", "camera"]


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
    await floor.get_by_role("button", name="Take floor").click()
    await expect(page.get_by_text("No hand is up.")).to_be_visible()


async def test_who_is_here_follows_presence(open_room: OpenRoom) -> None:
    page = await open_room(ANA)
    await page.get_by_role("tab", name="People").click()
    here = page.get_by_label("In the room", exact=True)
    await expect(here.locator(".room-person-name")).to_have_text(["Ana Castro (you)", "Bo Lindqvist", "Cleo Marchetti"])
    await page.evaluate("world.present(4, true); world.present(3, false)")
    await expect(here.locator(".room-person-name")).to_have_text(["Ana Castro (you)", "Bo Lindqvist", "Dai Nguyen"])
    about = page.get_by_label("Online, not in the room")
    await expect(about.locator(".room-person-name")).to_have_text(["Cleo Marchetti"])


@pytest.mark.parametrize(
    ("audio", "video", "words"),
    [
        ("NotAllowedError", "NotAllowedError", "Your browser does not allow the camera and microphone"),
        ("NotFoundError", "NotFoundError", "No camera and microphone was found"),
        ("NotReadableError", "NotReadableError", "The camera and microphone is in use"),
    ],
)
async def test_without_devices_the_class_goes_on_with_a_test_picture(
    open_room: OpenRoom, audio: str, video: str, words: str
) -> None:
    page = await open_room(ANA, script=failing(audio, video))
    await expect(page.get_by_text(words)).to_be_visible()
    await page.get_by_role("button", name="Send a test picture and tone").click()
    await expect(tile(page, ANA)).to_be_visible()
    await expect(page.locator(".room-notice")).to_have_count(0)
    await page.wait_for_function("world.room.tracks.length === 2")


async def test_one_device_missing_leaves_the_other_on(open_room: OpenRoom) -> None:
    page = await open_room(ANA, script=failing(None, "NotReadableError"))
    await expect(page.get_by_text("The camera is in use")).to_be_visible()
    await expect(page.get_by_role("button", name="Mute microphone")).to_be_visible()
    await page.get_by_role("button", name="Go on without").click()
    await expect(page.locator(".room-notice")).to_have_count(0)


async def test_a_page_over_plain_http_says_why_there_is_no_camera(open_room: OpenRoom) -> None:
    page = await open_room(ANA, script="Object.defineProperty(navigator, 'mediaDevices', {value: undefined});")
    await expect(page.get_by_text("needs a secure page")).to_be_visible()
    await expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    await page.get_by_role("button", name="Send a test picture and tone").click()
    await expect(tile(page, ANA)).to_be_visible()


async def test_sound_the_browser_holds_back_needs_one_tap(open_room: OpenRoom) -> None:
    refuse = (
        "const play = HTMLMediaElement.prototype.play; window.held = true;"
        "HTMLMediaElement.prototype.play = function () { return window.held && this.tagName === 'AUDIO'"
        " ? Promise.reject(new DOMException('no', 'NotAllowedError')) : play.call(this); };"
    )
    page = await open_room(BO, script=refuse)
    await expect(page.get_by_role("button", name="Tap to hear")).to_be_visible()
    await page.evaluate("window.held = false")
    await page.get_by_role("button", name="Tap to hear").click()
    await expect(page.locator(".room-notice")).to_have_count(0)


async def test_a_second_tab_of_the_browser_starts_without_sound(open_room: OpenRoom) -> None:
    neighbour = (
        "const next = new BroadcastChannel('lectern-room');"
        "next.onmessage = ({data}) => data.ask && next.postMessage({here: 'x', to: data.ask});"
    )
    page = await open_room(BO, script=neighbour)
    await expect(page.get_by_text("The sound is off in this tab")).to_be_visible()
    await page.get_by_role("button", name="Turn sound on").click()
    await expect(page.get_by_text("The sound is off in this tab")).to_have_count(0)
    await expect(page.get_by_role("button", name="Silence the room")).to_be_visible()


async def test_a_lost_media_worker_and_a_lost_server_bring_the_pictures_back_without_a_click(
    open_room: OpenRoom,
) -> None:
    page = await open_room(ANA)
    await say(page, "track_published", BO, user_id=BO, source="camera")
    for loss in ("world.loseMedia()", "world.down(); world.loseMedia(); world.up()"):
        await expect(tile(page, BO)).to_be_visible()
        await expect(tile(page, ANA)).to_be_visible()
        before = await page.evaluate("window.before = __lectern.pcs().publish; world.wishes.length")
        await page.evaluate(loss)
        await page.wait_for_function(
            "__lectern.pcs().publish !== window.before && __lectern.pcs().publish?.connectionState === 'connected'"
        )
        await expect(tile(page, BO)).to_be_visible()
        again = await page.evaluate("(at) => world.wishes.slice(at).map((wish) => wish.event)", before)
        assert {"media_publish", "media_subscribe"} <= set(again)
        await page.wait_for_function("world.room.tracks.filter((track) => track.user_id === 1).length === 2")


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
