"""Files that lie: each ends in its exact error, opens nothing beside itself, and leaves nothing behind."""

from __future__ import annotations

import socket
import struct
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
from tests.content.forms import files_under, until_settled, upload
from tests.content.samples import png
from tests.factories import World

Sample = Callable[[str], Path]
ApiOf = Callable[[str | None], Api]
FTYP = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41"
HTML = b"<!doctype html><script>alert(1)</script>" * 200
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")

# name on the form, bytes, type, status, code
REFUSED_AT_ONCE = {
    "nothing at all": ("a.mp4", b"", "video", 422, "content_mismatch"),
    "a few bytes": ("a.mp4", b"\x00\x00\x00", "video", 422, "content_mismatch"),
    "zeros": ("a.mp4", bytes(9000), "video", 422, "content_mismatch"),
    "HLS playlist as video": ("a.mp4", PLAYLIST, "video", 422, "content_mismatch"),
    "HLS playlist by its name": ("a.m3u8", PLAYLIST, "video", 415, "type_not_allowed"),
    "concat script": ("a.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n", "video", 422, "content_mismatch"),
    "session description": ("a.mp4", b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\n", "video", 422, "content_mismatch"),
    "web page as video": ("a.mp4", HTML, "video", 422, "content_mismatch"),
    "web page without a name": ("", HTML, "video", 415, "type_not_allowed"),
    "vector picture": ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "video", 415, "type_not_allowed"),
    "picture as video": ("a.mp4", png(8, 8), "video", 422, "content_mismatch"),
    "archive as video": ("a.mp4", b"PK\x03\x04" + bytes(5000), "video", 422, "content_mismatch"),
    "program": ("a.exe", b"MZ" + bytes(5000), "video", 415, "type_not_allowed"),
    "program as sound": ("a.mp3", b"\x7fELF" + bytes(5000), "audio", 422, "content_mismatch"),
    "Matroska": ("a.mkv", bytes.fromhex("1a45dfa3") + bytes(5000), "video", 415, "type_not_allowed"),
    "Matroska as MP4": ("a.mp4", bytes.fromhex("1a45dfa3") + bytes(5000), "video", 422, "content_mismatch"),
    "AVI named MP4": ("a.mp4", b"RIFF\x00\x00\x00\x00AVI LIST" + bytes(5000), "video", 422, "content_mismatch"),
    "MP4 named AVI": ("a.avi", FTYP + bytes(5000), "video", 422, "content_mismatch"),
    "WAV named MP3": ("a.mp3", b"RIFF\x00\x00\x00\x00WAVEfmt " + bytes(5000), "audio", 422, "content_mismatch"),
    "WebP named WAV": ("a.wav", b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(5000), "audio", 422, "content_mismatch"),
    "sound as video": ("a.mp3", b"ID3\x04" + bytes(5000), "video", 415, "type_not_allowed"),
    "video as sound": ("a.avi", b"RIFF\x00\x00\x00\x00AVI LIST" + bytes(5000), "audio", 415, "type_not_allowed"),
}
# what passes the first look and is found out by the demuxer: name, bytes, type
FOUND_OUT = {
    "web page behind ftyp": ("a.mp4", FTYP + HTML, "video"),
    "playlist behind ftyp": ("a.mp4", FTYP + PLAYLIST, "video"),
    "playlist behind ID3": ("a.mp3", b"ID3\x04\x00\x00\x00\x00\x00\x00" + PLAYLIST, "audio"),
    "only a header": ("a.mp4", FTYP, "video"),
    "AVI of nothing": ("a.avi", b"RIFF\x00\x00\x00\x00AVI LIST" + bytes(9000), "video"),
    "WMV of nothing": ("a.wmv", ASF + bytes(9000), "video"),
    "OGG of nothing": ("a.ogg", b"OggS" + bytes(9000), "audio"),
    "WAV of nothing": ("a.wav", b"RIFF\x24\x00\x00\x00WAVEdata" + bytes(100), "audio"),
    "AAC of noise": ("a.aac", b"\xff\xf1" + bytes(range(256)) * 40, "audio"),
    "atom that claims to be huge": ("a.mov", struct.pack(">I", 0xFFFFFFFF) + b"moov" + bytes(9000), "video"),
    "nested atoms": ("a.mp4", FTYP + (struct.pack(">I", 8000) + b"moov") * 900, "video"),
}
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


@pytest.mark.parametrize("case", REFUSED_AT_ONCE)
async def test_what_does_not_begin_like_media_is_refused_in_the_request(
    case: str, api: ApiOf, world: World, uploads: Path
) -> None:
    name, content, kind, status, code = REFUSED_AT_ONCE[case]
    course = await world.course("ana")
    for file_first in (False, True):
        answer = await upload(api("ana"), content, name, course.id, kind, file_first=file_first)
        if file_first and content and sniff(content) is None:
            assert answer.status in (415, 422)
        else:
            assert (answer.status, answer.code) == (status, code)
        if answer.status == 415:
            assert answer.json["allowed"]
    assert files_under(uploads) == []


@pytest.mark.parametrize("case", FOUND_OUT)
async def test_what_only_begins_like_media_fails_and_says_so(
    case: str, api: ApiOf, world: World, uploads: Path
) -> None:
    name, content, kind = FOUND_OUT[case]
    course = await world.course("ana", ["bo"])
    answer = await upload(api("ana"), content, name, course.id, kind)
    assert answer.status == 201
    failed = await until_settled(api("ana"), answer.json["content"]["id"])
    assert failed["upload_status"] == "failed"
    assert failed["error_code"] in ("unreadable", "content_mismatch", "codec_not_allowed")
    assert failed["file_url"] is None
    assert (await api("bo").get(f"/content/{failed['id']}")).status == 404
    told = (await api("ana").get("/notifications")).json
    assert [n["type"] for n in told] == ["content_failed"]
    assert told[0]["data"]["content_id"] == failed["id"]
    assert (await api("bo").get("/notifications")).json == []
    assert len(files_under(uploads)) == 1  # the original, for another try


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
