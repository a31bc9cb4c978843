"""Files that lie: each ends in its exact error, opens nothing beside itself, and leaves nothing behind."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.content import child, rules
from server.content.formats import sniff
from server.content.worker.inspect import inspect
from server.content.worker.refusal import Refused
from tests.api import Api
from tests.content import hostile
from tests.content.forms import files_under, until_settled, upload
from tests.content.hostile import AT_FIRST_SIGHT, INSIDE
from tests.content.samples import make, png
from tests.factories import World

Sample = Callable[[str], Path]
ApiOf = Callable[[str | None], Api]
FTYP = hostile.FTYP
NAMES = {
    "../../etc/passwd.mp4": "passwd.mp4",
    "..\\..\\windows\\win.mp4": "win.mp4",
    "/abs/olute.mp4": "olute.mp4",
    "....mp4": "mp4",
    "a\u202e4pm.mp4": "a4pm.mp4",
    'quo"te<b>.mp4': "quoteb.mp4",
    "x" * 6000 + ".mp4": "x" * 146 + ".mp4",
    "a\x07\udcff<" + "b" * 200: "a" + "b" * 149,
    "a\x07" + "b" * 200 + "." + "c" * 20: "a" + "b" * 149,
    "урок.mp4": "урок.mp4",
    "e\u0301.mp4": "\u00e9.mp4",
    "": "file",
    "...": "file",
}


def order_of(path: Path, kind: str, output: Path) -> dict[str, Any]:
    return {"command": "process", "path": str(path), "kind": kind, "converts": True, "output": str(output)}


@pytest.fixture
def closed_port() -> Iterator[socket.socket]:
    """A listener that nobody may ever reach."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        yield listener


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A film beside the uploads that nobody may open: its time of reading would move."""
    path = make(tmp_path, "mp4")
    os.utime(path, (1, 2))
    return path


def filled(content: bytes, canary: Path, listener: socket.socket) -> bytes:
    """A lie that points at the canary and at the listener."""
    port = str(listener.getsockname()[1]).encode()
    return content.replace(b"{port}", port).replace(b"{canary}", str(canary).encode())


def untouched(canary: Path, listener: socket.socket) -> bool:
    with pytest.raises(BlockingIOError):
        listener.accept()
    return canary.stat().st_atime == 1


def test_there_are_enough_of_them() -> None:
    assert len(AT_FIRST_SIGHT) + len(INSIDE) >= 60


async def test_what_does_not_begin_like_media_is_refused_in_the_request(
    api: ApiOf, world: World, uploads: Path, canary: Path, closed_port: socket.socket
) -> None:
    course = await world.course("ana")
    for case, lie in AT_FIRST_SIGHT.items():
        assert isinstance(lie.made, bytes)
        content = filled(lie.made, canary, closed_port)
        for file_first in (False, True):
            answer = await upload(api("ana"), content, lie.name, course.id, lie.kind, file_first=file_first)
            if file_first and content and sniff(content) is None:
                assert answer.code in ("content_mismatch", "type_not_allowed"), case
            else:
                assert answer.code == lie.code, case
            assert answer.status == (415 if answer.code == "type_not_allowed" else 422), case
            if answer.status == 415:
                assert answer.json["allowed"], case
    assert files_under(uploads) == []
    assert untouched(canary, closed_port)


@pytest.mark.timeout(120)
async def test_what_only_begins_like_media_fails_with_its_own_word_and_leaves_nothing(
    api: ApiOf, world: World, uploads: Path, tmp_path: Path, canary: Path, closed_port: socket.socket
) -> None:
    course = await world.course("ana", ["bo"])
    failed: dict[str, dict[str, Any]] = {}
    for case, lie in INSIDE.items():
        (tmp_path / case).mkdir()
        content = lie.made if isinstance(lie.made, bytes) else lie.made(tmp_path / case)
        content = filled(content, canary, closed_port)
        answer = await upload(api("ana"), content, lie.name, course.id, lie.kind)
        assert answer.status == 201, (case, answer.code)
        failed[case] = await until_settled(api("ana"), answer.json["content"]["id"])
    assert {case: row["error_code"] for case, row in failed.items()} == {case: lie.code for case, lie in INSIDE.items()}
    for case, row in failed.items():
        assert (row["upload_status"], row["file_url"]) == ("failed", None), case
        assert (await api("bo").get(f"/content/{row['id']}")).status == 404, case
    left = files_under(uploads)
    assert len(left) == len(INSIDE) and all(Path(name).stem == "original" for name in left)  # for another try
    assert not list((uploads / "work").iterdir()) and not list((uploads / "incoming").iterdir())
    told = (await api("ana").get("/notifications?limit=200")).json
    assert sorted(n["data"]["content_id"] for n in told) == sorted(row["id"] for row in failed.values())
    assert {n["type"] for n in told} == {"content_failed"}
    assert (await api("bo").get("/notifications")).json == []
    assert untouched(canary, closed_port)


async def test_half_a_video_is_called_truncated(api: ApiOf, world: World, sample: Sample, tmp_path: Path) -> None:
    course = await world.course("ana")
    whole = tmp_path / "whole.mp4"
    await child.run(child.PROCESS, order_of(sample("mp4"), "video", tmp_path))
    content = (tmp_path / "video.mp4").read_bytes()  # its index is in front
    whole.write_bytes(content[: len(content) // 2])
    answer = await upload(api("ana"), whole, "half.mp4", course.id, "video")
    failed = await until_settled(api("ana"), answer.json["content"]["id"])
    assert (failed["upload_status"], failed["error_code"]) in [("failed", "truncated"), ("failed", "unreadable")]


async def test_an_archive_behind_a_video_does_not_survive(
    api: ApiOf, world: World, sample: Sample, uploads: Path
) -> None:
    course = await world.course("ana")
    content = sample("mp4").read_bytes() + b"PK\x03\x04" + b"SECRET PAYLOAD" * 100
    answer = await upload(api("ana"), content, "poly.mp4", course.id, "video")
    ready = await until_settled(api("ana"), answer.json["content"]["id"])
    assert ready["upload_status"] == "completed"
    served = (await Api(api("ana")._session, "", None).get(ready["file_url"])).raw
    assert b"SECRET PAYLOAD" not in served


async def test_a_playlist_reaches_neither_files_nor_the_network_whatever_demuxer_is_named(
    tmp_path: Path, closed_port: socket.socket
) -> None:
    port = closed_port.getsockname()[1]
    canary = tmp_path / "canary.mp4"
    canary.write_bytes(FTYP)
    for text in (
        f"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:{port}/x.ts\n",
        f"ffconcat version 1.0\nfile {canary}\n",
        f"v=0\nc=IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\n",
    ):
        script = tmp_path / "script.mp4"
        script.write_text(text)
        before = canary.stat().st_atime_ns
        for demuxer in ("mov", "avi", "asf", "mp3", "ogg"):
            with pytest.raises(Refused):
                inspect(str(script), demuxer, "video")
        assert canary.stat().st_atime_ns == before
    with pytest.raises(BlockingIOError):
        closed_port.accept()


@pytest.mark.parametrize("given", NAMES)
def test_a_clients_name_is_only_ever_data(given: str) -> None:
    assert rules.clean_file_name(given) == NAMES[given]


async def test_a_name_that_climbs_is_kept_as_words_only(
    api: ApiOf, world: World, sample: Sample, uploads: Path
) -> None:
    course = await world.course("ana")
    answer = await upload(api("ana"), sample("mp3"), "../../../tmp/evil.mp3", course.id, "audio")
    assert answer.json["content"]["file_name"] == "evil.mp3"
    await until_settled(api("ana"), answer.json["content"]["id"])
    assert not any("evil" in name for name in files_under(uploads))


async def test_a_worker_that_asks_for_too_much_is_stopped(tmp_path: Path, sample: Sample) -> None:
    tight = child.Cage(768 * child.MEBIBYTE, 30, 4096, 60)
    order = order_of(sample("mp4"), "video", tmp_path)
    with pytest.raises((child.WorkerCrashed, child.WorkerRefused)):
        await child.run(tight, order)
    assert all(path.stat().st_size <= 4096 for path in tmp_path.iterdir())
    impatient = child.Cage(768 * child.MEBIBYTE, 30, 1 << 30, 0.01)
    with pytest.raises(child.WorkerTimedOut):
        await child.run(impatient, order)


async def test_pictures_are_made_anew_and_bombs_are_not_unpacked(
    api: ApiOf, world: World, sample: Sample, uploads: Path
) -> None:
    course = await world.course("ana")
    lesson = await upload(api("ana"), sample("mp3"), "a.mp3", course.id, "audio")
    content_id = lesson.json["content"]["id"]
    await until_settled(api("ana"), content_id)

    async def put(content: bytes, name: str = "p.png", type: str = "image/png") -> tuple[int, str]:
        data = aiohttp.FormData()
        data.add_field("file", content, filename=name, content_type=type)
        answer = await api("ana").put(f"/content/{content_id}/thumbnail", data=data)
        return answer.status, answer.code

    assert await put(png(64, 48)) == (200, "")
    assert await put(png(13_000, 13_000)) == (422, "content_mismatch")
    assert await put(b"\xff\xd8\xff<?php evil(); ?>" * 20, "p.jpg", "image/jpeg") == (422, "content_mismatch")
    assert await put(b"GIF89a=1;alert(1)//" * 20, "p.gif", "image/gif") == (422, "content_mismatch")
    assert await put(b"<svg/>" * 20) == (415, "type_not_allowed")
    assert await put(png(8, 8), "p.svg", "image/svg+xml") == (415, "type_not_allowed")
    assert await put(b"\x89PNG\r\n\x1a\n".ljust(5 * 1024 * 1024 + 1, b"\0")) == (413, "too_large")
    pictures = [name for name in files_under(uploads) if name.endswith(".webp")]
    assert len(pictures) == 1
    assert (uploads / pictures[0]).read_bytes()[8:12] == b"WEBP"
