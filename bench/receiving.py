"""What receiving 200 MB costs, on a RAM file system: the form and tus, beside multer, @tus/server and nginx.

Ours is the product: signed in, the course judged, the first bytes looked at, the row committed. The peers only store.
One upload at a time over one connection; durability (fsync) costs nothing on this file system and is measured apart.
`--quick` takes fewer rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench._file_servers import FileServer, express, nginx
from bench._peers import cpu_seconds, install
from server import logs
from server.db.database import Database
from server.ports import SilentPublisher
from server.settings import Settings
from tests.factories import World
from tests.program import Program

RAM = Path("/dev/shm")  # the one place that is memory on every Linux
SIZE_BYTES, PIECE = 200 * 1024 * 1024, 256 * 1024
ROUNDS = 5
HEAD = (24).to_bytes(4, "big") + b"ftypisom\0\0\2\0isomiso2"  # the first box of an MP4 file
BODY = HEAD + os.urandom(PIECE - len(HEAD))
BOUNDARY = "lectern-bench-boundary"
DAV = "location /dav/ { alias %s/; dav_methods PUT; create_full_put_path on; }"
MUST_OF_MULTER, MUST_CPU_OF_MULTER, MUST_OF_NGINX, AIM_OF_NGINX = 1.6, 0.6, 0.7, 0.9
MUST_OF_TUS, AIM_OF_TUS = 1.6, 2.0


@dataclass(frozen=True, slots=True)
class Way:
    """One way to send the file: `send` blocks and raises AssertionError unless it was taken; `pid` serves it."""

    name: str
    server: FileServer
    send: Callable[[], None]


async def main() -> int:
    """Print the ratios; 1 when one misses what it must be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    rounds = 2 if parser.parse_args().quick else ROUNDS
    logs.configure(level="error")
    install()
    if not is_roomy(RAM):
        raise SystemExit(f"{RAM} is no RAM file system with {6 * SIZE_BYTES:,} bytes free.")
    with tempfile.TemporaryDirectory(prefix="lectern-bench-", dir=RAM) as name:
        folder = Path(name)
        os.chmod(folder, 0o755)  # nginx's worker is somebody else
        stores = {each: folder / each for each in ("express", "dav")}
        for store in stores.values():
            store.mkdir()
            os.chmod(store, 0o777)
        async with AsyncExitStack() as stack:
            program = Program(folder, "serve", "--only", "web", LECTERN_LOG_LEVEL="error")
            await program.start()
            stack.push_async_callback(program.stop)
            token, course = await instructor(program)
            peer = await stack.enter_async_context(express(stores["express"]))
            proxy = await stack.enter_async_context(nginx(stores["dav"], folder, DAV % stores["dav"]))
            ours = FileServer("ours", program.url, program.pid)
            ways = [
                Way("ours, form", ours, lambda: form(ours.base + "/courses/upload-content", course, token)),
                Way("multer, form", peer, lambda: form(peer.base + "/form", course, "")),
                Way("nginx, PUT", proxy, lambda: put(proxy.base + f"/dav/{time.monotonic_ns()}")),
                Way("ours, tus", ours, lambda: tus(ours.base + "/courses/uploads", course, token)),
                Way("@tus/server", peer, lambda: tus(peer.base + "/tus", course, "")),
            ]
            speed, cost = await asyncio.to_thread(
                measured, ways, rounds, [*stores.values(), folder / "var" / "uploads"]
            )
    return judged(speed, cost)


def is_roomy(folder: Path) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free >= 6 * SIZE_BYTES


def measured(ways: Sequence[Way], rounds: int, stores: Sequence[Path]) -> tuple[dict[str, float], dict[str, float]]:
    """Megabytes a second and processor seconds of the server, the medians; the first round is to warm up."""
    speeds: dict[str, list[float]] = {way.name: [] for way in ways}
    costs: dict[str, list[float]] = {way.name: [] for way in ways}
    for number in range(rounds + 1):
        for way in ways:
            pid = way.server.pid
            spent, began = (
                way.server.cpu_seconds() if way.server.name != "ours" else cpu_seconds(pid),
                time.perf_counter(),
            )
            way.send()
            took = time.perf_counter() - began
            cost = (way.server.cpu_seconds() if way.server.name != "ours" else cpu_seconds(pid)) - spent
            if number:
                speeds[way.name].append(SIZE_BYTES / 1e6 / took)
                costs[way.name].append(cost)
            for store in stores:  # room for the next one
                for file in store.rglob("*"):
                    if file.is_file() and file.stat().st_size >= SIZE_BYTES:
                        file.unlink()
    return ({n: statistics.median(s) for n, s in speeds.items()}, {n: statistics.median(c) for n, c in costs.items()})


def judged(speed: dict[str, float], cost: dict[str, float]) -> int:
    for name in speed:
        print(f"  {name:<13} {speed[name]:6,.0f} MB/s  {cost[name]:.3f} s CPU")
    lines = [
        ("form, of multer's speed", speed["ours, form"] / speed["multer, form"], MUST_OF_MULTER, None, True),
        ("form, of multer's CPU", cost["ours, form"] / cost["multer, form"], MUST_CPU_OF_MULTER, None, False),
        ("form, of nginx's speed", speed["ours, form"] / speed["nginx, PUT"], MUST_OF_NGINX, AIM_OF_NGINX, True),
        ("tus, of @tus/server's speed", speed["ours, tus"] / speed["@tus/server"], MUST_OF_TUS, AIM_OF_TUS, True),
    ]
    is_missed = False
    for name, ratio, must, aim, is_more_better in lines:
        met = ratio >= must if is_more_better else ratio <= must
        is_missed |= not met
        aimed = "" if aim is None else f", aim {aim} {'met' if ratio >= aim else 'missed'}"
        print(f"  {name:<28} {ratio:.2f}: must {must} {'met' if met else 'missed'}{aimed}")
    return int(is_missed)


async def instructor(program: Program) -> tuple[str, int]:
    """Ana's token, and a course of hers."""
    settings = Settings.model_validate({"LECTERN_DATA_DIR": program.environment["LECTERN_DATA_DIR"]})
    database = Database.open(settings.database_url, publisher=SilentPublisher())
    try:
        world = await World.with_cast(database, settings.secret_key)
        return world.token("ana"), (await world.course("ana")).id
    finally:
        await database.close()


def form(url: str, course: int, token: str) -> None:
    fields = {"course_id": str(course), "type": "video", "title": "Two hundred"}
    before = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    before += (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="film.mp4"\r\n'
        "Content-Type: video/mp4\r\n\r\n"
    )
    after = f"\r\n--{BOUNDARY}--\r\n"
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    ask("POST", url, token, headers, before.encode(), SIZE_BYTES, after.encode())


def put(url: str) -> None:
    ask("PUT", url, "", {}, b"", SIZE_BYTES)


def tus(url: str, course: int, token: str) -> None:
    told = {"course_id": str(course), "type": "video", "title": "Two hundred", "filename": "film.mp4"}
    metadata = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in told.items())
    version = {"Tus-Resumable": "1.0.0"}
    created = ask("POST", url, token, {**version, "Upload-Length": str(SIZE_BYTES), "Upload-Metadata": metadata})
    place = next(line.split(": ", 1)[1] for line in created.split("\r\n") if line.lower().startswith("location:"))
    sent = {**version, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    ask("PATCH", place, token, sent, b"", SIZE_BYTES)


def ask(
    method: str, url: str, token: str, headers: dict[str, str], before: bytes = b"", size: int = 0, after: bytes = b""
) -> str:
    """Send it and return the head of the answer, which has to be a success."""
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    told = {
        "Host": parts.netloc,
        "Connection": "close",
        "Content-Length": str(len(before) + size + len(after)),
        **headers,
    }
    if token:
        told["Authorization"] = f"Bearer {token}"
    head = f"{method} {parts.path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in told.items())
    with socket.create_connection((parts.hostname, parts.port), 60) as line:
        line.sendall(head.encode() + b"\r\n" + before)
        for _ in range(size // PIECE):
            line.sendall(BODY)
        line.sendall(after)
        answer = b""
        while b"\r\n\r\n" not in answer and (data := line.recv(65_536)):
            answer += data
    assert answer.startswith(b"HTTP/1.1 20"), json.dumps(answer[:800].decode(errors="replace"))
    return answer.split(b"\r\n\r\n", 1)[0].decode()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
