"""The server under load: a real process of its own on a free loopback port, ended by its pid; and what it uses."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import aiohttp

from server.listening import listen, port_of

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
READY_SECONDS, STOP_SECONDS = 60.0, 30.0
PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, prctl(2)


class ServerFailed(SystemExit):
    """The server under load did not start, or ended; the text is one line and its log's place."""


class ServerProcess:
    """`python -m server serve --only web` in `folder`, whose `log` keeps what it says."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        probe = listen(HOST, 0)
        self.port = port_of(probe)
        for opened in probe:
            opened.close()
        self.log = folder / "server.log"
        ours = ("LECTERN_", "SECRET_KEY", "DATABASE_URL", "REDIS_URL", "TLS_", "PUBLIC_", "TRUSTED_", "METRICS_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        own = {"HOST": HOST, "PORT": str(self.port), "LECTERN_DATA_DIR": str(folder), "LECTERN_LOG_LEVEL": "warning"}
        self._environment = {**kept, **own, **settings}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start, and wait until it is ready. Raises ServerFailed."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220  nothing else runs while a server is started
                [sys.executable, "-m", "server", "serve", "--only", "web"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C in our terminal is for us; we end it
                preexec_fn=_die_with_parent,  # noqa: PLW1509  one system call
            )
        try:
            await self._until_ready()
        except BaseException:
            await self.stop()
            raise

    async def _until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + READY_SECONDS
        async with aiohttp.ClientSession() as session:
            while self._process.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"http://{HOST}:{self.port}/readyz") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)
        last = self.log.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise ServerFailed(f"The server under load did not start: {last[0][:300]} ({self.log})")

    async def kill(self) -> None:
        """kill -9, as in a crash."""
        assert self._process is not None
        self._process.kill()
        await asyncio.to_thread(self._process.wait)

    async def stop(self) -> None:
        """SIGTERM and its end; killed when it takes too long."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            await self.kill()
        except asyncio.CancelledError:
            self._process.kill()
            self._process.wait()
            raise

    def memory_mb(self) -> tuple[float, float] | None:
        """Resident memory now and at its most; None on systems that do not say."""
        lines = _read(f"/proc/{self.pid}/status").splitlines()
        sizes = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "VmHWM"))}
        if len(sizes) < 2:
            return None
        return int(sizes["VmRSS"]) * 1024 / 1e6, int(sizes["VmHWM"]) * 1024 / 1e6

    def cpu_seconds(self) -> float | None:
        """Processor time spent so far; None on systems that do not say."""
        fields = _read(f"/proc/{self.pid}/stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if len(fields) > 12 else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _die_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
