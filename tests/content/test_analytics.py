"""What instructors learn of their lessons' use, and that it costs the same however many people there are."""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, insert

from server.accounts.tables import User
from server.content import heat
from server.content.heat import Edges
from server.content.tables import ContentProgress
from server.http.keys import DATABASE
from server.http.spreadsheet import as_csv
from server.live_sessions.tables import Participation
from tests.api import Api
from tests.factories import NO_PASSWORD, World

ApiOf = Callable[[str | None], Api]
MOST_QUERIES = 16
RANGES = st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)).map(sorted), max_size=8)


async def report(client: Api, content_id: int, revision: int, *watched: Sequence[float]) -> None:
    body = {"position_seconds": watched[-1][1], "watched": list(watched), "revision": revision}
    assert (await client.put(f"/content/{content_id}/progress", body)).status == 200


def edges_of(ranges: list[list[int]], size: float) -> list[Edges]:
    return [Edges(int(moment // size), bool(end), 1, moment) for range_ in ranges for end, moment in enumerate(range_)]


@given(RANGES, st.sampled_from([10.0, 599.5, 900.0, 1800.5]))
def test_each_bucket_holds_the_seconds_watched_in_it(ranges: list[list[int]], duration: float) -> None:
    inside = [[min(a, int(duration)), min(b, int(duration))] for a, b in ranges]
    size = heat.bucket_seconds(duration)
    line = heat.viewers(edges_of(inside, size), duration)
    assert len(line) <= heat.MOST_BUCKETS
    for place, viewers in enumerate(line):
        begins, ends = place * size, min((place + 1) * size, duration)
        watched = sum(max(0.0, min(b, ends) - max(a, begins)) for a, b in inside)
        assert viewers == pytest.approx(watched / (ends - begins), abs=0.006)


def test_a_spreadsheet_runs_nothing_that_people_wrote() -> None:
    evil = ["=1+1", "+1", "-1", "@x", " =1", "\t=1", "\r=1", "＝1", 'a"b,c', "fine", "-"]
    cells = [row[0] for row in csv.reader(io.StringIO(as_csv(["title"], [[each] for each in evil])))][1:]
    assert cells == ["'=1+1", "'+1", "'-1", "'@x", "' =1", "'\t=1", "'\r=1", "'＝1", 'a"b,c', "fine", "'-"]
    parted = {
        "x;=1": "x;'=1",
        "x;\t @y": "x;\t '@y",
        "x\n-1": "x\n'-1",
        ";+1": ";'+1",
        "\r\n=1": "'\r\n'=1",
        "a; b-c": "a; b-c",
    }
    for given_, shown in parted.items():
        assert list(csv.reader(io.StringIO(as_csv(["title"], [[given_]]), newline="")))[1:] == [[shown]]
    assert as_csv(["n"], [[-1.5], [None]]) == 'n\r\n-1.5\r\n""\r\n'


async def test_a_lesson_is_counted_second_by_second_and_day_by_day(api: ApiOf, world: World) -> None:
    course = await world.course("ana", ["bo", "cleo"])
    row = await world.content(course, duration_seconds=40.0, title="=SUM(A1)")
    await report(api("bo"), row.id, 1, [0, 20])
    await report(api("cleo"), row.id, 1, [10, 14.5], [20, 40])
    await api("cleo").put(f"/content/{row.id}/progress", {"position_seconds": 0, "revision": 2})
    await api("bo").put(f"/content/{row.id}/like", {"reaction": "insightful"})
    await api("bo").post(f"/content/{row.id}/comments", {"body": "Why?"})
    found = (await api("ana").get(f"/content/{row.id}/analytics?days=3")).json
    assert found["totals"] == {
        "views": 2,
        "unique_viewers": 2,
        "watch_seconds": 44.5,
        "completed_count": 0,
        "completion_percent": 0.0,
        "average_percent": pytest.approx(55.6),
        "like_count": 1,
        "reactions": {"like": 0, "love": 0, "insightful": 1, "confused": 0},
        "comment_count": 1,
    }
    line = found["retention"]["viewers"]
    assert found["retention"]["seconds_per_bucket"] == 1
    assert line == [1.0] * 10 + [2.0] * 4 + [1.5] + [1.0] * 25
    assert [day["views"] for day in found["days"]] == [0, 0, 2]
    assert found["days"][-1] == {
        "day": found["days"][-1]["day"], "views": 2, "viewers": 2, "watch_seconds": 44.5, "comments": 1, "reactions": 1
    }  # fmt: skip
    text = await api("ana").get(f"/content/{row.id}/analytics?format=csv&table=seconds")
    assert text.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert text.raw.decode().splitlines()[:3] == ["at_seconds,viewers", "0.0,1.0", "1.0,1.0"]
    whole = (await api("ana").get(f"/courses/{course.id}/analytics?format=csv")).raw.decode()
    assert "'=SUM(A1)" in whole
    for person, code in (("bo", "not_course_instructor"), ("eve", "not_course_instructor")):
        assert (await api(person).get(f"/content/{row.id}/analytics")).code == code
        assert (await api(person).get(f"/courses/{course.id}/analytics")).code == code
    assert (await api("ana").get(f"/content/{row.id}/analytics?days=0")).code == "invalid"


async def test_counted_anew_from_what_people_did_it_is_the_same(api: ApiOf, world: World) -> None:
    people, chance = ["bo", "cleo", "dan", "eve"], random.Random(11)
    course = await world.course("ana", people)
    lengths = {(await world.content(course, duration_seconds=float(n), title=str(n))).id: n for n in (20, 31)}
    seen: dict[tuple[int, str], set[int]] = {}
    played: Counter[int] = Counter()
    likes: dict[tuple[int, str], str] = {}
    said: Counter[int] = Counter()
    for content_id, length in lengths.items():
        for person in chance.sample(people, 3):
            ranges: list[list[int]] = [sorted(chance.sample(range(length + 1), 2)) for _ in range(3)]
            await report(
                api(person), content_id, 1, *ranges
            )  # the first report counts whole, up to the lesson's length
            seen[content_id, person] = {second for a, b in ranges for second in range(a, b)}
            played[content_id] += min(sum(b - a for a, b in ranges), length)
            for reaction in chance.sample(["like", "love", "insightful"], 2):
                await api(person).put(f"/content/{content_id}/like", {"reaction": reaction})
                likes[content_id, person] = reaction
            comment = (await api(person).post(f"/content/{content_id}/comments", {"body": "So"})).json["id"]
            if chance.random() < 0.5:
                await api(person).delete(f"/comments/{comment}")
            else:
                said[content_id] += 1
    found = (await api("ana").get(f"/courses/{course.id}/analytics")).json
    assert {one["content_id"] for one in found["content"]} == lengths.keys()
    for one in found["content"]:
        content_id, length = one["content_id"], lengths[one["content_id"]]
        mine = {person: seconds for (of, person), seconds in seen.items() if of == content_id}
        shares = [100 * len(seconds) / length for seconds in mine.values()]
        assert (one["unique_viewers"], one["completed_count"]) == (3, sum(share >= 90 for share in shares))
        assert one["average_percent"] == pytest.approx(sum(shares) / 3, abs=0.1)
        assert (one["watch_seconds"], one["comment_count"]) == (played[content_id], said[content_id])
        of_it = Counter(reaction for (of, _), reaction in likes.items() if of == content_id)
        assert {name: many for name, many in one["reactions"].items() if many} == dict(of_it)
        line = (await api("ana").get(f"/content/{content_id}/analytics")).json["retention"]["viewers"]
        assert line == [sum(second in seconds for seconds in mine.values()) for second in range(length)]
    totals = found["totals"]
    assert (totals["watch_seconds"], totals["comment_count"]) == (played.total(), said.total())
    assert (totals["like_count"], totals["unique_viewers"]) == (len(likes), len({person for _, person in seen}))
    today = found["days"][-1]
    assert (today["watch_seconds"], today["comments"], today["reactions"]) == (
        played.total(),
        said.total(),
        len(likes),
    )


async def test_a_course_sums_its_lessons_and_who_came(api: ApiOf, world: World) -> None:
    course = await world.course("ana", ["bo", "cleo"])
    first, second = [
        await world.content(course, duration_seconds=10.0, title=t, content_order=n) for n, t in enumerate("ab")
    ]
    await world.content(course, upload_status="processing")
    await report(api("bo"), first.id, 1, [0, 10])
    await report(api("bo"), second.id, 1, [0, 5])
    await report(api("cleo"), second.id, 1, [0, 10])
    live = await world.live_session("ana", course=course, status="ended")
    async with world.database.work("they came") as work:
        for person, minutes in (("bo", 30), ("bo", 10), ("cleo", 5), ("ana", 60)):
            began = work.now - timedelta(hours=2)
            stay = {"role": "student", "joined_at": began, "left_at": began + timedelta(minutes=minutes)}
            work.add(Participation(live_session_id=live.id, user_id=world.id_of(person), **stay))
    found = (await api("ana").get(f"/courses/{course.id}/analytics")).json
    assert [(c["title"], c["unique_viewers"], c["completed_count"], c["watch_seconds"]) for c in found["content"]] == [
        ("a", 1, 1, 10.0),
        ("b", 2, 1, 15.0),
    ]
    totals = found["totals"]
    assert (totals["enrollment_count"], totals["unique_viewers"], totals["watch_seconds"]) == (2, 2, 25.0)
    assert (totals["completed_count"], totals["completion_percent"]) == (2, pytest.approx(66.7))
    assert (totals["live_session_count"], totals["attended_seconds"]) == (1, 2700.0)
    assert [(s["title"], s["attended_count"], s["total_seconds"]) for s in found["attendance"]] == [
        ("Standing waves", 2, 2700.0)
    ]
    assert len(found["days"]) == 30
    for table, header in (("days", "day,"), ("attendance", "live_session_id,"), ("content", "content_id,")):
        text = (await api("ana").get(f"/courses/{course.id}/analytics?format=csv&table={table}")).raw.decode()
        assert text.startswith(header)
    empty = await world.course("ana", title="nothing yet")
    assert (await api("ana").get(f"/courses/{empty.id}/analytics")).json["totals"]["views"] == 0


async def test_the_number_of_queries_does_not_grow(api: ApiOf, world: World, app: web.Application) -> None:
    course = await world.course("ana", ["bo"])
    engine = app[DATABASE]._engines.read.sync_engine
    asked: list[str] = []

    async def queries(path: str) -> int:
        asked.clear()
        assert (await api("ana").get(path)).status == 200
        # The lanes of jobs look around on their own.
        return len([each for each in asked if each.lstrip().upper().startswith("SELECT") and "FROM jobs" not in each])

    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    rows = [await world.content(course, duration_seconds=600.0, content_order=1)]
    paths = [f"/courses/{course.id}/analytics", f"/content/{rows[0].id}/analytics"]
    await queries(paths[0])  # signs in
    few = [await queries(path) for path in paths]
    rows += [await world.content(course, duration_seconds=600.0) for _ in range(5)]
    async with world.database.work("a crowd") as work:
        stamps = {"created_at": work.now, "updated_at": work.now}
        crowd = [
            {"email": f"p{n}@example.org", "name": "P", "role": "student", "password_hash": NO_PASSWORD, **stamps}
            for n in range(300)
        ]
        await work.execute(insert(User), crowd)
        people = list(await work.scalars(User.__table__.select().with_only_columns(User.id)))
        many = [
            {"content_id": row.id, "user_id": user_id, "watched": [[n, n + 60.5]], "percent": 10.0, "revision": 1}
            | {"position_seconds": 0.0, "completed": False, "played_seconds": 0.0, "updated_at": work.now}
            for row in rows
            for n, user_id in enumerate(people)
        ]
        await work.execute(insert(ContentProgress), many)
    assert [await queries(path) for path in paths] == few
    assert 0 < max(few) <= MOST_QUERIES
    line = (await api("ana").get(paths[1])).json["retention"]["viewers"]
    assert line[100] == pytest.approx(60.5)
