"""Pictures, sound and devices of the room page: what happens without them, and how they come back."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.static.room.scene import ANA, BO, OpenRoom, failing, say, tile

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


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


@pytest.mark.parametrize(
    ("audio", "video", "words"),
    [
        ("NotAllowedError", "NotAllowedError", "Your browser does not allow the camera and microphone"),
        ("NotFoundError", "NotFoundError", "No camera and no microphone was found"),
        ("NotReadableError", "NotReadableError", "The camera and the microphone are in use"),
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
    await expect(page.get_by_text("need a secure page")).to_be_visible()
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


async def test_sound_turned_on_by_hand_stays_on_when_a_neighbor_is_found_later(open_room: OpenRoom) -> None:
    slow = (
        "const next = new BroadcastChannel('lectern-room');"
        "next.onmessage = ({data}) => data.ask && (window.answer = () => next.postMessage({here: 'x', to: data.ask}));"
    )
    # Its own clock stands still, so that the page goes on waiting for the answer.
    page = await open_room(BO, script=slow + "window.setTimeout = ((real) => (act, ms) => real(act, ms === 2000 ? 60000 : ms))(setTimeout);")
    await page.get_by_role("button", name="Silence the room").click()
    await page.get_by_role("button", name="Listen to the room").click()
    await page.evaluate("new Promise((heard) => { window.answer(); setTimeout(heard, 100); })")
    await expect(page.get_by_role("button", name="Silence the room")).to_be_visible()
    await expect(page.get_by_text("The sound is off in this tab")).to_have_count(0)


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
