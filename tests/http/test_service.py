"""What operators and programs ask of the server itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from openapi_spec_validator import OpenAPIV31SpecValidator

from server.app import build
from server.http import bodies
from server.http.keys import READINESS
from server.serving import first_words, runner_of
from server.settings import Settings
from tests.api import Api
from tests.factories import World

People = Callable[..., Api]


def _settings(database_url: str, tmp_path: Path, **more: str) -> Settings:
    given = {"DATABASE_URL": database_url, "SECRET_KEY": "s" * 40, "LECTERN_DATA_DIR": str(tmp_path), **more}
    return Settings.model_validate(given)


async def test_probes_answer_without_a_token(api: People, app: web.Application, world: World) -> None:
    assert (await api(None).get("/healthz")).json == {"status": "ok"}
    assert (await api(None).get("/readyz")).status == 200
    app[READINESS].draining = True
    ready = await api(None).get("/readyz")
    assert (ready.status, ready.json["waiting"]) == (503, ["draining"])
    refused = await api("ana").post("/courses", {"title": "Too late"})
    assert (refused.status, refused.code) == (503, "draining")
    assert (await api(None).get("/version")).json["name"] == "lectern"


async def test_a_worker_that_is_replaced_says_of_the_address_that_it_is_ready(
    api: People, app: web.Application, world: World
) -> None:
    state, is_replaced = app[READINESS], True
    state.draining = state.has_siblings = state.media_needed = state.media_answered_once = True
    state.bus_is_up, state.is_replaced = lambda: False, lambda: is_replaced
    ready = await api(None).get("/readyz")
    assert (ready.status, ready.json) == (200, {"status": "ready", "waiting": [], "degraded": []})
    assert ready.headers["Connection"] == "close"
    is_replaced = False  # all are told to go
    assert (await api(None).get("/readyz")).status == 503


async def test_whoever_was_accepted_last_is_served_before_a_worker_goes(app: web.Application, world: World) -> None:
    runner = runner_of(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address = runner.addresses[0][:2]
        reader, writer = await asyncio.open_connection(*address)
        while not runner.server.silent:  # type: ignore[union-attr]
            await asyncio.sleep(0)
        await site.stop()
        hearing = asyncio.create_task(first_words(runner, 30))
        await asyncio.sleep(0)
        assert not hearing.done()
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(30):
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            await hearing
        writer.close()
    finally:
        await runner.cleanup()


async def test_a_worker_that_goes_waits_for_nobody_who_stays_silent(app: web.Application, world: World) -> None:
    runner = runner_of(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        _, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        async with asyncio.timeout(30):
            await first_words(runner, 0.1)
        writer.close()
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: "])
async def test_a_request_that_never_comes_is_not_waited_for(sent: bytes) -> None:
    runner = runner_of(web.Application(), idle_seconds=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(sent)
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01",  # a TLS greeting
        b"hello\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_answered_with_a_problem(
    sent: bytes, app: web.Application, caplog: pytest.LogCaptureFixture
) -> None:
    runner = runner_of(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(sent)
        async with asyncio.timeout(30):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")  # to the end: the connection is closed
        writer.close()
    finally:
        await runner.cleanup()
    assert head.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert b"Content-Type: application/problem+json" in head
    told = json.loads(body)
    assert (told["status"], told["code"]) == (400, "malformed")
    assert f"X-Request-Id: {told['request_id']}".encode() in head
    assert "Traceback" not in caplog.text


HALF = b"Content-Length: 5000\r\n\r\n"


async def test_who_stops_sending_in_a_body_and_still_listens_is_answered(
    server: TestServer, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    cases = (
        (b"POST /auth/login HTTP/1.1\r\nHost: x\r\n" + HALF + b'{"email": "a', 400),
        (b"POST /auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", 400),
        (b"POST /nowhere HTTP/1.1\r\nHost: x\r\n" + HALF, 404),
        (b"GET /version HTTP/1.1\r\nHost: x\r\n" + HALF + b"x", 200),  # it never looks at a body
    )
    for sent, status in cases:
        for pause in (0.0, 0.05):  # before the request is begun with, or after; the answer is the same
            reader, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(sent)
            await asyncio.sleep(pause)
            writer.write_eof()
            async with asyncio.timeout(30):
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")  # to the end: the connection is closed
            writer.close()
            assert int(head.split()[1]) == status, sent
            if status == 400:
                assert (json.loads(body)["code"], b"ends too early" in body) == ("malformed", True)
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("host", ["x; script-src *", "x' https://elsewhere.example", "x,y", "<b>", "a b"])
async def test_a_host_header_writes_nothing_into_our_policy(host: str, server: TestServer) -> None:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(f"GET /app HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(30):
        head = (await reader.read()).partition(b"\r\n\r\n")[0].decode()
    writer.close()
    if " 400 " not in head.splitlines()[0]:
        (policy,) = [line for line in head.splitlines() if line.startswith("Content-Security-Policy:")]
        assert "connect-src 'self' ;" in policy
        assert host not in head


async def test_a_body_that_stops_coming_is_given_up(
    database_url: str, tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.1)
    app = build(_settings(database_url, tmp_path))
    async with TestClient(TestServer(app)) as client:
        reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
        writer.write(b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        answer = await reader.read()  # to the end: the connection is closed
        assert answer.startswith(b"HTTP/1.1 400 ") and b'"stalled"' in answer
        writer.close()


async def test_the_documents_are_valid_and_name_every_operation_and_event(api: People, world: World) -> None:
    rest = (await api(None).get("/openapi.json")).json
    OpenAPIV31SpecValidator(rest).validate()
    assert {"/live-sessions/{live_session_id}/start", "/courses/upload-content", "/auth/login"} <= set(rest["paths"])
    events = (await api(None).get("/asyncapi.json")).json
    assert {"join", "chat_send", "timeline", "room_opened"} <= set(events["operations"])
    page = (await api(None).get("/docs")).raw.decode()
    for path, methods in rest["paths"].items():
        assert path in page
        assert set(methods) <= {"get", "head", "post", "put", "patch", "delete", "options"}
    for event in events["operations"]:
        assert f"<code>{event}</code>" in page


async def test_metrics_are_for_loopback_or_the_holder_of_the_token(
    api: People, database_url: str, tmp_path: Path, world: World
) -> None:
    assert b"lectern_http_request_seconds" in (await api(None).get("/metrics")).raw
    proxied = await api(None).get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})
    assert proxied.status == 403
    app = build(_settings(database_url, tmp_path, METRICS_TOKEN="the-token"))
    async with TestClient(TestServer(app)) as client:
        assert (await client.get("/metrics")).status == 403
        assert (await client.get("/metrics", headers={"Authorization": "Bearer the-token"})).status == 200
        reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 403 Forbidden\r\n"
        writer.close()


async def test_unknown_addresses_and_methods_are_problems(api: People, world: World) -> None:
    missing = await api("ana").get("/no-such-thing")
    assert (missing.status, missing.code, missing.json["detail"]) == (404, "not_found", missing.json["message"])
    assert missing.headers["Content-Type"].startswith("application/problem+json")
    wrong = await api("ana").delete("/courses")
    assert (wrong.status, wrong.code) == (405, "method_not_allowed")
    assert {"GET", "POST"} <= set(wrong.headers["Allow"].replace(" ", "").split(","))


async def test_a_prefix_moves_rest_and_is_told_to_the_page(database_url: str, tmp_path: Path, world: World) -> None:
    app = build(_settings(database_url, tmp_path, LECTERN_API_PREFIX="/api"))
    async with TestClient(TestServer(app)) as client:
        assert (await client.get("/api/courses")).status == 401
        assert (await client.get("/courses")).status == 404
        assert (await client.get("/healthz")).status == 200
        assert '<meta name="lectern-api-prefix" content="/api">' in await (await client.get("/app/x")).text()


async def test_listed_sites_may_call_and_others_may_not(database_url: str, tmp_path: Path, world: World) -> None:
    app = build(_settings(database_url, tmp_path, LECTERN_ALLOWED_ORIGINS="https://school.example.org"))
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    async with TestClient(TestServer(app)) as client:
        listed = {"Origin": "https://school.example.org"}
        preflight = await client.options("/courses", headers={**listed, **asks})
        assert preflight.status == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == listed["Origin"]
        assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
        answer = await client.get("/courses", headers=listed)
        assert (answer.status, answer.headers["Access-Control-Allow-Credentials"]) == (401, "true")
        assert "Origin" in answer.headers["Vary"]
        stranger = {"Origin": "https://elsewhere.example.org"}
        assert (await client.options("/courses", headers={**stranger, **asks})).status == 403
        assert "Access-Control-Allow-Origin" not in (await client.get("/courses", headers=stranger)).headers
        refused = await client.post("/auth/login", json={}, headers=stranger)
        assert (refused.status, (await refused.json())["code"]) == (403, "origin_not_allowed")
