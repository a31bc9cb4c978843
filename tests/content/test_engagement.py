"""Progress, comments and reactions, and what instructors do with their lessons."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from server.content.tables import Content, ContentProgress
from tests.api import Api
from tests.content.forms import eventually, files_under, until_settled, upload
from tests.factories import World

ApiOf = Callable[[str | None], Api]
Sample = Callable[[str], Path]


async def test_progress_is_merged_and_older_reports_are_ignored(api: ApiOf, world: World) -> None:
    row = await world.content(await world.course("ana", ["bo"]), duration_seconds=100.0)
    path = f"/content/{row.id}/progress"

    async def report(revision: int, position: float, *watched: list[float]) -> tuple[float, bool, float]:
        body = {"position_seconds": position, "watched": list(watched), "revision": revision}
        answer = await api("bo").put(path, body)
        assert answer.status == 200, answer.raw
        return answer.json["percent"], answer.json["completed"], answer.json["position_seconds"]

    assert await report(1, 30, [0, 30]) == (30.0, False, 30.0)
    assert await report(3, 50, [20, 50]) == (50.0, False, 50.0)
    assert await report(2, 5, [60, 99]) == (50.0, False, 50.0)  # came late
    assert await report(3, 5, [60, 99]) == (50.0, False, 50.0)  # came twice
    assert await report(4, 90, [50, 90]) == (90.0, True, 90.0)
    assert await report(5, 500, [0, 1]) == (90.0, True, 100.0)
    mine = (await api("bo").get(f"/content/{row.id}")).json["my_progress"]
    assert mine == {
        "position_seconds": 100.0,
        "watched": [[0.0, 90.0]],
        "percent": 90.0,
        "completed": True,
        "revision": 5,
    }
    assert (await api("ana").get(f"/content/{row.id}")).json["my_progress"] is None
    assert (await api("eve").put(path, {"position_seconds": 1, "revision": 1})).code == "not_enrolled"
    for bad in (
        {},
        {"position_seconds": -1, "revision": 6},
        {"position_seconds": 1, "revision": 6, "watched": [[1]]},
        {"position_seconds": True, "revision": 6},
        {"position_seconds": 1, "revision": True},
        {"position_seconds": 1, "revision": 6, "watched": [[False, True]]},
    ):
        answer = await api("bo").put(path, bad)
        assert (answer.status, answer.code) == (400, "invalid"), bad


async def test_a_view_counts_after_ten_seconds_and_once_a_half_hour(api: ApiOf, world: World) -> None:
    row = await world.content(await world.course("ana", ["bo", "cleo"]), duration_seconds=100.0)

    async def views_after(person: str, revision: int, *watched: list[float]) -> int:
        body = {"position_seconds": 1, "watched": list(watched), "revision": revision}
        assert (await api(person).put(f"/content/{row.id}/progress", body)).status == 200
        return int((await api(person).get(f"/content/{row.id}")).json["view_count"])

    assert await views_after("bo", 1, [0, 6]) == 0
    assert await views_after("bo", 2, [6, 11]) == 1
    assert await views_after("bo", 3, [11, 15]) == 1
    assert await views_after("cleo", 1, [0, 12]) == 2
    async with world.database.work("half an hour later") as work:
        for progress in await work.scalars(select(ContentProgress)):
            progress.viewed_at -= timedelta(minutes=31)
            progress.updated_at -= timedelta(minutes=31)
    assert await views_after("bo", 4, [0, 11]) == 3
    watched = (await api("ana").get(f"/content/{row.id}/analytics")).json["totals"]["watch_seconds"]
    for revision in range(5, 15):
        assert await views_after("bo", revision, [0, 5]) == 3
    now_watched = (await api("ana").get(f"/content/{row.id}/analytics")).json["totals"]["watch_seconds"]
    assert now_watched - watched < 45  # ten reports in a row are not ten times five seconds


async def test_comments_are_threads_that_tell_whom_they_answer(api: ApiOf, world: World) -> None:
    row = await world.content(await world.course("ana", ["bo", "cleo"]))
    path = f"/content/{row.id}/comments"
    first = await api("bo").post(path, {"body": "  Why twice?  ", "at_seconds": 12.5})
    assert first.status == 201
    assert (first.json["body"], first.json["at_seconds"], first.json["parent_id"]) == ("Why twice?", 12.5, None)
    answer = await api("ana").post(path, {"body": "It reflects.", "parent_id": first.json["id"]})
    deeper = await api("cleo").post(path, {"body": "Thanks!", "parent_id": answer.json["id"]})
    assert deeper.json["parent_id"] == first.json["id"]  # one level deep
    told = (await api("bo").get("/notifications")).json
    assert [(n["type"], n["title"], n["body"]) for n in told] == [
        ("comment_reply", "Ana Castro replied to you", "It reflects.")
    ]
    assert told[0]["data"]["url"] == f"/app/content/{row.id}"
    assert len((await api("ana").get("/notifications")).json) == 1
    listed = await api("cleo").get(path + "?limit=2")
    assert [c["body"] for c in listed.json] == ["Why twice?", "It reflects."]
    assert 'rel="next"' in listed.headers["Link"]
    for bad in (
        {"body": ""},
        {"body": "  "},
        {"body": "x" * 4001},
        {"body": "a\x00b"},
        {"body": "x", "parent_id": 999},
    ):
        assert (await api("bo").post(path, bad)).status == 400
    assert (await api("eve").post(path, {"body": "x"})).code == "not_enrolled"


async def test_comments_are_their_authors_and_the_instructor_may_remove_them(api: ApiOf, world: World) -> None:
    row = await world.content(await world.course("ana", ["bo", "cleo"]))
    path = f"/content/{row.id}/comments"
    own = (await api("bo").post(path, {"body": "one"})).json["id"]
    reply = (await api("cleo").post(path, {"body": "two", "parent_id": own})).json["id"]
    edited = await api("bo").patch(f"/comments/{own}", {"body": "uno"})
    assert (edited.status, edited.json["body"], edited.json["edited_at"] is not None) == (200, "uno", True)
    assert (await api("cleo").patch(f"/comments/{own}", {"body": ""})).status == 403  # judged before the body
    assert (await api("ana").patch(f"/comments/{own}", {"body": "x"})).status == 403
    assert (await api("cleo").delete(f"/comments/{own}")).status == 403
    assert (await api("eve").patch(f"/comments/{own}", {"body": "x"})).status == 403
    assert (await api("bo").patch("/comments/999", {"body": "x"})).status == 404
    assert (await api("bo").delete(f"/comments/{own}")).status == 204
    shown = (await api("ana").get(path)).json
    assert [(c["body"], c["deleted"]) for c in shown] == [("", True), ("two", False)]  # it holds its reply
    assert (await api("ana").get(f"/content/{row.id}")).json["comment_count"] == 1
    assert (await api("ana").delete(f"/comments/{reply}")).status == 204
    assert (await api("ana").get(path)).json == []
    assert (await api("bo").delete(f"/comments/{own}")).status == 404


async def test_one_reaction_a_person(api: ApiOf, world: World) -> None:
    row = await world.content(await world.course("ana", ["bo", "cleo"]))
    path = f"/content/{row.id}/like"
    assert (await api("bo").put(path)).json["my_reaction"] == "like"
    both = (await api("cleo").put(path, {"reaction": "love"})).json
    assert both == {
        "liked": True,
        "like_count": 2,
        "reactions": {"like": 1, "love": 1, "insightful": 0, "confused": 0},
        "my_reaction": "love",
    }
    assert (await api("bo").put(path, {"reaction": "confused"})).json["reactions"]["like"] == 0
    gone = (await api("bo").delete(path)).json
    assert (gone["liked"], gone["like_count"], gone["my_reaction"]) == (False, 1, None)
    assert (await api("bo").delete(path)).status == 200
    assert (await api("bo").put(path, {"reaction": "hate"})).status == 400
    shown = (await api("cleo").get(f"/content/{row.id}")).json
    assert (shown["liked"], shown["like_count"], shown["my_reaction"]) == (True, 1, "love")


async def test_the_instructor_changes_orders_and_deletes(api: ApiOf, world: World) -> None:
    course = await world.course("ana", ["bo"])
    rows = [await world.content(course, title=t, content_order=n) for n, t in enumerate("abc", start=1)]
    path = f"/content/{rows[0].id}"
    before = await api("ana").get(path)
    assert (await api("ana").get(path, headers={"If-None-Match": before.headers["ETag"]})).status == 304
    await api("bo").put(f"{path}/like")  # makes what is shown another, and the edition not
    assert (await api("ana").get(path, headers={"If-None-Match": before.headers["ETag"]})).json["like_count"] == 1
    changed = await api("ana").patch(
        path,
        {"title": " A ", "is_preview": "true", "access_level": "premium"},
        headers={"If-Match": before.headers["ETag"]},
    )
    assert (changed.json["title"], changed.json["is_preview"], changed.json["access_level"]) == ("A", True, "premium")
    stale = await api("ana").patch(path, {"title": "B"}, headers={"If-Match": before.headers["ETag"]})
    assert (stale.status, stale.code) == (412, "precondition_failed")
    assert (await api("ana").patch(path, {"access_level": "gold"})).status == 400
    assert (await api("bo").patch(path, {"access_level": "gold"})).code == "not_course_instructor"
    assert (await api("eve").delete(path)).code == "not_course_instructor"
    order = f"/courses/{course.id}/content/order"
    moved = await api("ana").put(order, {"ids": [rows[2].id, rows[0].id]})
    assert [c["title"] for c in moved.json] == ["c", "A", "b"]
    assert (await api("ana").put(order, {"ids": [rows[2].id, rows[2].id]})).status == 400
    assert (await api("ana").put(order, {"ids": [999]})).status == 400
    assert (await api("bo").put(order, {"ids": []})).status == 403
    pages = await api("bo").get(f"/courses/{course.id}/content?limit=2")
    assert [c["title"] for c in pages.json] == ["c", "A"]
    following = pages.headers["Link"].split(">")[0].lstrip("<")
    assert [c["title"] for c in (await api("bo").get(following)).json] == ["b"]
    assert (await api("ana").delete(path)).status == 204
    assert (await api("ana").get(path)).status == 404
    assert [c["title"] for c in (await api("bo").get(f"/courses/{course.id}/content")).json] == ["c", "b"]


async def test_a_deleted_lessons_bytes_go_and_a_failed_one_can_be_tried_again(
    api: ApiOf, world: World, sample: Sample, uploads: Path
) -> None:
    course = await world.course("ana", ["bo"])
    made = await upload(api("ana"), sample("mp3"), "a.mp3", course.id, "audio")
    content_id = made.json["content"]["id"]
    await until_settled(api("ana"), content_id)
    told = [n["type"] for n in (await api("bo").get("/notifications")).json]
    assert told == ["content_added"]
    assert (await api("ana").post(f"/content/{content_id}/retry")).code == "invalid_status"
    async with world.database.work("it had failed") as work:
        row = await work.get(Content, content_id)
        assert row is not None
        row.upload_status, row.error_code, row.file_url = "failed", "internal", None
    assert (await api("bo").post(f"/content/{content_id}/retry")).status == 404
    again = await api("ana").post(f"/content/{content_id}/retry")
    assert (again.status, again.json["upload_status"], again.json["error_code"]) == (200, "processing", None)
    assert (await until_settled(api("ana"), content_id))["upload_status"] == "completed"
    assert (await api("ana").delete(f"/content/{content_id}")).status == 204
    await eventually(lambda: files_under(uploads) == [])


@pytest.mark.parametrize("path", ["", "/comments", "/like", "/progress", "/ticket", "/retry", "/thumbnail"])
async def test_nobody_in_particular_learns_nothing(path: str, api: ApiOf, world: World) -> None:
    row = await world.content(await world.course("ana", status="draft"))
    method = {"/like": "PUT", "/progress": "PUT", "/ticket": "POST", "/retry": "POST", "/thumbnail": "PUT"}.get(
        path, "GET"
    )
    assert (await api(None).call(method, f"/content/{row.id}{path}")).status == 401
    assert (await api("eve").call(method, f"/content/{row.id}{path}")).status == 404
    assert (await api("eve").call(method, f"/content/99999{path}")).status == 404
