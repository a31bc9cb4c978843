"""The program as its user meets it: started, killed, started again, stopped, refused."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest
from pydantic import ValidationError

from server.db.database import Database
from server.demo_media import INTERVALS, make_all
from server.settings import Settings
from tests.api import Api
from tests.factories import World
from tests.fakes import HeardFacts
from tests.processes import is_alive
from tests.program import ROOT, Program
from tests.services import Postgres, Redis, free_port

RunProgram = Callable[..., Awaitable[Program]]
pytestmark = pytest.mark.serial
STALLED_SECONDS = 5.0  # until another media worker is ready in the place of one that stands still


def rows(program: Program) -> dict[str, int]:
    """How many rows each table of what was seeded has."""
    tables = ("users", "academy_courses", "enrollments", "live_sessions", "live_session_events", "participations")
    with closing(sqlite3.connect(program.folder / "var" / "lectern.db")) as connection:
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}


async def test_the_demo_seeds_once_names_its_links_and_stops_with_0_and_all_its_children(
    run_program: RunProgram,
) -> None:
    demo = await run_program("demo")
    seeded = rows(demo)
    assert seeded["users"] == 3
    assert seeded["live_sessions"] == 2
    assert len(demo.links) == 3
    first_links, children = demo.links, demo.children()
    assert await demo.stop() == 0
    assert [pid for pid in children if is_alive(pid)] == []
    await demo.start()
    assert rows(demo) == seeded
    assert not set(demo.links.values()) & set(first_links.values())


async def test_after_kill_9_an_immediate_start_serves_on_the_same_ports_and_leaves_no_older_process(
    run_program: RunProgram,
) -> None:
    demo = await run_program("demo")
    older = [demo.pid, *demo.children()]
    assert len(older) >= 2
    await demo.kill()
    await demo.start()
    assert [pid for pid in older if is_alive(pid)] == []
    assert await demo.stop() == 0


async def test_a_killed_media_worker_is_replaced_while_the_server_goes_on(run_program: RunProgram) -> None:
    demo = await run_program("demo")
    parent = demo.pid
    killed = await demo.kill_media()
    async with asyncio.timeout(30):
        while not any(line["event"] == "media worker restarted" for line in demo.logged):
            await asyncio.sleep(0.05)
    assert demo.pid == parent
    assert demo.status is None
    assert not is_alive(killed)


async def test_a_media_worker_that_stands_still_is_replaced(run_program: RunProgram) -> None:
    demo = await run_program("demo")
    stalled = await demo.stall_media()
    begun = time.monotonic()
    async with asyncio.timeout(30):
        while not any(line["event"] == "media worker restarted" for line in demo.logged):
            await asyncio.sleep(0.05)
    assert time.monotonic() - begun <= STALLED_SECONDS
    assert not is_alive(stalled)
    assert [line["event"] for line in demo.logged].count("media worker stands still") == 1


async def test_a_second_server_on_the_same_folder_is_refused_in_one_line(run_program: RunProgram) -> None:
    demo = await run_program("demo")
    refused = attempt("serve", LECTERN_DATA_DIR=demo.environment["LECTERN_DATA_DIR"])
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert f"process {demo.pid}" in refused.stderr


async def test_an_empty_server_prints_a_link_for_its_first_instructor_until_there_is_one(
    run_program: RunProgram,
) -> None:
    program = await run_program("serve")
    assert "/app/register#" in program.said
    await program.stop()
    added = attempt(
        *("user", "add", "--email", "ana@example.org", "--name", "Ana", "--role", "expert", "--password-stdin"),
        given="a long enough secret\n",
        LECTERN_DATA_DIR=program.environment["LECTERN_DATA_DIR"],
    )
    assert added.returncode == 0, added.stderr
    said_before = program.said
    await program.start()
    assert "/app/register#" not in program.said.removeprefix(said_before)


async def test_it_serves_on_postgresql_once_migrated(
    run_program: RunProgram, postgres: Postgres, tmp_path: Path
) -> None:
    name = postgres.create_empty()
    environment = {"DATABASE_URL": postgres.url(name), "SECRET_KEY": "a-secret-that-is-long-enough-for-it"}
    refused = attempt("serve", **environment, LECTERN_DATA_DIR=str(tmp_path))
    assert refused.returncode == 1
    assert "python -m server migrate" in refused.stderr
    assert attempt("migrate", **environment, LECTERN_DATA_DIR=str(tmp_path)).returncode == 0
    program = await run_program("serve", **environment)
    assert await program.stop() == 0
    postgres.drop(name)


async def test_web_media_and_jobs_run_apart_on_postgresql_and_redis(
    run_program: RunProgram, postgres: Postgres, redis_server: Redis, tmp_path: Path
) -> None:
    name = postgres.create()
    environment = {
        "DATABASE_URL": postgres.url(name),
        "REDIS_URL": redis_server.url,
        "SECRET_KEY": "a-secret-that-is-long-enough-for-it",
        "LECTERN_DATA_DIR": str(tmp_path / "shared"),
        "LECTERN_MEDIA_ADDRESS": f"tcp:127.0.0.1:{free_port()}",
        "LECTERN_MEDIA_SECRET": "another-secret-that-is-long-enough",
    }
    await run_program("serve", "--only", "media", ready='"ready": true', **environment)
    jobs = await run_program("serve", "--only", "jobs", ready="jobs are worked on", **environment)
    web = await run_program("serve", "--only", "web", **environment)
    database = Database.open(f"postgresql+asyncpg://{postgres.url(name).partition('://')[2]}", publisher=HeardFacts())
    world = await World.with_cast(database, environment["SECRET_KEY"])
    course = await world.course("ana")
    await database.close()
    make_all(tmp_path / "made")
    async with aiohttp.ClientSession() as session:
        ana = Api(session, web.url, world.token("ana"))
        form = aiohttp.FormData({"course_id": str(course.id), "type": "audio", "title": "Intervals"})
        form.add_field("file", (tmp_path / "made" / INTERVALS).read_bytes(), filename=INTERVALS)
        uploaded = await ana.post("/courses/upload-content", data=form)
        assert uploaded.status == 201, uploaded.raw
        async with asyncio.timeout(30):
            while (await ana.get(f"/content/{uploaded.json['content']['id']}")).json["upload_status"] != "completed":
                await asyncio.sleep(0.1)
    assert await jobs.stop() == 0
    assert await web.stop() == 0
    postgres.drop(name)


def test_jobs_alone_are_refused_on_sqlite(tmp_path: Path) -> None:
    refused = attempt("serve", "--only", "jobs", LECTERN_DATA_DIR=str(tmp_path))
    assert refused.returncode == 1
    assert "DATABASE_URL" in refused.stderr


def test_an_explicit_port_is_tried_for_5_seconds_and_never_moves(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        started = time.monotonic()
        refused = attempt("demo", PORT=str(port), LECTERN_DATA_DIR=str(tmp_path))
    assert time.monotonic() - started >= 5
    assert refused.returncode == 1
    assert f"PORT {port}" in refused.stderr


async def test_a_demo_on_taken_default_ports_takes_free_ones_and_says_so(run_program: RunProgram) -> None:
    with socket.socket() as taken, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken_udp:
        for held, port in ((taken, 8080), (taken_udp, 8081)):
            try:
                held.bind(("127.0.0.1", port))
            except OSError:
                continue  # somebody else has it already, which is as good
        taken.listen()
        demo = await run_program("demo", defaults=True)
        assert "Port 8080 is taken; this is " in demo.said
        assert "UDP port 8081 is taken" in demo.said
        assert await demo.stop() == 0


def test_the_demo_refuses_to_be_seen_from_other_machines(tmp_path: Path) -> None:
    refused = attempt("demo", HOST="0.0.0.0", LECTERN_DATA_DIR=str(tmp_path))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "HOST" in refused.stderr


def test_a_wrong_setting_is_named_in_one_line(tmp_path: Path) -> None:
    refused = attempt("serve", PORT="eighty", LECTERN_DATA_DIR=str(tmp_path))
    assert refused.returncode == 1
    assert refused.stderr.startswith("Settings: PORT")
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_folder_that_cannot_be_used_is_said_in_one_line(tmp_path: Path, command: str) -> None:
    (tmp_path / "a file").touch()
    refused = attempt(command, LECTERN_DATA_DIR=str(tmp_path / "a file" / "var"))
    assert refused.returncode == 1
    assert refused.stderr.startswith("LECTERN_DATA_DIR") and refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRUSTED_PROXIES", "127.0.0.1, proxy"),
        ("LECTERN_ALLOWED_ORIGINS", "school.example"),
        ("LECTERN_ALLOWED_ORIGINS", "https://school.example/app"),
        ("LECTERN_ALLOWED_ORIGINS", "https://School.example"),
        ("PUBLIC_URL", "school.example"),
        ("DATABASE_URL", "garbage"),
        ("DATABASE_URL", "mysql://user@host/name"),
        ("REDIS_URL", "localhost:6379"),
    ],
)
def test_an_address_that_cannot_be_one_is_named_before_anything_runs(name: str, value: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({name: value})
    assert [error["loc"] for error in refused.value.errors()] == [(name,)]


def test_addresses_may_be_written_the_usual_ways() -> None:
    settings = Settings.model_validate(
        {
            "TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8,::1",
            "LECTERN_ALLOWED_ORIGINS": "https://school.example/, http://localhost:3000",
            "PUBLIC_URL": "https://class.example/",
            "DATABASE_URL": "postgres://user@host/name",
        }
    )
    assert len(settings.trusted_proxies) == 3
    assert settings.allowed_origins == ("https://school.example", "http://localhost:3000")
    assert settings.database_url == "postgresql+asyncpg://user@host/name"


def test_a_database_that_does_not_answer_is_said_in_one_line(tmp_path: Path) -> None:
    away = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    for command in ("serve", "migrate"):
        refused = attempt(command, DATABASE_URL=away, SECRET_KEY="x" * 40, LECTERN_DATA_DIR=str(tmp_path))
        assert refused.returncode == 1
        assert "The database does not answer" in refused.stderr.splitlines()[-1]
        assert "Traceback" not in refused.stderr


def test_a_missing_secret_is_named_before_anything_runs(tmp_path: Path) -> None:
    refused = attempt("serve", DATABASE_URL="postgresql://x@127.0.0.1/y", LECTERN_DATA_DIR=str(tmp_path))
    assert refused.returncode == 1
    assert refused.stderr == "Set these before starting: SECRET_KEY\n"


def test_the_doctor_is_content_with_a_fresh_folder(tmp_path: Path) -> None:
    examined = attempt(
        "doctor", PORT=str(free_port()), MEDIA_PORT=str(free_port(socket.SOCK_DGRAM)), LECTERN_DATA_DIR=str(tmp_path)
    )
    assert examined.returncode == 0, examined.stdout
    assert "FAIL" not in examined.stdout


def attempt(*arguments: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "server", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        input=given,
        capture_output=True,
        text=True,
        timeout=40,
    )
