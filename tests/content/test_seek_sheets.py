"""The picture of small pictures that a player shows while somebody seeks."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from server.content.disk import Disk
from server.content.service import SEEK_SHEET
from server.content.storage import LocalStorage
from server.content.sweep import Sweep
from server.content.worker.sheet import sheet, steps
from server.db.database import Database
from server.jobs import queue
from tests.api import Api
from tests.content import samples
from tests.content.forms import files_under, until_settled, until_shown, upload
from tests.factories import World

ApiOf = Callable[[str | None], Api]


@pytest.mark.parametrize(
    ("seconds", "step", "tiles"),
    [(0.4, 2, 1), (60.0, 2, 30), (400.0, 2, 200), (401.0, 3, 134), (12 * 3600.0, 216, 200)],
)
def test_steps_are_whole_seconds_and_tiles_are_bounded(seconds: float, step: int, tiles: int) -> None:
    assert steps(seconds) == (step, tiles)


async def test_a_video_gets_its_sheet_after_it_can_be_played(
    api: ApiOf, world: World, uploads: Path, tmp_path: Path
) -> None:
    course = await world.course("ana", ["bo"], status="published")
    film = samples.make(tmp_path, "mp4", seconds=23.0, size=(320, 180))
    answer = await upload(api("ana"), film, "a.mp4", course.id, "video")
    content_id = answer.json["content"]["id"]
    assert answer.json["content"]["seek_preview"] is None
    assert (await until_settled(api("ana"), content_id))["upload_status"] == "completed"
    shown = await until_shown(api("bo"), content_id, lambda lesson: lesson["seek_preview"] is not None)
    preview: dict[str, Any] = shown["seek_preview"]
    url = preview.pop("url")
    geometry = {"columns": 10, "rows": 2, "tile_width": 160, "tile_height": 90, "seconds_per_tile": 2}
    assert preview == geometry
    served = await Api(api("bo")._session, "", None).get(url)
    assert (served.status, served.headers["Content-Type"]) == (200, "image/webp")
    with Image.open(io.BytesIO(served.raw)) as picture:
        assert picture.size == (1600, 180)
        used, unused = picture.crop((0, 90, 160, 180)), picture.crop((480, 110, 1600, 180))
    assert max(high for _, high in used.getextrema()) > 100  # type: ignore[misc]
    assert max(high for _, high in unused.getextrema()) < 10  # type: ignore[misc]
    assert [name for name in files_under(uploads) if name.startswith("work/")] == []
    stranger = (await api("eve").get(f"/courses/{course.id}/content")).json
    assert stranger == []


async def test_who_may_only_see_a_lesson_gets_its_thumbnail_but_no_sheet(api: ApiOf, world: World) -> None:
    course = await world.course("ana", ["bo"])
    await world.enroll(course, "cleo", tier="premium")
    row = await world.content(
        course,
        access_level="premium",
        file_url="videos/aa/aabb/video.mp4",
        thumbnail_url="videos/aa/aabb/thumbnail.webp",
        original_key="videos/aa/aabb/original.mp4",
        seek_sheet_key="videos/aa/aabb/seek.webp",
        seek_sheet={"columns": 1, "rows": 1, "tile_width": 160, "tile_height": 90, "seconds_per_tile": 2},
    )
    bo, cleo = [(await api(person).get(f"/content/{row.id}")).json for person in ("bo", "cleo")]
    assert bo["thumbnail_url"]
    assert bo["seek_preview"] is None
    assert cleo["seek_preview"]["tile_width"] == 160
    stolen = bo["thumbnail_url"].replace("/thumbnail/", "/seek/")
    assert (await Api(api("bo")._session, "", None).get(stolen)).code == "ticket_invalid"


def test_a_tall_video_has_tall_tiles(tmp_path: Path) -> None:
    film = samples.make(tmp_path, "mp4", seconds=3.0, size=(90, 160))
    made = sheet(str(film), 3.0, str(tmp_path))
    assert (made["tile_width"], made["tile_height"], made["columns"], made["rows"]) == (90, 160, 2, 1)


def test_a_small_film_fills_its_tiles(tmp_path: Path) -> None:
    film = samples.make(tmp_path, "mp4", seconds=2.0, size=(64, 48))
    made = sheet(str(film), 2.0, str(tmp_path))
    assert (made["tile_width"], made["tile_height"]) == (160, 120)
    with Image.open(tmp_path / made["file"]["name"]) as picture:
        grey = picture.convert("L")
    assert grey.crop((140, 0, 160, 120)).getextrema() != (0, 0), "a black margin on the right"
    assert grey.crop((0, 100, 160, 120)).getextrema() != (0, 0), "a black margin below"


async def test_lessons_of_earlier_releases_get_a_sheet_at_the_next_start(
    database: Database, world: World, tmp_path: Path
) -> None:
    storage, disk = LocalStorage(tmp_path / "uploads"), Disk()
    row = await world.content(await world.course("ana"), file_url="videos/aa/aabb/video.mp4")
    for _ in range(2):
        await Sweep(database, storage, disk, owns_files=False)()
    disk.close()
    first = await queue.claim(database, SEEK_SHEET)
    assert first is not None
    assert first.subject_id == row.id
    assert await queue.claim(database, SEEK_SHEET) is None
