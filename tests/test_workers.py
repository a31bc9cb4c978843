"""`serve --workers N` as its user meets it: refused, started, hurt, replaced, stopped."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from server.workers import Worker
from tests.processes import is_alive
from tests.program import Program
from tests.services import Postgres, Redis
from tests.test_program import attempt

RunProgram = Callable[..., Awaitable[Program]]
pytestmark = pytest.mark.serial
SECRET = "a-secret-that-is-long-enough-for-it"


@pytest.fixture
async def two_workers(run_program: RunProgram, postgres: Postgres, redis_server: Redis) -> AsyncIterator[Program]:
    name = postgres.create()
    program = await run_program(
        "serve", "--workers", "2", DATABASE_URL=postgres.url(name), REDIS_URL=redis_server.url, SECRET_KEY=SECRET
    )
    await _until(lambda: "Lectern is ready" in program.said)
    yield program
    await program.stop()
    postgres.drop(name)


def pids(program: Program) -> dict[int, int]:
    """The process id of each worker that became ready last, by number."""
    return {line["number"]: line["pid"] for line in program.logged if line["event"] == "web worker ready"}


async def _until(is_so: Callable[[], object], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(0.05)


async def opened(http: aiohttp.ClientSession, url: str) -> str:
    """The id of a new polling session."""
    async with http.get(f"{url}/socket.io/?EIO=4&transport=polling", headers={"Connection": "close"}) as answer:
        return str(json.loads((await answer.text())[1:])["sid"])


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "DATABASE_URL and REDIS_URL"),
        ({"REDIS_URL": "redis://127.0.0.1:1"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x", "SECRET_KEY": SECRET}, "REDIS_URL"),
    ],
)
def test_more_than_one_worker_is_refused_without_postgresql_and_redis(
    tmp_path: Path, given: dict[str, str], missing: str
) -> None:
    refused = attempt("serve", "--workers", "2", LECTERN_DATA_DIR=str(tmp_path), **given)
    assert refused.returncode == 1
    assert refused.stderr == f"More than one worker needs PostgreSQL and Redis: set {missing}.\n"


def test_workers_are_web_processes(tmp_path: Path) -> None:
    refused = attempt("serve", "--only", "jobs", "--workers", "2", LECTERN_DATA_DIR=str(tmp_path))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1


def test_one_that_cannot_start_ends_the_start(postgres: Postgres, redis_server: Redis, tmp_path: Path) -> None:
    name = postgres.create_empty()
    given = {"DATABASE_URL": postgres.url(name), "REDIS_URL": redis_server.url, "SECRET_KEY": SECRET}
    refused = attempt("serve", "--workers", "2", LECTERN_DATA_DIR=str(tmp_path), **given)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "python -m server migrate" in refused.stderr
    postgres.drop(name)


async def test_one_that_cannot_even_be_spawned_is_tried_again(tmp_path: Path) -> None:
    program, is_run = tmp_path / "worker", tmp_path / "is_run"
    worker = Worker(0, [str(program)], [], tmp_path / "0.http")
    keeping = asyncio.create_task(worker.keep())
    async with asyncio.timeout(30):
        await worker.has_failed.wait()
    program.write_text(f"#!/bin/sh\ntouch {is_run}\n")
    program.chmod(0o700)
    await _until(is_run.exists)
    assert not keeping.done()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_two_workers_share_the_port_the_media_worker_and_one_banner(two_workers: Program) -> None:
    assert two_workers.said.count("Lectern is ready") == 1
    assert two_workers.said.count("/app/register#") == 1
    assert len(two_workers.children()) == 3
    async with aiohttp.ClientSession() as http:
        sids = await asyncio.gather(*(opened(http, two_workers.url) for _ in range(100)))
        served = Counter(sid.partition("-")[0] for sid in sids)
        assert set(served) == {"0", "1"}
        for sid in sids:  # whichever of the two gets it
            address = f"{two_workers.url}/socket.io/?EIO=4&transport=polling&sid={sid}"
            async with http.post(address, data="3", headers={"Connection": "close"}) as answer:
                assert (answer.status, await answer.text()) == (200, "ok")
        async with http.get(f"{two_workers.url}/metrics") as answer:
            text = await answer.text()
        numbers = set(re.findall(r'^lectern_media_worker_up{worker="(\d)"} 1.0$', text, re.MULTILINE))
        assert len(numbers) == 1  # the one that answered


async def test_a_killed_worker_comes_back_under_its_number_while_the_other_serves(two_workers: Program) -> None:
    before = pids(two_workers)
    os.kill(before[1], signal.SIGKILL)
    async with aiohttp.ClientSession() as http:
        for _ in range(20):
            async with http.get(f"{two_workers.url}/healthz", headers={"Connection": "close"}) as answer:
                assert answer.status == 200
    await _until(lambda: pids(two_workers)[1] != before[1])
    assert pids(two_workers)[0] == before[0]
    assert two_workers.status is None


async def test_sighup_replaces_the_workers_one_after_the_other_and_no_request_fails(two_workers: Program) -> None:
    before, statuses = pids(two_workers), Counter[int]()

    async def ask() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
            while True:
                async with http.get(f"{two_workers.url}/readyz") as answer:
                    statuses[answer.status] += 1
                async with http.post(f"{two_workers.url}/auth/logout") as answer:
                    statuses[answer.status] += 1

    asking = asyncio.create_task(ask())
    os.kill(two_workers.pid, signal.SIGHUP)
    await _until(lambda: any(line["event"] == "web workers replaced" for line in two_workers.logged))
    assert not asking.done()
    asking.cancel()
    after = pids(two_workers)
    assert set(after.values()).isdisjoint(before.values())
    assert not any(map(is_alive, before.values()))
    assert set(statuses) <= {200, 204}, statuses
    steps = [(line["event"], line.get("worker", line.get("number"))) for line in two_workers.logged]
    drained, ready = steps.index(("draining", 1)), len(steps) - 1 - steps[::-1].index(("web worker ready", 0))
    assert ready < drained  # the second was touched only when the first one's successor was ready


async def test_sigterm_ends_all_with_0_whatever_clients_do(two_workers: Program) -> None:
    children = two_workers.children()
    with socket.create_connection(("127.0.0.1", two_workers.port)) as stuck:
        stuck.sendall(b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n")
        stuck.sendall(
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + b"A" * 22 + b"==\r\n\r\n"
        )
        assert b"101" in stuck.recv(100)
        with socket.create_connection(("127.0.0.1", two_workers.port)) as half:
            half.sendall(b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
            started = time.monotonic()
            assert await two_workers.stop() == 0
    assert time.monotonic() - started < 20
    assert not any(map(is_alive, children))
    ends = [line for line in two_workers.logged if line["event"] in ("web worker ended", "web worker killed")]
    assert ends == []
    assert {line["worker"] for line in two_workers.logged if "worker" in line} == {0, 1}


async def test_no_worker_outlives_a_killed_parent(two_workers: Program) -> None:
    children = two_workers.children()
    assert len(children) == 3
    await two_workers.kill()
    await two_workers.start()  # on the same ports
    assert not any(map(is_alive, children))
