"""The servers that files are measured beside: nginx, Express, and aiohttp's FileResponse, each a process of its own."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench._peers import HERE, NODE_BIN, cpu_seconds
from tests.processes import children_of
from tests.services import die_with_parent, free_port

START_SECONDS = 30
# tcp_nopush is left off: with it small ranges wait for the delayed acknowledgement of the one before on loopback.
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 512; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000; client_max_body_size 600m; client_body_buffer_size 1m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location /files/ {{ alias {files}/; }}
    {extra}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class FileServer:
    """One that runs; `base` is its address without a path."""

    name: str
    base: str
    pid: int

    def cpu_seconds(self) -> float:
        """User and system time so far, its children's (an nginx worker) too."""
        return sum(cpu_seconds(pid) for pid in (self.pid, *children_of(self.pid)))


@asynccontextmanager
async def spoken(name: str, *command: str) -> AsyncIterator[FileServer]:
    """A server that says its port on its first line and ends with its input."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=HERE.parent.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=die_with_parent
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            told = json.loads(await process.stdout.readline())
        yield FileServer(name, f"http://127.0.0.1:{told['port']}", process.pid)
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


def file_response(folder: Path) -> AbstractAsyncContextManager[FileServer]:
    return spoken("FileResponse", sys.executable, "-m", "bench.peers.file_response", str(folder))


def express(folder: Path) -> AbstractAsyncContextManager[FileServer]:
    return spoken("Express", str(NODE_BIN / "node"), str(HERE / "express.mjs"), str(folder))


@asynccontextmanager
async def nginx(files: Path, folder: Path, extra: str = "") -> AsyncIterator[FileServer]:
    """One worker over `files`. Raises SystemExit with one line where nginx is not installed."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise SystemExit("nginx is measured beside ours and is not installed (Debian: apt-get install nginx-light).")
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, files=files, port=port, extra=extra))
    process = await asyncio.create_subprocess_exec(
        program, "-p", str(folder), "-c", str(configuration), preexec_fn=die_with_parent, stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except OSError:
                    await asyncio.sleep(0.05)
        writer.close()
        yield FileServer("nginx", f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.terminate()
        await process.wait()
