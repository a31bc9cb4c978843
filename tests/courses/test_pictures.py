"""A course's picture: the bytes decide, the limit is exact, and what is kept was made anew."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from PIL import Image

from server.settings import Settings
from tests.api import Answer, Api
from tests.factories import World

People = Callable[[str | None], Api]
LIMIT = 5 * 1024 * 1024


def picture(format: str, size: tuple[int, int] = (64, 48), *, color: str = "teal", **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, format, **options)
    return out.getvalue()


def form(data: bytes, name: str = "picture.png", declared: str = "application/octet-stream") -> aiohttp.FormData:
    made = aiohttp.FormData()
    made.add_field("file", data, filename=name, content_type=declared)
    return made


async def sent(api: People, course_id: int, data: aiohttp.FormData) -> Answer:
    return await api("ana").put(f"/courses/{course_id}/thumbnail", data=data)


def kept(settings: Settings) -> list[Path]:
    return sorted((settings.uploads_dir / "courses").glob("**/*.*"))


async def test_the_four_formats_are_kept_as_webp_and_shown(api: People, world: World, settings: Settings) -> None:
    course = await world.course("ana")
    for format in ("JPEG", "PNG", "GIF", "WEBP"):
        answer = await sent(api, course.id, form(picture(format), f"x.{format.lower()}"))
        assert answer.status == 200, (format, answer.json)
    (file,) = kept(settings)
    assert Image.open(file).format == "WEBP"
    url = urlsplit(answer.json["thumbnail_url"])
    shown = await api(None).get(f"{url.path}?{url.query}")
    assert (shown.status, shown.headers["Content-Type"]) == (200, "image/webp")
    assert shown.raw == file.read_bytes()
    assert (await api(None).get(url.path)).status == 401


async def test_another_picture_is_shown_though_the_last_was_just_looked_at(
    api: People, world: World, settings: Settings
) -> None:
    course, seen = await world.course("ana"), set[bytes]()
    for color in ("teal", "red", "gold"):
        url = urlsplit((await sent(api, course.id, form(picture("PNG", color=color)))).json["thumbnail_url"])
        shown = await api(None).get(f"{url.path}?{url.query}")
        assert (shown.status, [file.read_bytes() for file in kept(settings)]) == (200, [shown.raw])
        seen.add(shown.raw)
    assert len(seen) == 3


async def test_a_drafts_picture_is_for_its_members(api: People, world: World) -> None:
    course = await world.course("ana", ["bo"])
    await sent(api, course.id, form(picture("PNG")))
    url = urlsplit((await api("eve").get(f"/courses/{course.id}")).json["thumbnail_url"])
    await api("ana").patch(f"/courses/{course.id}", {"status": "draft"})
    own = urlsplit((await api("bo").get(f"/courses/{course.id}")).json["thumbnail_url"])
    assert (await api(None).get(f"{own.path}?{own.query}")).status == 200
    assert (await api(None).get(f"{url.path}?{url.query}")).status == 404


async def test_metadata_and_what_was_appended_are_gone(api: People, world: World, settings: Settings) -> None:
    course = await world.course("ana")
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    data = picture("JPEG", exif=exif) + b"<script>alert(1)</script>"
    assert (await sent(api, course.id, form(data, "x.jpg"))).status == 200
    (file,) = kept(settings)
    assert b"secret" not in file.read_bytes() and b"script" not in file.read_bytes()


async def test_the_limit_is_exact(api: People, world: World) -> None:
    course = await world.course("ana")
    base = picture("JPEG")
    assert (await sent(api, course.id, form(base + b"\0" * (LIMIT - len(base)), "x.jpg"))).status == 200
    over = await sent(api, course.id, form(base + b"\0" * (LIMIT - len(base) + 1), "x.jpg"))
    assert (over.status, over.code, over.json["limit"]) == (413, "too_large", LIMIT)


@pytest.mark.parametrize(
    ("data", "name", "status"),
    [
        (b"", "x.png", (415, 422)),
        (b"hello", "x.png", (415, 422)),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "x.png", (415, 422)),
        (b"%PDF-1.7", "x.pdf", (415,)),
        (picture("PNG")[:60], "x.png", (422,)),
        (picture("PNG", (8000, 8000)), "bomb.png", (422,)),
        (b"\xff\xd8\xff" + b"\0" * 100, "x.jpg", (422,)),
        (picture("BMP"), "x.png", (415, 422)),
        (picture("TIFF"), "x.jpg", (415, 422)),
    ],
)
async def test_what_is_no_picture_leaves_nothing(
    api: People, world: World, settings: Settings, data: bytes, name: str, status: tuple[int, ...]
) -> None:
    course = await world.course("ana")
    answer = await sent(api, course.id, form(data, name))
    assert answer.status in status, answer.json
    assert kept(settings) == []
    assert (await api("ana").get(f"/courses/{course.id}")).json["thumbnail_url"] is None


async def test_a_form_without_a_file_is_invalid(api: People, world: World) -> None:
    course = await world.course("ana")
    empty = aiohttp.FormData()
    empty.add_field("other", b"x", filename="x")
    assert (await sent(api, course.id, empty)).status == 400
    assert (await api("ana").put(f"/courses/{course.id}/thumbnail", data=b"raw")).status == 400
