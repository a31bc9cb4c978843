"""Captions: put, replaced and removed by the instructor, read by whoever may watch, gone with the lesson."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.content.tables import Content
from tests.api import Answer, Api
from tests.content.forms import eventually, files_under
from tests.factories import World

ApiOf = Callable[[str | None], Api]
VTT = b"WEBVTT\n\n00:00.000 --> 00:02.000\nA wave travels.\n"
OURS = b"WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nA wave travels.\n"
MEGABYTE = 1_048_576


async def lesson(world: World, students: list[str], **columns: Any) -> Content:
    return await world.content(await world.course("ana", students), original_key="videos/aa/aabb/o.mp4", **columns)


async def read(url: str) -> Answer:
    async with aiohttp.ClientSession() as session:
        return await Api(session, "", None).get(url)


async def put(client: Api, row: Content, lang: str, raw: bytes, query: str = "") -> Answer:
    return await client.call("PUT", f"/content/{row.id}/captions/{lang}{query}", data=raw)


async def test_captions_are_put_replaced_and_removed(api: ApiOf, world: World, uploads: Path) -> None:
    row = await lesson(world, ["bo"])
    made = await put(api("ana"), row, "EN", VTT, "?label=English")
    assert made.status == 200, made.raw
    assert [(c["lang"], c["label"]) for c in made.json["captions"]] == [("en", "English")]
    first = made.json["captions"][0]["url"]
    served = await read(first)
    assert (served.status, served.raw, served.headers["Content-Type"]) == (200, OURS, "text/vtt; charset=utf-8")
    form = aiohttp.FormData({"label": "Português"})
    form.add_field("file", VTT, filename="a.vtt", content_type="text/vtt")
    both = await api("ana").call("PUT", f"/content/{row.id}/captions/pt-br", data=form)
    assert [(c["lang"], c["label"]) for c in both.json["captions"]] == [("en", "English"), ("pt-BR", "Português")]
    again = await put(api("ana"), row, "en", VTT.replace(b"wave", b"sound"))
    assert [(c["lang"], c["label"]) for c in again.json["captions"]] == [("en", "English"), ("pt-BR", "Português")]
    mine = (await api("bo").get(f"/content/{row.id}")).json["captions"]
    assert b"A sound travels." in (await read(mine[0]["url"])).raw
    assert len(files_under(uploads)) == 2
    assert (await api("ana").delete(f"/content/{row.id}/captions/en")).status == 204
    assert (await read(mine[0]["url"])).status == 404
    assert (await api("ana").delete(f"/content/{row.id}/captions/en")).status == 404
    assert len((await api("bo").get(f"/content/{row.id}")).json["captions"]) == 1
    assert (await api("ana").delete(f"/content/{row.id}")).status == 204
    await eventually(lambda: files_under(uploads) == [])


async def test_only_the_instructor_captions_and_what_is_wrong_is_said(api: ApiOf, world: World, uploads: Path) -> None:
    row = await lesson(world, ["bo"])
    assert (await put(api(None), row, "en", VTT)).status == 401
    assert (await put(api("bo"), row, "en", b"not even")).code == "not_course_instructor"
    assert (await put(api("eve"), row, "en", VTT)).code == "not_course_instructor"
    hidden = await world.content(await world.course("dan", status="draft"), original_key="videos/aa/cc/o.mp4")
    assert (await put(api("ana"), hidden, "en", VTT)).status == 404
    wrong = await put(api("ana"), row, "en", b"1\n00:00:01,000 --> 00:00:02,000\nx")
    assert (wrong.status, wrong.code) == (422, "content_mismatch")
    assert "WebVTT" in wrong.json["detail"]
    assert (await put(api("ana"), row, "english", VTT)).code == "invalid"
    assert (await put(api("ana"), row, "en", b"")).code == "invalid"
    assert (await put(api("ana"), row, "en", VTT, "?label=" + "x" * 61)).code == "invalid"
    assert (await put(api("ana"), row, "en", VTT, "?label=a%00b")).code == "invalid"
    exact = VTT + b"\n" + b"NOTE " + b"x" * (MEGABYTE - len(VTT) - 7) + b"\n"
    assert len(exact) == MEGABYTE
    large = await put(api("ana"), row, "en", exact + b"x")
    assert (large.status, large.code, large.json["limit"]) == (413, "too_large", MEGABYTE)
    assert files_under(uploads) == []
    assert (await put(api("ana"), row, "en", exact)).status == 200


@pytest.mark.parametrize("lang", ["de", "fr"])
async def test_captions_are_for_who_may_watch(api: ApiOf, world: World, lang: str) -> None:
    row = await lesson(world, ["bo"], access_level="premium")
    await put(api("ana"), row, "de", VTT)
    seen = (await api("bo").get(f"/content/{row.id}")).json["captions"]
    assert [(c["lang"], c["url"]) for c in seen] == [("de", None)]
    url = (await api("ana").get(f"/content/{row.id}")).json["captions"][0]["url"]
    assert (await read(url)).status == 200
    assert (await read(url.partition("?")[0])).status == 401
    assert (await read(url.replace("captions.de", "file"))).code == "ticket_invalid"
    if lang != "de":
        assert (await read(url.replace("captions.de", f"captions.{lang}"))).code == "ticket_invalid"


async def test_a_lesson_has_captions_in_so_many_languages_and_no_more(
    api: ApiOf, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.content.captions.MOST_LANGUAGES", 2)
    row = await lesson(world, [])
    assert [(await put(api("ana"), row, lang, VTT)).status for lang in ("en", "de", "fr", "de")] == [200, 200, 409, 200]
