"""The worker as a process, and the wire to it: how they begin, how they end, and what strangers get."""

from __future__ import annotations

import asyncio
import json
import os
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from signaling.media.carrier import FRAME_BYTES, Carrier, Endpoint, FrameTooLarge, pack
from signaling.media.client import MediaAway, MediaClient
from signaling.media.errors import MediaError, RequestInvalid
from signaling.media.worker import EXIT_PORT_TAKEN, advertised
from tests.signaling.media.conftest import ROOT, Told, Worker, start_worker
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer
from tests.signaling.media.wire import until

ROOM, ANA, BO = 3, 1, 2
ALL = {"microphone", "camera"}


async def test_a_killed_worker_is_told_lost_and_the_next_one_forwards_under_the_same_permissions(
    tmp_path: Path,
) -> None:
    control = f"unix:{tmp_path}/media.sock"
    first = start_worker(control)
    told = Told()
    client = MediaClient(control, told)
    await client.start()
    try:
        assert await client.wait_ready()
        client.permit(ROOM, {ANA: ALL}, [ANA])
        await PublishingPeer(ANA).publish(client, ROOM)
        first.kill()
        await until(lambda: told.named("worker_lost"))
        assert not client.connected
        with pytest.raises(MediaAway):
            await client.subscribe(ROOM, "bo", BO)
        client.permit(ROOM, {ANA: {"microphone"}}, [ANA])  # said while away, kept for the next

        second = start_worker(control, port=first.udp_port)
        try:
            await until(lambda: len(told.named("worker_ready")) == 2)
            assert told.events[0] == ("worker_ready", first.incarnation)
            assert told.named("worker_ready")[1] == ("worker_ready", second.incarnation)
            ana = await PublishingPeer(ANA).publish(client, ROOM)
            bo = await SubscribingPeer(BO).subscribe(client, ROOM)
            assert bo.bindings["0"] == {"user_id": ANA, "source": "microphone"}
            assert bo.bindings["1"] is None
            ana.send("microphone", count=2)
            await until(lambda: len(bo.packets["0"]) == 2)
        finally:
            assert second.stop() == 0
    finally:
        await client.close()


def test_a_worker_ends_with_its_supervisor_and_by_a_signal_with_0(tmp_path: Path) -> None:
    by_pipe = start_worker(f"unix:{tmp_path}/one.sock")
    assert by_pipe.stop() == 0
    by_signal = start_worker(f"unix:{tmp_path}/two.sock")
    by_signal.process.terminate()
    assert by_signal.process.wait(10) == 0


def test_a_worker_dies_with_a_killed_parent_that_leaves_the_pipe_open(tmp_path: Path) -> None:
    read, write = os.pipe()
    start = (
        "import subprocess, sys, time;"
        "p = subprocess.Popen([sys.executable, '-m', 'signaling.media.worker', '--control',"
        f"'unix:{tmp_path}/media.sock', '--udp-port', '0'], stdin={read}, stdout=subprocess.PIPE);"
        "p.stdout.readline(); print(p.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, pass_fds=[read], cwd=ROOT)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    watch = os.pidfd_open(child)
    parent.kill()
    parent.wait(10)
    assert select.select([watch], [], [], 10)[0], "the worker outlived its parent"
    for descriptor in (read, write, watch):
        os.close(descriptor)


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        command = ["-m", "signaling.media.worker", "--control", f"unix:{tmp_path}/m.sock", "--udp-port", str(port)]
        run = subprocess.run(
            [sys.executable, *command, "--port-retry-seconds", "0.2"], capture_output=True, text=True, cwd=ROOT
        )
    assert run.returncode == EXIT_PORT_TAKEN
    assert run.stderr.count("\n") == 1
    assert f"UDP port {port}" in run.stderr


async def test_over_tcp_both_ends_must_know_the_secret() -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "signaling.media.worker", "--control", "tcp:127.0.0.1:0", "--udp-port", "0"],
        capture_output=True, text=True, cwd=ROOT, env={k: v for k, v in os.environ.items() if "SECRET" not in k},
    )  # fmt: skip
    assert refused.returncode == 1
    assert "LECTERN_MEDIA_SECRET" in refused.stderr

    running = start_worker("tcp:127.0.0.1:0", secret="right")
    clients = [MediaClient(running.control, Told(), secret=secret) for secret in ("right", "wrong", None)]
    try:
        for client in clients:
            await client.start()
        assert await clients[0].wait_ready()
        assert (await clients[0].stats())["rooms"] == 0
        assert not await clients[1].wait_ready(0.5)
        assert not await clients[2].wait_ready(0.1)
    finally:
        for client in clients:
            await client.close()
        assert running.stop() == 0


async def test_a_server_that_does_not_know_the_secret_is_not_spoken_with(tmp_path: Path) -> None:
    running = start_worker(f"unix:{tmp_path}/media.sock")  # knows no secret, and proves none
    client = MediaClient(running.control, Told(), secret="right")
    await client.start()
    assert not await client.wait_ready(0.5)
    await client.close()
    assert running.stop() == 0


@pytest.mark.parametrize("said", [b"\xff\xff\xff\xff", pack({"do": "stats"})[:4] + b"x" * 14, b"\0\0\0\2[]"])
async def test_what_is_no_frame_ends_that_connection_only(worker: Worker, said: bytes) -> None:
    client = MediaClient(worker.control, Told())
    await client.start()
    assert await client.wait_ready()
    assert Endpoint.parse(worker.control).path is not None
    reader, writer = await asyncio.open_unix_connection(Endpoint.parse(worker.control).path)
    writer.write(said)
    await asyncio.wait_for(reader.read(), 10)  # the hello, then the end
    writer.close()
    assert (await client.stats())["rooms"] == 0
    await client.close()


async def test_a_malformed_request_is_answered_and_the_next_works(worker: Worker) -> None:
    client = MediaClient(worker.control, Told())
    await client.start()
    assert await client.wait_ready()
    wishes: list[tuple[str, dict[str, object]]] = [
        ("publish", {}),
        ("elephant", {}),
        ("permit", {"room": "x", "may": 1}),
        ("answer", {"sdp": 5}),
    ]
    for wish, fields in wishes:
        with pytest.raises(MediaError, match=r"malformed|longer"):
            await client._ask(wish, **fields)
    with pytest.raises(RequestInvalid, match="does not fit"):
        await client.answer(ROOM, "x", 1, "x" * FRAME_BYTES)
    assert (await client.stats())["counters"]["errors"] == 0
    await client.close()


async def test_loss_on_purpose_is_refused_unless_the_worker_was_started_for_it(tmp_path: Path) -> None:
    running = start_worker(f"unix:{tmp_path}/media.sock")
    client = MediaClient(running.control, Told())
    await client.start()
    assert await client.wait_ready()
    with pytest.raises(RequestInvalid, match="--allow-test-loss"):
        await client.test_loss(0.5, 0.5)
    await client.close()
    assert running.stop() == 0


async def test_frames_are_cut_out_of_any_chunks_and_a_reader_that_does_not_read_is_cut() -> None:
    got: list[dict[str, object]] = []
    lost: list[Carrier] = []
    receiving = Carrier(lambda _, message: got.append(message), lost.append)
    sending = Carrier(lambda *_: None, lost.append)
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    await loop.create_connection(lambda: receiving, sock=ours)
    stream = b"".join(pack({"n": n, "text": "ü" * n}) for n in range(50))
    for start in range(0, len(stream), 7):
        receiving.data_received(stream[start : start + 7])
    assert [message["n"] for message in got] == list(range(50))
    with pytest.raises(FrameTooLarge):
        receiving.send({"text": "x" * FRAME_BYTES})

    await loop.create_connection(lambda: sending, sock=theirs)
    assert receiving._transport is not None
    receiving._transport.pause_reading()
    while sending.send({"text": "x" * 200_000}):
        await asyncio.sleep(0)
    await until(lambda: sending in lost)


def test_browsers_are_told_the_public_address_or_every_address_of_the_machine() -> None:
    assert advertised(["127.0.0.1"], []) == ["127.0.0.1"]
    assert advertised(["0.0.0.0"], ["203.0.113.9", "2001:db8::9", "203.0.113.9"]) == ["203.0.113.9", "2001:db8::9"]
    everywhere = advertised(["0.0.0.0"], [])
    assert everywhere[-1] == "127.0.0.1"
    assert len(set(everywhere)) == len(everywhere)
    with pytest.raises(OSError):  # noqa: PT011
        advertised(["no such name"], [])


def test_a_worker_told_a_public_address_advertises_it(tmp_path: Path) -> None:
    command = ["-m", "signaling.media.worker", "--control", f"unix:{tmp_path}/m.sock", "--udp-port", "0"]
    running = subprocess.Popen(
        [sys.executable, *command, "--udp-host", "0.0.0.0", "--public-address", "203.0.113.9"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    out, _ = running.communicate(b"", timeout=20)
    assert json.loads(out)["candidates"] == ["203.0.113.9"]
    assert running.returncode == 0
