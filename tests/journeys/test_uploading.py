"""Uploads that go on over a pause, a reload, a sign-in and a crash of the server; several in a row; by drop, by key."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Locator, Page, Request, Route, expect

from tests.api import Api
from tests.journeys.browser import until
from tests.journeys.classroom import Classroom

SLOW = {"offline": False, "latency": 5, "downloadThroughput": -1, "uploadThroughput": 250_000}
FAST = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
DONE_MS = 60_000
DROP = """async ([box, path]) => {
  const bytes = await (await fetch(path)).arrayBuffer();
  const data = new DataTransfer();
  data.items.add(new File([bytes], "dropped.mp4", { type: "video/mp4" }));
  const how = { dataTransfer: data, bubbles: true, cancelable: true };
  for (const type of ["dragover", "drop"]) box.dispatchEvent(new DragEvent(type, how));
}"""


class Uploading:
    """Ana before the form, and what her browser sends."""

    def __init__(self, classroom: Classroom) -> None:
        self.classroom, self.tab = classroom, classroom.ana
        self.page: Page = self.tab.page
        self.offsets: list[int] = []
        self.page.on("request", self._heard)

    def _heard(self, request: Request) -> None:
        if request.method == "PATCH" and "/courses/uploads/" in request.url:
            self.offsets.append(int(request.headers["upload-offset"]))

    async def open_form(self, way: str = "Upload video") -> None:
        await self.tab.follow("Manage sessions")
        await self.tab.follow(way)

    async def line(self, conditions: dict[str, Any]) -> None:
        devtools = await self.page.context.new_cdp_session(self.page)
        await devtools.send("Network.enable")
        await devtools.send("Network.emulateNetworkConditions", conditions)

    async def choose(self, *files: Path) -> None:
        await self.page.get_by_label("Choose a video").set_input_files(list(files))

    def row(self, title: str) -> Locator:
        return self.page.locator(".upload").filter(has_text=title)

    async def arrived(self, title: str, file: Path) -> None:
        """Ready, and what is played is what the same bytes give that are sent at once."""
        row = self.row(title)
        await expect(row.get_by_text("Ready to play")).to_be_visible(timeout=DONE_MS)
        api = await self.classroom.api("ana")
        content_id = str(await row.get_by_role("link", name="Open").get_attribute("href")).rsplit("/", 1)[1]
        whole = await self._sent_at_once(api, file)
        shown = [(await api.get(f"/content/{number}")).json for number in (content_id, whole)]
        assert shown[0]["file_size"] == file.stat().st_size
        played = [(await api.get(each["file_url"].removeprefix(api.base))).raw for each in shown]
        assert played[0] == played[1]

    async def _sent_at_once(self, api: Api, file: Path) -> int:
        """The same file by the form; its lesson's id once it can be played."""
        form = aiohttp.FormData({"course_id": "1", "type": "video", "title": "At once"})
        form.add_field("file", file.read_bytes(), filename=file.name)
        number = int((await api.post("/courses/upload-content", data=form)).json["content"]["id"])

        async def is_done() -> bool:
            return bool((await api.get(f"/content/{number}")).json["upload_status"] == "completed")

        await until(is_done, "the same film is processed", 60)
        return number


@pytest.fixture
async def uploading(classroom: Classroom) -> Uploading:
    await classroom.sign_in("ana")
    made = Uploading(classroom)
    await made.open_form()
    return made


def longer(sample: Path, folder: Path, name: str, bytes_after: int = 300_000) -> Path:
    """The same film in a larger file of its own: readers skip a `free` box (ISO/IEC 14496-12, 8.1.2)."""
    path = folder / name
    free = (8 + bytes_after).to_bytes(4, "big") + b"free" + hashlib.sha256(name.encode()).digest() * (bytes_after // 32)
    path.write_bytes(sample.read_bytes() + free.ljust(8 + bytes_after, b"\0"))
    return path


async def test_two_files_wait_for_each_other_and_the_first_is_paused_and_goes_on(
    uploading: Uploading, tmp_path: Path
) -> None:
    sample = uploading.classroom.program.sample
    first, second = longer(sample, tmp_path, "first_wave.mp4"), longer(sample, tmp_path, "second_wave.mp4")
    await uploading.choose(first, second)
    await expect(uploading.page.get_by_text("Each is named after its file")).to_be_visible()
    await uploading.line(SLOW)
    await uploading.page.get_by_role("button", name="Upload 2 files").click()
    await expect(uploading.row("Second wave")).to_contain_text("waiting for its turn")
    await expect(uploading.row("First wave")).to_contain_text("left")
    await uploading.page.get_by_role("button", name="Pause the upload of First wave").click()
    await expect(uploading.row("First wave")).to_contain_text("paused")
    resume = uploading.page.get_by_role("button", name="Resume the upload of First wave")
    await expect(resume).to_be_focused()  # who works by keys goes on where they were
    await expect(uploading.row("Second wave")).to_contain_text("left")  # the next one has its turn
    await uploading.line(FAST)
    await uploading.arrived("Second wave", second)
    await resume.click()
    await uploading.arrived("First wave", first)
    assert uploading.offsets[-1] > 0, "it began anew"


async def test_after_a_reload_the_same_file_goes_on_where_it_was_and_another_is_refused(
    uploading: Uploading, tmp_path: Path
) -> None:
    sample, page = uploading.classroom.program.sample, uploading.page
    file, other = longer(sample, tmp_path, "long_wave.mp4"), longer(sample, tmp_path, "another.mp4")
    await uploading.choose(file)
    await uploading.line(SLOW)
    await uploading.tab.click("Upload", exact=True)
    await expect(uploading.row("Long wave")).to_contain_text("left")
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await page.reload()
    row = uploading.row("Long wave")
    await expect(row).to_contain_text("interrupted")
    chooser = row.get_by_label("Choose “long_wave.mp4”")
    await chooser.set_input_files(other)
    await expect(row.get_by_role("alert").get_by_text("This is another file")).to_be_visible()
    title = await row.locator(".item-title").bounding_box()
    assert title is not None
    assert title["width"] > 200, "the refusal pushes everything else aside"
    await uploading.line(FAST)
    await chooser.set_input_files(file)
    await uploading.arrived("Long wave", file)
    assert uploading.offsets[-1] > 0, "it began anew"


async def test_a_killed_server_is_waited_for_and_the_upload_goes_on_by_itself(
    uploading: Uploading, tmp_path: Path
) -> None:
    file = longer(uploading.classroom.program.sample, tmp_path, "tough_wave.mp4")
    await uploading.choose(file)
    await uploading.line(SLOW)
    await uploading.tab.click("Upload", exact=True)
    bar = uploading.row("Tough wave").locator("progress")

    async def is_half_way() -> bool:  # so that some of it was written
        return bool(await bar.evaluate("(bar) => bar.value") > 50)

    await until(is_half_way, "half of it has left", 30)
    await uploading.classroom.program.kill()
    await expect(uploading.row("Tough wave")).to_contain_text("the connection is away")
    await uploading.line(FAST)
    await uploading.classroom.program.start()
    await uploading.arrived("Tough wave", file)
    assert uploading.offsets[-1] > 0, "it began anew"


async def test_a_cancelled_upload_leaves_nothing_and_a_dropped_one_arrives(
    uploading: Uploading, tmp_path: Path
) -> None:
    program, page = uploading.classroom.program, uploading.page
    file = longer(program.sample, tmp_path, "not_this.mp4")
    await uploading.choose(file)
    await uploading.line(SLOW)
    await uploading.tab.click("Upload", exact=True)
    await expect(uploading.row("Not this")).to_contain_text("left")
    await page.get_by_role("button", name="Cancel the upload of Not this").click()
    await expect(uploading.row("Not this")).to_contain_text("Nothing was kept")
    incoming = program.folder / "var" / "uploads" / "incoming"

    async def is_empty() -> bool:
        return not list(incoming.iterdir())

    await until(is_empty, "the part is removed", 30)
    await cancelled_while_it_is_created(uploading, longer(program.sample, tmp_path, "nor_this.mp4"))
    await expect(uploading.row("Not this")).to_contain_text("Nothing was kept")  # also when the server has answered
    await uploading.line(FAST)
    lesson = await (await uploading.classroom.api("ana")).get("/courses/1/content")
    film = next(each["file_url"] for each in lesson.json if each["content_type"] == "video" and each["file_url"])
    box = await page.locator(".drop").element_handle()
    await page.evaluate(DROP, [box, film.split(program.url)[1]])
    await expect(page.get_by_label("Title")).to_have_value("Dropped")
    await page.get_by_label("Title").press("Enter")  # no mouse from here on
    await expect(uploading.row("Dropped").get_by_text("Ready to play")).to_be_visible(timeout=DONE_MS)


async def cancelled_while_it_is_created(uploading: Uploading, file: Path) -> None:
    """The server has made the lesson, and its answer comes after the person has cancelled."""
    is_made, is_cancelled = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        answer = await route.fetch()
        is_made.set()
        await is_cancelled.wait()
        await route.fulfill(response=answer)

    await uploading.page.route("**/courses/uploads", late)
    await uploading.choose(file)
    await uploading.tab.click("Upload", exact=True)
    async with asyncio.timeout(30):
        await is_made.wait()
    await uploading.page.get_by_role("button", name="Cancel the upload of Nor this").click()
    is_cancelled.set()
    api = await uploading.classroom.api("ana")

    async def is_taken_back() -> bool:
        shown = [each for each in (await api.get("/courses/1/content")).json if each["title"] == "Nor this"]
        return [each["error_code"] for each in shown] == ["cancelled"]

    await until(is_taken_back, "the lesson is given up", 30)
    await uploading.page.unroute("**/courses/uploads", late)


async def test_wrong_files_are_named_and_only_the_right_one_is_sent(uploading: Uploading, tmp_path: Path) -> None:
    page = uploading.page
    (tmp_path / "notes.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "empty.mp4").write_bytes(b"")
    good = longer(uploading.classroom.program.sample, tmp_path, "good_wave.mp4")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/courses/uploads" in request.url else None)
    await uploading.choose(tmp_path / "notes.pdf", good, tmp_path / "empty.mp4")
    await expect(page.get_by_text("notes.pdf")).to_be_visible()
    await expect(page.get_by_text("This file is empty")).to_be_visible()
    await expect(page.get_by_label("Title")).to_have_value("Good wave")
    assert asked == []
    await uploading.tab.click("Upload", exact=True)
    await uploading.arrived("Good wave", good)


async def test_whoever_signs_in_next_does_not_see_them_and_the_same_person_goes_on(
    uploading: Uploading, tmp_path: Path
) -> None:
    page, classroom = uploading.page, uploading.classroom
    file = longer(classroom.program.sample, tmp_path, "my_wave.mp4", 8_000_000)  # half a minute: it is not over before
    await uploading.choose(file)
    await uploading.line(SLOW)
    await uploading.tab.click("Upload", exact=True)
    await expect(uploading.row("My wave")).to_contain_text("left")
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await page.get_by_role("button", name="Ana Castro").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(f"{classroom.program.url}/app/sign-in")
    assert "my_wave.mp4" not in await page.content()
    await page.get_by_label("E-mail").fill("ana@example.org")
    await page.get_by_label("Password", exact=True).fill(classroom.program.password)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page).to_have_url(f"{classroom.program.url}/app/courses")
    await uploading.open_form()
    await uploading.line(FAST)
    await uploading.row("My wave").get_by_label("Choose “my_wave.mp4”").set_input_files(file)
    await uploading.arrived("My wave", file)
    assert uploading.offsets[-1] > 0, "it began anew"
