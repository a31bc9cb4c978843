"""Every format by name, with two kinds of content each, goes in by the page and plays to its end in Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image
from playwright.async_api import expect

from tests.content.samples import KINDS, MORE_KINDS, VIDEO_KINDS, make
from tests.journeys.classroom import Classroom

SECONDS = 1.5
READY_MS = 100_000  # for a whole queue, on a busy machine
SEEK_MS = 300.0
PLAYED = """async (url) => {
  const media = document.createElement("video");
  const until = (name) => new Promise((done, failed) => {
    media.addEventListener(name, done, { once: true });
    media.addEventListener("error", () => failed(new Error(`${url}: ${media.error.message}`)), { once: true });
  });
  media.muted = true; media.preload = "auto"; media.src = url; document.body.append(media);
  await until("canplaythrough");
  const seeks = [];
  for (const share of [0.6, 0.1, 0.8]) {
    const began = performance.now();
    media.currentTime = share * media.duration;
    await until("seeked");
    seeks.push(performance.now() - began);
  }
  media.currentTime = 0;
  await until("seeked");
  const ended = until("ended");
  await media.play();
  await ended;
  const found = { duration: media.duration, at: media.currentTime, seeks, width: media.videoWidth };
  media.remove();
  return found;
}"""
PICTURE = """async (url) => {
  const answer = await fetch(url);
  if (!answer.ok) return { status: answer.status, said: await answer.text() };
  const got = await answer.blob();
  return { type: got.type, width: (await createImageBitmap(got)).width };
}"""
# Where the codec is the same: how the two files begin, and their channels. MPEG-1 layer III behind a tag, or MPEG-2
# layer III without one; AAC-LC in the headers of MPEG-4, or of MPEG-2.
BEGINNINGS = {
    "mp3": (b"ID3", 2),
    "mp3 by a dictaphone": (b"\xff\xf3", 1),
    "aac": (b"\xff\xf1", 2),
    "aac by a radio": (b"\xff\xf9", 1),
}
PICTURES = ("jpeg", "png", "gif", "webp")


@pytest.mark.timeout(240)
async def test_every_format_is_uploaded_by_the_page_and_plays_to_its_end(classroom: Classroom, tmp_path: Path) -> None:
    await classroom.sign_in("ana")
    ana = classroom.ana
    kinds = [kind for kind in (*KINDS, *MORE_KINDS) if kind != "silent mp4"]
    files = {kind: make(tmp_path, kind, SECONDS) for kind in kinds}
    films = [files[kind] for kind in kinds if kind in VIDEO_KINDS or MORE_KINDS.get(kind, ("",) * 4)[2]]
    sounds = [file for file in files.values() if file not in films]
    named: dict[str, list[Path]] = {}
    for file in files.values():
        named.setdefault(file.suffix, []).append(file)
    assert {end: len(those) for end, those in named.items()} == dict.fromkeys(
        (".mp4", ".avi", ".mov", ".wmv", ".mp3", ".wav", ".m4a", ".aac", ".ogg"), 2
    )

    for kind, (beginning, channels) in BEGINNINGS.items():
        with av.open(str(files[kind])) as sound:
            assert (files[kind].read_bytes()[: len(beginning)], sound.streams.audio[0].channels) == (
                beginning,
                channels,
            )

    await ana.follow("Manage sessions")
    for way, label, chosen in (
        ("Upload video", "Choose a video", films),
        ("Upload audio", "Choose a sound recording", sounds),
    ):
        await ana.follow(way)
        await ana.page.get_by_label(label).set_input_files(chosen)
        await ana.page.get_by_role("button", name=f"Upload {len(chosen)} files").click()
    await expect(ana.page.get_by_text("Ready to play")).to_have_count(len(files), timeout=READY_MS)

    api = await classroom.api("ana")
    lessons = (await api.get("/courses/1/content?limit=100")).json
    by_name = {each["file_name"]: each for each in lessons}
    late: dict[str, Any] = {}
    for kind, file in files.items():
        shown = by_name[file.name]
        played = await ana.page.evaluate(PLAYED, shown["file_url"].removeprefix(classroom.program.url))
        assert played["duration"] == pytest.approx(SECONDS, abs=0.1), (kind, played)
        assert shown["duration_seconds"] == pytest.approx(SECONDS, abs=0.1), (kind, shown)
        assert played["at"] == pytest.approx(played["duration"], abs=0.1), (kind, played)
        assert played["width"] == (160 if file in films else 0), (kind, played)
        if sorted(played["seeks"])[1] > SEEK_MS:
            late[kind] = played["seeks"]
    assert late == {}


async def test_a_lesson_gets_its_picture_by_the_page(classroom: Classroom, tmp_path: Path) -> None:
    await classroom.sign_in("ana")
    page, api = classroom.ana.page, await classroom.api("ana")
    lesson = (await api.get("/courses/1/content")).json[0]
    shown: list[str] = [lesson["thumbnail_url"] or ""]
    await page.goto(f"{classroom.program.url}/app/courses/1")
    row = page.locator(".lesson").filter(has_text=lesson["title"])
    for kind in PICTURES:
        file = tmp_path / f"picture.{kind}"
        Image.new("RGB", (640, 360), (200, 40, 40)).save(file, kind.upper())
        await row.get_by_role("button", name=f"More about {lesson['title']}").click()
        await row.get_by_role("button", name="Change", exact=True).click()
        await page.get_by_label("Choose a picture").set_input_files(file)
        await expect(page.get_by_text("The picture is changed")).to_be_visible()
        shown.append(
            (await api.get(f"/content/{lesson['id']}")).json["thumbnail_url"].removeprefix(classroom.program.url)
        )
        assert await page.evaluate(PICTURE, shown[-1]) == {"type": "image/webp", "width": 640}, kind
        await page.reload()
    assert len({url.partition("?")[0] for url in shown}) == len(shown), "an old picture was still shown"


async def test_a_course_gets_its_picture_by_the_page(classroom: Classroom, tmp_path: Path) -> None:
    await classroom.sign_in("ana")
    page, api = classroom.ana.page, await classroom.api("ana")
    shown: list[str] = []
    for kind in PICTURES:
        file = tmp_path / f"picture.{kind}"
        Image.new("RGB", (640, 360), (200, 40, 40)).save(file, kind.upper())
        await page.goto(f"{classroom.program.url}/app/courses/1/settings")
        await page.get_by_label("Choose a picture").set_input_files(file)
        await expect(page.get_by_text("The picture is changed")).to_be_visible()
        shown.append((await api.get("/courses/1")).json["thumbnail_url"].removeprefix(classroom.program.url))
        found = await page.evaluate(PICTURE, shown[-1])
        assert found == {"type": "image/webp", "width": 640}, kind
    assert len({url.partition("?")[0] for url in shown}) == len(PICTURES), "an old picture was still shown"
