"""Behind nginx, what was granted is sent by nginx: the answer names the file and has no body. Nobody else is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from pydantic import ValidationError

from server.content.wiring import LIBRARY
from server.settings import Settings
from tests.api import Answer, Api
from tests.conftest import SECRET
from tests.factories import World

ApiOf = Callable[[str | None], Api]
KEY, BYTES = "videos/aa/aabb/video-0123456789abcdef.mp4", bytes(range(256)) * 1024
BEHIND_NGINX = {"LECTERN_X_ACCEL_PREFIX": "/lectern-files/", "TRUSTED_PROXIES": "127.0.0.1"}


@pytest.fixture
def settings(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    given = {"DATABASE_URL": database_url, "SECRET_KEY": SECRET, "LECTERN_DATA_DIR": str(tmp_path), "PORT": 0}
    return Settings.model_validate({**given, **request.param})


@pytest.fixture
async def media(api: ApiOf, world: World, app: web.Application) -> str:
    """The path of a lesson's bytes, with Bo's ticket."""
    storage = app[LIBRARY].storage
    part = storage.new_part()
    part.write_bytes(BYTES)
    storage.adopt(KEY, part)
    course = await world.course("ana", ["bo"])
    row = await world.content(course, file_url=KEY, served_mime_type="video/mp4", original_key="videos/aa/aabb/o.mp4")
    url = urlsplit((await api("bo").get(f"/content/{row.id}")).json["file_url"])
    return f"{url.path}?{url.query}"


def told(answer: Answer) -> str | None:
    """Where nginx is sent."""
    return answer.headers.get("X-Accel-Redirect")


@pytest.mark.parametrize("settings", [BEHIND_NGINX], indirect=True)
async def test_what_is_granted_is_left_to_nginx_with_the_headers_of_a_lesson(api: ApiOf, media: str) -> None:
    for method, headers in (
        ("GET", {}),
        ("HEAD", {}),
        ("GET", {"Range": "bytes=5-9"}),
        ("GET", {"Range": "bytes=9-5"}),
    ):
        answer = await api(None).call(method, media, headers=headers)
        assert (answer.status, answer.raw, told(answer)) == (200, b"", f"/lectern-files/{KEY}")
        assert answer.headers["Content-Type"] == "video/mp4"
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Content-Range" not in answer.headers


@pytest.mark.parametrize("settings", [BEHIND_NGINX], indirect=True)
async def test_what_is_refused_names_no_file(api: ApiOf, media: str, world: World, app: web.Application) -> None:
    bare = await api(None).get(media.partition("?")[0])
    assert (bare.status, told(bare)) == (401, None)
    forged = await api(None).get(media[:-2] + "xx")
    assert (forged.status >= 400, told(forged)) == (True, None)
    app[LIBRARY].storage.delete(KEY)
    gone = await api(None).get(media)
    assert (gone.status, gone.code, told(gone)) == (404, "not_found", None)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"TRUSTED_PROXIES": "127.0.0.1"},
        {"LECTERN_X_ACCEL_PREFIX": "/lectern-files"},
        {"LECTERN_X_ACCEL_PREFIX": "/lectern-files", "TRUSTED_PROXIES": "10.0.0.0/8"},
    ],
    indirect=True,
)
async def test_unless_it_is_set_and_a_trusted_proxy_asks_the_bytes_are_ours_to_send(api: ApiOf, media: str) -> None:
    asked = {"X-Accel-Redirect": "/etc/passwd", "X-Forwarded-For": "127.0.0.1"}
    answer = await api(None).call("GET", media, headers=asked)
    assert (answer.status, answer.raw, told(answer)) == (200, BYTES, None)


@pytest.mark.parametrize("given", ["files", "http://x/files", "/a b", "/a\r\nX: y", "/../etc?x"])
def test_a_prefix_is_the_path_of_a_location(given: str) -> None:
    with pytest.raises(ValidationError, match="internal location"):
        Settings.model_validate({"LECTERN_X_ACCEL_PREFIX": given})
